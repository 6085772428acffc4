"""Checks of parameters and rows that scikit-learn's own do not know."""

from typing import Any

import numpy as np
from scipy import sparse


def check_probabilities(X: Any) -> None:
    """Check that rows can be Bernoulli.

    Parameters
    ----------
    X : {ndarray, sparse matrix}

    Raises
    ------
    ValueError
        If a value is not in [0, 1].
    """
    values = X.data if sparse.issparse(X) else X
    if values.size and (values.min() < 0 or values.max() > 1):
        raise ValueError(
            "likelihood='bernoulli' needs values of X between 0 and 1, got values from "
            f"{values.min():.4g} to {values.max():.4g}"
        )


def check_input_noise(input_noise: Any) -> tuple[float, ...]:
    """Check the parameter of that name.

    Parameters
    ----------
    input_noise : float, array-like of float or None

    Returns
    -------
    tuple of float
        Empty for no noise.

    Raises
    ------
    ValueError
        If a value is negative or not finite.
    """
    if input_noise is None:
        return ()
    levels = np.atleast_1d(np.asarray(input_noise, dtype=np.float64)).ravel()
    if not np.isfinite(levels).all() or (levels < 0).any():
        raise ValueError(
            f"input_noise={input_noise!r} must be a standard deviation of at least 0, or several"
        )
    return tuple(levels.tolist()) if levels.any() else ()
