"""scikit-learn's own contract, whole: no check is expected to fail, none is skipped."""

import os

import pytest
from estimators import ESTIMATORS, name_of
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

# Number of checks that scikit-learn yields for each kind of estimator. A tag such as `_skip_test`
# silently removes checks: if a number drops, something was switched off.
N_CHECKS = {
    "SGLDClassifier": 63,
    "DeepEnsembleFilterClassifier": 63,
    "DeepEnsembleFilterRegressor": 60,
    "SGHMCClassifier": 63,
    "HMCClassifier": 63,
    "SGLDRegressor": 60,
    "SGHMCRegressor": 60,
    "HMCRegressor": 60,
    "ConstantSGDClassifier": 63,
    "ConstantSGDRegressor": 60,
    "DeepEnsembleClassifier": 63,
    "MCDropoutClassifier": 63,
    "DeepEnsembleRegressor": 60,
    "MCDropoutRegressor": 60,
    "GaussianMixtureClassifier": 55,
    "VAE": 47,
    "VAEAnomalyDetector": 53,
    "TwoStageVAE": 47,
}


@parametrize_with_checks(ESTIMATORS)
def test_sklearn_checks(estimator, check):
    try:
        check(estimator)
    except pytest.skip.Exception as skipped:  # scikit-learn's SkipTest is pytest's
        pytest.fail(f"a check was skipped: {skipped}")
    except Exception as error:
        if type(error).__name__ == "SkipTest":
            pytest.fail(f"a check was skipped: {error}")
        raise


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_number_of_checks(estimator):
    assert os.environ["SCIPY_ARRAY_API"] == "1"  # without it the array-API check skips itself
    names = [
        getattr(check, "func", check).__name__
        for _, check in estimator_checks_generator(estimator, legacy=True, mark=None)
    ]
    assert len(names) == N_CHECKS[name_of(estimator)], sorted(names)


def test_every_public_estimator_is_checked():
    import skbayes

    public = {
        name
        for name in skbayes.__all__
        if isinstance(getattr(skbayes, name), type) and hasattr(getattr(skbayes, name), "fit")
    }
    assert public == {name_of(estimator) for estimator in ESTIMATORS}
    assert public == set(N_CHECKS)
