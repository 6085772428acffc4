"""Regressors: closed forms, integration, coverage, and the ways to ask for predictions."""

import numpy as np
import pytest
import torch
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skbayes import HMCRegressor, SGHMCRegressor, SGLDRegressor, predict_uncertainty
from skbayes.supervised import _regressor


def name_of(model):
    return type(model).__name__


LINEAR = {"hidden_layer_sizes": (), "random_state": 0}
#: Runs of which successive draws are nearly independent (the assertions look at the chains' means).
SAMPLERS = [
    SGLDRegressor(**LINEAR, n_chains=60, n_warmup=200, n_draws=10, thinning=40),
    SGHMCRegressor(**LINEAR, n_chains=60, n_warmup=200, n_draws=10, thinning=20),
    HMCRegressor(**LINEAR, n_chains=60, n_warmup=30, n_draws=15),
]
EACH = pytest.mark.parametrize("model", SAMPLERS, ids=name_of)
#: Small ones, where any posterior will do.
SMALL = [
    SGLDRegressor((5,), n_chains=2, n_warmup=60, n_draws=7, thinning=5, random_state=0),
    SGHMCRegressor((5,), n_chains=2, n_warmup=60, n_draws=7, thinning=5, random_state=0),
    HMCRegressor(
        (5,), n_chains=2, n_warmup=0, n_draws=7, step_size=0.02, max_leapfrog=10, random_state=0
    ),
]
EACH_SMALL = pytest.mark.parametrize("model", SMALL, ids=name_of)
NOISES = pytest.mark.parametrize("noise_scale", [0.7, "learned", "heteroscedastic"])


def make_data(n=40, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 3))
    return X, X @ [1.0, -2.0, 0.0] + 0.7 * rng.normal(size=n) + 1


def weights(model):
    """Draws of the weights, of shape (draws, weights): slopes, then the intercept."""
    params = {k: p.flatten(1) for k, p in model.posterior_.params.items() if "log_scale" not in k}
    return torch.cat(list(params.values()), 1).numpy()


def check_moments(model, draws, mean, std, bias=0.0):
    """Mean and standard deviation within 4.5 standard errors, those of independent chains."""
    chains = draws.reshape(model.n_chains_, -1, draws.shape[-1])
    error = chains.mean(1).std(0, ddof=1) / model.n_chains_**0.5
    assert (np.abs(draws.mean(0) - mean) < 4.5 * error).all()
    # of the squares about the known mean
    squares = ((chains - mean) / std) ** 2
    error = squares.mean(1).std(0, ddof=1) / model.n_chains_**0.5
    assert (squares.mean((0, 1)) > 1 - 4.5 * error).all()
    assert (squares.mean((0, 1)) < 1 + bias + 4.5 * error).all()
    assert error.max() < 0.25  # the run is long enough to tell


