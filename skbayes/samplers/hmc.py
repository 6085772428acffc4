r"""Hamiltonian Monte Carlo: leapfrog trajectories of several chains at once, accepted one by one.

The energy is :math:`H(\theta, v) = U(\theta) + |v|^2 / 2` with velocities :math:`v` in units in
which the coordinates have scale :math:`r` (mass :math:`r^{-2}`); a trajectory is accepted with
probability :math:`\min(1, \exp(-\Delta H / T))`, which leaves :math:`\exp(-U / T)` exactly
invariant.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

#: An energy error (over the temperature) beyond which a trajectory counts as divergent: Stan's.
DIVERGENT = 1000.0

#: Position -> (potential of every chain, its gradient); reads the position tensors in place.
Potential = Callable[[], tuple[Tensor, list[Tensor]]]


class HMCState(NamedTuple):
    """What is carried from one trajectory to the next.

    Attributes
    ----------
    position : tuple of torch.Tensor
        Parameters, each with a leading axis of chains; updated in place.
    potential : torch.Tensor of shape (chains,)
        U there.
    gradient : list of torch.Tensor
        Its gradient there.
    """

    position: tuple[Tensor, ...]
    potential: Tensor
    gradient: list[Tensor]


class HMCInfo(NamedTuple):
    """What a trajectory tells about itself; one value a chain.

    Attributes
    ----------
    acceptance_rate : torch.Tensor
        Probability with which the end was accepted.
    accepted : torch.Tensor of bool
        Whether it was.
    diverging : torch.Tensor of bool
        Whether the energy error passed :data:`DIVERGENT` or was not a number.
    energy : torch.Tensor
        H of the state that the next trajectory starts from, with this one's velocities.
    """

    acceptance_rate: Tensor
    accepted: Tensor
    diverging: Tensor
    energy: Tensor


def init(position: Sequence[Tensor], potential: Potential) -> HMCState:
    """Start at a position.

    Parameters
    ----------
    position : sequence of torch.Tensor
        Parameters on one device and of one dtype; not copied.
    potential : callable
        See :data:`Potential`.

    Returns
    -------
    HMCState
    """
    return HMCState(tuple(position), *potential())


@torch.no_grad()
def step(
    state: HMCState,
    potential: Potential,
    step_size: float,
    n_leapfrog: int,
    *,
    temperature: float = 1.0,
    scale: Sequence[float | Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> tuple[HMCState, HMCInfo]:
    """Run one trajectory of every chain and accept or reject its end.

    Parameters
    ----------
    state : HMCState
        Where the chains stand.
    potential : callable
        See :data:`Potential`.
    step_size : float
        Of the leapfrog, in units of time.
    n_leapfrog : int
        Number of leapfrog steps.
    temperature : float, default=1
        Of the target.
    scale : sequence of float or torch.Tensor, optional
        The scale r of every tensor (or of its entries); 1 by default.
    generator : torch.Generator, optional
        Source of velocities and of the decisions.

    Returns
    -------
    state : HMCState
    info : HMCInfo

    References
    ----------
    R. M. Neal, MCMC using Hamiltonian dynamics, in: Handbook of Markov chain Monte Carlo, 2011,
    section 5.3.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import hmc
    >>> x = torch.zeros(500, 1, dtype=torch.float64)
    >>> gaussian = lambda: (x.square().sum(1) / 2, [x.clone()])
    >>> generator = torch.Generator().manual_seed(0)
    >>> state = hmc.init([x], gaussian)
    >>> state, info = hmc.step(state, gaussian, 0.2, 8, generator=generator)
    >>> bool(info.acceptance_rate.mean() > 0.99), bool(0.9 < x.std() < 1.1)
    (True, True)
    """
    position = list(state.position)
    rates = [1.0] * len(position) if scale is None else list(scale)
    velocity = [
        torch.empty_like(p).normal_(generator=generator).mul_(temperature**0.5) for p in position
    ]
    start = [p.clone() for p in position]
    energy_start = state.potential + _kinetic(velocity)
    value, gradient = state.potential, state.gradient
    for number in range(n_leapfrog):
        half = 0.5 if number == 0 else 1.0  # two half kicks in a row are one
        for v, g, r in zip(velocity, gradient, rates, strict=True):
            v.sub_(g * r, alpha=half * step_size)
        for p, v, r in zip(position, velocity, rates, strict=True):
            p.add_(v * r, alpha=step_size)
        value, gradient = potential()
    for v, g, r in zip(velocity, gradient, rates, strict=True):
        v.sub_(g * r, alpha=0.5 * step_size)
    energy_end = value + _kinetic(velocity)
    error = (energy_end - energy_start) / temperature
    diverging = ~(error < DIVERGENT)  # not a number is divergent too
    rate = (-error).clamp(max=0.0).exp().masked_fill(~torch.isfinite(error), 0.0)
    # an error of minus infinity cannot be: the start's potential is finite
    uniform = torch.rand(rate.shape, generator=generator, dtype=rate.dtype, device=rate.device)
    accepted = (uniform < rate) & ~diverging
    for p, before in zip(position, start, strict=True):
        p.copy_(_where(accepted, p, before))
    state = HMCState(
        state.position,
        torch.where(accepted, value, state.potential),
        [_where(accepted, g, b) for g, b in zip(gradient, state.gradient, strict=True)],
    )
    energy = torch.where(accepted, energy_end, energy_start)
    return state, HMCInfo(rate, accepted, diverging, energy)


def _kinetic(velocity: Sequence[Tensor]) -> Tensor:
    return 0.5 * torch.stack([v.flatten(1).square().sum(1) for v in velocity]).sum(0)


def _where(chains: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(chains.view(-1, *[1] * (yes.ndim - 1)), yes, no)
