"""Ensembles as filters: spread against error, and how many distinct functions there are."""

from typing import Any, NamedTuple

import numpy as np

from skbayes.diagnostics._distances import _check_finite, _check_numbers


class SpreadSkill(NamedTuple):
    """What :func:`spread_skill` found.

    Parameters
    ----------
    spread : float
        Mean variance of the members' predictions, the excess of a finite ensemble included.
    error : float
        Mean squared error of their mean, less the noise in the targets. Of few rows it may be
        negative.

    Examples
    --------
    >>> from skbayes.diagnostics import SpreadSkill
    >>> SpreadSkill(spread=1.0, error=4.0).error
    4.0
    """

    spread: float
    error: float


def spread_skill(
    draws: Any, y: Any, *, noise: Any = None, sample_weight: Any = None
) -> SpreadSkill:
    r"""Spread of an ensemble against the error of its mean, as variances.

    If the truth is like one more member, on average the squared error of the mean of M members is
    :math:`(1 + 1/M)` times their variance, plus the noise in the target:

    .. math:: E (y - \bar f)^2 = (1 + 1/M)\, E\, \mathrm{var}(f) + E\, v

    The first term on the right is the spread; the left side less the last term is the error. More
    error than spread means that the ensemble is overconfident. Of class probabilities, y is a
    vector with a 1 at the class, the noise is :math:`p (1 - p)`, and all terms are summed over the
    classes.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples) or (n_draws, n_samples, n_classes)
        Predicted means, or class probabilities, of two members or more.
    y : array-like of shape (n_samples,)
        Targets; of class probabilities the numbers of their columns, or -1 for a class that has no
        column.
    noise : array-like that broadcasts to (n_draws, n_samples), default=None
        Variance of the noise in the targets, of regression; 0 by default.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the means.

    Returns
    -------
    SpreadSkill
        ``spread`` and ``error``.

    Raises
    ------
    ValueError
        If there are fewer than two members, or shapes do not match.

    References
    ----------
    V. Fortin, M. Abaza, F. Anctil and R. Turcotte, Why should ensemble spread match the RMSE of the
    ensemble mean?, Journal of Hydrometeorology 15, 2014.

    Examples
    --------
    >>> from skbayes.diagnostics import spread_skill
    >>> spread_skill([[0.0, 1.0], [2.0, 1.0]], [3.0, 1.0])
    SpreadSkill(spread=1.5, error=2.0)
    """
    draws = _check_ensemble(draws)
    n_draws, n_rows = draws.shape[:2]
    if n_draws < 2:
        raise ValueError(f"draws holds {n_draws} member; a spread needs at least 2")
    y = np.asarray(y)
    if y.shape != (n_rows,):
        raise ValueError(f"y has shape {y.shape}, draws is of {n_rows} rows; they must match")
    mean, variance = draws.mean(0), draws.var(0, ddof=1)
    if draws.ndim == 2:
        error = (_check_numbers(y, "y") - mean) ** 2
        around = 0.0 if noise is None else np.broadcast_to(noise, draws.shape).mean(0)
        error = error - around
    else:
        if noise is not None:
            raise ValueError("noise is known of class probabilities; give None, not an array")
        target = (y[:, np.newaxis] == np.arange(draws.shape[2])).astype(draws.dtype)
        around = (draws * (1.0 - draws)).mean(0)
        error = ((target - mean) ** 2 - around).sum(-1) + (target.sum(-1) == 0)
        variance = variance.sum(-1)
    spread = (1.0 + 1.0 / n_draws) * variance
    weights = np.ones(n_rows) if sample_weight is None else np.asarray(sample_weight)
    return SpreadSkill(
        float(np.average(spread, weights=weights)), float(np.average(error, weights=weights))
    )


def effective_members(draws: Any, *, noise: Any = None) -> float:
    r"""Effective number of distinct functions in an ensemble, as the labels of rows tell them.

    Two members are the more alike, the less their predictive distributions of all rows' labels
    differ. The measure is their Bhattacharyya coefficient, a product over rows n:

    .. math:: K_{ij} = \prod_n \int \sqrt{p_i(y | x_n)\, p_j(y | x_n)}\, dy

    The number is the exponential of the entropy of the eigenvalues of K / M: 1 if all members are
    one function, M if the labels of these rows would tell every member from every other. It grows
    with the number of rows, and rows that all members are sure of tell nothing: give those that
    matter, such as a pool, and as many labels as will be asked for.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples) or (n_draws, n_samples, n_classes)
        Predicted means, or class probabilities, of the members.
    noise : array-like that broadcasts to (n_draws, n_samples), default=None
        Variance of the noise in the targets, positive; needed with predicted means.

    Returns
    -------
    float
        Between 1 and ``n_draws``.

    Raises
    ------
    ValueError
        If shapes do not match, or ``noise`` is missing, not positive or out of place.

    References
    ----------
    D. Friedman and A. B. Dieng, The Vendi score: a diversity evaluation metric for machine
    learning, Transactions on Machine Learning Research, 2023.

    Examples
    --------
    >>> from skbayes.diagnostics import effective_members
    >>> alike = effective_members([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]], noise=0.1)
    >>> apart = effective_members([[0.0, 1.0], [9.0, 1.0], [0.0, 9.0]], noise=0.1)
    >>> round(alike, 3), round(apart, 3)
    (1.0, 3.0)
    """
    draws = _check_ensemble(draws)
    n_draws = len(draws)
    logarithm = np.empty((n_draws, n_draws))
    if draws.ndim == 3:
        if noise is not None:
            raise ValueError("noise is known of class probabilities; give None, not an array")
        root = np.sqrt(np.clip(draws, 0.0, None))
        root = root / np.sqrt(np.maximum((root**2).sum(-1, keepdims=True), 1e-300))
        for i in range(n_draws):
            overlap = np.einsum("nk,jnk->jn", root[i], root)
            with np.errstate(divide="ignore"):
                logarithm[i] = np.log(overlap).sum(1)
    else:
        if noise is None:
            raise ValueError("noise=None: predicted means need the variance of the noise")
        variance = np.broadcast_to(np.asarray(noise, dtype=np.float64), draws.shape)
        if not (variance > 0).all():
            raise ValueError(f"noise must be positive, its least value is {variance.min()}")
        for i in range(n_draws):
            total = variance[i] + variance
            overlap = 0.5 * np.log(2.0 * np.sqrt(variance[i] * variance) / total)
            logarithm[i] = (overlap - (draws[i] - draws) ** 2 / (4.0 * total)).sum(1)
    kernel = np.exp(np.minimum(logarithm, 0.0))
    np.fill_diagonal(kernel, 1.0)
    values = np.clip(np.linalg.eigvalsh(kernel / n_draws), 0.0, None)
    values = values[values > 0] / values.sum()
    return float(np.exp(-(values * np.log(values)).sum()))


def _check_ensemble(draws: Any) -> np.ndarray:
    draws = _check_numbers(draws, "draws")
    if draws.ndim not in (2, 3) or 0 in draws.shape:
        raise ValueError(
            "draws must be of shape (members, rows) or (members, rows, classes) and not empty; got "
            f"an array of shape {draws.shape}"
        )
    _check_finite(draws, "draws")
    return draws.astype(np.float64)
