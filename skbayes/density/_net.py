"""The net that trains autoencoders: its criterion sees the module, not one output of it."""

import torch
from torch import Tensor

from skbayes._engine.net import StackNet
from skbayes._engine.rows import Batch
from skbayes.density._closed_form import has_closed_form, losses_and_pull_back
from skbayes.nn import RelevancePrior


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
        if not self._closed_form or batch.weight is not None:
            self._closed_form = False
            return super().backward(batch, mean_weight)
        with torch.no_grad():
            losses, pull_back = losses_and_pull_back(self.criterion_, self.module_, batch)
            pull_back(torch.full_like(losses, 1.0 / losses.shape[1]))
            return losses.mean(1)
