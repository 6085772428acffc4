"""The automatic step of SGLD, and steps that are too large."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from chain_toys import make_data
from skorch.callbacks import Callback
from torch.nn import functional as F

from skbayes import SGLDClassifier


class Start(Callback):
    weights: ClassVar[list] = []

    def on_train_begin(self, net, **kwargs):
        type(self).weights = [p.detach().clone() for p in net.module_.parameters()]


def potential(flat, shapes, X, y, weight, precisions):
    """U of one chain, in plain torch."""
    parts = [
        p.view(shape)
        for p, shape in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)
    ]
    hidden = torch.tanh(X @ parts[0].T + parts[1])
    losses = F.cross_entropy(hidden @ parts[2].T + parts[3], y, reduction="none") * weight
    prior = sum(q * p.square().sum() for q, p in zip(precisions, parts, strict=True))
    return losses, losses.sum() + prior / 2


@pytest.mark.parametrize("prior_scale", [1.0, "fan_in"])
@pytest.mark.parametrize("batch_size", ["auto", 8])
def test_automatic_step_against_the_exact_hessian(prior_scale, batch_size):
    X, y = make_data()
    weight = np.random.RandomState(2).uniform(0.5, 2, size=len(X))
    model = SGLDClassifier(
        (3,),
        "tanh",
        n_chains=1,
        n_warmup=0,
        n_draws=1,
        thinning=1,
        batch_size=batch_size,
        prior_scale=prior_scale,
        random_state=0,
        skorch_callbacks=[Start()],
    ).fit(X, y, sample_weight=weight)
    start = [p[0] for p in Start.weights]
    precisions = [3, 1, 3, 1] if prior_scale == "fan_in" else [1, 1, 1, 1]
    data = torch.from_numpy(X), torch.from_numpy(y), torch.from_numpy(weight)
    shapes, flat = [p.shape for p in start], torch.cat([p.flatten() for p in start])
    hessian = torch.autograd.functional.hessian(
        lambda w: potential(w, shapes, *data, precisions)[1], flat
    )
    largest = torch.linalg.eigvalsh(hessian).abs().max().item()
    found = model.history_["curvature"][0]
    # a power iteration of 20 products comes from below; 1e-3 for the differences
    assert 0.9 * largest < found < 1.001 * largest
    alpha, cap = 0.0, np.inf
    if batch_size == 8:
        rows = torch.autograd.functional.jacobian(
            lambda w: potential(w, shapes, *data, precisions)[0], flat
        )
        # gradients of N rows of mean weight one, scaled as in the sum
        spread = torch.linalg.eigvalsh(torch.cov(rows.T, correction=0))[-1].item()
        n = len(X)
        alpha = n**2 * spread / (4 * 8) * (1 - 8 / n)  # per unit of step
        cap = 0.25 / alpha
    # two significant digits; the noise too is measured from below
    expected = min(0.35 * 0.85 / found, cap)
    assert model.step_size_ == pytest.approx(expected, rel=0.1)
    assert model.history_["step_size"][0] == model.step_size_
    assert model.history_["alpha"][0] == pytest.approx(model.step_size_ * alpha, rel=0.1)
    assert len(model.history_["curvature"]) == len(model.history_["epoch"])


def test_automatic_step_leaves_the_chains_where_they_are():
    X, y = make_data()
    model = SGLDClassifier((3,), n_warmup=0, n_draws=2, thinning=1, temperature=0.0, random_state=0)
    automatic = model.fit(X, y).sample_proba(X)
    given = model.set_params(step_size=model.step_size_).fit(X, y).sample_proba(X)
    np.testing.assert_allclose(automatic, given, rtol=1e-12)


def test_a_prior_of_no_width_is_a_clear_error():
    X, y = make_data()
    with pytest.raises(ValueError, match=r"step_size='auto' found no usable step.*prior_scale"):
        SGLDClassifier((3,), prior_scale=1e-200).fit(X, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", ["auto", 8])
def test_a_step_that_is_too_large_is_an_error_not_nan(batch_size, dtype):
    X, y = make_data()
    model = SGLDClassifier((5,), step_size=1e6, batch_size=batch_size, dtype=dtype)
    with pytest.raises(ValueError, match=r"Training diverged.*smaller step.*step_size"):
        model.fit(X, y)
