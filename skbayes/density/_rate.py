"""The learning rate of a run of known length: warm-up, then a cosine to zero."""

import math
from typing import Any

#: Share of the steps over which the rate rises.
WARM_UP = 0.05


class CosineRate:
    """Sets the rate after every step, whatever an epoch is; called by the net.

    Parameters
    ----------
    rate : float
        The largest.
    n_steps : int
        Length of the run.
    """

    def __init__(self, rate: float, n_steps: int) -> None:
        self.rate = rate
        self.n_steps = n_steps
        self.n_warm_up = int(WARM_UP * n_steps)
        self.step = 0

    def at(self, step: int) -> float:
        """Rate of a step.

        Parameters
        ----------
        step : int
            Counted from 0.

        Returns
        -------
        float
        """
        if step < self.n_warm_up:
            return self.rate * (step + 1) / (self.n_warm_up + 1)
        done = (step - self.n_warm_up) / (self.n_steps - self.n_warm_up)
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))

    def start(self, net: Any) -> None:
        """Set the first rate.

        Parameters
        ----------
        net : StackNet
            An initialised net.
        """
        self.step = 0
        self._set(net)

    def __call__(self, net: Any) -> None:
        """Set the rate of the next step."""
        net.history[-1]["learning_rate"] = self.at(self.step)
        self.step += 1
        self._set(net)

    def _set(self, net: Any) -> None:
        for group in net.optimizer_.param_groups:
            group["lr"] = self.at(self.step)


class ConstantRate(CosineRate):
    """The same rate at every step, for a stream whose end is not known.

    Parameters
    ----------
    rate : float
    """

    def __init__(self, rate: float) -> None:
        super().__init__(rate, 0)

    def at(self, step: int) -> float:
        """Rate of a step.

        Parameters
        ----------
        step : int

        Returns
        -------
        float
        """
        return self.rate
