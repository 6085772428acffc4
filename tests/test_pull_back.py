"""Gradients in closed form are autograd's; what has none is left to autograd."""

import numpy as np
import pytest
import torch
from torch import nn

from skbayes import SGLDRegressor
from skbayes._engine.build import build_net
from skbayes._engine.rows import Rows
from skbayes.nn import SharedNoise, StackedMLP
from skbayes.nn._activations import ACTIVATIONS
from skbayes.nn._pull_back import SLOPES, can_pull_back
from skbayes.supervised._likelihood import StackCrossEntropy, StackGaussian

N_MEMBERS, N_ROWS, N_FEATURES = 3, 11, 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def perceptron(n_outputs, activation="tanh", hidden=(5, 6)):
    return StackedMLP(
        N_FEATURES,
        hidden,
        n_outputs,
        N_MEMBERS,
        activation=activation,
        generator=generator(),
        dtype=torch.float64,
    )


def net_of(module, criterion, y, weight=None):
    rng = np.random.default_rng(0)
    rows = Rows(
        rng.normal(size=(N_ROWS, N_FEATURES)),
        y,
        weight,
        device=torch.device("cpu"),
        dtype=torch.float64,
    )
    net = build_net(
        module,
        criterion,
        torch.optim.SGD,
        rows,
        batch_size=N_ROWS,
        max_epochs=1,
        shuffle=generator(1),
        precisions=[1.0] * len(list(module.parameters())),
    )
    return net, rows


def labels():
    return np.arange(N_ROWS) % 3


def numbers():
    return np.random.default_rng(1).normal(size=N_ROWS)


def both_ways(net, batch, mean_weight):
    """Losses and gradients in closed form, and by autograd."""
    assert net._closed_form
    answers = []
    for closed in (True, False):
        net._closed_form = closed
        net.forget_gradients()
        losses = net.backward(batch, mean_weight)
        assert not losses.requires_grad
        answers.append([losses, *(p.grad.clone() for p in net.module_.parameters())])
    net._closed_form = True
    return answers


CASES = {
    "cross-entropy": lambda a: (perceptron(3, a), StackCrossEntropy(), labels()),
    "known noise": lambda a: (perceptron(1, a), StackGaussian(0.3), numbers()),
    "noise of a second output": lambda a: (perceptron(2, a), StackGaussian(), numbers()),
    "shared noise": lambda a: (SharedNoise(perceptron(1, a), -0.4), StackGaussian(), numbers()),
    "shared noise with a floor": lambda a: (
        SharedNoise(perceptron(1, a), -0.4, -0.9),
        StackGaussian(),
        numbers(),
    ),
    "no hidden layer": lambda a: (perceptron(3, a, ()), StackCrossEntropy(), labels()),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("rows_of", ["shared", "members"])
@pytest.mark.parametrize("activation", sorted(SLOPES))
@pytest.mark.parametrize("case", sorted(CASES))
def test_it_is_autograds_gradient(case, activation, rows_of, weighted):
    weight = np.linspace(0.0, 2.0, N_ROWS) if weighted else None
    net, rows = net_of(*CASES[case](activation), weight)
    batch = rows.everything()
    if rows_of == "members":
        chosen = torch.randint(N_ROWS, (N_MEMBERS, 7), generator=generator(2))
        batch = rows.take(chosen)
    ours, autograds = both_ways(net, batch, rows.mean_weight)
    for a, b in zip(ours, autograds, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_gradients_add_up():
    net, rows = net_of(perceptron(3), StackCrossEntropy(), labels())
    once, _ = both_ways(net, rows.everything(), 1.0)
    net.forget_gradients()
    net.backward(rows.everything(), 1.0)
    net.backward(rows.everything(), 1.0)
    for p, g in zip(net.module_.parameters(), once[1:], strict=True):
        torch.testing.assert_close(p.grad, 2.0 * g)


def test_large_logits_do_not_overflow():
    module = perceptron(3)
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(1e4)
    net, rows = net_of(module, StackCrossEntropy(), labels())
    ours, autograds = both_ways(net, rows.everything(), 1.0)
    for a, b in zip(ours, autograds, strict=True):
        assert a.isfinite().all()
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - set(SLOPES)))
def test_other_activations_are_left_to_autograd(activation):
    net, rows = net_of(perceptron(3, activation), StackCrossEntropy(), labels())
    assert not net._closed_form
    losses = net.backward(rows.everything(), 1.0)
    torch.testing.assert_close(losses, net.member_losses(rows.everything(), 1.0).detach())
    assert all(p.grad is not None for p in net.module_.parameters())


def test_modules_that_it_does_not_know_are_left_to_autograd():
    class Scaled(StackedMLP):
        def forward(self, X):
            return 2.0 * super().forward(X)

    frozen = perceptron(3)
    next(frozen.parameters()).requires_grad_(False)
    watched = perceptron(3)
    watched.register_forward_hook(lambda module, X, output: 2.0 * output)
    inner = perceptron(1)
    inner.layers[0].register_forward_pre_hook(lambda module, X: X)
    for module in (
        Scaled(4, (5,), 3, 2),
        frozen,
        nn.Linear(4, 3),
        watched,
        SharedNoise(inner, 0.0),
    ):
        assert not can_pull_back(module)
    assert can_pull_back(perceptron(3))


def test_a_whole_fit_is_the_same(monkeypatch):
    """Ten steps in float64: the two ways differ by rounding alone."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    y = X[:, 0] - X[:, 1]
    params = {
        "hidden_layer_sizes": (6,),
        "step_size": 1e-3,
        "n_chains": 2,
        "n_warmup": 5,
        "n_draws": 5,
        "thinning": 1,
        "dtype": "float64",
        "random_state": 0,
    }
    ours = SGLDRegressor(**params).fit(X, y).predict(X)
    monkeypatch.setattr("skbayes._engine.net.can_pull_back", lambda module: False)
    np.testing.assert_allclose(SGLDRegressor(**params).fit(X, y).predict(X), ours, rtol=1e-9)
