"""Autoencoders on streams: ``partial_fit``, and the rows that scores are compared with."""

import copy
import threading
from typing import Any

import numpy as np

from skbayes._engine.replay import Replay
from skbayes._engine.seeds import draw_seed, new_random_state
from skbayes._sklearn import _fit_context
from skbayes.density._checks import validate_rows
from skbayes.density._reference import MAX_CODES

#: Bytes that the rows kept of a stream may take, and rows that are kept however wide they are.
KEPT_BYTES, LEAST_KEPT = 2**25, 256
#: Scores may be asked for by several threads at once; one of them catches up with the stream.
_CATCHING_UP = threading.RLock()


class StreamMixin:
    """``partial_fit`` of an estimator with a stacked autoencoder in ``posterior_``."""

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self: Any, X: Any, y: Any = None) -> Any:
        """Go on with training: one pass through a block of rows, at a constant learning rate.

        The first call sets the estimator up from its block (the units of noise and loss, with
        ``image_shape`` the standardisation), which should be typical; later calls keep that.
        After ``fit`` it goes on from there. What scores need of training rows, and the
        threshold ``offset_`` of a detector, come from a uniform sample of the rows that
        ``partial_fit`` has seen, 2048 at most (fewer where they would take more than 32 MB, but
        256), which is part of a pickle as are the optimizer's moments. They are computed when they
        are first asked for after a call, so that many small blocks cost little more than a few
        large ones; rows that are scored after every call cost that every time. ``max_iter`` and
        ``kl_warm_up`` have no effect. Labels (``fit_labels``) have to be given again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The new rows.
        y : None
            Not used.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input is malformed, training diverges, or with ``early_stopping=True`` or
            ``robust=True``, which need all rows at once.
        """
        for name in ("early_stopping", "robust"):
            if getattr(self, name, False):
                raise ValueError(
                    f"{name}=True needs all rows at once: partial_fit is for {name}=False"
                )
        resume = hasattr(self, "posterior_")
        with self._kept_on_failure():
            X = validate_rows(self, X, reset=not resume)
            stream = self._continued_stream(resume)
            stream.add(X, np.zeros(X.shape[0]), None, _size(X))
            self.__dict__.update(self._fit_vae(X, resume, stream))
            self.__dict__.pop("_head", None)
        return self

    @property
    def _reference(self: Any) -> dict[str, np.ndarray]:
        self._catch_up()
        return self._kept

    def _catch_up(self: Any) -> None:
        """Compute what the last call of ``partial_fit`` has left for later."""
        with _CATCHING_UP:
            seed = self.__dict__.get("_pending")
            if seed is None:
                return
            before = dict(self.__dict__)
            try:
                rows = self._stream.X
                self._kept = self._keep(self.posterior_, rows, np.random.RandomState(seed))
                self._pending = None
                self._after_fit(rows)
            except BaseException:
                self.__dict__.clear()
                self.__dict__.update(before)
                raise

    def _continued_stream(self: Any, resume: bool) -> Replay:
        """The sample of rows, to be added to without a change to the one before."""
        if resume and self._stream is not None:
            stream = copy.copy(self._stream)
            stream.rng = copy.deepcopy(stream.rng)
            return stream
        source = copy.deepcopy(self._random_state) if resume else self.random_state
        return Replay(new_random_state(draw_seed(new_random_state(source))))


def _size(X: Any) -> int:
    """Number of rows that are kept of a stream of such rows."""
    return min(MAX_CODES, max(LEAST_KEPT, KEPT_BYTES // (X.shape[1] * X.dtype.itemsize)))


def joined(before: dict[str, np.ndarray], now: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Append the history of a call to that of the calls before.

    Parameters
    ----------
    before, now : dict of ndarray

    Returns
    -------
    dict of ndarray
    """
    n_before, n_now = (len(history.get("epoch", ())) for history in (before, now))
    out = {}
    for key in {**before, **now}:
        parts = [
            history.get(key, np.full(n, np.nan))
            for history, n in ((before, n_before), (now, n_now))
        ]
        out[key] = np.concatenate(parts)
    if n_now:
        out["epoch"][n_before:] += n_before
    return out
