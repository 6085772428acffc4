"""The whole loop, what stops it, and what it draws."""

from functools import partial

import journal_toys
import numpy as np
import pytest
from journal_toys import X_POOL, Y_POOL, X, Y
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
from skbayes.active.oracles import SKIP
from skbayes.active.stopping import (
    Budget,
    LowUtility,
    RunState,
    StablePredictions,
    TargetScore,
)

begin = partial(journal_toys.begin, None)


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
