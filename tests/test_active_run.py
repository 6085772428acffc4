"""The whole loop, what stops it, what it draws, and the people who are asked."""

import sys
from types import ModuleType

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB

from skbayes.active import (
    ActiveLearner,
    Committee,
    CommitteeRegressor,
    DeepActiveLearner,
    LearningCurve,
    LearningCurveDisplay,
)
from skbayes.active.journal import read_journal
from skbayes.active.notebook import NotebookOracle
from skbayes.active.oracles import SKIP, Quit, TerminalOracle, Undo, show_row
from skbayes.active.stopping import (
    Budget,
    LowUtility,
    RunState,
    StablePredictions,
    TargetScore,
)

X, Y = load_iris(return_X_y=True)
START = np.r_[0:2, 50:52, 100:102]
POOL = np.setdiff1d(np.arange(150), START)
X_POOL, Y_POOL = X[POOL], Y[POOL]


def begin(**kwargs):
    parameters = {"acquisition": "margin", "random_state": 0, **kwargs}
    return ActiveLearner(GaussianNB(), X_training=X[START], y_training=Y[START], **parameters)


# -- run ------------------------------------------------------------------------------------------


def test_a_run_is_the_loop_by_hand():
    by_hand, learner = begin(), begin()
    curve = learner.run(X_POOL, Y_POOL, 5, 4, X_test=X, y_test=Y)
    taken = np.empty(0, dtype=int)
    scores = [by_hand.score(X, Y)]
    for _ in range(5):
        indices, rows = by_hand.query(X_POOL, n_instances=4, exclude=taken)
        by_hand.teach(rows, Y_POOL[indices])
        taken = np.r_[taken, indices]
        scores.append(by_hand.score(X, Y))
    assert curve.indices == taken.tolist() and curve.n_labels == list(range(6, 27, 4))
    assert curve.scores == scores and curve.stopped_by == "n_queries=5"
    np.testing.assert_array_equal(learner.X_training, by_hand.X_training)


def test_a_function_is_asked_with_rows_and_places():
    def oracle(rows, indices):
        np.testing.assert_array_equal(rows, X_POOL[indices])
        return Y_POOL[indices]

    learner = begin()
    curve = learner.run(X_POOL, oracle, None, 50)
    # to the end of the pool, the last batch being what is left
    assert sorted(curve.indices) == list(range(144)) and curve.n_labels[-1] == 150
    assert curve.stopped_by == "the pool is exhausted" and curve.scores == []


def test_skipping_and_quitting():
    asked = []

    def oracle(rows, indices):
        asked.append(indices.tolist())
        answers = [SKIP if n % 2 else int(Y_POOL[i]) for n, i in enumerate(indices)]
        return answers if len(asked) < 3 else answers[:2]

    learner = begin()
    curve = learner.run(X_POOL, oracle, batch_size=3)
    assert curve.stopped_by == "the oracle quit" and len(asked) == 3
    assert curve.indices == [i for batch in asked[:2] for i in batch[::2]] + asked[2][:1]
    assert curve.skipped == [batch[1] for batch in asked]
    assert len({i for batch in asked for i in batch}) == 9  # what was skipped is not asked again
    assert len(learner.y_training) == 6 + 5
    with pytest.raises(ValueError, match="the oracle returned 3 labels for 1 rows"):
        begin().run(X_POOL, lambda rows, indices: [0, 1, 2], 1)


def test_scoring_query_arguments_and_committees(capsys):
    learner = begin()
    curve = learner.run(X_POOL, Y_POOL, 2, X_test=X, y_test=Y, scoring="roc_auc_ovr")
    expected = roc_auc_score(Y, learner.predict_proba(X), multi_class="ovr")
    assert curve.scores[-1] == pytest.approx(expected)
    seen = []

    def strategy(learner, pool, n_instances, power):
        seen.append(power)
        return np.arange(n_instances)

    begin(acquisition=None, query_strategy=strategy).run(
        X_POOL, Y_POOL, 3, query_kwargs={"power": 7}, progress=True
    )
    assert seen == [7, 7, 7] and "labels=9" in capsys.readouterr().err
    members = [ActiveLearner(GaussianNB(), None, X[i::50], Y[i::50]) for i in range(2)]
    curve = Committee(members, random_state=0).run(X_POOL, Y_POOL, 3, 5, X_test=X, y_test=Y)
    assert curve.n_labels == [6, 11, 16, 21] and curve.scores[-1] > 0.8
    members = [
        ActiveLearner(LogisticRegression(max_iter=500), None, X[i::50], Y[i::50]) for i in range(2)
    ]
    curve = CommitteeRegressor(members).run(X_POOL, Y_POOL.tolist(), 2)
    assert len(curve.indices) == 2


