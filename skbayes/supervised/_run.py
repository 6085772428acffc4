"""What follows the chains as they run: the step as warm-up goes on, the draws, lost chains."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from skbayes._engine.net import StackNet
from skbayes._engine.rows import MemberBatches, Rows
from skbayes.supervised._curvature import Measurement, Meter
from skbayes.supervised._recorder import Recorder

#: Largest share of the injected noise that the minibatch noise may add (Welling and Teh's alpha).
MAX_ALPHA = 0.25
#: The same for a step that the user gives, beyond which it is said.
MAX_GIVEN_ALPHA = 1.0
#: With an automatic step the chains begin with this share of the warm-up as descent by Adam, from
#: its rate to a hundredth of it: on the slopes curvature changes by orders of magnitude within few
#: steps (a noise that is learned falls to its place), at the bottom it is a guide.
DESCENT, DESCENT_RATE = 1 / 16, 0.03
#: No more steps than this of all rows: a long descent overfits, a noise that is learned goes down
#: with it, and from there a sampler's steps are too small to come back.
MAX_DESCENT = 125
#: The same with minibatches, whose noise is large on the slopes and would make steps tiny there.
BATCH_DESCENT = 1 / 4
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
#: A chain whose potential is higher than the lowest one's by so much (times a temperature above 1;
#: modes do not come closer where it is cold) is not in the posterior, where it varies as half a
#: chi-squared variable of as many degrees of freedom as there are weights: a step that was too
#: large has thrown it out, and it starts again from the lowest one.
LOST_PER_WEIGHT, LOST = 2.0, 50.0
#: Curvature times step (SGLD) or squared step (SGHMC) beyond which the spread is visibly wrong in
#: the stiffest direction: SGLD's variance on a quadratic is 1 / (1 - stiffness / 4) times its own.
MAX_STIFFNESS = 2.0


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
        self.recorder = Recorder(
            net.module_,
            plan,
            weighted=estimator._decreasing,
            averaging=estimator._averaged_steps(rows),
        )
        self.rows, self.batch_size, self.generator = rows, batch_size, generator
        self.steps_per_epoch = net.iterator_train__steps_per_epoch
        self.measure = Meter(net, rows, batch_size, generator)
        self.root: list[Tensor | float] | None = None
        self.squares: Any = None
        self.noise: Any = None
        self._pool: list[Measurement] = []
        self._found: dict[str, float] = {}
        self.n_lost = 0
        self._n_trusted = 0
        self._last_rescue = -1
        net.rescue = self._rescue
        self._times: dict[int, float] = {}
        last = 0
        for share in MEASURED_AT:
            t = int(share * estimator.n_warmup)
            if t - last >= MIN_INTERVAL or share == 1:
                self._times[t] = share
                last = t
        self._n_descent = 0
        if estimator.step_size == "auto":
            if batch_size >= len(rows):
                n_descent = min(int(DESCENT * estimator.n_warmup), MAX_DESCENT)
            else:
                n_descent = int(BATCH_DESCENT * estimator.n_warmup)
            self._n_descent = n_descent if descend else 0
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
        # on the way the noise of the slopes is no guide
        counted = (
            noise * self.estimator._early_noise
            if 0 < self.sampler.n_steps and share < POOLED_FROM
            else noise
        )
        step_size = self.estimator._automatic_step(self, curvature, counted, safety)
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
        n_weights = sum(p[0].numel() for p in self.sampler.parameters)
        lowest = potential.argmin()
        margin = (LOST + LOST_PER_WEIGHT * n_weights) * max(temperature, 1.0)
        lost = potential > potential[lowest] + margin
        n_lost = int(lost.sum())
        if n_lost and bool(potential[lowest].isfinite()):
            module = self.net.module_  # frozen tensors and buffers too: they make the potential
            for values in (*module.parameters(), *module.buffers()):
                values.data[lost] = values.data[lowest].clone()
            self.sampler.forget()
            self._last_rescue = len(self.net.history)
            if self.sampler.n_steps > self.estimator.n_warmup:
                # what the chain left since it was last seen in place is no draw
                self.recorder.replace(lost, int(lowest), self._n_trusted)
                self._set(float(f"{0.5 * self.step_size:.1e}"))
                self.n_lost += n_lost
        self._n_trusted = self.recorder.n_recorded
        return n_lost

    def _rescue(self) -> bool:
        """Put right what has diverged in this epoch, if that has not been done already."""
        return self._bring_back() > 0 or self._last_rescue == len(self.net.history)

    def _set(self, step_size: float) -> None:
        self.step_size = step_size
        self.sampler.schedule = self.estimator._schedule(step_size, self.sampler.n_steps)

    def __call__(self, net: StackNet) -> None:
        """Called after every step."""
        t = self.sampler.n_steps
        taken = self.sampler.schedule(t - 1)
        self.recorder(t, taken)
        if t % self.steps_per_epoch == 0 or t == self.recorder.steps[-1]:
            # once an epoch: skorch's history is slow to ask
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
        found = self.measure(self.root)
        curvature = float(np.median(found.curvatures))
        alpha = self.estimator._alpha(self, step_size, found.noise)
        if self.estimator.step_size != "auto" and MAX_GIVEN_ALPHA < alpha < np.inf:
            warnings.warn(
                f"The step is too large for the minibatches: at step_size={step_size:.2g} their "
                f"noise is {alpha:.1f} times what is injected, in the worst direction, and heats "
                "the draws as much. Use a smaller step_size, 'auto', or a larger batch_size",
                ConvergenceWarning,
                stacklevel=2,
            )
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
        self.net.forget_gradients()
        self.net.backward(next(iter(batches)), self.rows.mean_weight)
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
