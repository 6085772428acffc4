"""What all committees are: learners that are taught together, each perhaps on a bag of its own."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from skbayes.active._checks import ParameterError, new_random_state
from skbayes.active._fingerprint import row_hashes
from skbayes.active._query import Querying
from skbayes.active._random import Randomized
from skbayes.active._rows import check_training_rows, stack_all, take_rows
from skbayes.active._run import Running
from skbayes.active.utils.data import data_hstack


class BaseCommittee(Running, Querying, Randomized, BaseEstimator):
    """Base of the committees: how they are taught; a subclass says how they vote.

    It has the attributes ``learner_list``, ``query_strategy``, ``on_transformed``,
    ``acquisition``, ``batch``, ``epsilon`` and ``random_state``.
    """

    learner_list: list[Any]
    on_transformed: bool

    def __iter__(self) -> Iterator[Any]:
        return iter(self.learner_list)

    def __len__(self) -> int:
        return len(self.learner_list)

    @property
    def X_training(self) -> Any:
        """Rows that the members were taught; None before there are any."""
        return self._union("X_training")

    @property
    def y_training(self) -> Any:
        """Labels of these rows."""
        return self._union("y_training")

    def _union(self, name: str) -> Any:
        """Rows, or labels, of all members; what several were taught counts once."""
        taught = [m for m in self.learner_list if getattr(m, "X_training", None) is not None]
        distinct: list[Any] = []
        for learner in taught:
            if not any(_same(learner.X_training, other.X_training) for other in distinct):
                distinct.append(learner)
        if not distinct:
            return None
        data = stack_all([getattr(learner, name) for learner in distinct], name)
        if len(distinct) == 1:
            return data
        hashes = row_hashes(stack_all([learner.X_training for learner in distinct], "X"))
        first: dict[bytes, int] = {}
        for place, row_hash in enumerate(hashes):
            first.setdefault(row_hash, place)
        return take_rows(data, np.array(list(first.values())))

    def fit(self, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> Any:
        """Let every member forget all labels so far and train on these.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels.
        bootstrap : bool, default=False
            Whether every member trains on a bootstrap sample of its own (bagging).
        **fit_kwargs
            Further arguments of the members' ``fit``.

        Returns
        -------
        self
        """
        self._check_parameters()
        check_training_rows(X, y)
        self._restart_stream()
        for learner in self.learner_list:
            learner.X_training, learner.y_training = X, y
            self._fit_member(learner, bootstrap, fit_kwargs)
        return self

    def teach(
        self, X: Any, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any
    ) -> Any:
        """Teach every member new labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            The new rows.
        y : array-like of shape (n_samples,)
            Their labels.
        bootstrap : bool, default=False
            Whether every member trains on a bootstrap sample of its own.
        only_new : bool, default=False
            Whether to train on the new rows alone.
        **fit_kwargs
            Further arguments of the method that trains.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If rows and labels do not fit each other or those of a member; no member has learned
            anything then.
        """
        self._check_parameters()
        check_training_rows(X, y)
        before = [(learner.X_training, learner.y_training) for learner in self.learner_list]
        for learner in self.learner_list:
            learner._with_new(X, y)  # all fit, or none is taught
        rng = self._get_random_state()
        try:
            for learner in self.learner_list:
                learner._teach(X, y, bootstrap, only_new, fit_kwargs, rng)
        except BaseException:
            for learner, (rows, labels) in zip(self.learner_list, before, strict=True):
                learner.X_training, learner.y_training = rows, labels
            raise
        return self

    def rebag(self, **fit_kwargs: Any) -> Any:
        """Train every member again, on a bootstrap sample of its own labels.

        Parameters
        ----------
        **fit_kwargs
            Further arguments of the members' ``fit``.

        Returns
        -------
        self
        """
        for learner in self.learner_list:
            self._fit_member(learner, True, fit_kwargs)
        return self

    def transform_without_estimating(self, X: Any) -> Any:
        """Transform rows by the leading steps of every member, side by side.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        {ndarray, sparse matrix, DataFrame} of shape (n_samples, n_features_out)
        """
        return data_hstack([m.transform_without_estimating(X) for m in self.learner_list])

    # -- pieces -----------------------------------------------------------------------------------

    def _add_training_data(self, X: Any, y: Any) -> None:
        for learner in self.learner_list:
            learner._add_training_data(X, y)

    def _fit_member(self, learner: Any, bootstrap: bool, fit_kwargs: dict[str, Any]) -> None:
        # one stream for all: members of the same seed would draw the same bag
        learner._fit_to_known(bootstrap, self._get_random_state(), **fit_kwargs)

    def _who_predicts(self) -> Any:
        return self

    def _check_parameters(self) -> None:
        if not isinstance(self.learner_list, list) or not self.learner_list:
            raise ParameterError(
                f"learner_list={self.learner_list!r} must be a list of learners, one at least"
            )
        self._check_asking()
        new_random_state(self.random_state)

    def __sklearn_is_fitted__(self) -> bool:
        return all(learner.__sklearn_is_fitted__() for learner in self.learner_list)


def _same(rows: Any, others: Any) -> bool:
    if rows is others:
        return True
    if type(rows) is not type(others) or np.shape(rows) != np.shape(others):
        return False
    if sparse.issparse(rows):
        return (rows != others).nnz == 0
    return bool(rows.equals(others)) if hasattr(rows, "equals") else np.array_equal(rows, others)
