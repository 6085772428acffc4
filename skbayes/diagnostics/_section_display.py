"""Pictures of sections of the loss landscape."""

from typing import Any

import numpy as np

from skbayes.diagnostics._plotting import new_axes
from skbayes.diagnostics._sections import Section

#: Parts of a plane's section that are drawn, and what stands above them.
PANELS = {
    "score": "Score",
    "agreement_1": "Agreement with 1",
    "agreement_2": "Agreement with 2",
}


class SectionDisplay:
    """A section of the loss landscape: curves along a line, or images of a plane.

    Parameters
    ----------
    section : Section
        From :func:`radial_section` or :func:`two_optima_section`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Two for a line (score and agreements; loss), three for a plane (score, agreement with either
        optimum).
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    radial_section, two_optima_section : The sections.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import DeepEnsembleFilterClassifier
    >>> from skbayes.diagnostics import SectionDisplay, two_optima_section
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DeepEnsembleFilterClassifier((10,), n_members=2, random_state=0).fit(X, y)
    >>> first, second = clf.posterior_.arrays(0), clf.posterior_.arrays(1)
    >>> display = SectionDisplay(two_optima_section(clf, X, y, first, second)).plot()
    >>> len(display.axes_)
    2
    """

    def __init__(self, section: Section) -> None:
        self.section = section

    def plot(self, *, axes: Any = None, **kwargs: Any) -> "SectionDisplay":
        """Draw the section.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            Two for a line, three for a plane; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` or
            :meth:`matplotlib.axes.Axes.pcolormesh`.

        Returns
        -------
        SectionDisplay
            This object, with what was drawn.

        Raises
        ------
        ValueError
            If the number of axes is another.
        """
        is_line = len(self.section.axes) == 1
        needed = 2 if is_line else len(PANELS)
        if axes is None:
            axes = new_axes(needed, (4.2 * needed, 3.6))
        self.axes_ = np.atleast_1d(axes)
        if len(self.axes_) != needed:
            raise ValueError(f"axes has {len(self.axes_)} axes, this section needs {needed}")
        self.figure_ = self.axes_[0].figure
        draw = self._plot_line if is_line else self._plot_plane
        draw(**kwargs)
        return self

    def _plot_line(self, **kwargs: Any) -> None:
        (t,) = self.section.axes
        upper, lower = self.axes_
        for name, title in PANELS.items():
            upper.plot(t, getattr(self.section, name), **{"label": title, **kwargs})
        # above the curves, which fill the axes
        upper.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize="small", frameon=False
        )
        lower.plot(t, self.section.loss, **{"color": "black", **kwargs})
        lower.set_ylabel("Loss")
        for ax in self.axes_:
            for place in self.section.optima[:, 0]:
                ax.axvline(place, color="grey", linestyle=":", linewidth=1)
            ax.set_xlabel("Position from optimum 1 (at 0) to 2 (at 1)")

    def _plot_plane(self, **kwargs: Any) -> None:
        for ax, (name, title) in zip(self.axes_, PANELS.items(), strict=True):
            values = getattr(self.section, name)
            # far from the optima a regressor's scores fall without bound
            style = {"shading": "nearest", "vmin": max(float(np.nanmin(values)), 0.0), "vmax": 1.0}
            mesh = ax.pcolormesh(*self.section.axes, values, **{**style, **kwargs})
            self.figure_.colorbar(mesh, ax=ax)
            ax.plot(0, 0, "P", color="white", markeredgecolor="black", markersize=8)
            for number, place in enumerate(self.section.optima, start=1):
                ax.plot(*place, "o", color="white", markeredgecolor="black", markersize=11)
                ax.text(*place, str(number), fontsize=8, ha="center", va="center")
            ax.set(title=title, xlabel="Along optimum 1", ylabel="Across", aspect="equal")
