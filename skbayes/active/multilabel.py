"""Strategies for several labels a row, under modAL's names."""

from collections.abc import Callable
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


# -- measures; modAL's name -----------------------------------------------------------------------


def _SVM_loss(classifier: Any, X: Any, most_certain_classes: Any = None) -> np.ndarray:
    predictions = 2 * np.asarray(_dense(classifier.predict(X)), dtype=np.float64) - 1
    n_classes = predictions.shape[1]
    if most_certain_classes is None:
        assignments = 2 * np.eye(n_classes) - 1  # one label, not the others
        return np.maximum(1 - predictions @ assignments, 0).mean(axis=1)
    assigned = np.full((count_rows(X, "X"), n_classes), -1.0)
    assigned[np.arange(len(assigned)), most_certain_classes] = 1
    return np.maximum(1 - assigned * predictions, 0).sum(axis=1)


def _proba(classifier: Any, X: Any) -> np.ndarray:
    return np.asarray(classifier.predict_proba(X))


def _scores(classifier: Any, X: Any) -> np.ndarray:
    return _proba(classifier, X) * (np.asarray(_dense(classifier.predict(X))) - 0.5)


def _dense(labels: Any) -> Any:
    return labels.toarray() if hasattr(labels, "toarray") else labels


# -- strategies that differ in their measure only --------------------------------------------------

_LI = "Li, Wang, Sung (2004), *Multilabel SVM active learning for image classification*, ICIP."
_ESULI = """Esuli, Sebastiani (2009), *Active learning strategies for multi-label text
    classification*, ECIR."""

_DOC = """{first}

    Parameters
    ----------
    classifier : object
        Classifier of several labels with ``predict`` and ``predict_proba``, such as
        :class:`~sklearn.multiclass.OneVsRestClassifier`, or a learner around one.
    X_pool : {{array-like, sparse matrix, DataFrame}} of shape (n_samples, n_features)
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
    {source}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbayes.active.multilabel import {name}
    >>> X, y = np.array([[-1.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> classifier = OneVsRestClassifier(LogisticRegression()).fit(X, y)
    >>> len({name}(classifier, [[0.1], [5.0]])[0])
    1
    """


def _strategy(
    name: str,
    measure: Callable[[Any, Any], np.ndarray],
    first: str,
    source: str,
    pick: Callable[..., tuple[np.ndarray, np.ndarray]] = select,
) -> Any:
    def strategy(
        classifier: Any,
        X_pool: Any,
        n_instances: int = 1,
        random_tie_break: bool = False,
        *,
        random_state: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        values = measure(classifier, X_pool)
        return pick(values, n_instances, random_tie_break, classifier, random_state)

    strategy.__name__ = strategy.__qualname__ = name
    strategy.__doc__ = _DOC.format(first=first, source=source, name=name)
    return strategy


max_loss = _strategy(
    "max_loss",
    lambda classifier, X: _SVM_loss(classifier, X, _proba(classifier, X).argmax(axis=1)),
    """Ask for the rows of largest hinge loss of the likeliest label.

    Meant for support vector machines; as in modAL, predicted labels stand for the decisions.""",
    _LI,
)
mean_max_loss = _strategy(
    "mean_max_loss",
    lambda classifier, X: _SVM_loss(classifier, X),
    """Ask for the rows of largest hinge loss, mean over all labels.

    Meant for support vector machines; as in modAL, predicted labels stand for the decisions.""",
    _LI,
)
min_confidence = _strategy(
    "min_confidence",
    lambda classifier, X: _proba(classifier, X).min(axis=1),
    "Ask for the rows whose least probable label is least probable.",
    _ESULI,
    select_lowest,
)
avg_confidence = _strategy(
    "avg_confidence",
    lambda classifier, X: _proba(classifier, X).mean(axis=1),
    "Ask for the rows of largest probability, mean over labels.",
    _ESULI,
)
max_score = _strategy(
    "max_score",
    lambda classifier, X: _scores(classifier, X).max(axis=1),
    """Ask for the rows of largest score; a label scores half its probability, or minus that.

    Half the probability where the label is predicted, minus half of it where not.""",
    _ESULI,
)
avg_score = _strategy(
    "avg_score",
    lambda classifier, X: _scores(classifier, X).mean(axis=1),
    "Ask for the rows of largest mean score of the labels, see :func:`max_score`.",
    _ESULI,
)
