"""Checks that acquisition functions, batch selectors and learners share."""

from typing import Any

import numpy as np

# Float32 softmax over many classes sums to 1 only to about 1e-5; a forgotten softmax is far off
_TOLERANCE = 1e-3


class ParameterError(ValueError, AssertionError):
    """A parameter that is not allowed; also what modAL raises, for those who catch that.

    Examples
    --------
    >>> from skbayes.active._checks import ParameterError
    >>> issubclass(ParameterError, ValueError) and issubclass(ParameterError, AssertionError)
    True
    """


def check_n_instances(n_instances: int, n_rows: int) -> None:
    """Check that a pool has as many rows as are asked for.

    Parameters
    ----------
    n_instances : int
        Number of rows asked for.
    n_rows : int
        Number of rows in the pool.

    Raises
    ------
    ValueError
        If it has not, or ``n_instances`` is no positive integer.
    """
    if (
        not isinstance(n_instances, int | np.integer)
        or isinstance(n_instances, bool)
        or n_instances < 1
    ):
        raise ParameterError(f"n_instances={n_instances!r} must be an integer of at least 1")
    if n_instances > n_rows:
        raise ParameterError(
            f"n_instances={n_instances} rows were asked for, but the pool has {n_rows}: it is "
            "exhausted, or the batch is too large"
        )


def check_draws(draws: Any, needs_several: str | None = None) -> np.ndarray:
    """Check that draws are class probabilities.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        What to check.
    needs_several : str, default=None
        Name of the function that needs at least two draws.

    Returns
    -------
    ndarray of shape (n_draws, n_samples, n_classes)
        In float32 or float64, not negative.

    Raises
    ------
    ValueError
        If they are not.
    """
    draws = np.asarray(draws)
    if draws.dtype.kind not in "fiub":
        raise ValueError(f"draws must be numbers; got an array of dtype {draws.dtype}")
    if draws.dtype not in (np.float32, np.float64):
        draws = draws.astype(np.float64)
    if draws.ndim != 3:
        raise ValueError(
            "draws must be class probabilities of shape (draws, rows, classes); got an array of "
            f"shape {draws.shape}"
        )
    n_draws, n_rows, n_classes = draws.shape
    if n_draws == 0 or n_classes == 0:
        raise ValueError(f"draws must hold a draw and a class at least; got shape {draws.shape}")
    if needs_several is not None and n_draws == 1:
        raise ValueError(
            f"{needs_several} measures disagreement between draws and there is 1 draw: it would be "
            "zero everywhere. Use an estimator with sample_proba (and several draws), or "
            "least_confidence, margin or entropy"
        )
    if n_rows == 0:
        return draws
    low, high = draws.min(), draws.max()  # nan if any entry is
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("draws hold nan or infinity; they must be probabilities")
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        raise ValueError(
            f"draws lie between {low:.6g} and {high:.6g}; probabilities lie between 0 and 1 (a "
            "softmax forgotten?)"
        )
    ones = np.ones(n_classes, dtype=draws.dtype)
    error = np.abs(draws @ ones - 1)  # (draws, rows); a product is several times faster than a sum
    if error.max() > _TOLERANCE:
        draw, row = np.unravel_index(error.argmax(), error.shape)
        raise ValueError(
            f"draws must sum to 1 over the classes; draw {draw} of row {row} sums to "
            f"{draws[draw, row].sum():.6g}"
        )
    return draws if low >= 0 else np.clip(draws, 0, None)  # a rounding error has no logarithm


def check_values(draws: Any, needs_several: str | None = None) -> np.ndarray:
    """Check that draws are function values of a regressor.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples)
        What to check.
    needs_several : str, default=None
        Name of the function that needs at least two draws.

    Returns
    -------
    ndarray of shape (n_draws, n_samples)
        In float64, finite.

    Raises
    ------
    ValueError
        If they are not.
    """
    draws = np.asarray(draws)
    if draws.dtype.kind not in "fiub" or draws.ndim != 2 or len(draws) == 0:
        raise ValueError(
            "draws must be values of a regression of shape (draws, rows), one draw at least; got "
            f"shape {draws.shape} and dtype {draws.dtype}"
        )
    draws = draws.astype(np.float64)
    if not np.isfinite(draws).all():
        raise ValueError("draws hold nan or infinity; they must be finite values")
    if needs_several is not None and len(draws) == 1:
        raise ValueError(
            f"{needs_several} measures disagreement between draws and there is 1 draw: it would be "
            "zero everywhere. Use a regressor with sample_mean (and several draws)"
        )
    return draws


