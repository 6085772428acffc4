"""The deep ensemble filter in its exact limits."""

import itertools

import numpy as np
import pytest
import torch
from filter_toys import assert_same_weights, make_data, make_filter, member, torch_run, weights
from torch import nn

from skbayes import DeepEnsembleFilterClassifier
from skbayes.supervised._inflation import additive, spread

# -- exact limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("learning_rate", ["cosine", "constant"])
@pytest.mark.parametrize("prior_scale", [None, 0.7])
@pytest.mark.parametrize("by", ["fit", "partial_fit"])
def test_one_member_without_inflation_is_a_hot_start(learning_rate, prior_scale, by):
    X, y = make_data()
    model = make_filter(
        n_members=1,
        inflation=None,
        warm_start=True,
        learning_rate=learning_rate,
        prior_scale=prior_scale,
    ).fit(X[:25], y[:25])
    start = member(weights(model), 0)
    if by == "fit":
        model.fit(X, y)
    else:
        model.partial_fit(X[25:], y[25:])
    expected = torch_run(
        start,
        X,
        y,
        8,
        cosine=learning_rate == "cosine",
        precision=0.0 if prior_scale is None else prior_scale**-2,
    )
    for p, q in zip(member(weights(model), 0), expected, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)
    assert (model.n_rounds_, model.n_iter_) == (2, 8)


def test_no_inflation_and_no_epochs_is_identity():
    X, y = make_data()
    model = make_filter(inflation=None, warm_epochs=0, warm_start=True).fit(X, y)
    before, proba = weights(model), model.predict_proba(X)
    for _ in range(2):
        model.fit(X, y)
        assert_same_weights(weights(model), before)
        model.partial_fit(X[:5] + 1, y[:5])
        assert_same_weights(weights(model), before)
    np.testing.assert_array_equal(model.predict_proba(X), proba)
    assert (model.n_rounds_, model.n_iter_) == (5, 0)
    assert model.history_ == {}


@pytest.mark.parametrize("inflation_scale", [1.0, 0.3, 0.0])
def test_inflation_alone_moves_the_weights_by_noise_of_the_scale(inflation_scale):
    X, y = make_data()
    model = make_filter(
        (40,),
        n_members=10,
        warm_epochs=0,
        init_epochs=1,
        inflation_scale=inflation_scale,
        warm_start=True,
    ).fit(X, y)
    unit = dict(model.initial_spread_)
    rounds = [weights(model)]
    for _ in range(3):
        rounds.append(weights(model.fit(X, y)))
    assert model.initial_spread_ == unit  # of the first fit, not of what has become of it
    noises = []
    for name, s in unit.items():
        noise = torch.stack([b[name] - a[name] for a, b in itertools.pairwise(rounds)])
        if inflation_scale == 0:
            assert (noise == 0).all()
            continue
        n = noise.numel()
        # relative standard error of the standard deviation 1 / sqrt(2 n); 4.5 of them
        assert float(noise.std()) == pytest.approx(inflation_scale * s, rel=4.5 / (2 * n) ** 0.5)
        assert abs(float(noise.mean())) < 4.5 * inflation_scale * s / n**0.5
        noises.append((noise / (inflation_scale * s)).flatten(2))  # (rounds, members, entries)
    if noises:
        flat = torch.cat(noises, 2)
        # members of a round, and rounds of a member, are independent: 30 rows, 435 correlations
        correlation = np.corrcoef(flat.flatten(0, 1).numpy())[np.triu_indices(30, 1)]
        assert np.abs(correlation).max() < 4.5 / flat.shape[2] ** 0.5


