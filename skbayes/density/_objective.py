"""What training minimises: a criterion put together from its terms, on a batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from skbayes._engine.rows import Batch
from skbayes.density._criteria import (
    KERNELS,
    discriminator_loss,
    encoder_log_prob,
    generator_loss,
    kl_to_normal,
    kl_to_standard_normal,
    mmd,
    stein_discrepancy,
    trimmed,
)
from skbayes.nn import NormalPrior, RelevancePrior, StackedMLP, StackedVAE

#: Share of the rows of a batch that get no input noise, so that clean rows are seen as well.
CLEAN_SHARE = 0.3
#: Weight of the divergence where ``beta="auto"``: the bound's own, and those of the papers.
AUTO_BETA = {
    "mse": 0.0,
    "elbo": 1.0,
    "iwae": 1.0,
    "mmd": 10.0,
    "adversarial": 1.0,
    "mmd+adversarial": 10.0,
    "vae-gan": 1.0,
    "stein": 10.0,
}
#: Least variance of a discriminator's features, in units of their spread, that a match is of.
LEAST_MISFIT = 1e-4
#: Criteria whose encoder draws codes; those of the others are deterministic.
STOCHASTIC = frozenset({"elbo", "iwae", "vae-gan"})
#: Criteria whose loss is the likelihood itself, so that it can learn the noise of the data.
LIKELIHOOD_BASED = frozenset({"elbo", "iwae"})
#: Criteria that need draws of the prior only.
SAMPLES_ONLY = frozenset({"mmd", "adversarial", "mmd+adversarial"})


@dataclass(frozen=True)
class Settings:
    """What an objective does.

    Attributes
    ----------
    criterion : str
        A key of :data:`AUTO_BETA`.
    beta : float
        Weight of the divergence from the prior.
    kernel : str
        A key of ``KERNELS``.
    n_samples : int
        Number of codes a row of ``criterion="iwae"``.
    input_noise : tuple of float
        Standard deviations, one of which is drawn for a row; empty for no noise.
    trim : float
        Share of every batch that is left out.
    unit : float
        Spread of the data: what the input noise and the squared error are measured in.
    """

    criterion: str = "elbo"
    beta: float = 1.0
    kernel: str = "imq"
    n_samples: int = 5
    input_noise: tuple[float, ...] = ()
    trim: float = 0.0
    unit: float = 1.0


class Objective(nn.Module):
    """Loss of every member on every row of a batch.

    Parameters
    ----------
    settings : Settings
    prior_sampler : callable, optional
        A user's prior: ``(n_samples, n_components, random_state) -> codes``.
    random_state : numpy.random.RandomState, optional
        Given to it.

    Attributes
    ----------
    heat : float
        Factor of ``beta`` that the warm-up raises to 1.
    """

    def __init__(
        self,
        settings: Settings,
        prior_sampler: Callable[..., Any] | None = None,
        random_state: np.random.RandomState | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.prior_sampler = prior_sampler
        self.random_state = random_state
        self.heat = 1.0

    def forward(self, vae: StackedVAE, batch: Batch) -> Tensor:
        """Evaluate it.

        Parameters
        ----------
        vae : StackedVAE
        batch : Batch

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        settings, X = self.settings, batch.X
        mean, logvar = vae.encode(self.corrupted(vae, X))
        losses = getattr(self, "_" + settings.criterion.replace("+", "_").replace("-", "_"))(
            vae, X, mean, logvar
        )
        # of held-back rows too: what training leaves out may cost anything
        return trimmed(losses, settings.trim)

    # -- criteria: (vae, X, code mean, code log-variance) -> (members, rows) ----------------------

    def _mse(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        return self._misfit(vae, X, mean)

    def _elbo(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        code, noise = self._draw(vae, mean, logvar)
        fit = vae.log_likelihood(X, vae.decode(code))
        return self.beta * self._divergence(vae, mean, logvar, code, noise) - fit

    def _iwae(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        n_samples, rows = self.settings.n_samples, mean.shape[1]
        if X.ndim == 2:
            X = X.unsqueeze(0)
        X, mean, logvar = (t.repeat(1, n_samples, 1) for t in (X, mean, logvar))
        code, noise = self._draw(vae, mean, logvar)
        weight = vae.log_likelihood(X, vae.decode(code))
        ratio = vae.log_prior(code) - encoder_log_prob(noise, logvar)
        weight = (weight + self.beta * ratio).view(-1, n_samples, rows)
        return np.log(n_samples) - torch.logsumexp(weight, 1)

    def _mmd(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        return self._misfit(vae, X, mean) + self.beta * self._discrepancy(vae, mean)

    def _adversarial(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        return self._misfit(vae, X, mean) + self._game(vae, mean, self.beta)

    def _mmd_adversarial(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        return self._mmd(vae, X, mean, logvar) + self._game(vae, mean, self.heat)

    def _stein(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        with torch.enable_grad():  # held-back rows are evaluated without
            at = mean if mean.requires_grad else mean.detach().requires_grad_()
            score = torch.autograd.grad(vae.log_prior(at).sum(), at, create_graph=True)[0]
        penalty = stein_discrepancy(mean, score, float(vae.n_components))
        return self._misfit(vae, X, mean) + self.beta * penalty.unsqueeze(1)

    def _vae_gan(self, vae: StackedVAE, X: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        """Feature matching: the likelihood is taken inside the discriminator of rows."""
        critic = vae.critic
        assert critic is not None
        code, noise = self._draw(vae, mean, logvar)
        if X.ndim == 2:
            X = X.expand(len(mean), *X.shape)
        shift = vae.shift if vae.shift is not None else 0.0
        unit = vae.scale if vae.scale is not None else self.settings.unit

        def decode(code: Tensor) -> Tensor:
            return (self._mean(vae, vae.decode(code)) - shift) / unit

        # One sum, one step: what a term must not move is frozen or cut off. The encoder is moved
        # by the match and the divergence, the decoder by the match and the game
        real, matched = (X - shift) / unit, decode(code)
        made, dreamt = decode(code.detach()), decode(self._prior_draws(vae, mean))
        features, _ = features_and_output(critic, matched, frozen=True)
        target, _ = features_and_output(critic, real, frozen=True)
        match = _misfit_of_features(features, target.detach())
        losses = match + self.beta * self._divergence(vae, mean, logvar, code, noise)
        log_odds = features_and_output(critic, real, frozen=False)[1]
        for fake in (made, dreamt):
            fool = generator_loss(features_and_output(critic, fake, frozen=True)[1])
            guess = features_and_output(critic, fake.detach(), frozen=False)[1]
            losses = losses + 0.5 * (fool + discriminator_loss(log_odds, guess))
        return losses

    # -- their parts ------------------------------------------------------------------------------

    @property
    def beta(self) -> float:
        """Weight of the divergence, as far as the warm-up has raised it."""
        return self.heat * self.settings.beta

    @staticmethod
    def _mean(vae: StackedVAE, location: Tensor) -> Tensor:
        return vae.likelihood.mean(vae.distribution(location))

    def corrupted(self, vae: StackedVAE, X: Tensor) -> Tensor:
        """What the encoder sees: in training with noise, of a strength that differs by row.

        Parameters
        ----------
        vae : StackedVAE
        X : torch.Tensor of shape (rows, features) or (members, rows, features)

        Returns
        -------
        torch.Tensor
        """
        if not (vae.training and self.settings.input_noise):
            return X
        if X.ndim == 2:
            X = X.expand(vae.n_members, *X.shape)
        n_levels = len(self.settings.input_noise)
        # uniform from below zero, which is clean, to the number of levels
        low = -n_levels * CLEAN_SHARE / (1.0 - CLEAN_SHARE)
        place = torch.empty(*X.shape[:-1], 1, device=X.device)
        place.uniform_(low, n_levels, generator=vae.noise_generator)
        levels = torch.tensor((0.0, *self.settings.input_noise), dtype=X.dtype, device=X.device)
        noise = levels[place.floor_().add_(1.0).clamp_(0, n_levels).long()] * vae.draw_noise(X)
        return X + noise * (vae.scale if vae.scale is not None else self.settings.unit)

    @staticmethod
    def _draw(vae: StackedVAE, mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        noise = vae.draw_noise(mean)
        return mean + (0.5 * logvar).exp() * noise, noise

    def _misfit(self, vae: StackedVAE, X: Tensor, code: Tensor) -> Tensor:
        """Squared error in units of the data's spread; where there are no squares, nats."""
        location = vae.decode(code)
        if vae.likelihood_name != "gaussian":
            return -vae.log_likelihood(X, location)
        unit = vae.scale if vae.scale is not None else self.settings.unit
        return ((X - location) / unit).square().sum(-1)

    @staticmethod
    def _divergence(
        vae: StackedVAE, mean: Tensor, logvar: Tensor, code: Tensor, noise: Tensor
    ) -> Tensor:
        """Divergence of the encoder from the prior: in closed form, or at the code drawn."""
        if isinstance(vae.prior, NormalPrior):
            return kl_to_standard_normal(mean, logvar)
        if isinstance(vae.prior, RelevancePrior):
            return kl_to_normal(mean, logvar, vae.prior.logvar())
        return encoder_log_prob(noise, logvar) - vae.log_prior(code)

    def _prior_draws(self, vae: StackedVAE, like: Tensor) -> Tensor:
        members, rows, n_components = like.shape
        if self.prior_sampler is not None:
            draws = self.prior_sampler(members * rows, n_components, self.random_state)
            draws = check_codes(draws, members * rows, n_components)
            return torch.as_tensor(draws, dtype=like.dtype, device=like.device).view_as(like)
        choice = torch.empty(members, rows, device=like.device)
        choice.uniform_(generator=vae.noise_generator)
        return vae.draw_codes(vae.draw_noise(like), choice.to(like.dtype))

    def _discrepancy(self, vae: StackedVAE, code: Tensor) -> Tensor:
        prior = self._prior_draws(vae, code)
        # twice the prior's mean square: the squared distance of two of its draws
        width = 2.0 * vae.n_components
        value = mmd(code, prior, KERNELS[self.settings.kernel], width)
        return value.unsqueeze(1)

    def _game(self, vae: StackedVAE, code: Tensor, weight: float) -> Tensor:
        """Encoder against discriminator of codes, both in one sum."""
        critic = vae.critic
        assert critic is not None
        fool = generator_loss(features_and_output(critic, code, frozen=True)[1])
        real = features_and_output(critic, self._prior_draws(vae, code), frozen=False)[1]
        made = features_and_output(critic, code.detach(), frozen=False)[1]
        return weight * fool + discriminator_loss(real, made)


def features_and_output(critic: StackedMLP, x: Tensor, *, frozen: bool) -> tuple[Tensor, Tensor]:
    """First hidden layer and output of a discriminator.

    What is matched are features of the first one, which determine the row; in the last one rows
    that differ may well be equal.

    Parameters
    ----------
    critic : StackedMLP
    x : torch.Tensor of shape (members, rows, features)
    frozen : bool
        Whether its weights get no gradient.

    Returns
    -------
    features : torch.Tensor of shape (members, rows, width)
    output : torch.Tensor of shape (members, rows, 1)
    """
    *hidden, last = critic.layers

    def apply(layer: nn.Module, value: Tensor) -> Tensor:
        if not frozen:
            return layer(value)
        weights = {name: p.detach() for name, p in layer.named_parameters()}
        return functional_call(layer, weights, (value,))

    features = None
    for layer in hidden:
        x = torch.nn.functional.leaky_relu(apply(layer, x), 0.2)
        features = x if features is None else features
    assert features is not None
    return features, apply(last, x)


def _misfit_of_features(features: Tensor, target: Tensor) -> Tensor:
    """Minus the log-likelihood of features under a Gaussian with its best variance.

    The discriminator may scale its features as it likes, and the divergence of the codes would
    weigh more or less: with the mean squared error as variance the scale does not matter.
    """
    square = (features - target).square()
    spread = target.var(1, unbiased=False).mean(-1)
    variance = torch.maximum(square.detach().mean((1, 2)), LEAST_MISFIT * spread + 1e-12)
    variance = variance.unsqueeze(1)
    return 0.5 * (square.sum(-1) / variance + features.shape[-1] * variance.log())


def check_codes(draws: Any, n_samples: int, n_components: int) -> np.ndarray:
    """Check what a user's prior returned.

    Parameters
    ----------
    draws : array-like
    n_samples, n_components : int

    Returns
    -------
    ndarray of shape (n_samples, n_components)

    Raises
    ------
    ValueError
        If it has another shape, or is not finite.
    """
    array = np.asarray(draws, dtype=np.float64)
    if array.shape != (n_samples, n_components):
        raise ValueError(
            f"prior: called with n_samples={n_samples} and n_components={n_components} it must "
            f"return an array of shape ({n_samples}, {n_components}), got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError("prior: the codes that it returned must be finite numbers")
    return array
