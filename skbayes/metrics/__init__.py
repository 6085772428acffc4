"""Metrics and scorers: how well predictions are calibrated, and how well detectors rank."""

from skbayes.metrics._anomaly import (
    anomaly_roc_auc,
    anomaly_roc_auc_score,
    make_precision_at_k_scorer,
    precision_at_k,
    precision_at_k_score,
)

# not in __all__: a helper of skbayes.model_selection, importable from here as ever
from skbayes.metrics._anomaly import find_anomalies as find_anomalies
from skbayes.metrics._calibration import (
    expected_calibration_error,
    maximum_calibration_error,
    reliability_curve,
)
from skbayes.metrics._calibration_scorers import (
    expected_calibration_error_scorer,
    make_expected_calibration_error_scorer,
)
from skbayes.metrics._coverage_display import CoverageDisplay
from skbayes.metrics._distributions import crps_ensemble, crps_gaussian, gaussian_nll
from skbayes.metrics._intervals import (
    interval_coverage,
    interval_score,
    interval_width,
    regression_calibration_error,
)
from skbayes.metrics._reliability_display import ReliabilityDisplay
from skbayes.metrics._scorers import (
    crps_gaussian_scorer,
    gaussian_nll_scorer,
    interval_coverage_scorer,
    interval_score_scorer,
    interval_width_scorer,
    make_interval_scorers,
    regression_calibration_error_scorer,
)

__all__ = [
    "CoverageDisplay",
    "ReliabilityDisplay",
    "anomaly_roc_auc",
    "anomaly_roc_auc_score",
    "crps_ensemble",
    "crps_gaussian",
    "crps_gaussian_scorer",
    "expected_calibration_error",
    "expected_calibration_error_scorer",
    "gaussian_nll",
    "gaussian_nll_scorer",
    "interval_coverage",
    "interval_coverage_scorer",
    "interval_score",
    "interval_score_scorer",
    "interval_width",
    "interval_width_scorer",
    "make_expected_calibration_error_scorer",
    "make_interval_scorers",
    "make_precision_at_k_scorer",
    "maximum_calibration_error",
    "precision_at_k",
    "precision_at_k_score",
    "regression_calibration_error",
    "regression_calibration_error_scorer",
    "reliability_curve",
]
