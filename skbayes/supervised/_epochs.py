"""Training by epochs of Adam, which ensembles, the filter and dropout share."""

from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from skorch.callbacks import LRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from skbayes._engine.build import build_net, hold_back, prior_precisions
from skbayes._engine.centring import Centring
from skbayes._engine.moments import restore_optimizer
from skbayes._engine.net import StackNet
from skbayes._engine.rows import Rows, count_batches
from skbayes._engine.seeds import make_generator
from skbayes._sklearn import Interval, StrOptions
from skbayes.supervised._likelihood import Likelihood

#: What ``max_iter="auto"`` stands for: so many epochs, and no fewer steps than this.
AUTO_EPOCHS, AUTO_STEPS = 200, 2000
#: What ``batch_size="auto"`` stands for, where there are as many rows.
AUTO_BATCH = 200

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class EpochsMixin:
    """Members descend to modes, all together; a subclass says what the members are."""

    _epoch_constraints: ClassVar[dict[str, list]] = {
        "learning_rate": [StrOptions({"cosine", "constant"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "prior_scale": [StrOptions({"fan_in"}), Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def _train_epochs(
        self: Any,
        stack: nn.Module,
        rows: Rows,
        likelihood: Likelihood,
        rng: np.random.RandomState,
        epochs: int | str,
        *,
        anchors: Mapping[str, Tensor] | None = None,
        centring: Centring | None = None,
        net_class: type[StackNet] = StackNet,
        optimizer: str = "adam",
        optimizer_state: Mapping[int, Mapping[str, Any]] | None = None,
        batch_size: int | str | None = None,
    ) -> dict[str, Any]:
        """Train; return the net, its history and the number of epochs taken."""
        train_rows, valid_rows, callbacks = rows, None, []
        if self.early_stopping:
            train_rows, valid_rows, stopping = hold_back(self, rows, make_generator(rng))
            callbacks.append(stopping)
        batch_size = self.batch_size if batch_size is None else batch_size
        batch_size = AUTO_BATCH if batch_size == "auto" else int(batch_size)
        if isinstance(epochs, str):
            epochs = max(AUTO_EPOCHS, -(-AUTO_STEPS // count_batches(len(train_rows), batch_size)))
        if self.learning_rate == "cosine" and epochs > 0:
            callbacks.append(LRScheduler(CosineAnnealingLR, T_max=epochs))
        kind = OPTIMIZERS[optimizer]
        if centring is not None:
            kind = centring.optimizer(kind)
        net = build_net(
            stack,
            likelihood.criterion,
            # one fused kernel for all tensors, where the device has it
            partial(kind, fused=rows.device.type in ("cpu", "cuda")),
            train_rows,
            batch_size=min(batch_size, len(train_rows)),
            max_epochs=epochs,
            lr=self.learning_rate_init,
            shuffle=make_generator(rng),
            precisions=prior_precisions(stack, self.prior_scale),
            half_normal=likelihood.half_normal if self.prior_scale is not None else None,
            anchors=anchors,
            valid_rows=valid_rows,
            verbose=self.verbose,
            net_class=net_class,
        )
        if optimizer_state is not None:
            restore_optimizer(net.optimizer_, optimizer_state)
        trained = self._train(net, train_rows, "epoch", callbacks)
        return {**trained, "n_iter_": len(net.history)}
