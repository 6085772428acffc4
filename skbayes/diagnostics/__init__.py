"""Diagnostics: whether chains have converged, and how far predictions are from a reference."""

from skbayes.diagnostics._arviz import to_arviz
from skbayes.diagnostics._chains import ChainDiagnostics, chain_diagnostics
from skbayes.diagnostics._convergence import ess, mcse, rhat
from skbayes.diagnostics._distances import agreement, total_variation, wasserstein_distance

__all__ = [
    "ChainDiagnostics",
    "agreement",
    "chain_diagnostics",
    "ess",
    "mcse",
    "rhat",
    "to_arviz",
    "total_variation",
    "wasserstein_distance",
]
