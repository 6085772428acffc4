"""Convolutional networks with hand-stacked weights: all members in one grouped convolution."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skbayes.nn._activations import ACTIVATIONS
from skbayes.nn._mlp import StackedMLP, unit_gain_


class StackedConv2d(nn.Module):
    """``n_members`` convolutions that keep the size of the image, one grouped convolution.

    Parameters
    ----------
    in_channels, out_channels : int
    n_members : int
        Number of convolutions held.
    kernel_size : int, default=3
        Odd.
    gain : float, default=1.0
        Standard deviation of the initial weights is ``gain / sqrt(fan_in)``; biases start at zero.
    generator : torch.Generator, optional
        Source of the initial weights.
    dtype : torch.dtype, optional
        Type of the weights.

    Attributes
    ----------
    weight : torch.nn.Parameter of shape (n_members, out_channels, in_channels, size, size)
    bias : torch.nn.Parameter of shape (n_members, out_channels)
        A member's slice is the ``state_dict`` of a :class:`torch.nn.Conv2d`.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedConv2d
    >>> conv = StackedConv2d(3, 8, n_members=5, generator=torch.Generator().manual_seed(0))
    >>> conv(torch.zeros(7, 3, 10, 12)).shape
    torch.Size([7, 40, 10, 12])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_members: int,
        kernel_size: int = 3,
        *,
        gain: float = 1.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        shape = (n_members, out_channels, in_channels, kernel_size, kernel_size)
        # drawn in float64 whatever the dtype: one seed means the same network in all of them
        weight = torch.empty(shape, dtype=torch.float64).normal_(generator=generator)
        weight *= gain / math.sqrt(in_channels * kernel_size**2)
        self.weight = nn.Parameter(weight.to(dtype or torch.get_default_dtype()))
        self.bias = nn.Parameter(torch.zeros_like(self.weight[:, :, 0, 0, 0]))

    def forward(self, X: Tensor) -> Tensor:
        """Map images of ``in`` channels, shared by all members, or of ``members * in`` channels.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, channels, height, width)

        Returns
        -------
        torch.Tensor of shape (rows, members * out, height, width)
        """
        members, _, n_in, size, _ = self.weight.shape
        return F.conv2d(
            X,
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            padding=size // 2,
            groups=1 if X.shape[1] == n_in else members,
        )

    def extra_repr(self) -> str:
        """Describe the shape, as torch's modules do.

        Returns
        -------
        str
        """
        members, n_out, n_in, size, _ = self.weight.shape
        return f"{n_in}, {n_out}, kernel_size={size}, n_members={members}"


