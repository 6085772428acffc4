"""The engine: batches, stacked training, the posterior stack, callbacks, devices, seeds."""

from functools import partial
from itertools import chain
from typing import ClassVar

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)
from torch import nn
from torch.nn import functional as F

from skbayes import DeepEnsembleFilterClassifier, SGLDClassifier
from skbayes._engine import callbacks as engine_callbacks
from skbayes._engine import posterior as posterior_module
from skbayes._engine.build import build_net, check_hidden_layer_sizes, prior_precisions
from skbayes._engine.device import resolve_device, resolve_dtype
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import MemberBatches, Rows
from skbayes._engine.seeds import make_generator, new_random_state, seeded_global_stream
from skbayes.nn import StackedMLP, StackedModule
from skbayes.supervised._likelihood import StackCrossEntropy

CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_rows(n=13, weight=None, sparse_X=False, dtype=torch.float64, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 4)) * (rng.uniform(size=(n, 4)) < 0.7)
    y = rng.randint(3, size=n)
    return Rows(sparse.csr_array(X) if sparse_X else X, y, weight, device=CPU, dtype=dtype)


def make_data(n=60, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 4))
    return X, (X[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int)


def numbered(n):
    """Rows that carry their number."""
    return Rows(np.arange(n, dtype=float)[:, None], np.arange(n), device=CPU, dtype=torch.float64)


# -- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "batch_size"), [(13, 4), (12, 4), (13, 12), (5, 1), (100, 32)])
def test_every_member_sees_every_row_once_a_pass_in_its_own_order(n, batch_size):
    batches = MemberBatches(numbered(n), batch_size, 3, generator())
    assert len(batches) == int(np.ceil(n / batch_size))
    passes = []
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches)
        sizes = [batch.X.shape[1] for batch in epoch]
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) <= batch_size
        order = torch.cat([batch.X for batch in epoch], 1).squeeze(-1)  # (members, n)
        assert torch.equal(order.sort(1).values, torch.arange(n, dtype=torch.float64).expand(3, n))
        targets = torch.cat([batch.y for batch in epoch], 1)
        assert torch.equal(targets, order.long())  # targets travel with their rows
        passes.append(order)
    # own order: of n! >= 120 orders; and another one at the next pass
    assert not torch.equal(passes[0][0], passes[0][1])
    assert not torch.equal(passes[0], passes[1])


def test_every_order_is_equally_likely():
    batches = MemberBatches(numbered(3), 1, 2000, generator())
    order = torch.cat([batch.X for batch in batches], 1).squeeze(-1)
    counts = torch.unique(order, dim=0, return_counts=True)[1].numpy()
    # 2000 orders in 6 bins: chi squared of 5 degrees of freedom, 99.9 % quantile 20.5
    assert len(counts) == 6
    assert ((counts - 2000 / 6) ** 2 / (2000 / 6)).sum() < 20.5


@pytest.mark.parametrize("batch_size", [13, 50])
@pytest.mark.parametrize("sparse_X", [False, True])
def test_full_batch_is_shared_and_in_order(batch_size, sparse_X):
    rows, shuffle = make_rows(13, np.arange(1.0, 14.0), sparse_X=sparse_X), generator()
    before = shuffle.get_state()
    batches = MemberBatches(rows, batch_size, 3, shuffle)
    for _ in range(2):
        (batch,) = list(batches)
        assert batch.X.shape == (13, 4)
        assert torch.equal(batch.X, rows.take(torch.arange(13)).X)
        assert torch.equal(batch.y, rows.y)
        assert torch.equal(batch.weight, torch.arange(1.0, 14.0, dtype=torch.float64))
    assert torch.equal(shuffle.get_state(), before)


def test_the_walk_goes_on_across_epochs_and_ends_after_n_steps():
    batches = MemberBatches(numbered(10), 2, 2, generator(), steps_per_epoch=3, n_steps=11)
    epochs = [[batch.X.squeeze(-1) for batch in batches] for _ in range(5)]
    assert [len(epoch) for epoch in epochs] == [3, 3, 3, 2, 0]
    assert len(batches) == 3
    plain = MemberBatches(numbered(10), 2, 2, generator())
    expected = [batch.X.squeeze(-1) for _ in range(3) for batch in plain][:11]
    for found, batch in zip(chain.from_iterable(epochs), expected, strict=True):
        assert torch.equal(found, batch)
    full = MemberBatches(numbered(4), 4, 2, generator(), steps_per_epoch=3, n_steps=5)
    assert [len(list(full)) for _ in range(3)] == [3, 2, 0]


