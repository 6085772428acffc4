"""How a run is resumed from its journal: the labels read, the training repeated."""

from abc import abstractmethod
from collections import defaultdict
from typing import Any

from skbayes.active._fingerprint import pool_hash, row_hashes
from skbayes.active._journal import Journal
from skbayes.active._records import Event, JournalError, Label, read_back
from skbayes.active._rows import count_rows, stack_all


class Known:
    """Labels by the place in the pool, or else by the content, of their rows."""

    def __init__(self) -> None:
        self.labels: list[Label] = []
        self.by_place: dict[int, int] = {}  # -> position in labels
        self.by_hash: dict[bytes, int] = {}
        self.unplaced: dict[bytes, list[int]] = defaultdict(list)
        self.placed: list[tuple[int, int]] = []  # (label, place) that the file does not know

    def add(self, label: Label, kind: str) -> None:
        if label.place is not None:
            self.by_place[label.place] = len(self.labels)
        elif kind == "teach":  # what a run began with is no row of the pool
            self.unplaced[label.hash].append(len(self.labels))
        self.by_hash.setdefault(label.hash, len(self.labels))
        self.labels.append(label)

    def find(self, row_hash: bytes, place: int | None) -> int | None:
        if place is None:
            return self.by_hash.get(row_hash)
        if place not in self.by_place and self.unplaced.get(row_hash):
            # the same content, taught before its place was known: this is where it is
            self.put(self.unplaced[row_hash].pop(0), place)
        return self.by_place.get(place)

    def put(self, position: int, place: int) -> None:
        self.labels[position] = self.labels[position]._replace(place=place)
        self.by_place[place] = position
        self.placed.append((self.labels[position].id, place))


