"""Objects as JSON and tensors: what ``save`` writes."""

import importlib
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from torch import nn

#: Types of numbers that the file format knows by name in every torch that is supported; arrays of
#: others are stored as bytes.
PLAIN_KINDS = {
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
}  # fmt: skip
#: Attributes of a torch module that belong to torch's machinery; hooks among them cannot be stored.
MODULE_TABLES = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training"}

CSR_PARTS = ("data", "indices", "indptr")


def full_name(thing: Any) -> str:
    """Where a class or function is to be found.

    Parameters
    ----------
    thing : type or callable

    Returns
    -------
    str
        ``"package.module:name"``.
    """
    return f"{thing.__module__}:{thing.__qualname__}"


def known(thing: Any) -> bool:
    """Whether the file may name a class or function without being told to trust it.

    Parameters
    ----------
    thing : type or callable

    Returns
    -------
    bool
        True for classes of this package, scikit-learn's estimators and torch's layers; and for
        classes and functions with which scikit-learn and this package split and score.
    """
    module = thing.__module__
    if module.startswith(("sklearn.model_selection.", "sklearn.metrics.", "skbayes.metrics.")):
        return True
    return isinstance(thing, type) and (
        module.startswith("skbayes.")
        or (module.startswith("sklearn.") and issubclass(thing, BaseEstimator))
        or (module.startswith("torch.nn.") and issubclass(thing, nn.Module))
    )


