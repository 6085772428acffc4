"""Finds the posterior draws behind a pipeline, a search, a frozen estimator or a learner."""

import copy
from collections.abc import Iterator
from inspect import signature
from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline


def sample_proba(estimator: Any, X: Any) -> np.ndarray:
    """Class probabilities of every posterior draw of a fitted classifier.

    The draws are looked for in the classifier itself, then behind a
    :class:`~sklearn.pipeline.Pipeline` (which forwards no foreign method; the leading steps
    transform X), a fitted search such as :class:`~sklearn.model_selection.GridSearchCV`, a
    :class:`~sklearn.frozen.FrozenEstimator` and a learner, nested in any order. A classifier
    without draws counts as one draw, its ``predict_proba``; so does a
    :class:`~sklearn.calibration.CalibratedClassifierCV`, which calibrates the mean prediction and
    not the draws.

    Parameters
    ----------
    estimator : object
        Fitted classifier with ``sample_proba`` or ``predict_proba``, or what holds one.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows to predict, as ``estimator.predict`` takes them.

    Returns
    -------
    ndarray of shape (n_draws, n_samples, n_classes)
        Probabilities; columns in the order of the estimator's ``classes_``.

    Raises
    ------
    TypeError
        If there is neither ``sample_proba`` nor ``predict_proba``.
    ValueError
        If what they return has another shape, as with several outputs.

    See Also
    --------
    predict_uncertainty : What the draws say about every row's uncertainty.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbayes._draws import sample_proba
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> sample_proba(clf, X).shape  # no draws: it counts as one
    (1, 150, 3)
    """
    holder, pipelines = find_method(estimator, "sample_proba")
    if holder is not None:
        draws = np.asarray(holder.sample_proba(transform_through(pipelines, X)))
        source, expected = "sample_proba", "(draws, rows, classes)"
    elif hasattr(estimator, "predict_proba"):
        draws = np.asarray(estimator.predict_proba(X))[np.newaxis]  # (1, rows, classes)
        source, expected = "predict_proba", "(rows, classes)"
    else:
        raise TypeError(
            f"estimator={type(estimator).__name__} has no class probabilities: it must have a "
            "method sample_proba or predict_proba, or be a Pipeline, search, FrozenEstimator or "
            "learner around a classifier that has"
        )
    if draws.ndim != 3:
        shape = draws.shape if source == "sample_proba" else draws.shape[1:]
        raise ValueError(
            f"{source} of estimator={type(estimator).__name__} returned an array of shape "
            f"{shape}, it must be {expected}"
        )
    return draws


