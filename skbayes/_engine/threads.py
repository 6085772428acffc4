"""Number of CPU threads: small networks train fastest, and reproducibly, on one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

#: Multiplications of a step's largest product below which a second thread costs more than it
#: brings: the threads meet at a barrier after every operation, and each meeting waits for whatever
#: else the machine does.
SMALL = 10**8

_lock = threading.Lock()
_depth = 0
_before = 1


@contextmanager
def one_thread_if_small(multiplications: int) -> Iterator[None]:
    """Run torch on one thread where the work is small; put the setting back afterwards.

    Parameters
    ----------
    multiplications : int
        Of a step's largest matrix product.

    Yields
    ------
    None
    """
    global _depth, _before
    if multiplications >= SMALL:
        yield
        return
    with _lock:
        if _depth == 0:
            _before = torch.get_num_threads()
        _depth += 1
        if torch.get_num_threads() > 1:
            torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            # torch's setting is each thread's own, so each puts it back for itself
            if _before > 1:
                torch.set_num_threads(_before)
