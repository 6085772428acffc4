"""Stacking of a user's own module: many copies in one, by torch.func."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class UnstackableModuleError(ValueError):
    """A module cannot be trained as a stack; the message says why and what to use instead."""


def _refuse_unstackable(module: nn.Module, parameter: str) -> None:
    for name, child in module.named_modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            raise UnstackableModuleError(
                f"{parameter}: layer {name!r} is a {type(child).__name__}, which writes running "
                "statistics while it computes; members that train together cannot do that. "
                "Use GroupNorm or LayerNorm instead."
            )
        if isinstance(child, nn.RNNBase):
            raise UnstackableModuleError(
                f"{parameter}: layer {name!r} is a {type(child).__name__}, for which "
                "torch.func.vmap has no rule. Use convolutions, attention or linear layers instead."
            )
        if isinstance(child, nn.modules.lazy.LazyModuleMixin):
            raise UnstackableModuleError(
                f"{parameter}: layer {name!r} is a {type(child).__name__}, whose weights do not "
                "exist before the first call. Build it with the width that the factory is given."
            )
    first: dict[int, str] = {}
    for name, tensor in module.named_parameters(remove_duplicate=False):
        if first.setdefault(id(tensor), name) != name:
            raise UnstackableModuleError(
                f"{parameter}: {first[id(tensor)]!r} and {name!r} are one tensor; shared weights "
                "cannot be stacked. Keep it under one name and use it twice in forward instead."
            )


class StackedModule(nn.Module):
    """Copies of one architecture, evaluated together.

    The parameters keep the names that they have in the given modules, with one more leading axis.

    Parameters
    ----------
    modules : sequence of torch.nn.Module
        One network a member, all of one architecture, each ``(rows, features) -> (rows, outputs)``.
    parameter : str, default="module"
        What errors call them.

    Raises
    ------
    UnstackableModuleError
        If a layer cannot be stacked (BatchNorm for one), or there is nothing to train.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedModule
    >>> stack = StackedModule([torch.nn.Linear(3, 2) for _ in range(5)])
    >>> stack(torch.zeros(7, 3)).shape
    torch.Size([5, 7, 2])
    >>> stack.weight.shape
    torch.Size([5, 2, 3])
    """

    def __init__(self, modules: Sequence[nn.Module], parameter: str = "module") -> None:
        super().__init__()
        _refuse_unstackable(modules[0], parameter)
        if not any(p.requires_grad for p in modules[0].parameters()):
            raise UnstackableModuleError(
                f"{parameter}: it has no trainable parameters, there is nothing to learn"
            )
        params, buffers = stack_module_state(list(modules))
        skeleton = copy.deepcopy(modules[0])
        for name, value in params.items():
            owner, leaf = _owner(skeleton, name)
            frozen = not modules[0].get_parameter(name).requires_grad
            setattr(owner, leaf, nn.Parameter(value.detach(), requires_grad=not frozen))
        for name, value in buffers.items():
            owner, leaf = _owner(skeleton, name)
            owner.register_buffer(leaf, value, persistent=leaf in owner.state_dict())
        # The architecture that computes: kept in a tuple, so that it is not registered and its
        # own (meta, empty) parameters are never mistaken for the stacked ones.
        self._architecture = (copy.deepcopy(modules[0]).to("meta"),)
        for name, tensor in skeleton._parameters.items():
            self.register_parameter(name, tensor)
        for name, child in skeleton.named_children():
            self.add_module(name, child)
        for name, buffer in skeleton._buffers.items():
            self.register_buffer(name, buffer)

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
        architecture = self._architecture[0].train(self.training)

        def member(params: dict[str, Tensor], buffers: dict[str, Tensor], rows: Tensor) -> Tensor:
            return functional_call(architecture, (params, buffers), (rows,))

        return vmap(member, in_dims=(0, 0, None if X.ndim == 2 else 0), randomness="different")(
            dict(self.named_parameters()), dict(self.named_buffers()), X
        )


def _owner(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Split ``"a.b.weight"`` into the submodule ``a.b`` and the leaf ``"weight"``."""
    path, _, leaf = name.rpartition(".")
    return module.get_submodule(path), leaf


def check_stack(
    stack: StackedModule,
    n_features: int,
    n_outputs: int,
    dtype: torch.dtype,
    parameter: str = "module",
) -> None:
    """Run two rows through a stack and say clearly what is wrong with it, if anything is.

    Parameters
    ----------
    stack : StackedModule
        The stack to try.
    n_features, n_outputs : int
        Widths that it must take and give.
    dtype : torch.dtype
        Type of the rows.
    parameter : str, default="module"
        What errors call it.

    Raises
    ------
    UnstackableModuleError
        If the module does not run under :func:`torch.func.vmap`.
    ValueError
        If the output has the wrong shape.
    """
    n_members = next(stack.parameters()).shape[0]
    device = next(stack.parameters()).device
    rows = torch.zeros(2, n_features, dtype=dtype, device=device)
    try:
        with torch.no_grad():
            output = stack(rows)
    except Exception as error:
        raise UnstackableModuleError(
            f"{parameter}: it does not run on {n_features} features as a stack of members "
            f"(torch.func.vmap): {error}"
        ) from error
    expected = (n_members, 2, n_outputs)
    if not isinstance(output, Tensor) or tuple(output.shape) != expected:
        got = tuple(output.shape[1:]) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(
            f"{parameter}: for 2 rows of {n_features} features it must return a tensor of shape "
            f"(2, {n_outputs}), got {got}"
        )
