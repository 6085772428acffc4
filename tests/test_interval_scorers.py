"""Scorers and the display of predictive intervals and moments."""

import pickle

import matplotlib
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import BayesianRidge, LinearRegression
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import SGLDRegressor
from skbayes.metrics import (
    CoverageDisplay,
    crps_ensemble,
    crps_gaussian,
    crps_gaussian_scorer,
    gaussian_nll,
    gaussian_nll_scorer,
    interval_coverage,
    interval_coverage_scorer,
    interval_score,
    interval_score_scorer,
    interval_width,
    interval_width_scorer,
    make_interval_scorers,
    regression_calibration_error,
    regression_calibration_error_scorer,
)

matplotlib.use("Agg")

LEVELS = np.arange(1, 10) / 10
X, Y = (part[:150] for part in load_diabetes(return_X_y=True))

SCORERS = {
    "nll": gaussian_nll_scorer,
    "crps": crps_gaussian_scorer,
    "calibration": regression_calibration_error_scorer,
    **make_interval_scorers(0.8),
}


class Intervals(RegressorMixin, BaseEstimator):
    """Intervals alone, that are not those of a Gaussian."""

    def fit(self, X, y):
        self.y_ = np.sort(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.y_.mean())

    def predict_interval(self, X, coverage=0.9):
        ends = np.quantile(self.y_, [(1 - coverage) / 2, (1 + coverage) / 2])
        return tuple(np.full(len(X), end) for end in ends)


def gaussian_process():
    return GaussianProcessRegressor(RBF(3.0) + WhiteKernel(0.5), optimizer=None, normalize_y=True)


@pytest.mark.parametrize("regressor", [BayesianRidge(), gaussian_process()], ids=["ridge", "gp"])
def test_scorers_of_moments(regressor):
    pipeline = make_pipeline(StandardScaler(), regressor).fit(X[:100], Y[:100])
    rows, y = X[100:], Y[100:]
    mean, std = pipeline.predict(rows, return_std=True)
    lower, upper = norm.interval(0.8, mean, std)
    all_ends = norm.interval(LEVELS[:, None], mean, std)
    expected = {
        "nll": norm.logpdf(y, mean, std).mean(),
        "crps": -crps_gaussian(y, mean, std),
        "calibration": -regression_calibration_error(y, *all_ends, levels=LEVELS),
        "interval_coverage": interval_coverage(y, lower, upper),
        "interval_width": -interval_width(lower, upper),
        "interval_score": -interval_score(y, lower, upper, coverage=0.8),
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), regressor), {}, cv=2).fit(
        X[:100], Y[:100]
    )
    for fitted in (pipeline, search, FrozenEstimator(pipeline), make_pipeline(pipeline)):
        for name, scorer in SCORERS.items():
            assert scorer(fitted, rows, y) == pytest.approx(expected[name]), name
            assert pickle.loads(pickle.dumps(scorer))(fitted, rows, y) == scorer(fitted, rows, y)


def test_scorers_in_cross_validation_and_searches():
    pipeline = make_pipeline(StandardScaler(), BayesianRidge())
    scores = cross_validate(pipeline, X, Y, cv=3, scoring=SCORERS)
    assert abs(scores["test_interval_coverage"].mean() - 0.8) < 0.1
    for name in SCORERS:
        assert np.isfinite(scores[f"test_{name}"]).all()
    # noise that is far off is seen by every proper score; by R^2 it is not
    kernels = [RBF(3.0) + WhiteKernel(noise) for noise in (0.5, 50.0)]
    for scorer in (gaussian_nll_scorer, crps_gaussian_scorer, interval_score_scorer):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), gaussian_process()),
            {"gaussianprocessregressor__kernel": kernels},
            scoring=scorer,
            cv=3,
        ).fit(X, Y)
        assert search.best_index_ == 0
        assert search.score(X, Y) == scorer(search.best_estimator_, X, Y)
    # nested: the outer scores ask the search
    assert np.isfinite(cross_val_score(search, X, Y, cv=2, scoring=gaussian_nll_scorer)).all()


