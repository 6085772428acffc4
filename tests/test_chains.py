"""What samplers tell of their chains, and the rules of steps and minibatches."""

import math
import warnings

import numpy as np
import pytest
from chain_toys import LINEAR, largest_curvature, make_data, make_line, weights
from estimators import name_of
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from skbayes import (
    HMCClassifier,
    HMCRegressor,
    SGHMCClassifier,
    SGHMCRegressor,
    SGLDClassifier,
    SGLDRegressor,
)
from skbayes.diagnostics import chain_diagnostics, rhat

# -- R-hat ----------------------------------------------------------------------------------------

REGRESSORS = [
    SGLDRegressor(**LINEAR, n_draws=150, n_warmup=200),
    SGHMCRegressor(**LINEAR, n_draws=100, n_warmup=200),
    HMCRegressor(**LINEAR, n_draws=150, n_warmup=20),
]
EACH = pytest.mark.parametrize("model", REGRESSORS, ids=name_of)


@EACH
def test_chains_that_have_not_mixed_are_warned_of(model):
    X, y = make_line()
    short = {"n_warmup": 0, "n_draws": 8, "thinning": 1, "step_size": 1e-3}
    if isinstance(model, HMCRegressor):
        short["trajectory_length"] = 1e-3
    model = clone(model).set_params(**short)
    message = (
        r"The chains have not mixed: R-hat of the predictions on training rows reaches \d+\.\d\d "
        r"\(more than 1\.05\)\. .*larger n_warmup \(now 0\), thinning \(now 1\) or n_draws"
    )
    with pytest.warns(ConvergenceWarning, match=message):
        model.fit(X, y)
    assert model.rhat_ > 1.5


@pytest.mark.filterwarnings("error")
@EACH
def test_chains_that_have_mixed_are_not(model):
    model = clone(model).fit(*make_line())
    assert 0.99 < model.rhat_ < 1.05


@EACH
@pytest.mark.parametrize("n_chains", [4, 1])
def test_rhat_is_that_of_the_predictions_on_training_rows(model, n_chains):
    X, y = make_line(300)
    few = {"n_warmup": 50, "n_draws": 21, "thinning": 2, "n_chains": n_chains}
    if isinstance(model, HMCRegressor):
        few["max_leapfrog"] = 3
    model = clone(model).set_params(**few).fit(X, y)
    rows = X[np.linspace(0, 299, 256).round().astype(int)]
    if n_chains == 4:
        expected = chain_diagnostics(model, rows).rhat
    else:  # halves count as chains; the last draw is left over
        expected = rhat(model.sample_mean(rows)[:20].reshape(2, 10, -1))
    assert model.rhat_ == pytest.approx(np.quantile(expected, 0.99, method="higher"), rel=1e-9)


