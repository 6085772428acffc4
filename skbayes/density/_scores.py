"""Scores of rows under a stacked autoencoder, as pure functions of module, rows and noise."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from skbayes.density._criteria import encoder_log_prob
from skbayes.density._reference import Reference
from skbayes.nn import StackedVAE, mixture_of

#: Number of training codes that a row's code is compared with.
N_NEIGHBOURS = 5
#: Rows that are compared with all Gaussians of codes at once: what is held stays in the cache.
ROWS_AT_ONCE = 128

NONE = Reference()


def _log_likelihood(vae: StackedVAE, X: Tensor, code: Tensor) -> Tensor:
    """Log-likelihood given codes of shape (members, samples, rows, components)."""
    members, samples, rows, n_components = code.shape
    decoded = vae.decode(code.reshape(members, samples * rows, n_components))
    some = vae.distribution(decoded)
    some = some._replace(
        location=decoded.view(members, samples, rows, -1),
        variance=some.variance.unsqueeze(1),
        dof=None if some.dof is None else some.dof.unsqueeze(1),
    )
    return vae.likelihood.log_prob(X, some).sum(-1)


def log_weights(
    vae: StackedVAE, X: Tensor, noise: Tensor, log_prior: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    r"""Importance weights :math:`\log p(x \mid z) + \log p(z) - \log q(z \mid x)` of drawn codes.

    Where the encoder is the exact posterior, every one of them is :math:`\log p(x)`.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    noise : torch.Tensor of shape (members, samples, components)
        Standard normal; the same for every row, so that a row's score does not depend on its
        neighbours.
    log_prior : callable, optional
        Log-density of codes; the model's own by default.

    Returns
    -------
    torch.Tensor of shape (members, samples, rows)
    """
    mean, logvar = vae.encode(X)  # (members, rows, components)
    draws = noise.unsqueeze(2)  # (members, samples, 1, components)
    code = mean.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * draws
    prior = (log_prior or vae.log_prior)(code)
    return _log_likelihood(vae, X, code) + prior - encoder_log_prob(draws, logvar.unsqueeze(1))


def _log_mean(
    vae: StackedVAE,
    X: Tensor,
    noise: Tensor,
    step: int,
    log_prior: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Log of the mean weight."""
    total: Tensor | None = None
    for part in noise.split(step, dim=1):
        value = torch.logsumexp(log_weights(vae, X, part, log_prior), 1)
        total = value if total is None else torch.logaddexp(total, value)
    assert total is not None
    return total - math.log(noise.shape[1])


