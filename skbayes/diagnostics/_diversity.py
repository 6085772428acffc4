"""Diversity against accuracy: how much a network differs from another for how often it is right."""

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from skbayes.diagnostics._distances import _check_numbers
from skbayes.diagnostics._plotting import new_axes
from skbayes.diagnostics._similarity import join_probabilities


class DiversityAccuracy(NamedTuple):
    """What :func:`diversity_accuracy` found.

    Parameters
    ----------
    accuracy : ndarray of shape (n_draws,)
        Share of rows that every draw is right on.
    diversity : ndarray of shape (n_draws,)
        Its disagreement with the base over ``1 - accuracy``.
    base_accuracy : float
        Share of rows that the base is right on.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import DiversityAccuracy
    >>> DiversityAccuracy(np.array([0.5]), np.array([1.0]), 0.7).base_accuracy
    0.7
    """

    accuracy: np.ndarray
    diversity: np.ndarray
    base_accuracy: float


def diversity_accuracy(
    proba: Any, base_proba: Any, y: Any, *, classes: Any = None
) -> DiversityAccuracy:
    r"""Disagreement of networks with a base, in proportion to how often they can be wrong.

    .. math:: \frac{d(\text{draw}, \text{base})}{1 - a}

    with the share d of rows on which a draw predicts another class than the base and its accuracy
    a. A network that is less accurate disagrees more, without being a better addition to an
    ensemble; :func:`diversity_limits` tells between what the number lies at every accuracy.

    Parameters
    ----------
    proba : array-like of shape (n_draws, n_samples, n_classes), or sequence of such arrays
        Class probabilities of the networks to judge.
    base_proba : array-like of shape (n_samples, n_classes)
        Those of the network that they are compared with.
    y : array-like of shape (n_samples,)
        True classes: numbers of columns, or labels if ``classes`` are given.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns, as in ``classes_``.

    Returns
    -------
    DiversityAccuracy
        Arrays ``accuracy`` and ``diversity`` with one number a draw, and ``base_accuracy``. A draw
        that is always right has diversity inf, or nan if the base is too.

    Raises
    ------
    ValueError
        If these are not probabilities and classes of matching shapes.

    See Also
    --------
    diversity_limits : The two limits.
    DiversityAccuracyDisplay : Draws both.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> from skbayes.diagnostics import diversity_accuracy
    >>> base = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]
    >>> other = [[0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.9, 0.1]]
    >>> found = diversity_accuracy([other], base, y=[0, 0, 1, 1])
    >>> found.accuracy, found.diversity, found.base_accuracy
    (array([0.5]), array([0.5]), 0.75)
    """
    draws, _ = join_probabilities(proba)
    base = np.asarray(base_proba)
    if base.ndim != 2:
        raise ValueError(
            f"base_proba must be of shape (rows, classes), one network's; got an array of shape "
            f"{base.shape}"
        )
    base = join_probabilities(base[np.newaxis], "base_proba")[0][0]
    if draws.shape[1:] != base.shape:
        raise ValueError(
            f"proba is of {draws.shape[1]} rows and {draws.shape[2]} classes, base_proba of "
            f"{base.shape[0]} and {base.shape[1]}; they must be the same"
        )
    target = class_numbers(y, base.shape, classes)
    winners, base_winners = draws.argmax(axis=-1), base.argmax(axis=-1)
    accuracy = (winners == target).mean(axis=1)
    disagreement = (winners != base_winners).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        diversity = disagreement / (1.0 - accuracy)
    return DiversityAccuracy(accuracy, diversity, float((base_winners == target).mean()))


