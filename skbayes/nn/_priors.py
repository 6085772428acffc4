"""Prior distributions of codes, one a member: modules with a log-density and draws."""

import math

import torch
from torch import Tensor, nn

#: Standard deviation of a component of the corner mixture, whose means have entries of -1 and 1.
CORNER_SCALE = 0.1
#: Bounds of a learned logarithm of a variance: beyond, exp loses what the loss could tell.
LOG_VARIANCE_BOUNDS = (-15.0, 10.0)
#: A logarithm of a relevance is so many times its parameter: an optimizer moves all parameters at
#: one rate, and a component that is not needed has a long way to go.
RELEVANCE_RATE = 5.0


def diagonal_log_prob(code: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """Log-density of diagonal Gaussians, summed over the last axis.

    Parameters
    ----------
    code, mean, logvar : torch.Tensor
        Broadcast against each other.

    Returns
    -------
    torch.Tensor
        Without the last axis.
    """
    terms = (code - mean).square() * (-logvar).exp() + logvar
    return -0.5 * (terms.sum(-1) + code.shape[-1] * math.log(2 * math.pi))


def mixture_log_prob(code: Tensor, mean: Tensor, logvar: Tensor, log_weight: Tensor) -> Tensor:
    """Log-density of a mixture of diagonal Gaussians.

    The squares are expanded, so that what is held is one number a code and component.

    Parameters
    ----------
    code : torch.Tensor of shape (members, rows, components)
    mean, logvar : torch.Tensor of shape (members, centres, components)
    log_weight : torch.Tensor of shape (members, centres)

    Returns
    -------
    torch.Tensor of shape (members, rows)
    """
    precision = (-logvar).exp()
    # about a centre of the centres, else the squares cancel
    middle = mean.mean(1, keepdim=True)
    code, mean = code - middle, mean - middle
    square = code.square() @ precision.mT - 2.0 * code @ (mean * precision).mT
    constant = (mean.square() * precision + logvar).sum(-1) + code.shape[-1] * math.log(2 * math.pi)
    return torch.logsumexp((log_weight - 0.5 * constant).unsqueeze(1) - 0.5 * square, -1)


class NormalPrior(nn.Module):
    """Standard normal.

    Parameters
    ----------
    n_members, n_components : int
    """

    def __init__(self, n_members: int, n_components: int) -> None:
        super().__init__()
        self.shape = (n_members, n_components)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-density.

        Parameters
        ----------
        code : torch.Tensor of shape (members, ..., components)

        Returns
        -------
        torch.Tensor of shape (members, ...)
        """
        return -0.5 * (code.square().sum(-1) + code.shape[-1] * math.log(2 * math.pi))

    def sample(self, noise: Tensor, choice: Tensor) -> Tensor:
        """Turn standard normal noise into draws.

        Parameters
        ----------
        noise : torch.Tensor of shape (members, rows, components)
        choice : torch.Tensor of shape (members, rows)
            Uniform in [0, 1): chooses the component of a mixture.

        Returns
        -------
        torch.Tensor of shape (members, rows, components)
        """
        return noise


class RelevancePrior(nn.Module):
    r"""Normal with a learned variance a component: automatic relevance determination.

    Alone the variances would mean nothing, since the decoder can undo any scale; they are learned
    together with a standard normal prior on the decoder's first weights :math:`W`. What is
    maximised is the evidence, in which these weights are integrated out: :math:`n` rows with noise
    of variance :math:`s^2` tell the :math:`h` weights of a component, whose codes have variance
    :math:`\lambda_j`, with precision :math:`1 + n \lambda_j / s^2`, so that its logarithm
    (Laplace) costs :math:`\tfrac h2 \log(1 + n \lambda_j / s^2)`: :meth:`energy`. The formula is
    that of a linear decoder.

    Parameters
    ----------
    n_members, n_components : int
    fan_out : int
        Number of decoder weights that a component feeds.
    dtype : torch.dtype

    Attributes
    ----------
    log_relevance : torch.nn.Parameter of shape (members, components)
        Logarithms of the variances, over :data:`RELEVANCE_RATE`.

    References
    ----------
    N. Heim, V. Smidl and T. Pevny, Rodent: relevance determination in differential equations,
    arXiv 1912.00656.

    D. J. C. MacKay, Bayesian interpolation, Neural Computation 4 (1992): the evidence.
    C. M. Bishop, Bayesian PCA, NIPS 1998: the linear case.
    """

    def __init__(
        self, n_members: int, n_components: int, fan_out: int, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.fan_out = fan_out
        self.log_relevance = nn.Parameter(torch.zeros(n_members, n_components, dtype=dtype))

    def logvar(self) -> Tensor:
        """Logarithm of the variances.

        Returns
        -------
        torch.Tensor of shape (members, 1, components)
        """
        return (RELEVANCE_RATE * self.log_relevance).clamp(*LOG_VARIANCE_BOUNDS).unsqueeze(1)

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-density; as :meth:`NormalPrior.log_prob`."""
        logvar = self.logvar().view(len(code), *[1] * (code.ndim - 2), -1)
        return diagonal_log_prob(code, torch.zeros_like(code[:1]), logvar)

    def sample(self, noise: Tensor, choice: Tensor) -> Tensor:
        """Draws; as :meth:`NormalPrior.sample`."""
        return noise * (0.5 * self.logvar()).exp()

    def energy(self, n_data: float, noise_var: Tensor) -> Tensor:
        """What the variances cost, to be divided by the number of rows.

        Parameters
        ----------
        n_data : float
            Number of rows.
        noise_var : torch.Tensor of shape (members,)
            Variance of the output.

        Returns
        -------
        torch.Tensor of shape (members,)
        """
        signal = n_data * self.logvar().exp().squeeze(1) / noise_var.unsqueeze(1)
        return 0.5 * self.fan_out * torch.log1p(signal).sum(1)


class MixturePrior(nn.Module):
    """Mixture of diagonal Gaussians with learned weights, means and variances.

    Parameters
    ----------
    n_members, n_components : int
    n_centres : int
        Number of Gaussians.
    generator : torch.Generator, optional
        Source of the initial means, which are standard normal.
    dtype : torch.dtype, optional

    Attributes
    ----------
    mean, log_variance : torch.nn.Parameter of shape (members, centres, components)
    logit : torch.nn.Parameter of shape (members, centres)
    """

    def __init__(
        self,
        n_members: int,
        n_components: int,
        n_centres: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        shape = (n_members, n_centres, n_components)
        mean = torch.empty(shape, dtype=torch.float64).normal_(generator=generator)
        self.mean = nn.Parameter(mean.to(dtype or torch.get_default_dtype()))
        self.log_variance = nn.Parameter(torch.zeros_like(self.mean))
        self.logit = nn.Parameter(torch.zeros_like(self.mean[..., 0]))

    def centres(self) -> tuple[Tensor, Tensor, Tensor]:
        """The mixture.

        Returns
        -------
        mean, logvar : torch.Tensor of shape (members, centres, components)
        log_weight : torch.Tensor of shape (members, centres)
        """
        return (
            self.mean,
            self.log_variance.clamp(*LOG_VARIANCE_BOUNDS),
            torch.log_softmax(self.logit, -1),
        )

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-density; as :meth:`NormalPrior.log_prob`."""
        return mixture_of(code, *self.centres())

    def sample(self, noise: Tensor, choice: Tensor) -> Tensor:
        """Draws; as :meth:`NormalPrior.sample`."""
        return draw_from(noise, choice, *self.centres())


class CornerPrior(nn.Module):
    """Equal mixture of narrow Gaussians at random corners of the cube from -1 to 1.

    Parameters
    ----------
    n_members, n_components : int
    n_centres : int
        Number of corners.
    generator : torch.Generator, optional
        Chooses the corners, the same for all members.
    dtype : torch.dtype, optional
    """

    mean: Tensor

    def __init__(
        self,
        n_members: int,
        n_components: int,
        n_centres: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        bits = torch.randint(0, 2, (n_centres, n_components), generator=generator)
        corners = (2.0 * bits - 1.0).to(dtype or torch.get_default_dtype())
        self.register_buffer("mean", corners.repeat(n_members, 1, 1))

    def centres(self) -> tuple[Tensor, Tensor, Tensor]:
        """The mixture; as :meth:`MixturePrior.centres`."""
        logvar = torch.full_like(self.mean, 2 * math.log(CORNER_SCALE))
        return self.mean, logvar, torch.full_like(self.mean[..., 0], -math.log(self.mean.shape[1]))

    def log_prob(self, code: Tensor) -> Tensor:
        """Log-density; as :meth:`NormalPrior.log_prob`."""
        return mixture_of(code, *self.centres())

    def sample(self, noise: Tensor, choice: Tensor) -> Tensor:
        """Draws; as :meth:`NormalPrior.sample`."""
        return draw_from(noise, choice, *self.centres())


class VampPrior(nn.Module):
    """Equal mixture of what the encoder makes of learned pseudo-rows.

    Parameters
    ----------
    rows : torch.Tensor of shape (members, centres, features)
        The pseudo-rows at first, rows of the data.

    Attributes
    ----------
    rows : torch.nn.Parameter of shape (members, centres, features)

    References
    ----------
    J. M. Tomczak and M. Welling, VAE with a VampPrior, AISTATS 2018.
    """

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows)

    def centres(self, mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The mixture; the codes of the pseudo-rows are given, since the encoder is elsewhere."""
        return mean, logvar, torch.full_like(mean[..., 0], -math.log(mean.shape[1]))


def mixture_of(code: Tensor, mean: Tensor, logvar: Tensor, log_weight: Tensor) -> Tensor:
    """Log-density of a mixture, for codes with any number of axes between members and components.

    Parameters
    ----------
    code : torch.Tensor of shape (members, ..., components)
    mean, logvar : torch.Tensor of shape (members, centres, components)
    log_weight : torch.Tensor of shape (members, centres)

    Returns
    -------
    torch.Tensor of shape (members, ...)
    """
    flat = code.reshape(len(code), -1, code.shape[-1])
    return mixture_log_prob(flat, mean, logvar, log_weight).view(code.shape[:-1])


def draw_from(
    noise: Tensor, choice: Tensor, mean: Tensor, logvar: Tensor, log_weight: Tensor
) -> Tensor:
    """Draws of a mixture from standard normal and uniform noise.

    Parameters
    ----------
    noise : torch.Tensor of shape (members, rows, components)
    choice : torch.Tensor of shape (members, rows)
    mean, logvar : torch.Tensor of shape (members, centres, components)
    log_weight : torch.Tensor of shape (members, centres)

    Returns
    -------
    torch.Tensor of shape (members, rows, components)
    """
    edges = log_weight.exp().cumsum(-1).contiguous()
    index = torch.searchsorted(edges, choice.contiguous()).clamp(max=mean.shape[1] - 1)
    index = index.unsqueeze(-1).expand(*choice.shape, mean.shape[-1])
    return mean.gather(1, index) + (0.5 * logvar).exp().gather(1, index) * noise
