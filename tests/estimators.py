"""The one table of estimator instances that the common tests run on.

Small networks and few steps: the checks ask for the contract, not for accuracy.
"""

from skbayes import VAE, DeepEnsembleFilterClassifier, SGLDClassifier, VAEAnomalyDetector

CLASSIFIERS = [
    SGLDClassifier((20,), n_chains=2, n_draws=10, n_warmup=200, thinning=10),
    DeepEnsembleFilterClassifier((20,), n_members=3, init_epochs=100),
]
DENSITIES = [VAE(max_iter=5), VAEAnomalyDetector(max_iter=5)]
ESTIMATORS = [*CLASSIFIERS, *DENSITIES]


def name_of(estimator):
    return type(estimator).__name__
