"""Diagnostics against ArviZ's, and the export to it."""

import builtins
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes.diagnostics import chain_diagnostics, ess, mcse, rhat, to_arviz

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # version 0.23 announces version 1, once a day
    az = pytest.importorskip("arviz", reason="compares with ArviZ, which is optional")

RHATS = ["rank", "z_scale", "folded", "split", "identity"]
#: The quantiles of "tail" and "median" are rounded by ArviZ 0 where draws tie with them
ESSES = ["bulk", "mean", "sd", "identity"]


def of_arviz(function, x, method):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return float(function(np.ascontiguousarray(x, dtype=float), method=method))


def assert_as_arviz(x, esses=ESSES):
    for method in RHATS:
        expected = of_arviz(az.rhat, x, method)
        np.testing.assert_allclose(rhat(x, method), expected, rtol=1e-6, err_msg=method)
    for method in esses:
        expected = of_arviz(az.ess, x, method)
        np.testing.assert_allclose(ess(x, method), expected, rtol=1e-6, err_msg=method)
    np.testing.assert_allclose(mcse(x), of_arviz(az.mcse, x, "mean"), rtol=1e-6, atol=1e-15)


def sizes(min_chains=2):
    return st.tuples(st.integers(min_chains, 5), st.integers(4, 25))  # odd numbers of draws too


@given(npst.arrays(np.float64, sizes(), elements=st.floats(-100, 100, width=32)))
def test_as_arviz(x):
    assert_as_arviz(x)


@given(npst.arrays(np.int64, sizes(), elements=st.integers(0, 3)))
def test_as_arviz_with_ties(x):
    assert_as_arviz(x)
    # with numpy's quantiles, as in ArviZ 1
    tails = [of_arviz(az.ess, x <= np.quantile(x, level), "mean") for level in (0.05, 0.95)]
    assert ess(x, "tail") == pytest.approx(min(tails), rel=1e-6)
    median = of_arviz(az.ess, x <= np.quantile(x, 0.5), "mean")
    assert ess(x, "median") == pytest.approx(median, rel=1e-6)


@given(sizes(), st.floats(-0.9, 0.95), st.booleans(), st.integers(0, 2**32 - 1))
def test_as_arviz_on_autoregressive_chains(size, rho, shifted, seed):
    x = np.random.RandomState(seed).normal(size=size)
    for t in range(1, size[1]):
        x[:, t] += rho * x[:, t - 1]
    x[0] += 3 * shifted
    # else some quantile is a draw, but for rounding
    between = x.size % 20 != 1 and x.size % 2 == 0
    assert_as_arviz(x, [*ESSES, "tail", "median"] if between else ESSES)


@given(
    npst.arrays(
        np.float64,
        sizes(),
        elements=st.sampled_from([0.0, 1.0, 1.0, 2.5, 2.5, 4.0, np.inf, -np.inf, np.nan]),
    )
)
def test_as_arviz_with_values_that_are_not_finite(x):
    assert_as_arviz(x)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_as_arviz_on_constants(value):
    x = np.full((4, 11), value)
    for method in ("rank", "z_scale", "folded"):
        assert np.isnan(of_arviz(az.rhat, x, method))
        assert np.isnan(rhat(x, method))
    for method in [*ESSES, "tail", "median"]:
        assert ess(x, method) == of_arviz(az.ess, x, method)
    assert ess(x) == 40  # the halves leave the middle draw out


def test_as_arviz_on_chains_that_stand_still():
    x = np.repeat([[0.0], [1.0], [2.0]], 10, axis=1)
    assert_as_arviz(x)


@pytest.mark.parametrize("shape", [(1, 50), (1, 7), (2, 3), (1, 3)])
def test_as_arviz_with_too_little(shape):
    assert_as_arviz(np.random.RandomState(0).normal(size=shape))


def test_as_arviz_on_float32():
    # computed in float64 here, whatever comes in
    assert_as_arviz(np.random.RandomState(0).normal(size=(4, 100)).astype(np.float32))


# -- export ----------------------------------------------------------------------------------------


