"""The engine: interrupted and failed fits, and callbacks."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from engine_toys import make_data, make_rows, quiet_net
from sklearn.base import clone
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LoadInitState,
    LRScheduler,
)

from skbayes import DeepEnsembleFilterClassifier, SGLDClassifier
from skbayes._engine import callbacks as engine_callbacks

# -- failure --------------------------------------------------------------------------------------


def test_divergence_in_the_very_last_step_is_noticed():
    """Every length of a run whose weights explode: an error or a finite prediction, never NaN."""
    X, y = make_data()
    for n_steps in range(1, 30):
        model = SGLDClassifier((5,), step_size=1e6, n_chains=1, n_warmup=0, n_draws=n_steps)
        with pytest.raises(ValueError, match=r"Training diverged.*step_size"):
            model.set_params(thinning=1, random_state=0).fit(X, y)


def test_a_rate_with_which_nothing_overflows_is_noticed_too():
    # Adam's steps are bounded by the rate: the loss is huge but finite
    X, y = make_data()
    for dtype in ("float32", "float64"):
        for batch_size in (10, 60):
            model = DeepEnsembleFilterClassifier((5,), learning_rate_init=1e10, init_epochs=3)
            with pytest.raises(ValueError, match=r"Training diverged.*learning_rate_init"):
                model.set_params(dtype=dtype, batch_size=batch_size).fit(X, y)
    # also where one step is all there is
    with pytest.raises(ValueError, match=r"Training diverged.*learning_rate_init"):
        model.set_params(init_epochs=1).fit(X, y)


def test_unscaled_input_is_not_taken_for_divergence():
    X, y = make_data()
    model = DeepEnsembleFilterClassifier((5,), n_members=2, init_epochs=2, random_state=0)
    model.fit(1e7 * X, y)
    assert np.isfinite(model.predict_proba(1e7 * X)).all()


class InterruptAtStart(Callback):
    def on_train_begin(self, net, **kwargs):
        raise KeyboardInterrupt


class InterruptBeforeEpoch(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


class InterruptAfterEpoch(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


class InterruptInBatch(Callback):
    def on_grad_computed(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


INTERRUPTS = [InterruptAtStart, InterruptBeforeEpoch, InterruptAfterEpoch, InterruptInBatch]
ESTIMATORS = [
    DeepEnsembleFilterClassifier((5,), n_members=2, init_epochs=4, warm_epochs=3, random_state=0),
    SGLDClassifier((5,), n_chains=2, n_warmup=20, n_draws=4, thinning=5, random_state=0),
]
BOTH = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)


@BOTH
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_ctrl_c_propagates_and_leaves_what_was_fitted(estimator, warm_start, interrupt):
    X, y = make_data()
    model = clone(estimator).set_params(warm_start=warm_start).fit(X, y)
    before, history = model.predict_proba(X), model.history_
    attributes = set(vars(model))
    model.set_params(skorch_callbacks=[interrupt()])
    other = X if warm_start else X[:, :2]
    with pytest.raises(KeyboardInterrupt):
        model.fit(other, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.n_features_in_ == 4
    assert model.history_ is history
    assert set(vars(model)) == attributes
    # and can be fitted afterwards as if nothing had been
    model.set_params(skorch_callbacks=None)
    again = model.fit(X, y).predict_proba(X)
    reference = clone(estimator).set_params(warm_start=warm_start).fit(X, y)
    expected = reference.fit(X, y) if warm_start else reference
    np.testing.assert_array_equal(again, expected.predict_proba(X))


@BOTH
def test_ctrl_c_in_a_first_fit_leaves_nothing(estimator):
    X, y = make_data()
    model = clone(estimator).set_params(skorch_callbacks=[InterruptAfterEpoch()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert not [name for name in vars(model) if name.endswith("_") and not name.endswith("__")]


@BOTH
def test_a_fit_that_fails_leaves_what_was_fitted(estimator):
    X, y = make_data()
    model = clone(estimator).fit(X, y)
    before = model.predict_proba(X)
    for bad_X, bad_y in [(X[:, :2], y[:-1]), (X[:, :2], X[:, 0]), (np.full((3, 2), np.nan), y[:3])]:
        with pytest.raises(ValueError):
            model.fit(bad_X, bad_y)
        np.testing.assert_array_equal(model.predict_proba(X), before)


# -- callbacks ------------------------------------------------------------------------------------


class Scripted(Callback):
    """Writes a loss of one's choice over the epoch's."""

    def __init__(self, losses):
        self.losses = losses

    def on_epoch_end(self, net, **kwargs):
        net.history.record("scripted", self.losses[len(net.history) - 1])


def test_skorchs_early_stopping_stops_in_good_order():
    X, y = make_data()
    losses = [5.0, 4.0, 4.5, 4.5, 4.5, 1.0, 1.0]
    stopping = EarlyStopping(monitor="scripted", patience=3)
    model = clone(ESTIMATORS[0]).set_params(
        init_epochs=7, skorch_callbacks=[Scripted(losses), stopping]
    )
    model.fit(X, y)
    assert model.n_iter_ == 5
    assert len(model.history_["epoch"]) == 5
    assert stopping.misses_ == 0  # it was copied
    model.fit(X, y)  # and can be used again
    assert model.n_iter_ == 5
    assert np.isfinite(model.predict_proba(X)).all()


class Weights(Callback):
    """Keeps the weights after every epoch, in a list that survives the copy."""

    seen: ClassVar[list] = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append([p.detach().clone() for p in net.module_.parameters()])


def test_the_engines_early_stopping_restores_the_best_epoch():
    rows = make_rows(13)
    losses = [5.0, 3.0, 4.0, 2.99995, 3.5, 3.5, 1.0]
    net = quiet_net(rows, lr=0.1, max_epochs=7)
    Weights.seen = []
    stopping = engine_callbacks.EarlyStopping("scripted", patience=3, tol=1e-3)
    net.callbacks = [Scripted(losses), stopping, Weights()]
    net.initialize_callbacks()
    net.partial_fit(rows)
    # epochs 3, 4 (too little better), 5 do not improve on the second by tol; the fourth is best
    assert len(net.history) == 5
    assert len(Weights.seen) == 5  # who comes later has seen the last epoch too
    for p, best in zip(net.module_.parameters(), Weights.seen[3], strict=True):
        assert torch.equal(p.detach(), best)


def test_early_stopping_of_the_filter_predicts_with_the_best_epoch():
    X, y = make_data(200)
    y = np.random.RandomState(0).randint(2, size=200)  # nothing to learn: it soon gets worse
    model = DeepEnsembleFilterClassifier(
        (50,),
        n_members=2,
        early_stopping=True,
        init_epochs=300,
        learning_rate="constant",
        n_iter_no_change=4,
        prior_scale=None,
        random_state=0,
        dtype="float64",
    ).fit(X, y)
    losses = model.history_["valid_loss"]
    assert model.n_iter_ == len(losses) < 300
    held_back = model.net_.train_split.rows
    assert len(held_back) == 20
    with torch.no_grad():
        final = model.net_.member_losses(held_back.everything(), 1.0).mean().item()
    assert final == pytest.approx(losses.min(), rel=1e-12)
    assert losses[-1] > losses.min()


class Watcher(Callback):
    log: ClassVar[list] = []

    def on_batch_begin(self, net, batch, training, **kwargs):
        self.log.append(("begin", tuple(batch.X.shape), training))

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = {name: p.grad for name, p in named_parameters}
        assert all(g is not None for g in gradients.values())
        self.log.append(("grad", set(gradients)))

    def on_batch_end(self, net, loss, training, **kwargs):
        self.log.append(("end", tuple(loss.shape), training))


@BOTH
def test_callbacks_that_watch_batches_are_told(estimator):
    X, y = make_data()
    Watcher.log = []
    model = clone(estimator).set_params(batch_size=30, skorch_callbacks=[Watcher()]).fit(X, y)
    n_steps = 8 if isinstance(model, DeepEnsembleFilterClassifier) else 40
    names = set(model.posterior_.params)
    step = [("begin", (2, 30, 4), True), ("grad", names), ("end", (2,), True)]
    assert Watcher.log == step * n_steps
    assert sum(len(row["batches"]) for row in model.net_.history) == n_steps
    # watching changes nothing
    quiet = clone(model).set_params(skorch_callbacks=None).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), quiet.predict_proba(X))


def test_lr_scheduler_every_batch():
    X, y = make_data()
    model = clone(ESTIMATORS[0]).set_params(
        learning_rate="constant",
        learning_rate_init=0.1,
        batch_size=20,
        skorch_callbacks=[LRScheduler("ExponentialLR", gamma=0.5, step_every="batch")],
    )
    model.fit(X, y)
    rates = [batch["event_lr"] for row in model.net_.history for batch in row["batches"]]
    np.testing.assert_allclose(rates, 0.1 * 0.5 ** np.arange(12), rtol=1e-12)


def test_cosine_falls_from_the_rate_to_zero_over_the_round():
    X, y = make_data()
    model = clone(ESTIMATORS[0]).set_params(init_epochs=6, learning_rate_init=0.04).fit(X, y)
    expected = 0.02 * (1 + np.cos(np.pi * np.arange(6) / 6))
    np.testing.assert_allclose(model.history_["event_lr"], expected, rtol=1e-12)


def test_gradient_norm_clipping_clips():
    X, y = make_data()
    model = clone(ESTIMATORS[0]).set_params(skorch_callbacks=[GradientNormClipping(0.0)])
    model.set_params(prior_scale=None, init_epochs=3).fit(X, y)
    # all gradients are clipped to nothing: Adam does not move, the loss stays
    assert np.ptp(model.history_["train_loss"]) == 0


@BOTH
def test_checkpoint_writes_the_best_epoch(estimator, tmp_path):
    X, y = make_data()
    checkpoint = Checkpoint(monitor="train_loss_best", dirname=tmp_path)
    model = clone(estimator).set_params(skorch_callbacks=[checkpoint]).fit(X, y)
    state = torch.load(tmp_path / "params.pt", weights_only=True)
    assert set(state) == set(model.posterior_.params)
    losses = model.history_["train_loss"]
    best = [row["train_loss_best"] for row in model.net_.history]
    np.testing.assert_array_equal(best, losses <= np.minimum.accumulate(losses))
    assert not any(key.endswith("_best") for key in model.history_)


def test_checkpoint_of_a_history_that_was_loaded_keeps_the_better_one(tmp_path):
    X, y = make_data()
    model = clone(ESTIMATORS[0]).set_params(
        prior_scale=None,
        init_epochs=20,
        skorch_callbacks=[Checkpoint(monitor="train_loss_best", dirname=tmp_path)],
    )
    best = min(model.fit(X, y).history_["train_loss"])
    state = (tmp_path / "params.pt").read_bytes()
    loaded = Checkpoint(monitor="train_loss_best", dirname=tmp_path)
    model.set_params(skorch_callbacks=[loaded, LoadInitState(loaded)], init_epochs=3)
    model.fit(X, np.random.RandomState(0).permutation(y))
    later = [row for row in model.net_.history if row["epoch"] > 20]
    assert len(later) == 3
    assert min(row["train_loss"] for row in later) > best
    assert not any(row["train_loss_best"] for row in later)
    assert (tmp_path / "params.pt").read_bytes() == state


def test_epoch_scoring_sees_the_net():
    X, y = make_data()

    def mean_square(net, X=None, y=None):
        return float(net.module_.layers[0].weight.square().mean().detach())

    score = EpochScoring(mean_square, name="square", on_train=True, use_caching=False)
    model = clone(ESTIMATORS[0]).set_params(skorch_callbacks=[score]).fit(X, y)
    last = float(model.posterior_.params["layers.0.weight"].square().mean())
    assert model.history_["square"][-1] == pytest.approx(last, rel=1e-12)


class Protocol:
    """scikit-learn's callback protocol; asks to stop after so many epochs."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.log = []

    def setup(self, estimator, context):
        self.log.append("setup")

    def teardown(self, estimator, context):
        self.log.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.log.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.log.append(("end", context.task_name, context.task_id))
        if context.parent is None or self.stop_after is None:
            return False
        return context.task_id + 1 >= self.stop_after