class ResidualBlock(nn.Module):
    """A convolution and its activation, beside a pointwise linear map of the same input.

    Parameters
    ----------
    in_channels, out_channels : int
    n_members : int
    kernel_size : int
    activation : str
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    generator : torch.Generator, optional
    dtype : torch.dtype, optional
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_members: int,
        kernel_size: int,
        activation: str,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        # the two parts share the variance of the input
        self.conv, self.skip = (
            StackedConv2d(
                in_channels,
                out_channels,
                n_members,
                size,
                gain=math.sqrt(0.5),
                generator=generator,
                dtype=dtype,
            )
            for size in (kernel_size, 1)
        )
        self.activation = activation

    def forward(self, X: Tensor) -> Tensor:
        """Map images; as :meth:`StackedConv2d.forward`."""
        return ACTIVATIONS[self.activation](self.conv(X)) + self.skip(X)


def halved(size: Sequence[int], times: int) -> list[tuple[int, int]]:
    """Sizes of an image that is halved again and again, rounded up.

    Parameters
    ----------
    size : sequence of int
        Height and width.
    times : int

    Returns
    -------
    list of tuple of int
        ``times + 1`` sizes, the first is the given one.
    """
    return [(-(-size[0] // 2**i), -(-size[1] // 2**i)) for i in range(times + 1)]


class ConvEncoder(nn.Module):
    """``n_members`` convolutional encoders of flat images.

    The image is first rearranged: patches become channels (``n_stem`` halvings of its sides, at the
    cost of no pixel). Then every block is a residual one, followed by a maximum over two by two
    pixels; a multilayer perceptron of all that is left ends it. There is no normalisation, and
    hence nothing that couples the rows of a batch or differs between training and use.

    Parameters
    ----------
    image_shape : tuple of int
        Channels, height and width.
    channels : sequence of int
        Of the blocks.
    hidden_layer_sizes : sequence of int
        Of the perceptron.
    n_outputs : int
    n_members : int
        Number of networks held.
    kernel_size : int, default=3
        Odd.
    n_stem : int, default=0
        Number of halvings before the first block.
    activation : str, default="silu"
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    generator : torch.Generator, optional
        Source of the initial weights.
    dtype : torch.dtype, optional
        Type of the weights.

    Attributes
    ----------
    width : int
        Largest number of values that a layer makes of a row.
    work : int
        Multiplications of the most expensive layer for a row, of all members.

    References
    ----------
    V. Skvara, V. Smidl, T. Pevny, J. Seidl, A. Havranek and D. Tskhakaya, Detection of Alfven
    eigenmodes on COMPASS with generative neural networks, Fusion Science and Technology 76 (2020):
    the blocks.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import ConvEncoder
    >>> g = torch.Generator().manual_seed(0)
    >>> encoder = ConvEncoder((1, 9, 12), (8, 16), (20,), 4, n_members=3, generator=g)
    >>> encoder(torch.zeros(7, 108)).shape
    torch.Size([3, 7, 4])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        n_members: int,
        *,
        kernel_size: int = 3,
        n_stem: int = 0,
        activation: str = "silu",
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.n_members = n_members
        self.factor = 2**n_stem
        sizes = halved(image_shape[1:], n_stem + len(channels))[n_stem:]
        self.padded = tuple(side * self.factor for side in sizes[0])
        widths = [image_shape[0] * self.factor**2, *channels]
        self.blocks = nn.ModuleList(
            ResidualBlock(
                n_in, n_out, n_members, kernel_size, activation, generator=generator, dtype=dtype
            )
            for n_in, n_out in pairwise(widths)
        )
        self.head = StackedMLP(
            channels[-1] * math.prod(sizes[-1]),
            hidden_layer_sizes,
            n_outputs,
            n_members,
            activation=activation,
            generator=generator,
            dtype=dtype,
        )
        unit_gain_(self.head)
        self.width, self.work = _size_of(self.blocks, sizes, self.head)

    def forward(self, X: Tensor) -> Tensor:
        """Outputs of every member.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, pixels) or (members, rows, pixels)
            Input, shared by all members or one block a member.

        Returns
        -------
        torch.Tensor of shape (members, rows, outputs)
        """
        features = self.convolve(X)
        return self.head(features.reshape(len(features), self.n_members, -1).transpose(0, 1))

    def convolve(self, X: Tensor) -> Tensor:
        """What the convolutions make of images; as the images move, so does it.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, pixels) or (members, rows, pixels)

        Returns
        -------
        torch.Tensor of shape (rows, members * channels, height, width)
        """
        rows = X.shape[-2]
        if X.ndim == 3:
            X = X.transpose(0, 1)
        height, width = self.image_shape[1:]
        X = X.reshape(rows, -1, height, width)  # (rows, channels or members * channels, ...)
        X = F.pad(X, (0, self.padded[1] - width, 0, self.padded[0] - height))
        X = F.pixel_unshuffle(X, self.factor)
        for block in self.blocks:
            # pixel by pixel in memory convolutions and maxima are two and four times as fast
            X = block(X.contiguous(memory_format=torch.channels_last))
            X = F.max_pool2d(X.contiguous(memory_format=torch.channels_last), 2, ceil_mode=True)
        return X


