"""A learner with a journal: labels are on the disk before ``teach`` returns."""

import pickle
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skbayes.active._checks import check_places
from skbayes.active._fingerprint import pool_hash, row_hashes
from skbayes.active._journal import Journal, Label
from skbayes.active._resumed import Known, Resumed
from skbayes.active._rows import count_rows, own_rows, stack_all, take_rows


class Journaled(Resumed):
    """What a learner does that keeps a journal; without one (``journal=None``) none of it."""

    teach: Callable[..., Any]
    _to_skip: Sequence[int] = ()

    # -- for users --------------------------------------------------------------------------------

    @property
    def labelled_(self) -> np.ndarray:
        """Positions in the pool of the rows labelled so far; known with a journal only."""
        places = [] if self._known is None else sorted(self._known.by_place)
        return np.array(places, dtype=np.intp)

    @property
    def skipped_(self) -> np.ndarray:
        """Positions in the pool of the rows that were skipped; known with a journal only."""
        return np.unique(np.array(self._skipped or [], dtype=np.intp))

    def skip(self, indices: Any) -> Any:
        """Note that rows asked for were not labelled.

        Parameters
        ----------
        indices : int or array-like of int
            Positions in the pool.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the learner has no journal, or they are no positions in the pool.
        """
        journal = self._open_journal("skip")
        places = self._checked_places(indices)
        journal.add_skips(places, self._stream_state())
        self._skipped = [*(self._skipped or []), *places]
        return self

    def amend(self, indices: Any, y: Any) -> Any:
        """Correct labels, and train again on all of them.

        Parameters
        ----------
        indices : int or array-like of int
            Positions in the pool of rows that were taught.
        y : array-like of shape (n_samples,)
            Their right labels.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the learner has no journal, or a row was not taught.
        """
        journal = self._open_journal("amend")
        assert self._known is not None
        places = self._checked_places(indices)
        if count_rows(y, "y") != len(places):
            raise ValueError(f"y has {count_rows(y, 'y')} labels for {len(places)} indices")
        unknown = [place for place in places if place not in self._known.by_place]
        if unknown:
            raise ValueError(f"indices={unknown} were not taught yet; there is nothing to amend")
        positions = [self._known.by_place[place] for place in places]
        labels = self._known.labels
        before = [labels[position] for position in positions]
        answers = own_rows(y)
        event = journal.correct(
            [(old.id, old.answer, new) for old, new in zip(before, answers, strict=True)],
            self._stream_state(),
        )
        for position, answer in zip(positions, answers, strict=True):
            labels[position] = labels[position]._replace(answer=answer)
        try:
            self._retrain(stack_all([label.answer for label in labels], "y"))
        except BaseException:
            for position, old in zip(positions, before, strict=True):
                labels[position] = old
            journal.withdraw(event)
            raise
        return self

    def close(self) -> None:
        """Let go of the journal's file; the learner goes on without one."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
            self.journal = None

    # -- hooks of the learner ---------------------------------------------------------------------

    def _note_query(self, X_pool: Any, n_rows: int, indices: Any, metrics: Any) -> None:
        if self.journal is None or indices is None:
            return
        journal = self._open_journal("query")
        chosen = np.atleast_1d(indices)
        hashes = row_hashes(take_rows(X_pool, chosen))
        whole = self._is_the_pool(X_pool, n_rows)
        utilities = np.full(len(chosen), np.nan)
        if metrics is not None and np.ndim(metrics) == 1 and len(metrics) == len(chosen):
            utilities = np.asarray(metrics, dtype=np.float64)
        places = [int(place) if whole else None for place in chosen]
        journal.add_query(
            [
                (row, place, None if np.isnan(utility) else float(utility))
                for row, place, utility in zip(hashes, places, utilities, strict=True)
            ],
            self._name_of_strategy(),
        )
        if whole:
            self._remember_asked(hashes, places)

    def _write_down(
        self, kind: str, X: Any, y: Any, indices: Any, options: dict[str, Any]
    ) -> tuple[Any, Any, int | None]:
        """Write new labels down; rows that were taught already are left out.

        Returns
        -------
        X, y : object
            What is new; None if nothing is.
        event : int or None
            Number of the event, None without a journal.
        """
        if self.journal is None:
            if indices is not None:
                raise ValueError("indices are for a learner with a journal; this one has none")
            return X, y, None
        journal = self._open_journal(kind)
        if kind == "fit":
            self._known = Known()  # what was taught before is forgotten
        assert self._known is not None
        hashes = row_hashes(X)
        places = self._places(hashes, indices)
        rows, answers = own_rows(X), own_rows(y)
        new: list[int] = []
        here: dict[int, Any] = {}  # answers of this call by their places
        for position, (row_hash, place) in enumerate(zip(hashes, places, strict=True)):
            # of rows that come together, the same content may be several rows, but no place may
            known = None if kind == "fit" else self._known.find(row_hash, place)
            before = here.get(place) if place is not None and kind == "teach" else None
            if known is not None:
                before = self._known.labels[known].answer
            if before is None:
                new.append(position)
                if place is not None:
                    here[place] = answers[position]
            elif not _equal(before, answers[position]):
                raise ValueError(
                    f"row {position} (position {place} in the pool) was labelled "
                    f"{_show(before)} before and is labelled {_show(answers[position])} now; "
                    "correct a label by amend"
                )
        if self._known.placed:
            journal.set_places(self._known.placed)
            self._known.placed = []
        if not new:
            return None, None, None  # what is to be skipped is written by _teach_and_skip
        options = {**options, "n_labels": len(new)}
        event, numbers = journal.add_labels(
            kind,
            options,
            self._stream_state(),
            [(hashes[i], places[i], rows[i], answers[i]) for i in new],
            self._to_skip,
        )
        self._skipped = [*(self._skipped or []), *self._to_skip]
        self._to_skip = ()
        for number, i in zip(numbers, new, strict=True):
            label = Label(number, event, hashes[i], places[i], rows[i], answers[i])
            self._known.add(label, kind)
        if len(new) < len(hashes):
            X, y = take_rows(X, np.array(new)), take_rows(y, np.array(new))
        return X, y, event

    def _teach_and_skip(self, X: Any, y: Any, skipped: list[int], **kwargs: Any) -> None:
        """Teach the labels of a batch and note what was skipped, both on the disk at once.

        A run that was resumed between them would ask for the rest of the batch anew, with another
        stream of randomness.
        """
        self._to_skip = skipped
        try:
            self.teach(X, y, **kwargs)
        finally:
            if self._to_skip:  # the labels were not written
                self.skip(self._to_skip)
                self._to_skip = ()

    def _take_back(self, event: int | None) -> None:
        """Labels that could not be learned: the journal says so."""
        if event is not None and self._journal is not None:
            self._journal.withdraw(event)
            self._reread()

    # -- pieces -----------------------------------------------------------------------------------

    def _open_journal(self, what: str) -> Journal:
        if self._journal is not None:
            return self._journal
        if self.journal is None:
            raise ValueError(f"{what} needs a journal; give the learner journal=path")
        facts = {"class": type(self).__name__, "parameters": _pickled(self)}
        self._journal = Journal(self.journal, create=facts)
        self._known, self._skipped = Known(), []
        return self._journal

    def _is_the_pool(self, X_pool: Any, n_rows: int) -> bool:
        """Tell whether a pool is that of the run: the first one that was queried."""
        if X_pool is self._pool:
            return True
        journal = self._open_journal("query")
        recorded = journal.get_meta("pool")
        if recorded is not None and recorded[0] != n_rows:
            return False
        fingerprint = pool_hash(X_pool)
        if recorded is None:
            journal.set_meta(pool=(n_rows, fingerprint))
        elif recorded[1] != fingerprint:
            return False
        self._pool, self._pool_hash = X_pool, fingerprint
        return True

    def _checked_places(self, indices: Any) -> list[int]:
        """Positions in the pool, as far as it is known: what is wrong must not become durable."""
        pool = self._open_journal("indices").get_meta("pool")
        return check_places(indices, None if pool is None else pool[0], "indices").tolist()

    def _places(self, hashes: list[bytes], indices: Any) -> list[int | None]:
        """Positions in the pool: as given, or those at which the rows were asked for."""
        if indices is not None:
            given: list[int | None] = [*self._checked_places(indices)]
            if len(given) != len(hashes):
                raise ValueError(
                    f"indices must be {len(hashes)} positions in the pool, one a row; got "
                    f"{len(given)}"
                )
            return given
        seen: dict[bytes, int] = defaultdict(int)
        found: list[int | None] = []
        for row_hash in hashes:
            place = None
            for asked in reversed(self._asked or []):
                if row_hash in asked:
                    options = asked[row_hash]
                    place = options[min(seen[row_hash], len(options) - 1)]
                    break
            seen[row_hash] += 1
            found.append(place)
        return found

    def _name_of_strategy(self) -> str:
        parts = {
            name: getattr(self, name)
            for name in ("query_strategy", "acquisition", "batch")
            if getattr(self, name) is not None
        }
        named = [getattr(value, "__name__", str(value)) for value in parts.values()]
        return ", ".join(named) or "default"

    def __getstate__(self) -> dict[str, Any]:
        # a copy is another learner: the file belongs to one
        state: Any = super().__getstate__()
        for name in ("_journal", "_known", "_pool", "_pool_hash", "_asked", "_skipped"):
            state.pop(name, None)
        if "journal" in state:
            state["journal"] = None
        return state


def _pickled(learner: Any) -> dict[str, bytes | None]:
    """Parameters one by one, as they are before the first training."""
    blobs: dict[str, bytes | None] = {}
    for name, value in learner.get_params(deep=False).items():
        try:
            blobs[name] = None if name == "journal" else pickle.dumps(value)
        except Exception:  # whatever a stranger's __reduce__ raises
            blobs[name] = None
    return blobs


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b))


def _show(answer: Any) -> str:
    return str(np.asarray(answer).tolist()[0])
