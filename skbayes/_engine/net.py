"""The one skorch net: members or chains train together, with one history row an epoch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, LRScheduler
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping
from torch import Tensor

from skbayes._engine.callbacks import StopTraining
from skbayes._engine.prior import Prior
from skbayes._engine.rows import Batch
from skbayes.nn._pull_back import can_pull_back, output_and_pull_back

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")

#: A training loss so many times larger than before the first step (plus one) has diverged, though
#: it be finite: Adam's steps are bounded, so that with an absurd rate nothing overflows.
DIVERGED = 1e6


class StackNet(NeuralNet):
    """skorch's net for a stacked module.

    The criterion maps ``(output, batch)`` to a loss a member and row; a member's loss is the
    weighted mean of its rows divided by the **global** mean weight (dividing by the batch's own
    would be biased), and the sum over members is differentiated. Members share no weights, so with
    an elementwise optimizer each trains exactly as it would alone.

    Parameters
    ----------
    *args, **kwargs
        As for :class:`skorch.NeuralNet`.
    precisions : sequence of float, optional
        Precision of the Gaussian prior of every parameter tensor; none by default.
    half_normal : mapping of str to float, optional
        As for :class:`~skbayes._engine.prior.Prior`.
    anchors : mapping of str to torch.Tensor, optional
        As for :class:`~skbayes._engine.prior.Prior`.
    n_data : float, default=1
        Number of data, by which the prior's part of the mean loss is divided.
    on_step : callable, optional
        Called with the net after every step.

    Attributes
    ----------
    rescue : callable or None
        Asked when members have diverged: returns whether it has put them right.
    """

    rescue: Callable[[], bool] | None = None

    _start_loss: Tensor | None = None
    _last_batch: Batch | None = None

    def __init__(
        self,
        *args: Any,
        precisions: Sequence[float] | None = None,
        half_normal: Mapping[str, float] | None = None,
        anchors: Mapping[str, Tensor] | None = None,
        n_data: float = 1.0,
        on_step: Callable[["StackNet"], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.precisions = precisions
        self.half_normal = half_normal
        self.anchors = anchors
        self.n_data = n_data
        self.on_step = on_step

    def initialize(self) -> "StackNet":
        """Initialise, and list the parameters once instead of at every step.

        Returns
        -------
        StackNet
            Itself.
        """
        super().initialize()
        self._best: dict[str, float] = {}
        self._weights = list(self.module_.parameters())
        self._choose_gradient()
        precisions = self.precisions or [0.0] * len(self._weights)
        self.prior = Prior(self.module_, precisions, self.half_normal, self.anchors)
        return self

    # -- one step -------------------------------------------------------------------------------

    def row_losses(self, batch: Batch) -> Tensor:
        """Losses of every member on every row.

        Parameters
        ----------
        batch : Batch

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        return self.criterion_(self.module_(batch.X), batch)

    def member_losses(self, batch: Batch, mean_weight: float) -> Tensor:
        """Weighted mean loss of every member.

        Parameters
        ----------
        batch : Batch
        mean_weight : float
            Mean weight over all rows of the training data.

        Returns
        -------
        torch.Tensor of shape (members,)
        """
        losses = self.row_losses(batch)
        if batch.weight is not None:
            losses = losses * (batch.weight / mean_weight)
        return losses.mean(1)

    def _choose_gradient(self) -> None:
        known = hasattr(self.criterion_, "with_gradient")
        self._closed_form = known and can_pull_back(self.module_)

    def forget_gradients(self) -> None:
        """Do what the optimizer's ``zero_grad`` does, at a tenth of the cost."""
        for parameter in self._weights:
            parameter.grad = None

    def backward(self, batch: Batch, mean_weight: float) -> Tensor:
        """Add the gradients of the members' losses to those that the parameters have.

        In closed form where module and criterion have one, else by autograd.

        Parameters
        ----------
        batch : Batch
        mean_weight : float
            As for :meth:`member_losses`.

        Returns
        -------
        torch.Tensor of shape (members,)
            The losses, detached.
        """
        if not self._closed_form:
            return self._differentiate(batch, mean_weight)
        with torch.no_grad():
            output, pull_back = output_and_pull_back(self.module_, batch.X)
            losses, gradient = self.criterion_.with_gradient(output, batch)
            if batch.weight is None:
                pull_back(gradient.mul_(1.0 / losses.shape[1]))
            else:
                weight = (batch.weight / mean_weight).expand_as(losses)
                losses = losses * weight
                pull_back(gradient.mul_((weight * (1.0 / losses.shape[1])).unsqueeze(-1)))
        return losses.mean(1)

    def _differentiate(self, batch: Batch, mean_weight: float, share: float = 1.0) -> Tensor:
        """Add the gradients of a share of the losses, by autograd."""
        with torch.enable_grad():
            losses = self.member_losses(batch, mean_weight)
            (share * losses.sum()).backward()
        return losses.detach()

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Take one optimizer step.

        Parameters
        ----------
        batch : Batch
        **fit_params
            Not used; skorch's signature.

        Returns
        -------
        dict
            ``loss``: the members' losses, detached, not synchronised with the host.
        """
        self.forget_gradients()
        losses = self.backward(batch, self._mean_weight)
        self.prior.add_gradient(1.0 / self.n_data)
        self._tell_of_gradient(batch)
        # a sampler's step without torch's hooks around it; other optimizers have those only
        getattr(self.optimizer_, "advance", self.optimizer_.step)()
        return {"loss": losses, "y_pred": None}

    def _tell_of_gradient(self, batch: Batch) -> None:
        if self._loud:
            self.notify(
                "on_grad_computed",
                named_parameters=list(self.module_.named_parameters()),
                batch=batch,
                training=True,
            )

    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Evaluate one batch of held-back rows.

        Parameters
        ----------
        batch : Batch
        **fit_params
            Not used; skorch's signature.

        Returns
        -------
        dict
            ``loss``, as in :meth:`train_step`.
        """
        with torch.no_grad():
            return {"loss": self.member_losses(batch, self._mean_weight), "y_pred": None}

    # -- the loop -------------------------------------------------------------------------------

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Callable, **fit_params: Any
    ) -> None:
        """Run an epoch and write its one history row.

        Parameters
        ----------
        iterator : iterable of Batch or None
        training : bool
        prefix : {"train", "valid"}
            Prefix of the history's keys.
        step_fn : callable
            Batch -> dict with the members' losses.
        **fit_params
            Not used; skorch's signature.

        Raises
        ------
        ValueError
            If a member's loss is not finite: training has diverged.
        """
        if iterator is None:
            return
        self.module_.train(training)
        self._choose_gradient()  # callbacks may have frozen parameters, or watch a layer
        start, batch = self._start_loss, None
        self._mean_weight = iterator.rows.mean_weight
        self._loud = loud = training and self._watches_batches()
        total: Tensor | None = None
        n_rows = 0
        for batch in iterator:
            if loud:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            size = batch.X.shape[-2]
            n_rows += size
            if training and start is None:
                start = step["loss"].abs() + 1.0
            total = step["loss"] * size if total is None else total.add_(step["loss"], alpha=size)
            if loud:
                self.history.record_batch(prefix + "_loss", step["loss"].mean().item())
                self.history.record_batch(prefix + "_batch_size", size)
                self.notify("on_batch_end", batch=batch, training=training, **step)
            if training and self.on_step is not None:
                self.on_step(self)
        if total is None:
            return
        means = total / n_rows
        self._check_losses(means, start if training else None, prefix)
        means = means[means.isfinite()]
        if training:
            self._start_loss, self._last_batch = start, batch
            if not loud:
                self.history.new_batch()  # skorch's Checkpoint asks for the last one
        loss = means.mean().item()
        if prefix not in self._best:  # a callback may have loaded the history of a net before
            before = [row[prefix + "_loss"] for row in self.history if prefix + "_loss" in row]
            self._best[prefix] = min(before, default=loss)
        best = self._best[prefix] = min(self._best[prefix], loss)
        self.history.record(prefix + "_loss", loss)
        self.history.record(prefix + "_loss_best", loss <= best)

    def _check_losses(self, losses: Tensor, start: Tensor | None, prefix: str) -> None:
        bad = ~torch.isfinite(losses)
        if start is not None:
            bad |= losses > DIVERGED * start
        if bool(bad.any()) and not (self.rescue is not None and self.rescue()):
            raise ValueError(
                f"Training diverged: the {prefix} loss of at least one member became "
                f"{losses[bad][0].item():.3g} in epoch {len(self.history)}. Use a smaller step "
                "(learning_rate_init or step_size), or scale the input."
            )

    def _watches_batches(self) -> bool:
        """Whether some callback wants to hear of batches; if none does, none is told."""
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            # it has a hook for batches, but leaves it at once
            if not (isinstance(callback, LRScheduler) and callback.step_every == "epoch")
            for hook in _BATCH_HOOKS
        )

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call the callbacks; tell a callback's wish to stop from a user's Ctrl-C.

        Parameters
        ----------
        method_name : str
        **cb_kwargs
            Passed on.
        """
        getattr(self, method_name)(self, **cb_kwargs)
        stop = False  # only once every callback has been told
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except StopTraining:
                stop = True
            except KeyboardInterrupt:
                # skorch's EarlyStopping ends training by raising what Ctrl-C raises
                if not (
                    isinstance(callback, SkorchEarlyStopping)
                    and callback.misses_ >= callback.patience
                ):
                    raise
                stop = True
        if stop:
            raise StopTraining

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Any:
        """Train on from where the net stands; unlike skorch's, let Ctrl-C through.

        Parameters
        ----------
        X : Rows
        y : None
        classes : None
        **fit_params
            Not used; skorch's signature.

        Returns
        -------
        StackNet
            Itself.
        """
        if not self.initialized_:
            self.initialize()
        self._start_loss, self._last_batch = None, None
        try:
            self.notify("on_train_begin", X=X, y=y)
            self.fit_loop(X)
        except StopTraining:
            pass
        self.module_.eval()
        self.notify("on_train_end", X=X, y=y)
        if self._last_batch is not None:
            # an epoch's losses are those before its steps: look where the last one led
            with torch.no_grad():
                losses = self.member_losses(self._last_batch, X.mean_weight)
            self._check_losses(losses, self._start_loss, "train")
        self._last_batch = None
        return self
