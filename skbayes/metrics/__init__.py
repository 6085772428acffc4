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

__all__ = [
    "anomaly_roc_auc",
    "anomaly_roc_auc_score",
    "make_precision_at_k_scorer",
    "precision_at_k",
    "precision_at_k_score",
]
