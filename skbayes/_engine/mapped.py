"""Rows that are read where they lie: in mapped files, as bytes, sparse; never copied whole."""

import mmap
from typing import Any

import numpy as np
from scipy import sparse


class RowView:
    """Some rows of an array, gathered only when they are asked for.

    Parameters
    ----------
    X : ndarray or RowView of shape (all rows, features)
    index : ndarray of int of shape (rows,)
    """

    def __init__(self, X: Any, index: np.ndarray) -> None:
        self.X = X
        self.index = index
        self.shape = (len(index), X.shape[1])
        self.dtype = X.dtype

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Gather rows.

        Parameters
        ----------
        rows : slice or ndarray of int

        Returns
        -------
        ndarray of shape (rows, features)
        """
        return self.X[self.index[rows]]


def is_mapped(X: Any) -> bool:
    """Whether an array lies in a mapped file.

    Parameters
    ----------
    X : object

    Returns
    -------
    bool
    """
    while isinstance(X, np.ndarray) and not isinstance(X, np.memmap):
        X = X.base
    return isinstance(X, np.memmap | mmap.mmap)


def stays_on_host(X: Any) -> bool:
    """Whether dense rows go to the device batch by batch.

    Parameters
    ----------
    X : ndarray or RowView

    Returns
    -------
    bool
    """
    return isinstance(X, RowView) or X.dtype == np.uint8 or is_mapped(X)


def rows_of(X: Any, index: np.ndarray) -> Any:
    """Choose rows; copy them only where that is no copy of a file.

    Parameters
    ----------
    X : ndarray, RowView or sparse matrix of shape (all rows, features)
    index : ndarray of int of shape (rows,)

    Returns
    -------
    ndarray, RowView or sparse matrix of shape (rows, features)
    """
    if sparse.issparse(X) or not stays_on_host(X):
        return X[index]
    return RowView(X, index)


def dense(X: Any) -> np.ndarray:
    """Make a block of rows dense.

    Parameters
    ----------
    X : ndarray or sparse matrix

    Returns
    -------
    ndarray
    """
    return X.toarray() if sparse.issparse(X) else X
