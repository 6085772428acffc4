"""What every feature adds to a score."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

from skbayes import VAE, VAEAnomalyDetector
from skbayes.density._contributions import exchanged
from skbayes.density._scores import SCORES

WINE = scale(load_wine().data)


@pytest.fixture(scope="module")
def everything():
    model = VAEAnomalyDetector(3, (16,), n_members=2, max_iter=40, n_importance=5, random_state=0)
    return model.set_params(score_method="+".join(sorted(SCORES))).fit(WINE)


@pytest.mark.parametrize("score", ["auto", *sorted(SCORES), "+".join(sorted(SCORES))])
def test_contributions_add_up_to_the_score(everything, score):
    model = clone(everything) if score == "auto" else everything
    model = model.set_params(score_method=score)
    if score == "auto":
        model.fit(WINE)
    rows = WINE[:20]
    parts = model.feature_contributions(rows)
    assert parts.shape == rows.shape
    np.testing.assert_allclose(parts.sum(axis=1), model.score_samples(rows), rtol=1e-9)
    np.testing.assert_allclose(model.feature_contributions(rows[3:4]), parts[3:4], rtol=1e-7)
    sparse_rows = sparse.csr_array(rows)
    np.testing.assert_allclose(model.feature_contributions(sparse_rows), parts, rtol=1e-7)


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("score_method", ["iwae", "mixture"])
def test_contributions_to_a_density(n_members, score_method):
    model = VAE(2, (8,), n_members=n_members, score_method=score_method, max_iter=5, random_state=0)
    parts = model.fit(WINE).feature_contributions(WINE[:9])
    np.testing.assert_allclose(parts.sum(axis=1), model.score_samples(WINE[:9]), rtol=1e-9)


@pytest.mark.parametrize("likelihood", ["gaussian", "student_t", "bernoulli"])
def test_contributions_of_every_likelihood(likelihood):
    X = (WINE - WINE.min(0)) / np.ptp(WINE, axis=0)
    model = VAEAnomalyDetector(2, (8,), likelihood=likelihood, max_iter=5, random_state=0).fit(X)
    parts = model.feature_contributions(X[:9])
    np.testing.assert_allclose(parts.sum(axis=1), model.score_samples(X[:9]), rtol=1e-9)


def test_contributions_after_labels():
    model = VAEAnomalyDetector(2, (8,), max_iter=20, random_state=0).fit(WINE)
    model.fit_labels(WINE[:10], [1, -1] * 5)
    parts = model.feature_contributions(WINE[:9])
    np.testing.assert_allclose(parts.sum(axis=1), model.score_samples(WINE[:9]), rtol=1e-9)


@pytest.mark.parametrize("score", ["auto", "code_density", "elbo"])
def test_the_feature_that_was_spoiled_is_found(score):
    rng = np.random.RandomState(0)
    W = rng.normal(size=(3, 10))
    X = rng.normal(size=(800, 3)) @ W + 0.3 * rng.normal(size=(800, 10))
    X = scale(X)
    model = VAEAnomalyDetector(random_state=0, score_method=score, n_members=2, n_importance=8)
    model.set_params(max_iter=60).fit(X[:600])
    rows, spoiled = X[600:].copy(), rng.randint(10, size=200)
    rows[np.arange(200), spoiled] += rng.choice([-5, 5], size=200)
    found = model.feature_contributions(rows).argmin(axis=1) == spoiled
    assert found.mean() > 0.8  # chance is a tenth


def test_exchange_is_exact_for_sums_and_fair_to_twins():
    X = np.random.RandomState(0).normal(size=(6, 4))
    normal = np.zeros_like(X)
    parts = exchanged(lambda rows: np.square(rows).sum(1) + 8.0, X, normal, 0)
    np.testing.assert_allclose(parts, np.square(X) + 2.0)
    for seed in range(5):
        product = exchanged(lambda rows: rows[:, 0] * rows[:, 1], X, normal, seed)
        # every order is walked both ways, so that two features share what they make together
        np.testing.assert_allclose(product[:, 0], product[:, 1])
        np.testing.assert_allclose(product.sum(1), X[:, 0] * X[:, 1])
