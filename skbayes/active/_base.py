"""What every learner is: parameters without data, and the methods of its estimator."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import assert_all_finite, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skbayes._draws import transform_leading
from skbayes.active._random import Randomized
from skbayes.active._rows import (
    check_same_kind,
    check_training_rows,
    count_rows,
    stack_rows,
    take_rows,
)
from skbayes.active._training import train
from skbayes.active.utils.data import data_hstack

# Those whose fitted members are of different kinds, each perhaps a pipeline of its own
_OF_MEMBERS = (StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor)


def _estimator_has(method: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(self.estimator, method)


class BaseLearner(Randomized, MetaEstimatorMixin, BaseEstimator):
    """Base of the learners: a subclass says how it asks and how it is taught.

    It has the attributes ``estimator``, ``random_state``, ``X_training`` and ``y_training``.
    """

    estimator: Any
    force_all_finite: Any
    X_training: Any
    y_training: Any

    def predict(self, X: Any, **kwargs: Any) -> Any:
        """Predict by the estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        **kwargs
            Further arguments of the estimator's method.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.estimator.predict(X, **kwargs)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any, **kwargs: Any) -> Any:
        """Class probabilities by the estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        **kwargs
            Further arguments of the estimator's method.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self.estimator.predict_proba(X, **kwargs)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Signed distances from the estimator's threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self.estimator.decision_function(X)

    @available_if(_estimator_has("score_samples"))
    def score_samples(self, X: Any) -> Any:
        """Score every row by a detector, higher = more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.estimator.score_samples(X)

    def score(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Score of the estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their true labels.
        **kwargs
            Further arguments of the estimator's method.

        Returns
        -------
        float
        """
        return self.estimator.score(X, y, **kwargs)

    def transform_without_estimating(self, X: Any) -> Any:
        """Transform rows by the leading steps of the estimator, if it is a fitted pipeline.

        Of a fitted voting or stacking ensemble, by those of every member that is a pipeline, side
        by side.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        {ndarray, sparse matrix, DataFrame} of shape (n_samples, n_features_out)
            X itself if there are no leading steps.
        """
        if not isinstance(self.estimator, _OF_MEMBERS):
            return transform_leading(self.estimator, X)
        pipelines = [m for m in self.estimator.estimators_ if isinstance(m, Pipeline)]
        return data_hstack([transform_leading(m, X) for m in pipelines]) if pipelines else X

    @property
    def classes_(self) -> Any:
        """Class labels of the fitted estimator."""
        return self.estimator.classes_

    # -- pieces -----------------------------------------------------------------------------------

    def _sampled(
        self, X: Any, y: Any, bootstrap: bool, rng: np.random.RandomState | None = None
    ) -> tuple[Any, Any]:
        if not bootstrap:
            return X, y
        n_rows = count_rows(X, "X")
        rng = self._get_random_state() if rng is None else rng
        chosen = rng.randint(n_rows, size=n_rows)
        return take_rows(X, chosen), take_rows(y, chosen)

    def _check_new(self, X: Any, y: Any) -> None:
        check_training_rows(X, y)
        if self.force_all_finite:
            _check_finite(X, "X")
            _check_finite(y, "y")

    def _with_new(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Check new rows and labels, and return them after those so far."""
        self._check_new(X, y)
        if self.X_training is None:
            return X, y
        check_same_kind(self.y_training, y)
        return stack_rows(self.X_training, X, "X"), stack_rows(self.y_training, y, "y")

    def _add_training_data(self, X: Any, y: Any) -> None:
        self.X_training, self.y_training = self._with_new(X, y)

    def _fit_to_known(
        self, bootstrap: bool = False, rng: np.random.RandomState | None = None, **fit_kwargs: Any
    ) -> None:
        seen = self._sampled(self.X_training, self.y_training, bootstrap, rng)
        train(self.estimator, *seen, fit_kwargs)

    def __sklearn_clone__(self) -> Any:
        # a clone has no data, and no journal: that belongs to one learner
        parameters = self.get_params(deep=False)
        if "journal" in parameters:
            parameters["journal"] = None
        return type(self)(**{key: clone(value, safe=False) for key, value in parameters.items()})

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # the data are no parameters: clone and repr leave them out
        names = super()._get_param_names()
        return [name for name in names if name not in ("X_training", "y_training")]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if hasattr(self.estimator, "__sklearn_tags__"):
            inner = get_tags(self.estimator)
            tags.estimator_type = inner.estimator_type
            tags.classifier_tags = inner.classifier_tags
            tags.regressor_tags = inner.regressor_tags
            tags.target_tags = inner.target_tags
            tags.input_tags = inner.input_tags
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        if not hasattr(self.estimator, "__sklearn_tags__"):
            return self.X_training is not None
        try:
            check_is_fitted(self.estimator)
        except NotFittedError:
            return False
        return True


def _check_finite(data: Any, name: str) -> None:
    values = data if sparse.issparse(data) else np.asarray(data)
    if values.dtype.kind in "fcO":
        assert_all_finite(values, input_name=name)
