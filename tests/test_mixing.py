"""Chains that have not mixed, steps too large, draws as planned; and NUTS as the judge."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from skbayes import (
    HMCClassifier,
    HMCRegressor,
    SGHMCClassifier,
    SGHMCRegressor,
    SGLDClassifier,
)
from skbayes.diagnostics import chain_diagnostics

DATA = os.environ.get("SKBAYES_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="needs SKBAYES_DATA (NUTS references)")


def make_data(n=40, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 3))
    logits = X @ rng.normal(size=(3, 3)) + rng.gumbel(size=(n, 3))
    return X, logits.argmax(1)


def messages(model, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    return [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]


@pytest.mark.parametrize("kind", [SGLDClassifier, SGHMCClassifier])
def test_a_short_run_warns_and_says_what_to_change(kind):
    X, y = make_data()
    model = kind((10,), n_warmup=20, n_draws=20, thinning=1, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"have not mixed.*n_warmup \(now 20\)"):
        model.fit(X, y)
    assert model.rhat_ > 1.05


def test_a_long_run_does_not():
    X, y = make_data()
    model = SGHMCClassifier((10,), "tanh", n_warmup=1000, n_draws=100, thinning=20, random_state=0)
    assert messages(model, X, y) == []
    assert model.rhat_ < 1.05
    everything = chain_diagnostics(model, X).rhat
    assert model.rhat_ == pytest.approx(np.quantile(everything, 0.99, method="higher"), rel=1e-6)
    assert model.n_chains_ == 4


def test_one_chain_is_judged_by_its_halves():
    X, y = make_data()
    model = SGLDClassifier((10,), n_chains=1, n_warmup=0, n_draws=40, thinning=1, random_state=0)
    assert any("have not mixed" in m for m in messages(model, X, y))
    few = SGLDClassifier((10,), n_chains=4, n_warmup=0, n_draws=7, thinning=1, random_state=0)
    assert messages(few, X, y) == []
    assert np.isnan(few.rhat_)


@pytest.mark.parametrize(("kind", "power"), [(SGLDClassifier, 1.0), (SGHMCClassifier, 0.5)])
def test_a_step_between_accuracy_and_stability_warns(kind, power):
    # without information curvature is that of the prior, 1: steps of 3 and the root of 3
    X = np.zeros((10, 2))
    model = kind((3,), n_warmup=50, n_draws=20, thinning=1, step_size=3.0**power, random_state=0)
    with pytest.warns(
        ConvergenceWarning, match=r"step is too large: at step_size=.*curvature of 1"
    ):
        model.fit(X, np.zeros(10))
    fine = kind((3,), n_warmup=50, n_draws=20, thinning=1, step_size=1.5**power, random_state=0)
    assert not any("too large" in m for m in messages(fine, X, np.zeros(10)))


class Throw(Callback):
    """Moves one chain far away, once."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            with torch.no_grad():
                for p in net.module_.parameters():
                    p[1] = 1e3


@pytest.mark.parametrize(("epoch", "late"), [(20, False), (80, True)])
def test_a_chain_thrown_out_comes_back(epoch, late):
    X, y = make_data()
    model = SGHMCClassifier(
        (10,), "tanh", n_warmup=500, n_draws=50, thinning=10, random_state=0
    ).set_params(skorch_callbacks=[Throw(epoch)])
    said = messages(model, X, y)
    assert any("thrown out" in m for m in said) is late
    draws = model.sample_proba(X).reshape(4, 50, len(X), 3)
    assert np.isfinite(draws).all()
    # the chain that was thrown out is among the others again
    losses = -np.log(draws[:, -5:, np.arange(len(X)), y].mean(1)).mean(1)
    assert losses.max() < losses.min() + 0.3


def test_cyclical_draws_are_where_they_are_planned():
    X, y = make_data()
    model = SGLDClassifier(
        (4,),
        schedule="cyclical",
        n_cycles=3,
        exploration=0.5,
        step_size=0.01,
        n_warmup=10,
        n_draws=7,
        thinning=4,
        n_chains=1,
        random_state=0,
    )
    # cycles of 3, 2 and 2 draws: 12 steps of sampling after as many of exploration
    assert list(model._plan()) == [26, 30, 34, 50, 54, 74, 78]
    model.fit(X, y)
    assert model.n_iter_ == 78
    steps = model.history_["step_size"]
    t = np.arange(68) % 24
    expected = np.r_[np.full(10, 0.01), 0.005 * (np.cos(np.pi * t / 24) + 1)]
    np.testing.assert_allclose(steps, expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"n_cycles=3 must be at most n_draws=2"):
        SGLDClassifier(schedule="cyclical", n_cycles=3, n_draws=2).fit(X, y)


