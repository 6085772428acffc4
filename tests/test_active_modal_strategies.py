"""modAL's strategies: uncertainty, density, batches, expected error, several labels."""

from itertools import product

import numpy as np
import pytest
from active_stand_ins import RNG, Fixed, X, Y
from scipy import sparse
from scipy.stats import entropy
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from skbayes.active import batch, density, multilabel, uncertainty
from skbayes.active.expected_error import expected_error_reduction
from skbayes.active.models import (
    ActiveLearner,
)

# -- uncertainty ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_rows", "n_classes"), [(1, 1), (1, 4), (30, 2), (30, 70)])
def test_uncertainty_of_equal_probabilities(n_rows, n_classes):
    for p in (0.0, 0.3, 1.0):
        proba = np.full((n_rows, n_classes), p)
        for measure, unfitted, expected in [
            (uncertainty.classifier_uncertainty, 1, 1 - p),
            (uncertainty.classifier_margin, 0, 0),
        ]:
            # what the rows are does not matter
            answer = measure(Fixed(proba), np.zeros(10))
            np.testing.assert_allclose(answer, np.full(n_rows, expected))
            answer = measure(Fixed(fitted=False), proba)
            np.testing.assert_array_equal(answer, np.full(n_rows, unfitted))


def test_measures_are_those_of_modal():
    theirs = pytest.importorskip("modAL.uncertainty")
    proba = RNG.dirichlet(np.full(5, 0.3), size=200)
    for name in ("classifier_uncertainty", "classifier_margin", "classifier_entropy"):
        expected = getattr(theirs, name)(Fixed(proba), proba)
        np.testing.assert_allclose(getattr(uncertainty, name)(Fixed(proba), proba), expected)
    for name in ("_proba_uncertainty", "_proba_margin", "_proba_entropy"):
        np.testing.assert_allclose(getattr(uncertainty, name)(proba), getattr(theirs, name)(proba))


def test_entropy_of_the_sure_is_exactly_zero():
    proba = np.eye(6)[RNG.randint(6, size=40)]
    np.testing.assert_array_equal(uncertainty.classifier_entropy(Fixed(proba), proba), 0)
    np.testing.assert_array_equal(
        uncertainty.classifier_entropy(Fixed(fitted=False), proba), np.zeros(40)
    )


@pytest.mark.parametrize("random_tie_break", [False, True])
@pytest.mark.parametrize("n_rows", [1, 2, 9])
def test_strategies_find_the_row_that_stands_out(n_rows, random_tie_break):
    for row, n_classes in product(range(n_rows), (2, 5)):
        sure = np.zeros((n_rows, n_classes))
        sure[:, 0] = 1
        for strategy, odd in [
            (uncertainty.uncertainty_sampling, np.zeros(n_classes)),
            (uncertainty.margin_sampling, np.zeros(n_classes)),
            (uncertainty.entropy_sampling, np.full(n_classes, 1 / n_classes)),
        ]:
            proba = sure.copy()
            proba[row] = odd
            indices, metrics = strategy(
                Fixed(proba), np.zeros((n_rows, 3)), random_tie_break=random_tie_break
            )
            assert indices.tolist() == [row] and metrics.shape == (1,)


def test_ties_in_strategies_by_order_or_by_the_learners_seed():
    learner = ActiveLearner(Fixed(np.full((40, 2), 0.5)), random_state=3)
    pool = np.zeros((40, 1))
    for strategy in (uncertainty.uncertainty_sampling, uncertainty.margin_sampling):
        assert strategy(learner, pool, 2)[0].tolist() == [0, 1]
    twice = [
        np.concatenate(
            [
                uncertainty.entropy_sampling(other, pool, 2, random_tie_break=True)[0]
                for _ in range(5)
            ]
        )
        for other in (learner, ActiveLearner(Fixed(np.full((40, 2), 0.5)), random_state=3))
    ]
    np.testing.assert_array_equal(*twice)
    assert len(set(twice[0].tolist())) > 5


def test_a_large_pool_is_predicted_in_blocks():
    sizes = []

    class Counted(GaussianNB):
        def predict_proba(self, X):
            sizes.append(len(X))
            return super().predict_proba(X)

    pool = np.random.RandomState(0).normal(size=(40_000, 4))
    model = Counted().fit(X, Y)
    utilities = uncertainty.classifier_entropy(model, pool)
    assert max(sizes) <= 16384 and sum(sizes) == 40_000
    whole = entropy(GaussianNB().fit(X, Y).predict_proba(pool), axis=1)
    np.testing.assert_allclose(utilities, whole, atol=1e-12)


