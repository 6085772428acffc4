"""What the tests of odd and bad input share: two small classifiers and their data."""

import numpy as np
import pytest
from torch import nn

from skbayes import DeepEnsembleFilterClassifier, SGLDClassifier

ESTIMATORS = [
    SGLDClassifier((5,), n_chains=2, n_draws=4, n_warmup=20, thinning=3, random_state=0),
    DeepEnsembleFilterClassifier((5,), n_members=2, init_epochs=5, warm_epochs=3, random_state=0),
]


ALL = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)


def make_data(n=30, n_features=3):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n, n_features))
    return X, (X[:, 0] > 0).astype(int)


def linear(n_features, n_outputs):
    return nn.Linear(n_features, n_outputs)


def works(model, X, n_rows=None):
    n_rows = n_rows or len(X)
    proba = model.predict_proba(X)
    assert proba.shape == (n_rows, len(model.classes_))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5 if proba.dtype == np.float32 else 1e-12)
    draws = model.sample_proba(X)
    assert np.isfinite(draws).all()
    np.testing.assert_allclose(draws.mean(0), proba, rtol=1e-4, atol=1e-6)
    predicted = model.predict(X)
    assert predicted.shape == (n_rows,)
    assert np.isin(predicted, model.classes_).all()
    for uncertainty in model.predict_uncertainty(X):
        assert uncertainty.shape == (n_rows,)
        assert np.isfinite(uncertainty).all()
        assert (uncertainty >= 0).all()
    return model
