r"""RMSprop's diagonal preconditioner, estimated while a chain warms up and then frozen.

.. math:: V \leftarrow a V + (1 - a)\, g \odot g, \qquad
          G = \frac{1}{\lambda + \sqrt{V / (1 - a^t)}}

with :math:`g` the gradient of the mean loss (Li, Chen, Carlson and Carin 2016, equations 4 and 5,
with Adam's correction of the start). While :math:`G` follows the chain, Langevin dynamics with it
lack the term :math:`\Gamma = \sum_j \partial G_{ij} / \partial \theta_j`, which Li et al. drop, and
are biased; with :math:`G` frozen the term is zero and nothing is dropped.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class RMSpropState(NamedTuple):
    """What is carried from one gradient to the next.

    Attributes
    ----------
    square : list of torch.Tensor
        Moving mean V of the squared gradients, updated in place.
    weight : float
        Sum of the weights in V, :math:`1 - a^t`.
    """

    square: list[Tensor]
    weight: float


def init(like: Sequence[Tensor]) -> RMSpropState:
    """Start without having seen a gradient.

    Parameters
    ----------
    like : sequence of torch.Tensor
        The parameters.

    Returns
    -------
    RMSpropState
    """
    return RMSpropState([torch.zeros_like(p) for p in like], 0.0)


@torch.no_grad()
def update(state: RMSpropState, gradient: Sequence[Tensor], decay: float = 0.99) -> RMSpropState:
    """Take in a gradient.

    Parameters
    ----------
    state : RMSpropState
    gradient : sequence of torch.Tensor
    decay : float, default=0.99
        The factor :math:`a`.

    Returns
    -------
    RMSpropState
    """
    torch._foreach_mul_(state.square, decay)
    torch._foreach_addcmul_(state.square, list(gradient), list(gradient), 1.0 - decay)
    return RMSpropState(state.square, decay * state.weight + 1.0 - decay)


@torch.no_grad()
def root(state: RMSpropState, damping: float = 1e-5) -> list[Tensor]:
    r"""Square root of the preconditioner, :math:`G^{1/2}`.

    Parameters
    ----------
    state : RMSpropState
        That has seen a gradient.
    damping : float, default=1e-5
        The number :math:`\lambda`.

    Returns
    -------
    list of torch.Tensor

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers import rmsprop
    >>> state = rmsprop.init([torch.zeros(2)])
    >>> state = rmsprop.update(state, [torch.tensor([4.0, 0.25])])
    >>> rmsprop.root(state, damping=0.0)[0].round(decimals=3)
    tensor([0.5000, 2.0000])
    """
    return [
        (square / state.weight).sqrt_().add_(damping).reciprocal_().sqrt_()
        for square in state.square
    ]
