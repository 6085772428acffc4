"""Batches: the laws that every selector obeys, and the answers that are known."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import chisquare, entropy
from sklearn.datasets import load_iris
from sklearn.metrics import pairwise_distances
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes.active import (
    BATCHES,
    ActiveLearner,
    Committee,
    badge,
    bald,
    batch_bald,
    cluster_batch,
    joint_information,
    k_center,
    power_batch,
    rank_rows,
    softmax_batch,
    softrank_batch,
)
from skbayes.active.batch import get_batch

X, Y = load_iris(return_X_y=True)
STOCHASTIC = [power_batch, softmax_batch, softrank_batch]


def dirichlet_draws(seed, n_draws, n_rows, n_classes, concentration=0.5):
    rng = np.random.RandomState(seed)
    return rng.dirichlet(np.full(n_classes, concentration), size=(n_draws, n_rows))


# -- laws of all ----------------------------------------------------------------------------------


@given(
    st.sampled_from(sorted(BATCHES)),
    st.integers(1, 25),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_a_batch_is_of_distinct_rows_and_reproducible(name, n_rows, seed, copies, data):
    n_instances = data.draw(st.integers(1, n_rows))
    rng = np.random.RandomState(seed)
    draws = dirichlet_draws(seed, 4, n_rows, 3)
    embedding = rng.normal(size=(n_rows, 3))
    utilities = rng.rand(n_rows)
    if copies:  # all rows alike
        draws, embedding = draws[:, [0] * n_rows], embedding[[0] * n_rows]
        utilities = np.full(n_rows, 0.5)
    arguments = {
        "batch_bald": (draws,),
        "ranked": (utilities, embedding),
        "k_center": (embedding,),
        "badge": (draws[0], embedding),
        "clusters": (utilities, embedding),
    }.get(name, (utilities,))
    seeded = {} if name == "ranked" else {"random_state": seed}
    selector = get_batch(name)
    picked = selector(*arguments, n_instances, **seeded)
    assert picked.shape == (n_instances,) and picked.dtype.kind == "i"
    assert len(set(picked.tolist())) == n_instances
    assert picked.min() >= 0 and picked.max() < n_rows
    np.testing.assert_array_equal(picked, selector(*arguments, n_instances, **seeded))
    message = f"n_instances={n_rows + 1} rows were asked for, but the pool has {n_rows}"
    with pytest.raises(ValueError, match=message):
        selector(*arguments, n_rows + 1, **seeded)


@pytest.mark.filterwarnings("ignore:Stochastic Optim:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", [*sorted(BATCHES), None])
@pytest.mark.parametrize("exclude", [None, np.arange(0, 150, 2)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, "frame"])
def test_a_learner_asks_in_batches(name, exclude, kind):
    if kind == "frame":
        kind = pytest.importorskip("pandas").DataFrame
    members = [
        ActiveLearner(
            make_pipeline(StandardScaler(with_mean=False), MLPClassifier((4,), random_state=s)),
            X_training=kind(X[::15]),
            y_training=Y[::15],
        )
        for s in range(2)
    ]
    for learner in (
        Committee(members, batch=name, random_state=0),
        ActiveLearner(
            Committee(members), batch=name, X_training=None, acquisition=None, random_state=0
        ),
    ):
        if name is None and isinstance(learner, Committee):
            continue  # asks by votes
        indices, rows, metrics = learner.query(
            kind(X), n_instances=10, exclude=exclude, return_metrics=True
        )
        assert len(set(indices.tolist())) == 10
        assert exclude is None or (indices % 2 == 1).all()
        assert rows.shape == (10, 4)
        assert metrics is None if name in ("k_center", "badge") else len(metrics) == 10
        n_open = 150 if exclude is None else 75
        with pytest.raises(ValueError, match=f"but the pool has {n_open}"):
            learner.query(kind(X), n_instances=n_open + 1, exclude=exclude)
        assert len(learner.query(kind(X), n_instances=n_open, exclude=exclude)[0]) == n_open


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_an_unfitted_learner_asks_at_random_in_batches_too(name):
    learner = ActiveLearner(
        make_pipeline(StandardScaler(), GaussianNB()), batch=name, random_state=0
    )
    assert len(set(learner.query(X, n_instances=9)[0].tolist())) == 9


def test_a_batch_of_your_own_and_one_with_parameters():
    def last_ones(utilities, n_instances, random_state):
        assert utilities.shape == (150,)
        return np.arange(150)[-n_instances:]

    fitted = {"X_training": X[::15], "y_training": Y[::15], "random_state": 0}
    learner = ActiveLearner(GaussianNB(), batch=last_ones, **fitted)
    assert learner.query(X, n_instances=3)[0].tolist() == [147, 148, 149]
    sharp = ActiveLearner(GaussianNB(), batch=partial(power_batch, beta=1e9), **fitted)
    top = ActiveLearner(GaussianNB(), **fitted)
    np.testing.assert_array_equal(sharp.query(X, n_instances=5)[0], top.query(X, n_instances=5)[0])
    for wrong in ("badger", 3):
        with pytest.raises(ValueError, match=f"batch={wrong!r} is not known; allowed"):
            ActiveLearner(GaussianNB(), batch=wrong)
    with pytest.raises(ValueError, match="batch returned 4 indices for n_instances=3"):
        ActiveLearner(GaussianNB(), batch=lambda u, n, random_state: np.arange(4), **fitted).query(
            X, n_instances=3
        )
    with pytest.raises(ValueError, match="batch='power' were both given"):
        ActiveLearner(GaussianNB(), lambda *a: 0, batch="power")


# -- BatchBALD ------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 6), st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_batch_bald_of_one_is_bald(seed, n_draws, n_rows, n_classes):
    draws = dirichlet_draws(seed, n_draws, n_rows, n_classes)
    [picked] = batch_bald(draws, 1, random_state=0)
    assert bald(draws)[picked] == bald(draws).max()
    for row in range(n_rows):
        alone = joint_information(draws[:, [row]])
        assert alone == pytest.approx(bald(draws)[row], abs=1e-12)
        # a row twice tells at most twice as much, and no less than once
        twice = joint_information(draws[:, [row, row]])
        assert alone - 1e-12 <= twice <= 2 * alone + 1e-12


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_exact_batch_bald_is_the_greedy_choice_by_brute_force(seed):
    draws = dirichlet_draws(seed, 4, 7, 3, 0.3)
    chosen = batch_bald(draws, 4, random_state=0)
    for size in range(1, 5):
        taken = chosen[: size - 1].tolist()
        gains = [
            joint_information(draws[:, [*taken, row]]) if row not in taken else -1
            for row in range(7)
        ]
        # in single precision
        assert gains[chosen[size - 1]] == pytest.approx(max(gains), abs=2e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_joint_information_does_not_depend_on_the_order(seed):
    draws = dirichlet_draws(seed, 5, 4, 3)
    rng = np.random.RandomState(seed)
    expected = joint_information(draws)
    shuffled = draws[rng.permutation(5)][:, rng.permutation(4)][:, :, rng.permutation(3)]
    assert joint_information(shuffled) == pytest.approx(expected, abs=1e-12)
    # more rows, more information, but no more than their sum and than there is
    parts = bald(draws)
    assert expected <= min(parts.sum(), np.log(5)) + 1e-12
    for rows in combinations(range(4), 3):
        assert joint_information(draws[:, rows]) <= expected + 1e-12
    same = np.repeat(draws[:1], 3, axis=0)
    assert joint_information(same) == pytest.approx(0, abs=1e-12)


def test_sampled_batch_bald_is_close_to_the_exact_one():
    draws = dirichlet_draws(0, 10, 60, 4, 0.4)
    exact = batch_bald(draws, 5, n_configurations=10_000, random_state=0)
    best = joint_information(draws[:, exact])
    top = joint_information(draws[:, np.argsort(-bald(draws))[:5]])
    for seed in range(5):
        sampled = batch_bald(draws, 5, n_configurations=200, random_state=seed)
        assert joint_information(draws[:, sampled]) > best - 0.01
    assert best > top
    few = batch_bald(draws, 5, n_candidates=20, random_state=0)
    assert set(few) <= set(np.argsort(-bald(draws))[:20].tolist())


def test_batch_bald_takes_no_copies_where_bald_does():
    draws = np.concatenate([dirichlet_draws(s, 8, 1, 3, 0.2) for s in range(6)], axis=1)
    repeated = np.repeat(draws, 5, axis=1)
    chosen = batch_bald(repeated, 6, random_state=0)
    assert len(set((chosen // 5).tolist())) > len(set(np.argsort(-bald(repeated))[:6] // 5))


@pytest.mark.parametrize("sure", [0.5, 0.6, 0.8, 0.95, 1.0])
def test_a_copy_is_news_in_so_far_as_the_draws_are_unsure(sure):
    # two draws, of which one says yes with p, the other with 1 - p; in closed form
    draws = np.array([[[sure, 1 - sure]] * 2, [[1 - sure, sure]] * 2])
    both, either = sure**2 + (1 - sure) ** 2, 2 * sure * (1 - sure)
    noise = 2 * entropy([sure, 1 - sure])
    expected = entropy([both / 2, both / 2, either / 2, either / 2]) - noise
    assert joint_information(draws) == pytest.approx(expected, abs=1e-12)
    second = expected - bald(draws)[0]
    if sure == 1:
        assert second == pytest.approx(0, abs=1e-12)  # as log(2) is all that two draws can tell
    elif sure == 0.6:
        assert second > 0.9 * bald(draws)[0]
    elif sure == 0.95:
        assert second < 0.4 * bald(draws)[0]


def test_batch_bald_checks():
    draws = dirichlet_draws(0, 3, 5, 2)
    with pytest.raises(ValueError, match="batch_bald .*there is 1 draw"):
        batch_bald(draws[:1])
    with pytest.raises(ValueError, match="n_configurations=0 must be at least 1"):
        batch_bald(draws, n_configurations=0)
    with pytest.raises(ValueError, match="n_candidates=0 must be at least 1"):
        batch_bald(draws, n_candidates=0)
    with pytest.raises(ValueError, match="configurations; at most 10000000"):
        joint_information(dirichlet_draws(0, 3, 40, 2))


# -- by distances ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, np.float32])
def test_k_center_is_the_farthest_first_traversal(kind):
    labelled, pool = X[::30], X[1::3]
    chosen = k_center(kind(pool), 8, labelled=kind(labelled), random_state=0)
    taken = labelled
    for row in chosen:
        nearest = pairwise_distances(pool, taken).min(axis=1)
        assert nearest[row] == pytest.approx(nearest.max(), rel=1e-3)
        taken = np.vstack([taken, pool[row]])


def test_k_center_covers_within_twice_the_least_radius():
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(12, 2))
    distances = pairwise_distances(rows)
    least = min(distances[:, list(c)].min(axis=1).max() for c in combinations(range(12), 3))
    for seed in range(6):
        chosen = k_center(rows, 3, random_state=seed)
        assert distances[:, chosen].min(axis=1).max() <= 2 * least + 1e-9


def test_badge_picks_by_distances_of_gradients():
    rng = np.random.RandomState(0)
    proba, hidden = rng.dirichlet(np.ones(3), size=6), rng.normal(size=(6, 2))
    gradients = np.einsum("nc,nd->ncd", proba - np.eye(3)[proba.argmax(axis=1)], hidden)
    gradients = gradients.reshape(6, -1)
    first = np.linalg.norm(gradients, axis=1).argmax()
    squared = pairwise_distances(gradients)[first] ** 2
    picks = [badge(proba, hidden, 2, random_state=seed) for seed in range(3000)]
    assert {int(pick[0]) for pick in picks} == {int(first)}
    counts = np.bincount([pick[1] for pick in picks], minlength=6)
    others = np.arange(6) != first
    expected = 3000 * squared[others] / squared[others].sum()
    assert chisquare(counts[others], expected).pvalue > 1e-3
    with pytest.raises(ValueError, match=r"proba of shape \(6, 3\) does not fit an embedding of 5"):
        badge(proba, hidden[:5], 2)


def test_rounds_through_clusters():
    # three clusters of 4, 2 and 1 rows
    rows = np.array([0, 0.1, 0.2, 0.3, 50, 50.1, 90.0]).reshape(-1, 1)
    utilities = np.array([0.1, 0.4, 0.3, 0.2, 0.8, 0.9, 0.05])
    chosen = cluster_batch(utilities, rows, 6, n_clusters=3)
    # smallest first, the best of each, then again
    assert chosen.tolist() == [6, 5, 1, 4, 2, 3]
    assert cluster_batch(utilities, rows, 3).tolist() == [6, 5, 1]
    assert cluster_batch([0.3], [[1.0]]).tolist() == [0]
    with pytest.raises(ValueError, match="n_clusters=0 must be at least 1"):
        cluster_batch(utilities, rows, 2, n_clusters=0)


def test_ranked_rows_step_by_step():
    labelled, pool = X[::30], X[1::3]
    utilities = np.random.RandomState(0).rand(50)
    chosen = rank_rows(utilities, pool, 10, labelled=labelled)
    taken, left = labelled, np.ones(50, bool)
    for row in chosen:
        alpha = left.sum() / (left.sum() + len(taken))
        nearest = pairwise_distances(pool, taken).min(axis=1)
        scores = alpha * (1 - 1 / (1 + nearest)) + (1 - alpha) * utilities
        assert row == np.where(left, scores, -np.inf).argmax()
        taken, left[row] = np.vstack([taken, pool[row]]), False


# -- now and then at random -----------------------------------------------------------------------


def test_epsilon_greedy():
    fitted = {"X_training": X[::15], "y_training": Y[::15]}
    greedy = ActiveLearner(GaussianNB(), random_state=0, **fitted)
    top = set(greedy.query(X, n_instances=10)[0].tolist())
    shares = []
    for seed in range(60):
        learner = ActiveLearner(GaussianNB(), epsilon=0.3, random_state=seed, **fitted)
        indices, _, metrics = learner.query(X, n_instances=10, return_metrics=True)
        assert len(set(indices.tolist())) == 10 and len(metrics) == 10
        at_random = np.isnan(metrics).sum() if np.isnan(metrics).any() else 0
        assert set(indices[: 10 - at_random].tolist()) <= top
        shares.append(at_random / 10)
    # standard deviation .019
    assert np.mean(shares) == pytest.approx(0.3, abs=0.07)
    always = ActiveLearner(None, lambda *args, **kwargs: 1 / 0, epsilon=1.0, random_state=0)
    assert len(set(always.query(X, n_instances=150)[0].tolist())) == 150
    until = ActiveLearner(
        GaussianNB(),
        epsilon=lambda n: float(n < 20),
        random_state=0,
        acquisition="margin",
        **fitted,
    )
    assert until.query(X, n_instances=4, return_metrics=True)[2] is None
    until.teach(X[1:11], Y[1:11])
    assert not np.isnan(until.query(X, n_instances=4, return_metrics=True)[2]).any()
    for wrong in (-0.1, 1.5, "half", True):
        with pytest.raises(ValueError, match="epsilon=.* must be a probability"):
            ActiveLearner(GaussianNB(), epsilon=wrong)
    with pytest.raises(ValueError, match="epsilon=0.5 needs n_instances"):
        ActiveLearner(None, lambda *args: 0, epsilon=0.5).query(X)


def test_exclude_checks():
    learner = ActiveLearner(GaussianNB(), X_training=X, y_training=Y)
    for wrong, message in [
        ([150], r"exclude holds positions outside the pool, \[150\]; they go from 0 to 149"),
        ([-1], "exclude holds positions"),
        ([0.5], "exclude must be positions"),
        ([[1]], "exclude must be positions"),
    ]:
        with pytest.raises(ValueError, match=message):
            learner.query(X, exclude=wrong)
    asked = ActiveLearner(None, lambda learner, pool: np.arange(len(pool))[-2:])
    assert asked.query(X, exclude=[149, 147])[0].tolist() == [146, 148]
