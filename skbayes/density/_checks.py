"""Checks of parameters and rows: scikit-learn's own, and what they do not know."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data


def validate_rows(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Validate rows as scikit-learn does; bytes stay bytes, and a mapped file stays where it is.

    Parameters
    ----------
    estimator : estimator
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    reset : bool
        Whether the estimator takes the number and the names of the features from X.

    Returns
    -------
    {ndarray, csr_array} of shape (n_samples, n_features)
        Of float32, float64 or uint8.
    """
    dtypes = [np.float64, np.float32, np.uint8]
    return validate_data(estimator, X, accept_sparse="csr", dtype=dtypes, reset=reset)


def float_type(X: Any) -> np.dtype:
    """Type of what is made of rows: their own, or what they are computed in if they are bytes.

    Parameters
    ----------
    X : {ndarray, sparse matrix}

    Returns
    -------
    numpy.dtype
    """
    return np.dtype(np.float32) if X.dtype == np.uint8 else X.dtype


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
    try:
        levels = np.atleast_1d(np.asarray(input_noise, dtype=np.float64)).ravel()
    except (TypeError, ValueError):
        levels = np.array([np.nan])
    if not np.isfinite(levels).all() or (levels < 0).any():
        raise ValueError(
            f"input_noise={input_noise!r} must be a standard deviation of at least 0, or several"
        )
    return tuple(levels.tolist()) if levels.any() else ()
