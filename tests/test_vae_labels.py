"""The label head: mode and evidence against direct computation, and what labels do."""

from copy import deepcopy

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skbayes import VAEAnomalyDetector
from skbayes.active import ActiveLearner
from skbayes.density import _head
from skbayes.density._head import SETTINGS, SLOPES, LabelHead, Pairs, find_mode
from skbayes.metrics import anomaly_roc_auc_score

RNG = np.random.RandomState(0)
ROWS, SCORE = RNG.normal(size=(12, 3)), RNG.normal(size=12)
NORMAL = SCORE + ROWS[:, 0] > 0
SIGN = np.where(NORMAL, 1.0, -1.0)
SPREAD = 6.0


def test_kernel_by_hand():
    setting = _head.Setting(0.3, 4.0, 1.0, 1.0)
    got = Pairs(ROWS, ROWS[:4], SPREAD).kernel(setting)
    for i, j in np.ndindex(12, 4):
        square = np.sum((ROWS[i] - ROWS[j]) ** 2) / SPREAD
        expected = 1.0 + ROWS[i] @ ROWS[j] / 3 + 4.0 * np.exp(-square / 0.6)
        np.testing.assert_allclose(got[i, j], expected)


@pytest.mark.parametrize("setting", SETTINGS[::5])
def test_mode_and_evidence_against_direct_computation(setting):
    kernel = Pairs(ROWS, ROWS, SPREAD).kernel(setting)
    mode = find_mode(kernel, SCORE, SIGN)
    # the gradient of the posterior vanishes
    added = kernel @ mode.pull
    np.testing.assert_allclose(mode.pull, 0.5 * (SIGN + 1) - expit(added + SCORE), atol=1e-6)
    precision = np.linalg.inv(kernel)

    def energy(g):
        return np.logaddexp(0, -SIGN * (g + SCORE)).sum() + 0.5 * g @ precision @ g

    assert energy(added) <= minimize(energy, np.zeros(12), method="BFGS").fun + 1e-6
    proba = expit(added + SCORE)
    hessian = precision + np.diag(proba * (1 - proba))
    determinants = np.linalg.slogdet(hessian)[1] + np.linalg.slogdet(kernel)[1]
    np.testing.assert_allclose(mode.evidence, -energy(added) - 0.5 * determinants, rtol=1e-6)


def test_log_odds_are_the_settings_weighted_by_their_evidence():
    head = LabelHead(SPREAD).fit(SCORE, ROWS, NORMAL)
    pairs = Pairs(ROWS, ROWS, SPREAD)
    modes = [find_mode(pairs.kernel(s), s.slope * SCORE, SIGN) for s in SETTINGS]
    weights = np.exp([mode.evidence for mode in modes])
    means = [
        s.slope * SCORE + pairs.kernel(s) @ m.pull for s, m in zip(SETTINGS, modes, strict=True)
    ]
    expected = np.average(means, axis=0, weights=weights)
    np.testing.assert_allclose(head.log_odds(SCORE, ROWS), expected, rtol=1e-9)


def test_far_from_all_labels_the_ranking_is_the_density_s(monkeypatch):
    local = tuple(s for s in SETTINGS if s.linear == 0)
    monkeypatch.setattr(_head, "SETTINGS", local)
    head = LabelHead(SPREAD).fit(SCORE, ROWS, NORMAL)
    far = np.random.RandomState(1).normal(100.0, 1.0, size=(50, 3))
    score = np.random.RandomState(2).normal(size=50)
    np.testing.assert_allclose(head.log_odds(score, far), head.slope * score + head.intercept)
    assert head.slope > 0


def test_many_labels_are_learned_from_in_part(monkeypatch):
    monkeypatch.setattr(_head, "MAX_COMPARED", 6)
    few = LabelHead(SPREAD).fit(SCORE, ROWS, NORMAL)
    assert few.slope in SLOPES  # one setting, not their mean
    monkeypatch.setattr(_head, "MAX_LABELS", 8)
    assert len(LabelHead(SPREAD).fit(SCORE, ROWS, NORMAL).rows) == 8


@pytest.fixture(scope="module")
def fitted():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    labels = np.where(y == 1, -1, 1)  # benign, the dense part, are to be found
    return VAEAnomalyDetector(8, (32,), max_iter=40, random_state=0).fit(X), X, labels


def test_labels_of_a_class_that_the_density_misses(fitted):
    """Anomalies in the thick of the training rows: only labels can tell them."""
    model, X, labels = deepcopy(fitted[0]), *fitted[1:]
    before = anomaly_roc_auc_score(labels, model.score_samples(X))
    train = np.random.RandomState(0).permutation(len(X))[:100]
    model.fit_labels(X[train], labels[train])
    rest = np.setdiff1d(np.arange(len(X)), train)
    after = anomaly_roc_auc_score(labels[rest], model.score_samples(X[rest]))
    assert before < 0.5 < 0.7 < after


def test_a_learner_asks_the_detector(fitted):
    model, X, labels = deepcopy(fitted[0]), *fitted[1:]
    density = model.log_density(X)
    learner = ActiveLearner(model, acquisition="least_certain", epsilon=0.2, random_state=0)
    asked = []
    for _ in range(4):
        indices, rows = learner.query(X, 5, exclude=asked or None)
        learner.teach(rows, labels[indices])
        asked.extend(indices)
    assert len(set(asked)) == 20
    rest = np.setdiff1d(np.arange(len(X)), asked)
    assert anomaly_roc_auc_score(labels[rest], learner.estimator.score_samples(X[rest])) > 0.9
    np.testing.assert_array_equal(learner.estimator.log_density(X), density)
