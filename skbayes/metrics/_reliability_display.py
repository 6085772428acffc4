"""Picture of a classifier's calibration, in scikit-learn's Display style."""

from typing import Any

import numpy as np

from skbayes.metrics._calibration import reliability_bins
from skbayes.metrics._displays import axes_and_figure, draw_diagonal, label_with_error


class ReliabilityDisplay:
    """Reliability diagram of a classifier: accuracy against confidence, bin by bin.

    Made by :meth:`from_estimator` or :meth:`from_predictions`. A bar is as high as the rows of its
    bin are often right; what lacks to their mean confidence, or exceeds it, is hatched. The
    expected calibration error of the legend is the mean of these gaps over rows.

    Parameters
    ----------
    accuracy : ndarray of shape (n_bins,)
        Share of rows that are right.
    confidence : ndarray of shape (n_bins,)
        Mean probability of the most probable class.
    weight : ndarray of shape (n_bins,)
        Share of all rows, which sums to 1.
    edges : ndarray of shape (n_bins, 2)
        Where the bins begin and end.
    row_confidence : ndarray of shape (n_samples,), default=None
        Confidence of every row, for the histogram.
    row_weight : ndarray of shape (n_samples,), default=None
        Weight of every row in the histogram; all alike by default.
    estimator_name : str, default=None
        Name in the legend.

    Attributes
    ----------
    expected_calibration_error : float
        Mean gap; equal to :func:`expected_calibration_error` with the same bins.
    bars_, gaps_ : matplotlib BarContainer
        Accuracy and gaps.
    line_ : matplotlib Line2D
        A dot per bin, at its confidence and accuracy.
    ax_ : matplotlib Axes
        Axes with the diagram.
    ax_histogram_ : matplotlib Axes or None
        Axes with the histogram.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    CoverageDisplay : The same question to a regressor.
    sklearn.calibration.CalibrationDisplay : For the probability of one class of two.

    References
    ----------
    DeGroot, Fienberg (1983), *The comparison and evaluation of forecasters*, The Statistician 32.
    Guo, Pleiss, Sun, Weinberger (2017), *On calibration of modern neural networks*, ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.metrics import ReliabilityDisplay
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     *load_digits(return_X_y=True), random_state=0
    ... )
    >>> clf = GaussianNB().fit(X_train, y_train)
    >>> display = ReliabilityDisplay.from_estimator(clf, X_test, y_test)
    >>> round(display.expected_calibration_error, 2)  # far too sure
    0.15
    """

    def __init__(
        self,
        accuracy: np.ndarray,
        confidence: np.ndarray,
        weight: np.ndarray,
        edges: np.ndarray,
        *,
        row_confidence: np.ndarray | None = None,
        row_weight: np.ndarray | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.accuracy = accuracy
        self.confidence = confidence
        self.weight = weight
        self.edges = edges
        self.row_confidence = row_confidence
        self.row_weight = row_weight
        self.estimator_name = estimator_name
        self.expected_calibration_error = float(weight @ np.abs(accuracy - confidence))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_bins: int = 15,
        strategy: str = "quantile",
        sample_weight: Any = None,
        name: str | None = None,
        ax: Any = None,
        histogram: bool = False,
        **kwargs: Any,
    ) -> "ReliabilityDisplay":
        """Draw the diagram of a fitted classifier.

        Parameters
        ----------
        estimator : object
            Fitted classifier with ``predict_proba``, or a Pipeline or search around one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            True labels.
        n_bins : int, default=15
            Number of bins.
        strategy : {"quantile", "uniform"}, default="quantile"
            Bins of equal mass or of equal width, see :func:`expected_calibration_error`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        name : str, default=None
            Name in the legend; that of the estimator's class by default.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        histogram : bool, default=False
            Whether to draw a histogram of the confidence above.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.bar` for the bars of accuracy.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        TypeError
            If the estimator has no ``predict_proba``.
        ValueError
            If a parameter or an array is not allowed.
        """
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"estimator={type(estimator).__name__} must be a classifier with predict_proba"
            )
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            n_bins=n_bins,
            strategy=strategy,
            labels=estimator.classes_,
            sample_weight=sample_weight,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            histogram=histogram,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_proba: Any,
        *,
        n_bins: int = 15,
        strategy: str = "quantile",
        labels: Any = None,
        sample_weight: Any = None,
        name: str | None = None,
        ax: Any = None,
        histogram: bool = False,
        **kwargs: Any,
    ) -> "ReliabilityDisplay":
        """Draw the diagram of class probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels.
        y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
            Class probabilities; or those of the second of two labels.
        n_bins : int, default=15
            Number of bins.
        strategy : {"quantile", "uniform"}, default="quantile"
            Bins of equal mass or of equal width, see :func:`expected_calibration_error`.
        labels : array-like of shape (n_classes,), default=None
            Labels in the order of the columns; the sorted labels of ``y_true`` by default.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        histogram : bool, default=False
            Whether to draw a histogram of the confidence above.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.bar` for the bars of accuracy.

        Returns
        -------
        ReliabilityDisplay

        Raises
        ------
        ValueError
            If a parameter or an array is not allowed.
        """
        bins = reliability_bins(
            y_true,
            y_proba,
            n_bins=n_bins,
            strategy=strategy,
            labels=labels,
            sample_weight=sample_weight,
        )
        # the fields have the names of the parameters
        return cls(**bins._asdict(), estimator_name=name).plot(ax=ax, histogram=histogram, **kwargs)

    def plot(
        self, *, ax: Any = None, name: str | None = None, histogram: bool = False, **kwargs: Any
    ) -> "ReliabilityDisplay":
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        name : str, default=None
            Name in the legend; ``estimator_name`` by default.
        histogram : bool, default=False
            Whether to draw a histogram of the confidence above; it takes its room from the axes.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.bar` for the bars of accuracy.

        Returns
        -------
        ReliabilityDisplay
            This object, with what was drawn.

        Raises
        ------
        ValueError
            If a histogram is asked for and ``row_confidence`` is None.
        """
        if histogram and self.row_confidence is None:
            raise ValueError("histogram=True needs row_confidence, which is None")
        self.ax_, self.figure_ = axes_and_figure(ax)
        left, width = self.edges[:, 0], self.edges[:, 1] - self.edges[:, 0]
        name = self.estimator_name if name is None else name
        error = f"ECE = {self.expected_calibration_error:.3f}"
        style = {
            "color": "tab:blue",
            "alpha": 0.55,
            "edgecolor": "white",
            "linewidth": 0.5,
            "label": label_with_error(name, error),
        }
        self.bars_ = self.ax_.bar(left, self.accuracy, width, align="edge", **{**style, **kwargs})
        self.gaps_ = self.ax_.bar(
            left,
            self.confidence - self.accuracy,
            width,
            bottom=self.accuracy,
            align="edge",
            facecolor="none",
            edgecolor="tab:red",
            hatch="////",
            linewidth=0.5,
            label="Gap to confidence",
        )
        # narrow bins of equal mass show by their dots
        (self.line_,) = self.ax_.plot(
            self.confidence,
            self.accuracy,
            "o",
            color="black",
            markersize=3,
            clip_on=False,
            zorder=3,
        )
        draw_diagonal(self.ax_)
        self.ax_.set(
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
            xlabel="Confidence",
            ylabel="Accuracy",
        )
        self.ax_.legend(loc="upper left", fontsize="small")
        self.ax_histogram_ = self._plot_histogram() if histogram else None
        return self

    def _plot_histogram(self) -> Any:
        from mpl_toolkits.axes_grid1 import make_axes_locatable

        ax = make_axes_locatable(self.ax_).append_axes("top", size="18%", pad=0.08, sharex=self.ax_)
        rows = self.row_confidence
        weight = np.ones(len(rows)) if self.row_weight is None else self.row_weight  # type: ignore
        bins = np.linspace(0, 1, 21)
        ax.hist(rows, bins=bins, weights=weight / weight.sum(), color="tab:gray")
        ax.tick_params(labelbottom=False)
        ax.locator_params(axis="y", nbins=2, prune="lower")  # a 0 would meet the 1 below
        ax.set_ylabel("Share")
        return ax
