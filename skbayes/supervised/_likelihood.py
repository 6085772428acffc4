"""Likelihoods: what the network's outputs mean, and the loss of a member on a row."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skbayes._engine.rows import Batch
from skbayes.nn import RowNoise, SharedNoise

#: Bound of the logarithm of a predicted noise, in units of the fit.
LARGEST_LOG = 50.0
#: Least noise that is learned, in units of the targets' standard deviation: of all rows, and of
#: single ones. One row has little to say about its own noise: with a lower floor a network grows
#: sure of rows that it happens to meet, and a test row of the kind costs hundreds of nats.
NOISE_FLOOR, ROW_NOISE_FLOOR = 1e-3, 0.02
HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)


class StackCrossEntropy(nn.Module):
    """Cross-entropy of a softmax over K logits, a loss a member and row."""

    def forward(self, output: Tensor, batch: Batch) -> Tensor:
        """Evaluate it.

        Parameters
        ----------
        output : torch.Tensor of shape (members, rows, classes)
        batch : Batch
            Its ``y`` holds class numbers.

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        members, rows, classes = output.shape
        target = batch.y
        assert target is not None
        losses = F.cross_entropy(
            output.reshape(members * rows, classes),
            target.expand(members, rows).reshape(-1),
            reduction="none",
        )
        return losses.view(members, rows)

    def with_gradient(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Evaluate it and its gradient by the output, in closed form.

        Parameters
        ----------
        output : torch.Tensor of shape (members, rows, classes)
            Overwritten.
        batch : Batch

        Returns
        -------
        losses : torch.Tensor of shape (members, rows)
        gradient : torch.Tensor of the shape of ``output``
        """
        assert batch.y is not None
        target = batch.y.expand(output.shape[:2]).unsqueeze(-1)
        logits = output.sub_(output.amax(-1, keepdim=True))
        picked = logits.gather(-1, target).squeeze(-1)
        weights = logits.exp_()
        total = weights.sum(-1, keepdim=True)
        losses = total.squeeze(-1).log() - picked
        return losses, weights.div_(total).scatter_add_(-1, target, -torch.ones_like(total))


def softmax(logits: Tensor) -> Tensor:
    """Softmax of the last axis; torch's own is five times slower where that axis is short.

    Parameters
    ----------
    logits : torch.Tensor of shape (..., classes)

    Returns
    -------
    torch.Tensor of shape (..., classes)
    """
    weights = (logits - logits.amax(-1, keepdim=True)).exp_()
    return weights.div_(weights.sum(-1, keepdim=True))


class StackGaussian(nn.Module):
    """Negative log density of a Gaussian, a value a member and row.

    Parameters
    ----------
    scale : float, default=None
        Standard deviation, where it is known; else the network's last output is its logarithm.
    beta : float, default=0.0
        Exponent of the noise variance by which the gradients of rows are weighted (the mean weight
        is 1). The losses are not: their values stay log-densities.

    References
    ----------
    M. Seitzer, A. Tavakoli, D. Antic and G. Martius, On the pitfalls of heteroscedastic uncertainty
    estimation with probabilistic neural networks, ICLR 2022 (``beta``; there not normalised).
    """

    def __init__(self, scale: float | None = None, beta: float = 0.0) -> None:
        super().__init__()
        self.scale = scale
        self.beta = beta

    def _shares(self, log_scale: Tensor, batch: Batch) -> Tensor:
        """What the rows' gradients are multiplied by."""
        power = 2.0 * self.beta * log_scale.detach()
        shares = (power - power.amax(1, keepdim=True)).exp()
        if batch.weight is None:
            return shares / shares.mean(1, keepdim=True)
        weight = batch.weight.expand_as(shares)
        return shares * weight.sum(1, keepdim=True) / (shares * weight).sum(1, keepdim=True)

    def forward(self, output: Tensor, batch: Batch) -> Tensor:
        """Evaluate it.

        Parameters
        ----------
        output : torch.Tensor of shape (members, rows, 1 or 2)
            The mean, and the logarithm of the standard deviation where it is not known.
        batch : Batch

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        target = batch.y
        assert target is not None
        if self.scale is not None:
            constant = HALF_LOG_2_PI + math.log(self.scale)
            error = (output.squeeze(-1) - target) * (1.0 / self.scale)
            return error.square().mul(0.5).add(constant)
        mean, log_scale = output.unbind(-1)
        error = (mean - target) * (-log_scale).exp()
        losses = error.square().mul(0.5).add(HALF_LOG_2_PI) + log_scale
        if self.beta == 0:
            return losses
        value = losses.detach()
        return value + self._shares(log_scale, batch) * (losses - value)

    def with_gradient(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Evaluate it and its gradient by the output, in closed form.

        Parameters
        ----------
        output : torch.Tensor of shape (members, rows, 1 or 2)
        batch : Batch

        Returns
        -------
        losses : torch.Tensor of shape (members, rows)
        gradient : torch.Tensor of the shape of ``output``
        """
        assert batch.y is not None
        if self.scale is not None:
            error = (output.squeeze(-1) - batch.y) * (1.0 / self.scale)
            losses = error.square().mul_(0.5).add_(HALF_LOG_2_PI + math.log(self.scale))
            return losses, (error * (1.0 / self.scale)).unsqueeze(-1)
        mean, log_scale = output.unbind(-1)
        rate = (-log_scale).exp()
        error = (mean - batch.y) * rate
        square = error.square()
        losses = square.mul(0.5).add_(HALF_LOG_2_PI) + log_scale
        gradient = torch.stack([error * rate, 1.0 - square], -1)
        if self.beta > 0:
            gradient = gradient * self._shares(log_scale, batch).unsqueeze(-1)
        return losses, gradient


@dataclass(frozen=True)
class Likelihood:
    """A likelihood as the samplers see it.

    Attributes
    ----------
    n_outputs : int
        Number of outputs of the bare network.
    criterion : torch.nn.Module
        ``(output, batch) -> losses of shape (members, rows)``.
    classes : ndarray or None
        Labels of a classifier, sorted.
    head : callable
        Stacked network -> stacked module whose output the criterion takes.
    half_normal : mapping of str to float
        Parameters of the head with a half-normal prior; see
        :class:`~skbayes._engine.prior.Prior`.
    values : callable
        Output of the stack -> function values of every draw and row, which chains are diagnosed on:
        of a regression the mean and, where it is not known, the noise.
    """

    n_outputs: int
    criterion: nn.Module
    classes: np.ndarray | None = None
    head: Callable[[nn.Module], nn.Module] = lambda net: net
    half_normal: Mapping[str, float] = field(default_factory=dict)
    values: Callable[[Tensor], Tensor] = lambda output: output


def categorical(classes: np.ndarray) -> Likelihood:
    """Softmax over one logit a class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    Likelihood
    """
    last = 1 if len(classes) == 2 else len(classes)  # of two, one tells the other
    return Likelihood(
        len(classes),
        StackCrossEntropy(),
        classes,
        values=lambda output: softmax(output)[..., :last],
    )


def gaussian(
    noise_scale: float | str, y_scale: float, last_width: int, beta: float = 0.0
) -> Likelihood:
    """Gaussian noise, of known, learned or varying standard deviation.

    Parameters
    ----------
    noise_scale : float, "learned" or "heteroscedastic"
    y_scale : float
        Standard deviation of the targets: scale of the half-normal prior of a learned noise, and
        the noise at which learning starts.
    last_width : int
        Width of the last hidden layer. The second output of a heteroscedastic network is divided
        by the square root of it plus one: the prior of the noise is then log-normal of about the
        weights' prior deviation, whatever the width; undivided it would spread over many orders
        of magnitude.
    beta : float, default=0.0
        Of a heteroscedastic noise; see :class:`StackGaussian`.

    Returns
    -------
    Likelihood
    """
    # a noise that may vanish has no proper posterior where the network can meet all targets
    log_scale = math.log(y_scale)
    if noise_scale == "learned":
        return Likelihood(
            1,
            StackGaussian(),
            head=lambda net: SharedNoise(net, log_scale, log_scale + math.log(NOISE_FLOOR)),
            half_normal={"log_scale": y_scale},
        )
    if noise_scale == "heteroscedastic":
        gain = 1.0 / math.sqrt(last_width + 1.0)
        log_floor = log_scale + math.log(ROW_NOISE_FLOOR)
        return Likelihood(
            2, StackGaussian(beta=beta), head=lambda net: RowNoise(net, log_scale, log_floor, gain)
        )
    return Likelihood(1, StackGaussian(float(noise_scale)))


def moments(output: np.ndarray, known_noise: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and noise variance of every draw and row.

    Parameters
    ----------
    output : ndarray of shape (draws, rows, 1 or 2)
    known_noise : float or None
        Standard deviation of the noise; None where the second output is its logarithm.

    Returns
    -------
    mean, variance : ndarray of shape (draws, rows)
    """
    mean = output[..., 0]
    if known_noise is not None:
        return mean, np.full_like(mean, known_noise * known_noise)
    # far from the data the logarithm is anything: keep squares and their sums finite
    return mean, np.exp(2.0 * np.clip(output[..., 1], -LARGEST_LOG, LARGEST_LOG))
