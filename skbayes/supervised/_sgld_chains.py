"""Stochastic gradient Langevin dynamics: parameters, steps and the run."""

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch

from skbayes._engine.rows import Rows
from skbayes._sklearn import Interval, StrOptions
from skbayes.samplers import SGLD, constant, cyclical, polynomial, rmsprop
from skbayes.samplers.schedules import Schedule
from skbayes.supervised._langevin import LangevinMixin
from skbayes.supervised._run import MAX_ALPHA, Run

#: Largest automatic step, times the largest curvature that is to be expected: at 1 the spread on
#: two moons is 4 % too wide.
MAX_STEP = 0.85


class SGLDMixin(LangevinMixin):
    """Parameters and step of SGLD."""

    _chain_constraints: ClassVar[dict[str, list]] = {
        **LangevinMixin._chain_constraints,
        "schedule": [StrOptions({"constant", "polynomial", "cyclical"})],
        "schedule_offset": [Interval(Real, 0, None, closed="neither")],
        "schedule_power": [Interval(Real, 0.5, 1, closed="right")],
        "n_cycles": [Interval(Integral, 1, None, closed="left")],
        "exploration": [Interval(Real, 0, 1, closed="left")],
        "preconditioner": [StrOptions({"rmsprop"}), None],
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
        n_cycles=4,
        exploration=0.25,
        preconditioner=None,
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
        self.n_cycles = n_cycles
        self.exploration = exploration
        self.preconditioner = preconditioner
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
        return partial(SGLD, **options)

    def _automatic_step(self, run: Run, curvature: float, noise: float, safety: float) -> float:
        step_size = safety * MAX_STEP / max(curvature, 1e-12)
        if noise > 0 and self.temperature > 0:
            step_size = min(step_size, MAX_ALPHA * self.temperature / noise)
        return step_size

    @property
    def _decreasing(self) -> bool:
        return self.schedule != "constant"

    def _alpha(self, run: Run, step_size: float, noise: float) -> float:
        return step_size * noise / self.temperature if self.temperature > 0 else 0.0

    def _stiffness(self, run: Run, step_size: float, curvature: float) -> float:
        return step_size * curvature

    # -- schedules --------------------------------------------------------------------------------

    def _cycle(self) -> tuple[int, int, list[int]]:
        """Length of a cycle, of its exploration, and the number of draws of every cycle."""
        if self.n_cycles > self.n_draws:
            raise ValueError(
                f"n_cycles={self.n_cycles} must be at most n_draws={self.n_draws}, so that every "
                "cycle has a draw"
            )
        shares = [len(part) for part in np.array_split(np.arange(self.n_draws), self.n_cycles)]
        sampling = max(shares) * self.thinning
        period = int(np.ceil(sampling / (1.0 - self.exploration)))
        return period, period - sampling, shares

    def _plan(self, rows: Rows) -> Sequence[int]:
        if self.schedule != "cyclical":
            return super()._plan(rows)
        period, exploring, shares = self._cycle()
        return [
            self.n_warmup + cycle * period + exploring + (k + 1) * self.thinning
            for cycle, share in enumerate(shares)
            for k in range(share)
        ]

    def _schedule(self, step_size: float, start: int) -> Schedule:
        if self.schedule == "polynomial":
            decreasing = polynomial(step_size, self.schedule_offset, self.schedule_power)
            return lambda t: decreasing(t - start)
        if self.schedule == "cyclical":
            cycle = cyclical(step_size, self._cycle()[0])
            return lambda t: cycle(max(t - self.n_warmup, 0))
        return constant(step_size)

    # -- warm-up ----------------------------------------------------------------------------------

    def _warm_up(self, run: Run, share: float | None) -> None:
        sampler = run.sampler
        if share == 0 and self.schedule == "cyclical":
            period, exploring, _ = self._cycle()
            sampler.exploring = lambda t: (
                t >= self.n_warmup and (t - self.n_warmup) % period < exploring
            )
        if self.preconditioner is None or 4 * sampler.n_steps > 3 * self.n_warmup > 0:
            return
        if share == 0:
            run.take_gradient()
            run.squares = rmsprop.init(sampler.parameters)
        gradient = [torch.zeros_like(p) if p.grad is None else p.grad for p in sampler.parameters]
        run.squares = rmsprop.update(run.squares, gradient)
        sampler.root = rmsprop.root(run.squares)
        run.set_root(sampler.root)
