"""Torch modules that hold many networks at once, stacked along a leading member axis."""

from skbayes.nn._activations import ACTIVATIONS
from skbayes.nn._conv import ConvDecoder, ConvEncoder, StackedConv2d
from skbayes.nn._heads import RowNoise, SharedNoise
from skbayes.nn._likelihoods import LIKELIHOODS, Decoded
from skbayes.nn._mlp import StackedLinear, StackedMLP
from skbayes.nn._priors import (
    CornerPrior,
    MixturePrior,
    NormalPrior,
    RelevancePrior,
    VampPrior,
    mixture_of,
)
from skbayes.nn._stack import StackedModule, UnstackableModuleError
from skbayes.nn._vae import StackedVAE, VAEOutput

__all__ = [
    "ACTIVATIONS",
    "LIKELIHOODS",
    "ConvDecoder",
    "ConvEncoder",
    "CornerPrior",
    "Decoded",
    "MixturePrior",
    "NormalPrior",
    "RelevancePrior",
    "RowNoise",
    "SharedNoise",
    "StackedConv2d",
    "StackedLinear",
    "StackedMLP",
    "StackedModule",
    "StackedVAE",
    "UnstackableModuleError",
    "VAEOutput",
    "VampPrior",
    "mixture_of",
]
