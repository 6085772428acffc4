"""What all estimators on a posterior stack share: the steps of a fit, and failures."""

import copy
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from skbayes._engine.build import (
    build_stack,
    check_hidden_layer_sizes,
    history_arrays,
    train,
)
from skbayes._engine.device import resolve_device, resolve_dtype
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior, StackEstimatorMixin
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import draw_seed, new_random_state, seeded_global_stream
from skbayes._sklearn import Interval, StrOptions, check_sample_weight
from skbayes.nn import ACTIVATIONS, StackedMLP
from skbayes.supervised._likelihood import Likelihood


def _has_known_layers(estimator: Any) -> bool:
    return getattr(estimator, "module", None) is None


class BaseStackEstimator(
    StackEstimatorMixin, CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta
):
    """Base of classifiers and regressors; a subclass says how the stack is filled (``_fill``)."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "prior_scale": [StrOptions({"fan_in"}), Interval(Real, 0, None, closed="neither")],
        "module": [callable, None],
        "module_params": [dict, None],
        "skorch_callbacks": ["array-like", None],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _fill(
        self, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        """Train on the rows; return the fitted attributes, ``posterior_`` among them."""

    def _fit_rows(
        self, X: Any, y: np.ndarray, sample_weight: Any, likelihood: Likelihood, *, resume: bool
    ) -> dict[str, Any]:
        """Fill the stack; return the fitted attributes, which the caller sets if it succeeds."""
        device = resolve_device(self.device)
        rows = Rows(X, y, sample_weight, device=device, dtype=self._compute_dtype(X))
        # A fit that goes on must not draw the same noise again: it goes on in the stream too
        rng = copy.deepcopy(self._random_state) if resume else new_random_state(self.random_state)
        if self.module is None:
            fitted = self._fill(rows, likelihood, rng, resume=resume)
        else:
            # a user's layers (dropout) may draw from torch's global stream as they train
            with seeded_global_stream(draw_seed(rng), device):
                fitted = self._fill(rows, likelihood, rng, resume=resume)
        if not fitted["posterior_"].is_finite():
            raise ValueError(
                "Training diverged: some weights are not finite. Use a smaller step "
                "(learning_rate_init or step_size), or scale the input."
            )
        # a stream of its own for later rounds: the user's RandomState may serve others too
        stream = np.random.RandomState(draw_seed(rng))
        return {**fitted, "device_": device, "_random_state": stream}

    def _compute_dtype(self, X: Any) -> torch.dtype:
        return resolve_dtype(self.dtype, X.dtype)

    # -- validation -----------------------------------------------------------------------------

    def _validate_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Any, np.ndarray, np.ndarray | None]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            reset=reset,
            y_numeric=self._y_numeric,
        )
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
            # rows without weight are no data: they must not even add a class
            kept = sample_weight > 0
            if not kept.all():
                X, y, sample_weight = X[kept], y[kept], sample_weight[kept]
        return X, y, sample_weight

    _y_numeric = False

    # -- pieces of a fit ---------------------------------------------------------------------------

    def _build_stack(
        self, rows: Rows, likelihood: Likelihood, n_members: int, rng: np.random.RandomState
    ) -> nn.Module:
        bare = build_stack(
            rows.n_features,
            likelihood.n_outputs,
            n_members,
            hidden_layer_sizes=check_hidden_layer_sizes(self.hidden_layer_sizes),
            activation=self.activation,
            module=self.module,
            module_params=self.module_params,
            rng=rng,
            dtype=rows.dtype,
        )
        return likelihood.head(bare)

    def _continue_from(self, stack: nn.Module, last: Posterior, likelihood: Likelihood) -> None:
        """Put a fresh stack where the last fit ended; logits of classes that are new stay fresh."""
        before = last.params | dict(last.module.named_buffers())
        now = dict(stack.named_parameters()) | dict(stack.named_buffers())
        self._carry_over(stack, now, before, likelihood)

    def _carry_over(
        self,
        stack: nn.Module,
        now: Mapping[str, Tensor],
        before: Mapping[str, Tensor],
        likelihood: Likelihood,
    ) -> None:
        """Overwrite tensors shaped like a stack's with the last fit's, as far as that had them."""
        classes: Any = [] if likelihood.classes is None else likelihood.classes
        known = np.atleast_1d(np.searchsorted(classes, getattr(self, "classes_", [])))
        # only the default network's output layer is known to have an axis of classes
        output = f"layers.{len(stack.layers) - 1}." if isinstance(stack, StackedMLP) else None
        message = (
            "a fit that goes on from the last needs the network and the number of members or "
            "chains to stay as they were, but "
        )
        if before.keys() != now.keys():
            changed = sorted(before.keys() ^ now.keys())
            raise ValueError(f"{message}the parameters {changed} are not in both")
        with torch.no_grad():
            for name, value in now.items():
                source = before[name].to(value)
                target = value
                if output is not None and name.startswith(output) and len(known) < len(classes):
                    target = value[:, known]
                if source.shape != target.shape:
                    raise ValueError(
                        f"{message}parameter {name!r} had shape {tuple(source.shape)}, and now has "
                        f"shape {tuple(value.shape)}"
                    )
                if target is value:
                    value.copy_(source)
                else:
                    value[:, known] = source

    def _train(
        self, net: StackNet, rows: Rows, task_name: str, own_callbacks: Sequence[Any] = ()
    ) -> dict[str, Any]:
        """Train with the user's callbacks; return the net and its history."""
        train(net, rows, self, self.skorch_callbacks, task_name, own_callbacks)
        return {"net_": net, "history_": history_arrays(net)}

    # -- prediction -------------------------------------------------------------------------------

    def _validate_predict(self, X: Any) -> Any:
        check_is_fitted(self, "posterior_")
        return validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )

    @available_if(_has_known_layers)
    def embed(self, X: Any, n_draws: int = 1) -> np.ndarray:
        """Where the last hidden layer puts rows, for distances between them.

        Core-set and BADGE batches (``ActiveLearner(batch="badge")``) measure by it. Not for a
        ``module`` of your own, of whose layers nothing is known.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        n_draws : int, default=1
            Number of networks, spread evenly over the stack. Their units stand side by side,
            divided by the root of their number, so that squared distances are means over networks.

        Returns
        -------
        ndarray of shape (n_samples, n_draws * n_units)
            Activations before the last layer: of one network, its weights times these plus its
            bias are the outputs. X itself if there is no hidden layer.

        Raises
        ------
        ValueError
            If ``n_draws`` is not between 1 and the number of draws in the stack.
        """
        X = self._validate_predict(X)
        chosen = self._choose_draws(n_draws)
        units = self._gather(X, chosen, lambda block: block, self.posterior_.hidden())
        return units.transpose(1, 0, 2).reshape(X.shape[0], -1) / np.sqrt(len(units)).astype(
            units.dtype
        )

    def _choose_draws(self, n_draws: int | None) -> np.ndarray | None:
        """Numbers of ``n_draws`` draws, spread evenly over the stack; None for all."""
        if n_draws is None:
            return None
        available = self.posterior_.n_draws
        if not (isinstance(n_draws, Integral) and 1 <= n_draws <= available):
            raise ValueError(
                f"n_draws={n_draws!r} must be an integer between 1 and {available}, the "
                "number of draws in the posterior"
            )
        return np.linspace(0, available - 1, int(n_draws)).round().astype(int)

    def _gather(
        self,
        X: Any,
        chosen: np.ndarray | None,
        transform: Callable[[Tensor], Tensor],
        posterior: Posterior | None = None,
    ) -> np.ndarray:
        """Transform the outputs of every draw; an array of shape (draws, rows, ...)."""
        posterior = self.posterior_ if posterior is None else posterior
        n_draws = posterior.n_draws if chosen is None else len(chosen)
        out = None
        for draws, rows, output in posterior.evaluate(X, chosen):
            block = transform(output).cpu().numpy()
            if out is None:
                out = np.empty((n_draws, X.shape[0], *block.shape[2:]), block.dtype)
            out[draws, rows] = block
        assert out is not None
        return out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
