"""The active learner: what query asks for, by acquisition functions and by strategies."""

import numpy as np
import pytest
from active_toys import POOL, START, Bootstraps, Distance, Duck, X, Y, global_state, started
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes.active import ActiveLearner, bald
from skbayes.active.acquisition import ACQUISITIONS

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
