"""The committee of regressors: its spread is its uncertainty."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from skbayes.active._committee_base import BaseCommittee
from skbayes.active.disagreement import max_std_sampling


class CommitteeRegressor(RegressorMixin, BaseCommittee):
    """Regressors whose spread is their uncertainty.

    Names and spirit are modAL's. The members' predictions count as draws.

    Parameters
    ----------
    learner_list : list of ActiveLearner
        The members.
    query_strategy : callable, default=None
        A strategy as in modAL, see :class:`ActiveLearner`. By default, if there is no
        ``acquisition`` either, :func:`~skbayes.active.disagreement.max_std_sampling`.
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
    X_training : {array-like, sparse matrix, DataFrame} or None
        Rows that the members were taught.
    y_training : array-like or None
        Their values.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed.

    References
    ----------
    Krogh, Vedelsby (1995), *Neural network ensembles, cross validation, and active learning*, NIPS.
    Danka, Horvath (2018), *modAL: A modular active learning framework for Python*,
    arXiv:1805.00979.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from skbayes.active import ActiveLearner, CommitteeRegressor
    >>> X = np.arange(10.0).reshape(-1, 1)
    >>> members = [
    ...     ActiveLearner(DecisionTreeRegressor(), None, X[i::5], X[i::5, 0]) for i in range(2)
    ... ]
    >>> mean, std = CommitteeRegressor(members).predict(X, return_std=True)
    >>> std[:3]
    array([0.5, 0.5, 0.5])
    """

    _default_strategy = staticmethod(max_std_sampling)

    def vote(self, X: Any, **predict_kwargs: Any) -> np.ndarray:
        """Value that every member predicts.

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

    def predict(self, X: Any, return_std: bool = False, **predict_kwargs: Any) -> Any:
        """Mean of the members' values.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        return_std : bool, default=False
            Whether to return their standard deviation too.
        **predict_kwargs
            Further arguments of the members' ``predict``.

        Returns
        -------
        mean : ndarray of shape (n_samples,)
        std : ndarray of shape (n_samples,)
            With ``return_std`` only.
        """
        votes = self.vote(X, **predict_kwargs)
        mean = votes.mean(axis=1)
        return (mean, votes.std(axis=1)) if return_std else mean

    def sample_mean(self, X: Any) -> np.ndarray:
        """Values of the members as draws.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_learners, n_samples)
        """
        return self.vote(X).T
