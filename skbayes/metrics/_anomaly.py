"""Scores of anomaly detectors from their normality scores, as metrics and as scorers.

scikit-learn's outlier detectors score normality: the higher ``score_samples`` and
``decision_function``, the more normal the row. Where the labels say 1 for an anomaly,
scikit-learn's own ``scoring="roc_auc"`` therefore gives, silently, **one minus** the area under the
curve. The metrics here know which way round both are.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import column_or_1d


def anomaly_roc_auc_score(y_true: Any, y_score: Any) -> float:
    """Area under the ROC curve of a detector's normality scores.

    The probability that a random anomaly scores lower than a random normal row, ties counting one
    half.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels: 0 normal and 1 anomaly, or 1 normal and -1 anomaly.
    y_score : array-like of shape (n_samples,)
        Normality, **higher = more normal**, as ``score_samples`` and ``decision_function`` give it.
        May be infinite, not nan.

    Returns
    -------
    float
        Between 0 and 1; 1/2 is chance.

    Raises
    ------
    ValueError
        If the labels are others, one kind of row is missing, or a score is nan.

    See Also
    --------
    anomaly_roc_auc : The same as a scorer for cross-validation.

    Notes
    -----
    scikit-learn's ``roc_auc_score(y_true, y_score)`` is one minus this where 1 means anomaly.

    Examples
    --------
    >>> from sklearn.metrics import roc_auc_score
    >>> from skbayes.metrics import anomaly_roc_auc_score
    >>> y_true, normality = [0, 0, 0, 1], [3.0, 2.0, 4.0, -1.0]
    >>> anomaly_roc_auc_score(y_true, normality)
    1.0
    >>> float(roc_auc_score(y_true, normality))  # takes the score of the class 1
    0.0
    """
    anomaly, score = _check_pair(y_true, y_score)
    if anomaly.all() or not anomaly.any():
        missing, others = (
            ("anomaly", "normal") if not anomaly.any() else ("normal row", "anomalous")
        )
        raise ValueError(
            f"y_true has no {missing} ({len(anomaly)} rows, all {others}): the area under the ROC "
            "curve is not defined; split by skbayes.model_selection.NoveltySplit"
        )
    # ranks order as the scores do, and are finite
    return float(roc_auc_score(anomaly, -rankdata(score)))


def precision_at_k_score(y_true: Any, y_score: Any, k: int = 50) -> float:
    """Share of anomalies among the k most anomalous rows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels: 0 normal and 1 anomaly, or 1 normal and -1 anomaly.
    y_score : array-like of shape (n_samples,)
        Normality, **higher = more normal**, as ``score_samples`` and ``decision_function`` give it.
        May be infinite, not nan.
    k : int, default=50
        Number of rows that somebody will look at. With fewer rows than that, all of them.

    Returns
    -------
    float
        Between 0 and 1; the share of anomalies in the data is chance. If rows tie at the edge, the
        expectation over which of them are among the k.

    Raises
    ------
    ValueError
        If the labels are others, a score is nan, or ``k`` is no positive integer.

    See Also
    --------
    precision_at_k : The same as a scorer for cross-validation.

    Examples
    --------
    >>> from skbayes.metrics import precision_at_k_score
    >>> precision_at_k_score([0, 0, 1, 1], [3.0, -2.0, -1.0, -4.0], k=2)
    0.5
    """
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k={k!r} must be an integer of at least 1")
    anomaly, score = _check_pair(y_true, y_score)
    k = min(int(k), len(score))
    edge = np.partition(score, k - 1)[k - 1]
    inside, tied = score < edge, score == edge
    found = anomaly[inside].sum() + (k - inside.sum()) * anomaly[tied].mean()
    return float(found / k)


def anomaly_roc_auc(estimator: Any, X: Any, y: Any) -> float:
    """Scorer of :func:`anomaly_roc_auc_score`, to be passed as ``scoring``.

    Parameters
    ----------
    estimator : object
        Fitted outlier detector with ``score_samples`` or, failing that, ``decision_function``; also
        as the last step of a ``Pipeline``.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Labels: 0 normal and 1 anomaly, or 1 normal and -1 anomaly. Plain folds may hold no anomaly,
        see :class:`skbayes.model_selection.NoveltySplit`.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the estimator has neither method, or is a classifier.
    ValueError
        If the labels are others, or one kind of row is missing.

    Notes
    -----
    ``scoring="roc_auc"`` is one minus this where 1 means anomaly.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.model_selection import cross_val_score
    >>> from skbayes.metrics import anomaly_roc_auc
    >>> from skbayes.model_selection import NoveltySplit
    >>> rng = np.random.RandomState(0)
    >>> X = np.concatenate([rng.normal(size=(200, 2)), rng.normal(6, 1, size=(20, 2))])
    >>> y = np.repeat([0, 1], [200, 20])
    >>> scores = cross_val_score(
    ...     IsolationForest(random_state=0), X, y, cv=NoveltySplit(5), scoring=anomaly_roc_auc
    ... )
    >>> bool(scores.min() > 0.95)
    True
    """
    return anomaly_roc_auc_score(y, _normality(estimator, X))


def precision_at_k(estimator: Any, X: Any, y: Any, *, k: int = 50) -> float:
    """Scorer of :func:`precision_at_k_score`, to be passed as ``scoring``.

    Parameters
    ----------
    estimator : object
        Fitted outlier detector with ``score_samples`` or, failing that, ``decision_function``; also
        as the last step of a ``Pipeline``.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows to score.
    y : array-like of shape (n_samples,)
        Labels: 0 normal and 1 anomaly, or 1 normal and -1 anomaly.
    k : int, default=50
        Number of rows, of the test rows that is; see :func:`make_precision_at_k_scorer` for a
        scorer with another one.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the estimator has neither method, or is a classifier.
    ValueError
        If the labels are others.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skbayes.metrics import precision_at_k
    >>> rng = np.random.RandomState(0)
    >>> X = np.concatenate([rng.normal(size=(200, 2)), rng.normal(9, 1, size=(50, 2))])
    >>> y = np.repeat([1, -1], [200, 50])
    >>> precision_at_k(IsolationForest(random_state=0).fit(X[:200]), X, y)
    1.0
    """
    return precision_at_k_score(y, _normality(estimator, X), k=k)


def make_precision_at_k_scorer(k: int) -> Callable[[Any, Any, Any], float]:
    """Make a scorer of the precision among the k most anomalous rows.

    Parameters
    ----------
    k : int
        Number of rows.

    Returns
    -------
    callable
        ``(estimator, X, y) -> float``; it can be pickled.

    Raises
    ------
    ValueError
        If ``k`` is no positive integer.

    Examples
    --------
    >>> from skbayes.metrics import make_precision_at_k_scorer
    >>> scoring = {"precision_at_10": make_precision_at_k_scorer(10)}
    """
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k={k!r} must be an integer of at least 1")
    return partial(precision_at_k, k=int(k))


def find_anomalies(y: Any, name: str = "y_true") -> np.ndarray:
    """Read labels of either convention.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        0 normal and 1 anomaly (or booleans), or 1 normal and -1 anomaly.
    name : str, default="y_true"
        What an error calls it.

    Returns
    -------
    ndarray of bool of shape (n_samples,)
        Whether the row is an anomaly.

    Raises
    ------
    ValueError
        If there are other labels; or nothing but 1, which is normal in one convention and an
        anomaly in the other.

    Examples
    --------
    >>> from skbayes.metrics import find_anomalies
    >>> find_anomalies([0, 1]), find_anomalies([1, -1])
    (array([False,  True]), array([False,  True]))
    """
    y = column_or_1d(y)
    if y.dtype.kind == "b":
        return y.copy()
    labels = set(np.unique(y).tolist())
    if labels == {1}:
        raise ValueError(
            f"{name} holds nothing but 1, which is normal where -1 is an anomaly and an anomaly "
            "where 0 is normal; pass booleans (True = anomaly), or split so that every part has "
            "both (skbayes.model_selection.NoveltySplit)"
        )
    if labels and labels <= {0, 1}:
        return y == 1
    if labels and labels <= {-1, 1}:
        return y == -1
    shown = sorted(labels, key=str)[:10]
    raise ValueError(
        f"{name} holds the labels {shown}; allowed are 0 (normal) and 1 (anomaly), or 1 (normal) "
        "and -1 (anomaly)"
    )


def _check_pair(y_true: Any, y_score: Any) -> tuple[np.ndarray, np.ndarray]:
    anomaly = find_anomalies(y_true)
    score = column_or_1d(y_score, dtype=np.float64)
    if len(anomaly) != len(score):
        raise ValueError(
            f"y_true has {len(anomaly)} rows and y_score {len(score)}; they must be as many"
        )
    if np.isnan(score).any():
        raise ValueError(f"y_score holds nan in {int(np.isnan(score).sum())} rows")
    return anomaly, score


def _normality(estimator: Any, X: Any) -> Any:
    if hasattr(estimator, "classes_"):
        # its decision_function is high for its second class: which way round depends on the labels
        raise TypeError(
            f"estimator={type(estimator).__name__} is a classifier, whose decision_function is no "
            "normality; use scoring='roc_auc'"
        )
    for method in ("score_samples", "decision_function"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(X)
    raise TypeError(
        f"estimator={type(estimator).__name__} must be an outlier detector, with score_samples or "
        "decision_function"
    )
