"""Results of long benchmarks: written as they come, so that a run can be taken up again."""

import csv
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace


class Results:
    """Rows of a table, in memory and, if a file is named, in it.

    Parameters
    ----------
    path : str or None
        CSV file; rows that it holds are taken as they are.
    columns : list of str
    n_keys : int
        Number of leading columns that name a row; the others are numbers.
    """

    def __init__(self, path, columns, n_keys):
        self.path, self.columns, self.n_keys = path and Path(path), columns, n_keys
        self.rows = {}
        if self.path and self.path.exists():
            with self.path.open() as file:
                for row in csv.DictReader(file):
                    key = tuple(row[c] for c in columns[:n_keys])
                    self.rows[key] = {c: float(row[c]) for c in columns[n_keys:]}

    def get(self, key, make, *args):
        """The row of a key; made by ``make(*args)`` and written, where it is not there."""
        key = tuple(map(str, key))
        if key not in self.rows:
            self.rows[key] = {c: float(v) for c, v in make(*args).items()}
            if self.path:
                self._write(key)
        return self.rows[key]

    def _write(self, key):
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(self.columns)
            writer.writerow([*key, *(self.rows[key][c] for c in self.columns[self.n_keys :])])

    @staticmethod
    @contextmanager
    def timed():
        """CPU seconds of what is done inside, as ``seconds``."""
        start, result = time.process_time(), SimpleNamespace()
        yield result
        result.seconds = time.process_time() - start
