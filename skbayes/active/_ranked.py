"""Ranked batch: uncertain rows far from all that is labelled or chosen."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics import (
    pairwise_distances,
    pairwise_distances_argmin_min,
    pairwise_distances_chunked,
)

from skbayes.active._checks import check_n_instances
from skbayes.active._rows import count_rows
from skbayes.active._selection import check_utilities
from skbayes.active.uncertainty import classifier_uncertainty


def select_cold_start_instance(
    X: Any, metric: str | Callable[..., float] = "euclidean", n_jobs: int | None = None
) -> tuple[int, Any]:
    """Row with the least mean distance from all others: where to begin without labels.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Pool.
    metric : str or callable, default="euclidean"
        As in :func:`sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None
        As in :func:`sklearn.metrics.pairwise_distances`.

    Returns
    -------
    index : int
    row : {ndarray, sparse matrix} of shape (1, n_features)

    References
    ----------
    Cardoso, Silva, Canuto, Moro, Goncalves (2017), *Ranked batch-mode active learning*, Information
    Sciences 379.

    Examples
    --------
    >>> from skbayes.active.batch import select_cold_start_instance
    >>> select_cold_start_instance([[0.0], [1.0], [5.0]])
    (1, array([[1.]]))
    """
    X = _flat(X)
    means = pairwise_distances_chunked(
        X, metric=metric, n_jobs=n_jobs, reduce_func=lambda part, start: part.mean(axis=1)
    )
    index = int(np.concatenate(list(means)).argmin())
    return index, X[[index]]


def select_instance(
    X_training: Any,
    X_pool: Any,
    X_uncertainty: np.ndarray,
    mask: np.ndarray,
    metric: str | Callable[..., float] = "euclidean",
    n_jobs: int | None = None,
) -> tuple[int, Any, np.ndarray]:
    r"""Row of highest :math:`\alpha (1 - \frac1{1 + d}) + (1 - \alpha) u` that is not masked.

    Parameters
    ----------
    X_training : {array-like, sparse matrix} of shape (n_labelled, n_features)
        Rows labelled, or chosen before.
    X_pool : {array-like, sparse matrix} of shape (n_samples, n_features)
        Pool.
    X_uncertainty : array-like of shape (n_samples,)
        Uncertainties of the pool's rows.
    mask : ndarray of bool of shape (n_samples,)
        Rows that may still be chosen.
    metric : str or callable, default="euclidean"
        As in :func:`sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None
        As in :func:`sklearn.metrics.pairwise_distances`.

    Returns
    -------
    index : int
    row : {ndarray, sparse matrix} of shape (1, n_features)
    mask : ndarray of bool of shape (n_samples,)
        Without the row; the one handed over is changed.

    References
    ----------
    Cardoso, Silva, Canuto, Moro, Goncalves (2017), *Ranked batch-mode active learning*, Information
    Sciences 379.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.active.batch import select_instance
    >>> index, row, mask = select_instance(
    ...     [[0.0]], [[0.1], [9.0]], np.array([0.5, 0.5]), np.array([True, True])
    ... )
    >>> index, mask
    (1, array([ True, False]))
    """
    X_pool, X_training = _flat(X_pool), _flat(X_training)
    open_rows = np.flatnonzero(mask)
    distances = _distances(X_pool[open_rows], X_training, metric, n_jobs)
    scores = _scores(distances, np.asarray(X_uncertainty)[open_rows], X_training.shape[0])
    index = int(open_rows[scores.argmax()])
    mask[index] = False
    return index, X_pool[[index]], mask


def rank_rows(
    utilities: Any,
    embedding: Any,
    n_instances: int = 1,
    *,
    labelled: Any = None,
    metric: str | Callable[..., float] = "euclidean",
    n_jobs: int | None = None,
) -> np.ndarray:
    """Ranked batch of rows that are uncertain and far from all that is labelled or chosen.

    The distance to the nearest such row is kept up to date, one column of distances a pick,
    instead of being computed anew.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Uncertainties, between 0 and 1 to be of the scale of the distances' part.
    embedding : {array-like, sparse matrix} of shape (n_samples, n_features)
        The pool's rows.
    n_instances : int, default=1
        Number of rows.
    labelled : {array-like, sparse matrix} of shape (n_labelled, n_features), default=None
        Rows labelled already. Without any the row nearest to all others comes first.
    metric : str or callable, default="euclidean"
        As in :func:`sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None
        As in :func:`sklearn.metrics.pairwise_distances`.

    Returns
    -------
    ndarray of int of shape (n_instances,)
        In the order of choice.

    Raises
    ------
    ValueError
        If there are too few rows, or not as many utilities as embeddings.

    References
    ----------
    Cardoso, Silva, Canuto, Moro, Goncalves (2017), *Ranked batch-mode active learning*, Information
    Sciences 379.

    Examples
    --------
    >>> from skbayes.active.batch import rank_rows
    >>> rank_rows([0.5, 0.5, 0.5], [[0.3], [9.0], [9.1]], 2, labelled=[[0.0]])
    array([2, 0])
    """
    utilities = check_utilities(utilities)
    rows = _flat(embedding)
    n_rows = rows.shape[0]
    if len(utilities) != n_rows:
        raise ValueError(f"utilities has {len(utilities)} rows and embedding {n_rows}")
    check_n_instances(n_instances, n_rows)
    open_rows = np.ones(n_rows, dtype=bool)
    chosen: list[int] = []
    if labelled is None or count_rows(labelled, "labelled") == 0:
        index, _ = select_cold_start_instance(rows, metric, n_jobs)
        chosen.append(index)
        open_rows[index] = False
        n_known = 1
        nearest = pairwise_distances(rows, rows[[index]], metric=metric, n_jobs=n_jobs)[:, 0]
    else:
        known = _flat(labelled)
        n_known = known.shape[0]
        nearest = _distances(rows, known, metric, n_jobs)
    while len(chosen) < n_instances:
        scores = _scores(nearest, utilities, n_known, n_rows - len(chosen))
        scores[~open_rows] = -np.inf
        index = int(scores.argmax())
        chosen.append(index)
        open_rows[index] = False
        n_known += 1
        if len(chosen) < n_instances:
            column = pairwise_distances(rows, rows[[index]], metric=metric, n_jobs=n_jobs)[:, 0]
            np.minimum(nearest, column, out=nearest)
    return np.array(chosen)


def ranked_batch(
    classifier: Any,
    unlabeled: Any,
    uncertainty_scores: np.ndarray,
    n_instances: int,
    metric: str | Callable[..., float] = "euclidean",
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ranked batch for a learner, see :func:`rank_rows`.

    Parameters
    ----------
    classifier : ActiveLearner or Committee
        Its ``X_training`` is what the batch keeps away from; with ``on_transformed`` distances
        are those after its ``transform_without_estimating``.
    unlabeled : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    uncertainty_scores : array-like of shape (n_samples,)
        Uncertainties of the pool's rows.
    n_instances : int
        Number of rows.
    metric : str or callable, default="euclidean"
        As in :func:`sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None
        As in :func:`sklearn.metrics.pairwise_distances`.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
        In the order of choice.
    metrics : ndarray of shape (n_instances,)
        Their uncertainties.

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Cardoso, Silva, Canuto, Moro, Goncalves (2017), *Ranked batch-mode active learning*, Information
    Sciences 379.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active import ActiveLearner
    >>> from skbayes.active.batch import ranked_batch
    >>> learner = ActiveLearner(GaussianNB(), None, [[0.0], [1.0]], [0, 1])
    >>> ranked_batch(learner, [[0.1], [9.0]], np.array([0.5, 0.5]), 1)[0]
    array([1])
    """
    labelled = classifier.X_training
    if classifier.on_transformed:
        unlabeled = classifier.transform_without_estimating(unlabeled)
        if labelled is not None:
            labelled = classifier.transform_without_estimating(labelled)
    scores = np.asarray(uncertainty_scores)
    indices = rank_rows(
        scores, unlabeled, n_instances, labelled=labelled, metric=metric, n_jobs=n_jobs
    )
    return indices, scores[indices]


def uncertainty_batch_sampling(
    classifier: Any,
    X: Any,
    n_instances: int | None = None,
    metric: str | Callable[..., float] = "euclidean",
    n_jobs: int | None = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for a ranked batch of rows: uncertain, and far from what is labelled and each other.

    Parameters
    ----------
    classifier : ActiveLearner or Committee
        Learner.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=None
        Number of rows; None is 20, or the whole pool if that is smaller.
    metric : str or callable, default="euclidean"
        As in :func:`sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None
        As in :func:`sklearn.metrics.pairwise_distances`.
    **uncertainty_measure_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
        In the order of choice.
    metrics : ndarray of shape (n_instances,)
        Their uncertainties.

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Cardoso, Silva, Canuto, Moro, Goncalves (2017), *Ranked batch-mode active learning*, Information
    Sciences 379.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active import ActiveLearner
    >>> from skbayes.active.batch import uncertainty_batch_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(GaussianNB(), uncertainty_batch_sampling, X[::25], y[::25])
    >>> len(set(learner.query(X, n_instances=5)[0].tolist()))
    5
    """
    uncertainty = classifier_uncertainty(classifier, X, **uncertainty_measure_kwargs)
    if n_instances is None:
        n_instances = max(1, min(20, len(uncertainty)))
    return ranked_batch(classifier, X, uncertainty, n_instances, metric, n_jobs)


# -- pieces ---------------------------------------------------------------------------------------


def _scores(
    nearest: np.ndarray, utilities: np.ndarray, n_known: int, n_open: int | None = None
) -> np.ndarray:
    n_open = len(utilities) if n_open is None else n_open
    alpha = n_open / (n_open + n_known)
    return alpha * (1 - 1 / (1 + nearest)) + (1 - alpha) * utilities


def _distances(rows: Any, known: Any, metric: Any, n_jobs: int | None) -> np.ndarray:
    if n_jobs in (None, 1):
        return pairwise_distances_argmin_min(rows, known, metric=metric)[1]
    return pairwise_distances(rows, known, metric=metric, n_jobs=n_jobs).min(axis=1)


def _flat(X: Any) -> Any:
    """Rows of numbers in two dimensions; images and the like are flattened."""
    if sparse.issparse(X):
        return X.tocsr()
    X = np.asarray(X)
    return X if X.ndim == 2 else X.reshape(len(X), -1)
