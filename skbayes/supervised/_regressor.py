"""What all regressors on a posterior stack share: targets, noise, intervals, uncertainty."""

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri
from sklearn.base import RegressorMixin
from sklearn.utils import (
    assert_all_finite,
    check_consistent_length,
    column_or_1d,
)

from skbayes._engine.build import check_hidden_layer_sizes
from skbayes._engine.posterior import Posterior
from skbayes._engine.seeds import new_random_state
from skbayes._sklearn import Interval, StrOptions, _fit_context
from skbayes.supervised._base import BaseStackEstimator
from skbayes.supervised._likelihood import Likelihood, gaussian, moments

#: Numbers (draws times rows) that prediction holds at once.
BLOCK_VALUES = 2**22
#: Bisections for a quantile: an interval's ends are exact to 2^-50 of the draws' range.
N_BISECTIONS = 50


class BaseStackRegressor(RegressorMixin, BaseStackEstimator):
    """Base of the regressors; a subclass says how the stack is filled (``_fill``)."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackEstimator._parameter_constraints,
        "noise_scale": [
            StrOptions({"learned", "heteroscedastic"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "normalize_y": ["boolean"],
    }
    _y_numeric = True

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BaseStackRegressor":
        """Fit the posterior to data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 is computed in float32, everything else in float64.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts as two rows; the likelihood is that of ``sum(sample_weight)``
            data.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input is malformed, or training diverges.
        """
        resume = self.warm_start and hasattr(self, "posterior_")
        with self._kept_on_failure():
            X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=not resume)
            y = np.asarray(y, dtype=np.float64)
            return self._fit_validated(X, y, sample_weight, resume=resume)

    def _fit_validated(
        self, X: Any, y: np.ndarray, sample_weight: Any, *, resume: bool
    ) -> "BaseStackRegressor":
        centre, unit, spread = self._centre, self._unit, float(_spread(y, sample_weight))
        if not resume:
            centre, unit = 0.0, 1.0
            if self.normalize_y:
                centre, unit = float(np.average(y, weights=sample_weight)), spread
        likelihood = self._likelihood(unit, spread)
        noise = self.noise_scale
        known = None if isinstance(noise, str) else float(noise) / unit
        target = (y - centre) / unit
        fitted = self._fit_rows(X, target, sample_weight, likelihood, resume=resume)
        # Only now: a fit that fails or is interrupted leaves what was fitted before
        self.__dict__.update(fitted, _centre=centre, _unit=unit, _known_noise=known)
        return self

    #: What a target is 0 and 1 at, in units of y.
    _centre = 0.0
    _unit = 1.0
    #: The noise's standard deviation in those units, where it was known in the last fit.
    _known_noise: float | None = None

    def _likelihood(self, unit: float, spread: float) -> Likelihood:
        noise = self.noise_scale
        if not isinstance(noise, str):
            noise = noise / unit
        widths = [] if self.module else check_hidden_layer_sizes(self.hidden_layer_sizes)
        # a prior that is divided by the width already needs no other division
        width = widths[-1] if widths and self.prior_scale != "fan_in" else 0
        return gaussian(noise, spread / unit, width, self._beta())

    def _beta(self) -> float:
        """Hook: exponent of the variance by which rows' gradients are weighted in training."""
        return 0.0

    # -- prediction -------------------------------------------------------------------------------

    def predict(
        self, X: Any, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Mean of the predictive distribution, and its standard deviation.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        return_std : bool, default=False
            Whether to return the standard deviation too.

        Returns
        -------
        mean : ndarray of shape (n_samples,)
        std : ndarray of shape (n_samples,)
            Of a new observation: the draws' spread and the noise together, in units of y. Only if
            ``return_std``.
        """
        X = self._validate_predict(X)
        if not return_std:
            return self._by_rows(X, lambda mean, variance: mean.mean(0)[None])[0]
        mean, std = self._by_rows(
            X, lambda m, v: np.stack([m.mean(0), np.sqrt(m.var(0) + v.mean(0))])
        )
        return mean, std

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Central interval of the predictive distribution.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        coverage : float, default=0.9
            Probability of a new observation to fall inside.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,)
            Quantiles ``(1 - coverage) / 2`` and ``(1 + coverage) / 2`` of the mixture of the draws'
            Gaussians.

        Raises
        ------
        ValueError
            If ``coverage`` is not between 0 and 1.
        """
        if not (isinstance(coverage, Real) and 0 < coverage < 1):
            raise ValueError(f"coverage={coverage!r} must be a number between 0 and 1")
        X = self._validate_predict(X)
        tails = (1.0 - float(coverage)) / 2, (1.0 + float(coverage)) / 2
        lower, upper = self._by_rows(
            X, lambda mean, variance: _mixture_quantiles(mean, np.sqrt(variance), tails)
        )
        return lower, upper

    def sample_y(
        self, X: Any, n_samples: int = 1, random_state: int | np.random.RandomState | None = 0
    ) -> np.ndarray:
        """Draw new observations, noise included.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples_X, n_features)
            Rows at which to draw.
        n_samples : int, default=1
            Number of observations a row.
        random_state : int, RandomState instance or None, default=0
            Chooses a posterior draw for every column, and the noise.

        Returns
        -------
        ndarray of shape (n_samples_X, n_samples)
            A column is one posterior draw at all rows, plus noise that is independent from row to
            row.

        Raises
        ------
        ValueError
            If ``n_samples`` is not an integer of at least 1.
        """
        if not (isinstance(n_samples, Integral) and n_samples >= 1):
            raise ValueError(f"n_samples={n_samples!r} must be an integer of at least 1")
        X = self._validate_predict(X)
        rng = new_random_state(random_state)
        chosen = rng.randint(self.posterior_.n_draws, size=int(n_samples))
        mean, variance = self._mean_and_noise(X, chosen)
        noise = rng.standard_normal(size=(X.shape[0], int(n_samples)))
        return mean.T + np.sqrt(variance).T * noise

    def sample_mean(self, X: Any, n_draws: int | None = None) -> np.ndarray:
        """The regression function of every posterior draw, without noise.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        n_draws : int, default=None
            Number of draws, spread evenly over the stack; all by default.

        Returns
        -------
        ndarray of shape (n_draws, n_samples)

        Raises
        ------
        ValueError
            If ``n_draws`` is not between 1 and the number of draws in the stack.
        """
        X = self._validate_predict(X)
        return self._mean_and_noise(X, self._choose_draws(n_draws))[0]

    def log_predictive_density(self, X: Any, y: Any) -> np.ndarray:
        r"""Logarithm of the predictive density of observations.

        .. math:: \log \frac1S \sum_s \mathcal N(y \mid f_s(x), \sigma_s^2(x))

        over the S draws: the test log-likelihood of benchmarks, row by row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Observations.

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats; higher is better. In other units of y it differs by the logarithm of the unit.

        Raises
        ------
        ValueError
            If ``X`` and ``y`` are of different lengths, or ``y`` is not finite.

        See Also
        --------
        skbayes.metrics.gaussian_nll : The same of the Gaussian with the mixture's moments.
        """
        X = self._validate_predict(X)
        y = column_or_1d(y, dtype=np.float64, input_name="y")
        assert_all_finite(y, input_name="y")
        check_consistent_length(X, y)

        def density(mean: np.ndarray, variance: np.ndarray, y: np.ndarray) -> np.ndarray:
            with np.errstate(over="ignore"):  # infinitely unlikely is what it is
                terms = -0.5 * ((y - mean) ** 2 / variance + np.log(2.0 * np.pi * variance))
            return logsumexp(terms, axis=0)[None] - np.log(len(mean))

        return self._by_rows(X, density, y)[0]

    def predict_at(self, params: Mapping[str, Any], X: Any) -> np.ndarray:
        """The regression function of the fitted network with weights of the caller's.

        Parameters
        ----------
        params : mapping of str to array or tensor
            Name -> values with a leading axis of draws, for the names of ``posterior_.params``
            (which may be given itself; ``posterior_.arrays()`` gives numpy arrays). Their number of
            draws is the caller's choice.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_draws, n_samples)
            Means without noise, in units of y.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or a shape is not that of the fitted network.
        """
        X = self._validate_predict(X)
        return self._mean_and_noise(X, posterior=self.posterior_.at(params))[0]

    def predict_uncertainty(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Uncertainty of every prediction, split in two.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        total : ndarray of shape (n_samples,)
            Variance of a new observation, in squared units of y.
        aleatoric : ndarray of shape (n_samples,)
            Mean variance of the noise, which more data does not remove.
        epistemic : ndarray of shape (n_samples,)
            Variance of the draws' means: what more data removes. The two add up to the total.
        """
        X = self._validate_predict(X)
        aleatoric, epistemic = self._by_rows(X, lambda m, v: np.stack([v.mean(0), m.var(0)]))
        return aleatoric + epistemic, aleatoric, epistemic

    def _mean_and_noise(
        self, X: Any, chosen: np.ndarray | None = None, posterior: Posterior | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Means and noise variances in units of y, each of shape (draws, rows)."""
        # in float64, whatever the network computes in: units of y may be far from those of the fit
        output = self._gather(X, chosen, lambda output: output, posterior).astype(np.float64)
        mean, variance = moments(output, self._known_noise)
        return mean * self._unit + self._centre, variance * self._unit**2

    def _by_rows(
        self, X: Any, summary: Callable[..., np.ndarray], *columns: np.ndarray
    ) -> np.ndarray:
        """Summaries of shape (k, rows) of the draws, so many rows at a time as memory allows.

        ``summary`` is given means and variances of shape (draws, rows), and the rows' part of every
        column.
        """
        step = max(BLOCK_VALUES // self.posterior_.n_draws, 1)
        parts = [
            summary(
                *self._mean_and_noise(X[start : start + step]),
                *(column[start : start + step] for column in columns),
            )
            for start in range(0, X.shape[0], step)
        ]
        return np.concatenate(parts, axis=1)


def _spread(y: np.ndarray, sample_weight: np.ndarray | None) -> float:
    """Standard deviation of the targets; 1 where they do not vary."""
    centre = np.average(y, weights=sample_weight)
    spread = float(np.sqrt(np.average((y - centre) ** 2, weights=sample_weight)))
    return spread if spread > 1e-12 * max(abs(float(centre)), 1e-300) else 1.0


def _mixture_quantiles(
    mean: np.ndarray, scale: np.ndarray, levels: tuple[float, ...]
) -> np.ndarray:
    """Quantiles of equally weighted mixtures of Gaussians, one mixture a column."""
    mean = mean.astype(np.float64)
    scale = np.maximum(scale.astype(np.float64), 1e-300)
    out = np.empty((len(levels), mean.shape[1]))
    for k, level in enumerate(levels):
        # the components' own quantiles enclose the mixture's
        own = mean + ndtri(level) * scale
        low, high = own.min(0), own.max(0)
        for _ in range(N_BISECTIONS):
            middle = 0.5 * (low + high)
            below = ndtr((middle - mean) / scale).mean(0) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        out[k] = 0.5 * (low + high)
    return out
