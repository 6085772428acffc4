"""The semi-supervised mixture classifier against its own formula, and against few labels alone."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture

from skbayes import GaussianMixtureClassifier


@pytest.fixture
def blobs():
    X, y = make_blobs(400, centers=5, cluster_std=1.5, random_state=3)
    return X, y % 2  # classes of several clusters


def test_proba_is_the_formula(blobs):
    X, y = blobs
    partly = np.where(np.arange(len(y)) < 60, y, -1)
    model = GaussianMixtureClassifier(4, smoothing=0.7, random_state=0).fit(X, partly)
    mixture = GaussianMixture(
        4, covariance_type="diag", max_iter=200, random_state=np.random.RandomState(0)
    ).fit(X)
    share = mixture.predict_proba(X)
    expected = np.empty((4, 2))
    for k in range(4):
        for c in range(2):
            expected[k, c] = share[:60][y[:60] == c, k].sum() + 0.7 * np.mean(y[:60] == c)
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(model.component_proba_, expected)
    np.testing.assert_allclose(model.predict_proba(X), share @ expected)


def test_rows_without_labels_help(blobs):
    X, y = blobs
    rng = np.random.RandomState(0)
    gains = []
    for _ in range(10):
        labelled = rng.permutation(len(y))[:15]
        partly = np.full(len(y), -1)
        partly[labelled] = y[labelled]
        rest = np.setdiff1d(np.arange(len(y)), labelled)
        model = GaussianMixtureClassifier(random_state=0).fit(X, partly)
        alone = LogisticRegression().fit(X[labelled], y[labelled])
        gains.append(model.score(X[rest], y[rest]) - alone.score(X[rest], y[rest]))
    assert np.mean(gains) > 3 * np.std(gains) / np.sqrt(len(gains))


def test_components_without_labels_predict_the_class_shares():
    X = np.r_[np.zeros((30, 1)), np.full((30, 1), 100.0)] + np.linspace(0, 1, 60)[:, np.newaxis]
    y = np.r_[[0, 0, 0, 1], np.full(56, -1)]
    model = GaussianMixtureClassifier(2, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba([[100.5]]), [[0.75, 0.25]])


def test_minus_one_and_one_are_a_binary_problem(blobs):
    X, y = blobs
    model = GaussianMixtureClassifier(10, random_state=0).fit(X, 2 * y - 1)
    assert model.classes_.tolist() == [-1, 1]
    assert GaussianMixtureClassifier().fit(X, np.where(y, "b", "a")).classes_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="no row has a label"):
        GaussianMixtureClassifier().fit(X, np.full(len(X), -1))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"covariance_type": "round"}, "covariance_type.*'diag'"),
        ({"smoothing": 0.0}, "smoothing"),
        ({"max_iter": 0}, "max_iter"),
        ({"reg_covar": -1.0}, "reg_covar"),
    ],
)
def test_bad_parameters(blobs, params, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        GaussianMixtureClassifier(**params).fit(*blobs)
