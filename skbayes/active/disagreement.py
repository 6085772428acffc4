"""How much the members of a committee disagree, and modAL's strategies that ask where they do."""

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skbayes.active._blocks import map_blocks
from skbayes.active._rows import count_rows
from skbayes.active._selection import select
from skbayes.active.uncertainty import _proba_entropy

__all__ = [
    "KL_max_disagreement",
    "consensus_entropy",
    "consensus_entropy_sampling",
    "max_disagreement_sampling",
    "max_std_sampling",
    "vote_entropy",
    "vote_entropy_sampling",
]


def vote_entropy(committee: Any, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
    r"""Entropy of the members' votes, :math:`-\sum_c \frac{V_c}{M} \log \frac{V_c}{M}`.

    Parameters
    ----------
    committee : object
        Anything with ``vote`` and ``classes_``; 0 everywhere if it is not fitted yet.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    **predict_proba_kwargs
        Further arguments of ``vote``.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats.

    References
    ----------
    Dagan, Engelson (1995), *Committee-based sampling for training probabilistic classifiers*, ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active import ActiveLearner, Committee
    >>> from skbayes.active.disagreement import vote_entropy
    >>> X, y = load_iris(return_X_y=True)
    >>> committee = Committee(
    ...     [ActiveLearner(GaussianNB(), None, X[i::10], y[i::10]) for i in range(2)]
    ... )
    >>> sorted(set(vote_entropy(committee, X).round(3).tolist()))
    [0.0, 0.693]
    """

    def measured(rows: Any) -> np.ndarray:
        votes = np.asarray(committee.vote(rows, **predict_proba_kwargs))  # (rows, members)
        return _entropy_of_votes(votes, committee.classes_)

    try:
        return map_blocks(measured, X)
    except NotFittedError:
        return np.zeros(count_rows(X, "X"))


def consensus_entropy(committee: Any, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
    """Entropy of the members' mean probabilities.

    Parameters
    ----------
    committee : object
        Anything with ``predict_proba``; 0 everywhere if it is not fitted yet.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    **predict_proba_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active import ActiveLearner, Committee
    >>> from skbayes.active.disagreement import consensus_entropy
    >>> members = [ActiveLearner(DummyClassifier(), None, [[0], [0]], [c, c]) for c in (0, 1)]
    >>> consensus_entropy(Committee(members), [[0]])  # each sure, at odds
    array([0.69314718])
    """
    try:
        return map_blocks(
            lambda rows: _proba_entropy(committee.predict_proba(rows, **predict_proba_kwargs)), X
        )
    except NotFittedError:
        return np.zeros(count_rows(X, "X"))


def KL_max_disagreement(committee: Any, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
    r"""Largest divergence of a member from the consensus, :math:`\max_m KL(p_m \| \bar p)`.

    Parameters
    ----------
    committee : object
        Anything with ``vote_proba``; 0 everywhere if it is not fitted yet.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    **predict_proba_kwargs
        Further arguments of ``vote_proba``.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats.

    References
    ----------
    McCallum, Nigam (1998), *Employing EM and pool-based active learning for text classification*,
    ICML.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active import ActiveLearner, Committee
    >>> from skbayes.active.disagreement import KL_max_disagreement
    >>> members = [ActiveLearner(DummyClassifier(), None, [[0], [0]], [c, c]) for c in (0, 1)]
    >>> KL_max_disagreement(Committee(members), [[0]])
    array([0.69314718])
    """

    def measured(rows: Any) -> np.ndarray:
        votes = np.asarray(committee.vote_proba(rows, **predict_proba_kwargs), dtype=np.float64)
        return _divergences(votes).max(axis=1)

    try:
        return map_blocks(measured, X)
    except NotFittedError:
        return np.zeros(count_rows(X, "X"))


def vote_entropy_sampling(
    committee: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **disagreement_measure_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`vote_entropy`.

    Parameters
    ----------
    committee : object
        Committee.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties, which votes have many of, are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the committee's own stream if it has one.
    **disagreement_measure_kwargs
        Further arguments of ``vote``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active import ActiveLearner, Committee
    >>> from skbayes.active.disagreement import vote_entropy_sampling
    >>> members = [ActiveLearner(DummyClassifier(), None, [[0], [0]], [c, c]) for c in (0, 1)]
    >>> vote_entropy_sampling(Committee(members), [[0], [1]])
    (array([0]), array([0.69314718]))
    """
    utilities = vote_entropy(committee, X, **disagreement_measure_kwargs)
    return select(utilities, n_instances, random_tie_break, committee, random_state)


def consensus_entropy_sampling(
    committee: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **disagreement_measure_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`consensus_entropy`.

    Parameters
    ----------
    committee : object
        Committee.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the committee's own stream if it has one.
    **disagreement_measure_kwargs
        Further arguments of ``predict_proba``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active import ActiveLearner, Committee
    >>> from skbayes.active.disagreement import consensus_entropy_sampling
    >>> members = [ActiveLearner(DummyClassifier(), None, [[0], [0]], [c, c]) for c in (0, 1)]
    >>> consensus_entropy_sampling(Committee(members), [[0], [1]])
    (array([0]), array([0.69314718]))
    """
    utilities = consensus_entropy(committee, X, **disagreement_measure_kwargs)
    return select(utilities, n_instances, random_tie_break, committee, random_state)


def max_disagreement_sampling(
    committee: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **disagreement_measure_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`KL_max_disagreement`.

    Parameters
    ----------
    committee : object
        Committee.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the committee's own stream if it has one.
    **disagreement_measure_kwargs
        Further arguments of ``vote_proba``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active import ActiveLearner, Committee
    >>> from skbayes.active.disagreement import max_disagreement_sampling
    >>> members = [ActiveLearner(DummyClassifier(), None, [[0], [0]], [c, c]) for c in (0, 1)]
    >>> max_disagreement_sampling(Committee(members), [[0], [1]])
    (array([0]), array([0.69314718]))
    """
    utilities = KL_max_disagreement(committee, X, **disagreement_measure_kwargs)
    return select(utilities, n_instances, random_tie_break, committee, random_state)


def max_std_sampling(
    regressor: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **predict_kwargs: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest predictive standard deviation.

    Parameters
    ----------
    regressor : object
        Regressor, learner or committee whose ``predict`` takes ``return_std=True``.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the learner's own stream if it has one.
    **predict_kwargs
        Further arguments of ``predict``.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)
        Their standard deviations.

    Raises
    ------
    ValueError
        If the pool has fewer rows.

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active.disagreement import max_std_sampling
    >>> regressor = GaussianProcessRegressor().fit([[0.0]], [1.0])
    >>> max_std_sampling(regressor, [[0.0], [5.0], [1.0]])[0]
    array([1])
    """

    def measured(rows: Any) -> np.ndarray:
        _, std = regressor.predict(rows, return_std=True, **predict_kwargs)
        return np.asarray(std).reshape(count_rows(rows, "X"))

    std = map_blocks(measured, X)
    return select(std, n_instances, random_tie_break, regressor, random_state)


# -- of votes alone -------------------------------------------------------------------------------


def _entropy_of_votes(votes: np.ndarray, classes: Any) -> np.ndarray:
    n_members = votes.shape[1]
    by_member = np.ascontiguousarray(votes.T)  # (members, rows)
    counts = np.arange(n_members + 1) / n_members
    terms = -counts * np.log(counts, out=np.zeros_like(counts), where=counts > 0)
    entropy = np.zeros(len(votes))
    for label in np.asarray(classes):  # a table of the few values that a term can take
        entropy += terms[(by_member == label).sum(axis=0, dtype=np.intp)]
    return np.maximum(entropy, 0)


def _divergences(votes: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of every member from the mean, of normalised rows."""
    total = votes.sum(axis=2, keepdims=True)
    member = np.divide(votes, total, out=np.zeros_like(votes), where=total > 0)
    mean = votes.mean(axis=1, keepdims=True)
    total = mean.sum(axis=2, keepdims=True)
    mean = np.divide(mean, total, out=np.zeros_like(mean), where=total > 0)
    ratio = np.divide(member, mean, out=np.ones_like(member), where=(mean > 0) & (member > 0))
    return np.maximum((member * np.log(ratio)).sum(axis=2), 0)  # (rows, members)