def diversity_limits(
    accuracy: Any, base_accuracy: float, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    r"""The two limits of diversity at an accuracy.

    With the accuracy a, that of the base :math:`a^*` and C classes,

    .. math::
        d_{\text{lower}} &= \frac{a^* - a}{a^* - (1 - a^*) / (C - 1)} \\
        d_{\text{upper}} &= a^* (1 - a) + a (1 - a^*) + (1 - a^*)(1 - a) \frac{C - 2}{C - 1}

    both divided by :math:`1 - a`. The lower one is that of the base's predictions replaced at
    random by other classes until they are right as seldom; the upper one that of predictions that
    are independent of the base but for the true class, with errors spread evenly over the classes.

    Parameters
    ----------
    accuracy : array-like of float
        Accuracies a between 0 and 1, of any shape.
    base_accuracy : float
        Accuracy of the base, between 0 and 1.
    n_classes : int
        Number of classes, at least 2.

    Returns
    -------
    lower : ndarray
        Of the shape of ``accuracy``; nan where no random replacement leads there, as above the
        base's accuracy.
    upper : ndarray
        Of the same shape; inf at accuracy 1.

    Raises
    ------
    ValueError
        If a number is not in its range.

    See Also
    --------
    diversity_accuracy : Where networks lie between them.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> from skbayes.diagnostics import diversity_limits
    >>> lower, upper = diversity_limits([0.1, 0.71], base_accuracy=0.71, n_classes=10)
    >>> lower.round(3), upper.round(3)
    (array([1., 0.]), array([1.   , 1.678]))
    """
    a = _check_numbers(accuracy, "accuracy").astype(np.float64)
    if not ((a >= 0) & (a <= 1)).all():
        raise ValueError("accuracy must lie between 0 and 1")
    if not (isinstance(base_accuracy, Real) and 0 <= base_accuracy <= 1):
        raise ValueError(f"base_accuracy={base_accuracy!r} must be a number between 0 and 1")
    if not (isinstance(n_classes, Integral) and n_classes >= 2):
        raise ValueError(f"n_classes={n_classes!r} must be an integer of at least 2")
    base, others = float(base_accuracy), n_classes - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = (base - a) / (base - (1.0 - base) / others)
        lower = np.where((lower >= 0) & (lower <= 1), lower, np.nan) / (1.0 - a)
        both_wrong = (1.0 - base) * (1.0 - a) * (others - 1) / others
        upper = (base * (1.0 - a) + a * (1.0 - base) + both_wrong) / (1.0 - a)
    return lower, upper


def class_numbers(y: Any, shape: tuple[int, ...], classes: Any = None) -> np.ndarray:
    """Turn labels into numbers of columns.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    shape : tuple
        Number of rows and of classes.
    classes : array-like of shape (n_classes,), default=None
        Labels of the columns.

    Returns
    -------
    ndarray of int of shape (n_samples,)

    Raises
    ------
    ValueError
        If a label is unknown or the number of rows is another.
    """
    n_rows, n_classes = shape
    y = np.asarray(y)
    classes = np.arange(n_classes) if classes is None else np.asarray(classes)
    if y.shape != (n_rows,):
        raise ValueError(f"y has shape {y.shape}, it must be ({n_rows},), a class for every row")
    if classes.shape != (n_classes,):
        raise ValueError(f"classes has shape {classes.shape}, it must be ({n_classes},)")
    matches = y[:, np.newaxis] == classes  # (rows, classes)
    known = np.broadcast_to(matches, shape).any(axis=1)
    if not known.all():
        raise ValueError(
            f"y has {y[~known][0]!r}, which is not among the classes {classes.tolist()}"
        )
    return matches.argmax(axis=1)


class DiversityAccuracyDisplay:
    """The plane of diversity against accuracy, with its two limits.

    Made by :meth:`from_predictions`. Further sets of networks are added to the same axes by
    passing ``ax``; the limits are drawn once.

    Parameters
    ----------
    accuracy : ndarray of shape (n_draws,)
        Accuracy of every network.
    diversity : ndarray of shape (n_draws,)
        Its diversity, as :func:`diversity_accuracy` gives it.
    base_accuracy : float
        Accuracy of the base.
    n_classes : int
        Number of classes.
    name : str, default=None
        Name of the networks in the legend.

    Attributes
    ----------
    points_ : matplotlib PathCollection
        The networks.
    limits_ : list of matplotlib Line2D
        Lower and upper limit; empty if the axes had them.
    ax_ : matplotlib Axes
        Axes with the plane.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    diversity_accuracy, diversity_limits : The numbers.

    Examples
    --------
    >>> from skbayes.diagnostics import DiversityAccuracyDisplay
    >>> base = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]
    >>> other = [[0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.9, 0.1]]
    >>> display = DiversityAccuracyDisplay.from_predictions(
    ...     [other], base, y=[0, 0, 1, 1], name="member"
    ... )
    >>> display.base_accuracy
    0.75
    """

    def __init__(
        self,
        accuracy: np.ndarray,
        diversity: np.ndarray,
        base_accuracy: float,
        n_classes: int,
        *,
        name: str | None = None,
    ) -> None:
        self.accuracy = accuracy
        self.diversity = diversity
        self.base_accuracy = base_accuracy
        self.n_classes = n_classes
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        proba: Any,
        base_proba: Any,
        y: Any,
        *,
        classes: Any = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "DiversityAccuracyDisplay":
        """Draw networks.

        Parameters
        ----------
        proba : array-like of shape (n_draws, n_samples, n_classes), or sequence of such arrays
            Class probabilities of the networks.
        base_proba : array-like of shape (n_samples, n_classes)
            Those of the base.
        y : array-like of shape (n_samples,)
            True classes, as for :func:`diversity_accuracy`.
        classes : array-like of shape (n_classes,), default=None
            Labels of the columns.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        DiversityAccuracyDisplay
            What was drawn.
        """
        found = diversity_accuracy(proba, base_proba, y, classes=classes)
        n_classes = np.asarray(base_proba).shape[1]
        return cls(*found, n_classes, name=name).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Any = None, **kwargs: Any) -> "DiversityAccuracyDisplay":
        """Draw the networks, and the limits from chance to the base's accuracy.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        DiversityAccuracyDisplay
            This object, with what was drawn.
        """
        self.ax_ = new_axes()[0] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.limits_ = []
        labels = ("Base, perturbed at random", "Independent of the base")
        if labels[0] not in self.ax_.get_legend_handles_labels()[1]:
            a = np.linspace(1.0 / self.n_classes, self.base_accuracy, 200)
            limits = diversity_limits(a, self.base_accuracy, self.n_classes)
            for limit, label, dashes in zip(limits, labels, ("--", "-"), strict=True):
                self.limits_ += self.ax_.plot(a, limit, dashes, color="black", label=label)
        style = {"s": 18, "alpha": 0.7, "label": self.name, **kwargs}
        self.points_ = self.ax_.scatter(self.accuracy, self.diversity, **style)
        self.ax_.set(xlabel="Accuracy", ylabel="Disagreement with the base / (1 - accuracy)")
        self.ax_.legend()
        return self
