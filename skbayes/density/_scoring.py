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


class EncodedOnce:
    """An autoencoder that encodes the same rows once, however many scores ask.

    Parameters
    ----------
    vae : StackedVAE
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._last: Any = (None, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._vae, name)

    def encode(self, X: torch.Tensor) -> Any:
        """Mean and log-variance of the codes; as the autoencoder's.

        Parameters
        ----------
        X : torch.Tensor

        Returns
        -------
        tuple of torch.Tensor
        """
        if self._last[0] is not X:
            self._last = (X, self._vae.encode(X))
        return self._last[1]


def finite(scores: np.ndarray) -> np.ndarray:
    """Give rows so far away that a square overflows the lowest score there is, not a NaN.

    Parameters
    ----------
    scores : ndarray

    Returns
    -------
    ndarray
    """
    return np.maximum(np.nan_to_num(scores, nan=LOWEST_SCORE), LOWEST_SCORE)


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
    _kept: dict[str, np.ndarray]

    @property
    def _reference(self) -> dict[str, np.ndarray]:
        """What scores need of training rows."""
        return self._kept

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

    def _references(self, *scores: str) -> Reference:
        needed = frozenset().union(*(NEEDS.get(score, frozenset()) for score in scores))
        missing = needed - self._reference.keys()
        if missing:
            raise ValueError(
                f"score_method={self.score_method!r} needs {sorted(missing)} of the training rows, "
                "which the last fit did not keep; fit again with this score_method"
            )
        return Reference.from_arrays(self._reference, self.posterior_)

    def _cells_of(self, score: str, reference: Reference, pairs: bool = False) -> int:
        """Rows whose intermediate results fit the memory budget, of one sample of a code.

        Mixtures of Gaussians go through the rows in small blocks of their own; with ``pairs`` all
        pairs of rows and centres are held.
        """
        module = cast(StackedVAE, self.posterior_.module)
        width = module.width
        pairs |= score in {"neighbours", "aggregate"}
        pairs |= score == "mixture" and module.likelihood_name != "gaussian"
        if pairs:
            held = reference.centres if reference.centres is not None else reference.codes
            assert held is not None
            width = max(width, held.shape[1])
            if score == "neighbours" or module.likelihood_name == "student_t":
                width *= max(module.n_components, module.n_features)
        elif score == "jacobian":
            width *= module.n_components
        return max(1, cells_that_fit(self.posterior_, width))

    def _member_scores(self, X: Any, *scores: str) -> list[np.ndarray]:
        """Scores of every member that has them, each of shape (members, rows), float64, finite."""
        posterior = self.posterior_
        reference = self._references(*scores)
        noise, cells, n_samples = {}, [], {}
        for score in scores:
            noise[score] = self._code_noise(self.n_importance if score in DRAWING else 1)
            fit = self._cells_of(score, reference)
            n_samples[score] = min(noise[score].shape[1], max(1, fit // MIN_ROWS))
            cells.append(fit // n_samples[score])
        # written where they belong: small arrays that outlive a block would fragment the heap
        out = {score: np.empty((posterior.n_draws, X.shape[0])) for score in scores}
        with torch.no_grad():
            for rows, block in row_blocks(posterior, X, min(cells)):
                module = cast(StackedVAE, EncodedOnce(posterior.module))
                for score in scores:
                    values = SCORES[score](module, block, noise[score], n_samples[score], reference)
                    out[score] = out[score][: len(values)]  # some scores have fewer members
                    out[score][:, rows] = values.cpu().numpy()
        return [finite(out[score]) for score in scores]

    def _sum_of(self, X: Any, terms: tuple[str, ...]) -> np.ndarray:
        """Sum of scores, each the mean over its members."""
        return np.sum([values.mean(axis=0) for values in self._member_scores(X, *terms)], axis=0)

    def _log_density(self, X: Any, score: str) -> np.ndarray:
        """Log of the members' mean density."""
        (members,) = self._member_scores(X, score)
        return np.logaddexp.reduce(members, axis=0) - math.log(len(members))

    def log_density(self, X: Any) -> np.ndarray:
        """Log-density of rows: the score, if that is one, else the first member's mixture.

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
