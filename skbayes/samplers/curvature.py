"""Largest eigenvalues along a chain, by power iteration on products that only need gradients."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Vector = list[Tensor]


def _norm(vector: Sequence[Tensor]) -> Tensor:
    """Euclidean norm of every chain's part, of shape (chains,)."""
    return torch.stack([v.flatten(1).square().sum(1) for v in vector]).sum(0).sqrt()


def _scaled(vector: Sequence[Tensor], factor: Tensor) -> Vector:
    return [v * factor.view(-1, *[1] * (v.ndim - 1)) for v in vector]


@torch.no_grad()
def power_iteration(
    product: Callable[[Vector], Vector], start: Vector, n_iter: int
) -> tuple[Tensor, Vector]:
    """Leading eigenvalue and direction, one matrix a chain, all chains at once.

    Parameters
    ----------
    product : callable
        Maps a vector (a list of tensors with a leading axis of chains) to matrix times vector.
    start : list of torch.Tensor
        First vector; the direction of an earlier call saves most of the products.
    n_iter : int
        Number of products.

    Returns
    -------
    eigenvalue : torch.Tensor of shape (chains,)
        Absolute value; infinite where a product overflows.
    vector : list of torch.Tensor
        Of length 1 in every chain.
    """
    tiny = torch.finfo(start[0].dtype).tiny
    vector = _scaled(start, 1.0 / _norm(start).clamp_min(tiny))
    size = torch.ones_like(_norm(vector))
    overflow = torch.zeros_like(size, dtype=torch.bool)
    for _ in range(n_iter):
        vector = product(vector)
        size = _norm(vector)
        overflow |= ~size.isfinite()
        vector = _scaled(vector, 1.0 / size.clamp_min(tiny))
    return size.masked_fill(overflow, torch.inf), vector


def largest_eigenvalue(
    product: Callable[[Vector], Vector],
    like: Sequence[Tensor],
    *,
    n_iter: int = 20,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Leading eigenvalue by power iteration from a random direction.

    Parameters
    ----------
    product : callable
        As for :func:`power_iteration`.
    like : sequence of torch.Tensor
        Tensors that give the shapes, dtype and device.
    n_iter : int, default=20
        Number of products; few are enough, since the largest curvature of a network stands apart
        (12 fall short by a third where the first direction is unlucky).
    generator : torch.Generator, optional
        Source of the first direction.

    Returns
    -------
    torch.Tensor of shape (chains,)
        Absolute value of the leading eigenvalue; infinite where a product overflows.

    Examples
    --------
    >>> import torch
    >>> from skbayes.samplers.curvature import largest_eigenvalue
    >>> diagonal = torch.tensor([[1.0, 9.0]])
    >>> largest_eigenvalue(
    ...     lambda v: [diagonal * v[0]],
    ...     [diagonal],
    ...     generator=torch.Generator().manual_seed(0),
    ... ).round(decimals=3)
    tensor([9.])
    """
    start = [torch.empty_like(p).normal_(generator=generator) for p in like]
    return power_iteration(product, start, n_iter)[0]


def hessian_product(
    gradient: Callable[[], Vector], position: Sequence[Tensor], relative_step: float = 1e-3
) -> Callable[[Vector], Vector]:
    """Hessian times vector by a central difference of the gradient.

    Parameters
    ----------
    gradient : callable
        Gradient at ``position``, whose tensors this function moves and moves back.
    position : sequence of torch.Tensor
        The parameters.
    relative_step : float, default=1e-3
        Length of the difference over the length of the position, chain by chain.

    Returns
    -------
    callable
        Vector -> product, for :func:`largest_eigenvalue`.
    """
    home = [p.detach().clone() for p in position]
    delta = relative_step * _norm(home).clamp_min(1.0)

    @torch.no_grad()
    def move(vector: Vector, sign: float) -> None:
        for p, start, v in zip(position, home, _scaled(vector, sign * delta), strict=True):
            p.copy_(start + v)

    def product(vector: Vector) -> Vector:
        move(vector, 1.0)
        ahead = [g.clone() for g in gradient()]
        move(vector, -1.0)
        behind = gradient()
        difference = [(a - b) for a, b in zip(ahead, behind, strict=True)]
        with torch.no_grad():
            for p, start in zip(position, home, strict=True):
                p.copy_(start)
        return _scaled(difference, 0.5 / delta)

    return product


def score_covariance_product(
    row_losses: Callable[[], Tensor],
    weighted_gradient: Callable[[Tensor], Vector],
    position: Sequence[Tensor],
    relative_step: float = 1e-3,
) -> Callable[[Vector], Vector]:
    r"""Covariance of the per-example gradients times vector, without forming a gradient a row.

    With row gradients :math:`g_i` the product is
    :math:`\frac1n \sum_i (d_i - \bar d) g_i` where :math:`d_i = g_i \cdot v` is a directional
    derivative of the row losses, taken as a central difference.

    Parameters
    ----------
    row_losses : callable
        Losses at ``position``, of shape (chains, rows).
    weighted_gradient : callable
        Weights of shape (chains, rows) -> gradient of the weighted **mean** of the row losses.
    position : sequence of torch.Tensor
        The parameters, moved and moved back.
    relative_step : float, default=1e-3
        As in :func:`hessian_product`.

    Returns
    -------
    callable
        Vector -> product, for :func:`largest_eigenvalue`.
    """
    home = [p.detach().clone() for p in position]
    delta = relative_step * _norm(home).clamp_min(1.0)

    def product(vector: Vector) -> Vector:
        sides = []
        for sign in (1.0, -1.0):
            with torch.no_grad():
                for p, start, v in zip(position, home, _scaled(vector, sign * delta), strict=True):
                    p.copy_(start + v)
                sides.append(row_losses())
        with torch.no_grad():
            for p, start in zip(position, home, strict=True):
                p.copy_(start)
        slope = (sides[0] - sides[1]) * (0.5 / delta).unsqueeze(1)
        return weighted_gradient(slope - slope.mean(1, keepdim=True))

    return product


def congruent(
    product: Callable[[Vector], Vector], root: Sequence[Tensor | float] | None
) -> Callable[[Vector], Vector]:
    r"""The product with :math:`R A R` where that with A is known and R is diagonal.

    Parameters
    ----------
    product : callable
        Vector -> A times vector; may be a finite difference, which is therefore asked for a vector
        of length 1.
    root : sequence of torch.Tensor or float, or None
        The diagonal of R, tensor by tensor; None for the identity.

    Returns
    -------
    callable
        Vector -> product, for :func:`largest_eigenvalue`.
    """
    if root is None:
        return product

    def congruent_product(vector: Vector) -> Vector:
        vector = [v * r for v, r in zip(vector, root, strict=True)]
        size = _norm(vector).clamp_min(torch.finfo(vector[0].dtype).tiny)
        result = _scaled(product(_scaled(vector, 1.0 / size)), size)
        return [v * r for v, r in zip(result, root, strict=True)]

    return congruent_product
