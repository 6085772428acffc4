"""Oracles that ask a person: at a terminal, with skip, undo and quit; what all of them share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skbayes.active._rows import count_rows

__all__ = ["SKIP", "Quit", "TerminalOracle", "Undo", "show_row"]


class _Skip:
    def __repr__(self) -> str:
        return "SKIP"

    def __reduce__(self) -> str:
        return "SKIP"


#: What an oracle returns for a row that cannot be labelled
SKIP = _Skip()


class Undo(Exception):
    """The label before is to be corrected.

    Examples
    --------
    >>> from skbayes.active.oracles import Undo
    >>> issubclass(Undo, Exception)
    True
    """


class Quit(Exception):
    """No more labels; those given so far count.

    Parameters
    ----------
    answers : list
        Labels of the first rows of the batch.

    Examples
    --------
    >>> from skbayes.active.oracles import Quit
    >>> Quit([1, 0]).answers
    [1, 0]
    """

    def __init__(self, answers: list[Any]) -> None:
        super().__init__(f"quit after {len(answers)} labels of the batch")
        self.answers = answers


def show_row(row: Any, max_width: int = 72) -> str:
    """Show a row as text: a text as it is, an image in shades, a table row by its columns.

    Parameters
    ----------
    row : object
        One row: a string, an array of one, two or three dimensions, a Series or a sparse row.
    max_width : int, default=72
        Widest line.

    Returns
    -------
    str

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.active.oracles import show_row
    >>> print(show_row(np.array([[0.0, 1.0], [1.0, 0.0]])))
      @@
    @@
    >>> print(show_row(np.array([1.0, 2.5])))
    0: 1
    1: 2.5
    """
    if isinstance(row, str):
        return row
    if hasattr(row, "toarray"):
        row = row.toarray().ravel()
    names = list(row.index) if hasattr(row, "index") and hasattr(row, "iloc") else None
    values = np.asarray(row)
    if names is None and values.ndim in (2, 3) and values.dtype.kind in "fiub":
        return _shades(values.astype(float), max_width)
    values = values.reshape(-1)
    names = list(range(len(values))) if names is None else names
    lines = [
        f"{name}: {value:.6g}" if isinstance(value, float | np.floating) else f"{name}: {value}"
        for name, value in zip(names, values.tolist(), strict=True)
    ]
    return "\n".join(lines)


def _shades(image: np.ndarray, max_width: int) -> str:
    if image.ndim == 3:  # colours: their mean, whichever axis they are on
        image = image.mean(axis=int(np.argmin(image.shape)))
    step = max(1, -(-2 * image.shape[1] // max_width))
    image = image[::step, ::step]
    low, high = np.nanmin(image), np.nanmax(image)
    scaled = (image - low) / (high - low) if high > low else np.zeros_like(image)
    shades = " .:-=+*#%@"
    levels = np.nan_to_num(scaled * (len(shades) - 1)).round().astype(int)
    lines = ["".join(2 * shades[level] for level in line) for line in levels]
    return "\n".join(line.rstrip() for line in lines)


class TerminalOracle:
    """Asks a person at a terminal for the label of every row.

    Beside a label the person may enter ``s`` (skip), ``u`` (undo the label before) or ``q`` (quit;
    what was labelled is learned); ``:s``, ``:u`` and ``:q`` where one of these letters is a label.
    End of input and Ctrl-C quit too.

    Parameters
    ----------
    classes : sequence, default=None
        Labels that are allowed; what is entered is taken for the one whose text it is. None takes
        whatever is entered: numbers as numbers, anything else as text.
    show : callable, default=None
        Shows a row: a function of the row returning text. None is :func:`show_row`.
    shape : tuple of int, default=None
        Shape to give a row before it is shown, as (8, 8) for an image that is flattened.
    input : callable, default=None
        Reads an answer: a function of a prompt. None is Python's ``input``.
    output : callable, default=None
        Writes a text. None is ``print``.

    Examples
    --------
    >>> from skbayes.active.oracles import TerminalOracle
    >>> entered = iter(["cat", "bird", "s"])
    >>> oracle = TerminalOracle(
    ...     ["cat", "dog"], input=lambda prompt: next(entered), output=lambda text: None
    ... )
    >>> oracle(["purrs", "sings"], [4, 7])
    ['cat', SKIP]
    """

    def __init__(
        self,
        classes: Sequence[Any] | None = None,
        *,
        show: Callable[[Any], str] | None = None,
        shape: tuple[int, ...] | None = None,
        input: Callable[[str], str] | None = None,
        output: Callable[[str], Any] | None = None,
    ) -> None:
        self.classes = classes
        self.show = show
        self.shape = shape
        self.input = input
        self.output = output

    def __call__(self, rows: Any, indices: Any) -> list[Any]:
        """Ask for the labels of rows.

        Parameters
        ----------
        rows : {array-like, sparse matrix, DataFrame}
            Rows.
        indices : array-like of int
            Their positions in the pool.

        Returns
        -------
        list
            One label a row, or SKIP.

        Raises
        ------
        Undo
            If the label before the first row is to be corrected.
        Quit
            If the person quits.
        """
        write = print if self.output is None else self.output
        skip, undo, quit_ = commands = self._commands()
        answers: list[Any] = []
        n_rows = count_rows(rows, "rows")
        while len(answers) < n_rows:
            place = len(answers)
            write(f"\n[{place + 1} of {n_rows}] row {np.asarray(indices)[place]} of the pool")
            write((self.show or show_row)(one_row(rows, place, self.shape)))
            try:
                answer = self._read(write, commands)
            except (EOFError, KeyboardInterrupt):
                raise Quit(answers) from None
            if answer == quit_:
                raise Quit(answers)
            if answer == undo:
                if not answers:
                    raise Undo
                answers.pop()
            else:
                answers.append(SKIP if answer == skip else self._label(answer))
        return answers

    def _commands(self) -> tuple[str, ...]:
        """What skips, undoes and quits: nothing that is a label."""
        names = {str(label) for label in self.classes} if self.classes is not None else set()
        mark = ":" if names & {"s", "u", "q"} else ""
        return tuple(mark + letter for letter in "suq")

    def _read(self, write: Callable[[str], Any], commands: tuple[str, ...]) -> str:
        read = self.input
        if read is None:
            import builtins

            read = builtins.input
        choice = "" if self.classes is None else f" ({', '.join(map(str, self.classes))})"
        ways = ", ".join(
            f"{c}({rest})" for c, rest in zip(commands, ("kip", "ndo", "uit"), strict=True)
        )
        while True:
            answer = read(f"label{choice}, {ways}: ").strip()
            if answer in commands or (answer and self._is_label(answer)):
                return answer
            write(f"{answer!r} is no label")

    def _is_label(self, answer: str) -> bool:
        return self.classes is None or answer in map(str, self.classes)

    def _label(self, answer: str) -> Any:
        if self.classes is not None:
            return next(label for label in self.classes if str(label) == answer)
        for kind in (int, float):
            try:
                return kind(answer)
            except ValueError:
                continue
        return answer


def one_row(rows: Any, place: int, shape: tuple[int, ...] | None) -> Any:
    """Take one row as it is shown.

    Parameters
    ----------
    rows : {array-like, sparse matrix, DataFrame}
        Rows.
    place : int
        Which one.
    shape : tuple of int or None
        Shape to give it.

    Returns
    -------
    object
    """
    row = rows.iloc[place] if hasattr(rows, "iloc") else rows[place]
    return row if shape is None else np.asarray(row).reshape(shape)
