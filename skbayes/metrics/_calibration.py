"""Calibration of class probabilities: how often the predicted class is right, and claims to be.

The Brier score and the negative log-likelihood are scikit-learn's ``brier_score_loss`` and
``log_loss``, which know several classes; they are not repeated here.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import assert_all_finite, check_array, column_or_1d

from skbayes._sklearn import check_sample_weight

# Float32 softmax over many classes sums to 1 only to about 1e-5; a forgotten softmax is far off
_TOLERANCE = 1e-3


def expected_calibration_error(
    y_true: Any,
    y_proba: Any,
    *,
    n_bins: int = 15,
    strategy: str = "quantile",
    labels: Any = None,
    sample_weight: Any = None,
) -> float:
    r"""Mean difference of confidence and accuracy over bins of the confidence.

    The confidence of a row is the probability of its most probable class, which is right or wrong.
    With the mean confidence and the accuracy in bin b, which holds the share w of all rows,

    .. math:: \mathrm{ECE} = \sum_b w_b \, |\mathrm{accuracy}_b - \mathrm{confidence}_b|

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities, as ``predict_proba`` gives them; or those of the second of two labels.
    n_bins : int, default=15
        Number of bins. Empty ones do not count.
    strategy : {"quantile", "uniform"}, default="quantile"
        As in :func:`sklearn.calibration.calibration_curve`. ``"quantile"``: bins of equal mass, as
        far as whole rows and ties allow (rows of equal confidence share a bin). ``"uniform"``: bins
        of equal width over [0, 1], each with its upper edge.
    labels : array-like of shape (n_classes,), default=None
        Labels in the order of the columns, such as the classifier's ``classes_``; the sorted labels
        of ``y_true`` by default. Needed if ``y_true`` lacks one of them.
    sample_weight : array-like of shape (n_samples,), default=None
        A row of weight 2 counts as two rows.

    Returns
    -------
    float
        Between 0, the best, and 1.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed, ``y_proba`` holds no probabilities, or
        ``y_true`` holds other labels.

    See Also
    --------
    expected_calibration_error_scorer : The same as a scorer for cross-validation.
    ReliabilityDisplay : A picture of the bins.
    sklearn.metrics.log_loss : A proper score, which this is not.

    Notes
    -----
    It is no proper score: the share of every class, predicted for every row, has an error near 0.
    Read it beside the log loss or the Brier score.

    Noise does not cancel: of n rows in B bins of equal mass, a perfectly calibrated classifier that
    is right with probability p gets about :math:`\sqrt{2 B p (1 - p) / (\pi n)}`, which is .03 for
    1000 rows, 15 bins and p = .9. Compare at equal n and B only, and pool folds before binning.

    Of classes equally probable the first one is the predicted one, as in ``predict``.

    References
    ----------
    Naeini, Cooper, Hauskrecht (2015), *Obtaining well calibrated probabilities using Bayesian
    binning*, AAAI. Guo, Pleiss, Sun, Weinberger (2017), *On calibration of modern neural networks*,
    ICML, with 15 bins of equal width. Nixon et al. (2019), *Measuring calibration in deep
    learning*, CVPR workshops, on bins of equal mass.

    Examples
    --------
    >>> from skbayes.metrics import expected_calibration_error
    >>> y_true = ["a", "b", "b", "a"]
    >>> y_proba = [[0.75, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.25]]
    >>> expected_calibration_error(y_true, y_proba)  # three in four are right, as claimed
    0.0
    >>> expected_calibration_error([0, 1, 0, 0], [0.25, 0.75, 0.25, 0.25])
    0.25
    """
    bins = reliability_bins(
        y_true,
        y_proba,
        n_bins=n_bins,
        strategy=strategy,
        labels=labels,
        sample_weight=sample_weight,
    )
    return bins.expected_error


def maximum_calibration_error(
    y_true: Any,
    y_proba: Any,
    *,
    n_bins: int = 15,
    strategy: str = "quantile",
    labels: Any = None,
    sample_weight: Any = None,
) -> float:
    """Largest difference of confidence and accuracy over bins of the confidence.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities, as ``predict_proba`` gives them; or those of the second of two labels.
    n_bins : int, default=15
        Number of bins. Empty ones do not count.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass or of equal width, see :func:`expected_calibration_error`. A bin of equal
        width may hold a single row, and this error is then that row's.
    labels : array-like of shape (n_classes,), default=None
        Labels in the order of the columns; the sorted labels of ``y_true`` by default.
    sample_weight : array-like of shape (n_samples,), default=None
        A row of weight 2 counts as two rows.

    Returns
    -------
    float
        Between 0, the best, and 1.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed, ``y_proba`` holds no probabilities, or
        ``y_true`` holds other labels.

    See Also
    --------
    expected_calibration_error : The mean instead of the maximum; much less noisy.

    References
    ----------
    Naeini, Cooper, Hauskrecht (2015), *Obtaining well calibrated probabilities using Bayesian
    binning*, AAAI.

    Examples
    --------
    >>> from skbayes.metrics import maximum_calibration_error
    >>> maximum_calibration_error([1, 0, 1, 1], [0.75, 0.75, 1.0, 1.0], n_bins=2)
    0.25
    """
    bins = reliability_bins(
        y_true,
        y_proba,
        n_bins=n_bins,
        strategy=strategy,
        labels=labels,
        sample_weight=sample_weight,
    )
    return float(np.abs(bins.accuracy - bins.confidence).max())


def reliability_curve(
    y_true: Any,
    y_proba: Any,
    *,
    n_bins: int = 15,
    strategy: str = "quantile",
    labels: Any = None,
    sample_weight: Any = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy and confidence in bins of the confidence.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities, as ``predict_proba`` gives them; or those of the second of two labels.
    n_bins : int, default=15
        Number of bins.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass or of equal width, see :func:`expected_calibration_error`.
    labels : array-like of shape (n_classes,), default=None
        Labels in the order of the columns; the sorted labels of ``y_true`` by default.
    sample_weight : array-like of shape (n_samples,), default=None
        A row of weight 2 counts as two rows.

    Returns
    -------
    accuracy : ndarray of shape (n_kept_bins,)
        Share of rows whose most probable class is the true one. Bins without rows are left out.
    confidence : ndarray of shape (n_kept_bins,)
        Mean probability of the most probable class, increasing.
    weight : ndarray of shape (n_kept_bins,)
        Share of all rows in the bin.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed, ``y_proba`` holds no probabilities, or
        ``y_true`` holds other labels.

    See Also
    --------
    ReliabilityDisplay : Draws it.
    sklearn.calibration.calibration_curve : The same for the probability of one class of two.

    Examples
    --------
    >>> from skbayes.metrics import reliability_curve
    >>> accuracy, confidence, weight = reliability_curve(
    ...     [1, 0, 1, 1], [0.75, 0.75, 1.0, 1.0], n_bins=2
    ... )
    >>> accuracy, confidence, weight
    (array([0.5, 1. ]), array([0.75, 1.  ]), array([0.5, 0.5]))
    """
    bins = reliability_bins(
        y_true,
        y_proba,
        n_bins=n_bins,
        strategy=strategy,
        labels=labels,
        sample_weight=sample_weight,
    )
    return bins.accuracy, bins.confidence, bins.weight


