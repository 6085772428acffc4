"""The samplers' face as torch optimizers, for anything that trains by ``optimizer.step()``."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from skbayes.samplers import sgld
from skbayes.samplers.schedules import Schedule, constant


class SGLD(torch.optim.Optimizer):
    r"""Langevin dynamics as an optimizer.

    Parameters
    ----------
    params : iterable of torch.Tensor
        Parameters to sample; those that need no gradient stay as they are.
    lr : float or callable, default=1e-3
        Step size :math:`\varepsilon` (in units of the **summed** negative log posterior), or a
        schedule, a function of the step number.
    n_data : float, default=1
        Number of data N. The gradients must be those of ``U / n_data``, the mean loss plus the
        negative log prior over N.
    temperature : float, default=1
        Temperature of the target.
    generator : torch.Generator, optional
        Source of the noise; torch's global state is never used.

    References
    ----------
    M. Welling and Y. W. Teh, Bayesian learning via stochastic gradient Langevin dynamics,
    ICML 2011.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import SGLD
    >>> x = torch.zeros(1000, requires_grad=True)
    >>> sampler = SGLD([x], lr=0.1, generator=torch.Generator().manual_seed(0))
    >>> for _ in range(200):
    ...     sampler.zero_grad()
    ...     (x**2 / 2).sum().backward()
    ...     _ = sampler.step()
    >>> bool(0.9 < x.detach().std() < 1.1)
    True
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float | Schedule = 1e-3,
        *,
        n_data: float = 1.0,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(params, {})
        if generator is None:
            device = self.param_groups[0]["params"][0].device
            generator = torch.Generator(device)
            generator.seed()
        if not callable(lr) and not lr > 0:
            raise ValueError(f"lr={lr!r} must be a positive number or a schedule")
        if not temperature >= 0 or not n_data > 0:
            raise ValueError(
                f"n_data={n_data!r} must be positive, temperature={temperature!r} >= 0"
            )
        if any(set(group) != {"params"} for group in self.param_groups):
            raise ValueError("params: options of single groups are not supported")
        self.schedule: Schedule = lr if callable(lr) else constant(lr)
        self.n_data = n_data
        self.temperature = temperature
        self.generator = generator
        self.n_steps = 0
        parameters = [p for group in self.param_groups for p in group["params"] if p.requires_grad]
        self.parameters = parameters

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Parameters
        ----------
        closure : callable, optional
            Re-evaluates the loss and its gradients, as for any torch optimizer.

        Returns
        -------
        object
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradient = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]
        # looked up anew: whoever moves a module to a device replaces the tensors
        chain = sgld.init([p.data for p in self.parameters])
        sgld.step(
            chain,
            gradient,
            self.schedule(self.n_steps),
            gradient_scale=self.n_data,
            temperature=self.temperature,
            generator=self.generator,
        )
        self.n_steps += 1
        return loss
