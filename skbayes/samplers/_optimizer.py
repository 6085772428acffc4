"""The samplers' face as torch optimizers, for anything that trains by ``optimizer.step()``."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from skbayes.samplers import constant_sgd, sghmc, sgld
from skbayes.samplers.schedules import Schedule, constant


def check_number(name: str, value: Any, what: str, *, zero: bool = False) -> None:
    """Check that a parameter is a finite number above 0.

    Parameters
    ----------
    name : str
        Of the parameter.
    value : object
    what : str
        What it must be, in words.
    zero : bool, default=False
        Whether 0 is allowed too.

    Raises
    ------
    ValueError
        If it is not.
    """
    real = isinstance(value, Real) and math.isfinite(value)
    if not (real and (value > 0 or (zero and value == 0))):
        raise ValueError(f"{name}={value!r} must be {what}")


class Sampler(torch.optim.Optimizer):
    """What the optimizers that sample share: checks, schedule, noise, the count of steps.

    Parameters
    ----------
    params : iterable of torch.Tensor
        Parameters to sample, each with a leading axis of chains; those that need no gradient stay
        as they are.
    lr : float or callable
        Step size, or a schedule.
    n_data : float
    temperature : float
    generator : torch.Generator or None
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float | Schedule,
        n_data: float,
        temperature: float,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__(params, {})
        if generator is None:
            device = self.param_groups[0]["params"][0].device
            generator = torch.Generator(device)
            generator.seed()
        if not callable(lr):
            check_number("lr", lr, "a positive number or a schedule")
        check_number("n_data", n_data, "a positive number")
        check_number("temperature", temperature, "a number of at least 0", zero=True)
        if any(set(group) != {"params"} for group in self.param_groups):
            raise ValueError("params: options of single groups are not supported")
        self.schedule: Schedule = lr if callable(lr) else constant(lr)
        self.n_data = n_data
        self.temperature = temperature
        self.generator = generator
        self.n_steps = 0
        self.parameters = [
            p for group in self.param_groups for p in group["params"] if p.requires_grad
        ]


class GradientSampler(Sampler):
    """A sampler that takes one gradient a step.

    Attributes
    ----------
    descent : torch.optim.Optimizer or None
        What moves the parameters instead, while it is set: a descent to where sampling begins.
    """

    descent: torch.optim.Optimizer | None = None

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
        self.advance()
        return loss

    def advance(self) -> None:
        """Take one step with the gradients that are there.

        :meth:`step` without the hooks and the profiling that torch wraps around it, which cost as
        much as the step of a small network.
        """
        if self.descent is not None:
            self.descent.step()
            self.n_steps += 1
            return
        gradient = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]
        # looked up anew: whoever moves a module to a device replaces the tensors
        self._move([p.data for p in self.parameters], gradient, self.schedule(self.n_steps))
        self.n_steps += 1

    def forget(self) -> None:
        """Forget what was carried from step to step; positions have been changed."""

    @abstractmethod
    def _move(self, position: list[Tensor], gradient: list[Tensor], step_size: float) -> None:
        """Move the position in place."""


class SGLD(GradientSampler):
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

    Attributes
    ----------
    root : list of torch.Tensor or None
        Square root of a diagonal preconditioner; see :func:`skbayes.samplers.sgld.step`.
    exploring : callable or None
        Tells of a step number whether that step is one of gradient descent, without noise.

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
        params: Iterable[Tensor],
        lr: float | Schedule = 1e-3,
        *,
        n_data: float = 1.0,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(params, lr, n_data, temperature, generator)
        self.root: list[Tensor] | None = None
        self.exploring: Callable[[int], bool] | None = None
        self._chain: sgld.SGLDState | None = None

    def _move(self, position: list[Tensor], gradient: list[Tensor], step_size: float) -> None:
        if self._chain is None:
            self._chain = sgld.init(position)
        cold = self.exploring is not None and self.exploring(self.n_steps)
        sgld.step(
            self._chain._replace(position=tuple(position)),
            gradient,
            step_size,
            gradient_scale=self.n_data,
            temperature=0.0 if cold else self.temperature,
            root=self.root,
            generator=self.generator,
        )