# -- closed form ----------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize(
    ("prior_scale", "weighted"), [(1.0, False), (0.5, True), ("fan_in", False)]
)
def test_linear_regression_with_known_noise(model, prior_scale, weighted):
    X, y = make_data()
    weight = np.random.RandomState(1).uniform(0, 3, size=len(X)) if weighted else np.ones(len(X))
    noise = 0.7
    model = clone(model).set_params(noise_scale=noise, prior_scale=prior_scale)
    model.fit(X, y, sample_weight=weight if weighted else None)
    scale = {1.0: np.ones(4), 0.5: np.full(4, 0.5), "fan_in": np.array([3**-0.5] * 3 + [1])}
    design = np.column_stack([X, np.ones(len(X))])
    precision = (design.T * weight) @ design / noise**2 + np.diag(scale[prior_scale] ** -2)
    covariance = np.linalg.inv(precision)
    mean = covariance @ ((design.T * weight) @ y) / noise**2
    # SGLD's variance is 1 / (1 - eps l / 4) times the posterior's
    bias = 0.0
    if isinstance(model, SGLDRegressor):
        bias = 1 / (1 - model.step_size_ * np.linalg.eigvalsh(precision)[-1] / 4) - 1
        assert bias < 0.28
    draws = weights(model)
    check_moments(model, draws, mean, np.sqrt(np.diag(covariance)), bias)
    # and in rotated coordinates, where the posterior is white: the covariance too
    root = np.linalg.cholesky(precision)
    turn = np.linalg.qr(np.random.RandomState(0).normal(size=(4, 4)))[0]
    check_moments(model, (draws - mean) @ root @ turn, np.zeros(4), np.ones(4), bias)
    # predictions
    new = np.random.RandomState(2).normal(size=(20, 3))
    at = np.column_stack([new, np.ones(20)])
    np.testing.assert_allclose(model.sample_mean(new), draws @ at.T, rtol=1e-9, atol=1e-12)
    spread = np.sqrt(np.einsum("nd,de,ne->n", at, covariance, at))
    check_moments(model, model.sample_mean(new), at @ mean, spread, bias)
    predicted, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(predicted, (draws @ at.T).mean(0), rtol=1e-9)
    np.testing.assert_allclose(std, np.hypot(noise, (draws @ at.T).std(0)), rtol=1e-9)
    np.testing.assert_allclose(std, np.hypot(noise, spread), rtol=0.04 + bias / 4)


@EACH
def test_temperature_shrinks_the_posterior(model):
    X, y = make_data()
    model = clone(model).set_params(noise_scale=0.7, temperature=0.25).fit(X, y)
    design = np.column_stack([X, np.ones(len(X))])
    precision = design.T @ design / 0.49 + np.eye(4)
    mean = np.linalg.solve(precision, design.T @ y) / 0.49
    std = 0.5 * np.sqrt(np.diag(np.linalg.inv(precision)))
    check_moments(model, weights(model), mean, std, 0.28 * isinstance(model, SGLDRegressor))


def marginal_of_noise(X, y, weight):
    """Posterior of the noise's standard deviation on a grid, weights integrated out.

    Density in sigma: N(y; 0, sigma^2 W^-1 + F F') times a half-normal of scale std(y).
    """
    grid = np.linspace(0.01, 10.0, 4000)
    design = np.column_stack([X, np.ones(len(X))])
    centre = np.average(y, weights=weight)
    spread2 = np.average((y - centre) ** 2, weights=weight)
    log = []
    for sigma in grid:
        precision = (design.T * weight) @ design / sigma**2 + np.eye(4)
        b = (design.T * weight) @ y / sigma**2
        value = -weight.sum() * np.log(sigma) - (weight * y**2).sum() / (2 * sigma**2)
        value += b @ np.linalg.solve(precision, b) / 2 - np.linalg.slogdet(precision)[1] / 2
        log.append(value - sigma**2 / (2 * spread2))
    density = np.exp(np.array(log) - max(log))
    return grid, density / density.sum()


@EACH
@pytest.mark.parametrize("weighted", [False, True])
def test_learned_noise_against_integration(model, weighted):
    X, y = make_data(8)  # few: the prior matters
    weight = np.random.RandomState(1).uniform(0.5, 2, size=len(X)) if weighted else np.ones(len(X))
    model = clone(model).set_params(noise_scale="learned")
    if not isinstance(model, HMCRegressor):  # curvature varies: slower than with a known noise
        model.set_params(thinning=2 * model.thinning, n_warmup=600)
    model.fit(X, y, sample_weight=weight if weighted else None)
    log_sigma = model.posterior_.params["log_scale"].numpy().reshape(-1, 1)
    grid, density = marginal_of_noise(X, y, weight)
    mean = (np.log(grid) * density).sum()
    std = np.sqrt(((np.log(grid) - mean) ** 2 * density).sum())
    # SGLD is a little too wide
    check_moments(model, log_sigma, mean, std, 0.28 * isinstance(model, SGLDRegressor))
    _, aleatoric, _ = model.predict_uncertainty(X)
    # what is added to every noise, a thousandth of std(y), is not seen
    np.testing.assert_allclose(aleatoric, np.mean(np.exp(2 * log_sigma)), rtol=0.02)


