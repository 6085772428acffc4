"""The terms that training criteria are made of, as pure functions of tensors."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

#: Factors of the kernels' widths: a sum over them sees differences at every distance.
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def gaussian_log_prob(x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    """Log-density of independent Gaussians, summed over the last axis.

    Parameters
    ----------
    x, mean, var : torch.Tensor
        Broadcast against each other.

    Returns
    -------
    torch.Tensor
        Without the last axis; constants included.
    """
    terms = (x - mean).square() / var + var.log() + math.log(2 * math.pi)
    return -0.5 * terms.sum(-1)


def kl_to_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    r"""Divergence of N(mean, exp(logvar)) from N(0, I), summed over the last axis.

    .. math:: \tfrac12 \sum_j (\sigma_j^2 + \mu_j^2 - 1 - \log \sigma_j^2)

    Parameters
    ----------
    mean, logvar : torch.Tensor

    Returns
    -------
    torch.Tensor
        Without the last axis; in nats.
    """
    return 0.5 * (logvar.exp() + mean.square() - 1.0 - logvar).sum(-1)


def kl_to_normal(mean: Tensor, logvar: Tensor, prior_logvar: Tensor) -> Tensor:
    r"""Divergence of N(mean, exp(logvar)) from N(0, exp(prior_logvar)), summed over the last axis.

    Parameters
    ----------
    mean, logvar, prior_logvar : torch.Tensor
        Broadcast against each other.

    Returns
    -------
    torch.Tensor
        Without the last axis; in nats.
    """
    # rescaled, the prior is a standard normal
    return kl_to_standard_normal(mean * (-0.5 * prior_logvar).exp(), logvar - prior_logvar)


def encoder_log_prob(noise: Tensor, logvar: Tensor) -> Tensor:
    """Log-density, under the encoder, of the code that it drew with some noise.

    Parameters
    ----------
    noise : torch.Tensor
        Standard normal: the code is ``mean + exp(logvar / 2) * noise``.
    logvar : torch.Tensor

    Returns
    -------
    torch.Tensor
        Without the last axis.
    """
    terms = noise.square() + logvar + math.log(2 * math.pi)
    return -0.5 * terms.sum(-1)


# -- distances of the codes from the prior --------------------------------------------------------


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances of all pairs.

    Parameters
    ----------
    a : torch.Tensor of shape (members, n, components)
    b : torch.Tensor of shape (members, m, components)

    Returns
    -------
    torch.Tensor of shape (members, n, m)
    """
    lengths = a.square().sum(-1).unsqueeze(2) + b.square().sum(-1).unsqueeze(1)
    return (lengths - 2.0 * a @ b.mT).clamp_min(0.0)


def imq(square: Tensor, width: float) -> Tensor:
    """Inverse multiquadrics, summed over :data:`SCALES`.

    Parameters
    ----------
    square : torch.Tensor
        Squared distances.
    width : float
        Squared distance that counts as one: that of two draws of the prior.

    Returns
    -------
    torch.Tensor
    """
    return sum((scale * width / (scale * width + square) for scale in SCALES), start=0.0 * square)


def rbf(square: Tensor, width: float) -> Tensor:
    """Gaussian kernels, summed over :data:`SCALES`; as :func:`imq`."""
    return sum((torch.exp(-square / (scale * width)) for scale in SCALES), start=0.0 * square)


def rational_quadratic(square: Tensor, width: float) -> Tensor:
    """Rational quadratic kernels, summed over :data:`SCALES` as exponents; as :func:`imq`."""
    return sum(
        ((1.0 + square / (scale * width)).pow(-scale) for scale in SCALES), start=0.0 * square
    )


#: Name -> kernel of squared distances.
KERNELS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "imq": imq,
    "rbf": rbf,
    "rq": rational_quadratic,
}


def mmd(a: Tensor, b: Tensor, kernel: Callable[[Tensor, float], Tensor], width: float) -> Tensor:
    r"""Squared maximum mean discrepancy of two samples, unbiased.

    .. math:: \frac{\sum_{i \ne j} k(a_i, a_j)}{n (n - 1)} + \frac{\sum_{i \ne j} k(b_i, b_j)}
        {m (m - 1)} - \frac{2 \sum_{ij} k(a_i, b_j)}{n m}

    Parameters
    ----------
    a : torch.Tensor of shape (members, n, components)
    b : torch.Tensor of shape (members, m, components)
    kernel : callable
        One of :data:`KERNELS`.
    width : float

    Returns
    -------
    torch.Tensor of shape (members,)
        Zero in expectation where the distributions are equal, hence negative at times.

    References
    ----------
    I. Tolstikhin, O. Bousquet, S. Gelly and B. Schoelkopf, Wasserstein auto-encoders, ICLR 2018,
    algorithm 2.
    """

    def within(x: Tensor) -> Tensor:
        n = x.shape[1]
        values = kernel(squared_distances(x, x), width)
        diagonal = values.diagonal(dim1=1, dim2=2).sum(-1)
        return (values.sum((1, 2)) - diagonal) / max(n * (n - 1), 1)

    across = kernel(squared_distances(a, b), width).mean((1, 2))
    return within(a) + within(b) - 2.0 * across


