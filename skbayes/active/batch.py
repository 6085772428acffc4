"""Batch selectors: from utilities, draws or distances to the rows that are asked for.

modAL's ranked batch is here under its names. ``ActiveLearner(batch=...)`` takes a name in
:data:`BATCHES`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from skbayes._random import new_random_state
from skbayes.active._batchbald import batch_bald
from skbayes.active._checks import check_n_instances
from skbayes.active._diverse import badge, cluster_batch, k_center
from skbayes.active._ranked import (
    rank_rows,
    ranked_batch,
    select_cold_start_instance,
    select_instance,
    uncertainty_batch_sampling,
)
from skbayes.active._selection import check_utilities, highest
from skbayes.active._stochastic import power_batch, softmax_batch, softrank_batch

__all__ = [
    "BATCHES",
    "badge",
    "batch_bald",
    "cluster_batch",
    "get_batch",
    "k_center",
    "power_batch",
    "rank_rows",
    "ranked_batch",
    "select_cold_start_instance",
    "select_instance",
    "softmax_batch",
    "softrank_batch",
    "top_k",
    "uncertainty_batch_sampling",
]


def top_k(utilities: np.ndarray, n_instances: int = 1, *, random_state: Any = None) -> np.ndarray:
    """Pick the rows of highest utility, ties at random.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        One a row, higher = better; infinities are allowed, nan is not.
    n_instances : int, default=1
        Number of rows to pick.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties.

    Returns
    -------
    ndarray of shape (n_instances,)
        Row numbers, the best first.

    Raises
    ------
    ValueError
        If there are fewer rows than ``n_instances``, or a utility is nan.

    Examples
    --------
    >>> from skbayes.active.batch import top_k
    >>> top_k([0.1, 0.9, 0.5], 2)
    array([1, 2])
    """
    utilities = np.asarray(utilities)
    if utilities.ndim != 1:
        raise ValueError(
            f"utilities must be one a row, an array of shape (rows,); got shape {utilities.shape}"
        )
    check_n_instances(n_instances, len(utilities))
    return highest(check_utilities(utilities), n_instances, new_random_state(random_state))


BATCHES: Mapping[str, Callable[..., np.ndarray]] = MappingProxyType(
    {
        "top_k": top_k,
        "power": power_batch,
        "softmax": softmax_batch,
        "softrank": softrank_batch,
        "batch_bald": batch_bald,
        "ranked": rank_rows,
        "k_center": k_center,
        "badge": badge,
        "clusters": cluster_batch,
    }
)
"""Batch selectors by the name that ``batch=`` takes."""


def get_batch(batch: str | Callable[..., np.ndarray] | None) -> Callable[..., np.ndarray]:
    """Look a batch selector up by its name.

    Parameters
    ----------
    batch : str, callable or None
        A key of ``BATCHES``; a function is returned as it is; None is ``"top_k"``.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> from skbayes.active.batch import get_batch
    >>> get_batch("k_center").__name__
    'k_center'
    """
    if batch is None:
        return top_k
    if callable(batch):
        return batch
    if not isinstance(batch, str) or batch not in BATCHES:
        raise ValueError(
            f"batch={batch!r} is not known; allowed are a function of utilities or one of "
            f"{sorted(BATCHES)}"
        )
    return BATCHES[batch]
