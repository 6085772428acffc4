"""Bayesian optimisation under modAL's names: utilities of an optimizer, and strategies."""

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skbayes._draws import find_method, transform_through
from skbayes.active._blocks import map_blocks
from skbayes.active._gaussian_formulas import EI, PI, UCB, gain_of
from skbayes.active._improvement import (
    confidence_bound,
    expected_improvement,
    log_expected_improvement,
    probability_of_improvement,
)
from skbayes.active._rows import count_rows
from skbayes.active._selection import select


def optimizer_PI(
    optimizer: Any, X: Any, tradeoff: float = 0, *, maximize: bool | None = None
) -> np.ndarray:
    """Probability of improvement by an optimizer's regressor.

    Parameters
    ----------
    optimizer : BayesianOptimizer
        If its regressor has draws (``sample_mean``), the share of them that improve; else the
        Gaussian's probability by ``predict(X, return_std=True)``.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    tradeoff : float, default=0
        Least improvement that counts.
    maximize : bool, default=None
        Whether large values are sought; None is as the optimizer says.

    Returns
    -------
    ndarray of shape (n_samples,)
        (n_samples, 1), as in modAL, while nothing is fitted yet.

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active import BayesianOptimizer
    >>> from skbayes.active.acquisition import optimizer_PI
    >>> optimizer = BayesianOptimizer(GaussianProcessRegressor(), None, [[0.0]], [1.0])
    >>> optimizer_PI(optimizer, [[9.0]]).round(3)
    array([0.159])
    """
    maximize = _sense(optimizer, maximize)
    best = _best(optimizer, maximize)
    draws = _draws(optimizer, X)
    if draws is not None:
        return probability_of_improvement(draws, best, tradeoff=tradeoff, maximize=maximize)
    return PI(*_moments(optimizer, X), best, tradeoff, maximize)


def optimizer_EI(
    optimizer: Any, X: Any, tradeoff: float = 0, *, maximize: bool | None = None
) -> np.ndarray:
    """Expected improvement by an optimizer's regressor.

    Parameters
    ----------
    optimizer : BayesianOptimizer
        If its regressor has draws (``sample_mean``), exact, see
        :func:`~skbayes.active.acquisition.expected_improvement`; else the Gaussian's by
        ``predict(X, return_std=True)``.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    tradeoff : float, default=0
        Least improvement that counts.
    maximize : bool, default=None
        Whether large values are sought; None is as the optimizer says.

    Returns
    -------
    ndarray of shape (n_samples,)
        (n_samples, 1), as in modAL, while nothing is fitted yet.

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active import BayesianOptimizer
    >>> from skbayes.active.acquisition import optimizer_EI
    >>> optimizer = BayesianOptimizer(GaussianProcessRegressor(), None, [[0.0]], [1.0])
    >>> optimizer_EI(optimizer, [[9.0]]).round(3)
    array([0.083])
    """
    maximize = _sense(optimizer, maximize)
    best = _best(optimizer, maximize)
    draws = _draws(optimizer, X)
    if draws is not None:
        return expected_improvement(draws, best, tradeoff=tradeoff, maximize=maximize)
    return EI(*_moments(optimizer, X), best, tradeoff, maximize)


def optimizer_UCB(
    optimizer: Any, X: Any, beta: float = 1, *, maximize: bool | None = None
) -> np.ndarray:
    """Optimistic bound by an optimizer's regressor.

    Parameters
    ----------
    optimizer : BayesianOptimizer
        Its regressor's draws (``sample_mean``), or else ``predict(X, return_std=True)``, say the
        mean and the spread.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    beta : float, default=1
        Weight of the spread.
    maximize : bool, default=None
        Whether large values are sought; None is as the optimizer says.

    Returns
    -------
    ndarray of shape (n_samples,)
        (n_samples, 1), as in modAL, while nothing is fitted yet.

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active import BayesianOptimizer
    >>> from skbayes.active.acquisition import optimizer_UCB
    >>> optimizer = BayesianOptimizer(GaussianProcessRegressor(), None, [[0.0]], [1.0])
    >>> optimizer_UCB(optimizer, [[9.0]]).round(3)
    array([1.])
    """
    maximize = _sense(optimizer, maximize)
    draws = _draws(optimizer, X)
    if draws is not None:
        return confidence_bound(draws, beta=beta, maximize=maximize)
    return UCB(*_moments(optimizer, X), beta, maximize)