# -- heteroscedastic ------------------------------------------------------------------------------


def wavy(n):
    rng = np.random.RandomState(0)
    x = rng.uniform(-2, 2, size=n)
    noise = 0.1 + 0.4 * (x > 0) * np.abs(x)
    return x[:, None], np.sin(2 * x) + noise * rng.normal(size=n)


def test_heteroscedastic_noise_is_found():
    X, y = wavy(300)
    model = SGHMCRegressor(
        (10,), "tanh", noise_scale="heteroscedastic", n_draws=40, n_warmup=800, random_state=0
    ).fit(X, y)
    grid = np.array([-1.5, -1.0, -0.5, 0.5, 1.0, 1.5])[:, None]
    _, aleatoric, _ = model.predict_uncertainty(grid)
    expected = np.array([0.1, 0.1, 0.1, 0.3, 0.5, 0.7])
    # some 40 rows tell of each: 4.5 / sqrt(80) is a half; the network smooths
    np.testing.assert_allclose(np.sqrt(aleatoric), expected, rtol=0.5)
    np.testing.assert_allclose(model.predict(grid), np.sin(2 * grid[:, 0]), atol=0.35)
    # shared noise cannot tell
    shared = clone(model).set_params(noise_scale="learned", n_draws=5).fit(X, y)
    assert np.ptp(shared.predict_uncertainty(grid)[1]) < 1e-12


# -- coverage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise_scale", [0.3, "learned", "heteroscedastic"])
def test_empirical_coverage(noise_scale):
    """Of held-out rows of several data sets, whose functions are drawn from the prior."""
    n_sets, n_rows = 4, 500
    model = SGHMCRegressor(
        (4,), "tanh", n_chains=4, n_warmup=300, n_draws=20, thinning=10, noise_scale=noise_scale
    )
    inside = []
    for seed in range(n_sets):
        rng = np.random.RandomState(seed)
        W, b, V = rng.normal(size=(3, 4))
        X = rng.uniform(-2, 2, size=(40 + n_rows, 1))
        y = np.tanh(X * W + b) @ V + 0.3 * rng.normal(size=len(X))
        model.set_params(random_state=seed).fit(X[:40], y[:40])
        ends = np.array([model.predict_interval(X[40:], c) for c in (0.5, 0.9)])
        inside.append(((ends[:, 0] < y[40:]) & (y[40:] < ends[:, 1])).mean(1))
    found, coverage = np.mean(inside, axis=0), np.array([0.5, 0.9])
    # Rows of a data set share its function, or its noise: beside the binomial errors of all rows
    # the coverage of a data set is off by what 40 training rows leave open, 1 / sqrt(80) of the
    # deviation, or a tenth of the share outside
    error = np.hypot(
        np.sqrt(coverage * (1 - coverage) / (n_sets * n_rows)), 0.1 * (1 - coverage) / n_sets**0.5
    )
    np.testing.assert_array_less(np.abs(found - coverage), 4.5 * error)


# -- intervals ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[0.7, "learned", "heteroscedastic"])
def fitted(request):
    X, y = make_data()
    model = SGHMCRegressor(
        (5,), n_chains=4, n_warmup=100, n_draws=10, thinning=10, noise_scale=request.param
    )
    return model.set_params(random_state=0).fit(X, y), make_data(seed=1)[0]


def test_interval_is_made_of_quantiles_of_the_mixture(fitted):
    model, X = fitted
    mean, variance = model._mean_and_noise(X)
    for coverage in (0.1, 0.5, 0.9, 0.999):
        lower, upper = model.predict_interval(X, coverage)
        for end, level in ((lower, (1 - coverage) / 2), (upper, (1 + coverage) / 2)):
            below = stats.norm.cdf(end, mean, np.sqrt(variance)).mean(0)
            np.testing.assert_allclose(below, level, rtol=1e-9)


