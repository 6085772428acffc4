"""Acquisition functions: how much is learned from a row's label, as a pure function of draws.

The draws are class probabilities of shape (draws, rows, classes), one posterior draw (or ensemble
member) each, or function values of shape (draws, rows); what comes back is one utility a row,
**higher = more worth a label**. Outlier detectors have scores instead of draws.
:func:`skbayes.active.batch.top_k` turns utilities into rows to ask for. modAL's functions for
Bayesian optimisation, which take an optimizer, are here under their names too.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from skbayes.active._improvement import (
    confidence_bound,
    expected_improvement,
    probability_of_improvement,
    thompson,
    variance,
)
from skbayes.active._information import epig, error_reduction, joint_information
from skbayes.active._optimizing import (
    EI,
    PI,
    UCB,
    max_EI,
    max_PI,
    max_UCB,
    optimizer_EI,
    optimizer_PI,
    optimizer_UCB,
)
from skbayes.active._utilities import (
    bald,
    entropy,
    expected_entropy,
    least_certain,
    least_confidence,
    margin,
    mean_std,
    most_anomalous,
    random,
    variation_ratio,
)
from skbayes.active._weighting import cost_weighted, density_weighted

__all__ = [
    "ACQUISITIONS",
    "EI",
    "PI",
    "UCB",
    "bald",
    "confidence_bound",
    "cost_weighted",
    "density_weighted",
    "entropy",
    "epig",
    "error_reduction",
    "expected_entropy",
    "expected_improvement",
    "get_acquisition",
    "joint_information",
    "least_certain",
    "least_confidence",
    "margin",
    "max_EI",
    "max_PI",
    "max_UCB",
    "mean_std",
    "most_anomalous",
    "optimizer_EI",
    "optimizer_PI",
    "optimizer_UCB",
    "probability_of_improvement",
    "random",
    "thompson",
    "variance",
    "variation_ratio",
]

ACQUISITIONS: Mapping[str, Callable[..., np.ndarray]] = MappingProxyType(
    {
        "least_confidence": least_confidence,
        "margin": margin,
        "entropy": entropy,
        "expected_entropy": expected_entropy,
        "bald": bald,
        "variation_ratio": variation_ratio,
        "mean_std": mean_std,
        "epig": epig,
        "error_reduction": error_reduction,
        "variance": variance,
        "expected_improvement": expected_improvement,
        "probability_of_improvement": probability_of_improvement,
        "confidence_bound": confidence_bound,
        "thompson": thompson,
        "random": random,
        "most_anomalous": most_anomalous,
        "least_certain": least_certain,
    }
)
"""Acquisition functions by the name that ``acquisition=`` takes."""

SCORE_METHODS: Mapping[Callable[..., np.ndarray], str] = MappingProxyType(
    {most_anomalous: "score_samples", least_certain: "decision_function"}
)
"""Those that take a score a row instead of draws, with the method that gives it."""

TARGETED = frozenset({epig, error_reduction})
"""Those that look at other rows too."""

OPTIMIZING = frozenset(
    {expected_improvement, probability_of_improvement, confidence_bound, thompson}
)
"""Those that seek a largest or smallest value: for a :class:`~skbayes.active.BayesianOptimizer`."""


def get_acquisition(
    acquisition: str | Callable[..., np.ndarray],
) -> Callable[..., np.ndarray]:
    """Look an acquisition function up by its name.

    Parameters
    ----------
    acquisition : str or callable
        A key of ``ACQUISITIONS``; a function is returned as it is.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> from skbayes.active.acquisition import get_acquisition
    >>> get_acquisition("bald").__name__
    'bald'
    """
    if callable(acquisition):
        return acquisition
    if not isinstance(acquisition, str) or acquisition not in ACQUISITIONS:
        raise ValueError(
            f"acquisition={acquisition!r} is not known; allowed are a function of draws or one of "
            f"{sorted(ACQUISITIONS)}"
        )
    return ACQUISITIONS[acquisition]
