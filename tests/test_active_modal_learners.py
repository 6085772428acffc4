"""modAL's learner and optimizer, taught and asked as its tests do."""

from functools import partial
from itertools import product

import numpy as np
import pytest
from active_stand_ins import RNG, Fixed, X, Y
from scipy import sparse
from scipy.special import ndtr
from scipy.stats import norm
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skbayes.active import acquisition, batch, uncertainty
from skbayes.active.models import (
    ActiveLearner,
    BayesianOptimizer,
    Committee,
)

# -- the learner ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 2)])
@pytest.mark.parametrize("columns", [None, 4])
def test_training_data_of_any_shape(shape, columns):
    rows, new = RNG.rand(*shape), RNG.rand(*shape)
    labels = RNG.randint(2, size=5 if columns is None else (5, columns))
    learner = ActiveLearner(Fixed(), X_training=rows, y_training=labels)
    learner._add_training_data(new, labels)
    np.testing.assert_array_equal(learner.X_training, np.concatenate([rows, new]))
    np.testing.assert_array_equal(learner.y_training, np.concatenate([labels, labels]))
    with pytest.raises(ValueError, match="they must be as many"):
        learner._add_training_data(new, np.zeros(10))
    with pytest.raises(ValueError, match="new X does not fit X_training"):
        learner._add_training_data(RNG.rand(5, 9), labels)


def test_answers_of_the_estimator_are_passed_on():
    predicted, proba = RNG.randint(2, size=7), RNG.rand(7)
    learner = ActiveLearner(Fixed(proba, predicted, score=0.3), lambda *args: None)
    assert learner.predict(X) is predicted and learner.predict_proba(X) is proba
    assert learner.score(X[:5], Y[:5]) == 0.3


def test_what_only_quacks_need_not_give_probabilities():
    proba = RNG.rand(9, 3)  # rows that do not sum to 1
    learner = ActiveLearner(Fixed(proba), random_state=0)
    indices, _, metrics = learner.query(X[:9], n_instances=3, return_metrics=True)
    np.testing.assert_allclose(metrics, np.sort(1 - proba.max(axis=1))[::-1][:3])
    for ones in (np.ones((9, 3)), np.zeros((9, 1))):
        picked, _ = ActiveLearner(Fixed(ones), random_state=0).query(X[:9], n_instances=9)
        assert sorted(picked.tolist()) == list(range(9))
    # asked for by its name, it is checked
    with pytest.raises(ValueError, match="draws must sum to 1"):
        ActiveLearner(Fixed(proba), acquisition="least_confidence").query(X[:9])
    assert len(indices) == 3


def test_one_answer_of_a_strategy():
    learner = ActiveLearner(estimator=None, query_strategy=lambda *args: (3, 0.7))
    np.testing.assert_equal(learner.query(X), (3, X[3]))
    np.testing.assert_equal(learner.query(X, return_metrics=True), (3, X[3], 0.7))


def test_the_old_interface_returned_rows_too():
    chosen = np.array([4, 4])  # even twice the same

    def strategy(classifier, X):
        return chosen, X[chosen]

    learner = ActiveLearner(GaussianNB(), strategy, X[::15], Y[::15])
    indices, rows = learner.query(X)
    np.testing.assert_array_equal(indices, chosen)
    np.testing.assert_array_equal(rows, X[chosen])
    learner.teach(X=X[indices], y=Y[indices])
    assert len(learner.y_training) == 12


@pytest.mark.parametrize(("bootstrap", "only_new"), list(product([True, False], repeat=2)))
def test_teaching_what_only_quacks(bootstrap, only_new):
    learner = ActiveLearner(Fixed(), X_training=X[:10], y_training=Y[:10])
    learner.teach(X[10:14], Y[10:14], bootstrap=bootstrap, only_new=only_new)
    np.testing.assert_array_equal(learner.X_training, X[:14])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity(value):
    rows = np.full((10, 2), value)
    for kwargs in ({}, {"force_all_finite": False}):
        learner = ActiveLearner(Fixed(), X_training=rows, y_training=Y[:10], **kwargs)
        learner.teach(rows, Y[:10])
        assert len(learner.X_training) == 20
    with pytest.raises(ValueError, match="Input X contains"):
        ActiveLearner(Fixed(), X_training=rows, y_training=Y[:10], force_all_finite=True)
    with pytest.raises(ValueError, match="force_all_finite='no' must be True or False"):
        ActiveLearner(Fixed(), force_all_finite="no")


