"""Weights as the landscape views take them: mappings of names to stacks, of one run or more."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skbayes._draws import find_method, transform_through
from skbayes.diagnostics._distances import _check_finite, _check_numbers


def check_weights(params: Any, name: str = "params") -> dict[str, np.ndarray]:
    """Check weights and join those of several runs.

    Parameters
    ----------
    params : mapping of str to array-like, or sequence of such mappings
        Names -> values with a leading axis of draws.
    name : str, default="params"
        For messages.

    Returns
    -------
    dict of str to ndarray
        The draws of all mappings, one after the other.

    Raises
    ------
    ValueError
        If they are not finite numbers with one number of draws, or mappings differ in names or
        shapes.
    """
    if isinstance(params, Mapping):
        return _check_one(params, name)
    if not isinstance(params, Sequence) or len(params) == 0:
        raise ValueError(
            f"{name} must be a mapping of names to arrays, or a sequence of mappings, not empty"
        )
    runs = [_check_one(run, f"{name}[{k}]") for k, run in enumerate(params)]
    for k, run in enumerate(runs):
        check_alike(runs[0], run, f"{name}[0]", f"{name}[{k}]")
    return {key: np.concatenate([run[key] for run in runs]) for key in runs[0]}


def check_alike(
    first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray], name_1: str, name_2: str
) -> None:
    """Check that two sets of weights are those of one architecture.

    Parameters
    ----------
    first, second : mapping of str to ndarray
    name_1, name_2 : str
        For messages.

    Raises
    ------
    ValueError
        If names or shapes differ.
    """
    shapes, others = ({key: v.shape[1:] for key, v in w.items()} for w in (first, second))
    if shapes != others:
        raise ValueError(
            f"{name_1} and {name_2} must be weights of one architecture; names and shapes are "
            f"{shapes} and {others}"
        )


def check_single(params: Any, name: str) -> dict[str, np.ndarray]:
    """Check weights of one network.

    Parameters
    ----------
    params : mapping of str to array-like
        Names -> values with a leading axis of length 1.
    name : str
        For messages.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        If there is not one draw.
    """
    weights = check_weights(params, name)
    n_draws = count_draws(weights)
    if n_draws != 1:
        raise ValueError(
            f"{name} has {n_draws} draws, it must hold one with its axis, as "
            "posterior_.arrays(0) does"
        )
    return weights


def count_draws(weights: Mapping[str, np.ndarray]) -> int:
    """Length of the leading axis.

    Parameters
    ----------
    weights : mapping of str to ndarray

    Returns
    -------
    int
    """
    return len(next(iter(weights.values())))


def gram(weights: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> np.ndarray:
    """Inner products of flattened weights, in float64.

    Parameters
    ----------
    weights, others : mapping of str to ndarray
        Of one architecture.

    Returns
    -------
    ndarray of shape (draws of weights, draws of others)
    """
    # tensor by tensor: they are never joined to one long vector
    total = np.zeros((count_draws(weights), count_draws(others)))
    for key, values in weights.items():
        a = values.reshape(len(values), -1).astype(np.float64)
        b = others[key].reshape(total.shape[1], -1).astype(np.float64)
        total += a @ b.T
    return total


def predict_at(estimator: Any, params: Mapping[str, np.ndarray], X: Any) -> np.ndarray:
    """Predictions of an estimator's network with given weights, behind pipelines and the like.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict_at``, or what holds one.
    params : mapping of str to ndarray
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_draws, n_samples) or (n_draws, n_samples, n_classes)

    Raises
    ------
    TypeError
        If there is no ``predict_at``.
    """
    holder, pipelines = find_holder(estimator)
    return np.asarray(holder.predict_at(params, transform_through(pipelines, X)))


def find_holder(estimator: Any) -> tuple[Any, Any]:
    """Find what has ``predict_at``, and the pipelines on the way to it.

    Parameters
    ----------
    estimator : object

    Returns
    -------
    holder : object
    pipelines : tuple of Pipeline

    Raises
    ------
    TypeError
        If there is none.
    """
    holder, pipelines = find_method(estimator, "predict_at")
    if holder is None:
        raise TypeError(
            f"estimator={type(estimator).__name__} must have predict_at(params, X), or be a fitted "
            "Pipeline, search, FrozenEstimator or learner around an estimator that has"
        )
    return holder, pipelines


def _check_one(params: Any, name: str) -> dict[str, np.ndarray]:
    if not isinstance(params, Mapping) or len(params) == 0:
        raise ValueError(f"{name} must be a mapping of names to arrays, not empty")
    weights: dict[str, np.ndarray] = {}
    for key, values in params.items():
        label = f"{name}[{key!r}]"
        if hasattr(values, "detach"):  # a torch.Tensor, maybe on another device
            values = values.detach().cpu()
        weights[key] = _check_numbers(values, label)
        if weights[key].ndim == 0 or weights[key].size == 0:
            raise ValueError(
                f"{label} must have a leading axis of draws and not be empty; got an array of "
                f"shape {weights[key].shape}"
            )
        _check_finite(weights[key], label)
    lengths = {key: len(values) for key, values in weights.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{name} must have one number of draws; got {lengths}")
    return weights
