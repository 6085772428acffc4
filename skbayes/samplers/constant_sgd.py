r"""Stochastic gradient descent at a constant rate as a sampler (Mandt, Hoffman and Blei 2017).

Near a minimum of the mean loss, with Hessian :math:`A` and minibatches of :math:`S` rows drawn
with replacement, :math:`\theta \leftarrow \theta - H g_S` is an Ornstein-Uhlenbeck process: the
noise of the gradients has covariance :math:`C / S`, with :math:`C` that of the gradients of single
rows, and for small steps the stationary covariance :math:`\Sigma` solves

.. math:: H A \Sigma + \Sigma A H = \tfrac1S H C H.

The posterior of N rows is about :math:`\mathcal N(\theta^*, (N A)^{-1})`. The rates and
preconditioners here bring :math:`\Sigma` as close to it as their form allows, in Kullback-Leibler
divergence: exactly with the full one. (A well-known lecture prints :math:`H \sim (S / N)\, C`
for it; the paper's result has the inverse, and a factor of 2.)
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class NoiseState(NamedTuple):
    """Moving second moments of how minibatch gradients differ, updated in place.

    Differences of successive gradients, not deviations from their mean: a chain that travels has a
    mean gradient that changes, and would take its travelling for noise.

    Attributes
    ----------
    last : torch.Tensor of shape (chains, parameters) or None
        The last gradient.
    square : torch.Tensor of shape (chains, parameters) or (chains, parameters, parameters)
        Half the squares of the differences, or half their outer products.
    weight : float
        Sum of the weights.
    """

    last: Tensor | None
    square: Tensor
    weight: float


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Every chain's tensors in one row.

    Parameters
    ----------
    tensors : sequence of torch.Tensor
        Each with a leading axis of chains.

    Returns
    -------
    torch.Tensor of shape (chains, parameters)
    """
    return torch.cat([t.flatten(1) for t in tensors], 1)


def init_noise(like: Sequence[Tensor], *, full: bool = False) -> NoiseState:
    """Start without having seen a gradient.

    Parameters
    ----------
    like : sequence of torch.Tensor
        The parameters.
    full : bool, default=False
        Whether outer products are kept, not squares alone.

    Returns
    -------
    NoiseState
    """
    flat = flatten(like)
    shape = (*flat.shape, flat.shape[1]) if full else flat.shape
    return NoiseState(None, flat.new_zeros(shape), 0.0)


@torch.no_grad()
def update_noise(state: NoiseState, gradient: Sequence[Tensor], decay: float = 0.99) -> NoiseState:
    """Take in a minibatch gradient.

    Parameters
    ----------
    state : NoiseState
    gradient : sequence of torch.Tensor
    decay : float, default=0.99

    Returns
    -------
    NoiseState
    """
    g = flatten(gradient)
    if state.last is None:
        return state._replace(last=g)
    change = g - state.last
    half = 0.5 * (1.0 - decay)
    if state.square.ndim == 3:
        state.square.mul_(decay).baddbmm_(change.unsqueeze(2), change.unsqueeze(1), alpha=half)
    else:
        state.square.mul_(decay).addcmul_(change, change, value=half)
    return NoiseState(g, state.square, decay * state.weight + 1.0 - decay)


@torch.no_grad()
def covariance(state: NoiseState, batch_size: int) -> Tensor:
    """Covariance C of the gradients of single rows, or its diagonal.

    Parameters
    ----------
    state : NoiseState
    batch_size : int
        Rows in the minibatches that were taken in, drawn with replacement.

    Returns
    -------
    torch.Tensor of the shape of ``state.square``
    """
    return state.square * (batch_size / state.weight)


def optimal_rate(diagonal: Tensor, n_data: float, batch_size: int) -> Tensor:
    r"""The best constant rate, :math:`\epsilon = 2 D S / (N \operatorname{tr} C)`.

    Parameters
    ----------
    diagonal : torch.Tensor of shape (chains, parameters)
        Diagonal of C.
    n_data : float
    batch_size : int

    Returns
    -------
    torch.Tensor of shape (chains,)

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers.constant_sgd import optimal_rate
    >>> optimal_rate(torch.tensor([[1.0, 3.0]]), n_data=100, batch_size=10)
    tensor([0.1000])
    """
    return 2.0 * diagonal.shape[1] * batch_size / (n_data * diagonal.sum(1))


def optimal_diagonal(diagonal: Tensor, n_data: float, batch_size: int, largest: float) -> Tensor:
    r"""The best diagonal preconditioner, :math:`H_{kk} = 2 S / (N C_{kk})`, within a bound.

    Parameters
    ----------
    diagonal : torch.Tensor of shape (chains, parameters)
        Diagonal of C.
    n_data : float
    batch_size : int
    largest : float
        Largest entry allowed: where there is no noise there is nothing to balance the step.

    Returns
    -------
    torch.Tensor of shape (chains, parameters)

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers.constant_sgd import optimal_diagonal
    >>> optimal_diagonal(torch.tensor([[1.0, 0.0]]), n_data=100, batch_size=10, largest=5.0)
    tensor([[0.2000, 5.0000]])
    """
    tiny = torch.finfo(diagonal.dtype).tiny
    return (2.0 * batch_size / (n_data * diagonal.clamp_min(tiny))).clamp_max(largest)


def optimal_full(matrix: Tensor, n_data: float, batch_size: int, largest: float) -> Tensor:
    r"""The best preconditioner, :math:`H = (2 S / N)\, C^{-1}`, its eigenvalues within a bound.

    Parameters
    ----------
    matrix : torch.Tensor of shape (chains, parameters, parameters)
        The covariance C.
    n_data : float
    batch_size : int
    largest : float
        Largest eigenvalue allowed.

    Returns
    -------
    torch.Tensor of shape (chains, parameters, parameters)

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers.constant_sgd import optimal_full
    >>> C = torch.tensor([[[2.0, 1.0], [1.0, 2.0]]])
    >>> H = optimal_full(C, n_data=20, batch_size=10, largest=100.0)
    >>> torch.allclose(H @ C, torch.eye(2), atol=1e-5)
    True
    """
    values, vectors = torch.linalg.eigh(matrix)
    tiny = torch.finfo(values.dtype).tiny
    rates = (2.0 * batch_size / (n_data * values.clamp_min(tiny))).clamp_max(largest)
    return vectors @ (rates.unsqueeze(2) * vectors.mT)


@torch.no_grad()
def step(
    position: Sequence[Tensor], gradient: Sequence[Tensor], rate: float, matrix: Tensor | None
) -> None:
    r"""Take one step, in place: :math:`\theta \leftarrow \theta - \text{rate} \cdot H g`.

    Parameters
    ----------
    position : sequence of torch.Tensor
        Parameters, each with a leading axis of chains.
    gradient : sequence of torch.Tensor
        Of the mean loss on a minibatch, the prior's part included.
    rate : float
    matrix : torch.Tensor or None
        H, of shape (chains,) for a rate a chain, (chains, parameters) for a diagonal or (chains,
        parameters, parameters); the identity by default.
    """
    if matrix is None:
        torch._foreach_add_(list(position), list(gradient), alpha=-rate)
        return
    flat = flatten(gradient)
    if matrix.ndim == 3:
        moved = torch.bmm(matrix, flat.unsqueeze(2)).squeeze(2)
    else:
        moved = flat * (matrix if matrix.ndim == 2 else matrix.unsqueeze(1))
    pieces = moved.split([p[0].numel() for p in position], 1)
    for p, piece in zip(position, pieces, strict=True):
        p.sub_(piece.view(p.shape), alpha=rate)
