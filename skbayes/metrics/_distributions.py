"""Proper scores of predictive distributions: by moments, and by draws."""

from typing import Any

import numpy as np
from scipy.special import ndtr
from sklearn.utils.validation import check_array

from skbayes.metrics._checks import check_columns, mean_of_rows


def gaussian_nll(
    y_true: Any, mean: Any, std: Any, *, sample_weight: Any = None, per_row: bool = False
) -> Any:
    r"""Negative log density of Gaussian predictions, averaged over rows.

    .. math:: \tfrac12 \log(2 \pi \sigma^2) + \frac{(y - \mu)^2}{2 \sigma^2}

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Observations.
    mean, std : array-like of shape (n_samples,)
        Moments of the predictive distribution, noise included, as ``predict(X, return_std=True)``
        gives them; ``std`` is positive.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the mean; not with ``per_row``.
    per_row : bool, default=False
        Whether to tell it row by row.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        In nats; **lower is better**. The test log-likelihood of benchmarks is minus this. In other
        units of y it differs by the logarithm of the unit.

    Raises
    ------
    ValueError
        If the input is malformed, or a standard deviation is not positive.

    See Also
    --------
    gaussian_nll_scorer : Minus this, as a scorer for cross-validation.
    crps_gaussian : In units of y, and forgiving to outliers.
    sklearn.metrics.log_loss : The same for classifiers.

    Notes
    -----
    The predictive distribution of a posterior with many draws is a mixture; this scores the
    Gaussian with its moments.

    Examples
    --------
    >>> from skbayes.metrics import gaussian_nll
    >>> round(gaussian_nll([0.0, 1.0], [0.0, 0.0], [1.0, 1.0]), 4)
    1.1689
    """
    y, mean, std = check_columns(y_true=y_true, mean=mean, std=std)
    if (std <= 0).any():
        raise ValueError(f"std must be positive; its least value is {std.min():.6g}")
    with np.errstate(over="ignore"):  # infinite is what it is
        nll = 0.5 * np.log(2 * np.pi) + np.log(std) + 0.5 * ((y - mean) / std) ** 2
    return mean_of_rows(nll, sample_weight, per_row)


def crps_gaussian(
    y_true: Any, mean: Any, std: Any, *, sample_weight: Any = None, per_row: bool = False
) -> Any:
    r"""Continuous ranked probability score of Gaussian predictions, averaged over rows.

    The squared difference of the predictive distribution function and that of the observation,
    integrated; for a Gaussian and :math:`z = (y - \mu) / \sigma` it is

    .. math::

        \mathrm{CRPS} = \int (F(t) - 1[t \ge y])^2 dt
        = \sigma \left( z (2 \Phi(z) - 1) + 2 \varphi(z) - \frac{1}{\sqrt\pi} \right)

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Observations.
    mean, std : array-like of shape (n_samples,)
        Moments of the predictive distribution, noise included, as ``predict(X, return_std=True)``
        gives them. Where ``std`` is 0, the score is the absolute error.
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
        If the input is malformed, or a standard deviation is negative.

    See Also
    --------
    crps_ensemble : The same from draws.
    crps_gaussian_scorer : Minus this, as a scorer for cross-validation.

    References
    ----------
    Gneiting, Raftery, Westveld, Goldman (2005), *Calibrated probabilistic forecasting using
    ensemble model output statistics and minimum CRPS estimation*, Monthly Weather Review 133,
    eq. 5.

    Examples
    --------
    >>> from skbayes.metrics import crps_gaussian
    >>> round(crps_gaussian([0.0], [0.0], [1.0]), 4)  # (sqrt(2) - 1) / sqrt(pi)
    0.2337
    """
    y, mean, std = check_columns(y_true=y_true, mean=mean, std=std)
    if (std < 0).any():
        raise ValueError(f"std must not be negative; its least value is {std.min():.6g}")
    error = y - mean
    with np.errstate(over="ignore"):
        z = np.divide(error, std, out=np.zeros_like(error), where=std > 0)
        certain = np.where(std > 0, 2 * ndtr(z) - 1, np.sign(error))
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    crps = error * certain + std * (2 * density - 1 / np.sqrt(np.pi))
    return mean_of_rows(crps, sample_weight, per_row)


def crps_ensemble(
    y_true: Any, draws: Any, *, fair: bool = False, sample_weight: Any = None, per_row: bool = False
) -> Any:
    r"""Continuous ranked probability score of draws, averaged over rows.

    With S draws x of an observation,

    .. math:: \frac1S \sum_i |x_i - y| - \frac{1}{2 S^2} \sum_{ij} |x_i - x_j|

    is the score of the distribution that puts 1/S on every draw. As an estimate of the score of the
    law that the draws come from it is too large on average; dividing by :math:`2 S (S - 1)` instead
    makes it unbiased, if the draws are independent.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Observations.
    draws : array-like of shape (n_draws, n_samples)
        Draws of the predictive distribution, noise included: ``sample_y(X, n_draws).T``.
    fair : bool, default=False
        Whether the draws are a sample of the distribution to be scored (unbiased estimate, at least
        two draws), or are that distribution.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the mean; not with ``per_row``.
    per_row : bool, default=False
        Whether to tell it row by row.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        In units of y; **lower is better**. Not negative unless ``fair``.

    Raises
    ------
    ValueError
        If the input is malformed, or ``fair`` and there is one draw.

    See Also
    --------
    crps_gaussian : The limit of many draws of a Gaussian.

    Notes
    -----
    The sum over pairs is found by sorting, in a time of the order of S log S a row.

    References
    ----------
    Gneiting, Raftery (2007), *Strictly proper scoring rules, prediction, and estimation*, JASA 102,
    eq. 21. Ferro (2014), *Fair scores for ensemble forecasts*, Quarterly Journal of the Royal
    Meteorological Society 140.

    Examples
    --------
    >>> from skbayes.metrics import crps_ensemble
    >>> draws = [[0.0], [2.0]]  # two draws of one row
    >>> crps_ensemble([1.0], draws), crps_ensemble([1.0], draws, fair=True)
    (0.5, 0.0)
    """
    (y,) = check_columns(y_true=y_true)
    draws = check_array(draws, dtype=np.float64, input_name="draws")  # (draws, rows)
    n_draws = len(draws)
    if draws.shape[1] != len(y):
        hint = "; transpose it" if n_draws == len(y) else ""
        raise ValueError(
            f"y_true has {len(y)} rows and draws is of shape {draws.shape}; it must be (draws, "
            f"rows){hint}"
        )
    if fair and n_draws < 2:
        raise ValueError("fair=True needs at least two draws, draws has one")
    # Around y, so that draws far from 0 lose no digits
    draws = np.sort(draws - y, axis=0)
    # Half the sum over pairs: the i-th smallest is above i - 1 draws and below S - i
    above = 2 * np.arange(n_draws) - n_draws + 1.0  # (draws,)
    pairs = above @ draws / (n_draws * (n_draws - 1 if fair else n_draws))  # (rows,)
    return mean_of_rows(np.abs(draws).mean(axis=0) - pairs, sample_weight, per_row)
