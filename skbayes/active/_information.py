"""Utilities that look at what is predicted elsewhere: information and error at target rows."""

from typing import Any

import numpy as np
from scipy.special import entr

from skbayes._draws import mean_entropy
from skbayes.active._checks import ParameterError, check_draws

#: Bytes of the largest array of a block
_BLOCK_BYTES = 2**25


def epig(draws: np.ndarray, target_draws: np.ndarray) -> np.ndarray:
    r"""Expected predictive information gain: what a label says about labels elsewhere.

    The mean over target rows of the mutual information
    :math:`I(y; y_*) = H(y) + H(y_*) - H(y, y_*)` with
    :math:`p(y, y_*) = \frac1M \sum_m p_m(y) p_m(y_*)`. Unlike :func:`bald` it does not value
    what is learned of weights that no prediction depends on.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw, of the rows that could be asked for.
    target_draws : array-like of shape (n_draws, n_targets, n_classes)
        Of the same draws, of rows like those that will be predicted.

    Returns
    -------
    ndarray of shape (n_samples,)
        In nats, not negative.

    Raises
    ------
    ValueError
        If the draws are not probabilities of these shapes, or one draw only.

    References
    ----------
    Bickford Smith, Kirsch, Farquhar, Gal, Foster, Rainforth (2023), *Prediction-oriented Bayesian
    active learning*, AISTATS.

    Examples
    --------
    >>> from skbayes.active.acquisition import epig
    >>> at_odds, agreed = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]
    >>> draws = [[a, b] for a, b in zip(at_odds, agreed)]
    >>> epig(draws, [[row[0]] for row in draws])  # the target is the first row
    array([0.69314718, 0.        ])
    """
    draws, target_draws = _both(draws, target_draws, "epig")
    joint = _mean_joint_entropy(draws, target_draws)
    marginal = entr(draws.mean(axis=0)).sum(axis=-1)  # (rows,)
    targets = entr(target_draws.mean(axis=0)).sum(axis=-1).mean()
    return np.maximum(marginal + targets - joint, 0)


def error_reduction(
    draws: np.ndarray, target_draws: np.ndarray | None = None, *, loss: str = "binary"
) -> np.ndarray:
    r"""Minus the error expected at the target rows after the label: no refitting.

    A label reweights the draws, :math:`w_m \propto p_m(y|x)`; the error is that of the reweighted
    mean prediction, averaged over the label by the mean prediction. Exact for the discrete
    posterior that the draws are.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw, of the rows that could be asked for.
    target_draws : array-like of shape (n_draws, n_targets, n_classes), default=None
        Of the same draws, of rows like those that will be predicted. None are ``draws``.
    loss : {"binary", "log"}, default="binary"
        Error: one minus the largest probability, or the entropy.

    Returns
    -------
    ndarray of shape (n_samples,)
        Not positive; higher = better.

    Raises
    ------
    ValueError
        If the draws are not probabilities of these shapes, or one draw only, or the loss is not
        known.

    References
    ----------
    Roy, McCallum (2001), *Toward optimal active learning through sampling estimation of error
    reduction*, ICML.

    Examples
    --------
    >>> from skbayes.active.acquisition import error_reduction
    >>> at_odds, agreed = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]
    >>> error_reduction([[a, b] for a, b in zip(at_odds, agreed)])
    array([-0.25, -0.5 ])
    """
    if loss not in ("binary", "log"):
        raise ParameterError(f"loss={loss!r} must be 'binary' or 'log'")
    targets = draws if target_draws is None else target_draws
    draws, targets = _both(draws, targets, "error_reduction")
    n_draws, n_rows, n_classes = draws.shape
    n_targets = targets.shape[1]
    flat = targets.reshape(n_draws, -1)  # (draws, targets * classes)
    expected = np.empty(n_rows)
    step = max(1, _BLOCK_BYTES // (8 * n_classes * flat.shape[1]))
    for start in range(0, n_rows, step):
        part = draws[:, start : start + step]
        rows = part.shape[1]
        # joint[x, y, x', y'] = mean_m p_m(y|x) p_m(y'|x')
        joint = part.reshape(n_draws, -1).T @ flat / n_draws
        joint = joint.reshape(rows, n_classes, n_targets, n_classes)
        if loss == "binary":  # p(y) (1 - max p(y'|y)) = p(y) - max p(y, y')
            error = joint.sum(axis=-1) - joint.max(axis=-1)  # (rows, classes, targets)
            expected[start : start + step] = error.sum(axis=1).mean(axis=-1)
        else:  # H(y'|y) = H(y, y') - H(y)
            entropy = entr(joint).sum(axis=(1, 3)).mean(axis=-1)  # (rows,)
            expected[start : start + step] = entropy - entr(part.mean(axis=0)).sum(axis=-1)
    return -np.maximum(expected, 0)


def joint_information(draws: np.ndarray) -> float:
    r"""Information that the labels of a few rows hold together on the weights, exact.

    :math:`I(y_1 \dots y_b; \theta) = H(y_1 \dots y_b) - \frac1M \sum_m \sum_i H(p_m(y_i))`, by
    all ``n_classes ** n_samples`` configurations.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw, of the rows of one batch.

    Returns
    -------
    float
        In nats.

    Raises
    ------
    ValueError
        If there are more than 10 million configurations.

    References
    ----------
    Kirsch, van Amersfoort, Gal (2019), *BatchBALD: efficient and diverse batch acquisition for deep
    Bayesian active learning*, NeurIPS.

    Examples
    --------
    >>> from skbayes.active.acquisition import joint_information
    >>> at_odds = [[[1.0, 0.0]], [[0.0, 1.0]]]
    >>> twice = [[row[0], row[0]] for row in at_odds]
    >>> round(joint_information(at_odds), 3), round(joint_information(twice), 3)
    (0.693, 0.693)
    """
    draws = check_draws(draws, needs_several="joint_information")
    n_draws, n_rows, n_classes = draws.shape
    if n_classes**n_rows > 10**7:
        raise ValueError(
            f"{n_rows} rows of {n_classes} classes have {n_classes**n_rows} configurations; at "
            "most 10000000 are gone through"
        )
    joint = np.ones((n_draws, 1))  # (draws, configurations)
    for row in range(n_rows):
        joint = (joint[:, :, np.newaxis] * draws[:, row, np.newaxis, :]).reshape(n_draws, -1)
    entropy = entr(joint.mean(axis=0)).sum()
    return float(max(entropy - mean_entropy(draws).sum(), 0.0))


def _mean_joint_entropy(draws: np.ndarray, targets: np.ndarray) -> np.ndarray:
    n_draws, n_rows, n_classes = draws.shape
    n_targets = targets.shape[1]
    flat = targets.reshape(n_draws, -1)
    entropy = np.empty(n_rows)
    step = max(1, _BLOCK_BYTES // (8 * n_classes * flat.shape[1]))
    for start in range(0, n_rows, step):
        part = draws[:, start : start + step]
        joint = part.reshape(n_draws, -1).T @ flat / n_draws
        entropy[start : start + step] = (
            entr(joint).reshape(part.shape[1], -1).sum(axis=1) / n_targets
        )
    return entropy


def _both(draws: Any, target_draws: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    draws = check_draws(draws, needs_several=name).astype(np.float64, copy=False)
    targets = check_draws(target_draws).astype(np.float64, copy=False)
    if len(draws) != len(targets):
        raise ValueError(
            f"draws and target_draws must be of the same draws; there are {len(draws)} and "
            f"{len(targets)}"
        )
    if targets.shape[1] == 0:
        raise ValueError("target_draws has 0 rows; at least one is needed")
    return draws, targets
