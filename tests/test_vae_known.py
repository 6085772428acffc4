"""Scores and priors of the autoencoders against known answers: closed forms and quadrature."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import scale

from skbayes import VAE, VAEAnomalyDetector
from skbayes._engine.posterior import Posterior
from skbayes.density._allowed import allowed_scores
from skbayes.density._criteria import encoder_log_prob
from skbayes.density._objective import AUTO_BETA
from skbayes.density._reference import MAX_CENTRES, RANKED_CENTRES, make_reference
from skbayes.density._scores import (
    DENSITIES,
    SCORES,
    aggregate,
    code_density,
    decoder_jacobian,
    importance_weighted,
    jacobian,
    mixture,
    neighbours,
)
from skbayes.nn import RelevancePrior, StackedVAE
from skbayes.nn._priors import RELEVANCE_RATE

WINE = scale(load_wine().data)
DOUBLE = {"dtype": torch.float64}
NO_NOISE = torch.zeros(1, 1, 1, **DOUBLE)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), **DOUBLE)


def linear_vae(W, shift, noise, encoder, encoder_logvar):
    """One member: x | z ~ N(W z + shift, noise), z | x ~ N(encoder (x - shift), exp(logvar))."""
    n_features, q = W.shape
    vae = StackedVAE(n_features, q, 1, (), generator=generator(), **DOUBLE)
    with torch.no_grad():
        first, last = vae.encoder.layers[0], vae.decoder.layers[0]
        first.weight[0, :q], first.weight[0, q:] = encoder, 0.0
        first.bias[0, :q], first.bias[0, q:] = -encoder @ shift, encoder_logvar
        last.weight[0], last.bias[0] = W, shift
        vae.log_noise.fill_(math.log(noise))
    return vae.eval().requires_grad_(False)


# -- importance weights ---------------------------------------------------------------------------


def test_iwae_rises_to_the_exact_likelihood_of_a_linear_model():
    """The encoder is wrong on purpose; the bound still rises to log N(x; b, W W' + s I)."""
    W, shift, noise = normal(4, 2), normal(4, seed=1), 0.5
    M = W.T @ W + noise * torch.eye(2, **DOUBLE)
    # three times too wide, and shrunk by half
    wrong = torch.log(3.0 * noise * torch.linalg.inv(M).diagonal())
    vae = linear_vae(W, shift, noise, 0.5 * torch.linalg.solve(M, W.T), wrong)
    X = normal(30, 2, seed=2) @ W.T + shift + math.sqrt(noise) * normal(30, 4, seed=3)
    covariance = (W @ W.T + noise * torch.eye(4, **DOUBLE)).numpy()
    exact = stats.multivariate_normal(shift.numpy(), covariance).logpdf(X).mean()
    n = 1000
    bounds = {}
    for k in (1, 4, 16, 4096):
        draws = [
            float(importance_weighted(vae, X, normal(1, k, 2, seed=seed), k).mean())
            for seed in range(n if k < 4096 else 5)
        ]
        bounds[k] = np.mean(draws), np.std(draws) / np.sqrt(len(draws))
    for fewer, more in itertools.pairwise(bounds.values()):
        assert more[0] - fewer[0] > 3 * math.hypot(more[1], fewer[1])
    assert abs(bounds[4096][0] - exact) < 4 * bounds[4096][1] + 1e-3
    assert bounds[1][0] < exact - 0.05


def test_aggregate_is_the_integral_under_the_training_codes():
    """p(x) = integral of p(x | z) 1/n sum_j q(z | x_j), by quadrature over a code of one."""
    vae = StackedVAE(3, 1, 2, (5,), generator=generator(), **DOUBLE).eval().requires_grad_(False)
    train = normal(12, 3, seed=1).numpy()
    rng = np.random.RandomState(0)
    reference = make_reference(vae, Posterior(vae), train, ["aggregate"], 100, rng)
    X = normal(4, 3, seed=2)
    grid = torch.linspace(-12, 12, 8001, **DOUBLE).expand(2, -1).unsqueeze(-1)
    mean, logvar = vae.encode(torch.from_numpy(train))
    prior = np.stack(
        [
            stats.norm.pdf(grid[m], mean[m].T.numpy(), np.exp(0.5 * logvar[m].T.numpy())).mean(1)
            for m in range(2)
        ]
    )
    decoded = vae.decode(grid)
    got = aggregate(vae, X, normal(2, 20_000, 1, seed=3), 500, reference)
    for i, row in enumerate(X):
        likelihood = vae.log_likelihood(row, decoded).exp().numpy()
        expected = np.log(integrate.trapezoid(likelihood * prior, grid[..., 0].numpy(), axis=1))
        np.testing.assert_allclose(got[:, i], expected, atol=0.03)


# -- change of variables --------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 3])
def test_jacobian_score_is_exact_for_an_invertible_linear_decoder(q):
    W, shift = normal(q, q) + 2 * torch.eye(q, **DOUBLE), normal(q, seed=1)
    vae = linear_vae(W, shift, 1e-6, torch.linalg.inv(W), torch.zeros(q, **DOUBLE))
    X = normal(20, q, seed=2) @ W.T + shift
    law = stats.multivariate_normal(shift.numpy(), (W @ W.T).numpy())
    expected = np.atleast_1d(law.logpdf(X.squeeze(-1) if q == 1 else X))
    np.testing.assert_allclose(jacobian(vae, X, NO_NOISE, 1)[0], expected, rtol=1e-8)


def test_jacobian_score_splits_along_and_across_the_manifold():
    """x = W z + residual: prior of z over the volume, times the noise of what is orthogonal."""
    W, shift, noise = normal(5, 2), normal(5, seed=1), 1e-2
    vae = linear_vae(W, shift, noise, torch.linalg.pinv(W), torch.zeros(2, **DOUBLE))
    X = normal(20, 2, seed=2) @ W.T + shift + 0.1 * normal(20, 5, seed=3)
    code = (X - shift) @ torch.linalg.pinv(W).T
    residual = X - shift - code @ W.T
    expected = (
        stats.norm.logpdf(code).sum(1)
        - 0.5 * torch.logdet(W.T @ W).item()
        - 0.5 * residual.square().sum(1).numpy() / noise
        - 1.5 * math.log(2 * math.pi * noise)
    )
    np.testing.assert_allclose(jacobian(vae, X, NO_NOISE, 1)[0], expected, rtol=1e-8)


@pytest.mark.parametrize("activation", ["silu", "relu", "tanh"])
def test_jacobian_is_the_derivative(activation):
    vae = StackedVAE(5, 3, 2, (7,), activation=activation, generator=generator(), **DOUBLE).eval()
    vae.standardise(torch.ones(5, **DOUBLE), torch.arange(1.0, 6.0, **DOUBLE))
    code, h = normal(2, 4, 3), 1e-6
    got = decoder_jacobian(vae, code).detach()
    assert got.shape == (2, 4, 5, 3)
    for j in range(3):
        step = torch.zeros_like(code)
        step[..., j] = h
        slope = (vae.decode(code + step) - vae.decode(code - step)).detach() / (2 * h)
        torch.testing.assert_close(got[..., j], slope, rtol=1e-5, atol=1e-7)


# -- scores that compare with training rows -------------------------------------------------------


@pytest.fixture(scope="module")
def compared():
    vae = StackedVAE(13, 3, 2, (8,), generator=generator(), **DOUBLE).eval().requires_grad_(False)
    rng = np.random.RandomState(0)
    return vae, make_reference(vae, Posterior(vae), WINE, SCORES, 40, rng)


def test_mixture_is_the_mean_density_of_the_decoded_codes(compared):
    vae, reference = compared
    X = torch.from_numpy(WINE[:9])
    got = mixture(vae, X, NO_NOISE, 1, reference)
    centres = vae.decode(vae.encode(torch.from_numpy(WINE))[0])
    for member in range(2):
        terms = [
            stats.norm.logpdf(x, centres[member], vae.noise_var()[member].sqrt()).sum(1)
            for x in X.numpy()
        ]
        expected = np.logaddexp.reduce(terms, axis=1) - math.log(len(WINE))
        np.testing.assert_allclose(got[member], expected, rtol=1e-9)


def test_neighbours_are_scikit_learns(compared):
    vae, reference = compared
    codes = vae.encode(torch.from_numpy(WINE))[0]
    got = neighbours(vae, torch.from_numpy(WINE[:9]), NO_NOISE, 1, reference)
    for member in range(2):
        distances, _ = (
            NearestNeighbors(n_neighbors=5).fit(codes[member]).kneighbors(codes[member, :9])
        )
        np.testing.assert_allclose(got[member], -distances.mean(1), rtol=1e-9)


def test_code_density_integrates_to_one_and_follows_the_codes():
    vae = StackedVAE(4, 1, 1, (8,), generator=generator(), **DOUBLE).eval().requires_grad_(False)
    train = normal(500, 4, seed=1).numpy()
    rng = np.random.RandomState(0)
    reference = make_reference(vae, Posterior(vae), train, ["code_density"], 100, rng)
    codes = vae.encode(torch.from_numpy(train))[0][0, :, 0].numpy()
    grid = torch.linspace(codes.mean() - 12 * codes.std(), codes.mean() + 12 * codes.std(), 20_001)

    class Codes:
        """Rows that are codes."""

        def encode(self, X):
            return X.unsqueeze(0), None

    log_density = code_density(Codes(), grid.double().unsqueeze(1), NO_NOISE, 1, reference)[0]
    total = integrate.cumulative_trapezoid(log_density.exp(), grid, initial=0)
    assert total[-1] == pytest.approx(1, abs=1e-3)
    # ten Gaussians of five hundred codes: no further off than a sample of that size is
    distance = stats.kstest(codes, lambda x: np.interp(x, grid, total)).statistic
    assert distance < 1.36 / math.sqrt(len(codes))


def test_code_density_is_scikit_learns_mixture(compared):
    vae, reference = compared
    got = code_density(vae, torch.from_numpy(WINE), NO_NOISE, 1, reference)
    codes = vae.encode(torch.from_numpy(WINE))[0][0].numpy()
    law = GaussianMixture(reference.means.shape[1])
    white = (codes - reference.shift[0].numpy()) @ reference.whitener[0].numpy()
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(3), atol=1e-8)
    stretch = np.log(np.abs(np.linalg.det(reference.whitener[0].numpy())))
    law.weights_ = np.exp(reference.log_weights[0].numpy() - stretch)
    law.means_, law.precisions_cholesky_ = reference.means[0].numpy(), reference.roots[0].numpy()
    np.testing.assert_allclose(law.weights_.sum(), 1)
    np.testing.assert_allclose(got[0], law.score_samples(white) + stretch, rtol=1e-9)


