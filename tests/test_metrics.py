"""Anomaly metrics and scorers against scikit-learn's and against values by hand."""

import pickle
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes.active import ActiveLearner
from skbayes.metrics import (
    anomaly_roc_auc,
    anomaly_roc_auc_score,
    find_anomalies,
    make_precision_at_k_scorer,
    precision_at_k,
    precision_at_k_score,
)
from skbayes.model_selection import NoveltySplit


@pytest.fixture(scope="module")
def data():
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(150, 3)), rng.normal(2, 1, size=(30, 3))])
    return X, np.repeat([0, 1], [150, 30])


labelled_scores = st.lists(
    st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=12
).filter(lambda rows: 0 < sum(anomaly for anomaly, _ in rows) < len(rows))


@given(labelled_scores)
@settings(max_examples=80, deadline=None)
def test_auc_is_scikit_learns_on_the_flipped_sign(rows):
    anomaly, score = map(np.array, zip(*rows, strict=True))
    ours = anomaly_roc_auc_score(anomaly, score)
    assert ours == pytest.approx(roc_auc_score(anomaly, -score))
    # the trap: scikit-learn's own way round
    assert ours == pytest.approx(1 - roc_auc_score(anomaly, score))
    wins = [np.sign(n - a) / 2 + 0.5 for a in score[anomaly] for n in score[~anomaly]]
    assert ours == pytest.approx(np.mean(wins))


@given(labelled_scores, st.sampled_from([anomaly_roc_auc_score, precision_at_k_score]))
@settings(max_examples=40, deadline=None)
def test_both_conventions_agree(rows, metric):
    anomaly, score = map(np.array, zip(*rows, strict=True))
    expected = metric(anomaly, score)
    assert metric(anomaly.astype(int), score) == expected
    assert metric(anomaly.astype(float), score) == expected
    assert metric(np.where(anomaly, -1, 1), score) == expected
    assert metric(np.where(anomaly, -1, 1).tolist(), score.tolist()) == expected


