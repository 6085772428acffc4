"""The posterior: a stacked module whose leading axis counts draws, applied in blocks."""

import copy
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.func import functional_call

from skbayes._engine.device import resolve_device
from skbayes._engine.rows import to_tensor
from skbayes.nn import RowNoise, SharedNoise, StackedMLP

#: Bytes that a block's widest activations may take: on a CPU what its second-level cache holds
#: (twice as fast for ten members as one pass over all rows), elsewhere what keeps the device busy.
BLOCK_BYTES = {"cpu": 3 * 2**19, "cuda": 2**28, "mps": 2**26}


class Posterior:
    """Draws of a network's parameters.

    Parameters
    ----------
    module : torch.nn.Module
        A stacked module; every parameter has a leading axis of draws.

    Attributes
    ----------
    module : torch.nn.Module
        The same, in evaluation mode, without gradients.
    n_draws : int
        Number of draws.
    dtype : torch.dtype
        Type that the network computes in.
    device : torch.device
        Where the network lives.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval().requires_grad_(False)
        self._look_up()

    def _look_up(self) -> None:
        """Read off once what walking through the module would cost at every prediction."""
        parameters = list(self.module.parameters())
        self.n_draws = parameters[0].shape[0]
        self.dtype = parameters[0].dtype
        self.device = parameters[0].device
        # a parameter's trailing axes bound the layer widths that it connects
        self._width = max(max(p.shape[1:], default=1) for p in parameters)
        # functional_call swaps weights in the module itself: one thread at a time
        self._lock = threading.Lock()

    @classmethod
    def from_draws(
        cls,
        module: nn.Module,
        draws: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor] | None = None,
    ) -> "Posterior":
        """Make a posterior of a module's architecture and other weights.

        Parameters
        ----------
        module : torch.nn.Module
            A stacked module, left as it is.
        draws : mapping of str to torch.Tensor
            For every name of ``module.named_parameters()`` a tensor with a leading axis of draws.
        buffers : mapping of str to torch.Tensor, optional
            The same for every name of ``module.named_buffers()``; by default every draw has its own
            chain's, and draws come chain by chain.

        Returns
        -------
        Posterior
        """
        # all weights are replaced: they need not be copied first
        stack = copy.deepcopy(module, {id(p): p for p in module.parameters()})
        n_draws = len(next(iter(draws.values())))
        if buffers is None:
            # buffers are not sampled
            buffers = {
                name: buffer.repeat_interleave(n_draws // buffer.shape[0], 0)
                for name, buffer in stack.named_buffers()
            }
        for name, values in draws.items():
            owner = stack.get_submodule(name.rpartition(".")[0])
            setattr(owner, name.rpartition(".")[2], nn.Parameter(values, requires_grad=False))
        for name, values in buffers.items():
            owner = stack.get_submodule(name.rpartition(".")[0])
            owner._buffers[name.rpartition(".")[2]] = values
        return cls(stack)

    def at(self, params: Mapping[str, Any]) -> "Posterior":
        """The same architecture with weights of the caller's.

        Parameters
        ----------
        params : mapping of str to array or torch.Tensor
            For every name of :attr:`params` values with a leading axis of draws, as many as the
            caller likes. Names of buffers may be given too; those that are not are this
            posterior's, draw by draw if there are as many draws.

        Returns
        -------
        Posterior
            Of this dtype and on this device.

        Raises
        ------
        ValueError
            If a name is missing or unknown, a shape is wrong, a value is not a finite number, or
            the draws have buffers of their own and others are not given.
        """
        if not isinstance(params, Mapping):
            raise ValueError(f"params must be a mapping of names to arrays, not {type(params)}")
        own, own_buffers = self.params, dict(self.module.named_buffers())
        missing = sorted(own.keys() - params.keys())
        unknown = sorted(params.keys() - own.keys() - own_buffers.keys())
        if missing or unknown:
            complaints = [f"lacks {missing}"] * bool(missing) + [f"has {unknown}"] * bool(unknown)
            raise ValueError(
                f"params {' and '.join(complaints)}; the network has the weights {sorted(own)}"
            )
        first = next(iter(own))
        given = {name: self._read(name, params[name], (own | own_buffers)[name]) for name in params}
        n_draws = len(given[first])
        for name, values in given.items():
            if len(values) != n_draws:
                raise ValueError(
                    f"params[{name!r}] has {len(values)} draws and params[{first!r}] has {n_draws}"
                )
        buffers = {}
        for name, buffer in own_buffers.items():
            if name in given:
                buffers[name] = given.pop(name)
            elif len(buffer) == n_draws:
                buffers[name] = buffer
            elif bool((buffer == buffer[:1]).all()):
                buffers[name] = buffer[:1].expand(n_draws, *buffer.shape[1:])
            else:
                raise ValueError(
                    f"params has {n_draws} draws and the posterior {len(buffer)}, and every one of "
                    f"these has a buffer {name!r} of its own: give params[{name!r}] too"
                )
        return Posterior.from_draws(self.module, given, buffers)

    def _read(self, name: str, values: Any, like: Tensor) -> Tensor:
        """Values of one name as a tensor like the network's."""
        if not isinstance(values, Tensor):
            values = np.asarray(values)
            if values.dtype.kind not in "fiub":
                raise ValueError(f"params[{name!r}] must hold numbers, not {values.dtype}")
            values = to_tensor(values, self.device, like.dtype)
        values = values.detach().to(self.device, like.dtype)
        if values.ndim != like.ndim or values.shape[1:] != like.shape[1:] or len(values) == 0:
            shape = ", ".join(["draws", *map(str, like.shape[1:])])
            raise ValueError(
                f"params[{name!r}] has shape {tuple(values.shape)}, it must be ({shape})"
                + " with at least one draw" * (0 in values.shape[:1])
            )
        if not bool(torch.isfinite(values).all()):
            raise ValueError(f"params[{name!r}] must be finite numbers of the type {like.dtype}")
        return values

    def hidden(self) -> "Posterior":
        """What the last layer of the default network sees.

        Returns
        -------
        Posterior
            Of the same draws.
        """
        # other module objects around the same weights: these are swapped in the module itself
        whole = copy.deepcopy(self.module, {id(p): p for p in self.module.parameters()})
        net = whole.net if isinstance(whole, SharedNoise | RowNoise) else whole
        assert isinstance(net, StackedMLP)
        return Posterior(_Hidden(net))

    def arrays(self, draws: Any = None) -> dict[str, np.ndarray]:
        """The weights as numpy arrays, on the host.

        Parameters
        ----------
        draws : int, slice or sequence of int, default=None
            Draws to give, all by default. The leading axis stays, also for an int.

        Returns
        -------
        dict of str to ndarray
            Name -> copy of the values, with a leading axis of draws.
        """
        numbers = np.arange(self.n_draws)
        chosen = np.atleast_1d(numbers if draws is None else numbers[draws])
        index = torch.from_numpy(chosen).to(self.device)
        return {
            name: values.detach().index_select(0, index).cpu().numpy()
            for name, values in self.params.items()
        }

    @property
    def params(self) -> dict[str, Tensor]:
        """Name -> tensor with a leading axis of draws."""
        return dict(self.module.named_parameters())

    def to(self, device: str | torch.device) -> "Posterior":
        """Move to a device.

        Parameters
        ----------
        device : str or torch.device

        Returns
        -------
        Posterior
            Itself.
        """
        self.module.to(device)
        self._look_up()
        return self

    def is_finite(self) -> bool:
        """Whether every weight of every draw is a finite number.

        Returns
        -------
        bool
        """
        return all(bool(torch.isfinite(p).all()) for p in self.module.parameters())

    def evaluate(
        self, X: np.ndarray | sparse.csr_array, draws: np.ndarray | None = None
    ) -> Iterator[tuple[slice, slice, Tensor]]:
        """Outputs of the network, block by block.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (rows, features)
        draws : ndarray of int, optional
            Draws to use, all by default.

        Yields
        ------
        draw_slice, row_slice : slice
            Where the block belongs in the whole (of the selected draws).
        output : torch.Tensor of shape (block draws, block rows, outputs)
        """
        n_draws = self.n_draws if draws is None else len(draws)
        n_rows = X.shape[0]
        draw_step, row_step = self._block_shape(n_draws, *X.shape)
        with torch.no_grad():
            for row_start in range(0, n_rows, row_step):
                rows = slice(row_start, min(row_start + row_step, n_rows))
                block: Any = X[rows] if n_rows > row_step else X
                dense = block.toarray() if sparse.issparse(block) else block
                tensor = to_tensor(dense, self.device, self.dtype)
                for draw_start in range(0, n_draws, draw_step):
                    chosen = slice(draw_start, min(draw_start + draw_step, n_draws))
                    yield chosen, rows, self._apply(chosen, draws, n_draws, tensor)

    def _apply(self, chosen: slice, draws: np.ndarray | None, n_draws: int, rows: Tensor) -> Tensor:
        with self._lock:
            if draws is None and chosen.stop - chosen.start == n_draws:
                return self.module(rows)
            state = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
            if draws is None:
                part = {name: values[chosen] for name, values in state.items()}
            else:
                index = torch.as_tensor(draws[chosen], device=self.device)
                part = {name: values.index_select(0, index) for name, values in state.items()}
            return functional_call(self.module, part, (rows,))

    def _block_shape(self, n_draws: int, n_rows: int, n_features: int) -> tuple[int, int]:
        """Number of draws and rows of which one block's widest activation fits the budget."""
        per_row = 2 * max(self._width, n_features) * torch.finfo(self.dtype).bits // 8
        fits = max(BLOCK_BYTES.get(self.device.type, 2**26) // per_row, 1)
        row_step = min(n_rows, max(fits // min(n_draws, 16), 1))
        return min(n_draws, max(fits // max(row_step, 1), 1)), max(row_step, 1)

    # -- storage: plain arrays and a weightless skeleton ------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        arrays = {name: p.detach().cpu().numpy() for name, p in self.module.named_parameters()}
        buffers = {name: b.detach().cpu().numpy() for name, b in self.module.named_buffers()}
        skeleton = copy.deepcopy(self.module).to("meta")
        return {
            "skeleton": skeleton,
            "arrays": arrays,
            "buffers": buffers,
            "device": str(self.device),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        try:
            device = resolve_device(state["device"])
        except ValueError:  # fitted on a GPU, loaded where there is none
            device = torch.device("cpu")
        module = state["skeleton"]
        # np.array copies: a pickle may be memory-mapped read-only
        for name, values in state["arrays"].items():
            owner = module.get_submodule(name.rpartition(".")[0])
            tensor = torch.from_numpy(np.array(values))
            owner._parameters[name.rpartition(".")[2]] = nn.Parameter(tensor, requires_grad=False)
        for name, values in state["buffers"].items():
            owner = module.get_submodule(name.rpartition(".")[0])
            owner._buffers[name.rpartition(".")[2]] = torch.from_numpy(np.array(values))
        self.module = module.to(device).eval().requires_grad_(False)
        self._look_up()


class _Hidden(nn.Module):
    """A stacked perceptron without its last layer."""

    def __init__(self, net: StackedMLP) -> None:
        super().__init__()
        self.net = net

    def forward(self, X: Tensor) -> Tensor:
        hidden = self.net.hidden(X)
        return hidden if hidden.ndim == 3 else hidden.expand(len(next(self.parameters())), -1, -1)


class StackEstimatorMixin:
    """What estimators with a stack (``posterior_``) share: failed fits and pickles."""

    @contextmanager
    def _kept_on_failure(self) -> Iterator[None]:
        """Keep what validation sets as it was, if the fit fails or is interrupted."""
        names = ("n_features_in_", "feature_names_in_")
        before = {name: self.__dict__[name] for name in names if name in self.__dict__}
        try:
            yield
        except BaseException:
            for name in names:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    def __getstate__(self) -> dict[str, Any]:
        # the stack is all that prediction and continued training need; the net would store its
        # weights twice
        state: dict[str, Any] = super().__getstate__().copy()  # type: ignore[attr-defined]
        state.pop("net_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        if "posterior_" in state:
            self.device_ = self.posterior_.device  # type: ignore[attr-defined]
