"""Picture of the coverage of a regressor's intervals, in scikit-learn's Display style."""

from typing import Any

import numpy as np

from skbayes._sklearn import check_sample_weight
from skbayes.metrics._checks import check_levels
from skbayes.metrics._displays import axes_and_figure, draw_diagonal, label_with_error
from skbayes.metrics._intervals import observed_coverage
from skbayes.metrics._predictions import LEVELS, predict_intervals

#: Standard errors on either side of the diagonal that the band spans.
BAND = 2


class CoverageDisplay:
    r"""Coverage of a regressor's intervals: observed against expected.

    Made by :meth:`from_estimator` or :meth:`from_predictions`. Below the diagonal intervals are too
    narrow (overconfident), above it too wide. Around the diagonal, a band of two standard errors of
    a share of as many independent rows: what lies inside it is as good as calibrated.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        Coverage that the intervals were made for.
    observed : ndarray of shape (n_levels,)
        Share of observations inside.
    n_samples : float, default=None
        Number of rows, for the band; without it there is none. Of weighted rows the effective
        number :math:`(\sum w)^2 / \sum w^2`.
    estimator_name : str, default=None
        Name in the legend.

    Attributes
    ----------
    regression_calibration_error : float
        Mean absolute difference, see :func:`regression_calibration_error`.
    line_ : matplotlib Line2D
        Observed coverage.
    band_ : matplotlib PolyCollection or None
        Band around the diagonal.
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    ReliabilityDisplay : The same question to a classifier.

    References
    ----------
    Kuleshov, Fenner, Ermon (2018), *Accurate uncertainties for deep learning using calibrated
    regression*, ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import BayesianRidge
    >>> from sklearn.model_selection import train_test_split
    >>> from skbayes.metrics import CoverageDisplay
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     *load_diabetes(return_X_y=True), random_state=0
    ... )
    >>> reg = BayesianRidge().fit(X_train, y_train)
    >>> display = CoverageDisplay.from_estimator(reg, X_test, y_test)
    >>> round(display.regression_calibration_error, 2)
    0.02
    """

    def __init__(
        self,
        levels: np.ndarray,
        observed: np.ndarray,
        *,
        n_samples: float | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.levels = levels
        self.observed = observed
        self.n_samples = n_samples
        self.estimator_name = estimator_name
        self.regression_calibration_error = float(np.abs(observed - levels).mean())

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        levels: Any = LEVELS,
        sample_weight: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "CoverageDisplay":
        """Draw the coverage of a fitted regressor's intervals.

        Parameters
        ----------
        estimator : object
            Fitted regressor with ``predict_interval(X, coverage=...)``; failing that one whose
            ``predict`` takes ``return_std``, whose intervals are a Gaussian's; or a Pipeline,
            search, FrozenEstimator or learner around one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            Observations.
        levels : array-like of shape (n_levels,), default=(0.1, 0.2, ..., 0.9)
            Coverage of the intervals to ask for.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        name : str, default=None
            Name in the legend; that of the estimator's class by default.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        CoverageDisplay

        Raises
        ------
        TypeError
            If the estimator gives neither intervals nor a standard deviation.
        ValueError
            If a parameter or an array is not allowed.
        """
        levels = check_levels(levels)
        lower, upper = predict_intervals(estimator, X, levels)
        return cls.from_predictions(
            y,
            lower,
            upper,
            levels=levels,
            sample_weight=sample_weight,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        lower: Any,
        upper: Any,
        *,
        levels: Any,
        sample_weight: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "CoverageDisplay":
        """Draw the coverage of intervals.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Observations.
        lower, upper : array-like of shape (n_levels, n_samples)
            Ends of the intervals, for every level.
        levels : array-like of shape (n_levels,)
            Coverage that the intervals were made for.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        CoverageDisplay

        Raises
        ------
        ValueError
            If a parameter or an array is not allowed.
        """
        levels, observed = observed_coverage(y_true, lower, upper, levels, sample_weight)
        weight = check_sample_weight(sample_weight, y_true)
        order = np.argsort(levels)
        return cls(
            levels[order],
            observed[order],
            n_samples=float(weight.sum() ** 2 / (weight**2).sum()),
            estimator_name=name,
        ).plot(ax=ax, **kwargs)

    def plot(
        self, *, ax: Any = None, name: str | None = None, band: bool = True, **kwargs: Any
    ) -> "CoverageDisplay":
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default. The diagonal and the band are drawn once only.
        name : str, default=None
            Name in the legend; ``estimator_name`` by default.
        band : bool, default=True
            Whether to draw the band, if ``n_samples`` is known.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        CoverageDisplay
            This object, with what was drawn.
        """
        self.ax_, self.figure_ = axes_and_figure(ax)
        first = draw_diagonal(self.ax_)
        self.band_ = None
        if band and first and self.n_samples is not None:
            grid = np.linspace(0, 1, 201)
            reach = BAND * np.sqrt(grid * (1 - grid) / self.n_samples)
            self.band_ = self.ax_.fill_between(
                grid,
                np.maximum(grid - reach, 0),
                np.minimum(grid + reach, 1),
                color="tab:gray",
                alpha=0.25,
                linewidth=0,
                label=f"± {BAND} standard errors",
            )
        name = self.estimator_name if name is None else name
        error = f"error = {self.regression_calibration_error:.3f}"
        style = {
            "marker": "o",
            "markersize": 4,
            "label": label_with_error(name, error),
        }
        (self.line_,) = self.ax_.plot(self.levels, self.observed, **{**style, **kwargs})
        self.ax_.set(
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
            xlabel="Expected coverage",
            ylabel="Observed coverage",
        )
        self.ax_.legend(loc="lower right", fontsize="small")
        return self
