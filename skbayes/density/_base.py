"""What the density estimators on a stacked autoencoder share: parameters, fit, scores."""

import copy
import math
from abc import ABCMeta
from contextlib import nullcontext
from numbers import Integral, Real
from typing import Any, ClassVar, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from skbayes._engine.build import check_hidden_layer_sizes, history_arrays, hold_back, train
from skbayes._engine.device import resolve_device, resolve_dtype
from skbayes._engine.moments import optimizer_state, restore_optimizer
from skbayes._engine.posterior import Posterior, StackEstimatorMixin
from skbayes._engine.replay import Replay
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import (
    draw_seed,
    make_generator,
    new_random_state,
    seeded_global_stream,
)
from skbayes._sklearn import Interval, StrOptions, _fit_context
from skbayes.density._allowed import PRIORS, check_combination
from skbayes.density._blocks import cells_that_fit, column_moments, row_blocks
from skbayes.density._checks import check_input_noise, check_probabilities, validate_rows
from skbayes.density._codes import CodesMixin
from skbayes.density._criteria import KERNELS
from skbayes.density._networks import Shape, build_networks, check_image_shape, spread_of
from skbayes.density._objective import AUTO_BETA, Settings
from skbayes.density._reference import N_GAUSSIANS, make_reference
from skbayes.density._scoring import ScoresMixin
from skbayes.density._stream import joined
from skbayes.density._training import add_parts, fill_in_noise, learns_noise, make_net
from skbayes.nn import ACTIVATIONS, LIKELIHOODS, RelevancePrior, StackedVAE

#: Optimizer steps that ``max_iter="auto"`` aims at, whatever the number of rows: of tables and of
#: images.
AUTO_STEPS = (1000, 1000)
#: Smallest standard deviation of the output, in units of the columns' mean spread: a constant
#: column would otherwise have an infinite density.
NOISE_FLOOR = 0.02
#: How many times faster the logarithm of the noise moves than a weight, of tables and of images: of
#: these it falls by orders of magnitude, which the steps of a fit are too few for.
NOISE_RATES = (1.0, 5.0)
#: A component is active if the variance of its mean code is more than this share of the prior's
#: (Burda et al. 2016, appendix C).
ACTIVE = 0.01


