"""Classification by a mixture of Gaussians whose components few labels name."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.mixture import GaussianMixture
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skbayes._engine.seeds import new_random_state
from skbayes._sklearn import Interval, StrOptions, _fit_context

#: Label of a row without one, as in ``sklearn.semi_supervised``.
UNLABELLED = -1


class GaussianMixtureClassifier(ClassifierMixin, BaseEstimator):
    r"""Semi-supervised classifier: all rows shape the components, labelled rows name them.

    A mixture of Gaussians :math:`p(x) = \sum_k \pi_k \mathcal N(x; \mu_k, \Sigma_k)` is fitted to
    all rows, and :math:`p(c \mid x) = \sum_k p(k \mid x)\, p(c \mid k)`, where :math:`p(c \mid k)`
    are the shares of the classes among the labelled rows of a component. Meant for the codes of
    an autoencoder, where many rows and few labels are at hand.

    Parameters
    ----------
    n_components : int, default=8
        Number of Gaussians; fewer if there are fewer rows.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="diag"
        As for :class:`sklearn.mixture.GaussianMixture`.
    smoothing : float, default=1.0
        Labels' worth of the overall class shares that every component starts with, so that
        a component without labels predicts those.
    reg_covar : float, default=1e-6
        Added to the variances.
    max_iter : int, default=200
        Most iterations of expectation maximisation.
    random_state : int, RandomState instance or None, default=None
        Determines where the components start.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, without -1.
    mixture_ : sklearn.mixture.GaussianMixture
        The mixture.
    component_proba_ : ndarray of shape (n_components, n_classes)
        Class probabilities of the components.
    n_iter_ : int
        Number of iterations.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    References
    ----------
    D. J. Miller and H. S. Uyar, A mixture of experts classifier with learning based on both
    labelled and unlabelled data, NIPS 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbayes import VAE, GaussianMixtureClassifier
    >>> X, y = load_digits(n_class=2, return_X_y=True)
    >>> X = X / 16
    >>> vae = VAE(4, max_iter=100, random_state=0).fit(X)
    >>> few = np.where(np.arange(len(y)) < 20, y, -1)  # twenty labels, the rest unlabelled
    >>> model = make_pipeline(FrozenEstimator(vae), GaussianMixtureClassifier(4, random_state=0))
    >>> bool(model.fit(X, few).score(X[20:], y[20:]) > 0.85)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions({"full", "tied", "diag", "spherical"})],
        "smoothing": [Interval(Real, 0, None, closed="neither")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=8,
        *,
        covariance_type="diag",
        smoothing=1.0,
        reg_covar=1e-6,
        max_iter=200,
        random_state=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.smoothing = smoothing
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> "GaussianMixtureClassifier":
        """Fit the mixture to all rows, and name its components by the labelled ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, labelled and not.
        y : array-like of shape (n_samples,)
            Labels; -1 is a row without one. (Where 1 is the only other label, -1 is the other
            class of a binary problem.)

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_classification_targets(y)
        labelled = np.ones(len(y), dtype=bool)
        if y.dtype.kind in "if" and set(np.unique(y)) != {-1, 1}:
            labelled = y != UNLABELLED
        if not labelled.any():
            raise ValueError("y=-1 everywhere: no row has a label, at least one class is needed")
        classes, index = np.unique(y[labelled], return_inverse=True)
        mixture = GaussianMixture(
            n_components=min(self.n_components, len(X)),
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
            max_iter=self.max_iter,
            random_state=new_random_state(self.random_state),
        )
        with config_context(array_api_dispatch=False):  # under which k-means is refused
            mixture.fit(X)
        indicators = np.eye(len(classes))[index]
        counts = mixture.predict_proba(X[labelled]).T @ indicators  # (components, classes)
        counts += self.smoothing * indicators.mean(axis=0)
        self.classes_ = classes
        self.mixture_ = mixture
        self.component_proba_ = counts / counts.sum(axis=1, keepdims=True)
        self.n_iter_ = mixture.n_iter_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        proba = self.mixture_.predict_proba(X) @ self.component_proba_
        return proba / proba.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]
