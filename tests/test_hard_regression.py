"""Regression where numbers are hard: offsets, far rows, frozen layers, large data, explosions."""

import warnings

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skbayes import SGHMCRegressor, SGLDRegressor


def line(n=30, noise=0.3, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 2))
    return X, X @ [1.0, -0.5] + 0.3 + noise * rng.normal(size=n)


def test_a_large_offset_costs_no_precision():
    X, y = line()
    model = SGHMCRegressor((8,), normalize_y=True, n_warmup=200, n_draws=20, random_state=0)
    near = clone(model).fit(X.astype(np.float32), y).predict(X, return_std=True)
    far = clone(model).fit(X.astype(np.float32), y + 1e7).predict(X, return_std=True)
    np.testing.assert_allclose(far[0] - 1e7, near[0], atol=1e-2)
    np.testing.assert_allclose(far[1], near[1], rtol=1e-2)


def test_far_from_the_data_predictions_stay_finite():
    X, y = line()
    model = SGHMCRegressor(
        (8,), noise_scale="heteroscedastic", n_warmup=200, n_draws=20, random_state=0
    ).fit(X.astype(np.float32), y)
    far = np.full((1, 2), 1e4, np.float32)
    assert np.isfinite(model.predict(far, return_std=True)).all()
    assert np.isfinite(model.predict_interval(far)).all()


def test_frozen_layers_are_no_part_of_the_posterior():
    class Frozen(torch.nn.Module):
        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.features = torch.nn.Linear(n_features, 30)
            torch.nn.init.normal_(self.features.weight, 0, 5.0)
            self.features.requires_grad_(False)
            self.last = torch.nn.Linear(30, n_outputs)

        def forward(self, X):
            return self.last(torch.tanh(self.features(X)))

    X, y = line(60)
    model = SGHMCRegressor(module=Frozen, noise_scale=0.3, n_warmup=400, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Chains were thrown out")
        model.fit(X, y)
    assert model.step_size_ > 1e-3


def test_minibatches_reach_the_posterior():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(6000, 4))
    y = X @ [1, 2, -1, 0.5] + 0.5 * rng.normal(size=6000)
    A = np.c_[X, np.ones(6000)]
    mean = np.linalg.solve(A.T @ A / 0.25 + np.eye(5), A.T @ y / 0.25)
    for model in (
        SGLDRegressor((), noise_scale=0.5, random_state=0),
        SGHMCRegressor((), noise_scale=0.5, batch_size=200, random_state=0),
        SGHMCRegressor((), noise_scale=0.5, batch_size=200, integrator="euler", random_state=0),
    ):
        model.fit(X, y)
        params = {name: p.numpy() for name, p in model.posterior_.params.items()}
        found = np.c_[params["layers.0.weight"][:, 0], params["layers.0.bias"]]
        # the posterior's deviation is .5 / sqrt(6000); minibatches heat it by a quarter at most
        assert np.abs(found.mean(0) - mean).max() < 0.5 / 6000**0.5
        np.testing.assert_allclose(found.std(0), 0.5 / 6000**0.5, rtol=0.35)


def test_an_explosion_is_an_error_or_a_warning_never_nan():
    X, y = line()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for step_size in (1.0, 1e3):
            try:
                model = SGHMCRegressor((5,), step_size=step_size, n_warmup=50, n_draws=5)
                predicted = model.set_params(random_state=0).fit(X, y).predict(X)
            except ValueError as error:
                assert "diverged" in str(error)
            else:
                assert np.isfinite(predicted).all()
