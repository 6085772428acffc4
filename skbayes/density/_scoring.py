"""Scores of a fitted estimator: sums of terms, densities, and what each feature adds."""

import math
from abc import abstractmethod
from typing import Any, cast

import numpy as np
import torch

from skbayes._engine.posterior import Posterior
from skbayes.density._allowed import is_density, resolve_score
from skbayes.density._blocks import MIN_ROWS, cells_that_fit, row_blocks
from skbayes.density._reference import NEEDS, Reference
from skbayes.density._scores import DRAWING, SCORES
from skbayes.nn import StackedVAE

#: What a row scores whose density cannot be told from zero in the type that was computed in;
#: finite, because metrics and thresholds refuse infinities.
LOWEST_SCORE = -1e100


class ScoresMixin:
    """Scores of an estimator with a stacked autoencoder in ``posterior_``."""

    posterior_: Posterior
    n_components_: int
    n_importance: int
    score_method: str
    criterion: str
    prior: Any
    likelihood: str
    _noise_seed: int
    _reference: dict[str, np.ndarray]

    @abstractmethod
    def _auto_score(self) -> str:
        """What ``score_method="auto"`` means."""

    def _score_terms(self) -> tuple[str, ...]:
        return resolve_score(
            self.score_method, self._auto_score(), self.criterion, self.prior, self.likelihood
        )

    @staticmethod
    def _is_density(terms: tuple[str, ...]) -> bool:
        return is_density(terms)

    def _code_noise(self, n_samples: int) -> torch.Tensor:
        """Common random numbers: one draw, fixed when the model was fitted, for all rows."""
        posterior = self.posterior_
        generator = torch.Generator().manual_seed(self._noise_seed)
        shape = (posterior.n_draws, n_samples, self.n_components_)
        noise = torch.empty(shape, dtype=torch.float64).normal_(generator=generator)
        return noise.to(posterior.device, posterior.dtype)

    def _references(self, score: str) -> Reference:
        missing = NEEDS.get(score, frozenset()) - self._reference.keys()
        if missing:
            raise ValueError(
                f"score_method={self.score_method!r} needs {sorted(missing)} of the training rows, "
                "which the last fit did not keep; fit again with this score_method"
            )
        return Reference.from_arrays(self._reference, self.posterior_)

    def _cells_of(self, score: str, reference: Reference) -> int:
        """Rows whose intermediate results fit the memory budget, of one sample of a code."""
        module = cast(StackedVAE, self.posterior_.module)
        width = module.width
        if score in {"mixture", "neighbours", "aggregate"}:
            held = reference.centres if reference.centres is not None else reference.codes
            assert held is not None
            width = max(width, held.shape[1])
            if score == "neighbours" or module.likelihood_name == "student_t":
                width *= max(module.n_components, module.n_features)
        elif score == "jacobian":
            width *= module.n_components
        elif score == "code_density":
            assert reference.means is not None
            width = max(width, reference.means.shape[1] * module.n_components)
        return max(1, cells_that_fit(self.posterior_, width))

    def _member_scores(self, X: Any, score: str) -> np.ndarray:
        """Score of every member that has it, of shape (members, rows), float64 and finite."""
        posterior, function = self.posterior_, SCORES[score]
        reference = self._references(score)
        noise = self._code_noise(self.n_importance if score in DRAWING else 1)
        cells = self._cells_of(score, reference)
        n_samples = min(noise.shape[1], max(1, cells // MIN_ROWS))
        parts = []
        with torch.no_grad():
            for _, block in row_blocks(posterior, X, cells // n_samples):
                module = cast(StackedVAE, posterior.module)
                values = function(module, block, noise, n_samples, reference)
                parts.append(values.double().cpu().numpy())
        # rows so far away that a square overflows: the lowest score there is, not a NaN
        out = np.concatenate(parts, axis=1)
        return np.maximum(np.nan_to_num(out, nan=LOWEST_SCORE), LOWEST_SCORE)

    def _sum_of(self, X: Any, terms: tuple[str, ...]) -> np.ndarray:
        """Sum of scores, each the mean over its members."""
        return np.sum([self._member_scores(X, term).mean(axis=0) for term in terms], axis=0)

    def _log_density(self, X: Any, score: str) -> np.ndarray:
        """Log of the members' mean density."""
        members = self._member_scores(X, score)
        return np.logaddexp.reduce(members, axis=0) - math.log(len(members))

    def log_density(self, X: Any) -> np.ndarray:
        """Log-density of rows: the score, if that is one, else the mixture's.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats.
        """
        X = self._validate_predict(X)  # type: ignore[attr-defined]
        terms = self._score_terms()
        return self._log_density(X, terms[0] if is_density(terms) else "mixture")
