"""Improvement and bounds of Gaussians, under modAL's names."""

from typing import Any

import numpy as np
from scipy.special import ndtr


def PI(mean: Any, std: Any, max_val: Any, tradeoff: float, maximize: bool = True) -> np.ndarray:
    r"""Probability of improvement of a Gaussian, :math:`\Phi((\mu - best - t) / \sigma)`.

    Parameters
    ----------
    mean : array-like of shape (n_samples,)
        Predicted values.
    std : array-like of shape (n_samples,)
        Their standard deviations; where it is 0, the probability is 0 or 1.
    max_val : float
        Best value so far.
    tradeoff : float
        Least improvement that counts.
    maximize : bool, default=True
        Whether large values are sought, or small ones.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> from skbayes.active.acquisition import PI
    >>> PI([1.0, 2.0], [1.0, 1.0], 1.0, 0.0).round(3)
    array([0.5  , 0.841])
    """
    gain, std = gain_of(mean, std, max_val, tradeoff, maximize)
    z = np.divide(gain, std, out=np.where(gain > 0, np.inf, -np.inf), where=std > 0)
    return ndtr(z)


def EI(mean: Any, std: Any, max_val: Any, tradeoff: float, maximize: bool = True) -> np.ndarray:
    r"""Expected improvement of a Gaussian, :math:`g \Phi(g/\sigma) + \sigma \varphi(g/\sigma)`.

    Parameters
    ----------
    mean : array-like of shape (n_samples,)
        Predicted values.
    std : array-like of shape (n_samples,)
        Their standard deviations; where it is 0, what remains is the gain itself.
    max_val : float
        Best value so far.
    tradeoff : float
        Least improvement that counts.
    maximize : bool, default=True
        Whether large values are sought, or small ones.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> from skbayes.active.acquisition import EI
    >>> EI([1.0, 2.0], [1.0, 0.0], 1.0, 0.0).round(3)
    array([0.399, 1.   ])
    """
    gain, std = gain_of(mean, std, max_val, tradeoff, maximize)
    z = np.divide(gain, std, out=np.zeros_like(gain), where=std > 0)
    smooth = gain * ndtr(z) + std * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.where(std > 0, smooth, np.maximum(gain, 0))


def UCB(mean: Any, std: Any, beta: float, maximize: bool = True) -> np.ndarray:
    r"""Optimistic bound, :math:`\mu + \beta \sigma`; of a minimum :math:`-\mu + \beta \sigma`.

    Parameters
    ----------
    mean : array-like of shape (n_samples,)
        Predicted values.
    std : array-like of shape (n_samples,)
        Their standard deviations.
    beta : float
        Weight of the spread.
    maximize : bool, default=True
        Whether large values are sought, or small ones.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> from skbayes.active.acquisition import UCB
    >>> UCB([1.0, 2.0], [1.0, 0.5], 2.0)
    array([3., 3.])
    """
    mean, std = np.asarray(mean), np.asarray(std)
    return (mean if maximize else -mean) + beta * std


def gain_of(
    mean: Any, std: Any, best: Any, tradeoff: float, maximize: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Improvement on what is best so far, less the tradeoff, and the standard deviation."""
    mean, std = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
    return (mean - best if maximize else best - mean) - tradeoff, std
