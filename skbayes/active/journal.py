"""What a journal holds, for people: all that was asked and answered, with when and why."""

from datetime import UTC, datetime
from typing import Any

from skbayes.active._journal import Journal, JournalError

__all__ = ["JournalError", "read_journal"]


def read_journal(path: Any) -> list[dict[str, Any]]:
    """Read all that was asked, answered, corrected and skipped.

    The file must not be in use. Its rows and labels are pickles: read only journals that you
    trust.

    Parameters
    ----------
    path : str or path-like
        The journal.

    Returns
    -------
    list of dict
        In order of time. ``what`` is "query", "fit", "teach", "amend" or "skip"; ``when`` is a
        datetime; ``place`` is the position in the pool (None if not known). A query has
        ``strategy`` and ``utility``, a label ``row`` and ``answer``, a correction ``before`` too.

    Raises
    ------
    JournalError
        If the file is in use, or is no journal.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active import ActiveLearner
    >>> from skbayes.active.journal import read_journal
    >>> path = Path(tempfile.mkdtemp()) / "labels.db"
    >>> learner = ActiveLearner(GaussianNB(), None, [[0.0], [1.0]], [0, 1], journal=path)
    >>> indices, rows = learner.query([[0.4], [0.9]])
    >>> learner.teach(rows, [0]).close()
    >>> [entry["what"] for entry in read_journal(path)]
    ['fit', 'fit', 'query', 'teach']
    """
    journal = Journal(path)
    try:
        return _entries(journal)
    finally:
        journal.close()


def _entries(journal: Journal) -> list[dict[str, Any]]:
    times = journal.times()
    entries = [
        {
            "when": _date(when),
            "what": "query",
            "place": place,
            "strategy": strategy,
            "utility": utility,
        }
        for when, _, _, place, strategy, utility in journal.queries()
    ]
    corrected = journal.corrections()
    kinds = {event.id: event.kind for event in journal.events()}
    places = {}
    for label in journal.labels():
        places[label.id] = label.place
        first = [before for _, number, before, _ in corrected if number == label.id]
        entries.append(
            {
                "when": _date(times[label.event]),
                "what": kinds[label.event],
                "place": label.place,
                "row": label.row,
                "answer": first[0] if first else label.answer,
            }
        )
    for event, number, before, answer in corrected:
        entries.append(
            {
                "when": _date(times[event]),
                "what": "amend",
                "place": places.get(number),
                "before": before,
                "answer": answer,
            }
        )
    for event, place in journal.skipped():
        entries.append({"when": _date(times[event]), "what": "skip", "place": place})
    return sorted(entries, key=lambda entry: entry["when"])


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
