"""Scores, blocks, the learning rate and the label head of the autoencoders: what holds exactly."""

import itertools
import math

import joblib
import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import scale

from skbayes import VAE, VAEAnomalyDetector
from skbayes._engine.posterior import Posterior
from skbayes.density import _base, _blocks, _training
from skbayes.density._rate import CosineRate
from skbayes.density._reference import make_reference
from skbayes.density._scores import DENSITIES, SCORES, log_weights
from skbayes.nn import StackedVAE

WINE = scale(load_wine().data)


@pytest.fixture(scope="module")
def detector():
    # a sum of all that there is keeps what every one of them needs
    model = VAEAnomalyDetector(3, (16,), n_members=2, max_iter=30, random_state=0)
    return model.set_params(score_method="+".join(sorted(SCORES))).fit(WINE)


def net_and_noise(n_samples=7):
    generator = torch.Generator().manual_seed(0)
    vae = StackedVAE(13, 3, 2, (8,), generator=generator, dtype=torch.float64)
    noise = torch.randn(2, n_samples, 3, generator=generator, dtype=torch.float64)
    return vae, torch.from_numpy(WINE), noise


def reference_of(vae):
    rng = np.random.RandomState(0)
    return make_reference(vae, Posterior(vae), WINE, SCORES, 50, rng)


# -- pure functions -------------------------------------------------------------------------------


@pytest.mark.parametrize("score", sorted(SCORES))
@pytest.mark.parametrize("step", [1, 3, 7, 100])
def test_blocks_of_samples_add_up(score, step):
    vae, X, noise = net_and_noise()
    reference = reference_of(vae)
    with torch.no_grad():
        torch.testing.assert_close(
            SCORES[score](vae, X, noise, step, reference),
            SCORES[score](vae, X, noise, 7, reference),
            rtol=1e-12,
            atol=0,
        )


def test_scores_are_the_means_of_the_weights():
    vae, X, noise = net_and_noise()
    with torch.no_grad():
        weights = log_weights(vae, X, noise)
        elbo, iwae = (SCORES[name](vae, X, noise, 3) for name in ("elbo", "iwae"))
    torch.testing.assert_close(elbo, weights.mean(1))
    torch.testing.assert_close(iwae, weights.exp().mean(1).log())
    assert bool((iwae >= elbo).all())  # row by row, by Jensen: the noise is the same


