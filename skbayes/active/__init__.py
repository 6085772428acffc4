"""Active learning: a learner that asks for labels, and what it chooses them by."""

from skbayes.active._learner import ActiveLearner
from skbayes.active.acquisition import (
    ACQUISITIONS,
    bald,
    entropy,
    get_acquisition,
    least_certain,
    least_confidence,
    margin,
    mean_std,
    most_anomalous,
    variation_ratio,
)
from skbayes.active.batch import top_k

# acquisition.random is left out: a star import would hide the standard library's module
__all__ = [
    "ACQUISITIONS",
    "ActiveLearner",
    "bald",
    "entropy",
    "get_acquisition",
    "least_certain",
    "least_confidence",
    "margin",
    "mean_std",
    "most_anomalous",
    "top_k",
    "variation_ratio",
]
