"""Active learning: a learner that asks for labels, and what it chooses them by."""

from skbayes.active._committee import Committee
from skbayes.active._committee_regressor import CommitteeRegressor
from skbayes.active._deep import DeepActiveLearner
from skbayes.active._display import LearningCurveDisplay
from skbayes.active._learner import ActiveLearner
from skbayes.active._optimizer import BayesianOptimizer
from skbayes.active._run import LearningCurve
from skbayes.active.acquisition import (
    ACQUISITIONS,
    bald,
    confidence_bound,
    cost_weighted,
    density_weighted,
    entropy,
    epig,
    error_reduction,
    expected_entropy,
    expected_improvement,
    get_acquisition,
    joint_information,
    least_certain,
    least_confidence,
    margin,
    mean_std,
    most_anomalous,
    probability_of_improvement,
    thompson,
    variance,
    variation_ratio,
)
from skbayes.active.batch import (
    BATCHES,
    badge,
    batch_bald,
    cluster_batch,
    k_center,
    power_batch,
    rank_rows,
    softmax_batch,
    softrank_batch,
    top_k,
)

# acquisition.random is left out: a star import would hide the standard library's module
__all__ = [
    "ACQUISITIONS",
    "BATCHES",
    "ActiveLearner",
    "BayesianOptimizer",
    "Committee",
    "CommitteeRegressor",
    "DeepActiveLearner",
    "LearningCurve",
    "LearningCurveDisplay",
    "badge",
    "bald",
    "batch_bald",
    "cluster_batch",
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
    "k_center",
    "least_certain",
    "least_confidence",
    "margin",
    "mean_std",
    "most_anomalous",
    "power_batch",
    "probability_of_improvement",
    "rank_rows",
    "softmax_batch",
    "softrank_batch",
    "thompson",
    "top_k",
    "variance",
    "variation_ratio",
]
