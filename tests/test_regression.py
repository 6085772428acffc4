"""Regressors: closed-form posteriors, noise known, learned and varying, intervals and draws."""

import warnings

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import HMCRegressor, SGHMCRegressor, SGLDRegressor, predict_uncertainty
from skbayes.diagnostics import ess

LONG = {"n_chains": 8, "n_draws": 400, "n_warmup": 1000, "thinning": 10}
SAMPLERS = [
    SGLDRegressor((), **LONG),
    SGHMCRegressor((), **LONG),
    HMCRegressor((), n_chains=8, n_draws=200, n_warmup=30),
]
EACH = pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda e: type(e).__name__)


def line(n=30, noise=0.3, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 2))
    return X, X @ [1.0, -0.5] + 0.3 + noise * rng.normal(size=n)


def weights_of(model):
    params = {name: p.numpy() for name, p in model.posterior_.params.items()}
    prefix = "net." if any(name.startswith("net.") for name in params) else ""
    weight = params[f"{prefix}layers.0.weight"][:, 0]
    stack = np.c_[weight, params[f"{prefix}layers.0.bias"]]
    return stack.reshape(model.n_chains_, -1, stack.shape[1])


def check_moments(draws, mean, covariance, bias):
    """Moments of (chains, draws, d), against exact ones; the error by effective sample size."""
    deviation = np.sqrt(np.diag(covariance))
    n = np.array([ess(draws[..., k]) for k in range(draws.shape[-1])])
    flat = draws.reshape(-1, draws.shape[-1])
    assert (np.abs(flat.mean(0) - mean) < 4.5 * deviation / n**0.5).all()
    squares = np.array([ess((draws[..., k] - mean[k]) ** 2) for k in range(draws.shape[-1])])
    error = 4.5 * (2 / squares.min()) ** 0.5 + bias
    scale = np.outer(deviation, deviation)
    assert (np.abs(np.cov(flat.T) - covariance) < error * scale).all()


@EACH
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_model_with_known_noise_has_the_closed_form(sampler, weighted):
    X, y = line()
    weight = np.random.RandomState(1).uniform(0.5, 2, len(X)) if weighted else np.ones(len(X))
    model = clone(sampler).set_params(noise_scale=0.3, prior_scale=0.8, random_state=0)
    model.fit(X, y, sample_weight=weight if weighted else None)
    A = np.c_[X, np.ones(len(X))]
    covariance = np.linalg.inv((A * weight[:, None]).T @ A / 0.09 + np.eye(3) / 0.64)
    mean = covariance @ (A * weight[:, None]).T @ y / 0.09
    # SGLD's step is .85 over the curvature: its variance is 1 / (1 - .85 / 4) - 1 = 27 % too large
    # in the stiffest direction
    bias = 0.3 if isinstance(sampler, SGLDRegressor) else 0.0
    check_moments(weights_of(model), mean, covariance, bias)
    # the predictive distribution at a new row
    row = np.array([[0.5, 2.0]])
    found, std = model.predict(row, return_std=True)
    a = np.array([0.5, 2.0, 1.0])
    spread = a @ covariance @ a
    assert found[0] == pytest.approx(a @ mean, abs=0.3 * spread**0.5)
    assert std[0] == pytest.approx((spread + 0.09) ** 0.5, rel=0.1)


