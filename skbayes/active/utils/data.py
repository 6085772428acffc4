"""Rows of any kind under modAL's names: stacked, taken, dropped and counted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from skbayes.active._rows import count_rows, is_tensor, stack_rows, take_rows

__all__ = [
    "add_row",
    "data_hstack",
    "data_shape",
    "data_vstack",
    "drop_rows",
    "enumerate_data",
    "retrieve_rows",
]

#: What modAL's functions take as data
modALinput = Any


def data_vstack(blocks: Sequence[Any]) -> Any:
    """Stack data below each other.

    Parameters
    ----------
    blocks : sequence of {ndarray, sparse matrix, DataFrame, Series, list, tensor, mapping}
        Data of one kind.

    Returns
    -------
    object
        Of the first one's kind; sparse, in CSR, if any is.

    Raises
    ------
    TypeError
        If it is none of these kinds.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> from skbayes.active.utils import data_vstack
    >>> data_vstack(([[1, 2]], [[3, 4]]))
    [[1, 2], [3, 4]]
    """
    _check_kind(blocks[0])
    result = blocks[0]
    for block in blocks[1:]:
        result = stack_rows(result, block, "X")
    return result


def data_hstack(blocks: Sequence[Any]) -> Any:
    """Set data side by side.

    Parameters
    ----------
    blocks : sequence of {ndarray, sparse matrix, DataFrame, list, tensor}
        Data of one kind, with as many rows each.

    Returns
    -------
    object
        Of the first one's kind; sparse, in CSR, if any is.

    Raises
    ------
    TypeError
        If it is none of these kinds.

    Examples
    --------
    >>> from skbayes.active.utils.data import data_hstack
    >>> data_hstack(([[1], [2]], [[3], [4]]))
    [[1, 3], [2, 4]]
    """
    first = blocks[0]
    _check_kind(first)
    if any(sparse.issparse(block) for block in blocks):
        return sparse.hstack(blocks, format="csr")
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat(blocks, axis=1)
    if is_tensor(first):
        return first.new_tensor(np.hstack([np.asarray(block) for block in blocks]))
    stacked = np.hstack([np.asarray(block) for block in blocks])
    return stacked.tolist() if isinstance(first, list) else stacked


def add_row(X: Any, row: Any) -> Any:
    """Append one row.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame, list, tensor}
        Rows.
    row : object
        One row, as :func:`retrieve_rows` returns it for a single index.

    Returns
    -------
    object
        Of X's kind.

    Examples
    --------
    >>> from skbayes.active.utils.data import add_row
    >>> add_row([[1, 2]], [3, 4])
    [[1, 2], [3, 4]]
    """
    _check_kind(X)
    if hasattr(X, "iloc"):
        if row.ndim < X.ndim:  # a Series: one row of a frame
            row = row.to_frame().T.astype(dict(X.dtypes))
        return stack_rows(X, row, "X")
    if isinstance(X, list):
        return [*X, row]
    if sparse.issparse(X) or is_tensor(X):
        return stack_rows(X, row if row.ndim == X.ndim else row[None], "X")
    row = np.asarray(row)
    return np.concatenate([X, row if row.ndim == X.ndim and len(row) == 1 else row[np.newaxis]])


def retrieve_rows(X: Any, I: Any) -> Any:  # noqa: E741 (modAL's name)
    """Take rows by their position.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame, list, tensor, mapping}
        Data.
    I : int, list of int or ndarray of int or bool
        Positions, or which rows to take.

    Returns
    -------
    object
        Of X's kind. For a single index: a row, of a sparse matrix a matrix of one row, of a
        frame a Series.

    Raises
    ------
    TypeError
        If X is none of these kinds.

    Examples
    --------
    >>> from skbayes.active.utils.data import retrieve_rows
    >>> retrieve_rows(["a", "b", "c"], [2, 0])
    ['c', 'a']
    """
    _check_kind(X)
    index = np.asarray(I)
    if index.dtype == bool:
        index = np.flatnonzero(index)
    if index.ndim:
        return take_rows(X, index.astype(np.intp) if index.size == 0 else index)
    if sparse.issparse(X):
        return take_rows(X, index[np.newaxis])
    if isinstance(X, Mapping):
        return {name: retrieve_rows(value, index) for name, value in X.items()}
    return X.iloc[int(index)] if hasattr(X, "iloc") else X[int(index)]


def drop_rows(X: Any, I: Any) -> Any:  # noqa: E741 (modAL's name)
    """Leave rows out by their position.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame, list, tensor, mapping}
        Data.
    I : int, list of int or ndarray of int
        Positions of the rows to leave out.

    Returns
    -------
    object
        Of X's kind.

    Raises
    ------
    TypeError
        If X is none of these kinds.

    Examples
    --------
    >>> from skbayes.active.utils.data import drop_rows
    >>> drop_rows(["a", "b", "c"], 1)
    ['a', 'c']
    """
    _check_kind(X)
    kept = np.ones(count_rows(X, "X"), dtype=bool)
    kept[I] = False
    return take_rows(X, np.flatnonzero(kept))


def enumerate_data(X: Any) -> Iterable[tuple[Any, Any]]:
    """Enumerate rows by their position.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame, list, tensor}
        Data.

    Returns
    -------
    iterable of (int, object)
        Every row as :func:`retrieve_rows` gives it.

    Raises
    ------
    TypeError
        If X is none of these kinds.

    Examples
    --------
    >>> from skbayes.active.utils.data import enumerate_data
    >>> list(enumerate_data(["a", "b"]))
    [(0, 'a'), (1, 'b')]
    """
    _check_kind(X)
    if sparse.issparse(X):
        X = X.tocsr()
    return ((index, retrieve_rows(X, index)) for index in range(count_rows(X, "X")))


def data_shape(X: Any) -> tuple[int, ...]:
    """Shape of data.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame, list, tensor}
        Data.

    Returns
    -------
    tuple of int

    Raises
    ------
    TypeError
        If X is none of these kinds.

    Examples
    --------
    >>> from skbayes.active.utils.data import data_shape
    >>> data_shape([[1, 2], [3, 4], [5, 6]])
    (3, 2)
    """
    _check_kind(X)
    return tuple(X.shape) if hasattr(X, "shape") else np.shape(X)


def _check_kind(X: Any) -> None:
    known = (
        hasattr(X, "iloc")
        or sparse.issparse(X)
        or (hasattr(X, "__getitem__") and getattr(X, "shape", ()) != ())
    )
    if not known and not isinstance(X, np.ndarray | list | tuple | Mapping):
        raise TypeError(
            f"data of type {type(X).__name__} are not supported; allowed are arrays, sparse "
            "matrices, data frames, lists, tensors and mappings of them"
        )
