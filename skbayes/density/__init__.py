"""Density estimation and anomaly scores by variational autoencoders."""

from skbayes.density._anomaly import VAEAnomalyDetector
from skbayes.density._mixture_classifier import GaussianMixtureClassifier
from skbayes.density._two_stage import TwoStageVAE
from skbayes.density._vae import VAE

__all__ = ["VAE", "GaussianMixtureClassifier", "TwoStageVAE", "VAEAnomalyDetector"]