def test_iwae_rises_in_expectation():
    """Averaging over all subsets of the noise, the bound rises with their size (Burda et al.)."""
    vae, X, noise = net_and_noise(12)
    with torch.no_grad():
        weights = log_weights(vae, X, noise)[0]  # (samples, rows)
    bounds = [
        (torch.logsumexp(weights.view(12 // k, k, -1), 1) - math.log(k)).mean(0)
        for k in (1, 2, 4, 12)
    ]
    # nested groups: every row's bound rises, with certainty
    for lower, higher in itertools.pairwise(bounds):
        assert bool((higher >= lower).all())


def test_every_density_is_a_score():
    assert set(SCORES) > DENSITIES


# -- the estimators' scores -----------------------------------------------------------------------


@pytest.mark.parametrize("score", sorted(SCORES))
def test_memory_budget_changes_no_score(detector, score, monkeypatch):
    (whole,) = detector._member_scores(np.tile(WINE, (5, 1)), score)
    monkeypatch.setitem(_blocks.BLOCK_BYTES, "cpu", 1)
    assert detector._block_cells() == 1
    np.testing.assert_allclose(
        detector._member_scores(np.tile(WINE, (5, 1)), score)[0], whole, rtol=1e-10
    )


def test_codes_and_rows_go_through_in_blocks(detector, monkeypatch):
    expected = [f(WINE) for f in (detector.transform, detector.reconstruct)]
    back = detector.inverse_transform(expected[0])
    sample = detector.sample(100, random_state=0)
    monkeypatch.setitem(_blocks.BLOCK_BYTES, "cpu", 1)
    for X in (WINE, sparse.csr_array(WINE)):
        np.testing.assert_allclose(detector.transform(X), expected[0], rtol=1e-10)
        np.testing.assert_allclose(detector.reconstruct(X), expected[1], rtol=1e-10)
    np.testing.assert_allclose(detector.inverse_transform(expected[0]), back, rtol=1e-10)
    np.testing.assert_allclose(detector.sample(100, random_state=0), sample, rtol=1e-10)


def test_codes_keep_the_dtype(detector):
    X = WINE.astype(np.float32)
    codes = detector.transform(X)
    assert codes.dtype == detector.inverse_transform(codes).dtype == np.float32
    assert detector.reconstruct(X).dtype == np.float32
    assert detector.score_samples(X).dtype == np.float64


def test_codes_reconstruct_better_than_the_mean():
    digits = load_digits().data / 16
    vae = VAE(16, (64,), random_state=0).fit(digits[:1200])
    rest = digits[1200:]
    error = np.square(vae.inverse_transform(vae.transform(rest)) - rest).mean()
    assert error < 0.5 * np.square(digits[:1200].mean(0) - rest).mean()


def test_codes_that_are_no_numbers(detector):
    with pytest.raises(ValueError, match="NaN"):
        detector.inverse_transform(np.full((2, 3), np.nan))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labelled", [False, True])
def test_rows_beyond_arithmetic_score_lowest_and_finite(dtype, labelled):
    model = VAEAnomalyDetector(2, (8,), max_iter=5, random_state=0).fit(WINE.astype(dtype))
    if labelled:
        model.fit_labels(WINE[:4].astype(dtype), [1, 1, -1, 1])
    far = np.vstack([WINE[:3], np.full((1, 13), np.finfo(dtype).max / 4)]).astype(dtype)
    scores = model.score_samples(far)
    assert np.isfinite(scores).all() and scores.argmin() == 3
    assert model.predict(far)[3] == -1


def column_variances(X):
    mean, variance = _blocks.column_moments(X)
    np.testing.assert_allclose(mean, np.asarray(X.mean(axis=0)), rtol=1e-12)
    return variance


def test_variances_without_a_copy(monkeypatch):
    X = np.random.RandomState(0).normal(1e6, [1.0, 2.0], size=(1000, 2))
    expected = X.var(axis=0)
    np.testing.assert_allclose(column_variances(X), expected, rtol=1e-9)
    monkeypatch.setattr(_blocks, "VARIANCE_BYTES", 1000)
    np.testing.assert_allclose(column_variances(X), expected, rtol=1e-9)
    np.testing.assert_allclose(column_variances(sparse.csr_array(X)), expected, rtol=1e-9)


def test_constant_column_has_a_finite_density():
    X = np.c_[WINE, np.full(len(WINE), 3.0)]
    vae = VAE(2, (8,), max_iter=50, random_state=0).fit(X)
    scale_of_all = np.sqrt(X.var(axis=0).mean())
    assert vae.noise_variance_.min() >= (_base.NOISE_FLOOR * scale_of_all) ** 2 * (1 - 1e-9)


def test_memory_mapped_pickle_scores_the_same(detector, tmp_path):
    joblib.dump(detector, tmp_path / "detector.joblib")
    loaded = joblib.load(tmp_path / "detector.joblib", mmap_mode="r")
    np.testing.assert_array_equal(loaded.score_samples(WINE), detector.score_samples(WINE))
    assert not hasattr(loaded, "net_")


def test_cuda_model_loads_without_a_gpu(detector):
    state = detector.posterior_.__getstate__()
    state["device"] = "cuda"
    loaded = type(detector.posterior_).__new__(type(detector.posterior_))
    loaded.__setstate__(state)
    assert loaded.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


# -- fit ------------------------------------------------------------------------------------------


def test_rate_rises_then_falls_to_zero():
    rate = CosineRate(0.1, 100)
    rates = [rate.at(step) for step in range(101)]
    assert np.argmax(rates) == 5 and max(rates) == 0.1
    assert np.all(np.diff(rates[:6]) > 0) and np.all(np.diff(rates[5:]) < 0)
    assert rates[100] == pytest.approx(0.0, abs=1e-15)
    assert CosineRate(0.1, 1).at(0) == 0.1


@pytest.mark.parametrize(("n_rows", "epochs"), [(50, 1000), (178, 500), (12_800, 10), (150_000, 1)])
def test_auto_is_a_number_of_steps(n_rows, epochs, monkeypatch):
    seen = {}

    def build_net(*args, max_epochs, on_step, **kwargs):
        seen.update(epochs=max_epochs)
        raise InterruptedError

    monkeypatch.setattr(_training, "build_net", build_net)
    with pytest.raises(InterruptedError):
        VAE(1, ()).fit(np.zeros((n_rows, 1)))
    assert seen["epochs"] == epochs


def test_history_has_the_rate_and_the_loss():
    vae = VAE(2, (8,), max_iter=30, random_state=0).fit(WINE)
    assert len(vae.history_["train_loss"]) == len(vae.history_["learning_rate"]) == vae.n_iter_
    assert vae.history_["train_loss"][-1] < vae.history_["train_loss"][0]
    assert vae.history_["learning_rate"][-1] < 1e-3 * vae.learning_rate_init * 10


@pytest.mark.parametrize("fails", ["fit", "scores"])
def test_a_fit_that_fails_leaves_what_was_fitted(detector, fails, monkeypatch):
    model = clone(detector).set_params(max_iter=5).fit(WINE)
    before = model.score_samples(WINE)

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    if fails == "fit":
        monkeypatch.setattr(_base, "train", interrupt)
    else:
        monkeypatch.setattr(VAEAnomalyDetector, "_ranking", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(random_state=1).fit(WINE[:100])
    monkeypatch.undo()
    np.testing.assert_array_equal(model.score_samples(WINE), before)


def test_noise_is_one_stream_for_both_precisions():
    vae = VAE(2, (8,), max_iter=3, random_state=0)
    double = vae.fit(WINE).history_["train_loss"]
    single = vae.fit(WINE.astype(np.float32)).history_["train_loss"]
    np.testing.assert_allclose(single, double, rtol=1e-5)


def test_no_training_row_left():
    with pytest.raises(ValueError, match="validation_fraction=0.9 leaves no training row"):
        VAE(early_stopping=True, validation_fraction=0.9).fit(WINE[:3])
