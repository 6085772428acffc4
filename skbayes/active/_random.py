"""One stream of randomness over all that a learner does, begun by its seed."""

from typing import Any

import numpy as np

from skbayes._random import new_random_state


class Randomized:
    """Base of what has one stream of randomness over all that it does."""

    random_state: Any
    _stream: np.random.RandomState | None = None
    _stream_seed: Any = None

    def _get_random_state(self) -> np.random.RandomState:
        # one stream over all queries, begun again once the seed is another one
        if self._stream is None or self._stream_seed != self.random_state:
            self._restart_stream()
        assert self._stream is not None
        return self._stream

    def _restart_stream(self) -> None:
        self._stream = new_random_state(self.random_state)
        self._stream_seed = self.random_state
