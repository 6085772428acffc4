"""Regressors: closed forms, integration, coverage, units, odd data, networks of one's own."""

import numpy as np
import pytest
import torch
from estimators import name_of
from regression_toys import EACH_SMALL, LINEAR, NOISES, SMALL, check_moments, make_data, weights
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from torch import nn

from skbayes import HMCRegressor, SGHMCRegressor, SGLDRegressor
from skbayes.nn import StackedMLP
from skbayes.supervised._likelihood import gaussian

#: Runs of which successive draws are nearly independent (the assertions look at the chains' means).
SAMPLERS = [
    SGLDRegressor(**LINEAR, n_chains=60, n_warmup=200, n_draws=10, thinning=40),
    SGHMCRegressor(**LINEAR, n_chains=60, n_warmup=200, n_draws=10, thinning=20),
    HMCRegressor(**LINEAR, n_chains=60, n_warmup=30, n_draws=15),
]
EACH = pytest.mark.parametrize("model", SAMPLERS, ids=name_of)


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


def test_least_noise_that_is_learned():
    """A thousandth of std(y), however small its logarithm has become."""
    head = gaussian("learned", 2.0, 5).head(StackedMLP(1, (), 1, n_members=2, dtype=torch.float64))
    with torch.no_grad():
        head.log_scale.fill_(-100.0)
    noise = head(torch.zeros(3, 1, dtype=torch.float64))[..., 1].exp()
    torch.testing.assert_close(noise, torch.full((2, 3), 2e-3, dtype=torch.float64))
