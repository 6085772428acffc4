"""A small head on scores and codes, for the few labels that an anomaly detector may get."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


class LabelHead:
    r"""Bayesian logistic regression around the density's own log-odds (its posterior mode).

    .. math:: \operatorname{logit} p(\text{normal} \mid x) = a\, s(x) + w^\top c(x) + b

    with priors :math:`\log a \sim \mathcal N(0, 1)`, :math:`w \sim \mathcal N(0, I / L)` for
    :math:`L` features and :math:`b \sim \mathcal N(0, 1)`: without labels the ranking is
    the density's. :math:`a` is positive, so that a low density never speaks for a row. Labels of
    one kind alone tell nothing about what sets the kinds apart: then :math:`w = 0`, and the
    ranking stays the density's.

    Attributes
    ----------
    slope : float
        :math:`a`.
    weights : ndarray of shape (n_features,)
        :math:`w`.
    intercept : float
        :math:`b`.
    """

    def fit(self, score: np.ndarray, features: np.ndarray, is_normal: np.ndarray) -> "LabelHead":
        """Find the posterior mode.

        Parameters
        ----------
        score : ndarray of shape (n_samples,)
            Density's log-odds of being normal.
        features : ndarray of shape (n_samples, n_features)
            Standardised: what else is known of the rows.
        is_normal : ndarray of bool of shape (n_samples,)

        Returns
        -------
        LabelHead
            Itself.
        """
        sign = np.where(is_normal, 1.0, -1.0)
        n_features = features.shape[1]
        used = features if len(set(sign)) == 2 else features[:, :0]

        def potential(theta: np.ndarray) -> tuple[float, np.ndarray]:
            slope, intercept, weights = np.exp(theta[0]), theta[1], theta[2:]
            margin = sign * (slope * score + used @ weights + intercept)
            pull = -sign * expit(-margin)
            value = np.logaddexp(0.0, -margin).sum() + 0.5 * (
                theta[0] ** 2 + intercept**2 + n_features * weights @ weights
            )
            gradient = np.concatenate(
                [
                    [pull @ score * slope + theta[0], pull.sum() + intercept],
                    used.T @ pull + n_features * weights,
                ]
            )
            return value, gradient

        theta = minimize(potential, np.zeros(2 + used.shape[1]), jac=True, method="L-BFGS-B").x
        self.slope, self.intercept = float(np.exp(theta[0])), float(theta[1])
        self.weights = np.zeros(n_features)
        self.weights[: used.shape[1]] = theta[2:]
        return self

    def log_odds(self, score: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Log-odds of being normal.

        Parameters
        ----------
        score : ndarray of shape (n_samples,)
        features : ndarray of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.slope * score + features @ self.weights + self.intercept
