"""Scores of rows under a stacked autoencoder, as pure functions of module, rows and noise."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from skbayes.density._criteria import gaussian_log_prob
from skbayes.nn import StackedVAE


def log_weights(vae: StackedVAE, X: Tensor, noise: Tensor) -> Tensor:
    r"""Importance weights :math:`\log p(x \mid z) + \log p(z) - \log q(z \mid x)` of drawn codes.

    Where the encoder is the exact posterior, every one of them is :math:`\log p(x)`.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    noise : torch.Tensor of shape (members, samples, components)
        Standard normal; the same for every row, so that a row's score does not depend on its
        neighbours.

    Returns
    -------
    torch.Tensor of shape (members, samples, rows)
    """
    mean, logvar = vae.encode(X)  # (members, rows, components)
    members, rows, components = mean.shape
    samples = noise.shape[1]
    draws = noise.unsqueeze(2)  # (members, samples, 1, components)
    code = mean.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * draws
    decoded = vae.decode(code.reshape(members, samples * rows, components))
    decoded = decoded.view(members, samples, rows, -1)
    log_likelihood = gaussian_log_prob(X, decoded, vae.noise_var().unsqueeze(1))
    log_prior = -0.5 * code.square().sum(-1)
    log_encoder = -0.5 * (draws.square().sum(-1) + logvar.sum(-1).unsqueeze(1))
    return log_likelihood + log_prior - log_encoder  # their two (2 pi)^(components / 2) cancel


def _weight_blocks(vae: StackedVAE, X: Tensor, noise: Tensor, step: int) -> Iterator[Tensor]:
    for part in noise.split(step, dim=1):
        yield log_weights(vae, X, part)


def elbo(vae: StackedVAE, X: Tensor, noise: Tensor, step: int) -> Tensor:
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

    Returns
    -------
    torch.Tensor of shape (members, rows)
    """
    total: Tensor | None = None
    for weights in _weight_blocks(vae, X, noise, step):
        total = weights.sum(1) if total is None else total + weights.sum(1)
    assert total is not None
    return total / noise.shape[1]


def importance_weighted(vae: StackedVAE, X: Tensor, noise: Tensor, step: int) -> Tensor:
    """Importance-weighted log-likelihood: log of the mean weight.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    noise : torch.Tensor of shape (members, samples, components)
    step : int
        Number of samples that are held at once.

    Returns
    -------
    torch.Tensor of shape (members, rows)

    References
    ----------
    Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016,
    equation 8.
    """
    total: Tensor | None = None
    for weights in _weight_blocks(vae, X, noise, step):
        part = torch.logsumexp(weights, 1)
        total = part if total is None else torch.logaddexp(total, part)
    assert total is not None
    return total - math.log(noise.shape[1])


def reconstruction(vae: StackedVAE, X: Tensor, noise: Tensor, step: int) -> Tensor:
    """Log-likelihood of a row given its mean code: how well it is reconstructed.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    noise, step
        Not used; the scores' common signature.

    Returns
    -------
    torch.Tensor of shape (members, rows)
    """
    mean, _ = vae.encode(X)
    return gaussian_log_prob(X, vae.decode(mean), vae.noise_var())


#: Name -> score of shape (members, rows), higher = more normal.
SCORES: dict[str, Callable[[StackedVAE, Tensor, Tensor, int], Tensor]] = {
    "elbo": elbo,
    "iwae": importance_weighted,
    "reconstruction": reconstruction,
}
#: Those that are log-densities, or lower bounds of one.
DENSITIES = {"elbo", "iwae"}
