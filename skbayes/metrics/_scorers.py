"""Scorers of regressors' distributions, for ``scoring``: the higher, the better, as there."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from skbayes.metrics._checks import check_coverage, check_levels
from skbayes.metrics._distributions import crps_gaussian, gaussian_nll
from skbayes.metrics._intervals import (
    interval_coverage,
    interval_score,
    interval_width,
    regression_calibration_error,
)
from skbayes.metrics._predictions import LEVELS, predict_intervals, predict_moments

Scorer = Callable[[Any, Any, Any], float]


def gaussian_nll_scorer(estimator: Any, X: Any, y: Any) -> float:
    """Mean Gaussian log-likelihood, which is minus :func:`gaussian_nll`, as a scorer.

    Parameters
    ----------
    estimator : object
        Fitted regressor whose ``predict`` takes ``return_std``, or a Pipeline, search,
        FrozenEstimator or learner around one.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Observations.

    Returns
    -------
    float
        In nats a row.

    Raises
    ------
    TypeError
        If the estimator gives no standard deviation.
    ValueError
        If a standard deviation is not positive.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbayes.metrics import gaussian_nll_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = make_pipeline(StandardScaler(), BayesianRidge())
    >>> scores = cross_val_score(reg, X, y, scoring=gaussian_nll_scorer)
    >>> round(float(scores.mean()), 1)
    -5.4
    """
    return -gaussian_nll(y, *predict_moments(estimator, X))


def crps_gaussian_scorer(estimator: Any, X: Any, y: Any) -> float:
    """Minus :func:`crps_gaussian`, as a scorer.

    Parameters
    ----------
    estimator : object
        Fitted regressor whose ``predict`` takes ``return_std``, or a Pipeline, search,
        FrozenEstimator or learner around one.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Observations.

    Returns
    -------
    float
        Not positive, in units of y.

    Raises
    ------
    TypeError
        If the estimator gives no standard deviation.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from sklearn.model_selection import cross_val_score
    >>> from skbayes.metrics import crps_gaussian_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> scores = cross_val_score(BayesianRidge(), X, y, scoring=crps_gaussian_scorer)
    >>> int(scores.mean())  # a constant with the spread of y has -44
    -31
    """
    return -crps_gaussian(y, *predict_moments(estimator, X))


def interval_coverage_scorer(estimator: Any, X: Any, y: Any, *, coverage: float = 0.9) -> float:
    """:func:`interval_coverage` of the intervals that a regressor predicts, as a scorer.

    A figure to report and not one to select by: the best is ``coverage``, not 1. To select, use
    :func:`interval_score_scorer`.

    Parameters
    ----------
    estimator : object
        Fitted regressor with ``predict_interval(X, coverage=...)``; failing that one whose
        ``predict`` takes ``return_std``, whose intervals are a Gaussian's; or a Pipeline, search,
        FrozenEstimator or learner around one.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Observations.
    coverage : float, default=0.9
        Probability to ask for; see :func:`make_interval_scorers` for scorers with another one.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    TypeError
        If the estimator gives neither intervals nor a standard deviation.
    ValueError
        If ``coverage`` is not between 0 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from skbayes.metrics import interval_coverage_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(interval_coverage_scorer(BayesianRidge().fit(X, y), X, y), 1)
    0.9
    """
    return interval_coverage(y, *_interval(estimator, X, coverage))


def interval_width_scorer(estimator: Any, X: Any, y: Any, *, coverage: float = 0.9) -> float:
    """Minus :func:`interval_width` of the intervals that a regressor predicts, as a scorer.

    A figure to report beside the coverage, not one to select by.

    Parameters
    ----------
    estimator : object
        Fitted regressor, see :func:`interval_coverage_scorer`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Observations; not looked at.
    coverage : float, default=0.9
        Probability to ask for.

    Returns
    -------
    float
        Not positive, in units of y.

    Raises
    ------
    TypeError
        If the estimator gives neither intervals nor a standard deviation.
    ValueError
        If ``coverage`` is not between 0 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from skbayes.metrics import interval_width_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> int(interval_width_scorer(BayesianRidge().fit(X, y), X, y, coverage=0.5))
    -73
    """
    return -interval_width(*_interval(estimator, X, coverage))


def interval_score_scorer(estimator: Any, X: Any, y: Any, *, coverage: float = 0.9) -> float:
    """Minus :func:`interval_score` of the intervals that a regressor predicts, as a scorer.

    Parameters
    ----------
    estimator : object
        Fitted regressor, see :func:`interval_coverage_scorer`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Observations.
    coverage : float, default=0.9
        Probability to ask for; see :func:`make_interval_scorers` for scorers with another one.

    Returns
    -------
    float
        Not positive, in units of y.

    Raises
    ------
    TypeError
        If the estimator gives neither intervals nor a standard deviation.
    ValueError
        If ``coverage`` is not between 0 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skbayes.metrics import interval_score_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"lambda_init": [0.1, 1.0]}
    >>> search = GridSearchCV(BayesianRidge(), grid, scoring=interval_score_scorer).fit(X, y)
    >>> int(search.best_score_)
    -219
    """
    return -interval_score(y, *_interval(estimator, X, coverage), coverage=coverage)


def make_interval_scorers(coverage: float = 0.9) -> dict[str, Scorer]:
    """Make scorers of intervals with a coverage of your own.

    Parameters
    ----------
    coverage : float, default=0.9
        Probability to ask for, between 0 and 1.

    Returns
    -------
    dict of str to callable
        :func:`interval_coverage_scorer`, :func:`interval_width_scorer` and
        :func:`interval_score_scorer` under the names ``"interval_coverage"``,
        ``"interval_width"`` and ``"interval_score"``, as
        :func:`~sklearn.model_selection.cross_validate` takes them for ``scoring``. They can be
        pickled.

    Raises
    ------
    ValueError
        If ``coverage`` is not between 0 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from sklearn.model_selection import cross_validate
    >>> from skbayes.metrics import make_interval_scorers
    >>> X, y = load_diabetes(return_X_y=True)
    >>> scores = cross_validate(BayesianRidge(), X, y, scoring=make_interval_scorers(0.8))
    >>> round(float(scores["test_interval_coverage"].mean()), 1)
    0.8
    """
    coverage = check_coverage(coverage)
    return {
        "interval_coverage": partial(interval_coverage_scorer, coverage=coverage),
        "interval_width": partial(interval_width_scorer, coverage=coverage),
        "interval_score": partial(interval_score_scorer, coverage=coverage),
    }


def regression_calibration_error_scorer(
    estimator: Any, X: Any, y: Any, *, levels: Any = LEVELS
) -> float:
    """Minus :func:`regression_calibration_error` of a regressor's intervals, as a scorer.

    Parameters
    ----------
    estimator : object
        Fitted regressor, see :func:`interval_coverage_scorer`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Observations.
    levels : array-like of shape (n_levels,), default=(0.1, 0.2, ..., 0.9)
        Coverage of the intervals to ask for.

    Returns
    -------
    float
        Between -1 and 0, the best.

    Raises
    ------
    TypeError
        If the estimator gives neither intervals nor a standard deviation.
    ValueError
        If a level is not between 0 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from skbayes.metrics import regression_calibration_error_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = BayesianRidge().fit(X, y)
    >>> bool(regression_calibration_error_scorer(reg, X, y) > -0.03)
    True
    """
    levels = check_levels(levels)
    lower, upper = predict_intervals(estimator, X, levels)
    return -regression_calibration_error(y, lower, upper, levels=levels)


def _interval(estimator: Any, X: Any, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = predict_intervals(estimator, X, (check_coverage(coverage),))
    return lower[0], upper[0]