class Encoder:
    """Turns objects into what JSON can say, and collects their tensors.

    Attributes
    ----------
    tensors : dict of str to torch.Tensor
        What the file holds beside the JSON.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        # id -> (number, object); the object is kept so that its id stays its own
        self._seen: dict[int, tuple[int, Any]] = {}

    def encode(self, value: Any, path: str) -> Any:
        """Encode a value.

        Parameters
        ----------
        value : object
        path : str
            Where it was found, for messages.

        Returns
        -------
        object
            Of None, booleans, numbers, strings, lists and dicts.

        Raises
        ------
        TypeError
            If it is something that cannot be stored.
        """
        if value is None or type(value) in (bool, int, float, str):
            return value
        if id(value) in self._seen:
            return {"again": self._seen[id(value)][0]}
        if type(value) is list:
            return [self.encode(item, f"{path}[{k}]") for k, item in enumerate(value)]
        if isinstance(value, tuple | set | frozenset):
            return self._encode_items(value, path)
        if isinstance(value, dict):
            return self._encode_dict(value, path)
        encoders: tuple[tuple[type, Any], ...] = (
            (np.ma.MaskedArray, self._encode_masked),
            (np.ndarray, self._encode_array),
            (torch.Tensor, self._encode_tensor),
            (np.generic, self._encode_scalar),
            (np.random.RandomState, self._encode_random_state),
            (partial, self._encode_partial),
        )
        for types, encode in encoders:
            if isinstance(value, types):
                return encode(value, path)
        if sparse.issparse(value):
            return self._encode_sparse(value, path)
        if isinstance(value, torch.dtype | torch.device | torch.Size | slice | range):
            return self._encode_small(value, path)
        if isinstance(value, type) and issubclass(value, np.generic):
            return {"numpy type": value.__name__}
        if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
            return self._encode_global(value, path)
        return self._encode_object(value, path)

    def _number(self, value: Any) -> int:
        return self._seen.setdefault(id(value), (len(self._seen), value))[0]

    def _store(self, value: Any, tensor: torch.Tensor) -> dict[str, Any]:
        number = self._number(value)
        self.tensors[str(number)] = tensor.detach().cpu().contiguous().clone()
        return {"number": number}

    def _encode_items(self, value: Any, path: str) -> dict[str, Any]:
        items = [self.encode(item, f"{path}[{k}]") for k, item in enumerate(value)]
        if isinstance(value, torch.Size):
            return {"torch size": items}
        if isinstance(value, tuple):
            if type(value) is tuple:
                return {"tuple": items}
            return {"named tuple": full_name(type(value)), "items": items}
        return {"frozenset" if isinstance(value, frozenset) else "set": items}

    def _encode_dict(self, value: dict, path: str) -> dict[str, Any]:
        # pairs: keys need not be strings, and an entry cannot be mistaken for one of the marks
        return {
            "dict": [
                [self.encode(key, path), self.encode(item, f"{path}[{key!r}]")]
                for key, item in value.items()
            ]
        }

    def _encode_array(self, value: np.ndarray, path: str) -> dict[str, Any]:
        if value.dtype.hasobject or value.dtype.kind in "USV":
            if value.dtype.kind in "SV":
                raise TypeError(f"{path} is an array of {value.dtype}, which cannot be stored")
            number = self._number(value)
            items = [self.encode(item, f"{path}[...]") for item in value.ravel().tolist()]
            kind = "object" if value.dtype.hasobject else value.dtype.str
            return {"strings": items, "kind": kind, "shape": list(value.shape), "number": number}
        contiguous = np.ascontiguousarray(value).reshape(value.shape)
        dtype = contiguous.dtype.newbyteorder("=")
        contiguous = contiguous.astype(dtype, copy=True)
        if dtype.name not in PLAIN_KINDS:
            contiguous = np.frombuffer(contiguous.tobytes(), dtype=np.uint8)
        stored = self._store(value, torch.from_numpy(np.array(contiguous)))
        return {"array": dtype.str, "shape": list(value.shape), **stored}

    def _encode_masked(self, value: np.ma.MaskedArray, path: str) -> dict[str, Any]:
        data, mask = np.asarray(value.data), np.ma.getmaskarray(value)
        return {"masked": [self.encode(data, path), self.encode(mask, path)]}

    def _encode_tensor(self, value: torch.Tensor, path: str) -> dict[str, Any]:
        kind = "parameter" if isinstance(value, nn.Parameter) else "tensor"
        if value.layout != torch.strided:
            raise TypeError(f"{path} is a tensor of layout {value.layout}, which cannot be stored")
        said = {"requires_grad": value.requires_grad}
        if value.is_meta:
            shape = [str(value.dtype).removeprefix("torch."), *value.shape]
            return {kind: "meta", "shape": shape, "number": self._number(value), **said}
        return {kind: "stored", **self._store(value, value), **said}

    def _encode_scalar(self, value: np.generic, path: str) -> dict[str, Any]:
        return {"scalar": self.encode(np.asarray(value), path)}

    def _encode_random_state(self, value: np.random.RandomState, path: str) -> dict[str, Any]:
        return {
            "random state": self.encode(value.get_state(), path),
            "number": self._number(value),
        }

    def _encode_sparse(self, value: Any, path: str) -> dict[str, Any]:
        compressed = value.tocsr()
        parts = [self.encode(getattr(compressed, name), path) for name in CSR_PARTS]
        kind = "array" if isinstance(value, sparse.sparray) else "matrix"
        return {"sparse": kind, "format": value.format, "parts": parts, "shape": list(value.shape)}

    def _encode_partial(self, value: partial, path: str) -> dict[str, Any]:
        parts = (value.func, value.args, value.keywords)
        return {"partial": [self.encode(part, path) for part in parts]}

    def _encode_small(self, value: Any, path: str) -> dict[str, Any]:
        if isinstance(value, slice | range):
            kind = type(value).__name__
            ends = (value.start, value.stop, value.step)
            return {kind: [self.encode(end, path) for end in ends]}
        kind = "torch type" if isinstance(value, torch.dtype) else "torch device"
        return {kind: str(value).removeprefix("torch.")}

    def _encode_global(self, value: Any, path: str) -> dict[str, Any]:
        try:
            found = look_up(full_name(value))
        except (AttributeError, ImportError, ValueError):
            found = None
        if found is not value:
            raise TypeError(
                f"{path} is {value!r}, which has no name in a module: it cannot be stored. Define "
                "it at the top of a module"
            )
        return {"global": full_name(value)}

    def _encode_object(self, value: Any, path: str) -> dict[str, Any]:
        cls = type(value)
        plain = cls.__reduce_ex__ is object.__reduce_ex__ and cls.__reduce__ is object.__reduce__
        state = value.__getstate__() if plain and hasattr(value, "__dict__") else None
        if not isinstance(state, dict):
            raise TypeError(f"{path} is a {cls.__module__}.{cls.__name__}, which cannot be stored")
        if isinstance(value, nn.Module):
            state = self._without_machinery(state, path)
        return {
            "class": full_name(cls),
            "number": self._number(value),
            "state": [[key, self.encode(item, f"{path}.{key}")] for key, item in state.items()],
        }

    def _without_machinery(self, state: dict[str, Any], path: str) -> dict[str, Any]:
        hooks = [key for key, item in state.items() if key.endswith("_hooks") and item]
        if hooks:
            raise TypeError(f"{path} has hooks ({hooks[0]}), which cannot be stored")
        left_out = vars(nn.Module()).keys() - MODULE_TABLES
        return {key: item for key, item in state.items() if key not in left_out}


def look_up(name: str) -> Any:
    """Find what :func:`full_name` names; imports its module.

    Parameters
    ----------
    name : str

    Returns
    -------
    object
    """
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found
