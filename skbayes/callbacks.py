"""Callbacks for ``skorch_callbacks``: the weights along a training trajectory."""

from numbers import Integral
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from skbayes._draws import find_method

__all__ = ["WeightHistory"]


class WeightHistory(Callback):
    """Keeps the weights of all members or chains every so many epochs.

    An estimator copies its ``skorch_callbacks`` in ``fit``, so that the object which was passed
    stays empty; :meth:`of` finds the one that holds the record.

    Parameters
    ----------
    every : int, default=1
        Number of epochs from one checkpoint to the next. An epoch is a row of ``history_``: with
        samplers many steps, with Hamiltonian Monte Carlo a trajectory.

    Attributes
    ----------
    epochs_ : ndarray of shape (n_checkpoints,)
        Number of epochs before each checkpoint. The first is 0, the weights that training began
        with: initial ones, or those of the last round after inflation.
    weights_ : list of dict of str to ndarray
        For every checkpoint a mapping of names to values with a leading axis of members, the names
        those of ``posterior_.params``.

    Notes
    -----
    Each checkpoint is as large as the weights of all members, in host memory. They are kept on
    ``net_``, which is not part of a pickle: look at them where the estimator was fitted. A later
    round (``warm_start``, ``partial_fit``) begins a new record. With ``early_stopping`` the last
    checkpoint is where training ended, and ``posterior_`` the best epoch.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import DeepEnsembleFilterClassifier
    >>> from skbayes.callbacks import WeightHistory
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DeepEnsembleFilterClassifier(
    ...     (10,),
    ...     n_members=3,
    ...     init_epochs=40,
    ...     skorch_callbacks=[WeightHistory(every=10)],
    ...     random_state=0,
    ... ).fit(X, y)
    >>> history = WeightHistory.of(clf)
    >>> history.epochs_
    array([ 0, 10, 20, 30, 40])
    >>> clf.predict_at(history.trajectory(member=0), X).shape  # checkpoints, rows, classes
    (5, 150, 3)
    """

    epochs_: np.ndarray
    weights_: list[dict[str, np.ndarray]]
    _first: int

    def __init__(self, every: int = 1) -> None:
        self.every = every

    @classmethod
    def of(cls, estimator: Any) -> "WeightHistory":
        """Find the record of an estimator's last fit.

        Parameters
        ----------
        estimator : object
            Estimator that was fitted with a ``WeightHistory`` among its ``skorch_callbacks``, or a
            Pipeline, search, FrozenEstimator or learner around one.

        Returns
        -------
        WeightHistory
            The first, if there are several.

        Raises
        ------
        ValueError
            If there is none: the estimator was fitted without, is not fitted, or was unpickled.
        """
        holder, _ = find_method(estimator, "net_")
        for _, callback in [] if holder is None else holder.net_.callbacks_:
            if isinstance(callback, cls):
                return callback
        raise ValueError(
            f"estimator={type(estimator).__name__} holds no WeightHistory: fit it with "
            "skorch_callbacks=[WeightHistory()], and look before it is pickled"
        )

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a new record with the weights as they are.

        Parameters
        ----------
        net : skorch.NeuralNet
        **kwargs
            Not used; skorch's signature.

        Raises
        ------
        ValueError
            If ``every`` is not an integer of at least 1.
        """
        if not (isinstance(self.every, Integral) and self.every >= 1):
            raise ValueError(f"every={self.every!r} must be an integer of at least 1")
        self.epochs_ = np.empty(0, int)
        self.weights_ = []
        self._first = len(net.history)
        self._keep(net)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights, if it is their turn.

        Parameters
        ----------
        net : skorch.NeuralNet
        **kwargs
            Not used; skorch's signature.
        """
        if (len(net.history) - self._first) % self.every == 0:
            self._keep(net)

    def trajectory(self, member: int = 0) -> dict[str, np.ndarray]:
        """The checkpoints of one member or chain.

        Parameters
        ----------
        member : int, default=0
            Its number.

        Returns
        -------
        dict of str to ndarray
            Name -> values with a leading axis of checkpoints, as ``predict_at`` takes them.
        """
        return {
            name: np.stack([weights[name][member] for weights in self.weights_])
            for name in self.weights_[0]
        }

    def _keep(self, net: Any) -> None:
        self.epochs_ = np.append(self.epochs_, len(net.history) - self._first)
        self.weights_.append(
            {
                name: values.detach().cpu().numpy().copy()
                for name, values in net.module_.named_parameters()
            }
        )
