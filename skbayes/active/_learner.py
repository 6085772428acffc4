"""The active learner: asks for the labels it would learn most from, and learns from the answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skbayes._draws import sample_proba
from skbayes.active._base import BaseLearner
from skbayes.active._checks import (
    check_indices,
    check_n_instances,
    new_random_state,
    split_answer,
)
from skbayes.active._rows import (
    check_same_kind,
    check_training_rows,
    count_rows,
    stack_rows,
    take_rows,
)
from skbayes.active._training import (
    find_warm_route,
    is_detector,
    takes_labels,
    train,
    train_on,
)
from skbayes.active.acquisition import SCORE_METHODS, get_acquisition, random
from skbayes.active.batch import top_k


class ActiveLearner(BaseLearner):
    """Learner that chooses which rows of a pool to have labelled.

    ``query`` picks rows of the pool, somebody labels them, ``teach`` learns from the labels. Names
    and spirit are modAL's, whose strategy functions work here.

    An outlier detector with ``fit_labels`` (one fitted beforehand on unlabelled rows) is taught by
    ``fit_labels`` with all labels so far; its density is never refitted.

    Parameters
    ----------
    estimator : object
        Classifier or outlier detector, also in a ``Pipeline`` or search. Trained in place. Anything
        with ``fit``, ``predict`` and ``predict_proba`` will do.
    query_strategy : callable, default=None
        A strategy as in modAL, ``(learner, X_pool, n_instances=..., **kwargs)`` returning row
        numbers, or a tuple of them and of their metrics. Called once a query, with
        ``n_instances`` always. Not together with ``acquisition``.
    X_training : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features), \
            default=None
        Rows whose labels are known at the start. If given, the estimator is trained at once.
    y_training : array-like of shape (n_samples,), default=None
        Their labels.
    bootstrap_init : bool, default=False
        Whether this first training is on a bootstrap sample of them.
    on_transformed : bool, default=False
        Tells a strategy that measures distances (modAL's ranked batch) to measure them after the
        leading steps of a pipeline, see :meth:`transform_without_estimating`.
    acquisition : str or callable, default=None
        Name of a utility in :data:`skbayes.active.ACQUISITIONS`, or a function of draws of shape
        (draws, rows, classes) returning a utility a row, higher = asked for first. By default, if
        there is no ``query_strategy`` either, uncertainty: ``"least_confidence"``;
        ``"most_anomalous"`` for an outlier detector.
    refit : {"full", "warm"}, default="full"
        What ``teach`` retrains. ``"full"``: the whole estimator, by ``fit`` on all labels so far.
        ``"warm"``: the estimator goes on from where it is, by ``fit`` on all labels so far with
        its ``warm_start`` on if it has one, else by ``partial_fit`` on the new labels; in a
        pipeline the leading steps stay as they were first fitted. Hand over the labels that a
        fitted estimator was fitted on, or it goes on without them. An estimator that can do neither
        is an error. Makes no difference to a detector with ``fit_labels``.
    random_state : int, RandomState instance or None, default=None
        Breaks ties and draws bootstrap samples. None is different in every run; numpy's global
        state is never touched.

    Attributes
    ----------
    X_training : {array-like, sparse matrix, DataFrame} or None
        All labelled rows so far.
    y_training : array-like or None
        Their labels.
    classes_ : ndarray of shape (n_classes,)
        Those of a fitted classifier.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed, or both ``query_strategy`` and ``acquisition``
        are given.

    Notes
    -----
    Learners fit at construction, against scikit-learn's custom. The data are no parameters:
    ``get_params`` leaves them out and ``clone`` gives an unfitted learner without them, so that
    ``GridSearchCV`` over a learner works.

    References
    ----------
    Danka, Horvath (2018), *modAL: A modular active learning framework for Python*,
    arXiv:1805.00979. Settles (2009), *Active learning literature survey*, University of
    Wisconsin-Madison, TR 1648.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbayes.active import ActiveLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(
    ...     LogisticRegression(max_iter=1000),
    ...     X_training=X[::50],
    ...     y_training=y[::50],
    ...     acquisition="margin",
    ...     random_state=0,
    ... )
    >>> for _ in range(10):
    ...     indices, rows = learner.query(X, n_instances=2)
    ...     learner = learner.teach(rows, y[indices])
    >>> len(learner.y_training), bool(learner.score(X, y) > 0.95)
    (23, True)
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: Callable[..., Any] | None = None,
        X_training: Any = None,
        y_training: Any = None,
        bootstrap_init: bool = False,
        on_transformed: bool = False,
        *,
        acquisition: str | Callable[..., Any] | None = None,
        refit: str = "full",
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.bootstrap_init = bootstrap_init
        self.on_transformed = on_transformed
        self.acquisition = acquisition
        self.refit = refit
        self.random_state = random_state
        self.X_training = None
        self.y_training = None
        self._check_parameters()
        if (X_training is None) != (y_training is None):
            given, missing = ("X", "y") if y_training is None else ("y", "X")
            raise ValueError(f"{given}_training was given without {missing}_training")
        if X_training is not None:
            self.fit(X_training, y_training, bootstrap=bootstrap_init)

    # -- the loop ---------------------------------------------------------------------------------

    def query(
        self, X_pool: Any, n_instances: int = 1, *, return_metrics: bool = False, **kwargs: Any
    ) -> tuple[Any, ...]:
        """Choose the rows to have labelled.

        Of rows with the same utility some are chosen at random; an estimator that is not fitted
        yet finds all rows alike.

        Parameters
        ----------
        X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows without labels.
        n_instances : int, default=1
            Number of rows to choose.
        return_metrics : bool, default=False
            Whether to return as a third the utilities of the rows chosen, or what the strategy
            returned beside the indices (None if nothing).
        **kwargs
            Further arguments of ``query_strategy``.

        Returns
        -------
        indices : ndarray of int of shape (n_instances,)
            Positions in the pool; with ``acquisition`` the best comes first.
        rows : {ndarray, sparse matrix, list, DataFrame}
            ``X_pool[indices]``, of the pool's kind.
        metrics : object
            With ``return_metrics`` only.

        Raises
        ------
        ValueError
            If the pool has fewer rows than ``n_instances``, the acquisition function needs several
            draws and there is one, or a strategy returns no valid rows.
        TypeError
            If the estimator has not what the acquisition function needs, or there are ``kwargs``
            without a ``query_strategy``.
        """
        self._check_parameters()
        n_rows = count_rows(X_pool, "X_pool")
        check_n_instances(n_instances, n_rows)
        if self.query_strategy is not None:
            answer = self.query_strategy(self, X_pool, n_instances=n_instances, **kwargs)
            chosen, metrics = split_answer(answer)
            indices = check_indices(chosen, n_instances, n_rows)
        elif kwargs:
            raise TypeError(
                f"query got {sorted(kwargs)}, which are for a query_strategy; there is none"
            )
        else:
            utilities = self._utilities(X_pool, n_rows)
            indices = top_k(utilities, n_instances, random_state=self._get_random_state())
            metrics = utilities[indices]
        rows = take_rows(X_pool, indices)
        return (indices, rows, metrics) if return_metrics else (indices, rows)

    def teach(
        self, X: Any, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any
    ) -> "ActiveLearner":
        """Take new labels in and retrain as ``refit`` says.

        All or nothing: if training raises, the labels are not taken in.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            The new rows.
        y : array-like of shape (n_samples,)
            Their labels (+1 normal, -1 anomaly for a detector with ``fit_labels``).
        bootstrap : bool, default=False
            Whether to train on a bootstrap sample.
        only_new : bool, default=False
            Whether to train on the new rows alone, for an estimator whose ``fit`` goes on from
            where it was. They are kept with the others all the same.
        **fit_kwargs
            Further arguments of the method that trains.

        Returns
        -------
        self : ActiveLearner

        Raises
        ------
        ValueError
            If rows and labels do not fit each other or those so far.
        TypeError
            If the estimator is an outlier detector that cannot learn from labels.
        """
        self._check_parameters()
        check_training_rows(X, y)
        if is_detector(self.estimator) and not takes_labels(self.estimator):
            raise TypeError(
                f"estimator={type(self.estimator).__name__} is an outlier detector without "
                "fit_labels: fit would forget its density for that of the labelled rows alone"
            )
        X_all, y_all = X, y
        if self.X_training is not None:
            check_same_kind(self.y_training, y)
            X_all = stack_rows(self.X_training, X, "X")
            y_all = stack_rows(self.y_training, y, "y")
        fitting = train
        seen = (X, y) if only_new else (X_all, y_all)
        if self._is_warm() and self.__sklearn_is_fitted__():
            fitting = train_on
            if find_warm_route(self.estimator)[1] == "partial_fit":
                seen = X, y
        fitting(self.estimator, *self._sampled(*seen, bootstrap), fit_kwargs)
        self.X_training, self.y_training = X_all, y_all
        return self

    def fit(self, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> "ActiveLearner":
        """Forget all labels so far and train on these.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Labels.
        bootstrap : bool, default=False
            Whether to train on a bootstrap sample.
        **fit_kwargs
            Further arguments of the estimator's ``fit`` (``fit_labels``).

        Returns
        -------
        self : ActiveLearner

        Raises
        ------
        ValueError
            If rows and labels are not as many, or none.
        """
        self._check_parameters()
        check_training_rows(X, y)
        self._restart_stream()  # an integer seed starts anew: to fit twice is to fit once
        train(self.estimator, *self._sampled(X, y, bootstrap), fit_kwargs)
        self.X_training, self.y_training = X, y
        return self

    # -- pieces -----------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        if self.query_strategy is not None and self.acquisition is not None:
            raise ValueError(
                f"query_strategy={self.query_strategy!r} and acquisition={self.acquisition!r} were "
                "both given; give one of them"
            )
        if self.query_strategy is not None and not callable(self.query_strategy):
            raise ValueError(
                f"query_strategy={self.query_strategy!r} must be callable; names go to acquisition"
            )
        if self.acquisition is not None:
            get_acquisition(self.acquisition)
        if self.refit not in ("full", "warm"):
            raise ValueError(f"refit={self.refit!r} must be 'full' or 'warm'")
        if self._is_warm():
            find_warm_route(self.estimator)
        new_random_state(self.random_state)

    def _is_warm(self) -> bool:
        return self.refit == "warm" and not takes_labels(self.estimator)

    def _utilities(self, X_pool: Any, n_rows: int) -> np.ndarray:
        name = self.acquisition
        if name is None:
            name = "most_anomalous" if is_detector(self.estimator) else "least_confidence"
        acquisition = get_acquisition(name)
        if acquisition is random:  # needs no prediction
            return self._get_random_state().random_sample(n_rows)
        try:
            evidence = self._evidence(acquisition, X_pool)
        except NotFittedError:
            return np.zeros(n_rows)
        utilities = np.asarray(acquisition(evidence))
        if utilities.shape != (n_rows,):
            raise ValueError(
                f"acquisition={name!r} returned an array of shape {utilities.shape}; it must be "
                f"one utility a row, ({n_rows},)"
            )
        return utilities

    def _evidence(self, acquisition: Callable[..., Any], X_pool: Any) -> Any:
        """Compute what an acquisition function is a function of."""
        for function, method in SCORE_METHODS.items():
            if acquisition is function:
                if not hasattr(self.estimator, method):
                    raise TypeError(
                        f"acquisition={function.__name__!r} needs {method}, which "
                        f"estimator={type(self.estimator).__name__} has not"
                    )
                return getattr(self.estimator, method)(X_pool)
        return sample_proba(self.estimator, X_pool)
