"""How typical a row is of the others: similarities, and the information density made of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial.distance import cosine, euclidean
from sklearn.metrics import pairwise_distances_chunked

from skbayes.active._ranked import _flat

__all__ = [
    "cosine_similarity",
    "euclidean_similarity",
    "information_density",
    "similarize_distance",
]


def similarize_distance(distance_measure: Callable[..., float]) -> Callable[..., float]:
    """Make a similarity of a distance, :math:`1 / (1 + d)`.

    Parameters
    ----------
    distance_measure : callable
        Takes two rows, returns their distance.

    Returns
    -------
    callable

    Examples
    --------
    >>> from skbayes.active.density import similarize_distance
    >>> similarize_distance(lambda a, b: abs(a - b))(1, 2)
    0.5
    """

    def similarity(*args: Any, **kwargs: Any) -> float:
        return 1 / (1 + distance_measure(*args, **kwargs))

    return similarity


def cosine_similarity(u: Any, v: Any) -> float:
    """Similarity by the cosine distance, :math:`1 / (1 + d)`.

    Parameters
    ----------
    u : array-like of shape (n_features,)
        A row.
    v : array-like of shape (n_features,)
        Another row.

    Returns
    -------
    float

    Examples
    --------
    >>> from skbayes.active.density import cosine_similarity
    >>> float(cosine_similarity([1, 0], [0, 1]))
    0.5
    """
    return similarize_distance(cosine)(u, v)


def euclidean_similarity(u: Any, v: Any) -> float:
    """Similarity by the Euclidean distance, :math:`1 / (1 + d)`.

    Parameters
    ----------
    u : array-like of shape (n_features,)
        A row.
    v : array-like of shape (n_features,)
        Another row.

    Returns
    -------
    float

    Examples
    --------
    >>> from skbayes.active.density import euclidean_similarity
    >>> float(euclidean_similarity([0, 0], [0, 1]))
    0.5
    """
    return similarize_distance(euclidean)(u, v)


def information_density(X: Any, metric: str | Callable[..., float] = "euclidean") -> np.ndarray:
    r"""Mean similarity of a row to all rows, :math:`\frac1N \sum_j \frac1{1 + d(x, x_j)}`.

    Distances are gone through in blocks; all pairs are never in memory at once.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    metric : str or callable, default="euclidean"
        As in :func:`sklearn.metrics.pairwise_distances`.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between 0 and 1; high in the midst of many rows.

    References
    ----------
    Settles, Craven (2008), *An analysis of active learning strategies for sequence labeling tasks*,
    EMNLP.

    Examples
    --------
    >>> from skbayes.active.density import information_density
    >>> information_density([[0.0], [0.0], [1.0]]).round(3)
    array([0.833, 0.833, 0.667])
    """
    parts = pairwise_distances_chunked(
        _flat(X), metric=metric, reduce_func=lambda part, start: (1 / (1 + part)).mean(axis=1)
    )
    return np.concatenate(list(parts))
