"""What all committees are: learners that are taught together, each perhaps on a bag of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone

from skbayes._random import new_random_state
from skbayes.active._checks import ParameterError
from skbayes.active._fingerprint import row_hashes
from skbayes.active._journaled import Journaled
from skbayes.active._query import Querying
from skbayes.active._random import Randomized
from skbayes.active._rows import (
    check_training_rows,
    count_rows,
    stack_all,
    stack_rows,
    take_rows,
)
from skbayes.active._run import Running
from skbayes.active.utils.data import data_hstack


class BaseCommittee(Running, Journaled, Querying, Randomized, BaseEstimator):
    """Base of the committees: how they are taught; a subclass says how they vote."""

    def __init__(
        self,
        learner_list: list[Any],
        query_strategy: Callable[..., Any] | None = None,
        on_transformed: bool = False,
        *,
        acquisition: str | Callable[..., Any] | None = None,
        batch: str | Callable[..., Any] | None = None,
        epsilon: float | Callable[[int], float] = 0.0,
        journal: Any = None,
        random_state: Any = None,
    ) -> None:
        self.learner_list = learner_list
        self.query_strategy = query_strategy
        self.on_transformed = on_transformed
        self.acquisition = acquisition
        self.batch = batch
        self.epsilon = epsilon
        self.journal = journal
        self.random_state = random_state
        self._check_parameters()
        if journal is not None:
            self._open_journal("journal")

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
        options = {"bootstrap": bootstrap, "fit_kwargs": fit_kwargs}
        X, y, event = self._write_down("fit", X, y, None, options)
        with self._taken_back_on_failure(event):
            self._learn("fit", X, y, options)
        return self

    def teach(
        self,
        X: Any,
        y: Any,
        bootstrap: bool = False,
        only_new: bool = False,
        *,
        indices: Any = None,
        **fit_kwargs: Any,
    ) -> Any:
        """Teach every member new labels.

        With a journal they are on the disk when this returns, and a row that was taught before
        with the same label is not taken in again.

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
        indices : array-like of int of shape (n_samples,), default=None
            Positions of the rows in the pool, for a journal. None are those at which they were
            asked for, if they were.
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
        for learner in self.learner_list:
            learner._with_new(X, y)  # all fit, or none is taught
        options = {"bootstrap": bootstrap, "only_new": only_new, "fit_kwargs": fit_kwargs}
        X, y, event = self._write_down("teach", X, y, indices, options)
        if X is not None:
            with self._taken_back_on_failure(event):
                self._learn("teach", X, y, options)
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
        options = {"fit_kwargs": fit_kwargs}
        event = None
        if self.journal is not None:
            journal = self._open_journal("rebag")
            event, _ = journal.add_labels("rebag", options, self._stream_state(), [])
        with self._taken_back_on_failure(event):
            self._learn("rebag", None, None, options)
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

    # -- the journal's hooks ----------------------------------------------------------------------

    def _learn(self, kind: str, X: Any, y: Any, options: dict[str, Any]) -> None:
        with self._data_kept_on_failure():
            for learner in self.learner_list:
                if kind == "teach":
                    # one stream for all: members of the same seed would draw the same bag
                    bootstrap, only_new = options["bootstrap"], options["only_new"]
                    rng = self._get_random_state()
                    learner._teach(X, y, bootstrap, only_new, options["fit_kwargs"], rng)
                    continue
                if kind == "fit":
                    learner.X_training, learner.y_training = X, y
                bootstrap = kind == "rebag" or options["bootstrap"]
                self._fit_member(learner, bootstrap, options["fit_kwargs"])

    def _retrain(self, y: Any) -> None:
        """Train all members again; what they knew before the journal began is left as it is."""
        n_rows = count_rows(y, "y")
        with self._data_kept_on_failure():
            for learner in self.learner_list:
                n_own = count_rows(learner.X_training, "X_training") - n_rows
                if n_own > 0:
                    own = take_rows(learner.y_training, np.arange(n_own))
                    learner.y_training = stack_rows(own, y, "y")
                else:
                    learner.y_training = y
                self._fit_member(learner, False, {})

    def _take_known(self, X: Any, y: Any, afresh: bool) -> None:
        for learner in self.learner_list:
            if afresh:
                learner.X_training, learner.y_training = X, y
            else:
                learner._add_training_data(X, y)

    def _goes_on(self) -> bool:
        return any(learner._goes_on() for learner in self.learner_list)

    @contextmanager
    def _taken_back_on_failure(self, event: int | None) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._take_back(event)
            raise

    @contextmanager
    def _data_kept_on_failure(self) -> Iterator[None]:
        before = [(learner.X_training, learner.y_training) for learner in self.learner_list]
        try:
            yield
        except BaseException:
            for learner, (rows, labels) in zip(self.learner_list, before, strict=True):
                learner.X_training, learner.y_training = rows, labels
            raise

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

    def __sklearn_clone__(self) -> Any:
        parameters = {**self.get_params(deep=False), "journal": None}  # that belongs to one
        return type(self)(**{key: clone(value, safe=False) for key, value in parameters.items()})

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
