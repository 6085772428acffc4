"""Autoencoders on streams: ``partial_fit``, and the rows that scores are compared with."""

import copy
from typing import Any

import numpy as np

from skbayes._engine.replay import Replay
from skbayes._engine.seeds import draw_seed, new_random_state
from skbayes._sklearn import _fit_context
from skbayes.density._checks import validate_rows
from skbayes.density._reference import MAX_CODES

#: Bytes that the rows kept of a stream may take, and rows that are kept however wide they are.
KEPT_BYTES, LEAST_KEPT = 2**26, 256


class StreamMixin:
    """``partial_fit`` of an estimator with a stacked autoencoder in ``posterior_``."""

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self: Any, X: Any, y: Any = None) -> Any:
        """Go on with training: one pass through a block of rows, at a constant learning rate.

        The first call sets the estimator up from its block (the units of noise and loss, with
        ``image_shape`` the standardisation), which should be typical; later calls keep that.
        After ``fit`` it goes on from there. What scores need of training rows, and the
        threshold ``offset_`` of a detector, come after every call from a uniform sample of the
        rows that ``partial_fit`` has seen, 4096 at most (fewer where they would take more than 64
        MB, but 256), which is part of a pickle as are the optimizer's moments. Blocks should be of
        some thousand rows: the sample is gone through at every call. ``max_iter`` and
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
            self._take(self._fit_vae(X, resume, stream), stream.X)
        return self

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
