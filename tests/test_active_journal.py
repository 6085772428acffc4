"""The journal: nothing acknowledged is lost, nothing is doubled, a run goes on where it was."""

import sqlite3

import numpy as np
import pytest
from journal_toys import POOL, START, X_POOL, Y_POOL, X, Y, begin, same, step
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes.active import ActiveLearner, BayesianOptimizer
from skbayes.active.journal import JournalError, read_journal
from skbayes.active.oracles import SKIP
from skbayes.active.uncertainty import margin_sampling


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"acquisition": "random"},
        {"batch": "softrank"},
        {"epsilon": 0.5},
        {"acquisition": None, "query_strategy": margin_sampling},
        {"refit": "warm"},
        {"bootstrap_init": True},
    ],
)
def test_a_resumed_run_is_the_undisturbed_one(tmp_path, parameters):
    undisturbed = begin(tmp_path / "a.db", **parameters)
    stopped = begin(tmp_path / "b.db", **parameters)
    for _ in range(3):
        np.testing.assert_array_equal(step(undisturbed), step(stopped))
    stopped.query(X_POOL, n_instances=3, exclude=stopped.labelled_)  # asked, never answered
    stopped.close()
    resumed = ActiveLearner.resume(tmp_path / "b.db", X_POOL.copy())
    same(resumed, undisturbed)
    assert resumed.get_params(deep=False).keys() == undisturbed.get_params(deep=False).keys()
    for _ in range(3):
        np.testing.assert_array_equal(step(undisturbed), step(resumed))
    same(resumed, undisturbed)
    resumed.close()
    again = ActiveLearner.resume(tmp_path / "b.db", X_POOL)
    same(again, undisturbed)


@pytest.mark.parametrize("how", ["bootstrap", "only_new", "warm network", "weights"])
def test_training_is_repeated_as_it_was(tmp_path, how):
    estimator, refit, kwargs = LogisticRegression(max_iter=500), "full", {}
    if how == "warm network":
        network = MLPClassifier((5,), max_iter=20, random_state=0)
        estimator, refit = make_pipeline(StandardScaler(), network), "warm"
    elif how == "weights":
        kwargs = {"sample_weight": None}
    else:
        kwargs = {how: True}
        if how == "only_new":
            estimator = MLPClassifier((5,), max_iter=20, random_state=0, warm_start=True)

    def run(path):
        learner = begin(path, estimator=clone(estimator), refit=refit)
        for n in range(3):
            picked = [n, 60 + n, 120 + n]
            learner.teach(X_POOL[picked], Y_POOL[picked], indices=picked, **kwargs)
        return learner

    with pytest.warns() if "network" in how or how == "only_new" else _nothing():
        undisturbed, stopped = run(tmp_path / "a.db"), run(tmp_path / "b.db")
        stopped.close()
        same(ActiveLearner.resume(tmp_path / "b.db", X_POOL), undisturbed)


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *args):
        return False


def test_labels_are_in_the_file_before_teach_returns(tmp_path):
    learner = begin(tmp_path / "labels.db")
    indices = step(learner)
    # as a process that was killed leaves it: the bytes that are there now
    (tmp_path / "copy.db").write_bytes((tmp_path / "labels.db").read_bytes())
    resumed = ActiveLearner.resume(tmp_path / "copy.db", X_POOL)
    assert set(resumed.labelled_.tolist()) == set(indices.tolist())
    same(resumed, learner)
    connection = sqlite3.connect(tmp_path / "copy.db", timeout=0)
    assert learner._journal.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert learner._journal.connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_what_is_written(tmp_path):
    learner = begin(tmp_path / "labels.db", acquisition="entropy")
    indices, rows, metrics = learner.query(X_POOL, n_instances=2, return_metrics=True)
    learner.teach(rows, Y_POOL[indices])
    learner.skip([7, 9])
    learner.amend(indices[:1], [2])
    learner.close()
    entries = read_journal(tmp_path / "labels.db")
    kinds = [entry["what"] for entry in entries]
    assert kinds == ["fit"] * 6 + ["query"] * 2 + ["teach"] * 2 + ["skip"] * 2 + ["amend"]
    asked, taught = entries[6:8], entries[8:10]
    assert [entry["place"] for entry in asked] == indices.tolist()
    np.testing.assert_allclose([entry["utility"] for entry in asked], metrics)
    assert {entry["strategy"] for entry in asked} == {"entropy"}
    assert [entry["place"] for entry in taught] == indices.tolist()
    np.testing.assert_array_equal(taught[0]["row"], rows[:1])
    assert [entry["answer"].tolist() for entry in taught] == [[y] for y in Y_POOL[indices]]
    assert [entry["place"] for entry in entries[10:12]] == [7, 9]
    assert entries[-1]["place"] == indices[0] and entries[-1]["answer"] == [2]
    assert entries[-1]["before"].tolist() == [Y_POOL[indices[0]]]
    times = [entry["when"] for entry in entries]
    assert times == sorted(times)


