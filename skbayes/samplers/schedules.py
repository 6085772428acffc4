"""Step-size schedules: functions of the step number."""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant(step_size: float) -> Schedule:
    """The same step for ever.

    Parameters
    ----------
    step_size : float
        The step.

    Returns
    -------
    callable
        ``t -> step_size``.

    Examples
    --------
    >>> from skbayes.samplers import constant
    >>> constant(0.1)(100)
    0.1
    """

    def schedule(t: int) -> float:
        return step_size

    return schedule


def polynomial(step_size: float, offset: float, power: float) -> Schedule:
    r"""Welling and Teh's decreasing step :math:`a (b + t)^{-\gamma}`, told by its first value.

    Parameters
    ----------
    step_size : float
        The step at ``t = 0``; :math:`a = \text{step\_size} \cdot b^\gamma`.
    offset : float
        :math:`b`: after so many steps the step has shrunk by :math:`2^{-\gamma}`.
    power : float
        :math:`\gamma`; the chain converges for values in (0.5, 1].

    Returns
    -------
    callable
        ``t -> step_size * (1 + t / offset) ** -power``.

    Examples
    --------
    >>> from skbayes.samplers import polynomial
    >>> schedule = polynomial(0.1, offset=100, power=1.0)
    >>> schedule(0), schedule(100)
    (0.1, 0.05)
    """

    def schedule(t: int) -> float:
        return step_size * (1.0 + t / offset) ** -power

    return schedule


def cyclical(step_size: float, period: float) -> Schedule:
    r"""Zhang et al.'s warm restarts: half a cosine from ``step_size`` to 0, again and again.

    Parameters
    ----------
    step_size : float
        The step at the start of every cycle, :math:`\alpha_0`.
    period : float
        Length of a cycle P, in steps.

    Returns
    -------
    callable
        ``t -> step_size / 2 * (cos(pi * (t mod P) / P) + 1)``.

    References
    ----------
    R. Zhang, C. Li, J. Zhang, C. Chen and A. G. Wilson, Cyclical stochastic gradient MCMC for
    Bayesian deep learning, ICLR 2020, equation 1.

    Examples
    --------
    >>> from skbayes.samplers import cyclical
    >>> schedule = cyclical(0.1, period=100)
    >>> schedule(0), round(schedule(50), 3), schedule(100)
    (0.1, 0.05, 0.1)
    """

    def schedule(t: int) -> float:
        return 0.5 * step_size * (math.cos(math.pi * (t % period) / period) + 1.0)

    return schedule
