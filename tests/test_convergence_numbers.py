"""R-hat and effective sample size of arrays of draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skbayes.diagnostics import (
    ess,
    mcse,
    rhat,
)

RHATS = ["rank", "z_scale", "folded", "split", "identity"]


ESSES = ["bulk", "tail", "mean", "sd", "median", "identity"]


def ar1(rho, shape, seed=0):
    """Stationary chains of variance 1 along axis 1."""
    rng = np.random.RandomState(seed)
    x = rng.normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return x


def test_rhat_of_independent_draws_is_near_1():
    # split into 8 halves of 500: R-hat**2 is 1 + F / 500 - 1 / 500 with F of an F law of mean 1
    # and (7, 3992) degrees of freedom; its 1 - 1e-6 quantile is 5.7
    values = rhat(np.random.RandomState(0).normal(size=(4, 1000, 50)))
    assert values.shape == (50,)
    assert values.min() > 0.998
    assert values.max() < np.sqrt(1 + 5.7 / 500)


def test_rhat_of_two_points_by_hand():
    # means of the halves 1, 1, 3, 3 (variance 4/3), variances 2: B/W = n (4/3) / 2
    x = np.array([[0.0, 2.0, 0.0, 2.0], [2.0, 4.0, 2.0, 4.0]])
    assert rhat(x, "split") == pytest.approx(np.sqrt((2 * (4 / 3) / 2 + 1) / 2))
    # means 1 and 3 (variance 2), variances 4/3, n = 4
    assert rhat(x, "identity") == pytest.approx(np.sqrt((4 * 2 / (4 / 3) + 3) / 4))


def test_rhat_sees_a_shifted_chain_and_grows_with_the_shift():
    x = np.random.RandomState(0).normal(size=(4, 200))
    shifts = np.array([0.0, 1.0, 2.0, 4.0])
    values = rhat(np.stack([x + shift * np.eye(4)[0][:, None] for shift in shifts], axis=-1))
    assert values[0] < 1.02
    assert values[1] > 1.05
    assert (np.diff(values) > 0).all()


def test_rhat_sees_a_trend_only_if_chains_are_split():
    x = np.random.RandomState(0).normal(size=(4, 400)) + np.linspace(-3, 3, 400)
    assert rhat(x, "identity") < 1.02
    assert rhat(x, "split") > 1.3
    assert rhat(x) > 1.3


def test_rhat_sees_a_difference_in_scale_only_by_the_folded_part():
    x = np.random.RandomState(0).normal(size=(4, 500))
    x[0] *= 5
    assert rhat(x, "split") < 1.02
    assert rhat(x, "z_scale") < 1.02
    assert rhat(x, "folded") > 1.1
    assert rhat(x) == rhat(x, "folded")


def test_rhat_works_without_moments():
    x = np.random.RandomState(0).standard_cauchy(size=(4, 1000))
    assert rhat(x) < 1.02
    x[0] += 3
    assert rhat(x) > 1.05


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.5, 0.9])
def test_ess_of_autoregressive_chains(rho):
    x = ar1(rho, (4, 2000, 200))
    expected = 8000 * (1 - rho) / (1 + rho)
    # one estimate has a standard deviation of up to sqrt(2 (2 M + 1) / 8000) = 12 % where the sum
    # ends at lag M (about 30 for .9), the mean of 200 one of .9 %: three of them, and a bias of
    # Geyer's rule of half a percent
    assert ess(x, "mean").mean() == pytest.approx(expected, rel=0.03)
    assert ess(x).mean() == pytest.approx(expected, rel=0.03)  # scores of normals are normal


def test_ess_of_the_tails_is_less_reduced_than_that_of_the_mean():
    # an indicator of a tail forgets faster than the quantity itself
    x = ar1(0.9, (4, 1000, 20))
    assert ess(x, "tail").mean() > 1.2 * ess(x).mean()


def test_ess_counts_chains_that_disagree_for_less():
    x = np.random.RandomState(0).normal(size=(4, 500))
    assert 1500 < ess(x) < 2500
    x[0] += 5
    assert ess(x) < 20


def test_ess_of_alternating_draws_is_bounded():
    x = np.tile([-1.0, 1.0], 50)[None].repeat(4, axis=0)
    assert ess(x, "mean") == pytest.approx(400 * np.log10(400))


def test_mcse_is_the_error_of_the_mean():
    x = ar1(0.5, (4, 1000, 400))
    errors = x.mean(axis=(0, 1))  # the truth is 0
    expected = np.sqrt(3 / 4000)
    # the standard deviation of 400 errors is known to 1 / sqrt(800) = 3.5 %: three of them
    assert np.std(errors) == pytest.approx(expected, rel=0.11)
    assert mcse(x).mean() == pytest.approx(expected, rel=0.05)
    assert mcse(x) == pytest.approx(x.reshape(4000, -1).std(0, ddof=1) / np.sqrt(ess(x, "mean")))


draws = npst.arrays(
    np.float64,
    st.tuples(st.integers(2, 4), st.integers(4, 12)),
    elements=st.one_of(st.integers(-2, 2).map(float), st.floats(-10, 10, width=32)),
)


@given(draws)
def test_ranks_ignore_monotone_maps(x):
    # a power is strictly increasing, in floating point too as long as nothing underflows
    x = np.round(x, 3)
    curved = np.sign(x) * np.abs(x) ** 3
    np.testing.assert_equal(rhat(curved, "z_scale"), rhat(x, "z_scale"))
    np.testing.assert_equal(ess(curved), ess(x))


@given(draws, st.sampled_from([0.25, 2.0, 8.0]))
def test_scale_has_no_influence(x, factor):
    x = np.round(x, 3)
    for method in RHATS:
        np.testing.assert_allclose(rhat(factor * x, method), rhat(x, method), rtol=1e-9)
    for method in ESSES:
        np.testing.assert_allclose(ess(factor * x, method), ess(x, method), rtol=1e-9)
    np.testing.assert_allclose(mcse(factor * x), factor * mcse(x), rtol=1e-9)


@pytest.mark.parametrize("kind", ["normal", "integers"])
def test_order_of_chains_has_no_influence(kind):
    rng = np.random.RandomState(0)
    x = rng.normal(size=(5, 31, 20)) if kind == "normal" else rng.randint(4, size=(5, 31, 20))
    other = x[[3, 0, 4, 2, 1]]
    for method in RHATS:
        np.testing.assert_allclose(rhat(other, method), rhat(x, method), rtol=1e-12)
    for method in ESSES:
        np.testing.assert_allclose(ess(other, method), ess(x, method), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, int, bool])
def test_many_quantities_are_as_one_by_one(dtype):
    # 400 quantities of 4 x 101 numbers are more than a block
    x = (3 * ar1(0.5, (4, 101, 20, 20))).astype(dtype)
    for function, methods in ((rhat, RHATS), (ess, ESSES)):
        for method in methods:
            values = function(x, method)
            assert values.shape == (20, 20)
            for i, j in [(0, 0), (3, 17), (19, 19)]:
                alone = function(x[:, :, i, j], method)
                assert np.ndim(alone) == 0
                np.testing.assert_array_equal(alone, values[i, j])  # nan where constant
    assert mcse(x).shape == (20, 20)


def test_input_is_left_as_it_is():
    x = ar1(0.5, (2, 10, 3))
    before = x.copy()
    x.flags.writeable = False
    for function, methods in ((rhat, RHATS), (ess, ESSES)):
        for method in methods:
            function(x, method)
    mcse(x)
    np.testing.assert_array_equal(x, before)


def test_constants_and_unknown_draws():
    x = ar1(0.0, (4, 20, 4))
    x[..., 1] = 0.1
    x[2, 7, 2] = np.nan
    x[2, 7, 3] = np.inf
    for method in RHATS:
        np.testing.assert_array_equal(np.isnan(rhat(x, method))[:3], [False, True, True])
    assert np.isfinite(rhat(x)[3])
    for method in ESSES:
        assert ess(x, method)[1] == 80
        assert np.isnan(ess(x, method)[2])
    assert np.isfinite(ess(x)[3])
    assert np.isnan(ess(x, "mean")[3])
    assert mcse(x)[1] == pytest.approx(0, abs=1e-16)


def test_chains_that_stand_still_in_different_places():
    x = np.repeat([[0.0], [1.0], [2.0]], 200, axis=1)
    assert rhat(x) > 1e6
    # every correlation is 1, and 96 of 100 lags are summed: 600 / (2 * 96 - 1 + 1)
    assert ess(x) == pytest.approx(600 / 192)


def test_too_few_draws_or_chains_give_nan():
    assert np.isnan(rhat(np.ones((1, 100, 2)))).all()
    assert np.isnan(rhat(ar1(0.0, (4, 3, 2)))).all()
    assert np.isnan(ess(ar1(0.0, (4, 3, 2)))).all()
    assert np.isfinite(ess(ar1(0.0, (1, 100, 2)))).all()
    assert rhat(np.zeros((4, 10, 0, 3))).shape == (0, 3)


@pytest.mark.parametrize("function", [rhat, ess, mcse])
def test_bad_draws_are_refused(function):
    with pytest.raises(ValueError, match=r"x must be draws .* shape \(5,\)"):
        function(np.zeros(5))
    with pytest.raises(ValueError, match="x must be numbers"):
        function(np.array([["a", "b"]]))


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match="method='bulk' must be one of 'rank'"):
        rhat(np.zeros((2, 4)), "bulk")
    with pytest.raises(ValueError, match="method='rank' must be one of 'bulk'"):
        ess(np.zeros((2, 4)), "rank")
