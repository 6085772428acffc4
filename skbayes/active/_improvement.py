"""Utilities of a regressor's draws: spread, improvement over the best value, bounds, Thompson's."""

import warnings
from typing import Any

import numpy as np
from scipy.special import erfcx, log_ndtr
from sklearn.exceptions import ConvergenceWarning

from skbayes._random import new_random_state
from skbayes.active._checks import check_values


def variance(draws: np.ndarray) -> np.ndarray:
    r"""Variance of the draws, :math:`\frac1M \sum_m (f_m - \bar f)^2`.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples)
        Function values of every draw; at least two draws.

    Returns
    -------
    ndarray of shape (n_samples,)
        In squared units of y.

    Raises
    ------
    ValueError
        If ``draws`` are not finite values of that shape, or one draw only.

    References
    ----------
    Cohn, Ghahramani, Jordan (1996), *Active learning with statistical models*, JAIR 4.

    Examples
    --------
    >>> from skbayes.active.acquisition import variance
    >>> variance([[0.0, 1.0], [2.0, 1.0]])
    array([1., 0.])
    """
    return check_values(draws, needs_several="variance").var(axis=0)


def expected_improvement(
    draws: np.ndarray, best: float, *, tradeoff: float = 0.0, maximize: bool = True
) -> np.ndarray:
    r"""Mean improvement over the best value, exact: :math:`\frac1M \sum_m (f_m - best - t)_+`.

    An ensemble is no Gaussian, so that no formula of mean and spread is used. If the improvement
    is 0 in every row, the draws have collapsed; then a warning says so and the logarithm of the
    Gaussian's expected improvement, which never underflows, ranks the rows.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples)
        Function values of every draw.
    best : float
        Best value so far.
    tradeoff : float, default=0.0
        Least improvement that counts.
    maximize : bool, default=True
        Whether large values are sought, or small ones.

    Returns
    -------
    ndarray of shape (n_samples,)
        Not negative; negative logarithms where the draws have collapsed.

    Raises
    ------
    ValueError
        If ``draws`` are not finite values of that shape.

    Warns
    -----
    ConvergenceWarning
        If the improvement is 0 everywhere.

    References
    ----------
    Mockus, Tiesis, Zilinskas (1978), *The application of Bayesian methods for seeking the
    extremum*; Ament et al. (2023), *Unexpected improvements to expected improvement*, NeurIPS.

    Examples
    --------
    >>> from skbayes.active.acquisition import expected_improvement
    >>> expected_improvement([[0.0, 1.0], [2.0, 1.5]], best=1.0)
    array([0.5 , 0.25])
    """
    draws = check_values(draws)
    gains = _gains(draws, best, tradeoff, maximize)  # (draws, rows)
    improvement = np.maximum(gains, 0).mean(axis=0)  # (rows,)
    if improvement.size and not improvement.any():
        warnings.warn(
            f"The ensemble has collapsed: none of its {len(draws)} draws improves on the best "
            f"value {best:.6g} in any row. The rows are ranked by the logarithm of a Gaussian's "
            "expected improvement. Give the ensemble more spread (inflation, prior, members), or "
            "use Thompson's rule or a confidence bound",
            ConvergenceWarning,
            stacklevel=2,
        )
        return log_expected_improvement(gains.mean(axis=0), gains.std(axis=0))
    return improvement


def log_expected_improvement(gain: np.ndarray, std: np.ndarray) -> np.ndarray:
    r"""Logarithm of a Gaussian's expected improvement, :math:`\log \sigma h(\mu / \sigma)`.

    :math:`h(z) = \varphi(z) + z \Phi(z)`, by an asymptotic form where it underflows. Shifted so
    that no entry is positive: only the order matters.

    Parameters
    ----------
    gain : array-like of shape (n_samples,)
        Mean of the value minus the best one.
    std : array-like of shape (n_samples,)
        Its standard deviation; zeros count as next to nothing.

    Returns
    -------
    ndarray of shape (n_samples,)

    References
    ----------
    Ament et al. (2023), *Unexpected improvements to expected improvement*, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.active._improvement import log_expected_improvement
    >>> order = log_expected_improvement(np.array([-50.0, -60.0]), np.array([1.0, 1.0]))
    >>> bool(order[0] > order[1])
    True
    """
    gain, std = np.asarray(gain, dtype=np.float64), np.asarray(std, dtype=np.float64)
    scale = np.abs(gain).max(initial=0.0) + std.max(initial=0.0)
    std = np.maximum(std, 1e-6 * scale + np.finfo(float).tiny)
    z = gain / std
    log_h = np.empty_like(z)
    near = z > -1
    log_h[near] = np.log(np.exp(_log_phi(z[near])) + z[near] * np.exp(log_ndtr(z[near])))
    # h(z) = phi(z) (1 - |z| Phi(z) / phi(z)); the ratio by the scaled error function, and by
    # 1 - 1 / z^2 where even that rounds to 1
    far = -z[~near]
    mills = far * np.sqrt(np.pi / 2) * erfcx(far / np.sqrt(2))
    with np.errstate(divide="ignore"):
        tail = np.where(far < 1e4, np.log1p(-np.minimum(mills, 1)), -2 * np.log(far))
    log_h[~near] = _log_phi(far) + tail
    logarithm = np.log(std) + log_h
    return logarithm - max(logarithm.max(initial=-np.inf), 0.0)