def test_exploration_is_descent():
    """All of the cycles but their last step explore: then a run is deterministic."""
    X, y = make_data()
    params = {"schedule": "cyclical", "n_cycles": 1, "n_draws": 1, "thinning": 1, "n_chains": 1}
    params |= {"n_warmup": 0, "step_size": 0.05, "random_state": 0}
    model = SGLDClassifier((4,), exploration=0.99, **params).fit(X, y)
    cold = SGLDClassifier((4,), exploration=0.99, temperature=0.0, **params).fit(X, y)
    assert model.n_iter_ == 100
    difference = max(
        float((p - q).abs().max())
        for p, q in zip(
            model.posterior_.params.values(), cold.posterior_.params.values(), strict=True
        )
    )
    # one step of noise at the end of half a cosine: its deviation is the root of the last step
    last = 0.025 * (np.cos(np.pi * 99 / 100) + 1)
    assert 0 < difference < 5 * last**0.5


def test_a_preconditioner_is_seen_by_the_step():
    X, y = make_data()
    model = SGLDClassifier(
        (5,), "tanh", preconditioner="rmsprop", n_warmup=400, n_draws=5, n_chains=2, random_state=0
    ).fit(X, y)
    roots = model.net_.optimizer_.root
    shapes = [p.shape for p in model.net_.module_.parameters()]
    assert [r.shape for r in roots] == shapes
    curvature = model.history_["curvature"][-1]
    assert model.step_size_ == pytest.approx(0.85 / curvature, rel=0.06)


@pytest.mark.parametrize("kind", [SGLDClassifier, SGHMCClassifier])
def test_noise_of_minibatches_is_bounded(kind):
    X, y = make_data(200)
    model = kind((5,), "tanh", batch_size=10, n_warmup=300, n_draws=5, random_state=0).fit(X, y)
    alpha = model.history_["alpha"]
    alpha = alpha[np.isfinite(alpha)]
    assert (alpha < 0.25 * 1.1).all()
    assert alpha[-1] > 0.1  # it is the noise that limits the step here
    if kind is SGHMCClassifier:
        assert model.friction_ > 1


def test_friction_follows_the_prior():
    X, y = make_data()
    for prior_scale, expected in ((0.5, 2.0), (1.0, 1.0), ("fan_in", 1.0)):
        model = SGHMCClassifier((4,), prior_scale=prior_scale, n_warmup=20, n_draws=2, thinning=1)
        assert model.fit(X, y).friction_ == expected


@pytest.mark.parametrize("kind", [SGHMCClassifier, HMCClassifier])
@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("prior_scale", [1.0, 0.3, "fan_in"])
def test_without_information_the_posterior_is_the_prior(kind, prior_scale, temperature):
    X = np.random.RandomState(0).normal(size=(10, 4))
    runs = {"n_draws": 30, "n_warmup": 100, "thinning": 20}
    if kind is HMCClassifier:
        runs = {"n_draws": 30, "n_warmup": 20, "thinning": 2}
    model = kind((9,), n_chains=20, prior_scale=prior_scale, temperature=temperature, **runs)
    model.set_params(random_state=0).fit(X, np.zeros(10))
    precisions = {1.0: [1, 1, 1, 1], 0.3: [0.3**-2] * 4, "fan_in": [4, 1, 9, 1]}[prior_scale]
    for draws, precision in zip(model.posterior_.params.values(), precisions, strict=True):
        values = draws.numpy().reshape(20, 30, -1)
        # BAOAB and HMC are exact on a Gaussian; draws are correlated: the error from the chains
        squares = (values**2).mean(1).ravel() * precision / temperature
        error = 4.5 * squares.std() / squares.size**0.5
        assert squares.mean() == pytest.approx(1, abs=max(error, 0.02))