def test_corrections_and_skips_survive(tmp_path):
    learner = begin(tmp_path / "labels.db")
    first, second = step(learner), step(learner)
    wrong = (Y_POOL[first] + 1) % 3
    assert learner.amend(first, wrong) is learner
    np.testing.assert_array_equal(learner.y_training[6:9], wrong)
    np.testing.assert_array_equal(learner.y_training[9:], Y_POOL[second])
    expected = GaussianNB().fit(learner.X_training, learner.y_training)
    np.testing.assert_array_equal(learner.predict_proba(X), expected.predict_proba(X))
    learner.skip(3).skip([3, 5])
    assert learner.skipped_.tolist() == [3, 5]
    learner.close()
    resumed = ActiveLearner.resume(tmp_path / "labels.db", X_POOL)
    same(resumed, learner)
    assert resumed.skipped_.tolist() == [3, 5]
    with pytest.raises(ValueError, match=r"indices=\[143\] were not taught yet"):
        resumed.amend([143], [0])
    with pytest.raises(ValueError, match="y has 2 labels for 1 indices"):
        resumed.amend(first[:1], [0, 1])
    with pytest.raises(ValueError, match="NaN"):
        resumed.amend(first[:1], [np.nan])
    same(resumed, learner)  # all or nothing
    resumed.close()
    same(ActiveLearner.resume(tmp_path / "labels.db", X_POOL), learner)


def test_labels_and_skips_of_a_batch_are_on_the_disk_together(tmp_path):
    # a run that is resumed between them would ask for other rows than the undisturbed one
    learner = begin(tmp_path / "labels.db")
    statements = []
    learner._journal.connection.set_trace_callback(statements.append)
    learner.run(X_POOL, lambda rows, places: [SKIP, *Y_POOL[places][1:]], 1, 3)
    learner._journal.connection.set_trace_callback(None)
    kinds = [text.split(" (")[0].split(" VALUES")[0] for text in statements]
    first, last = kinds.index("INSERT INTO skips"), kinds.index("INSERT INTO labels")
    assert first < last and "COMMIT" not in kinds[first:last]
    assert len(learner.skipped_) == 1 and len(learner.labelled_) == 2
    learner.close()
    resumed = ActiveLearner.resume(tmp_path / "labels.db", X_POOL)
    same(resumed, learner)
    np.testing.assert_array_equal(resumed.skipped_, learner.skipped_)


def test_a_skip_is_noted_though_the_labels_beside_it_are_refused(tmp_path):
    learner = begin(tmp_path / "labels.db")
    with pytest.raises(ValueError, match="does not fit y_training"):
        learner.run(X_POOL, lambda rows, places: [SKIP, [0, 1], [1, 0]], 1, 3)
    assert len(learner.skipped_) == 1 and len(learner.labelled_) == 0


def test_teaching_twice_is_teaching_once(tmp_path):
    learner = begin(tmp_path / "labels.db")
    indices, rows = learner.query(X_POOL, n_instances=3)
    learner.teach(rows, Y_POOL[indices])
    for _ in range(2):
        learner.teach(rows, Y_POOL[indices])
        learner.teach(rows[::-1], Y_POOL[indices[::-1]], indices=indices[::-1])
    learner.teach(X_POOL[:4], Y_POOL[:4], indices=np.arange(4))
    n_labels = 9 + len(set(range(4)) - set(indices.tolist()))
    assert len(learner.y_training) == n_labels
    # taught before it was asked for, and then by its place
    learner.teach(X_POOL[[40]], Y_POOL[[40]])
    learner.teach(X_POOL[[40]], Y_POOL[[40]], indices=[40])
    assert len(learner.y_training) == n_labels + 1 and 40 in learner.labelled_
    with pytest.raises(ValueError, match=r"was labelled . before and is labelled 7 now.*amend"):
        learner.teach(rows[:1], [7])
    assert len(learner.y_training) == n_labels + 1
    learner.close()
    resumed = ActiveLearner.resume(tmp_path / "labels.db", X_POOL)
    same(resumed, learner)
    resumed.teach(rows, Y_POOL[indices])
    same(resumed, learner)