def predict_uncertainty(estimator: Any, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uncertainty of every prediction of a fitted estimator, split in two.

    Looks behind pipelines, searches, frozen estimators and learners as :func:`sample_proba` does.

    Parameters
    ----------
    estimator : object
        Fitted estimator with ``predict_uncertainty``; or a classifier, whose draws are those of
        :func:`sample_proba`; or a regressor with ``sample_mean``.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows to predict, as ``estimator.predict`` takes them.

    Returns
    -------
    total : ndarray of shape (n_samples,)
        Classifiers: entropy of the mean prediction, in nats. Regressors: predictive variance, in
        squared units of y.
    aleatoric : ndarray of shape (n_samples,)
        Noise in y, which more data does not remove: mean entropy of the draws, or the noise's
        variance.
    epistemic : ndarray of shape (n_samples,)
        What more data removes: their difference. A classifier that is one draw has 0 here by
        construction: one draw cannot disagree with itself, which does not mean that it is sure.

    Raises
    ------
    TypeError
        If the estimator has none of these methods.

    Notes
    -----
    A regressor with ``sample_mean`` alone does not tell its noise: ``total`` and ``aleatoric`` are
    nan, ``epistemic`` is the variance of the draws.

    References
    ----------
    Depeweg, Hernandez-Lobato, Doshi-Velez, Udluft (2018), *Decomposition of uncertainty in
    Bayesian deep learning for efficient and risk-sensitive learning*, ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbayes._draws import predict_uncertainty
    >>> X, y = load_iris(return_X_y=True)
    >>> total, aleatoric, epistemic = predict_uncertainty(
    ...     LogisticRegression(max_iter=1000).fit(X, y), X
    ... )
    >>> total.shape
    (150,)
    >>> float(epistemic.max())
    0.0
    """
    holder, pipelines = find_method(estimator, "predict_uncertainty")
    if holder is not None:
        total, aleatoric, epistemic = holder.predict_uncertainty(transform_through(pipelines, X))
        return total, aleatoric, epistemic
    holder, pipelines = find_method(estimator, "sample_mean")
    if holder is not None:
        means = np.asarray(holder.sample_mean(transform_through(pipelines, X)))  # (draws, rows)
        epistemic = means.var(axis=0)  # (rows,)
        unknown = np.full_like(epistemic, np.nan)
        return unknown, unknown.copy(), epistemic
    draws = sample_proba(estimator, X)  # (draws, rows, classes)
    total = entr(draws.mean(axis=0)).sum(axis=-1)  # (rows,)
    aleatoric = mean_entropy(draws)  # (rows,)
    # rounding alone can make the difference negative
    return total, aleatoric, np.maximum(total - aleatoric, 0.0)


def mean_entropy(draws: np.ndarray) -> np.ndarray:
    """Mean over draws of their entropy, in nats.

    Parameters
    ----------
    draws : ndarray of shape (n_draws, n_samples, n_classes)
        Probabilities.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    # draw by draw: no second array as large as all draws
    total = entr(draws[0]).sum(axis=-1)  # (rows,)
    for draw in draws[1:]:
        total += entr(draw).sum(axis=-1)
    return total / len(draws)


def find_method(
    estimator: Any, method: str, parameter: str | None = None
) -> tuple[Any, tuple[Pipeline, ...]]:
    """Find the outermost object that has a method, itself or what it is wrapped around.

    Parameters
    ----------
    estimator : object
        Where to begin.
    method : str
        Name of the method.
    parameter : str, default=None
        Name of a parameter that the method must have.

    Returns
    -------
    holder : object or None
        What has the method; None if nothing has.
    pipelines : tuple of Pipeline
        Those passed on the way in, whose leading steps must transform X first.
    """
    for holder, pipelines in _inwards(estimator):
        if not hasattr(holder, method):
            continue
        if parameter is None or parameter in signature(getattr(holder, method)).parameters:
            return holder, pipelines
    return None, ()


def transform_through(pipelines: tuple[Pipeline, ...], X: Any) -> Any:
    """Transform rows by all but the last step of every pipeline, outermost first.

    Parameters
    ----------
    pipelines : tuple of Pipeline
        Fitted pipelines, each the last step of the one before.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows as the first pipeline takes them.

    Returns
    -------
    {ndarray, sparse matrix, DataFrame} of shape (n_samples, n_features_out)
        Rows as the last step of the last pipeline takes them.
    """
    for pipeline in pipelines:
        # a copy of the pipeline with its last step empty, rather than a loop over the steps: a
        # subclass (imbalanced-learn's) may hold steps that only its own transform understands
        leading = copy.copy(pipeline)
        leading.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], "passthrough")]
        X = leading.transform(X)
    return X


def transform_leading(estimator: Any, X: Any) -> Any:
    """Transform rows by all that comes before the innermost estimator.

    Parameters
    ----------
    estimator : object
        Fitted estimator; the pipelines among what it is wrapped around transform.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows as the estimator takes them.

    Returns
    -------
    {ndarray, sparse matrix, DataFrame} of shape (n_samples, n_features_out)
        X itself if there is no pipeline.
    """
    *_, (_, pipelines) = _inwards(estimator)
    return transform_through(pipelines, X)


THRESHOLDS = (FixedThresholdClassifier, TunedThresholdClassifierCV)


def _inwards(estimator: Any) -> Iterator[tuple[Any, tuple[Pipeline, ...]]]:
    """Yield the estimator and what it is wrapped around, with the pipelines passed so far."""
    pipelines: tuple[Pipeline, ...] = ()
    while estimator is not None:
        yield estimator, pipelines
        if isinstance(estimator, Pipeline):
            pipelines = (*pipelines, estimator)
            estimator = estimator.steps[-1][1]
        elif isinstance(estimator, FrozenEstimator) or _is_learner(estimator):
            estimator = estimator.estimator
        elif isinstance(estimator, BaseEstimator):
            # a fitted search, or the wrappers that set a threshold and leave the probabilities
            name = "estimator_" if isinstance(estimator, THRESHOLDS) else "best_estimator_"
            estimator = getattr(estimator, name, None)
        else:
            return


def _is_learner(estimator: Any) -> bool:
    # by what it can do: the layers above are not imported here, and modAL's learners count too
    return all(hasattr(estimator, name) for name in ("query", "teach", "estimator"))