# -- density, batches, expected error, several labels ---------------------------------------------


def test_density_is_that_of_modal():
    theirs = pytest.importorskip("modAL.density")
    for metric in ("euclidean", "cosine"):
        np.testing.assert_allclose(
            density.information_density(X, metric), theirs.information_density(X, metric)
        )
    assert density.cosine_similarity([1, 0], [0, 1]) == 0.5
    assert density.euclidean_similarity([0, 0], [3, 4]) == pytest.approx(1 / 6)
    np.testing.assert_allclose(
        density.information_density(sparse.csr_matrix(X)), density.information_density(X)
    )


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_ranked_batch_is_that_of_modal(metric, n_jobs):
    theirs = pytest.importorskip("modAL.batch")
    labelled = np.r_[0:150:20]
    pool = np.setdiff1d(np.arange(150), labelled)
    model = LogisticRegression(max_iter=1000)
    learner = ActiveLearner(model, X_training=X[labelled], y_training=Y[labelled])
    kwargs = {"n_instances": 25, "metric": metric, "n_jobs": n_jobs}
    indices, metrics = batch.uncertainty_batch_sampling(learner, X[pool], **kwargs)
    expected = theirs.uncertainty_batch_sampling(learner, X[pool], **kwargs)
    expected = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(metrics, 1 - model.predict_proba(X[pool]).max(axis=1)[indices])
    # a step alone
    mask, their_mask = np.ones(len(pool), bool), np.ones(len(pool), bool)
    scores = 1 - model.predict_proba(X[pool]).max(axis=1)
    ours = batch.select_instance(X[labelled], X[pool], scores, mask, metric, n_jobs)
    step = theirs.select_instance(X[labelled], X[pool], scores, their_mask, metric, n_jobs)
    assert ours[0] == step[0] == indices[0]
    np.testing.assert_array_equal(ours[1], step[1])
    np.testing.assert_array_equal(mask, their_mask)


def test_ranked_batch_from_nothing():
    theirs = pytest.importorskip("modAL.batch")
    index, row = batch.select_cold_start_instance(X, "euclidean", None)
    expected, expected_row = theirs.select_cold_start_instance(X, "euclidean", None)
    assert index == expected
    np.testing.assert_array_equal(row, expected_row)
    learner = ActiveLearner(Fixed(fitted=False), batch.uncertainty_batch_sampling)
    indices, _ = learner.query(X[:30])
    # twenty by default, and modAL's first row twice is once here
    assert len(set(indices.tolist())) == 20
    assert indices[0] == batch.select_cold_start_instance(X[:30])[0]
    assert len(learner.query(X[:6])[0]) == 6
    with pytest.raises(ValueError, match="n_instances=7 rows were asked for, but the pool has 6"):
        learner.query(X[:6], n_instances=7)


def kinds_of_data():
    pd = pytest.importorskip("pandas")
    return (sparse.csr_matrix, pd.DataFrame, np.array, list)


@pytest.mark.parametrize("loss", ["binary", "log"])
def test_expected_error_of_every_kind_of_data(loss):
    start, pool = np.r_[0:150:15], np.r_[3:150:24]
    found = []
    for kind in kinds_of_data():
        learner = ActiveLearner(
            GaussianNB() if kind is not sparse.csr_matrix else LogisticRegression(max_iter=500),
            X_training=kind(X[start].tolist()),
            y_training=Y[start],
        )
        rows = kind(X[pool].tolist())
        indices, metrics = expected_error_reduction(learner, rows, loss=loss, n_instances=2)
        if kind is not sparse.csr_matrix:
            found.append((indices.tolist(), metrics.tolist()))
        assert expected_error_reduction(learner, rows, loss, 0.1)[0].shape == (1,)
        assert expected_error_reduction(learner, rows, random_tie_break=True)[0].shape == (1,)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "strategy",
    [
        uncertainty.margin_sampling,
        uncertainty.entropy_sampling,
        batch.uncertainty_batch_sampling,
        expected_error_reduction,
    ],
)
def test_images_and_a_classifier_that_does_not_name_its_classes(strategy):
    class Flat:
        def fit(self, X, y):
            pass

        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    images = RNG.rand(10, 5, 5)
    learner = ActiveLearner(Flat(), strategy, images, np.arange(10) % 2)
    indices, rows = learner.query(images)
    assert rows.shape == (len(indices), 5, 5)
    learner.teach(images, np.arange(10) % 2)
    assert learner.X_training.shape == (20, 5, 5)


