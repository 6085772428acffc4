"""A head of labels around a score: Gaussian-process logistic regression by Laplace's method."""

from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import expit

#: Squared lengths of the local part, in units of the median squared distance of two rows.
LENGTHS = (0.05, 0.1, 0.3)
#: Variances of the local and of the linear part, and factors of the density's log-odds.
LOCAL, LINEAR, SLOPES = (1.0, 4.0), (0.0, 1.0), (0.3, 1.0)
#: Most labels by which settings are compared, and most that are learned from: the cost of a
#: setting grows with the cube.
MAX_COMPARED, MAX_LABELS = 256, 2048
MAX_NEWTON, TOLERANCE = 50, 1e-8


class Setting(NamedTuple):
    """Hyperparameters.

    Attributes
    ----------
    length : float
    local, linear : float
    slope : float
    """

    length: float
    local: float
    linear: float
    slope: float


SETTINGS = tuple(Setting(*values) for values in product(LENGTHS, LOCAL, LINEAR, SLOPES))


class Pairs:
    """What the kernels of all settings are made of.

    Parameters
    ----------
    first, second : ndarray of shape (rows, features)
    spread : float
        Median squared distance of two rows.
    """

    def __init__(self, first: np.ndarray, second: np.ndarray, spread: float) -> None:
        self.product = first @ second.T
        lengths = np.square(first).sum(1)[:, np.newaxis] + np.square(second).sum(1)
        self.distance = np.maximum(lengths - 2.0 * self.product, 0.0) / spread
        self.product /= first.shape[1]

    def local(self, length: float) -> np.ndarray:
        """Kernel of the local part, of variance one.

        Parameters
        ----------
        length : float

        Returns
        -------
        ndarray of shape (first rows, second rows)
        """
        return np.exp(-0.5 / length * self.distance)

    def kernel(self, setting: Setting) -> np.ndarray:
        """Kernel of local part, linear part and intercept.

        Parameters
        ----------
        setting : Setting

        Returns
        -------
        ndarray of shape (first rows, second rows)
        """
        return setting.local * self.local(setting.length) + setting.linear * self.product + 1.0


class Mode(NamedTuple):
    """Mode of a posterior.

    Attributes
    ----------
    pull : ndarray of shape (n_labels,)
        The kernel times this is what labels add to the mean.
    evidence : float
        Logarithm of Laplace's marginal likelihood.
    """

    pull: np.ndarray
    evidence: float


