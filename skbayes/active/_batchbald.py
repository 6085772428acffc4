"""BatchBALD: rows whose labels hold the most information on the weights together."""

from typing import Any

import numpy as np
from scipy.special import entr

from skbayes._draws import mean_entropy
from skbayes._random import new_random_state
from skbayes.active._checks import check_draws, check_n_instances
from skbayes.active._selection import highest

#: Entries of the largest array of a block
_BLOCK = 2**18


def batch_bald(
    draws: Any,
    n_instances: int = 1,
    *,
    n_configurations: int = 500,
    n_candidates: int | None = None,
    random_state: Any = None,
) -> np.ndarray:
    r"""Rows chosen one after the other, each for what it adds to the joint information.

    A row's gain after the labels :math:`y` of the rows before it is its BALD under draws
    reweighted by these labels, :math:`w_m \propto p_m(y)`, averaged over the labels. The labels'
    configurations are gone through while there are at most ``n_configurations``; after that as
    many are sampled, equally often from every draw, the same ones for all rows. Gains shrink as
    the batch grows, so that a row whose last known gain is below the best one found needs no
    second look.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_samples, n_classes)
        Class probabilities of every draw; at least two draws.
    n_instances : int, default=1
        Number of rows.
    n_configurations : int, default=500
        Number of configurations of labels.
    n_candidates : int, default=None
        Only so many rows, those of highest BALD, are considered; None considers all.
    random_state : int, RandomState instance or None, default=None
        Samples the configurations and breaks ties.

    Returns
    -------
    ndarray of int of shape (n_instances,)
        In the order of choice; the first has the highest BALD.

    Raises
    ------
    ValueError
        If ``draws`` are not probabilities of that shape, one draw only, or there are too few rows.

    Notes
    -----
    The information is on which draw is the right one, and no more than :math:`\log` of their
    number: what comes after the labels that tell the draws apart is arbitrary, so that large
    batches need many draws. A second label of the same row adds little only where every draw is
    sure of its own: draws that are unsure each expect noise, and copies that tell it.

    References
    ----------
    Kirsch, van Amersfoort, Gal (2019), *BatchBALD: efficient and diverse batch acquisition for deep
    Bayesian active learning*, NeurIPS. Minoux (1978), *Accelerated greedy algorithms for maximizing
    submodular set functions*.

    Examples
    --------
    >>> from skbayes.active.batch import batch_bald
    >>> at_odds, less_so = [[1.0, 0.0], [0.0, 1.0]], [[0.9, 0.1], [0.2, 0.8]]
    >>> draws = [[a, a, b] for a, b in zip(at_odds, less_so)]
    >>> sorted(batch_bald(draws + draws[::-1], 2, random_state=0).tolist())[0] in (0, 1)
    True
    """
    draws = check_draws(draws, needs_several="batch_bald")
    n_rows = draws.shape[1]
    check_n_instances(n_instances, n_rows)
    for name, number in (("n_configurations", n_configurations), ("n_candidates", n_candidates)):
        if number is not None and number < 1:
            raise ValueError(f"{name}={number!r} must be at least 1")
    rng = new_random_state(random_state)
    noise = mean_entropy(draws)
    information = np.maximum(entr(draws.mean(axis=0)).sum(axis=-1) - noise, 0)
    candidates = np.arange(n_rows)
    if n_candidates is not None and n_candidates < n_rows:
        candidates = highest(information, max(n_candidates, n_instances), rng)
    batch = _Batch(draws[:, candidates], information[candidates], n_configurations, rng)
    return candidates[[batch.choose() for _ in range(n_instances)]]