@pytest.mark.parametrize("kind", ["lil", "csc", "csr"])
@pytest.mark.parametrize("strategy", ["uncertainty", "entropy", "margin"])
def test_loops_on_sparse_pools(kind, strategy):
    pool = sparse.random(15, 4, density=0.5, format=kind, random_state=0)
    labels = np.arange(15) % 2
    learner = ActiveLearner(
        RandomForestClassifier(n_estimators=5, random_state=0),
        getattr(uncertainty, f"{strategy}_sampling"),
        pool[:5],
        labels[:5],
    )
    indices, rows = learner.query(pool)
    learner.teach(pool[indices], labels[indices])
    assert learner.X_training.shape == (6, 4)
    np.testing.assert_array_equal(learner.X_training.toarray()[-1:], rows.toarray())


def test_on_transformed_frames_and_text():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X)
    for make in (
        lambda model: ActiveLearner(
            model, batch.uncertainty_batch_sampling, frame.iloc[::30], Y[::30], on_transformed=True
        ),
        lambda model: Committee(
            [ActiveLearner(clone(model), None, frame.iloc[i::50], Y[i::50]) for i in range(3)],
            batch.uncertainty_batch_sampling,
            on_transformed=True,
        ),
    ):
        model = make_pipeline(
            FunctionTransformer(pd.DataFrame.to_numpy), RandomForestClassifier(5, random_state=0)
        )
        learner = make(model)
        indices, _ = learner.query(frame)
        assert len(set(indices.tolist())) == 20
        learner.teach(frame.iloc[indices], Y[indices])
    words = ["Airplane", "House"]
    learner = ActiveLearner(
        make_pipeline(CountVectorizer(), RandomForestClassifier(5, random_state=0)),
        batch.uncertainty_batch_sampling,
        ["Dog", "Cat", "Tree"],
        [0, 1, 1],
        on_transformed=True,
    )
    for _ in words:  # what is seen changes with every word taught
        indices, _ = learner.query(words, n_instances=1)
        learner.teach(X=[words[indices[0]]], y=[0])
    assert len(learner.X_training) == 5


def test_transform_of_an_ensemble_of_pipelines():
    pipes = [(c, make_pipeline(StandardScaler(), GaussianNB())) for c in "ab"]
    learner = ActiveLearner(VotingClassifier(pipes), X_training=X, y_training=Y)
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(learner.transform_without_estimating(X), np.hstack([scaled, scaled]))
    plain = ActiveLearner(GaussianNB(), X_training=X, y_training=Y)
    assert plain.transform_without_estimating(X) is X


# -- Bayesian optimisation ------------------------------------------------------------------------


def test_gaussian_formulas():
    mean, std, best, tradeoff = RNG.rand(50), RNG.rand(50) + 0.1, 0.4, 0.1
    z = (mean - best - tradeoff) / std
    np.testing.assert_allclose(acquisition.PI(mean, std, best, tradeoff), ndtr(z))
    np.testing.assert_allclose(
        acquisition.EI(mean, std, best, tradeoff), std * (z * ndtr(z) + norm.pdf(z))
    )
    np.testing.assert_allclose(acquisition.UCB(mean, std, 3), mean + 3 * std)
    # a minimum of f is a maximum of -f
    for function in (acquisition.PI, acquisition.EI):
        np.testing.assert_allclose(
            function(mean, std, best, tradeoff, maximize=False),
            function(-mean, std, -best, tradeoff),
        )
    np.testing.assert_allclose(
        acquisition.UCB(mean, std, 3, maximize=False), acquisition.UCB(-mean, std, 3)
    )
    # certain values
    assert acquisition.PI([1.0, 2.0], [0.0, 0.0], 1.5, 0).tolist() == [0, 1]
    assert acquisition.EI([1.0, 2.0], [0.0, 0.0], 1.5, 0).tolist() == [0, 0.5]


def optimizer_with(**kwargs):
    optimizer = BayesianOptimizer(Fixed(**kwargs))
    optimizer._set_max([0], [0.7])
    return optimizer


