"""Terms of the training criteria, priors and likelihoods against direct computations."""

import itertools

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch.distributions import Normal, kl_divergence
from vae_toys import DOUBLE, generator, normal

from skbayes._engine.rows import Batch, Rows
from skbayes.density import _criteria as C
from skbayes.density._objective import CLEAN_SHARE, Objective, Settings
from skbayes.density._training import add_parts
from skbayes.nn import (
    LIKELIHOODS,
    CornerPrior,
    Decoded,
    MixturePrior,
    NormalPrior,
    RelevancePrior,
    StackedVAE,
    VampPrior,
)
from skbayes.nn._priors import RELEVANCE_RATE

# -- priors ---------------------------------------------------------------------------------------


def test_divergence_to_a_normal_is_torchs():
    mean, logvar, prior = normal(1, 6, 3), normal(1, 6, 3, seed=1), normal(1, 1, 3, seed=2)
    expected = kl_divergence(
        Normal(mean, (0.5 * logvar).exp()), Normal(0.0, (0.5 * prior).exp())
    ).sum(-1)
    torch.testing.assert_close(C.kl_to_normal(mean, logvar, prior), expected)


def vae_with(prior, n_components=1, n_features=3, members=2):
    vae = StackedVAE(n_features, n_components, members, (6,), generator=generator(), **DOUBLE)
    vae.prior = prior
    return vae


def mixture_prior(n_components=1):
    prior = MixturePrior(2, n_components, 4, generator(), **DOUBLE)
    with torch.no_grad():
        prior.log_variance.copy_(0.5 * normal(2, 4, n_components, seed=5) - 1)
        prior.logit.copy_(normal(2, 4, seed=6))
    return prior


def relevance_prior(n_components=1):
    prior = RelevancePrior(2, n_components, 6, **DOUBLE)
    with torch.no_grad():
        prior.log_relevance.copy_(normal(2, n_components, seed=7) / RELEVANCE_RATE)
    return prior


PRIORS = {
    "normal": lambda: NormalPrior(2, 1),
    "ard": relevance_prior,
    "mixture": mixture_prior,
    "corners": lambda: CornerPrior(2, 1, 5, generator(1), **DOUBLE),
    "vamp": lambda: VampPrior(normal(2, 4, 3, seed=8)),
}


@pytest.mark.parametrize("name", PRIORS)
def test_densities_of_priors_integrate_to_one_and_draws_follow_them(name):
    vae = vae_with(PRIORS[name]())
    grid = torch.linspace(-12, 12, 40_001, **DOUBLE)
    with torch.no_grad():
        log_prob = vae.log_prior(grid.expand(2, -1).unsqueeze(-1))
        n = 4000
        uniform = torch.rand(2, n, generator=generator(3), **DOUBLE)
        draws = vae.draw_codes(normal(2, n, 1, seed=4), uniform)[..., 0]
    for member in range(2):
        density = log_prob[member].exp().numpy()
        total = integrate.cumulative_trapezoid(density, grid, initial=0)
        assert total[-1] == pytest.approx(1, abs=1e-6)
        cdf = lambda x, total=total: np.interp(x, grid, total)  # noqa: E731
        assert stats.kstest(draws[member].numpy(), cdf).pvalue > 1e-3


def test_mixtures_log_density_is_scipys():
    prior = mixture_prior(3)
    code = normal(2, 7, 3)
    with torch.no_grad():
        got = prior.log_prob(code)
        mean, logvar, log_weight = (value.numpy() for value in prior.centres())
    for member in range(2):
        parts = [
            w + stats.norm.logpdf(code[member].numpy(), m, np.exp(v / 2)).sum(1)
            for m, v, w in zip(mean[member], logvar[member], log_weight[member], strict=True)
        ]
        np.testing.assert_allclose(got[member], np.logaddexp.reduce(parts), rtol=1e-10)


def test_corners_are_corners():
    mean, logvar, log_weight = CornerPrior(3, 4, 8, generator(), **DOUBLE).centres()
    assert set(mean.flatten().tolist()) == {-1.0, 1.0}
    assert bool((mean == mean[:1]).all()) and bool((logvar == 2 * np.log(0.1)).all())
    torch.testing.assert_close(log_weight.exp().sum(1), torch.ones(3, **DOUBLE))


@pytest.mark.parametrize("name", PRIORS)
def test_divergence_in_training_is_the_integral(name):
    """KL(q || p) of one row, over many draws of the objective, against quadrature."""
    vae = vae_with(PRIORS[name]())
    n = 20_000
    X = normal(1, 3, seed=9).expand(n, 3)
    vae.noise_generator = generator(10)
    with torch.no_grad():
        mean, logvar = vae.encode(X)
        code, noise = Objective._draw(vae, mean, logvar)
        got = Objective._divergence(vae, mean, logvar, code, noise)
    grid = torch.linspace(-15, 15, 60_001, **DOUBLE)
    with torch.no_grad():
        log_p = vae.log_prior(grid.expand(2, -1).unsqueeze(-1)).numpy()
    for member in range(2):
        q = stats.norm(float(mean[member, 0, 0]), float((0.5 * logvar[member, 0, 0]).exp()))
        log_q = q.logpdf(grid)
        expected = integrate.trapezoid(np.exp(log_q) * (log_q - log_p[member]), grid)
        error = 4 * float(got[member].std()) / n**0.5 + 1e-7
        assert abs(float(got[member].mean()) - expected) < error


