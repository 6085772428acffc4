"""Utilities weighted by what else is known of rows: how typical they are, what a label costs."""

from typing import Any

import numpy as np

from skbayes.active._checks import check_scores


def density_weighted(utilities: Any, density: Any, *, beta: float = 1.0) -> np.ndarray:
    r"""Utilities times a power of the density, :math:`u \, d^\beta`: no outliers, please.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Not negative: a negative one would gain by a low density.
    density : array-like of shape (n_samples,)
        Positive, as of :func:`skbayes.active.density.information_density`.
    beta : float, default=1.0
        How much the density matters; 0 is not at all.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not one number a row, as many, and not negative.

    References
    ----------
    Settles, Craven (2008), *An analysis of active learning strategies for sequence labeling tasks*,
    EMNLP.

    Examples
    --------
    >>> from skbayes.active.acquisition import density_weighted
    >>> density_weighted([0.5, 0.4], [0.1, 0.5])
    array([0.05, 0.2 ])
    """
    utilities, density = _fit_each_other(utilities, density, "density")
    return utilities * density**beta


def cost_weighted(utilities: Any, cost: Any) -> np.ndarray:
    r"""Utilities by what a label costs, :math:`u / c`: the most for the money.

    Parameters
    ----------
    utilities : array-like of shape (n_samples,)
        Not negative: a negative one would gain by a high cost.
    cost : array-like of shape (n_samples,)
        Positive.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not one number a row, as many, not negative, and the costs positive.

    References
    ----------
    Settles, Craven, Friedland (2008), *Active learning with real annotation costs*, NIPS workshop.

    Examples
    --------
    >>> from skbayes.active.acquisition import cost_weighted
    >>> cost_weighted([0.5, 0.4], [10.0, 2.0])
    array([0.05, 0.2 ])
    """
    utilities, cost = _fit_each_other(utilities, cost, "cost")
    if not (cost > 0).all():
        raise ValueError(f"cost must be positive; the least is {cost.min():.6g}")
    return utilities / cost


def _fit_each_other(utilities: Any, other: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    utilities, other = check_scores(utilities), check_scores(other)
    if len(utilities) != len(other):
        raise ValueError(f"utilities has {len(utilities)} rows and {name} {len(other)}")
    for what, values in (("utilities", utilities), (name, other)):
        if len(values) and values.min() < 0:
            raise ValueError(
                f"{what} must not be negative to be weighted; the least is {values.min():.6g} (add "
                "a constant, such as 1 to margin)"
            )
    return utilities, other
