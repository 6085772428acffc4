"""What every feature adds to a row's score."""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from skbayes._engine.mapped import dense
from skbayes.density._blocks import row_blocks
from skbayes.density._networks import Shape, patches
from skbayes.density._scoring import ScoresMixin
from skbayes.nn import StackedVAE

#: Orders in which features are exchanged; every one is walked back as well.
N_ORDERS = 2
#: Scores that are sums over features by themselves.
SEPARABLE = frozenset({"reconstruction", "mixture"})
#: Rows that are exchanged at once.
ROWS_AT_ONCE = 1024


def reconstruction_parts(vae: StackedVAE, X: Tensor) -> Tensor:
    """Terms of the reconstruction score, mean over the members.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)

    Returns
    -------
    torch.Tensor of shape (rows, features)
        Whose sums are the scores.
    """
    decoded = vae.distribution(vae.decode(vae.encode(X)[0]))
    return vae.likelihood.log_prob(X, decoded).mean(0)


def mixture_parts(vae: StackedVAE, X: Tensor, centres: Tensor) -> Tensor:
    r"""Terms of the mixture's log-density, mean over the members.

    With the responsibilities :math:`r_j` of the :math:`n` centres, :math:`\log p(x) = \sum_d
    \sum_j r_j \log p_d(x_d \mid j) - \sum_j r_j \log (n r_j)` exactly. The last sum, which no
    feature is to blame for, is shared out evenly.

    Parameters
    ----------
    vae : StackedVAE
    X : torch.Tensor of shape (rows, features)
    centres : torch.Tensor of shape (members, centres, features)

    Returns
    -------
    torch.Tensor of shape (rows, features)
    """
    some = vae.distribution(centres)
    terms = vae.likelihood.pairwise(X, some)  # (members, rows, centres)
    log_share = torch.log_softmax(terms, -1)
    share = log_share.exp()
    # 0 log 0 is 0
    spread = -(share * (log_share + math.log(terms.shape[-1])).clamp_min(-1e4)).sum(-1)
    parts = vae.likelihood.expected(X, some, share)  # (members, rows, features)
    return (parts + spread.unsqueeze(-1) / X.shape[1]).mean(0)


def exchanged(
    score: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    normal: np.ndarray,
    seed: int,
    groups: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Shapley-like shares: how the score changes as a normal row's features become the row's own.

    Parameters
    ----------
    score : callable
        Rows -> scores.
    X : ndarray of shape (rows, features)
    normal : ndarray of shape (rows, features)
        What the rows would be if they were normal. Its score is shared out evenly.
    seed : int
        Of the orders in which the features are exchanged: the same for all rows.
    groups : sequence of ndarray of int, optional
        Features that are exchanged together; every one by itself by default. What a group changes
        by is divided in proportion to the squares of what its features are exchanged by.

    Returns
    -------
    ndarray of shape (rows, features)
        Whose sums are the scores of X, since the changes telescope.
    """
    n_features = X.shape[1]
    if groups is None:
        groups = [np.array([feature]) for feature in range(n_features)]
    rng = np.random.RandomState(seed)
    start = score(normal)
    change = np.zeros((len(groups), len(X)))
    orders = [rng.permutation(len(groups)) for _ in range(N_ORDERS)]
    for order in [*orders, *(order[::-1] for order in orders)]:
        current, before = normal.copy(), start
        for which in order:
            current[:, groups[which]] = X[:, groups[which]]
            now = score(current)
            change[which] += now - before
            before = now
    parts = np.empty(X.shape)
    for features, of_group in zip(groups, change / (2 * N_ORDERS), strict=True):
        square = np.square(X[:, features] - normal[:, features], dtype=np.float64)
        # all alike where nothing was exchanged
        square += np.finfo(np.float64).tiny
        parts[:, features] = of_group[:, np.newaxis] * (square / square.sum(1, keepdims=True))
    return parts + start[:, np.newaxis] / n_features


class ContributionsMixin(ScoresMixin):
    """Attribution of the score of an estimator to features."""

    n_features_in_: int
    _image_shape: Shape | None

    def feature_contributions(self, X: Any) -> np.ndarray:
        """Share of every feature in the score of a row: which feature made it anomalous.

        The shares of a row add up to its ``score_samples``; the lowest are those that speak most
        against the row. Reconstruction and mixture are sums over features by themselves. What
        is not (codes, importance weights, a head of labels) is shared out by exchange: features of
        the row's reconstruction become the row's own one after the other, in a few orders, and
        what the score changes by is the feature's; what the reconstruction scores is shared out
        evenly. Of images (``image_shape``) patches are exchanged, at most seven by seven, and what
        a patch changes is divided among its pixels by how far they are from the reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In nats, as the score.
        """
        X = self._validate_predict(X)  # type: ignore[attr-defined]
        blocks = range(0, X.shape[0], ROWS_AT_ONCE)
        return np.concatenate([self._contributions(X[i : i + ROWS_AT_ONCE]) for i in blocks])

    def _contributions(self, X: Any) -> np.ndarray:
        rows = dense(X)
        parts = np.zeros(rows.shape)
        separable, rest = self._split_terms()
        for term in separable:
            parts += self._separable(rows, term)
        if rest:
            normal = self._reconstruct(rows)  # type: ignore[attr-defined]
            parts += exchanged(
                lambda some: self._score_of(some, rest),
                rows,
                normal,
                self._noise_seed,
                None if self._image_shape is None else patches(self._image_shape),
            )
        return parts

    def _split_terms(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Hook: terms of the score that are sums over features, and those that are not."""
        terms = self._score_terms()
        return (
            tuple(term for term in terms if term in SEPARABLE),
            tuple(term for term in terms if term not in SEPARABLE),
        )

    def _score_of(self, X: np.ndarray, terms: tuple[str, ...]) -> np.ndarray:
        """Hook: sum of terms, as ``score_samples`` has them."""
        return self._sum_of(X, terms)

    def _separable(self, rows: np.ndarray, term: str) -> np.ndarray:
        posterior = self.posterior_
        module = cast(StackedVAE, posterior.module)
        reference = self._references(term)
        out = np.empty(rows.shape)
        cells = self._cells_of(term, reference, pairs=term == "mixture")
        with torch.no_grad():
            for where, block in row_blocks(posterior, rows, cells):
                if term == "reconstruction":
                    parts = reconstruction_parts(module, block)
                else:
                    assert reference.centres is not None
                    parts = mixture_parts(module, block, reference.centres)
                out[where] = parts.double().cpu().numpy()
        return out
