"""The journal: a file that holds every label, durable before it is acknowledged."""

import os
import pickle
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from skbayes.active._records import Event, JournalError, Label, read_back

_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB);
CREATE TABLE rows (hash BLOB PRIMARY KEY, content BLOB);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, time REAL, kind TEXT, options BLOB, stream BLOB,
    withdrawn INTEGER DEFAULT 0
);
CREATE TABLE labels (
    id INTEGER PRIMARY KEY, event INTEGER REFERENCES events, hash BLOB REFERENCES rows,
    place INTEGER, answer BLOB
);
CREATE TABLE corrections (event INTEGER REFERENCES events, label INTEGER, before BLOB, answer BLOB);
CREATE TABLE queries (
    id INTEGER PRIMARY KEY, time REAL, batch INTEGER, hash BLOB, place INTEGER, strategy TEXT,
    utility REAL
);
CREATE TABLE skips (event INTEGER REFERENCES events, place INTEGER);
"""


class Journal:
    """SQLite file with a rollback journal and ``synchronous=FULL``, held by one process.

    Parameters
    ----------
    path : str or path-like
        The file.
    create : dict or None
        Facts of the run, for a new journal; None opens one that exists.
    timeout : float, default=5.0
        Seconds to wait for a process that holds the file.

    Raises
    ------
    JournalError
        If another process holds the file, it cannot be opened, is no journal, or (``create``)
        holds a run already.
    """

    def __init__(
        self, path: Any, create: dict[str, Any] | None = None, timeout: float = 5.0
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"journal={path!r} must be the path of a file or None")
        self.path = Path(path)
        # locks of the file are not inherited, though its handle is: a forked process would write
        # into the file of the one that holds it
        self.owner = os.getpid()
        self.lock = RLock()  # for threads of that process
        if create is None and not self.path.exists():
            raise JournalError(f"journal={str(path)!r} does not exist; there is nothing to resume")
        try:
            self.connection = sqlite3.connect(
                self.path, timeout=timeout, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError as error:
            raise JournalError(f"journal={str(path)!r} cannot be opened: {error}") from error
        try:
            self._open(create)
        except sqlite3.OperationalError as error:
            self.connection.close()
            raise JournalError(
                f"journal={str(path)!r} is in use by another process or learner (waited "
                f"{timeout:g} s): {error}"
            ) from error
        except sqlite3.DatabaseError as error:
            self.connection.close()
            raise JournalError(f"journal={str(path)!r} is no journal: {error}") from error
        except JournalError:
            self.connection.close()
            raise

    def _open(self, create: dict[str, Any] | None) -> None:
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=DELETE", "synchronous=FULL"):
            self.connection.execute(f"PRAGMA {pragma}")
        # the lock is taken here, and held until the file is closed or the process dies
        self.connection.execute("BEGIN EXCLUSIVE")
        tables = self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if create is not None and tables:
            self.connection.execute("ROLLBACK")
            raise JournalError(
                f"journal={str(self.path)!r} holds a run already; continue it by resume, or give "
                "the path of a new file"
            )
        if not tables and create is None:
            self.connection.execute("ROLLBACK")
            raise JournalError(f"journal={str(self.path)!r} holds no run")
        if create is not None:
            for statement in _SCHEMA.split(";"):
                self.connection.execute(statement)
            for key, value in {**create, "version": _VERSION}.items():
                self._set_meta(key, value)
        self.connection.execute("COMMIT")
        version = self.get_meta("version")
        if version != _VERSION:
            raise JournalError(
                f"journal={str(self.path)!r} is of version {version}; this one reads {_VERSION}"
            )

    def close(self) -> None:
        """Let go of the file."""
        if os.getpid() == self.owner:
            self.connection.close()

    # -- writing ----------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if os.getpid() != self.owner:
            raise JournalError(
                f"journal={str(self.path)!r} is held by the process that this one was forked from; "
                "close it there, and continue here by resume"
            )
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")  # on the disk when this returns

    def _set_meta(self, key: str, value: Any) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, pickle.dumps(value))
        )

    def set_meta(self, **values: Any) -> None:
        """Keep facts of the run.

        Parameters
        ----------
        **values
            By name; anything that pickles.
        """
        with self._transaction():
            for key, value in values.items():
                self._set_meta(key, value)

    def add_labels(
        self,
        kind: str,
        options: dict[str, Any],
        stream: Any,
        labels: Sequence[tuple[bytes, int | None, Any, Any]],
        skipped: Sequence[int] = (),
    ) -> tuple[int, list[int]]:
        """Write labels down; when this returns they are on the disk.

        Parameters
        ----------
        kind : {"fit", "teach"}
            How they come.
        options : dict
            How they are learned.
        stream : object
            State of the learner's randomness before.
        labels : sequence of (hash, place, row, answer)
            Rows and labels.
        skipped : sequence of int, default=()
            Positions of rows that were asked for with them and not labelled.

        Returns
        -------
        event : int
        labels : list of int
            Numbers of event and labels.
        """
        numbers = []
        with self._transaction():
            if skipped:
                self._insert_skips(skipped, stream)
            event = self._add_event(kind, options, stream)
            for row_hash, place, row, answer in labels:
                self.connection.execute(
                    "INSERT OR IGNORE INTO rows VALUES (?, ?)", (row_hash, pickle.dumps(row))
                )
                cursor = self.connection.execute(
                    "INSERT INTO labels (event, hash, place, answer) VALUES (?, ?, ?, ?)",
                    (event, row_hash, place, pickle.dumps(answer)),
                )
                numbers.append(int(cursor.lastrowid or 0))
        return event, numbers

    def _add_event(self, kind: str, options: dict[str, Any], stream: Any) -> int:
        cursor = self.connection.execute(
            "INSERT INTO events (time, kind, options, stream) VALUES (?, ?, ?, ?)",
            (time.time(), kind, pickle.dumps(options), pickle.dumps(stream)),
        )
        return int(cursor.lastrowid or 0)

    def set_places(self, places: Sequence[tuple[int, int]]) -> None:
        """Write down where in the pool rows are that were labelled before that was known.

        Parameters
        ----------
        places : sequence of (label, place)
            Numbers of labels and positions.
        """
        with self._transaction():
            self.connection.executemany(
                "UPDATE labels SET place = ? WHERE id = ?",
                [(place, label) for label, place in places],
            )

    def withdraw(self, event: int) -> None:
        """Take an event back whose labels could not be learned.

        Parameters
        ----------
        event : int
            Its number.
        """
        with self._transaction():
            self.connection.execute("UPDATE events SET withdrawn = 1 WHERE id = ?", (event,))
            self.connection.executemany(
                "UPDATE labels SET answer = ? WHERE id = ?",
                self.connection.execute(
                    "SELECT before, label FROM corrections WHERE event = ?", (event,)
                ).fetchall(),
            )

    def correct(self, corrections: Sequence[tuple[int, Any, Any]], stream: Any) -> int:
        """Write corrected labels down.

        Parameters
        ----------
        corrections : sequence of (label, before, answer)
            Numbers of labels, what they were and what they are.
        stream : object
            State of the learner's randomness before.

        Returns
        -------
        int
            Number of the event.
        """
        with self._transaction():
            event = self._add_event("amend", {}, stream)
            for label, before, answer in corrections:
                self.connection.execute(
                    "INSERT INTO corrections VALUES (?, ?, ?, ?)",
                    (event, label, pickle.dumps(before), pickle.dumps(answer)),
                )
                self.connection.execute(
                    "UPDATE labels SET answer = ? WHERE id = ?", (pickle.dumps(answer), label)
                )
        return event

    def add_skips(self, places: Sequence[int], stream: Any) -> None:
        """Write down that rows were not labelled.

        Parameters
        ----------
        places : sequence of int
            Positions in the pool.
        stream : object
            State of the learner's randomness.
        """
        with self._transaction():
            self._insert_skips(places, stream)

    def _insert_skips(self, places: Sequence[int], stream: Any) -> None:
        event = self._add_event("skip", {}, stream)
        self.connection.executemany(
            "INSERT INTO skips VALUES (?, ?)", [(event, int(place)) for place in places]
        )

    def add_query(
        self,
        asked: Sequence[tuple[bytes, int | None, float | None]],
        strategy: str,
    ) -> None:
        """Write down what was asked.

        Parameters
        ----------
        asked : sequence of (hash, place, utility)
            Rows, with None for what is not known.
        strategy : str
            What chose them.
        """
        now = time.time()
        with self._transaction():
            batch = self.connection.execute("SELECT coalesce(max(batch), 0) + 1 FROM queries")
            number = batch.fetchone()[0]
            self.connection.executemany(
                "INSERT INTO queries (time, batch, hash, place, strategy, utility)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(now, number, row, place, strategy, utility) for row, place, utility in asked],
            )

    # -- reading ----------------------------------------------------------------------------------

    def get_meta(self, key: str) -> Any:
        """Look a fact of the run up.

        Parameters
        ----------
        key : str
            Its name.

        Returns
        -------
        object or None
        """
        found = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if found is None else read_back(found[0])

    def events(self) -> list[Event]:
        """All that happened and was not taken back, in order.

        Returns
        -------
        list of Event
        """
        found = self.connection.execute(
            "SELECT id, kind, options, stream FROM events WHERE NOT withdrawn ORDER BY id"
        )
        return [Event(i, kind, read_back(o), read_back(s)) for i, kind, o, s in found]

    def labels(self) -> list[Label]:
        """All labels that were not taken back, as corrected, in order.

        Returns
        -------
        list of Label
        """
        found = self.connection.execute(
            "SELECT labels.id, event, labels.hash, place, content, answer FROM labels"
            " JOIN events ON events.id = event JOIN rows ON rows.hash = labels.hash"
            " WHERE NOT withdrawn ORDER BY labels.id"
        )
        return [
            Label(i, event, row_hash, place, read_back(row), read_back(answer))
            for i, event, row_hash, place, row, answer in found
        ]

    def skipped(self) -> list[tuple[int, int]]:
        """Rows that were skipped: (event, place).

        Returns
        -------
        list of (int, int)
        """
        return self.connection.execute("SELECT event, place FROM skips ORDER BY event").fetchall()

    def corrections(self) -> list[tuple[int, int, Any, Any]]:
        """Corrections that were not taken back: (event, label, before, answer), in order.

        Returns
        -------
        list of tuple
        """
        found = self.connection.execute(
            "SELECT event, label, before, answer FROM corrections JOIN events ON events.id = event"
            " WHERE NOT withdrawn ORDER BY event"
        )
        return [(e, n, read_back(before), read_back(a)) for e, n, before, a in found]

    def times(self) -> dict[int, float]:
        """When every event was, in seconds since the epoch.

        Returns
        -------
        dict of int to float
        """
        found = self.connection.execute("SELECT id, time FROM events")
        return {int(event): float(when) for event, when in found}

    def queries(self) -> list[tuple[Any, ...]]:
        """All that was asked: (time, batch, hash, place, strategy, utility), in order.

        Returns
        -------
        list of tuple
        """
        return self.connection.execute(
            "SELECT time, batch, hash, place, strategy, utility FROM queries ORDER BY id"
        ).fetchall()
