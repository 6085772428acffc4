"""A learner to begin with, and stand-ins for what it is around."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, OutlierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skbayes.active import ActiveLearner

X, Y = load_iris(return_X_y=True)
START = np.r_[0:3, 50:53, 100:103]
POOL = np.setdiff1d(np.arange(len(Y)), START)


class Bootstraps(ClassifierMixin, BaseEstimator):
    """A few logistic regressions on bootstrap samples."""

    def __init__(self, n_members=5):
        self.n_members = n_members

    def fit(self, X, y):
        rng = np.random.RandomState(0)
        self.classes_ = np.unique(y)
        self.members_ = []
        for _ in range(self.n_members):
            rows = np.r_[np.unique(y, return_index=True)[1], rng.randint(len(y), size=len(y))]
            self.members_.append(LogisticRegression(max_iter=1000).fit(X[rows], y[rows]))
        return self

    def sample_proba(self, X):
        return np.stack([member.predict_proba(X) for member in self.members_])

    def predict_proba(self, X):
        return self.sample_proba(X).mean(axis=0)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Duck:
    """Fit, predict, predict_proba and nothing else: no clone, no tags."""

    def __init__(self, proba=None):
        self.proba = proba
        self.fitted = []

    def fit(self, X, y, **kwargs):
        self.fitted.append((X, y, kwargs))

    def predict(self, X):
        return np.zeros(len(X))

    def predict_proba(self, X):
        if self.proba is None:
            raise NotFittedError("not yet")
        return self.proba[: len(X)]


class Distance(OutlierMixin, BaseEstimator):
    """Distance from the mean of the unlabelled rows; labels move the threshold."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        self.n_density_fits_ = getattr(self, "n_density_fits_", 0) + 1
        self.offset_ = np.quantile(self.score_samples(X), 0.1)
        return self

    def score_samples(self, X):
        if not hasattr(self, "mean_"):
            raise NotFittedError("not yet")
        return -np.linalg.norm(X - self.mean_, axis=1)

    def decision_function(self, X):
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def fit_labels(self, X, y):
        y = np.asarray(y)
        self.labelled_ = (X, y)
        scores = self.score_samples(X)
        if len(set(y)) == 2:
            self.offset_ = (scores[y == 1].min() + scores[y == -1].max()) / 2
        return self


def global_state():
    _, keys, position, *_ = np.random.get_state()
    return keys.tolist(), position


def started(estimator=None, **kwargs):
    estimator = LogisticRegression(max_iter=2000) if estimator is None else estimator
    kwargs = {"X_training": X[START], "y_training": Y[START], "random_state": 0, **kwargs}
    return ActiveLearner(estimator, **kwargs)
