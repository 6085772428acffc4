"""The learners under modAL's module name."""

from skbayes.active._committee import Committee
from skbayes.active._committee_regressor import CommitteeRegressor
from skbayes.active._deep import DeepActiveLearner
from skbayes.active._learner import ActiveLearner
from skbayes.active._optimizer import BayesianOptimizer
from skbayes.active.models import base, learners

__all__ = [
    "ActiveLearner",
    "BayesianOptimizer",
    "Committee",
    "CommitteeRegressor",
    "DeepActiveLearner",
    "base",
    "learners",
]