def test_intervals_of_the_estimator_come_first():
    fitted = make_pipeline(StandardScaler(), Intervals()).fit(X, Y)
    for coverage, scorers in ((0.9, None), (0.5, make_interval_scorers(0.5))):
        ends = fitted[-1].predict_interval(X, coverage)
        width = scorers["interval_width"] if scorers else interval_width_scorer
        share = scorers["interval_coverage"] if scorers else interval_coverage_scorer
        score = scorers["interval_score"] if scorers else interval_score_scorer
        assert width(fitted, X, Y) == -interval_width(*ends)
        assert share(fitted, X, Y) == interval_coverage(Y, *ends)
        assert score(fitted, X, Y) == -interval_score(Y, *ends, coverage=coverage)
    # quantiles of the rows themselves
    error = -regression_calibration_error_scorer(fitted, X, Y, levels=[0.2, 0.6])
    assert error < 1 / len(Y) + 0.01
    with pytest.raises(TypeError, match="estimator=Pipeline gives no standard deviation"):
        gaussian_nll_scorer(fitted, X, Y)


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
def test_estimators_without_moments_are_refused(scorer):
    ridge = TransformedTargetRegressor(BayesianRidge(), transformer=StandardScaler())
    for regressor in (LinearRegression(), ridge):
        with pytest.raises(TypeError, match=r"estimator=.* gives no standard deviation"):
            scorer(regressor.fit(X, Y), X, Y)


def test_dummies_with_moments_score():
    dummy = DummyRegressor().fit(X, Y)  # its predict takes return_std, and says 0
    assert crps_gaussian_scorer(dummy, X, Y) == pytest.approx(
        -mean_absolute_error(Y, [Y.mean()] * 150)
    )
    with pytest.raises(ValueError, match="std must be positive"):
        gaussian_nll_scorer(dummy, X, Y)


def test_our_own_regressor_behind_a_pipeline():
    regressor = SGLDRegressor(n_chains=2, n_draws=4, n_warmup=20, random_state=0)
    fitted = make_pipeline(StandardScaler(), regressor).fit(X, Y)
    mean, std = fitted.predict(X, return_std=True)
    assert gaussian_nll_scorer(fitted, X, Y) == pytest.approx(-gaussian_nll(Y, mean, std))
    ends = fitted[-1].predict_interval(fitted[0].transform(X), coverage=0.9)
    assert interval_coverage_scorer(fitted, X, Y) == interval_coverage(Y, *ends)
    draws = fitted[-1].sample_y(fitted[0].transform(X), 200).T
    ours, exact = crps_ensemble(Y, draws, fair=True), crps_gaussian(Y, mean, std)
    assert ours == pytest.approx(exact, rel=0.05)


# -- picture ---------------------------------------------------------------------------------------


@pytest.fixture
def axes():
    import matplotlib.pyplot as plt

    yield plt.subplots()[1]
    plt.close("all")


def test_display_draws_the_coverage(axes):
    fitted = make_pipeline(StandardScaler(), BayesianRidge()).fit(X, Y)
    display = CoverageDisplay.from_estimator(fitted, X, Y, ax=axes, color="red")
    mean, std = fitted.predict(X, return_std=True)
    lower, upper = norm.interval(LEVELS[:, None], mean, std)
    observed = [interval_coverage(Y, *ends) for ends in zip(lower, upper, strict=True)]
    np.testing.assert_allclose(display.line_.get_xydata(), np.stack([LEVELS, observed], axis=1))
    error = regression_calibration_error(Y, lower, upper, levels=LEVELS)
    assert display.regression_calibration_error == pytest.approx(error)
    assert display.line_.get_color() == "red"
    assert display.n_samples == pytest.approx(len(Y))
    # the band in the middle
    reach = display.band_.get_paths()[0].vertices
    assert np.ptp(reach[reach[:, 0] == 0.5, 1]) == pytest.approx(4 * 0.5 / np.sqrt(len(Y)))
    # a second curve in the same axes: one diagonal, one band
    other = CoverageDisplay.from_predictions(
        Y, lower[::-1], upper[::-1], levels=LEVELS[::-1], ax=axes, name="B", sample_weight=Y
    )
    assert other.ax_ is axes
    assert other.band_ is None
    assert (np.diff(other.levels) > 0).all()
    assert other.n_samples == pytest.approx(Y.sum() ** 2 / (Y**2).sum())
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == [
        "Perfectly calibrated",
        "± 2 standard errors",
        f"Pipeline\n(error = {error:.3f})",
        f"B\n(error = {other.regression_calibration_error:.3f})",
    ]
    axes.figure.canvas.draw()


def test_display_of_arrays(axes):
    display = CoverageDisplay(LEVELS, LEVELS - 0.05).plot()
    assert display.band_ is None
    assert display.ax_ is not axes
    assert display.regression_calibration_error == pytest.approx(0.05)
    assert display.line_.get_label() == "error = 0.050"