def probability_of_improvement(
    draws: np.ndarray, best: float, *, tradeoff: float = 0.0, maximize: bool = True
) -> np.ndarray:
    r"""Share of the draws that improve on the best value by more than the trade-off.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples)
        Function values of every draw.
    best : float
        Best value so far.
    tradeoff : float, default=0.0
        Least improvement that counts.
    maximize : bool, default=True
        Whether large values are sought, or small ones.

    Returns
    -------
    ndarray of shape (n_samples,)
        One of the values 0, 1/M, 2/M, ...: with few draws there are many ties.

    Raises
    ------
    ValueError
        If ``draws`` are not finite values of that shape.

    References
    ----------
    Kushner (1964), *A new method of locating the maximum point of an arbitrary multipeak curve in
    the presence of noise*, Journal of Basic Engineering 86.

    Examples
    --------
    >>> from skbayes.active.acquisition import probability_of_improvement
    >>> probability_of_improvement([[0.0, 1.0], [2.0, 1.5]], best=1.0)
    array([0.5, 0.5])
    """
    return (_gains(check_values(draws), best, tradeoff, maximize) > 0).mean(axis=0)


def confidence_bound(draws: np.ndarray, *, beta: float = 2.0, maximize: bool = True) -> np.ndarray:
    r"""Optimistic bound, :math:`\bar f + \beta \sigma`; of a minimum with :math:`-\bar f`.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples)
        Function values of every draw.
    beta : float, default=2.0
        Weight of the spread.
    maximize : bool, default=True
        Whether large values are sought, or small ones.

    Returns
    -------
    ndarray of shape (n_samples,)
        Higher = better in either case.

    Raises
    ------
    ValueError
        If ``draws`` are not finite values of that shape.

    References
    ----------
    Srinivas, Krause, Kakade, Seeger (2010), *Gaussian process optimization in the bandit setting*,
    ICML.

    Examples
    --------
    >>> from skbayes.active.acquisition import confidence_bound
    >>> confidence_bound([[0.0, 1.0], [2.0, 1.0]], beta=1.0)
    array([2., 1.])
    """
    draws = check_values(draws)
    mean, std = draws.mean(axis=0), draws.std(axis=0)
    return (mean if maximize else -mean) + beta * std


def thompson(
    draws: np.ndarray, *, maximize: bool = True, random_state: object = None
) -> np.ndarray:
    """Values of one draw picked at random: the row that is best by a sample of what is believed.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples)
        Function values of every draw.
    maximize : bool, default=True
        Whether large values are sought, or small ones.
    random_state : int, RandomState instance or None, default=None
        Picks the draw.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If ``draws`` are not finite values of that shape.

    References
    ----------
    Thompson (1933), *On the likelihood that one unknown probability exceeds another*, Biometrika
    25.

    Examples
    --------
    >>> from skbayes.active.acquisition import thompson
    >>> thompson([[0.0, 1.0], [0.0, 1.0]], random_state=0)
    array([0., 1.])
    """
    draws = check_values(draws)
    values = draws[new_random_state(random_state).randint(len(draws))]
    return values if maximize else -values


def _gains(draws: np.ndarray, best: Any, tradeoff: float, maximize: bool) -> np.ndarray:
    best = float(np.asarray(best, dtype=np.float64).ravel()[0])  # y may have had one column
    return (draws - best if maximize else best - draws) - tradeoff


def _log_phi(z: np.ndarray) -> np.ndarray:
    return -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
