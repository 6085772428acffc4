"""The net that trains autoencoders: its criterion sees the module, not one output of it."""

from math import ceil

import torch
from torch import Tensor

from skbayes._engine.net import StackNet
from skbayes._engine.rows import Batch
from skbayes.density._blocks import MIN_ROWS
from skbayes.density._closed_form import has_closed_form, losses_and_pull_back
from skbayes.nn import RelevancePrior, StackedModule, VampPrior

#: Criteria whose loss is a sum over rows.
ROW_BY_ROW = frozenset({"mse", "elbo", "iwae"})
#: Memory that one layer's activations of a batch may take in training; a step holds some twenty.
STEP_BYTES = {"cpu": 2**23, "cuda": 2**28}


class VAENet(StackNet):
    """The net of autoencoders; as :class:`~skbayes._engine.net.StackNet`."""

    def row_losses(self, batch: Batch) -> Tensor:
        """Losses of every member on every row.

        Parameters
        ----------
        batch : Batch

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        losses = self.criterion_(self.module_, batch)
        vae = self.module_
        if isinstance(vae.prior, RelevancePrior):
            noise = vae.noise_var().detach().mean((1, 2))
            energy = vae.prior.energy(self.n_data, noise)
            losses = losses + (energy / self.n_data).unsqueeze(1)
        return losses

    def _choose_gradient(self) -> None:
        self._closed_form = has_closed_form(self.module_, self.criterion_)

    def backward(self, batch: Batch, mean_weight: float) -> Tensor:
        """Add the gradients of the members' losses to those that the parameters have.

        Where rows are so wide that their activations would take much memory, piece by piece.

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
        n_rows, step = batch.X.shape[-2], self._rows_at_once(batch)
        if n_rows <= step:
            return self._backward_of(batch, mean_weight, 1.0)
        total = torch.zeros(())
        for piece in batch.X.split(step, dim=-2):
            share = piece.shape[-2] / n_rows
            losses = self._backward_of(Batch(piece, None, None), mean_weight, share)
            total = total + share * losses
        return total

    def _rows_at_once(self, batch: Batch) -> int:
        """Rows that a step's gradient may be taken of; all of them, where rows are coupled."""
        vae, settings = self.module_, self.criterion_.settings
        n_rows = batch.X.shape[-2]
        own = not any(isinstance(net, StackedModule) for net in (vae.encoder, vae.decoder))
        if not own or batch.weight is not None or settings.trim:
            return n_rows
        if settings.criterion not in ROW_BY_ROW or isinstance(vae.prior, VampPrior):
            return n_rows  # the rows that are the prior's centres would be encoded for every piece
        n_samples = settings.n_samples if settings.criterion == "iwae" else 1
        row_bytes = vae.n_members * vae.width * n_samples * batch.X.element_size()
        fit = STEP_BYTES.get(batch.X.device.type, STEP_BYTES["cuda"]) // row_bytes
        n_pieces = ceil(n_rows / max(fit, MIN_ROWS))
        return ceil(n_rows / n_pieces)

    def _backward_of(self, batch: Batch, mean_weight: float, share: float) -> Tensor:
        """Add the gradient of a share of the loss."""
        if not self._closed_form or batch.weight is not None:
            self._closed_form = False
            return self._differentiate(batch, mean_weight, share)
        with torch.no_grad():
            losses, pull_back = losses_and_pull_back(self.criterion_, self.module_, batch)
            pull_back(torch.full_like(losses, share / losses.shape[1]))
            return losses.mean(1)
