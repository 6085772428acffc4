"""Class labels of several classifiers, and probabilities over all of them."""

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

__all__ = [
    "check_class_labels",
    "check_class_proba",
]


def check_class_labels(*args: Any) -> bool:
    """Tell whether classifiers know the same classes, in the same order.

    Parameters
    ----------
    *args : object
        Fitted classifiers.

    Returns
    -------
    bool

    Raises
    ------
    NotFittedError
        If one has no ``classes_``.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active.utils import check_class_labels
    >>> a, b = (DummyClassifier().fit([[0], [0]], y) for y in ([0, 1], [0, 2]))
    >>> check_class_labels(a, a), check_class_labels(a, b)
    (True, False)
    """
    try:
        labels = [estimator.classes_ for estimator in args]
    except AttributeError as error:
        raise NotFittedError(
            "not all estimators are fitted: one has no classes_. Fit all of them before"
        ) from error
    return all(np.array_equal(labels[0], other) for other in labels[1:])


def check_class_proba(proba: Any, known_labels: Any, all_labels: Any) -> np.ndarray:
    """Spread class probabilities over all classes; those that a classifier does not know get 0.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_known)
        Probabilities of the classes known.
    known_labels : array-like of shape (n_known,)
        Labels of these columns.
    all_labels : array-like of shape (n_classes,)
        All labels.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)

    Examples
    --------
    >>> from skbayes.active.utils import check_class_proba
    >>> check_class_proba([[0.2, 0.8]], ["a", "c"], ["a", "b", "c"])
    array([[0.2, 0. , 0.8]])
    """
    proba = np.asarray(proba)
    spread = np.zeros((len(proba), len(all_labels)), dtype=np.result_type(proba, np.float32))
    for position, label in enumerate(all_labels):
        for column, known in enumerate(known_labels):
            if np.array_equal(label, known):
                spread[:, position] = proba[:, column]
                break
    return spread
