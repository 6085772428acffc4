"""What the density estimators on a stacked autoencoder share: parameters, fit, scores."""

import copy
import math
from abc import ABCMeta
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import validate_data

from skbayes._engine.build import (
    build_net,
    check_hidden_layer_sizes,
    history_arrays,
    hold_back,
    train,
)
from skbayes._engine.device import resolve_device, resolve_dtype
from skbayes._engine.posterior import Posterior, StackEstimatorMixin
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import draw_seed, make_generator, new_random_state
from skbayes._sklearn import Interval, StrOptions, _fit_context
from skbayes.density._blocks import MIN_ROWS, column_variances, row_blocks
from skbayes.density._codes import CodesMixin
from skbayes.density._criteria import NegativeELBO
from skbayes.density._rate import CosineRate
from skbayes.density._scores import SCORES
from skbayes.nn import ACTIVATIONS, StackedVAE

#: Optimizer steps that ``max_iter="auto"`` aims at, whatever the number of rows.
AUTO_STEPS = 1000
#: Smallest standard deviation of the output, in units of the columns' mean spread: a constant
#: column would otherwise have an infinite density.
NOISE_FLOOR = 0.02
#: What a row scores whose density cannot be told from zero in the type that was computed in;
#: finite, because metrics and thresholds refuse infinities.
LOWEST_SCORE = -1e100


