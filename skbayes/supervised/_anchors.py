"""Anchored members: a prior of every member's own, and targets with noise of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skbayes._engine.build import prior_precisions
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes.nn import RowNoise
from skbayes.supervised._likelihood import Likelihood, StackGaussian

#: Name of a tensor -> centre of its prior, a value a member.
Anchors = Mapping[str, Tensor]


def draw_anchors(
    stack: nn.Module, prior_scale: Any, likelihood: Likelihood, rng: np.random.RandomState
) -> dict[str, Tensor]:
    """Draw the centres of the members' priors from the prior."""
    if prior_scale is None:
        raise ValueError(
            "anchored=True needs a prior to draw the anchors from, but prior_scale=None"
        )
    generator = make_generator(rng)
    precisions = prior_precisions(stack, prior_scale)
    return {
        name: torch.empty_like(p).normal_(generator=generator).mul_(q**-0.5)
        for (name, p), q in zip(stack.named_parameters(), precisions, strict=True)
        if p.requires_grad and name not in likelihood.half_normal
    }


def start_from_anchors(stack: nn.Module, anchors: Anchors) -> None:
    """Put a fresh stack at the prior's draw, where members differ most."""
    if isinstance(stack, RowNoise):
        # with a noise of every row's own that start would call all errors noise, and the means
        # would hardly be trained
        return
    with torch.no_grad():
        for name, anchor in anchors.items():
            stack.get_parameter(name).copy_(anchor)


def has_known_noise(likelihood: Likelihood) -> bool:
    """Whether the noise in the targets is a number."""
    return _known_noise(likelihood) is not None


def _known_noise(likelihood: Likelihood) -> float | None:
    criterion = likelihood.criterion
    return criterion.scale if isinstance(criterion, StackGaussian) else None


def perturb_targets(
    rows: Rows, likelihood: Likelihood, n_members: int, rng: np.random.RandomState
) -> None:
    """Targets of every member's own, as far off as the known noise."""
    scale = _known_noise(likelihood)
    if scale is None:
        return
    noise = torch.empty(n_members, len(rows), dtype=rows.dtype)
    noise.normal_(generator=make_generator(rng)).mul_(scale)
    if rows.weight is not None:  # a row of weight w is the mean of w rows
        noise = noise.to(rows.device) / rows.weight.sqrt()
    rows.offset = noise.to(rows.device)
