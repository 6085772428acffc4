"""Fingerprints of rows and pools: the same content has the same one, in every process."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from scipy import sparse

from skbayes.active._blocks import blocks
from skbayes.active._rows import count_rows, is_named, is_tensor

_SIZE = 16


def row_hashes(X: Any) -> list[bytes]:
    """Fingerprint every row by its content.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame, mapping} of shape (n_samples, ...)
        Rows.

    Returns
    -------
    list of bytes
        16 bytes a row.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.active._fingerprint import row_hashes
    >>> a, b, c = row_hashes(np.array([[1.0], [2.0], [1.0]]))
    >>> a == c, a == b
    (True, False)
    """
    return [blake2b(content, digest_size=_SIZE).digest() for content in _contents(X)]


def pool_hash(X: Any) -> bytes:
    """Fingerprint a pool: its rows, their order and their number.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame, mapping} of shape (n_samples, ...)
        Pool; a memory-mapped one is read block by block.

    Returns
    -------
    bytes

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.active._fingerprint import pool_hash
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> pool_hash(X) == pool_hash(X.copy()), pool_hash(X) == pool_hash(X[::-1])
    (True, False)
    """
    digest = blake2b(str(count_rows(X, "X_pool")).encode(), digest_size=_SIZE)
    for _, rows in blocks(X):
        if isinstance(rows, np.ndarray) and rows.dtype.kind not in "OUS":
            digest.update(_prefix(rows))
            digest.update(np.ascontiguousarray(rows).view(np.uint8).reshape(-1).data)
        else:
            for content in _contents(rows):
                digest.update(content)
    return digest.digest()


def _contents(X: Any) -> Iterator[bytes]:
    if is_named(X):
        parts = [list(_contents(value)) for value in X.values()]
        yield from (b"".join(row) for row in zip(*parts, strict=True))
    elif sparse.issparse(X):
        X = X.tocsr().sorted_indices()
        prefix = f"sparse{X.shape[1]}{X.dtype.str}".encode()
        for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
            columns = X.indices[start:stop].astype(np.int64)
            yield prefix + columns.tobytes() + X.data[start:stop].tobytes()
    elif hasattr(X, "iloc"):
        frame = X.to_frame() if X.ndim == 1 else X
        yield from (repr(row).encode() for row in frame.itertuples(index=False, name=None))
    elif isinstance(X, np.ndarray) or is_tensor(X):
        values = np.asarray(X.cpu() if is_tensor(X) else X)
        if values.dtype.kind in "OUS":
            yield from (repr(row).encode() for row in values.tolist())
        else:
            prefix = _prefix(values)
            for row in np.ascontiguousarray(values):
                yield prefix + row.tobytes()
    else:
        yield from (repr(row).encode() for row in X)


def _prefix(values: np.ndarray) -> bytes:
    return f"{values.dtype.str}{values.shape[1:]}".encode()
