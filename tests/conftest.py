"""Settings of the test session and shared fixtures."""

import os
from pathlib import Path

# scikit-learn's array-API check skips itself unless this is set before scipy is first imported.
os.environ["SCIPY_ARRAY_API"] = "1"

import pytest
import torch
from hypothesis import settings

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
