"""What a journal holds: events, labels, and values that are read back or said to be damaged."""

import pickle
from typing import Any, NamedTuple


class JournalError(RuntimeError):
    """A journal that is in use, is none, or belongs to another run.

    Examples
    --------
    >>> from skbayes.active.journal import JournalError
    >>> issubclass(JournalError, RuntimeError)
    True
    """


class Event(NamedTuple):
    """What happened to a learner: it was fitted, taught or corrected, or rows were skipped."""

    id: int
    kind: str
    options: dict[str, Any]
    stream: Any


class Label(NamedTuple):
    """A row with its label, both as slices of one row."""

    id: int
    event: int
    hash: bytes
    place: int | None
    row: Any
    answer: Any


def read_back(blob: bytes) -> Any:
    """Unpickle what a journal holds.

    Parameters
    ----------
    blob : bytes
        What was written.

    Returns
    -------
    object

    Raises
    ------
    JournalError
        If it is damaged, or of a class that cannot be imported here.
    """
    try:
        return pickle.loads(blob)
    except Exception as error:  # whatever damaged bytes or a stranger's class raise
        raise JournalError(
            f"the journal holds what cannot be read back: {type(error).__name__}: {error}"
        ) from error
