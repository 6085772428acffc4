"""How far trained members are above the minimum of their potential, and a warning of it."""

import math
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skbayes._engine.net import StackNet
from skbayes._engine.rows import Batch, Rows
from skbayes.samplers.curvature import Vector, hessian_product
from skbayes.supervised._curvature import MAX_ROWS, collect_gradient, potential_gradient

#: Products with the Hessian that a way down is found by, and shares of it that are tried.
N_PRODUCTS, SHARES = 5, [0.25**k for k in range(10)]


@torch.no_grad()
def shortfall(net: StackNet, rows: Rows) -> np.ndarray:
    """What the members' potentials lose at least on their way to the minimum, in nats.

    A few steps of conjugate gradients on the quadratic at the members' weights tell a direction;
    what the potential falls by along it is measured, on all rows. The Hessian is that of some.

    Parameters
    ----------
    net : StackNet
        In training; its weights are moved and moved back.
    rows : Rows
        Training data.

    Returns
    -------
    ndarray of shape (members,)
    """
    module = net.module_
    position = [p.data for p in module.parameters()]
    home = [p.clone() for p in position]
    was_training = module.training
    module.eval()  # dropout would make the differences noise
    try:
        some = _take(net, rows, torch.arange(0, len(rows), -(-len(rows) // MAX_ROWS)))
        mean_weight = 1.0 if some.weight is None else float(some.weight.mean())
        product = hessian_product(
            lambda: potential_gradient(net, some, mean_weight, rows.n_data), position
        )
        way = _way_down(_whole_gradient(net, rows), product)
        here = _potential(net, rows)
        drop = torch.zeros_like(here)
        for share in SHARES:
            for p, start, step in zip(position, home, way, strict=True):
                p.copy_(start - share * step)
            drop = torch.fmax(drop, here - _potential(net, rows))
    finally:
        for p, start in zip(position, home, strict=True):
            p.copy_(start)
        module.zero_grad(set_to_none=True)
        module.train(was_training)
    return drop.cpu().double().numpy()


def _take(net: StackNet, rows: Rows, index: Tensor) -> Batch:
    """Some rows, the same for every member; the targets are each member's own."""
    n_members = next(net.module_.parameters()).shape[0]
    return rows.take(index.expand(n_members, -1))


def _blocks(net: StackNet, rows: Rows) -> Iterator[tuple[Batch, float]]:
    """All rows in blocks, and the N of each."""
    for start in range(0, len(rows), MAX_ROWS):
        index = torch.arange(start, min(start + MAX_ROWS, len(rows)))
        yield _take(net, rows, index), rows.n_data * len(index) / len(rows)


def _potential(net: StackNet, rows: Rows) -> Tensor:
    """Potential of every member on all rows."""
    parts = [net.member_losses(batch, rows.mean_weight) * n for batch, n in _blocks(net, rows)]
    return torch.stack(parts).sum(0) + net.prior.energy(len(parts[0]))


def _whole_gradient(net: StackNet, rows: Rows) -> Vector:
    """Gradient of the potential on all rows."""
    total: Vector = []
    for batch, n in _blocks(net, rows):
        net.module_.zero_grad(set_to_none=True)
        net.backward(batch, rows.mean_weight)
        block = [g.mul_(n) for g in collect_gradient(net.module_)]
        total = [a + b for a, b in zip(total, block, strict=True)] if total else block
    for p, gradient in zip(net.module_.parameters(), total, strict=True):
        p.grad = gradient if p.requires_grad else None
    net.prior.add_gradient(1.0)
    return collect_gradient(net.module_)


def _way_down(gradient: Vector, product: Callable[[Vector], Vector]) -> Vector:
    """What a few steps of conjugate gradients take from the weights."""
    residual, direction = gradient, gradient
    square = _dot(residual, residual)
    goes_on = square > 0
    tiny = torch.finfo(square.dtype).tiny
    way = [torch.zeros_like(g) for g in gradient]
    for step in range(N_PRODUCTS):
        curved = product(direction)
        curvature = _dot(direction, curved)
        if step > 0:  # where the potential is not convex, the first step has to do
            goes_on = goes_on & (curvature > 0)
        length = torch.where(goes_on, square / curvature.abs().clamp_min(tiny), 0.0)
        way = _add(way, direction, length)
        residual = _add(residual, curved, -length)
        after = _dot(residual, residual)
        direction = _add(residual, direction, after / square.clamp_min(tiny))
        square = after
    return way


def _dot(a: Vector, b: Vector) -> Tensor:
    return torch.stack([(x * y).flatten(1).sum(1) for x, y in zip(a, b, strict=True)]).sum(0)


def _add(a: Vector, b: Vector, factor: Tensor) -> Vector:
    pairs = zip(a, b, strict=True)
    return [x + factor.view(-1, *[1] * (x.ndim - 1)) * y for x, y in pairs]


def warn_of_shortfall(net: StackNet, rows: Rows) -> None:
    r"""Warn where members that should be draws of the posterior stopped before they were.

    The potential of draws from a Gaussian posterior of :math:`P` parameters is half a chi-square of
    as many degrees of freedom, of standard deviation :math:`\sqrt{P / 2}`: a member that would
    still lose more has not converged.

    Parameters
    ----------
    net : StackNet
        Trained.
    rows : Rows
        Training data.

    Warns
    -----
    ConvergenceWarning
        If a member would.
    """
    n_parameters = sum(p[0].numel() for p in net.module_.parameters() if p.requires_grad)
    drop = shortfall(net, rows)
    limit = math.sqrt(n_parameters / 2)
    n_above = int((drop > limit).sum())
    if n_above:
        warnings.warn(
            f"{n_above} of {len(drop)} anchored members stopped before they converged: the median "
            f"would still lose at least {np.median(drop):.2g} nats, where draws from the posterior "
            f"differ by about {limit:.2g}. Raise max_iter (n_iter_ epochs were taken), or give "
            "another learning_rate_init.",
            ConvergenceWarning,
            stacklevel=2,
        )