def stein_discrepancy(code: Tensor, score: Tensor, width: float) -> Tensor:
    r"""Squared kernel Stein discrepancy of a sample from a distribution, unbiased.

    With the kernel :math:`k = (1 + d^2 / w)^{-1/2}` of the distance :math:`d` and the score
    :math:`s = \nabla \log p`, it is the mean over pairs of :math:`s(x)^\top s(y) k +
    s(x)^\top \nabla_y k + s(y)^\top \nabla_x k + \operatorname{tr} \nabla_x \nabla_y k`. No draws
    of the distribution are needed, and no constant of its density.

    Parameters
    ----------
    code : torch.Tensor of shape (members, n, components)
    score : torch.Tensor of shape (members, n, components)
        Gradient of the distribution's log-density at the codes.
    width : float

    Returns
    -------
    torch.Tensor of shape (members,)
        Zero in expectation where the codes are draws of the distribution.

    References
    ----------
    Q. Liu, J. D. Lee and M. Jordan, A kernelized Stein discrepancy for goodness-of-fit tests,
    ICML 2016. J. Gorham and L. Mackey, Measuring sample quality with kernels, ICML 2017: the
    kernel.
    """
    n, n_components = code.shape[1:]
    square = squared_distances(code, code)
    base = 1.0 + square / width
    kernel = base.rsqrt()
    slope = kernel / base / width  # grad_y k = slope (x - y) = -grad_x k
    # (s(x) - s(y))' (x - y), of every pair
    own = (score * code).sum(-1)
    cross = score @ code.mT
    pull = own.unsqueeze(2) + own.unsqueeze(1) - cross - cross.mT
    trace = slope * (n_components - 3.0 * square / base / width)
    terms = (score @ score.mT) * kernel + slope * pull + trace
    diagonal = terms.diagonal(dim1=1, dim2=2).sum(-1)
    return (terms.sum((1, 2)) - diagonal) / max(n * (n - 1), 1)


# -- adversaries ----------------------------------------------------------------------------------


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """Cross-entropy of a discriminator.

    Parameters
    ----------
    real, made : torch.Tensor of shape (members, rows, 1)
        Its log-odds of being real, for what is real and for what is not.

    Returns
    -------
    torch.Tensor of shape (members, rows)
    """
    return 0.5 * (F.softplus(-real) + F.softplus(made)).squeeze(-1)


def generator_loss(made: Tensor) -> Tensor:
    """What the discriminator's adversary minimises (the form that does not saturate).

    Parameters
    ----------
    made : torch.Tensor of shape (members, rows, 1)
        The discriminator's log-odds of being real.

    Returns
    -------
    torch.Tensor of shape (members, rows)
    """
    return F.softplus(-made).squeeze(-1)


# -- contaminated batches -------------------------------------------------------------------------


def kept_rows(losses: Tensor, share: float) -> Tensor | None:
    """Tell which rows trimming keeps.

    Parameters
    ----------
    losses : torch.Tensor of shape (members, rows)
    share : float
        Of the rows that are left out, rounded down: those of largest loss.

    Returns
    -------
    torch.Tensor of shape (members, rows) or None
        Zero for rows that are left out, the same number for the others, of mean one; None if
        there is nothing to leave out.
    """
    n = losses.shape[1]
    n_kept = n - int(share * n)
    if n_kept == n:
        return None
    kept = losses.detach().topk(n_kept, dim=1, largest=False).indices
    return torch.zeros_like(losses).scatter_(1, kept, n / n_kept)


def trimmed(losses: Tensor, share: float) -> Tensor:
    """Leave out the rows of largest loss: their part becomes zero, the others' grows.

    Parameters
    ----------
    losses : torch.Tensor of shape (members, rows)
    share : float
        Of the rows that are left out, rounded down.

    Returns
    -------
    torch.Tensor of shape (members, rows)
        Whose mean over the rows is the mean of the losses that are kept.
    """
    mask = kept_rows(losses, share)
    return losses if mask is None else losses * mask
