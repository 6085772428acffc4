"""How far predictions are from those of a reference, such as a long Hamiltonian Monte-Carlo run."""

from typing import Any

import numpy as np

# Float32 softmax over many classes sums to 1 only to about 1e-5; a forgotten softmax is far off
_TOLERANCE = 1e-3


def agreement(proba: Any, reference: Any, *, per_row: bool = False) -> Any:
    """Share of rows whose most probable class is the reference's.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes) or (n_draws, n_samples, n_classes)
        Class probabilities; draws are averaged first.
    reference : array-like of shape (n_samples, n_classes) or (n_draws, n_samples, n_classes)
        Those to compare with, for the same rows and classes. Its number of draws may be another.
    per_row : bool, default=False
        Whether to tell it row by row.

    Returns
    -------
    float or ndarray of bool of shape (n_samples,)
        1 is the best.

    Raises
    ------
    ValueError
        If they are not probabilities of these shapes.

    See Also
    --------
    total_variation : Sees the probabilities, not only the winner.

    Notes
    -----
    Of classes equally probable the first one wins, as in ``predict``.

    References
    ----------
    Izmailov, Vikram, Hoffman, Wilson (2021), *What are Bayesian neural network posteriors really
    like?*, ICML.

    Examples
    --------
    >>> from skbayes.diagnostics import agreement
    >>> agreement([[0.9, 0.1], [0.4, 0.6]], [[0.6, 0.4], [0.6, 0.4]])
    0.5
    """
    mean, other = _mean_probabilities(proba, reference)
    same = mean.argmax(axis=-1) == other.argmax(axis=-1)  # (rows,)
    return same if per_row else float(same.mean())


def total_variation(proba: Any, reference: Any, *, per_row: bool = False) -> Any:
    r"""Total variation distance of class probabilities to a reference, averaged over rows.

    .. math:: \frac1N \sum_i \tfrac12 \sum_c |p_{ic} - q_{ic}|

    The largest difference in probability that any set of classes can have.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes) or (n_draws, n_samples, n_classes)
        Class probabilities; draws are averaged first.
    reference : array-like of shape (n_samples, n_classes) or (n_draws, n_samples, n_classes)
        Those to compare with, for the same rows and classes. Its number of draws may be another.
    per_row : bool, default=False
        Whether to tell it row by row.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Between 0 (equal) and 1 (no class in common).

    Raises
    ------
    ValueError
        If they are not probabilities of these shapes.

    See Also
    --------
    agreement : Sees the winning class alone.

    References
    ----------
    Izmailov, Vikram, Hoffman, Wilson (2021), *What are Bayesian neural network posteriors really
    like?*, ICML.

    Examples
    --------
    >>> from skbayes.diagnostics import total_variation
    >>> total_variation([[0.75, 0.25], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]])
    0.625
    """
    mean, other = _mean_probabilities(proba, reference)
    distance = np.abs(mean - other).sum(axis=-1) / 2  # (rows,)
    return distance if per_row else float(distance.mean())


def wasserstein_distance(draws: Any, reference: Any, *, per_row: bool = False) -> Any:
    r"""Distance of two sets of draws for every row, averaged over rows.

    The Wasserstein distance of order 1 in one dimension: by how much, on average, draws must be
    moved to become those of the reference, in units of y. With the two quantile functions,

    .. math:: W_1 = \int_0^1 |F^{-1}(u) - G^{-1}(u)| \, du

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples)
        Draws for every row, as ``sample_mean`` gives them; all count alike.
    reference : array-like of shape (n_reference_draws, n_samples)
        Those to compare with, for the same rows. Their number may be another.
    per_row : bool, default=False
        Whether to tell it row by row.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Not negative, 0 where both sets are the same; exact.

    Raises
    ------
    ValueError
        If they are not finite numbers of these shapes.

    See Also
    --------
    scipy.stats.wasserstein_distance : The same for one row.

    References
    ----------
    Izmailov, Vikram, Hoffman, Wilson (2021), *What are Bayesian neural network posteriors really
    like?*, ICML, who compare regressions so.

    Examples
    --------
    >>> from skbayes.diagnostics import wasserstein_distance
    >>> wasserstein_distance([[0.0, 5.0], [1.0, 6.0]], [[1.5, 5.0], [0.5, 6.0]])
    0.25
    """
    draws = np.sort(_check_draws(draws, "draws"), axis=0)  # (draws, rows)
    reference = np.sort(_check_draws(reference, "reference"), axis=0)
    if draws.shape[1] != reference.shape[1]:
        raise ValueError(
            f"draws has {draws.shape[1]} rows and reference {reference.shape[1]}; they must be "
            "the same rows"
        )
    # Both quantile functions are steps, the same steps in every row: at i/n and at j/m, counted in
    # parts of n*m, where they are integers
    n, m = len(draws), len(reference)
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # (steps,)
    weights = np.diff(ends, prepend=0) / (n * m)
    distance = np.zeros(draws.shape[1])
    # block by block: no third array as large as the draws
    step = max(1, 2**20 // len(ends))
    for start in range(0, len(distance), step):
        rows = slice(start, start + step)
        here = draws[(ends - 1) // m, rows]  # (steps, rows)
        there = reference[(ends - 1) // n, rows]
        distance[rows] = weights @ np.abs(here - there)
    return distance if per_row else float(distance.mean())


def _mean_probabilities(proba: Any, reference: Any) -> tuple[np.ndarray, np.ndarray]:
    mean = _check_probabilities(proba, "proba")
    other = _check_probabilities(reference, "reference")
    if mean.shape != other.shape:
        raise ValueError(
            f"proba is for {mean.shape[0]} rows and {mean.shape[1]} classes and reference for "
            f"{other.shape[0]} and {other.shape[1]}; they must be the same"
        )
    return mean, other


def _check_probabilities(proba: Any, name: str) -> np.ndarray:
    """Check class probabilities and average draws, in float64."""
    proba = _check_numbers(proba, name)
    if proba.ndim not in (2, 3) or proba.size == 0:
        raise ValueError(
            f"{name} must be class probabilities of shape (rows, classes) or (draws, rows, "
            f"classes), not empty; got an array of shape {proba.shape}"
        )
    _check_finite(proba, name)
    low, high = proba.min(), proba.max()
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        raise ValueError(
            f"{name} lies between {low:.6g} and {high:.6g}; probabilities lie between 0 and 1 (a "
            "softmax forgotten?)"
        )
    sums = proba.sum(axis=-1)
    worst = sums.flat[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > _TOLERANCE:
        raise ValueError(f"{name} must sum to 1 over the classes; a row sums to {worst:.6g}")
    return proba.mean(axis=0, dtype=np.float64) if proba.ndim == 3 else proba.astype(np.float64)


def _check_draws(draws: Any, name: str) -> np.ndarray:
    draws = _check_numbers(draws, name)
    if draws.ndim != 2 or draws.size == 0:
        raise ValueError(
            f"{name} must be of shape (draws, rows), not empty; got an array of shape {draws.shape}"
        )
    _check_finite(draws, name)
    return draws.astype(np.float64)


def _check_numbers(values: Any, name: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be numbers; got an array of dtype {values.dtype}")
    return values


def _check_finite(values: np.ndarray, name: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        place = np.unravel_index(finite.argmin(), finite.shape)
        where = ", ".join(str(int(i)) for i in place)
        raise ValueError(f"{name} must be finite; {name}[{where}] is {values[place]}")
