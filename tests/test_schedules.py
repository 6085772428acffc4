"""Samplers' schedules and preconditioners."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from chain_toys import LINEAR, largest_curvature, make_data, make_line, weights
from estimators import name_of
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from torch.nn import functional as F

from skbayes import (
    HMCClassifier,
    SGHMCClassifier,
    SGLDClassifier,
    SGLDRegressor,
)

# -- schedules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", [SGLDClassifier((4,)), SGHMCClassifier((4,)), HMCClassifier((4,))], ids=name_of
)
def test_learning_rate_schedulers_are_refused(estimator):
    model = clone(estimator).set_params(skorch_callbacks=[LRScheduler("StepLR", step_size=1)])
    with pytest.raises(ValueError, match=r"LRScheduler, but the steps of a sampler.*step_size"):
        model.fit(*make_data())


class Positions(Callback):
    """Keeps the weights after every step."""

    seen: ClassVar[list] = []

    def on_train_begin(self, net, **kwargs):
        type(self).seen = [torch.cat([p.detach().flatten() for p in net.module_.parameters()])]

    def on_batch_end(self, net, training=True, **kwargs):
        type(self).seen.append(torch.cat([p.detach().flatten() for p in net.module_.parameters()]))


CYCLES = {"schedule": "cyclical", "n_cycles": 3, "exploration": 0.4, "step_size": 1e-3}


def test_cyclical_draws_are_taken_at_the_end_of_the_cycles():
    X, y = make_line()
    model = SGLDRegressor(**LINEAR, **CYCLES, n_warmup=15, n_draws=8, thinning=2)
    # without noise a draw can be recognised among the positions
    model.set_params(temperature=0.0, skorch_callbacks=[Positions()], n_chains=1).fit(X, y)
    # 3, 3 and 2 draws; 6 steps of sampling are .6 of a cycle of 10
    planned = [15 + 4 + 2, 15 + 4 + 4, 15 + 4 + 6]
    planned += [p + 10 for p in planned] + [p + 20 for p in planned[:2]]
    assert model._plan(None) == planned
    assert model.n_iter_ == planned[-1] == 43
    steps = 1e-3 / 2 * (np.cos(np.pi * (np.arange(28) % 10) / 10) + 1)
    np.testing.assert_allclose(model.history_["step_size"][:15], 1e-3)
    np.testing.assert_allclose(model.history_["step_size"][15:], steps, rtol=1e-12)
    # draws are resampled in proportion to their steps, but are those of the plan
    seen = torch.stack(Positions.seen)[planned]
    distance = torch.cdist(weights(model)[0], seen).min(1).values
    assert distance.max() < 1e-9


def test_exploration_is_descent_and_sampling_is_not():
    X, y = make_line()
    model = SGLDRegressor(**LINEAR, **CYCLES, n_warmup=15, n_draws=8, thinning=2)
    model.set_params(skorch_callbacks=[Positions()], n_chains=1).fit(X, y)
    seen = torch.stack(Positions.seen).numpy()
    design = np.column_stack([X, np.ones(30)])
    steps = model.history_["step_size"]
    gradient = (seen[:-1] @ design.T - y) @ design + seen[:-1]
    noise = seen[1:] - seen[:-1] + 0.5 * steps[:, None] * gradient
    assert noise.shape == (43, 3)
    t = np.arange(43)
    exploring = (t >= 15) & ((t - 15) % 10 < 4)
    np.testing.assert_allclose(noise[exploring], 0, atol=1e-12)
    standard = noise[~exploring] / np.sqrt(steps[~exploring, None])
    n = standard.size
    assert n == 31 * 3
    assert standard.std() == pytest.approx(1, abs=4.5 / (2 * n) ** 0.5)
    assert (np.abs(standard) > 1e-6).all()


def test_more_cycles_than_draws_are_an_error():
    model = SGLDRegressor(**LINEAR, schedule="cyclical", n_cycles=5, n_draws=4)
    with pytest.raises(ValueError, match="n_cycles=5 must be at most n_draws=4"):
        model.fit(*make_line())


def test_cyclical_posterior_of_a_linear_model():
    """Small steps, long cycles: the posterior still, the last draws of a cycle are no colder."""
    X, y = make_line()
    model = SGLDRegressor(
        **LINEAR | {"n_chains": 100},
        schedule="cyclical",
        step_size=0.3 / largest_curvature(X, 1.0),
        n_cycles=4,
        n_draws=20,
        n_warmup=300,
        thinning=60,
    ).fit(X, y)
    design = np.column_stack([X, np.ones(30)])
    covariance = np.linalg.inv(design.T @ design + np.eye(3))
    draws = weights(model).numpy()
    mean, std = covariance @ design.T @ y, np.sqrt(np.diag(covariance))
    # the chains are independent; 2 % for the step
    error = draws.mean(1).std(0, ddof=1) / 100**0.5
    assert (np.abs(draws.mean((0, 1)) - mean) < 4.5 * error).all()
    error = draws.std(1).std(0, ddof=1) / 100**0.5
    assert (np.abs(draws.reshape(-1, 3).std(0) - std) < 4.5 * error + 0.03 * std).all()


# -- preconditioner -------------------------------------------------------------------------------


class Roots(Callback):
    seen: ClassVar[list] = []

    def on_train_begin(self, net, **kwargs):
        type(self).seen = []

    def on_batch_end(self, net, training=True, **kwargs):
        root = net.optimizer_.root
        flat = None if root is None else torch.cat([r.flatten() for r in root])
        type(self).seen.append(flat)


@pytest.mark.parametrize("step_size", ["auto", 1e-3])
def test_preconditioner_is_frozen_after_three_quarters_of_warm_up(step_size):
    X, y = make_data()
    model = SGLDClassifier((4,), preconditioner="rmsprop", n_warmup=160, n_draws=8, thinning=5)
    model.set_params(step_size=step_size, skorch_callbacks=[Roots()], random_state=0).fit(X, y)
    same = [
        a is not None and b is not None and torch.equal(a, b)
        for a, b in zip(Roots.seen[:-1], Roots.seen[1:], strict=True)
    ]
    assert len(Roots.seen) == 200
    # seen[t] is the root before step t + 1's update, and step 120 has the last one
    assert not any(same[10:120])
    assert all(same[120:])


class Weights(Callback):
    """Keeps the weights and roots at the start and at the end."""

    start: ClassVar[list] = []

    def on_train_begin(self, net, **kwargs):
        type(self).start = [p.detach().clone() for p in net.module_.parameters()]
        type(self).root = [r.clone() for r in net.optimizer_.root]


def test_automatic_step_with_a_preconditioner_against_the_exact_hessian():
    X, y = make_data()
    model = SGLDClassifier(
        (3,),
        "tanh",
        preconditioner="rmsprop",
        n_chains=1,
        n_warmup=0,
        n_draws=1,
        thinning=1,
        random_state=0,
        skorch_callbacks=[Weights()],
    ).fit(X, y)
    start = [p[0] for p in Weights.start]

    def potential(flat):
        pieces = zip(flat.split([p.numel() for p in start]), start, strict=True)
        W, b, V, c = (piece.view(p.shape) for piece, p in pieces)
        logits = torch.tanh(torch.from_numpy(X) @ W.T + b) @ V.T + c
        losses = F.cross_entropy(logits, torch.from_numpy(y), reduction="sum")
        return losses + flat.square().sum() / 2

    flat = torch.cat([p.flatten() for p in start]).requires_grad_()
    (gradient,) = torch.autograd.grad(potential(flat), flat)
    # one gradient of the mean loss has been seen
    root = (1e-5 + gradient.abs() / len(X)).rsqrt()
    found_root = torch.cat([r.flatten() for r in Weights.root])
    torch.testing.assert_close(found_root, root, rtol=1e-9, atol=0)
    hessian = torch.autograd.functional.hessian(potential, flat.detach())
    largest = torch.linalg.eigvalsh(root[:, None] * hessian * root).abs().max().item()
    found = model.history_["curvature"][0]
    # from below, by a power iteration of 20 products
    assert 0.85 * largest < found < 1.001 * largest
    assert model.step_size_ == pytest.approx(0.35 * 0.85 / found, rel=0.05)


def test_preconditioned_posterior_of_a_badly_scaled_linear_model():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(40, 2)) * [0.2, 8]
    y = X @ [1, 0.1] + rng.normal(size=40)
    model = SGLDRegressor(
        **LINEAR | {"n_chains": 60}, preconditioner="rmsprop", n_warmup=400, n_draws=20, thinning=30
    ).fit(X, y)
    design = np.column_stack([X, np.ones(40)])
    covariance = np.linalg.inv(design.T @ design + np.eye(3))
    draws = weights(model).numpy()
    mean, std = covariance @ design.T @ y, np.sqrt(np.diag(covariance))
    error = draws.mean(1).std(0, ddof=1) / 60**0.5
    assert (np.abs(draws.mean((0, 1)) - mean) < 4.5 * error).all()
    # eps l = .85 in the stiffest direction: a variance of 1 / (1 - .85 / 4), 13 % in the deviation
    ratio = draws.reshape(-1, 3).std(0) / std
    error = draws.std(1).std(0, ddof=1) / 60**0.5 / std
    assert (ratio > 1 - 4.5 * error).all()
    assert (ratio < 1.14 + 4.5 * error).all()