@given(labelled_scores, st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_precision_is_the_expectation_over_ties(rows, k):
    anomaly, score = map(np.array, zip(*rows, strict=True))
    k = min(k, len(score))
    # all sets of k rows that could be called the most anomalous
    possible = []
    for chosen in combinations(range(len(score)), k):
        rest = np.setdiff1d(np.arange(len(score)), chosen)
        if len(rest) == 0 or score[list(chosen)].max() <= score[rest].min():
            possible.append(anomaly[list(chosen)].mean())
    assert precision_at_k_score(anomaly, score, k) == pytest.approx(np.mean(possible))


def test_precision_by_hand():
    anomaly, score = [1, 0, 1, 0, 0], [-5.0, -4.0, -3.0, 0.0, 1.0]
    expected = {1: 1, 2: 1 / 2, 3: 2 / 3, 4: 2 / 4, 5: 2 / 5, 6: 2 / 5, 50: 2 / 5}
    for k, precision in expected.items():
        assert precision_at_k_score(anomaly, score, k) == pytest.approx(precision)
    assert precision_at_k_score(anomaly, score) == pytest.approx(2 / 5)
    assert precision_at_k_score([1, 0, 0], [0.0, 0.0, 0.0], 1) == pytest.approx(1 / 3)
    assert precision_at_k_score([0, 0], [1.0, 2.0], 1) == 0
    assert precision_at_k_score([-1, -1], [1.0, 2.0], 1) == 1


def test_infinite_scores_rank():
    anomaly, score = [1, 0, 0], [-np.inf, 0.0, np.inf]
    assert anomaly_roc_auc_score(anomaly, score) == 1
    assert precision_at_k_score(anomaly, score, 1) == 1


@pytest.mark.parametrize("metric", [anomaly_roc_auc_score, precision_at_k_score])
@pytest.mark.parametrize(
    ("y_true", "y_score", "message"),
    [
        ([1, 1], [0, 1], "nothing but 1, which is normal where -1"),
        ([0, 2], [0, 1], r"labels \[0, 2\]; allowed are 0 \(normal\) and 1"),
        ([-1, 0], [0, 1], r"labels \[-1, 0\]; allowed"),
        ([-1, 0, 1], [0, 1, 2], r"labels \[-1, 0, 1\]; allowed"),
        (["a", "b"], [0, 1], r"labels \['a', 'b'\]; allowed"),
        ([0.0, np.nan], [0, 1], r"labels \[0.0, nan\]; allowed"),
        ([], [], r"labels \[\]; allowed"),
        ([0, 1], [0, np.nan], "y_score holds nan in 1 rows"),
        ([0, 1], [0, 1, 2], "y_true has 2 rows and y_score 3"),
    ],
)
def test_bad_labels_and_scores(metric, y_true, y_score, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_score)


@pytest.mark.parametrize(
    ("y_true", "missing"),
    [
        ([0, 0], "no anomaly"),
        ([-1, -1], "no normal row"),
        ([True, True], "no normal row"),
        ([False, False], "no anomaly"),
    ],
)
def test_auc_needs_both_kinds(y_true, missing):
    with pytest.raises(ValueError, match=f"y_true has {missing} .*NoveltySplit"):
        anomaly_roc_auc_score(y_true, [0.0, 1.0])


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", True, None])
def test_bad_k(k):
    with pytest.raises(ValueError, match=r"k=.* must be an integer of at least 1"):
        precision_at_k_score([0, 1], [0.0, 1.0], k)
    with pytest.raises(ValueError, match=r"k=.* must be an integer of at least 1"):
        make_precision_at_k_scorer(k)


def test_find_anomalies_copies_and_names():
    y = np.array([True, False])
    found = find_anomalies(y)
    found[:] = False
    assert y[0]
    with pytest.raises(ValueError, match="labels holds the labels"):
        find_anomalies([7], "labels")


def test_scorers_score_normality(data):
    X, y = data
    detector = IsolationForest(random_state=0).fit(X[:150])
    for fitted in (detector, make_pipeline(StandardScaler(), detector).fit(X[:150])):
        expected = roc_auc_score(y, -fitted.score_samples(X))
        assert anomaly_roc_auc(fitted, X, y) == pytest.approx(expected)
        assert expected > 0.9
        most = np.argsort(fitted.score_samples(X))[:20]
        assert precision_at_k(fitted, X, y, k=20) == pytest.approx(y[most].mean())
        assert make_precision_at_k_scorer(20)(fitted, X, y) == pytest.approx(y[most].mean())
        assert anomaly_roc_auc(ActiveLearner(fitted), X, 1 - 2 * y) == pytest.approx(expected)


def test_densities_and_decision_functions_are_scored(data):
    X, y = data
    density = KernelDensity().fit(X[:150])
    assert anomaly_roc_auc(density, X, y) > 0.9

    class OnlyDecides:
        def decision_function(self, X):
            return density.score_samples(X)

    assert anomaly_roc_auc(OnlyDecides(), X, y) == anomaly_roc_auc(density, X, y)


def test_classifiers_are_refused(data):
    X, y = data
    with pytest.raises(TypeError, match="estimator=LogisticRegression is a classifier"):
        anomaly_roc_auc(LogisticRegression().fit(X, y), X, y)
    with pytest.raises(TypeError, match="estimator=StandardScaler must be an outlier detector"):
        precision_at_k(StandardScaler().fit(X), X, y)


@pytest.mark.parametrize("signed", [False, True])
def test_cross_validation(data, signed):
    X, y = data
    y = 1 - 2 * y if signed else y
    cv = NoveltySplit(3, random_state=0)
    scores = cross_val_score(
        IsolationForest(n_estimators=20, random_state=0), X, y, cv=cv, scoring=anomaly_roc_auc
    )
    assert scores.min() > 0.8
    # plain folds of sorted labels have no anomaly: an error, not a wrong figure
    with pytest.raises(ValueError, match="NoveltySplit"):
        cross_val_score(
            IsolationForest(n_estimators=5, random_state=0),
            X,
            y,
            cv=5,
            scoring=anomaly_roc_auc,
            error_score="raise",
        )


def test_scorers_work_in_processes_and_in_searches(data):
    X, y = data
    scoring = {"auc": anomaly_roc_auc, "p": precision_at_k, "p5": make_precision_at_k_scorer(5)}
    cv = NoveltySplit(3, random_state=0)
    detector = make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True))
    results = [
        cross_validate(detector, X, y, cv=cv, scoring=scoring, n_jobs=n_jobs) for n_jobs in (1, 2)
    ]
    for name in scoring:
        np.testing.assert_array_equal(results[0][f"test_{name}"], results[1][f"test_{name}"])
    search = GridSearchCV(
        detector,
        {"localoutlierfactor__n_neighbors": [1, 20]},
        cv=cv,
        scoring=anomaly_roc_auc,
    ).fit(X, y)
    assert search.best_params_ == {"localoutlierfactor__n_neighbors": 20}
    assert search.score(X, y) == anomaly_roc_auc(search.best_estimator_, X, y)


@pytest.mark.parametrize("scorer", [anomaly_roc_auc, precision_at_k, make_precision_at_k_scorer(7)])
def test_scorers_pickle(scorer, data):
    X, y = data
    fitted = KernelDensity().fit(X[:150])
    assert pickle.loads(pickle.dumps(scorer))(fitted, X, y) == scorer(fitted, X, y)