@pytest.mark.parametrize("sampler", SAMPLERS[1:], ids=lambda e: type(e).__name__)
def test_learned_noise_has_its_marginal_posterior(sampler):
    """Against quadrature over the logarithm of the noise, weights integrated out."""
    X, y = line(n=15)
    model = clone(sampler).set_params(noise_scale="learned", random_state=0).fit(X, y)
    A = np.c_[X, np.ones(len(X))]
    grid = np.linspace(np.log(0.05), np.log(3.0), 2000)
    spread = y.std()
    logs = []
    for eta in grid:
        covariance = np.exp(2 * eta) * np.eye(len(y)) + A @ A.T
        _, logdet = np.linalg.slogdet(covariance)
        evidence = -0.5 * (logdet + y @ np.linalg.solve(covariance, y))
        logs.append(evidence - np.exp(2 * eta) / (2 * spread**2) + eta)  # half-normal, Jacobian
    density = np.exp(np.array(logs) - max(logs))
    density /= density.sum()
    mean = (density * grid).sum()
    deviation = ((density * (grid - mean) ** 2).sum()) ** 0.5
    draws = model.posterior_.params["log_scale"].numpy().reshape(model.n_chains_, -1)
    n = ess(draws)
    assert draws.mean() == pytest.approx(mean, abs=4.5 * deviation / n**0.5)
    assert draws.std() == pytest.approx(deviation, rel=4.5 / n**0.5)
    # so does what is predicted
    _, aleatoric, _ = model.predict_uncertainty(X)
    noise = np.exp(draws) + 1e-3 * spread  # above the floor
    np.testing.assert_allclose(aleatoric, (noise**2).mean(), rtol=1e-10)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.RandomState(0)
    X = rng.uniform(-2, 2, size=(80, 1))
    y = np.sin(2 * X[:, 0]) + 0.2 * rng.normal(size=80)
    model = SGHMCRegressor((20,), "tanh", n_warmup=1000, n_draws=50, random_state=0)
    return model.fit(X, y), X, y


def test_intervals_are_quantiles_of_the_mixture(fitted):
    model, X, y = fitted
    means = model.sample_mean(X)
    _, aleatoric, _ = model.predict_uncertainty(X)
    noise = np.exp(model.posterior_.params["log_scale"].numpy()) + 1e-3 * y.std()  # (draws, 1)
    for coverage in (0.5, 0.9, 0.99):
        lower, upper = model.predict_interval(X, coverage=coverage)
        for end, level in ((lower, (1 - coverage) / 2), (upper, (1 + coverage) / 2)):
            reached = norm.cdf(end, means, noise).mean(0)
            np.testing.assert_allclose(reached, level, atol=1e-9)
    wide = [np.subtract(*model.predict_interval(X, coverage=c)[::-1]) for c in (0.5, 0.9, 0.99)]
    assert (wide[0] < wide[1]).all()
    assert (wide[1] < wide[2]).all()
    assert (aleatoric > 0).all()


def test_draws_of_observations_have_the_predicted_moments(fitted):
    model, X, _ = fitted
    mean, std = model.predict(X, return_std=True)
    n = 20000
    draws = model.sample_y(X, n_samples=n, random_state=1)
    assert draws.shape == (80, n)
    assert (np.abs(draws.mean(1) - mean) < 4.5 * std / n**0.5).all()
    np.testing.assert_allclose(draws.std(1), std, rtol=0.06)
    np.testing.assert_array_equal(draws[:, :3], model.sample_y(X, n, random_state=1)[:, :3])
    lower, upper = model.predict_interval(X, coverage=0.8)
    inside = ((draws > lower[:, None]) & (draws < upper[:, None])).mean(1)
    assert (np.abs(inside - 0.8) < 4.5 * (0.16 / n) ** 0.5).all()


def test_uncertainty_adds_up_and_is_found_behind_a_pipeline(fitted):
    model, X, y = fitted
    total, aleatoric, epistemic = model.predict_uncertainty(X)
    _, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(total, std**2, rtol=1e-10)
    np.testing.assert_allclose(total, aleatoric + epistemic, rtol=1e-12)
    np.testing.assert_allclose(epistemic, model.sample_mean(X).var(0), rtol=1e-8)
    pipeline = make_pipeline(StandardScaler(), clone(model)).fit(X, y)
    inside = pipeline[-1].predict_uncertainty(pipeline[0].transform(X))
    np.testing.assert_allclose(predict_uncertainty(pipeline, X), inside)
    _, std = pipeline.predict(X, return_std=True)
    np.testing.assert_allclose(std**2, inside[0])


def test_blocks_of_rows_make_no_difference(fitted, monkeypatch):
    from skbayes.supervised import _regressor

    model, X, _ = fitted
    whole = [*model.predict(X, return_std=True), *model.predict_interval(X)]
    monkeypatch.setattr(_regressor, "BLOCK_VALUES", 7 * model.posterior_.n_draws)
    parts = [*model.predict(X, return_std=True), *model.predict_interval(X)]
    np.testing.assert_allclose(parts, whole, rtol=1e-10)


