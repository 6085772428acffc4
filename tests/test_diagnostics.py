"""Convergence diagnostics and distances: closed forms, invariances, other programs' results."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import SGLDClassifier
from skbayes.active import ActiveLearner
from skbayes.diagnostics import (
    ChainDiagnostics,
    chain_diagnostics,
    ess,
    rhat,
)


class Chains(ClassifierMixin, BaseEstimator):
    """Random logits a draw; chain 0 may have weights of its own."""

    def __init__(self, n_chains=4, n_draws=60, shift=0.0, scale=1.0):
        self.n_chains = n_chains
        self.n_draws = n_draws
        self.shift = shift
        self.scale = scale

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_chains_ = self.n_chains
        size = (self.n_chains, self.n_draws, X.shape[1], len(self.classes_))
        weights = np.random.RandomState(0).normal(size=size) * self.scale
        weights[0, ..., 0] += self.shift
        self.weights_ = weights.reshape(-1, *size[2:])  # chain-major
        return self

    def sample_proba(self, X):
        odds = np.exp(X @ self.weights_)  # (draws, rows, classes)
        return odds / odds.sum(axis=-1, keepdims=True)

    def predict_proba(self, X):
        return self.sample_proba(X).mean(axis=0)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class RegressionChains(RegressorMixin, BaseEstimator):
    def __init__(self, n_chains=2, n_draws=50):
        self.n_chains = n_chains
        self.n_draws = n_draws

    def fit(self, X, y):
        self.n_chains_ = self.n_chains
        size = (self.n_chains * self.n_draws, X.shape[1])
        self.weights_ = np.random.RandomState(0).normal(size=size)
        return self

    def sample_mean(self, X):
        return self.weights_ @ X.T

    def predict(self, X):
        return self.sample_mean(X).mean(axis=0)


@pytest.fixture(scope="module")
def data():
    X = np.random.RandomState(1).normal(3, 2, size=(40, 2))
    return X, np.array(["a", "b", "c"])[np.arange(40) % 3]


# -- diagnostics of an estimator -------------------------------------------------------------------


def test_classifier(data):
    X, y = data
    clf = Chains().fit(X, y)
    found = chain_diagnostics(clf, X[:7])
    draws = clf.sample_proba(X[:7]).reshape(4, 60, 7, 3)
    assert isinstance(found, ChainDiagnostics)
    assert (found.n_chains, found.n_draws) == (4, 60)
    np.testing.assert_array_equal(found.rhat, rhat(draws))
    np.testing.assert_array_equal(found.ess_bulk, ess(draws))
    np.testing.assert_array_equal(found.ess_tail, ess(draws, "tail"))
    assert found.max_rhat == found.rhat.max() < 1.05
    assert found.min_ess_bulk == found.ess_bulk.min()
    assert found.min_ess_tail == found.ess_tail.min()


def test_our_own_sampler(data):
    X, y = data
    clf = SGLDClassifier((5,), n_chains=3, n_draws=8, n_warmup=20, thinning=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so short a run may not have mixed
        pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    found = chain_diagnostics(pipeline, X)
    draws = pipeline[-1].sample_proba(pipeline[0].transform(X))
    np.testing.assert_array_equal(found.rhat, rhat(draws.reshape(3, 8, 40, 3)))
    # chain after chain: cut elsewhere, the same draws would seem to agree
    mixed = np.stack([draws[chain::3] for chain in range(3)])
    assert found.max_rhat > rhat(mixed).max()


def test_draws_are_chain_major(data):
    X, y = data
    found = chain_diagnostics(Chains(shift=5.0).fit(X, y), X)
    assert found.max_rhat > 1.2


def test_regressor(data):
    X, _ = data
    reg = RegressionChains().fit(X, X[:, 0])
    found = chain_diagnostics(reg, X)
    np.testing.assert_array_equal(found.rhat, rhat(reg.sample_mean(X).reshape(2, 50, 40)))
    assert found.rhat.shape == (40,)


def wrap(kind, clf, X, y):
    """Fitted, and what its innermost estimator sees of X."""
    if kind == "pipeline":
        wrapped = make_pipeline(StandardScaler(), clf).fit(X, y)
        return wrapped, wrapped[-1], wrapped[:-1].transform(X)
    if kind == "search":
        wrapped = GridSearchCV(clf, {"scale": [0.5, 1.0]}, cv=2).fit(X, y)
        return wrapped, wrapped.best_estimator_, X
    if kind == "search in pipeline":
        search = GridSearchCV(clf, {"scale": [0.5, 1.0]}, cv=2)
        wrapped = make_pipeline(StandardScaler(), search).fit(X, y)
        return wrapped, wrapped[-1].best_estimator_, wrapped[:-1].transform(X)
    if kind == "frozen":
        return FrozenEstimator(clf.fit(X, y)), clf, X
    wrapped = ActiveLearner(clf, X_training=X, y_training=y)
    return wrapped, wrapped.estimator, X


@pytest.mark.parametrize("kind", ["pipeline", "search", "search in pipeline", "frozen", "learner"])
def test_sampler_is_found_behind(kind, data):
    wrapped, inner, X = wrap(kind, Chains(), *data)
    expected = rhat(inner.sample_proba(X).reshape(4, 60, 40, 3))
    np.testing.assert_array_equal(chain_diagnostics(wrapped, data[0]).rhat, expected)


@pytest.mark.parametrize(
    "estimator",
    [
        Chains(),
        RegressionChains(),
        LogisticRegression(),
        make_pipeline(StandardScaler(), Chains()),
        GridSearchCV(Chains(), {"scale": [1.0]}),
        make_pipeline(StandardScaler(), GridSearchCV(Chains(), {"scale": [1.0]})),
        ActiveLearner(LogisticRegression()),
    ],
    ids=["classifier", "regressor", "other", "pipeline", "search", "nested", "learner"],
)
def test_estimator_that_is_not_fitted(estimator, data):
    with pytest.raises(NotFittedError):
        chain_diagnostics(estimator, data[0])


def test_estimator_without_draws_or_chains(data):
    X, y = data
    with pytest.raises(TypeError, match="estimator=LogisticRegression has no posterior draws"):
        chain_diagnostics(LogisticRegression().fit(X, y), X)
    with pytest.raises(TypeError, match="estimator=str has no posterior draws"):
        chain_diagnostics("sampler", X)
    ensemble = Chains().fit(X, y)
    del ensemble.n_chains_
    with pytest.raises(TypeError, match=r"Pipeline: the draws of Chains .* no n_chains_"):
        chain_diagnostics(make_pipeline(FrozenEstimator(StandardScaler().fit(X)), ensemble), X)


def test_chains_that_make_no_sense(data):
    X, y = data
    with pytest.raises(ValueError, match=r"Chains has 3 draws in each of 4 chains"):
        chain_diagnostics(Chains(n_draws=3).fit(X, y), X)
    clf = Chains().fit(X, y)
    clf.n_chains_ = 7
    with pytest.raises(ValueError, match="240 draws cannot be those of n_chains_=7"):
        chain_diagnostics(clf, X)
    for wrong in (0, 2.0, True):
        clf.n_chains_ = wrong
        with pytest.raises(ValueError, match=f"n_chains_={wrong!r} of Chains must be an integer"):
            chain_diagnostics(clf, X)
    clf.n_chains_ = 4
    clf.sample_proba = lambda X: np.zeros((240, len(X)))
    with pytest.raises(ValueError, match=r"shape \(240, 40\), it must be \(draws, rows, classes\)"):
        chain_diagnostics(clf, X)


def test_one_chain_has_no_rhat(data):
    X, y = data
    found = chain_diagnostics(Chains(n_chains=1).fit(X, y), X)
    assert np.isnan(found.max_rhat)
    assert found.min_ess_bulk == found.ess_bulk.min()
    assert str(found).startswith("1 chain of 60 draws, 40 rows of 3 classes: no R-hat")


def test_summaries_leave_nan_out():
    values = np.array([[np.nan, 1.5], [2.5, 2.0]])
    found = ChainDiagnostics(values, values + 1, values + 2, n_chains=4, n_draws=10)
    assert (found.max_rhat, found.min_ess_bulk, found.min_ess_tail) == (2.5, 2.5, 3.5)
    text = "4 chains of 10 draws, 2 rows of 2 classes: max R-hat 2.500, min ESS 2 (bulk), 4 (tail)"
    assert str(found) == text + " of 40"
    empty = ChainDiagnostics(*[np.full(3, np.nan)] * 3, n_chains=4, n_draws=10)
    assert np.isnan([empty.max_rhat, empty.min_ess_bulk, empty.min_ess_tail]).all()
    with pytest.raises(AttributeError):
        found.n_chains = 5