def test_density_is_the_slope_of_the_distribution_function(fitted):
    """And so of what the intervals' ends invert; it integrates to one."""
    model, X = fitted
    mean, variance = model._mean_and_noise(X[:3])
    grid = np.linspace(mean.min() - 12, mean.max() + 12, 4001)
    for row in range(3):
        rows = np.repeat(X[row : row + 1], len(grid), axis=0)
        density = np.exp(model.log_predictive_density(rows, grid))
        below = stats.norm.cdf(grid[:, None], mean[:, row], np.sqrt(variance[:, row])).mean(1)
        inside = 0.5 * (density[1:] + density[:-1]) * np.diff(grid)
        np.testing.assert_allclose(np.cumsum(inside), below[1:] - below[0], atol=1e-4)


def test_density_needs_as_many_targets_as_rows(fitted):
    model, X = fitted
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.log_predictive_density(X, np.zeros(len(X) - 1))
    with pytest.raises(ValueError, match="y contains NaN"):
        model.log_predictive_density(X, np.full(len(X), np.nan))


def test_interval_against_many_samples(fitted):
    model, X = fitted
    n = 20_000
    y = model.sample_y(X[:10], n_samples=n, random_state=0)
    for coverage in (0.5, 0.9):
        lower, upper = model.predict_interval(X[:10], coverage)
        for end, level in ((lower, (1 - coverage) / 2), (upper, (1 + coverage) / 2)):
            found = (y < end[:, None]).mean(1)
            np.testing.assert_allclose(found, level, atol=4.5 * (level * (1 - level) / n) ** 0.5)


def test_intervals_are_nested(fitted):
    model, X = fitted
    levels = [1e-6, 0.01, 0.3, 0.5, 0.9, 0.99, 1 - 1e-9]
    ends = np.array([model.predict_interval(X, level) for level in levels])
    assert (np.diff(ends[:, 0], axis=0) < 0).all()
    assert (np.diff(ends[:, 1], axis=0) > 0).all()
    np.testing.assert_allclose(ends[0, 0], ends[0, 1], atol=1e-4)  # the median
    np.testing.assert_array_equal(model.predict_interval(X), model.predict_interval(X, 0.9))
    assert np.isfinite(ends).all()


@NOISES
def test_interval_of_one_draw_is_that_of_a_gaussian(noise_scale):
    X, y = make_data()
    model = SGHMCRegressor(
        (4,), n_chains=1, n_warmup=300, n_draws=1, noise_scale=noise_scale, random_state=0
    )
    mean, std = model.fit(X, y).predict(X, return_std=True)
    lower, upper = model.predict_interval(X, 0.8)
    np.testing.assert_allclose(lower, stats.norm.ppf(0.1, mean, std), rtol=1e-9)
    np.testing.assert_allclose(upper, stats.norm.ppf(0.9, mean, std), rtol=1e-9)
    np.testing.assert_array_equal(model.predict_uncertainty(X)[2], 0)


# -- draws ----------------------------------------------------------------------------------------


def test_moments_of_samples(fitted):
    model, X = fitted
    n = 20_000
    y = model.sample_y(X, n_samples=n, random_state=1)
    assert y.shape == (len(X), n)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(y.mean(1), mean, atol=4.5 * std.max() / n**0.5)
    error = 4.5 * np.sqrt((((y - y.mean(1, keepdims=True)) / std[:, None]) ** 4).mean(1) - 1) / 2
    assert (np.abs(y.std(1) / std - 1) < error / n**0.5).all()


