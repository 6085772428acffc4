r"""Stochastic gradient Langevin dynamics: the update rule.

With the potential
:math:`U(\theta) = -\log p(\theta) - \sum_i \log p(y_i \mid x_i, \theta)`, a step is

.. math:: \theta \leftarrow \theta - \frac{\varepsilon}{2} G \nabla \hat U(\theta)
          + \mathcal N(0, \varepsilon T G)

(Welling and Teh 2011, equation 4, with temperature :math:`T` and a diagonal preconditioner
:math:`G`, the identity by default; its stationary law for small :math:`\varepsilon` and a constant
:math:`G` is :math:`\exp(-U / T)`). The form printed in some lectures,
:math:`\theta - \eta \nabla U + \sqrt\eta\, e`, is this one at :math:`T = 1/2`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class SGLDState(NamedTuple):
    """What is carried from one step to the next.

    Attributes
    ----------
    position : tuple of torch.Tensor
        Parameters, each with a leading axis of chains; updated in place, as torch's optimizers do.
    noise : torch.Tensor
        A flat scratch vector as long as all parameters together.
    noises : tuple of torch.Tensor
        Pieces of it, shaped like the parameters.
    """

    position: tuple[Tensor, ...]
    noise: Tensor
    noises: tuple[Tensor, ...]


class SGLDInfo(NamedTuple):
    """What a step tells about itself.

    Attributes
    ----------
    step_size : float
        The step taken.
    noise_scale : float
        Standard deviation of the noise added to every coordinate (before the preconditioner).
    """

    step_size: float
    noise_scale: float


def init(position: Sequence[Tensor]) -> SGLDState:
    """Start at a position.

    Parameters
    ----------
    position : sequence of torch.Tensor
        Parameters on one device and of one dtype; not copied.

    Returns
    -------
    SGLDState
    """
    position = tuple(position)
    noise = position[0].new_empty(sum(p.numel() for p in position))
    return SGLDState(position, noise, views(noise, position))


@torch.no_grad()
def step(
    state: SGLDState,
    gradient: Sequence[Tensor],
    step_size: float,
    *,
    gradient_scale: float = 1.0,
    temperature: float = 1.0,
    root: Sequence[Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> tuple[SGLDState, SGLDInfo]:
    r"""Take one Langevin step, in place.

    Parameters
    ----------
    state : SGLDState
        Where the chains stand.
    gradient : sequence of torch.Tensor
        Unbiased estimate of the gradient of ``U / gradient_scale`` at ``state.position``.
    step_size : float
        The step :math:`\varepsilon`.
    gradient_scale : float, default=1
        Multiplies the gradient; the number of data where the gradient is that of a mean.
    temperature : float, default=1
        ``0`` gives gradient descent.
    root : sequence of torch.Tensor, optional
        :math:`G^{1/2}` of a diagonal preconditioner, shaped like the position: the gradient is
        multiplied by its square, the noise by itself.
    generator : torch.Generator, optional
        Source of the noise.

    Returns
    -------
    state : SGLDState
    info : SGLDInfo

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import sgld
    >>> state = sgld.init([torch.ones(3)])
    >>> state, info = sgld.step(state, [torch.ones(3)], 0.5, temperature=0.0)
    >>> state.position[0]
    tensor([0.7500, 0.7500, 0.7500])
    """
    if root is not None:
        gradient = [g * r * r for g, r in zip(gradient, root, strict=True)]
    torch._foreach_add_(state.position, list(gradient), alpha=-0.5 * step_size * gradient_scale)
    noise_scale = (step_size * temperature) ** 0.5
    if noise_scale > 0:
        # one call for all tensors: drawing the noise is the floor of the step's cost
        state.noise.normal_(generator=generator)
        if root is not None:
            torch._foreach_mul_(state.noises, list(root))
        torch._foreach_add_(state.position, state.noises, alpha=noise_scale)
    return state, SGLDInfo(step_size, noise_scale)


def views(flat: Tensor, like: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Pieces of a flat vector, shaped like tensors.

    Parameters
    ----------
    flat : torch.Tensor of shape (sum of the sizes,)
    like : sequence of torch.Tensor

    Returns
    -------
    tuple of torch.Tensor
        They share the vector's memory.
    """
    pieces = flat.split([p.numel() for p in like])
    return tuple(piece.view(p.shape) for piece, p in zip(pieces, like, strict=True))
