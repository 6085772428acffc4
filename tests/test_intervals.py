"""Intervals, moments and draws against observations: closed forms, brute force, properness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import mean_absolute_error, mean_pinball_loss

from skbayes.metrics import (
    crps_ensemble,
    crps_gaussian,
    gaussian_nll,
    interval_coverage,
    interval_score,
    interval_width,
    make_interval_scorers,
    regression_calibration_error,
)

LEVELS = np.arange(1, 10) / 10
numbers = st.floats(-100, 100, allow_subnormal=False)
positive = st.floats(0.01, 100)


# -- known answers ---------------------------------------------------------------------------------


def test_intervals_by_hand():
    y, lower, upper = [0.0, 1.0, 2.0, 3.0], [0.0, 1.5, 0.0, 0.0], [1.0, 2.0, 2.0, 1.0]
    # both ends belong to the interval
    assert interval_coverage(y, lower, upper) == 0.5
    assert interval_coverage(y, lower, upper, sample_weight=[3, 1, 1, 1]) == pytest.approx(4 / 6)
    assert interval_width(lower, upper) == (1 + 0.5 + 2 + 1) / 4
    assert interval_width(lower, upper, sample_weight=[0, 0, 1, 0]) == 2
    score = interval_score(y, lower, upper, coverage=0.75, per_row=True)
    np.testing.assert_allclose(score, [1, 0.5 + 8 * 0.5, 2, 1 + 8 * 2])
    assert interval_score(y, lower, upper, coverage=0.75) == pytest.approx(score.mean())
    weighted = interval_score(y, lower, upper, coverage=0.75, sample_weight=[1, 0, 0, 3])
    assert weighted == pytest.approx((1 + 3 * 17) / 4)


@given(st.lists(st.tuples(numbers, numbers, positive), min_size=1, max_size=8), st.floats(0.1, 0.9))
@settings(max_examples=50)
def test_interval_score_is_that_of_two_quantiles(rows, coverage):
    y, lower, width = map(np.array, zip(*rows, strict=True))
    tail = (1 - coverage) / 2
    pinball = mean_pinball_loss(y, lower, alpha=tail)
    pinball += mean_pinball_loss(y, lower + width, alpha=1 - tail)
    score = interval_score(y, lower, lower + width, coverage=coverage)
    assert score == pytest.approx(pinball / tail)
    assert score >= interval_width(lower, lower + width) - 1e-9


@given(numbers, numbers, positive)
def test_nll_is_scipys(y, mean, std):
    assert gaussian_nll([y], [mean], [std]) == pytest.approx(-norm.logpdf(y, mean, std))


@pytest.mark.parametrize("y", [-3.0, -0.5, 0.0, 0.2, 1.0, 4.0])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1.0, 0.25), (-2.0, 3.0)])
def test_crps_is_the_integral(y, mean, std):
    below = quad(lambda t: norm.cdf(t, mean, std) ** 2, -40, y, points=[mean], limit=200)[0]
    above = quad(lambda t: norm.sf(t, mean, std) ** 2, y, 40, points=[mean], limit=200)[0]
    assert crps_gaussian([y], [mean], [std]) == pytest.approx(below + above, abs=1e-7)


def test_crps_limits():
    # a point is the absolute error, and so is what lies far away, up to the spread's share
    y, mean = [1.0, -2.0, 0.0], [0.0, 0.0, 0.0]
    assert crps_gaussian(y, mean, np.zeros(3)) == mean_absolute_error(y, mean)
    for std in (1e-320, 1e-200, 1e-9):
        assert crps_gaussian(y, mean, np.full(3, std)) == pytest.approx(1.0)
    far = crps_gaussian([1e6], [0.0], [1.0])
    assert far == pytest.approx(1e6 - 1 / np.sqrt(np.pi), rel=1e-12)
    assert gaussian_nll([1e200], [0.0], [1e-200]) == np.inf


@given(arrays(float, st.tuples(st.integers(2, 7), st.integers(1, 4)), elements=numbers), st.data())
@settings(max_examples=60)
def test_crps_of_draws_is_brute_force(draws, data):
    y = data.draw(arrays(float, draws.shape[1], elements=numbers))
    n_draws = len(draws)
    error = np.abs(draws - y).mean(axis=0)
    pairs = np.abs(draws[:, None] - draws[None]).sum(axis=(0, 1)) / 2
    plain = crps_ensemble(y, draws, per_row=True)
    np.testing.assert_allclose(plain, error - pairs / n_draws**2, atol=1e-9)
    fair = crps_ensemble(y, draws, fair=True, per_row=True)
    np.testing.assert_allclose(fair, error - pairs / (n_draws * (n_draws - 1)), atol=1e-9)
    assert crps_ensemble(y, draws) == pytest.approx(plain.mean())
    assert plain.min() >= -1e-9
    # neither order nor repetition of the draws matters, nor where 0 is
    mixed = np.concatenate([draws[::-1], draws])
    np.testing.assert_allclose(crps_ensemble(y, mixed, per_row=True), plain, atol=1e-9)
    np.testing.assert_allclose(
        crps_ensemble(y + 1000, draws + 1000, per_row=True), plain, atol=1e-9
    )


def test_crps_of_one_draw_is_the_absolute_error():
    assert crps_ensemble([1.0, 5.0], [[0.0, 7.0]]) == 1.5
    with pytest.raises(ValueError, match="fair=True needs at least two draws"):
        crps_ensemble([1.0, 5.0], [[0.0, 7.0]], fair=True)


def test_crps_of_draws_keeps_its_digits_far_from_0():
    rng = np.random.RandomState(0)
    y, draws = rng.normal(size=5), rng.normal(size=(50, 5))
    shifted = crps_ensemble(y + 2.0**40, draws + 2.0**40)
    assert shifted == pytest.approx(crps_ensemble(y, draws), rel=1e-3)


# -- statistics ------------------------------------------------------------------------------------


def test_fair_crps_is_unbiased_and_plain_is_not():
    rng = np.random.RandomState(0)
    n_rows, n_draws = 40000, 4
    y, draws = np.full(n_rows, 0.5), rng.normal(size=(n_draws, n_rows))
    exact = crps_gaussian([0.5], [0.0], [1.0])
    for fair, bias in ((True, 0.0), (False, 1 / np.sqrt(np.pi) / n_draws)):
        rows = crps_ensemble(y, draws, fair=fair, per_row=True)
        standard_error = rows.std() / np.sqrt(n_rows)
        assert abs(rows.mean() - exact - bias) < 4 * standard_error
        assert fair or bias > 20 * standard_error  # the test can tell


SCORES = {
    "nll": lambda y, m, s: gaussian_nll(y, m, s, per_row=True),
    "crps": lambda y, m, s: crps_gaussian(y, m, s, per_row=True),
    "interval": lambda y, m, s: interval_score(
        y, *norm.interval(0.8, m, s), coverage=0.8, per_row=True
    ),
}


@pytest.mark.parametrize("score", SCORES)
def test_scores_are_proper(score):
    # the expectation over y ~ N(1, 2^2), as a sum over quantiles, is least at the true moments
    y = norm.ppf((np.arange(20000) + 0.5) / 20000, 1.0, 2.0)

    def expectation(mean, std):
        return SCORES[score](y, np.full(len(y), mean), np.full(len(y), std)).mean()

    best = expectation(1.0, 2.0)
    for mean, std in [(1.3, 2), (0.7, 2), (1, 2.4), (1, 1.7), (1.2, 2.2), (0, 1), (1, 6)]:
        assert expectation(mean, std) > best + 1e-3


def test_draws_of_the_true_law_score_best():
    rng = np.random.RandomState(1)
    y, z = rng.normal(size=4000), rng.normal(size=(30, 4000))
    best = crps_ensemble(y, z, fair=True, per_row=True)
    for mean, std in [(0.5, 1), (0, 0.5), (0, 2)]:
        other = crps_ensemble(y, mean + std * z, fair=True, per_row=True) - best
        assert other.mean() > 3 * other.std() / np.sqrt(len(y))


@given(numbers, positive, st.floats(0.1, 10), numbers)
@settings(max_examples=50)
def test_units_of_y(mean, std, unit, shift):
    y, m, s = np.linspace(-3, 3, 7), np.full(7, mean), np.full(7, std)
    moved = (unit * y + shift, unit * m + shift, unit * s)
    assert crps_gaussian(*moved) == pytest.approx(unit * crps_gaussian(y, m, s), rel=1e-6)
    assert gaussian_nll(*moved) == pytest.approx(
        gaussian_nll(y, m, s) + np.log(unit), rel=1e-6, abs=1e-6
    )


def test_regression_calibration_error():
    rng = np.random.RandomState(0)
    mean, std = rng.normal(size=4000), rng.uniform(0.5, 2, size=4000)
    y = mean + std * rng.normal(size=4000)

    def error(factor, levels=LEVELS, **options):
        ends = norm.interval(np.asarray(levels)[:, None], mean, factor * std)
        return regression_calibration_error(y, *ends, levels=levels, **options)

    # the mean absolute value of nine correlated normals, of standard errors up to .008
    assert error(1.0) < 0.5 / np.sqrt(4000) * 3
    for factor in (0.5, 2.0):
        exact = 2 * norm.cdf(factor * norm.ppf((1 + LEVELS) / 2)) - 1
        expected = np.abs(exact - LEVELS).mean()
        assert error(factor) == pytest.approx(expected, abs=3 * 0.5 / np.sqrt(4000))
    assert error(2.0, levels=LEVELS[::-1]) == pytest.approx(error(2.0))
    inside = np.abs(y - mean) <= norm.ppf(0.75) * std
    one = error(1.0, levels=[0.5], sample_weight=inside)
    assert one == pytest.approx(0.5)
    assert error(1.0, levels=[0.5]) == pytest.approx(abs(inside.mean() - 0.5))
    draws = mean + std * rng.normal(size=(400, 4000))
    ends = (np.quantile(draws, (1 + sign * LEVELS) / 2, axis=0) for sign in (-1, 1))
    assert regression_calibration_error(y, *ends, levels=LEVELS) < 0.03


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval_coverage([0], [1], [0]), "lower is above upper in 1 of 1 intervals"),
        (lambda: interval_width([1, 2], [2, 1]), "lower is above upper in 1 of 2 intervals"),
        (lambda: interval_coverage([0, 1], [0], [1]), "y_true 2, lower 1, upper 1"),
        (lambda: interval_coverage([], [], []), "y_true is empty"),
        (lambda: interval_coverage([np.nan], [0], [1]), "y_true contains NaN"),
        (lambda: interval_coverage([0], [0], [np.inf]), "upper contains infinity"),
        (lambda: interval_coverage([[0, 1]], [0], [1]), "1d array"),
        (lambda: interval_score([0], [0], [1], coverage=1), "coverage=1 must be a number between"),
        (lambda: interval_score([0], [0], [1], coverage="a"), "coverage='a' must be a number"),
        (lambda: make_interval_scorers(0.0), "coverage=0.0 must be a number between 0 and 1"),
        (lambda: gaussian_nll([0], [0], [0]), "std must be positive; its least value is 0"),
        (lambda: gaussian_nll([0], [0], [1, 1]), "y_true 1, mean 1, std 2"),
        (lambda: crps_gaussian([0], [0], [-1]), "std must not be negative; its least value is -1"),
        (lambda: crps_gaussian([0], [0], [1], sample_weight=[-1]), "[Nn]egative"),
        (lambda: crps_gaussian([0], [0], [1], sample_weight=np.nan), "sample_weight=nan must be"),
        (lambda: crps_ensemble([0, 1], [[0], [1]]), r"\(2, 1\); it must be .draws, rows.; transp"),
        (lambda: crps_ensemble([0, 1], [[0, 1, 2]]), r"\(1, 3\); it must be .draws, rows.$"),
        (lambda: crps_ensemble([0], [0]), "Expected 2D array"),
        (lambda: crps_ensemble([0], [[np.nan]]), "draws contains NaN"),
        (
            lambda: gaussian_nll([0], [0], [1], sample_weight=[1], per_row=True),
            "per_row=True takes no mean, sample_weight must be None",
        ),
        (
            lambda: regression_calibration_error([0], [[0]], [[1]], levels=[0.5, 1.0]),
            r"levels=\[0.5, 1.0\] must be between 0 and 1",
        ),
        (
            lambda: regression_calibration_error([0], [[0]], [[1]], levels=[0.4, 0.5]),
            r"lower is of shape \(1, 1\); for 2 levels and 1 rows it must be \(2, 1\)",
        ),
        (
            lambda: regression_calibration_error([0], [[0]], [[-1]], levels=[0.4]),
            "lower is above upper",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