class _Batch:
    """A batch that grows: configurations of its labels, and bounds on what every row adds."""

    def __init__(
        self,
        draws: np.ndarray,
        information: np.ndarray,
        n_configurations: int,
        rng: np.random.RandomState,
    ) -> None:
        self.draws = np.ascontiguousarray(draws.transpose(1, 0, 2), dtype=np.float64)
        self.n_draws, self.n_classes = self.draws.shape[1:]
        self.rng = rng
        self.bounds = information.copy()
        self.exact = True
        self.likelihood = np.ones((1, self.n_draws))  # (configurations, draws)
        self.n_configurations = n_configurations
        self.members: np.ndarray | None = None
        self.chosen: list[int] = []
        # entropy of every row and draw, for the part of a gain that is linear in the weights
        self.entropies = entr(self.draws).sum(axis=-1)  # (rows, draws)

    def choose(self) -> int:
        """Add the row of highest gain."""
        row = self._best_of_bounds() if self.chosen else self._first()
        self.chosen.append(row)
        self.bounds[row] = -np.inf
        self._extend(row)
        return row

    def _first(self) -> int:
        return int(highest(self.bounds, 1, self.rng)[0])

    def _best_of_bounds(self) -> int:
        """Lazy greedy: refresh gains from the highest bound on, until no bound is above them."""
        gains = np.full(len(self.bounds), -np.inf)
        order = np.argsort(-self.bounds, kind="stable")[: len(self.bounds) - len(self.chosen)]
        best, start, size = -np.inf, 0, 32
        while start < len(order) and self.bounds[order[start]] >= best:
            part = order[start : start + size]
            gains[part] = self._gains(part)
            best = max(best, gains[part].max())
            start += size
            size = min(2 * size, 512)
        seen = order[:start]
        self.bounds[seen] = gains[seen]
        return int(highest(gains, 1, self.rng)[0])

    def _gains(self, rows: np.ndarray) -> np.ndarray:
        """Information that a row's label adds to the labels of the batch."""
        # weights of the draws given a configuration, and the configuration's share
        total = self.likelihood.sum(axis=1)  # (configurations,)
        weights = self.likelihood / total[:, np.newaxis]
        share = total / total.sum() if self.exact else np.full(len(total), 1 / len(total))
        gains = np.empty(len(rows))
        step = max(1, _BLOCK // (len(weights) * self.n_classes))
        weights32 = weights.astype(np.float32)
        noise = self.entropies[rows] @ (share @ weights)  # (rows,)
        for start in range(0, len(rows), step):
            proba = self.draws[rows[start : start + step]]  # (rows, draws, classes)
            flat = proba.transpose(1, 0, 2).reshape(self.n_draws, -1).astype(np.float32)
            mean = weights32 @ flat  # (configurations, rows * classes)
            np.maximum(mean, np.float32(1e-30), out=mean)
            terms = np.log(mean)
            terms *= mean
            entropy = -(share @ terms)  # (rows * classes,)
            gains[start : start + step] = entropy.reshape(-1, self.n_classes).sum(axis=1)
        return gains - noise

    def _extend(self, row: int) -> None:
        proba = self.draws[row]  # (draws, classes)
        if self.exact:
            if len(self.likelihood) * self.n_classes <= self.n_configurations:
                joint = self.likelihood[:, :, np.newaxis] * proba  # (.., draws, classes)
                joint = joint.transpose(0, 2, 1).reshape(-1, self.n_draws)
                self.likelihood = joint[joint.sum(axis=1) > 0]
                return
            self._sample_afresh()
            return
        self.likelihood *= self._labels(proba)
        self.likelihood /= self.likelihood.max(axis=1, keepdims=True)  # no underflow

    def _sample_afresh(self) -> None:
        self.exact = False
        each = -(-self.n_configurations // self.n_draws)
        self.members = np.repeat(np.arange(self.n_draws), each)
        self.likelihood = np.ones((len(self.members), self.n_draws))
        for row in self.chosen:
            self.likelihood *= self._labels(self.draws[row])

    def _labels(self, proba: np.ndarray) -> np.ndarray:
        """Sample a label from the draw behind every configuration; its probability by all draws."""
        assert self.members is not None
        cumulative = proba.cumsum(axis=1)  # (draws, classes)
        at = self.rng.random_sample(len(self.members)) * cumulative[self.members, -1]
        labels = (at[:, np.newaxis] >= cumulative[self.members]).sum(axis=1)  # (configurations,)
        return proba[:, np.minimum(labels, self.n_classes - 1)].T  # (configurations, draws)
