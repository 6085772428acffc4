"""The committee of classifiers: it votes, and asks for rows on which it disagrees."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import NotFittedError

from skbayes.active._committee_base import BaseCommittee
from skbayes.active.disagreement import vote_entropy_sampling
from skbayes.active.utils.validation import check_class_labels, check_class_proba


class Committee(ClassifierMixin, BaseCommittee):
    """Classifiers that vote, and ask for the labels of rows on which they disagree.

    Names and spirit are modAL's. The members' probabilities count as draws, so that every
    acquisition function is there for a committee.

    Parameters
    ----------
    learner_list : list of ActiveLearner
        The members.
    query_strategy : callable, default=None
        A strategy as in modAL, see :class:`ActiveLearner`. By default, if there is no
        ``acquisition`` either, :func:`~skbayes.active.disagreement.vote_entropy_sampling`.
    on_transformed : bool, default=False
        Tells a strategy that measures distances to measure them after the leading steps of the
        members' pipelines.
    acquisition : str or callable, default=None
        See :class:`ActiveLearner`.
    batch : str or callable, default=None
        See :class:`ActiveLearner`.
    epsilon : float or callable, default=0.0
        See :class:`ActiveLearner`.
    journal : str or path-like, default=None
        See :class:`ActiveLearner`. The members begin with what they know; they are not to be taught
        one by one then.
    random_state : int, RandomState instance or None, default=None
        Breaks ties and draws the bags of all members.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or None
        Labels that a member knows at least; None before the members are fitted.
    n_classes_ : int
        Their number.
    X_training : {array-like, sparse matrix, DataFrame} or None
        Rows that the members were taught.
    y_training : array-like or None
        Their labels.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed.

    References
    ----------
    Seung, Opper, Sompolinsky (1992), *Query by committee*, COLT. Danka, Horvath (2018), *modAL: A
    modular active learning framework for Python*, arXiv:1805.00979.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbayes.active import ActiveLearner, Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> members = [GaussianNB(), KNeighborsClassifier(3)]
    >>> committee = Committee([ActiveLearner(m, None, X[::25], y[::25]) for m in members])
    >>> indices, rows = committee.query(X, n_instances=2)
    >>> committee.teach(rows, y[indices]).vote(rows).shape
    (2, 2)
    """

    _default_strategy = staticmethod(vote_entropy_sampling)

    @property
    def classes_(self) -> np.ndarray | None:
        """Labels that a member knows at least; None before the members are fitted."""
        known = [getattr(m.estimator, "classes_", None) for m in self.learner_list]
        if any(labels is None for labels in known):
            return None
        return np.unique(np.concatenate(known, axis=0), axis=0)  # type: ignore[arg-type]

    @property
    def n_classes_(self) -> int:
        """Number of these labels."""
        classes = self.classes_
        return 0 if classes is None else len(classes)

    def vote(self, X: Any, **predict_kwargs: Any) -> np.ndarray:
        """Label that every member predicts.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        **predict_kwargs
            Further arguments of the members' ``predict``.

        Returns
        -------
        ndarray of shape (n_samples, n_learners)
        """
        votes = [np.ravel(m.predict(X, **predict_kwargs)) for m in self.learner_list]
        return np.stack(votes, axis=1)

    def vote_proba(self, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
        """Class probabilities of every member; a class that it does not know has 0.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        **predict_proba_kwargs
            Further arguments of the members' ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples, n_learners, n_classes)

        Raises
        ------
        NotFittedError
            If a member is not fitted.
        """
        same = check_class_labels(*[member.estimator for member in self.learner_list])
        classes = self.classes_
        votes = []
        for member in self.learner_list:
            proba = np.asarray(member.predict_proba(X, **predict_proba_kwargs))
            if not same:
                proba = check_class_proba(proba, member.estimator.classes_, classes)
            votes.append(proba)
        return np.stack(votes, axis=1)

    def predict_proba(self, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
        """Mean of the members' class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        **predict_proba_kwargs
            Further arguments of the members' ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self.vote_proba(X, **predict_proba_kwargs).mean(axis=1)

    def consensus(self, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
        """Consensus of the members, another name of :meth:`predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        **predict_proba_kwargs
            Further arguments of the members' ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self.predict_proba(X, **predict_proba_kwargs)

    def sample_proba(self, X: Any) -> np.ndarray:
        """Class probabilities of the members as draws.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_learners, n_samples, n_classes)
        """
        return self.vote_proba(X).transpose(1, 0, 2)

    def predict(self, X: Any, **predict_proba_kwargs: Any) -> np.ndarray:
        """Class of the largest mean probability.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        **predict_proba_kwargs
            Further arguments of the members' ``predict_proba``.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        proba = self.predict_proba(X, **predict_proba_kwargs)
        classes = self.classes_
        if classes is None:
            raise NotFittedError("the members of the committee are not fitted")
        return classes[proba.argmax(axis=1)]
