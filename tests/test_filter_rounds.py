"""Rounds of the deep ensemble filter: members, their data, localization."""

import copy
import pickle

import numpy as np
import pytest
import torch
from filter_toys import (
    BOTH,
    ERRORS,
    LANGEVIN,
    SMALL,
    assert_same_weights,
    make_classifier,
    make_data,
    make_regressor,
    make_targets,
    member,
    torch_run,
    weights,
)
from torch import nn

from skbayes import (
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
)
from skbayes._engine.rows import Rows
from skbayes.supervised._filter import draw_bootstrap
from skbayes.supervised._inflation import rtps

# -- members ---------------------------------------------------------------------------------------


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
    X -= X.mean(0)  # biases are relaxed at the columns' means
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
    X -= X.mean(0)  # biases are those of centred columns
    model = make_classifier(
        (50,), n_members=20, init_epochs=1, warm_epochs=0, learning_rate_init=1e-9, warm_start=True
    ).fit(X, y)
    unit = model.initial_spread_
    for _ in range(25):
        model.fit(X, y)
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


# -- bootstrap's draw ------------------------------------------------------------------------------


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


# -- localization=None -----------------------------------------------------------------------------


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


# -- tensors that start the same everywhere, and what is set between rounds ------------------------


@pytest.mark.parametrize("inflation", ["shrink", "additive"])
def test_gains_and_a_learned_noise_are_neither_moved_nor_shrunk(inflation):
    class Net(nn.Sequential):
        def __init__(self, n_features, n_outputs):
            super().__init__(
                nn.Linear(n_features, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, n_outputs)
            )

    X, y = make_targets()
    model = make_regressor(inflation=inflation, warm_epochs=0).set_params(module=Net)
    before = weights(model.fit(X, y))
    after = weights(model.partial_fit(X, y))
    for name, p in after.items():
        same = name.endswith("log_scale") or ".1." in name
        assert bool((p == before[name]).all()) == same, name


def test_relaxation_beyond_all_turns_no_member_over():
    params = {"w": torch.tensor([[1.0, -10.0], [-1.0, 10.0]])}
    prior = {"w": torch.tensor([[2.0, 1.0], [-2.0, -1.0]])}
    moved = rtps(params, prior, 2.0)["w"]
    # 1 + 2 (2 - 1) / 1 = 3, and 1 + 2 (1 - 10) / 10 < 0
    torch.testing.assert_close(moved, torch.tensor([[3.0, 0.0], [-3.0, 0.0]]))


def test_what_rounds_keep_may_be_asked_for_late():
    X, y = make_data()
    model = make_classifier().fit(X[:30], y[:30])
    model.set_params(reset_optimizer=False, anchored=True).partial_fit(X[30:], y[30:])
    anchors = {name: p.clone() for name, p in model._last_anchors.items()}
    model.partial_fit(X[:5], y[:5])
    for name, p in model._last_anchors.items():
        torch.testing.assert_close(p, anchors[name], rtol=0, atol=0)
    # moments that were not kept up are not taken up again
    model.set_params(reset_optimizer=True).partial_fit(X[:5], y[:5])
    assert model._optimizer_state is None


def test_automatic_epochs_of_the_regressor_are_enough_steps():
    X, y = make_targets()
    params = {"init_epochs": "auto", "warm_epochs": "auto", "n_members": 1}
    model = make_regressor((2,), batch_size=4, **params).fit(X, y)
    assert model.n_iter_ == 100
    model.set_params(batch_size="auto").partial_fit(X[:10], y[:10])
    assert model.n_iter_ == 400
    assert model.cost_ratio_ == 0.4
    langevin = make_regressor((2,), inflation="langevin", optimizer="sgd", **params).fit(X, y)
    assert langevin.n_iter_ == 1000
    assert langevin.partial_fit(X[:10], y[:10]).n_iter_ == 40


@pytest.mark.parametrize(
    ("n_features", "sizes", "init", "warm"),
    [
        (1, (20,), 1000, 400),
        (3, (50, 50), 334, 134),
        (12, (2,), 500, 200),
        (12, (50,), 100, 40),
        (40, (40,), 100, 28),
    ],
)
def test_automatic_epochs_of_the_classifier_are_more_steps_where_layers_have_few_inputs(
    n_features, sizes, init, warm
):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(30, n_features)), np.arange(30) % 2
    params = {"init_epochs": "auto", "warm_epochs": "auto", "n_members": 1}
    model = make_classifier(sizes, **params).fit(X, y)
    assert model.n_iter_ == init
    assert model.partial_fit(X[:10], y[:10]).n_iter_ == warm
    assert model.set_params(batch_size=2, init_epochs="auto").fit(X, y).n_iter_ == max(
        100, -(-init // 15)
    )
