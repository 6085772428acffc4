"""Dropout in a stacked multilayer perceptron, as noise in training and as draws afterwards."""

import copy

import torch
from torch import Tensor, nn

from skbayes.nn._activations import ACTIVATIONS
from skbayes.nn._mlp import StackedMLP


class DropoutMLP(StackedMLP):
    """A stacked perceptron whose hidden units are left out at random while it trains.

    In training every row has a mask of its own at every step. Rows that are equal have the same
    one, so that a row of weight 2 is two rows: masks are hashed from the bits of the row and a
    number that is drawn anew for every layer and step. The weights are those of the perceptron,
    under the names that they have there.

    Parameters
    ----------
    net : StackedMLP
    dropout : float
        Probability of being left out.
    generator : torch.Generator
        Source of the masks; torch's global state is never used.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedMLP
    >>> from skbayes.nn._dropout import DropoutMLP, masked_draws
    >>> net = DropoutMLP(StackedMLP(3, (8,), 2, n_members=1), 0.1, torch.Generator())
    >>> net(torch.zeros(7, 3)).shape
    torch.Size([1, 7, 2])
    >>> masked_draws(net.net, 0.1, 5, torch.Generator())["layers.1.weight"].shape
    torch.Size([5, 2, 8])
    """

    def __init__(self, net: StackedMLP, dropout: float, generator: torch.Generator) -> None:
        nn.Module.__init__(self)  # the layers are there
        self.activation = net.activation
        self.layers = net.layers
        self.dropout = dropout
        self._generator = generator

    @property
    def net(self) -> StackedMLP:
        """The perceptron, of the same weights."""
        bare = StackedMLP.__new__(StackedMLP)
        nn.Module.__init__(bare)
        bare.activation, bare.layers = self.activation, self.layers
        return bare

    def forward(self, X: Tensor) -> Tensor:
        """Outputs, with other units left out at every call in training mode.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)

        Returns
        -------
        torch.Tensor of shape (members, rows, outputs)
        """
        if not self.training or self.dropout == 0:
            return super().forward(X)
        activate = ACTIVATIONS[self.activation]
        *hidden, last = self.layers
        rows = hash_rows(X.detach())
        for layer in hidden:
            X = activate(layer(X))
            key = torch.empty((), dtype=torch.int64, device=X.device)
            key.random_(generator=self._generator)
            kept = hashed_mask(rows, X.shape[2], key, self.dropout)
            X = X * (kept / (1.0 - self.dropout)).to(X.dtype)
        return last(X)

    def __deepcopy__(self, memo: dict[int, object]) -> "DropoutMLP":
        return DropoutMLP(copy.deepcopy(self.net, memo), self.dropout, self._generator)

    def __getstate__(self) -> dict[str, object]:
        # a generator cannot be pickled, and is not needed but to train
        return {**self.__dict__, "_generator": None}


def hash_rows(X: Tensor) -> Tensor:
    """A number a row that depends on its values alone.

    Parameters
    ----------
    X : torch.Tensor of shape (..., rows, features), float32 or float64

    Returns
    -------
    torch.Tensor of int64, of shape (..., rows)

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn._dropout import hash_rows
    >>> a, b, c = hash_rows(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -0.0]]))
    >>> bool(a == c), bool(a == b)
    (True, False)
    """
    bits = (X + 0.0).view(torch.int32 if X.element_size() == 4 else torch.int64)  # no -0
    place = torch.arange(1, X.shape[-1] + 1, device=X.device)
    return _mix(_mix(bits.to(torch.int64)) + _mix(place)).sum(-1)


def hashed_mask(rows: Tensor, n_units: int, key: Tensor, dropout: float) -> Tensor:
    """Which units a row keeps.

    Parameters
    ----------
    rows : torch.Tensor of int64, of shape (..., rows)
        From :func:`hash_rows`.
    n_units : int
    key : torch.Tensor of int64, of shape ()
        Another one gives other masks.
    dropout : float
        Share that is left out, to 2^-24.

    Returns
    -------
    torch.Tensor of bool, of shape (..., rows, n_units)
    """
    units = _mix(torch.arange(1, n_units + 1, device=rows.device) + _mix(key))
    return (_mix(rows.unsqueeze(-1) + units) >> 20) & 0xFFFFFF >= int(dropout * 2**24)


def _mix(x: Tensor) -> Tensor:
    """Scramble integers; they wrap around (the finalizer of MurmurHash3)."""
    x = (x ^ (x >> 33)) * -49064778989728563  # 0xFF51AFD7ED558CCD
    x = (x ^ (x >> 33)) * -4265267296055464877  # 0xC4CEB9FE1A85EC53
    return x ^ (x >> 33)


@torch.no_grad()
def masked_draws(
    net: StackedMLP, dropout: float, n_draws: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Weights of networks with hidden units left out.

    Leaving a unit out is leaving out what the next layer makes of it: a draw is a set of weights
    with some columns 0 and the others larger by ``1 / (1 - dropout)``.

    Parameters
    ----------
    net : StackedMLP
        Of one member.
    dropout : float
    n_draws : int
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    dict of str to torch.Tensor
        For every parameter of ``net`` a tensor with a leading axis of draws.
    """
    draws = {
        name: p.detach().expand(n_draws, *p.shape[1:]).clone() for name, p in net.named_parameters()
    }
    for number in range(1, len(net.layers)):
        weight = draws[f"layers.{number}.weight"]
        kept = torch.empty(n_draws, 1, weight.shape[2], dtype=weight.dtype)
        kept.bernoulli_(1.0 - dropout, generator=generator).div_(1.0 - dropout)
        weight.mul_(kept.to(weight.device))
    return draws
