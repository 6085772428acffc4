"""Deep Bayesian learning as scikit-learn estimators."""

from skbayes._draws import predict_uncertainty, sample_proba
from skbayes.density import VAE, VAEAnomalyDetector
from skbayes.supervised import DeepEnsembleFilterClassifier, SGLDClassifier

__all__ = [
    "VAE",
    "DeepEnsembleFilterClassifier",
    "SGLDClassifier",
    "VAEAnomalyDetector",
    "predict_uncertainty",
    "sample_proba",
]
