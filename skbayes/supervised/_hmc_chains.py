"""Hamiltonian Monte Carlo: parameters, steps and the run."""

import copy
import math
import warnings
from collections.abc import Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from skbayes._engine.build import build_net, prior_precisions, prior_scales, run
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes._engine.trajectories import TrajectoryNet
from skbayes._sklearn import Interval, StrOptions
from skbayes.samplers import HMC, constant
from skbayes.samplers.adaptation import DualAveraging
from skbayes.supervised._chains import ChainMixin
from skbayes.supervised._curvature import Meter
from skbayes.supervised._likelihood import Likelihood
from skbayes.supervised._recorder import Recorder
from skbayes.supervised._sghmc_chains import SGHMCMixin

#: Trajectories vary in length by this share, so that none is a period of some direction.
JITTER = 0.2
#: Steps of the pilot run, and how many of them a trajectory of warm-up stands for.
PILOT_STEPS, PILOT_SHARE = 2000, 20


class HMCMixin(ChainMixin):
    """Parameters and run of HMC."""

    _chain_constraints: ClassVar[dict[str, list]] = {
        **ChainMixin._chain_constraints,
        "target_accept": [Interval(Real, 0, 1, closed="neither")],
        "trajectory_length": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "metric": [StrOptions({"unit", "diag"})],
        "max_leapfrog": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        n_chains=4,
        n_draws=100,
        n_warmup=50,
        thinning=1,
        step_size="auto",
        target_accept=0.8,
        trajectory_length="auto",
        metric="unit",
        max_leapfrog=2000,
        temperature=1.0,
        prior_scale=1.0,
        module=None,
        module_params=None,
        skorch_callbacks=None,
        warm_start=False,
        device="auto",
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
        self.target_accept = target_accept
        self.trajectory_length = trajectory_length
        self.metric = metric
        self.max_leapfrog = max_leapfrog
        self.temperature = temperature
        self.prior_scale = prior_scale
        self.module = module
        self.module_params = module_params
        self.skorch_callbacks = skorch_callbacks
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _compute_dtype(self, X: Any) -> torch.dtype:
        return torch.float64  # energies are differences of large numbers

    def _length(self) -> float:
        """Mean length of a trajectory, in units of time."""
        if self.trajectory_length != "auto":
            return float(self.trajectory_length)
        unit = 1.0 if self.metric == "diag" or self.prior_scale == "fan_in" else self.prior_scale
        return 0.5 * math.pi * float(unit)

    def _pilot(
        self, stack: nn.Module, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState
    ) -> None:
        """Bring the chains to the posterior by the cheap sampler, which needs no accepting.

        On the way there curvature changes by orders of magnitude, and a step that is accepted at
        one place is rejected at the next.
        """
        n_steps = min(PILOT_STEPS, PILOT_SHARE * self.n_warmup)
        pilot = SGHMCMixin(
            n_chains=self.n_chains,
            n_warmup=n_steps,
            temperature=self.temperature,
            prior_scale=self.prior_scale,
        )
        run(pilot._prepare(stack, rows, likelihood, rng, [n_steps], descend=True).net, rows)

    def _fill(
        self: Any, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        self._check_callbacks()
        n_steps = self.n_warmup + self.n_draws * self.thinning
        stack = self._build_stack(rows, likelihood, self.n_chains, rng)
        if resume:
            self._continue_from(stack, self._chain_ends, likelihood)
        elif self.step_size == "auto" and self.n_warmup > 0:
            self._pilot(stack, rows, likelihood, rng)
        precisions = prior_precisions(stack, self.prior_scale)
        scale = None
        if self.prior_scale == "fan_in":
            scale = prior_scales(stack, precisions)
        net = build_net(
            stack,
            likelihood.criterion,
            partial(
                HMC,
                scale=scale,
                n_data=rows.n_data,
                temperature=self.temperature,
                generator=make_generator(rng, rows.device),
            ),
            rows,
            batch_size=len(rows),
            max_epochs=n_steps,
            shuffle=make_generator(rng),
            precisions=precisions,
            half_normal=likelihood.half_normal,
            verbose=self.verbose,
            net_class=TrajectoryNet,
        )
        follower = _Run(self, net, rows, rng)
        net.on_step = follower
        trained = self._train(net, rows, "trajectories")
        n_taken = net.optimizer_.n_steps
        posterior = Posterior.from_draws(
            net.module_, follower.recorder.stacked(make_generator(rng), n_taken)
        )
        n_divergences = int(trained["history_"]["diverging"][self.n_warmup :].sum())
        if n_divergences:
            warnings.warn(
                f"{n_divergences} of {(n_taken - self.n_warmup) * self.n_chains} trajectories "
                "after warm-up diverged: the draws miss the parts of the posterior that are too "
                "curved for the step. Raise target_accept (now "
                f"{self.target_accept}) or n_warmup, or give a smaller step_size",
                ConvergenceWarning,
                stacklevel=2,
            )
        follower.check_acceptance(trained["history_"]["acceptance_rate"][self.n_warmup :])
        n_leapfrog = trained["history_"]["n_leapfrog"][self.n_warmup :]
        if (n_leapfrog == self.max_leapfrog).all() and self._length() > (
            1.5 * self.max_leapfrog * follower.step_size
        ):
            warnings.warn(
                f"Trajectories were cut short by max_leapfrog={self.max_leapfrog}: at a step of "
                f"{follower.step_size:.2g} they are "
                f"{self.max_leapfrog * follower.step_size:.2g} long, not {self._length():.2g}. "
                "Raise max_leapfrog, or give a shorter trajectory_length",
                ConvergenceWarning,
                stacklevel=2,
            )
        return {
            **trained,
            "posterior_": posterior,
            "n_iter_": n_taken,
            "step_size_": follower.step_size,
            "trajectory_length_": min(
                max(self._length(), follower.step_size), self.max_leapfrog * follower.step_size
            ),
            "n_divergences_": n_divergences,
            "n_chains_": self.n_chains,
            "rhat_": self._check_mixing(posterior, rows, likelihood),
            "_chain_ends": Posterior(copy.deepcopy(net.module_)),
        }


class _Run:
    """Follows the chains: adapts step and metric in warm-up, and keeps the draws."""

    def __init__(
        self, estimator: Any, net: StackNet, rows: Rows, rng: np.random.RandomState
    ) -> None:
        self.estimator = estimator
        self.net = net
        self.sampler: Any = net.optimizer_
        first = estimator.n_warmup + estimator.thinning
        last = estimator.n_warmup + estimator.n_draws * estimator.thinning
        self.recorder = Recorder(net.module_, range(first, last + 1, estimator.thinning))
        self.rng = np.random.RandomState(rng.randint(2**31 - 1))
        self.tuner: DualAveraging | None = None
        self._moments: list[Tensor] = []
        self._n_moments = 0
        step_size = estimator.step_size
        if step_size == "auto":
            generator = make_generator(rng)
            root = self._all_scales(self.sampler.scale)
            curvature = float(Meter(net, rows, len(rows), generator)(root).curvatures.max())
            step_size = float(f"{1.0 / max(curvature, 1e-12) ** 0.5:.1e}")
            self.tuner = DualAveraging(step_size, estimator.target_accept)
        self._set(step_size)

    def _all_scales(self, scale: Sequence[Any] | None) -> list[Any] | None:
        if scale is None:
            return None
        given = iter(scale)
        return [next(given) if p.requires_grad else 1.0 for p in self.net.module_.parameters()]

    def _set(self, step_size: float) -> None:
        if self.tuner is not None:
            # two digits: rounding errors of the acceptance must not reach the chains
            step_size = float(f"{step_size:.1e}")
        self.step_size = step_size
        length = self.estimator._length() * self.rng.uniform(1.0 - JITTER, 1.0 + JITTER)
        n_leapfrog = np.round(length / step_size)
        self.sampler.n_leapfrog = int(np.clip(n_leapfrog, 1, self.estimator.max_leapfrog))
        self.sampler.schedule = constant(step_size)

    def __call__(self, net: StackNet) -> None:
        """Called after every trajectory."""
        t = self.sampler.n_steps
        info = self.sampler.info
        n_warmup = self.estimator.n_warmup
        self.recorder(t, 1.0)  # every draw has the same weight, whatever the step
        net.history.record("step_size", self.step_size)
        net.history.record("n_leapfrog", self.sampler.n_leapfrog)
        for name in ("acceptance_rate", "energy", "diverging"):
            net.history.record(name, getattr(info, name).cpu().numpy())
        step_size = self.step_size
        if t <= n_warmup:
            if self.estimator.metric == "diag":
                self._adapt_metric(t)
            if self.tuner is not None:
                self.tuner.update(float(info.acceptance_rate.mean()))
                step_size = self.tuner.step_size if t < n_warmup else self.tuner.average
        self._set(step_size)

    def _adapt_metric(self, t: int) -> None:
        """Welford's sums over the middle half of warm-up, then the deviations as scales."""
        n_warmup = self.estimator.n_warmup
        if 4 * t <= n_warmup:
            return
        parameters = self.sampler.parameters
        if 4 * t <= 3 * n_warmup:
            if not self._moments:
                self._moments = [torch.zeros_like(p[0]) for p in parameters for _ in range(2)]
            for k, p in enumerate(parameters):
                self._moments[2 * k] += p.data.sum(0)
                self._moments[2 * k + 1] += p.data.square().sum(0)
            self._n_moments += self.estimator.n_chains
        if 4 * t > 3 * n_warmup and self._moments:
            n = self._n_moments
            scales = []
            for mean, square in zip(self._moments[::2], self._moments[1::2], strict=True):
                variance = (square / n - (mean / n).square()).clamp_min(0.0)
                # towards a small number where there are few draws: Stan's regularisation
                variance = variance * (n / (n + 5.0)) + 1e-3 * (5.0 / (n + 5.0))
                scales.append(variance.sqrt())
            self.sampler.scale = scales
            self._moments = []
            if self.tuner is not None:
                # the shortest scale was what the step was for
                self.tuner.restart(self.step_size / min(float(s.min()) for s in scales))

    def check_acceptance(self, rates: np.ndarray) -> None:
        """Warn if the step is too large for trajectories to be accepted."""
        rate = float(rates.mean())
        if rate < 0.4:
            warnings.warn(
                f"Only {rate:.0%} of the trajectories were accepted: the step is too large. Use a "
                f"smaller step_size (now {self.step_size:.2g}), or 'auto' with a longer n_warmup "
                f"(now {self.estimator.n_warmup})",
                ConvergenceWarning,
                stacklevel=2,
            )
