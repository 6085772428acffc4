"""The learners under the name of the module that modAL defines them in."""

from skbayes.active._committee import Committee
from skbayes.active._committee_regressor import CommitteeRegressor
from skbayes.active._deep import DeepActiveLearner
from skbayes.active._learner import ActiveLearner
from skbayes.active._optimizer import BayesianOptimizer

__all__ = [
    "ActiveLearner",
    "BayesianOptimizer",
    "Committee",
    "CommitteeRegressor",
    "DeepActiveLearner",
]
