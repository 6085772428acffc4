"""Stochastic gradient Hamiltonian Monte Carlo: parameters, steps and the run."""

import math
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, ClassVar

from skbayes._sklearn import Interval, StrOptions
from skbayes.samplers import SGHMC
from skbayes.supervised._curvature import gradient_variance
from skbayes.supervised._langevin import LangevinMixin
from skbayes.supervised._run import MAX_ALPHA, Run

#: Largest automatic step, times the square root of the largest curvature.
MAX_STEP = {"baoab": 1.0, "euler": 0.5}
#: Bound of the velocities in the first three quarters of warm-up, in standard deviations.
MAX_VELOCITY = 6.0


class SGHMCMixin(LangevinMixin):
    """Parameters and step of SGHMC."""

    _full_batch_rows = 5000  # it gains more from a large step than SGLD does

    _chain_constraints: ClassVar[dict[str, list]] = {
        **LangevinMixin._chain_constraints,
        "friction": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "integrator": [StrOptions({"baoab", "euler"})],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        n_chains=4,
        n_draws=100,
        n_warmup=2000,
        thinning=20,
        step_size="auto",
        friction="auto",
        integrator="baoab",
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
        self.friction = friction
        self.integrator = integrator
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

    def _optimizer(self, scales: list[float], **options: Any) -> Callable[..., Any]:
        return partial(
            SGHMC,
            friction=self._least_friction(),
            integrator=self.integrator,
            # one scale for all is the unit of time; several are scales of the velocities
            scale=scales if self.prior_scale == "fan_in" else None,
            **options,
        )

    @property
    def _early_noise(self) -> float:  # type: ignore[override]
        # friction meets the noise, and the step need not shrink with it
        return 1.0 if self.integrator == "baoab" else 0.01

    def _least_friction(self) -> float:
        if self.friction != "auto":
            return float(self.friction)
        return 1.0 if self.prior_scale == "fan_in" else 1.0 / float(self.prior_scale)

    def _automatic_step(self, run: Run, curvature: float, noise: float, safety: float) -> float:
        step_size = MAX_STEP[self.integrator] * (safety / max(curvature, 1e-12)) ** 0.5
        run.sampler.friction = self._least_friction()
        if noise <= 0 or self.temperature == 0:
            return step_size
        if self.friction == "auto" and self.integrator == "baoab":
            # With friction enough the noise of the gradients is a given share of all noise for
            # every step below a bound; what friction costs is then less than smaller steps would
            bound = (MAX_ALPHA * self.temperature / noise) ** 0.5
            step_size = min(step_size, 0.8 * bound)
            needed = 2.0 / step_size * math.atanh((step_size / bound) ** 2)
            run.sampler.friction = max(run.sampler.friction, float(f"{needed:.1e}"))
        if self.friction == "auto" and self.integrator == "euler":  # which asks for friction h < 1
            step_size = min(step_size, (0.25 * MAX_ALPHA * self.temperature / noise) ** 0.5)
            needed = 2.0 * step_size * noise / (MAX_ALPHA * self.temperature)
            needed = min(needed, 0.5 / step_size)
            run.sampler.friction = max(run.sampler.friction, float(f"{needed:.1e}"))
        while self._alpha(run, step_size, noise) > 1.05 * MAX_ALPHA:
            step_size *= 0.9
        return step_size

    def _alpha(self, run: Run, step_size: float, noise: float) -> float:
        """Noise of the gradients over injected noise, in the displacement that they lead to."""
        if self.temperature == 0 or noise == 0:
            return 0.0
        # one kick moves the chain by as much as 1 / (1 - c) injections do, c = exp(-friction h)
        decay = math.tanh(0.5 * run.sampler.friction * step_size)
        if self.integrator == "euler":
            decay = 0.5 * run.sampler.friction * step_size
        return step_size**2 * noise / (decay * self.temperature)

    def _stiffness(self, run: Run, step_size: float, curvature: float) -> float:
        return step_size**2 * curvature

    def _warm_up(self, run: Run, share: float | None) -> None:
        if share == 0 and run.sampler.scale is not None:
            run.set_root(run.sampler.scale)
        if share is not None and self.integrator == "euler" and run.batch_size < len(run.rows):
            variance = gradient_variance(run.net, run.rows, run.batch_size, run.generator)
            run.sampler.gradient_variance = run.free(variance)
        if self.step_size != "auto":
            return
        # On the way to the posterior curvature grows faster than it is measured (by 1e4 where a
        # learned noise falls to a hundredth of std(y)): what a step that is too large pumps into
        # the velocities is taken out again
        early = 4 * run.sampler.n_steps <= 3 * self.n_warmup
        run.sampler.velocity_limit = MAX_VELOCITY if early else None
        if early and share:
            run.sampler.forget()

    def _learned(self, run: Run) -> dict[str, Any]:
        return {"friction_": run.sampler.friction}
