"""Stochastic batches: the top of utilities that were perturbed, which spreads a batch for free."""

from typing import Any

import numpy as np

from skbayes.active._checks import check_n_instances, new_random_state
from skbayes.active._selection import check_utilities, highest


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
    with np.errstate(divide="ignore"):
        worth = np.log(utilities)
    return _perturbed(worth, n_instances, beta, random_state)


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
    return _perturbed(_checked(utilities, n_instances, beta), n_instances, beta, random_state)


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
    rng = new_random_state(random_state)
    order = np.lexsort((rng.random_sample(len(utilities)), -utilities))
    rank = np.arange(1.0, len(utilities) + 1)
    return order[_perturbed(-np.log(rank, out=rank), n_instances, beta, rng)]


def _checked(utilities: Any, n_instances: int, beta: float) -> np.ndarray:
    utilities = check_utilities(utilities).astype(np.float64, copy=False)
    check_n_instances(n_instances, len(utilities))
    if not beta > 0:
        raise ValueError(f"beta={beta!r} must be larger than 0")
    return utilities


def _perturbed(worth: np.ndarray, n_instances: int, beta: float, random_state: Any) -> np.ndarray:
    rng = new_random_state(random_state)
    noise = rng.gumbel(size=len(worth))  # as large as the pool, like all here: one at a time
    noise /= beta
    noise += worth
    # rows of worth -inf (no utility at all) stay last, among themselves at random
    return highest(noise, n_instances, rng)