class ReliabilityBins(NamedTuple):
    """Bins of the confidence that hold rows, in increasing order, and where all rows are."""

    accuracy: np.ndarray  # (bins,)
    confidence: np.ndarray  # (bins,)
    weight: np.ndarray  # (bins,), sums to 1
    edges: np.ndarray  # (bins, 2)
    row_confidence: np.ndarray  # (rows,)
    row_weight: np.ndarray  # (rows,), sums to 1

    @property
    def expected_error(self) -> float:
        """Mean gap."""
        return float(self.weight @ np.abs(self.accuracy - self.confidence))


def reliability_bins(
    y_true: Any, y_proba: Any, *, n_bins: int, strategy: str, labels: Any, sample_weight: Any
) -> ReliabilityBins:
    """Check everything and bin the rows; parameters as in :func:`reliability_curve`."""
    if not isinstance(n_bins, int | np.integer) or isinstance(n_bins, bool) or n_bins < 1:
        raise ValueError(f"n_bins={n_bins!r} must be an integer of at least 1")
    if strategy not in ("quantile", "uniform"):
        raise ValueError(f"strategy={strategy!r} must be 'quantile' or 'uniform'")
    proba, true = _check_probabilities(y_true, y_proba, labels)
    weight = check_sample_weight(sample_weight, true, copy=True)
    counts = weight > 0
    proba, true, weight = proba[counts], true[counts], weight[counts]
    weight = weight / weight.sum()
    predicted = proba.argmax(axis=1)  # (rows,)
    confidence = proba[np.arange(len(proba)), predicted]  # (rows,)
    n_bins = int(n_bins)
    place = _places(confidence, weight, n_bins, strategy)  # (rows,)
    kept, place = np.unique(place, return_inverse=True)
    mass = np.bincount(place, weight)
    if strategy == "uniform":
        grid = np.linspace(0.0, 1.0, n_bins + 1)
        edges = np.stack([grid[kept], grid[kept + 1]], axis=1)
    else:
        low, high = np.full(len(kept), np.inf), np.full(len(kept), -np.inf)
        np.minimum.at(low, place, confidence)
        np.maximum.at(high, place, confidence)
        between = (high[:-1] + low[1:]) / 2
        edges = np.stack([np.r_[low[0], between], np.r_[between, high[-1]]], axis=1)
    return ReliabilityBins(
        np.bincount(place, weight * (predicted == true)) / mass,
        np.bincount(place, weight * confidence) / mass,
        mass / mass.sum(),
        edges,
        confidence,
        weight,
    )


