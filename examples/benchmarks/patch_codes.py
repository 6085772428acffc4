"""Codes of the patches of pictures, pooled: what is in a picture counts, not where."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import StandardScaler

SIDE, STEP = 16, 8
N_TRAIN = 20_000
BLOCK = 400


def patches(X, shape):
    """All patches of every picture, less what is steady: every frequency's median over time."""
    images = X.reshape(-1, *shape).astype(np.float32) / 255
    images -= np.median(images, axis=2, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))
    windows = windows[:, ::STEP, ::STEP]
    return np.ascontiguousarray(windows).reshape(len(X), -1, SIDE * SIDE)


class PatchCodes(TransformerMixin, BaseEstimator):
    """A coder of patches: mean, deviation, largest and smallest of the codes of a picture's.

    Parameters
    ----------
    coder : transformer
        Of patches, flat; learns from 20 000 of the training pictures'.
    shape : tuple of int
        Of a picture.
    random_state : int
    """

    def __init__(self, coder, shape, random_state=0):
        self.coder, self.shape, self.random_state = coder, shape, random_state

    def fit(self, X, y=None):
        rng = np.random.RandomState(self.random_state)
        n = -(-N_TRAIN // len(X))  # patches of a picture
        some = []
        for start in range(0, len(X), BLOCK):
            block = patches(X[start : start + BLOCK], self.shape)
            chosen = rng.randint(block.shape[1], size=(len(block), n))
            some.append(block[np.arange(len(block))[:, np.newaxis], chosen].reshape(-1, SIDE**2))
        self.coder_ = clone(self.coder).fit(rng.permutation(np.concatenate(some))[:N_TRAIN])
        self.scaler_ = StandardScaler().fit(self._pooled(X))
        return self

    def transform(self, X):
        return self.scaler_.transform(self._pooled(X))

    def _pooled(self, X):
        parts = []
        for start in range(0, len(X), BLOCK):
            block = patches(X[start : start + BLOCK], self.shape)
            codes = self.coder_.transform(block.reshape(-1, SIDE**2))
            codes = codes.reshape(*block.shape[:2], -1)
            parts.append(np.hstack([codes.mean(1), codes.std(1), codes.max(1), codes.min(1)]))
        return np.concatenate(parts)