def expected_log(task_name, n_epochs):
    epochs = [(what, task_name, i) for i in range(n_epochs) for what in ("begin", "end")]
    return ["setup", ("begin", "fit", 0), *epochs, ("end", "fit", 0), "teardown"]


@BOTH
def test_scikit_learns_callbacks_get_one_task_an_epoch(estimator):
    X, y = make_data()
    callback = Protocol()
    model = clone(estimator).set_callbacks(callback).fit(X, y)
    name = "epoch" if isinstance(model, DeepEnsembleFilterClassifier) else "steps"
    assert callback.log == expected_log(name, len(model.history_["epoch"]))


def test_scikit_learns_callbacks_can_stop():
    X, y = make_data()
    callback = Protocol(stop_after=2)
    model = clone(ESTIMATORS[0]).set_callbacks(callback).fit(X, y)
    assert model.n_iter_ == 2
    assert callback.log == expected_log("epoch", 2)


def test_every_task_is_closed_when_something_else_stops():
    X, y = make_data()
    callback = Protocol()
    stopping = EarlyStopping(monitor="scripted", patience=1)
    model = clone(ESTIMATORS[0]).set_params(skorch_callbacks=[Scripted([1, 2, 3, 4]), stopping])
    model.set_callbacks(callback).fit(X, y)
    assert model.n_iter_ == 2
    assert callback.log == expected_log("epoch", 2)
