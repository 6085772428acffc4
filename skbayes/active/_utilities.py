"""Utilities of class probabilities and of detectors' scores: pure functions, one number a row."""

from typing import Any

import numpy as np
from scipy.special import entr

from skbayes._draws import mean_entropy
from skbayes._random import new_random_state
from skbayes.active._checks import check_draws, check_scores


def least_confidence(draws: np.ndarray) -> np.ndarray:
    r"""One minus the probability of the most probable class, :math:`1 - \max_c \bar p_c`.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; one draw is enough.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between 0 and 1 - 1 / n_classes.

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape.

    References
    ----------
    Lewis, Gale (1994), *A sequential algorithm for training text classifiers*, SIGIR.

    Examples
    --------
    >>> from skbayes.active.acquisition import least_confidence
    >>> least_confidence([[[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]])
    array([0.5, 0. ])
    """
    mean = mean_draw(check_draws(draws))  # (rows, classes)
    return 1 - largest(mean)  # (rows,)


def margin(draws: np.ndarray) -> np.ndarray:
    r"""Minus the margin between the two most probable classes, :math:`\bar p_{(2)}-\bar p_{(1)}`.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; one draw is enough.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between -1 (sure) and 0 (a tie).

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape.

    References
    ----------
    Scheffer, Decomain, Wrobel (2001), *Active hidden Markov models for information extraction*,
    IDA.

    Examples
    --------
    >>> from skbayes.active.acquisition import margin
    >>> margin([[[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]])
    array([-0.25, -1.  ])
    """
    mean = mean_draw(check_draws(draws))  # (rows, classes)
    if mean.shape[-1] == 1:
        return -mean[:, 0]  # the second class is one that never comes
    best = np.partition(mean, -2, axis=-1)[:, -2:]  # (rows, 2): second, first
    return best[:, 0] - best[:, 1]  # (rows,)


def entropy(draws: np.ndarray) -> np.ndarray:
    r"""Entropy of the mean prediction, :math:`H(\bar p) = -\sum_c \bar p_c \log \bar p_c`.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; one draw is enough.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats, between 0 and log n_classes.

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape.

    References
    ----------
    Shannon (1948), *A mathematical theory of communication*, Bell System Technical Journal.

    Examples
    --------
    >>> from skbayes.active.acquisition import entropy
    >>> entropy([[[0.5, 0.5], [1.0, 0.0]]])
    array([0.69314718, 0.        ])
    """
    mean = mean_draw(check_draws(draws))  # (rows, classes)
    return entr(mean).sum(axis=-1)  # (rows,)


def expected_entropy(draws: np.ndarray) -> np.ndarray:
    r"""Mean entropy of the draws, :math:`\frac1M \sum_m H(p_m)`: the noise that all agree on.

    The "entropy" of the deep ensemble filter's papers; what is left of :func:`entropy` without
    :func:`bald`.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; one draw is enough.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats, between 0 and log n_classes.

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape.

    References
    ----------
    Sahan, Smidl, Marik (2021), *Active learning for text classification and fake news detection*,
    ISCSIC.

    Examples
    --------
    >>> from skbayes.active.acquisition import expected_entropy
    >>> expected_entropy([[[0.5, 0.5]], [[1.0, 0.0]]])
    array([0.34657359])
    """
    return mean_entropy(check_draws(draws))


def bald(draws: np.ndarray) -> np.ndarray:
    r"""Bayesian active learning by disagreement: information that a label holds on the weights.

    The mutual information :math:`H(\bar p) - \frac1M \sum_m H(p_m)`, high where the draws are each
    sure and disagree; noise in the labels, on which they agree, does not count.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; at least two draws.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats, between 0 and log min(n_classes, n_draws).

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape, or one draw only: it would be zero
        everywhere.

    References
    ----------
    Houlsby, Huszar, Ghahramani, Lengyel (2011), *Bayesian active learning for classification and
    preference learning*, arXiv:1112.5745.

    Examples
    --------
    >>> from skbayes.active.acquisition import bald
    >>> sure_but_at_odds, unsure_together = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]
    >>> bald([[a, b] for a, b in zip(sure_but_at_odds, unsure_together)])
    array([0.69314718, 0.        ])
    """
    draws = check_draws(draws, needs_several="bald")
    total = entr(draws.mean(axis=0)).sum(axis=-1)  # (rows,)
    # rounding alone can make it negative
    return np.maximum(total - mean_entropy(draws), 0)  # (rows,)


