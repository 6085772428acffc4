"""Deep ensembles and the filter train in the coordinates of centred columns."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skbayes import (
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    DeepEnsembleFilterRegressor,
    DeepEnsembleRegressor,
)
from skbayes._engine.centring import Centring, find_centring
from skbayes._engine.rows import Rows
from skbayes.nn import SharedNoise, StackedLinear, StackedMLP

SHIFT = np.array([30.0, -7.0, 100.0, 0.0])
FILTER = {"n_members": 3, "init_epochs": 30, "warm_epochs": 20, "random_state": 0}
ENSEMBLE = {"n_members": 3, "max_iter": 60, "random_state": 0}


def make_data(kind):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 4)) * [1.0, 0.5, 2.0, 1.0]
    y = X[:, 0] + np.sin(2 * X[:, 1])
    return X, (y > 0).astype(int) if "Classifier" in kind.__name__ else y


@pytest.mark.parametrize("noise_scale", [0.3, "learned", "heteroscedastic"])
@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("kind", [DeepEnsembleFilterRegressor, DeepEnsembleRegressor])
def test_regression_does_not_depend_on_the_columns_origins(kind, rounds, noise_scale):
    X, y = make_data(kind)
    means = []
    for moved in (X, X + SHIFT):
        params = FILTER if kind is DeepEnsembleFilterRegressor else ENSEMBLE
        model = kind((8,), prior_scale=None, noise_scale=noise_scale, warm_start=True, **params)
        for r in range(rounds):
            part = slice(0, len(X) * (r + 1) // rounds)
            model.fit(moved[part], y[part])
        means.append(model.sample_mean(moved))
    assert means[0].std() > 0.1
    np.testing.assert_allclose(means[1], means[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("inflation", ["shrink", "additive", "rtps", "anomalies", "langevin"])
def test_inflation_does_not_depend_on_the_columns_origins(inflation):
    X, y = make_data(DeepEnsembleFilterClassifier)
    probas = []
    for moved in (X, X + SHIFT):
        model = DeepEnsembleFilterClassifier(
            (8,),
            prior_scale=None,
            inflation=inflation,
            optimizer="sgd" if inflation == "langevin" else "adam",
            **FILTER,
        ).fit(moved[:30], y[:30])
        for part in (slice(30, 45), slice(45, 60)):
            model.partial_fit(moved[part], y[part])
        probas.append(model.sample_proba(moved))
    np.testing.assert_allclose(probas[1], probas[0], rtol=1e-5, atol=1e-6)


def test_minibatches_and_an_attack_do_not_depend_on_the_columns_origins():
    X, y = make_data(DeepEnsembleClassifier)
    probas = [
        DeepEnsembleClassifier(
            (8,), prior_scale=None, batch_size=20, adversarial_epsilon=0.01, **ENSEMBLE
        )
        .fit(moved, y)
        .sample_proba(moved)
        for moved in (X, X + SHIFT)
    ]
    np.testing.assert_allclose(probas[1], probas[0], rtol=1e-5, atol=1e-6)


def test_the_prior_is_on_the_weights_that_are_stored():
    # a linear model has one mode, wherever training starts and whatever steps it takes
    X, y = make_data(DeepEnsembleRegressor)
    X = X + np.array([1.0, -0.5, 2.0, 0.0])
    model = DeepEnsembleRegressor(
        (), noise_scale=0.5, learning_rate_init=0.05, max_iter=600, n_members=2, random_state=0
    )
    model.fit(X, y)
    design = np.column_stack([X, np.ones(len(X))])
    mode = np.linalg.solve(design.T @ design / 0.25 + np.eye(5), design.T @ y / 0.25)
    weight, bias = model.posterior_.arrays().values()
    for m in range(2):
        np.testing.assert_allclose([*weight[m, 0], bias[m, 0]], mode, atol=1e-4)


@pytest.mark.parametrize("kind", [DeepEnsembleClassifier, DeepEnsembleFilterClassifier])
def test_sparse_rows_and_weights(kind):
    X, y = make_data(kind)
    X = np.where(X > 0, X, 0.0)
    params = FILTER if kind is DeepEnsembleFilterClassifier else ENSEMBLE
    weight = np.arange(len(X)) % 3
    dense = kind((8,), **params).fit(X, y, sample_weight=weight).sample_proba(X)
    of_sparse = kind((8,), **params).fit(sparse.csr_array(X), y, sample_weight=weight)
    np.testing.assert_allclose(of_sparse.sample_proba(X), dense, rtol=1e-6, atol=1e-8)
    twice = np.repeat(X, weight, axis=0), np.repeat(y, weight)
    np.testing.assert_allclose(
        kind((8,), **params).fit(*twice).sample_proba(X), dense, rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_means_of_columns(dtype):
    rng = np.random.RandomState(0)
    X, weight = rng.normal(size=(50, 4)), rng.uniform(0.1, 3, size=50)
    where = {"device": torch.device("cpu"), "dtype": dtype}
    for w in (None, weight):
        expected = np.average(X, axis=0, weights=w)
        for rows in (Rows(X, None, w, **where), Rows(sparse.csr_array(X), None, w, **where)):
            found = rows.column_means()
            assert found.dtype == dtype
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
    huge = np.full((50, 1), 1e38)  # whose sum is not a number of float32
    where["dtype"] = torch.float32
    assert float(Rows(huge, **where).column_means()) == pytest.approx(1e38, rel=1e-5)


def test_what_is_centred():
    rows = Rows(np.ones((3, 4)), device=torch.device("cpu"), dtype=torch.float64)
    stack = StackedMLP(4, (5,), 1, n_members=2, dtype=torch.float64)
    assert find_centring(stack, rows).layer is stack.layers[0]
    assert find_centring(SharedNoise(stack, 0.0), rows).layer is stack.layers[0]
    assert find_centring(torch.nn.Linear(4, 1), rows) is None
    partly = Rows(
        np.array([[1.0, 5.0], [-1.0, 5.0]]), device=torch.device("cpu"), dtype=torch.float64
    )
    assert find_centring(StackedMLP(2, (5,), 1, n_members=2), partly).mean.tolist() == [0.0, 5.0]
    for dtype in (torch.float32, torch.float64):
        scaled = StandardScaler().fit_transform(np.random.RandomState(0).rand(50, 4) + 3)
        centred = Rows(scaled, device=torch.device("cpu"), dtype=dtype)
        assert find_centring(stack, centred) is None


def test_steps_are_those_of_the_centred_layer():
    rng = torch.Generator().manual_seed(0)
    mean = torch.tensor([5.0, -3.0, 0.5], dtype=torch.float64)
    X = mean + torch.randn(20, 3, generator=rng, dtype=torch.float64)
    layer = StackedLinear(3, 2, 4, generator=rng, dtype=torch.float64)
    same = StackedLinear(3, 2, 4, dtype=torch.float64)
    centring = Centring(layer, mean)
    with torch.no_grad():
        same.weight.copy_(layer.weight)
        same.bias.copy_(layer.bias)
    centring.leave()
    ours = centring.optimizer(torch.optim.Adam)(layer.parameters(), lr=0.1)
    plain = torch.optim.Adam(same.parameters(), lr=0.1)
    for _ in range(20):
        for module, rows, optimizer in ((layer, X, ours), (same, X - mean, plain)):
            optimizer.zero_grad()
            module(rows).tanh().square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(layer(X), same(X - mean), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer.weight, same.weight, rtol=1e-9, atol=1e-9)
    # a layer that is frozen in part is stepped as it is
    layer.bias.requires_grad_(False)
    frozen = layer.bias.clone()
    ours.zero_grad()
    layer(X).sum().backward()
    ours.step()
    assert torch.equal(layer.bias, frozen)
