"""Rows of X on their way through a fitted autoencoder: dense tensors, block by block."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from skbayes._engine.mapped import dense
from skbayes._engine.posterior import BLOCK_BYTES, Posterior
from skbayes._engine.rows import to_tensor

#: Fewest rows in a block: below, the calls cost more than what they compute.
MIN_ROWS = 16
#: Memory that the float64 copy of a block may take.
VARIANCE_BYTES = 2**22


def cells_that_fit(posterior: Posterior, width: int) -> int:
    """Number of (row, sample) pairs whose widest activations fit the memory budget.

    Parameters
    ----------
    posterior : Posterior
    width : int
        Of the widest layer.

    Returns
    -------
    int
    """
    cell_bytes = posterior.dtype.itemsize * posterior.n_draws * width
    return max(1, BLOCK_BYTES.get(posterior.device.type, 2**26) // cell_bytes)


def row_blocks(posterior: Posterior, X: Any, n_rows: int) -> Iterator[tuple[slice, Tensor]]:
    """Walk through rows.

    Parameters
    ----------
    posterior : Posterior
        Says which device and dtype.
    X : {ndarray, sparse matrix} of shape (rows, features)
    n_rows : int
        Rows a block.

    Yields
    ------
    rows : slice
        Where the block belongs.
    block : torch.Tensor of shape (block rows, features)
    """
    step = max(n_rows, MIN_ROWS)
    for start in range(0, X.shape[0], step):
        rows = slice(start, min(start + step, X.shape[0]))
        yield rows, to_tensor(dense(X[rows]), posterior.device, posterior.dtype)


def rows_at_once(n_features: int) -> int:
    """Number of rows whose float64 copy fits the memory budget.

    Parameters
    ----------
    n_features : int

    Returns
    -------
    int
    """
    return max(MIN_ROWS, VARIANCE_BYTES // (8 * n_features))


def column_moments(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of every column, without a float64 copy of all of X.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (rows, features)

    Returns
    -------
    mean, variance : ndarray of shape (features,)
    """
    n_rows, step = X.shape[0], rows_at_once(X.shape[1])

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, n_rows, step):
            yield dense(X[start : start + step]).astype(np.float64)

    # two passes: the difference of the mean square and the squared mean would cancel
    mean = sum(block.sum(axis=0) for block in blocks()) / n_rows
    variance = sum(np.square(block - mean).sum(axis=0) for block in blocks()) / n_rows
    return np.asarray(mean), np.asarray(variance)
