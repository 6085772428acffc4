"""What all classifiers on a posterior stack share: validation, prediction, uncertainty, storage."""

import copy
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional as F

from skbayes._engine.build import (
    build_stack,
    check_hidden_layer_sizes,
    history_arrays,
    train,
)
from skbayes._engine.device import resolve_device, resolve_dtype
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior, StackEstimatorMixin
from skbayes._engine.rows import Batch, Rows
from skbayes._engine.seeds import draw_seed, new_random_state, seeded_global_stream
from skbayes._sklearn import Interval, StrOptions, _check_sample_weight, _fit_context
from skbayes.nn import ACTIVATIONS, StackedMLP


class StackCrossEntropy(nn.Module):
    """Cross-entropy of a softmax over K logits, a loss a member and row."""

    def forward(self, output: Tensor, batch: Batch) -> Tensor:
        """Evaluate it.

        Parameters
        ----------
        output : torch.Tensor of shape (members, rows, classes)
        batch : Batch
            Its ``y`` holds class numbers.

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        members, rows, classes = output.shape
        target = batch.y
        assert target is not None
        losses = F.cross_entropy(
            output.reshape(members * rows, classes),
            target.expand(members, rows).reshape(-1),
            reduction="none",
        )
        return losses.view(members, rows)


class BaseStackClassifier(
    StackEstimatorMixin, CallbackSupportMixin, ClassifierMixin, BaseEstimator, metaclass=ABCMeta
):
    """Base of the classifiers; a subclass says how the stack is filled (``_fill``)."""

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
        self, rows: Rows, classes: np.ndarray, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        """Train on the rows; return the fitted attributes, ``posterior_`` among them."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "BaseStackClassifier":
        """Fit the posterior to data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 is computed in float32, everything else in float64.
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts as two rows; the likelihood is that of ``sum(sample_weight)``
            data.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input is malformed, or training diverges.
        """
        resume = self.warm_start and hasattr(self, "posterior_")
        with self._kept_on_failure():
            X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=not resume)
            if resume and _is_text(y) != _is_text(self.classes_):
                raise ValueError(
                    f"warm_start=True: y has labels of another type ({y.dtype}) than the last fit "
                    f"({self.classes_.dtype})"
                )
            classes = np.union1d(self.classes_, y) if resume else np.unique(y)
            return self._fit_validated(X, y, sample_weight, classes, resume=resume)

    def _fit_validated(
        self, X: Any, y: Any, sample_weight: Any, classes: np.ndarray, *, resume: bool
    ) -> "BaseStackClassifier":
        device = resolve_device(self.device)
        rows = Rows(
            X,
            np.searchsorted(classes, y).astype(np.int64),
            sample_weight,
            device=device,
            dtype=resolve_dtype(self.dtype, X.dtype),
        )
        # A fit that goes on must not draw the same noise again: it goes on in the stream too
        rng = copy.deepcopy(self._random_state) if resume else new_random_state(self.random_state)
        if self.module is None:
            fitted = self._fill(rows, classes, rng, resume=resume)
        else:
            # a user's layers (dropout) may draw from torch's global stream as they train
            with seeded_global_stream(draw_seed(rng), device):
                fitted = self._fill(rows, classes, rng, resume=resume)
        if not fitted["posterior_"].is_finite():
            raise ValueError(
                "Training diverged: some weights are not finite. Use a smaller step "
                "(learning_rate_init or step_size), or scale the input."
            )
        # Only now: a fit that fails or is interrupted leaves what was fitted before
        # a stream of its own for later rounds: the user's RandomState may serve others too
        stream = np.random.RandomState(draw_seed(rng))
        self.__dict__.update(fitted, classes_=classes, device_=device, _random_state=stream)
        return self

    # -- validation -----------------------------------------------------------------------------

    def _validate_rows(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Any, np.ndarray, np.ndarray | None]:
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset
        )
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            # rows without weight are no data: they must not even add a class
            kept = sample_weight > 0
            if not kept.all():
                X, y, sample_weight = X[kept], y[kept], sample_weight[kept]
        return X, y, sample_weight

    # -- pieces of a fit ---------------------------------------------------------------------------

    def _build_stack(
        self, rows: Rows, n_classes: int, n_members: int, rng: np.random.RandomState
    ) -> nn.Module:
        return build_stack(
            rows.n_features,
            n_classes,
            n_members,
            hidden_layer_sizes=check_hidden_layer_sizes(self.hidden_layer_sizes),
            activation=self.activation,
            module=self.module,
            module_params=self.module_params,
            rng=rng,
            dtype=rows.dtype,
        )

    def _continue_from(self, stack: nn.Module, last: Posterior, classes: np.ndarray) -> None:
        """Put a fresh stack where the last fit ended; logits of classes that are new stay fresh."""
        known = np.atleast_1d(np.searchsorted(classes, self.classes_))
        before = last.params | dict(last.module.named_buffers())
        now = dict(stack.named_parameters()) | dict(stack.named_buffers())
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

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities, averaged over the posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Mean of the draws' softmax, columns in the order of ``classes_``.
        """
        return self._predict_proba(self._validate_predict(X))

    def _predict_proba(self, X: Any) -> np.ndarray:
        posterior = self.posterior_
        n_draws, n_rows = posterior.n_draws, X.shape[0]
        out: Tensor | None = None
        for draws, rows, output in posterior.evaluate(X):
            proba = _softmax(output)
            block = proba.sum(0).div_(n_draws) if n_draws > 1 else proba[0]
            if out is None and block.shape[0] == n_rows and draws.stop == n_draws:
                out = block  # the one block there is
                break
            if out is None:
                out = block.new_zeros(n_rows, block.shape[-1])
            out[rows] += block
        assert out is not None
        return out.cpu().numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Most probable class of every row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        winners = self.predict_proba(X).argmax(axis=1)
        return self.classes_[winners]

    def sample_proba(self, X: Any, n_draws: int | None = None) -> np.ndarray:
        """Class probabilities of every posterior draw.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.
        n_draws : int, default=None
            Number of draws, spread evenly over the stack; all by default.

        Returns
        -------
        ndarray of shape (n_draws, n_samples, n_classes)

        Raises
        ------
        ValueError
            If ``n_draws`` is not between 1 and the number of draws in the stack.
        """
        X = self._validate_predict(X)
        available = self.posterior_.n_draws
        chosen = None
        if n_draws is not None:
            if not (isinstance(n_draws, Integral) and 1 <= n_draws <= available):
                raise ValueError(
                    f"n_draws={n_draws!r} must be an integer between 1 and {available}, the "
                    "number of draws in the posterior"
                )
            chosen = np.linspace(0, available - 1, int(n_draws)).round().astype(int)
        n_chosen = available if chosen is None else len(chosen)
        out = None
        for draws, rows, output in self.posterior_.evaluate(X, chosen):
            proba = _softmax(output).cpu().numpy()
            if out is None:
                out = np.empty((n_chosen, X.shape[0], proba.shape[-1]), proba.dtype)
            out[draws, rows] = proba
        assert out is not None
        return out

    def predict_uncertainty(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Uncertainty of every prediction, split in two.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        total : ndarray of shape (n_samples,)
            Entropy of the mean prediction, in nats.
        aleatoric : ndarray of shape (n_samples,)
            Mean entropy of the draws: noise in the labels, which more data does not remove.
        epistemic : ndarray of shape (n_samples,)
            Their difference, the mutual information of label and weights: what more data removes.
        """
        draws = self.sample_proba(X)  # (draws, rows, classes)
        total = _entropy(draws.mean(axis=0))
        aleatoric = _entropy(draws).mean(axis=0)
        return total, aleatoric, np.maximum(total - aleatoric, 0.0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _is_text(labels: np.ndarray) -> bool:
    return labels.dtype.kind in "SU" or isinstance(labels[0], str)


def _softmax(logits: Tensor) -> Tensor:
    """Softmax of the last axis; torch's own is five times slower where that axis is short."""
    weights = (logits - logits.amax(-1, keepdim=True)).exp_()
    return weights.div_(weights.sum(-1, keepdim=True))


def _entropy(proba: np.ndarray) -> np.ndarray:
    """Entropy of the last axis in nats, with 0 log 0 = 0."""
    return -(proba * np.log(np.where(proba > 0, proba, 1.0))).sum(axis=-1)
