"""Spread against error, and the effective number of functions: known answers."""

import numpy as np
import pytest

from skbayes.diagnostics import effective_members, spread_skill

ERRORS = 4.5


@pytest.mark.parametrize("n_members", [2, 5])
def test_spread_is_the_error_if_the_truth_is_like_a_member(n_members):
    rng, n = np.random.RandomState(0), 20_000
    centre = rng.normal(size=n)
    draws = centre + 0.7 * rng.normal(size=(n_members, n))
    truth = centre + 0.7 * rng.normal(size=n)
    y = truth + 0.4 * rng.normal(size=n)
    found = spread_skill(draws, y, noise=0.16)
    expected = 0.49 * (1 + 1 / n_members)
    total = expected + 0.16
    assert found.spread == pytest.approx(expected, rel=ERRORS * (2 / n / (n_members - 1)) ** 0.5)
    assert found.error == pytest.approx(expected, abs=ERRORS * total * (2 / n) ** 0.5)
    # members that are twice as near to each other as the truth is
    near = draws.mean(0) + 0.5 * (draws - draws.mean(0))
    assert spread_skill(near, y, noise=0.16).spread == pytest.approx(found.spread / 4)


def test_spread_is_the_error_of_probabilities_too():
    rng, n = np.random.RandomState(0), 20_000
    concentration = rng.uniform(0.5, 3, size=(n, 3))
    proba = rng.standard_gamma(np.broadcast_to(concentration, (6, n, 3)))
    proba /= proba.sum(-1, keepdims=True)
    draws, truth = proba[:5], proba[5]
    y = (truth.cumsum(1) < rng.uniform(size=(n, 1))).sum(1)
    found = spread_skill(draws, y)
    # of a row the squared error is at most 2
    assert found.spread == pytest.approx(found.error, abs=ERRORS * 1.0 / n**0.5)
    assert found.spread > 0.1
    wrong = spread_skill(draws, (y + 1) % 3)
    assert wrong.error > 2 * wrong.spread


def test_weights_are_repeated_rows():
    rng = np.random.RandomState(0)
    draws, y, w = rng.normal(size=(3, 6)), rng.normal(size=6), np.array([0, 1, 2, 3, 0, 1])
    a = spread_skill(draws, y, sample_weight=w)
    b = spread_skill(draws.repeat(w, 1), y.repeat(w))
    np.testing.assert_allclose(a, b)


def test_number_of_functions_in_limits():
    rng = np.random.RandomState(0)
    one = rng.normal(size=(1, 30))
    assert effective_members(one.repeat(7, 0), noise=0.1) == pytest.approx(1.0)
    apart = one + 100 * np.arange(7)[:, None]
    assert effective_members(apart, noise=0.1) == pytest.approx(7.0)
    # three of one kind and three of another
    assert effective_members(apart[[0, 0, 0, 4, 4, 4]], noise=0.1) == pytest.approx(2.0)
    sure = np.eye(3)[[[0, 1], [0, 1], [2, 1]]]
    # shares 2/3 and 1/3
    assert effective_members(sure) == pytest.approx(3 / 2 ** (2 / 3))


def test_number_of_functions_of_two_members():
    # two Gaussians a row, in closed form
    means, variances = np.array([[0.3, 1.0], [0.5, 0.2]]), np.array([[0.2, 0.3], [0.4, 0.1]])
    total = variances.sum(0)
    affinity = np.sqrt(2 * np.sqrt(variances.prod(0)) / total)
    affinity = (affinity * np.exp(-((means[0] - means[1]) ** 2) / (4 * total))).prod()
    p = np.array([1 + affinity, 1 - affinity]) / 2
    expected = np.exp(-(p * np.log(p)).sum())
    assert effective_members(means, noise=variances) == pytest.approx(expected)
    # the same by numerical integration
    grid = np.linspace(-6, 6, 20_001)

    def density(i, n):
        v = variances[i, n]
        return np.exp(-((grid - means[i, n]) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)

    overlap = [np.trapezoid(np.sqrt(density(0, n) * density(1, n)), grid) for n in range(2)]
    assert affinity == pytest.approx(np.prod(overlap), rel=1e-8)
    proba = np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.6, 0.4], [0.2, 0.8]]])
    affinity = np.sqrt(proba[0] * proba[1]).sum(-1).prod()
    p = np.array([1 + affinity, 1 - affinity]) / 2
    assert effective_members(proba) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spread_skill(np.zeros((1, 3)), np.zeros(3)), "needs at least 2"),
        (lambda: spread_skill(np.zeros((2, 3)), np.zeros(4)), r"shape \(4,\).*3 rows"),
        (lambda: spread_skill(np.zeros(3), np.zeros(3)), "shape"),
        (lambda: spread_skill(np.full((2, 3), np.nan), np.zeros(3)), "finite"),
        (lambda: spread_skill(np.ones((2, 3, 1)), np.zeros(3), noise=1.0), "noise"),
        (lambda: effective_members(np.zeros((2, 3))), "noise=None"),
        (lambda: effective_members(np.zeros((2, 3)), noise=0.0), "positive.*0.0"),
        (lambda: effective_members(np.ones((2, 3, 1)), noise=1.0), "noise"),
        (lambda: effective_members(np.zeros((2, 0)), noise=1.0), "not empty"),
        (lambda: effective_members([["a"]], noise=1.0), "numbers"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