class BaseVAE(
    CodesMixin,
    StackEstimatorMixin,
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base of the estimators on a variational autoencoder."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "n_components": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "noise": [StrOptions({"shared", "per_feature"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "score_method": [StrOptions(set(SCORES))],
        "n_importance": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "skorch_callbacks": ["array-like", None],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"}), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Any:
        """Fit the autoencoder.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 is computed in float32, everything else in float64.
        y : None
            Not used.

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
            X = validate_data(
                self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=not resume
            )
            fitted = self._fit_vae(X, resume)
            # Only now, and all or nothing: a fit that fails leaves what was fitted before
            before = dict(self.__dict__)
            self.__dict__.update(fitted)
            try:
                self._after_fit(X)
            except BaseException:
                self.__dict__.clear()
                self.__dict__.update(before)
                raise
        return self

    def _after_fit(self, X: Any) -> None:
        """Hook: what else is learned, on validated rows."""

    def _fit_vae(self, X: Any, resume: bool) -> dict[str, Any]:
        device = resolve_device(self.device)
        dtype = resolve_dtype(self.dtype, X.dtype)
        rng = copy.deepcopy(self._random_state) if resume else new_random_state(self.random_state)
        rows = Rows(X, device=device, dtype=dtype)
        stack = self._build_stack(X, rng, dtype, resume)
        train_rows, valid_rows = rows, None
        own_callbacks: list[Any] = []
        if self.early_stopping:
            train_rows, valid_rows, stopping = hold_back(self, rows, make_generator(rng))
            own_callbacks.append(stopping)
        batch_size = min(self.batch_size, len(train_rows))
        steps_per_epoch = math.ceil(len(train_rows) / batch_size)
        max_iter = self.max_iter
        if max_iter == "auto":
            max_iter = max(1, round(AUTO_STEPS / steps_per_epoch))
        rate = CosineRate(self.learning_rate_init, max_iter * steps_per_epoch)
        net = build_net(
            stack,
            NegativeELBO(self.beta),
            partial(torch.optim.Adam, fused=device.type in ("cpu", "cuda")),
            train_rows,
            batch_size=batch_size,
            max_epochs=max_iter,
            lr=self.learning_rate_init,
            shuffle=make_generator(rng),
            precisions=[0.0 for _ in stack.parameters()],
            valid_rows=valid_rows,
            verbose=self.verbose,
            on_step=rate,
        )
        rate.start(net)
        net.module_.noise_generator = make_generator(rng, device)
        train(net, train_rows, self, self.skorch_callbacks, "epoch", own_callbacks)
        net.module_.noise_generator = None
        posterior = Posterior(net.module_)
        if not posterior.is_finite():
            raise ValueError(
                "Training diverged: some weights are not finite. Use a smaller "
                "learning_rate_init, or scale the input."
            )
        return {
            "net_": net,
            "history_": history_arrays(net),
            "posterior_": posterior,
            "device_": device,
            "n_iter_": len(net.history),
            "n_components_": stack.n_components,
            "noise_variance_": self._noise_variance(stack),
            "_n_features_out": stack.n_components,
            "_noise_seed": draw_seed(rng),
            # a stream of its own: the user's RandomState may serve other estimators too
            "_random_state": np.random.RandomState(draw_seed(rng)),
        }

    def _build_stack(
        self, X: Any, rng: np.random.RandomState, dtype: torch.dtype, resume: bool
    ) -> StackedVAE:
        n_features = X.shape[1]
        n_components = self.n_components
        if n_components == "auto":
            n_components = min(max(round(0.75 * n_features), 2), 64)
        scale = math.sqrt(column_variances(X).mean()) or 1.0
        stack = StackedVAE(
            n_features,
            n_components,
            self.n_members,
            check_hidden_layer_sizes(self.hidden_layer_sizes),
            activation=self.activation,
            per_feature_noise=self.noise == "per_feature",
            noise_floor=NOISE_FLOOR * scale,
            generator=make_generator(rng),
            dtype=dtype,
        )
        with torch.no_grad():
            # all that there is, is noise at first. (Per feature: a better density where the scales
            # differ, but codes that reconstruct nothing; measured on digits.)
            stack.log_noise.fill_(2 * math.log(scale))
        if resume:
            last = self.posterior_.params
            with torch.no_grad():
                for name, p in stack.named_parameters():
                    if name not in last or last[name].shape != p.shape:
                        raise ValueError(
                            "warm_start=True goes on from the last fit: the network must stay as "
                            f"it was, but {name} has changed its shape to {tuple(p.shape)}"
                        )
                    p.copy_(last[name])
            stack.noise_floor = self._module.noise_floor
        return stack

    @staticmethod
    def _noise_variance(stack: StackedVAE) -> np.ndarray:
        with torch.no_grad():
            return stack.noise_var().mean((0, 1)).double().cpu().numpy()

    # -- scores -----------------------------------------------------------------------------------

    def _code_noise(self, n_samples: int) -> torch.Tensor:
        """Common random numbers: one draw, fixed when the model was fitted, for all rows."""
        posterior = self.posterior_
        generator = torch.Generator().manual_seed(self._noise_seed)
        shape = (posterior.n_draws, n_samples, self.n_components_)
        noise = torch.empty(shape, dtype=torch.float64).normal_(generator=generator)
        return noise.to(posterior.device, posterior.dtype)

    def _member_scores(self, X: Any, score: str) -> np.ndarray:
        """Score of every member, of shape (members, rows), float64 and finite."""
        posterior, function = self.posterior_, SCORES[score]
        noise = self._code_noise(1 if score == "reconstruction" else self.n_importance)
        out = np.empty((posterior.n_draws, X.shape[0]))
        cells = self._block_cells()
        n_samples = min(noise.shape[1], max(1, cells // MIN_ROWS))
        with torch.no_grad():
            for rows, block in row_blocks(posterior, X, cells // n_samples):
                values = function(self._module, block, noise, n_samples)
                out[:, rows] = values.double().cpu().numpy()
        # rows so far away that a square overflows: the lowest score there is, not a NaN
        return np.maximum(np.nan_to_num(out, nan=LOWEST_SCORE), LOWEST_SCORE)

    def _log_density(self, X: Any, score: str) -> np.ndarray:
        """Log of the members' mean density."""
        members = self._member_scores(X, score)
        return np.logaddexp.reduce(members, axis=0) - math.log(len(members))

    def log_density(self, X: Any) -> np.ndarray:
        """Importance-weighted estimate of the log-density of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats; a lower bound in expectation, tighter with ``n_importance``.
        """
        return self._log_density(self._validate_predict(X), "iwae")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
