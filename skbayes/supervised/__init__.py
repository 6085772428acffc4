"""Bayesian neural classifiers, one inference method a file."""

from skbayes.supervised._ensemble_filter import DeepEnsembleFilterClassifier
from skbayes.supervised._sgld import SGLDClassifier

__all__ = ["DeepEnsembleFilterClassifier", "SGLDClassifier"]
