"""What all samplers share: their parameters, and the check that the chains have mixed."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import LRScheduler

from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._sklearn import Interval, StrOptions
from skbayes.diagnostics import rhat
from skbayes.supervised._likelihood import Likelihood

#: R-hat above which chains are said not to have mixed.
MAX_RHAT = 1.05
#: Share of the predictions that are within it: the largest of hundreds of values passes 1.05 by
#: chance alone where independent draws are as few as 4 chains of 50.
QUANTILE = 0.99
#: Training rows on which it is looked at.
N_CHECKED_ROWS = 256
#: Draws a chain below which R-hat says nothing.
MIN_DRAWS = 8


class ChainMixin:
    """Samplers run several chains of one network at once."""

    _chain_constraints: ClassVar[dict[str, list]] = {
        "n_chains": [Interval(Integral, 1, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "n_warmup": [Interval(Integral, 0, None, closed="left")],
        "thinning": [Interval(Integral, 1, None, closed="left")],
        "step_size": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    }

    n_chains: int
    n_warmup: int
    thinning: int
    skorch_callbacks: Sequence[Any] | None

    def _check_callbacks(self) -> None:
        given = [c[1] if isinstance(c, tuple) else c for c in self.skorch_callbacks or []]
        if any(isinstance(callback, LRScheduler) for callback in given):
            raise ValueError(
                "skorch_callbacks holds an LRScheduler, but the steps of a sampler set what is "
                "sampled; use the sampler's own parameters (step_size, and schedule where it has "
                "one)"
            )

    def _check_mixing(self, posterior: Posterior, rows: Rows, likelihood: Likelihood) -> float:
        """R-hat of the function values on training rows, all but the worst; warns if it is large.

        Returns
        -------
        float
            nan where there are too few draws to tell.
        """
        n_draws = posterior.n_draws // self.n_chains
        if n_draws < MIN_DRAWS:
            return float("nan")
        n_rows = min(len(rows), N_CHECKED_ROWS)
        chosen = torch.linspace(0, len(rows) - 1, n_rows).round().long()
        X = rows.take(chosen).X.cpu().numpy()
        parts: list[list[np.ndarray]] = []
        for draws, _, output in posterior.evaluate(X):
            if draws.start == 0:
                parts.append([])
            parts[-1].append(likelihood.values(output).cpu().numpy())
        values = np.concatenate([np.concatenate(block, axis=0) for block in parts], axis=1)
        values = values.reshape(self.n_chains, n_draws, -1).astype(np.float64)
        if self.n_chains == 1:  # its halves are as good as two
            values = values[:, : n_draws // 2 * 2].reshape(2, n_draws // 2, -1)
        found = rhat(values)
        found = found[~np.isnan(found)]  # functions that do not vary have none
        largest = (
            float(np.quantile(found, QUANTILE, method="higher")) if len(found) else float("nan")
        )
        if largest > MAX_RHAT:
            warnings.warn(
                f"The chains have not mixed: R-hat of the predictions on training rows reaches "
                f"{largest:.2f} (more than {MAX_RHAT}). {self._how_to_mix()}",
                ConvergenceWarning,
                stacklevel=2,
            )
        return largest

    def _how_to_mix(self) -> str:
        return (
            f"Take more steps: a larger n_warmup (now {self.n_warmup}), thinning (now "
            f"{self.thinning}) or n_draws"
        )
