"""Checks of columns of numbers, and their mean."""

from typing import Any

import numpy as np
from sklearn.utils.validation import assert_all_finite, column_or_1d

from skbayes._sklearn import check_sample_weight


def check_levels(levels: Any) -> np.ndarray:
    """Levels of shape (n_levels,), all between 0 and 1."""
    (levels,) = check_columns(levels=levels)
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"levels={levels.tolist()} must be between 0 and 1, both excluded")
    return levels


def check_coverage(coverage: Any) -> float:
    """A number between 0 and 1."""
    real = isinstance(coverage, float | int | np.floating) and not isinstance(coverage, bool)
    if not (real and 0 < coverage < 1):
        raise ValueError(f"coverage={coverage!r} must be a number between 0 and 1, both excluded")
    return float(coverage)


def check_columns(**columns: Any) -> list[np.ndarray]:
    """Finite numbers of shape (rows,), as many in all."""
    checked = []
    for name, values in columns.items():
        column = column_or_1d(values, dtype=np.float64, input_name=name)
        assert_all_finite(column, input_name=name)
        if len(column) == 0:
            raise ValueError(f"{name} is empty; it must have a row")
        checked.append(column)
    lengths = [len(column) for column in checked]
    if len(set(lengths)) > 1:
        said = ", ".join(f"{name} {n}" for name, n in zip(columns, lengths, strict=True))
        raise ValueError(f"The numbers of rows differ ({said}); they must be the same")
    return checked


def mean_of_rows(values: np.ndarray, sample_weight: Any, per_row: bool = False) -> Any:
    """The weighted mean, or the values themselves."""
    if per_row:
        if sample_weight is not None:
            raise ValueError("per_row=True takes no mean, sample_weight must be None")
        return values
    return float(np.average(values, weights=check_sample_weight(sample_weight, values)))
