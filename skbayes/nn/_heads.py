"""What a regression network ends in: a mean and the logarithm of the noise's deviation."""

import torch
from torch import Tensor, nn


class SharedNoise(nn.Module):
    """A network of the mean beside one noise for all rows.

    Parameters
    ----------
    net : torch.nn.Module
        Stacked module with one output.
    log_scale : float
        First value of the logarithm of the noise's standard deviation.
    log_floor : float, default=-inf
        Logarithm of what is added to the noise's standard deviation.

    Attributes
    ----------
    net : torch.nn.Module
    log_scale : torch.nn.Parameter of shape (n_members, 1)
        The logarithm of the noise above the floor, one a member.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import SharedNoise, StackedMLP
    >>> net = SharedNoise(StackedMLP(3, (8,), 1, n_members=5), log_scale=0.0)
    >>> net(torch.zeros(7, 3)).shape
    torch.Size([5, 7, 2])
    """

    log_floor: Tensor

    def __init__(self, net: nn.Module, log_scale: float, log_floor: float = -float("inf")) -> None:
        super().__init__()
        self.net = net
        first = next(net.parameters())
        self.log_scale = nn.Parameter(
            torch.full((first.shape[0], 1), log_scale, dtype=first.dtype, device=first.device)
        )
        self.register_buffer("log_floor", torch.full_like(self.log_scale.detach(), log_floor))

    def forward(self, X: Tensor) -> Tensor:
        """Means and logarithms of the noise.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)

        Returns
        -------
        torch.Tensor of shape (members, rows, 2)
        """
        mean = self.net(X)
        noise = torch.logaddexp(self.log_scale, self.log_floor)
        return torch.cat([mean, noise.unsqueeze(1).expand_as(mean)], -1)


class RowNoise(nn.Module):
    """A network whose second output is the noise of every row.

    Parameters
    ----------
    net : torch.nn.Module
        Stacked module with two outputs.
    log_scale : float
        Logarithm of the noise (above the floor) where the second output is 0.
    log_floor : float, default=-inf
        Logarithm of what is added to the noise's standard deviation.
    gain : float, default=1
        What the second output is multiplied by.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import RowNoise, StackedMLP
    >>> net = RowNoise(StackedMLP(3, (8,), 2, n_members=5), log_scale=0.0)
    >>> net(torch.zeros(7, 3)).shape
    torch.Size([5, 7, 2])
    """

    gain: Tensor
    shift: Tensor

    log_floor: Tensor

    def __init__(
        self,
        net: nn.Module,
        log_scale: float,
        log_floor: float = -float("inf"),
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.net = net
        dtype = next(net.parameters()).dtype
        # buffers, with an axis of members as all in a stack: they travel with it
        n_members = next(net.parameters()).shape[0]
        self.register_buffer("gain", torch.tensor([[[1.0, gain]]] * n_members, dtype=dtype))
        self.register_buffer("shift", torch.tensor([[[0.0, log_scale]]] * n_members, dtype=dtype))
        self.register_buffer("log_floor", torch.full((n_members, 1, 1), log_floor, dtype=dtype))

    def forward(self, X: Tensor) -> Tensor:
        """Means and logarithms of the noise.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)

        Returns
        -------
        torch.Tensor of shape (members, rows, 2)
        """
        mean, noise = torch.addcmul(self.shift, self.net(X), self.gain).split(1, -1)
        return torch.cat([mean, torch.logaddexp(noise, self.log_floor)], -1)