def test_spread_is_that_of_the_initial_weights():
    X, y = make_data(n_features=16)
    model = make_filter((50,), n_members=20, init_epochs=1).fit(X, y)
    # torch's initial weights are uniform within 1 / sqrt(fan in); relative standard error of the
    # standard deviation of n of them sqrt(.2 / n)
    for name, fan_in, n in [
        ("layers.0.weight", 16, 16_000),
        ("layers.0.bias", 16, 1000),
        ("layers.1.weight", 50, 3000),
        ("layers.1.bias", 50, 60),
    ]:
        expected = (3 * fan_in) ** -0.5
        assert model.initial_spread_[name] == pytest.approx(expected, rel=4.5 * (0.2 / n) ** 0.5)


def test_inflation_functions():
    params = {"a": torch.tensor([[1.0, 3.0], [5.0, 7.0]]), "b": torch.ones(2, 1)}
    assert spread(params) == {"a": pytest.approx(5**0.5), "b": 0.0}
    before = params["b"].clone()
    moved = additive(params, 1.0, spread(params), torch.Generator().manual_seed(0))
    assert torch.equal(moved["b"], before)
    assert torch.equal(params["b"], before)
    assert (moved["a"] != torch.tensor([[1.0, 3.0], [5.0, 7.0]])).all()


@pytest.mark.parametrize("warm_start", [False, True])
def test_cold_start_is_an_independent_deep_ensemble(warm_start):
    X, y = make_data()
    model = make_filter((50,), n_members=4, init_epochs=15, warm_start=warm_start)
    model.fit(X, y)
    trained = weights(model)
    # where the members started: the same seed with steps of no length
    start = weights(model.set_params(learning_rate_init=1e-300, warm_start=False).fit(X, y))
    for i in range(4):
        expected = torch_run(member(start, i), X, y, 15)
        for p, q in zip(member(trained, i), expected, strict=True):
            torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)
    # initial weights are independent between members: 6 correlations
    flat = torch.cat([p.flatten(1) / p.std() for p in start.values()], 1)
    correlation = np.corrcoef(flat.numpy())[np.triu_indices(4, 1)]
    assert np.abs(correlation).max() < 4.5 / flat.shape[1] ** 0.5


def test_members_shuffle_on_their_own():
    # equal initial weights: only the order of the minibatches can tell members apart
    X, y = make_data()

    def constant_net(n_features, n_outputs):
        network = nn.Linear(n_features, n_outputs)
        nn.init.constant_(network.weight, 0.1)
        nn.init.constant_(network.bias, 0.0)
        return network

    params = {"module": constant_net, "n_members": 3, "init_epochs": 3, "random_state": 0}
    full = DeepEnsembleFilterClassifier(**params).fit(X, y).sample_proba(X)
    np.testing.assert_allclose(full[0], full[1], rtol=1e-12)
    batches = DeepEnsembleFilterClassifier(batch_size=7, **params).fit(X, y).sample_proba(X)
    assert min(np.abs(batches[i] - batches[j]).max() for i, j in [(0, 1), (0, 2), (1, 2)]) > 1e-4


def test_fit_without_warm_start_begins_anew():
    X, y = make_data()
    model = make_filter()
    first = weights(model.fit(X, y))
    model.partial_fit(X, y)
    assert_same_weights(weights(model.fit(X, y)), first)
    assert model.n_rounds_ == 1


def test_a_new_class_in_a_warm_fit_keeps_what_was_known():
    X, y = make_data()
    few = y != 1
    model = make_filter(inflation=None, warm_epochs=0, warm_start=True).fit(X[few], y[few])
    before = weights(model)
    logits = np.log(model.sample_proba(X))
    model.fit(X, y)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    for name, p in weights(model).items():
        kept = p[:, [0, 2]] if name.startswith("layers.1") else p
        torch.testing.assert_close(kept, before[name], rtol=0, atol=0)
    after = np.log(model.sample_proba(X))
    np.testing.assert_allclose(
        after[..., 2] - after[..., 0], logits[..., 1] - logits[..., 0], rtol=1e-9
    )


# -- the objective ---------------------------------------------------------------------------------


