"""Deep Bayesian learning as scikit-learn estimators."""

from skbayes._draws import predict_uncertainty, sample_proba
from skbayes.density import VAE, GaussianMixtureClassifier, VAEAnomalyDetector
from skbayes.supervised import (
    DeepEnsembleFilterClassifier,
    HMCClassifier,
    HMCRegressor,
    SGHMCClassifier,
    SGHMCRegressor,
    SGLDClassifier,
    SGLDRegressor,
)

__all__ = [
    "VAE",
    "DeepEnsembleFilterClassifier",
    "GaussianMixtureClassifier",
    "HMCClassifier",
    "HMCRegressor",
    "SGHMCClassifier",
    "SGHMCRegressor",
    "SGLDClassifier",
    "SGLDRegressor",
    "VAEAnomalyDetector",
    "predict_uncertainty",
    "sample_proba",
]
