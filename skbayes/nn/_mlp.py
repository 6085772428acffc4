"""Multilayer perceptrons with hand-stacked weights: all members in one batched matrix product."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skbayes.nn._activations import ACTIVATIONS, IN_PLACE


class StackedLinear(nn.Module):
    """``n_members`` linear layers, one batched product.

    Parameters
    ----------
    in_features, out_features : int
        Widths, as in :class:`torch.nn.Linear`.
    n_members : int
        Number of layers held.
    generator : torch.Generator, optional
        Source of the initial weights, drawn as :class:`torch.nn.Linear` draws its own:
        uniform within ``1 / sqrt(in_features)``.
    dtype : torch.dtype, optional
        Type of the weights.

    Attributes
    ----------
    weight : torch.nn.Parameter of shape (n_members, out_features, in_features)
    bias : torch.nn.Parameter of shape (n_members, out_features)
        A member's slice is the ``state_dict`` of a :class:`torch.nn.Linear`.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedLinear
    >>> layer = StackedLinear(3, 2, n_members=5, generator=torch.Generator().manual_seed(0))
    >>> layer(torch.zeros(7, 3)).shape
    torch.Size([5, 7, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        n_members: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(in_features)

        def uniform(*shape: int) -> nn.Parameter:
            # drawn in float64 whatever the dtype: one seed means the same network in all of them
            values = torch.empty(n_members, *shape, dtype=torch.float64)
            values.uniform_(-bound, bound, generator=generator)
            return nn.Parameter(values.to(dtype or torch.get_default_dtype()))

        self.weight = uniform(out_features, in_features)
        self.bias = uniform(out_features)

    def forward(self, X: Tensor) -> Tensor:
        """Map ``(rows, in)``, shared by all members, or ``(members, rows, in)``.

        Parameters
        ----------
        X : torch.Tensor
            Input.

        Returns
        -------
        torch.Tensor of shape (members, rows, out)
        """
        n_members = self.weight.shape[0]
        if n_members == 1:
            # one member needs no batched product, whose set-up costs more than the layer
            # (squeeze, unlike [0], is a view whose gradient is free)
            rows = X if X.ndim == 2 else X.squeeze(0)
            weight, bias = self.weight.squeeze(0), self.bias.squeeze(0)
            return nn.functional.linear(rows, weight, bias).unsqueeze(0)
        if X.ndim == 2:
            X = X.expand(n_members, *X.shape)
        return torch.baddbmm(self.bias.unsqueeze(1), X, self.weight.mT)

    def extra_repr(self) -> str:
        """Describe the shape, as torch's modules do.

        Returns
        -------
        str
        """
        members, out_features, in_features = self.weight.shape
        return f"in_features={in_features}, out_features={out_features}, n_members={members}"


class StackedMLP(nn.Module):
    """``n_members`` multilayer perceptrons of one shape.

    Parameters
    ----------
    n_features : int
        Width of the input.
    hidden_layer_sizes : sequence of int
        Widths of the hidden layers; empty for a linear model.
    n_outputs : int
        Width of the output.
    n_members : int
        Number of networks held.
    activation : str, default="relu"
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    generator : torch.Generator, optional
        Source of the initial weights.
    dtype : torch.dtype, optional
        Type of the weights.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedMLP
    >>> net = StackedMLP(3, (8,), 2, n_members=5, generator=torch.Generator().manual_seed(0))
    >>> net(torch.zeros(7, 3)).shape
    torch.Size([5, 7, 2])
    """

    def __init__(
        self,
        n_features: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        n_members: int,
        *,
        activation: str = "relu",
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        widths = [n_features, *hidden_layer_sizes, n_outputs]
        self.activation = activation
        self.layers = nn.ModuleList(
            StackedLinear(a, b, n_members, generator=generator, dtype=dtype)
            for a, b in itertools.pairwise(widths)
        )

    def forward(self, X: Tensor) -> Tensor:
        """Outputs of every member.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)
            Input, shared by all members or one block a member.

        Returns
        -------
        torch.Tensor of shape (members, rows, outputs)
        """
        return self.layers[-1](self.hidden(X))

    def hidden(self, X: Tensor) -> Tensor:
        """What the last layer sees.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)
            Input.

        Returns
        -------
        torch.Tensor of shape (members, rows, units)
            X itself if there is no hidden layer.
        """
        activate = IN_PLACE.get(self.activation, ACTIVATIONS[self.activation])
        for layer in self.layers[:-1]:
            X = activate(layer(X))
        return X


def unit_gain_(stack: StackedMLP) -> None:
    """Go from torch's initial weights to some of variance 1 / fan_in, and biases to zero (LeCun).

    They keep the scale of the data: deep maps that start nearly constant learn worse codes.

    Parameters
    ----------
    stack : StackedMLP
        Changed in place.
    """
    with torch.no_grad():
        for p in stack.parameters():
            p.mul_(math.sqrt(3.0) if p.ndim == 3 else 0.0)
