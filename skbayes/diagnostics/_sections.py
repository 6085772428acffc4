"""Sections of the loss landscape: the line between two optima, the plane of them and the origin."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from skbayes.diagnostics._distances import _check_finite, _check_numbers
from skbayes.diagnostics._diversity import class_numbers
from skbayes.diagnostics._weights import (
    check_alike,
    check_single,
    find_holder,
    gram,
    predict_at,
)

#: Numbers (weights and predictions of networks) that are held at once.
BLOCK_VALUES = 2**23
#: Share of the extent by which a section of a plane goes beyond the origin and the optima.
MARGIN = 0.25


@dataclass(frozen=True, eq=False)
class Section:
    """What :func:`radial_section` or :func:`two_optima_section` found.

    Parameters
    ----------
    axes : tuple of ndarray
        Coordinates along the axes of the section, one array or two.
    optima : ndarray of shape (2, n_axes)
        Coordinates of the two optima.
    score : ndarray of shape (n_points,) or (n_points_2, n_points_1)
        Accuracy; regressors: coefficient of determination.
    loss : ndarray of the same shape
        Mean negative log-likelihood in nats; regressors: mean squared error.
    agreement_1, agreement_2 : ndarray of the same shape
        Share of rows whose predicted class is that of the optimum; regressors: coefficient of
        determination of the predictions as a forecast of the optimum's.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import Section
    >>> line = np.array([0.9, 0.4, 0.9])
    >>> section = Section(
    ...     (np.array([0.0, 0.5, 1.0]),), np.array([[0.0], [1.0]]), line, 1 - line, line, line
    ... )
    >>> section.score.shape
    (3,)
    """

    axes: tuple[np.ndarray, ...]
    optima: np.ndarray
    score: np.ndarray
    loss: np.ndarray
    agreement_1: np.ndarray
    agreement_2: np.ndarray


def two_optima_section(
    estimator: Any, X: Any, y: Any, params_1: Any, params_2: Any, *, positions: Any = None
) -> Section:
    r"""The loss landscape along the straight line through two optima.

    The weights at position t are :math:`(1 - t) w_1 + t w_2`. Members of an ensemble have a
    barrier between them, draws of one mode have none.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict_at(params, X)``; or a :class:`~sklearn.pipeline.Pipeline`,
        search, :class:`~sklearn.frozen.FrozenEstimator` or learner around one.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows to predict, as ``estimator.predict`` takes them.
    y : array-like of shape (n_samples,)
        Their labels, or targets.
    params_1, params_2 : mapping of str to array-like
        Weights of the two optima, each with a leading axis of length 1, as
        ``posterior_.arrays(0)`` gives them.
    positions : array-like of shape (n_points,), default=None
        Values of t; by default 31 from -0.25 to 1.25.

    Returns
    -------
    Section
        With one axis; the optima are at 0 and 1.

    Raises
    ------
    TypeError
        If the estimator has no ``predict_at``.
    ValueError
        If the weights are not those of its network, or ``y`` does not fit.

    See Also
    --------
    radial_section : The plane of the two and the origin.
    SectionDisplay : Draws it.

    References
    ----------
    Goodfellow, Vinyals, Saxe (2015), *Qualitatively characterizing neural network optimization
    problems*, ICLR.

    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import DeepEnsembleFilterClassifier
    >>> from skbayes.diagnostics import two_optima_section
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DeepEnsembleFilterClassifier((10,), n_members=2, random_state=0).fit(X, y)
    >>> first, second = clf.posterior_.arrays(0), clf.posterior_.arrays(1)
    >>> section = two_optima_section(clf, X, y, first, second, positions=[0.0, 0.5, 1.0])
    >>> bool(section.loss[1] > section.loss[[0, 2]].max())
    True
    """
    optima = _check_optima(params_1, params_2)
    if positions is None:
        positions = np.linspace(-0.25, 1.25, 31)
    t = _check_axis(positions, "positions")
    # at 0 and 1 these are exactly the optima
    found = _evaluate(estimator, X, y, optima, 1.0 - t, t)
    return Section((t,), np.array([[0.0], [1.0]]), *found)


def radial_section(
    estimator: Any,
    X: Any,
    y: Any,
    params_1: Any,
    params_2: Any,
    *,
    axis_1: Any = None,
    axis_2: Any = None,
    n_points: int = 21,
) -> Section:
    r"""The loss landscape in the plane through the origin and two optima.

    The axes are orthonormal: the first one along :math:`w_1`, the second one along what of
    :math:`w_2` is orthogonal to it. A coordinate is a length in the space of weights.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict_at(params, X)``; or a :class:`~sklearn.pipeline.Pipeline`,
        search, :class:`~sklearn.frozen.FrozenEstimator` or learner around one.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows to predict, as ``estimator.predict`` takes them.
    y : array-like of shape (n_samples,)
        Their labels, or targets.
    params_1, params_2 : mapping of str to array-like
        Weights of the two optima, each with a leading axis of length 1, as
        ``posterior_.arrays(0)`` gives them.
    axis_1, axis_2 : array-like, default=None
        Coordinates of the grid; by default ``n_points`` that reach beyond the origin and the optima
        by a quarter of the extent.
    n_points : int, default=21
        Number of points along an axis that is not given.

    Returns
    -------
    Section
        With two axes; rows of the arrays go with the second one. The first optimum is at
        (:math:`|w_1|`, 0).

    Raises
    ------
    TypeError
        If the estimator has no ``predict_at``.
    ValueError
        If the weights are not those of its network or make no plane, ``y`` does not fit, or
        ``n_points`` is not a positive integer.

    See Also
    --------
    two_optima_section : The line between the two.
    SectionDisplay : Draws it.

    Notes
    -----
    Every point is a network that predicts all rows: 441 networks by default.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import DeepEnsembleFilterClassifier
    >>> from skbayes.diagnostics import radial_section
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DeepEnsembleFilterClassifier((10,), n_members=2, random_state=0).fit(X, y)
    >>> section = radial_section(clf, X, y, clf.posterior_.arrays(0), clf.posterior_.arrays(1))
    >>> section.score.shape
    (21, 21)
    >>> round(float(section.optima[0, 1]), 6)  # the first one is on the first axis
    0.0
    """
    if not (isinstance(n_points, Integral) and n_points >= 1):
        raise ValueError(f"n_points={n_points!r} must be an integer of at least 1")
    first, second = optima = _check_optima(params_1, params_2)
    length_1 = float(np.sqrt(gram(first, first)[0, 0]))
    along = float(gram(first, second)[0, 0]) / length_1 if length_1 > 0 else 0.0
    length_2 = float(np.sqrt(gram(second, second)[0, 0]))
    across = float(np.sqrt(max(length_2**2 - along**2, 0.0)))
    if length_1 == 0 or across <= 1e-6 * length_2:
        raise ValueError("params_1 and params_2 make no plane: they are 0 or multiples")
    places = np.array([[length_1, 0.0], [along, across]])
    grid = [
        _default_axis(places[:, k], n_points)
        if axis is None
        else _check_axis(axis, f"axis_{k + 1}")
        for k, axis in enumerate((axis_1, axis_2))
    ]
    x1, x2 = np.meshgrid(*grid)  # (points along 2, points along 1)
    # In multiples of the optima themselves, which are then met exactly: rounding of orthonormal
    # axes would not give them back
    times_2 = x2 / across
    times_1 = (x1 - times_2 * along) / length_1
    found = _evaluate(estimator, X, y, optima, times_1.ravel(), times_2.ravel())
    return Section(tuple(grid), places, *(values.reshape(x1.shape) for values in found))


def _check_optima(params_1: Any, params_2: Any) -> tuple[dict, dict]:
    first, second = check_single(params_1, "params_1"), check_single(params_2, "params_2")
    check_alike(first, second, "params_1", "params_2")
    return first, second


def _check_axis(values: Any, name: str) -> np.ndarray:
    values = _check_numbers(values, name)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"{name} must be of shape (points,), not empty; got {values.shape}")
    _check_finite(values, name)
    return values.astype(np.float64)


def _default_axis(places: np.ndarray, n_points: int) -> np.ndarray:
    low, high = min(places.min(), 0.0), max(places.max(), 0.0)
    margin = MARGIN * (high - low)
    return np.linspace(low - margin, high + margin, n_points)


def _evaluate(
    estimator: Any, X: Any, y: Any, optima: tuple[dict, dict], times_1: Any, times_2: Any
) -> tuple[np.ndarray, ...]:
    """Score, loss and agreements of the networks ``times_1 * w1 + times_2 * w2``."""
    first, second = optima
    ends = predict_at(
        estimator, {key: np.concatenate([first[key], second[key]]) for key in first}, X
    )
    if ends.ndim not in (2, 3):
        raise ValueError(
            f"predict_at of estimator={type(estimator).__name__} returned an array of shape "
            f"{ends.shape}, it must be (draws, rows) or (draws, rows, classes)"
        )
    if ends.ndim == 3:
        classes = getattr(find_holder(estimator)[0], "classes_", None)
        target = class_numbers(y, ends.shape[1:], classes)
    else:
        target = _check_numbers(y, "y").astype(np.float64)
        if target.shape != ends.shape[1:]:
            raise ValueError(f"y has shape {target.shape}, it must be {ends.shape[1:]}")
    per_network = sum(values.size for values in first.values()) + ends[0].size
    step = max(BLOCK_VALUES // per_network, 1)
    parts = []
    for start in range(0, len(times_1), step):
        block = slice(start, start + step)
        params = {
            key: _times(times_1[block], values) + _times(times_2[block], second[key])
            for key, values in first.items()
        }
        summarise = _of_classes if ends.ndim == 3 else _of_means
        parts.append(summarise(predict_at(estimator, params, X), target, ends))
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _times(factors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Multiples of one draw, of shape (factors, ...)."""
    return factors.reshape(-1, *[1] * (values.ndim - 1)) * values.astype(np.float64)


def _of_classes(proba: np.ndarray, target: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, ...]:
    winners, end_winners = proba.argmax(axis=-1), ends.argmax(axis=-1)
    own = proba[:, np.arange(len(target)), target]  # (networks, rows)
    # clipped as scikit-learn's log_loss does
    loss = -np.log(np.maximum(own, np.finfo(own.dtype).eps)).mean(axis=1)
    shares = [(winners == of).mean(axis=1) for of in (target, *end_winners)]
    return shares[0], loss, shares[1], shares[2]


def _of_means(mean: np.ndarray, target: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, ...]:
    errors = [np.square(mean - of).mean(axis=1) for of in (target, *ends)]
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = [
            1.0 - error / np.var(of) for error, of in zip(errors, (target, *ends), strict=True)
        ]
    return scores[0], errors[0], scores[1], scores[2]