def test_utilities_of_an_optimizer():
    mean, std = RNG.rand(20), RNG.rand(20)
    fitted, unfitted = optimizer_with(predicted=(mean, std)), optimizer_with(fitted=False)
    zeros, ones = np.zeros((20, 1)), np.ones((20, 1))
    for utility, formula, best in [
        (acquisition.optimizer_PI, acquisition.PI, (0.7,)),
        (acquisition.optimizer_EI, acquisition.EI, (0.7,)),
        (acquisition.optimizer_UCB, acquisition.UCB, ()),
    ]:
        np.testing.assert_allclose(utility(fitted, X[:20], 0.2), formula(mean, std, *best, 0.2))
        # before the first fit a column, as in modAL
        np.testing.assert_allclose(utility(unfitted, X[:20], 0.2), formula(zeros, ones, *best, 0.2))
    for strategy in (acquisition.max_PI, acquisition.max_EI, acquisition.max_UCB):
        for optimizer in (fitted, unfitted):
            indices, metrics = strategy(optimizer, X[:20], 0.2, n_instances=4)
            assert len(set(indices.tolist())) == 4 and metrics.shape == (4,)


def test_the_best_so_far():
    optimizer = BayesianOptimizer(Fixed())
    assert optimizer.get_max() == (None, -np.inf) and optimizer.get_min() == (None, np.inf)
    rows, values = RNG.rand(9, 3), RNG.rand(9)
    optimizer = BayesianOptimizer(Fixed(), X_training=rows, y_training=values)
    np.testing.assert_equal(optimizer.get_max(), (rows[values.argmax()], values.max()))
    np.testing.assert_equal(optimizer.get_min(), (rows[values.argmin()], values.min()))
    np.testing.assert_equal(optimizer.get_best(), optimizer.get_max())
    optimizer._set_max(0.5, values - 1)  # no new record: the rows are not looked at
    assert optimizer.y_max == values.max()
    optimizer._set_max(rows + 1, values + 1)
    np.testing.assert_array_equal(optimizer.X_max, rows[values.argmax()] + 1)
    assert optimizer.y_max == values.max() + 1
    # fit forgets, also the record
    optimizer.fit(rows[:2], values[:2])
    assert optimizer.y_max == values[:2].max()
    # one column, and an evaluation that failed
    optimizer.teach(rows[:2], [np.nan, 7.0])
    assert optimizer.y_max == 7
    column = BayesianOptimizer(Fixed(), X_training=rows, y_training=values.reshape(-1, 1))
    assert column.y_max == values.max()


@pytest.mark.parametrize(("bootstrap", "only_new"), list(product([True, False], repeat=2)))
def test_optimizer_is_taught(bootstrap, only_new):
    rows, values = RNG.rand(6, 2), RNG.rand(6)
    optimizer = BayesianOptimizer(Fixed())
    optimizer.teach(rows, values, bootstrap=bootstrap, only_new=only_new)
    optimizer.teach(rows[:1], [3.0], bootstrap=bootstrap, only_new=only_new)
    assert optimizer.y_max == 3 and len(optimizer.y_training) == 7


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize(
    "asks",
    [
        {},
        {"query_strategy": partial(acquisition.max_PI, tradeoff=0.05)},
        {"query_strategy": acquisition.max_UCB},
        {"acquisition": "expected_improvement"},
        {"acquisition": "confidence_bound"},
        {"acquisition": "thompson"},
    ],
)
def test_optimizer_finds_the_extremum(asks, maximize):
    grid = np.linspace(0, 20, 400).reshape(-1, 1)
    values = np.sin(grid[:, 0]) / 2 - (10 - grid[:, 0]) ** 2 / 50 + 2
    values = values if maximize else -values
    start = [20, 150, 380]
    optimizer = BayesianOptimizer(
        GaussianProcessRegressor(alpha=1e-6, normalize_y=True, optimizer=None),
        X_training=grid[start],
        y_training=values[start],
        maximize=maximize,
        random_state=0,
        **asks,
    )
    for _ in range(30):
        indices, rows = optimizer.query(grid, n_instances=1)
        optimizer.teach(rows, values[indices])
    row, value = optimizer.get_best()
    best = values.max() if maximize else values.min()
    assert abs(value - best) < 0.02
    assert optimizer.estimator.predict(row.reshape(1, -1))[0] == pytest.approx(value, abs=0.05)


# -- a class of support vector machines as in modAL's examples -------------------------------------


def test_stream_based_sampling():
    learner = ActiveLearner(SVC(kernel="linear"), None, X[[0, 60, 120]], Y[[0, 60, 120]])
    learner.estimator = GaussianNB().fit(X[::10], Y[::10])
    asked = 0
    for row, label in zip(X[::7], Y[::7], strict=True):
        if uncertainty.classifier_uncertainty(learner, row.reshape(1, -1))[0] >= 0.1:
            learner.teach(row.reshape(1, -1), label.reshape(-1))
            asked += 1
    assert 0 < asked < 22 and len(learner.y_training) == 3 + asked
