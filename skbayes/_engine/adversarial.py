"""The net of adversarial training: every step also sees the rows moved against it."""

from typing import Any

import torch

from skbayes._engine.net import StackNet
from skbayes._engine.rows import Batch


class AdversarialNet(StackNet):
    r"""A net whose loss is the mean of that at the rows and that at their fast gradient signs.

    Every member sees its own :math:`x + \epsilon \operatorname{sign} \nabla_x \ell(x)`
    (Goodfellow, Shlens and Szegedy 2015).

    Attributes
    ----------
    shift : torch.Tensor of shape (features,)
        The step :math:`\epsilon` for every feature.
    """

    shift: torch.Tensor

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
            ``loss``: the members' mean losses.
        """
        self.forget_gradients()
        n_members = self._weights[0].shape[0]
        X = batch.X if batch.X.ndim == 3 else batch.X.expand(n_members, *batch.X.shape)
        X = X.detach().requires_grad_(True)
        losses = self.member_losses(batch._replace(X=X), self._mean_weight)
        (0.5 * losses).sum().backward()
        if X.grad is None:
            raise ValueError(
                "adversarial_epsilon needs the gradient of the loss by X, but the module gives "
                "none (does it round or look up its input?): use adversarial_epsilon=None"
            )
        moved = X.detach() + self.shift * X.grad.sign()
        against = self.member_losses(batch._replace(X=moved), self._mean_weight)
        (0.5 * against).sum().backward()
        self.prior.add_gradient(1.0 / self.n_data)
        self._tell_of_gradient(batch)
        self.optimizer_.step()
        return {"loss": 0.5 * (losses + against).detach(), "y_pred": None}