def test_a_column_of_samples_is_one_draw_and_noise(fitted, monkeypatch):
    model, X = fitted

    class Silent(np.random.RandomState):
        def standard_normal(self, size=None):
            return np.zeros(size)

    y = model.sample_y(X, n_samples=300, random_state=Silent(0))
    draws = model.sample_mean(X)
    distance = np.abs(y.T[:, None] - draws[None]).max(2)
    assert distance.min(1).max() < 1e-12
    # each of 40 draws is chosen as often as others
    counts = np.bincount(distance.argmin(1), minlength=40)
    assert stats.chisquare(counts).pvalue > 1e-4
    # noise is independent from row to row, and from column to column
    mean, variance = model._mean_and_noise(X)
    chosen = distance.argmin(1)
    noisy = model.sample_y(X, n_samples=300, random_state=np.random.RandomState(0))
    noise = (noisy - mean[chosen].T) / np.sqrt(variance[chosen].T)
    assert noise.std() == pytest.approx(1, abs=4.5 / (2 * noise.size) ** 0.5)
    correlation = np.corrcoef(noise)[np.triu_indices(len(X), 1)]
    assert np.abs(correlation).max() < 5 / 300**0.5


def test_samples_are_determined_by_random_state(fitted):
    model, X = fitted
    y = model.sample_y(X, 3)
    assert y.shape == (len(X), 3)
    assert model.sample_y(X).shape == (len(X), 1)
    np.testing.assert_array_equal(y, model.sample_y(X, 3, random_state=0))
    assert (y != model.sample_y(X, 3, random_state=1)).all()
    assert (y != model.sample_y(X, 3, random_state=None)).all()


def test_uncertainty_adds_up(fitted):
    model, X = fitted
    total, aleatoric, epistemic = model.predict_uncertainty(X)
    draws = model.sample_mean(X)
    _, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(total, aleatoric + epistemic, rtol=1e-12)
    np.testing.assert_allclose(total, std**2, rtol=1e-10)
    np.testing.assert_allclose(epistemic, draws.var(0), rtol=1e-9)
    if model.noise_scale == 0.7:
        np.testing.assert_allclose(aleatoric, 0.49, rtol=1e-12)
    if model.noise_scale == "learned":
        assert np.ptp(aleatoric) < 1e-12
    if model.noise_scale == "heteroscedastic":
        assert np.ptp(aleatoric) > 1e-3


def test_selection_of_draws(fitted):
    model, X = fitted
    draws = model.sample_mean(X)
    assert draws.shape == (40, len(X))
    np.testing.assert_allclose(draws.mean(0), model.predict(X), rtol=1e-10)
    for n_draws, chosen in [(1, [0]), (2, [0, 39]), (4, [0, 13, 26, 39]), (40, range(40))]:
        found = model.sample_mean(X, n_draws=n_draws)
        np.testing.assert_allclose(found, draws[list(chosen)], rtol=1e-12)


