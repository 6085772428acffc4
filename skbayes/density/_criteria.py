"""The terms of the evidence lower bound, as pure functions, and the loss made of them."""

import math

from torch import Tensor, nn

from skbayes._engine.rows import Batch
from skbayes.nn import VAEOutput


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


class NegativeELBO(nn.Module):
    """Negative evidence lower bound, with the divergence weighted by ``beta``.

    Parameters
    ----------
    beta : float, default=1.0
        1 is the bound; less trusts the data more (a beta-VAE).

    References
    ----------
    D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014, equation 10.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, output: VAEOutput, batch: Batch) -> Tensor:
        """Evaluate it.

        Parameters
        ----------
        output : VAEOutput
        batch : Batch

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        fit = gaussian_log_prob(batch.X, output.reconstruction, output.noise_var)
        return self.beta * kl_to_standard_normal(output.code_mean, output.code_logvar) - fit
