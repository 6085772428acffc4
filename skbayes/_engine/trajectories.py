"""The net of samplers that evaluate the whole potential: an epoch is a trajectory."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from skbayes._engine.net import StackNet
from skbayes._engine.rows import Batch, Rows

#: Bytes that the activations of one block of rows may take.
BLOCK_BYTES = 2**27


class TrajectoryNet(StackNet):
    """A net whose optimizer's step takes a closure and visits many points.

    The closure evaluates the potential of all rows over their number, the prior included, in
    blocks that bound the memory of the activations; gradients add up over blocks.
    """

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Callable, **fit_params: Any
    ) -> None:
        """Run one trajectory and write its history row.

        Parameters
        ----------
        iterator : MemberBatches or None
            Only its rows are used.
        training : bool
        prefix : {"train", "valid"}
            Prefix of the history's keys.
        step_fn : callable
            Not used.
        **fit_params
            Not used; skorch's signature.
        """
        if iterator is None:
            return
        rows = iterator.rows
        self.module_.eval()  # dropout would make the potential another one at every call
        losses = self.optimizer_.step(lambda: self.potential(rows))
        loss = losses.mean().item()
        best = min((row[prefix + "_loss"] for row in self.history[:-1]), default=loss)
        self.history.record(prefix + "_loss", loss)
        self.history.record(prefix + "_loss_best", loss <= best)
        self.history.new_batch()  # skorch's Checkpoint asks for the last one
        if self.on_step is not None:
            self.on_step(self)

    def potential(self, rows: Rows) -> Tensor:
        """Potential over the number of data; leaves its gradient in the parameters.

        Parameters
        ----------
        rows : Rows

        Returns
        -------
        torch.Tensor of shape (members,)
        """
        self.forget_gradients()
        n_members = self._weights[0].shape[0]
        total: Tensor | None = None
        for batch in self._blocks(rows, n_members):
            share = batch.X.shape[-2] / len(rows)
            if share < 1 and batch.weight is None:
                batch = batch._replace(weight=batch.X.new_ones(batch.X.shape[-2]))
            # a block is a part of the mean: the weights are as much larger that it is held against
            losses = self.backward(batch, rows.mean_weight / share)
            total = losses if total is None else total + losses
        assert total is not None
        weight = 1.0 / self.n_data
        self.prior.add_gradient(weight)
        return total + self.prior.energy(n_members) * weight

    def _blocks(self, rows: Rows, n_members: int) -> Iterator[Batch]:
        # backward keeps the activations of every layer; a tensor's axes bound those at its ends
        width = rows.n_features + sum(max(p.shape[1:], default=1) for p in self._weights)
        size = max(BLOCK_BYTES // (n_members * width * self._weights[0].element_size()), 1)
        for start in range(0, len(rows), size):
            if size >= len(rows):
                yield rows.everything()
            else:
                yield rows.take(torch.arange(start, min(start + size, len(rows))))
