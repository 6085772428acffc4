"""Objects from JSON and tensors: the other half of ``skbayes._encoding``."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from skbayes._encoding import PLAIN_KINDS, full_name, known, look_up


class UnknownNameError(TypeError):
    """A file names what is neither known nor trusted."""


class Decoder:
    """Turns what :class:`Encoder` made into objects.

    No code runs that the file names, unless it is of a class that is known or trusted.

    Parameters
    ----------
    tensors : dict of str to torch.Tensor
    trusted : iterable of type or callable
        Classes and functions that the file may name beside those that are :func:`known`.
    """

    def __init__(self, tensors: dict[str, torch.Tensor], trusted: Iterable[Any] = ()) -> None:
        self.tensors = tensors
        self.trusted = {full_name(thing): thing for thing in trusted}
        self._made: dict[int, Any] = {}

    def decode(self, said: Any) -> Any:
        """Decode a value.

        Parameters
        ----------
        said : object
            From :meth:`Encoder.encode`.

        Returns
        -------
        object

        Raises
        ------
        TypeError
            If it names a class or function that is neither known nor trusted.
        """
        if isinstance(said, list):
            return [self.decode(item) for item in said]
        if not isinstance(said, dict):
            return said
        if "again" in said:
            return self._made[said["again"]]
        mark = next(iter(said))
        make = getattr(self, "_make_" + mark.replace(" ", "_"))
        made = make(said[mark], said)
        if "number" in said:
            self._made[said["number"]] = made
        return made

    def _class(self, name: str) -> Any:
        if name in self.trusted:
            return self.trusted[name]
        # importing a module runs it: only of packages that are imported already
        if name.startswith(("skbayes.", "sklearn.", "torch.nn.")):
            try:
                found = look_up(name)
            except (AttributeError, ImportError):
                found = None
            # by its own name: what a module has imported from elsewhere is not meant
            if hasattr(found, "__qualname__") and full_name(found) == name and known(found):
                return found
        raise UnknownNameError(
            f"the file names {name.replace(':', '.')}, which is not known here. If you trust the "
            f"file, import it and pass it in trusted=[...]"
        )

    def _make_dict(self, pairs: list, said: dict) -> dict:
        return {self.decode(key): self.decode(item) for key, item in pairs}

    def _make_tuple(self, items: list, said: dict) -> tuple:
        return tuple(self.decode(items))

    def _make_named_tuple(self, name: str, said: dict) -> tuple:
        cls = self._class(name)
        return tuple.__new__(cls, self.decode(said["items"]))

    def _make_set(self, items: list, said: dict) -> set:
        return set(self.decode(items))

    def _make_frozenset(self, items: list, said: dict) -> frozenset:
        return frozenset(self.decode(items))

    def _make_torch_size(self, items: list, said: dict) -> torch.Size:
        return torch.Size(items)

    def _make_slice(self, ends: list, said: dict) -> slice:
        return slice(*self.decode(ends))

    def _make_range(self, ends: list, said: dict) -> range:
        return range(*ends)

    def _make_array(self, kind: str, said: dict) -> np.ndarray:
        values = self.tensors[str(said["number"])].numpy()
        dtype = np.dtype(kind)
        if dtype.name not in PLAIN_KINDS:
            values = np.frombuffer(values.tobytes(), dtype=dtype).copy()
        return values.reshape(said["shape"])

    def _make_masked(self, parts: list, said: dict) -> np.ma.MaskedArray:
        data, mask = self.decode(parts)
        return np.ma.MaskedArray(data, mask=mask)

    def _make_strings(self, items: list, said: dict) -> np.ndarray:
        made = np.empty(len(items), dtype=object)
        made[:] = self.decode(items)
        return made.astype(said["kind"]).reshape(said["shape"])

    def _make_scalar(self, value: Any, said: dict) -> Any:
        return self.decode(value)[()]

    def _make_numpy_type(self, name: str, said: dict) -> Any:
        found = getattr(np, name)
        if not (isinstance(found, type) and issubclass(found, np.generic)):
            raise UnknownNameError(f"the file names numpy.{name}, which is no type of numbers")
        return found

    def _make_tensor(self, kind: str, said: dict) -> torch.Tensor:
        if kind == "meta":
            name, *shape = said["shape"]
            tensor = torch.empty(shape, dtype=self._make_torch_type(name, said), device="meta")
        else:
            tensor = self.tensors[str(said["number"])]
        return tensor.requires_grad_(said["requires_grad"])

    def _make_parameter(self, kind: str, said: dict) -> nn.Parameter:
        requires_grad = said["requires_grad"]
        tensor = self._make_tensor(kind, {**said, "requires_grad": False})
        return nn.Parameter(tensor, requires_grad=requires_grad)

    def _make_random_state(self, state: Any, said: dict) -> np.random.RandomState:
        made = np.random.RandomState()
        made.set_state(self.decode(state))
        return made

    def _make_sparse(self, kind: str, said: dict) -> Any:
        parts = tuple(self.decode(said["parts"]))
        cls = sparse.csr_array if kind == "array" else sparse.csr_matrix
        return cls(parts, shape=tuple(said["shape"])).asformat(said["format"])

    def _make_partial(self, parts: list, said: dict) -> partial:
        func, args, keywords = self.decode(parts)
        return partial(func, *args, **keywords)

    def _make_torch_type(self, name: str, said: dict) -> torch.dtype:
        found = getattr(torch, name)
        if not isinstance(found, torch.dtype):
            raise UnknownNameError(f"the file names torch.{name}, which is no type of numbers")
        return found

    def _make_torch_device(self, name: str, said: dict) -> torch.device:
        return torch.device(name)

    def _make_global(self, name: str, said: dict) -> Any:
        return self._class(name)

    def _make_class(self, name: str, said: dict) -> Any:
        made = object.__new__(self._class(name))
        self._made[said["number"]] = made  # before its parts, which may name it
        state = {key: self.decode(item) for key, item in said["state"]}
        if isinstance(made, nn.Module):
            nn.Module.__init__(made)
            made.__dict__.update(state)
        elif hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            made.__dict__.update(state)
        return made
