"""Classifiers and regressors, one inference method a file."""

from skbayes.supervised._constant_sgd import ConstantSGDClassifier, ConstantSGDRegressor
from skbayes.supervised._deep_ensemble import DeepEnsembleClassifier, DeepEnsembleRegressor
from skbayes.supervised._ensemble_filter import DeepEnsembleFilterClassifier
from skbayes.supervised._ensemble_filter_regressor import DeepEnsembleFilterRegressor
from skbayes.supervised._hmc import HMCClassifier, HMCRegressor
from skbayes.supervised._mc_dropout import MCDropoutClassifier, MCDropoutRegressor
from skbayes.supervised._sghmc import SGHMCClassifier, SGHMCRegressor
from skbayes.supervised._sgld import SGLDClassifier, SGLDRegressor

__all__ = [
    "ConstantSGDClassifier",
    "ConstantSGDRegressor",
    "DeepEnsembleClassifier",
    "DeepEnsembleFilterClassifier",
    "DeepEnsembleFilterRegressor",
    "DeepEnsembleRegressor",
    "HMCClassifier",
    "HMCRegressor",
    "MCDropoutClassifier",
    "MCDropoutRegressor",
    "SGHMCClassifier",
    "SGHMCRegressor",
    "SGLDClassifier",
    "SGLDRegressor",
]
