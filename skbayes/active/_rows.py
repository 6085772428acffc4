"""Rows of whatever holds data: arrays, sparse matrices, lists, data frames, tensors, mappings."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse


def count_rows(X: Any, name: str) -> int:
    """Count rows.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame, Series}
        Data.
    name : str
        What an error calls it.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it has no rows, as a number has not.
    """
    if is_named(X) and X:  # named tensors, as of transformers
        return count_rows(next(iter(X.values())), name)
    shape = getattr(X, "shape", None)
    if shape is None and hasattr(X, "__len__") and not isinstance(X, str | bytes):
        return len(X)
    if not shape:
        raise ValueError(f"{name} must be an array, sparse matrix, list or data frame; got {X!r}")
    return int(shape[0])


def is_named(X: Any) -> bool:
    """Tell whether data are a mapping of names to data.

    Parameters
    ----------
    X : object
        Data.

    Returns
    -------
    bool
        False for a sparse matrix that is a dictionary of its entries.
    """
    return isinstance(X, Mapping) and not sparse.issparse(X)


def take_rows(X: Any, indices: np.ndarray) -> Any:
    """Take rows by their position.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame, Series}
        Data.
    indices : ndarray of int
        Positions.

    Returns
    -------
    object
        Of X's kind; sparse formats that cannot be indexed come back as CSR.
    """
    if is_named(X):
        return {name: take_rows(value, indices) for name, value in X.items()}
    if hasattr(X, "iloc"):
        return X.iloc[indices]
    if isinstance(X, list | tuple):
        return [X[index] for index in indices]
    if sparse.issparse(X) and X.format in ("bsr", "coo", "dia", "dok"):
        X = X.tocsr()
    return X[indices]


def stack_rows(old: Any, new: Any, name: str) -> Any:
    """Append rows.

    Parameters
    ----------
    old : {array-like, sparse matrix, DataFrame, Series}
        What there is; the result is of its kind (sparse if either is).
    new : {array-like, sparse matrix, DataFrame, Series}
        What is appended.
    name : str
        What an error calls it.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If the shapes or columns do not fit.
    """
    if is_named(old):
        return {key: stack_rows(value, new[key], name) for key, value in old.items()}
    try:
        if is_tensor(old):
            return _stack_tensors(old, new)
        if sparse.issparse(old) or sparse.issparse(new):
            return sparse.vstack([old, new], format="csr")
        if hasattr(old, "iloc"):
            return _stack_pandas(old, new)
        if isinstance(old, list | tuple):
            return [*old, *(new if isinstance(new, list | tuple) else np.asarray(new).tolist())]
        return np.concatenate([np.asarray(old), np.asarray(new)])
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"the new {name} does not fit {name}_training: shape {np.shape(new)} after "
            f"{np.shape(old)} ({error})"
        ) from error


def stack_all(parts: list[Any], name: str) -> Any:
    """Stack many parts of the same kind at once.

    Parameters
    ----------
    parts : list of {array-like, sparse matrix, DataFrame, Series, mapping}
        At least one.
    name : str
        What an error calls them.

    Returns
    -------
    object
        Of the parts' kind.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    if all(type(part) is np.ndarray for part in parts):
        return np.concatenate(parts)
    if all(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    if all(hasattr(part, "iloc") for part in parts):
        import pandas as pd

        return pd.concat(parts)
    result = first
    for part in parts[1:]:
        result = stack_rows(result, part, name)
    return result


def own_rows(X: Any) -> list[Any]:
    """Split data in rows, each of X's kind and with memory of its own.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame, Series, mapping}
        Data.

    Returns
    -------
    list of object
        Data of one row each.
    """
    rows = [take_rows(X, np.array([index])) for index in range(count_rows(X, "X"))]
    # a row taken of a memory-mapped array is one too, and would be stored as its file
    return [np.array(row) if isinstance(row, np.ndarray) else row for row in rows]


def check_training_rows(X: Any, y: Any) -> None:
    """Check that rows and labels are as many, and at least one.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame}
        Rows.
    y : array-like
        Labels.

    Raises
    ------
    ValueError
        If they are not.
    """
    n_rows, n_labels = count_rows(X, "X"), count_rows(y, "y")
    if n_rows != n_labels:
        raise ValueError(f"X has {n_rows} rows and y {n_labels} labels; they must be as many")
    if n_rows == 0:
        raise ValueError("X has 0 rows; at least one labelled row is needed to learn from")


def check_same_kind(old: Any, new: Any) -> None:
    """Check that new labels are of the kind of the old ones, text or numbers.

    Parameters
    ----------
    old : array-like
        Labels so far.
    new : array-like
        Labels to come.

    Raises
    ------
    ValueError
        If they are not: numpy would turn the numbers into text, as classes of their own.
    """
    kinds = ["text" if _is_text(y) else "numbers" for y in (old, new)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"y holds {kinds[1]} and y_training {kinds[0]}; labels must be of one kind"
        )


def is_tensor(X: Any) -> bool:
    """Tell whether something is a torch tensor, without importing torch.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    bool
    """
    torch = sys.modules.get("torch")
    return torch is not None and torch.is_tensor(X)


def _stack_tensors(old: Any, new: Any) -> Any:
    torch = sys.modules["torch"]  # whoever hands over a tensor has imported it
    return torch.cat([old, torch.as_tensor(new)])


def _is_text(y: Any) -> bool:
    y = np.asarray(y)
    return y.dtype.kind in "US" or (
        y.dtype.kind == "O" and y.size > 0 and isinstance(y.flat[0], str)
    )


def _stack_pandas(old: Any, new: Any) -> Any:
    import pandas as pd

    if old.ndim == 1:
        new = new if hasattr(new, "iloc") else pd.Series(np.asarray(new), name=old.name)
    elif not hasattr(new, "iloc"):
        new = pd.DataFrame(np.asarray(new), columns=old.columns)
    elif set(new.columns) != set(old.columns):
        raise ValueError(f"columns {list(new.columns)} after {list(old.columns)}")
    return pd.concat([old, new])