def check_scores(scores: Any) -> np.ndarray:
    """Check that scores are one number a row.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        What to check; infinities are allowed.

    Returns
    -------
    ndarray of shape (n_samples,)
        In float64.

    Raises
    ------
    ValueError
        If they are not.
    """
    scores = np.asarray(scores)
    if scores.dtype.kind not in "fiub" or scores.ndim != 1:
        raise ValueError(
            "scores must be one number a row, an array of shape (rows,); got shape "
            f"{scores.shape} and dtype {scores.dtype}"
        )
    scores = scores.astype(np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"scores hold nan in {int(np.isnan(scores).sum())} of {len(scores)} rows")
    return scores


def split_answer(answer: Any) -> tuple[Any, Any]:
    """Tell the indices that a query strategy returned from its metrics.

    Parameters
    ----------
    answer : object
        A tuple of both, or anything else: indices.

    Returns
    -------
    indices : object
    metrics : object or None

    Raises
    ------
    ValueError
        If it is another tuple.
    """
    # by its type and nothing else: two indices are no index and metric
    if not isinstance(answer, tuple):
        return answer, None
    if len(answer) != 2:
        raise ValueError(
            f"query_strategy returned a tuple of {len(answer)}; it must return the indices, or a "
            "tuple of indices and metrics"
        )
    return answer


def check_indices(
    chosen: Any, n_instances: int | None, n_rows: int, name: str = "query_strategy"
) -> Any:
    """Check that a query strategy returned row numbers of the pool.

    Parameters
    ----------
    chosen : int or array-like of int
        What it returned.
    n_instances : int or None
        Number of rows asked for; None leaves it to the strategy, and so does what it returns: a
        number alone stays one, and a row may come twice.
    n_rows : int
        Number of rows in the pool.
    name : str, default="query_strategy"
        What an error calls the strategy.

    Returns
    -------
    ndarray of int of shape (n_instances,) or int

    Raises
    ------
    ValueError
        If they are not that many different row numbers.
    """
    answer = np.asarray(chosen)
    indices = np.atleast_1d(answer)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must return row numbers, integers in one dimension; got an array of "
            f"shape {indices.shape} and dtype {indices.dtype}"
        )
    if n_instances is not None and len(indices) != n_instances:
        raise ValueError(f"{name} returned {len(indices)} indices for n_instances={n_instances}")
    repeated = n_instances is not None and len(np.unique(indices)) < len(indices)
    if (len(indices) and (indices.min() < 0 or indices.max() >= n_rows)) or repeated:
        raise ValueError(
            f"{name} returned {indices.tolist()}; they must be different row numbers from "
            f"0 to {n_rows - 1}"
        )
    return int(answer) if answer.ndim == 0 and n_instances is None else indices.astype(np.intp)


def check_places(places: Any, n_rows: int | None, name: str) -> np.ndarray:
    """Check that somebody's positions in a pool are positions in it.

    Parameters
    ----------
    places : int or array-like of int
        What to check.
    n_rows : int or None
        Number of rows of the pool; None if it is not known yet.
    name : str
        What an error calls them.

    Returns
    -------
    ndarray of int of shape (n_places,)

    Raises
    ------
    ValueError
        If they are not.
    """
    checked = np.atleast_1d(np.asarray(places))
    if checked.ndim != 1 or (checked.dtype.kind not in "iu" and checked.size):
        raise ValueError(
            f"{name} must be positions in the pool, integers in one dimension; got shape "
            f"{checked.shape} and dtype {checked.dtype}"
        )
    outside = checked < 0 if n_rows is None else (checked < 0) | (checked >= n_rows)
    if checked.size and outside.any():
        upwards = "on" if n_rows is None else f"to {n_rows - 1}"
        raise ValueError(
            f"{name} holds positions outside the pool, {checked[outside][:5].tolist()}; they go "
            f"from 0 {upwards}"
        )
    return checked.astype(np.intp)