def test_copies_in_a_pool_are_rows_of_their_own(tmp_path):
    pool, labels = np.repeat(X_POOL[:5], 3, axis=0), np.repeat(Y_POOL[:5], 3)
    learner = begin(tmp_path / "labels.db")
    taken = []
    for _ in range(5):
        taken += step(learner, 3, pool, labels).tolist()
    assert sorted(taken) == list(range(15)) == learner.labelled_.tolist()
    assert len(learner.y_training) == 21
    learner.close()
    same(ActiveLearner.resume(tmp_path / "labels.db", pool), learner)


def test_labels_that_cannot_be_learned_are_taken_back(tmp_path):
    learner = begin(tmp_path / "labels.db")
    before = learner.predict_proba(X)
    with pytest.raises(ValueError, match="NaN"):
        learner.teach(np.full((1, 4), np.nan), [0])
    assert len(learner.y_training) == 6
    np.testing.assert_array_equal(learner.predict_proba(X), before)
    step(learner)
    learner.close()
    same(ActiveLearner.resume(tmp_path / "labels.db", X_POOL), learner)


@pytest.mark.parametrize("kind", ["list", "csr", "frame", "memmap", "text", "images"])
def test_data_of_every_kind_come_back_as_they_were(tmp_path, kind):
    rows, labels, estimator = X_POOL, Y_POOL, GaussianNB()
    if kind == "list":
        rows = X_POOL.tolist()
    elif kind == "csr":
        rows, estimator = sparse.csr_matrix(X_POOL), LogisticRegression(max_iter=500)
    elif kind == "frame":
        pd = pytest.importorskip("pandas")
        rows = pd.DataFrame(X_POOL, columns=list("abcd"), index=POOL)
        labels = pd.Series(np.array(["u", "v", "w"])[Y_POOL], index=POOL)
    elif kind == "memmap":
        rows = np.memmap(tmp_path / "rows", mode="w+", shape=X_POOL.shape, dtype=float)
        rows[:] = X_POOL
    elif kind in ("text", "images"):
        estimator = Duck()
        rows = [f"row {n}" for n in POOL] if kind == "text" else X_POOL.reshape(-1, 2, 2)
    taken = [0, 60, 120, 5]
    some = rows.iloc[taken] if kind == "frame" else _take(rows, taken)
    answers = labels.iloc[taken] if kind == "frame" else labels[taken]
    learner = ActiveLearner(
        estimator, acquisition="random", random_state=0, journal=tmp_path / "labels.db"
    )
    learner.query(rows)
    learner.teach(some, answers, indices=taken)
    learner.close()
    resumed = ActiveLearner.resume(tmp_path / "labels.db", rows)
    assert type(resumed.X_training) is (np.ndarray if kind == "memmap" else type(some))
    assert type(resumed.y_training) is type(answers)
    if kind == "csr":
        np.testing.assert_array_equal(resumed.X_training.toarray(), some.toarray())
    elif kind == "frame":
        assert resumed.X_training.equals(some) and resumed.y_training.equals(answers)
    else:
        np.testing.assert_array_equal(resumed.X_training, some)
    np.testing.assert_array_equal(resumed.y_training, answers)
    assert resumed.labelled_.tolist() == sorted(taken)


def _take(rows, places):
    return [rows[place] for place in places] if isinstance(rows, list) else rows[places]


class Duck:
    """Fits anything."""

    def fit(self, X, y):
        pass

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (X_POOL[:-1], "143 rows is not the pool of journal=.*, which has 144 rows"),
        (X_POOL[::-1], "is not the pool .* with another content"),
        (X_POOL.astype(np.float32), "is not the pool"),
        (X_POOL + 1e-12, "is not the pool"),
    ],
)
def test_another_pool_is_refused(tmp_path, pool, message):
    learner = begin(tmp_path / "labels.db")
    step(learner)
    learner.close()
    with pytest.raises(JournalError, match=message):
        ActiveLearner.resume(tmp_path / "labels.db", pool)
    ActiveLearner.resume(tmp_path / "labels.db", X_POOL)  # the file was let go of


def test_a_loop_that_makes_the_pool_smaller(tmp_path):
    learner = begin(tmp_path / "labels.db")
    left = np.arange(144)
    taken = []
    for _ in range(3):
        indices, rows = learner.query(X_POOL[left], n_instances=2)
        learner.teach(rows, Y_POOL[left[indices]])
        taken += left[indices].tolist()
        left = np.delete(left, indices)
    learner.close()
    resumed = ActiveLearner.resume(tmp_path / "labels.db", X_POOL)
    # rows of equal content are one place as good as the other
    np.testing.assert_array_equal(np.unique(X_POOL[resumed.labelled_]), np.unique(X_POOL[taken]))
    assert len(resumed.labelled_) == 6
    np.testing.assert_array_equal(resumed.X_training, learner.X_training)


