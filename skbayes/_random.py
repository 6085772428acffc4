"""``random_state`` parameters, without numpy's global stream."""

from numbers import Integral
from typing import Any

import numpy as np


def new_random_state(random_state: Any) -> np.random.RandomState:
    """Interpret a ``random_state`` parameter without numpy's global stream.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        As in scikit-learn, but ``None`` is fresh entropy: the global stream is neither read nor
        advanced.

    Returns
    -------
    numpy.random.RandomState

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if random_state is None:
        return np.random.RandomState(np.random.SeedSequence().generate_state(4))
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if isinstance(random_state, Integral) and 0 <= int(random_state) < 2**32:
        return np.random.RandomState(int(random_state))
    raise ValueError(
        f"random_state={random_state!r} must be an integer from 0 to 2**32 - 1, a "
        "numpy.random.RandomState or None"
    )
