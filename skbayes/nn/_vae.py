"""Variational autoencoders, stacked: several members in one module."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from skbayes.nn._likelihoods import LIKELIHOODS, Decoded, Gaussian
from skbayes.nn._mlp import StackedMLP, unit_gain_
from skbayes.nn._priors import NormalPrior, RelevancePrior, VampPrior, draw_from, mixture_of

#: Logarithms of the codes' variances are held between them: beyond, exp would overflow long before
#: the loss could tell.
LOGVAR_BOUNDS = (-30.0, 20.0)


class VAEOutput(NamedTuple):
    """What one pass gives.

    Attributes
    ----------
    reconstruction : torch.Tensor of shape (members, rows, features)
        The decoder's output at the code that was drawn.
    code_mean, code_logvar : torch.Tensor of shape (members, rows, components)
        The encoder's Gaussian.
    noise_var : torch.Tensor of shape (members, 1, features)
        Variance of the decoder's Gaussian.
    """

    reconstruction: Tensor
    code_mean: Tensor
    code_logvar: Tensor
    noise_var: Tensor


class StackedVAE(nn.Module):
    """``n_members`` variational autoencoders.

    Parameters
    ----------
    n_features : int
        Width of the data.
    n_components : int
        Width of the code.
    n_members : int
        Number of autoencoders held.
    hidden_layer_sizes : sequence of int
        Hidden layers of the encoder; the decoder has them in reverse. Empty for linear maps.
    activation : str, default="silu"
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    per_feature_noise : bool, default=True
        Whether every feature has its own output variance, or all share one.
    noise_floor : float, default=0.0
        Smallest standard deviation of the output.
    noise_rate : float, default=1.0
        How many times faster the logarithm of the output variance moves than its parameter.
    likelihood : {"gaussian", "bernoulli", "student_t"}, default="gaussian"
        Distribution of a row given its code.
    encoder : torch.nn.Module, optional
        In place of a multilayer perceptron: a stacked module that maps rows, shared by all members
        or one block a member, to ``(members, rows, 2 * n_components)``.
    decoder : torch.nn.Module, optional
        Likewise from codes ``(members, rows, n_components)`` to ``(members, rows, n_features)``.
    generator : torch.Generator, optional
        Source of the initial weights.
    dtype : torch.dtype, optional
        Type of the weights.

    Attributes
    ----------
    encoder, decoder : torch.nn.Module
        :class:`StackedMLP` unless others are given.
    log_noise : torch.nn.Parameter of shape (n_members, n_features or 1)
        Logarithm of the output variance above the floor, over ``noise_rate``. (Of the standard
        deviation it would move twice as fast; the anomaly scores of 14 sets were better so.)
    log_dof : torch.nn.Parameter of shape (n_members, 1) or None
        Logarithm of the Student-t's degrees of freedom above one.
    prior : torch.nn.Module
        Distribution of the codes, standard normal unless another one is set.
    critic : StackedMLP or None
        The discriminator of the adversarial criteria.
    shift, scale : torch.Tensor of shape (n_features,) or None
        Buffers: rows are standardised by them on their way in, and put back on their way out.

    References
    ----------
    D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedVAE
    >>> g = torch.Generator().manual_seed(0)
    >>> vae = StackedVAE(5, 2, 3, (8,), generator=g)
    >>> vae(torch.zeros(7, 5), torch.zeros(3, 7, 2)).reconstruction.shape
    torch.Size([3, 7, 5])
    """

    shift: Tensor | None
    scale: Tensor | None

    def __init__(
        self,
        n_features: int,
        n_components: int,
        n_members: int,
        hidden_layer_sizes: Sequence[int],
        *,
        activation: str = "silu",
        per_feature_noise: bool = True,
        noise_floor: float = 0.0,
        noise_rate: float = 1.0,
        likelihood: str = "gaussian",
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_components = n_components
        self.n_members = n_members
        self.noise_floor = noise_floor
        self.noise_rate = noise_rate
        self.likelihood_name = likelihood

        def mlp(n_in: int, hidden: Sequence[int], n_out: int) -> StackedMLP:
            stack = StackedMLP(
                n_in,
                hidden,
                n_out,
                n_members,
                activation=activation,
                generator=generator,
                dtype=dtype,
            )
            unit_gain_(stack)
            return stack

        if encoder is None:
            encoder = mlp(n_features, hidden_layer_sizes, 2 * n_components)
        if decoder is None:
            decoder = mlp(n_components, list(hidden_layer_sizes)[::-1], n_features)
        self.encoder, self.decoder = encoder, decoder
        #: Of the widest layer.
        self.width = max(
            n_features, 2 * n_components, *(_widest(net) for net in (encoder, decoder))
        )
        #: Multiplications of the most expensive layer for a row, of all members.
        self.work = max(_work(net) for net in (encoder, decoder))
        width = n_features if per_feature_noise else 1
        self.log_noise = nn.Parameter(torch.zeros(n_members, width, dtype=dtype))
        if likelihood == "student_t":
            self.log_dof = nn.Parameter(torch.full((n_members, 1), 2.0, dtype=dtype))
        self.prior: Any = NormalPrior(n_members, n_components)
        self.critic: StackedMLP | None = None
        self.register_buffer("shift", None)
        self.register_buffer("scale", None)
        #: Source of the reparametrisation noise while training; None draws codes at their mean.
        self.noise_generator: torch.Generator | None = None

    @property
    def likelihood(self) -> Gaussian:
        """The distribution of a row given its code."""
        return LIKELIHOODS[self.likelihood_name]

    def standardise(self, shift: Tensor, scale: Tensor) -> None:
        """Set what rows are standardised by.

        Parameters
        ----------
        shift, scale : torch.Tensor of shape (n_features,)
        """
        self.shift, self.scale = shift, scale

    def set_noise(self, variance: Tensor) -> None:
        """Set the output variance above the floor.

        Parameters
        ----------
        variance : torch.Tensor
            Of a shape that broadcasts to that of ``log_noise``; in units of ``scale``, if set.
        """
        with torch.no_grad():
            self.log_noise.copy_(
                (variance.log() / self.noise_rate).to(self.log_noise).expand_as(self.log_noise)
            )

    def encode(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the code.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)

        Returns
        -------
        code_mean, code_logvar : torch.Tensor of shape (members, rows, components)
        """
        if self.shift is not None and self.scale is not None:
            X = (X - self.shift) / self.scale
        mean, logvar = self.encoder(X).chunk(2, -1)
        logvar = logvar.clamp(*LOGVAR_BOUNDS)
        if isinstance(self.prior, RelevancePrior):
            # the encoder speaks in units of the prior: a component can be switched off without
            # its having to follow
            log_scale = 0.5 * self.prior.logvar()
            return mean * log_scale.exp(), logvar + 2.0 * log_scale
        return mean, logvar

    def decode(self, code: Tensor) -> Tensor:
        """The decoder's output: mean of the data, or their log-odds if they are Bernoulli.

        Parameters
        ----------
        code : torch.Tensor of shape (members, rows, components)

        Returns
        -------
        torch.Tensor of shape (members, rows, features)
        """
        location = self.decoder(code)
        if self.shift is not None and self.scale is not None:
            location = location * self.scale + self.shift
        return location

    def noise_var(self) -> Tensor:
        """Variance of the data given the code (of a Student-t: square of its scale).

        Returns
        -------
        torch.Tensor of shape (members, 1, features)
        """
        variance = (self.noise_rate * self.log_noise).exp() + self.noise_floor**2
        variance = variance.unsqueeze(1).expand(-1, 1, self.n_features)
        return variance if self.scale is None else variance * self.scale.square()

    def distribution(self, location: Tensor) -> Decoded:
        """A decoder's output with the scales that belong to it.

        Parameters
        ----------
        location : torch.Tensor of shape (members, rows, features)
            From :meth:`decode`; of the first members only, if it has fewer.

        Returns
        -------
        Decoded
        """
        first = slice(len(location))
        dof = None
        if self.likelihood_name == "student_t":
            dof = 1.0 + self.log_dof[first].clamp(-10.0, 10.0).exp().unsqueeze(-1)
        return Decoded(location, self.noise_var()[first], dof)

    def log_likelihood(self, X: Tensor, location: Tensor) -> Tensor:
        """Log-density of rows given a decoder's output.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)
        location : torch.Tensor of shape (members, rows, features)

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        return self.likelihood.total(X, self.distribution(location))

    def log_prior(self, code: Tensor) -> Tensor:
        """Log-density of codes under the prior.

        Parameters
        ----------
        code : torch.Tensor of shape (members, ..., components)

        Returns
        -------
        torch.Tensor of shape (members, ...)
        """
        if isinstance(self.prior, VampPrior):
            return mixture_of(code, *self.prior.centres(*self.encode(self.prior.rows)))
        return self.prior.log_prob(code)

    def draw_codes(self, noise: Tensor, choice: Tensor) -> Tensor:
        """Turn noise into draws of the prior.

        Parameters
        ----------
        noise : torch.Tensor of shape (members, rows, components)
            Standard normal.
        choice : torch.Tensor of shape (members, rows)
            Uniform in [0, 1).

        Returns
        -------
        torch.Tensor of shape (members, rows, components)
        """
        if isinstance(self.prior, VampPrior):
            return draw_from(noise, choice, *self.prior.centres(*self.encode(self.prior.rows)))
        return self.prior.sample(noise, choice)

    def draw_noise(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape of codes, from ``noise_generator``.

        Parameters
        ----------
        like : torch.Tensor

        Returns
        -------
        torch.Tensor
        """
        # float32 whatever the dtype: one seed means the same noise in all of them, at less cost
        noise = torch.empty_like(like, dtype=torch.float32)
        return noise.normal_(generator=self.noise_generator).to(like.dtype)

    def forward(self, X: Tensor, noise: Tensor | None = None) -> VAEOutput:
        """Encode, draw a code, decode.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)
        noise : torch.Tensor of shape (members, rows, components), optional
            Standard normal noise of the code; by default drawn from ``noise_generator``.

        Returns
        -------
        VAEOutput
        """
        mean, logvar = self.encode(X)
        code = mean
        if noise is None and self.noise_generator is not None:
            noise = self.draw_noise(mean)
        if noise is not None:
            code = mean + (0.5 * logvar).exp() * noise
        return VAEOutput(self.decode(code), mean, logvar, self.noise_var())


def _widest(net: nn.Module) -> int:
    """Values that the widest layer makes of a row: what a network says, or its weights' shapes."""
    return getattr(net, "width", 0) or max(max(p.shape[1:], default=1) for p in net.parameters())


def _work(net: nn.Module) -> int:
    """Multiplications of the most expensive layer for a row; that of a linear one by default."""
    return getattr(net, "work", 0) or max(p.numel() for p in net.parameters())
