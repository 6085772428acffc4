"""The run of a sampler that takes one gradient a step: warm-up, the step, the draws."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from torch import nn

from skbayes._engine.build import build_net, prior_precisions, prior_scales
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes._sklearn import Interval
from skbayes.samplers import constant
from skbayes.samplers.schedules import Schedule
from skbayes.supervised._chains import ChainMixin
from skbayes.supervised._likelihood import Likelihood
from skbayes.supervised._run import Run

#: Number of rows that the history of a run has.
HISTORY_ROWS = 100


class LangevinMixin(ChainMixin):
    """SGLD and SGHMC: a subclass brings the optimizer and the rule of the step."""

    _chain_constraints: ClassVar[dict[str, list]] = {
        **ChainMixin._chain_constraints,
        "temperature": [Interval(Real, 0, None, closed="left")],
    }

    #: Up to so many rows ``batch_size="auto"`` takes them all, and a fifth of it beyond: gradient
    #: noise limits the step.
    _full_batch_rows = 1000
    #: Part of the minibatches' noise that counts in the first half of warm-up.
    _early_noise = 0.01
    #: Whether minibatches are drawn with replacement.
    _replacement = False

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
    def _automatic_step(self, run: Run, curvature: float, noise: float, safety: float) -> float:
        """The step that curvature (over the safety) and gradient noise allow."""

    @abstractmethod
    def _alpha(self, run: Run, step_size: float, noise: float) -> float:
        """Minibatch noise over injected noise at a step."""

    @abstractmethod
    def _stiffness(self, run: Run, step_size: float, curvature: float) -> float:
        """How large a step is for a curvature; see :data:`MAX_STIFFNESS`."""

    def _averaged_steps(self, rows: Rows) -> int:
        """Number of steps that a draw is the mean over."""
        return 1

    def _plan(self, rows: Rows) -> Sequence[int]:
        """Numbers of the steps after which a draw is kept."""
        spacing = max(self.thinning, self._averaged_steps(rows))
        return range(self.n_warmup + spacing, self.n_warmup + self.n_draws * spacing + 1, spacing)

    def _schedule(self, step_size: float, start: int) -> Schedule:
        """The schedule that takes ``step_size`` at step number ``start``."""
        return constant(step_size)

    def _warm_up(self, run: Run, share: float | None) -> None:
        """Adapt what else there is: before sampling begins (share 0) and after steps of warm-up.

        ``share`` is that of the warm-up that is over where the curvature is measured, else None.
        """

    @property
    def _decreasing(self) -> bool:
        """Whether draws count in proportion to their steps."""
        return False

    def _learned(self, run: Run) -> dict[str, Any]:
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
    ) -> Run:
        """The net that will take the planned steps, and what follows it."""
        n_steps = plan[-1]
        steps_per_epoch = -(-n_steps // HISTORY_ROWS)
        batch_size = self._batch_rows(rows)
        noise = make_generator(rng, rows.device)
        precisions = prior_precisions(stack, self.prior_scale)
        scales = prior_scales(stack, precisions)
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
        run = self._prepare(stack, rows, likelihood, rng, self._plan(rows), descend=not resume)
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