def test_blocks_of_rows_are_one(fitted, monkeypatch):
    model, X = fitted
    whole = [*model.predict(X, return_std=True), *model.predict_interval(X)]
    whole += [*model.predict_uncertainty(X), model.log_predictive_density(X, X[:, 0])]
    monkeypatch.setattr(_regressor, "BLOCK_VALUES", 40 * 7)
    parts = [*model.predict(X, return_std=True), *model.predict_interval(X)]
    parts += [*model.predict_uncertainty(X), model.log_predictive_density(X, X[:, 0])]
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_uncertainty_through_a_pipeline():
    X, y = make_data()
    pipeline = make_pipeline(StandardScaler(), clone(SMALL[1])).fit(X, y)
    scaled = pipeline[0].transform(X)
    for a, b in zip(
        predict_uncertainty(pipeline, X), pipeline[-1].predict_uncertainty(scaled), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    mean, std = pipeline.predict(X, return_std=True)
    assert mean.shape == std.shape == y.shape


# -- units ----------------------------------------------------------------------------------------


@EACH_SMALL
@pytest.mark.parametrize("noise_scale", ["learned", "heteroscedastic"])
def test_normalize_y_follows_the_units(model, noise_scale):
    X, y = make_data()
    y = (y - y.mean()) / y.std()
    model = clone(model).set_params(normalize_y=True, noise_scale=noise_scale)
    mean, std = model.fit(X, y).predict(X, return_std=True)
    ends, samples = model.predict_interval(X), model.sample_y(X, 5)
    # powers of two: rounding is the same, but for the mean's
    other = clone(model).fit(X, 64 + 1024 * y)
    mean_64, std_64 = other.predict(X, return_std=True)
    np.testing.assert_allclose(mean_64, 64 + 1024 * mean, rtol=1e-6)
    np.testing.assert_allclose(std_64, 1024 * std, rtol=1e-6)
    np.testing.assert_allclose(other.predict_interval(X), 64 + 1024 * np.array(ends), rtol=1e-6)
    np.testing.assert_allclose(other.sample_y(X, 5), 64 + 1024 * samples, rtol=1e-6)
    total = other.predict_uncertainty(X)[0]
    np.testing.assert_allclose(total, std_64**2, rtol=1e-10)


@EACH_SMALL
def test_normalize_y_with_known_noise(model):
    """The number is in units of y."""
    X, y = make_data()
    model = clone(model).set_params(normalize_y=True, noise_scale=0.5).fit(X, y)
    other = clone(model).set_params(noise_scale=512.0).fit(X, 64 + 1024 * y)
    np.testing.assert_allclose(model.predict_uncertainty(X)[1], 0.25, rtol=1e-10)
    np.testing.assert_allclose(other.predict_uncertainty(X)[1], 512.0**2, rtol=1e-10)
    np.testing.assert_allclose(other.predict(X), 64 + 1024 * model.predict(X), rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_normalize_y_is_normalisation_by_hand(weighted):
    X, y = make_data()
    weight = np.random.RandomState(1).uniform(0.5, 2, size=len(X)) if weighted else None
    centre = np.average(y, weights=weight)
    unit = np.sqrt(np.average((y - centre) ** 2, weights=weight))
    model = clone(SMALL[1]).set_params(normalize_y=True).fit(X, y, weight)
    by_hand = clone(SMALL[1]).fit(X, (y - centre) / unit, weight)
    np.testing.assert_allclose(model.predict(X), centre + unit * by_hand.predict(X), rtol=1e-6)


def test_change_of_noise_scale_after_fit_is_not_seen():
    X, y = make_data()
    model = clone(SMALL[1]).set_params(noise_scale=0.5).fit(X, y)
    _, std = model.predict(X, return_std=True)
    model.set_params(noise_scale="learned")
    np.testing.assert_array_equal(model.predict(X, return_std=True)[1], std)


def test_warm_start_keeps_the_units():
    """The weights of the last fit mean what they meant."""
    X, y = make_data()
    model = clone(SMALL[1]).set_params(normalize_y=True, warm_start=True, noise_scale=0.5)
    before = model.fit(X, 100 + y).sample_mean(X).reshape(2, 7, -1)[:, -1]
    model.set_params(n_warmup=0, n_draws=1, thinning=1, step_size=1e-9)
    after = model.fit(X[:20], 200 + y[:20]).sample_mean(X)
    np.testing.assert_allclose(after, before, rtol=1e-6)


@EACH_SMALL
@NOISES
def test_warm_start_goes_on_from_the_chains_ends(model, noise_scale):
    X, y = make_data()
    model = clone(model).set_params(warm_start=True, noise_scale=noise_scale).fit(X, y)
    before = {k: p.unflatten(0, (2, 7))[:, -1] for k, p in model.posterior_.params.items()}
    model.set_params(n_warmup=0, n_draws=1, thinning=1, step_size=1e-12).fit(X, y)
    for name, p in model.posterior_.params.items():
        torch.testing.assert_close(p, before[name], rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="a fit that goes on from the last needs the network"):
        model.set_params(hidden_layer_sizes=(6,)).fit(X, y)


# -- data -----------------------------------------------------------------------------------------


@EACH_SMALL
@NOISES
def test_integer_weights_are_repeated_rows_and_sparse_is_dense(model, noise_scale):
    X, y = make_data()
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    weight = np.random.RandomState(1).randint(0, 4, size=len(X))
    model = clone(model).set_params(noise_scale=noise_scale)
    mean, std = model.fit(X, y, sample_weight=weight).predict(X, return_std=True)
    rows = sparse.csr_array(np.repeat(X, weight, 0))
    other = clone(model).fit(rows, np.repeat(y, weight))
    found = other.predict(sparse.csr_array(X), return_std=True)
    np.testing.assert_allclose(found[0], mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[1], std, rtol=1e-5)


@EACH_SMALL
@NOISES
@pytest.mark.parametrize(
    ("value", "normalize_y"), [(0.0, True), (3.7, False), (-1e6, True), (1e-9, False)]
)
def test_constant_targets(model, noise_scale, value, normalize_y):
    X = make_data(20)[0]
    model = clone(model).set_params(noise_scale=noise_scale, normalize_y=normalize_y)
    mean, std = model.fit(X, np.full(20, value)).predict(X, return_std=True)
    assert np.isfinite(mean).all()
    assert (std > 0).all()
    assert np.isfinite(std).all()
    if normalize_y:
        np.testing.assert_allclose(mean, value, atol=3.0)


@EACH_SMALL
@NOISES
@pytest.mark.parametrize("normalize_y", [False, True])
def test_one_row(model, noise_scale, normalize_y):
    model = clone(model).set_params(noise_scale=noise_scale, normalize_y=normalize_y)
    mean, std = model.fit([[1.0, 2.0]], [3.0]).predict([[1.0, 2.0], [0.0, 0.0]], return_std=True)
    assert mean.shape == std.shape == (2,)
    assert np.isfinite(mean).all()
    assert (std > 0).all()
    assert model.sample_y([[0.0, 1.0]], 4).shape == (1, 4)


@EACH_SMALL
def test_a_column_of_targets_is_taken_with_a_warning(model):
    X, y = make_data()
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        column = clone(model).fit(X, y[:, None]).predict(X)
    assert column.shape == y.shape
    np.testing.assert_array_equal(column, clone(model).fit(X, y).predict(X))


def test_integers_and_float32():
    X, y = make_data()
    model = clone(SMALL[1])
    whole = model.fit(X, np.round(y).astype(int)).predict(X)
    np.testing.assert_array_equal(whole, model.fit(X, np.round(y)).predict(X))
    single = model.fit(X.astype(np.float32), y)
    assert single.posterior_.dtype == torch.float32
    mean, std = single.predict(X.astype(np.float32), return_std=True)
    assert np.isfinite(mean).all()
    assert (std > 0).all()


# -- networks of one's own ------------------------------------------------------------------------


def own_net(n_features, n_outputs, width=4):
    return nn.Sequential(nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_outputs))


@EACH_SMALL
@NOISES
def test_module_of_ones_own(model, noise_scale):
    X, y = make_data()
    model = (
        clone(model)
        .set_params(module=own_net, module_params={"width": 6}, noise_scale=noise_scale)
        .fit(X, y)
    )
    last = [p for name, p in model.posterior_.params.items() if "log_scale" not in name][-1]
    assert last.shape[1:] == ((2,) if noise_scale == "heteroscedastic" else (1,))
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == y.shape
    # draw by draw, the weights say the same
    params = [p.numpy() for name, p in model.posterior_.params.items() if "log_scale" not in name]
    hidden = np.tanh(np.einsum("nd,mhd->mnh", X, params[0]) + params[1][:, None])
    output = np.einsum("mnh,mkh->mnk", hidden, params[2]) + params[3][:, None]
    np.testing.assert_allclose(model.sample_mean(X), output[..., 0], rtol=1e-9)


@pytest.mark.parametrize(
    "module",
    [
        lambda n_features, n_outputs: nn.Linear(n_features, 3),
        lambda n_features, n_outputs: nn.Sequential(nn.Linear(n_features, 1), nn.Flatten(0)),
    ],
    ids=["three outputs", "flat"],
)
def test_module_of_a_wrong_shape_is_an_error(module):
    X, y = make_data()
    with pytest.raises(ValueError, match=r"must return a tensor of shape \(2, 1\), got \(2,"):
        clone(SMALL[1]).set_params(module=module).fit(X, y)


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("coverage", [0, 1, 1.5, -0.1, "a", None, np.nan, [0.5]])
def test_bad_coverage(fitted, coverage):
    model, X = fitted
    with pytest.raises(ValueError, match=r"coverage=.* must be a number between 0 and 1"):
        model.predict_interval(X, coverage)


@pytest.mark.parametrize("n_samples", [0, -1, 1.5, "a", None])
def test_bad_n_samples(fitted, n_samples):
    model, X = fitted
    with pytest.raises(ValueError, match=r"n_samples=.* must be an integer of at least 1"):
        model.sample_y(X, n_samples)


@pytest.mark.parametrize("n_draws", [0, 41, 1.5, "a"])
def test_bad_n_draws(fitted, n_draws):
    model, X = fitted
    with pytest.raises(ValueError, match=r"n_draws=.* must be an integer between 1 and 40"):
        model.sample_mean(X, n_draws)


@EACH_SMALL
@pytest.mark.parametrize("noise_scale", [-1, 0, -0.5, "x", None, np.nan])
def test_bad_noise_scale(model, noise_scale):
    with pytest.raises(ValueError, match="The 'noise_scale' parameter of .* must be"):
        clone(model).set_params(noise_scale=noise_scale).fit(*make_data())


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(40, np.nan), "Input y contains NaN"),
        (np.full(40, np.inf), "Input y contains infinity"),
        (np.zeros(39), r"inconsistent numbers of samples: \[40, 39\]"),
        (np.zeros((40, 2)), "y should be a 1d array"),
        (np.array(["a"] * 40), "could not convert string to float"),
        (None, "requires y to be passed"),
    ],
)
@EACH_SMALL
def test_bad_targets(model, y, message):
    with pytest.raises(ValueError, match=message):
        clone(model).fit(make_data()[0], y)


