"""Rounds of the deep ensemble filter: localization, members' data, adaptation, diagnosis."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from test_ensemble_filter import assert_same_weights, make_data, member, torch_run, weights
from torch import nn

from skbayes import (
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    DeepEnsembleFilterRegressor,
)
from skbayes._engine.rows import Rows
from skbayes.diagnostics import SpreadSkill
from skbayes.supervised._filter import draw_bootstrap
from skbayes.supervised._innovations import LARGEST_FACTOR, LEAST_FACTOR, Innovations
from skbayes.supervised._replay import Replay

ERRORS = 4.5


def make_targets(n=40, n_features=3, noise=0.3, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, n_features))
    return X, X @ rng.normal(size=n_features) + np.sin(2 * X[:, 0]) + noise * rng.normal(size=n)


SMALL = {"n_members": 3, "init_epochs": 10, "warm_epochs": 8, "random_state": 0}


def make_classifier(hidden=(6,), **params):
    return DeepEnsembleFilterClassifier(hidden, "tanh", **{**SMALL, **params})


def make_regressor(hidden=(6,), **params):
    return DeepEnsembleFilterRegressor(hidden, "tanh", **{**SMALL, **params})


BOTH = pytest.mark.parametrize(
    ("make", "data"),
    [(make_classifier, make_data), (make_regressor, make_targets)],
    ids=["classifier", "regressor"],
)
LANGEVIN = {"inflation": "langevin", "optimizer": "sgd"}


# -- members --------------------------------------------------------------------------------------


def other_members_move(make, data, params):
    """Whether members 0 and 2 end elsewhere if member 1 started a round elsewhere."""
    X, y = data()
    model = make(**params).fit(X[:30], y[:30])
    other = copy.deepcopy(model)
    with torch.no_grad():
        for p in other.posterior_.module.parameters():
            p[1] += 0.3
    first, second = (weights(m.partial_fit(X[30:], y[30:])) for m in (model, other))
    changed = [any((first[n][i] != second[n][i]).any() for n in first) for i in range(3)]
    assert changed[1]
    assert changed[0] == changed[2]
    return changed[0]


@BOTH
@pytest.mark.parametrize(
    "params",
    [{"inflation": "additive"}, {"inflation": "shrink"}, LANGEVIN, {"inflation": None}],
    ids=lambda params: str(params["inflation"]),
)
@pytest.mark.parametrize("inflate_when", ["before", "after"])
def test_no_members_weights_depend_on_anothers(make, data, params, inflate_when):
    assert not other_members_move(make, data, {**params, "inflate_when": inflate_when})


@BOTH
@pytest.mark.parametrize("inflation", ["multiplicative", "rtps", "rtpp", "anomalies"])
def test_the_other_inflations_join_members(make, data, inflation):
    assert other_members_move(make, data, {"inflation": inflation})


@BOTH
@pytest.mark.parametrize("inflation", ["rtps", "rtpp"])
def test_relaxation_in_full_restores_what_was_before_the_round(make, data, inflation):
    X, y = data()
    model = make(inflation=inflation, inflation_scale=1.0).fit(X[:30], y[:30])
    hot = copy.deepcopy(model).set_params(inflation=None)
    before = weights(model)
    after = weights(model.partial_fit(X[30:], y[30:]))
    trained = weights(hot.partial_fit(X[30:], y[30:]))
    for name, p in after.items():
        torch.testing.assert_close(p.mean(0), trained[name].mean(0), rtol=1e-9, atol=1e-9)
        if inflation == "rtps":
            torch.testing.assert_close(p.std(0), before[name].std(0), rtol=1e-9, atol=1e-12)
        else:
            anomaly = before[name] - before[name].mean(0)
            torch.testing.assert_close(p - p.mean(0), anomaly, rtol=1e-9, atol=1e-12)


def test_multiplicative_inflation_after_a_round_leaves_the_mean():
    X, y = make_data()
    model = make_classifier(inflation="multiplicative", inflation_scale=1.5, inflate_when="after")
    model.fit(X[:30], y[:30])
    hot = copy.deepcopy(model).set_params(inflation=None)
    wide, narrow = (weights(m.partial_fit(X[30:], y[30:])) for m in (model, hot))
    for name, p in wide.items():
        torch.testing.assert_close(p.mean(0), narrow[name].mean(0), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(p.std(0), 1.5 * narrow[name].std(0), rtol=1e-9, atol=1e-12)


def test_shrinking_alone_keeps_the_spread_of_the_first_weights():
    X, y = make_data(n_features=16)
    model = make_classifier(
        (50,), n_members=20, init_epochs=1, warm_epochs=0, learning_rate_init=1e-9
    ).fit(X, y)
    unit = model.initial_spread_
    for _ in range(25):
        model.partial_fit(X[:2], y[:2])
    for name, p in weights(model).items():
        # relative standard error of a standard deviation: 1 / sqrt(2 n)
        error = ERRORS / (2 * p.numel()) ** 0.5
        assert float(p.std()) == pytest.approx(unit[name], rel=error), name


def test_bootstrap_gives_every_member_its_own_rows():
    class Fed(DeepEnsembleFilterClassifier):
        def _fill(self, rows, likelihood, rng, *, resume):
            self.fed = rows
            return super()._fill(rows, likelihood, rng, resume=resume)

    X, y = make_data()
    model = Fed((6,), "tanh", bootstrap=True, inflation=None, **SMALL).fit(X, y)
    start = weights(model)
    model.partial_fit(X[:5], y[:5])
    counts = model.fed.member_weight
    assert counts.shape == (3, 45)
    np.testing.assert_array_equal(counts.sum(1), 45)
    assert (counts == counts.round()).all()
    assert len({tuple(row.tolist()) for row in counts}) == 3
    rows_X, rows_y = np.concatenate([X, X[:5]]), np.concatenate([y, y[:5]])
    for i in range(3):
        expected = torch_run(member(start, i), rows_X, rows_y, 8, weight=counts[i].numpy())
        for p, q in zip(member(weights(model), i), expected, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch_size", [200, 7])
def test_bootstrap_works_with_weights_and_batches(batch_size):
    X, y = make_data()
    w = np.random.RandomState(0).uniform(0.5, 2, size=40)
    params = {"bootstrap": True, "batch_size": batch_size}
    first = make_classifier(**params).fit(X, y, sample_weight=w)
    again = make_classifier(**params).fit(X, y, sample_weight=w)
    assert_same_weights(weights(first), weights(again))
    without = make_classifier(batch_size=batch_size).fit(X, y, sample_weight=w)
    assert (
        float((weights(first)["layers.0.weight"] - weights(without)["layers.0.weight"]).std()) > 0
    )


@pytest.mark.parametrize("pickled", [False, True])
def test_a_kept_optimizer_goes_on_where_it_was(pickled):
    X, y = make_data()
    params = {"inflation": None, "learning_rate": "constant", "warm_start": True, "n_members": 2}
    kept = make_classifier(reset_optimizer=False, **params).fit(X, y)
    whole = torch_run(member(start_of(X, y), 0), X, y, 18, cosine=False)
    if pickled:
        kept = pickle.loads(pickle.dumps(kept))
    forgets = make_classifier(reset_optimizer=True, **params).fit(X, y)
    for model, same in [(kept, True), (forgets, False)]:
        ends = member(weights(model.fit(X, y)), 0)
        gap = max(float((p - q).abs().max()) for p, q in zip(ends, whole, strict=True))
        assert gap < 1e-9 if same else gap > 1e-4


def start_of(X, y):
    """Weights before the first step."""
    return weights(make_classifier(n_members=2, learning_rate_init=1e-300).fit(X, y))


def test_a_kept_optimizer_forgets_when_a_class_is_new():
    X, y = make_data()
    few = y < 2
    model = make_classifier(reset_optimizer=False, warm_start=True).fit(X[few], y[few])
    model.fit(X, y)
    assert model.predict_proba(X).shape == (40, 3)
    assert np.isfinite(model.history_["train_loss"]).all()


@pytest.mark.parametrize("kind", [DeepEnsembleClassifier, DeepEnsembleFilterClassifier])
def test_anchors_outlast_rounds_and_new_classes(kind):
    X, y = make_data()
    few = y != 1
    params = {"anchored": True, "warm_start": True, "random_state": 0}
    model = kind((), n_members=4, learning_rate_init=0.1, **params)
    epochs = "max_iter" if kind is DeepEnsembleClassifier else "warm_epochs"
    model.fit(X[few], y[few])
    before = {name: p.clone() for name, p in model._last_anchors.items()}
    model.set_params(**{epochs: 500}).fit(X, y)
    for name, p in model._last_anchors.items():
        torch.testing.assert_close(p[:, [0, 2]], before[name], rtol=0, atol=0)
    # every member is at the mode of its own posterior, which is convex
    W, b = model.posterior_.params.values()
    residual = torch.from_numpy(model.sample_proba(X) - np.eye(3)[y])
    anchor_W, anchor_b = model._last_anchors.values()
    assert float((residual.mT @ torch.from_numpy(X) + W - anchor_W).abs().max()) < 1e-3
    assert float((residual.sum(1) + b - anchor_b.reshape(b.shape)).abs().max()) < 1e-3
    assert float(W.std(0).min()) > 1e-2


# -- localization=None ----------------------------------------------------------------------------


@BOTH
def test_without_localization_the_mean_is_trained_and_members_keep_their_places(make, data):
    X, y = data()
    model = make(localization=None, inflation=None, n_members=8, prior_scale=0.7).fit(
        X[:30], y[:30]
    )
    first, unit = weights(model), model.initial_spread_
    for name, p in first.items():
        n = p.numel() - p[0].numel()  # a mean is taken out of every weight
        pooled = float(((p - p.mean(0)).square().sum() / n).sqrt())
        assert pooled == pytest.approx(0.1 * unit[name], rel=ERRORS / (2 * n) ** 0.5)
    model.partial_fit(X[30:], y[30:])
    for name, p in weights(model).items():
        anomaly = first[name] - first[name].mean(0)
        torch.testing.assert_close(p - p.mean(0), anomaly, rtol=1e-9, atol=1e-12)
    assert model.cost_ratio_ == pytest.approx(0.8 / 8)
    if make is make_classifier:
        start = [p.mean(0) for p in first.values()]
        expected = torch_run(start, X, y, 8, precision=0.7**-2)
        for p, q in zip(weights(model).values(), expected, strict=True):
            torch.testing.assert_close(p.mean(0), q, rtol=1e-9, atol=1e-9)


def test_without_localization_buffers_and_frozen_layers_follow_the_mean():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("by", torch.randn(4))  # every member's own

        def forward(self, X):
            return X + self.by

    class Net(nn.Sequential):
        def __init__(self, n_features, n_outputs):
            super().__init__(nn.Linear(n_features, 4), Shift(), nn.Tanh(), nn.Linear(4, n_outputs))
            self[0].requires_grad_(False)

    X, y = make_data()
    model = DeepEnsembleFilterClassifier(
        module=Net, localization=None, inflation="additive", **SMALL
    ).fit(X, y)
    for _ in range(2):
        module = model.posterior_.module
        (shift,) = module.buffers()
        assert (shift == shift[:1]).all()
        for name, p in module.named_parameters():
            assert bool((p == p[:1]).all()) == name.startswith("0."), name
        model.partial_fit(X[:5], y[:5])
    assert model.score(X, y) > 0.4


# -- parameters that do not go together -----------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"inflation": "rtps", "inflate_when": "before"}, 'inflate_when="before".*"after"'),
        ({"inflation": "rtpp", "inflate_when": "before"}, 'rtpp.*inflate_when="before"'),
        ({"inflation": "rtpp", "inflation_scale": 1.5}, "from 0 to 1, got 1.5"),
        ({"inflation": "multiplicative", "n_members": 1}, "at least 2, got 1"),
        ({"inflation": "rtps", "n_members": 1}, "at least 2, got 1"),
        ({"inflation": "anomalies", "n_members": 1}, "at least 2, got 1"),
        ({"adaptive": True, "n_members": 1}, "adaptive=True needs n_members.*got 1"),
        ({"adaptive": True, "inflation": None}, "adaptive=True.*inflation=None"),
        ({"adaptive": True, **LANGEVIN}, "adaptive=True.*inflation='langevin'"),
        ({"localization": None, "inflation": "rtps"}, "localization=None"),
        ({"localization": None, **LANGEVIN}, "langevin.*localization=None"),
        ({"localization": None, "anchored": True}, "anchored=True.*localization=None"),
        ({"localization": None, "bootstrap": True}, "bootstrap=True.*localization=None"),
        ({"anchored": True, "prior_scale": None}, "prior_scale=None"),
        ({"inflation": "langevin"}, "optimizer='adam'.*\"sgd\""),
        ({**LANGEVIN, "batch_size": 10}, "batch_size=10 is less than the 40 rows"),
        ({**LANGEVIN, "early_stopping": True}, "early_stopping=True"),
        ({**LANGEVIN, "bootstrap": True}, "bootstrap=True"),
        ({**LANGEVIN, "anchored": True}, "anchored=True"),
    ],
)
@BOTH
def test_invalid_pairs(make, data, params, message):
    with pytest.raises(ValueError, match=message):
        make(**params).fit(*data())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inflation", "additve"),
        ("inflation_scale", -0.1),
        ("inflation_scale", "adaptive"),
        ("inflate_when", "during"),
        ("shrink_factor", 1.1),
        ("taper_support", 0.0),
        ("adaptive", "yes"),
        ("localization", "none"),
        ("init_epochs", 0),
        ("warm_epochs", -1),
        ("optimizer", "lbfgs"),
        ("reset_optimizer", None),
        ("bootstrap", 0.5),
        ("anchored", "all"),
        ("replay_size", -1),
        ("n_members", 0),
    ],
)
@BOTH
def test_invalid_values(make, data, name, value):
    with pytest.raises(ValueError, match=rf"The '{name}' parameter of DeepEnsembleFilter"):
        make(**{name: value}).fit(*data())


def test_anchors_and_bootstrap_would_count_a_known_noise_twice():
    X, y = make_targets()
    with pytest.raises(ValueError, match="noise would count twice"):
        make_regressor(anchored=True, bootstrap=True, noise_scale=0.3).fit(X, y)
    make_regressor(anchored=True, bootstrap=True).fit(X, y)


# -- adaptive scale and diagnosis -----------------------------------------------------------------


def test_the_factor_brings_the_spread_to_the_error():
    assert Innovations().factor() == 1.0
    many = 1e9  # rows, so that the prior does not matter
    for spread, error, expected in [(1.0, 4.0, 2.0), (4.0, 1.0, 0.5), (1.0, 1.0, 1.0)]:
        found = Innovations().after((SpreadSkill(spread, error), many))
        assert found.factor() == pytest.approx(expected, rel=1e-6)
    assert Innovations().after((SpreadSkill(1.0, 1e6), many)).factor() == LARGEST_FACTOR
    assert Innovations().after((SpreadSkill(1.0, -3.0), many)).factor() == LEAST_FACTOR
    assert Innovations().after((SpreadSkill(0.0, 1.0), 5)).factor() == LARGEST_FACTOR
    # ten rows of the prior and ten seen: half of the way in the square
    assert Innovations().after((SpreadSkill(1.0, 4.0), 10)).factor() == pytest.approx(2.5**0.5)
    # rounds of which nothing is known change nothing
    found = Innovations().after((SpreadSkill(1.0, 4.0), 10))
    assert found.after(None).factor() == found.factor()
    assert found.after(None).n_last == 0
    # what was long ago is forgotten
    late = found
    for _ in range(100):
        late = late.after((SpreadSkill(1.0, 1.0), 10))
    assert late.factor() == pytest.approx(1.0, abs=1e-3)


@BOTH
@pytest.mark.parametrize("by", ["fit", "partial_fit"])
def test_adaptive_noise_is_larger_by_the_factor(make, data, by):
    X, y = data(60)
    params = {"inflation": "additive", "warm_epochs": 0, "n_members": 10, "init_epochs": 100}
    model = make((40,), adaptive=True, warm_start=True, **params).fit(X[:40], y[:40])
    wrong = (y[40:] + 1) % 3 if make is make_classifier else y[40:] + 3.0
    before = weights(model)
    if by == "fit":
        model.fit(X, np.concatenate([y[:40], wrong]))
    else:
        model.partial_fit(X[40:], wrong)
    found = model.diagnosis_
    assert found["n_new"] == 20
    assert found["error"] > found["spread"] > 0
    expected = (20 * found["error"] + 10 * found["spread"]) / (30 * found["spread"])
    assert found["factor"] == pytest.approx(np.clip(expected**0.5, 0.25, 4.0))
    assert found["factor"] > 1.2
    for name, s in model.initial_spread_.items():
        if s == 0:
            continue
        noise = weights(model)[name] - before[name]
        error = ERRORS / (2 * noise.numel()) ** 0.5
        assert float(noise.std()) == pytest.approx(found["factor"] * s, rel=error), name


def test_new_rows_are_told_from_old_ones():
    X, y = make_data()
    for as_sparse in (False, True):
        rows = sparse.csr_array(X) if as_sparse else X
        replay = Replay(np.random.RandomState(0))
        replay.add(rows[:25], y[:25], None, 100)
        np.testing.assert_array_equal(replay.find_new(rows, y), np.arange(40) >= 25)
        # another label for a row is news
        assert replay.find_new(rows[:25], y[:25] + 1).all()
        # a row of explicit zeros is the same row
        replay.add(rows[25:], y[25:], None, 30)
        assert replay.find_new(rows, y) is None  # some were let go
    model = make_classifier(warm_start=True).fit(X[:30], y[:30]).fit(X, y)
    assert model.diagnosis_["n_new"] == 10
    model.fit(X, y)
    assert model.diagnosis_["n_new"] == 0
    assert np.isnan(model.diagnosis_["error"])


def test_a_label_that_no_member_knew_is_an_error_of_full_size():
    X, y = make_data()
    few = y != 1
    model = make_classifier(warm_start=True, n_members=5).fit(X[few], y[few])
    proba = model.sample_proba(X[~few])
    model.fit(X, y)
    assert model.diagnosis_["n_new"] == (~few).sum()
    mean = proba.mean(0)
    # no probability was on it: (1 - 0)^2 and the others' squares, less their noise
    expected = 1 + (mean**2).sum(1) - (proba * (1 - proba)).mean(0).sum(1)
    assert model.diagnosis_["error"] == pytest.approx(expected.mean())


@BOTH
def test_diagnosis_and_cost(make, data):
    X, y = data()
    model = make(n_members=5).fit(X[:30], y[:30])
    assert model.cost_ratio_ == 1.0
    assert model.diagnosis_["n_new"] == 0
    assert np.isnan(model.diagnosis_["spread"])
    model.partial_fit(X[30:], y[30:])
    assert model.cost_ratio_ == pytest.approx(0.8)
    found = model.diagnosis_
    assert set(found) == {"n_new", "spread", "error", "factor", "resolution", "n_functions"}
    assert found["n_new"] == 10
    assert 0 < found["spread"] < np.inf
    assert found["resolution"] > 0.01
    assert 1 < found["n_functions"] <= 5
    assert make(n_members=1).fit(X, y).diagnosis_["n_functions"] == 1.0


@BOTH
def test_a_collapse_is_warned_of(make, data):
    # a linear model has one mode: members that start nowhere else end there
    X, y = data()
    params = {"init_epochs": 400, "warm_epochs": 400, "learning_rate_init": 0.1}
    model = make((), inflation=None, **params).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="The ensemble has collapsed.*inflation"):
        model.partial_fit(X[:5], y[:5])
    assert model.diagnosis_["resolution"] < 0.01
    assert model.diagnosis_["n_functions"] == pytest.approx(1.0, abs=0.01)
    assert model.n_rounds_ == 2  # it is fitted all the same
    model.set_params(inflation="shrink", inflate_when="after")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(X[5:8], y[5:8])
    assert model.diagnosis_["resolution"] > 0.01


# -- regression -----------------------------------------------------------------------------------


@pytest.mark.parametrize("noise_scale", [0.4, "learned", "heteroscedastic"])
@pytest.mark.parametrize("weighted", [False, True])
def test_warm_fit_on_all_rows_is_partial_fit_with_the_new(noise_scale, weighted):
    X, y = make_targets()
    w = np.random.RandomState(1).uniform(0.5, 2, size=40) if weighted else np.ones(40)
    whole = make_regressor(noise_scale=noise_scale, warm_start=True, normalize_y=True)
    parts = make_regressor(noise_scale=noise_scale, normalize_y=True)
    whole.fit(X[:20], y[:20], sample_weight=w[:20])
    parts.partial_fit(X[:20], y[:20], sample_weight=w[:20])
    for stop in (30, 40):
        whole.fit(X[:stop], y[:stop], sample_weight=w[:stop])
        rows = slice(stop - 10, stop)
        parts.partial_fit(X[rows], y[rows], sample_weight=w[rows])
        assert_same_weights(weights(whole), weights(parts))
    for a, b in zip(*(m.predict(X, return_std=True) for m in (whole, parts)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_linear_members_end_at_the_ridge_solution_of_all_rows():
    X, y = make_targets()
    model = make_regressor(
        (), noise_scale=0.5, prior_scale=2.0, init_epochs=50, warm_epochs=600,
        learning_rate_init=0.1, inflation="shrink",
    ).fit(X[:20], y[:20])  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="collapsed"):  # convex: there is one mode
        model.partial_fit(X[20:], y[20:])
    design = np.column_stack([X, np.ones(40)])
    expected = np.linalg.solve(design.T @ design / 0.25 + np.eye(4) / 4, design.T @ y / 0.25)
    W, b = model.posterior_.params.values()
    found = np.column_stack([W[:, 0].numpy(), b.numpy().reshape(-1)])
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)), atol=1e-4)


def test_units_of_y_are_those_of_the_first_fit():
    X, y = make_targets()
    model = make_regressor(normalize_y=True).fit(X[:20], 100 + 10 * y[:20])
    centre, unit = model._centre, model._unit
    model.partial_fit(X[20:], 100 + 10 * y[20:])
    assert (model._centre, model._unit) == (centre, unit)
    np.testing.assert_allclose(centre, np.mean(100 + 10 * y[:20]))
    # the same fit in other units
    plain = make_regressor(normalize_y=True).fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    np.testing.assert_allclose(model.predict(X), 100 + 10 * plain.predict(X), rtol=1e-6)
    scale = model.diagnosis_["error"] / plain.diagnosis_["error"]
    assert scale == pytest.approx(100.0, rel=1e-5)


def test_a_failed_round_leaves_the_regressor_as_it_was():
    X, y = make_targets()
    model = make_regressor().fit(X, y)
    before = weights(model)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X, np.full(40, np.nan))
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(optimizer="sgd", learning_rate_init=1e6).partial_fit(X, y)
    assert_same_weights(weights(model), before)
    assert (model.n_rounds_, model._replay.n_seen) == (1, 40)


# -- bootstrap's draw -----------------------------------------------------------------------------


def test_bootstrap_draws_rows_in_proportion_to_their_weight():
    weight = np.array([1.0, 2.0, 3.0, 6.0])
    rows = Rows(
        np.zeros((4, 1)), np.zeros(4), weight, device=torch.device("cpu"), dtype=torch.float64
    )
    draw_bootstrap(rows, 5000, np.random.RandomState(0))
    drawn = rows.member_weight.numpy()
    np.testing.assert_allclose(drawn.sum(1), 12.0)  # as much weight as there is
    p = weight / 12
    # a mean of 5000 multinomials of 4 draws, each of the mean weight 3
    error = ERRORS * 3 * np.sqrt(4 * p * (1 - p) / 5000)
    assert (np.abs(drawn.mean(0) - weight) < error).all()
    batch = rows.take(torch.tensor([[0, 3]] * 5000))
    np.testing.assert_array_equal(batch.weight.numpy(), drawn[:, [0, 3]])
    assert rows.everything().weight is rows.member_weight
    first, second = rows.split(1, torch.Generator().manual_seed(0))
    together = torch.cat([first.member_weight, second.member_weight], 1).sum(1)
    np.testing.assert_allclose(together.numpy(), 12.0)
