"""Acquisition functions against values worked out by hand and the laws that they obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy
from scipy.stats import spearmanr

from skbayes.active.acquisition import (
    ACQUISITIONS,
    bald,
    entropy,
    get_acquisition,
    least_certain,
    least_confidence,
    margin,
    mean_std,
    most_anomalous,
    random,
    variation_ratio,
)
from skbayes.active.batch import top_k

OF_DRAWS = [least_confidence, margin, entropy, bald, variation_ratio, mean_std]
NEEDS_SEVERAL = [bald, variation_ratio, mean_std]

# two draws of three rows: sure together, sure and at odds, unsure together
DRAWS = np.array([[[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0]], [[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0]]])


def dirichlet_draws(seed, n_draws, n_rows, n_classes, concentration=0.5):
    rng = np.random.RandomState(seed)
    return rng.dirichlet(np.full(n_classes, concentration), size=(n_draws, n_rows))


def global_state():
    _, keys, position, *_ = np.random.get_state()
    return keys.tolist(), position


draws_strategy = st.builds(
    dirichlet_draws,
    seed=st.integers(0, 2**32 - 1),
    n_draws=st.integers(2, 7),
    n_rows=st.integers(1, 5),
    n_classes=st.integers(2, 6),
    concentration=st.sampled_from([0.01, 0.5, 20.0]),
)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (least_confidence, [0, 0.5, 0.5]),
        (margin, [-1, 0, 0]),
        (entropy, [0, np.log(2), np.log(2)]),
        (bald, [0, np.log(2), 0]),
        (variation_ratio, [0, 0.5, 0]),
        # two of three classes spread by 1/2
        (mean_std, [0, 1 / 3, 0]),
    ],
)
def test_values_by_hand(function, expected):
    np.testing.assert_allclose(function(DRAWS), expected, atol=1e-15)


def test_three_classes_by_hand():
    draws = np.array([[[0.7, 0.2, 0.1]], [[0.1, 0.6, 0.3]]])  # mean .4 .4 .2
    np.testing.assert_allclose(least_confidence(draws), 0.6)
    np.testing.assert_allclose(margin(draws), 0.0, atol=1e-15)
    total = -(0.8 * np.log(0.4) + 0.2 * np.log(0.2))
    np.testing.assert_allclose(entropy(draws), total)
    parts = -(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)) - (
        0.1 * np.log(0.1) + 0.6 * np.log(0.6) + 0.3 * np.log(0.3)
    )
    np.testing.assert_allclose(bald(draws), total - parts / 2)
    np.testing.assert_allclose(mean_std(draws), (0.3 + 0.2 + 0.1) / 3)
    np.testing.assert_allclose(variation_ratio(draws), 0.5)


def test_variation_ratio_counts_votes_not_probabilities():
    draws = np.array([[[0.51, 0.49]], [[0.51, 0.49]], [[0.0, 1.0]]])
    np.testing.assert_allclose(variation_ratio(draws), 1 / 3)
    np.testing.assert_allclose(least_confidence(draws), 1 - (0.49 + 0.49 + 1) / 3)


@given(draws_strategy)
@settings(max_examples=60, deadline=None)
def test_bald_is_the_mutual_information(draws):
    n_draws, _, n_classes = draws.shape
    utility = bald(draws)
    assert (utility >= 0).all()
    assert (utility <= np.log(min(n_classes, n_draws)) + 1e-12).all()
    expected = scipy_entropy(draws.mean(axis=0), axis=-1) - scipy_entropy(draws, axis=-1).mean(0)
    np.testing.assert_allclose(utility, expected, atol=1e-12)
    # ... and the mean divergence of the draws from their mean
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(draws > 0, draws * np.log(draws / draws.mean(axis=0)), 0.0)
    np.testing.assert_allclose(utility, terms.sum(-1).mean(0), atol=1e-12)


@given(draws_strategy, st.sampled_from(NEEDS_SEVERAL))
@settings(max_examples=40, deadline=None)
def test_identical_draws_do_not_disagree(draws, function):
    same = np.repeat(draws[:1], 5, axis=0)
    np.testing.assert_allclose(function(same), 0, atol=1e-12)


@given(draws_strategy, st.sampled_from(OF_DRAWS), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_the_order_of_draws_and_classes_does_not_matter_that_of_rows_does(draws, function, seed):
    rng = np.random.RandomState(seed)
    expected = function(draws)
    by_draw, by_row, by_class = (rng.permutation(size) for size in draws.shape)
    np.testing.assert_allclose(function(draws[by_draw]), expected, atol=1e-12)
    np.testing.assert_allclose(function(draws[:, :, by_class]), expected, atol=1e-12)
    np.testing.assert_allclose(function(draws[:, by_row]), expected[by_row], atol=1e-12)


@given(draws_strategy)
@settings(max_examples=40, deadline=None)
def test_ranges(draws):
    n_classes = draws.shape[-1]
    assert (entropy(draws) <= np.log(n_classes) + 1e-12).all()
    assert (entropy(draws) >= bald(draws) - 1e-12).all()
    assert ((least_confidence(draws) >= -1e-12) & (least_confidence(draws) < 1)).all()
    assert ((margin(draws) >= -1 - 1e-12) & (margin(draws) <= 0)).all()
    assert ((mean_std(draws) >= 0) & (mean_std(draws) <= 0.5)).all()
    assert ((variation_ratio(draws) >= 0) & (variation_ratio(draws) < 1)).all()


def test_two_classes_and_one_draw_are_ordered_alike():
    proba = np.random.RandomState(0).uniform(size=200)
    draws = np.stack([proba, 1 - proba], axis=-1)[np.newaxis]
    orders = [np.argsort(f(draws)) for f in (entropy, margin, least_confidence)]
    np.testing.assert_array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[0], orders[2])
    assert spearmanr(entropy(draws), -np.abs(proba - 0.5)).statistic == pytest.approx(1)


@pytest.mark.parametrize("function", OF_DRAWS)
def test_float32_gives_the_same(function):
    draws = dirichlet_draws(1, 6, 50, 4)
    single = draws.astype(np.float32)
    np.testing.assert_allclose(function(single), function(draws), atol=1e-6)


@pytest.mark.parametrize("function", OF_DRAWS)
def test_draws_are_not_changed(function):
    draws = dirichlet_draws(1, 3, 4, 3)
    before = draws.copy()
    function(draws)
    np.testing.assert_array_equal(draws, before)


def test_one_class_is_sure():
    draws = np.ones((2, 3, 1))
    np.testing.assert_array_equal(margin(draws), [-1, -1, -1])
    for function in (least_confidence, entropy, bald, variation_ratio, mean_std):
        np.testing.assert_array_equal(function(draws), [0, 0, 0])


def test_random_is_reproducible_and_leaves_the_global_state_alone():
    state = global_state()
    first = random(DRAWS, random_state=3)
    np.testing.assert_array_equal(first, random(DRAWS, random_state=3))
    np.testing.assert_array_equal(first, np.random.RandomState(3).random_sample(3))
    assert not np.array_equal(random(DRAWS), random(DRAWS))
    assert global_state() == state


@pytest.mark.parametrize("function", NEEDS_SEVERAL)
def test_one_draw_raises_instead_of_zeros(function):
    with pytest.raises(ValueError, match=rf"{function.__name__} .*there is 1 draw"):
        function(DRAWS[:1])


@pytest.mark.parametrize("function", [*OF_DRAWS, random])
@pytest.mark.parametrize(
    ("draws", "message"),
    [
        (DRAWS[0], r"shape \(draws, rows, classes\).*shape \(3, 3\)"),
        (DRAWS[np.newaxis], r"got an array of shape \(1, 2, 3, 3\)"),
        (np.empty((0, 3, 2)), r"a draw and a class at least; got shape \(0, 3, 2\)"),
        (np.empty((2, 3, 0)), r"a draw and a class at least; got shape \(2, 3, 0\)"),
        (np.where(DRAWS == 0.5, np.nan, DRAWS), "nan or infinity"),
        (np.where(DRAWS == 0.5, np.inf, DRAWS), "nan or infinity"),
        (DRAWS * 2 - 1, "between -1 and 1; probabilities lie between 0 and 1"),
        (DRAWS * 3, "between 0 and 3; probabilities"),
        (DRAWS * 0.9, "draw 0 of row 0 sums to 0.9"),
        (np.full((2, 3, 2), "a"), "draws must be numbers; got an array of dtype <U1"),
    ],
)
def test_draws_that_are_no_probabilities(function, draws, message):
    with pytest.raises(ValueError, match=message):
        function(draws)


def test_rounding_below_zero_is_forgiven():
    draws = np.array([[[1 + 1e-7, -1e-7]], [[0.5, 0.5]]])
    assert np.isfinite(bald(draws)).all()


def test_scores_of_detectors():
    np.testing.assert_array_equal(most_anomalous([-3, 0, 2]), [3, 0, -2])
    np.testing.assert_array_equal(least_certain([-3, 0, 2]), [-3, 0, -2])
    np.testing.assert_array_equal(most_anomalous([-np.inf, 0.0]), [np.inf, 0])


@pytest.mark.parametrize("function", [most_anomalous, least_certain])
def test_scores_that_are_none(function):
    with pytest.raises(ValueError, match=r"one number a row.*shape \(2, 1\)"):
        function([[1.0], [2.0]])
    with pytest.raises(ValueError, match="nan in 1 of 2 rows"):
        function([1.0, np.nan])


def test_registry():
    for name, function in ACQUISITIONS.items():
        assert function.__name__ == name
        assert get_acquisition(name) is function
    assert get_acquisition(len) is len
    with pytest.raises(ValueError, match=r"acquisition='BALD' is not known.*'bald'.*'margin'"):
        get_acquisition("BALD")
    with pytest.raises(ValueError, match="acquisition=3 is not known"):
        get_acquisition(3)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=30),
    st.integers(0, 2**32 - 1),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_top_k_are_the_largest(utilities, seed, data):
    n_instances = data.draw(st.integers(1, len(utilities)))
    picked = top_k(utilities, n_instances, random_state=seed)
    assert len(set(picked.tolist())) == n_instances
    expected = np.sort(utilities)[::-1][:n_instances]
    np.testing.assert_array_equal(np.asarray(utilities)[picked], expected)
    np.testing.assert_array_equal(picked, top_k(utilities, n_instances, random_state=seed))


def test_top_k_breaks_ties_evenly():
    rng = np.random.RandomState(0)
    picks = np.concatenate([top_k([0, 1, 1, 1, 2], 3, random_state=rng) for _ in range(900)])
    counts = np.bincount(picks, minlength=5)
    assert counts[0] == 0 and counts[4] == 900
    # 600 expected each, standard deviation 14
    assert np.abs(counts[1:4] - 600).max() < 60


def test_top_k_takes_infinities_and_no_nan():
    np.testing.assert_array_equal(top_k([-np.inf, np.inf, 0.0], 2), [1, 2])
    with pytest.raises(ValueError, match="nan in 1 of 2 rows"):
        top_k([np.nan, 1.0])
    with pytest.raises(ValueError, match=r"got shape \(1, 2\)"):
        top_k([[1.0, 2.0]])
    with pytest.raises(ValueError, match="n_instances=3 rows were asked for, but the pool has 2"):
        top_k([1.0, 2.0], 3)
