"""The automatic Langevin step: as large as curvature and gradient noise allow."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skbayes._engine.net import StackNet
from skbayes._engine.rows import Batch, Rows, count_batches
from skbayes.samplers.curvature import (
    hessian_product,
    largest_eigenvalue,
    score_covariance_product,
)

#: Rows on which curvature and gradient noise are measured.
MAX_ROWS = 2048
#: Largest share of the injected noise that the minibatch noise may add (Welling and Teh's alpha).
MAX_ALPHA = 0.25


class StepSizeChoice(NamedTuple):
    """A step and what decided it.

    Attributes
    ----------
    step_size : float
        The step, to two significant digits.
    curvature : float
        Largest eigenvalue of the potential's Hessian, median over chains.
    alpha : float
        Minibatch gradient noise over injected noise at this step, in the worst direction.
    """

    step_size: float
    curvature: float
    alpha: float


def choose_step_size(
    net: StackNet,
    rows: Rows,
    batch_size: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    safety: float = 1.0,
) -> StepSizeChoice:
    r"""Choose :math:`\varepsilon` where the chains stand.

    The step is ``safety / curvature`` (for :math:`\theta - (\varepsilon/2) \nabla U`, so that the
    stiffest direction contracts by a half), capped where the minibatches' noise
    :math:`\alpha = \varepsilon N^2 \lambda_{\max}(C) (1 - n/N) / (4 n T)`, with :math:`C` the
    covariance of the per-example gradients (Welling and Teh 2011, section 4.1), would pass
    :data:`MAX_ALPHA`.

    Parameters
    ----------
    net : StackNet
        An initialised net; its weights are moved and moved back.
    rows : Rows
        Training data.
    batch_size : int
    generator : torch.Generator
        Chooses rows where there are many, and the first directions of the power iterations.
    temperature : float, default=1
        Of the target. At 0 there is no noise to be compared with, and no cap.
    safety : float, default=1
        Below 1 where the chains have not reached the posterior yet.

    Returns
    -------
    StepSizeChoice
    """
    batch, mean_weight = _measuring_rows(rows, generator)
    module = net.module_
    position = [p.data for p in module.parameters()]
    direction = torch.Generator(position[0].device).manual_seed(
        int(torch.randint(2**31 - 1, (1,), generator=generator))
    )

    def collect() -> list[Tensor]:
        return [
            p.grad.clone() if p.grad is not None else torch.zeros_like(p)
            for p in module.parameters()
        ]

    @torch.enable_grad()
    def gradient() -> list[Tensor]:
        module.zero_grad(set_to_none=True)
        net.member_losses(batch, mean_weight).sum().backward()
        net.add_penalty()
        return [g.mul_(rows.n_data) for g in collect()]

    def row_losses() -> Tensor:
        losses = net.row_losses(batch)
        return losses if batch.weight is None else losses * (batch.weight / mean_weight)

    @torch.enable_grad()
    def weighted_gradient(weight: Tensor) -> list[Tensor]:
        module.zero_grad(set_to_none=True)
        (row_losses() * weight).mean(1).sum().backward()
        return collect()

    # Dropout would make the differences noise: measure without it
    was_training = module.training
    module.eval()
    try:
        curvature = _median(
            largest_eigenvalue(hessian_product(gradient, position), position, generator=direction)
        )
        noise = 0.0
        n_rows = len(rows)
        if batch_size < n_rows and temperature > 0:
            spread = _median(
                largest_eigenvalue(
                    score_covariance_product(row_losses, weighted_gradient, position),
                    position,
                    generator=direction,
                )
            )
            n = n_rows / count_batches(n_rows, batch_size)  # batches are of equal size
            noise = rows.n_data**2 * spread / (4 * n * temperature) * (1 - n / n_rows)
    finally:
        module.zero_grad(set_to_none=True)
        module.train(was_training)
    step_size = safety / max(curvature, 1e-12)
    if noise > 0:
        step_size = min(step_size, MAX_ALPHA / noise)
    # Two digits: rounding errors of the measurement must not reach the chains
    step_size = float(f"{step_size:.1e}")
    if not (np.isfinite(curvature) and step_size > 0):
        raise ValueError(
            f"step_size='auto' found no usable step: the largest curvature is {curvature:.3g}. "
            "Scale the input, or give a larger prior_scale."
        )
    return StepSizeChoice(step_size, curvature, step_size * noise)


def _median(values: Tensor) -> float:
    """Median over chains, infinite if one is."""
    return float(values.quantile(0.5)) if bool(torch.isfinite(values).all()) else float("inf")


def _measuring_rows(rows: Rows, generator: torch.Generator) -> tuple[Batch, float]:
    if len(rows) <= MAX_ROWS:
        return rows.everything(), rows.mean_weight
    batch = rows.take(torch.randperm(len(rows), generator=generator)[:MAX_ROWS])
    return batch, 1.0 if batch.weight is None else float(batch.weight.mean())
