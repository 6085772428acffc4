"""The rows of highest utility, ties broken by order or at random: what selectors are made of."""

from typing import Any

import numpy as np

from skbayes._random import new_random_state
from skbayes.active._checks import ParameterError, check_n_instances
from skbayes.active._random import Randomized


def check_utilities(utilities: Any, name: str = "utilities") -> np.ndarray:
    """Check that utilities are one number a row, none of them nan.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,) or (n_samples, 1)
        What to check; infinities are allowed.
    name : str, default="utilities"
        What an error calls them.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not.
    """
    utilities = np.asarray(utilities)
    if utilities.ndim == 2 and utilities.shape[1] == 1:
        utilities = utilities[:, 0]
    if utilities.ndim != 1:
        raise ParameterError(
            f"{name} must be one a row, an array of shape (rows,); got shape {utilities.shape}"
        )
    n_missing = int(np.isnan(utilities).sum()) if utilities.dtype.kind == "f" else 0
    if n_missing:
        raise ParameterError(f"{name} hold nan in {n_missing} of {len(utilities)} rows")
    return utilities


def highest(utilities: np.ndarray, n_instances: int, rng: Any = None) -> np.ndarray:
    """Rows of highest utility, the best first.

    Parameters
    ----------
    utilities : ndarray of shape (n_samples,)
        One a row, none nan.
    n_instances : int
        Number of rows, at most as many as there are.
    rng : RandomState instance or None, default=None
        Breaks ties; without one the row that comes first wins.

    Returns
    -------
    ndarray of int of shape (n_instances,)
    """
    n_rows = len(utilities)
    if n_instances == 1:
        threshold = utilities.max()
    else:
        threshold = np.partition(utilities, n_rows - n_instances)[n_rows - n_instances]
    candidates = np.flatnonzero(utilities >= threshold)  # more than asked for if the edge is a tie
    worth = -utilities[candidates].astype(np.float64)
    tie_break = candidates if rng is None else rng.random_sample(len(candidates))
    return candidates[np.lexsort((tie_break, worth))[:n_instances]]


def select(
    utilities: Any, n_instances: int, random_tie_break: bool, asker: Any, random_state: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Select rows as modAL's strategies do.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Higher = better.
    n_instances : int
        Number of rows.
    random_tie_break : bool
        Whether ties are broken at random.
    asker : object
        Who asks: a learner of ours lends its stream of randomness.
    random_state : int, RandomState instance or None
        Takes the place of that stream.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
        The best first.
    values : ndarray of shape (n_instances,)
        Their utilities.
    """
    utilities = check_utilities(utilities)
    check_n_instances(n_instances, len(utilities))
    rng = stream_of(asker, random_state) if random_tie_break else None
    indices = highest(utilities, n_instances, rng)
    return indices, utilities[indices]


def select_lowest(
    values: Any, n_instances: int, random_tie_break: bool, asker: Any, random_state: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Select the rows of lowest value, see :func:`select`.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        Lower = better.
    n_instances : int
        Number of rows.
    random_tie_break : bool
        Whether ties are broken at random.
    asker : object
        Who asks.
    random_state : int, RandomState instance or None
        Takes the place of the asker's stream.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    values : ndarray of shape (n_instances,)
    """
    indices, lowest = select(
        -check_utilities(values), n_instances, random_tie_break, asker, random_state
    )
    return indices, -lowest


def stream_of(asker: Any, random_state: Any) -> np.random.RandomState:
    """Find the randomness that a strategy draws from.

    Parameters
    ----------
    asker : object
        A learner of ours has a stream of its own.
    random_state : int, RandomState instance or None
        If given, it is used.

    Returns
    -------
    numpy.random.RandomState
    """
    if random_state is None and isinstance(asker, Randomized):
        return asker._get_random_state()
    return new_random_state(random_state)
