"""The run of a sampler that takes one gradient a step: warm-up, the step, the draws."""

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skbayes._engine.build import build_net, prior_precisions
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes._sklearn import Interval
from skbayes.samplers import constant
from skbayes.samplers.schedules import Schedule
from skbayes.supervised._chains import ChainMixin
from skbayes.supervised._curvature import Measurement, Meter
from skbayes.supervised._likelihood import Likelihood
from skbayes.supervised._recorder import Recorder

#: Number of rows that the history of a run has.
HISTORY_ROWS = 100
#: Largest share of the injected noise that the minibatch noise may add (Welling and Teh's alpha).
MAX_ALPHA = 0.25
#: With an automatic step the chains begin with this share of the warm-up as descent by Adam, from
#: its rate to a hundredth of it: on the slopes curvature changes by orders of magnitude within few
#: steps (a noise that is learned falls to its place), at the bottom it is a guide.
DESCENT, DESCENT_RATE = 1 / 16, 0.03
#: When an automatic step is chosen, as shares of the warm-up, and what part of the largest step is
#: taken: curvature in the posterior is a multiple of that at the mode.
MEASURED_AT = {
    k / 64: 0.35 if k < 8 else 0.6 if k < 16 else 0.8 if k < 32 else 1.0 for k in range(4, 65)
}
#: Share of the warm-up from which on measurements are pooled (by their median) in the end; until
#: then the stiffest chain sets the step of all.
POOLED_FROM = 3 / 4
#: A chain whose potential is higher than the lowest one's by so many times the number of weights
#: (and the temperature) is not in the posterior, where it varies by about its square root: a step
#: that was too large has thrown it out. It starts again from the lowest one.
LOST = 2.0
#: How far below the curvature of the stiffest chain that which is pooled may be.
STIFFEST_SHARE = 0.75
#: Curvature times step (SGLD) or squared step (SGHMC) beyond which the spread is visibly wrong in
#: the stiffest direction: SGLD's variance on a quadratic is 1 / (1 - stiffness / 4) times its own.
MAX_STIFFNESS = 2.0