def find_mode(kernel: np.ndarray, mean: np.ndarray, sign: np.ndarray) -> Mode:
    """Find the mode by Newton's method.

    Parameters
    ----------
    kernel : ndarray of shape (n_labels, n_labels)
    mean : ndarray of shape (n_labels,)
        Prior log-odds.
    sign : ndarray of shape (n_labels,)
        The labels, +1 and -1.

    Returns
    -------
    Mode

    References
    ----------
    C. E. Rasmussen and C. K. I. Williams, Gaussian processes for machine learning, MIT Press 2006,
    algorithms 3.1 and 5.1.
    """

    def energy(pull: np.ndarray) -> float:
        added = kernel @ pull
        return float(np.logaddexp(0.0, -sign * (added + mean)).sum() + 0.5 * pull @ added)

    def curvature(pull: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        added = kernel @ pull
        proba = expit(added + mean)
        root = np.sqrt(np.maximum(proba * (1.0 - proba), 1e-12))
        matrix = root[:, np.newaxis] * kernel * root
        matrix[np.diag_indices_from(matrix)] += 1.0
        right = root**2 * added + 0.5 * (sign + 1.0) - proba
        return root, cholesky(matrix, lower=True), right

    pull = np.zeros(len(sign))
    now = energy(pull)
    for _ in range(MAX_NEWTON):
        root, factor, right = curvature(pull)
        inner = solve_triangular(factor, root * (kernel @ right), lower=True)
        step = right - root * solve_triangular(factor, inner, lower=True, trans=1) - pull
        size, before = 1.0, now
        while (now := energy(pull + size * step)) > before and size > 1e-6:
            size *= 0.5
        if now > before:
            now = before
            break
        pull = pull + size * step
        if before - now < TOLERANCE:
            break
    _, factor, _ = curvature(pull)
    return Mode(pull, -now - float(np.log(np.diag(factor)).sum()))


class LabelHead:
    r"""Gaussian-process logistic regression around the density's own log-odds.

    .. math:: \operatorname{logit} p(\text{normal} \mid x) = a\, s(x) + g(x), \quad
        g \sim \mathcal{GP}\bigl(0,\; 1 + \tau^2 x^\top x' / L + \sigma^2
        e^{-\lVert x - x' \rVert^2 / 2 \ell^2 m}\bigr)

    for rows of :math:`L` standardised features whose median squared distance is :math:`m`. Without
    labels, and far from all of them if :math:`\tau = 0`, the ranking is the density's:
    :math:`a` is positive, so that a low density never speaks for a row. Posterior means of all
    settings :math:`(\ell^2, \sigma^2, \tau^2, a)` are averaged with weights in proportion to their
    evidence, both by Laplace's approximation.

    Parameters
    ----------
    spread : float
        :math:`m`.

    Attributes
    ----------
    rows : ndarray of shape (n_labels, n_features)
    score, sign : ndarray of shape (n_labels,)
        Score and label (+1 normal, -1 anomaly) of every row.
    slope, intercept : float
        :math:`a` and the constant part, means over the settings.
    weights : ndarray of shape (n_features,)
        Of the linear part.
    pulls : ndarray of shape (n_lengths, n_labels)
        Of the local parts.
    """

    def __init__(self, spread: float) -> None:
        self.spread = spread

    def fit(self, score: np.ndarray, rows: np.ndarray, is_normal: np.ndarray) -> "LabelHead":
        """Learn from labels.

        Parameters
        ----------
        score : ndarray of shape (n_labels,)
            Density's log-odds of being normal.
        rows : ndarray of shape (n_labels, n_features)
            Standardised.
        is_normal : ndarray of bool of shape (n_labels,)

        Returns
        -------
        LabelHead
            Itself.
        """
        if len(score) > MAX_LABELS:
            some = np.linspace(0, len(score) - 1, MAX_LABELS).astype(int)
            score, rows, is_normal = score[some], rows[some], is_normal[some]
        sign = np.where(is_normal, 1.0, -1.0)
        self.score, self.rows, self.sign = score, rows, sign
        settings: tuple[Setting, ...] = SETTINGS
        if len(score) > MAX_COMPARED:  # evidence tells them apart then: the best by some labels
            some = np.linspace(0, len(score) - 1, MAX_COMPARED).astype(int)
            modes = self._modes(SETTINGS, some)
            settings = (SETTINGS[int(np.argmax([mode.evidence for mode in modes]))],)
        modes = self._modes(settings, np.arange(len(score)))
        evidence = np.array([mode.evidence for mode in modes])
        share = np.exp(evidence - evidence.max())
        share /= share.sum()
        self.slope = float(share @ [setting.slope for setting in settings])
        self.intercept, self.weights = 0.0, np.zeros(rows.shape[1])
        self.pulls = np.zeros((len(LENGTHS), len(score)))
        for weight, setting, mode in zip(share, settings, modes, strict=True):
            pull = weight * mode.pull
            self.intercept += float(pull.sum())
            self.weights += setting.linear * (pull @ rows) / rows.shape[1]
            self.pulls[LENGTHS.index(setting.length)] += setting.local * pull
        return self

    def _modes(self, settings: tuple[Setting, ...], some: np.ndarray) -> list[Mode]:
        pairs = Pairs(self.rows[some], self.rows[some], self.spread)
        score, sign = self.score[some], self.sign[some]
        return [find_mode(pairs.kernel(s), s.slope * score, sign) for s in settings]

    def log_odds(self, score: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Log-odds of being normal.

        Parameters
        ----------
        score : ndarray of shape (n_samples,)
        rows : ndarray of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        value = self.slope * score + rows @ self.weights + self.intercept
        pairs = Pairs(rows, self.rows, self.spread)
        for length, pull in zip(LENGTHS, self.pulls, strict=True):
            if pull.any():
                value += pairs.local(length) @ pull
        return value
