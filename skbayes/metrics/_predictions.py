"""Moments and intervals of a regressor, behind pipelines and searches."""

from typing import Any

import numpy as np
from scipy.special import ndtri

from skbayes._draws import find_method, transform_through

#: Coverage of the intervals that a picture or an error over levels looks at.
LEVELS = tuple(k / 10 for k in range(1, 10))


def predict_moments(estimator: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predictive mean and standard deviation.

    Parameters
    ----------
    estimator : object
        Fitted regressor whose ``predict`` takes ``return_std``, or a Pipeline, search,
        FrozenEstimator or learner around it.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to predict.

    Returns
    -------
    mean, std : ndarray of shape (n_samples,)

    Raises
    ------
    TypeError
        If there is no such ``predict``.
    """
    holder, pipelines = find_method(estimator, "predict", parameter="return_std")
    if holder is None:
        raise TypeError(
            f"estimator={type(estimator).__name__} gives no standard deviation: it must be a "
            "regressor with predict(X, return_std=True), or a Pipeline, search, FrozenEstimator or "
            "learner around one"
        )
    return holder.predict(transform_through(pipelines, X), return_std=True)


def predict_intervals(
    estimator: Any, X: Any, levels: tuple[float, ...] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Central predictive intervals, of a Gaussian where the estimator gives moments alone.

    Parameters
    ----------
    estimator : object
        Fitted regressor with ``predict_interval(X, coverage=...)``, failing that one whose
        ``predict`` takes ``return_std``; or a Pipeline, search, FrozenEstimator or learner around
        it.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to predict.
    levels : sequence of float of length n_levels
        Coverage of the intervals.

    Returns
    -------
    lower, upper : ndarray of shape (n_levels, n_samples)

    Raises
    ------
    TypeError
        If the estimator has neither method.
    """
    holder, pipelines = find_method(estimator, "predict_interval", parameter="coverage")
    if holder is not None:
        rows = transform_through(pipelines, X)
        ends = [holder.predict_interval(rows, coverage=float(level)) for level in levels]
        lower, upper = (np.stack(end) for end in zip(*ends, strict=True))
        return lower, upper
    mean, std = predict_moments(estimator, X)
    reach = ndtri((1 + np.asarray(levels, dtype=np.float64)) / 2)[:, None] * std  # (levels, rows)
    return mean - reach, mean + reach