class Resumed:
    """What a learner needs to continue a run; it has the attributes of a learner with a journal."""

    journal: Any
    X_training: Any
    y_training: Any
    _journal: Journal | None = None
    _known: Known | None = None
    _pool: Any = None
    _pool_hash: bytes | None = None
    _asked: list[dict[bytes, list[int]]] | None = None
    _skipped: list[int] | None = None

    @classmethod
    def resume(cls, path: Any, X_pool: Any, **parameters: Any) -> Any:
        """Continue the run that a journal holds, as if it had not been interrupted.

        The learner has the same training data, parameters and randomness, and its estimator is
        trained as it was. Rows, labels and parameters are pickles: resume only journals that you
        trust.

        Parameters
        ----------
        path : str or path-like
            The journal.
        X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            The pool of that run; ``labelled_`` and ``skipped_`` are positions in it.
        **parameters
            Parameters of the learner that take the place of the journal's, such as a strategy that
            could not be pickled.

        Returns
        -------
        object
            A learner of this class.

        Raises
        ------
        JournalError
            If the journal is in use, holds no run, is of another pool or another class of learner,
            or a parameter is missing.
        """
        journal = Journal(path)
        try:
            recorded = journal.get_meta("class")
            if recorded != cls.__name__:
                raise JournalError(
                    f"journal={str(path)!r} is of the class {recorded}, not {cls.__name__}; "
                    f"continue it by {recorded}.resume"
                )
            learner = cls(**_parameters(journal, parameters))
            learner._journal, learner.journal = journal, path
            learner._restore(X_pool)
        except BaseException:
            journal.close()
            raise
        return learner

    # -- pieces -----------------------------------------------------------------------------------

    def _reread(self) -> None:
        assert self._journal is not None
        events = self._journal.events()
        kinds = {event.id: event.kind for event in events}
        fits = [event for event, kind in kinds.items() if kind == "fit"]
        self._known = Known()
        for label in self._journal.labels():
            if not fits or label.event >= fits[-1]:
                self._known.add(label, kinds[label.event])
        self._skipped = [place for _, place in self._journal.skipped()]

    def _restore(self, X_pool: Any) -> None:
        assert self._journal is not None
        n_rows = count_rows(X_pool, "X_pool")
        recorded = self._journal.get_meta("pool")
        if recorded is not None:
            if (n_rows, pool_hash(X_pool)) != tuple(recorded):
                raise JournalError(
                    f"X_pool of {n_rows} rows is not the pool of journal={str(self.journal)!r}, "
                    f"which has {recorded[0]} rows"
                    + ("" if n_rows != recorded[0] else " with another content")
                )
            self._pool, self._pool_hash = X_pool, recorded[1]
        self._reread()
        self._find_places(X_pool)
        for _, _, row_hash, place, _, _ in self._journal.queries():
            if place is not None:
                self._remember_asked([row_hash], [place])
        self._replay(self._journal.events())

    def _find_places(self, X_pool: Any) -> None:
        """Look for rows in the pool that were asked for and taught when it was smaller."""
        assert self._known is not None and self._journal is not None
        asked = {row for _, _, row, place, _, _ in self._journal.queries() if place is None}
        lost = [label for label in self._known.labels if label.place is None]
        lost = [label for label in lost if label.hash in asked]
        if not lost:
            return
        free = defaultdict(list)
        for place, row_hash in enumerate(row_hashes(X_pool)):
            if place not in self._known.by_place:
                free[row_hash].append(place)
        for label in lost:
            if free[label.hash]:
                position = self._known.unplaced[label.hash].pop(0)
                self._known.put(position, free[label.hash].pop(0))

    def _replay(self, events: list[Event]) -> None:
        """Train as the run did: all that matters for where the estimator is now."""
        assert self._known is not None
        trained = [event for event in events if event.kind in ("fit", "teach", "amend", "rebag")]
        if trained:
            start = self._first_that_matters(trained)
            done = [label for label in self._known.labels if label.event < trained[start].id]
            if done:
                afresh = any(event.kind == "fit" for event in trained[:start])
                self._take_known(rows_of(done), answers_of(done), afresh)
            for event in trained[start:]:
                self._set_stream(event.stream)
                new = [label for label in self._known.labels if label.event == event.id]
                if event.kind == "amend":
                    before = [label for label in self._known.labels if label.event < event.id]
                    self._retrain(answers_of(before))
                elif event.kind == "rebag":
                    self._learn("rebag", None, None, event.options)
                else:
                    self._learn(event.kind, rows_of(new), answers_of(new), event.options)
        later = [event for event in events if not trained or event.id > trained[-1].id]
        if later:
            self._set_stream(later[-1].stream)

    def _first_that_matters(self, trained: list[Event]) -> int:
        onwards = self._goes_on() or any(e.options.get("only_new") for e in trained)
        if not onwards:
            # trained afresh on everything each time: the last training is enough
            return len(trained) - 1
        afresh = [i for i, event in enumerate(trained) if event.kind in ("fit", "amend")]
        return afresh[-1] if afresh else 0

    def _remember_asked(self, hashes: list[bytes], places: list[Any]) -> None:
        asked = defaultdict(list)
        for row_hash, place in zip(hashes, places, strict=True):
            asked[row_hash].append(place)
        self._asked = [*(self._asked or []), dict(asked)]

    def _stream_state(self) -> Any:
        return self._get_random_state().get_state()  # type: ignore[attr-defined]

    def _set_stream(self, state: Any) -> None:
        self._get_random_state().set_state(state)  # type: ignore[attr-defined]

    def _take_known(self, X: Any, y: Any, afresh: bool) -> None:
        """Take labels in without training; ``afresh`` if there are none but those of the file."""
        self.X_training, self.y_training = X, y

    @abstractmethod
    def _retrain(self, y: Any) -> None:
        """Train on all rows again, with changed answers to all that the journal knows."""

    @abstractmethod
    def _learn(self, kind: str, X: Any, y: Any, options: dict[str, Any]) -> None:
        """Repeat a training."""

    @abstractmethod
    def _goes_on(self) -> bool:
        """Whether a training goes on from the last."""


def _parameters(journal: Journal, given: dict[str, Any]) -> dict[str, Any]:
    parameters = dict(given)
    for name, blob in (journal.get_meta("parameters") or {}).items():
        if name in given or name == "journal":
            continue
        if blob is None:
            raise JournalError(
                f"{name} could not be pickled into the journal; give it: resume(path, X_pool, "
                f"{name}=...)"
            )
        try:
            parameters[name] = read_back(blob)
        except JournalError as error:
            raise JournalError(
                f"{name}: {error}; give it: resume(path, X_pool, {name}=...)"
            ) from error
    return parameters


def rows_of(labels: list[Label]) -> Any:
    return stack_all([label.row for label in labels], "X")


def answers_of(labels: list[Label]) -> Any:
    return stack_all([label.answer for label in labels], "y")
