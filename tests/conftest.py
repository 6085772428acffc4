"""Settings of the test session and shared fixtures."""

import os
from pathlib import Path

# scikit-learn's array-API check skips itself unless this is set before scipy is first imported.
os.environ["SCIPY_ARRAY_API"] = "1"

import pytest
import torch
from estimators import SHORT
from hypothesis import settings
from iris import TARGET, X, y

from skbayes import DeepEnsembleFilterClassifier, SGHMCRegressor
from skbayes.callbacks import WeightHistory

# Bitwise comparisons between threads, processes and serial runs hold at one thread each.
torch.set_num_threads(1)

settings.register_profile("skbayes", deadline=None, derandomize=True)
settings.load_profile("skbayes")


@pytest.fixture(scope="session")
def skbayes_data():
    """Folder of reference data that is not part of the project."""
    folder = os.environ.get("SKBAYES_DATA")
    if not folder:
        pytest.skip("SKBAYES_DATA is not set: the reference data are not part of the project")
    return Path(folder)


@pytest.fixture(scope="session")
def iris_ensemble():
    """A small filter on iris that has recorded its run."""
    return DeepEnsembleFilterClassifier(
        (10,), n_members=3, init_epochs=40, skorch_callbacks=[WeightHistory()], random_state=0
    ).fit(X, y)


@pytest.fixture(scope="session")
def iris_regressor():
    """A small sampler of a noise that differs from row to row."""
    return SGHMCRegressor(
        (10,), noise_scale="heteroscedastic", normalize_y=True, random_state=0, **SHORT
    ).fit(X[:, :3], 10 + 5 * TARGET)
