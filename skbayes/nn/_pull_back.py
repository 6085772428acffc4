"""Gradients of stacked perceptrons in closed form; autograd takes a small network twice as long."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from skbayes.nn._activations import ACTIVATIONS, IN_PLACE
from skbayes.nn._heads import RowNoise, SharedNoise
from skbayes.nn._mlp import StackedMLP

#: Activation -> (gradient of its value, its value) -> gradient of its argument.
SLOPES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda gradient, value: gradient,
    "logistic": lambda gradient, value: gradient * value * (1.0 - value),
    "tanh": lambda gradient, value: gradient.addcmul_(gradient * value, value, value=-1.0),
    # one kernel, a tenth of the time of a product with a mask
    "relu": lambda gradient, value: torch.ops.aten.threshold_backward(gradient, value, 0.0),
    "silu": torch.ops.aten.silu_backward,
}
#: Those whose slope the value does not tell: they are given the argument in its place.
BY_ARGUMENT = frozenset({"silu"})


def can_pull_back(module: nn.Module) -> bool:
    """Whether :func:`output_and_pull_back` knows the module.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    bool
        True for perceptrons of which every tensor is trained, alone or in a head of noise, of an
        activation whose slope is known, and without hooks.
    """
    net = module.net if type(module) in (SharedNoise, RowNoise) else module
    return (
        type(net) is StackedMLP
        and net.activation in SLOPES
        and all(p.requires_grad for p in module.parameters())
        and not any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    )


def output_and_pull_back(module: nn.Module, X: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """Output of a module, and what takes a gradient of it back to the parameters.

    Both are to be called with autograd switched off.

    Parameters
    ----------
    module : torch.nn.Module
        That :func:`can_pull_back` accepts.
    X : torch.Tensor of shape (rows, features) or (members, rows, features)

    Returns
    -------
    output : torch.Tensor of shape (members, rows, outputs)
    pull_back : callable
        Gradient of the output -> None; adds to the ``grad`` of every parameter, and may overwrite
        what it is given.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedMLP
    >>> from skbayes.nn._pull_back import output_and_pull_back
    >>> net = StackedMLP(3, (4,), 1, n_members=2, activation="tanh")
    >>> X = torch.ones(5, 3)
    >>> with torch.no_grad():
    ...     output, pull_back = output_and_pull_back(net, X)
    ...     pull_back(torch.ones_like(output))
    >>> by_hand = [p.grad.clone() for p in net.parameters()]
    >>> net.zero_grad()
    >>> net(X).sum().backward()
    >>> all(torch.allclose(p.grad, g) for p, g in zip(net.parameters(), by_hand))
    True
    """
    if isinstance(module, SharedNoise):
        mean, of_net = perceptron(module.net, X)
        noise = torch.logaddexp(module.log_scale, module.log_floor)

        def of_both(gradient: Tensor) -> None:
            of_net(gradient[..., :1])
            share = (module.log_scale - noise).exp()  # of what is above the floor
            _add(module.log_scale, gradient[..., 1].sum(1, keepdim=True) * share)

        return torch.cat([mean, noise.unsqueeze(1).expand_as(mean)], -1), of_both
    if isinstance(module, RowNoise):
        both, of_net = perceptron(module.net, X)
        mean, above = torch.addcmul(module.shift, both, module.gain).split(1, -1)
        noise = torch.logaddexp(above, module.log_floor)

        def of_rows(gradient: Tensor) -> None:
            gradient[..., 1:].mul_((above - noise).exp_())
            of_net(gradient.mul_(module.gain))

        return torch.cat([mean, noise], -1), of_rows
    return perceptron(module, X)


def perceptron(net: nn.Module, X: Tensor) -> tuple[Tensor, Callable[..., Any]]:
    """Output of a perceptron, and its way back, which can go on to the input.

    Parameters
    ----------
    net : StackedMLP
        That :func:`can_pull_back` accepts.
    X : torch.Tensor of shape (rows, features) or (members, rows, features)

    Returns
    -------
    output : torch.Tensor of shape (members, rows, outputs)
    pull_back : callable
        ``(gradient of the output, to_input=False)`` -> gradient of the input, or None; adds to
        the ``grad`` of every parameter, and may overwrite what it is given.
    """
    assert isinstance(net, StackedMLP)
    layers: list[tuple[Tensor, Tensor]] = [(layer.weight, layer.bias) for layer in net.layers]  # type: ignore[misc]
    activate = IN_PLACE.get(net.activation, ACTIVATIONS[net.activation])
    slope, by_argument = SLOPES[net.activation], net.activation in BY_ARGUMENT
    value = X.expand(len(layers[0][0]), *X.shape) if X.ndim == 2 else X
    inputs, tells = [], [value]
    for number, (weight, bias) in enumerate(layers):
        inputs.append(value)
        argument = value = torch.baddbmm(bias.unsqueeze(1), value, weight.mT)
        if number < len(layers) - 1:
            value = activate(argument)
            tells.append(argument if by_argument else value)

    def pull_back(gradient: Tensor, to_input: bool = False) -> Tensor | None:
        for number in range(len(layers) - 1, -1, -1):
            weight, bias = layers[number]
            _add(weight, torch.bmm(gradient.mT, inputs[number]))
            _add(bias, gradient.sum(1))
            if number:
                gradient = slope(torch.bmm(gradient, weight), tells[number])
        return torch.bmm(gradient, layers[0][0]) if to_input else None

    return value, pull_back


def _add(parameter: Tensor, gradient: Tensor) -> None:
    if parameter.grad is None:
        parameter.grad = gradient
    else:
        parameter.grad.add_(gradient)
