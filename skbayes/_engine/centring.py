"""Training in the coordinates of centred columns, without a change to the network or its prior."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from skbayes._engine.rows import Rows
from skbayes.nn import RowNoise, SharedNoise, StackedLinear, StackedMLP

#: Means of less than this share of the columns' absolute values are rounding.
CENTRED = 1e-5


class Centring:
    r"""Coordinates of a first layer, :math:`W x + b`, in which columns have mean 0.

    With :math:`c = b + W \mu` the layer is :math:`W (x - \mu) + c`: the same function of other
    coordinates. Steps in W and c do not depend on the columns' origins, and are better conditioned
    where these are far from 0. What is stored stays W and b, and so does what has a prior.

    Parameters
    ----------
    layer : StackedLinear
    mean : torch.Tensor of shape (in_features,)
        Of the columns.

    Examples
    --------
    >>> import torch
    >>> from skbayes._engine.centring import Centring
    >>> from skbayes.nn import StackedLinear
    >>> layer = StackedLinear(3, 2, n_members=5)
    >>> layer.bias.data.zero_()[0]
    tensor([0., 0.])
    >>> Centring(layer, torch.ones(3)).leave()  # the bias was that of centred columns
    >>> bool(layer(torch.ones(1, 3)).abs().max() < 1e-6)
    True
    """

    def __init__(self, layer: StackedLinear, mean: torch.Tensor) -> None:
        self.layer, self.mean = layer, mean

    @torch.no_grad()
    def enter(self) -> None:
        """Store c in the place of b."""
        self.layer.bias.add_(self._at_mean())

    @torch.no_grad()
    def leave(self) -> None:
        """Store b again."""
        self.layer.bias.sub_(self._at_mean())

    def _at_mean(self) -> torch.Tensor:
        weight = self.layer.weight
        return weight @ self.mean.to(weight.device)

    @torch.no_grad()
    def turn_gradient(self) -> bool:
        """Make the gradient by W at fixed b that at fixed c.

        Returns
        -------
        bool
            Whether there was one; not if a callback has frozen the layer.
        """
        by_weight, by_bias = self.layer.weight.grad, self.layer.bias.grad
        if by_weight is None or by_bias is None:
            return False
        by_weight.addcmul_(by_bias.unsqueeze(-1), self.mean, value=-1.0)
        return True

    def optimizer(self, kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
        """Make an optimizer whose steps are taken in these coordinates.

        Parameters
        ----------
        kind : type
            Subclass of :class:`torch.optim.Optimizer` without weight decay.

        Returns
        -------
        type
            Subclass of ``kind``.
        """
        centring = self

        class Centred(kind):  # type: ignore[misc, valid-type]
            def step(self, closure: Any = None) -> Any:
                if not centring.turn_gradient():
                    return super().step(closure)
                centring.enter()
                loss = super().step(closure)
                centring.leave()
                return loss

        Centred.__name__ = Centred.__qualname__ = f"Centred{kind.__name__}"
        return Centred


@contextmanager
def in_coordinates(centring: Centring | None) -> Iterator[None]:
    """Change what is done within to these coordinates.

    Parameters
    ----------
    centring : Centring or None
        None changes nothing.

    Yields
    ------
    None
    """
    if centring is not None:
        centring.enter()
    try:
        yield
    finally:
        if centring is not None:
            centring.leave()


def find_centring(stack: nn.Module, rows: Rows) -> Centring | None:
    """Centring of the default network's first layer.

    Parameters
    ----------
    stack : torch.nn.Module
        On the rows' device by the time it is trained.
    rows : Rows

    Returns
    -------
    Centring or None
        None for a user's own module, of whose first layer nothing is known, and for columns that
        are centred already.
    """
    net = stack.net if isinstance(stack, SharedNoise | RowNoise) else stack
    if not isinstance(net, StackedMLP):
        return None
    layer = net.layers[0]
    assert isinstance(layer, StackedLinear)
    mean = rows.column_means()
    typical = rows.take(torch.arange(min(len(rows), 1000))).X.abs().mean(0)
    if bool((mean.abs() <= CENTRED * typical).all()):
        return None
    return Centring(layer, mean)
