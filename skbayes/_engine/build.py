"""Building: the stacked network of an estimator, its prior, and the net that trains it."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from skorch.callbacks import EpochTimer, PrintLog
from torch import Tensor, nn

from skbayes._engine.callback_checks import check_callbacks, check_monitors
from skbayes._engine.callbacks import EarlyStopping, SklearnBridge
from skbayes._engine.net import StackNet
from skbayes._engine.rows import MemberBatches, Rows
from skbayes._engine.seeds import draw_seed, make_generator, seeded_global_stream
from skbayes._engine.threads import one_thread_if_small
from skbayes.nn import StackedMLP, StackedModule
from skbayes.nn._stack import check_stack


def check_hidden_layer_sizes(
    hidden_layer_sizes: Any, parameter: str = "hidden_layer_sizes"
) -> list[int]:
    """Check widths of hidden layers.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int
    parameter : str, default="hidden_layer_sizes"
        What errors call it.

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        If an entry is not an integer of at least 1.
    """
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes)).tolist()
    if any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(f"{parameter}={hidden_layer_sizes!r} must hold integers of at least 1")
    return sizes


def build_stack(
    n_features: int,
    n_outputs: int,
    n_members: int,
    *,
    hidden_layer_sizes: Sequence[int],
    activation: str,
    module: Callable[..., nn.Module] | None,
    module_params: dict[str, Any] | None,
    rng: np.random.RandomState,
    dtype: torch.dtype,
    parameter: str = "module",
) -> nn.Module:
    """Make ``n_members`` freshly initialised networks in one stacked module, on the CPU.

    Parameters
    ----------
    n_features, n_outputs, n_members : int
    hidden_layer_sizes : sequence of int
    activation : str
        Both of the default multilayer perceptron.
    module : callable or None
        A user's class or factory ``(n_features, n_outputs, **module_params) -> torch.nn.Module``.
    module_params : dict or None
    rng : numpy.random.RandomState
        Source of the initial weights.
    dtype : torch.dtype
    parameter : str, default="module"
        What errors call ``module``.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    TypeError
        If ``module`` is not a factory or does not return a module.
    """
    if module is None:
        return StackedMLP(
            n_features,
            hidden_layer_sizes,
            n_outputs,
            n_members,
            activation=activation,
            generator=make_generator(rng),
            dtype=dtype,
        )
    if isinstance(module, nn.Module):
        raise TypeError(
            f"{parameter}={type(module).__name__}(...) is an instance; give its class or a "
            "function (n_features, n_outputs, **module_params) that returns a new "
            "torch.nn.Module, so that every fit starts afresh and every member from its own weights"
        )
    with seeded_global_stream(draw_seed(rng), torch.device("cpu")):
        members = [module(n_features, n_outputs, **(module_params or {})) for _ in range(n_members)]
        for member in members:
            if not isinstance(member, nn.Module):
                raise TypeError(
                    f"{parameter}={module!r} must return a torch.nn.Module, got "
                    f"{type(member).__name__}"
                )
        if len({id(member) for member in members}) < n_members:
            raise TypeError(
                f"{parameter}={module!r} must return a new torch.nn.Module at every call, so that "
                "every member starts from its own weights; it returned the same one twice"
            )
        stack = StackedModule([member.to(dtype) for member in members], parameter)
        check_stack(stack, n_features, n_outputs, dtype, parameter)
    return stack


def prior_precisions(module: nn.Module, prior_scale: str | float | None) -> list[float]:
    """Precision of the Gaussian prior of every parameter tensor of a stacked module.

    Parameters
    ----------
    module : torch.nn.Module
    prior_scale : "fan_in", float or None
        ``"fan_in"``: standard deviation ``1 / sqrt(fan_in)`` for weights (tensors of two axes and
        more) and 1 for the rest; a number: that standard deviation everywhere; ``None``: a flat
        prior.

    Returns
    -------
    list of float
        In the order of ``module.parameters()``.
    """
    if prior_scale is None:
        return [0.0 for _ in module.parameters()]
    if prior_scale == "fan_in":
        # axes: member, output, then what is summed over
        return [float(p[0, 0].numel()) if p.ndim > 2 else 1.0 for p in module.parameters()]
    scale = float(prior_scale)  # a product overflows to infinity, where a power raises
    precision = 1.0 / max(scale * scale, np.finfo(np.float64).tiny)
    return [precision for _ in module.parameters()]


def prior_scales(module: nn.Module, precisions: Sequence[float]) -> list[float]:
    """Standard deviations of the prior of the tensors that are sampled.

    Parameters
    ----------
    module : torch.nn.Module
    precisions : sequence of float
        From :func:`prior_precisions`.

    Returns
    -------
    list of float
        For every parameter that needs a gradient; 1 where the prior is flat.
    """
    pairs = zip(precisions, module.parameters(), strict=True)
    return [q**-0.5 if q > 0 else 1.0 for q, p in pairs if p.requires_grad]


def build_net(
    module: nn.Module,
    criterion: nn.Module,
    optimizer: Callable[..., torch.optim.Optimizer],
    rows: Rows,
    *,
    batch_size: int,
    max_epochs: int,
    lr: float = 0.01,
    shuffle: torch.Generator,
    precisions: Sequence[float],
    half_normal: Mapping[str, float] | None = None,
    anchors: Mapping[str, Tensor] | None = None,
    valid_rows: Rows | None = None,
    verbose: int = 0,
    steps_per_epoch: int | None = None,
    n_steps: int | None = None,
    on_step: Callable[[StackNet], None] | None = None,
    net_class: type[StackNet] = StackNet,
    replacement: bool = False,
) -> StackNet:
    """Make the skorch net that trains a stacked module; it is initialised, not yet trained.

    Parameters
    ----------
    module : torch.nn.Module
    criterion : torch.nn.Module
        ``(output, batch) -> losses of shape (members, rows)``.
    optimizer : callable
        ``(params, lr) -> optimizer``.
    rows : Rows
        Training data; their device is the net's.
    batch_size, max_epochs : int
    lr : float, default=0.01
        First argument of ``optimizer`` after the parameters.
    shuffle : torch.Generator
        Source of the members' shuffles.
    precisions : sequence of float
        Prior precisions, from :func:`prior_precisions`.
    half_normal : mapping of str to float, optional
        Half-normal priors, as for :class:`~skbayes._engine.prior.Prior`.
    anchors : mapping of str to torch.Tensor, optional
        Centres of the Gaussian priors, likewise.
    valid_rows : Rows, optional
        Held-back rows whose loss is recorded as ``valid_loss``.
    verbose : int, default=0
        1 prints skorch's table.
    steps_per_epoch, n_steps : int, optional
        As for :class:`MemberBatches`.
    on_step : callable, optional
        As for :class:`StackNet`.
    net_class : type, default=StackNet
    replacement : bool, default=False
        As for :class:`MemberBatches`.

    Returns
    -------
    StackNet
    """
    n_members = next(module.parameters()).shape[0]
    net = net_class(
        module,
        criterion,
        optimizer=optimizer,
        lr=lr,
        batch_size=batch_size,
        max_epochs=max_epochs,
        iterator_train=MemberBatches,
        iterator_train__n_members=n_members,
        iterator_train__generator=shuffle,
        iterator_train__steps_per_epoch=steps_per_epoch,
        iterator_train__n_steps=n_steps,
        iterator_train__replacement=replacement,
        iterator_valid=MemberBatches,
        iterator_valid__n_members=n_members,
        iterator_valid__generator=shuffle,
        iterator_valid__batch_size=max(len(valid_rows), 1) if valid_rows is not None else 1,
        train_split=None if valid_rows is None else HeldBack(valid_rows),
        callbacks=[],
        verbose=verbose,
        device=str(rows.device),
        precisions=precisions,
        half_normal=half_normal,
        anchors=anchors,
        n_data=rows.n_data,
        on_step=on_step,
    )
    # skorch's defaults (a batch scorer that reads every loss back, a log) are replaced
    net.get_default_callbacks = list
    return net.initialize()


def train(
    net: StackNet,
    rows: Rows,
    estimator: Any,
    skorch_callbacks: Sequence[Any] | None,
    task_name: str,
    own_callbacks: Sequence[Any] = (),
) -> None:
    """Train a net with the user's callbacks, skorch's and scikit-learn's.

    Parameters
    ----------
    net : StackNet
        From :func:`build_net`; ``net.max_epochs`` epochs at most.
    rows : Rows
        Training data.
    estimator : estimator
        The estimator (a ``CallbackSupportMixin``) in whose ``fit`` this happens.
    skorch_callbacks : sequence or None
        The user's; copied.
    task_name : str
        What an epoch is called in a progress bar.
    own_callbacks : sequence, optional
        The engine's.
    """
    users = check_callbacks(skorch_callbacks)
    context = estimator._init_callback_context(max_subtasks=net.max_epochs)
    context.call_on_fit_task_begin(estimator=estimator)
    net.callbacks = [
        EpochTimer(),
        *own_callbacks,
        *copy.deepcopy(users),
        *([PrintLog()] if net.verbose else []),
    ]
    net.initialize_callbacks()
    check_monitors(net)
    # last, so that the others have seen the epoch when it ends training
    net.callbacks_.append(("sklearn", SklearnBridge(estimator, context, task_name)))
    run(net, rows)
    context.call_on_fit_task_end(estimator=estimator)
    # it holds the estimator, which holds the net
    net.callbacks_ = [named for named in net.callbacks_ if named[0] != "sklearn"]


def run(net: StackNet, rows: Rows) -> None:
    """Train a net with the callbacks that it has, on as many threads as pay.

    Parameters
    ----------
    net : StackNet
    rows : Rows
        Training data.
    """
    largest = getattr(net.module_, "work", 0) or max(p.numel() for p in net.module_.parameters())
    with one_thread_if_small(min(net.batch_size, len(rows)) * largest):
        net.partial_fit(rows)


def history_arrays(net: StackNet) -> dict[str, np.ndarray]:
    """Turn skorch's history into columns.

    Parameters
    ----------
    net : StackNet

    Returns
    -------
    dict of ndarray
        Empty if there was no epoch.
    """
    # a row that a callback cut short has no loss
    history = [row for row in net.history if "train_loss" in row]
    # skorch's marks of the best epoch so far are for its callbacks
    keys = [k for k in history[-1] if k != "batches" and not k.endswith("_best")] if history else []
    return {key: np.array([row.get(key, np.nan) for row in history]) for key in keys}


def hold_back(
    estimator: Any, rows: Rows, generator: torch.Generator
) -> tuple[Rows, Rows, EarlyStopping]:
    """Divide the rows for early stopping.

    Parameters
    ----------
    estimator : estimator
        With ``validation_fraction``, ``n_iter_no_change`` and ``tol``.
    rows : Rows
    generator : torch.Generator

    Returns
    -------
    train_rows, valid_rows : Rows
    stopping : EarlyStopping

    Raises
    ------
    ValueError
        If no training row is left.
    """
    n_held_back = int(np.ceil(estimator.validation_fraction * len(rows)))
    if n_held_back >= len(rows):
        raise ValueError(
            f"early_stopping=True with validation_fraction={estimator.validation_fraction} "
            f"leaves no training row of n_samples={len(rows)}"
        )
    train_rows, valid_rows = rows.split(n_held_back, generator)
    stopping = EarlyStopping("valid_loss", estimator.n_iter_no_change, estimator.tol)
    return train_rows, valid_rows, stopping


class HeldBack:
    """skorch's ``train_split`` for rows that were held back before.

    Parameters
    ----------
    rows : Rows
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __call__(self, dataset: Rows, y: Any = None, **kwargs: Any) -> tuple[Rows, Rows]:
        """Pair the training rows with the rows held back.

        Parameters
        ----------
        dataset : Rows
        y : None
        **kwargs
            Not used.

        Returns
        -------
        tuple of Rows
        """
        return dataset, self.rows
