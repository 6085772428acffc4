"""What scores need of the training rows: decoded codes, codes, and a density of the codes."""

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor

from skbayes._engine.mapped import rows_of
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import to_tensor
from skbayes.density._blocks import row_blocks
from skbayes.nn import StackedVAE

#: Most training rows that a score compares with, and most numbers that a member decodes them to:
#: its cost stays bounded.
MAX_CENTRES, MAX_NUMBERS = 2048, 2**23
#: Most of them, numbers, and members, that the mixture over decoded codes is made of where it is a
#: term of a ranking, or not part of the score: they do as well there, in an eighth of the time.
RANKED_CENTRES, RANKED_NUMBERS, N_MIXED = 1024, 2**16, 1
#: Fewest of them, however wide the rows.
LEAST_CENTRES = 256
#: Most training rows that the density of the codes is fitted on.
MAX_CODES = 2048
#: Number of Gaussians of the density of the codes: of clean rows, and of contaminated ones, where a
#: Gaussian more is one more for a cluster of anomalies. Number of members that it is made of.
N_GAUSSIANS, N_CONTAMINATED, N_CODE_MEMBERS = 10, 5, 4
#: Least gain of mean log-likelihood that fitting it goes on for; smaller ones move no ranking.
CODES_TOL = 1e-2
#: Rows, for every component of the code, that a further Gaussian needs: a covariance has as many
#: directions, and fewer rows would not even fill them.
ROWS_A_WIDTH = 2
#: Added to their variances, of whitened codes.
REGULARISATION = 1e-2


class Reference(NamedTuple):
    """Tensors that a fitted model keeps of its training rows; None for what no score asked for.

    Attributes
    ----------
    centres : torch.Tensor of shape (members, centres, features)
        Decoded codes, of all members or the first.
    codes, code_logvars : torch.Tensor of shape (members, centres, components)
        Codes and the logarithms of their variances.
    shift, whitener : torch.Tensor of shapes (members, 1, components), (members, components, width)
        ``(code - shift) @ whitener`` is white.
    means, roots, log_weights : torch.Tensor
        Mixture of Gaussians of white codes: of shapes (members, gaussians, width), (members,
        gaussians, width, width) (roots of the precisions) and (members, gaussians).
    """

    centres: Tensor | None = None
    codes: Tensor | None = None
    code_logvars: Tensor | None = None
    shift: Tensor | None = None
    whitener: Tensor | None = None
    means: Tensor | None = None
    roots: Tensor | None = None
    log_weights: Tensor | None = None

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Turn into arrays, which pickle without torch.

        Returns
        -------
        dict of ndarray
        """
        return {
            name: value.cpu().numpy() for name, value in self._asdict().items() if value is not None
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], posterior: Posterior) -> "Reference":
        """Turn back.

        Parameters
        ----------
        arrays : dict of ndarray
        posterior : Posterior
            Says which device and dtype.

        Returns
        -------
        Reference
        """
        return cls(
            **{n: to_tensor(a, posterior.device, posterior.dtype) for n, a in arrays.items()}
        )


#: What of a reference the scores need.
NEEDS = {
    "mixture": frozenset({"centres"}),
    "neighbours": frozenset({"codes"}),
    "aggregate": frozenset({"codes", "code_logvars"}),
    "code_density": frozenset({"means"}),
}


def make_reference(
    vae: StackedVAE,
    posterior: Posterior,
    X: Any,
    scores: Iterable[str],
    n_cells: int,
    rng: np.random.RandomState,
    in_full: bool = True,
    n_gaussians: int = N_GAUSSIANS,
) -> Reference:
    """Keep of training rows what scores need.

    Parameters
    ----------
    vae : StackedVAE
    posterior : Posterior
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    scores : iterable of str
    n_cells : int
        Rows that fit the memory budget.
    rng : numpy.random.RandomState
        Chooses rows where there are too many.
    in_full : bool, default=True
        Whether the mixture over decoded codes is the score, for which all members' are kept.
    n_gaussians : int
        Largest number of Gaussians of the density of the codes.

    Returns
    -------
    Reference
    """
    needs = frozenset().union(*(NEEDS.get(score, frozenset()) for score in scores))
    if not needs:
        return Reference()
    chosen = rows_of(X, rng.permutation(X.shape[0])[:MAX_CODES])
    n_centres = min(MAX_CENTRES, max(1, MAX_NUMBERS // X.shape[1]))
    means, logvars = [], []
    with torch.no_grad():
        for _, block in row_blocks(posterior, chosen, n_cells):
            mean, logvar = vae.encode(block)
            means.append(mean)
            logvars.append(logvar)
        codes, code_logvars = torch.cat(means, 1), torch.cat(logvars, 1)
        few = codes[:, :n_centres]
        kept: dict[str, Tensor] = {}
        if "centres" in needs:
            # decoded by all members, who share a product, though only some are kept
            n_members = None if in_full else N_MIXED
            most = min(RANKED_CENTRES, max(LEAST_CENTRES, RANKED_NUMBERS // X.shape[1]))
            some = few if in_full else few[:, :most]
            parts = some.split(max(n_cells, 1), dim=1)
            kept["centres"] = torch.cat([vae.decode(part)[:n_members] for part in parts], 1)
        if "codes" in needs:
            kept["codes"] = few
        if "code_logvars" in needs:
            kept["code_logvars"] = code_logvars[:, :n_centres]
    if "means" in needs:
        kept.update(_code_density(codes, rng, n_gaussians))
    return Reference(**kept)


def _code_density(codes: Tensor, rng: np.random.RandomState, n_gaussians: int) -> dict[str, Tensor]:
    """Fit a mixture of Gaussians to the white codes of some members."""
    columns: dict[str, list[np.ndarray]] = {}
    n_rows, n_components = codes.shape[1:]
    for member in codes[:N_CODE_MEMBERS].double().cpu().numpy():
        shift = member.mean(axis=0)
        spread, axes = np.linalg.eigh(np.atleast_2d(np.cov(member.T, bias=True)))
        # a direction in which the codes hardly differ is not blown up to the size of the others
        spread = np.sqrt(np.maximum(spread, 1e-6 * max(spread.max(), 1e-12)))
        whitener = axes / spread
        mixture = GaussianMixture(
            min(n_gaussians, max(1, n_rows // (ROWS_A_WIDTH * n_components))),
            tol=CODES_TOL,
            reg_covar=REGULARISATION,
            max_iter=50,
            random_state=rng,
        )
        # under array-API dispatch k-means is refused
        with warnings.catch_warnings(), config_context(array_api_dispatch=False):
            # a score needs no mixture of the last digit
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit((member - shift) @ whitener if n_rows > 1 else np.zeros((2, n_components)))
        for name, value in {
            "shift": shift[np.newaxis],
            "whitener": whitener,
            "means": mixture.means_,
            "roots": mixture.precisions_cholesky_,
            # the density of the codes themselves, not of the white ones
            "log_weights": np.log(mixture.weights_) - np.log(spread).sum(),
        }.items():
            columns.setdefault(name, []).append(value)
    return {name: torch.as_tensor(np.stack(values)).to(codes) for name, values in columns.items()}
