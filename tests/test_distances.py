"""Distances of predictives from a reference."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skbayes.diagnostics import (
    agreement,
    total_variation,
    wasserstein_distance,
)

draws = npst.arrays(
    np.float64,
    st.tuples(st.integers(2, 4), st.integers(4, 12)),
    elements=st.one_of(st.integers(-2, 2).map(float), st.floats(-10, 10, width=32)),
)


probabilities = npst.arrays(np.float64, (3, 4), elements=st.floats(0.01, 1)).map(
    lambda p: p / p.sum(axis=-1, keepdims=True)
)


@given(probabilities, probabilities, probabilities)
def test_total_variation_is_a_distance(p, q, r):
    rows = total_variation(p, q, per_row=True)
    assert total_variation(p, p) == 0
    np.testing.assert_allclose(rows, total_variation(q, p, per_row=True))
    # Scheffe: the largest difference over all sets of classes
    np.testing.assert_allclose(rows, np.maximum(p - q, 0).sum(axis=-1), atol=1e-12)
    through = total_variation(p, r, per_row=True) + total_variation(r, q, per_row=True)
    assert (rows <= through + 1e-12).all()
    assert total_variation(p, q) == pytest.approx(rows.mean())


def test_distances_of_probabilities_by_hand():
    p = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    q = np.array([[0.0, 0.5, 0.5], [0.25, 0.5, 0.25]])
    np.testing.assert_allclose(total_variation(p, q, per_row=True), [1.0, 0.25])
    np.testing.assert_array_equal(agreement(p, q, per_row=True), [False, False])
    np.testing.assert_array_equal(agreement(p, p[:, [0, 2, 1]], per_row=True), [True, True])
    assert agreement(p, p) == 1.0
    assert isinstance(agreement(p, q), float)
    assert isinstance(total_variation(p, q), float)


@pytest.mark.parametrize("distance", [agreement, total_variation])
def test_draws_are_averaged_first(distance):
    p = np.random.RandomState(0).dirichlet(np.ones(3), size=(6, 5)).astype(np.float32)
    q = np.random.RandomState(1).dirichlet(np.ones(3), size=(4, 5))
    expected = distance(p.mean(axis=0, dtype=float), q.mean(axis=0), per_row=True)
    np.testing.assert_allclose(distance(p, q, per_row=True), expected)
    np.testing.assert_allclose(distance(p, q.mean(axis=0), per_row=True), expected)
    # the mean of the draws, not the mean of the draws' distances
    sure = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert total_variation(sure, [[0.5, 0.5]]) == 0


@pytest.mark.parametrize("distance", [agreement, total_variation])
@pytest.mark.parametrize(
    ("proba", "message"),
    [
        ([0.5, 0.5], r"proba must be class probabilities .* shape \(2,\)"),
        (np.zeros((0, 2)), r"proba must be .* not empty; got an array of shape \(0, 2\)"),
        ([["a", "b"]], "proba must be numbers"),
        ([[0.5, np.nan]], r"proba must be finite; proba\[0, 1\] is nan"),
        ([[1.5, -0.5]], r"proba lies between -0.5 and 1.5"),
        ([[0.5, 0.5], [0.5, 0.4]], r"proba must sum to 1 over the classes; a row sums to 0.9"),
        ([[0.5, 0.25, 0.25]], "proba is for 1 rows and 3 classes and reference for 1 and 2"),
    ],
)
def test_bad_probabilities_are_refused(distance, proba, message):
    with pytest.raises(ValueError, match=message):
        distance(proba, [[0.5, 0.5]])
    if "for 1 rows" not in message:
        with pytest.raises(ValueError, match=message.replace("proba", "reference", 1)[:20]):
            distance([[0.5, 0.5]], proba)


def matrices(rows):
    elements = st.one_of(st.integers(-2, 2).map(float), st.floats(-100, 100))
    return st.integers(1, 7).flatmap(
        lambda n: npst.arrays(np.float64, (n, rows), elements=elements)
    )


@given(matrices(3), matrices(3))
def test_wasserstein_is_scipys_row_by_row(draws, reference):
    expected = [
        scipy.stats.wasserstein_distance(u, v) for u, v in zip(draws.T, reference.T, strict=True)
    ]
    found = wasserstein_distance(draws, reference, per_row=True)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    assert wasserstein_distance(draws, reference) == pytest.approx(np.mean(expected), abs=1e-10)


@given(matrices(2), st.floats(-5, 5))
def test_wasserstein_of_a_shift_is_the_shift(draws, shift):
    found = wasserstein_distance(draws + shift, draws[::-1], per_row=True)
    np.testing.assert_allclose(found, abs(shift), atol=1e-12)
    # all draws twice are the same law
    np.testing.assert_allclose(wasserstein_distance(np.tile(draws, (2, 1)), draws), 0, atol=1e-12)


def test_wasserstein_of_normal_scales():
    # quantiles of N(0, 1) and N(0, 4) at n levels: W1 = E|z| = sqrt(2 / pi)
    z = scipy.stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)[:, None]
    assert wasserstein_distance(z, 2 * z) == pytest.approx(np.sqrt(2 / np.pi), rel=1e-4)


def test_wasserstein_of_many_rows_is_as_row_by_row():
    rng = np.random.RandomState(0)
    draws, reference = rng.normal(size=(300, 3000)), rng.normal(size=(211, 3000))
    rows = wasserstein_distance(draws, reference, per_row=True)
    for i in (0, 1500, 2999):
        expected = scipy.stats.wasserstein_distance(draws[:, i], reference[:, i])
        assert rows[i] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("draws", "message"),
    [
        ([0.5, 0.5], r"draws must be of shape \(draws, rows\).* shape \(2,\)"),
        (np.zeros((0, 2)), "draws must be of shape .* not empty"),
        ([["a", "b"]], "draws must be numbers"),
        ([[0.5, np.inf]], r"draws must be finite; draws\[0, 1\] is inf"),
        ([[0.5, 0.25, 0.25]], "draws has 3 rows and reference 2"),
    ],
)
def test_bad_draws_of_rows_are_refused(draws, message):
    with pytest.raises(ValueError, match=message):
        wasserstein_distance(draws, [[0.5, 0.5]])


def test_arviz_is_not_imported_before_it_is_needed():
    code = "import sys, skbayes.diagnostics; sys.exit('arviz' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
