"""What all classifiers on a posterior stack share: labels, probabilities, uncertainty."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from skbayes._sklearn import _fit_context
from skbayes.supervised._base import BaseStackEstimator
from skbayes.supervised._likelihood import categorical, softmax


class BaseStackClassifier(ClassifierMixin, BaseStackEstimator):
    """Base of the classifiers; a subclass says how the stack is filled (``_fill``)."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BaseStackClassifier":
        """Fit the posterior to data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 is computed in float32, everything else in float64.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts as two rows; the likelihood is that of ``sum(sample_weight)``
            data.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input is malformed, or training diverges.
        """
        resume = self.warm_start and hasattr(self, "posterior_")
        with self._kept_on_failure():
            X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=not resume)
            if resume and _is_text(y) != _is_text(self.classes_):
                raise ValueError(
                    f"warm_start=True: y has labels of another type ({y.dtype}) than the last fit "
                    f"({self.classes_.dtype})"
                )
            classes = np.union1d(self.classes_, y) if resume else np.unique(y)
            return self._fit_validated(X, y, sample_weight, classes, resume=resume)

    def _fit_validated(
        self, X: Any, y: Any, sample_weight: Any, classes: np.ndarray, *, resume: bool
    ) -> "BaseStackClassifier":
        target = np.searchsorted(classes, y).astype(np.int64)
        fitted = self._fit_rows(X, target, sample_weight, categorical(classes), resume=resume)
        # Only now: a fit that fails or is interrupted leaves what was fitted before
        self.__dict__.update(fitted, classes_=classes)
        return self

    def _validate_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Any, np.ndarray, np.ndarray | None]:
        X, y, sample_weight = super()._validate_rows(X, y, sample_weight, reset=reset)
        check_classification_targets(y)
        return X, y, sample_weight

    # -- prediction -------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities, averaged over the posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Mean of the draws' softmax, columns in the order of ``classes_``.
        """
        return self._predict_proba(self._validate_predict(X))

    def _predict_proba(self, X: Any) -> np.ndarray:
        posterior = self.posterior_
        n_draws, n_rows = posterior.n_draws, X.shape[0]
        out: Tensor | None = None
        for draws, rows, output in posterior.evaluate(X):
            proba = softmax(output)
            block = proba.sum(0).div_(n_draws) if n_draws > 1 else proba[0]
            if out is None and block.shape[0] == n_rows and draws.stop == n_draws:
                out = block  # the one block there is
                break
            if out is None:
                out = block.new_zeros(n_rows, block.shape[-1])
            out[rows] += block
        assert out is not None
        # rounding of a sum of draws can pass 1, which scikit-learn's losses refuse
        return out.clamp_(max=1.0).cpu().numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Most probable class of every row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        winners = self.predict_proba(X).argmax(axis=1)
        return self.classes_[winners]

    def sample_proba(self, X: Any, n_draws: int | None = None) -> np.ndarray:
        """Class probabilities of every posterior draw.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        n_draws : int, default=None
            Number of draws, spread evenly over the stack; all by default.

        Returns
        -------
        ndarray of shape (n_draws, n_samples, n_classes)

        Raises
        ------
        ValueError
            If ``n_draws`` is not between 1 and the number of draws in the stack.
        """
        X = self._validate_predict(X)
        return self._gather(X, self._choose_draws(n_draws), softmax)

    def predict_at(self, params: Mapping[str, Any], X: Any) -> np.ndarray:
        """Class probabilities of the fitted network with weights of the caller's.

        Parameters
        ----------
        params : mapping of str to array or tensor
            Name -> values with a leading axis of draws, for the names of ``posterior_.params``
            (which may be given itself; ``posterior_.arrays()`` gives numpy arrays). Their number of
            draws is the caller's choice.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_draws, n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or a shape is not that of the fitted network.
        """
        X = self._validate_predict(X)
        return self._gather(X, None, softmax, self.posterior_.at(params))

    def predict_uncertainty(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Uncertainty of every prediction, split in two.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        total : ndarray of shape (n_samples,)
            Entropy of the mean prediction, in nats.
        aleatoric : ndarray of shape (n_samples,)
            Mean entropy of the draws: noise in the labels, which more data does not remove.
        epistemic : ndarray of shape (n_samples,)
            Their difference, the mutual information of label and weights: what more data removes.
        """
        draws = self.sample_proba(X)  # (draws, rows, classes)
        total = _entropy(draws.mean(axis=0))
        aleatoric = _entropy(draws).mean(axis=0)
        return total, aleatoric, np.maximum(total - aleatoric, 0.0)


def _is_text(labels: np.ndarray) -> bool:
    return labels.dtype.kind in "SU" or isinstance(labels[0], str)


def _entropy(proba: np.ndarray) -> np.ndarray:
    """Entropy of the last axis in nats, with 0 log 0 = 0."""
    return -(proba * np.log(np.where(proba > 0, proba, 1.0))).sum(axis=-1)
