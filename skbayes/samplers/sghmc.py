r"""Stochastic gradient Hamiltonian Monte Carlo: underdamped Langevin dynamics, two integrators.

.. math:: d\theta = r v\, dt, \qquad
          dv = -r \nabla U(\theta)\, dt - \gamma v\, dt + \sqrt{2 \gamma T}\, dW

leaves :math:`\exp(-(U(\theta) + |v|^2 / 2) / T)` invariant for every friction :math:`\gamma` and
every scale :math:`r` of the coordinates (momenta of mass :math:`r^{-2}`). One gradient a step
either way:

- :func:`baoab_step`, the splitting of Leimkuhler and Matthews (2013): half a kick, half a drift,
  the exact Ornstein-Uhlenbeck step, half a drift, half a kick. Its positions have the exact
  variance on a quadratic, for every stable step. The two half kicks between two drifts see the same
  gradient and are taken at once.
- :func:`euler_step`, Chen, Fox and Guestrin (2014), equations 13 and 15, in the units above: their
  learning rate is :math:`h^2`, their friction :math:`\gamma h`; the estimated noise of the
  gradients :math:`\hat V` is subtracted from what is injected.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from skbayes.samplers.sgld import views


class SGHMCState(NamedTuple):
    """What is carried from one step to the next; updated in place.

    Attributes
    ----------
    position : tuple of torch.Tensor
        Parameters, each with a leading axis of chains.
    velocity : torch.Tensor
        Flat, as long as all parameters together.
    noise : torch.Tensor
        A flat scratch vector.
    velocities, noises : tuple of torch.Tensor
        Pieces of the two, shaped like the parameters.
    """

    position: tuple[Tensor, ...]
    velocity: Tensor
    noise: Tensor
    velocities: tuple[Tensor, ...]
    noises: tuple[Tensor, ...]


class SGHMCInfo(NamedTuple):
    """What a step tells about itself.

    Attributes
    ----------
    step_size : float
        The step taken, in units of time.
    noise_scale : float
        Standard deviation of the noise added to every velocity (before any correction for the
        noise of the gradients).
    """

    step_size: float
    noise_scale: float


@torch.no_grad()
def init(
    position: Sequence[Tensor],
    *,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> SGHMCState:
    """Start at a position, with velocities from their stationary law.

    Parameters
    ----------
    position : sequence of torch.Tensor
        Parameters on one device and of one dtype; not copied.
    temperature : float, default=1
    generator : torch.Generator, optional
        Source of the velocities.

    Returns
    -------
    SGHMCState
    """
    position = tuple(position)
    velocity = position[0].new_empty(sum(p.numel() for p in position))
    velocity.normal_(generator=generator).mul_(temperature**0.5)
    noise = torch.empty_like(velocity)
    return SGHMCState(position, velocity, noise, views(velocity, position), views(noise, position))


@torch.no_grad()
def baoab_step(
    state: SGHMCState,
    gradient: Sequence[Tensor],
    step_size: float,
    friction: float,
    *,
    gradient_scale: float = 1.0,
    temperature: float = 1.0,
    scale: Sequence[float] | None = None,
    velocity_limit: float | None = None,
    generator: torch.Generator | None = None,
) -> tuple[SGHMCState, SGHMCInfo]:
    r"""Take one step of the BAOAB splitting, in place.

    Parameters
    ----------
    state : SGHMCState
        Where the chains stand.
    gradient : sequence of torch.Tensor
        Unbiased estimate of the gradient of ``U / gradient_scale`` at ``state.position``.
    step_size : float
        The step :math:`h`, in units of time; stable below twice the inverse square root of the
        largest curvature.
    friction : float
        :math:`\gamma`, an inverse time.
    gradient_scale : float, default=1
        Multiplies the gradient.
    temperature : float, default=1
    scale : sequence of float, optional
        :math:`r` of every tensor; 1 by default.
    velocity_limit : float, optional
        Bound of the velocities after the kick, in standard deviations.
    generator : torch.Generator, optional
        Source of the noise.

    Returns
    -------
    state : SGHMCState
    info : SGHMCInfo

    References
    ----------
    B. Leimkuhler and C. Matthews, Rational construction of stochastic numerical methods for
    molecular sampling, Applied Mathematics Research eXpress, 2013.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import sghmc
    >>> state = sghmc.init([torch.ones(1)], temperature=0.0)
    >>> state, info = sghmc.baoab_step(state, [torch.ones(1)], 0.5, 0.0, temperature=0.0)
    >>> state.position[0]  # 1 - h^2
    tensor([0.7500])
    """
    _add_scaled(state.velocities, gradient, -step_size * gradient_scale, scale)
    _limit(state, velocity_limit, temperature)
    _add_scaled(state.position, state.velocities, 0.5 * step_size, scale)
    noise_scale = math.sqrt(-math.expm1(-2.0 * friction * step_size) * temperature)
    state.velocity.mul_(math.exp(-friction * step_size))
    if noise_scale > 0:
        state.noise.normal_(generator=generator)
        state.velocity.add_(state.noise, alpha=noise_scale)
    _add_scaled(state.position, state.velocities, 0.5 * step_size, scale)
    return state, SGHMCInfo(step_size, noise_scale)


@torch.no_grad()
def euler_step(
    state: SGHMCState,
    gradient: Sequence[Tensor],
    step_size: float,
    friction: float,
    *,
    gradient_scale: float = 1.0,
    temperature: float = 1.0,
    scale: Sequence[float] | None = None,
    gradient_variance: Sequence[Tensor] | None = None,
    velocity_limit: float | None = None,
    generator: torch.Generator | None = None,
) -> tuple[SGHMCState, SGHMCInfo]:
    r"""Take one step of Chen, Fox and Guestrin's discretisation, in place.

    :math:`v \leftarrow v - h r \nabla \hat U - h \gamma v +
    \mathcal N(0, 2 \gamma h T - h^2 r^2 \hat V)`, then :math:`\theta \leftarrow \theta + h r v`.

    Parameters
    ----------
    state : SGHMCState
        Where the chains stand.
    gradient : sequence of torch.Tensor
        Unbiased estimate of the gradient of ``U / gradient_scale`` at ``state.position``.
    step_size : float
        The step :math:`h`, in units of time.
    friction : float
        :math:`\gamma`, an inverse time.
    gradient_scale : float, default=1
        Multiplies the gradient.
    temperature : float, default=1
    scale : sequence of float, optional
        :math:`r` of every tensor; 1 by default.
    gradient_variance : sequence of torch.Tensor, optional
        Estimate :math:`\hat V` of the variance of every coordinate of the gradient of U, shaped
        like the position; where it passes what there is to subtract from, nothing is injected.
    velocity_limit : float, optional
        Bound of the velocities after the kick, in standard deviations.
    generator : torch.Generator, optional
        Source of the noise.

    Returns
    -------
    state : SGHMCState
    info : SGHMCInfo

    References
    ----------
    T. Chen, E. B. Fox and C. Guestrin, Stochastic gradient Hamiltonian Monte Carlo, ICML 2014,
    equations 13 to 15.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import sghmc
    >>> state = sghmc.init([torch.ones(1)], temperature=0.0)
    >>> state, info = sghmc.euler_step(state, [torch.ones(1)], 0.5, 0.0, temperature=0.0)
    >>> state.position[0]
    tensor([0.7500])
    """
    state.velocity.mul_(1.0 - friction * step_size)
    _add_scaled(state.velocities, gradient, -step_size * gradient_scale, scale)
    variance = 2.0 * friction * step_size * temperature
    if variance > 0:
        state.noise.normal_(generator=generator)
        if gradient_variance is None:
            state.noise.mul_(variance**0.5)
        else:
            for k, (piece, known) in enumerate(zip(state.noises, gradient_variance, strict=True)):
                r = 1.0 if scale is None else scale[k]
                piece.mul_((variance - (step_size * r) ** 2 * known).clamp_min_(0.0).sqrt_())
        state.velocity.add_(state.noise)
    _limit(state, velocity_limit, temperature)
    _add_scaled(state.position, state.velocities, step_size, scale)
    return state, SGHMCInfo(step_size, variance**0.5)


def _limit(state: SGHMCState, velocity_limit: float | None, temperature: float) -> None:
    # before the drift: a velocity cut off after it would leave a position that has gone too far
    if velocity_limit is not None and temperature > 0:
        bound = velocity_limit * temperature**0.5
        state.velocity.clamp_(-bound, bound)


def _add_scaled(
    target: tuple[Tensor, ...],
    source: Sequence[Tensor],
    factor: float,
    scale: Sequence[float] | None,
) -> None:
    """Add ``factor * scale * source``, tensor by tensor."""
    if scale is None:
        torch._foreach_add_(target, list(source), alpha=factor)
    else:
        for values, change, r in zip(target, source, scale, strict=True):
            values.add_(change, alpha=factor * r)