def test_mixture_is_capped():
    X = np.random.RandomState(0).normal(size=(MAX_CENTRES + 500, 3))
    model = VAEAnomalyDetector(2, (4,), n_members=3, max_iter=1, random_state=0).fit(X)
    # a term of a ranking has fewer of them, and of one member only, than a density
    assert model._reference["centres"].shape == (1, RANKED_CENTRES, 3)
    model.set_params(score_method="mixture").fit(X)
    assert model._reference["centres"].shape == (3, MAX_CENTRES, 3)


@pytest.mark.parametrize(("robust", "n_gaussians"), [(False, 10), (True, 5)])
def test_density_of_codes_is_of_four_members_and_fewer_gaussians_where_rows_are_contaminated(
    robust, n_gaussians
):
    X = np.random.RandomState(0).normal(size=(300, 3))
    model = VAEAnomalyDetector(2, (4,), n_members=5, max_iter=1, robust=robust, random_state=0)
    assert model.fit(X)._reference["means"].shape == (4, n_gaussians, 2)


@pytest.mark.parametrize("score", sorted(DENSITIES - {"jacobian"}))
@pytest.mark.parametrize("robust", [False, True])
def test_log_densities_integrate_to_one_at_most(score, robust):
    """Whatever the standardisation inside; bounds integrate to less than one, never to more."""
    rng = np.random.RandomState(0)
    X = np.r_[rng.normal(3, 0.5, size=(150, 1)), rng.normal(8, 1.0, size=(50, 1))]
    model = VAEAnomalyDetector(
        2,
        (16,),
        robust=robust,
        beta=1.0,
        max_iter=100,
        score_method=score,
        n_importance=100,
        random_state=0,
    ).fit(X)
    grid = np.linspace(-10, 25, 701)[:, np.newaxis]
    total = integrate.trapezoid(np.exp(model.log_density(grid)), grid[:, 0])
    # importance weights are unbiased for the density, up to the error of a hundred codes
    lower = {"mixture": 0.999, "elbo": 0.0, "iwae": 0.5, "aggregate": 0.9}[score]
    assert lower < total < {"mixture": 1.001, "elbo": 1.0, "iwae": 1.3, "aggregate": 1.1}[score]