# -- likelihoods ----------------------------------------------------------------------------------

DECODED = Decoded(
    normal(2, 5, 3), normal(2, 1, 3, seed=1).exp(), torch.tensor([[[2.5]], [[7.0]]], **DOUBLE)
)


def scipys(name, x, member):
    location = DECODED.location[member].numpy()
    scale = DECODED.variance[member].sqrt().numpy()
    if name == "gaussian":
        return stats.norm.logpdf(x, location, scale)
    if name == "student_t":
        return stats.t.logpdf(x, float(DECODED.dof[member]), location, scale)
    return stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-location)))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihoods_are_scipys(name):
    x = normal(5, 3, seed=2)
    x = (x > 0).double() if name == "bernoulli" else x
    got = LIKELIHOODS[name].log_prob(x, DECODED)
    for member in range(2):
        np.testing.assert_allclose(got[member], scipys(name, x.numpy(), member), rtol=1e-10)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_pairs_and_averages_are_broadcasts(name):
    likelihood = LIKELIHOODS[name]
    x = torch.rand(4, 3, generator=generator(3), **DOUBLE)
    pairs = torch.stack(
        [
            torch.stack(
                [
                    likelihood.log_prob(row, DECODED._replace(location=DECODED.location[:, [j]]))
                    for j in range(5)
                ],
                2,
            )[:, 0]
            for row in x
        ],
        1,
    )  # (members, rows, centres, features)
    torch.testing.assert_close(likelihood.pairwise(x, DECODED), pairs.sum(-1))
    share = torch.softmax(normal(2, 4, 5, seed=4), -1)
    expected = (share.unsqueeze(-1) * pairs).sum(2)
    torch.testing.assert_close(likelihood.expected(x, DECODED, share), expected)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_draws_follow_the_likelihood(name):
    n = 4000
    many = DECODED._replace(location=DECODED.location[:, :1].expand(2, n, 3))
    draws = LIKELIHOODS[name].draw(many, generator(5)).numpy()
    location, scale = DECODED.location[:, 0].numpy(), DECODED.variance[:, 0].sqrt().numpy()
    for member, feature in itertools.product(range(2), range(3)):
        at, by = location[member, feature], scale[member, feature]
        values = draws[member, :, feature]
        if name == "bernoulli":
            p = 1 / (1 + np.exp(-at))
            assert set(values) == {0.0, 1.0}
            assert abs(values.mean() - p) < 4 * np.sqrt(p * (1 - p) / n)
            continue
        law = stats.norm(at, by)
        if name == "student_t":
            law = stats.t(float(DECODED.dof[member]), at, by)
        assert stats.kstest(values, law.cdf).pvalue > 1e-3


# -- the objective --------------------------------------------------------------------------------


def built(criterion, prior="normal", likelihood="gaussian"):
    vae = StackedVAE(
        4,
        2,
        2,
        (6,),
        likelihood=likelihood,
        generator=generator(),
        per_feature_noise=True,
        **DOUBLE,
    )
    X = np.random.RandomState(0).uniform(size=(30, 4))
    rows = Rows(X, device=torch.device("cpu"), **DOUBLE)
    add_parts(vae, prior, criterion, 3, rows, np.random.RandomState(0))
    vae.noise_generator = generator(1)
    return vae.train(), Batch(torch.from_numpy(X), None, None)


def gradients(vae, losses):
    for p in vae.parameters():
        p.grad = None
    losses.mean(1).sum().backward()
    return {name: None if p.grad is None else p.grad.clone() for name, p in vae.named_parameters()}


def test_adversaries_pull_at_their_own_weights_only():
    """One sum, one step: gradients are those of two losses with the other side held fixed."""
    vae, batch = built("adversarial")
    got = gradients(vae, Objective(Settings("adversarial", beta=2.0))(vae, batch))
    vae.noise_generator = generator(1)
    code = vae.encode(batch.X)[0]
    choice = torch.empty(code.shape[:2]).uniform_(generator=vae.noise_generator)
    prior = vae.draw_noise(code)
    assert choice.shape == code.shape[:2]  # drawn first, so that the streams agree

    def judge(x):
        *hidden, last = vae.critic.layers
        for layer in hidden:
            x = torch.nn.functional.leaky_relu(layer(x), 0.2)
        return last(x)

    misfit = (batch.X - vae.decode(code)).square().sum(-1)
    own = gradients(vae, misfit + 2.0 * C.generator_loss(judge(code)))
    for name, value in own.items():
        if name.startswith(("encoder", "decoder")):
            torch.testing.assert_close(got[name], value)
    police = gradients(vae, C.discriminator_loss(judge(prior), judge(vae.encode(batch.X)[0])))
    for name, value in police.items():
        if name.startswith("critic"):
            torch.testing.assert_close(got[name], value)


