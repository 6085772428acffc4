"""Learning curves of strategies side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skbayes.active._run import LearningCurve


class LearningCurveDisplay:
    """Test score against the number of labels, one line a strategy.

    Parameters
    ----------
    curves : mapping of str to list of LearningCurve
        Runs by the strategy's name.

    Attributes
    ----------
    ax_ : matplotlib Axes
        After :meth:`plot`.
    figure_ : matplotlib Figure
        After :meth:`plot`.
    lines_ : dict of str to matplotlib Line2D
        After :meth:`plot`.

    Examples
    --------
    >>> from skbayes.active import LearningCurve, LearningCurveDisplay
    >>> curves = {"margin": [LearningCurve([20, 40], [0.7, 0.9])]}
    >>> display = LearningCurveDisplay.from_curves(curves)
    >>> display.ax_.get_xlabel()
    'labels'
    """

    def __init__(self, curves: Mapping[str, list[LearningCurve]]) -> None:
        self.curves = curves

    @classmethod
    def from_curves(
        cls, curves: Mapping[str, LearningCurve | Sequence[LearningCurve]], ax: Any = None
    ) -> "LearningCurveDisplay":
        """Plot runs.

        Parameters
        ----------
        curves : mapping of str to LearningCurve or sequence of LearningCurve
            One run or several (of other seeds or splits) by the strategy's name.
        ax : matplotlib Axes, default=None
            Where to; None makes a new figure.

        Returns
        -------
        LearningCurveDisplay

        Raises
        ------
        ValueError
            If a run has no scores.
        """
        several = {
            name: [runs] if isinstance(runs, LearningCurve) else list(runs)
            for name, runs in curves.items()
        }
        for name, runs in several.items():
            if not runs or any(len(run.scores) != len(run.n_labels) for run in runs):
                raise ValueError(
                    f"curves[{name!r}] holds a run without scores; run with X_test and y_test"
                )
        return cls(several).plot(ax)

    def plot(self, ax: Any = None) -> "LearningCurveDisplay":
        """Draw the mean of the runs, with their standard error as a band.

        Runs of other label counts are read off at those of the first.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to; None makes a new figure.

        Returns
        -------
        self
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots()
        self.lines_ = {}
        for name, runs in self.curves.items():
            grid = np.asarray(runs[0].n_labels, dtype=float)
            scores = np.array([np.interp(grid, run.n_labels, run.scores) for run in runs])
            mean = scores.mean(axis=0)
            (line,) = ax.plot(grid, mean, label=name)
            if len(runs) > 1:
                error = scores.std(axis=0, ddof=1) / np.sqrt(len(runs))
                ax.fill_between(
                    grid, mean - error, mean + error, color=line.get_color(), alpha=0.2, lw=0
                )
            self.lines_[name] = line
        ax.set_xlabel("labels")
        ax.set_ylabel("score")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