@pytest.mark.parametrize("prior_scale", [1.0, 0.3, "fan_in"])
@pytest.mark.parametrize("weighted", [False, True])
def test_members_are_posterior_modes(prior_scale, weighted):
    """Logistic regression: the penalised objective is convex, every member ends at its minimum."""
    X, y = make_data()
    w = np.random.RandomState(1).uniform(0.5, 2, size=40) if weighted else np.ones(40)
    model = make_filter(
        (), n_members=3, init_epochs=600, learning_rate_init=0.1, prior_scale=prior_scale
    ).fit(X, y, sample_weight=w if weighted else None)
    W, b = model.posterior_.params.values()
    precision = {1.0: (1, 1), 0.3: (1 / 0.09, 1 / 0.09), "fan_in": (3, 1)}[prior_scale]
    residual = torch.from_numpy((model.sample_proba(X) - np.eye(3)[y]) * w[:, None])
    gradient_W = residual.mT @ torch.from_numpy(X) + precision[0] * W
    gradient_b = residual.sum(1) + precision[1] * b
    # of the sum over 40 rows, whose terms are of order one
    assert float(gradient_W.abs().max()) < 1e-4
    assert float(gradient_b.abs().max()) < 1e-4
    torch.testing.assert_close(W, W[:1].expand_as(W), rtol=0, atol=1e-4)


def test_integer_weights_are_repeated_rows():
    X, y = make_data()
    weight = np.random.RandomState(1).randint(0, 4, size=40)
    model = make_filter()
    weighted = weights(model.fit(X, y, sample_weight=weight))
    repeated = weights(model.fit(np.repeat(X, weight, 0), np.repeat(y, weight)))
    assert_same_weights(weighted, repeated, rtol=1e-7, atol=1e-9)
    plain = weights(model.fit(X, y))
    assert float((plain["layers.0.weight"] - weighted["layers.0.weight"]).abs().max()) > 1e-3


def test_weights_scale_the_likelihood_against_the_prior():
    # ten times the weight: as a prior of ten times the variance, exactly
    X, y = make_data()
    heavy = weights(make_filter().fit(X, y, sample_weight=np.full(40, 10.0)))
    wide = weights(make_filter(prior_scale=10**0.5).fit(X, y))
    assert_same_weights(heavy, wide, rtol=1e-8, atol=1e-9)


# -- early stopping --------------------------------------------------------------------------------


def test_early_stopping_ends_rounds():
    X, y = make_data(100)
    model = make_filter(
        early_stopping=True,
        tol=10.0,  # nothing improves by so much
        n_iter_no_change=3,
        init_epochs=50,
        warm_epochs=50,
        validation_fraction=0.25,
    ).fit(X, y)
    assert model.n_iter_ == 4  # the first epoch counts as better than none
    assert len(model.history_["valid_loss"]) == 4
    assert len(model.net_.train_split.rows) == 25
    model.partial_fit(X[:10], y[:10])
    assert (model.n_iter_, model.n_rounds_) == (4, 2)
    assert len(model.net_.train_split.rows) == 28  # of 110


def test_early_stopping_needs_a_row_to_train_on():
    X, y = make_data()
    with pytest.raises(ValueError, match=r"validation_fraction=0.9 leaves no training row.*=2"):
        make_filter(early_stopping=True, validation_fraction=0.9).fit(X[:2], y[:2])


# -- frozen layers ---------------------------------------------------------------------------------


def test_frozen_weights_are_neither_trained_nor_inflated():
    def frozen_net(n_features, n_outputs):
        network = nn.Sequential(nn.Linear(n_features, 4), nn.Tanh(), nn.Linear(4, n_outputs))
        network[0].requires_grad_(False)
        return network

    X, y = make_data()
    model = DeepEnsembleFilterClassifier(module=frozen_net, n_members=2, init_epochs=2)
    before = weights(model.fit(X, y))
    after = weights(model.partial_fit(X, y))
    for name in before:
        assert torch.equal(before[name], after[name]) == name.startswith("0."), name