def test_sparse_rows_are_dense_rows():
    weight = np.linspace(0.5, 2, 13)
    dense, thin = make_rows(13, weight), make_rows(13, weight, sparse_X=True)
    index = torch.tensor([[3, 3, 12], [0, 7, 1]])
    for a, b in zip(dense.take(index), thin.take(index), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(dense.split(4, generator()), thin.split(4, generator()), strict=True):
        assert torch.equal(a.everything().X, b.everything().X)
        assert a.mean_weight == b.mean_weight == pytest.approx(float(a.weight.mean()))
    kept, held_back = dense.split(4, generator())
    assert (len(kept), len(held_back), len(dense)) == (9, 4, 13)
    both = torch.cat([kept.everything().X, held_back.everything().X])
    assert torch.equal(both.sort(0).values, dense.everything().X.sort(0).values)
    assert kept.n_data + held_back.n_data == pytest.approx(weight.sum())


def test_rows_take_read_only_and_negatively_strided_arrays():
    X = np.arange(12.0).reshape(4, 3)[::-1]
    X.flags.writeable = False
    rows = Rows(X, np.arange(4)[::-1], device=CPU, dtype=torch.float64)
    np.testing.assert_array_equal(rows.everything().X.numpy(), X)
    assert rows.n_data == 4
    rows.everything().X[0, 0] = -1  # a copy
    assert X[0, 0] == 9


# -- training -------------------------------------------------------------------------------------


def alone(stack, member, batches, n_steps, precisions, mean_weight, n_data):
    """Plain torch: one member, its batches, Adam."""
    weights = [p.detach()[member].clone().requires_grad_() for p in stack.parameters()]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    for _ in range(n_steps):
        X, y, weight = next(batches)
        h = X
        for i in range(0, len(weights), 2):
            h = h @ weights[i].T + weights[i + 1]
            h = torch.tanh(h) if i + 2 < len(weights) else h
        loss = F.cross_entropy(h, y, reduction="none")
        loss = loss.mean() if weight is None else (loss * weight).mean() / mean_weight
        for p, precision in zip(weights, precisions, strict=True):
            loss = loss + precision * p.square().sum() / 2 / n_data
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [p.detach() for p in weights]


def member_walk(n, batch_size, member, n_members, shuffle, rows):
    while True:
        orders = [torch.randperm(n, generator=shuffle) for _ in range(n_members)]
        n_batches = -(-n // batch_size)
        if n_batches == 1:
            yield rows.everything()
            continue
        for i in range(n_batches):
            yield rows.take(orders[member][n * i // n_batches : n * (i + 1) // n_batches])


@pytest.mark.parametrize("batch_size", [13, 4])
@pytest.mark.parametrize("prior_scale", [None, "fan_in", 2.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_stacked_training_is_training_alone(batch_size, prior_scale, weighted, fused):
    n_members, n_epochs = 3, 20
    rows = make_rows(13, np.random.RandomState(1).exponential(size=13) if weighted else None)
    stack = StackedMLP(
        4, (6, 5), 3, n_members, activation="tanh", generator=generator(), dtype=torch.float64
    )
    precisions = prior_precisions(stack, prior_scale)
    expected_precisions = {None: [0.0] * 6, "fan_in": [4, 1, 6, 1, 5, 1], 2.0: [0.25] * 6}
    assert precisions == expected_precisions[prior_scale]
    n_steps = n_epochs * -(-13 // batch_size)
    expected = [
        alone(
            stack,
            member,
            member_walk(13, batch_size, member, n_members, generator(5), rows),
            n_steps,
            precisions,
            rows.mean_weight,
            rows.n_data,
        )
        for member in range(n_members)
    ]
    net = build_net(
        stack,
        StackCrossEntropy(),
        partial(torch.optim.Adam, fused=fused),
        rows,
        batch_size=batch_size,
        max_epochs=n_epochs,
        lr=0.01,
        shuffle=generator(5),
        precisions=precisions,
    )
    net.initialize_callbacks()
    net.partial_fit(rows)
    for member in range(n_members):
        for p, q in zip(net.module_.parameters(), expected[member], strict=True):
            torch.testing.assert_close(p.detach()[member], q, rtol=1e-10, atol=1e-10)
    assert len(net.history) == n_epochs
    assert not net.module_.training


def quiet_net(rows, stack=None, **params):
    stack = stack or StackedMLP(4, (6,), 3, 2, generator=generator(), dtype=rows.dtype)
    net = build_net(
        stack,
        StackCrossEntropy(),
        torch.optim.SGD,
        rows,
        **{
            "batch_size": 5,
            "max_epochs": 3,
            "lr": 0.0,
            "shuffle": generator(1),
            "precisions": [0.0] * len(list(stack.parameters())),
            **params,
        },
    )
    net.initialize_callbacks()
    return net


def test_weighted_minibatch_losses_are_normalised_by_the_global_mean_weight():
    """With one heavy row the batch's own mean weight would be far off."""
    weight = np.ones(13)
    weight[4] = 50.0
    rows = make_rows(13, weight)
    net = quiet_net(rows)  # lr = 0: the loss of one point
    batch = rows.everything()
    with torch.no_grad():
        own = StackCrossEntropy()(net.module_(batch.X), batch)  # (members, rows)
        true = (own * batch.weight).sum(1) / weight.sum()
        torch.testing.assert_close(net.member_losses(batch, rows.mean_weight), true)
        # unbiased over singles: the mean over all batches of one row is the loss itself
        singles = [
            net.member_losses(rows.take(torch.tensor([i])), rows.mean_weight) for i in range(13)
        ]
        torch.testing.assert_close(torch.stack(singles).mean(0), true)
    net.partial_fit(rows)
    # history: batches weighted by their rows, members averaged; the same whatever the shuffle
    np.testing.assert_allclose(net.history[:, "train_loss"], float(true.mean()), rtol=1e-12)


@pytest.mark.parametrize("batch_size", [5, 60])
def test_history_has_one_row_an_epoch(batch_size):
    X, y = make_data()
    model = DeepEnsembleFilterClassifier((5,), n_members=2, init_epochs=7, batch_size=batch_size)
    history = model.fit(X, y).history_
    np.testing.assert_array_equal(history["epoch"], np.arange(1, 8))
    assert set(history) == {"epoch", "train_loss", "dur", "event_lr"}
    # nobody watches batches: none is recorded, no loss is read back in between
    assert all(row["batches"] == [{}] for row in model.net_.history)
    sampler = SGLDClassifier((5,), n_warmup=130, n_draws=5, thinning=4, batch_size=batch_size)
    history = sampler.fit(X, y).history_
    # 150 steps, two a row
    np.testing.assert_array_equal(history["epoch"], np.arange(1, 76))
    assert sampler.n_iter_ == 150
    assert all(len(column) == 75 for column in history.values())


def test_training_continues_the_module_on_the_cpu_without_validation_rows():
    rows = make_rows(13)
    held = make_rows(7, seed=3)
    net = quiet_net(rows, valid_rows=held)
    with torch.no_grad():
        expected = net.member_losses(held.everything(), 1.0).mean()
    net.partial_fit(rows)
    np.testing.assert_allclose(net.history[:, "valid_loss"], float(expected), rtol=1e-12)


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


# -- the posterior --------------------------------------------------------------------------------


def make_posterior(n_draws=23, module=False):
    if module:
        with seeded_global_stream(0, CPU):
            layers = [
                nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Dropout(0.5), nn.Linear(6, 3))
                for _ in range(n_draws)
            ]
        return Posterior(StackedModule([network.double() for network in layers]))
    return Posterior(StackedMLP(4, (6,), 3, n_draws, generator=generator(), dtype=torch.float64))


def assemble(posterior, X, draws=None):
    n_draws = posterior.n_draws if draws is None else len(draws)
    out = np.full((n_draws, X.shape[0], 3), np.nan)
    for draw_slice, row_slice, output in posterior.evaluate(X, draws):
        assert np.isnan(out[draw_slice, row_slice]).all()  # no part twice
        out[draw_slice, row_slice] = output.numpy()
    return out


@pytest.mark.parametrize("module", [False, True])
@pytest.mark.parametrize("n_bytes", [1, 100, 1000, 5000, 2**30])
def test_blocks_are_one_pass_whatever_the_budget(monkeypatch, module, n_bytes):
    posterior = make_posterior(module=module)
    X = np.random.RandomState(0).normal(size=(17, 4)) * (np.arange(4) != 2)
    with torch.no_grad():
        whole = posterior.module(torch.from_numpy(X)).numpy()
    monkeypatch.setitem(posterior_module.BLOCK_BYTES, "cpu", n_bytes)
    n_blocks = len(list(posterior.evaluate(X)))
    assert (n_blocks == 1) == (n_bytes == 2**30)
    if n_bytes == 1:
        assert n_blocks == 23 * 17
    # the order of sums differs between blocks by rounding alone
    np.testing.assert_allclose(assemble(posterior, X), whole, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        assemble(posterior, sparse.csr_array(X)), whole, rtol=1e-12, atol=1e-14
    )
    draws = np.array([22, 0, 5, 5, 7])
    np.testing.assert_allclose(assemble(posterior, X, draws), whole[draws], rtol=1e-12, atol=1e-14)
    with torch.no_grad():  # the weights are where they were
        np.testing.assert_array_equal(posterior.module(torch.from_numpy(X)).numpy(), whole)


@pytest.mark.parametrize("module", [False, True])
def test_many_threads_may_predict_with_one_posterior(monkeypatch, module):
    # functional_call swaps weights in the module: threads must not see each other's
    posterior = make_posterior(module=module)
    X = np.random.RandomState(0).normal(size=(40, 4))
    monkeypatch.setitem(posterior_module.BLOCK_BYTES, "cpu", 3000)
    expected = assemble(posterior, X)
    found = Parallel(n_jobs=8, backend="threading")(
        delayed(assemble)(posterior, X) for _ in range(40)
    )
    for result in found:
        np.testing.assert_array_equal(result, expected)


def test_from_draws_has_the_weights_given_and_leaves_the_module():
    module = StackedMLP(4, (6,), 3, 2, generator=generator(), dtype=torch.float64)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    draws = {name: torch.cat([p, -p, p]) for name, p in before.items()}
    posterior = Posterior.from_draws(module, draws)
    assert posterior.n_draws == 6
    for name, p in posterior.params.items():
        assert torch.equal(p, draws[name])
    for name, p in module.named_parameters():
        assert torch.equal(p, before[name])
        assert p.requires_grad
    assert posterior.is_finite()
    draws["layers.1.bias"][3, 1] = np.inf
    assert not Posterior.from_draws(module, draws).is_finite()


# -- devices, dtypes, seeds, sizes ----------------------------------------------------------------


def test_devices():
    assert resolve_device("cpu") == CPU == resolve_device(CPU)
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ValueError, match="device='gpu' is not a device.*'auto', 'cpu', 'cuda'"):
        resolve_device("gpu")
    # names that torch knows, of what is not there or cannot compute
    for name in ("cuda:99", "xla", "meta", torch.device("cuda", 99)):
        with pytest.raises(ValueError, match=r"device=.*was asked for.*has none; use 'auto'"):
            resolve_device(name)


def test_dtypes():
    assert resolve_dtype(None, np.dtype("float32")) == torch.float32
    assert resolve_dtype(None, np.dtype("float64")) == torch.float64
    assert resolve_dtype("float32", np.dtype("float64")) == torch.float32
    assert resolve_dtype("float64", np.dtype("float32")) == torch.float64


def test_new_random_state():
    before = np.random.get_state()
    fresh = [new_random_state(None).randint(2**31 - 1) for _ in range(5)]
    after = np.random.get_state()
    assert len(set(fresh)) == 5
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    assert new_random_state(3).randint(1000) == np.random.RandomState(3).randint(1000)
    own = np.random.RandomState(0)
    assert new_random_state(own) is own
    with pytest.raises(ValueError, match="seed"):
        new_random_state("seed")


def test_generators_follow_the_random_state():
    a, b = np.random.RandomState(0), np.random.RandomState(0)
    first = torch.rand(3, generator=make_generator(a))
    assert torch.equal(first, torch.rand(3, generator=make_generator(b)))
    assert not torch.equal(first, torch.rand(3, generator=make_generator(a)))


def test_global_stream_is_seeded_inside_and_restored():
    before = torch.random.get_rng_state().clone()
    with seeded_global_stream(1, CPU):
        first = torch.rand(3)
    with pytest.raises(RuntimeError, match="inside"), seeded_global_stream(1, CPU):
        assert torch.equal(torch.rand(3), first)
        raise RuntimeError("inside")
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (5, [5]),
        ((), []),
        ([], []),
        ((3, 4), [3, 4]),
        (np.array([2, 1]), [2, 1]),
        (np.int64(3), [3]),
    ],
)
def test_hidden_layer_sizes(given, expected):
    assert check_hidden_layer_sizes(given) == expected


@pytest.mark.parametrize("given", [0, (0,), (3, -1), (2.0,), (2.5,), "abc", [[3]], (True,), ("3",)])
def test_bad_hidden_layer_sizes(given):
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=.* integers of at least 1"):
        check_hidden_layer_sizes(given)
