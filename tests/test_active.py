"""The learner: what it asks, what it learns, and that it is an estimator like others."""

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, OutlierMixin, clone
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from skbayes.active import ActiveLearner, bald, most_anomalous
from skbayes.active.acquisition import ACQUISITIONS

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


# -- query ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["least_confidence", "margin", "entropy"])
def test_query_takes_the_rows_of_highest_utility(name):
    learner = started(acquisition=name)
    utilities = ACQUISITIONS[name](learner.predict_proba(X[POOL])[np.newaxis])
    indices, rows, metrics = learner.query(X[POOL], 7, return_metrics=True)
    assert indices.dtype.kind == "i" and indices.shape == (7,)
    np.testing.assert_array_equal(indices, np.argsort(-utilities)[:7])
    np.testing.assert_array_equal(rows, X[POOL][indices])
    np.testing.assert_allclose(metrics, np.sort(utilities)[::-1][:7])


@pytest.mark.parametrize("name", ["bald", "mean_std"])
def test_query_through_a_pipeline_is_query_on_transformed_rows(name):
    pipeline = make_pipeline(StandardScaler(), Bootstraps())
    learner = started(pipeline, acquisition=name)
    transformed = pipeline[0].transform(X[POOL])
    utilities = ACQUISITIONS[name](pipeline[-1].sample_proba(transformed))
    *_, metrics = learner.query(X[POOL], 9, return_metrics=True)
    np.testing.assert_allclose(metrics, np.sort(utilities)[::-1][:9], rtol=1e-12)
    assert metrics[0] > 0
    inner = ActiveLearner(pipeline[-1], acquisition=name, random_state=0)
    indices, _ = inner.query(transformed, 9)
    np.testing.assert_array_equal(indices, learner.query(X[POOL], 9)[0])


def test_acquisition_may_be_a_function():
    by_name, by_function = (
        started(Bootstraps(), acquisition=acquisition).query(X[POOL], 5)[0]
        for acquisition in ("bald", bald)
    )
    np.testing.assert_array_equal(by_name, by_function)

    def probability_of_the_last(draws):
        assert draws.shape == (5, len(POOL), 3)
        return draws.mean(axis=0)[:, -1]

    learner = started(Bootstraps(), acquisition=probability_of_the_last)
    indices, _ = learner.query(X[POOL])
    assert indices.tolist() == [learner.predict_proba(X[POOL])[:, -1].argmax()]


def test_the_default_is_least_confidence():
    learner = started()
    indices, _ = learner.query(X[POOL], 5)
    expected = np.argsort(learner.predict_proba(X[POOL]).max(axis=1))[:5]
    np.testing.assert_array_equal(indices, expected)


def test_random_asks_for_no_prediction():
    indices, _ = ActiveLearner(None, acquisition="random", random_state=0).query(X, 50)
    assert len(set(indices.tolist())) == 50
    again, _ = ActiveLearner(object(), acquisition="random", random_state=0).query(X, 50)
    np.testing.assert_array_equal(indices, again)


@pytest.mark.parametrize("acquisition", [None, "margin", "entropy", "random"])
def test_ties_are_broken_at_random_and_reproducibly(acquisition):
    duck = Duck(np.full((40, 2), 0.5))
    state = global_state()

    def asked(seed):
        learner = ActiveLearner(duck, acquisition=acquisition, random_state=seed)
        return np.concatenate([learner.query(np.zeros((40, 1)), 4)[0] for _ in range(10)])

    first = asked(0)
    np.testing.assert_array_equal(first, asked(0))
    assert not np.array_equal(first, asked(1))
    assert not np.array_equal(asked(None), asked(None))
    assert len(set(first.tolist())) > 20  # not the first four again and again
    assert global_state() == state


@pytest.mark.parametrize(
    "estimator",
    [Duck(), LogisticRegression(), make_pipeline(StandardScaler(), Bootstraps()), Distance()],
)
def test_an_unfitted_estimator_asks_at_random(estimator):
    learner = ActiveLearner(estimator, random_state=0)
    asked = np.concatenate([learner.query(X, 5)[0] for _ in range(8)])
    assert len(set(asked.tolist())) > 25
    *_, metrics = learner.query(X, 2, return_metrics=True)
    np.testing.assert_array_equal(metrics, [0, 0])


@pytest.mark.parametrize(
    "kind",
    [
        lambda X: X,
        sparse.csr_matrix,
        sparse.csr_array,
        sparse.csc_array,
        sparse.lil_matrix,
        sparse.coo_array,
        lambda X: X.tolist(),
        lambda X: list(X),
    ],
)
def test_pools_of_every_kind(kind):
    learner = started()
    expected, _ = learner.query(X[POOL], 4)
    pool = kind(X[POOL])
    indices, rows = learner.query(pool, 4)
    np.testing.assert_array_equal(indices, expected)
    if sparse.issparse(pool):
        assert sparse.issparse(rows)
        rows = rows.toarray()
    else:
        assert type(rows) is type(pool)
    np.testing.assert_array_equal(rows, X[POOL][indices])


def test_a_loop_on_sparse_rows():
    learner = ActiveLearner(
        LogisticRegression(max_iter=1000),
        X_training=sparse.csr_array(X[START]),
        y_training=Y[START],
    )
    indices, rows = learner.query(sparse.csr_array(X[POOL]), 3)
    learner.teach(rows, Y[POOL][indices])
    assert learner.X_training.format == "csr" and learner.X_training.shape == (12, 4)
    learner.teach(X[:2], Y[:2])
    np.testing.assert_array_equal(learner.X_training.toarray()[-2:], X[:2])