class SGHMC(GradientSampler):
    r"""Underdamped Langevin dynamics (stochastic gradient HMC) as an optimizer.

    Parameters
    ----------
    params : iterable of torch.Tensor
        Parameters to sample; those that need no gradient stay as they are.
    lr : float or callable, default=1e-2
        Step :math:`h` in units of time (stable below twice the inverse square root of the largest
        curvature of the summed negative log posterior), or a schedule.
    friction : float, default=1
        :math:`\gamma`, an inverse time.
    integrator : {"baoab", "euler"}, default="baoab"
        See :mod:`skbayes.samplers.sghmc`.
    scale : sequence of float, optional
        Scale r of every tensor that needs a gradient; 1 by default.
    n_data : float, default=1
        Number of data N. The gradients must be those of ``U / n_data``.
    temperature : float, default=1
        Temperature of the target.
    generator : torch.Generator, optional
        Source of the noise; torch's global state is never used.

    Attributes
    ----------
    gradient_variance : list of torch.Tensor or None
        Estimated variance of the gradient of U, which ``"euler"`` subtracts from its noise.
    velocity_limit : float or None
        Bound of the velocities after every kick, in standard deviations: it keeps a chain together
        whose step is too large, and is wrong where it bites.

    References
    ----------
    T. Chen, E. B. Fox and C. Guestrin, Stochastic gradient Hamiltonian Monte Carlo, ICML 2014.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import SGHMC
    >>> x = torch.zeros(1000, requires_grad=True)
    >>> sampler = SGHMC([x], lr=0.3, generator=torch.Generator().manual_seed(0))
    >>> for _ in range(200):
    ...     sampler.zero_grad()
    ...     (x**2 / 2).sum().backward()
    ...     _ = sampler.step()
    >>> bool(0.9 < x.detach().std() < 1.1)
    True
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float | Schedule = 1e-2,
        *,
        friction: float = 1.0,
        integrator: str = "baoab",
        scale: Sequence[float] | None = None,
        n_data: float = 1.0,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(params, lr, n_data, temperature, generator)
        if integrator not in ("baoab", "euler"):
            raise ValueError(f"integrator={integrator!r} must be 'baoab' or 'euler'")
        check_number("friction", friction, "a number of at least 0", zero=True)
        self.friction = friction
        self.integrator = integrator
        self.scale = scale
        self.gradient_variance: list[Tensor] | None = None
        self.velocity_limit: float | None = None
        self._chain: sghmc.SGHMCState | None = None

    def _move(self, position: list[Tensor], gradient: list[Tensor], step_size: float) -> None:
        if self._chain is None:
            self._chain = sghmc.init(
                position, temperature=self.temperature, generator=self.generator
            )
        self._chain = self._chain._replace(position=tuple(position))
        options: dict[str, Any] = {
            "gradient_scale": self.n_data,
            "temperature": self.temperature,
            "scale": self.scale,
            "velocity_limit": self.velocity_limit,
            "generator": self.generator,
        }
        if self.integrator == "baoab":
            sghmc.baoab_step(self._chain, gradient, step_size, self.friction, **options)
        else:
            options["gradient_variance"] = self.gradient_variance
            sghmc.euler_step(self._chain, gradient, step_size, self.friction, **options)

    def forget(self) -> None:
        """Draw velocities anew from their stationary law at the next step."""
        self._chain = None


class ConstantSGD(GradientSampler):
    r"""Stochastic gradient descent at a constant rate, as an approximate sampler.

    Parameters
    ----------
    params : iterable of torch.Tensor
        Parameters, each with a leading axis of chains; those that need no gradient stay as they
        are.
    lr : float or callable, default=1e-2
        Rate, which multiplies the preconditioner, or a schedule.

    Attributes
    ----------
    matrix : torch.Tensor or None
        The preconditioner; see :func:`skbayes.samplers.constant_sgd.step`.

    References
    ----------
    S. Mandt, M. D. Hoffman and D. M. Blei, Stochastic gradient descent as approximate Bayesian
    inference, Journal of Machine Learning Research 18, 2017.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import ConstantSGD
    >>> x = torch.ones(1, 3, requires_grad=True)
    >>> optimizer = ConstantSGD([x], lr=0.5)
    >>> (x**2 / 2).sum().backward()
    >>> _ = optimizer.step()
    >>> x.detach()
    tensor([[0.5000, 0.5000, 0.5000]])
    """

    def __init__(self, params: Iterable[Tensor], lr: float | Schedule = 1e-2) -> None:
        super().__init__(params, lr, 1.0, 1.0, None)
        self.matrix: Tensor | None = None

    def _move(self, position: list[Tensor], gradient: list[Tensor], step_size: float) -> None:
        constant_sgd.step(position, gradient, step_size, self.matrix)