class Sampler(BaseEstimator):
    """Four chains of six draws."""

    def __init__(self, thinning=1):
        self.thinning = thinning

    def fit(self, X, y=None):
        rng = np.random.RandomState(0)
        self.n_chains_ = 4
        self.classes_ = np.array(["no", "yes"])
        self.proba_ = rng.uniform(size=24)
        self.history_ = {
            "energy": rng.normal(size=(10, 4)),  # four of warm-up
            "acceptance_rate": rng.uniform(size=(6, 4)),
            "diverging": np.zeros((10, 4), dtype=bool),
            "train_loss": rng.normal(size=10),
            "step_size": rng.normal(size=10),
            "lp": rng.normal(size=(5, 4)),
            "n_steps": rng.normal(size=(10, 3)),
            "surprise": rng.normal(size=(10, 4)),
        }
        return self

    def sample_proba(self, X):
        yes = np.clip(self.proba_[:, None] + X[:, 0] / 100, 0, 1)
        return np.stack([1 - yes, yes], axis=-1)


class Regressor(Sampler):
    sample_proba = None

    def __getattribute__(self, name):
        if name == "sample_proba":
            raise AttributeError(name)
        return super().__getattribute__(name)

    def sample_mean(self, X):
        return self.proba_[:, None] + X[:, 0]


X = np.linspace(0, 1, 5)[:, None]


def test_export_of_a_classifier():
    clf = Sampler().fit(X)
    exported = to_arviz(clf, X)
    proba = exported.posterior["proba"]
    assert proba.dims == ("chain", "draw", "row", "class")
    np.testing.assert_array_equal(proba.values, clf.sample_proba(X).reshape(4, 6, 5, 2))
    assert proba.coords["class"].values.tolist() == ["no", "yes"]
    assert proba.coords["row"].values.tolist() == [0, 1, 2, 3, 4]
    second = proba.sel(chain=1, draw=0, row=0)
    assert float(second.sel({"class": "yes"})) == clf.proba_[6]  # chain after chain


def test_export_of_a_regressor_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), Regressor()).fit(X)
    mean = to_arviz(pipeline, X).posterior["mean"]
    assert mean.dims == ("chain", "draw", "row")
    scaled = pipeline[0].transform(X)
    np.testing.assert_array_equal(mean.values, pipeline[1].sample_mean(scaled).reshape(4, 6, 5))


def test_statistics_are_those_of_the_draws():
    clf = Sampler().fit(X)
    stats = to_arviz(clf, X).sample_stats
    assert set(stats.data_vars) == {"energy", "acceptance_rate", "diverging"}
    assert stats["energy"].dims == ("chain", "draw")
    np.testing.assert_array_equal(stats["energy"].values, clf.history_["energy"][4:].T)
    np.testing.assert_array_equal(
        stats["acceptance_rate"].values.T, clf.history_["acceptance_rate"]
    )
    assert stats["diverging"].dtype == bool


def test_thinned_chains_have_statistics_only_draw_by_draw():
    stats = to_arviz(Sampler(thinning=2).fit(X), X).sample_stats
    assert set(stats.data_vars) == {"acceptance_rate"}


def test_without_statistics_there_is_no_group():
    clf = Sampler().fit(X)
    clf.history_ = {"train_loss": np.zeros(10)}
    assert not hasattr(to_arviz(clf, X), "sample_stats")
    del clf.history_
    assert not hasattr(to_arviz(clf, X), "sample_stats")


def test_more_chains_than_draws_are_no_mistake():
    clf = Sampler().fit(X)
    clf.n_chains_ = 12
    assert dict(to_arviz(clf, X).posterior["proba"].sizes)["chain"] == 12


def test_summary_of_the_export_is_that_of_the_chains():
    clf = Sampler().fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = az.rhat(to_arviz(clf, X))
    np.testing.assert_allclose(found["proba"].values, chain_diagnostics(clf, X).rhat, rtol=1e-6)


def test_export_refuses_what_the_diagnostics_refuse():
    with pytest.raises(NotFittedError):
        to_arviz(Sampler(), X)
    with pytest.raises(TypeError, match="no posterior draws"):
        to_arviz(StandardScaler().fit(X), X)


def test_without_arviz_the_export_says_what_to_install(monkeypatch):
    find = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.split(".")[0] == "arviz":
            raise ModuleNotFoundError("No module named 'arviz'", name="arviz")
        return find(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r'pip install "skbayes\[arviz\]"'):
        to_arviz(Sampler().fit(X), X)
