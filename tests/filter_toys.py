"""What the tests of the deep ensemble filter share: data, small filters, a plain training loop."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skbayes import DeepEnsembleFilterClassifier, DeepEnsembleFilterRegressor

#: Standard errors within which a statistic must lie.
ERRORS = 4.5


def make_data(n=40, n_features=3, n_classes=3, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, n_features))
    logits = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, logits.argmax(1)


def make_filter(hidden=(6,), **params):
    plain = {"n_members": 2, "init_epochs": 10, "warm_epochs": 8, "random_state": 0}
    params = {**plain, "inflation": "additive", **params}
    return DeepEnsembleFilterClassifier(hidden, "tanh", **params)


def weights(model):
    return {name: p.clone() for name, p in model.posterior_.params.items()}


def assert_same_weights(found, expected, rtol=0.0, atol=0.0):
    assert list(found) == list(expected)
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=rtol, atol=atol)


def torch_run(start, X, y, n_epochs, *, lr=0.01, cosine=True, precision=1.0, weight=None):
    """One member by a plain torch loop: full batch, Adam with fresh moments, centred columns.

    The first bias that is stepped is that of the centred columns; the prior is on the other.
    """
    params = [p.clone() for p in start]
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    mean = X.mean(0)
    params[1] += params[0] @ mean
    params = [p.requires_grad_() for p in params]
    optimizer = torch.optim.Adam(params, lr=lr)
    weight = torch.ones(len(X)).double() if weight is None else torch.from_numpy(weight)
    for epoch in range(n_epochs):
        if cosine:
            optimizer.param_groups[0]["lr"] = lr * (1 + np.cos(np.pi * epoch / n_epochs)) / 2
        hidden = torch.tanh((X - mean) @ params[0].T + params[1])
        losses = F.cross_entropy(hidden @ params[2].T + params[3], y, reduction="none")
        penalised = [params[0], params[1] - params[0] @ mean, *params[2:]]
        prior = sum(p.square().sum() for p in penalised) * precision / 2
        optimizer.zero_grad()
        (((losses * weight).sum() + prior) / weight.sum()).backward()
        optimizer.step()
    weight, bias, *rest = [p.detach() for p in params]
    return [weight, bias - weight @ mean, *rest]


def member(params, i):
    return [p[i] for p in params.values()]


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
