"""Training trajectories in the space of functions, embedded in a plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.manifold import TSNE

from skbayes.diagnostics._plotting import new_axes
from skbayes.diagnostics._similarity import join_probabilities


def trajectory_tsne(
    trajectories: Any,
    *,
    perplexity: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> list[np.ndarray]:
    """Embed training trajectories in one plane by what their networks predict.

    Every checkpoint is the vector of its class probabilities on a fixed set of rows; all
    checkpoints of all trajectories are embedded together by t-SNE.

    Parameters
    ----------
    trajectories : sequence of array-like of shape (n_checkpoints, n_samples, n_classes)
        Class probabilities along every run, for the same rows. Numbers of checkpoints may differ.
    perplexity : float, default=None
        Number of neighbours that count, see :class:`~sklearn.manifold.TSNE`; by default 30, or a
        third of the number of checkpoints where these are few.
    random_state : int, RandomState instance or None, default=None
        Determines the optimisation of t-SNE.

    Returns
    -------
    list of ndarray of shape (n_checkpoints, 2)
        One array a trajectory. Directions and distances between far groups mean nothing in a t-SNE.

    Raises
    ------
    ValueError
        If the trajectories are not probabilities of these shapes, or too short.

    See Also
    --------
    skbayes.callbacks.WeightHistory : Keeps the weights along a run, for ``predict_at``.
    TrajectoryDisplay : Draws it.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import trajectory_tsne
    >>> rng = np.random.RandomState(0)
    >>> runs = [rng.dirichlet(np.ones(3), size=(8, 20)) for _ in range(2)]
    >>> [embedded.shape for embedded in trajectory_tsne(runs, random_state=0)]
    [(8, 2), (8, 2)]
    """
    draws, sizes = join_probabilities(list(trajectories), "trajectories")
    if len(draws) < 4:
        raise ValueError(f"trajectories have {len(draws)} checkpoints together, t-SNE needs 4")
    if perplexity is None:
        perplexity = min(30.0, (len(draws) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=random_state)
    embedded = tsne.fit_transform(draws.reshape(len(draws), -1))
    return np.split(embedded, np.cumsum(sizes)[:-1])


class TrajectoryDisplay:
    """Training trajectories in a plane; a star marks where each begins.

    Made by :meth:`from_predictions`.

    Parameters
    ----------
    embeddings : sequence of ndarray of shape (n_checkpoints, 2)
        As :func:`trajectory_tsne` gives them.
    run_names : sequence of str, default=None
        Names in the legend.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The trajectories.
    stars_ : list of matplotlib Line2D
        Their beginnings.
    ax_ : matplotlib Axes
        Axes with the plane.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    trajectory_tsne : The embedding.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import TrajectoryDisplay
    >>> rng = np.random.RandomState(0)
    >>> runs = [rng.dirichlet(np.ones(3), size=(8, 20)) for _ in range(2)]
    >>> display = TrajectoryDisplay.from_predictions(runs, random_state=0)
    >>> len(display.lines_)
    2
    """

    def __init__(
        self, embeddings: Sequence[np.ndarray], *, run_names: Sequence[str] | None = None
    ) -> None:
        self.embeddings = embeddings
        self.run_names = run_names
        if run_names is not None and len(run_names) != len(embeddings):
            raise ValueError(f"run_names has {len(run_names)} names for {len(embeddings)} runs")

    @classmethod
    def from_predictions(
        cls,
        trajectories: Any,
        *,
        perplexity: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        run_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "TrajectoryDisplay":
        """Embed trajectories and draw them.

        Parameters
        ----------
        trajectories : sequence of array-like of shape (n_checkpoints, n_samples, n_classes)
            Class probabilities along every run, for the same rows.
        perplexity : float, default=None
            As for :func:`trajectory_tsne`.
        random_state : int, RandomState instance or None, default=None
            As for :func:`trajectory_tsne`.
        run_names : sequence of str, default=None
            Names in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for every trajectory.

        Returns
        -------
        TrajectoryDisplay
            What was drawn.
        """
        embeddings = trajectory_tsne(trajectories, perplexity=perplexity, random_state=random_state)
        return cls(embeddings, run_names=run_names).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> "TrajectoryDisplay":
        """Draw the trajectories.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for every trajectory.

        Returns
        -------
        TrajectoryDisplay
            This object, with what was drawn.
        """
        self.ax_ = new_axes()[0] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.lines_, self.stars_ = [], []
        names = self.run_names or [f"Run {k}" for k in range(len(self.embeddings))]
        for points, name in zip(self.embeddings, names, strict=True):
            style = {"marker": "o", "markersize": 3, "linewidth": 0.8, "label": name, **kwargs}
            (line,) = self.ax_.plot(*points.T, **style)
            (star,) = self.ax_.plot(*points[0], "*", color=line.get_color(), markersize=16)
            self.lines_.append(line)
            self.stars_.append(star)
        self.ax_.set(xlabel="t-SNE 1", ylabel="t-SNE 2")
        self.ax_.legend()
        return self
