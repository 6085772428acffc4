"""Torch modules that hold many networks at once, stacked along a leading member axis."""

from skbayes.nn._activations import ACTIVATIONS
from skbayes.nn._heads import RowNoise, SharedNoise
from skbayes.nn._mlp import StackedLinear, StackedMLP
from skbayes.nn._stack import StackedModule, UnstackableModuleError
from skbayes.nn._vae import StackedVAE, VAEOutput

__all__ = [
    "ACTIVATIONS",
    "RowNoise",
    "SharedNoise",
    "StackedLinear",
    "StackedMLP",
    "StackedModule",
    "StackedVAE",
    "UnstackableModuleError",
    "VAEOutput",
]
