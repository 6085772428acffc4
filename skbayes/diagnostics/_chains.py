"""Convergence of a fitted sampler, on the values of its function at some rows."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skbayes._draws import find_method, transform_through
from skbayes.diagnostics._convergence import MIN_DRAWS, ess, rhat

#: Method that gives draws of function values -> the axes of what it returns.
_METHODS = {"sample_proba": ("draws", "rows", "classes"), "sample_mean": ("draws", "rows")}


@dataclass(frozen=True, eq=False)
class ChainDiagnostics:
    """What :func:`chain_diagnostics` found.

    Printed, it is a line.

    Parameters
    ----------
    rhat : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Rank-normalised split R-hat; nan for a value that is the same in all draws, and everywhere
        if there is but one chain.
    ess_bulk : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Effective number of draws for the location.
    ess_tail : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Effective number of draws for the quantiles .05 and .95.
    n_chains : int
        Number of chains.
    n_draws : int
        Number of draws of each.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import ChainDiagnostics
    >>> found = ChainDiagnostics(
    ...     rhat=np.array([1.01, 1.2, np.nan]),
    ...     ess_bulk=np.array([150.0, 12.0, 200.0]),
    ...     ess_tail=np.array([110.0, 30.0, 200.0]),
    ...     n_chains=4,
    ...     n_draws=50,
    ... )
    >>> print(found)
    4 chains of 50 draws, 3 rows: max R-hat 1.200, min ESS 12 (bulk), 30 (tail) of 200
    """

    rhat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    n_chains: int
    n_draws: int

    @property
    def max_rhat(self) -> float:
        """Largest R-hat; nan if none is known."""
        return float(np.fmax.reduce(self.rhat, axis=None, initial=np.nan))

    @property
    def min_ess_bulk(self) -> float:
        """Smallest effective number of draws for the location; nan if none is known."""
        return float(np.fmin.reduce(self.ess_bulk, axis=None, initial=np.nan))

    @property
    def min_ess_tail(self) -> float:
        """Smallest effective number of draws for the tails; nan if none is known."""
        return float(np.fmin.reduce(self.ess_tail, axis=None, initial=np.nan))

    def __str__(self) -> str:
        rows, *classes = self.rhat.shape
        chains = f"{self.n_chains} chain{'s' if self.n_chains > 1 else ''} of {self.n_draws} draws"
        values = f"{rows} row{'s' if rows != 1 else ''}" + "".join(
            f" of {n} classes" for n in classes
        )
        disagreement = f"max R-hat {self.max_rhat:.3f}"
        if self.n_chains == 1:
            disagreement = "no R-hat (it needs several chains)"
        return (
            f"{chains}, {values}: {disagreement}, min ESS {self.min_ess_bulk:.0f} (bulk), "
            f"{self.min_ess_tail:.0f} (tail) of {self.n_chains * self.n_draws}"
        )


def chain_diagnostics(estimator: Any, X: Any) -> ChainDiagnostics:
    """R-hat and effective sample sizes of a fitted sampler's function values.

    The weights of a network are not identified: hidden units may change places or signs without
    changing the function, so that chains that agree on every prediction never agree on the weights.
    What is compared is therefore what the network says about some rows: the class probabilities of
    every draw, or a regressor's mean.

    Parameters
    ----------
    estimator : object
        Fitted sampler with ``sample_proba`` (or ``sample_mean``) and ``n_chains_``; or a
        :class:`~sklearn.pipeline.Pipeline`, search, :class:`~sklearn.frozen.FrozenEstimator` or
        learner around one, nested in any order.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows to look at, as ``estimator.predict`` takes them. A few hundred are enough; rows unlike
        the training rows are where chains disagree first.

    Returns
    -------
    ChainDiagnostics
        Arrays ``rhat``, ``ess_bulk``, ``ess_tail`` with one number a row (and class), and
        ``max_rhat``, ``min_ess_bulk``, ``min_ess_tail``.

    Raises
    ------
    TypeError
        If the estimator has no draws, or they come of no chains, as with an ensemble.
    ValueError
        If there are fewer than four draws a chain.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    rhat : The same for any array of draws.
    to_arviz : The draws, for ArviZ's tables and plots.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), *Rank-normalization, folding, and
    localization: an improved R-hat for assessing convergence of MCMC*, Bayesian Analysis 16(2).

    Izmailov, Vikram, Hoffman, Wilson (2021), *What are Bayesian neural network posteriors really
    like?*, ICML: R-hat in the space of functions and in that of weights.

    Examples
    --------
    A sampler of your own needs no more than this:

    >>> import numpy as np
    >>> from skbayes.diagnostics import chain_diagnostics
    >>> class Lines:
    ...     n_chains_ = 4
    ...     slopes_ = np.random.RandomState(0).normal(size=4 * 100)  # chain after chain
    ...
    ...     def sample_mean(self, X):
    ...         return self.slopes_[:, None] * X[:, 0]
    >>> found = chain_diagnostics(Lines(), np.array([[1.0], [2.0], [3.0]]))
    >>> found.rhat.shape
    (3,)
    >>> found.max_rhat < 1.05
    True
    """
    values, _ = sample_function(estimator, X)  # (chains, draws, rows[, classes])
    n_chains, n_draws = values.shape[:2]
    if n_draws < MIN_DRAWS:
        raise ValueError(
            f"estimator={type(estimator).__name__} has {n_draws} draws in each of {n_chains} "
            f"chains; R-hat and effective sample size need at least {MIN_DRAWS} (raise n_draws)"
        )
    return ChainDiagnostics(rhat(values), ess(values), ess(values, "tail"), n_chains, n_draws)


def sample_function(estimator: Any, X: Any) -> tuple[np.ndarray, Any]:
    """Draws of a fitted sampler's function values, chain by chain.

    Parameters
    ----------
    estimator : object
        Fitted sampler, or what holds one.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.

    Returns
    -------
    values : ndarray of shape (n_chains, n_draws, n_samples[, n_classes])
        Class probabilities, or a regressor's mean.
    sampler : object
        What has the draws.

    Raises
    ------
    TypeError
        If the estimator has no draws or no chains.
    ValueError
        If the draws are not as many in every chain.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    """
    name = type(estimator).__name__
    method = next((m for m in _METHODS if find_method(estimator, m)[0] is not None), None)
    if method is None:
        # a search that is not fitted does not tell yet what it holds
        learner, _ = find_method(estimator, "teach")
        _check_fitted(estimator if learner is None else learner.estimator)
        raise TypeError(
            f"estimator={name} has no posterior draws: it must have sample_proba or sample_mean, "
            "or be a fitted Pipeline, search, FrozenEstimator or learner around a sampler"
        )
    sampler, pipelines = find_method(estimator, method)
    _check_fitted(sampler)
    n_chains = getattr(sampler, "n_chains_", None)
    if n_chains is None:
        raise TypeError(
            f"estimator={name}: the draws of {type(sampler).__name__} are not those of chains (it "
            "has no n_chains_), and only chains converge; compare ensembles with a reference, by "
            "agreement or total_variation"
        )
    if not isinstance(n_chains, Integral) or isinstance(n_chains, bool) or n_chains < 1:
        raise ValueError(
            f"estimator={name}: n_chains_={n_chains!r} of {type(sampler).__name__} must be an "
            "integer of at least 1"
        )
    draws = np.asarray(getattr(sampler, method)(transform_through(pipelines, X)))
    axes = _METHODS[method]
    if draws.ndim != len(axes):
        raise ValueError(
            f"{method} of {type(sampler).__name__} returned an array of shape {draws.shape}, it "
            f"must be ({', '.join(axes)})"
        )
    n_draws, rest = divmod(len(draws), int(n_chains))
    if rest:
        raise ValueError(
            f"estimator={name}: {len(draws)} draws cannot be those of n_chains_={n_chains} chains "
            "of one length"
        )
    return draws.reshape(int(n_chains), n_draws, *draws.shape[1:]), sampler


def _check_fitted(estimator: Any) -> None:
    if hasattr(estimator, "fit"):
        check_is_fitted(estimator)
