"""What a learner says to bad input."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbayes.active import ActiveLearner

RNG = np.random.RandomState(0)
X = RNG.normal(size=(30, 2))
Y = (X[:, 0] > 0).astype(int)


def learner(**kwargs):
    return ActiveLearner(LogisticRegression(), X_training=X, y_training=Y, **kwargs)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"acquisition": "margn"}, r"acquisition='margn' is not known.*'margin'"),
        ({"acquisition": 3}, "acquisition=3 is not known"),
        ({"query_strategy": "margin"}, "query_strategy='margin' must be callable; names go to acq"),
        ({"query_strategy": len, "acquisition": "margin"}, "both given; give one"),
        ({"refit": "cold"}, "refit='cold' must be 'full' or 'warm'"),
        ({"random_state": -1}, "random_state=-1 must be an integer from 0"),
        ({"random_state": "seed"}, "random_state='seed' must be"),
        ({"random_state": np.random.default_rng(0)}, r"random_state=Generator.* must be"),
    ],
)
def test_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        ActiveLearner(LogisticRegression(), **parameters)
    # set_params comes past the constructor
    late = learner().set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        late.query(X)
    with pytest.raises(ValueError, match=message):
        late.teach(X, Y)
    assert len(late.y_training) == 30


def test_unknown_parameters():
    with pytest.raises(TypeError, match="aquisition"):
        ActiveLearner(LogisticRegression(), aquisition="margin")
    with pytest.raises(ValueError, match="Invalid parameter 'X_training'"):
        learner().set_params(X_training=X)


@pytest.mark.parametrize(
    "estimator",
    [
        KNeighborsClassifier(),
        RandomForestClassifier(),  # its warm_start would add no tree and learn nothing
        HistGradientBoostingClassifier(),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}),
        FrozenEstimator(LogisticRegression().fit(X, Y)),
        None,
    ],
)
def test_warm_needs_an_estimator_that_can(estimator):
    with pytest.raises(ValueError, match="refit='warm' needs an estimator with partial_fit or"):
        ActiveLearner(estimator, refit="warm")


@pytest.mark.parametrize("pool", [X[:0], sparse.csr_array(X[:0]), []])
def test_empty_pool(pool):
    with pytest.raises(ValueError, match="n_instances=1 rows were asked for, but the pool has 0"):
        learner().query(pool)


@pytest.mark.parametrize("kwargs", [{"acquisition": "margin"}, {"query_strategy": None}])
def test_exhausted_pool(kwargs):
    assert learner(**kwargs).query(X, 30)[0].shape == (30,)
    with pytest.raises(ValueError, match=r"n_instances=31 rows were asked for.* pool has 30"):
        learner(**kwargs).query(X, 31)


def test_exhausted_pool_stops_before_the_strategy():
    def strategy(learner, X, n_instances):
        raise AssertionError("called")

    with pytest.raises(ValueError, match="the pool has 30"):
        learner(query_strategy=strategy).query(X, n_instances=31)


@pytest.mark.parametrize("n_instances", [0, -1, 1.0, "2", True, None])
def test_n_instances(n_instances):
    with pytest.raises(ValueError, match=r"n_instances=.* must be an integer of at least 1"):
        learner().query(X, n_instances)


@pytest.mark.parametrize("pool", [3, None, "text", np.float64(3)])
def test_no_pool(pool):
    with pytest.raises(ValueError, match="X_pool must be an array, sparse matrix, list or data fr"):
        learner().query(pool)


def test_a_pool_with_nan_or_other_columns():
    with pytest.raises(ValueError, match="NaN"):
        learner().query(np.where(X > 1, np.nan, X))
    with pytest.raises(ValueError, match="2 features"):
        learner().query(X[:, :1])


@pytest.mark.parametrize("name", ["bald", "variation_ratio", "mean_std"])
def test_one_draw_is_too_few(name):
    with pytest.raises(ValueError, match=f"{name} measures disagreement.* there is 1 draw"):
        learner(acquisition=name).query(X)


@pytest.mark.parametrize(
    ("estimator", "acquisition", "message"),
    [
        (LinearSVC(), "margin", "estimator=LinearSVC has no class probabilities"),
        (LinearRegression(), None, "estimator=LinearRegression has no class probabilities"),
        (LogisticRegression(), "most_anomalous", "needs score_samples, which estimator=Logistic"),
        (KNeighborsClassifier(), "least_certain", "needs decision_function, which"),
    ],
)
def test_an_estimator_without_what_the_acquisition_needs(estimator, acquisition, message):
    fitted = ActiveLearner(estimator, X_training=X, y_training=Y, acquisition=acquisition)
    with pytest.raises(TypeError, match=message):
        fitted.query(X)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda draws: draws, r"returned an array of shape \(1, 30, 2\).* one utility a row, \(30"),
        (lambda draws: 0.0, r"returned an array of shape \(\)"),
        (lambda draws: np.full(30, np.nan), "utilities hold nan in 30 of 30 rows"),
    ],
)
def test_an_acquisition_function_of_your_own(function, message):
    with pytest.raises(ValueError, match=message):
        learner(acquisition=function).query(X)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([3, 3], r"returned \[3, 3\]; they must be different row numbers from 0 to 29"),
        ([3, 30], r"returned \[3, 30\]; they must be different"),
        ([-1, 3], r"returned \[-1, 3\]; they must be different"),
        ([3], "returned 1 indices for n_instances=2"),
        ([1, 2, 3], "returned 3 indices for n_instances=2"),
        ([0.0, 1.0], r"integers in one dimension; got an array of shape \(2,\) and dtype float64"),
        ([True, False], "dtype bool"),
        ([[1, 2]], r"shape \(1, 2\)"),
        ([], "dtype float64"),
        (None, "dtype object"),
        (([1], [2], [3]), "returned a tuple of 3"),
    ],
)
def test_answers_of_strategies(answer, message):
    with pytest.raises(ValueError, match=message):
        learner(query_strategy=lambda *args, **kwargs: answer).query(X, n_instances=2)


def test_arguments_for_no_strategy():
    with pytest.raises(TypeError, match=r"query got \['power'\].* there is none"):
        learner().query(X, power=2)


def test_half_of_the_training_data():
    with pytest.raises(ValueError, match="X_training was given without y_training"):
        ActiveLearner(LogisticRegression(), X_training=X)
    with pytest.raises(ValueError, match="y_training was given without X_training"):
        ActiveLearner(LogisticRegression(), y_training=Y)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (X[:3], Y[:2], "X has 3 rows and y 2 labels"),
        (X[:0], Y[:0], "X has 0 rows; at least one"),
        (X[:1], 1, "y must be an array, .*; got 1"),
        (X[:1], "ab", "y must be an array, .*; got 'ab'"),
        (X[:1], None, "y must be an array"),
        (X[0], Y[:2], r"new X does not fit X_training: shape \(2,\) after \(30, 2\)"),
        (X[:2, :1], Y[:2], r"new X does not fit X_training: shape \(2, 1\) after \(30, 2\)"),
        (sparse.csr_array(X[:2, :1]), Y[:2], "new X does not fit X_training"),
        (X[:2], [[0], [1]], r"new y does not fit y_training: shape \(2, 1\) after \(30,\)"),
        (X[:2], ["0", "1"], "y holds text and y_training numbers; labels must be of one kind"),
        (X[:2], np.array(["a", "b"], dtype=object), "y holds text and y_training numbers"),
    ],
)
def test_labels_that_do_not_fit(rows, labels, message):
    taught = learner()
    with pytest.raises(ValueError, match=message):
        taught.teach(rows, labels)
    np.testing.assert_array_equal(taught.X_training, X)
    np.testing.assert_array_equal(taught.y_training, Y)


def test_numbers_after_text():
    taught = ActiveLearner(LogisticRegression(), X_training=X, y_training=np.array(["a", "b"])[Y])
    with pytest.raises(ValueError, match="y holds numbers and y_training text"):
        taught.teach(X[:1], [1])


def test_data_frames_with_other_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b"])
    taught = ActiveLearner(LogisticRegression(), X_training=frame, y_training=Y)
    with pytest.raises(ValueError, match=r"does not fit X_training.*\['a', 'c'\] after"):
        taught.teach(frame.rename(columns={"b": "c"}), Y)


def test_fit_checks_too():
    with pytest.raises(ValueError, match="X has 3 rows and y 2 labels"):
        learner().fit(X[:3], Y[:2])
    with pytest.raises(ValueError, match="X has 0 rows"):
        ActiveLearner(LogisticRegression(), X_training=X[:0], y_training=Y[:0])
