"""Strategies for several labels a row, under modAL's names."""

from typing import Any

import numpy as np

from skbayes.active._rows import count_rows
from skbayes.active._selection import select, select_lowest

__all__ = [
    "SVM_binary_minimum",
    "avg_confidence",
    "avg_score",
    "max_loss",
    "max_score",
    "mean_max_loss",
    "min_confidence",
]


def SVM_binary_minimum(
    classifier: Any,
    X_pool: Any,
    random_tie_break: bool = False,
    *,
    n_instances: int = 1,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows nearest to the threshold of a label, whichever is nearest.

    modAL's takes the farthest row if ties are broken at random.

    Parameters
    ----------
    classifier : ActiveLearner
        Learner around a :class:`~sklearn.multiclass.OneVsRestClassifier` of machines with
        ``decision_function``.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    n_instances : int, default=1
        Number of rows.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)
        Their distances.

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Brinker (2006), *On active learning in multi-label classification*, From Data and Information
    Analysis to Knowledge Engineering.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.svm import LinearSVC
    >>> from skbayes.active import ActiveLearner
    >>> from skbayes.active.multilabel import SVM_binary_minimum
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> learner = ActiveLearner(OneVsRestClassifier(LinearSVC()), SVM_binary_minimum, X, y)
    >>> learner.query([[0.1], [5.0]])[0]
    array([0])
    """
    machines = getattr(classifier, "estimator", classifier).estimators_
    distances = np.array([np.ravel(machine.decision_function(X_pool)) for machine in machines])
    nearest = np.abs(distances).min(axis=0)
    return select_lowest(nearest, n_instances, random_tie_break, classifier, random_state)


def max_loss(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest hinge loss of the likeliest label.

    Meant for support vector machines; the predicted labels stand for the decisions, as in modAL.

    Parameters
    ----------
    classifier : object
        Classifier of several labels with ``predict`` and ``predict_proba``, such as
        :class:`~sklearn.multiclass.OneVsRestClassifier`, or a learner around one.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Li, Wang, Sung (2004), *Multilabel SVM active learning for image classification*, ICIP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbayes.active.multilabel import max_loss
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> classifier = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    >>> len(max_loss(classifier, [[0.1], [5.0]])[0])
    1
    """
    likeliest = np.asarray(classifier.predict_proba(X_pool)).argmax(axis=1)
    loss = _SVM_loss(classifier, X_pool, likeliest)
    return select(loss, n_instances, random_tie_break, classifier, random_state)


def mean_max_loss(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest hinge loss, mean over all labels.

    Meant for support vector machines; the predicted labels stand for the decisions, as in modAL.

    Parameters
    ----------
    classifier : object
        Classifier of several labels with ``predict`` and ``predict_proba``, such as
        :class:`~sklearn.multiclass.OneVsRestClassifier`, or a learner around one.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Li, Wang, Sung (2004), *Multilabel SVM active learning for image classification*, ICIP.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbayes.active.multilabel import mean_max_loss
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> classifier = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    >>> len(mean_max_loss(classifier, [[0.1], [5.0]])[0])
    1
    """
    loss = _SVM_loss(classifier, X_pool)
    return select(loss, n_instances, random_tie_break, classifier, random_state)


def min_confidence(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows whose least probable label is least probable.

    Parameters
    ----------
    classifier : object
        Classifier of several labels with ``predict`` and ``predict_proba``, such as
        :class:`~sklearn.multiclass.OneVsRestClassifier`, or a learner around one.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Esuli, Sebastiani (2009), *Active learning strategies for multi-label text classification*,
    ECIR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbayes.active.multilabel import min_confidence
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> classifier = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    >>> len(min_confidence(classifier, [[0.1], [5.0]])[0])
    1
    """
    least = np.asarray(classifier.predict_proba(X_pool)).min(axis=1)
    return select_lowest(least, n_instances, random_tie_break, classifier, random_state)


def avg_confidence(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest probability, mean over labels.

    Parameters
    ----------
    classifier : object
        Classifier of several labels with ``predict`` and ``predict_proba``, such as
        :class:`~sklearn.multiclass.OneVsRestClassifier`, or a learner around one.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Esuli, Sebastiani (2009), *Active learning strategies for multi-label text classification*,
    ECIR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbayes.active.multilabel import avg_confidence
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> classifier = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    >>> len(avg_confidence(classifier, [[0.1], [5.0]])[0])
    1
    """
    mean = np.asarray(classifier.predict_proba(X_pool)).mean(axis=1)
    return select(mean, n_instances, random_tie_break, classifier, random_state)


def max_score(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest score; a label scores half its probability, or minus that.

    Half the probability where the label is predicted, minus half of it where not.

    Parameters
    ----------
    classifier : object
        Classifier of several labels with ``predict`` and ``predict_proba``, such as
        :class:`~sklearn.multiclass.OneVsRestClassifier`, or a learner around one.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Esuli, Sebastiani (2009), *Active learning strategies for multi-label text classification*,
    ECIR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbayes.active.multilabel import max_score
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> classifier = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    >>> len(max_score(classifier, [[0.1], [5.0]])[0])
    1
    """
    scores = _scores(classifier, X_pool).max(axis=1)
    return select(scores, n_instances, random_tie_break, classifier, random_state)


def avg_score(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest mean score of the labels, see :func:`max_score`.

    Parameters
    ----------
    classifier : object
        Classifier of several labels with ``predict`` and ``predict_proba``, such as
        :class:`~sklearn.multiclass.OneVsRestClassifier`, or a learner around one.
    X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Esuli, Sebastiani (2009), *Active learning strategies for multi-label text classification*,
    ECIR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbayes.active.multilabel import avg_score
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> classifier = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    >>> len(avg_score(classifier, [[0.1], [5.0]])[0])
    1
    """
    scores = _scores(classifier, X_pool).mean(axis=1)
    return select(scores, n_instances, random_tie_break, classifier, random_state)


# -- pieces; modAL's name -------------------------------------------------------------------------


def _SVM_loss(classifier: Any, X: Any, most_certain_classes: Any = None) -> np.ndarray:
    predictions = 2 * np.asarray(_dense(classifier.predict(X)), dtype=np.float64) - 1
    n_classes = predictions.shape[1]
    if most_certain_classes is None:
        assignments = 2 * np.eye(n_classes) - 1  # one label, not the others
        return np.maximum(1 - predictions @ assignments, 0).mean(axis=1)
    assigned = np.full((count_rows(X, "X"), n_classes), -1.0)
    assigned[np.arange(len(assigned)), most_certain_classes] = 1
    return np.maximum(1 - assigned * predictions, 0).sum(axis=1)


def _scores(classifier: Any, X: Any) -> np.ndarray:
    proba = np.asarray(classifier.predict_proba(X))
    return proba * (np.asarray(_dense(classifier.predict(X))) - 0.5)


def _dense(labels: Any) -> Any:
    return labels.toarray() if hasattr(labels, "toarray") else labels
