"""An oracle that asks a person in a notebook, by buttons."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skbayes.active._rows import count_rows, take_rows
from skbayes.active.oracles import SKIP, one_row, show_row

__all__ = ["NotebookOracle"]


class NotebookOracle:
    """Asks a person in a notebook, with buttons; needs ipywidgets (extra ``notebook``).

    A notebook's cells cannot wait for a click, so that the loop is turned around: ``start`` shows
    the first row and every click teaches the learner and shows the next one. What was labelled is
    in the journal, if the learner has one, before the next row is shown.

    Parameters
    ----------
    learner : ActiveLearner
        Learner that asks.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    classes : sequence
        Labels, one button each.
    batch_size : int, default=1
        Number of rows asked for at a time; the learner learns after every batch.
    show : callable, default=None
        Shows a row: a function of the row whose result is displayed. None draws images, and writes
        text and tables.
    shape : tuple of int, default=None
        Shape to give a row before it is shown, as (8, 8) for an image that is flattened.

    Attributes
    ----------
    labelled : list of (int, object)
        Positions in the pool and labels given.
    skipped : list of int
        Positions skipped.
    finished : bool
        Whether the person quit, or nothing is left.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active import ActiveLearner
    >>> from skbayes.active.notebook import NotebookOracle
    >>> oracle = NotebookOracle(ActiveLearner(GaussianNB()), [[0.0], [1.0]], ["cat", "dog"])
    >>> oracle.finished  # oracle.start() shows the first row
    False
    """

    def __init__(
        self,
        learner: Any,
        X_pool: Any,
        classes: Sequence[Any],
        *,
        batch_size: int = 1,
        show: Callable[[Any], Any] | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.learner = learner
        self.X_pool = X_pool
        self.classes = classes
        self.batch_size = batch_size
        self.show = show
        self.shape = shape
        self.labelled: list[tuple[int, Any]] = []
        self.skipped: list[int] = []
        self.finished = False
        self._waiting: list[int] = []
        self._answers: list[tuple[int, Any]] = []

    def start(self) -> Any:
        """Show the first row.

        Returns
        -------
        ipywidgets.VBox
            Displayed by the notebook.

        Raises
        ------
        ImportError
            If ipywidgets is not installed.
        """
        try:
            import ipywidgets
        except ImportError as error:
            raise ImportError(
                "NotebookOracle needs ipywidgets; install skbayes[notebook]"
            ) from error
        self._output = ipywidgets.Output()
        buttons = []
        for label in self.classes:
            button = ipywidgets.Button(description=str(label))
            button.on_click(lambda _, label=label: self.label(label))
            buttons.append(button)
        for text, action in (("skip", self.skip), ("undo", self.undo), ("quit", self.quit)):
            button = ipywidgets.Button(description=text, button_style="info")
            button.on_click(lambda _, action=action: action())
            buttons.append(button)
        self._box = ipywidgets.VBox([self._output, ipywidgets.HBox(buttons)])
        self._ask()
        return self._box

    # -- what the buttons do ----------------------------------------------------------------------

    def label(self, label: Any) -> None:
        """Give the row that is shown a label.

        Parameters
        ----------
        label : object
            One of the classes.
        """
        self._answer(label)

    def skip(self) -> None:
        """Leave the row that is shown without a label."""
        self._answer(SKIP)

    def undo(self) -> None:
        """Show the row before once more; with a journal also one that was learned already."""
        if self.finished:
            return
        if self._answers:
            place, _ = self._answers.pop()
            self._waiting.insert(0, place)
        elif self.labelled and getattr(self.learner, "journal", None) is not None:
            place, _ = self.labelled.pop()
            self._waiting.insert(0, place)
        self._show()

    def quit(self) -> None:
        """Learn what was labelled and stop."""
        if not self.finished:
            self._learn()
            self.finished = True
            self._show()

    @property
    def current(self) -> int | None:
        """Position in the pool of the row that is shown."""
        return self._waiting[0] if self._waiting else None

    # -- pieces -----------------------------------------------------------------------------------

    def _answer(self, answer: Any) -> None:
        if self.finished or not self._waiting:
            return
        self._answers.append((self._waiting.pop(0), answer))
        if not self._waiting:
            self._learn()
            self._ask()
        else:
            self._show()

    def _learn(self) -> None:
        journal = getattr(self.learner, "journal", None) is not None
        known = self.learner.labelled_.tolist() if journal else []
        answers, self._answers = self._answers, []
        new = [(place, label) for place, label in answers if label is not SKIP]
        again = [pair for pair in new if pair[0] in known]
        fresh = [pair for pair in new if pair[0] not in known]
        if again:
            self.learner.amend([p for p, _ in again], np.array([label for _, label in again]))
        if fresh:
            places = np.array([place for place, _ in fresh])
            where = {"indices": places} if journal else {}
            labels = np.array([label for _, label in fresh])
            self.learner.teach(take_rows(self.X_pool, places), labels, **where)
        self.labelled += new
        skipped = [place for place, label in answers if label is SKIP]
        if skipped:
            self.skipped += skipped
            if journal:
                self.learner.skip(skipped)

    def _ask(self) -> None:
        taken = {place for place, _ in self.labelled} | set(self.skipped)
        if getattr(self.learner, "journal", None) is not None:
            taken |= set(self.learner.labelled_.tolist()) | set(self.learner.skipped_.tolist())
        n_left = count_rows(self.X_pool, "X_pool") - len(taken)
        if n_left == 0:
            self.finished = True
        else:
            indices, _ = self.learner.query(
                self.X_pool,
                n_instances=min(self.batch_size, n_left),
                exclude=np.array(sorted(taken), dtype=int),
            )
            self._waiting = indices.tolist()
        self._show()

    def _show(self) -> None:
        self._output.clear_output(wait=True)
        with self._output:
            if self.finished:
                print(f"finished: {len(self.labelled)} labels, {len(self.skipped)} skipped")
            elif self.current is not None:
                row = one_row(take_rows(self.X_pool, np.array([self.current])), 0, self.shape)
                print(f"row {self.current} of the pool, {len(self.labelled)} labels so far")
                _display(row, self.show)


def _display(row: Any, show: Callable[[Any], Any] | None) -> None:
    from IPython.display import display

    if show is not None:
        display(show(row))
        return
    values = np.asarray(row) if not isinstance(row, str) else None
    if values is not None and values.ndim in (2, 3):
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(2, 2))
        axes.imshow(values, cmap="gray_r")
        axes.set_axis_off()
        display(figure)
        plt.close(figure)
    else:
        print(show_row(row))
