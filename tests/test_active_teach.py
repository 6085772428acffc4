"""What teach retrains, and what detectors are taught."""

import numpy as np
import pytest
from active_toys import POOL, START, Distance, Duck, X, Y, started
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skbayes.active import ActiveLearner, most_anomalous

# -- teach ----------------------------------------------------------------------------------------


def test_construction_and_teach_fit_on_all_labels_so_far():
    learner = started(acquisition="margin")
    np.testing.assert_array_equal(learner.X_training, X[START])
    indices, rows = learner.query(X[POOL], 3)
    assert learner.teach(rows, Y[POOL][indices]) is learner
    seen = np.r_[START, POOL[indices]]
    np.testing.assert_array_equal(learner.X_training, X[seen])
    np.testing.assert_array_equal(learner.y_training, Y[seen])
    expected = LogisticRegression(max_iter=2000).fit(X[seen], Y[seen])
    np.testing.assert_array_equal(learner.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(learner.predict(X), expected.predict(X))
    assert learner.score(X, Y) == expected.score(X, Y)
    np.testing.assert_array_equal(learner.classes_, [0, 1, 2])


def test_teach_from_nothing():
    learner = ActiveLearner(LogisticRegression(max_iter=2000))
    learner.teach(X[START], Y[START])
    np.testing.assert_array_equal(learner.y_training, Y[START])
    assert learner.score(X, Y) > 0.8


def test_only_new_and_bootstrap():
    duck = Duck()
    learner = ActiveLearner(duck, X_training=X[:4], y_training=Y[:4], random_state=0)
    learner.teach(X[50:52], Y[50:52], only_new=True, epochs=3)
    np.testing.assert_array_equal(duck.fitted[1][0], X[50:52])
    assert duck.fitted[1][2] == {"epochs": 3}
    np.testing.assert_array_equal(learner.y_training, [0, 0, 0, 0, 1, 1])
    learner.teach(X[100:102], Y[100:102])
    np.testing.assert_array_equal(duck.fitted[2][1], [0, 0, 0, 0, 1, 1, 2, 2])
    learner.teach(X[:2], Y[:2], bootstrap=True)
    rows, labels, _ = duck.fitted[3]
    picked = [int(np.flatnonzero((learner.X_training == row).all(axis=1))[0]) for row in rows]
    assert len(picked) == 10 and len(set(picked)) < 10
    np.testing.assert_array_equal(labels, np.asarray(learner.y_training)[picked])
    np.testing.assert_array_equal(learner.y_training[-2:], [0, 0])


def test_bootstrap_init_is_reproducible():
    bags = []
    for seed in (0, 0, 1):
        duck = Duck()
        ActiveLearner(duck, X_training=X, y_training=Y, bootstrap_init=True, random_state=seed)
        bags.append(duck.fitted[0][0])
    np.testing.assert_array_equal(bags[0], bags[1])
    assert not np.array_equal(bags[0], bags[2])


def test_fit_forgets():
    learner = started()
    learner.fit(X[::2], Y[::2])
    np.testing.assert_array_equal(learner.y_training, Y[::2])
    expected = LogisticRegression(max_iter=2000).fit(X[::2], Y[::2])
    np.testing.assert_array_equal(learner.predict_proba(X), expected.predict_proba(X))
    # with an integer seed to fit twice is to fit once
    duck = Duck()
    started(duck).fit(X, Y, bootstrap=True).fit(X, Y, bootstrap=True)
    np.testing.assert_array_equal(duck.fitted[-1][0], duck.fitted[-2][0])


def test_teach_is_all_or_nothing():
    learner = started()
    before = learner.predict_proba(X)
    with pytest.raises(ValueError, match="NaN"):
        learner.teach(np.full((1, 4), np.nan), [0])
    np.testing.assert_array_equal(learner.y_training, Y[START])
    np.testing.assert_array_equal(learner.predict_proba(X), before)
    learner.teach(X[:1], Y[:1])
    assert len(learner.y_training) == 10


def test_warm_by_partial_fit_sees_the_new_rows():
    scaler = StandardScaler()
    learner = started(make_pipeline(scaler, GaussianNB()), refit="warm")
    mean = scaler.mean_.copy()
    learner.teach(X[POOL], Y[POOL])
    # naive Bayes adds up: as if fitted on all at once, scaled as at first
    np.testing.assert_array_equal(scaler.mean_, mean)
    expected = GaussianNB(var_smoothing=0)
    rows = scaler.transform(X)
    expected.fit(rows, Y)
    np.testing.assert_allclose(learner.estimator[-1].theta_, expected.theta_)
    assert learner.estimator[-1].class_count_.tolist() == [50, 50, 50]
    assert len(learner.y_training) == 150


def test_warm_by_warm_start_goes_on_and_leaves_the_parameter_alone():
    clf = MLPClassifier(hidden_layer_sizes=(8,), max_iter=150, random_state=0, tol=0)
    with pytest.warns(match="not converged|hasn't converged"):
        learner = started(make_pipeline(StandardScaler(), clf), refit="warm")
    before = clf.loss_
    with pytest.warns(match="hasn't converged"):
        learner.teach(X[START], Y[START])  # the same again: the loss goes on falling
    assert clf.loss_ < 0.6 * before
    assert clf.warm_start is False
    with pytest.warns(match="hasn't converged"):
        learner.fit(X[START], Y[START])  # afresh
    assert clf.loss_ == pytest.approx(before)


def test_warm_restores_the_parameter_when_training_fails():
    clf = LogisticRegression(max_iter=2000)
    learner = started(clf, refit="warm")
    with pytest.raises(ValueError, match="NaN"):
        learner.teach(np.full((1, 4), np.nan), [0])
    assert clf.warm_start is False and len(learner.y_training) == 9


def test_warm_goes_on_from_an_estimator_fitted_beforehand():
    clf = GaussianNB().fit(X, Y)
    ActiveLearner(clf, refit="warm").teach(X[:3], Y[:3])
    assert clf.class_count_.tolist() == [53, 50, 50]
    cold = GaussianNB()
    ActiveLearner(cold, refit="warm").teach(X, Y)  # nothing to go on from: the first fit
    assert cold.class_count_.tolist() == [50, 50, 50]


# -- detectors ------------------------------------------------------------------------------------

RNG = np.random.RandomState(0)
UNLABELLED = np.concatenate([RNG.normal(size=(95, 2)), RNG.normal(6, 0.5, size=(5, 2))])


@pytest.mark.parametrize("piped", [False, True])
def test_a_detector_is_taught_by_labels_and_keeps_its_density(piped):
    detector = Distance()
    fitted = make_pipeline(StandardScaler(), detector) if piped else detector
    fitted.fit(UNLABELLED)
    mean = detector.mean_.copy()
    learner = ActiveLearner(fitted, acquisition="most_anomalous", random_state=0)
    first, rows = learner.query(UNLABELLED, 2)
    scores = fitted.score_samples(UNLABELLED)
    np.testing.assert_array_equal(first, np.argsort(scores)[:2])
    learner.teach(rows, [-1, -1])
    learner.teach(UNLABELLED[:3], [1, 1, 1])
    X_seen, y_seen = detector.labelled_  # all labels so far, transformed
    expected = np.concatenate([rows, UNLABELLED[:3]])
    np.testing.assert_array_equal(y_seen, [-1, -1, 1, 1, 1])
    np.testing.assert_allclose(X_seen, fitted[0].transform(expected) if piped else expected)
    np.testing.assert_array_equal(learner.X_training, expected)
    assert detector.n_density_fits_ == 1
    np.testing.assert_array_equal(detector.mean_, mean)
    assert learner.predict(expected).tolist() == [-1, -1, 1, 1, 1]
    learner.set_params(acquisition="least_certain")
    nearest, _ = learner.query(UNLABELLED, 3)
    decision = np.abs(learner.decision_function(UNLABELLED))
    np.testing.assert_array_equal(nearest, np.argsort(decision)[:3])


@pytest.mark.parametrize("refit", ["full", "warm"])
def test_labels_at_construction_do_not_refit_the_density(refit):
    detector = Distance().fit(UNLABELLED)
    learner = ActiveLearner(detector, X_training=UNLABELLED[-2:], y_training=[-1, -1], refit=refit)
    learner.teach(UNLABELLED[:1], [1])
    assert detector.n_density_fits_ == 1
    assert detector.labelled_[1].tolist() == [-1, -1, 1]
    learner.fit(UNLABELLED[:2], [1, 1])
    assert detector.n_density_fits_ == 1
    assert detector.labelled_[1].tolist() == [1, 1]


def test_the_most_anomalous_are_the_default_for_detectors():
    for detector in (Distance(), IsolationForest(random_state=0)):
        learner = ActiveLearner(detector.fit(UNLABELLED), random_state=0)
        expected = detector.score_samples(UNLABELLED)
        *_, metrics = learner.query(UNLABELLED, 5, return_metrics=True)
        np.testing.assert_allclose(metrics, -np.sort(expected)[:5])
        expected, _ = ActiveLearner(detector, random_state=0).query(UNLABELLED, 5)
        by_function = ActiveLearner(detector, acquisition=most_anomalous, random_state=0)
        np.testing.assert_array_equal(by_function.query(UNLABELLED, 5)[0], expected)


def test_isolation_forest_in_a_pipeline_is_queried():
    fitted = make_pipeline(StandardScaler(), IsolationForest(random_state=0)).fit(UNLABELLED)
    indices, _ = ActiveLearner(fitted, acquisition="most_anomalous").query(UNLABELLED, 5)
    assert set(indices.tolist()) == {95, 96, 97, 98, 99}
    *_, metrics = ActiveLearner(fitted, acquisition="least_certain").query(
        UNLABELLED, 5, return_metrics=True
    )
    decision = np.abs(fitted.decision_function(UNLABELLED))
    np.testing.assert_allclose(metrics, -np.sort(decision)[:5])
    with pytest.raises(TypeError, match="outlier detector without fit_labels"):
        ActiveLearner(fitted).teach(UNLABELLED[:2], [1, 1])


def test_least_certain_serves_two_class_machines_too():
    two = Y < 2
    svc = SVC(kernel="linear").fit(X[two][:, :2], Y[two])
    indices, _ = ActiveLearner(svc, acquisition="least_certain").query(X[two][:, :2])
    assert indices[0] == np.abs(svc.decision_function(X[two][:, :2])).argmin()
