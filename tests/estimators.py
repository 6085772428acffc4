"""The one table of estimator instances that the common tests run on.

Small networks and few steps: the checks ask for the contract, not for accuracy.
"""

from skbayes import (
    VAE,
    ConstantSGDClassifier,
    ConstantSGDRegressor,
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    DeepEnsembleFilterRegressor,
    DeepEnsembleRegressor,
    GaussianMixtureClassifier,
    HMCClassifier,
    HMCRegressor,
    MCDropoutClassifier,
    MCDropoutRegressor,
    SGHMCClassifier,
    SGHMCRegressor,
    SGLDClassifier,
    SGLDRegressor,
    TwoStageVAE,
    VAEAnomalyDetector,
)

SHORT = {"n_chains": 2, "n_draws": 10, "n_warmup": 200, "thinning": 10}
FEW = {"n_chains": 2, "n_draws": 10, "n_warmup": 10, "max_leapfrog": 40}

CLASSIFIERS = [
    SGLDClassifier((20,), **SHORT),
    SGHMCClassifier((20,), **SHORT),
    HMCClassifier((20,), **FEW),
    ConstantSGDClassifier((20,), **SHORT),
    DeepEnsembleClassifier((20,), n_members=3, max_iter=100),
    MCDropoutClassifier((20,), n_draws=20, max_iter=100),
    DeepEnsembleFilterClassifier((20,), n_members=3, init_epochs=100),
]
REGRESSORS = [
    SGLDRegressor((20,), **SHORT),
    SGHMCRegressor((20,), **SHORT),
    HMCRegressor((20,), **FEW),
    ConstantSGDRegressor((20,), **SHORT),
    DeepEnsembleRegressor((20,), n_members=3, max_iter=100),
    MCDropoutRegressor((20,), n_draws=20, max_iter=100),
    DeepEnsembleFilterRegressor((20,), n_members=3, init_epochs=100, warm_epochs=40),
]
SEMI_SUPERVISED = [GaussianMixtureClassifier()]
DENSITIES = [
    VAE(max_iter=5),
    VAEAnomalyDetector(max_iter=5),
    TwoStageVAE(max_iter=5, second_max_iter=5),
]
NETWORKS = [*CLASSIFIERS, *REGRESSORS, *DENSITIES]
ESTIMATORS = [*NETWORKS, *SEMI_SUPERVISED]


def name_of(estimator):
    return type(estimator).__name__
