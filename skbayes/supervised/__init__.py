"""Classifiers and regressors, one inference method a file."""

from skbayes.supervised._ensemble_filter import DeepEnsembleFilterClassifier
from skbayes.supervised._hmc import HMCClassifier, HMCRegressor
from skbayes.supervised._sghmc import SGHMCClassifier, SGHMCRegressor
from skbayes.supervised._sgld import SGLDClassifier, SGLDRegressor

__all__ = [
    "DeepEnsembleFilterClassifier",
    "HMCClassifier",
    "HMCRegressor",
    "SGHMCClassifier",
    "SGHMCRegressor",
    "SGLDClassifier",
    "SGLDRegressor",
]