class TestHMC:
    """What only Hamiltonian Monte Carlo has."""

    def test_history_tells_of_every_trajectory_and_chain(self):
        X, y = make_data()
        model = HMCClassifier((5,), n_chains=3, n_warmup=40, n_draws=40, random_state=0).fit(X, y)
        for name in ("acceptance_rate", "energy", "diverging"):
            assert model.history_[name].shape == (80, 3)
        assert model.history_["acceptance_rate"][40:].mean() == pytest.approx(0.8, abs=0.15)
        assert len(set(model.history_["step_size"][40:])) == 1
        assert model.n_divergences_ == 0
        # lengths vary by a fifth around pi / 2
        length = model.history_["n_leapfrog"][40:] * model.step_size_
        step = model.step_size_
        assert (length > 0.8 * np.pi / 2 - step).all()
        assert (length < 1.2 * np.pi / 2 + step).all()
        # a mean of 40 lengths, uniform within a fifth
        assert model.trajectory_length_ == pytest.approx(np.pi / 2, abs=0.18)

    def test_computes_in_double_precision(self):
        X, y = make_data()
        model = HMCClassifier((5,), n_warmup=5, n_draws=5, random_state=0).fit(X.astype("f"), y)
        assert model.posterior_.dtype == torch.float64

    def test_blocks_of_rows_make_no_difference(self, monkeypatch):
        from skbayes._engine import trajectories

        X, y = make_data()
        weight = np.random.RandomState(0).uniform(0.5, 2, 40)
        params = {"n_warmup": 0, "n_draws": 3, "step_size": 0.05, "n_chains": 2, "random_state": 0}
        whole = HMCRegressor((5,), **params).fit(X, y, sample_weight=weight).history_["energy"]
        monkeypatch.setattr(trajectories, "BLOCK_BYTES", 2000)
        parts = HMCRegressor((5,), **params).fit(X, y, sample_weight=weight).history_["energy"]
        np.testing.assert_allclose(parts, whole, rtol=1e-9)

    def test_the_energy_is_that_of_the_potential(self):
        X, y = make_data()
        model = HMCClassifier(
            (5,), "tanh", n_warmup=0, n_draws=1, step_size=1e-9, trajectory_length=1e-8, n_chains=2
        ).set_params(random_state=0, prior_scale=0.7)
        model.fit(X, y)
        w = [p.numpy() for p in model.posterior_.params.values()]
        hidden = np.tanh(np.einsum("nd,mhd->mnh", X, w[0]) + w[1][:, None])
        logits = np.einsum("mnh,mkh->mnk", hidden, w[2]) + w[3][:, None]
        log_sum = np.log(np.exp(logits).sum(-1))
        loss = (log_sum - logits[:, np.arange(40), y]).sum(1)
        prior = sum((p**2).reshape(2, -1).sum(1) for p in w) / 0.49 / 2
        potential = model.history_["train_loss"][0] * 40
        assert potential == pytest.approx((loss + prior).mean(), rel=1e-7)

    def test_divergence_and_rejection_warn(self):
        X, y = make_data()
        model = HMCClassifier((20,), n_warmup=0, n_draws=10, step_size=5.0, random_state=0)
        said = messages(model, X, y)
        assert any("diverged" in m and "target_accept" in m for m in said)
        assert any("were accepted" in m and "step_size" in m for m in said)
        assert model.n_divergences_ > 0
        assert np.isfinite(model.predict_proba(X)).all()

    def test_adapted_metric(self):
        # features of very different scale: the prior's own metric is far from the posterior's
        X, y = make_data(100)
        model = HMCClassifier(
            (), metric="diag", n_warmup=80, n_draws=100, random_state=0, prior_scale=3.0
        ).fit(X * [0.1, 1.0, 10.0], y)
        plain = HMCClassifier((), n_warmup=80, n_draws=100, random_state=0, prior_scale=3.0).fit(
            X * [0.1, 1.0, 10.0], y
        )
        cost = {m: m.history_["n_leapfrog"][80:].sum() for m in (model, plain)}
        assert cost[model] < cost[plain]
        np.testing.assert_allclose(
            model.predict_proba(X * [0.1, 1, 10]), plain.predict_proba(X * [0.1, 1, 10]), atol=0.05
        )


# -- against NUTS ---------------------------------------------------------------------------------


def reference(name):
    return np.load(Path(DATA) / "nuts_reference" / f"{name}.npz", allow_pickle=True)


def classification(data, model):
    draws = model.sample_proba(data["X_test"].astype(np.float32)).astype(float)
    tv = np.abs(draws.mean(0) - data["test_proba"]).sum(1).mean() / 2
    spread = data["test_proba_std"][:, 1]
    wide = spread > 0.02
    return tv, np.median(draws[:, wide, 1].std(0) / spread[wide])


@needs_data
@pytest.mark.parametrize(
    ("name", "model", "limit"),
    [
        ("moons_h50", SGHMCClassifier(n_warmup=500, n_draws=200, thinning=10), 0.003),
        ("iris4_h50", SGHMCClassifier(n_warmup=2000, n_draws=200, thinning=20), 0.005),
        ("moons_h50", HMCClassifier(n_warmup=50, n_draws=100), 0.004),
    ],
)
def test_classifiers_against_nuts(name, model, limit):
    data = reference(name)
    model.set_params(hidden_layer_sizes=(50,), activation="tanh", n_chains=8, random_state=0)
    model.fit(data["X_train"].astype(np.float32), data["y_train"])
    tv, ratio = classification(data, model)
    assert tv < limit
    assert ratio == pytest.approx(1, abs=0.05)


@needs_data
def test_a_stiff_regression_against_nuts():
    data = reference("gap1d_h50")
    noise = float(data["sigma"])
    model = SGHMCRegressor(
        (50,), "tanh", noise_scale=noise, n_chains=8, n_warmup=2000, n_draws=400, random_state=0
    ).fit(data["X_train"].astype(np.float32), data["y_train"])
    draws = model.sample_mean(data["X_grid"].astype(np.float32)).astype(float)
    mean, std, x = draws.mean(0), draws.std(0), np.abs(data["X_grid"][:, 0])
    v = np.linspace(-15, 15, 6001)

    def density(centre, spread):
        z = (v - centre[:, None]) / spread[:, None]
        return np.exp(-0.5 * z**2) / (spread[:, None] * (2 * np.pi) ** 0.5)

    ours = density(mean, np.hypot(std, noise))
    theirs = density(data["grid_mean"], np.hypot(data["grid_std"], noise))
    assert (np.abs(ours - theirs).sum(1) * (v[1] - v[0]) / 2).mean() < 0.03
    log_ratio = np.log(std / data["grid_std"])
    for part in (x < 0.65, (x > 0.75) & (x < 2), x > 2.2):
        assert 0.9 < np.exp(log_ratio[part].mean()) < 1.15