def elbo(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    r"""Evidence lower bound: mean of the log-weights.

    Training has the divergence in closed form; here it is drawn with the rest, so that it is
    never above :func:`importance_weighted` of the same noise, and exact where the encoder is.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    noise : torch.Tensor of shape (members, samples, components)
    step : int
        Number of samples that are held at once.
    reference : Reference
        Not used; the scores' common signature.

    Returns
    -------
    torch.Tensor of shape (members, rows)
    """
    total: Tensor | None = None
    for part in noise.split(step, dim=1):
        weights = log_weights(vae, X, part).sum(1)
        total = weights if total is None else total + weights
    assert total is not None
    return total / noise.shape[1]


def importance_weighted(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Importance-weighted log-likelihood: log of the mean weight.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    noise : torch.Tensor of shape (members, samples, components)
    step : int
        Number of samples that are held at once.
    reference : Reference
        Not used; the scores' common signature.

    Returns
    -------
    torch.Tensor of shape (members, rows)

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016,
    equation 8.
    """
    return _log_mean(vae, X, noise, step)


def reconstruction(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Log-likelihood of a row given its mean code: how well it is reconstructed.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    noise, step
        Not used; the scores' common signature.
    reference : Reference
        Likewise.

    Returns
    -------
    torch.Tensor of shape (members, rows)
    """
    mean, _ = vae.encode(X)
    return vae.log_likelihood(X, vae.decode(mean))


def reconstruction_sampled(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Mean log-likelihood of a row given drawn codes; as :func:`elbo`, without the divergence."""
    mean, logvar = vae.encode(X)
    total = torch.zeros((), dtype=mean.dtype, device=mean.device)
    for part in noise.split(step, dim=1):
        code = mean.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * part.unsqueeze(2)
        total = total + _log_likelihood(vae, X, code).sum(1)
    return total / noise.shape[1]


def latent(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Log-density of the mean code under the prior; as :func:`reconstruction`."""
    return vae.log_prior(vae.encode(X)[0])


def jacobian(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    r"""Density of a row by the change of variables through the decoder.

    With the singular values :math:`s_i` of the decoder's Jacobian at the mean code, in units of
    the noise (:math:`\Sigma^{-1/2} J`), it is :math:`\log p(x \mid z) + \log p(z) +
    \tfrac L2 \log 2 \pi - \sum_i \log s_i`: what lies across the manifold is judged by the noise,
    what lies along it by the prior and the decoder's stretch of the volume. It is exact for an
    invertible linear decoder. Directions that the noise drowns (:math:`s_i < 1`) are not counted.

    As :func:`reconstruction`.

    References
    ----------
    V. Smidl, J. Bim and T. Pevny, Anomaly scores for generative models, arXiv 1905.11890. (Their
    code has twice the sum of the logarithms; the volume is once.)
    """
    code = vae.encode(X)[0]
    root = vae.noise_var().sqrt()
    values = torch.linalg.svdvals(decoder_jacobian(vae, code) / root.unsqueeze(-1))
    volume = values.clamp_min(1.0).log().sum(-1)
    constant = 0.5 * code.shape[-1] * math.log(2 * math.pi)
    return vae.log_likelihood(X, vae.decode(code)) + vae.log_prior(code) + constant - volume


def decoder_jacobian(vae: StackedVAE, code: Tensor) -> Tensor:
    """Derivative of the decoder's output by the code.

    Parameters
    ----------
    vae : StackedVAE
    code : torch.Tensor of shape (members, rows, components)

    Returns
    -------
    torch.Tensor of shape (members, rows, features, components)
    """
    columns = []
    for j in range(code.shape[-1]):
        tangent = torch.zeros_like(code)
        tangent[..., j] = 1.0
        columns.append(torch.func.jvp(vae.decode, (code,), (tangent,))[1])
    return torch.stack(columns, -1)


def mixture(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Log-density of the equal mixture over the decoded codes of training rows.

    It is normalised: the model with the training rows' mean codes as prior. As
    :func:`reconstruction`.
    """
    assert reference.centres is not None
    return vae.likelihood.mixture(X, vae.distribution(reference.centres))


def aggregate(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Importance-weighted log-likelihood with the aggregate posterior as prior.

    The aggregate posterior is the mixture of the encoder's Gaussians of training rows: the prior
    that the decoder has seen. As :func:`importance_weighted`.
    """
    codes, logvars = reference.codes, reference.code_logvars
    assert codes is not None and logvars is not None
    even = torch.full_like(codes[..., 0], -math.log(codes.shape[1]))

    def prior(code: Tensor) -> Tensor:
        return mixture_of(code, codes, logvars, even)

    return _log_mean(vae, X, noise, step, prior)


def neighbours(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Minus the mean distance of the mean code to the nearest codes of training rows.

    A training row is its own neighbour. As :func:`reconstruction`.
    """
    codes = reference.codes
    assert codes is not None
    # exact differences: what is near must not drown in rounding
    distances = torch.cdist(vae.encode(X)[0], codes, compute_mode="donot_use_mm_for_euclid_dist")
    return -distances.topk(min(N_NEIGHBOURS, codes.shape[1]), largest=False).values.mean(-1)


def code_density(
    vae: StackedVAE, X: Tensor, noise: Tensor, step: int, reference: Reference = NONE
) -> Tensor:
    """Log-density of the mean code under a mixture of Gaussians, fitted to training codes.

    As :func:`reconstruction`, by the first members only.
    """
    assert reference.means is not None and reference.roots is not None
    assert reference.log_weights is not None
    assert reference.shift is not None and reference.whitener is not None
    code = vae.encode(X)[0][: len(reference.means)] - reference.shift
    members, n_gaussians, width = reference.means.shape
    # whitening and the roots of all Gaussians in one product
    maps = (reference.whitener.unsqueeze(1) @ reference.roots).transpose(1, 2).flatten(2)
    middles = (reference.means.unsqueeze(2) @ reference.roots).view(members, 1, -1)
    stretch = reference.roots.diagonal(dim1=-2, dim2=-1).log().sum(-1) + reference.log_weights
    stretch = (stretch - 0.5 * width * math.log(2 * math.pi)).unsqueeze(1)
    parts = []
    for rows in code.split(ROWS_AT_ONCE, 1):
        scaled = torch.baddbmm(middles, rows, maps, beta=-1.0)
        squares = scaled.square_().view(members, -1, n_gaussians, width).sum(-1)
        parts.append(torch.logsumexp(stretch - 0.5 * squares, 2))
    return torch.cat(parts, 1)


Score = Callable[[StackedVAE, Tensor, Tensor, int, Reference], Tensor]
#: Name -> score of shape (members, rows), higher = more normal.
SCORES: dict[str, Score] = {
    "elbo": elbo,
    "iwae": importance_weighted,
    "aggregate": aggregate,
    "reconstruction": reconstruction,
    "reconstruction_sampled": reconstruction_sampled,
    "latent": latent,
    "jacobian": jacobian,
    "mixture": mixture,
    "code_density": code_density,
    "neighbours": neighbours,
}
#: Those that are log-densities, or lower bounds of one.
DENSITIES = {"elbo", "iwae", "aggregate", "jacobian", "mixture"}
#: Those that draw codes for a row.
DRAWING = {"elbo", "iwae", "aggregate", "reconstruction_sampled"}
