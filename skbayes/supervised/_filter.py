"""What the deep ensemble filters share: their parameters, and a round of assimilation."""

import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from skbayes._engine.centring import find_centring, in_coordinates
from skbayes._engine.moments import optimizer_state
from skbayes._engine.posterior import Posterior
from skbayes._engine.replay import Replay
from skbayes._engine.rows import Rows, count_batches
from skbayes._engine.seeds import make_generator, new_random_state
from skbayes._sklearn import Interval, StrOptions
from skbayes.diagnostics import SpreadSkill
from skbayes.supervised import _inflation
from skbayes.supervised._anchors import Anchors, draw_anchors, perturb_targets, start_from_anchors
from skbayes.supervised._epochs import AUTO_BATCH, EpochsMixin
from skbayes.supervised._filter_auto import count_epochs, resolve_shrinking
from skbayes.supervised._filter_checks import AUTO_SCALE, check_pairs, is_after
from skbayes.supervised._innovations import Innovations, resolution
from skbayes.supervised._likelihood import Likelihood

#: Deviation of the members from the one network that ``localization=None`` trains at first, in
#: units of each tensor's spread when it was initialised.
FIRST_ANOMALY = 0.1
#: Members whose predictions differ by less than this share of the labels' own noise are one.
COLLAPSED = 0.01


