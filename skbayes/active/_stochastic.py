"""Stochastic batches: the top of utilities that were perturbed, which spreads a batch for free."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skbayes._random import new_random_state
from skbayes.active._checks import check_n_instances
from skbayes.active._selection import check_utilities

#: Rows whose noise is drawn at a time
_BLOCK = 2**16


def power_batch(
    utilities: Any, n_instances: int = 1, *, beta: float = 1.0, random_state: Any = None
) -> np.ndarray:
    r"""Rows at random, in proportion to a power of their utility, :math:`u^\beta`, none twice.

    The top of :math:`\log u + \varepsilon / \beta` with Gumbel noise. Rows of no utility come
    last.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Not negative.
    n_instances : int, default=1
        Number of rows.
    beta : float, default=1.0
        How sharp; infinite is the top itself.
    random_state : int, RandomState instance or None, default=None
        Determines the noise.

    Returns
    -------
    ndarray of int of shape (n_instances,)

    Raises
    ------
    ValueError
        If a utility is negative or nan, ``beta`` is not positive, or there are too few rows.

    References
    ----------
    Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron, Gal (2023), *Stochastic batch
    acquisition: a simple baseline for deep active learning*, TMLR.

    Examples
    --------
    >>> from skbayes.active.batch import power_batch
    >>> power_batch([0.0, 0.5, 0.0], random_state=0)
    array([1])
    """
    utilities = _checked(utilities, n_instances, beta)
    if len(utilities) and utilities.min() < 0:
        raise ValueError(
            f"utilities must not be negative for a power; the least is {utilities.min():.6g} (use "
            "softmax_batch or softrank_batch)"
        )

    def worth(rows: slice) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(utilities[rows].astype(np.float64))

    return _perturbed(worth, len(utilities), n_instances, beta, new_random_state(random_state))


def softmax_batch(
    utilities: Any, n_instances: int = 1, *, beta: float = 1.0, random_state: Any = None
) -> np.ndarray:
    r"""Rows at random, in proportion to :math:`e^{\beta u}`, none twice.

    The top of :math:`u + \varepsilon / \beta` with Gumbel noise.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Of any sign; ``beta`` is in their unit.
    n_instances : int, default=1
        Number of rows.
    beta : float, default=1.0
        How sharp; infinite is the top itself.
    random_state : int, RandomState instance or None, default=None
        Determines the noise.

    Returns
    -------
    ndarray of int of shape (n_instances,)

    Raises
    ------
    ValueError
        If a utility is nan, ``beta`` is not positive, or there are too few rows.

    References
    ----------
    Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron, Gal (2023), *Stochastic batch
    acquisition: a simple baseline for deep active learning*, TMLR.

    Examples
    --------
    >>> from skbayes.active.batch import softmax_batch
    >>> softmax_batch([0.0, 100.0, 0.0], random_state=0)
    array([1])
    """
    utilities = _checked(utilities, n_instances, beta)
    rng = new_random_state(random_state)
    return _perturbed(utilities.__getitem__, len(utilities), n_instances, beta, rng)


def softrank_batch(
    utilities: Any, n_instances: int = 1, *, beta: float = 1.0, random_state: Any = None
) -> np.ndarray:
    r"""Rows at random, in proportion to a power of their rank, :math:`r^{-\beta}`, none twice.

    The top of :math:`-\log r + \varepsilon / \beta` with Gumbel noise, the best row having rank
    1. Only the order of the utilities matters.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Of any sign.
    n_instances : int, default=1
        Number of rows.
    beta : float, default=1.0
        How sharp; infinite is the top itself.
    random_state : int, RandomState instance or None, default=None
        Determines the noise and breaks ties.

    Returns
    -------
    ndarray of int of shape (n_instances,)

    Raises
    ------
    ValueError
        If a utility is nan, ``beta`` is not positive, or there are too few rows.

    References
    ----------
    Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron, Gal (2023), *Stochastic batch
    acquisition: a simple baseline for deep active learning*, TMLR.

    Examples
    --------
    >>> from skbayes.active.batch import softrank_batch
    >>> softrank_batch([0.1, 0.9, 0.5], 3, beta=1000, random_state=0)
    array([1, 2, 0])
    """
    utilities = _checked(utilities, n_instances, beta)
    n_rows, rng = len(utilities), new_random_state(random_state)

    def worth(rows: slice) -> np.ndarray:
        # no row is looked at: ranks are drawn first, then the few rows that have them are found
        return -np.log(np.arange(rows.start + 1.0, rows.stop + 1.0))

    return _of_rank(utilities, _perturbed(worth, n_rows, n_instances, beta, rng), rng)


def _checked(utilities: Any, n_instances: int, beta: float) -> np.ndarray:
    utilities = check_utilities(utilities)
    check_n_instances(n_instances, len(utilities))
    if not beta > 0:
        raise ValueError(f"beta={beta!r} must be larger than 0")
    return utilities


def _perturbed(
    worth: Callable[[slice], np.ndarray],
    n_rows: int,
    n_instances: int,
    beta: float,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Top of the worth with Gumbel noise, in blocks: the noise is as large as the pool."""
    best = np.empty(0)
    found, key = np.empty(0, dtype=np.intp), np.empty(0)
    for start in range(0, n_rows, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n_rows))
        value = rng.gumbel(size=rows.stop - rows.start)
        value /= beta
        value += worth(rows)
        least = best[-1] if len(best) == n_instances else -np.inf
        near = np.flatnonzero(value >= least)
        best = np.concatenate([best, value[near]])
        found = np.concatenate([found, near + start])
        # rows of worth -inf (no utility at all) come last, among themselves at random
        key = np.concatenate([key, rng.random_sample(len(near))])
        kept = np.lexsort((key, -best))[:n_instances]
        best, found, key = best[kept], found[kept], key[kept]
    return found


def _of_rank(utilities: np.ndarray, ranks: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Rows of these ranks, the highest utility having rank 0; equal ones are ranked at random."""
    places = len(utilities) - 1 - ranks
    values = np.partition(utilities, np.sort(places))[places]
    distinct = np.unique(values)
    # rows of one of these values, block by block
    found = [np.empty(0, dtype=np.intp)]
    for start in range(0, len(utilities), _BLOCK):
        block = utilities[start : start + _BLOCK]
        nearest = np.minimum(np.searchsorted(distinct, block), len(distinct) - 1)
        found.append(np.flatnonzero(distinct[nearest] == block) + start)
    rows = np.concatenate(found)
    held = utilities[rows]
    chosen = np.empty(len(ranks), dtype=np.intp)
    for value in distinct:
        asked = values == value
        chosen[asked] = rng.permutation(rows[held == value])[: asked.sum()]
    return chosen
