"""Batches by distances: core-set, BADGE, and a round through clusters."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.utils.extmath import row_norms, safe_sparse_dot

from skbayes._random import new_random_state
from skbayes.active._checks import check_n_instances
from skbayes.active._selection import check_utilities, highest


def k_center(
    embedding: Any,
    n_instances: int = 1,
    *,
    labelled: Any = None,
    random_state: Any = None,
) -> np.ndarray:
    """Core-set: one after the other the row that is farthest from all rows taken or labelled.

    The greedy algorithm, whose covering radius is at most twice the least possible.

    Parameters
    ----------
    embedding : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows of the pool.
    n_instances : int, default=1
        Number of rows.
    labelled : {array-like, sparse matrix} of shape (n_labelled, n_features), default=None
        Rows labelled already; without any the first row is drawn at random.
    random_state : int, RandomState instance or None, default=None
        Draws the first row and breaks ties.

    Returns
    -------
    ndarray of int of shape (n_instances,)
        In the order of choice.

    Raises
    ------
    ValueError
        If there are too few rows.

    References
    ----------
    Sener, Savarese (2018), *Active learning for convolutional neural networks: a core-set
    approach*, ICLR. Gonzalez (1985), *Clustering to minimize the maximum intercluster distance*.

    Examples
    --------
    >>> from skbayes.active.batch import k_center
    >>> k_center([[0.0], [1.0], [9.0]], 2, labelled=[[0.7]])
    array([2, 0])
    """
    rows = _embedding(embedding)
    n_rows = rows.shape[0]
    check_n_instances(n_instances, n_rows)
    rng = new_random_state(random_state)
    norms = row_norms(rows, squared=True)
    nearest = np.full(n_rows, np.inf)
    if labelled is not None and np.shape(labelled)[0]:
        known = _embedding(labelled)
        known_norms = row_norms(known, squared=True)
        for start in range(0, known.shape[0], 64):
            block = slice(start, start + 64)
            squared = _squared(rows, norms, known[block], known_norms[block])
            np.minimum(nearest, squared.min(axis=1), out=nearest)
    chosen: list[int] = []
    for _ in range(n_instances):
        if np.isinf(nearest).all():
            row = int(rng.randint(n_rows))
        else:
            row = int(highest(nearest, 1, rng)[0])
        chosen.append(row)
        center = slice(row, row + 1)
        np.minimum(nearest, _squared(rows, norms, rows[center], norms[center])[:, 0], out=nearest)
        nearest[chosen] = -1  # copies of a row taken are at distance 0, it itself is out
    return np.array(chosen)


def badge(
    proba: Any, embedding: Any, n_instances: int = 1, *, random_state: Any = None
) -> np.ndarray:
    r"""BADGE: k-means++ on the gradients of the last layer, so that rows are unsure and diverse.

    The gradient of a row for its likeliest label is the outer product
    :math:`(p - e_{\hat y}) \otimes h`; distances between such products come from their factors.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Class probabilities.
    embedding : {array-like, sparse matrix} of shape (n_samples, n_features)
        What the last layer sees of every row.
    n_instances : int, default=1
        Number of rows.
    random_state : int, RandomState instance or None, default=None
        Draws the rows.

    Returns
    -------
    ndarray of int of shape (n_instances,)
        In the order of choice; the first has the longest gradient.

    Raises
    ------
    ValueError
        If there are too few rows, or not as many probabilities as embeddings.

    References
    ----------
    Ash, Zhang, Krishnamurthy, Langford, Agarwal (2020), *Deep batch active learning by diverse,
    uncertain gradient lower bounds*, ICLR. Arthur, Vassilvitskii (2007), *k-means++*.

    Examples
    --------
    >>> from skbayes.active.batch import badge
    >>> badge([[0.5, 0.5], [1.0, 0.0]], [[1.0], [1.0]], random_state=0)
    array([0])
    """
    errors = np.array(proba, dtype=np.float64)  # (rows, classes)
    rows = _embedding(embedding)
    if errors.ndim != 2 or len(errors) != rows.shape[0]:
        raise ValueError(
            f"proba of shape {errors.shape} does not fit an embedding of {rows.shape[0]} rows"
        )
    check_n_instances(n_instances, len(errors))
    rng = new_random_state(random_state)
    errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1
    lengths = (errors**2).sum(axis=1) * row_norms(rows, squared=True)
    chosen = [int(highest(lengths, 1, rng)[0])]
    nearest = np.full(len(errors), np.inf)
    while len(chosen) < n_instances:
        last = chosen[-1]
        inner = (errors @ errors[last]) * _dense(safe_sparse_dot(rows, rows[last : last + 1].T))
        squared = np.maximum(lengths + lengths[last] - 2 * inner, 0)
        nearest = np.minimum(nearest, squared)
        nearest[chosen] = 0
        # rounding leaves tiny distances between copies; they must not count
        weights = np.where(nearest > 1e-12 * lengths.max(initial=0.0), nearest, 0.0)
        if not weights.any():  # copies of rows taken are all that is left: any of them
            weights = np.ones(len(errors))
        weights[chosen] = 0
        chosen.append(int(rng.choice(len(errors), p=weights / weights.sum())))
    return np.array(chosen)


def cluster_batch(
    utilities: Any,
    embedding: Any,
    n_instances: int = 1,
    *,
    n_clusters: int | None = None,
    random_state: Any = None,
) -> np.ndarray:
    """Rounds through clusters of useful rows, smallest cluster first, the best row of each.

    Clusters are those of average linkage.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Of the rows that are clustered: hand over the best, such as ten times ``n_instances``.
    embedding : {array-like, sparse matrix} of shape (n_samples, n_features)
        The same rows.
    n_instances : int, default=1
        Number of rows.
    n_clusters : int, default=None
        Number of clusters; None is ``n_instances``.
    random_state : int, RandomState instance or None, default=None
        Breaks ties.

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
    Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh, Kumar (2021), *Batch active
    learning at scale*, NeurIPS.

    Examples
    --------
    >>> from skbayes.active.batch import cluster_batch
    >>> cluster_batch([0.9, 0.8, 0.1], [[0.0], [0.1], [9.0]], 2)
    array([2, 0])
    """
    utilities = check_utilities(utilities)
    rows = _embedding(embedding)
    if len(utilities) != rows.shape[0]:
        raise ValueError(f"utilities has {len(utilities)} rows and embedding {rows.shape[0]}")
    check_n_instances(n_instances, len(utilities))
    rng = new_random_state(random_state)
    n_clusters = n_instances if n_clusters is None else n_clusters
    if n_clusters < 1:
        raise ValueError(f"n_clusters={n_clusters!r} must be at least 1")
    labels = np.ones(len(utilities), dtype=int)
    if len(utilities) > 1:
        tree = linkage(pdist(_dense_rows(rows)), method="average")
        labels = fcluster(tree, n_clusters, criterion="maxclust")
    order = highest(utilities, len(utilities), rng)
    queues = [order[labels[order] == label].tolist() for label in np.unique(labels)]
    queues.sort(key=len)  # stable: of equal size, the cluster found first
    chosen: list[int] = []
    while len(chosen) < n_instances:
        for queue in queues:
            if queue and len(chosen) < n_instances:
                chosen.append(queue.pop(0))
    return np.array(chosen)


# -- pieces ---------------------------------------------------------------------------------------


def _embedding(embedding: Any) -> Any:
    if sparse.issparse(embedding):
        return embedding.tocsr()
    rows = np.asarray(embedding)
    if rows.dtype.kind not in "fiub":
        raise ValueError(f"embedding must be numbers; got an array of dtype {rows.dtype}")
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    if rows.ndim != 2:
        rows = rows.reshape(len(rows), -1)
    return rows


def _squared(rows: Any, norms: np.ndarray, centers: Any, center_norms: np.ndarray) -> np.ndarray:
    """Squared distances, (rows, centers)."""
    product = safe_sparse_dot(rows, centers.T, dense_output=True)
    return np.maximum(norms[:, np.newaxis] + center_norms - 2 * product, 0)


def _dense(column: Any) -> np.ndarray:
    return np.asarray(column.toarray() if sparse.issparse(column) else column).ravel()


def _dense_rows(rows: Any) -> np.ndarray:
    return rows.toarray() if sparse.issparse(rows) else rows
