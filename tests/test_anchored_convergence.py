"""The warning of anchored members that stopped before they converged."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from skbayes import DeepEnsembleClassifier, DeepEnsembleRegressor
from skbayes.supervised import _ensemble_training, _shortfall

NOISE = 0.3


def make_line(n, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(1, 2, size=(n, 1))
    return X, 0.5 * X[:, 0] - 1 + NOISE * rng.normal(size=n)


def line(**params):
    return DeepEnsembleRegressor((), anchored=True, noise_scale=NOISE, random_state=0, **params)


@pytest.fixture
def measured(monkeypatch):
    found = []

    def measure(net, rows):
        found.append((_shortfall.shortfall(net, rows), rows))

    monkeypatch.setattr(_ensemble_training, "warn_of_shortfall", measure)
    return found


@pytest.mark.parametrize("n", [40, 5000])  # one block of rows, and three
@pytest.mark.parametrize("weighted", [False, True])
def test_drop_of_a_linear_model_is_exact(measured, n, weighted):
    """Two parameters: conjugate gradients are at the minimum after two steps."""
    X, y = make_line(n)
    weight = np.tile([0.5, 2.0], n // 2) if weighted else None
    # where many rows are measured on, the Hessian is that of some: let these be typical
    X[:] = np.where(np.arange(n) % 2, X.std(), -X.std())[:, None] if n > 40 else X
    model = line(max_iter=5, n_members=3).fit(X, y, sample_weight=weight)
    ((drop, rows),) = measured
    design = np.column_stack([X, np.ones(n)])
    targets = (rows.y + rows.offset).numpy()  # (members, rows)
    w = np.ones(n) if weight is None else weight
    hessian = (design.T * w) @ design / NOISE**2 + np.eye(2)
    exact = []
    for member, target in enumerate(targets):
        now = np.r_[[p[member].numpy().ravel() for p in model.posterior_.params.values()]].ravel()
        anchor = np.r_[[a[member].numpy().ravel() for a in model._last_anchors.values()]].ravel()
        best = np.linalg.solve(hessian, (design.T * w) @ target / NOISE**2 + anchor)
        exact.append(0.5 * (now - best) @ hessian @ (now - best))
    np.testing.assert_allclose(drop, exact, rtol=1e-3 if n > 2048 else 1e-6)


def test_members_that_stopped_early_are_warned_of():
    X, y = make_line(40)
    with pytest.warns(
        ConvergenceWarning, match=r"5 of 5 anchored members stopped .* Raise max_iter"
    ):
        line(max_iter=3).fit(X, y)


@pytest.mark.parametrize(
    "params",
    [
        {"max_iter": "auto"},
        # what does not seek the mode
        {"early_stopping": True},
        {"anchored": False},
        {"adversarial_epsilon": 0.01},
        {"noise_scale": "heteroscedastic", "beta_nll": 0.5},
    ],
)
def test_others_are_not(params, recwarn):
    line(max_iter=3).set_params(**params).fit(*make_line(40))
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]


def frozen_and_dropping(n_features, n_outputs):
    net = nn.Sequential(
        nn.Linear(n_features, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, n_outputs)
    )
    net[0].bias.requires_grad_(False)
    return net


@pytest.mark.parametrize("module", [None, frozen_and_dropping])
def test_measuring_moves_nothing(monkeypatch, measured, module):
    X, y = make_line(40)
    model = DeepEnsembleClassifier((4,), anchored=True, module=module, max_iter=3, random_state=0)
    model.set_params(n_members=2)
    first = model.fit(X, y > -1).predict_proba(X)
    assert (measured[0][0] > 0).all()
    monkeypatch.setattr(_ensemble_training, "warn_of_shortfall", lambda net, rows: None)
    np.testing.assert_array_equal(model.fit(X, y > -1).predict_proba(X), first)
    assert all(not p.requires_grad for p in model.posterior_.module.parameters())
    assert all(torch.isfinite(p).all() for p in model.posterior_.params.values())
