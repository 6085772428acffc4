"""Stochastic batches: their law, their limits, and pools in blocks."""

import tracemalloc

import numpy as np
import pytest
from scipy.stats import chisquare

from skbayes.active import (
    _stochastic,
    power_batch,
    softmax_batch,
    softrank_batch,
)

STOCHASTIC = [power_batch, softmax_batch, softrank_batch]


@pytest.mark.parametrize(
    ("selector", "beta", "weights"),
    [
        (power_batch, 1.0, [0.1, 0.2, 0.7]),
        (power_batch, 2.0, [0.01, 0.04, 0.49]),
        (softmax_batch, 3.0, np.exp([0.3, 0.6, 2.1])),
        (softrank_batch, 1.0, [1 / 3, 1 / 2, 1]),
        (softrank_batch, 2.0, [1 / 9, 1 / 4, 1]),
    ],
)
def test_the_law_of_a_stochastic_batch(selector, beta, weights):
    rng = np.random.RandomState(0)
    utilities = [0.1, 0.2, 0.7]
    picks = [selector(utilities, 2, beta=beta, random_state=rng) for _ in range(4000)]
    p = np.asarray(weights) / np.sum(weights)
    first = np.bincount([pick[0] for pick in picks], minlength=3)
    assert chisquare(first, 4000 * p).pvalue > 1e-3
    # without replacement: the second in proportion to the rest
    second = sum(p[i] * p[2] / (1 - p[i]) for i in (0, 1))
    share = np.mean([pick[1] == 2 for pick in picks])
    assert share == pytest.approx(second, abs=4 * np.sqrt(second * (1 - second) / 4000))


@pytest.mark.parametrize("selector", STOCHASTIC)
def test_a_sharp_stochastic_batch_is_the_top(selector):
    utilities = np.random.RandomState(0).rand(50)
    picked = selector(utilities, 8, beta=1e12, random_state=1)
    np.testing.assert_array_equal(picked, np.argsort(-utilities)[:8])
    with pytest.raises(ValueError, match="beta=0 must be larger than 0"):
        selector(utilities, beta=0)
    with pytest.raises(ValueError, match="utilities hold nan in 1 of 2 rows"):
        selector([np.nan, 1])


def test_power_of_nothing_comes_last():
    for seed in range(20):
        picked = power_batch([0.0, 0.3, 0.0, 0.1], 3, random_state=seed)
        assert set(picked[:2].tolist()) == {1, 3}
    with pytest.raises(ValueError, match=r"must not be negative for a power; the least is -1"):
        power_batch([-1.0, 1.0])


@pytest.mark.parametrize("selector", STOCHASTIC)
def test_stochastic_batches_of_a_pool_in_blocks(selector, monkeypatch):
    monkeypatch.setattr(_stochastic, "_BLOCK", 7)
    utilities = np.random.RandomState(0).rand(50)
    picked = selector(utilities, 8, beta=1e12, random_state=1)
    np.testing.assert_array_equal(picked, np.argsort(-utilities)[:8])
    # rows that are equal are asked for equally often, wherever they are
    utilities = [0.5, 0.0, 0.0, *[0.5] * 8, 0.0]
    rng = np.random.RandomState(0)
    counts = np.zeros(12)
    for _ in range(3000):
        picked = selector(utilities, 10, random_state=rng)
        assert len(set(picked.tolist())) == 10
        counts[picked] += 1
    half = np.array(utilities) == 0.5
    assert counts[half].min() > counts[~half].max()
    for group in (counts[half], counts[~half]):
        assert chisquare(group).pvalue > 1e-3
    picked = selector(np.arange(50.0), 50, random_state=0)
    assert sorted(picked.tolist()) == list(range(50))


@pytest.mark.parametrize("selector", STOCHASTIC)
def test_stochastic_batches_of_a_large_pool_take_little_memory(selector):
    utilities = np.random.RandomState(0).rand(10**6).astype(np.float32)
    tracemalloc.start()
    try:
        picked = selector(utilities, 100, random_state=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(np.unique(picked)) == 100
    assert peak < 2.5 * utilities.nbytes
