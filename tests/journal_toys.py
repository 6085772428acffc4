"""A run with a journal, and what two runs must share."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB

from skbayes.active import ActiveLearner

X, Y = load_iris(return_X_y=True)


START = np.r_[0, 1, 50, 51, 100, 101]


POOL = np.setdiff1d(np.arange(150), START)


X_POOL, Y_POOL = X[POOL], Y[POOL]


def begin(path, estimator=None, **kwargs):
    parameters = {"acquisition": "margin", "random_state": 0, "journal": path, **kwargs}
    estimator = GaussianNB() if estimator is None else estimator
    return ActiveLearner(estimator, X_training=X[START], y_training=Y[START], **parameters)


def step(learner, n_instances=3, pool=X_POOL, labels=Y_POOL, **kwargs):
    indices, rows = learner.query(pool, n_instances=n_instances, exclude=learner.labelled_)
    learner.teach(rows, labels[indices], **kwargs)
    return indices


def same(a, b):
    np.testing.assert_array_equal(a.X_training, b.X_training)
    np.testing.assert_array_equal(a.y_training, b.y_training)
    np.testing.assert_array_equal(a.labelled_, b.labelled_)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
