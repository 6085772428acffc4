"""Scorers of classifiers' calibration, for ``scoring``: the higher, the better, as there."""

from functools import partial
from typing import Any

from skbayes.metrics._calibration import expected_calibration_error
from skbayes.metrics._scorers import Scorer


def expected_calibration_error_scorer(
    estimator: Any, X: Any, y: Any, *, n_bins: int = 15, strategy: str = "quantile"
) -> float:
    """Minus :func:`expected_calibration_error`, as a scorer.

    Parameters
    ----------
    estimator : object
        Fitted classifier with ``predict_proba``, or what forwards it.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        True labels. Some of the classifier's labels may be missing among them.
    n_bins : int, default=15
        Number of bins; see :func:`make_expected_calibration_error_scorer` for a scorer with another
        one.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass or of equal width.

    Returns
    -------
    float
        Between -1 and 0, the best.

    Raises
    ------
    TypeError
        If the estimator has no ``predict_proba``.
    ValueError
        If there are labels that the classifier does not know, or a parameter is not allowed.

    Notes
    -----
    The error is biased, and more so in small folds. To report it, rather than to compare estimators
    on the same folds, pool the predictions of all folds by
    :func:`~sklearn.model_selection.cross_val_predict` and bin them once.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbayes.metrics import expected_calibration_error_scorer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> clf = make_pipeline(StandardScaler(), LogisticRegression())
    >>> scores = cross_val_score(clf, X, y, scoring=expected_calibration_error_scorer)
    >>> bool(scores.mean() > -0.05)
    True
    """
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"estimator={type(estimator).__name__} must be a classifier with predict_proba"
        )
    proba = estimator.predict_proba(X)
    labels = estimator.classes_
    return -expected_calibration_error(y, proba, n_bins=n_bins, strategy=strategy, labels=labels)


def make_expected_calibration_error_scorer(
    n_bins: int = 15, *, strategy: str = "quantile"
) -> Scorer:
    """Make a scorer of :func:`expected_calibration_error` with bins of your own.

    Parameters
    ----------
    n_bins : int, default=15
        Number of bins.
    strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass or of equal width.

    Returns
    -------
    callable
        ``(estimator, X, y) -> float``, minus the error; it can be pickled.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed.

    Examples
    --------
    >>> from skbayes.metrics import make_expected_calibration_error_scorer
    >>> scoring = {"ece": make_expected_calibration_error_scorer(10, strategy="uniform")}
    """
    # the checks are there, and a scorer must not fail fold by fold
    expected_calibration_error([0, 1], [0.0, 1.0], n_bins=n_bins, strategy=strategy)
    return partial(expected_calibration_error_scorer, n_bins=n_bins, strategy=strategy)
