"""The only file that imports scikit-learn's private names."""

import math
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "Interval",
    "StrOptions",
    "_fit_context",
    "check_sample_weight",
    "validate_params",
]


def check_sample_weight(sample_weight: Any, rows: Any, *, copy: bool = False) -> np.ndarray:
    """Check weights as scikit-learn does, which takes any number for all rows, NaN too.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float or None
    rows : {array-like, sparse matrix} of shape (n_samples, ...)
    copy : bool, default=False
        Whether the weights are copied.

    Returns
    -------
    ndarray of shape (n_samples,)
        Of float64; ones for None.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, all are zero, or there are not as many as rows.
    """
    if isinstance(sample_weight, Real) and not math.isfinite(sample_weight):
        raise ValueError(f"sample_weight={sample_weight!r} must be finite")
    return _check_sample_weight(
        sample_weight, rows, dtype=np.float64, ensure_non_negative=True, copy=copy
    )