def test_rhat_sees_the_noise():
    """Chains that agree on the mean and not on the noise have not mixed."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 1))
    y = 3 * X[:, 0] + 0.03 * rng.normal(size=60)
    model = SGLDRegressor((), random_state=0)
    with pytest.warns(ConvergenceWarning, match="have not mixed"):
        model.fit(X, y)
    assert chain_diagnostics(model, X).max_rhat < model.rhat_
    noise = model.posterior_.params["log_scale"].numpy().reshape(model.n_chains_, -1)
    assert model.rhat_ == pytest.approx(rhat(noise), rel=0.02)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rhat_of_a_classifier(n_classes):
    X, y = make_data(n_classes=n_classes)
    model = SGHMCClassifier((4,), n_warmup=50, n_draws=20, thinning=2, random_state=0).fit(X, y)
    expected = chain_diagnostics(model, X).rhat
    assert expected.shape == (40, n_classes)
    if n_classes == 2:
        expected = expected[:, 0]  # the other class's is the same
    assert model.rhat_ == pytest.approx(np.quantile(expected, 0.99, method="higher"), rel=1e-6)


@pytest.mark.filterwarnings("error")
@EACH
def test_too_few_draws_say_nothing(model):
    few = {"n_warmup": 0, "n_draws": 7, "thinning": 1, "step_size": 1e-2}
    model = clone(model).set_params(**few).fit(*make_line())
    assert math.isnan(model.rhat_)


@pytest.mark.parametrize("n_chains", [1, 2])
def test_chains_that_stand_still_have_not_mixed(n_chains):
    """Every trajectory is rejected: chains are constant, in different places."""
    X, y = make_data()
    model = HMCClassifier(
        (4,), step_size=30.0, n_warmup=0, n_draws=10, n_chains=n_chains, random_state=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert {w.category for w in caught} == {ConvergenceWarning}
    messages = " ".join(str(w.message) for w in caught)
    assert "diverged" in messages
    if n_chains == 2:
        assert model.rhat_ > 1e3
        assert "The chains have not mixed" in messages
    else:  # one point says nothing
        assert math.isnan(model.rhat_)


# -- steps too large ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "power"),
    [
        (SGLDRegressor(**LINEAR, n_warmup=50), 1),
        (SGHMCRegressor(**LINEAR, n_warmup=50), 2),
        (SGHMCRegressor(**LINEAR, n_warmup=50, integrator="euler", friction=0.2), 2),
    ],
    ids=["sgld", "baoab", "euler"],
)
@pytest.mark.parametrize("stiffness", [1.9, 2.1, 3.0, 3.6])
def test_a_step_between_accuracy_and_stability_is_warned_of(model, power, stiffness):
    """Stiffness is eps lambda (SGLD) or h^2 lambda (SGHMC); unstable at 4, visibly wrong from 2."""
    X, y = make_line()
    step_size = (stiffness / largest_curvature(X, 1.0)) ** (1 / power)
    model = clone(model).set_params(step_size=step_size, n_draws=7)
    if stiffness < 2:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(X, y)
        return
    message = r"The step is too large: at step_size=0\.\d+ and a largest curvature of \d+.*'auto'"
    with pytest.warns(ConvergenceWarning, match=message):
        model.fit(X, y)


@pytest.mark.parametrize("schedule", ["polynomial", "cyclical"])
def test_the_step_of_a_schedule_is_judged_by_its_draws(schedule):
    """Its first steps are too large, its draws' are not."""
    X, y = make_line()
    model = SGLDRegressor(**LINEAR, schedule=schedule, n_draws=7, n_warmup=400, thinning=30)
    model.set_params(schedule_offset=50, schedule_power=1.0, n_cycles=7, exploration=0.9)
    model.set_params(step_size=2.5 / largest_curvature(X, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)


# -- chains thrown out ----------------------------------------------------------------------------


class Throw(Callback):
    """Throws a chain far away at the end of an epoch."""

    def __init__(self, epoch, distance):
        self.epoch, self.distance = epoch, distance

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            for p in net.module_.parameters():
                p.data[1] += self.distance


@pytest.mark.parametrize("model", REGRESSORS[:2], ids=name_of)
def test_a_chain_thrown_out_in_warm_up_comes_back(model):
    X, y = make_line()
    params = {"n_chains": 3, "n_warmup": 1000, "n_draws": 50, "skorch_callbacks": [Throw(10, 1e4)]}
    model = clone(model).set_params(**params)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Chains were thrown out")
        model.fit(X, y)
    design = np.column_stack([X, np.ones(30)])
    covariance = np.linalg.inv(design.T @ design + np.eye(3))
    distance = weights(model).numpy() - covariance @ design.T @ y
    # 150 draws of 3 dimensions: their squared distances are chi-squared, below 30 all of them
    squares = np.einsum("cdi,ij,cdj->cd", distance, np.linalg.inv(covariance), distance)
    assert squares.max() < 30


@pytest.mark.parametrize("model", REGRESSORS[:2], ids=name_of)
def test_a_chain_thrown_out_after_warm_up_comes_back_and_is_told_of(model):
    X, y = make_line()
    params = {"n_chains": 3, "n_warmup": 200, "n_draws": 50, "skorch_callbacks": [Throw(70, 1e4)]}
    model = clone(model).set_params(thinning=20, **params)
    with pytest.warns(ConvergenceWarning, match=r"thrown out .* 1 times .*n_warmup \(now 200\)"):
        model.fit(X, y)
    steps = model.history_["step_size"]
    assert steps[-1] == pytest.approx(steps[60] / 2, rel=0.06)  # two digits
    # an epoch is a hundredth of 1200 steps: at most that long a chain is away
    away = np.abs(weights(model).numpy()).max(2) > 100
    assert away.sum() <= 1


def test_with_a_step_of_ones_own_nothing_is_brought_back():
    X, y = make_line()
    model = SGLDRegressor(**LINEAR, n_warmup=100, n_draws=50, step_size=0.01)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Chains were thrown out")
        model.set_params(skorch_callbacks=[Throw(70, 30.0)]).fit(X, y)
    assert model.step_size_ == 0.01


# -- minibatches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [4, 32])
@pytest.mark.parametrize(
    "model",
    [
        SGLDClassifier((6,)),
        SGLDClassifier((6,), preconditioner="rmsprop"),
        SGLDClassifier((6,), temperature=0.3),
        SGHMCClassifier((6,)),
        SGHMCClassifier((6,), prior_scale="fan_in"),
        SGHMCClassifier((6,), temperature=0.3),
        SGHMCClassifier((6,), integrator="euler"),
    ],
    ids=["sgld", "rmsprop", "cold sgld", "baoab", "fan in", "cold baoab", "euler"],
)
def test_gradient_noise_adds_at_most_a_quarter(model, batch_size):
    X, y = make_data(200)
    model = clone(model).set_params(batch_size=batch_size, n_warmup=100, n_draws=2, random_state=0)
    history = model.fit(X, y).history_
    alpha = history["alpha"][np.isfinite(history["alpha"])]
    assert len(alpha) > 50
    assert (alpha > 0).all()
    # in the first half of warm-up, on the slopes, the noise counts a hundredth
    assert (alpha[len(alpha) // 2 :] <= 0.25 * 1.06).all()
    if batch_size == 4:  # it is what limits the step, unless friction can be had
        assert alpha[-1] > 0.1


@pytest.mark.parametrize(
    "model",
    [
        SGLDRegressor(**LINEAR),
        SGHMCRegressor(**LINEAR),
        SGHMCRegressor(**LINEAR, integrator="euler"),
    ],
    ids=["sgld", "baoab", "euler"],
)
def test_posterior_with_minibatches_is_at_most_an_eighth_too_wide(model):
    """Alpha is a quarter at most, in the worst direction: of the variance; half of it in the
    deviation, beside what the step itself does."""
    X, y = make_line(100)
    model = (
        clone(model)
        .set_params(n_chains=100, batch_size=10, n_warmup=400, n_draws=8, thinning=60)
        .fit(X, y)
    )
    design = np.column_stack([X, np.ones(100)])
    precision = design.T @ design + np.eye(3)
    draws = weights(model).numpy().reshape(-1, 3)
    whitened = (draws - np.linalg.solve(precision, design.T @ y)) @ np.linalg.cholesky(precision)
    n = len(draws) / 2  # nearly independent
    assert np.abs(whitened.mean(0)).max() < 4.5 * 1.13 / n**0.5
    stretch = np.sqrt(np.linalg.eigvalsh(np.cov(whitened.T)))
    error = 4.5 / (2 * n) ** 0.5
    step = 1.0
    if isinstance(model, SGLDRegressor):
        step = (1 - model.step_size_ * np.linalg.eigvalsh(precision)[-1] / 4) ** -0.5
    elif model.integrator == "euler":
        step = (12 / 11) ** 0.5
    assert stretch.min() > 1 - error
    assert stretch.max() < 1.25**0.5 * step + error


def test_a_learned_noise_falls_to_its_place():
    """To a hundredth of the targets' deviation: on the way curvature rises by 10 000."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 1))
    y = 3 * X[:, 0] + 0.03 * rng.normal(size=60)
    model = SGHMCRegressor((), n_draws=100, random_state=0).fit(X, y)
    log_noise = 0.5 * np.log(model.predict_uncertainty(X)[1])
    mode = minimize(lambda v: _negative_log_posterior(v, X[:, 0], y), [3, 0, -3]).x
    # its posterior is 1 / sqrt(2 n) = 9 % wide
    np.testing.assert_allclose(log_noise, mode[2], atol=0.1)
    np.testing.assert_allclose(model.predict(X), mode[0] * X[:, 0] + mode[1], atol=0.02)


def _negative_log_posterior(v, x, y):
    a, b, log_scale = v
    scale = np.exp(log_scale)
    error = ((y - a * x - b) ** 2).sum() / (2 * scale**2) + len(y) * log_scale
    return error + (a**2 + b**2) / 2 + scale**2 / (2 * y.var()) - log_scale
