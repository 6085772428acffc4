"""Convergence diagnostics and distances: closed forms, invariances, other programs' results."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import SGLDClassifier
from skbayes.active import ActiveLearner
from skbayes.diagnostics import (
    ChainDiagnostics,
    agreement,
    chain_diagnostics,
    ess,
    mcse,
    rhat,
    total_variation,
    wasserstein_distance,
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


class Chains(ClassifierMixin, BaseEstimator):
    """Random logits a draw; chain 0 may have weights of its own."""

    def __init__(self, n_chains=4, n_draws=60, shift=0.0, scale=1.0):
        self.n_chains = n_chains
        self.n_draws = n_draws
        self.shift = shift
        self.scale = scale

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_chains_ = self.n_chains
        size = (self.n_chains, self.n_draws, X.shape[1], len(self.classes_))
        weights = np.random.RandomState(0).normal(size=size) * self.scale
        weights[0, ..., 0] += self.shift
        self.weights_ = weights.reshape(-1, *size[2:])  # chain-major
        return self

    def sample_proba(self, X):
        odds = np.exp(X @ self.weights_)  # (draws, rows, classes)
        return odds / odds.sum(axis=-1, keepdims=True)

    def predict_proba(self, X):
        return self.sample_proba(X).mean(axis=0)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class RegressionChains(RegressorMixin, BaseEstimator):
    def __init__(self, n_chains=2, n_draws=50):
        self.n_chains = n_chains
        self.n_draws = n_draws

    def fit(self, X, y):
        self.n_chains_ = self.n_chains
        size = (self.n_chains * self.n_draws, X.shape[1])
        self.weights_ = np.random.RandomState(0).normal(size=size)
        return self

    def sample_mean(self, X):
        return self.weights_ @ X.T

    def predict(self, X):
        return self.sample_mean(X).mean(axis=0)


@pytest.fixture(scope="module")
def data():
    X = np.random.RandomState(1).normal(3, 2, size=(40, 2))
    return X, np.array(["a", "b", "c"])[np.arange(40) % 3]


# -- R-hat and effective sample size ---------------------------------------------------------------


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


# -- diagnostics of an estimator -------------------------------------------------------------------


def test_classifier(data):
    X, y = data
    clf = Chains().fit(X, y)
    found = chain_diagnostics(clf, X[:7])
    draws = clf.sample_proba(X[:7]).reshape(4, 60, 7, 3)
    assert isinstance(found, ChainDiagnostics)
    assert (found.n_chains, found.n_draws) == (4, 60)
    np.testing.assert_array_equal(found.rhat, rhat(draws))
    np.testing.assert_array_equal(found.ess_bulk, ess(draws))
    np.testing.assert_array_equal(found.ess_tail, ess(draws, "tail"))
    assert found.max_rhat == found.rhat.max() < 1.05
    assert found.min_ess_bulk == found.ess_bulk.min()
    assert found.min_ess_tail == found.ess_tail.min()


def test_our_own_sampler(data):
    X, y = data
    clf = SGLDClassifier((5,), n_chains=3, n_draws=8, n_warmup=20, thinning=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so short a run may not have mixed
        pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    found = chain_diagnostics(pipeline, X)
    draws = pipeline[-1].sample_proba(pipeline[0].transform(X))
    np.testing.assert_array_equal(found.rhat, rhat(draws.reshape(3, 8, 40, 3)))
    # chain after chain: cut elsewhere, the same draws would seem to agree
    mixed = np.stack([draws[chain::3] for chain in range(3)])
    assert found.max_rhat > rhat(mixed).max()


def test_draws_are_chain_major(data):
    X, y = data
    found = chain_diagnostics(Chains(shift=5.0).fit(X, y), X)
    assert found.max_rhat > 1.2


def test_regressor(data):
    X, _ = data
    reg = RegressionChains().fit(X, X[:, 0])
    found = chain_diagnostics(reg, X)
    np.testing.assert_array_equal(found.rhat, rhat(reg.sample_mean(X).reshape(2, 50, 40)))
    assert found.rhat.shape == (40,)


def wrap(kind, clf, X, y):
    """Fitted, and what its innermost estimator sees of X."""
    if kind == "pipeline":
        wrapped = make_pipeline(StandardScaler(), clf).fit(X, y)
        return wrapped, wrapped[-1], wrapped[:-1].transform(X)
    if kind == "search":
        wrapped = GridSearchCV(clf, {"scale": [0.5, 1.0]}, cv=2).fit(X, y)
        return wrapped, wrapped.best_estimator_, X
    if kind == "search in pipeline":
        search = GridSearchCV(clf, {"scale": [0.5, 1.0]}, cv=2)
        wrapped = make_pipeline(StandardScaler(), search).fit(X, y)
        return wrapped, wrapped[-1].best_estimator_, wrapped[:-1].transform(X)
    if kind == "frozen":
        return FrozenEstimator(clf.fit(X, y)), clf, X
    wrapped = ActiveLearner(clf, X_training=X, y_training=y)
    return wrapped, wrapped.estimator, X


@pytest.mark.parametrize("kind", ["pipeline", "search", "search in pipeline", "frozen", "learner"])
def test_sampler_is_found_behind(kind, data):
    wrapped, inner, X = wrap(kind, Chains(), *data)
    expected = rhat(inner.sample_proba(X).reshape(4, 60, 40, 3))
    np.testing.assert_array_equal(chain_diagnostics(wrapped, data[0]).rhat, expected)


@pytest.mark.parametrize(
    "estimator",
    [
        Chains(),
        RegressionChains(),
        LogisticRegression(),
        make_pipeline(StandardScaler(), Chains()),
        GridSearchCV(Chains(), {"scale": [1.0]}),
        make_pipeline(StandardScaler(), GridSearchCV(Chains(), {"scale": [1.0]})),
        ActiveLearner(LogisticRegression()),
    ],
    ids=["classifier", "regressor", "other", "pipeline", "search", "nested", "learner"],
)
def test_estimator_that_is_not_fitted(estimator, data):
    with pytest.raises(NotFittedError):
        chain_diagnostics(estimator, data[0])


def test_estimator_without_draws_or_chains(data):
    X, y = data
    with pytest.raises(TypeError, match="estimator=LogisticRegression has no posterior draws"):
        chain_diagnostics(LogisticRegression().fit(X, y), X)
    with pytest.raises(TypeError, match="estimator=str has no posterior draws"):
        chain_diagnostics("sampler", X)
    ensemble = Chains().fit(X, y)
    del ensemble.n_chains_
    with pytest.raises(TypeError, match=r"Pipeline: the draws of Chains .* no n_chains_"):
        chain_diagnostics(make_pipeline(FrozenEstimator(StandardScaler().fit(X)), ensemble), X)


def test_chains_that_make_no_sense(data):
    X, y = data
    with pytest.raises(ValueError, match=r"Chains has 3 draws in each of 4 chains"):
        chain_diagnostics(Chains(n_draws=3).fit(X, y), X)
    clf = Chains().fit(X, y)
    clf.n_chains_ = 7
    with pytest.raises(ValueError, match="240 draws cannot be those of n_chains_=7"):
        chain_diagnostics(clf, X)
    for wrong in (0, 2.0, True):
        clf.n_chains_ = wrong
        with pytest.raises(ValueError, match=f"n_chains_={wrong!r} of Chains must be an integer"):
            chain_diagnostics(clf, X)
    clf.n_chains_ = 4
    clf.sample_proba = lambda X: np.zeros((240, len(X)))
    with pytest.raises(ValueError, match=r"shape \(240, 40\), it must be \(draws, rows, classes\)"):
        chain_diagnostics(clf, X)


def test_one_chain_has_no_rhat(data):
    X, y = data
    found = chain_diagnostics(Chains(n_chains=1).fit(X, y), X)
    assert np.isnan(found.max_rhat)
    assert found.min_ess_bulk == found.ess_bulk.min()
    assert str(found).startswith("1 chain of 60 draws, 40 rows of 3 classes: no R-hat")


def test_summaries_leave_nan_out():
    values = np.array([[np.nan, 1.5], [2.5, 2.0]])
    found = ChainDiagnostics(values, values + 1, values + 2, n_chains=4, n_draws=10)
    assert (found.max_rhat, found.min_ess_bulk, found.min_ess_tail) == (2.5, 2.5, 3.5)
    text = "4 chains of 10 draws, 2 rows of 2 classes: max R-hat 2.500, min ESS 2 (bulk), 4 (tail)"
    assert str(found) == text + " of 40"
    empty = ChainDiagnostics(*[np.full(3, np.nan)] * 3, n_chains=4, n_draws=10)
    assert np.isnan([empty.max_rhat, empty.min_ess_bulk, empty.min_ess_tail]).all()
    with pytest.raises(AttributeError):
        found.n_chains = 5


# -- distances from a reference --------------------------------------------------------------------

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
