"""Expected error reduction: every label that a row may get is tried by refitting."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skbayes.active._checks import ParameterError, check_n_instances
from skbayes.active._rows import count_rows
from skbayes.active._selection import select_lowest, stream_of
from skbayes.active.uncertainty import _proba_entropy, _proba_uncertainty
from skbayes.active.utils.data import add_row, data_vstack, drop_rows, retrieve_rows

__all__ = [
    "expected_error_reduction",
]


def expected_error_reduction(
    learner: Any,
    X: Any,
    loss: str = "binary",
    p_subsample: float = 1.0,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Ask for the rows after whose label the least error is expected on the rest of the pool.

    For every row and every class a clone of the estimator is fitted with that label added; its
    errors on the other rows, :math:`1 - \max_c p_c` or the entropy, are averaged by the
    probability of the class. Costs a fit for every row and class; with posterior draws
    :func:`~skbayes.active.acquisition.error_reduction` does without refitting.

    Parameters
    ----------
    learner : ActiveLearner
        Fitted learner of a classifier.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    loss : {"binary", "log"}, default="binary"
        Error.
    p_subsample : float, default=1.0
        Share of the pool that is tried, at random; ``n_instances`` rows at least. The others are
        not asked for.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Draws the rows that are tried and breaks ties; None takes the learner's own stream.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)
        Their expected errors, summed over the rest of the pool.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed, or the pool has fewer rows.

    References
    ----------
    Roy, McCallum (2001), *Toward optimal active learning through sampling estimation of error
    reduction*, ICML.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active import ActiveLearner
    >>> from skbayes.active.expected_error import expected_error_reduction
    >>> X = [[0.0], [0.2], [0.9], [1.0]]
    >>> learner = ActiveLearner(GaussianNB(), expected_error_reduction, X, [0, 0, 1, 1])
    >>> indices, rows = learner.query([[0.1], [0.5], [0.95]])
    >>> len(indices)
    1
    """
    if loss not in ("binary", "log"):
        raise ParameterError(f"loss={loss!r} must be 'binary' or 'log'")
    if not 0 <= p_subsample <= 1:
        raise ParameterError(f"p_subsample={p_subsample!r} must be from 0 to 1")
    n_rows = count_rows(X, "X")
    check_n_instances(n_instances, n_rows)
    rng = stream_of(learner, random_state)
    expected = np.full(n_rows, np.inf)
    try:
        proba = np.asarray(learner.predict_proba(X))
    except NotFittedError:  # nothing to go by: all rows are alike
        expected[:] = 0
        return select_lowest(expected, n_instances, True, learner, rng)
    for row in _tried(n_rows, n_instances, p_subsample, rng):
        expected[row] = _expected_error(learner, X, row, proba[row], loss)
    return select_lowest(expected, n_instances, random_tie_break, learner, rng)


def _tried(n_rows: int, n_instances: int, share: float, rng: np.random.RandomState) -> np.ndarray:
    if share == 1:
        return np.arange(n_rows)
    tried = np.flatnonzero(rng.random_sample(n_rows) < share)
    if len(tried) < n_instances:  # what is not tried is never asked for
        tried = rng.permutation(n_rows)[:n_instances]
    return tried


def _expected_error(learner: Any, X: Any, row: int, proba: np.ndarray, loss: str) -> float:
    others = drop_rows(X, row)
    if count_rows(others, "X") == 0:
        return 0.0
    measure = _proba_uncertainty if loss == "binary" else _proba_entropy
    rows = add_row(learner.X_training, retrieve_rows(X, row))
    total = 0.0
    # what only quacks like a classifier may not say which classes it knows
    classes = getattr(learner.estimator, "classes_", None)
    classes = np.unique(np.asarray(learner.y_training)) if classes is None else classes
    for probability, label in zip(proba, classes, strict=True):
        if probability > 0:
            labels = data_vstack((learner.y_training, _as_labels(learner.y_training, label)))
            refitted = clone(learner.estimator, safe=False)
            refitted.fit(rows, labels)
            total += probability * measure(np.asarray(refitted.predict_proba(others))).sum()
    return total


def _as_labels(labels: Any, label: Any) -> Any:
    """One label of the kind that the labels so far are of."""
    if isinstance(labels, list | tuple):
        return [label.item() if hasattr(label, "item") else label]
    return np.array([label])
