"""Hamiltonian Monte Carlo as a torch optimizer: a step is a whole trajectory."""

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from skbayes.samplers import hmc
from skbayes.samplers._optimizer import Sampler, check_number
from skbayes.samplers.schedules import Schedule


class HMC(Sampler):
    r"""Hamiltonian Monte Carlo as an optimizer: a step is a whole trajectory.

    Parameters
    ----------
    params : iterable of torch.Tensor
        Parameters to sample, each with a leading axis of chains; those that need no gradient stay
        as they are.
    lr : float or callable, default=1e-2
        Step of the leapfrog, in units of time, or a schedule.
    n_leapfrog : int, default=10
        Number of leapfrog steps a trajectory.
    scale : sequence of float or torch.Tensor, optional
        Scale r of every tensor that needs a gradient; 1 by default.
    n_data : float, default=1
        Number of data N. The closure's losses and gradients must be those of ``U / n_data``.
    temperature : float, default=1
        Temperature of the target.
    generator : torch.Generator, optional
        Source of velocities and decisions; torch's global state is never used.

    Attributes
    ----------
    info : HMCInfo
        What the last trajectory told about itself.

    References
    ----------
    R. M. Neal, MCMC using Hamiltonian dynamics, in: Handbook of Markov chain Monte Carlo, 2011.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import HMC
    >>> x = torch.zeros(500, 1, dtype=torch.float64, requires_grad=True)
    >>> sampler = HMC([x], lr=0.2, n_leapfrog=8, generator=torch.Generator().manual_seed(0))
    >>> def closure():
    ...     sampler.zero_grad()
    ...     losses = (x**2 / 2).sum(1)  # one a chain
    ...     losses.sum().backward()
    ...     return losses
    >>> for _ in range(10):
    ...     _ = sampler.step(closure)
    >>> bool(0.9 < x.detach().std() < 1.1)
    True
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float | Schedule = 1e-2,
        *,
        n_leapfrog: int = 10,
        scale: Sequence[float | Tensor] | None = None,
        n_data: float = 1.0,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(params, lr, n_data, temperature, generator)
        check_number("temperature", temperature, "a positive number")
        count: Any = n_leapfrog
        if not (isinstance(count, Integral) and int(count) >= 1):
            raise ValueError(f"n_leapfrog={n_leapfrog!r} must be an integer of at least 1")
        self.n_leapfrog = n_leapfrog
        self.scale = scale
        self._chain: hmc.HMCState | None = None

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Run one trajectory of every chain.

        Parameters
        ----------
        closure : callable
            Clears the gradients, evaluates ``U / n_data`` of every chain, differentiates the sum,
            and returns the losses, of shape (chains,).

        Returns
        -------
        torch.Tensor of shape (chains,)
            The losses where the chains stand now.
        """
        if closure is None:
            raise TypeError("HMC.step needs a closure: it evaluates the loss many times")

        def potential() -> tuple[Tensor, list[Tensor]]:
            with torch.enable_grad():
                losses = closure()
            gradient = [
                torch.zeros_like(p) if p.grad is None else p.grad.mul(self.n_data)
                for p in self.parameters
            ]
            return losses.detach() * self.n_data, gradient

        position = tuple(p.data for p in self.parameters)
        if self._chain is None:
            self._chain = hmc.init(position, potential)
        self._chain, self.info = hmc.step(
            self._chain._replace(position=position),
            potential,
            self.schedule(self.n_steps),
            self.n_leapfrog,
            temperature=self.temperature,
            scale=self.scale,
            generator=self.generator,
        )
        self.n_steps += 1
        return self._chain.potential / self.n_data