@pytest.mark.parametrize("noise_scale", ["learned", "heteroscedastic"])
def test_empirical_coverage(noise_scale):
    rng = np.random.RandomState(1)
    n = 1200
    X = rng.uniform(-2, 2, size=(n, 1))
    noise = 0.2 if noise_scale == "learned" else 0.1 + 0.2 * (X[:, 0] > 0)
    y = np.sin(2 * X[:, 0]) + noise * rng.normal(size=n)
    model = SGHMCRegressor(
        (20,), "tanh", noise_scale=noise_scale, n_warmup=1500, n_draws=50, random_state=0
    ).fit(X[:200], y[:200])
    for coverage in (0.5, 0.9):
        lower, upper = model.predict_interval(X[200:], coverage=coverage)
        inside = ((y[200:] > lower) & (y[200:] < upper)).mean()
        # binomial error of the test rows, and of the noise as 200 rows tell it (a twentieth)
        error = 4.5 * (coverage * (1 - coverage) / 1000) ** 0.5 + 0.03
        assert inside == pytest.approx(coverage, abs=error)
    if noise_scale == "heteroscedastic":
        _, aleatoric, _ = model.predict_uncertainty([[-1.0], [1.0]])
        np.testing.assert_allclose(np.sqrt(aleatoric), [0.1, 0.3], rtol=0.35)


def test_normalize_y_does_not_depend_on_units():
    X, y = line()
    model = SGHMCRegressor((5,), n_warmup=200, n_draws=10, normalize_y=True, random_state=0)
    mean, std = clone(model).fit(X, y).predict(X, return_std=True)
    far, wide = clone(model).fit(X, 1e3 + 50 * y).predict(X, return_std=True)
    np.testing.assert_allclose(far, 1e3 + 50 * mean, rtol=1e-6)
    np.testing.assert_allclose(wide, 50 * std, rtol=1e-5)
    known = clone(model).set_params(noise_scale=0.3).fit(X, y).predict(X, return_std=True)
    scaled = clone(model).set_params(noise_scale=15.0).fit(X, 50 * y)
    np.testing.assert_allclose(scaled.predict(X, return_std=True)[1], 50 * known[1], rtol=1e-5)


def test_warm_start_keeps_the_units():
    X, y = line()
    model = SGHMCRegressor((5,), n_warmup=200, n_draws=20, normalize_y=True, warm_start=True)
    first = model.set_params(random_state=0).fit(X, 10 + y).predict(X)
    second = model.set_params(n_warmup=0, step_size=1e-9).fit(X[:20], 10 + y[:20]).predict(X)
    # the step is next to nothing: the last draws of the first fit, in the same units
    assert np.abs(second - first).max() < 1.5
    assert model._unit == pytest.approx(y.std())


def test_module_of_ones_own():
    X, y = line()

    def net(n_features, n_outputs):
        return torch.nn.Sequential(
            torch.nn.Linear(n_features, 4), torch.nn.Tanh(), torch.nn.Linear(4, n_outputs)
        )

    for noise_scale in (0.3, "learned", "heteroscedastic"):
        model = SGHMCRegressor(
            module=net, noise_scale=noise_scale, n_warmup=200, n_draws=10, random_state=0
        ).fit(X, y)
        assert model.sample_mean(X, n_draws=7).shape == (7, 30)
        assert model.score(X, y) > 0.5


@pytest.mark.parametrize("y", [np.full(30, 3.0), np.r_[np.zeros(29), 1e-30]])
def test_targets_that_do_not_vary(y):
    X, _ = line()
    for noise_scale in ("learned", "heteroscedastic", 0.1):
        model = SGHMCRegressor(
            (4,), noise_scale=noise_scale, n_warmup=200, n_draws=10, random_state=0
        ).fit(X, y)
        assert np.isfinite(model.predict(X, return_std=True)).all()


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"noise_scale": 0}, "noise_scale"),
        ({"noise_scale": -1.0}, "noise_scale"),
        ({"noise_scale": "x"}, "noise_scale"),
        ({"normalize_y": "yes"}, "normalize_y"),
        ({"friction": 0}, "friction"),
        ({"integrator": "leapfrog"}, "integrator"),
        ({"n_chains": 0}, "n_chains"),
    ],
)
def test_bad_parameters(params, match):
    X, y = line()
    with pytest.raises(ValueError, match=f"The '{match}' parameter"):
        SGHMCRegressor(**params).fit(X, y)