def test_a_loop_on_data_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(150) + 1000)
    labels = pd.Series(np.array(["u", "v", "w"])[Y], index=frame.index)
    learner = ActiveLearner(
        make_pipeline(StandardScaler(), LogisticRegression()),
        X_training=frame.iloc[START],
        y_training=labels.iloc[START],
        random_state=0,
    )
    indices, rows = learner.query(frame.iloc[POOL], 3)
    assert rows.index.tolist() == (1000 + POOL[indices]).tolist()
    learner.teach(rows, labels.loc[rows.index])
    assert learner.score(frame, labels) > 0.8
    learner.teach(rows.to_numpy(), ["u", "u", "u"])
    assert learner.X_training.columns.tolist() == list("abcd")
    assert learner.X_training.shape == (15, 4) and len(learner.y_training) == 15
    assert learner.y_training.iloc[-1] == "u"
    learner.teach(rows[["d", "c", "b", "a"]], ["u", "u", "u"])  # columns go by name
    np.testing.assert_array_equal(learner.X_training.to_numpy()[-3:], rows.to_numpy())


def test_rows_of_any_shape_and_text():
    images = Duck(np.linspace([0.5, 0.5], [1, 0], 6))
    indices, rows = ActiveLearner(images).query(np.arange(6 * 4).reshape(6, 2, 2), 2)
    assert indices.tolist() == [0, 1] and rows.shape == (2, 2, 2)
    indices, rows = ActiveLearner(images).query(["a", "b", "c"], 1)
    assert rows == ["a"]


# -- strategies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected", "metrics"),
    [
        (np.array([3, 7]), [3, 7], None),
        ([3, 7], [3, 7], None),
        (([3, 7], [0.5, 0.1]), [3, 7], [0.5, 0.1]),
        ((np.array([3, 7]), None), [3, 7], None),
    ],
)
def test_strategies_return_indices_or_indices_and_metrics(answer, expected, metrics):
    calls = []

    def strategy(*args, **kwargs):
        calls.append((args, kwargs))
        return answer

    learner = ActiveLearner(None, strategy)
    indices, rows, returned = learner.query(X, n_instances=2, return_metrics=True, power=3)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(rows, X[expected])
    assert returned == metrics
    # called once, with the learner
    [(args, kwargs)] = calls
    assert args[0] is learner and args[1] is X
    assert kwargs == {"n_instances": 2, "power": 3}
    assert len(learner.query(X, 2)) == 2
    # what is positional stays so, and what was not given is not made up
    assert calls[1] == ((learner, X, 2), {})


def test_an_index_alone_will_do():
    index, row = ActiveLearner(None, lambda learner, X: np.argmax(X[:, 0])).query(X)
    assert index == X[:, 0].argmax() and row.shape == (4,)
    indices, rows = ActiveLearner(None, lambda learner, X, n_instances: 5).query(X, n_instances=1)
    assert indices.tolist() == [5] and rows.shape == (1, 4)


def test_a_strategy_that_fails_is_called_once():
    calls = []

    def strategy(learner, X):
        calls.append(1)
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        ActiveLearner(None, strategy).query(X)
    assert calls == [1]


@pytest.mark.parametrize("name", ["uncertainty_sampling", "margin_sampling", "entropy_sampling"])
@pytest.mark.parametrize("n_instances", [1, 4])
def test_strategies_of_modal(name, n_instances):
    uncertainty = pytest.importorskip("modAL.uncertainty")
    acquisition = {"uncertainty": "least_confidence"}.get(name.split("_")[0], name.split("_")[0])
    ours = started(acquisition=acquisition).query(X[POOL], n_instances)[0]
    learner = started(query_strategy=getattr(uncertainty, name))
    indices, rows = learner.query(X[POOL], n_instances=n_instances)
    assert set(indices.tolist()) == set(ours.tolist())
    np.testing.assert_array_equal(rows, X[POOL][indices])
    learner.teach(rows, Y[POOL][indices])
    assert len(learner.y_training) == 9 + n_instances
    indices, _ = learner.query(X[POOL], n_instances=n_instances, random_tie_break=True)
    assert len(indices) == n_instances
    unfitted = ActiveLearner(LogisticRegression(), getattr(uncertainty, name))
    assert len(unfitted.query(X[POOL], n_instances=n_instances)[0]) == n_instances


@pytest.mark.parametrize("on_transformed", [False, True])
def test_ranked_batch_of_modal(on_transformed):
    batch = pytest.importorskip("modAL.batch")
    scales = np.array([1.0, 1000.0, 1.0, 1.0])
    learner = started(
        make_pipeline(StandardScaler(), LogisticRegression()),
        query_strategy=batch.uncertainty_batch_sampling,
        on_transformed=on_transformed,
        X_training=X[START] * scales,
    )
    indices, _ = learner.query(X[POOL] * scales, n_instances=6)
    assert len(set(indices.tolist())) == 6
    inner = started(
        LogisticRegression(),
        query_strategy=batch.uncertainty_batch_sampling,
        X_training=learner.estimator[0].transform(X[START] * scales),
    )
    after_scaling, _ = inner.query(learner.estimator[0].transform(X[POOL] * scales), 6)
    assert np.array_equal(indices, after_scaling) == on_transformed


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


# -- an estimator like others ---------------------------------------------------------------------


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