# -- the table of criteria and scores -------------------------------------------------------------


@pytest.mark.parametrize("criterion", AUTO_BETA)
def test_table_of_criteria_and_scores(criterion):
    """Every score that is in the table works, every other one is refused before training."""
    allowed = allowed_scores(criterion)
    for score in SCORES:
        model = VAEAnomalyDetector(
            2, (8,), criterion=criterion, n_members=2, max_iter=2, score_method=score
        )
        if score in allowed:
            assert np.isfinite(model.fit(WINE).score_samples(WINE)).all()
        else:
            with pytest.raises(ValueError, match=f"(?s)score_method='{score}' cannot.*mixture"):
                model.fit(WINE)
            assert not hasattr(model, "posterior_")


def test_table_is_what_it_is():
    everything = set(SCORES)
    deterministic = {"elbo", "iwae", "aggregate", "reconstruction_sampled"}
    for criterion in ("elbo", "iwae", "vae-gan"):
        assert allowed_scores(criterion) == everything
        assert allowed_scores(criterion, likelihood="bernoulli") == everything - {"jacobian"}
    for criterion in ("mmd", "adversarial", "mmd+adversarial", "stein"):
        assert allowed_scores(criterion) == everything - deterministic
    assert allowed_scores("mse") == everything - deterministic - {"latent", "jacobian"}
    sampler = lambda *_: None  # noqa: E731
    assert allowed_scores("mmd", sampler) == allowed_scores("mse")


