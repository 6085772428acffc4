"""Adaptation of a step size to a rate of acceptance: Nesterov's dual averaging."""

import math


class DualAveraging:
    r"""Dual averaging of the logarithm of a step size (Hoffman and Gelman 2014, section 3.2).

    Parameters
    ----------
    step_size : float
        The first step. Twice that is what the search is drawn to; the paper's factor of ten is for
        a first step that is a guess.
    target : float, default=0.8
        Rate of acceptance aimed at.
    gamma, t0, kappa : float
        The paper's constants: how fast, how stable at the start, how soon forgotten.

    Attributes
    ----------
    step_size : float
        To be used next, while adapting.
    average : float
        To be used once adaptation ends.

    References
    ----------
    M. D. Hoffman and A. Gelman, The No-U-Turn sampler, Journal of Machine Learning Research 15,
    2014, equation 6.

    Examples
    --------
    >>> from skbayes.samplers.adaptation import DualAveraging
    >>> tuner = DualAveraging(1.0, target=0.8)
    >>> for _ in range(2000):
    ...     tuner.update(2.718281828**-tuner.step_size)  # an acceptance of exp(-step)
    >>> round(tuner.average, 1)  # -log(0.8) = 0.223
    0.2
    """

    def __init__(
        self,
        step_size: float,
        target: float = 0.8,
        *,
        gamma: float = 0.05,
        t0: float = 10.0,
        kappa: float = 0.75,
    ) -> None:
        self.target = target
        self.gamma = gamma
        self.t0 = t0
        self.kappa = kappa
        self.restart(step_size)

    def restart(self, step_size: float) -> None:
        """Begin anew, as after a change of the metric.

        Parameters
        ----------
        step_size : float
            The first step.
        """
        self._centre = math.log(2.0 * step_size)
        self._error = 0.0
        self._count = 0
        self.step_size = step_size
        self.average = step_size

    def update(self, acceptance_rate: float) -> None:
        """Take in the acceptance of a trajectory.

        Parameters
        ----------
        acceptance_rate : float
            Mean over the chains.
        """
        self._count += 1
        t = self._count
        share = 1.0 / (t + self.t0)
        self._error += share * (self.target - acceptance_rate - self._error)
        log_step = self._centre - math.sqrt(t) / self.gamma * self._error
        weight = t**-self.kappa
        log_average = weight * log_step + (1.0 - weight) * math.log(self.average)
        self.step_size, self.average = math.exp(log_step), math.exp(log_average)