class EnsembleFilterMixin(EpochsMixin):
    """An ensemble that assimilates; a subclass says what it predicts."""

    _filter_constraints: ClassVar[dict[str, list]] = {
        **EpochsMixin._epoch_constraints,
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "inflation": [StrOptions(set(AUTO_SCALE)), None],
        "inflation_scale": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "inflate_when": [StrOptions({"auto", "before", "after"})],
        "shrink_factor": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
        "taper_support": [Interval(Real, 0, None, closed="neither")],
        "adaptive": ["boolean"],
        "localization": [StrOptions({"mode"}), None],
        "init_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "warm_epochs": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "optimizer": [StrOptions({"adam", "sgd"})],
        "reset_optimizer": ["boolean"],
        "bootstrap": ["boolean"],
        "anchored": ["boolean"],
        "replay_size": [Interval(Integral, 0, None, closed="left")],
        "forgetting_factor": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        n_members=10,
        inflation="shrink",
        inflation_scale="auto",
        inflate_when="auto",
        shrink_factor="auto",
        taper_support=1.0,
        adaptive=False,
        localization="mode",
        init_epochs="auto",
        warm_epochs="auto",
        optimizer="adam",
        reset_optimizer=True,
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size="auto",
        bootstrap=False,
        prior_scale=1.0,
        anchored=False,
        replay_size=10000,
        forgetting_factor=1.0,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
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
        self.n_members = n_members
        self.inflation = inflation
        self.inflation_scale = inflation_scale
        self.inflate_when = inflate_when
        self.shrink_factor = shrink_factor
        self.taper_support = taper_support
        self.adaptive = adaptive
        self.localization = localization
        self.init_epochs = init_epochs
        self.warm_epochs = warm_epochs
        self.optimizer = optimizer
        self.reset_optimizer = reset_optimizer
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.bootstrap = bootstrap
        self.prior_scale = prior_scale
        self.anchored = anchored
        self.replay_size = replay_size
        self.forgetting_factor = forgetting_factor
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.module = module
        self.module_params = module_params
        self.skorch_callbacks = skorch_callbacks
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    # -- rounds ---------------------------------------------------------------------------------

    def _fit_validated(
        self: Any, X: Any, y: Any, sample_weight: Any, *classes: np.ndarray, resume: bool
    ) -> Any:
        """A round on all data so far."""
        new = self._replay.find_new(X, y) if resume else None
        if new is not None and new.any():
            weight = None if sample_weight is None else sample_weight[new]
            innovation = self._compare(X[new], y[new], weight)
        else:
            innovation = None
        self._run_round(X, y, sample_weight, *classes, resume=resume, innovation=innovation)
        # all data so far: what was kept before is part of it
        if resume:
            stream = self._replay.rng
        else:
            stream = new_random_state(self._random_state.randint(2**31 - 1))
        self._replay = Replay(stream)
        self._replay.add(X, y, sample_weight, self.replay_size)
        self._warn_of_collapse()
        return self

    def _assimilate(self: Any, X: Any, y: Any, sample_weight: Any, *classes: np.ndarray) -> Any:
        """A round on new rows and those that were kept."""
        innovation = self._compare(X, y, sample_weight)
        data = self._replay.with_new(X, y, sample_weight, self.forgetting_factor)
        self._run_round(*data, *classes, resume=True, innovation=innovation)
        self._replay.add(X, y, sample_weight, self.replay_size, self.forgetting_factor)
        self._warn_of_collapse()
        return self

    def _run_round(
        self: Any, *data: Any, resume: bool, innovation: tuple[SpreadSkill, int] | None
    ) -> None:
        history = self._innovations if resume else Innovations()
        self._next_innovations = history.after(innovation)
        try:
            super()._fit_validated(*data, resume=resume)  # type: ignore[misc]
        finally:
            del self._next_innovations

    def _warn_of_collapse(self: Any) -> None:
        """Last of all, so that a warning which is made an error leaves nothing half done."""
        if self.n_rounds_ > 1 and self.diagnosis_["resolution"] < COLLAPSED:
            warnings.warn(
                "The ensemble has collapsed: its members' predictions differ by "
                f"{self.diagnosis_['resolution']:.2g} of the labels' noise, so that it is one "
                "network and its spread says nothing. Use inflation, or a larger inflation_scale.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _fill(
        self: Any, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        check_pairs(self, len(rows), likelihood)
        stack = self._build_stack(rows, likelihood, self.n_members, rng)
        unit = self.initial_spread_ if resume else _inflation.spread(dict(stack.named_parameters()))
        centring = find_centring(stack, rows)
        if centring is not None and not self.anchored:
            centring.leave()  # a fresh network bends where the rows are
        anchors = self._anchor(stack, rows, likelihood, rng, resume) if self.anchored else None
        if resume:
            self._continue_from(stack, self.posterior_, likelihood)
        if self.bootstrap:
            draw_bootstrap(rows, self.n_members, rng)
        stack.to(rows.device)
        moved = {name: p for name, p in stack.named_parameters() if p.requires_grad}
        inflates = resume and self.inflation is not None
        before: dict[str, Tensor] = {}
        if inflates:
            with in_coordinates(centring):
                before = {name: p.detach().clone() for name, p in moved.items()}
        # drawn in any case, so that what is set does not change the stream after it
        noise = make_generator(rng, rows.device) if inflates else None
        if inflates and not is_after(self):
            with in_coordinates(centring):
                self._inflate(moved, before, unit, rows, noise)
        train = self._train_members if self.localization == "mode" else self._train_mean
        trained = train(stack, rows, likelihood, rng, unit, anchors, resume)
        if inflates and is_after(self):
            with in_coordinates(centring):
                self._inflate(moved, before, unit, rows, noise)
        fitted = {
            **trained,
            "posterior_": Posterior(stack),
            "initial_spread_": unit,
            "n_rounds_": self.n_rounds_ + 1 if resume else 1,
            "_innovations": self._next_innovations,
        }
        networks = self.n_members if self.localization == "mode" else 1
        cold = self._plan_epochs(len(rows), resume=False) * self.n_members
        fitted["cost_ratio_"] = trained["n_iter_"] * networks / cold if resume else 1.0
        fitted["diagnosis_"] = {
            **self._next_innovations.summary(),
            **resolution(fitted["posterior_"], rows, likelihood),
        }
        if anchors is not None:
            fitted["_last_anchors"] = anchors
        kept = None if self.reset_optimizer else optimizer_state(trained["net_"])
        fitted["_optimizer_state"] = kept
        return fitted

    #: Moments of the last round's optimizer, where they are kept.
    _optimizer_state: Mapping[int, Mapping[str, Any]] | None = None
    #: Centres of the members' priors, once there were any.
    _last_anchors: Anchors | None = None

    # -- the parts of a round -------------------------------------------------------------------

    def _batch_rows(self: Any, n_rows: int) -> int:
        """Rows a step."""
        if self.batch_size != "auto":
            return min(self.batch_size, n_rows)
        return n_rows if self.inflation == "langevin" else min(AUTO_BATCH, n_rows)

    def _plan_epochs(self: Any, n_rows: int, resume: bool) -> int:
        """Passes through so many rows in a round."""
        epochs = self.warm_epochs if resume else self.init_epochs
        if epochs != "auto":
            return int(epochs)
        n_batches = count_batches(n_rows, self._batch_rows(n_rows))
        return count_epochs(self, self._count_inputs(), n_batches, resume)

    def _count_inputs(self: Any) -> int:
        """Least number of inputs of a layer, as far as ``"auto"`` is about it."""
        return 1  # with fewer steps a noise that is learned does not get to where it belongs

    @torch.no_grad()
    def _inflate(
        self: Any,
        params: Mapping[str, Tensor],
        before: Mapping[str, Tensor],
        unit: Mapping[str, float],
        rows: Rows,
        noise: torch.Generator,
    ) -> None:
        scale = self._resolve_scale(rows)
        if self.inflation == "additive":
            moved = _inflation.additive(params, scale, unit, noise)
        elif self.inflation == "shrink":
            factor, _ = resolve_shrinking(self, self._count_inputs())
            moved = _inflation.shrink(params, factor, scale, unit, noise)
        elif self.inflation == "langevin":
            same = dict.fromkeys(params, 1.0)  # all directions alike, whatever their spread
            moved = _inflation.additive(params, scale, same, noise)
        elif self.inflation == "anomalies":
            moved = _inflation.anomalies(params, scale, self.taper_support, noise)
        elif self.inflation == "multiplicative":
            moved = _inflation.multiplicative(params, scale)
        elif self.inflation == "rtps":
            moved = _inflation.rtps(params, before, scale)
        else:
            moved = _inflation.rtpp(params, before, min(scale, 1.0))
        for name, values in moved.items():
            params[name].copy_(values)

    def _resolve_scale(self: Any, rows: Rows) -> float:
        scale = self.inflation_scale
        if self.inflation == "shrink":
            _, scale = resolve_shrinking(self, self._count_inputs())
        elif scale == "auto":
            scale = AUTO_SCALE[self.inflation]
        if self.inflation == "langevin":
            n_steps = self._plan_epochs(len(rows), resume=True)
            rates = np.full(n_steps, self.learning_rate_init)
            if self.learning_rate == "cosine":
                rates *= (1 + np.cos(np.pi * np.arange(len(rates)) / max(len(rates), 1))) / 2
            return _inflation.langevin_scale(rates.sum(), rows.n_data, scale)
        return float(scale) * (self._next_innovations.factor() if self.adaptive else 1.0)

    def _train_members(
        self: Any,
        stack: nn.Module,
        rows: Rows,
        likelihood: Likelihood,
        rng: np.random.RandomState,
        unit: Mapping[str, float],
        anchors: Anchors | None,
        resume: bool,
    ) -> dict[str, Any]:
        """Every member goes to the mode that it is in."""
        return self._descend(stack, rows, likelihood, rng, anchors, resume)

    def _train_mean(
        self: Any,
        stack: nn.Module,
        rows: Rows,
        likelihood: Likelihood,
        rng: np.random.RandomState,
        unit: Mapping[str, float],
        anchors: Anchors | None,
        resume: bool,
    ) -> dict[str, Any]:
        """One network, the mean, is trained, and the members keep their places around it."""
        mean = self._build_stack(rows, likelihood, 1, rng).to(rows.device)
        noise = make_generator(rng, rows.device)
        with torch.no_grad():
            centre = {
                name: p.mean(0, keepdim=True) if resume else p[:1].clone()
                for name, p in stack.named_parameters()
            }
            for name, p in mean.named_parameters():
                p.copy_(centre[name])
            for name, b in mean.named_buffers():
                b.copy_(stack.get_buffer(name)[:1])
        trained = self._descend(mean, rows, likelihood, rng, anchors, resume)
        with torch.no_grad():
            if not resume:
                for name, p in stack.named_parameters():
                    anomaly = torch.empty_like(p).normal_(generator=noise)
                    scale = FIRST_ANOMALY * unit[name] if p.requires_grad else 0.0
                    p.copy_(scale * (anomaly - anomaly.mean(0)))
                centring = find_centring(stack, rows)
                if centring is not None:
                    centring.leave()
            for name, p in stack.named_parameters():
                now = mean.get_parameter(name).detach()
                p.add_(now - centre[name] if resume else now)
            for name, b in stack.named_buffers():
                b.copy_(mean.get_buffer(name).expand_as(b))
        return trained

    def _descend(
        self: Any,
        stack: nn.Module,
        rows: Rows,
        likelihood: Likelihood,
        rng: np.random.RandomState,
        anchors: Anchors | None,
        resume: bool,
    ) -> dict[str, Any]:
        kept = self._optimizer_state if resume and not self.reset_optimizer else None
        return self._train_epochs(
            stack,
            rows,
            likelihood,
            rng,
            self._plan_epochs(len(rows), resume),
            anchors=anchors,
            centring=find_centring(stack, rows),
            optimizer=self.optimizer,
            optimizer_state=kept,
            batch_size=self._batch_rows(len(rows)),
        )

    def _anchor(
        self: Any,
        stack: nn.Module,
        rows: Rows,
        likelihood: Likelihood,
        rng: np.random.RandomState,
        resume: bool,
    ) -> Anchors:
        anchors = draw_anchors(stack, self.prior_scale, likelihood, rng)
        if resume and self._last_anchors is not None:
            self._carry_over(stack, anchors, self._last_anchors, likelihood)
        elif not resume:
            start_from_anchors(stack, anchors)
        perturb_targets(rows, likelihood, self.n_members, rng)
        return anchors


def draw_bootstrap(rows: Rows, n_members: int, rng: np.random.RandomState) -> None:
    """Every member's own sample of the rows with replacement, as weights."""
    n = len(rows)
    weight = np.ones(n) if rows.weight is None else rows.weight.double().cpu().numpy()
    counts = rng.multinomial(n, weight / weight.sum(), size=n_members)
    unit = torch.as_tensor(counts * rows.mean_weight, dtype=rows.dtype)
    rows.member_weight = unit.to(rows.device)