def test_parameters_that_do_not_pickle_are_asked_for(tmp_path):
    learner = begin(tmp_path / "a.db", acquisition=lambda draws: draws[0, :, 0])
    indices = step(learner)
    learner.close()
    with pytest.raises(JournalError, match=r"acquisition could not be pickled.*acquisition=\.\.\."):
        ActiveLearner.resume(tmp_path / "a.db", X_POOL)
    resumed = ActiveLearner.resume(tmp_path / "a.db", X_POOL, acquisition="margin")
    assert set(resumed.labelled_) == set(indices) and resumed.acquisition == "margin"


def test_without_a_journal_there_is_none_of_it():
    learner = ActiveLearner(GaussianNB(), None, X[START], Y[START])
    learner.teach(X[:1], Y[:1])
    learner.teach(X[:1], Y[:1])  # as in modAL, twice
    assert len(learner.y_training) == 8 and len(learner.labelled_) == 0
    for forbidden in (
        lambda: learner.skip(0),
        lambda: learner.amend([0], [0]),
        lambda: learner.teach(X[:1], Y[:1], indices=[0]),
    ):
        with pytest.raises(ValueError, match="journal"):
            forbidden()
    learner.close()


def test_an_optimizer_resumes_with_its_record(tmp_path):
    values = np.sin(X_POOL[:, 0])
    optimizer = BayesianOptimizer(
        LogisticRegression(), acquisition="random", random_state=0, journal=tmp_path / "a.db"
    )
    labels = (values > 0).astype(int)
    for _ in range(3):
        indices, rows = optimizer.query(X_POOL, n_instances=4, exclude=optimizer.labelled_)
        optimizer.teach(rows, labels[indices])
    optimizer.close()
    resumed = BayesianOptimizer.resume(tmp_path / "a.db", X_POOL)
    assert resumed.get_max()[1] == optimizer.get_max()[1] == 1
    assert resumed.get_min()[1] == optimizer.get_min()[1]


def test_places_given_are_checked(tmp_path):
    learner = begin(tmp_path / "labels.db")
    for wrong, message in [
        ([0], "indices must be 2 positions in the pool"),
        ([0.5, 1.0], "indices must be positions in the pool, integers"),
        ([[0, 1]], "indices must be positions in the pool, integers"),
        ([0, -1], r"outside the pool, \[-1\]; they go from 0 on"),
    ]:
        with pytest.raises(ValueError, match=message):
            learner.teach(X_POOL[:2], Y_POOL[:2], indices=wrong)
    step(learner)
    for places in ([0, 144], [-3, 0]):  # 144 rows; what is durable would spoil every later query
        for act in (
            lambda: learner.teach(X_POOL[:2], Y_POOL[:2], indices=places),
            lambda: learner.skip(places),
            lambda: learner.amend(places, Y_POOL[:2]),
        ):
            with pytest.raises(ValueError, match="outside the pool.*they go from 0 to 143"):
                act()
    assert len(learner.labelled_) == 3 and len(learner.skipped_) == 0


def test_a_place_is_labelled_once_in_a_call_too(tmp_path):
    learner = begin(tmp_path / "labels.db")
    learner.teach(X_POOL[[4, 4, 5]], Y_POOL[[4, 4, 5]], indices=[4, 4, 5])
    assert len(learner.y_training) == 6 + 2
    with pytest.raises(ValueError, match="position 7 .*labelled 0 before and is .* 1 now"):
        learner.teach(X_POOL[[7, 7]], np.array([0, 1]), indices=[7, 7])
    indices, rows = learner.query(X_POOL, exclude=learner.labelled_)
    learner.teach(np.repeat(rows, 2, axis=0), np.repeat(Y_POOL[indices], 2))
    assert len(learner.y_training) == 6 + 3
    np.testing.assert_array_equal(learner.labelled_, np.sort([4, 5, *indices]))


def test_a_journal_is_of_one_class_of_learner(tmp_path):
    begin(tmp_path / "labels.db").close()
    with pytest.raises(JournalError, match="of the class ActiveLearner, not BayesianOptimizer"):
        BayesianOptimizer.resume(tmp_path / "labels.db", X_POOL)
