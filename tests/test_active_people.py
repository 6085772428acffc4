"""The people who are asked, at a terminal and in a notebook."""

import sys
from functools import partial
from types import ModuleType

import journal_toys
import numpy as np
import pytest
from journal_toys import X_POOL, X

from skbayes.active import ActiveLearner
from skbayes.active.journal import read_journal
from skbayes.active.notebook import NotebookOracle
from skbayes.active.oracles import SKIP, Quit, TerminalOracle, Undo, show_row

begin = partial(journal_toys.begin, None)


# -- at a terminal --------------------------------------------------------------------------------


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


def test_a_letter_that_is_a_label_is_no_command():
    entered = iter(["q", "x", ":u", "s", ":s", ":q"])
    prompts = []

    def read(prompt):
        prompts.append(prompt)
        return next(entered)

    oracle = TerminalOracle(["q", "r", "s"], input=read, output=lambda text: None)
    with pytest.raises(Quit) as quit_:
        oracle(X[:4], np.arange(4))
    assert quit_.value.answers == ["s", SKIP]  # q, which was taken back; x is no label
    assert prompts[0] == "label (q, r, s), :s(kip), :u(ndo), :q(uit): "


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
    # the module alone: matplotlib has questions to a package IPython
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
