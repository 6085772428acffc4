"""How an ensemble's spread compares with its error on new rows, and whether it has any."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes.diagnostics import SpreadSkill, effective_members
from skbayes.supervised._likelihood import Likelihood, moments

#: What a round leaves of the weight of those before it.
FORGETTING = 0.9
#: Rows for which it is taken, before any is seen, that spread and error are equal.
PRIOR_ROWS = 10.0
#: Limits of the factor by which the scale of inflation is adapted.
LEAST_FACTOR, LARGEST_FACTOR = 0.25, 4.0
#: Rows of a round, and members, on which the ensemble is looked at.
PROBE_ROWS, PROBE_MEMBERS = 1000, 100


@dataclass(frozen=True)
class Innovations:
    """Spread and error on the new rows of all rounds, the later ones weighing more.

    Attributes
    ----------
    last : SpreadSkill or None
        Of the last round.
    n_last : int
        Its number of new rows.
    n, spread, error : float
        Number of rows and the sums over them, discounted.
    """

    last: SpreadSkill | None = None
    n_last: int = 0
    n: float = 0.0
    spread: float = 0.0
    error: float = 0.0

    def after(self, found: tuple[SpreadSkill, int] | None) -> "Innovations":
        """With one more round; None if nothing is known of its new rows."""
        if found is None:
            return Innovations(None, 0, self.n, self.spread, self.error)
        skill, n = found
        # one row of a huge predicted noise must not outweigh a hundred rounds
        error = max(skill.error, -(LARGEST_FACTOR**2) * skill.spread)
        return Innovations(
            skill,
            n,
            FORGETTING * self.n + n,
            FORGETTING * self.spread + n * skill.spread,
            FORGETTING * self.error + n * error,
        )

    def factor(self) -> float:
        r"""Factor of the inflation's scale: the root of error over spread, within limits.

        The innovation statistics of adaptive covariance inflation: the factor would bring the
        spread on new rows to the error there. Since few rows say little, some rows on which the two
        are equal count with them.

        References
        ----------
        X. Wang and C. H. Bishop, A comparison of breeding and ensemble transform Kalman filter
        ensemble forecast schemes, Journal of the Atmospheric Sciences 60, 2003.
        """
        if self.n == 0:
            return 1.0
        if self.spread <= 0:
            return LARGEST_FACTOR if self.error > 0 else 1.0
        prior = PRIOR_ROWS * self.spread / self.n
        ratio = (self.error + prior) / (self.spread + prior)
        return float(np.clip(np.sqrt(max(ratio, 0.0)), LEAST_FACTOR, LARGEST_FACTOR))

    def summary(self) -> dict[str, float]:
        """Figures for ``diagnosis_``."""
        spread, error = (np.nan, np.nan) if self.last is None else self.last
        return {
            "n_new": float(self.n_last),
            "spread": spread,
            "error": error,
            "factor": self.factor(),
        }


@torch.no_grad()
def resolution(posterior: Posterior, rows: Rows, likelihood: Likelihood) -> dict[str, float]:
    """How far members are apart on the rows of a round: figures for ``diagnosis_``.

    Parameters
    ----------
    posterior : Posterior
    rows : Rows
    likelihood : Likelihood

    Returns
    -------
    dict of str to float
        ``resolution``: standard deviation over members, root mean square over rows, of a
        regression's means in units of the noise, of a classifier's logits. ``n_functions``: see
        :func:`skbayes.diagnostics.effective_members`. Of one member, or one class, nan and 1.
    """
    one_class = likelihood.classes is not None and len(likelihood.classes) == 1
    if posterior.n_draws == 1 or one_class:
        return {"resolution": np.nan, "n_functions": 1.0}
    index = torch.linspace(0, len(rows) - 1, min(len(rows), PROBE_ROWS)).round().long()
    output = posterior.module(rows.take(index).X).double().cpu().numpy()
    if not np.isfinite(output).all():  # training diverged, and fit is about to say so
        return {"resolution": np.nan, "n_functions": np.nan}
    noise: Any = None
    if likelihood.classes is None:
        values, noise = moments(output, getattr(likelihood.criterion, "scale", None))
        scaled = values / np.sqrt(noise.mean(0))
    else:
        values = np.exp(output - output.max(-1, keepdims=True))
        values /= values.sum(-1, keepdims=True)
        # a logit of one class alone means nothing
        scaled = output - output.mean(-1, keepdims=True)
    apart = float(np.sqrt(np.mean(scaled.var(axis=0, ddof=1))))
    probed = slice(PROBE_MEMBERS)  # what follows is quadratic in them
    noise = None if noise is None else noise[probed]
    return {"resolution": apart, "n_functions": effective_members(values[probed], noise=noise)}
