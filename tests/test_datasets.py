"""Synthetic spectrograms: base rates, normalisation by shot, physics, and how hard they are."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from skbayes.datasets import make_spectrograms
from skbayes.datasets._plasma import HEIGHT, WIDTH, speckle


@pytest.fixture(scope="module")
def spectra():
    return make_spectrograms(1000, n_labelled=300, n_shots=20, random_state=0)


def test_base_rates_are_met_exactly(spectra):
    labelled = spectra.target >= 0
    assert labelled.sum() == 300
    assert (spectra.target == 1).sum() == 174  # 58 per cent
    assert spectra.truth[~labelled].sum() == 28  # 4 per cent
    np.testing.assert_array_equal(spectra.target[labelled], spectra.truth[labelled])


def test_shots_are_equally_large_and_in_order(spectra):
    np.testing.assert_array_equal(spectra.groups, np.repeat(np.arange(20), 50))
    uneven = make_spectrograms(11, n_labelled=1, n_shots=3, image_shape=(16, 16), random_state=0)
    assert np.bincount(uneven.groups).tolist() == [4, 4, 3]


def test_each_shot_is_normalised_by_itself(spectra):
    for shot in range(20):
        rows = spectra.data[spectra.groups == shot]
        assert rows.min() == 0 and rows.max() == 255
        # a thousandth of the pixels is cut off on either side
        assert (rows == 0).mean() == pytest.approx(0.001, abs=3e-4)
        assert (rows == 255).mean() == pytest.approx(0.001, abs=3e-4)


def test_same_seed_same_rows_and_other_seed_other_rows():
    def make(seed):
        return make_spectrograms(
            30, n_labelled=5, n_shots=3, image_shape=(16, 24), random_state=seed
        )

    np.testing.assert_array_equal(make(3).data, make(3).data)
    np.testing.assert_array_equal(make(3).target, make(3).target)
    assert (make(3).data != make(4).data).mean() > 0.9


def test_numpys_global_stream_is_not_touched():
    before = np.random.get_state()[1].copy()
    first, second = (
        make_spectrograms(4, n_labelled=1, n_shots=1, image_shape=(16, 16)) for _ in range(2)
    )
    np.testing.assert_array_equal(before, np.random.get_state()[1])
    assert (first.data != second.data).any()


def test_bytes_are_the_rounded_floats():
    arguments = {"n_labelled": 5, "n_shots": 2, "image_shape": (16, 16), "random_state": 0}
    as_float = make_spectrograms(20, dtype="float32", **arguments).data
    as_bytes = make_spectrograms(20, **arguments).data
    assert as_float.dtype == np.float32 and as_float.min() == 0.0 and as_float.max() == 1.0
    np.testing.assert_array_equal(as_bytes, np.rint(255 * as_float))


def test_rows_are_written_to_a_file(tmp_path):
    arguments = {"n_labelled": 5, "n_shots": 2, "image_shape": (16, 16), "random_state": 0}
    mapped = np.memmap(tmp_path / "rows", np.uint8, "w+", shape=(20, 256))
    spectra = make_spectrograms(20, out=mapped, **arguments)
    assert spectra.data is mapped
    np.testing.assert_array_equal(mapped, make_spectrograms(20, **arguments).data)


@pytest.mark.parametrize("sweep", [0.05, 0.1])
def test_chirp_rate_on_the_ridge(sweep):
    """The power p is in [.5, 1]: after the rise |df/dt| is near the sweep."""
    height, width = shape = (128, 128)
    spectra = make_spectrograms(
        60, n_labelled=60, n_shots=6, labelled_prevalence=1.0, image_shape=shape, snr=(40, 40),
        sweep=sweep, random_state=0,
    )  # fmt: skip
    images = spectra.data.reshape(-1, height, width)
    ridge = images.argmax(axis=1) * (HEIGHT / height)
    loud = images.max(axis=1) > 0.97 * images.max(axis=(1, 2))[:, np.newaxis]
    # over six columns (.3 ms) on one chirp the ridge moves by less than a jump between chirps
    lag = 6
    rate = np.abs(ridge[:, lag:] - ridge[:, :-lag]) / (lag * WIDTH / width)
    on_one = np.lib.stride_tricks.sliding_window_view(loud, lag + 1, axis=1).all(axis=-1)
    assert on_one.sum() > 100
    assert np.median(rate[on_one]) == pytest.approx(sweep, rel=0.35)


def test_speckle_is_exponential_and_correlated_over_four_columns():
    noise = speckle(np.random.default_rng(0), (20, 128, 128))
    assert noise.mean() == pytest.approx(1.0, abs=0.02)
    assert noise.std() == pytest.approx(1.0, abs=0.03)
    centred = noise - noise.mean()

    def correlation(a, b):
        return (a * b).mean() / noise.var()

    assert correlation(centred[:, :, 1:], centred[:, :, :-1]) > 0.5
    assert abs(correlation(centred[:, :, 4:], centred[:, :, :-4])) < 0.02
    assert abs(correlation(centred[:, 1:], centred[:, :-1])) < 0.02


def test_pixels_alone_do_not_solve_it(spectra):
    labelled = spectra.target >= 0
    X, y, groups = spectra.data[labelled], spectra.target[labelled], spectra.groups[labelled]
    proba = cross_val_predict(
        KNeighborsClassifier(11), X.astype(np.float32), y, groups=groups, cv=GroupKFold(5),
        method="predict_proba",
    )  # fmt: skip
    assert roc_auc_score(y, proba[:, 1]) < 0.85
    # neither do brightness and contrast
    for feature in (X.mean(axis=1), X.std(axis=1), np.percentile(X, 98, axis=1)):
        assert 0.3 < roc_auc_score(y, feature) < 0.7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_labelled": 11}, "n_labelled=11 must not be larger than n_samples=10"),
        ({"n_shots": 11}, "n_shots=11 must not be larger than n_samples=10"),
        ({"image_shape": (8, 64)}, "image_shape=.* two integers of at least 16"),
        ({"image_shape": (64,)}, "image_shape=.* two integers of at least 16"),
        ({"snr": (9, 3)}, "snr=.* two numbers in that order"),
        ({"prevalence": 1.5}, "'prevalence' parameter of make_spectrograms must be a float"),
        ({"dtype": "int8"}, "'dtype' parameter of make_spectrograms must be a str among"),
        ({"out": np.empty((10, 3))}, "out must be an array of shape .10, 4096. and dtype uint8"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_spectrograms(10, **{"n_labelled": 2, "n_shots": 2, "random_state": 0, **arguments})
