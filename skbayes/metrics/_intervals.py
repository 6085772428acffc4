"""Intervals of a regressor against what was observed."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from skbayes._sklearn import check_sample_weight
from skbayes.metrics._checks import (
    check_columns,
    check_coverage,
    check_levels,
    mean_of_rows,
)


def interval_coverage(y_true: Any, lower: Any, upper: Any, *, sample_weight: Any = None) -> float:
    """Share of observations inside their intervals, both ends included.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Observations.
    lower, upper : array-like of shape (n_samples,)
        Ends of the intervals, as ``predict_interval`` gives them.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        Between 0 and 1; the best is what the intervals were made for, neither less nor more.

    Raises
    ------
    ValueError
        If the input is malformed, or an interval's lower end is above its upper one.

    See Also
    --------
    interval_score : Coverage and width in one proper score.
    interval_coverage_scorer : The same as a scorer for cross-validation.

    Examples
    --------
    >>> from skbayes.metrics import interval_coverage
    >>> interval_coverage([1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0], [5, 5, 3, 3])
    0.75
    """
    y, low, high = check_columns(y_true=y_true, lower=lower, upper=upper)
    _check_order(low, high)
    return mean_of_rows((low <= y) & (y <= high), sample_weight)


def interval_width(lower: Any, upper: Any, *, sample_weight: Any = None) -> float:
    """Mean width of intervals, in units of y.

    Parameters
    ----------
    lower, upper : array-like of shape (n_samples,)
        Ends of the intervals, as ``predict_interval`` gives them.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        Not negative. Of intervals with the same coverage the narrower ones say more.

    Raises
    ------
    ValueError
        If the input is malformed, or an interval's lower end is above its upper one.

    See Also
    --------
    interval_score : Coverage and width in one proper score.

    Examples
    --------
    >>> from skbayes.metrics import interval_width
    >>> interval_width([0.0, 1.0], [2.0, 2.0])
    1.5
    """
    low, high = check_columns(lower=lower, upper=upper)
    _check_order(low, high)
    return mean_of_rows(high - low, sample_weight)


def interval_score(
    y_true: Any,
    lower: Any,
    upper: Any,
    *,
    coverage: float = 0.9,
    sample_weight: Any = None,
    per_row: bool = False,
) -> Any:
    r"""Width of central intervals and a penalty for what they miss, averaged over rows.

    For the interval from l to u of probability :math:`1 - \alpha`,

    .. math:: (u - l) + \tfrac{2}{\alpha} (l - y)_+ + \tfrac{2}{\alpha} (y - u)_+

    A proper score: its expectation is least at the quantiles :math:`\alpha/2` and
    :math:`1 - \alpha/2` of the law of y.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Observations.
    lower, upper : array-like of shape (n_samples,)
        Ends of the intervals, as ``predict_interval`` gives them.
    coverage : float, default=0.9
        Probability :math:`1 - \alpha` for which the intervals were made, between 0 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the mean; not with ``per_row``.
    per_row : bool, default=False
        Whether to tell it row by row.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        Not negative, in units of y; **lower is better**.

    Raises
    ------
    ValueError
        If the input is malformed, or an interval's lower end is above its upper one.

    See Also
    --------
    interval_score_scorer : Minus this, as a scorer for cross-validation.

    Notes
    -----
    It is :math:`2/\alpha` times the sum of scikit-learn's ``mean_pinball_loss`` at both quantiles.

    References
    ----------
    Gneiting, Raftery (2007), *Strictly proper scoring rules, prediction, and estimation*, JASA 102,
    eq. 43.

    Examples
    --------
    >>> from skbayes.metrics import interval_score
    >>> interval_score([1.0, 3.5], [0.0, 0.0], [3.0, 3.0], coverage=0.75)  # 3, and 3 + 8 / 2
    5.0
    """
    alpha = 1.0 - check_coverage(coverage)
    y, low, high = check_columns(y_true=y_true, lower=lower, upper=upper)
    _check_order(low, high)
    missed = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
    return mean_of_rows(high - low + 2.0 / alpha * missed, sample_weight, per_row)


def regression_calibration_error(
    y_true: Any, lower: Any, upper: Any, *, levels: Any, sample_weight: Any = None
) -> float:
    """Mean absolute difference of expected and observed coverage over several intervals.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Observations.
    lower, upper : array-like of shape (n_levels, n_samples)
        Ends of the intervals, for every level.
    levels : array-like of shape (n_levels,)
        Coverage for which the intervals of this level were made, between 0 and 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        Between 0, the best, and 1.

    Raises
    ------
    ValueError
        If the input is malformed, or an interval's lower end is above its upper one.

    See Also
    --------
    CoverageDisplay : Draws the coverage at every level.
    regression_calibration_error_scorer : Minus this, as a scorer for cross-validation.

    Notes
    -----
    It is no proper score: intervals of the same width in every row can have the right coverage.
    Read it beside the CRPS or the negative log-likelihood.

    References
    ----------
    Kuleshov, Fenner, Ermon (2018), *Accurate uncertainties for deep learning using calibrated
    regression*, ICML, with quantiles and squared differences.

    Examples
    --------
    From Gaussian moments, and from draws:

    >>> import numpy as np
    >>> from scipy.stats import norm
    >>> from skbayes.metrics import regression_calibration_error
    >>> rng = np.random.RandomState(0)
    >>> y_true, levels = rng.normal(size=4000), np.array([0.25, 0.5, 0.75])
    >>> lower, upper = norm.interval(levels[:, None], np.zeros(4000), np.ones(4000))
    >>> round(regression_calibration_error(y_true, lower, upper, levels=levels), 2)
    0.01
    >>> draws = 2 * rng.normal(size=(500, 4000))  # twice as wide as y
    >>> lower = np.quantile(draws, (1 - levels) / 2, axis=0)
    >>> upper = np.quantile(draws, (1 + levels) / 2, axis=0)
    >>> round(regression_calibration_error(y_true, lower, upper, levels=levels), 2)
    0.26
    """
    levels, observed = observed_coverage(y_true, lower, upper, levels, sample_weight)
    return float(np.abs(observed - levels).mean())


def observed_coverage(
    y_true: Any, lower: Any, upper: Any, levels: Any, sample_weight: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Check everything; the levels, and the coverage at each."""
    levels = check_levels(levels)
    (y,) = check_columns(y_true=y_true)
    low = check_array(lower, dtype=np.float64, input_name="lower")  # (levels, rows)
    high = check_array(upper, dtype=np.float64, input_name="upper")
    for name, end in (("lower", low), ("upper", high)):
        if end.shape != (len(levels), len(y)):
            raise ValueError(
                f"{name} is of shape {end.shape}; for {len(levels)} levels and {len(y)} rows it "
                f"must be {(len(levels), len(y))}"
            )
    _check_order(low, high)
    inside = (low <= y) & (y <= high)
    return levels, np.average(inside, axis=1, weights=check_sample_weight(sample_weight, y))


def _check_order(low: np.ndarray, high: np.ndarray) -> None:
    crossed = int((low > high).sum())
    if crossed:
        raise ValueError(
            f"lower is above upper in {crossed} of {low.size} intervals; it must not be"
        )