def test_a_large_offset_costs_no_precision():
    X, y = line()
    model = SGHMCRegressor((8,), normalize_y=True, n_warmup=200, n_draws=20, random_state=0)
    near = clone(model).fit(X.astype(np.float32), y).predict(X, return_std=True)
    far = clone(model).fit(X.astype(np.float32), y + 1e7).predict(X, return_std=True)
    np.testing.assert_allclose(far[0] - 1e7, near[0], atol=1e-2)
    np.testing.assert_allclose(far[1], near[1], rtol=1e-2)


def test_far_from_the_data_predictions_stay_finite():
    X, y = line()
    model = SGHMCRegressor(
        (8,), noise_scale="heteroscedastic", n_warmup=200, n_draws=20, random_state=0
    ).fit(X.astype(np.float32), y)
    far = np.full((1, 2), 1e4, np.float32)
    assert np.isfinite(model.predict(far, return_std=True)).all()
    assert np.isfinite(model.predict_interval(far)).all()


def test_a_fitted_model_keeps_its_noise():
    X, y = line()
    model = SGHMCRegressor((), noise_scale=0.3, n_warmup=100, n_draws=10, random_state=0).fit(X, y)
    before = model.predict(X, return_std=True)[1]
    for other in (5.0, "learned"):
        model.set_params(noise_scale=other)
        np.testing.assert_array_equal(model.predict(X, return_std=True)[1], before)


def test_frozen_layers_are_no_part_of_the_posterior():
    class Frozen(torch.nn.Module):
        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.features = torch.nn.Linear(n_features, 30)
            torch.nn.init.normal_(self.features.weight, 0, 5.0)
            self.features.requires_grad_(False)
            self.last = torch.nn.Linear(30, n_outputs)

        def forward(self, X):
            return self.last(torch.tanh(self.features(X)))

    X, y = line(60)
    model = SGHMCRegressor(module=Frozen, noise_scale=0.3, n_warmup=400, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Chains were thrown out")
        model.fit(X, y)
    assert model.step_size_ > 1e-3


def test_minibatches_reach_the_posterior():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(6000, 4))
    y = X @ [1, 2, -1, 0.5] + 0.5 * rng.normal(size=6000)
    A = np.c_[X, np.ones(6000)]
    mean = np.linalg.solve(A.T @ A / 0.25 + np.eye(5), A.T @ y / 0.25)
    for model in (
        SGLDRegressor((), noise_scale=0.5, random_state=0),
        SGHMCRegressor((), noise_scale=0.5, batch_size=200, random_state=0),
        SGHMCRegressor((), noise_scale=0.5, batch_size=200, integrator="euler", random_state=0),
    ):
        model.fit(X, y)
        params = {name: p.numpy() for name, p in model.posterior_.params.items()}
        found = np.c_[params["layers.0.weight"][:, 0], params["layers.0.bias"]]
        # the posterior's deviation is .5 / sqrt(6000); minibatches heat it by a quarter at most
        assert np.abs(found.mean(0) - mean).max() < 0.5 / 6000**0.5
        np.testing.assert_allclose(found.std(0), 0.5 / 6000**0.5, rtol=0.35)


def test_bad_calls(fitted):
    model, X, _ = fitted
    for coverage in (0, 1, 1.5, "a", np.nan):
        with pytest.raises(ValueError, match=r"coverage=.*between 0 and 1"):
            model.predict_interval(X, coverage=coverage)
    for n_samples in (0, -1, 1.5, "a"):
        with pytest.raises(ValueError, match=r"n_samples=.*at least 1"):
            model.sample_y(X, n_samples)
    with pytest.raises(ValueError, match=r"n_draws=0 must be an integer between 1 and 200"):
        model.sample_mean(X, n_draws=0)


def test_an_explosion_is_an_error_or_a_warning_never_nan():
    X, y = line()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for step_size in (1.0, 1e3):
            try:
                model = SGHMCRegressor((5,), step_size=step_size, n_warmup=50, n_draws=5)
                predicted = model.set_params(random_state=0).fit(X, y).predict(X)
            except ValueError as error:
                assert "diverged" in str(error)
            else:
                assert np.isfinite(predicted).all()
