"""What labels make of a detector's ranking."""

from abc import abstractmethod
from typing import Any

import numpy as np

from skbayes._engine.mapped import dense
from skbayes.density._blocks import column_moments, rows_at_once
from skbayes.density._contributions import ContributionsMixin
from skbayes.density._head import LabelHead

#: Training rows that tell the distance of two rows.
N_DISTANCES = 300
#: Standard deviations beyond which a feature speaks no louder to the label head.
MAX_DEVIATION = 5.0
#: Least spread of a column, in units of that of all.
LEAST_SPREAD = 0.1


class LabelsMixin(ContributionsMixin):
    """A head of labels on the scores and codes of a detector."""

    _head: LabelHead
    _density_offset: float
    _density_scale: float
    _ranked_by: tuple[str, ...]
    _column_mean: np.ndarray
    _column_scale: np.ndarray
    _distance: float
    _offset: float

    @abstractmethod
    def _ranking(self, X: Any) -> np.ndarray:
        """Hook: score of the density alone."""

    def _prepare_head(self: Any, X: Any, scores: np.ndarray) -> None:
        """Forget labels; keep what a head will need of the training rows and their scores."""
        self.__dict__.pop("_head", None)
        # the head starts from the density's own judgement, in units of the scores' middle half
        self._ranked_by = self._score_terms()
        self._density_offset = self._offset
        self._density_scale = float(np.subtract(*np.percentile(scores, [75, 25]))) or 1.0
        self._column_mean, variance = column_moments(X)
        # a column that hardly differs is not blown up to the size of the others
        floor = LEAST_SPREAD * np.sqrt(variance.mean()) or 1.0
        self._column_scale = np.maximum(np.sqrt(variance), floor)
        some = self._standardised(X[:: max(1, X.shape[0] // N_DISTANCES)][:N_DISTANCES])
        lengths = np.square(some).sum(1)
        squares = lengths[:, np.newaxis] + lengths - 2.0 * some @ some.T
        pairs = squares[np.triu_indices(len(some), 1)]
        self._distance = float(np.median(pairs)) if len(pairs) else 0.0
        if not self._distance > 0.0:  # rows that hardly differ
            self._distance = 2.0 * X.shape[1]

    def _standardised(self, X: Any) -> np.ndarray:
        """Rows as the head sees them; a single value that is far away cannot outvote all others."""
        rows = (dense(X).astype(np.float64) - self._column_mean) / self._column_scale
        return rows.clip(-MAX_DEVIATION, MAX_DEVIATION)

    def _check_ranked_by(self: Any) -> None:
        """Refuse scores that the threshold, and what the head knows of scores, are not of."""
        self._catch_up()
        if self._score_terms() != self._ranked_by:
            raise ValueError(
                f"score_method={self.score_method!r} is not what the threshold was learned for, "
                f"{'+'.join(self._ranked_by)!r}: fit again, or use score_samples without labels"
            )

    def _features(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """What the head sees: the density's log-odds, compressed (the order stays), and rows."""
        self._check_ranked_by()
        deviation = (self._ranking(X) - self._density_offset) / self._density_scale
        return 2.0 * np.arcsinh(0.5 * deviation), self._standardised(X)

    def _score_samples(self, X: Any) -> np.ndarray:
        if not hasattr(self, "_head"):
            return self._ranking(X)
        step = rows_at_once(X.shape[1])
        blocks = (X[start : start + step] for start in range(0, X.shape[0], step))
        return np.concatenate([self._head.log_odds(*self._features(block)) for block in blocks])

    def _split_terms(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        # what labels made of the scores is no sum over features
        return ((), self._score_terms()) if hasattr(self, "_head") else super()._split_terms()

    def _score_of(self, X: np.ndarray, terms: tuple[str, ...]) -> np.ndarray:
        return self._score_samples(X) if hasattr(self, "_head") else super()._score_of(X, terms)

    def fit_labels(self, X: Any, y: Any) -> Any:
        """Learn from labels, all that there are: refit the head, never the density.

        The head is a Gaussian-process logistic regression whose prior mean is the density's score:
        what labels say holds for rows like those that have them; where there are none the ranking
        stays the density's. Of more than 2048 labels, 2048 are used, evenly spread.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labelled rows.
        y : array-like of shape (n_samples,)
            +1 for normal, -1 for anomalous. One kind alone is enough.

        Returns
        -------
        self : object
            From now on ``score_samples`` is the log-odds of being normal, and ``offset_`` is 0.

        Raises
        ------
        ValueError
            If there is a label other than +1 and -1, or as many labels as rows there are not.
        """
        X = self._validate_predict(X)  # type: ignore[attr-defined]
        labels = np.asarray(y)
        if labels.shape != (X.shape[0],):
            raise ValueError(
                f"y must have one label a row, shape ({X.shape[0]},), got {labels.shape}"
            )
        if not np.isin(labels, (1, -1)).all():
            other = np.setdiff1d(labels, [1, -1]).tolist()
            raise ValueError(f"y must hold +1 (normal) and -1 (anomaly) only, got also {other}")
        score, rows = self._features(X)
        self._head = LabelHead(self._distance).fit(score, rows, labels == 1)
        self._offset = 0.0
        return self