def max_PI(
    optimizer: Any,
    X: Any,
    tradeoff: float = 0,
    n_instances: int = 1,
    *,
    maximize: bool | None = None,
    random_tie_break: bool = False,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`optimizer_PI`.

    Parameters
    ----------
    optimizer : BayesianOptimizer
        Optimizer.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    tradeoff : float, default=0
        Least improvement that counts.
    n_instances : int, default=1
        Number of rows.
    maximize : bool, default=None
        Whether large values are sought; None is as the optimizer says.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the optimizer's own stream.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active import BayesianOptimizer
    >>> from skbayes.active.acquisition import max_PI
    >>> optimizer = BayesianOptimizer(GaussianProcessRegressor(), None, [[0.0]], [1.0])
    >>> max_PI(optimizer, [[0.5], [0.1]])[0]
    array([1])
    """
    utilities = optimizer_PI(optimizer, X, tradeoff, maximize=maximize)
    return select(utilities, n_instances, random_tie_break, optimizer, random_state)


def max_EI(
    optimizer: Any,
    X: Any,
    tradeoff: float = 0,
    n_instances: int = 1,
    *,
    maximize: bool | None = None,
    random_tie_break: bool = False,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`optimizer_EI`; where it underflows, of its logarithm.

    Parameters
    ----------
    optimizer : BayesianOptimizer
        Optimizer.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    tradeoff : float, default=0
        Least improvement that counts.
    n_instances : int, default=1
        Number of rows.
    maximize : bool, default=None
        Whether large values are sought; None is as the optimizer says.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the optimizer's own stream.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active import BayesianOptimizer
    >>> from skbayes.active.acquisition import max_EI
    >>> optimizer = BayesianOptimizer(GaussianProcessRegressor(), None, [[0.0]], [1.0])
    >>> max_EI(optimizer, [[0.0], [0.9]])[0]
    array([1])
    """
    utilities = optimizer_EI(optimizer, X, tradeoff, maximize=maximize)
    if utilities.size and not utilities.any() and _holder(optimizer)[0] is None:
        sense = _sense(optimizer, maximize)
        gain, std = gain_of(*_moments(optimizer, X), _best(optimizer, sense), tradeoff, sense)
        utilities = log_expected_improvement(gain.ravel(), std.ravel())
    return select(utilities, n_instances, random_tie_break, optimizer, random_state)


def max_UCB(
    optimizer: Any,
    X: Any,
    beta: float = 1,
    n_instances: int = 1,
    *,
    maximize: bool | None = None,
    random_tie_break: bool = False,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the rows of largest :func:`optimizer_UCB`.

    Parameters
    ----------
    optimizer : BayesianOptimizer
        Optimizer.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Pool.
    beta : float, default=1
        Weight of the spread.
    n_instances : int, default=1
        Number of rows.
    maximize : bool, default=None
        Whether large values are sought; None is as the optimizer says.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    random_state : int, RandomState instance or None, default=None
        Breaks the ties; None takes the optimizer's own stream.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Examples
    --------
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skbayes.active import BayesianOptimizer
    >>> from skbayes.active.acquisition import max_UCB
    >>> optimizer = BayesianOptimizer(GaussianProcessRegressor(), None, [[0.0]], [1.0])
    >>> max_UCB(optimizer, [[0.5], [1.0]], beta=2)[0]
    array([1])
    """
    utilities = optimizer_UCB(optimizer, X, beta, maximize=maximize)
    return select(utilities, n_instances, random_tie_break, optimizer, random_state)


# -- pieces ---------------------------------------------------------------------------------------


def _sense(optimizer: Any, maximize: bool | None) -> bool:
    return getattr(optimizer, "maximize", True) if maximize is None else maximize


def _best(optimizer: Any, maximize: bool) -> Any:
    return optimizer.y_max if maximize else optimizer.y_min


def _holder(optimizer: Any) -> tuple[Any, Any]:
    return find_method(getattr(optimizer, "estimator", None), "sample_mean")


def _draws(optimizer: Any, X: Any) -> np.ndarray | None:
    holder, pipelines = _holder(optimizer)
    if holder is None:
        return None
    try:
        by_row = map_blocks(
            lambda rows: holder.sample_mean(transform_through(pipelines, rows)).T, X
        )
    except NotFittedError:
        return None
    return by_row.T  # (draws, rows)


def _moments(optimizer: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    def predicted(rows: Any) -> np.ndarray:
        try:
            mean, std = optimizer.predict(rows, return_std=True)
        except TypeError as error:
            if "return_std" not in str(error):
                raise
            estimator = getattr(optimizer, "estimator", optimizer)
            raise TypeError(
                f"estimator={type(estimator).__name__} says nothing on its uncertainty: an "
                "acquisition function of an optimizer needs draws (sample_mean) or "
                "predict(X, return_std=True)"
            ) from error
        return np.column_stack([np.ravel(mean), np.ravel(std)])

    try:
        moments = map_blocks(predicted, X)  # (rows, 2)
    except NotFittedError:
        n_rows = count_rows(X, "X")
        return np.zeros((n_rows, 1)), np.ones((n_rows, 1))
    return moments[:, 0], moments[:, 1]
