"""Randomness: one scikit-learn ``random_state`` becomes explicit torch generators."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from skbayes._random import new_random_state as new_random_state

# Modules of users draw from torch's global stream (their own initialisation, nn.Dropout). It is
# forked and seeded around them; the lock keeps two threads from sharing one fork.
_GLOBAL_STREAM = threading.RLock()


def draw_seed(rng: np.random.RandomState) -> int:
    """Draw a seed.

    Parameters
    ----------
    rng : numpy.random.RandomState
        Advanced by one draw.

    Returns
    -------
    int
    """
    return int(rng.randint(np.iinfo(np.int32).max))


def make_generator(
    rng: np.random.RandomState, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Make a generator that is seeded by the next draw of a random state.

    Parameters
    ----------
    rng : numpy.random.RandomState
        Advanced by one draw.
    device : str or torch.device, default="cpu"
        Where the generator draws. What must agree across devices (initial weights, shuffles) is
        drawn on the CPU.

    Returns
    -------
    torch.Generator
    """
    return torch.Generator(device).manual_seed(draw_seed(rng))


@contextmanager
def seeded_global_stream(seed: int, device: torch.device) -> Iterator[None]:
    """Run code that draws from torch's global stream, and leave that stream as it was.

    Parameters
    ----------
    seed : int
        Seed inside the context.
    device : torch.device
        A CUDA device's stream is forked too.

    Yields
    ------
    None
    """
    devices = [device] if device.type == "cuda" else []
    with _GLOBAL_STREAM, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
