"""A pool in blocks of rows, so that memory is bounded however many rows there are."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

from skbayes.active._rows import count_rows

#: Rows that are predicted at a time: enough that calls cost nothing, few enough for the memory
BLOCK_ROWS = 16384


def map_blocks(function: Callable[[Any], Any], X: Any, block_rows: int = BLOCK_ROWS) -> np.ndarray:
    """Apply a function of rows to a pool, block by block.

    A pool of one block is handed over as it is, so that small ones may be of any kind.

    Parameters
    ----------
    function : callable
        Takes rows, returns an array with one entry a row.
    X : {array-like, sparse matrix, DataFrame}
        The pool.
    block_rows : int, default=16384
        Rows at a time.

    Returns
    -------
    ndarray of shape (n_samples, ...)
    """
    n_rows = count_rows(X, "X")
    if n_rows <= block_rows:
        return np.asarray(function(X))
    result = None
    for start, rows in blocks(X, block_rows):
        part = np.asarray(function(rows))
        if result is None:
            result = np.empty((n_rows, *part.shape[1:]), dtype=part.dtype)
        elif part.dtype != result.dtype:
            result = result.astype(np.result_type(part, result))
        result[start : start + len(part)] = part
    assert result is not None
    return result


def blocks(X: Any, block_rows: int = BLOCK_ROWS) -> Iterator[tuple[int, Any]]:
    """Yield consecutive rows; slices of memory-mapped arrays stay on disk until they are read.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame, mapping}
        The pool.
    block_rows : int, default=16384
        Rows at a time.

    Yields
    ------
    start : int
        Position of the first of them.
    rows : object
        Of X's kind; sparse formats that are slow to slice come as CSR.
    """
    n_rows = count_rows(X, "X")
    if sparse.issparse(X) and X.format != "csr":
        X = X.tocsr()
    for start in range(0, n_rows, block_rows):
        yield start, _slice(X, slice(start, start + block_rows))


def _slice(X: Any, rows: slice) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if hasattr(X, "items") and not hasattr(X, "shape"):
        return {name: value[rows] for name, value in X.items()}
    return X[rows]