# -- relevance ------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [2, 3, 5])
def test_relevance_prior_recovers_the_dimension(q):
    """Probabilistic PCA with too wide a code: what is not needed is switched off."""
    rng = np.random.RandomState(q)
    W, _ = np.linalg.qr(rng.normal(size=(15, q)))
    X = rng.normal(size=(600, q)) * np.linspace(3, 1.5, q) @ W.T + 0.5 * rng.normal(size=(600, 15))
    wide = VAE(8, (), prior="ard", noise="shared", max_iter=500, random_state=0)
    wide.set_params(learning_rate_init=0.05).fit(X)
    assert len(wide.active_components_) == q
    # and with no less of a likelihood than the model of the right width
    assert abs(wide.score(X) - PCA(q).fit(X).score(X)) < 0.1
    np.testing.assert_allclose(wide.noise_variance_, 0.25, rtol=0.1)


def test_ard_energy_is_the_evidence_of_a_linear_decoder():
    """Precision of the weights w of x = w z + noise given n codes of variance lam."""
    n, lam, noise, h = 50_000, 0.4, 0.3, 5
    prior = RelevancePrior(1, 1, h, **DOUBLE)
    with torch.no_grad():
        prior.log_relevance.fill_(math.log(lam) / RELEVANCE_RATE)
    z = math.sqrt(lam) * normal(n)
    precision = 1.0 + z.square().sum().item() / noise  # of the posterior of each weight
    got = prior.energy(n, torch.tensor([noise])).item()
    # 4 standard errors of a sum of squares, relative
    assert got == pytest.approx(0.5 * h * math.log(precision), abs=0.5 * h * 4 * math.sqrt(2 / n))


def test_encoders_density_is_scipys():
    mean, logvar, noise = normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2)
    code = mean + (0.5 * logvar).exp() * noise
    expected = stats.norm.logpdf(code, mean, (0.5 * logvar).exp()).sum(1)
    np.testing.assert_allclose(encoder_log_prob(noise, logvar), expected)
