"""A learner is an estimator like others: parameters, clones, searches, copies."""

import copy
import pickle

import numpy as np
import pytest
from active_toys import Duck, X, Y, started
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from skbayes.active import ActiveLearner, BayesianOptimizer, Committee, CommitteeRegressor
from skbayes.active.stopping import RunState, StablePredictions


def test_parameters_leave_the_data_out():
    learner = started(acquisition="margin", refit="warm")
    assert set(learner.get_params(deep=False)) == {
        "estimator",
        "query_strategy",
        "bootstrap_init",
        "on_transformed",
        "force_all_finite",
        "acquisition",
        "batch",
        "epsilon",
        "refit",
        "journal",
        "random_state",
    }
    text = repr(learner)
    assert text.startswith("ActiveLearner(acquisition='margin'") and "array" not in text
    assert "ActiveLearner" in learner._repr_html_()
    learner.set_params(estimator__C=3.0, acquisition="entropy")
    assert learner.estimator.C == 3.0 and learner.acquisition == "entropy"


def test_clone_is_unfitted_and_without_data():
    learner = started(acquisition="margin")
    learner.teach(X[:2], Y[:2])
    cloned = clone(learner)
    assert cloned.X_training is None and cloned.y_training is None
    assert cloned.acquisition == "margin" and cloned.random_state == 0
    assert cloned.estimator is not learner.estimator
    check_is_fitted(learner)
    with pytest.raises(NotFittedError):
        check_is_fitted(cloned)
    with pytest.raises(NotFittedError):
        cloned.predict(X)
    assert len(learner.y_training) == 11
    # what only quacks is copied
    assert isinstance(clone(ActiveLearner(Duck())).estimator, Duck)


def test_search_and_cross_validation_over_a_learner():
    search = GridSearchCV(
        ActiveLearner(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))),
        {"estimator__logisticregression__C": [1e-6, 1.0], "acquisition": ["margin", "entropy"]},
        cv=3,
    )
    search.fit(X, Y)
    assert search.best_params_["estimator__logisticregression__C"] == 1.0
    plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    assert search.best_score_ == pytest.approx(cross_val_score(plain, X, Y, cv=3).mean())
    assert search.predict_proba(X).shape == (150, 3)
    # a classifier to the scorers too
    auc = cross_val_score(ActiveLearner(LogisticRegression()), X, Y == 1, scoring="roc_auc", cv=3)
    expected = cross_val_score(LogisticRegression(), X, Y == 1, scoring="roc_auc", cv=3)
    np.testing.assert_array_equal(auc, expected)
    # without the method there is none
    assert not hasattr(ActiveLearner(SGDClassifier()), "predict_proba")
    assert not hasattr(ActiveLearner(None), "decision_function")


def test_committees_are_classifiers_and_regressors_to_scikit_learn():
    committee = Committee([ActiveLearner(LogisticRegression(max_iter=1000))])
    assert is_classifier(committee)
    # so that splits are stratified: rows come sorted by class
    plain = cross_val_score(LogisticRegression(max_iter=1000), X, Y, cv=3)
    np.testing.assert_array_equal(cross_val_score(committee, X, Y, cv=3), plain)
    regressors = CommitteeRegressor([ActiveLearner(LinearRegression())])
    assert is_regressor(regressors)
    plain = cross_val_score(LinearRegression(), X, X[:, 0] ** 2, cv=3)
    np.testing.assert_allclose(cross_val_score(regressors, X, X[:, 0] ** 2, cv=3), plain)


def test_what_an_estimator_lacks_is_named():
    trees = DecisionTreeRegressor(random_state=0)
    optimizer = BayesianOptimizer(trees, X_training=X, y_training=X[:, 0], random_state=0)
    with pytest.raises(TypeError, match="DecisionTreeRegressor says nothing on its uncertainty"):
        optimizer.query(X)
    with pytest.raises(ValueError, match="StablePredictions compares class labels; BayesianOpt"):
        StablePredictions(X)(RunState(optimizer, 150, 1, None, None))


def test_copies_go_on_where_the_original_was():
    learner = ActiveLearner(Duck(np.full((150, 2), 0.5)), random_state=12345)
    learner.query(X, 3)
    copies = copy.deepcopy(learner), pickle.loads(pickle.dumps(learner))
    expected, _ = learner.query(X, 3)
    for copied in copies:
        np.testing.assert_array_equal(copied.query(X, 3)[0], expected)
    again = ActiveLearner(Duck(np.full((150, 2), 0.5)), random_state=0)
    again.query(X, 3)
    again.set_params(random_state=12345).query(X, 3)
    np.testing.assert_array_equal(again.query(X, 3)[0], expected)


def test_a_shared_random_state_is_used_as_it_is():
    rng, twin = np.random.RandomState(0), np.random.RandomState(0)
    ActiveLearner(None, acquisition="random", random_state=rng).query(X, 3)
    assert rng.get_state()[2] != twin.get_state()[2]


def test_margin_needs_fewer_labels_than_random_on_digits():
    images, labels = load_digits(return_X_y=True)
    images = images[:1200] / 16
    train, test = np.arange(800), np.arange(800, 1200)
    accuracy = {}
    for acquisition in ("margin", "random"):
        scores = []
        for seed in range(3):
            rng = np.random.RandomState(seed)
            shuffled = rng.permutation(train)
            first = np.concatenate([shuffled[labels[shuffled] == c][:2] for c in range(10)])
            pool = np.setdiff1d(train, first)
            learner = ActiveLearner(
                LogisticRegression(C=10, max_iter=300),
                X_training=images[first],
                y_training=labels[first],
                acquisition=acquisition,
                random_state=seed,
            )
            for _ in range(8):
                indices, rows = learner.query(images[pool], n_instances=10)
                learner.teach(rows, labels[pool[indices]])
                pool = np.delete(pool, indices)
            assert len(learner.y_training) == 100 and len(pool) == 700
            scores.append(learner.score(images[test], labels[test]))
        accuracy[acquisition] = np.mean(scores)
    assert accuracy["margin"] > accuracy["random"] + 0.02
