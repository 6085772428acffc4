"""Curvature and gradient noise where the chains stand: what an automatic step is chosen from."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from skbayes._engine.net import StackNet
from skbayes._engine.rows import Batch, MemberBatches, Rows, count_batches
from skbayes.samplers.curvature import (
    Vector,
    congruent,
    hessian_product,
    power_iteration,
    score_covariance_product,
)

#: Rows on which curvature and gradient noise are measured.
MAX_ROWS = 2048
#: Products of a power iteration, from a random direction (12 fall short by a third where that is
#: unlucky) and from one found before. The largest curvature of a network stands apart.
N_FIRST_PRODUCTS, N_PRODUCTS = 20, 4
#: Minibatches from which the variance of the gradient is estimated.
N_BATCHES = 32


class Measurement(NamedTuple):
    r"""What was found.

    Attributes
    ----------
    curvatures : ndarray of shape (chains,)
        Largest eigenvalue of the potential's Hessian, in every chain.
    noise : float
        :math:`N^2 \lambda_{\max}(C) (1 - n/N) / (4 n)`, with C the covariance of the per-example
        gradients: a Langevin step :math:`\varepsilon` adds :math:`\varepsilon` times this to
        the unit variance of its noise, in the worst direction (Welling and Teh 2011, section 4.1).
    """

    curvatures: np.ndarray
    noise: float


class Meter:
    r"""Measures by power iteration, all chains at once, and remembers the directions found.

    Parameters
    ----------
    net : StackNet
        An initialised net; its weights are moved and moved back.
    rows : Rows
        Training data.
    batch_size : int
    generator : torch.Generator
        Chooses rows where there are many, and the first directions of the power iterations.
    """

    def __init__(
        self, net: StackNet, rows: Rows, batch_size: int, generator: torch.Generator
    ) -> None:
        self.net, self.rows, self.batch_size, self.generator = net, rows, batch_size, generator
        device = next(net.module_.parameters()).device
        seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
        self._direction = torch.Generator(device).manual_seed(seed)
        self._found: dict[str, Vector] = {}

    def __call__(self, root: Sequence[Tensor | float] | None = None) -> Measurement:
        r"""Measure where the chains stand.

        Parameters
        ----------
        root : sequence of torch.Tensor or float, optional
            :math:`G^{1/2}` of a preconditioner: what is measured is that of
            :math:`G^{1/2} H G^{1/2}` and :math:`G^{1/2} C G^{1/2}`.

        Returns
        -------
        Measurement

        Raises
        ------
        ValueError
            If the curvature is not finite.
        """
        net, rows = self.net, self.rows
        batch, mean_weight = self._batch()
        module = net.module_
        position = [p.data for p in module.parameters()]

        def gradient() -> Vector:
            return potential_gradient(net, batch, mean_weight, rows.n_data)

        def row_losses() -> Tensor:
            losses = net.row_losses(batch)
            return losses if batch.weight is None else losses * (batch.weight / mean_weight)

        @torch.enable_grad()
        def weighted_gradient(weight: Tensor) -> list[Tensor]:
            module.zero_grad(set_to_none=True)
            (row_losses() * weight).mean(1).sum().backward()
            return collect_gradient(module)

        # Dropout would make the differences noise: measure without it
        was_training = module.training
        module.eval()
        try:
            product = hessian_product(gradient, position)
            curvatures = self._eigenvalues("curvature", congruent(product, root), position)
            noise = 0.0
            n_rows = len(rows)
            if self.batch_size < n_rows:
                product = score_covariance_product(row_losses, weighted_gradient, position)
                spread = float(
                    np.median(self._eigenvalues("noise", congruent(product, root), position))
                )
                n = n_rows / count_batches(n_rows, self.batch_size)  # batches are of equal size
                noise = rows.n_data**2 * spread / (4 * n) * (1 - n / n_rows)
        finally:
            module.zero_grad(set_to_none=True)
            module.train(was_training)
        if not (np.isfinite(curvatures).all() and noise < float("inf")):
            raise ValueError(
                f"step_size='auto' found no usable step: the largest curvature is "
                f"{curvatures.max():.3g}. "
                "Scale the input, or give a larger prior_scale."
            )
        return Measurement(curvatures, noise)

    @torch.no_grad()
    def potential(self) -> Tensor:
        """Potential of every chain, estimated on the rows that are measured on.

        Returns
        -------
        torch.Tensor of shape (chains,)
        """
        losses = self.net.member_losses(*self._batch())
        return losses * self.net.n_data + self.net.prior.energy(len(losses))

    def _eigenvalues(
        self, name: str, product: Callable[[Vector], Vector], position: list[Tensor]
    ) -> np.ndarray:
        """Leading eigenvalue of every chain; infinite where a product overflows."""
        n_iter = N_PRODUCTS if name in self._found else N_FIRST_PRODUCTS
        start = self._found.get(name) or [
            torch.empty_like(p).normal_(generator=self._direction) for p in position
        ]
        values, self._found[name] = power_iteration(product, start, n_iter)
        if not bool(torch.isfinite(values).all()):
            del self._found[name]
        return values.cpu().double().numpy()

    def _batch(self) -> tuple[Batch, float]:
        rows = self.rows
        if len(rows) <= MAX_ROWS:
            return rows.everything(), rows.mean_weight
        batch = rows.take(torch.randperm(len(rows), generator=self.generator)[:MAX_ROWS])
        return batch, 1.0 if batch.weight is None else float(batch.weight.mean())


def collect_gradient(module: nn.Module) -> Vector:
    """Copies of the gradients that the parameters have; zero for those without.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    list of torch.Tensor
    """
    return [
        p.grad.clone() if p.grad is not None else torch.zeros_like(p) for p in module.parameters()
    ]


@torch.enable_grad()
def potential_gradient(net: StackNet, batch: Batch, mean_weight: float, n_data: float) -> Vector:
    """Gradient of the potential of ``n_data`` data, estimated on some rows.

    Parameters
    ----------
    net : StackNet
    batch : Batch
    mean_weight : float
        Of the rows.
    n_data : float

    Returns
    -------
    list of torch.Tensor
        Shaped like the parameters.
    """
    net.module_.zero_grad(set_to_none=True)
    net.backward(batch, mean_weight)
    net.prior.add_gradient(1.0 / n_data)
    return [g.mul_(n_data) for g in collect_gradient(net.module_)]


def gradient_variance(
    net: StackNet, rows: Rows, batch_size: int, generator: torch.Generator
) -> list[Tensor]:
    """Variance of every coordinate of the potential's gradient over minibatches.

    Parameters
    ----------
    net : StackNet
    rows : Rows
    batch_size : int
    generator : torch.Generator
        Source of the shuffles.

    Returns
    -------
    list of torch.Tensor
        Shaped like the parameters; zero where a batch holds all rows.
    """
    parameters = list(net.module_.parameters())
    # Welford's sums: no second pass, no cancellation
    mean = [torch.zeros_like(p) for p in parameters]
    square = [torch.zeros_like(p) for p in parameters]
    if batch_size >= len(rows):
        return square
    batches = MemberBatches(
        rows, batch_size, parameters[0].shape[0], generator, steps_per_epoch=N_BATCHES
    )
    for count, batch in enumerate(batches, start=1):
        net.module_.zero_grad(set_to_none=True)
        net.backward(batch, rows.mean_weight)
        for m, s, p in zip(mean, square, parameters, strict=True):
            if p.grad is not None:
                change = p.grad * rows.n_data - m
                m.add_(change, alpha=1.0 / count)
                s.addcmul_(change, change, value=(count - 1.0) / count)
    net.module_.zero_grad(set_to_none=True)
    return [s.div_(N_BATCHES - 1) for s in square]