def test_expected_error_by_brute_force():
    start, pool = np.r_[0:150:15], np.r_[3:150:24]
    learner = ActiveLearner(GaussianNB(), X_training=X[start], y_training=Y[start])
    proba = learner.predict_proba(X[pool])
    errors = np.zeros(len(pool))
    for i, row in enumerate(pool):
        others = np.delete(X[pool], i, axis=0)
        for label in range(3):
            refitted = GaussianNB().fit(np.vstack([X[start], X[row]]), np.r_[Y[start], label])
            errors[i] += proba[i, label] * (1 - refitted.predict_proba(others).max(axis=1)).sum()
    indices, metrics = expected_error_reduction(learner, X[pool], n_instances=len(pool))
    np.testing.assert_allclose(metrics, np.sort(errors), rtol=1e-9)
    np.testing.assert_array_equal(indices, np.argsort(errors))


@pytest.mark.parametrize("wrong", [{"p_subsample": 1.5}, {"loss": 42}, {"loss": "hinge"}])
def test_expected_error_checks(wrong):
    learner = ActiveLearner(GaussianNB(), X_training=X, y_training=Y)
    with pytest.raises(AssertionError, match=next(iter(wrong))):
        expected_error_reduction(learner, X[:5], **wrong)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        expected_error_reduction(learner, X[:5], **wrong)


def several_labels(estimator, n_rows=40, n_labels=4):
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(n_rows, 5))
    labels = (rows @ rng.normal(size=(5, n_labels)) > 0).astype(int)
    return OneVsRestClassifier(estimator).fit(rows, labels), rows


def test_strategies_for_several_labels_are_those_of_modal():
    theirs = pytest.importorskip("modAL.multilabel")
    classifier, rows = several_labels(LogisticRegression())
    for name in (
        "max_loss",
        "mean_max_loss",
        "min_confidence",
        "avg_confidence",
        "max_score",
        "avg_score",
    ):
        order, metrics = getattr(multilabel, name)(classifier, rows, 40)
        value = np.empty(40)
        value[order] = metrics
        expected = getattr(theirs, name)(classifier, rows, 3)
        expected = expected[0] if isinstance(expected, tuple) else expected
        # by value: modAL does not say which of equal rows comes first
        np.testing.assert_allclose(np.sort(value[expected]), np.sort(metrics[:3]), atol=1e-12)
    for likeliest in (None, np.zeros(40, dtype=int)):
        np.testing.assert_allclose(
            multilabel._SVM_loss(classifier, rows, most_certain_classes=likeliest),
            theirs._SVM_loss(classifier, rows, most_certain_classes=likeliest),
        )


@pytest.mark.parametrize("random_tie_break", [False, True])
def test_svm_minimum_takes_the_nearest_row_in_either_way(random_tie_break):
    classifier, rows = several_labels(LinearSVC())
    learner = ActiveLearner(classifier)
    indices, metrics = multilabel.SVM_binary_minimum(
        learner, rows, random_tie_break=random_tie_break
    )
    distances = np.abs(classifier.decision_function(rows)).min(axis=1)
    assert indices.tolist() == [distances.argmin()]
    assert metrics[0] == pytest.approx(distances.min())
    learner = ActiveLearner(classifier, multilabel.SVM_binary_minimum)
    assert set(learner.query(rows, n_instances=3)[0]) == set(np.argsort(distances)[:3])


def test_min_confidence_by_hand():
    proba = np.array([[0.9, 0.8], [0.1, 0.9], [0.6, 0.5]])
    fixed = Fixed(proba, predicted=(proba > 0.5).astype(int))
    assert multilabel.min_confidence(fixed, X[:3])[0].tolist() == [1]
    assert multilabel.avg_confidence(fixed, X[:3])[0].tolist() == [0]
    assert multilabel.max_score(fixed, X[:3])[1].tolist() == [0.45]
    indices, metrics = multilabel.avg_score(fixed, X[:3])
    assert indices.tolist() == [0] and metrics[0] == pytest.approx(0.425)


def test_the_default_asks_where_no_label_of_several_is_sure():
    classifier, rows = several_labels(LogisticRegression())
    labels = classifier.predict(rows)
    learner = ActiveLearner(OneVsRestClassifier(LogisticRegression()), None, rows, labels)
    indices, _ = learner.query(rows, n_instances=3)
    surest = learner.predict_proba(rows).max(axis=1)
    np.testing.assert_allclose(np.sort(surest[indices]), np.sort(surest)[:3])
