"""Strategies of Monte-Carlo dropout for skorch's networks, under modAL's names."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np
from scipy.special import entr

from skbayes.active._checks import ParameterError
from skbayes.active._dropout_mode import (
    dropout_layers,
    dropout_on,
    find_torch,
    own_stream,
    split_rows,
)
from skbayes.active._selection import select, stream_of

__all__ = [
    "default_logits_adaptor",
    "get_predictions",
    "mc_dropout_bald",
    "mc_dropout_max_entropy",
    "mc_dropout_max_variationRatios",
    "mc_dropout_mean_st",
    "mc_dropout_multi",
    "set_dropout_mode",
]

#: Dropout draws from torch's global stream, which is put back afterwards: one at a time
_LOCK = Lock()


def default_logits_adaptor(input_tensor: Any, samples: Any) -> Any:
    """Return the logits as they are.

    Parameters
    ----------
    input_tensor : tensor
        Output of the network.
    samples : tensor or mapping of tensors
        The rows.

    Returns
    -------
    tensor

    Examples
    --------
    >>> from skbayes.active.dropout import default_logits_adaptor
    >>> default_logits_adaptor([0.0, 1.0], None)
    [0.0, 1.0]
    """
    return input_tensor


def get_predictions(
    classifier: Any,
    X: Any,
    dropout_layer_indexes: Sequence[int] = (),
    num_predictions: int = 50,
    sample_per_forward_pass: int = 1000,
    logits_adaptor: Callable[[Any, Any], Any] = default_logits_adaptor,
    *,
    random_state: Any = None,
) -> list[np.ndarray]:
    """Class probabilities of several passes with dropout on.

    Every other layer stays in evaluation mode if the network is; the modes of the dropout layers
    and torch's global random state are put back.

    Parameters
    ----------
    classifier : ActiveLearner
        Learner around an initialised network of skorch (``module_``, ``infer``).
    X : {tensor, array-like, mapping of tensors} of shape (n_samples, ...)
        Rows.
    dropout_layer_indexes : sequence of int, default=()
        Positions in ``list(module.modules())`` of the layers to switch on; none are all.
    num_predictions : int, default=50
        Number of passes.
    sample_per_forward_pass : int, default=1000
        Rows at a time.
    logits_adaptor : callable, default=default_logits_adaptor
        Makes of the network's output and the rows logits of shape (n_rows, ..., n_classes).
    random_state : int, RandomState instance or None, default=None
        Determines the dropout; None takes the learner's own stream.

    Returns
    -------
    list of ndarray of shape (n_samples, ..., n_classes)
        One a pass; nan logits (padding) stay nan.

    Raises
    ------
    ValueError
        If a number is not positive.

    Examples
    --------
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> from skbayes.active import DeepActiveLearner
    >>> from skbayes.active.dropout import get_predictions
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Linear(2, 8), torch.nn.Dropout(), torch.nn.Linear(8, 3)
    ... )
    >>> learner = DeepActiveLearner(NeuralNetClassifier(module), random_state=0)
    >>> len(get_predictions(learner, torch.zeros(5, 2), num_predictions=4))
    4
    """
    for name, number in (
        ("num_predictions", num_predictions),
        ("sample_per_forward_pass", sample_per_forward_pass),
    ):
        if not number > 0:
            raise ParameterError(f"{name}={number!r} must be larger than zero")
    torch = find_torch()
    net = getattr(classifier, "estimator", classifier)
    seed = int(stream_of(classifier, random_state).randint(2**31))
    parts = list(split_rows(X, sample_per_forward_pass, torch))
    predictions = []
    with _LOCK, own_stream(torch, seed), dropout_on(net.module_, dropout_layer_indexes):
        for _ in range(num_predictions):
            passed = []
            for rows in parts:
                with torch.no_grad():
                    logits = logits_adaptor(net.infer(rows), rows).clone()
                padded = logits.isnan()
                # a padded class is no class; a row of nothing but padding stays nan
                proba = logits.masked_fill(padded, -torch.inf).softmax(-1)
                passed.append(proba.masked_fill(padded, torch.nan))
            predictions.append(torch.cat(passed).cpu().numpy())
    return predictions


def set_dropout_mode(model: Any, dropout_layer_indexes: Sequence[int], train_mode: bool) -> None:
    """Switch dropout layers on or off.

    Parameters
    ----------
    model : torch.nn.Module
        Network.
    dropout_layer_indexes : sequence of int
        Positions in ``list(model.modules())`` of the layers; none are all dropout layers.
    train_mode : bool
        Whether they drop.

    Raises
    ------
    KeyError
        If there is another layer at a position.

    Examples
    --------
    >>> import torch
    >>> from skbayes.active.dropout import set_dropout_mode
    >>> layer = torch.nn.Dropout()
    >>> set_dropout_mode(layer, [], train_mode=False)
    >>> layer.training
    False
    """
    for layer in dropout_layers(model, dropout_layer_indexes):
        layer.train(bool(train_mode))


def mc_dropout_multi(
    classifier: Any,
    X: Any,
    query_strategies: Sequence[str] = ("bald", "mean_st", "max_entropy", "max_var"),
    n_instances: int = 1,
    random_tie_break: bool = False,
    dropout_layer_indexes: Sequence[int] = (),
    num_cycles: int = 50,
    sample_per_forward_pass: int = 1000,
    logits_adaptor: Callable[[Any, Any], Any] = default_logits_adaptor,
    *,
    random_state: Any = None,
) -> tuple[None, dict[str, np.ndarray]]:
    """Several utilities of all rows from the same passes; no rows are chosen.

    Parameters
    ----------
    classifier : ActiveLearner
        Learner around a network of skorch.
    X : {tensor, array-like, mapping of tensors} of shape (n_samples, ...)
        Pool.
    query_strategies : sequence of {"bald", "mean_st", "max_entropy", "max_var"}
        Which utilities.
    n_instances : int, default=1
        Ignored, here for the other strategies' sake.
    random_tie_break : bool, default=False
        Ignored, here for the other strategies' sake.
    dropout_layer_indexes : sequence of int, default=()
        See :func:`get_predictions`.
    num_cycles : int, default=50
        Number of passes.
    sample_per_forward_pass : int, default=1000
        Rows at a time.
    logits_adaptor : callable, default=default_logits_adaptor
        See :func:`get_predictions`.
    random_state : int, RandomState instance or None, default=None
        Determines the dropout; None takes the learner's own stream.

    Returns
    -------
    indices : None
    metrics : dict of str to ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If a name is not one of those.

    Examples
    --------
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> from skbayes.active import DeepActiveLearner
    >>> from skbayes.active.dropout import mc_dropout_multi
    >>> module = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(2, 3))
    >>> learner = DeepActiveLearner(NeuralNetClassifier(module), random_state=0)
    >>> _, metrics = mc_dropout_multi(learner, torch.ones(5, 2), ["bald"], num_cycles=4)
    >>> metrics["bald"].shape
    (5,)
    """
    unknown = set(query_strategies) - set(_MEASURES)
    if unknown:
        raise ParameterError(
            f"query_strategies holds {sorted(unknown)}; allowed are {sorted(_MEASURES)}"
        )
    predictions = get_predictions(
        classifier,
        X,
        dropout_layer_indexes,
        num_cycles,
        sample_per_forward_pass,
        logits_adaptor,
        random_state=random_state,
    )
    return None, {name: _MEASURES[name](predictions) for name in query_strategies}


_DOC = """{first}

    Parameters
    ----------
    classifier : ActiveLearner
        Learner around a network of skorch with dropout.
    X : {{tensor, array-like, mapping of tensors}} of shape (n_samples, ...)
        Pool.
    n_instances : int, default=1
        Number of rows.
    random_tie_break : bool, default=False
        Whether ties are broken at random; else the first row wins.
    dropout_layer_indexes : sequence of int, default=()
        See :func:`get_predictions`.
    num_cycles : int, default=50
        Number of passes.
    sample_per_forward_pass : int, default=1000
        Rows at a time.
    logits_adaptor : callable, default=default_logits_adaptor
        See :func:`get_predictions`.
    random_state : int, RandomState instance or None, default=None
        Determines the dropout; None takes the learner's own stream.

    Returns
    -------
    indices : ndarray of int of shape (n_instances,)
    metrics : ndarray of shape (n_instances,)

    Raises
    ------
    ValueError
        If the pool has fewer rows, or a number is not positive.

    References
    ----------
    Gal, Islam, Ghahramani (2017), *Deep Bayesian active learning with image data*, ICML.

    Examples
    --------
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> from skbayes.active import DeepActiveLearner
    >>> from skbayes.active.dropout import {name}
    >>> module = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Linear(2, 3))
    >>> net = NeuralNetClassifier(module)
    >>> learner = DeepActiveLearner(net, {name}, random_state=0)
    >>> len(learner.query(torch.ones(5, 2), n_instances=2)[0])
    2
    """


def _strategy(name: str, measure: Callable[[list[np.ndarray]], np.ndarray], first: str) -> Any:
    """Make a strategy: the four differ in their measure only."""

    def strategy(
        classifier: Any,
        X: Any,
        n_instances: int = 1,
        random_tie_break: bool = False,
        dropout_layer_indexes: Sequence[int] = (),
        num_cycles: int = 50,
        sample_per_forward_pass: int = 1000,
        logits_adaptor: Callable[[Any, Any], Any] = default_logits_adaptor,
        *,
        random_state: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        rng = stream_of(classifier, random_state)
        predictions = get_predictions(
            classifier,
            X,
            dropout_layer_indexes,
            num_cycles,
            sample_per_forward_pass,
            logits_adaptor,
            random_state=rng,
        )
        return select(measure(predictions), n_instances, random_tie_break, classifier, rng)

    strategy.__name__ = strategy.__qualname__ = name
    strategy.__doc__ = _DOC.format(first=first, name=name)
    return strategy


# -- of the passes' probabilities alone; modAL's names --------------------------------------------


def _bald_divergence(proba: list[np.ndarray]) -> np.ndarray:
    draws = np.stack(proba)  # (passes, rows, ..., classes)
    total = _entropy_sum(draws.mean(axis=0))  # (rows, ...)
    gained = total - _entropy_sum(draws).mean(axis=0)
    return np.maximum(np.nansum(gained.reshape(len(gained), -1), axis=1), 0)


def _mean_standard_deviation(proba: list[np.ndarray]) -> np.ndarray:
    return _mean_of_rest(_mean_known(np.stack(proba).std(axis=0)))


def _entropy(proba: list[np.ndarray]) -> np.ndarray:
    return _mean_of_rest(_entropy_sum(np.stack(proba).mean(axis=0)))


def _variation_ratios(proba: list[np.ndarray]) -> np.ndarray:
    mean = np.stack(proba).mean(axis=0)
    return _mean_of_rest(1 - np.where(np.isnan(mean), 0, mean).max(axis=-1))


def _entropy_sum(proba: np.ndarray) -> np.ndarray:
    return np.nansum(entr(proba), axis=-1)


def _mean_known(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)


def _mean_of_rest(values: np.ndarray) -> np.ndarray:
    """Mean over what there is beside rows: tokens of a text, for example."""
    return values.reshape(len(values), -1).mean(axis=1)


_MEASURES: dict[str, Callable[[list[np.ndarray]], np.ndarray]] = {
    "bald": _bald_divergence,
    "mean_st": _mean_standard_deviation,
    "max_entropy": _entropy,
    "max_var": _variation_ratios,
}

mc_dropout_bald = _strategy(
    "mc_dropout_bald", _bald_divergence, "Ask where the passes disagree most: largest BALD."
)
mc_dropout_mean_st = _strategy(
    "mc_dropout_mean_st",
    _mean_standard_deviation,
    "Ask where the passes spread most: largest standard deviation, mean over classes.",
)
mc_dropout_max_entropy = _strategy(
    "mc_dropout_max_entropy",
    _entropy,
    "Ask where the passes' mean prediction has the largest entropy.",
)
mc_dropout_max_variationRatios = _strategy(
    "mc_dropout_max_variationRatios",
    _variation_ratios,
    "Ask where the largest mean probability of the passes is least.",
)
