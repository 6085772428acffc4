"""The prior's part of the potential: Gaussian weights, and half-normal scales of noise."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Prior:
    r"""Negative logarithm of the prior of a stacked module's parameters, and its gradient.

    Gaussian tensors contribute :math:`\tfrac12 q |\theta|^2`. A tensor :math:`t` that is the
    logarithm of a standard deviation contributes
    :math:`e^{2t} / (2 s^2) - t`: the half-normal density of scale s of :math:`e^t`, with the
    Jacobian of the logarithm.

    Parameters
    ----------
    module : torch.nn.Module
        Initialised, and where it will stay.
    precisions : sequence of float
        The precision q of every tensor, in the order of ``module.parameters()``.
    half_normal : mapping of str to float, optional
        Name of a tensor of logarithms -> scale s; its precision is not used.
    anchors : mapping of str to torch.Tensor, optional
        Name of a Gaussian tensor -> its mean, 0 by default.
    """

    def __init__(
        self,
        module: nn.Module,
        precisions: Sequence[float],
        half_normal: Mapping[str, float] | None = None,
        anchors: Mapping[str, Tensor] | None = None,
    ) -> None:
        scales = dict(half_normal or {})
        named = zip(module.named_parameters(), precisions, strict=True)
        self._gaussian = [
            (p, q, anchors[name].to(p) if anchors and name in anchors else None)
            for (name, p), q in named
            if q and p.requires_grad and name not in scales
        ]
        self._weights: list[Tensor] = [p for p, _, _ in self._gaussian]
        different = {q if anchor is None else None for _, q, anchor in self._gaussian}
        self._shared = different.pop() if len(different) == 1 else None
        self._logarithms = [(module.get_parameter(name), s) for name, s in scales.items()]

    @torch.no_grad()
    def add_gradient(self, weight: float) -> None:
        """Add the gradient to those that the loss left.

        Parameters
        ----------
        weight : float
            What it is multiplied by: one over the number of data, where the loss is a mean.
        """
        gradients = [p.grad for p in self._weights if p.grad is not None]
        if self._shared is not None and len(gradients) == len(self._weights):
            # one call for all tensors
            torch._foreach_add_(gradients, self._weights, alpha=self._shared * weight)
        else:
            for parameter, precision, anchor in self._gaussian:
                change = _centred(parameter, anchor)
                if parameter.grad is not None:
                    parameter.grad.add_(change, alpha=precision * weight)
                elif parameter.requires_grad:  # the loss does not see it, the prior does
                    parameter.grad = change * (precision * weight)
        for logarithm, scale in self._logarithms:
            slope = (2.0 * logarithm).exp_().div_(scale**2).sub_(1.0)
            if logarithm.grad is not None:
                logarithm.grad.add_(slope, alpha=weight)

    @torch.no_grad()
    def energy(self, n_members: int) -> Tensor:
        """Negative log density of every member, up to a constant.

        Parameters
        ----------
        n_members : int

        Returns
        -------
        torch.Tensor of shape (n_members,), or () where nothing has a prior
        """
        parts = [
            0.5 * precision * _centred(parameter, anchor).reshape(n_members, -1).square().sum(1)
            for parameter, precision, anchor in self._gaussian
        ] + [
            ((2.0 * logarithm).exp() / (2.0 * scale**2) - logarithm).reshape(n_members, -1).sum(1)
            for logarithm, scale in self._logarithms
        ]
        return torch.stack(parts).sum(0) if parts else torch.zeros(())


def _centred(parameter: Tensor, anchor: Tensor | None) -> Tensor:
    return parameter if anchor is None else parameter - anchor