@EACH_SMALL
@pytest.mark.parametrize(
    "method",
    ["predict", "predict_interval", "sample_y", "sample_mean", "predict_uncertainty"],
)
def test_before_fit(model, method):
    X, _y = make_data()
    with pytest.raises(NotFittedError):
        getattr(clone(model), method)(X)


def test_a_failed_fit_leaves_what_was_fitted():
    X, y = make_data()
    model = clone(SMALL[1]).set_params(normalize_y=True).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="Training diverged"):
        model.set_params(step_size=1e6).fit(X, 1000 + 5 * y)
    np.testing.assert_array_equal(model.predict(X), before)


def test_a_minibatch_run_finds_the_posterior_of_a_linear_model():
    X, y = make_data(200)
    model = SGHMCRegressor(
        **LINEAR, noise_scale=0.7, n_chains=60, n_warmup=400, n_draws=10, thinning=60, batch_size=20
    ).fit(X, y)
    design = np.column_stack([X, np.ones(200)])
    precision = design.T @ design / 0.49 + np.eye(4)
    mean = np.linalg.solve(precision, design.T @ y) / 0.49
    check_moments(model, weights(model), mean, np.sqrt(np.diag(np.linalg.inv(precision))), 0.27)


def test_convergence_warning_class_is_scikit_learns():
    X, y = make_data()
    short = clone(SMALL[1]).set_params(n_draws=10, n_warmup=0, thinning=1, step_size=1e-4)
    with pytest.warns(ConvergenceWarning, match="have not mixed"):
        short.fit(X, y)