def test_run_checks():
    for kwargs, message in [
        ({"oracle": Y_POOL[:3]}, "oracle has 3 labels for a pool of 144 rows"),
        ({"n_queries": -1}, "n_queries=-1 must be an integer of at least 0"),
        ({"batch_size": 0}, "n_instances=0 must be"),
        ({"X_test": X}, "X_test and y_test must be given together"),
        ({"scoring": "accuracy"}, "scoring='accuracy' needs X_test and y_test"),
    ]:
        with pytest.raises(ValueError, match=message):
            begin().run(X_POOL, **{"oracle": Y_POOL, **kwargs})
    with pytest.raises(ValueError, match="TargetScore.* needs X_test"):
        begin().run(X_POOL, Y_POOL, 1, stopping=TargetScore(0.9))
    with pytest.raises(ValueError, match="LowUtility.* needs a strategy that gives utilities"):
        begin(acquisition=None, query_strategy=lambda *a, n_instances: np.arange(n_instances)).run(
            X_POOL, Y_POOL, 1, stopping=LowUtility(0.9)
        )
    for make, message in [
        (lambda: Budget(0), "n_labels=0 must be an integer of at least 1"),
        (lambda: TargetScore("high"), "score='high' must be a number"),
        (lambda: LowUtility(np.nan), "threshold=nan must be a number"),
        (lambda: StablePredictions(X, patience=0), "patience=0 must be an integer of at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
    for wrong in ("budget", 5, [Budget(50), 5]):
        with pytest.raises(TypeError, match=r"must be a criterion, such as Budget\(200\)"):
            begin().run(X_POOL, Y_POOL, 1, stopping=wrong)


def test_a_run_from_nothing():
    curve = ActiveLearner(GaussianNB(), random_state=0).run(
        X_POOL, Y_POOL, 3, 10, X_test=X, y_test=Y
    )
    assert curve.n_labels == [0, 10, 20, 30]
    assert np.isnan(curve.scores[0]) and curve.scores[-1] > 0.7
    first, middle, last = curve.scores[1:]  # the area is that of the labels with a score
    assert curve.area() == pytest.approx((first + 2 * middle + last) / 4)


def test_scores_of_what_was_trained_without_labels_of_the_learner():
    fitted = GaussianNB().fit(X, Y)
    curve = ActiveLearner(fitted, random_state=0).run(X_POOL, Y_POOL, 0, X_test=X, y_test=Y)
    assert curve.scores == [fitted.score(X, Y)]
    deep = DeepActiveLearner(GaussianNB(), random_state=0)  # which keeps none
    classes = {"classes": [0, 1, 2]}  # sixty rows know them all
    curve = deep.run(X_POOL, Y_POOL, 1, 60, X_test=X, y_test=Y, fit_kwargs=classes)
    assert np.isnan(curve.scores[0]) and curve.scores[1] == deep.score(X, Y)


# -- stopping -------------------------------------------------------------------------------------


def test_criteria_in_a_run():
    curve = begin().run(
        X_POOL, Y_POOL, stopping=[Budget(100), TargetScore(0.96)], X_test=X, y_test=Y
    )
    assert curve.stopped_by == "TargetScore" and curve.scores[-1] >= 0.96 > max(curve.scores[:-1])
    # the least margin left is larger than asked for
    curve = begin().run(X_POOL, Y_POOL, stopping=LowUtility(-0.2))
    assert curve.stopped_by == "LowUtility" and len(curve.indices) < 144
    curve = begin().run(X_POOL, Y_POOL, stopping=StablePredictions(X, patience=2))
    assert curve.stopped_by == "StablePredictions" and len(curve.indices) < 144

    def enough(state):
        return state.n_queries == 2

    assert begin().run(X_POOL, Y_POOL, stopping=enough).stopped_by == "enough"


@pytest.mark.parametrize("n_labels", [3, 6, 7, 15])
def test_no_label_is_asked_for_beyond_the_budget(n_labels):
    curve = begin().run(X_POOL, Y_POOL, batch_size=4, stopping=Budget(n_labels))
    assert curve.n_labels == sorted({6, *range(6, n_labels, 4), max(n_labels, 6)})
    assert curve.stopped_by == "Budget"


def test_a_score_that_is_reached_already_asks_for_nothing():
    curve = begin().run(
        X_POOL, Y_POOL, stopping=TargetScore(begin().score(X, Y)), X_test=X, y_test=Y
    )
    assert curve.n_labels == [6] and curve.stopped_by == "TargetScore"


def test_patience():
    class Changing:
        def __init__(self):
            self.answers = iter([[0, 1, 1], [0, 1, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0]] * 2)

        def predict(self, X):
            return next(self.answers)

    stop = StablePredictions(X[:3], patience=2)
    for _ in range(2):  # the second time as the first
        learner = Changing()
        state = RunState(learner, 9, 1, None, None)
        assert [stop(state) for _ in range(4)] == [False, False, False, True]
        stop.reset()
    low = LowUtility(0.5, patience=2)
    states = [RunState(None, 9, 1, u, None) for u in ([0.1], [0.9, 0.1], [0.1], [np.nan, 0.2])]
    assert [low(state) for state in states] == [False, False, False, True]


# -- curves ---------------------------------------------------------------------------------------


def test_area_and_labels():
    curve = LearningCurve([20, 30, 60], [0.5, 0.7, 0.9])
    assert curve.area() == pytest.approx((10 * 0.6 + 30 * 0.8) / 40)
    assert curve.labels_to(0.7) == 30 and curve.labels_to(0.71) == 60
    assert curve.labels_to(0.95) == np.inf
    for curve in (LearningCurve([20]), LearningCurve([20, 20], [0.5, 0.5])):
        with pytest.raises(ValueError, match="has no area"):
            curve.area()


def test_display():
    pytest.importorskip("matplotlib").use("agg")
    runs = [LearningCurve([0, 10], [0.0, 1.0]), LearningCurve([0, 5, 10], [0.0, 0.0, 0.5])]
    display = LearningCurveDisplay.from_curves({"two": runs, "one": runs[0]})
    np.testing.assert_allclose(display.lines_["two"].get_xydata(), [[0, 0], [10, 0.75]])
    np.testing.assert_allclose(display.lines_["one"].get_ydata(), [0, 1])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["two", "one"]
    again = LearningCurveDisplay.from_curves({"one": runs[0]}, ax=display.ax_)
    assert again.ax_ is display.ax_ and again.figure_ is display.figure_
    with pytest.raises(ValueError, match=r"curves\['none'\] holds a run without scores"):
        LearningCurveDisplay.from_curves({"none": LearningCurve([3])})


# -- people ---------------------------------------------------------------------------------------


def typed(*answers, **kwargs):
    """A terminal at which a person types."""
    texts, left = [], list(answers)

    def read(prompt):
        if not left:
            raise EOFError
        answer = left.pop(0)
        if isinstance(answer, type):
            raise answer
        return answer

    return TerminalOracle(input=read, output=texts.append, **kwargs), texts


def test_a_person_at_a_terminal():
    oracle, texts = typed("1", "maybe", "0", "u", "s", "2", classes=[0, 1, 2])
    assert oracle(X_POOL[:3], [7, 8, 9]) == [1, SKIP, 2]
    assert any("row 8 of the pool" in text for text in texts)
    assert any("'maybe' is no label" in text for text in texts)
    assert texts[1] == show_row(X_POOL[0])
    oracle, _ = typed("yes", "3", "2.5")  # whatever is entered
    assert oracle(["a", "b", "c"], [0, 1, 2]) == ["yes", 3, 2.5]
    for end in ("q", EOFError, KeyboardInterrupt):
        oracle, _ = typed("1", end)
        with pytest.raises(Quit) as quit_:
            oracle(X_POOL[:3], [0, 1, 2])
        assert quit_.value.answers == [1]
    oracle, _ = typed("u")
    with pytest.raises(Undo):
        oracle(X_POOL[:3], [0, 1, 2])
    shapes = []
    oracle, _ = typed("1", shape=(2, 2), show=lambda row: shapes.append(row.shape) or "")
    oracle(X_POOL[:1], [0])
    assert shapes == [(2, 2)]


def test_a_person_in_a_run_who_quits_loses_nothing(tmp_path):
    path = tmp_path / "labels.db"
    learner = begin(journal=path)
    # batches of two: a label and a skip, then undo (the label was 2, not 1), a label, quit
    oracle, _ = typed("1", "s", "u", "2", "0", "q", classes=[0, 1, 2])
    curve = learner.run(X_POOL, oracle, batch_size=2)
    assert curve.stopped_by == "the oracle quit"
    assert len(curve.indices) == 2 and len(curve.skipped) == 1
    np.testing.assert_array_equal(learner.y_training[6:], [2, 0])
    learner.close()
    resumed = ActiveLearner.resume(path, X_POOL)
    np.testing.assert_array_equal(resumed.y_training, learner.y_training)
    assert set(resumed.labelled_) == set(curve.indices)
    assert resumed.skipped_.tolist() == curve.skipped
    oracle, _ = typed("1", "1")
    more = resumed.run(X_POOL, oracle, 2)
    assert not {*more.indices} & {*curve.indices, *curve.skipped}
    resumed.close()
    kinds = [entry["what"] for entry in read_journal(path)]
    assert kinds.count("amend") == 1 and kinds.count("skip") == 1 and kinds.count("teach") == 4


def test_undo_with_nothing_to_take_back():
    oracle, _ = typed("u", "u", "1")
    learner = begin()
    assert len(learner.run(X_POOL, oracle, 1).indices) == 1


def test_rows_as_text():
    assert show_row("text") == "text"
    assert show_row(np.array([1, 2.5])) == "0: 1\n1: 2.5"
    image = show_row(np.eye(3))
    assert image.splitlines() == ["@@", "  @@", "    @@"]
    assert show_row(np.ones((3, 3))).strip() == ""  # of one shade
    colours = np.zeros((3, 2, 2))
    colours[:, 0, 1] = 1
    assert show_row(colours).splitlines()[0] == "  @@"
    assert max(map(len, show_row(np.random.RandomState(0).rand(200, 200)).splitlines())) <= 72
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"size": [1.5], "name": ["oak"]})
    assert show_row(frame.iloc[0]) == "size: 1.5\nname: oak"


