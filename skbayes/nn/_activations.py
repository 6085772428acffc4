"""The activation functions that the built-in networks know, by name."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def _identity(x: Tensor) -> Tensor:
    return x


#: Name -> elementwise function. The first four names are those of scikit-learn's ``MLPClassifier``.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": _identity,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "leaky_relu": F.leaky_relu,
    "silu": F.silu,
    "softplus": F.softplus,
}

#: The same written over the input, for fresh layer outputs that autograd does not need again.
IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "logistic": torch.sigmoid_,
    "tanh": torch.tanh_,
    "relu": torch.relu_,
}
