"""Dropout of a torch network switched on, with a stream of its own; torch is not imported here."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from skbayes.active._rows import count_rows, is_tensor


def find_torch() -> Any:
    """Return torch, which whoever has a network has imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        raise TypeError("the dropout strategies need a network of torch, which is not imported")
    return torch


def split_rows(X: Any, rows_at_a_time: int, torch: Any) -> Iterator[Any]:
    """Yield rows as tensors, some at a time."""
    if not isinstance(X, Mapping) and not is_tensor(X):
        X = torch.as_tensor(np.asarray(X))
    for start in range(0, count_rows(X, "X"), rows_at_a_time):
        part = slice(start, start + rows_at_a_time)
        yield {key: value[part] for key, value in X.items()} if isinstance(X, Mapping) else X[part]


def dropout_layers(model: Any, indexes: Sequence[int]) -> list[Any]:
    """Dropout layers of a network, all or those of these numbers."""
    modules = list(model.modules())
    dropouts = [type(layer).__name__.startswith("Dropout") for layer in modules]
    for index in indexes:
        if not dropouts[index]:
            raise KeyError(f"there is no dropout layer at {index}: {type(modules[index]).__name__}")
    if len(indexes):
        return [modules[index] for index in indexes]
    return [layer for layer, drops in zip(modules, dropouts, strict=True) if drops]


@contextmanager
def dropout_on(model: Any, indexes: Sequence[int]) -> Iterator[None]:
    """Let dropout layers drop, whatever mode the network is in."""
    layers = dropout_layers(model, indexes)
    before = [layer.training for layer in layers]
    try:
        for layer in layers:
            layer.train(True)
        yield
    finally:
        for layer, training in zip(layers, before, strict=True):
            layer.train(training)


@contextmanager
def own_stream(torch: Any, seed: int) -> Iterator[None]:
    """Let torch's global stream begin at a seed, and put it back."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        generator = torch.Generator()
        generator.manual_seed(seed)
        torch.set_rng_state(generator.get_state())
        for device in devices:
            with torch.cuda.device(device):
                torch.cuda.default_generators[device].manual_seed(seed)
        yield