class BaseVAE(
    CodesMixin,
    ScoresMixin,
    StackEstimatorMixin,
    CallbackSupportMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base of the estimators on a variational autoencoder."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "n_components": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "image_shape": ["array-like", None],
        "channels": [
            StrOptions({"auto"}),
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "encoder": [callable, torch.nn.Module, None],
        "decoder": [callable, torch.nn.Module, None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "criterion": [StrOptions(set(AUTO_BETA))],
        "beta": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "kernel": [StrOptions(set(KERNELS))],
        "prior": [StrOptions(set(PRIORS)), callable],
        "n_prior_components": [Interval(Integral, 1, None, closed="left")],
        "likelihood": [StrOptions(set(LIKELIHOODS))],
        "noise": [
            StrOptions({"auto", "shared", "per_feature"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "input_noise": ["array-like", Interval(Real, 0, None, closed="left"), None],
        "n_train_samples": [Interval(Integral, 1, None, closed="left")],
        "kl_warm_up": [Interval(Real, 0, 1, closed="both")],
        "score_method": [str],
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

    # what subclasses have otherwise
    _noise_floor, _noise_rates, _auto_steps = NOISE_FLOOR, NOISE_RATES, AUTO_STEPS

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Any:
        """Fit the autoencoder.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. float32 and uint8 are computed in float32, everything else in float64.
            Bytes, and a ``numpy.memmap`` of floats or bytes, are read batch by batch and never
            copied whole.
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
            X = validate_rows(self, X, reset=not resume)
            self._take(self._fit_vae(X, resume), X)
        return self

    def _take(self, fitted: dict[str, Any], X: Any) -> None:
        """Take over what was fitted, all or nothing: a fit that fails leaves what was before."""
        before = dict(self.__dict__)
        self.__dict__.update(fitted)
        try:
            self._after_fit(X)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _after_fit(self, X: Any) -> None:
        """Hook: what else is learned, on validated rows."""

    def _fit_vae(self, X: Any, resume: bool, stream: Replay | None = None) -> dict[str, Any]:
        """Train on validated rows: a whole training, or one call's part of a stream's."""
        n_rows = X.shape[0]
        check_combination(self.criterion, self.prior, self.likelihood)
        self._score_terms()  # before training, which takes long
        if self.likelihood == "bernoulli":
            check_probabilities(X)
        image_shape = check_image_shape(self.image_shape, X.shape[1])
        device = resolve_device(self.device)
        continues = resume and stream is not None
        dtype = self.posterior_.dtype if continues else resolve_dtype(self.dtype, X.dtype)
        rng = copy.deepcopy(self._random_state) if resume else new_random_state(self.random_state)
        X, moments = self._screen(X, image_shape, rng, device, dtype)
        unit = self._unit if continues else math.sqrt(column_moments(X)[1].mean()) or 1.0
        rows = Rows(X, device=device, dtype=dtype)
        settings = self._settings(unit)
        stack = self._build_stack(X, image_shape, rng, dtype, unit if moments is None else 1.0)
        if moments is not None:
            mean, scale = (torch.as_tensor(v, dtype=dtype) for v in moments)
            stack.standardise(mean, torch.where(scale > 0, scale, torch.ones_like(scale)))
        add_parts(stack, self.prior, self.criterion, self.n_prior_components, rows, rng)
        if resume:
            self._resume(stack)
        train_rows, valid_rows = rows, None
        own_callbacks: list[Any] = []
        if self.early_stopping:
            train_rows, valid_rows, stopping = hold_back(self, rows, make_generator(rng))
            own_callbacks.append(stopping)
        batch_size = min(self.batch_size, len(train_rows))
        max_iter = self.max_iter
        if stream is not None:
            max_iter = 1
        elif max_iter == "auto":
            n_steps = self._n_steps(image_shape)
            max_iter = max(1, round(n_steps / math.ceil(len(train_rows) / batch_size)))
        net = make_net(
            stack,
            settings,
            train_rows,
            rng,
            batch_size=batch_size,
            max_iter=max_iter,
            learning_rate=self.learning_rate_init,
            kl_warm_up=self.kl_warm_up,
            constant=stream is not None,
            prior_sampler=self.prior if callable(self.prior) else None,
            valid_rows=valid_rows,
            verbose=self.verbose,
        )
        if stream is not None:
            net.n_data = float(stream.n_seen)
        if continues and self._optimizer_state is not None:
            restore_optimizer(net.optimizer_, self._optimizer_state)
        # a user's layers (dropout) may draw from torch's global stream as they train
        own_modules = self.encoder is not None or self.decoder is not None
        with seeded_global_stream(draw_seed(rng), device) if own_modules else nullcontext():
            train(net, train_rows, self, self.skorch_callbacks, "epoch", own_callbacks)
        vae = net.module_
        vae.noise_generator = None
        posterior = Posterior(vae)
        if not posterior.is_finite():
            raise ValueError(
                "Training diverged: some weights are not finite. Use a smaller "
                "learning_rate_init, or scale the input."
            )
        if stream is not None:
            X = stream.X  # what scores are compared with: rows of all calls
        cells = cells_that_fit(posterior, vae.width)
        learned = isinstance(self.noise, str)
        if learned and not learns_noise(self.criterion, self.likelihood):
            fill_in_noise(vae, X, cells)
        # of a stream, which may come in many small blocks, only once it is asked for
        kept = self._keep(posterior, X, rng) if stream is None else None
        history = history_arrays(net)
        return {
            "net_": net,
            "history_": joined(self.history_, history) if continues else history,
            "posterior_": posterior,
            "device_": device,
            "n_iter_": len(net.history) + (self.n_iter_ if continues else 0),
            "n_samples_seen_": n_rows + (self.n_samples_seen_ if continues else 0),
            "n_components_": stack.n_components,
            "noise_variance_": self._noise_variance(stack),
            "active_components_": self._active(vae, posterior, X, cells),
            "_image_shape": image_shape,
            "_kept": kept,
            "_pending": None if stream is None else draw_seed(rng),
            "_n_features_out": stack.n_components,
            "_unit": unit,
            "_stream": stream,
            "_optimizer_state": optimizer_state(net) if stream is not None else None,
            "_noise_seed": draw_seed(rng),
            # a stream of its own: the user's RandomState may serve other estimators too
            "_random_state": np.random.RandomState(draw_seed(rng)),
        }

    def _keep(
        self, posterior: Posterior, X: Any, rng: np.random.RandomState
    ) -> dict[str, np.ndarray]:
        """What scores need of training rows."""
        # what a score that is no density says of log_density and sample comes from the mixture
        terms = self._score_terms()
        alone = self._is_density(terms)
        needed = {*terms} if alone else {*terms, "mixture"}
        vae = cast(StackedVAE, posterior.module)
        cells = cells_that_fit(posterior, vae.width)
        some = self._n_gaussians()
        return make_reference(vae, posterior, X, needed, cells, rng, alone, some).to_arrays()

    def _n_gaussians(self) -> int:
        """Largest number of Gaussians of the density of the codes."""
        return N_GAUSSIANS

    def _screen(
        self,
        X: Any,
        image_shape: Shape | None,
        rng: np.random.RandomState,
        device: torch.device,
        dtype: torch.dtype,
    ) -> tuple[Any, tuple[np.ndarray, np.ndarray] | None]:
        """Hook: rows to train on, and means and scales to standardise them by."""
        if image_shape is None or self.likelihood == "bernoulli":
            return X, None
        return X, spread_of(X, image_shape)

    def _n_steps(self, image_shape: Shape | None) -> int:
        """Steps that ``max_iter="auto"`` aims at."""
        return self._auto_steps[image_shape is not None]

    def _settings(self, unit: float) -> Settings:
        beta = AUTO_BETA[self.criterion] if self.beta == "auto" else float(self.beta)
        return Settings(
            criterion=self.criterion,
            beta=beta,
            kernel=self.kernel,
            n_samples=self.n_train_samples,
            input_noise=check_input_noise(self.input_noise),
            unit=unit,
        )

    def _noise_kind(self, image_shape: Shape | None, unit: float) -> str | float:
        """Which output variances are learned, or the standard deviation that is fixed."""
        if self.noise == "auto":
            return "per_feature" if image_shape is None else "shared"
        return self.noise if isinstance(self.noise, str) else float(self.noise)

    def _build_stack(
        self,
        X: Any,
        image_shape: Shape | None,
        rng: np.random.RandomState,
        dtype: torch.dtype,
        unit: float,
    ) -> StackedVAE:
        n_features = X.shape[1]
        n_components = self.n_components
        if n_components == "auto":
            n_components = min(max(round(0.75 * n_features), 2), 64)
        noise = self._noise_kind(image_shape, unit)
        learned = isinstance(noise, str)
        hidden_layer_sizes = check_hidden_layer_sizes(self.hidden_layer_sizes)
        networks = build_networks(
            n_features,
            n_components,
            self.n_members,
            image_shape=image_shape,
            encoder=self.encoder,
            decoder=self.decoder,
            channels=self.channels,
            kernel_size=self.kernel_size,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=self.activation,
            rng=rng,
            dtype=dtype,
        )
        stack = StackedVAE(
            n_features,
            n_components,
            self.n_members,
            hidden_layer_sizes,
            activation=self.activation,
            per_feature_noise=noise == "per_feature",
            noise_floor=self._noise_floor * unit if learned else 0.0,
            noise_rate=self._noise_rates[image_shape is not None],
            likelihood=self.likelihood,
            generator=make_generator(rng),
            dtype=dtype,
            **networks,
        )
        # all that there is, is noise at first. (Per feature: a better density where the scales
        # differ, but codes that reconstruct nothing; measured on digits.)
        deviation = unit if isinstance(noise, str) else noise
        stack.set_noise(torch.tensor(deviation, dtype=torch.float64).square())
        if not learned:
            stack.log_noise.requires_grad_(False)
        return stack

    def _resume(self, stack: StackedVAE) -> None:
        """Take over the weights of the last fit, and what else the network keeps."""
        before = self._module
        stack.noise_floor = before.noise_floor
        like = stack.log_noise.dtype
        for name in ("shift", "scale"):
            value = getattr(before, name)
            setattr(stack, name, None if value is None else value.to("cpu", like, copy=True))
        last = self.posterior_.params | dict(before.named_buffers())
        now = dict(stack.named_parameters()) | dict(stack.named_buffers())
        with torch.no_grad():
            for name in {**last, **now}:
                if name not in last or name not in now or last[name].shape != now[name].shape:
                    shapes = [tuple(t[name].shape) if name in t else "none" for t in (last, now)]
                    raise ValueError(
                        "Training goes on from the last fit: the network must stay as it was, but "
                        f"the shape of {name} was {shapes[0]}, and is now {shapes[1]}"
                    )
                now[name].copy_(last[name])

    @staticmethod
    def _active(vae: StackedVAE, posterior: Posterior, X: Any, cells: int) -> np.ndarray:
        """Components of the first member's code that tell rows apart."""
        # written where they belong: small arrays that outlive a block would fragment the heap
        codes = np.empty((X.shape[0], vae.n_components))
        with torch.no_grad():
            for rows, block in row_blocks(posterior, X, cells):
                codes[rows] = vae.encode(block)[0][0].cpu().numpy()
            variance = codes.var(axis=0)
            if isinstance(vae.prior, RelevancePrior):
                variance /= vae.prior.logvar()[0, 0].exp().double().cpu().numpy()
        return np.flatnonzero(variance > ACTIVE)

    @staticmethod
    def _noise_variance(stack: StackedVAE) -> np.ndarray:
        with torch.no_grad():
            return stack.noise_var().mean((0, 1)).double().cpu().numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
