"""Rows that the deep ensemble filter keeps for later rounds."""

import numpy as np
import pytest
from filter_toys import assert_same_weights, make_data, make_filter, weights
from scipy import sparse

from skbayes import DeepEnsembleFilterClassifier
from skbayes._engine.replay import Replay

# -- replay ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("inflation", [None, "additive"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("as_sparse", [False, True])
@pytest.mark.parametrize("batch_size", ["auto", 9])
def test_warm_fit_on_all_rows_is_partial_fit_with_the_new(
    inflation, weighted, as_sparse, batch_size
):
    X, y = make_data()
    X = sparse.csr_array(X) if as_sparse else X
    w = np.random.RandomState(1).uniform(0.5, 2, size=40) if weighted else None
    old, new = slice(None, 25), slice(25, None)

    def part(rows):
        return X[rows], y[rows], None if w is None else w[rows]

    def round_(model, method, rows):
        rows_X, rows_y, rows_w = part(rows)
        return getattr(model, method)(rows_X, rows_y, sample_weight=rows_w)

    models = [make_filter(inflation=inflation, batch_size=batch_size, warm_start=True)] * 1
    models.append(make_filter(inflation=inflation, batch_size=batch_size))
    for model in models:
        round_(model, "fit", old)
    assert_same_weights(weights(models[1]), weights(models[0]))
    round_(models[0], "fit", slice(None))
    round_(models[1], "partial_fit", new)
    assert_same_weights(weights(models[1]), weights(models[0]))
    np.testing.assert_array_equal(
        models[0].history_["train_loss"], models[1].history_["train_loss"]
    )


def test_first_partial_fit_is_fit():
    X, y = make_data()
    assert_same_weights(weights(make_filter().partial_fit(X, y)), weights(make_filter().fit(X, y)))


class Fed(DeepEnsembleFilterClassifier):
    """Records what a round is given."""

    def _fill(self, rows, classes, rng, *, resume):
        self.fed = rows
        return super()._fill(rows, classes, rng, resume=resume)


def test_replayed_rows_stand_for_all_that_were_seen():
    X, y = make_data(200)
    model = Fed((3,), n_members=1, init_epochs=1, warm_epochs=1, replay_size=20, random_state=0)
    w = np.random.RandomState(1).uniform(0.5, 2, size=200)
    model.partial_fit(X[:150], y[:150], classes=[0, 1, 2])
    assert model.fed.weight is None
    model.partial_fit(X[150:160], y[150:160])
    # 20 kept rows stand for 150
    weight = model.fed.weight.numpy()
    np.testing.assert_allclose(weight, np.repeat([7.5, 1.0], [20, 10]))
    assert model.fed.n_data == pytest.approx(160)
    rows = model.fed.everything().X.numpy()
    assert all((row == X[:150]).all(1).any() for row in rows[:20])
    np.testing.assert_array_equal(rows[20:], X[150:160])
    model.partial_fit(X[160:], y[160:], sample_weight=w[160:])
    assert model.fed.n_rows == 20 + 40
    np.testing.assert_allclose(model.fed.weight.numpy()[:20], 160 / 20)
    np.testing.assert_allclose(model.fed.weight.numpy()[20:], w[160:])
    assert len(model._replay) == 20
    # a full fit forgets what was kept: its rows are all there is
    model.fit(X[:5], y[:5])
    assert len(model._replay) == 5
    assert model._replay.n_seen == 5


def test_without_replay_a_round_sees_the_new_rows_only():
    X, y = make_data()
    model = Fed((3,), n_members=1, init_epochs=1, warm_epochs=1, replay_size=0)
    model.fit(X, y)
    for n in (7, 3):
        model.partial_fit(X[:n], y[:n])
        np.testing.assert_array_equal(model.fed.everything().X.numpy(), X[:n])
        assert model.fed.weight is None
        assert len(model._replay) == 0


def reservoir(sizes, size, seed, as_sparse=False):
    replay, start = Replay(np.random.RandomState(seed)), 0
    for n in sizes:
        numbers = np.arange(start, start + n)
        X = numbers[:, None].astype(float)
        weight = None if start % 2 else 1.0 + numbers
        replay.add(sparse.csr_array(X) if as_sparse else X, numbers, weight, size)
        start += n
        assert len(replay) == min(size, start) == len(replay.y) == len(replay.weight)
    return replay


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([1] * 30, 10),
        ([7, 3, 1, 1, 12, 6], 10),
        ([10, 20], 10),
        ([30], 10),
        ([4, 26], 29),
        ([2] * 15, 1),
    ],
)
def test_rows_kept_are_a_uniform_sample(sizes, size):
    n, repeats = 30, 3000
    counts = np.zeros(n)
    pairs = np.zeros((n, n))
    for seed in range(repeats):
        kept = reservoir(sizes, size, seed).y
        assert len(set(kept)) == size
        counts[kept] += 1
        pairs[np.ix_(kept, kept)] += 1
    p = size / n
    # binomial standard error; the largest of 30 normals is seldom past 4.5
    assert np.abs(counts / repeats - p).max() < 4.5 * (p * (1 - p) / repeats) ** 0.5
    # pairs too: every subset is equally likely, not only every row
    q = p * (size - 1) / (n - 1)
    error = 5 * (q * (1 - q) / repeats) ** 0.5
    assert np.abs(pairs / repeats - q)[np.triu_indices(n, 1)].max() <= error


