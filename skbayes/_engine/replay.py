"""Rows kept for later rounds of an estimator that is given only the new ones."""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

#: With forgetting, rows are let go that weigh less than this share of the heaviest.
NEGLIGIBLE = 1e-6
#: Rows that are copied at once.
BLOCK = 256


class Replay:
    """Rows seen so far, for rounds that are given only the new ones.

    Without forgetting a uniform sample, each of whose rows stands for several once some were let
    go. With it every round multiplies the weights of the rows before it by a factor, and the
    newest rows are kept, standing for themselves alone.
    """

    def __init__(self, rng: np.random.RandomState) -> None:
        self.rng = rng
        self.X: Any = None
        self.y: Any = None
        self.weight: Any = None
        self.n_seen = 0

    def __len__(self) -> int:
        return 0 if self.X is None else self.X.shape[0]

    def with_new(
        self, X: Any, y: Any, weight: Any, forgetting: float = 1.0
    ) -> tuple[Any, Any, Any]:
        """All rows of a round: those kept, standing for all that were seen, and the new ones."""
        if len(self) == 0:
            return X, y, weight
        factor = self.n_seen / len(self) if forgetting == 1 else forgetting
        if weight is None and factor == 1 and np.all(self.weight == 1):
            weights = None
        else:
            new = np.ones(X.shape[0]) if weight is None else weight
            weights = np.concatenate([self.weight * factor, new])
        return _vstack(self.X, X), np.concatenate([self.y, y]), weights

    def find_new(self, X: Any, y: Any) -> np.ndarray | None:
        """Which rows were not seen before; None where not all that were seen are kept."""
        if len(self) < self.n_seen:
            return None
        seen = set(_keys(self.X, self.y))
        return np.array([key not in seen for key in _keys(X, y)])

    def add(self, X: Any, y: Any, weight: Any, size: int, forgetting: float = 1.0) -> None:
        """Take rows in; without forgetting each row seen stays with the same probability."""
        self.n_seen += X.shape[0]
        weight = np.ones(X.shape[0]) if weight is None else weight
        if size == 0:
            self.X = self.y = self.weight = None
        elif len(self) and forgetting < 1:
            X, y = _vstack(self.X, X), np.concatenate([self.y, y])
            weight = np.concatenate([self.weight * forgetting, weight])
            kept = np.flatnonzero(weight > NEGLIGIBLE * weight.max())[-size:]
            self.X, self.y, self.weight = X[kept], y[kept], weight[kept]
        elif len(self):
            # the rows kept stand for n_old: draw how many of them the new sample keeps
            n_old, n_new = self.n_seen - X.shape[0], X.shape[0]
            # where some were let go, no larger sample can be uniform
            size = min(size, len(self) if n_old > len(self) else len(self) + n_new)
            n_from_new = (
                n_new
                if self.n_seen <= size
                else min(self.rng.hypergeometric(n_new, n_old, size), n_new)
            )
            n_from_old = min(size - n_from_new, len(self))
            old = self.rng.permutation(len(self))[:n_from_old]
            new = self.rng.permutation(n_new)[:n_from_new]
            old.sort()
            new.sort()
            self.X = _chosen(self.X, old, X, new)
            self.y = np.concatenate([self.y[old], y[new]])
            self.weight = np.concatenate([self.weight[old], weight[new]])
        else:
            self.n_seen = X.shape[0]  # nothing is left to stand for earlier ones
            kept = np.sort(self.rng.permutation(X.shape[0])[:size])
            self.X, self.y, self.weight = X[kept], y[kept], weight[kept]


def _keys(X: Any, y: Any) -> list[tuple]:
    """What tells rows and their targets apart."""
    if sparse.issparse(X):
        X = sparse.csr_array(X, dtype=np.float64, copy=True)
        X.sum_duplicates()
        X.eliminate_zeros()
        ends = list(pairwise(X.indptr))
        rows = [X.indices[a:b].astype(np.int64).tobytes() + X.data[a:b].tobytes() for a, b in ends]
    else:
        rows = [row.tobytes() for row in np.ascontiguousarray(X, dtype=np.float64)]
    return list(zip(rows, y.tolist(), strict=True))


def _chosen(a: Any, rows_a: np.ndarray, b: Any, rows_b: np.ndarray) -> Any:
    """Some rows of one array above some of another, without a copy of either part."""
    if sparse.issparse(a) or sparse.issparse(b):
        return _vstack(a[rows_a], b[rows_b])
    n = len(rows_a)
    out = np.empty((n + len(rows_b), a.shape[1]), np.result_type(a, b))
    for part, source, rows in ((out[:n], a, rows_a), (out[n:], b, rows_b)):
        for start in range(0, len(rows), BLOCK):
            part[start : start + BLOCK] = source[rows[start : start + BLOCK]]
    return out


def _vstack(a: Any, b: Any) -> Any:
    if sparse.issparse(a) or sparse.issparse(b):
        return sparse.vstack([sparse.csr_array(a), sparse.csr_array(b)], format="csr")
    return np.concatenate([a, b])
