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
from torch import Tensor, nn

from skbayes._engine.build import build_net, prior_precisions
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import MemberBatches, Rows
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
#: Steps between two measurements, at least: each costs about ten.
MIN_INTERVAL = 16
#: Share of the warm-up from which on measurements are pooled; before, the stiffest chain of the
#: last few sets the step of all.
POOLED_FROM, N_RECENT = 1 / 2, 3
#: Quantile of the pooled curvatures, over chains and times, that the step is for: where a chain
#: passes a stiffer place a step that is unstable there throws it out, and the median would not do
#: (curvature varies by a factor of 1.4 where the activation is tanh, by 10 where it is relu and the
#: classes are apart).
STIFFEST = 0.95
#: A chain whose potential is higher than the lowest one's by so much (times the temperature) is not
#: in the posterior, where it varies as half a chi-squared variable of as many degrees of freedom as
#: there are weights: a step that was too large has thrown it out, and it starts again from the
#: lowest one.
LOST_PER_WEIGHT, LOST = 2.0, 50.0
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
    #: Whether minibatches are drawn with replacement, and draws are means over steps.
    _replacement = False
    _averaging = False

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
    def _automatic_step(self, run: "Run", curvature: float, noise: float, safety: float) -> float:
        """The step that curvature (over the safety) and gradient noise allow."""

    @abstractmethod
    def _alpha(self, run: "Run", step_size: float, noise: float) -> float:
        """Minibatch noise over injected noise at a step."""

    @abstractmethod
    def _stiffness(self, run: "Run", step_size: float, curvature: float) -> float:
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

    def _batch_rows(self, rows: Rows) -> int:
        n_rows = len(rows)
        if self.batch_size == "auto":
            return n_rows if n_rows <= self._full_batch_rows else self._full_batch_rows // 5
        return min(self.batch_size, n_rows)

    def _prepare(
        self,
        stack: nn.Module,
        rows: Rows,
        likelihood: Likelihood,
        rng: np.random.RandomState,
        plan: Sequence[int],
        *,
        descend: bool,
    ) -> "Run":
        """The net that will take the planned steps, and what follows it."""
        n_steps = plan[-1]
        steps_per_epoch = -(-n_steps // HISTORY_ROWS)
        batch_size = self._batch_rows(rows)
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
            replacement=self._replacement,
        )
        run = Run(self, net, rows, batch_size, make_generator(rng), plan, descend=descend)
        net.on_step = run
        return run

    def _fill(
        self: Any, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        self._check_callbacks()
        stack = self._build_stack(rows, likelihood, self.n_chains, rng)
        if resume:
            self._continue_from(stack, self._chain_ends, likelihood)
        run = self._prepare(stack, rows, likelihood, rng, self._plan(), descend=not resume)
        net = run.net
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
    descend : bool
        Whether chains with an automatic step descend first.
    """

    def __init__(
        self,
        estimator: Any,
        net: StackNet,
        rows: Rows,
        batch_size: int,
        generator: torch.Generator,
        plan: Sequence[int],
        *,
        descend: bool,
    ) -> None:
        self.estimator = estimator
        self.net = net
        self.sampler: Any = net.optimizer_
        self.recorder = Recorder(net.module_, plan, averaging=estimator._averaging)
        self.rows, self.batch_size, self.generator = rows, batch_size, generator
        self.steps_per_epoch = net.iterator_train__steps_per_epoch
        self.measure = Meter(net, rows, batch_size, generator)
        self.root: list[Tensor | float] | None = None
        self.squares: Any = None
        self.noise: Any = None
        self._pool: list[Measurement] = []
        self._found: dict[str, float] = {}
        self.n_lost = 0
        net.rescue = lambda: self._bring_back() > 0
        self._times: dict[int, float] = {}
        last = 0
        for share in MEASURED_AT:
            t = int(share * estimator.n_warmup)
            if t - last >= MIN_INTERVAL or share == 1:
                self._times[t] = share
                last = t
        self._n_descent = 0
        if estimator.step_size == "auto":
            self._n_descent = int(DESCENT * estimator.n_warmup) if descend else 0
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
        self._pool.append(found)
        if share < POOLED_FROM:
            self._pool = self._pool[-N_RECENT:]
        curvatures = np.stack([measured.curvatures for measured in self._pool])
        noise = float(np.median([measured.noise for measured in self._pool]))
        curvature = float(curvatures.max() if share < 1 else np.quantile(curvatures, STIFFEST))
        # Two digits: rounding errors of the measurement must not reach the chains
        safety = MEASURED_AT[share]
        step_size = self.estimator._automatic_step(self, curvature, noise, safety)
        step_size = float(f"{step_size:.1e}")
        if not (np.isfinite(step_size) and step_size > 0):
            raise ValueError(
                f"step_size='auto' found no usable step: the largest curvature is {curvature:.3g}. "
                "Scale the input, or give a larger prior_scale."
            )
        self._found = {
            "curvature": curvature,
            "alpha": self.estimator._alpha(self, step_size, noise),
        }
        self._set(step_size)

    def _bring_back(self) -> int:
        """Put chains that a step too large has thrown out where the lowest one is; tell how many.

        After warm-up, when this should not happen, the step becomes smaller too.
        """
        temperature = self.estimator.temperature
        if self.estimator.step_size != "auto" or temperature == 0:
            return 0
        potential = self.measure.potential()
        potential = torch.where(potential.isfinite(), potential, torch.inf)
        parameters = self.sampler.parameters
        n_weights = sum(p[0].numel() for p in parameters)
        lowest = potential.argmin()
        margin = (LOST + LOST_PER_WEIGHT * n_weights) * temperature
        lost = potential > potential[lowest] + margin
        n_lost = int(lost.sum())
        if n_lost and bool(potential[lowest].isfinite()):
            for p in parameters:
                p.data[lost] = p.data[lowest].clone()
            self.sampler.forget()
            if self.sampler.n_steps > self.estimator.n_warmup:
                self._set(float(f"{0.5 * self.step_size:.1e}"))
                self.n_lost += n_lost
        return n_lost

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
            if t % self.steps_per_epoch == 0:
                self._bring_back()
            return
        if self._n_descent:
            self._descend(t)
            return
        share = self._times.get(t)
        self.estimator._warm_up(self, share)
        if share is not None and self.estimator.step_size == "auto":
            self._choose(share)

    def check_step(self) -> None:
        """Warn if the step was too large, or is for the curvature where the chains have ended."""
        if self.n_lost:
            warnings.warn(
                f"Chains were thrown out of the posterior {self.n_lost} times after warm-up, and "
                "began again with half the step from where another chain was: they had not come "
                f"to the posterior yet. Take a longer n_warmup (now {self.estimator.n_warmup})",
                ConvergenceWarning,
                stacklevel=2,
            )
        step_size = self.recorder.last_step_size
        curvature = float(np.median(self.measure(self.root).curvatures))
        stiffness = self.estimator._stiffness(self, step_size, curvature)
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
        batches = MemberBatches(
            self.rows,
            self.batch_size,
            self.estimator.n_chains,
            self.generator,
            replacement=self.estimator._replacement,
        )
        batch = next(iter(batches))
        self.net.module_.zero_grad(set_to_none=True)
        self.net.member_losses(batch, self.rows.mean_weight).sum().backward()
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
