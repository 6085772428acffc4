"""Classification by stochastic gradient Langevin dynamics."""

import copy
import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import LRScheduler
from torch import Tensor

from skbayes._engine.build import build_net, prior_precisions
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes._sklearn import Interval, StrOptions
from skbayes.samplers import SGLD, constant, polynomial
from skbayes.samplers.schedules import Schedule
from skbayes.supervised._base import BaseStackClassifier, StackCrossEntropy
from skbayes.supervised._step_size import choose_step_size

#: Up to so many rows ``batch_size="auto"`` takes them all: gradient noise would limit the step.
FULL_BATCH_ROWS = 1000
#: Number of rows that the history of a run has.
HISTORY_ROWS = 100


class SGLDClassifier(BaseStackClassifier):
    r"""Bayesian neural network sampled by stochastic gradient Langevin dynamics.

    The target is the posterior of all N data under a Gaussian prior at temperature 1, whatever the
    batch size:

    .. math:: U(\theta) = \sum_{i=1}^N w_i \, \ell(y_i, f_\theta(x_i))
              + \tfrac12 \sum_j \theta_j^2 / s_j^2, \qquad
              \theta \leftarrow \theta - \tfrac\varepsilon2 \nabla \hat U(\theta)
              + \mathcal N(0, \varepsilon T)

    with :math:`\ell` the cross-entropy of a softmax over one logit a class. Several chains run at
    once, as one stacked network.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is Bayesian logistic regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    n_chains : int, default=4
        Number of chains, each from its own initial weights.
    n_draws : int, default=50
        Number of draws kept of every chain.
    n_warmup : int, default=1000
        Number of steps before the first draw.
    thinning : int, default=20
        Number of steps from one draw to the next.
    step_size : float or "auto", default="auto"
        The step :math:`\varepsilon`, in units of the summed potential. ``"auto"`` measures the
        largest curvature at the start and twice during warm-up, where the chains stand, and takes
        three quarters of its inverse, less where minibatch noise is large; ``history_`` tells what
        was found.
    schedule : {"constant", "polynomial"}, default="constant"
        ``"polynomial"``: the decreasing step :math:`a (b + t)^{-\gamma}` of Welling and Teh, with
        :math:`a` such that the first step is ``step_size``. Its draws are resampled in proportion
        to their steps, so that the stack is equally weighted.
    schedule_offset : float, default=1000
        :math:`b`, in steps.
    schedule_power : float, default=0.55
        :math:`\gamma`, in (0.5, 1].
    batch_size : int or "auto", default="auto"
        Rows a step. ``"auto"``: all of them up to 1000, else 200.
    temperature : float, default=1.0
        Temperature of the target, :math:`\exp(-U / T)`. 1 is the posterior; below is "cold".
    prior_scale : float or "fan_in", default=1.0
        Standard deviation of the prior: a number is that of every weight and bias, ``"fan_in"`` is
        :math:`1/\sqrt{\text{fan in}}` for weights and 1 for biases, a much stronger prior.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns logits.
    module_params : dict, default=None
        Further arguments of ``module``.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``). An epoch is a hundredth of the run. Learning
        rate schedulers are refused: the step is ``schedule``'s.
    warm_start : bool, default=False
        Whether ``fit`` goes on from where the chains of the last ``fit`` ended.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    dtype : {"float32", "float64"}, default=None
        Type to compute in; by default that of X.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffles and noise.
    verbose : int, default=0
        1 prints a row of the history as it comes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    posterior_ : Posterior
        The stack of draws, chain after chain; ``posterior_.params`` maps parameter names to
        tensors with a leading axis of ``n_chains * n_draws``.
    step_size_ : float
        The step that was given or last chosen, before ``schedule`` shrinks it.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``step_size``; with ``step_size="auto"`` also
        ``curvature`` (largest eigenvalue of the Hessian of U) and ``alpha`` (minibatch noise over
        injected noise), as last measured.
    n_iter_ : int
        Number of steps taken.
    net_ : skorch.NeuralNet
        The net that trained the chains; not part of a pickle.
    device_ : torch.device
        Where the network lives.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    References
    ----------
    M. Welling and Y. W. Teh, Bayesian learning via stochastic gradient Langevin dynamics,
    ICML 2011, equation 4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import SGLDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SGLDClassifier((10,), n_warmup=200, random_state=0).fit(X, y)
    >>> clf.sample_proba(X).shape  # 4 chains of 50 draws
    (200, 150, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        "n_chains": [Interval(Integral, 1, None, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "n_warmup": [Interval(Integral, 0, None, closed="left")],
        "thinning": [Interval(Integral, 1, None, closed="left")],
        "step_size": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "schedule": [StrOptions({"constant", "polynomial"})],
        "schedule_offset": [Interval(Real, 0, None, closed="neither")],
        "schedule_power": [Interval(Real, 0.5, 1, closed="right")],
        "temperature": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        n_chains=4,
        n_draws=50,
        n_warmup=1000,
        thinning=20,
        step_size="auto",
        schedule="constant",
        schedule_offset=1000.0,
        schedule_power=0.55,
        batch_size="auto",
        temperature=1.0,
        prior_scale=1.0,
        module=None,
        module_params=None,
        skorch_callbacks=None,
        warm_start=False,
        device="auto",
        dtype=None,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_chains = n_chains
        self.n_draws = n_draws
        self.n_warmup = n_warmup
        self.thinning = thinning
        self.step_size = step_size
        self.schedule = schedule
        self.schedule_offset = schedule_offset
        self.schedule_power = schedule_power
        self.batch_size = batch_size
        self.temperature = temperature
        self.prior_scale = prior_scale
        self.module = module
        self.module_params = module_params
        self.skorch_callbacks = skorch_callbacks
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def _schedule(self, step_size: float) -> Schedule:
        if self.schedule == "constant":
            return constant(step_size)
        return polynomial(step_size, self.schedule_offset, self.schedule_power)

    def _fill(
        self, rows: Rows, classes: np.ndarray, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        if any(isinstance(callback, LRScheduler) for callback in self.skorch_callbacks or []):
            raise ValueError(
                "skorch_callbacks holds an LRScheduler, but the steps of a sampler set what is "
                "sampled; use schedule='constant' or 'polynomial'"
            )
        n_steps = self.n_warmup + self.n_draws * self.thinning
        steps_per_epoch = -(-n_steps // HISTORY_ROWS)
        if self.batch_size == "auto":
            batch_size = len(rows) if len(rows) <= FULL_BATCH_ROWS else 200
        else:
            batch_size = min(self.batch_size, len(rows))
        stack = self._build_stack(rows, len(classes), self.n_chains, rng)
        if resume:
            self._continue_from(stack, self._chain_ends, classes)
        noise = make_generator(rng, rows.device)
        net = build_net(
            stack,
            StackCrossEntropy(),
            partial(SGLD, n_data=rows.n_data, temperature=self.temperature, generator=noise),
            rows,
            batch_size=batch_size,
            max_epochs=-(-n_steps // steps_per_epoch),
            shuffle=make_generator(rng),
            precisions=prior_precisions(stack, self.prior_scale),
            verbose=self.verbose,
            steps_per_epoch=steps_per_epoch,
            n_steps=n_steps,
        )
        recorder = _Recorder(self, net)
        measure = None
        if self.step_size == "auto":
            measure = partial(
                choose_step_size, net, rows, batch_size, make_generator(rng), self.temperature
            )
        recorder.prepare(measure)
        net.on_step = recorder
        trained = self._train(net, rows, "steps")
        return {
            **trained,
            "posterior_": Posterior.from_draws(net.module_, recorder.stacked(make_generator(rng))),
            "n_iter_": net.optimizer_.n_steps,
            "step_size_": recorder.step_size,
            "_chain_ends": Posterior(copy.deepcopy(net.module_)),
        }


class _Recorder:
    """Follows the chains: keeps the draws, and sets the step as warm-up goes on."""

    def __init__(self, estimator: SGLDClassifier, net: StackNet) -> None:
        self.estimator = estimator
        self.n_warmup = estimator.n_warmup
        self.thinning = estimator.thinning
        self.parameters = list(net.module_.named_parameters())
        self.net = net
        self.draws = {
            # (chains, draws, ...): chain-major once flattened
            name: p.data.new_full((p.shape[0], estimator.n_draws, *p.shape[1:]), torch.nan)
            for name, p in self.parameters
        }
        self.weights = np.empty(estimator.n_draws)
        self.n_recorded = 0
        self.measure: Callable | None = None
        self.found: dict[str, float] = {}

    def prepare(self, measure: Callable[..., Any] | None) -> None:
        """Set the first step; with ``measure`` it is looked for, now and later."""
        self.measure = measure
        if measure is None:
            self._set(self.estimator.step_size)
        else:
            self._choose(0.25)

    def _choose(self, safety: float) -> None:
        assert self.measure is not None
        choice = self.measure(safety=safety)
        self.found = {"curvature": choice.curvature, "alpha": choice.alpha}
        self._set(choice.step_size)

    def _set(self, step_size: float) -> None:
        self.step_size = step_size
        self.net.optimizer_.schedule = self.estimator._schedule(step_size)

    def __call__(self, net: StackNet) -> None:
        """Called after every step."""
        t = net.optimizer_.n_steps
        taken = net.optimizer_.schedule(t - 1)
        if self.measure is not None and t <= self.n_warmup:
            # curvature in the posterior is a multiple of that at the mode and at the start:
            # cautious steps first, then measured again where the chains have come to
            if t == self.n_warmup // 4:
                self._choose(0.5)
            elif t == self.n_warmup // 2:
                self._choose(0.75)
        number, rest = divmod(t - self.n_warmup, self.thinning)
        if number >= 1 and rest == 0:
            for name, p in self.parameters:
                self.draws[name][:, number - 1] = p.data
            self.weights[number - 1] = taken
            self.n_recorded = number
        row = net.history[-1]
        row["step_size"] = taken
        row.update(self.found)

    def stacked(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The draws, equally weighted, with chains and draws in one leading axis."""
        kept = self.n_recorded
        if kept == 0:
            raise ValueError(
                f"Sampling was stopped after {self.net.optimizer_.n_steps} steps, before the first "
                f"draw at step n_warmup + thinning = {self.n_warmup + self.thinning}"
            )
        if kept < len(self.weights):
            warnings.warn(
                f"Sampling was stopped by a callback: {kept} of n_draws={len(self.weights)} draws "
                "a chain were taken.",
                ConvergenceWarning,
                stacklevel=2,
            )
        draws = {name: values[:, :kept] for name, values in self.draws.items()}
        weights = self.weights[:kept]
        if np.ptp(weights) > 0:
            # Systematic resampling: unbiased, and the least additional noise
            n_chains, n_draws = next(iter(draws.values())).shape[:2]
            offset = torch.rand(n_chains, generator=generator, dtype=torch.float64).numpy()
            ladder = np.cumsum(weights) / weights.sum()
            points = (np.arange(n_draws) + offset[:, None]) / n_draws
            chosen = np.minimum(np.searchsorted(ladder, points), n_draws - 1)
            draws = {
                name: torch.stack(
                    [d[index] for d, index in zip(values, torch.from_numpy(chosen), strict=True)]
                )
                for name, values in draws.items()
            }
        return {name: values.flatten(0, 1) for name, values in draws.items()}
