"""Selectors of modAL's kind: from values to row numbers and the values there."""

from typing import Any

import numpy as np

from skbayes._random import new_random_state
from skbayes.active._checks import ParameterError, check_n_instances
from skbayes.active._selection import check_utilities, select, select_lowest

__all__ = [
    "multi_argmax",
    "multi_argmin",
    "shuffled_argmax",
    "shuffled_argmin",
    "weighted_random",
]


def multi_argmax(values: Any, n_instances: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the largest values, the largest first; of equal ones the first.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        One a row.
    n_instances : int, default=1
        Number of rows.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    values : ndarray of shape (n_instances,)
        The values there.

    Raises
    ------
    ValueError
        If there are fewer rows than ``n_instances``, or a value is nan.

    Examples
    --------
    >>> from skbayes.active.utils import multi_argmax
    >>> multi_argmax([0.1, 0.9, 0.5], 2)
    (array([1, 2]), array([0.9, 0.5]))
    """
    return select(values, n_instances, False, None, None)


def multi_argmin(values: Any, n_instances: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the smallest values, the smallest first; of equal ones the first.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        One a row.
    n_instances : int, default=1
        Number of rows.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    values : ndarray of shape (n_instances,)
        The values there.

    Raises
    ------
    ValueError
        If there are fewer rows than ``n_instances``, or a value is nan.

    Examples
    --------
    >>> from skbayes.active.utils.selection import multi_argmin
    >>> multi_argmin([0.1, 0.9, 0.5], 2)
    (array([0, 2]), array([0.1, 0.5]))
    """
    return select_lowest(values, n_instances, False, None, None)


def shuffled_argmax(
    values: Any, n_instances: int = 1, *, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the largest values, ties at random; as in modAL the largest comes last.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        One a row.
    n_instances : int, default=1
        Number of rows.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    values : ndarray of shape (n_instances,)
        The values there.

    Raises
    ------
    ValueError
        If there are fewer rows than ``n_instances``, or a value is nan.

    Examples
    --------
    >>> from skbayes.active.utils import shuffled_argmax
    >>> shuffled_argmax([0.1, 0.9, 0.5], 2)
    (array([2, 1]), array([0.5, 0.9]))
    """
    indices, largest = select(values, n_instances, True, None, random_state)
    return indices[::-1], largest[::-1]


def shuffled_argmin(
    values: Any, n_instances: int = 1, *, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the smallest values, ties at random; as in modAL the smallest comes last.

    Parameters
    ----------
    values : array-like of shape (n_samples,)
        One a row.
    n_instances : int, default=1
        Number of rows.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    values : ndarray of shape (n_instances,)
        The values there.

    Raises
    ------
    ValueError
        If there are fewer rows than ``n_instances``, or a value is nan.

    Examples
    --------
    >>> from skbayes.active.utils.selection import shuffled_argmin
    >>> shuffled_argmin([0.1, 0.9, 0.5], 2)
    (array([2, 0]), array([0.5, 0.1]))
    """
    indices, smallest = select_lowest(values, n_instances, True, None, random_state)
    return indices[::-1], smallest[::-1]


def weighted_random(weights: Any, n_instances: int = 1, *, random_state: Any = None) -> np.ndarray:
    """Rows at random, each with a probability in proportion to its weight, none twice.

    Parameters
    ----------
    weights : array-like of shape (n_samples,)
        Not negative.
    n_instances : int, default=1
        Number of rows, at most as many as have a weight.
    random_state : int, RandomState instance or None, default=None
        Determines the rows.

    Returns
    -------
    ndarray of int of shape (n_instances,)

    Raises
    ------
    ValueError
        If a weight is negative, or fewer than ``n_instances`` are positive.

    Examples
    --------
    >>> from skbayes.active.utils import weighted_random
    >>> weighted_random([0.0, 3.0, 0.0])
    array([1])
    """
    weights = check_utilities(weights, "weights").astype(np.float64)
    check_n_instances(n_instances, len(weights))
    if weights.min() < 0 or not np.isfinite(weights).all():
        raise ParameterError(
            f"weights must be finite and not negative; the least is {weights.min()}"
        )
    if np.count_nonzero(weights) < n_instances:
        raise ParameterError(
            f"n_instances={n_instances} rows were asked for, but {np.count_nonzero(weights)} of "
            "the weights are larger than zero"
        )
    rng = new_random_state(random_state)
    # the logarithms of exponential waiting times, least first: weighted without replacement
    with np.errstate(divide="ignore"):
        waiting = np.log(rng.standard_exponential(len(weights))) - np.log(weights)
    return np.argsort(waiting)[:n_instances]
