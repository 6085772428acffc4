"""Regressors: intervals, draws of the mean and of observations."""

import numpy as np
import pytest
from regression_toys import EACH_SMALL, LINEAR, NOISES, SMALL, check_moments, make_data, weights
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import SGHMCRegressor, predict_uncertainty
from skbayes.supervised import _regressor

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
