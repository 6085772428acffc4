"""Folds that train on normals only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_predict
from sklearn.neighbors import KernelDensity

from skbayes.metrics import anomaly_roc_auc
from skbayes.model_selection import NoveltySplit


def global_state():
    _, keys, position, *_ = np.random.get_state()
    return keys.tolist(), position


@given(st.integers(5, 40), st.integers(5, 15), st.integers(2, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_laws(n_normals, n_anomalies, n_splits, seed):
    anomaly = np.random.RandomState(seed).permutation(np.arange(n_normals + n_anomalies)) < (
        n_anomalies
    )
    X = np.zeros((len(anomaly), 1))
    folds = list(NoveltySplit(n_splits, random_state=seed).split(X, anomaly))
    assert len(folds) == n_splits
    for train, test in folds:
        assert not anomaly[train].any()
        assert len(np.intersect1d(train, test)) == 0
        # all normals are in one or the other
        assert len(train) + (~anomaly[test]).sum() == n_normals
        assert abs((~anomaly[test]).sum() - n_normals / n_splits) < 1
        assert abs(anomaly[test].sum() - n_anomalies / n_splits) < 1
        assert anomaly[test].any() and not anomaly[test].all()
        assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()
    everything = np.sort(np.concatenate([test for _, test in folds]))
    np.testing.assert_array_equal(everything, np.arange(len(anomaly)))


def test_both_conventions_give_the_same_folds():
    y = np.repeat([0, 1], [20, 10])
    X = np.zeros((30, 1))
    zeros_ones, signs = (
        [
            (train.tolist(), test.tolist())
            for train, test in NoveltySplit(3, random_state=1).split(X, labels)
        ]
        for labels in (y, 1 - 2 * y)
    )
    assert zeros_ones == signs


def test_shuffle_and_seeds():
    y = np.repeat([1, -1], [40, 10])
    X = np.zeros((50, 1))

    def tests(cv):
        return [test.tolist() for _, test in cv.split(X, y)]

    state = global_state()
    cv = NoveltySplit(2, random_state=0)
    assert tests(cv) == tests(cv)
    assert tests(cv) != tests(NoveltySplit(2, random_state=1))
    assert tests(NoveltySplit(2)) != tests(NoveltySplit(2))
    rng = np.random.RandomState(0)
    shared = NoveltySplit(2, random_state=rng)
    assert tests(shared) != tests(shared)
    in_order = tests(NoveltySplit(2, shuffle=False))
    assert in_order[0] == [*range(20), *range(40, 45)]
    assert global_state() == state


def test_it_is_a_scikit_learn_splitter():
    cv = NoveltySplit(4, random_state=3)
    assert repr(cv) == "NoveltySplit(n_splits=4, random_state=3, shuffle=True)"
    assert cv.get_n_splits() == cv.get_n_splits([[0]], [0], None) == 4
    assert check_cv(cv) is cv
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(40, 2)), rng.normal(5, 1, size=(10, 2))])
    y = np.repeat([0, 1], [40, 10])
    search = GridSearchCV(KernelDensity(), {"bandwidth": [0.5, 1.0]}, scoring=anomaly_roc_auc)
    with config_context(enable_metadata_routing=True):
        routed = clone(search).set_params(cv=cv).fit(X, y)
    assert routed.best_score_ == search.set_params(cv=cv).fit(X, y).best_score_ > 0.95

    # a partition of the rows: every one is predicted by a fold that did not train on it
    predicted = cross_val_predict(IsolationForest(random_state=0), X, y, cv=cv)
    assert (predicted[40:] == -1).all() and (predicted[:40] == 1).mean() > 0.5


@pytest.mark.parametrize("n_splits", [1, 0, 2.0, "3", True])
def test_bad_n_splits(n_splits):
    with pytest.raises(ValueError, match=r"n_splits=.* must be an integer of at least 2"):
        NoveltySplit(n_splits)


def test_bad_parameters():
    with pytest.raises(ValueError, match="shuffle='yes' must be True or False"):
        NoveltySplit(shuffle="yes")
    with pytest.raises(ValueError, match="random_state=0 has no effect with shuffle=False"):
        NoveltySplit(shuffle=False, random_state=0)
    with pytest.raises(TypeError):
        NoveltySplit(5, True)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "NoveltySplit needs y"),
        ([0] * 6, "y has 0 anomalous rows.* n_splits=3"),
        ([0, 0, 0, 0, 1, 1], "y has 2 anomalous rows.* n_splits=3"),
        ([1, 1, -1, -1, -1, -1], "y has 2 normal rows"),
        ([1] * 6, "y holds nothing but 1"),
        ([0, 1, 2, 0, 1, 2], r"y holds the labels \[0, 1, 2\]"),
        ([0, 1], "X has 6 rows and y 2"),
    ],
)
def test_bad_labels(y, message):
    with pytest.raises(ValueError, match=message):
        list(NoveltySplit(3).split(np.zeros((6, 1)), y))
