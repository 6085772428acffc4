"""The Bayesian optimizer: a learner that asks where the largest or smallest value may be."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skbayes._draws import find_method, transform_through
from skbayes.active._blocks import map_blocks
from skbayes.active._learner import ActiveLearner
from skbayes.active._optimizing import (
    max_EI,
    optimizer_EI,
    optimizer_PI,
    optimizer_UCB,
)
from skbayes.active.acquisition import (
    OPTIMIZING,
    confidence_bound,
    expected_improvement,
    get_acquisition,
    probability_of_improvement,
    thompson,
)
from skbayes.active.utils.data import retrieve_rows


class BayesianOptimizer(ActiveLearner):
    """Learner that looks for the row of largest (or smallest) value with few evaluations.

    Names and spirit are modAL's.

    Parameters
    ----------
    estimator : object
        Regressor: with ``sample_mean`` (draws, whose expected improvement is exact), or whose
        ``predict`` takes ``return_std=True``.
    query_strategy : callable, default=None
        A strategy as in modAL, see :class:`ActiveLearner`. By default, if there is no
        ``acquisition`` either, :func:`~skbayes.active.acquisition.max_EI`.
    X_training : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features), \
            default=None
        Rows whose values are known at the start. If given, the estimator is trained at once.
    y_training : array-like of shape (n_samples,), default=None
        Their values.
    bootstrap_init : bool, default=False
        Whether this first training is on a bootstrap sample of them.
    on_transformed : bool, default=False
        See :class:`ActiveLearner`.
    force_all_finite : bool, default=False
        Whether nan and infinity in training data are an error.
    maximize : bool, default=True
        Whether the largest value is sought, or the smallest.
    acquisition : str or callable, default=None
        ``"expected_improvement"``, ``"probability_of_improvement"``, ``"confidence_bound"``,
        ``"thompson"``, or anything that :class:`ActiveLearner` takes.
    batch : str or callable, default=None
        See :class:`ActiveLearner`.
    epsilon : float or callable, default=0.0
        See :class:`ActiveLearner`.
    refit : {"full", "warm"}, default="full"
        See :class:`ActiveLearner`.
    journal : str, path-like or None, default=None
        See :class:`ActiveLearner`.
    random_state : int, RandomState instance or None, default=None
        See :class:`ActiveLearner`.
    **fit_kwargs
        Further arguments of the first training; only with ``X_training``.

    Attributes
    ----------
    X_training : {array-like, sparse matrix, DataFrame} or None
        All rows with a value so far.
    y_training : array-like or None
        Their values.
    X_max : ndarray or None
        Row of the largest value so far.
    y_max : float
        The largest value so far; minus infinity before there is one.
    X_min : ndarray or None
        Row of the smallest value so far.
    y_min : float
        The smallest value so far; infinity before there is one.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed.

    References
    ----------
    Jones, Schonlau, Welch (1998), *Efficient global optimization of expensive black-box functions*,
    Journal of Global Optimization 13. Danka, Horvath (2018), *modAL: A modular active learning
    framework for Python*, arXiv:1805.00979.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active import BayesianOptimizer
    >>> X = np.linspace(0, 4, 81).reshape(-1, 1)
    >>> y = np.sin(2 * X[:, 0])
    >>> optimizer = BayesianOptimizer(GaussianProcessRegressor(), None, X[[0, 40]], y[[0, 40]])
    >>> for _ in range(6):
    ...     indices, rows = optimizer.query(X)
    ...     optimizer = optimizer.teach(rows, y[indices])
    >>> round(float(optimizer.get_max()[1]), 3)
    1.0
    """

    X_max: Any = None
    y_max: Any = -np.inf
    _default_strategy = staticmethod(max_EI)

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
        maximize: bool = True,
        acquisition: str | Callable[..., Any] | None = None,
        batch: str | Callable[..., Any] | None = None,
        epsilon: float | Callable[[int], float] = 0.0,
        refit: str = "full",
        journal: Any = None,
        random_state: Any = None,
        **fit_kwargs: Any,
    ) -> None:
        self.maximize = maximize
        super().__init__(
            estimator,
            query_strategy,
            X_training,
            y_training,
            bootstrap_init,
            on_transformed,
            force_all_finite,
            acquisition=acquisition,
            batch=batch,
            epsilon=epsilon,
            refit=refit,
            journal=journal,
            random_state=random_state,
            **fit_kwargs,
        )

    # -- the best so far --------------------------------------------------------------------------

    def get_max(self) -> tuple[Any, Any]:
        """Largest value so far.

        Returns
        -------
        X_max : ndarray or None
            Its row.
        y_max : float
            The value; minus infinity before there is one.
        """
        return self.X_max, self.y_max

    def get_min(self) -> tuple[Any, Any]:
        """Smallest value so far.

        Returns
        -------
        X_min : ndarray or None
            Its row.
        y_min : float
            The value; infinity before there is one.
        """
        return self.X_min, self.y_min

    def get_best(self) -> tuple[Any, Any]:
        """Largest or smallest value so far, whichever is sought.

        Returns
        -------
        row : ndarray or None
        value : float
        """
        return self.get_max() if self.maximize else self.get_min()

    @property
    def X_min(self) -> Any:
        """Row of the smallest value so far."""
        place = self._place_of_min()
        return None if place is None else retrieve_rows(self.X_training, place)

    @property
    def y_min(self) -> Any:
        """The smallest value so far."""
        place = self._place_of_min()
        return np.inf if place is None else retrieve_rows(self.y_training, place)

    def _place_of_min(self) -> int | None:
        return None if self.y_training is None else _place_of_best(-_values(self.y_training))

    def _set_max(self, X: Any, y: Any) -> None:
        place = _place_of_best(_values(y))
        if place is not None and retrieve_rows(y, place) > self.y_max:
            self.X_max, self.y_max = retrieve_rows(X, place), retrieve_rows(y, place)

    # -- the loop ---------------------------------------------------------------------------------

    def _fit_afresh(self, X: Any, y: Any, *args: Any) -> None:
        super()._fit_afresh(X, y, *args)
        self.X_max, self.y_max = None, -np.inf
        self._set_max(X, y)

    def _teach(self, X: Any, y: Any, *args: Any, **kwargs: Any) -> None:
        super()._teach(X, y, *args, **kwargs)
        self._set_max(X, y)

    def _utilities(self, X_pool: Any, n_rows: int, needs: Any = None) -> np.ndarray:
        acquisition = get_acquisition(
            "expected_improvement" if self.acquisition is None else self.acquisition
        )
        if acquisition not in OPTIMIZING:
            return super()._utilities(X_pool, n_rows, needs)
        if acquisition is expected_improvement:
            return np.ravel(optimizer_EI(self, X_pool))
        if acquisition is probability_of_improvement:
            return np.ravel(optimizer_PI(self, X_pool))
        if acquisition is confidence_bound:
            return np.ravel(optimizer_UCB(self, X_pool, beta=2))
        try:
            draw = self._sample_function(X_pool)
        except NotFittedError:
            return np.zeros(n_rows)
        return draw if self.maximize else -draw

    def _sample_function(self, X_pool: Any) -> np.ndarray:
        """One draw of the function at all rows of the pool, for Thompson's rule."""
        rng = self._get_random_state()
        holder, pipelines = find_method(self.estimator, "sample_mean")
        if holder is not None:
            seed = rng.randint(2**31)  # the same draw in every block
            return map_blocks(
                lambda rows: thompson(
                    holder.sample_mean(transform_through(pipelines, rows)), random_state=int(seed)
                ),
                X_pool,
            )
        holder, pipelines = find_method(self.estimator, "sample_y")
        if holder is None:
            raise TypeError(
                "acquisition='thompson' needs draws of the function, sample_mean or sample_y, "
                f"which estimator={type(self.estimator).__name__} has not"
            )
        rows = transform_through(pipelines, X_pool)
        return np.asarray(holder.sample_y(rows, 1, random_state=rng)).reshape(-1)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not isinstance(self.maximize, bool | np.bool_):
            raise ValueError(f"maximize={self.maximize!r} must be True or False")


def _values(y: Any) -> np.ndarray:
    """One value a row; of several outputs the first."""
    values = np.asarray(y, dtype=np.float64)
    return values.reshape(len(values), -1)[:, 0]


def _place_of_best(values: np.ndarray) -> int | None:
    known = np.where(np.isnan(values), -np.inf, values)  # a failed evaluation is no record
    return int(known.argmax()) if len(known) and known.max() > -np.inf else None