@pytest.mark.parametrize("as_sparse", [False, True])
def test_rows_kept_stay_together(as_sparse):
    replay = reservoir([5, 4, 1, 1, 9], 12, 0, as_sparse)
    X = replay.X.toarray() if as_sparse else replay.X
    np.testing.assert_array_equal(X[:, 0], replay.y)
    starts = np.array([0] * 5 + [5] * 4 + [9] + [10] + [11] * 9)[replay.y]
    np.testing.assert_array_equal(replay.weight, np.where(starts % 2, 1.0, 1.0 + replay.y))
    assert (np.diff(replay.y) > 0).all()  # in the order in which they came


def test_a_replay_that_was_made_larger_stays_a_uniform_sample():
    # 10 of 20 rows kept, then room for 100: new rows must not outweigh the old ones
    shares = []
    for seed in range(400):
        replay = Replay(np.random.RandomState(seed))
        X = np.arange(40.0)[:, None]
        replay.add(X[:20], np.zeros(20), None, 10)
        replay.add(X[20:], np.ones(20), None, 100)
        _, y, weight = replay.with_new(X[:1], np.array([2.0]), None)
        assert weight[y < 2].sum() == pytest.approx(40)
        shares.append(weight[y == 1].sum())
    # half of the rows are new: so is half of the weight, on average; 10 rows, hypergeometric
    error = np.std(shares) / 400**0.5
    assert np.mean(shares) == pytest.approx(20, abs=4.5 * error + 1e-9)


# -- partial_fit's classes -------------------------------------------------------------------------


def test_classes_may_come_first_and_appear_later():
    X, y = make_data()
    y = np.array(["a", "b", "c"])[y]
    only = y == "b"
    model = make_filter(init_epochs=200)
    model.partial_fit(X[only], y[only], classes=["c", "a", "b"])
    np.testing.assert_array_equal(model.classes_, ["a", "b", "c"])
    assert model.predict_proba(X).shape == (40, 3)
    assert (model.predict(X) == "b").all()
    model.partial_fit(X, y).partial_fit(X[:3], y[:3], classes=["a", "b", "c"])
    assert model.n_rounds_ == 3


def test_classes_contract():
    X, y = make_data()
    with pytest.raises(ValueError, match=r"y has labels \[2\] that are not in classes=\[0, 1\]"):
        make_filter().partial_fit(X, y, classes=[0, 1])
    few = y < 2
    model = make_filter().partial_fit(X[few], y[few])
    before = weights(model)
    with pytest.raises(ValueError, match=r"y has classes \[2\].*known are \[0, 1\]"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"classes=\[0, 1, 2\] differ.*first call, \[0, 1\]"):
        model.partial_fit(X[few], y[few], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="3 features"):
        model.partial_fit(X[:, :2], y)
    assert_same_weights(weights(model), before)
    assert (model.n_rounds_, model._replay.n_seen) == (1, few.sum())


# -- forgetting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("as_sparse", [False, True])
def test_forgetting_weighs_rows_by_their_age(as_sparse):
    X, y = make_data()
    X = sparse.csr_array(X) if as_sparse else X
    w = np.random.RandomState(0).uniform(0.5, 2.0, size=40)
    parts = [slice(0, 20), slice(20, 30), slice(30, 40)]
    model = make_filter(forgetting_factor=0.5, warm_start=True)
    by_hand = make_filter(warm_start=True)
    for k, rows in enumerate(parts):
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2], sample_weight=w[rows])
        age = np.concatenate(
            [np.full(p.stop - p.start, k - i) for i, p in enumerate(parts[: k + 1])]
        )
        so_far = slice(0, rows.stop)
        by_hand.fit(X[so_far], y[so_far], sample_weight=w[so_far] * 0.5**age)
        assert_same_weights(weights(model), weights(by_hand), rtol=1e-12, atol=1e-12)


def test_forgetting_keeps_the_newest_rows_and_lets_go_of_the_negligible():
    replay = Replay(np.random.RandomState(0))
    rows = np.arange(30.0)[:, None]
    for k in range(3):
        new = slice(10 * k, 10 * k + 10)
        replay.add(rows[new], rows[new, 0], None, 15, 0.5)
    np.testing.assert_array_equal(replay.y, np.arange(15.0, 30.0))
    np.testing.assert_array_equal(replay.weight, [0.5] * 5 + [1.0] * 10)
    _, _, weight = replay.with_new(rows[:1], rows[:1, 0], None, 0.5)
    # those kept stand for themselves alone
    np.testing.assert_array_equal(weight, [0.25] * 5 + [0.5] * 10 + [1.0])
    assert replay.find_new(rows, rows[:, 0]) is None  # some were let go
    for _ in range(21):
        replay.add(rows[:1], rows[:1, 0], None, 1000, 0.5)
    assert len(replay) == 20  # 2^-20 is less than a millionth