def test_vae_gan_moves_every_part_by_its_own_terms():
    vae, batch = built("vae-gan")
    objective = Objective(Settings("vae-gan", beta=0.0))
    with_game = gradients(vae, objective(vae, batch))
    # without a match there is nothing that moves the encoder: the game leaves it alone
    with torch.no_grad():
        for layer in list(vae.critic.layers)[:-1]:
            layer.weight.zero_()
            layer.bias.fill_(1.0)
    blind = gradients(vae, objective(vae, batch))
    encoder = [name for name in blind if name.startswith("encoder")]
    assert all(float(blind[name].abs().max()) == 0 for name in encoder)
    assert any(float(with_game[name].abs().max()) > 0 for name in encoder)
    assert float(with_game["decoder.layers.0.weight"].abs().max()) > 0


def test_scale_of_the_discriminators_features_does_not_matter_to_the_match():
    vae, batch = built("vae-gan")
    objective = Objective(Settings("vae-gan", beta=0.5))
    expected = gradients(vae, objective(vae, batch))
    vae.noise_generator = generator(1)
    with torch.no_grad():
        first, second = vae.critic.layers[:2]
        first.weight.mul_(10.0)
        first.bias.mul_(10.0)
        second.weight.div_(10.0)  # what it says of rows stays
    got = gradients(vae, objective(vae, batch))
    for name, value in expected.items():
        if name.startswith(("encoder", "decoder")):
            torch.testing.assert_close(got[name], value)


def test_wasserstein_loss_is_squares_plus_the_discrepancy():
    vae, batch = built("mmd")
    settings = Settings("mmd", beta=3.0, unit=0.5)
    with torch.no_grad():
        losses = Objective(settings)(vae, batch)
        vae.noise_generator = generator(1)
        code = vae.encode(batch.X)[0]
        torch.empty(code.shape[:2]).uniform_(generator=vae.noise_generator)
        prior = vae.draw_noise(code)
        squares = (batch.X - vae.decode(code)).square().sum(-1) / 0.25
        expected = squares + 3.0 * C.mmd(code, prior, C.imq, 4.0).unsqueeze(1)
    torch.testing.assert_close(losses, expected)


def test_iwae_of_one_code_is_the_bound_at_a_code():
    vae, batch = built("iwae", "mixture")
    with torch.no_grad():
        losses = Objective(Settings("iwae", n_samples=1))(vae, batch)
        vae.noise_generator = generator(1)
        bound = Objective(Settings("elbo"))(vae, batch)
    torch.testing.assert_close(losses, bound)


def test_iwae_loss_is_the_log_mean_weight():
    vae, batch = built("iwae")
    with torch.no_grad():
        losses = Objective(Settings("iwae", n_samples=4))(vae, batch)
        vae.noise_generator = generator(1)
        mean, logvar = vae.encode(batch.X)
        noise = vae.draw_noise(mean.repeat(1, 4, 1)).view(2, 4, 30, 2)
        weights = []
        for part in noise.unbind(1):
            code = mean + (0.5 * logvar).exp() * part
            q = Normal(mean, (0.5 * logvar).exp()).log_prob(code).sum(-1)
            p = Normal(0.0, 1.0).log_prob(code).sum(-1)
            weights.append(vae.log_likelihood(batch.X, vae.decode(code)) + p - q)
        expected = -torch.stack(weights).exp().mean(0).log()
    torch.testing.assert_close(losses, expected)


@pytest.mark.parametrize("standardised", [False, True])
def test_input_noise_has_the_strengths_that_were_asked_for(standardised):
    vae, _ = built("elbo")
    scale = torch.tensor([1.0, 2.0, 3.0, 4.0], **DOUBLE)
    if standardised:
        vae.standardise(torch.zeros(4, **DOUBLE), scale)
    n, levels = 20_000, (0.1, 1.0, 10.0)
    X = torch.zeros(n, 4, **DOUBLE)
    noisy = Objective(Settings(input_noise=levels, unit=2.0)).corrupted(vae, X)
    noisy = noisy / (scale if standardised else 2.0)
    assert noisy.shape == (2, n, 4)
    clean = (noisy == 0).all(-1)
    error = 4 * np.sqrt(CLEAN_SHARE * (1 - CLEAN_SHARE) / (2 * n))
    assert abs(float(clean.double().mean()) - CLEAN_SHARE) < error
    # every level has the same share; together they have this mean square
    expected = (1 - CLEAN_SHARE) / 3 * sum(level**2 for level in levels)
    square = noisy.square().mean(-1)
    assert abs(float(square.mean()) - expected) < 4 * float(square.std()) / np.sqrt(2 * n)
    vae.eval()
    torch.testing.assert_close(
        Objective(Settings(input_noise=levels))(vae, Batch(X, None, None)).shape, (2, n)
    )