# -- a notebook, its widgets replaced by stand-ins that can be clicked ----------------------------


class Widget:
    def __init__(self, children=(), description="", **kwargs):
        self.children, self.description, self.clicked = children, description, []

    def on_click(self, function):
        self.clicked.append(function)

    def clear_output(self, wait=False):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass


@pytest.fixture
def widgets(monkeypatch):
    module, ipython = ModuleType("ipywidgets"), ModuleType("IPython.display")
    module.Output = module.Button = module.HBox = module.VBox = Widget
    ipython.display = lambda thing: None
    monkeypatch.setitem(sys.modules, "ipywidgets", module)
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", ipython)


def click(box, *names):
    buttons = {button.description: button for button in box.children[1].children}
    for name in names:
        for function in buttons[name].clicked:
            function(buttons[name])


@pytest.mark.parametrize("journaled", [True, False])
def test_a_person_in_a_notebook(tmp_path, widgets, capsys, journaled):
    path = tmp_path / "labels.db" if journaled else None
    learner = begin(journal=path)
    oracle = NotebookOracle(learner, X_POOL, [0, 1, 2], batch_size=2)
    box = oracle.start()
    first = oracle.current
    click(box, "1", "undo", "2")  # corrected before it was learned
    assert len(learner.y_training) == 6 and oracle.current != first
    click(box, "skip")
    np.testing.assert_array_equal(learner.y_training[6:], [2])
    third = oracle.current
    assert third not in (first, *oracle.skipped)
    click(box, "undo")  # of a row that was learned: with a journal only
    assert oracle.current == (first if journaled else third)
    if journaled:
        click(box, "0", "1")
        click(box, "2")
        np.testing.assert_array_equal(learner.y_training[6:], [0, 1, 2])
    else:
        click(box, "1", "2")
    n_labels = len(learner.y_training)
    click(box, "0", "quit", "1")  # what was labelled is learned; nothing after that
    assert oracle.finished and len(learner.y_training) == n_labels + 1
    assert "finished" in capsys.readouterr().out
    if journaled:
        learner.close()
        resumed = ActiveLearner.resume(path, X_POOL)
        np.testing.assert_array_equal(resumed.y_training, learner.y_training)
        assert resumed.skipped_.tolist() == oracle.skipped


def test_a_notebook_to_the_end_of_the_pool(widgets):
    learner = begin()
    oracle = NotebookOracle(learner, X_POOL[:3], [0, 1], batch_size=2, shape=(2, 2))
    pytest.importorskip("matplotlib").use("agg")
    box = oracle.start()
    click(box, "0", "1", "1")
    assert oracle.finished and len(oracle.labelled) == 3 and oracle.current is None


def test_a_notebook_without_widgets(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match=r"install skbayes\[notebook\]"):
        NotebookOracle(begin(), X_POOL, [0, 1]).start()