def variation_ratio(draws: np.ndarray) -> np.ndarray:
    r"""Share of the draws that do not vote for the most voted class, :math:`1 - n_{mode} / M`.

    Every draw has one vote, for its most probable class (Gal's form; with the mean prediction
    instead of votes it is :func:`least_confidence`).

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; at least two draws.

    Returns
    -------
    ndarray of shape (n_samples,)
        One of the ``n_draws`` values 0, 1/M, 2/M, ...: with few draws there are many ties.

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape, or one draw only: it would be zero
        everywhere.

    References
    ----------
    Freeman (1965), *Elementary applied statistics*; Gal, Islam, Ghahramani (2017), *Deep Bayesian
    active learning with image data*, ICML.

    Examples
    --------
    >>> from skbayes.active.acquisition import variation_ratio
    >>> variation_ratio([[[0.9, 0.1]], [[0.8, 0.2]], [[0.6, 0.4]], [[0.1, 0.9]]])
    array([0.25])
    """
    draws = check_draws(draws, needs_several="variation_ratio")
    n_draws, n_rows, n_classes = draws.shape
    votes = draws.argmax(axis=-1)  # (draws, rows)
    mode = np.zeros(n_rows, dtype=np.intp)
    for label in range(n_classes):
        np.maximum(mode, (votes == label).sum(axis=0), out=mode)  # (rows,)
    return 1 - mode / n_draws  # (rows,)


def mean_std(draws: np.ndarray) -> np.ndarray:
    r"""Spread of the draws: their standard deviation, mean over classes.

    :math:`\frac1K \sum_c \sqrt{\frac1M \sum_m (p_{mc} - \bar p_c)^2}`.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; at least two draws.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between 0 and 1/2.

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape, or one draw only: it would be zero
        everywhere.

    References
    ----------
    Kampffmeyer, Salberg, Jenssen (2016), *Semantic segmentation of small objects and modeling of
    uncertainty in urban remote sensing images using deep convolutional neural networks*, CVPRW.

    Examples
    --------
    >>> from skbayes.active.acquisition import mean_std
    >>> mean_std([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])
    array([0.5, 0. ])
    """
    draws = check_draws(draws, needs_several="mean_std")
    mean = draws.mean(axis=0)  # (rows, classes)
    square = np.zeros_like(mean)
    for draw in draws:  # no second array as large as all draws
        square += (draw - mean) ** 2  # (rows, classes)
    return np.sqrt(square / len(draws)).mean(axis=-1)  # (rows,)


def random(draws: np.ndarray, *, random_state: Any = None) -> np.ndarray:
    """Utilities at random: the baseline that every other acquisition function must beat.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities; only their number of rows matters.
    random_state : int, RandomState instance or None, default=None
        Determines the utilities; None is different in every call.

    Returns
    -------
    ndarray of shape (n_samples,)
        Uniform in [0, 1).

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape.

    Examples
    --------
    >>> from skbayes.active.acquisition import random
    >>> random([[[0.5, 0.5], [1.0, 0.0]]], random_state=0)
    array([0.5488135 , 0.71518937])
    """
    n_rows = check_draws(draws).shape[1]
    return new_random_state(random_state).random_sample((n_rows,))


def most_anomalous(scores: np.ndarray) -> np.ndarray:
    """Minus the score of an outlier detector: the greedy search for anomalies.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        ``score_samples`` of the detector, higher = more normal.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If ``scores`` are not one number a row.

    References
    ----------
    Das, Wong, Dietterich, Fern, Emmott (2016), *Incorporating expert feedback into active anomaly
    discovery*, ICDM.

    Examples
    --------
    >>> from skbayes.active.acquisition import most_anomalous
    >>> most_anomalous([-3.0, 1.0])
    array([ 3., -1.])
    """
    return -check_scores(scores)


def least_certain(scores: np.ndarray) -> np.ndarray:
    """Minus the distance from the threshold, for outlier detectors and two-class machines.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        ``decision_function``, whose sign is the prediction.

    Returns
    -------
    ndarray of shape (n_samples,)
        0 on the threshold, negative elsewhere.

    Raises
    ------
    ValueError
        If ``scores`` are not one number a row.

    References
    ----------
    Tong, Koller (2001), *Support vector machine active learning with applications to text
    classification*, JMLR 2.

    Examples
    --------
    >>> from skbayes.active.acquisition import least_certain
    >>> least_certain([-3.0, 1.0])
    array([-3., -1.])
    """
    return -np.abs(check_scores(scores))


def mean_draw(draws: np.ndarray) -> np.ndarray:
    """Mean of the draws; of one draw itself, without a copy.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, n_samples, n_classes)
        Probabilities.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    return draws[0] if len(draws) == 1 else draws.mean(axis=0)


def largest(proba: np.ndarray) -> np.ndarray:
    """Maximum over few columns: column by column, several times faster than along rows.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    if proba.ndim != 2 or not 0 < proba.shape[1] <= 64:
        return proba.max(axis=1)
    result = proba[:, 0].copy()
    for column in range(1, proba.shape[1]):
        np.maximum(result, proba[:, column], out=result)
    return result
