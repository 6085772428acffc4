"""Callbacks of the engine's own: stopping, and the bridge to scikit-learn's callback protocol."""

from typing import Any

import numpy as np
from skorch.callbacks import Callback
from torch import Tensor


class StopTraining(Exception):
    """Raised by a callback to end training in good order.

    skorch's own idiom is ``KeyboardInterrupt``, which cannot be told from a user's Ctrl-C.
    """


class EarlyStopping(Callback):
    """Stop when a loss has not improved for some epochs.

    Parameters
    ----------
    monitor : str, default="valid_loss"
        Key of the history.
    patience : int, default=10
        Number of epochs without improvement.
    tol : float, default=1e-4
        Least improvement that counts.

    Notes
    -----
    The weights of the best epoch are put back at the end, as ``MLPClassifier`` does.
    """

    def __init__(self, monitor: str = "valid_loss", patience: int = 10, tol: float = 1e-4) -> None:
        self.monitor = monitor
        self.patience = patience
        self.tol = tol

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget what an earlier training saw."""
        self.best_ = np.inf
        self.misses_ = 0
        self.best_weights_: dict[str, Tensor] = {}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Compare the epoch with the best so far."""
        loss = net.history[-1, self.monitor]
        if loss < self.best_ - self.tol:
            self.misses_ = 0
        else:
            self.misses_ += 1
        if loss < self.best_:
            self.best_ = loss
            state = net.module_.state_dict()
            self.best_weights_ = {name: values.clone() for name, values in state.items()}
        if self.misses_ >= self.patience:
            raise StopTraining

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best epoch."""
        if self.best_weights_:
            net.module_.load_state_dict(self.best_weights_)
        self.best_weights_ = {}


class SklearnBridge(Callback):
    """Report every epoch to the scikit-learn callbacks that the estimator was given.

    Parameters
    ----------
    estimator : estimator
        The estimator in whose ``fit`` the net trains.
    context : sklearn.callback.CallbackContext
        The task that the epochs belong to.
    task_name : str, default="epoch"
        What an epoch is called in a progress bar.
    """

    def __init__(self, estimator: Any, context: Any, task_name: str = "epoch") -> None:
        self.estimator = estimator
        self.context = context
        self.task_name = task_name

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the epoch's task."""
        self.task_ = self.context.subcontext(task_name=self.task_name)
        self.task_.call_on_fit_task_begin(estimator=self.estimator)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Close it; a callback may ask to stop here."""
        if self.task_.call_on_fit_task_end(estimator=self.estimator):
            raise StopTraining
