"""Batch selectors: from utilities to the rows that are asked for."""

from typing import Any

import numpy as np

from skbayes.active._checks import check_n_instances, new_random_state


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
    n_rows = len(utilities)
    check_n_instances(n_instances, n_rows)
    if np.isnan(utilities).any():
        raise ValueError(f"utilities hold nan in {int(np.isnan(utilities).sum())} of {n_rows} rows")
    threshold = np.partition(utilities, n_rows - n_instances)[n_rows - n_instances]
    candidates = np.flatnonzero(utilities >= threshold)  # more than asked for if the edge is a tie
    tie_break = new_random_state(random_state).random_sample(len(candidates))
    order = np.lexsort((tie_break, -utilities[candidates]))
    return candidates[order[:n_instances]]
