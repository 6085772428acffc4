"""The engine: batches, stacked training, the posterior stack, devices, seeds."""

from functools import partial
from itertools import chain

import numpy as np
import pytest
import torch
from engine_toys import CPU, generator, make_data, make_rows, quiet_net
from joblib import Parallel, delayed
from scipy import sparse
from torch import nn
from torch.nn import functional as F

from skbayes import DeepEnsembleFilterClassifier, SGLDClassifier
from skbayes._engine import posterior as posterior_module
from skbayes._engine.build import build_net, check_hidden_layer_sizes, prior_precisions
from skbayes._engine.device import resolve_device, resolve_dtype
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import MemberBatches, Rows
from skbayes._engine.seeds import make_generator, new_random_state, seeded_global_stream
from skbayes.nn import StackedMLP, StackedModule
from skbayes.supervised._likelihood import StackCrossEntropy


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
