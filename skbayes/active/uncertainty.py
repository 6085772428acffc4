"""How unsure a classifier is of rows, and modAL's strategies that ask for the least sure ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skbayes.active._blocks import map_blocks
from skbayes.active._rows import count_rows
from skbayes.active._selection import select, select_lowest
from skbayes.active._utilities import largest

__all__ = [
    "classifier_entropy",
    "classifier_margin",
    "classifier_uncertainty",
    "entropy_sampling",
    "margin_sampling",
    "uncertainty_sampling",
]


def classifier_uncertainty(classifier: Any, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
    r"""One minus the probability of the most probable class, :math:`1 - \max_c p_c`.

    Parameters
    ----------
    classifier : object
        Anything with ``predict_proba``; 1 everywhere if it is not fitted yet.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    **predict_proba_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active.uncertainty import classifier_uncertainty
    >>> classifier = DummyClassifier(strategy="prior").fit([[0]] * 4, [0, 0, 0, 1])
    >>> classifier_uncertainty(classifier, [[0], [0]])
    array([0.25, 0.25])
    """
    return _measure(_proba_uncertainty, 1.0, classifier, X, predict_proba_kwargs)


def classifier_margin(classifier: Any, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
    r"""Margin between the two most probable classes, :math:`p_{(1)} - p_{(2)}`.

    Parameters
    ----------
    classifier : object
        Anything with ``predict_proba``; 0 everywhere if it is not fitted yet.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    **predict_proba_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    ndarray of shape (n_samples,)
        Low where the classifier is unsure; 0 if there is one class only, as in modAL.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active.uncertainty import classifier_margin
    >>> classifier = DummyClassifier(strategy="prior").fit([[0]] * 4, [0, 0, 0, 1])
    >>> classifier_margin(classifier, [[0], [0]])
    array([0.5, 0.5])
    """
    return _measure(_proba_margin, 0.0, classifier, X, predict_proba_kwargs)


def classifier_entropy(classifier: Any, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
    r"""Entropy of the class probabilities, :math:`-\sum_c p_c \log p_c`, in nats.

    Parameters
    ----------
    classifier : object
        Anything with ``predict_proba``; 0 everywhere if it is not fitted yet.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    **predict_proba_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active.uncertainty import classifier_entropy
    >>> classifier = DummyClassifier(strategy="prior").fit([[0]] * 2, [0, 1])
    >>> classifier_entropy(classifier, [[0]])
    array([0.69314718])
    """
    return _measure(_proba_entropy, 0.0, classifier, X, predict_proba_kwargs)


def uncertainty_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`classifier_uncertainty`.

    Parameters
    ----------
    classifier : object
        Classifier or learner.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.
    **uncertainty_measure_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)
        Their uncertainties.

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Lewis, Gale (1994), *A sequential algorithm for training text classifiers*, SIGIR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active.uncertainty import uncertainty_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> indices, metrics = uncertainty_sampling(GaussianNB().fit(X, y), X, 3)
    >>> len(indices), bool(metrics[0] >= metrics[1])
    (3, True)
    """
    utilities = classifier_uncertainty(classifier, X, **uncertainty_measure_kwargs)
    return select(utilities, n_instances, random_tie_break, classifier, random_state)


def margin_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of smallest :func:`classifier_margin`.

    Parameters
    ----------
    classifier : object
        Classifier or learner.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.
    **uncertainty_measure_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)
        Their margins.

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Scheffer, Decomain, Wrobel (2001), *Active hidden Markov models for information extraction*,
    IDA.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active.uncertainty import margin_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> indices, metrics = margin_sampling(GaussianNB().fit(X, y), X, 3)
    >>> len(indices), bool(metrics[0] <= metrics[1])
    (3, True)
    """
    margins = classifier_margin(classifier, X, **uncertainty_measure_kwargs)
    return select_lowest(margins, n_instances, random_tie_break, classifier, random_state)


def entropy_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`classifier_entropy`.

    Parameters
    ----------
    classifier : object
        Classifier or learner.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.
    **uncertainty_measure_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)
        Their entropies.

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    References
    ----------
    Shannon (1948), *A mathematical theory of communication*, Bell System Technical Journal.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active.uncertainty import entropy_sampling
    >>> X, y = load_iris(return_X_y=True)
    >>> indices, metrics = entropy_sampling(GaussianNB().fit(X, y), X, 3)
    >>> len(indices), bool(metrics[0] >= metrics[1])
    (3, True)
    """
    utilities = classifier_entropy(classifier, X, **uncertainty_measure_kwargs)
    return select(utilities, n_instances, random_tie_break, classifier, random_state)


# -- of probabilities alone; modAL's names --------------------------------------------------------


def _proba_uncertainty(proba: np.ndarray) -> np.ndarray:
    return 1 - largest(np.asarray(proba))


def _proba_margin(proba: np.ndarray) -> np.ndarray:
    proba = np.asarray(proba)
    if proba.shape[1] == 1:
        return np.zeros(len(proba))
    best = np.partition(proba, -2, axis=1)[:, -2:]  # (rows, 2): second, first
    return best[:, 1] - best[:, 0]


def _proba_entropy(proba: np.ndarray) -> np.ndarray:
    """Entropy of rows that need not sum to 1; of a row of zeros 0."""
    proba = np.asarray(proba, dtype=np.float64)
    total = proba.sum(axis=1, keepdims=True)
    share = np.divide(proba, total, out=np.zeros_like(proba), where=total > 0)
    logarithm = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.maximum(-np.einsum("nc,nc->n", share, logarithm), 0)


def _measure(
    measure: Callable[[np.ndarray], np.ndarray],
    unfitted: float,
    classifier: Any,
    X: Any,
    kwargs: dict[str, Any],
) -> np.ndarray:
    try:
        return map_blocks(lambda rows: measure(classifier.predict_proba(rows, **kwargs)), X)
    except NotFittedError:
        return np.full(count_rows(X, "X"), unfitted)