def _places(confidence: np.ndarray, weight: np.ndarray, n_bins: int, strategy: str) -> np.ndarray:
    """Bin of every row, from 0 to n_bins - 1."""
    if strategy == "uniform":
        return np.searchsorted(np.linspace(0.0, 1.0, n_bins + 1)[1:-1], confidence)
    # Tied rows go together, by the middle of the mass that they take up: the result depends neither
    # on the order of the rows nor on whether a row is repeated or weighs more
    _, tied = np.unique(confidence, return_inverse=True)  # (rows,)
    mass = np.bincount(tied, weight)
    upto = np.cumsum(mass)
    middle = (upto - mass / 2) / upto[-1]
    # rounding must not decide about a middle that is on an edge
    return np.minimum(np.floor(n_bins * middle + 1e-9).astype(int), n_bins - 1)[tied]


def _check_probabilities(y_true: Any, y_proba: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of shape (rows, classes), and the column of every true label."""
    true = column_or_1d(y_true, input_name="y_true")
    if true.dtype.kind == "f":
        assert_all_finite(true, input_name="y_true")
    proba = check_array(y_proba, ensure_2d=False, dtype=np.float64, input_name="y_proba")
    if len(true) != len(proba):
        raise ValueError(
            f"y_true has {len(true)} rows and y_proba {len(proba)}; they must be as many"
        )
    low, high = proba.min(), proba.max()
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        raise ValueError(
            f"y_proba lies between {low:.6g} and {high:.6g}; probabilities lie between 0 and 1 (a "
            "softmax forgotten?)"
        )
    found, where = np.unique(true, return_inverse=True)
    binary = proba.ndim == 1
    names = _binary_labels(found) if labels is None and binary else labels
    names = (found if names is None else column_or_1d(names, input_name="labels")).tolist()
    if len(set(names)) != len(names):
        raise ValueError(f"labels={names} must not repeat a label")
    if binary:
        proba = np.stack([1 - proba, proba], axis=1)
    if proba.shape[1] != len(names):
        what = "one column, of the second of two labels" if binary else f"{proba.shape[1]} columns"
        whence = "y_true holds" if labels is None else "labels holds"
        raise ValueError(
            f"y_proba has {what}, and {whence} {len(names)} labels: {names[:10]}; pass the label "
            "of every column as labels=classifier.classes_"
        )
    sums = proba.sum(axis=1)
    worst = sums[np.abs(sums - 1).argmax()]
    if abs(worst - 1) > _TOLERANCE:
        raise ValueError(f"y_proba must sum to 1 over the classes; a row sums to {worst:.6g}")
    column = {name: k for k, name in enumerate(names)}
    unknown = [name for name in found.tolist() if name not in column]
    if unknown:
        raise ValueError(f"y_true holds {unknown[:10]}, which are not among labels={names[:10]}")
    columns = np.array([column[name] for name in found.tolist()])
    return np.clip(proba, 0.0, 1.0), columns[where]


def _binary_labels(found: np.ndarray) -> Any:
    """Both labels where one of 0 and 1, or of -1 and 1, is missing; None if nothing is known."""
    for pair in ([0, 1], [-1, 1]):
        if len(found) == 1 and found.dtype.kind in "bfiu" and found[0] in pair:
            return pair
    return None