class ConvDecoder(nn.Module):
    """``n_members`` convolutional decoders to flat images: :class:`ConvEncoder` mirrored.

    Where the encoder takes maxima, pixels are repeated, and then comes the block; what the encoder
    has rearranged is put back at the end.

    Parameters
    ----------
    image_shape : tuple of int
        Channels, height and width.
    channels : sequence of int
        Of the encoder's blocks: here from the last to the first.
    hidden_layer_sizes : sequence of int
        Of the perceptron that comes first.
    n_inputs : int
    n_members : int
        Number of networks held.
    kernel_size : int, default=3
        Odd.
    n_stem : int, default=0
        Number of halvings before the encoder's first block.
    activation : str, default="silu"
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    generator : torch.Generator, optional
        Source of the initial weights.
    dtype : torch.dtype, optional
        Type of the weights.

    Attributes
    ----------
    width, work : int
        As for :class:`ConvEncoder`.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import ConvDecoder
    >>> g = torch.Generator().manual_seed(0)
    >>> decoder = ConvDecoder((1, 9, 12), (8, 16), (20,), 2, n_members=3, generator=g)
    >>> decoder(torch.zeros(3, 7, 2)).shape
    torch.Size([3, 7, 108])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden_layer_sizes: Sequence[int],
        n_inputs: int,
        n_members: int,
        *,
        kernel_size: int = 3,
        n_stem: int = 0,
        activation: str = "silu",
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.n_members = n_members
        self.activation = activation
        self.factor = 2**n_stem
        self.channels = channels[-1]
        self.sizes = halved(image_shape[1:], n_stem + len(channels))[n_stem:][::-1]
        self.head = StackedMLP(
            n_inputs,
            hidden_layer_sizes,
            channels[-1] * math.prod(self.sizes[0]),
            n_members,
            activation=activation,
            generator=generator,
            dtype=dtype,
        )
        unit_gain_(self.head)
        self.blocks = nn.ModuleList(
            ResidualBlock(
                n_in, n_out, n_members, kernel_size, activation, generator=generator, dtype=dtype
            )
            for n_in, n_out in pairwise([*channels[::-1], channels[0]])
        )
        self.last = StackedConv2d(
            channels[0],
            image_shape[0] * self.factor**2,
            n_members,
            kernel_size,
            generator=generator,
            dtype=dtype,
        )
        layers = [*self.blocks, self.last]
        sizes = [*self.sizes[1:], self.sizes[-1]]
        self.width, self.work = _size_of(layers, sizes, self.head)

    def forward(self, code: Tensor) -> Tensor:
        """Images of every member.

        Parameters
        ----------
        code : torch.Tensor of shape (rows, inputs) or (members, rows, inputs)

        Returns
        -------
        torch.Tensor of shape (members, rows, pixels)
        """
        X = ACTIVATIONS[self.activation](self.head(code)).transpose(0, 1)
        rows, members = X.shape[:2]
        X = X.reshape(rows, members * self.channels, *self.sizes[0])
        for block, (height, width) in zip(self.blocks, self.sizes[1:], strict=True):
            X = X.contiguous(memory_format=torch.channels_last)
            X = block(F.interpolate(X, scale_factor=2)[..., :height, :width])
        X = F.pixel_shuffle(self.last(X), self.factor)
        X = X[..., : self.image_shape[1], : self.image_shape[2]]
        return X.reshape(rows, members, -1).transpose(0, 1)


def _size_of(
    layers: Iterable[nn.Module], sizes: Sequence[tuple[int, int]], head: StackedMLP
) -> tuple[int, int]:
    """Widest activations of a row, and multiplications of its most expensive layer."""
    widest = max(p.shape[1] for p in head.parameters())
    work = max(p.numel() for p in head.parameters())
    for layer, size in zip(layers, sizes, strict=False):
        weight = next(layer.parameters())
        pixels = math.prod(size)
        widest = max(widest, pixels * max(weight.shape[1:3]))
        work = max(work, pixels * weight.numel())
    return widest, work
