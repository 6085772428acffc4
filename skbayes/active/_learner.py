"""The active learner: asks for the labels it would learn most from, and learns from the answers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skbayes._random import new_random_state
from skbayes.active._base import BaseLearner
from skbayes.active._journaled import Journaled
from skbayes.active._query import Querying
from skbayes.active._run import Running
from skbayes.active._training import (
    find_warm_route,
    is_detector,
    takes_labels,
    train,
    train_on,
)


class ActiveLearner(Running, Journaled, Querying, BaseLearner):
    """Learner that chooses which rows of a pool to have labelled.

    ``query`` picks rows of the pool, somebody labels them, ``teach`` learns from the labels. Names
    and spirit are modAL's, whose strategy functions work here.

    An outlier detector with ``fit_labels`` (one fitted beforehand on unlabelled rows) is taught by
    ``fit_labels`` with all labels so far; its density is never refitted.

    Parameters
    ----------
    estimator : object
        Classifier, regressor or outlier detector, also in a ``Pipeline`` or search. Trained in
        place. Anything with ``fit``, ``predict`` and ``predict_proba`` will do.
    query_strategy : callable, default=None
        A strategy as in modAL, ``(learner, X_pool, **kwargs)`` returning row numbers, or a tuple
        of them and of their metrics. Called once a query, with what ``query`` was given:
        ``n_instances=`` too, if it was. Not together with ``acquisition`` or ``batch``.
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
    force_all_finite : bool, default=False
        Whether nan and infinity in training data are an error. By default that is left to the
        estimator, some of which take them.
    acquisition : str or callable, default=None
        Name of a utility in :data:`skbayes.active.ACQUISITIONS`, or a function of draws of shape
        (draws, rows, classes) returning a utility a row, higher = asked for first. By default, if
        there is no ``query_strategy`` either, uncertainty: ``"least_confidence"``;
        ``"most_anomalous"`` for an outlier detector, ``"variance"`` for a regressor with draws.
    batch : str or callable, default=None
        Name in :data:`skbayes.active.BATCHES` of how a batch is made of utilities, draws or
        distances (a ``functools.partial`` of one of these functions sets its parameters), or a
        function ``(utilities, n_instances, random_state=...)`` returning row numbers. By default
        the rows of highest utility.
    epsilon : float or callable, default=0.0
        Probability that a row asked for is one at random instead (epsilon-greedy), or a function
        of the number of labels so far that returns it.
    refit : {"full", "warm"}, default="full"
        What ``teach`` retrains. ``"full"``: the whole estimator, by ``fit`` on all labels so far.
        ``"warm"``: the estimator goes on from where it is, by ``fit`` on all labels so far with
        its ``warm_start`` on if it has one, else by ``partial_fit`` on the new labels; in a
        pipeline the leading steps stay as they were first fitted. Hand over the labels that a
        fitted estimator was fitted on, or it goes on without them. An estimator that can do neither
        is an error. Makes no difference to a detector with ``fit_labels``.
    journal : str, path-like or None, default=None
        File that holds every label, durable before ``teach`` returns, with what was asked when and
        why; see :meth:`resume`. It must be a new one. One process at a time holds it.
    random_state : int, RandomState instance or None, default=None
        Breaks ties, draws batches and bootstrap samples. None is different in every run; numpy's
        global state is never touched.
    **fit_kwargs
        Further arguments of the first training; only with ``X_training``.

    Attributes
    ----------
    X_training : {array-like, sparse matrix, DataFrame} or None
        All labelled rows so far.
    y_training : array-like or None
        Their labels.
    classes_ : ndarray of shape (n_classes,)
        Those of a fitted classifier.
    labelled_ : ndarray of int
        Positions in the pool of the rows labelled so far; with a journal only.
    skipped_ : ndarray of int
        Positions in the pool of the rows that were skipped; with a journal only.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed, or both ``query_strategy`` and ``acquisition``
        are given.
    TypeError
        If there are ``fit_kwargs`` without ``X_training``.

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
        force_all_finite: bool = False,
        *,
        acquisition: str | Callable[..., Any] | None = None,
        batch: str | Callable[..., Any] | None = None,
        epsilon: float | Callable[[int], float] = 0.0,
        refit: str = "full",
        journal: Any = None,
        random_state: Any = None,
        **fit_kwargs: Any,
    ) -> None:
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.bootstrap_init = bootstrap_init
        self.on_transformed = on_transformed
        self.force_all_finite = force_all_finite
        self.acquisition = acquisition
        self.batch = batch
        self.epsilon = epsilon
        self.refit = refit
        self.journal = journal
        self.random_state = random_state
        self.X_training = None
        self.y_training = None
        self._check_parameters()
        if (X_training is None) != (y_training is None):
            given, missing = ("X", "y") if y_training is None else ("y", "X")
            raise ValueError(f"{given}_training was given without {missing}_training")
        if journal is not None:
            self._open_journal("journal")
        if X_training is not None:
            try:
                self.fit(X_training, y_training, bootstrap=bootstrap_init, **fit_kwargs)
            except BaseException:
                self.close()  # nobody else could: there is no learner
                raise
        elif fit_kwargs:
            raise TypeError(
                f"{type(self).__name__} got {sorted(fit_kwargs)}, which are no parameters of it; "
                "without X_training there is no training that they could be for"
            )

    # -- the loop ---------------------------------------------------------------------------------

    def teach(
        self,
        X: Any,
        y: Any,
        bootstrap: bool = False,
        only_new: bool = False,
        *,
        indices: Any = None,
        **fit_kwargs: Any,
    ) -> "ActiveLearner":
        """Take new labels in and retrain as ``refit`` says.

        All or nothing: if training raises, the labels are not taken in. With a journal they are on
        the disk when this returns, and a row that was taught before with the same label is not
        taken in again.

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
        indices : array-like of int of shape (n_samples,), default=None
            Positions of the rows in the pool, for a journal. None are those at which they were
            asked for, if they were.
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
        if is_detector(self.estimator) and not takes_labels(self.estimator):
            raise TypeError(
                f"estimator={type(self.estimator).__name__} is an outlier detector without "
                "fit_labels: fit would forget its density for that of the labelled rows alone"
            )
        self._with_new(X, y)
        options = {"bootstrap": bootstrap, "only_new": only_new, "fit_kwargs": fit_kwargs}
        X, y, event = self._write_down("teach", X, y, indices, options)
        if X is not None:
            try:
                self._learn("teach", X, y, options)
            except BaseException:
                self._take_back(event)
                raise
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
        self._check_new(X, y)
        self._restart_stream()  # an integer seed starts anew: to fit twice is to fit once
        options = {"bootstrap": bootstrap, "fit_kwargs": fit_kwargs}
        X, y, event = self._write_down("fit", X, y, None, options)
        try:
            self._learn("fit", X, y, options)
        except BaseException:
            self._take_back(event)
            raise
        return self

    # -- pieces -----------------------------------------------------------------------------------

    def _teach(
        self,
        X: Any,
        y: Any,
        bootstrap: bool,
        only_new: bool,
        fit_kwargs: dict[str, Any],
        rng: np.random.RandomState | None = None,
    ) -> None:
        X_all, y_all = self._with_new(X, y)
        fitting = train
        seen = (X, y) if only_new else (X_all, y_all)
        if self._is_warm() and self.__sklearn_is_fitted__():
            fitting = train_on
            if find_warm_route(self.estimator)[1] == "partial_fit":
                seen = X, y
        fitting(self.estimator, *self._sampled(*seen, bootstrap, rng), fit_kwargs)
        self.X_training, self.y_training = X_all, y_all

    def _fit_afresh(self, X: Any, y: Any, bootstrap: bool, fit_kwargs: dict[str, Any]) -> None:
        train(self.estimator, *self._sampled(X, y, bootstrap), fit_kwargs)
        self.X_training, self.y_training = X, y

    def _learn(self, kind: str, X: Any, y: Any, options: dict[str, Any]) -> None:
        if kind == "fit":
            self._fit_afresh(X, y, options["bootstrap"], options["fit_kwargs"])
        else:
            bootstrap, only_new = options["bootstrap"], options["only_new"]
            self._teach(X, y, bootstrap, only_new, options["fit_kwargs"])

    def _retrain(self, y: Any) -> None:
        self._fit_afresh(self.X_training, y, False, {})

    def _goes_on(self) -> bool:
        return self._is_warm()

    def _check_parameters(self) -> None:
        self._check_asking()
        if self.refit not in ("full", "warm"):
            raise ValueError(f"refit={self.refit!r} must be 'full' or 'warm'")
        if self._is_warm():
            find_warm_route(self.estimator)
        if not isinstance(self.force_all_finite, bool | np.bool_):
            raise ValueError(f"force_all_finite={self.force_all_finite!r} must be True or False")
        new_random_state(self.random_state)

    def _is_warm(self) -> bool:
        return self.refit == "warm" and not takes_labels(self.estimator)

    def _who_predicts(self) -> Any:
        return self.estimator
