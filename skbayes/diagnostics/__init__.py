"""Diagnostics: chains, ensembles, distances to a reference, views of the loss landscape."""

from skbayes.diagnostics._arviz import to_arviz
from skbayes.diagnostics._chains import ChainDiagnostics, chain_diagnostics
from skbayes.diagnostics._convergence import ess, mcse, rhat
from skbayes.diagnostics._distances import agreement, total_variation, wasserstein_distance
from skbayes.diagnostics._diversity import (
    DiversityAccuracy,
    DiversityAccuracyDisplay,
    diversity_accuracy,
    diversity_limits,
)
from skbayes.diagnostics._ensembles import SpreadSkill, effective_members, spread_skill
from skbayes.diagnostics._section_display import SectionDisplay
from skbayes.diagnostics._sections import Section, radial_section, two_optima_section
from skbayes.diagnostics._similarity import (
    MatrixDisplay,
    jensen_shannon_diversity,
    prediction_disagreement,
    weight_cosine,
)
from skbayes.diagnostics._subspaces import subspace_sample
from skbayes.diagnostics._trajectories import TrajectoryDisplay, trajectory_tsne

__all__ = [
    "ChainDiagnostics",
    "DiversityAccuracy",
    "DiversityAccuracyDisplay",
    "MatrixDisplay",
    "Section",
    "SectionDisplay",
    "SpreadSkill",
    "TrajectoryDisplay",
    "agreement",
    "chain_diagnostics",
    "diversity_accuracy",
    "diversity_limits",
    "effective_members",
    "ess",
    "jensen_shannon_diversity",
    "mcse",
    "prediction_disagreement",
    "radial_section",
    "rhat",
    "spread_skill",
    "subspace_sample",
    "to_arviz",
    "total_variation",
    "trajectory_tsne",
    "two_optima_section",
    "wasserstein_distance",
    "weight_cosine",
]
