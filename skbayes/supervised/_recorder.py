"""What is kept of chains as they run: draws at planned steps, equally weighted in the end."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn


class Recorder:
    """Keeps the draws of chains.

    Parameters
    ----------
    module : torch.nn.Module
        Stacked module whose leading axis counts chains; read where it stands.
    steps : sequence of int
        Numbers of the steps after which a draw is kept, increasing.
    weighted : bool, default=True
        Whether draws count in proportion to the steps by which they were reached.
    averaging : int, default=1
        Number of steps, up to the planned one, that a draw is the mean over.

    Attributes
    ----------
    n_recorded : int
        Number of draws kept so far of every chain.
    step_sizes : ndarray of shape (n_draws,)
        Step by which each draw was reached.
    """

    def __init__(
        self,
        module: nn.Module,
        steps: Sequence[int],
        *,
        weighted: bool = True,
        averaging: int = 1,
    ) -> None:
        self._weighted = weighted
        self.steps = list(steps)
        self._averaging = averaging
        self._parameters = dict(module.named_parameters())
        self._draws = {
            # (chains, draws, ...): chain-major once flattened
            name: p.data.new_full((p.shape[0], len(self.steps), *p.shape[1:]), torch.nan)
            for name, p in self._parameters.items()
        }
        self.step_sizes = np.empty(len(self.steps))
        self.n_recorded = 0

    def __call__(self, step_number: int, step_size: float) -> None:
        """Keep the draw that belongs to a step, if one does.

        Parameters
        ----------
        step_number : int
            Number of steps taken.
        step_size : float
            The last one.
        """
        k = self.n_recorded
        if k == len(self.steps):
            return
        count = step_number - self.steps[k] + self._averaging
        if count > 0:
            self._average(k, count)
        if step_number != self.steps[k]:
            return
        self.step_sizes[k] = step_size
        self.n_recorded = k + 1

    def replace(self, lost: Tensor, source: int, first: int) -> None:
        """Put the draws of one chain in the place of those of others.

        Parameters
        ----------
        lost : torch.Tensor of bool, of shape (chains,)
            Chains whose draws are not to be used.
        source : int
            The chain whose draws stand in for them.
        first : int
            Number of the first draw that is replaced.
        """
        for values in self._draws.values():
            chosen = values[:, first : self.n_recorded + 1]  # and the mean in the making
            chosen[lost] = chosen[source].clone()

    def _average(self, k: int, count: int) -> None:
        for name, p in self._parameters.items():
            mean = self._draws[name][:, k]
            if count == 1:
                mean.copy_(p.data)
            else:
                mean.lerp_(p.data, 1.0 / count)

    @property
    def last_step_size(self) -> float:
        """Mean step of the draws, weighted as they are."""
        weights = self.step_sizes[: self.n_recorded]
        return float(weights @ weights / weights.sum())

    def stacked(self, generator: torch.Generator, n_steps: int) -> Mapping[str, Tensor]:
        """The draws, equally weighted, with chains and draws in one leading axis.

        Parameters
        ----------
        generator : torch.Generator
            Resamples the draws of a decreasing schedule, in proportion to their steps.
        n_steps : int
            Number of steps taken, for the message if sampling was stopped.

        Returns
        -------
        dict of str to torch.Tensor

        Raises
        ------
        ValueError
            If sampling was stopped before the first draw.
        """
        kept = self.n_recorded
        if kept == 0:
            raise ValueError(
                f"Sampling was stopped after {n_steps} steps, before the first draw at step "
                f"n_warmup + thinning = {self.steps[0]}"
            )
        if kept < len(self.steps):
            warnings.warn(
                f"Sampling was stopped by a callback: {kept} of n_draws={len(self.steps)} draws "
                "a chain were taken.",
                ConvergenceWarning,
                stacklevel=2,
            )
        draws = {name: values[:, :kept] for name, values in self._draws.items()}
        weights = self.step_sizes[:kept]
        if self._weighted and np.ptp(weights) > 0:
            # Systematic resampling: unbiased, and the least additional noise
            n_chains, n_draws = next(iter(draws.values())).shape[:2]
            offset = torch.rand(n_chains, generator=generator, dtype=torch.float64).numpy()
            ladder = np.cumsum(weights) / weights.sum()
            points = (np.arange(n_draws) + offset[:, None]) / n_draws
            chosen = np.minimum(np.searchsorted(ladder, points), n_draws - 1)
            draws = {
                name: torch.stack(
                    [d[index] for d, index in zip(values, torch.from_numpy(chosen), strict=True)]
                )
                for name, values in draws.items()
            }
        return {name: values.flatten(0, 1) for name, values in draws.items()}
