"""How a learner's estimator is trained: afresh, onwards from where it is, or by labels alone."""

from typing import Any

from sklearn.base import is_outlier_detector
from sklearn.ensemble import (
    BaseEnsemble,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skbayes._draws import find_method, transform_leading, transform_through

# With warm_start these only add trees, and add none where their number stays as it is
_GROWERS = (BaseEnsemble, HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def takes_labels(estimator: Any) -> bool:
    """Tell whether an estimator is an outlier detector that is taught by labels.

    Parameters
    ----------
    estimator : object
        Estimator, or what holds one.

    Returns
    -------
    bool
    """
    return find_method(estimator, "fit_labels")[0] is not None


def is_detector(estimator: Any) -> bool:
    """Tell whether an estimator is an outlier detector.

    Parameters
    ----------
    estimator : object
        Estimator, or what holds one.

    Returns
    -------
    bool
    """
    if takes_labels(estimator):
        return True
    # what only quacks like an estimator has no tags
    return hasattr(estimator, "__sklearn_tags__") and is_outlier_detector(estimator)


def train(estimator: Any, X: Any, y: Any, fit_kwargs: dict[str, Any]) -> None:
    """Train on labels; of an outlier detector that takes labels, never the density.

    Parameters
    ----------
    estimator : object
        Estimator, or what holds one.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Labels.
    fit_kwargs : dict
        Further arguments of ``fit`` (``fit_labels``).
    """
    detector, pipelines = find_method(estimator, "fit_labels")
    if detector is not None:
        detector.fit_labels(transform_through(pipelines, X), y, **fit_kwargs)
    else:
        estimator.fit(X, y, **fit_kwargs)


def find_warm_route(estimator: Any) -> tuple[Any, str]:
    """Find what goes on with training, and by what.

    Parameters
    ----------
    estimator : object
        Estimator or pipeline.

    Returns
    -------
    last : object
        The last step of a pipeline, else the estimator.
    route : {"warm_start", "partial_fit"}

    Raises
    ------
    ValueError
        If it has neither.
    """
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    if not isinstance(last, FrozenEstimator):
        if hasattr(last, "warm_start") and not isinstance(last, _GROWERS):
            return last, "warm_start"
        if hasattr(last, "partial_fit"):
            return last, "partial_fit"
    raise ValueError(
        f"refit='warm' needs an estimator with partial_fit or warm_start, and "
        f"{type(last).__name__} has neither (a warm_start that only adds trees to those there "
        "are does not count); use refit='full'"
    )


def train_on(estimator: Any, X: Any, y: Any, fit_kwargs: dict[str, Any]) -> None:
    """Go on with the training of a fitted estimator; leading steps of a pipeline stay as they are.

    Parameters
    ----------
    estimator : object
        Fitted estimator or pipeline.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows: all of them if :func:`find_warm_route` says ``"warm_start"``, else the new ones.
    y : array-like of shape (n_samples,)
        Labels.
    fit_kwargs : dict
        Further arguments of the last step's method.
    """
    last, route = find_warm_route(estimator)
    X = transform_leading(estimator, X)
    if route == "partial_fit":
        last.partial_fit(X, y, **fit_kwargs)
        return
    before = last.warm_start
    last.warm_start = True  # for this call: a later fit of the learner must start afresh
    try:
        last.fit(X, y, **fit_kwargs)
    finally:
        last.warm_start = before