class LangevinMixin(ChainMixin):
    """SGLD and SGHMC: a subclass brings the optimizer and the rule of the step."""

    _chain_constraints: ClassVar[dict[str, list]] = {
        **ChainMixin._chain_constraints,
        "temperature": [Interval(Real, 0, None, closed="left")],
    }

    #: Up to so many rows ``batch_size="auto"`` takes them all, and a fifth of it beyond: gradient
    #: noise limits the step.
    _full_batch_rows = 1000

    n_draws: int
    step_size: Any
    batch_size: Any
    prior_scale: Any
    temperature: float
    verbose: Any

    @abstractmethod
    def _optimizer(self, scales: list[float], **options: Any) -> Callable[..., Any]:
        """``(params, lr) -> GradientSampler``.

        ``scales`` are the prior's standard deviations of the tensors that are sampled; the options
        are those that all samplers have.
        """

    @abstractmethod
    def _automatic_step(self, run: "Run", found: Measurement, safety: float) -> float:
        """The step that curvature (over the safety) and gradient noise allow."""

    @abstractmethod
    def _alpha(self, run: "Run", step_size: float, noise: float) -> float:
        """Minibatch noise over injected noise at a step."""

    @abstractmethod
    def _stiffness(self, step_size: float, curvature: float) -> float:
        """How large a step is for a curvature; see :data:`MAX_STIFFNESS`."""

    def _plan(self) -> Sequence[int]:
        """Numbers of the steps after which a draw is kept."""
        return range(
            self.n_warmup + self.thinning,
            self.n_warmup + self.n_draws * self.thinning + 1,
            self.thinning,
        )

    def _schedule(self, step_size: float, start: int) -> Schedule:
        """The schedule that takes ``step_size`` at step number ``start``."""
        return constant(step_size)

    def _warm_up(self, run: "Run", share: float | None) -> None:
        """Adapt what else there is: before sampling begins (share 0) and after steps of warm-up.

        ``share`` is that of the warm-up that is over where the curvature is measured, else None.
        """

    def _learned(self, run: "Run") -> dict[str, Any]:
        """Further fitted attributes."""
        return {}

    def _batch_rows(self, n_rows: int) -> int:
        if self.batch_size == "auto":
            return n_rows if n_rows <= self._full_batch_rows else self._full_batch_rows // 5
        return min(self.batch_size, n_rows)

    def _fill(
        self: Any, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        self._check_callbacks()
        plan = self._plan()
        n_steps = plan[-1]
        steps_per_epoch = -(-n_steps // HISTORY_ROWS)
        batch_size = self._batch_rows(len(rows))
        stack = self._build_stack(rows, likelihood, self.n_chains, rng)
        if resume:
            self._continue_from(stack, self._chain_ends, likelihood)
        noise = make_generator(rng, rows.device)
        precisions = prior_precisions(stack, self.prior_scale)
        scales = [
            q**-0.5 for q, p in zip(precisions, stack.parameters(), strict=True) if p.requires_grad
        ]
        net = build_net(
            stack,
            likelihood.criterion,
            self._optimizer(
                scales, n_data=rows.n_data, temperature=self.temperature, generator=noise
            ),
            rows,
            batch_size=batch_size,
            max_epochs=-(-n_steps // steps_per_epoch),
            shuffle=make_generator(rng),
            precisions=precisions,
            half_normal=likelihood.half_normal,
            verbose=self.verbose,
            steps_per_epoch=steps_per_epoch,
            n_steps=n_steps,
        )
        run = Run(self, net, rows, batch_size, make_generator(rng), plan)
        net.on_step = run
        trained = self._train(net, rows, "steps")
        n_taken = net.optimizer_.n_steps
        posterior = Posterior.from_draws(
            net.module_, run.recorder.stacked(make_generator(rng), n_taken)
        )
        run.check_step()
        return {
            **trained,
            **self._learned(run),
            "posterior_": posterior,
            "n_iter_": n_taken,
            "step_size_": run.step_size,
            "n_chains_": self.n_chains,
            "rhat_": self._check_mixing(posterior, rows, likelihood),
            "_chain_ends": Posterior(copy.deepcopy(net.module_)),
        }


class Run:
    """Follows the chains: sets the step as warm-up goes on, and keeps the draws.

    Parameters
    ----------
    estimator : LangevinMixin
    net : StackNet
    rows : Rows
    batch_size : int
    generator : torch.Generator
        Of the measurements.
    plan : sequence of int
        Steps after which a draw is kept.
    """

    def __init__(
        self,
        estimator: Any,
        net: StackNet,
        rows: Rows,
        batch_size: int,
        generator: torch.Generator,
        plan: Sequence[int],
    ) -> None:
        self.estimator = estimator
        self.net = net
        self.sampler: Any = net.optimizer_
        self.recorder = Recorder(net.module_, plan)
        self.rows, self.batch_size, self.generator = rows, batch_size, generator
        self.measure = Meter(net, rows, batch_size, generator)
        self.root: list[Tensor | float] | None = None
        self.squares: Any = None
        self._pool: list[Measurement] = []
        self._found: dict[str, float] = {}
        self._times = {int(share * estimator.n_warmup): share for share in MEASURED_AT}
        self._n_descent = 0
        if estimator.step_size == "auto":
            self._n_descent = int(DESCENT * estimator.n_warmup)
            self._set(DESCENT_RATE)
        else:
            self._set(estimator.step_size)
        self._begin()

    def _begin(self) -> None:
        """Descend, or begin to sample."""
        if self._n_descent:
            self.sampler.descent = torch.optim.Adam(self.sampler.parameters, DESCENT_RATE)
            return
        self.estimator._warm_up(self, 0)
        if self.estimator.step_size == "auto":
            self._choose(DESCENT)

    def _descend(self, t: int) -> None:
        """After a step of the descent: lower its rate, or end it."""
        rate = DESCENT_RATE * 0.01 ** (t / self._n_descent)
        self.sampler.descent.param_groups[0]["lr"] = rate
        if t == self._n_descent:
            self.sampler.descent, self._n_descent = None, 0
            self._begin()

    def _choose(self, share: float) -> None:
        self._bring_back()
        found = self.measure(self.root)
        pooled = found._replace(curvature=found.largest_curvature)
        if share >= POOLED_FROM:
            most = max(found.curvature, STIFFEST_SHARE * found.largest_curvature)
            self._pool.append(found._replace(curvature=most))
        if share == 1:
            medians = [float(np.median(values)) for values in zip(*self._pool, strict=True)]
            pooled = Measurement(*medians)
            # chains may still be on their way to stiffer parts
            pooled = pooled._replace(curvature=max(pooled.curvature, STIFFEST_SHARE * most))
        # Two digits: rounding errors of the measurement must not reach the chains
        safety = MEASURED_AT[share]
        step_size = float(f"{self.estimator._automatic_step(self, pooled, safety):.1e}")
        if not (np.isfinite(step_size) and step_size > 0):
            raise ValueError(
                f"step_size='auto' found no usable step: the largest curvature is "
                f"{pooled.curvature:.3g}. Scale the input, or give a larger prior_scale."
            )
        self._found = {
            "curvature": pooled.curvature,
            "alpha": self.estimator._alpha(self, step_size, pooled.noise),
        }
        self._set(step_size)

    def _bring_back(self) -> None:
        """Put chains that a step too large has thrown out where the lowest one is."""
        potential = self.measure.potential()
        potential = torch.where(potential.isfinite(), potential, torch.inf)
        parameters = self.sampler.parameters
        n_weights = sum(p[0].numel() for p in parameters)
        lowest = potential.argmin()
        lost = potential > potential[lowest] + LOST * n_weights * self.estimator.temperature
        if self.estimator.temperature > 0 and bool(lost.any()) and not bool(lost.all()):
            for p in parameters:
                p.data[lost] = p.data[lowest].clone()

    def _set(self, step_size: float) -> None:
        self.step_size = step_size
        self.sampler.schedule = self.estimator._schedule(step_size, self.sampler.n_steps)

    def __call__(self, net: StackNet) -> None:
        """Called after every step."""
        t = self.sampler.n_steps
        taken = self.sampler.schedule(t - 1)
        self.recorder(t, taken)
        row = net.history[-1]
        row["step_size"] = taken
        row.update(self._found)
        if t > self.estimator.n_warmup:
            return
        if self._n_descent:
            self._descend(t)
            return
        share = self._times.get(t)
        self.estimator._warm_up(self, share)
        if share is not None and self.estimator.step_size == "auto":
            self._choose(share)

    def check_step(self) -> None:
        """Warn if the step is too large for the curvature where the chains have ended."""
        step_size = self.recorder.last_step_size
        curvature = self.measure(self.root).curvature
        stiffness = self.estimator._stiffness(step_size, curvature)
        if stiffness > MAX_STIFFNESS:
            warnings.warn(
                f"The step is too large: at step_size={step_size:.2g} and a largest curvature of "
                f"{curvature:.2g} where the chains ended, the draws spread too far in the stiffest "
                "directions. Use a smaller step_size, or 'auto' with a longer n_warmup",
                ConvergenceWarning,
                stacklevel=2,
            )

    def take_gradient(self) -> None:
        """Leave the gradient of a first batch in the parameters."""
        size = min(self.batch_size, len(self.rows))
        chosen = torch.randperm(len(self.rows), generator=self.generator)[:size]
        self.net.module_.zero_grad(set_to_none=True)
        self.net.member_losses(self.rows.take(chosen), self.rows.mean_weight).sum().backward()
        self.net.prior.add_gradient(1.0 / self.net.n_data)

    def free(self, values: Iterable[Tensor]) -> list[Tensor]:
        """Of tensors shaped like all parameters, those that the sampler moves."""
        parameters = self.net.module_.parameters()
        return [v for v, p in zip(values, parameters, strict=True) if p.requires_grad]

    def set_root(self, root: Iterable[Tensor | float]) -> None:
        """Measure through a diagonal, given for the parameters that the sampler moves."""
        given = iter(root)
        parameters = self.net.module_.parameters()
        self.root = [next(given) if p.requires_grad else 1.0 for p in parameters]
