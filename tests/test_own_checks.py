"""Common checks of our own: seeds, threads, global random state, dtypes, pickles, devices."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from estimators import CLASSIFIERS, ESTIMATORS, NETWORKS, name_of
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import make_blobs

from skbayes._engine.posterior import Posterior

ALL = pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
#: Those with a device, a dtype and a stack.
WITH_NETWORK = pytest.mark.parametrize("estimator", NETWORKS, ids=name_of)


def make_data(dtype=np.float64, n=60):
    X, y = make_blobs(n, centers=3, n_features=4, random_state=0)
    return ((X - X.mean(0)) / X.std(0)).astype(dtype), y


def fitted(estimator, X, y, **params):
    return clone(estimator).set_params(random_state=0, **params).fit(X, y)


def output(estimator, X):
    return getattr(estimator, method_of(estimator))(X)


def method_of(estimator):
    methods = ("predict_proba", "score_samples", "predict")
    return next(method for method in methods if hasattr(estimator, method))


def minibatches(estimator):
    """The stochastic path: shuffles as well as noise."""
    if "batch_size" not in estimator.get_params():  # HMC sees all rows always
        return clone(estimator)
    return clone(estimator).set_params(batch_size=15)


@ALL
def test_same_seed_same_result_other_seed_other_result(estimator):
    X, y = make_data()
    first = output(fitted(minibatches(estimator), X, y), X)
    again = output(fitted(minibatches(estimator), X, y), X)
    other = output(clone(minibatches(estimator)).set_params(random_state=1).fit(X, y), X)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6


@ALL
def test_no_seed_is_fresh_entropy(estimator):
    X, y = make_data()
    first, second = (output(clone(minibatches(estimator)).fit(X, y), X) for _ in range(2))
    assert np.abs(first - second).max() > 1e-6


@ALL
def test_threads_agree_with_serial(estimator):
    X, y = make_data()

    def run(seed):
        return output(minibatches(estimator).set_params(random_state=seed).fit(X, y), X)

    serial = [run(seed) for seed in range(4)]
    threads = Parallel(n_jobs=4, backend="threading")(delayed(run)(seed) for seed in range(4))
    np.testing.assert_array_equal(serial, threads)


@ALL
@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_state_is_untouched(estimator, random_state):
    X, y = make_data()
    numpy_before = np.random.get_state()[1].copy()
    position_before = np.random.get_state()[2]
    torch_before = torch.random.get_rng_state().clone()
    model = clone(minibatches(estimator)).set_params(random_state=random_state).fit(X, y)
    output(model, X)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    assert np.random.get_state()[2] == position_before
    assert torch.equal(torch.random.get_rng_state(), torch_before)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=name_of)
def test_users_module_leaves_the_global_random_state(estimator):
    if "module" not in estimator.get_params():
        return  # Monte-Carlo dropout makes its own network
    X, y = make_data()
    before = torch.random.get_rng_state().clone()
    first, second = (
        output(fitted(minibatches(estimator), X, y, module=dropout_net), X) for _ in range(2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(first, second)


def dropout_net(n_features, n_outputs):
    return torch.nn.Sequential(
        torch.nn.Linear(n_features, 8),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(8, n_outputs),
    )


@WITH_NETWORK
def test_dtype_follows_X_unless_told(estimator):
    X, y = make_data()
    if "dtype" not in estimator.get_params():
        assert fitted(estimator, X.astype(np.float32), y).posterior_.dtype == torch.float64  # HMC
        return
    for given, asked, expected in [
        (np.float64, None, torch.float64),
        (np.float32, None, torch.float32),
        (np.float64, "float32", torch.float32),
        (np.float32, "float64", torch.float64),
    ]:
        model = fitted(estimator, X.astype(given), y, dtype=asked)
        assert model.posterior_.dtype == expected
        assert np.isfinite(output(model, X.astype(given))).all()


@ALL
def test_float32_and_float64_agree(estimator):
    # the same stream in another precision: the same weights up to rounding (full batch, so that
    # nothing but rounding differs; it grows along the run, hence the tolerance)
    X, y = make_data()
    double = output(fitted(estimator, X, y), X)
    single = output(fitted(estimator, X.astype(np.float32), y), X.astype(np.float32))
    assert single.shape == double.shape
    if not hasattr(estimator, "n_chains"):  # torch's float32 noise is another stream than float64's
        np.testing.assert_allclose(single, double, rtol=0.02, atol=0.02)


@ALL
def test_pickle_into_another_process(estimator, tmp_path):
    X, y = make_data()
    model = fitted(estimator, X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "X.npy", X)
    program = (
        "import sys, joblib, numpy as np, torch; torch.set_num_threads(1)\n"
        "model = joblib.load('model.joblib', mmap_mode='r'); X = np.load('X.npy')\n"
        f"np.save('out.npy', model.{method_of(model)}(X))\n"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), output(model, X))


@WITH_NETWORK
def test_pickle_is_small(estimator):
    """No optimizer state, no history of batches, no second copy of the weights."""
    X, y = make_data()
    model = fitted(estimator, X, y)
    stacks = [value for value in vars(model).values() if isinstance(value, Posterior)]
    weights = sum(p.numel() * p.element_size() for stack in stacks for p in stack.params.values())
    assert len(pickle.dumps(model)) < 1.1 * weights + X.nbytes + 30_000


@WITH_NETWORK
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_same_weights_score_alike_on_gpu_and_cpu(estimator):
    X, y = make_data(np.float32)
    on_gpu = fitted(estimator, X, y, device="cuda")
    assert on_gpu.device_.type == "cuda"
    score = output(on_gpu, X)
    on_gpu.posterior_.to("cpu")
    np.testing.assert_allclose(output(on_gpu, X), score, rtol=1e-4, atol=1e-6)


@WITH_NETWORK
@pytest.mark.skipif(torch.cuda.is_available(), reason="shows what happens without a GPU")
def test_a_device_that_is_not_there_is_a_clear_error(estimator):
    X, y = make_data()
    with pytest.raises(ValueError, match=r"device='cuda'.*has none.*'auto'"):
        fitted(estimator, X, y, device="cuda")
    with pytest.raises(ValueError, match="device='gpu' is not a device"):
        fitted(estimator, X, y, device="gpu")
