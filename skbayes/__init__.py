"""Deep Bayesian learning as scikit-learn estimators."""

from skbayes._draws import predict_uncertainty, sample_proba
from skbayes._persistence import load, save
from skbayes.density import VAE, GaussianMixtureClassifier, TwoStageVAE, VAEAnomalyDetector
from skbayes.supervised import (
    ConstantSGDClassifier,
    ConstantSGDRegressor,
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    DeepEnsembleFilterRegressor,
    DeepEnsembleRegressor,
    HMCClassifier,
    HMCRegressor,
    MCDropoutClassifier,
    MCDropoutRegressor,
    SGHMCClassifier,
    SGHMCRegressor,
    SGLDClassifier,
    SGLDRegressor,
)

__all__ = [
    "VAE",
    "ConstantSGDClassifier",
    "ConstantSGDRegressor",
    "DeepEnsembleClassifier",
    "DeepEnsembleFilterClassifier",
    "DeepEnsembleFilterRegressor",
    "DeepEnsembleRegressor",
    "GaussianMixtureClassifier",
    "HMCClassifier",
    "HMCRegressor",
    "MCDropoutClassifier",
    "MCDropoutRegressor",
    "SGHMCClassifier",
    "SGHMCRegressor",
    "SGLDClassifier",
    "SGLDRegressor",
    "TwoStageVAE",
    "VAEAnomalyDetector",
    "load",
    "predict_uncertainty",
    "sample_proba",
    "save",
]
