"""modAL's learner for networks of skorch: it goes on from where it is, and keeps no data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skbayes.active._learner import ActiveLearner
from skbayes.active._training import train

_NO_JOURNAL = (
    "a DeepActiveLearner keeps no labels, and no journal of them; "
    'ActiveLearner(estimator, refit="warm", journal=path) goes on by partial_fit and keeps both'
)


class DeepActiveLearner(ActiveLearner):
    """Learner around a network that goes on with training by ``partial_fit``.

    The learner under modAL's name for skorch's networks; an :class:`ActiveLearner` with
    ``refit="warm"`` does the same and keeps the labels, in a journal if asked. A network with
    ``initialize`` is initialised at construction.

    Parameters
    ----------
    estimator : object
        Classifier or regressor with ``fit`` and ``partial_fit``, such as skorch's.
    query_strategy : callable, default=None
        A strategy as in modAL, see :class:`ActiveLearner`; the dropout strategies are in
        :mod:`skbayes.active.dropout`.
    on_transformed : bool, default=False
        See :class:`ActiveLearner`.
    force_all_finite : bool, default=False
        See :class:`ActiveLearner`.
    acquisition : str or callable, default=None
        See :class:`ActiveLearner`.
    batch : str or callable, default=None
        See :class:`ActiveLearner`.
    epsilon : float or callable, default=0.0
        See :class:`ActiveLearner`.
    random_state : int, RandomState instance or None, default=None
        See :class:`ActiveLearner`.

    Attributes
    ----------
    X_training : None
        No data are kept.
    y_training : None
        No labels are kept.
    num_epochs : int
        ``max_epochs`` (or ``max_iter``) of the estimator.
    batch_size : int
        That of the estimator.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed.

    References
    ----------
    Danka, Horvath (2018), *modAL: A modular active learning framework for Python*,
    arXiv:1805.00979.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import SGDClassifier
    >>> from skbayes.active import DeepActiveLearner
    >>> X, y = np.array([[0.0], [1.0]]), np.array([0, 1])
    >>> learner = DeepActiveLearner(SGDClassifier(loss="log_loss", random_state=0))
    >>> learner = learner.teach(X, y, classes=[0, 1])
    >>> learner.query(X)[0].shape
    (1,)
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: Callable[..., Any] | None = None,
        on_transformed: bool = False,
        force_all_finite: bool = False,
        *,
        acquisition: str | Callable[..., Any] | None = None,
        batch: str | Callable[..., Any] | None = None,
        epsilon: float | Callable[[int], float] = 0.0,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            estimator,
            query_strategy,
            on_transformed=on_transformed,
            force_all_finite=force_all_finite,
            acquisition=acquisition,
            batch=batch,
            epsilon=epsilon,
            random_state=random_state,
        )
        if hasattr(estimator, "initialize"):
            estimator.initialize()

    def fit(
        self, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any
    ) -> "DeepActiveLearner":
        """Train afresh.

        Parameters
        ----------
        X : {array-like, tensor, mapping of tensors} of shape (n_samples, ...)
            Rows.
        y : array-like or tensor of shape (n_samples,)
            Labels.
        bootstrap : bool, default=False
            Whether to train on a bootstrap sample.
        **fit_kwargs
            Further arguments of the estimator's ``fit``.

        Returns
        -------
        self : DeepActiveLearner
        """
        self._check_parameters()
        self._check_new(X, y)
        train(self.estimator, *self._sampled(X, y, bootstrap), fit_kwargs)
        return self

    def teach(  # type: ignore[override]  # modAL's order of arguments
        self,
        X: Any,
        y: Any,
        warm_start: bool = True,
        bootstrap: bool = False,
        **fit_kwargs: Any,
    ) -> "DeepActiveLearner":
        """Go on with training on new labels.

        Parameters
        ----------
        X : {array-like, tensor, mapping of tensors} of shape (n_samples, ...)
            The new rows.
        y : array-like or tensor of shape (n_samples,)
            Their labels.
        warm_start : bool, default=True
            Whether to go on from where the network is, by ``partial_fit``; else it is trained
            afresh on these labels alone.
        bootstrap : bool, default=False
            Whether to train on a bootstrap sample.
        **fit_kwargs
            Further arguments of the method that trains.

        Returns
        -------
        self : DeepActiveLearner
        """
        if not warm_start:
            return self.fit(X, y, bootstrap, **fit_kwargs)
        self._check_parameters()
        self._check_new(X, y)
        self.estimator.partial_fit(*self._sampled(X, y, bootstrap), **fit_kwargs)
        return self

    @classmethod
    def resume(cls, path: Any, X_pool: Any, **parameters: Any) -> Any:
        """There is nothing to resume: this learner keeps no labels, and no journal of them.

        Parameters
        ----------
        path, X_pool, **parameters
            As for :meth:`ActiveLearner.resume`.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(_NO_JOURNAL)

    def _open_journal(self, what: str) -> Any:
        raise ValueError(f"{what} needs a journal; {_NO_JOURNAL}")

    @property
    def num_epochs(self) -> Any:
        """Number of epochs of one training."""
        return getattr(self.estimator, self._name_of_epochs())

    @num_epochs.setter
    def num_epochs(self, value: int) -> None:
        setattr(self.estimator, self._name_of_epochs(), _positive("num_epochs", value))

    @property
    def batch_size(self) -> Any:
        """Number of rows of a minibatch."""
        return self.estimator.batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        self.estimator.batch_size = _positive("batch_size", value)

    def _name_of_epochs(self) -> str:
        ours = hasattr(self.estimator, "max_iter") and not hasattr(self.estimator, "max_epochs")
        return "max_iter" if ours else "max_epochs"


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} must be an integer")
    if value < 1:
        raise ValueError(f"{name}={value!r} must be at least 1")
    return int(value)
