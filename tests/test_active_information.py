"""Utilities that look at other rows, at values of a regression, and combinations of utilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy
from scipy.stats import norm
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression

from skbayes.active import (
    ActiveLearner,
    BayesianOptimizer,
    Committee,
    bald,
    confidence_bound,
    cost_weighted,
    density_weighted,
    entropy,
    epig,
    error_reduction,
    expected_entropy,
    expected_improvement,
    probability_of_improvement,
    thompson,
    variance,
)
from skbayes.active._improvement import log_expected_improvement
from skbayes.active.acquisition import max_EI
from skbayes.active.density import information_density
from skbayes.active.uncertainty import classifier_uncertainty
from skbayes.active.utils import make_linear_combination, make_product

X, Y = load_iris(return_X_y=True)


def dirichlet_draws(seed, n_draws, n_rows, n_classes, concentration=0.5):
    rng = np.random.RandomState(seed)
    return rng.dirichlet(np.full(n_classes, concentration), size=(n_draws, n_rows))


draws_strategy = st.builds(
    dirichlet_draws,
    seed=st.integers(0, 2**32 - 1),
    n_draws=st.integers(2, 6),
    n_rows=st.integers(1, 5),
    n_classes=st.integers(2, 4),
    concentration=st.sampled_from([0.05, 0.5, 20.0]),
)


# -- information and error elsewhere --------------------------------------------------------------


def epig_by_hand(draws, targets):
    utilities = []
    for x in range(draws.shape[1]):
        information = []
        for t in range(targets.shape[1]):
            joint = np.einsum("ma,mb->ab", draws[:, x], targets[:, t]) / len(draws)
            outer = np.outer(joint.sum(axis=1), joint.sum(axis=0))
            information.append(scipy_entropy(joint.ravel(), outer.ravel()))
        utilities.append(np.mean(information))
    return utilities


def error_by_hand(draws, targets, loss):
    utilities = []
    for x in range(draws.shape[1]):
        total = 0
        for label in range(draws.shape[2]):
            weights = draws[:, x, label]
            if weights.sum() > 0:
                after = np.einsum("m,mtc->tc", weights / weights.sum(), targets)
                errors = 1 - after.max(axis=1) if loss == "binary" else scipy_entropy(after.T)
                total += weights.mean() * errors.mean()
        utilities.append(-total)
    return utilities


@given(draws_strategy, st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_epig_and_error_reduction_by_brute_force(draws, seed):
    targets = dirichlet_draws(seed, len(draws), 3, draws.shape[2])
    utility = epig(draws, targets)
    assert (utility >= 0).all()
    np.testing.assert_allclose(utility, epig_by_hand(draws, targets), atol=1e-9)
    for loss in ("binary", "log"):
        np.testing.assert_allclose(
            error_reduction(draws, targets, loss=loss),
            error_by_hand(draws, targets, loss),
            atol=1e-9,
        )
    # the entropy that a label takes away is what it tells
    before = entropy(targets).mean()
    np.testing.assert_allclose(
        before + error_reduction(draws, targets, loss="log"), utility, atol=1e-9
    )


@given(draws_strategy, st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter(draws, seed):
    rng = np.random.RandomState(seed)
    targets = dirichlet_draws(seed, len(draws), 4, draws.shape[2])
    by_draw, by_row, by_class = (rng.permutation(size) for size in draws.shape)
    for function in (epig, error_reduction):
        expected = function(draws, targets)
        np.testing.assert_allclose(
            function(draws[by_draw], targets[by_draw][:, ::-1]), expected, atol=1e-12
        )
        np.testing.assert_allclose(
            function(draws[:, :, by_class], targets[:, :, by_class]), expected, atol=1e-12
        )
        np.testing.assert_allclose(
            function(draws[:, by_row], targets), expected[by_row], atol=1e-12
        )


def test_identical_draws_tell_nothing():
    draws = np.repeat(dirichlet_draws(0, 1, 5, 3), 4, axis=0)
    np.testing.assert_allclose(epig(draws, draws), 0, atol=1e-12)
    expected = -(1 - draws[0].max(axis=1)).mean()
    np.testing.assert_allclose(error_reduction(draws), np.full(5, expected))


def test_epig_values_what_matters_elsewhere_bald_what_does_not():
    # row 0 settles the target, row 1 is at odds about something else
    draws = np.zeros((4, 2, 2))
    draws[:, 0] = np.eye(2)[[0, 0, 1, 1]]
    draws[:, 1] = np.eye(2)[[0, 1, 0, 1]]
    np.testing.assert_allclose(bald(draws), np.log(2))
    np.testing.assert_allclose(epig(draws, draws[:, [0]]), [np.log(2), 0], atol=1e-12)


@given(draws_strategy)
@settings(max_examples=40, deadline=None)
def test_entropy_is_what_is_known_and_what_is_not(draws):
    np.testing.assert_allclose(
        expected_entropy(draws), scipy_entropy(draws, axis=-1).mean(axis=0), atol=1e-12
    )
    np.testing.assert_allclose(expected_entropy(draws) + bald(draws), entropy(draws), atol=1e-9)


def test_checks_of_targets():
    draws = dirichlet_draws(0, 3, 4, 2)
    for function in (epig, error_reduction):
        with pytest.raises(ValueError, match=f"{function.__name__} .*there is 1 draw"):
            function(draws[:1], draws[:1])
        with pytest.raises(ValueError, match="of the same draws; there are 3 and 2"):
            function(draws, draws[:2])
        with pytest.raises(ValueError, match="target_draws has 0 rows"):
            function(draws, draws[:, :0])
    with pytest.raises(ValueError, match="loss='hinge' must be 'binary' or 'log'"):
        error_reduction(draws, loss="hinge")


@pytest.mark.parametrize("name", ["epig", "error_reduction"])
def test_a_learner_with_targets_of_its_pool(name):
    members = [
        ActiveLearner(LogisticRegression(C=c, max_iter=500), None, X[::15], Y[::15])
        for c in (0.01, 1.0, 100.0)
    ]
    committee = Committee(members, acquisition=name, random_state=0)
    *_, metrics = committee.query(X, n_instances=5, return_metrics=True)
    draws = committee.sample_proba(X)  # the pool is smaller than the number of targets
    expected = {"epig": epig, "error_reduction": error_reduction}[name](draws, draws)
    np.testing.assert_allclose(metrics, np.sort(expected)[::-1][:5], rtol=1e-9)


# -- values of a regression -----------------------------------------------------------------------

VALUES = np.array([[0.0, 1.0, 5.0], [2.0, 1.5, 5.0]])


def test_values_by_hand():
    np.testing.assert_allclose(variance(VALUES), [1, 1 / 16, 0])
    np.testing.assert_allclose(expected_improvement(VALUES, 1.0), [0.5, 0.25, 4])
    np.testing.assert_allclose(expected_improvement(VALUES, 1.0, tradeoff=0.5), [0.25, 0, 3.5])
    np.testing.assert_allclose(
        expected_improvement(VALUES, 1.25, maximize=False), [0.625, 0.125, 0]
    )
    np.testing.assert_allclose(probability_of_improvement(VALUES, 1.0), [0.5, 0.5, 1])
    np.testing.assert_allclose(probability_of_improvement(VALUES, 1.0, maximize=False), [0.5, 0, 0])
    np.testing.assert_allclose(confidence_bound(VALUES, beta=2), [3, 1.75, 5])
    np.testing.assert_allclose(confidence_bound(VALUES, beta=2, maximize=False), [1, -0.75, -5])
    picked = {tuple(thompson(VALUES, random_state=seed)) for seed in range(20)}
    assert picked == {(0, 1, 5), (2, 1.5, 5)}
    assert tuple(-thompson(VALUES, maximize=False, random_state=3)) in picked


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_a_minimum_is_a_maximum_of_the_negative(seed):
    values = np.random.RandomState(seed).normal(size=(6, 9))
    best = values.mean()
    for function in (expected_improvement, probability_of_improvement):
        np.testing.assert_allclose(
            function(values, best, maximize=False), function(-values, -best), atol=1e-12
        )
    for function in (confidence_bound, thompson):
        seeded = {"random_state": 0} if function is thompson else {}
        np.testing.assert_allclose(
            function(values, maximize=False, **seeded), function(-values, **seeded)
        )


def test_many_gaussian_draws_give_the_gaussian_formula():
    values = np.random.RandomState(0).normal(0.3, 0.8, size=(400_000, 1))
    z = (0.3 - 1.0) / 0.8
    expected = 0.8 * (z * norm.cdf(z) + norm.pdf(z))
    # standard error 2.5e-4
    assert expected_improvement(values, 1.0)[0] == pytest.approx(expected, abs=1e-3)


def test_the_logarithm_of_the_improvement_never_underflows():
    z = np.array([-0.5, -0.99, -1.01, -5.0, -30.0])
    log_h = np.log(norm.pdf(z) + z * norm.cdf(z))
    ours = log_expected_improvement(z, np.ones(5))
    # up to a constant; the naive formula has lost its digits at -30 already
    np.testing.assert_allclose(np.diff(ours)[:3], np.diff(log_h)[:3], rtol=1e-6)
    far = log_expected_improvement(-np.logspace(0, 8, 50), np.ones(50))
    assert np.isfinite(far).all() and (np.diff(far) < 0).all() and (far <= 0).all()
    # h(z) = phi(z) / z^2 far out
    a, b = log_expected_improvement(np.array([-2e3, -3e3]), np.ones(2))
    expected = norm.logpdf(-2e3) - 2 * np.log(2e3) - norm.logpdf(-3e3) + 2 * np.log(3e3)
    assert a - b == pytest.approx(expected, rel=1e-6)
    assert (log_expected_improvement([-1.0, -2.0], [0.0, 0.0])[:1] >= -1e300).all()


def test_a_collapsed_ensemble_says_so_and_still_has_an_order():
    values = np.array([[0.0, 0.5, 0.5, 0.2], [0.0, 0.5, 0.6, 0.2]])
    with pytest.warns(ConvergenceWarning, match="collapsed: none of its 2 draws improves"):
        utilities = expected_improvement(values, 1.0)
    # spread first, then nearness
    assert np.argsort(-utilities)[:2].tolist() == [2, 1]
    assert np.isfinite(utilities).all()


class Members(RegressorMixin, BaseEstimator):
    """Three lines through the mean, of different slopes."""

    def __init__(self, spread=1.0):
        self.spread = spread

    def fit(self, X, y):
        self.mean_ = np.mean(y)
        return self

    def sample_mean(self, X):
        slopes = self.spread * np.array([-1.0, 0.0, 2.0])
        return self.mean_ + slopes[:, np.newaxis] * np.asarray(X)[:, 0]

    def predict(self, X):
        return self.sample_mean(X).mean(axis=0)


def test_an_optimizer_of_an_ensemble_is_exact():
    rows = np.linspace(0, 1, 11).reshape(-1, 1)
    for maximize, best in [(True, 2.0), (False, 0.5)]:
        for asks in ({}, {"acquisition": "expected_improvement"}, {"query_strategy": max_EI}):
            optimizer = BayesianOptimizer(
                Members(), X_training=rows[:2], y_training=[0.5, 2.0], maximize=maximize, **asks
            )
            *_, metrics = optimizer.query(rows, n_instances=1, return_metrics=True)
            values = optimizer.estimator.sample_mean(rows)
            gains = np.maximum(values - best if maximize else best - values, 0)
            assert metrics[0] == pytest.approx(gains.mean(axis=0).max())
    optimizer = BayesianOptimizer(
        Members(0.1), X_training=rows[:2], y_training=[0.0, 9.0], random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="collapsed"):
        indices, _ = optimizer.query(rows, n_instances=2)
    assert indices.tolist() == [10, 9]
    seen = set()
    for seed in range(20):
        asked = BayesianOptimizer(
            Members(), None, rows, rows[:, 0], acquisition="thompson", random_state=seed
        )
        seen.add(int(asked.query(rows)[0][0]))
    assert {0, 10} <= seen  # of the falling and of the rising line
    asked = ActiveLearner(Members(), None, rows, rows[:, 0])  # spread, by default
    assert asked.query(rows, n_instances=1)[0].tolist() == [10]


def test_optimizing_names_are_for_optimizers():
    for name in ("expected_improvement", "thompson", "confidence_bound"):
        with pytest.raises(ValueError, match=f"acquisition='{name}' seeks .* for a BayesianOptim"):
            ActiveLearner(Members(), acquisition=name)
    with pytest.raises(TypeError, match="acquisition='variance' needs draws"):
        ActiveLearner(
            GaussianProcessRegressor(optimizer=None), None, X, Y, acquisition="variance"
        ).query(X)
    with pytest.raises(TypeError, match="acquisition='thompson' needs draws of the function"):
        BayesianOptimizer(
            LogisticRegression(max_iter=500), None, X, Y, acquisition="thompson"
        ).query(X)
    with pytest.raises(ValueError, match="maximize='up' must be True or False"):
        BayesianOptimizer(Members(), maximize="up")


@pytest.mark.parametrize("function", [variance, confidence_bound, thompson])
def test_values_that_are_none(function):
    with pytest.raises(ValueError, match=r"shape \(draws, rows\).*got shape \(3,\)"):
        function([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="nan or infinity"):
        function([[1.0, np.nan], [0.0, 1.0]])
    with pytest.raises(ValueError, match="variance .*there is 1 draw"):
        variance([[1.0]])


# -- combinations ---------------------------------------------------------------------------------


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0.1, 5), min_size=3, max_size=3),
)
@settings(max_examples=50, deadline=None)
def test_combinations_are_associative(seed, weights):
    draws = dirichlet_draws(seed, 3, 6, 3)
    parts = [bald, entropy, expected_entropy]
    for make, name in ((make_linear_combination, "weights"), (make_product, "exponents")):
        whole = make(*parts, **{name: weights})(draws)
        nested = make(make(*parts[:2], **{name: weights[:2]}), parts[2], **{name: [1, weights[2]]})(
            draws
        )
        other = make(parts[0], make(*parts[1:], **{name: weights[1:]}), **{name: [weights[0], 1]})(
            draws
        )
        np.testing.assert_allclose(nested, whole, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(other, whole, rtol=1e-9, atol=1e-15)


def test_weighting():
    utilities, density, cost = np.random.RandomState(0).rand(3, 20) + 0.1
    twice = density_weighted(density_weighted(utilities, density), density)
    np.testing.assert_allclose(twice, density_weighted(utilities, density, beta=2))
    np.testing.assert_array_equal(density_weighted(utilities, density, beta=0), utilities)
    # in either order
    np.testing.assert_allclose(
        cost_weighted(density_weighted(utilities, density), cost),
        density_weighted(cost_weighted(utilities, cost), density),
    )
    for function, name in ((density_weighted, "density"), (cost_weighted, "cost")):
        with pytest.raises(ValueError, match="utilities must not be negative.*add a constant"):
            function(-utilities, density)
        with pytest.raises(ValueError, match=f"utilities has 20 rows and {name} 3"):
            function(utilities, density[:3])
    with pytest.raises(ValueError, match="cost must be positive; the least is 0"):
        cost_weighted([1.0], [0.0])


def test_density_weighting_in_a_strategy():
    strategy = make_product(classifier_uncertainty, lambda learner, X: information_density(X))
    model = LogisticRegression(max_iter=500).fit(X, Y)
    expected = density_weighted(classifier_uncertainty(model, X), information_density(X))
    np.testing.assert_allclose(strategy(model, X), expected)
