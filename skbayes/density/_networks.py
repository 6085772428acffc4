"""Encoder and decoder of an estimator: convolutional for images, or a user's own modules."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from skbayes._engine.build import build_stack
from skbayes._engine.seeds import make_generator
from skbayes.density._blocks import column_moments
from skbayes.nn import ConvDecoder, ConvEncoder

#: An image of more pixels is made smaller before the first convolution, which would cost most of
#: the time of training: patches become channels.
MAX_PIXELS = 400
#: Shortest side that is left of an image by that, and by the blocks.
SHORTEST_START, SHORTEST_END = 8, 4
#: Channels of the blocks, as many of them as the image has room for.
CHANNELS = (16, 32, 64)

Shape = tuple[int, int, int]


def check_image_shape(image_shape: Any, n_features: int) -> Shape | None:
    """Check the parameter of that name.

    Parameters
    ----------
    image_shape : sequence of int or None
        Height and width, or channels, height and width.
    n_features : int
        Width of the rows.

    Returns
    -------
    tuple of int or None
        Channels, height and width.

    Raises
    ------
    ValueError
        If it is not two or three integers of at least 1 whose product is the number of features.
    """
    if image_shape is None:
        return None
    sides = np.asarray(image_shape).tolist()
    whole = isinstance(sides, list) and len(sides) in (2, 3)
    if not whole or any(type(side) is not int or side < 1 for side in sides):
        raise ValueError(
            f"image_shape={image_shape!r} must be (height, width) or (channels, height, width), "
            "integers of at least 1"
        )
    if math.prod(sides) != n_features:
        raise ValueError(
            f"image_shape={image_shape!r} makes {math.prod(sides)} pixels of a row, but X has "
            f"{n_features} features"
        )
    n_channels, height, width = [1, *sides][-3:]
    return n_channels, height, width


def check_channels(channels: Any, size: Sequence[int]) -> list[int]:
    """Check the parameter of that name.

    Parameters
    ----------
    channels : "auto" or array-like of int
    size : sequence of int
        Height and width of an image on its way into the first block.

    Returns
    -------
    list of int
        One a block; ``"auto"`` is as many blocks as leave a side of four pixels, one to three.

    Raises
    ------
    ValueError
        If it is empty, or an entry is not an integer of at least 1.
    """
    if isinstance(channels, str):
        n_blocks = math.ceil(math.log2(max(min(size) / SHORTEST_END, 1.0)))
        return list(CHANNELS[: max(n_blocks, 1)])
    sizes = np.atleast_1d(np.asarray(channels)).tolist()
    if not sizes or any(type(n) is not int or n < 1 for n in sizes):
        raise ValueError(f"channels={channels!r} must hold integers of at least 1, one a block")
    return sizes


def check_kernel_size(kernel_size: int) -> int:
    """Check the parameter of that name.

    Parameters
    ----------
    kernel_size : int

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is even: the middle of a kernel is a pixel.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size={kernel_size!r} must be odd")
    return kernel_size


def halvings(height: int, width: int) -> int:
    """How often an image is made smaller before the first block.

    Parameters
    ----------
    height, width : int

    Returns
    -------
    int
    """
    times = 0
    while height * width > MAX_PIXELS and min(height, width) >= 2 * SHORTEST_START:
        height, width, times = -(-height // 2), -(-width // 2), times + 1
    return times


def build_networks(
    n_features: int,
    n_components: int,
    n_members: int,
    *,
    image_shape: Shape | None,
    encoder: Callable[[int, int], nn.Module] | None,
    decoder: Callable[[int, int], nn.Module] | None,
    channels: Any,
    kernel_size: int,
    hidden_layer_sizes: Sequence[int],
    activation: str,
    rng: np.random.RandomState,
    dtype: torch.dtype,
) -> dict[str, nn.Module]:
    """Make the networks that are not the default multilayer perceptrons.

    Parameters
    ----------
    n_features, n_components, n_members : int
    image_shape : tuple of int or None
        Channels, height and width.
    encoder, decoder : callable or None
        A user's: ``(n_in, n_out) -> torch.nn.Module``.
    channels : "auto" or array-like of int
    kernel_size : int
    hidden_layer_sizes : sequence of int
    activation : str
    rng : numpy.random.RandomState
        Source of the initial weights; drawn from only if there is something to make.
    dtype : torch.dtype

    Returns
    -------
    dict of torch.nn.Module
        ``encoder`` or ``decoder`` or both: arguments of :class:`skbayes.nn.StackedVAE`.
    """
    made: dict[str, nn.Module] = {}
    sides = (1, 1) if image_shape is None else image_shape[1:]
    times = halvings(*sides)
    # checked for tables too, where they are of no use: nothing wrong is silently accepted
    blocks = check_channels(channels, [-(-side // 2**times) for side in sides])
    size = check_kernel_size(kernel_size)
    if image_shape is not None:
        generator = make_generator(rng)
        networks: tuple[tuple[str, Any, Sequence[int], int], ...] = (
            ("encoder", ConvEncoder, hidden_layer_sizes, 2 * n_components),
            ("decoder", ConvDecoder, hidden_layer_sizes[::-1], n_components),
        )
        for name, network, hidden, width in networks:
            made[name] = network(
                image_shape,
                blocks,
                hidden,
                width,
                n_members,
                kernel_size=size,
                n_stem=times,
                activation=activation,
                generator=generator,
                dtype=dtype,
            )
    for name, factory, n_in, n_out in (
        ("encoder", encoder, n_features, 2 * n_components),
        ("decoder", decoder, n_components, n_features),
    ):
        if factory is not None:
            made[name] = build_stack(
                n_in,
                n_out,
                n_members,
                hidden_layer_sizes=(),
                activation=activation,
                module=factory,
                module_params=None,
                rng=rng,
                dtype=dtype,
                parameter=name,
            )
    return made


def spread_of(X: Any, image_shape: Shape | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column; of images, of all pixels of a channel together.

    A pixel that hardly ever differs must not weigh as much as all others.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (rows, features)
    image_shape : tuple of int or None

    Returns
    -------
    mean, deviation : ndarray of shape (features,)
    """
    mean, variance = column_moments(X)
    if image_shape is None:
        return mean, np.sqrt(variance)
    pixels = mean.reshape(image_shape[0], -1)
    middle = pixels.mean(axis=1, keepdims=True)
    # within the columns and between them
    total = (variance.reshape(pixels.shape) + np.square(pixels - middle)).mean(axis=1)
    n_pixels = pixels.shape[1]
    return np.repeat(middle, n_pixels), np.repeat(np.sqrt(total), n_pixels)


def patches(image_shape: Shape, n_sides: int = 7) -> list[np.ndarray]:
    """Divide an image.

    Parameters
    ----------
    image_shape : tuple of int
        Channels, height and width.
    n_sides : int, default=7
        Number of patches along either side, at most.

    Returns
    -------
    list of ndarray of int
        Features of every patch, in all channels.
    """
    n_channels, height, width = image_shape
    index = np.arange(n_channels * height * width).reshape(image_shape)
    return [
        part.ravel()
        for band in np.array_split(index, min(n_sides, height), axis=1)
        for part in np.array_split(band, min(n_sides, width), axis=2)
    ]
