"""modAL's committees and what they disagree on."""

from itertools import product

import numpy as np
import pytest
from active_stand_ins import RNG, Fixed, FixedCommittee, FixedMember, X, Y
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.naive_bayes import GaussianNB

from skbayes import active
from skbayes.active import disagreement
from skbayes.active.models import (
    ActiveLearner,
    Committee,
    CommitteeRegressor,
)

# -- disagreement ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [1, 2, 6])
def test_vote_entropy(n_classes):
    votes = np.zeros((8, n_classes), dtype=np.int16)
    votes[3] = np.arange(n_classes)
    committee = FixedCommittee(1, np.arange(n_classes), votes)
    expected = np.where(np.arange(8) == 3, np.log(n_classes), 0)
    np.testing.assert_allclose(disagreement.vote_entropy(committee, X[:8]), expected, atol=1e-12)
    unfitted = FixedCommittee(fitted=False)
    np.testing.assert_array_equal(disagreement.vote_entropy(unfitted, X[:8]), np.zeros(8))


def test_disagreement_is_that_of_modal():
    theirs = pytest.importorskip("modAL.disagreement")
    vote_proba = RNG.dirichlet(np.full(4, 0.4), size=(60, 5))
    committee = FixedCommittee(
        5,
        np.array(list("abcd")),
        np.array(list("abcd"))[vote_proba.argmax(axis=2)],
        vote_proba,
        vote_proba.mean(axis=1),
    )
    committee.__class__.__iter__ = lambda self: iter(range(len(self)))
    for name in ("vote_entropy", "consensus_entropy", "KL_max_disagreement"):
        expected = getattr(theirs, name)(committee, X[:60])
        np.testing.assert_allclose(
            getattr(disagreement, name)(committee, X[:60]), expected, atol=1e-12
        )


def test_disagreement_of_nothing():
    nothing = FixedCommittee(3, range(2), vote_proba=np.zeros((7, 3, 2)), proba=np.zeros((7, 2)))
    assert disagreement.KL_max_disagreement(nothing, X[:7]).tolist() == [0] * 7
    assert disagreement.max_disagreement_sampling(nothing, X[:7])[0].tolist() == [0]
    unfitted = FixedCommittee(fitted=False)
    for name in ("consensus_entropy", "KL_max_disagreement"):
        np.testing.assert_array_equal(getattr(disagreement, name)(unfitted, X[:7]), np.zeros(7))
    one = np.zeros((7, 3, 2))
    one[:, :, 0] = 1
    sure = FixedCommittee(3, range(2), vote_proba=one, proba=one[:, 0])
    np.testing.assert_array_equal(disagreement.KL_max_disagreement(sure, X[:7]), np.zeros(7))


@pytest.mark.parametrize("random_tie_break", [False, True])
def test_strategies_of_disagreement(random_tie_break):
    votes = np.zeros((9, 3), dtype=int)
    votes[4] = [0, 1, 2]
    proba = np.eye(3)[votes]
    committee = FixedCommittee(3, np.arange(3), votes, proba, proba.mean(axis=1))
    for strategy in (
        disagreement.vote_entropy_sampling,
        disagreement.consensus_entropy_sampling,
        disagreement.max_disagreement_sampling,
    ):
        indices, metrics = strategy(committee, X[:9], random_tie_break=random_tie_break)
        assert indices.tolist() == [4]
        assert metrics[0] == pytest.approx(np.log(3))
    regressor = GaussianProcessRegressor(optimizer=None).fit(X[:5], Y[:5] + 1.0)
    indices, metrics = disagreement.max_std_sampling(
        regressor, X, 2, random_tie_break=random_tie_break
    )
    std = regressor.predict(X, return_std=True)[1]
    np.testing.assert_array_equal(metrics, np.sort(std)[::-1][:2])


# -- committees -----------------------------------------------------------------------------------


def test_classes_of_a_committee():
    unfitted = Committee([ActiveLearner(Fixed(fitted=False)) for _ in range(3)])
    assert unfitted.classes_ is None and unfitted.n_classes_ == 0
    np.testing.assert_array_equal(disagreement.vote_entropy(unfitted, X), np.zeros(150))
    members = [ActiveLearner(Fixed(classes=np.array([label]))) for label in (2, 0, 1)]
    assert Committee(members).classes_.tolist() == [0, 1, 2]
    assert Committee(members).n_classes_ == 3


@pytest.mark.parametrize("n_members", [1, 4])
def test_votes_of_a_committee(n_members):
    votes = RNG.randint(10, size=(6, n_members))
    proba = RNG.rand(6, n_members, 3)
    members = [
        FixedMember(Fixed(classes=[0, 1, 2]), proba[:, m], votes[:, m]) for m in range(n_members)
    ]
    committee = Committee(members)
    assert len(committee) == n_members and list(committee) == members
    np.testing.assert_array_equal(committee.vote(X[:6]), votes)
    np.testing.assert_array_equal(committee.vote_proba(X[:6]), proba)
    np.testing.assert_allclose(committee.predict_proba(X[:6]), proba.mean(axis=1))
    np.testing.assert_array_equal(committee.consensus(X[:6]), committee.predict_proba(X[:6]))
    np.testing.assert_array_equal(committee.predict(X[:6]), proba.mean(axis=1).argmax(axis=1))
    values = RNG.rand(6, n_members)
    regressor = CommitteeRegressor([FixedMember(predicted=values[:, m]) for m in range(n_members)])
    np.testing.assert_array_equal(regressor.vote(X[:6]), values)
    mean, std = regressor.predict(X[:6], return_std=True)
    np.testing.assert_allclose(mean, values.mean(axis=1))
    np.testing.assert_allclose(std, values.std(axis=1))
    np.testing.assert_array_equal(regressor.predict(X[:6]), mean)


def test_members_that_know_different_classes():
    names = np.array(["a", "b", "c"])[Y]
    members = [
        ActiveLearner(GaussianNB(), None, X[names != label], names[names != label])
        for label in "abc"
    ]
    committee = Committee(members)
    assert committee.classes_.tolist() == ["a", "b", "c"]
    proba = committee.vote_proba(X)
    for m in range(3):
        np.testing.assert_array_equal(proba[:, m, m], 0)
    np.testing.assert_allclose(proba.sum(axis=2), 1)
    assert committee.vote(X).shape == (150, 3) and committee.vote(X).dtype.kind == "U"
    assert committee.score(X, names) > 0.9
    weights = (names == "a").astype(float)
    expected = (committee.predict(X)[names == "a"] == "a").mean()
    assert committee.score(X, names, sample_weight=weights) == pytest.approx(expected)
    np.testing.assert_allclose(active.bald(committee.sample_proba(X)).shape, 150)
    indices, rows = committee.query(X, n_instances=3)
    expected = disagreement.vote_entropy(committee, X)
    np.testing.assert_allclose(expected[indices], np.sort(expected)[::-1][:3])
    # a class that none of them knows yet
    committee.teach(rows, ["d", "d", "d"])
    assert committee.classes_.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("bootstrap", "only_new"), list(product([True, False], repeat=2)))
def test_committee_is_taught(bootstrap, only_new):
    members = [
        ActiveLearner(Fixed(classes=[0, 1]), X_training=X[:10], y_training=Y[:10]) for _ in range(2)
    ]
    committee = Committee(members)
    committee.teach(X[10:13], Y[10:13], bootstrap=bootstrap, only_new=only_new)
    for member in members:
        np.testing.assert_array_equal(member.X_training, X[:13])
    np.testing.assert_array_equal(committee.X_training, X[:13])  # taught the same, counted once
    np.testing.assert_array_equal(committee.y_training, Y[:13])


class Bags(GaussianNB):
    """Remembers what it was fitted on."""

    def fit(self, X, y):
        self.rows_ = np.asarray(X)
        return super().fit(X, y)


def test_bagging_draws_another_bag_for_every_member_and_is_reproducible():
    def bags(seed):
        members = [ActiveLearner(Bags(), None, X, Y, random_state=0) for _ in range(3)]
        committee = Committee(members, random_state=seed).rebag()
        first = [m.estimator.rows_ for m in members]
        committee.fit(X[::2], Y[::2], bootstrap=True)
        return first + [m.estimator.rows_ for m in members]

    once, again, other = bags(1), bags(1), bags(2)
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(once[0], once[1]) and not np.array_equal(once[0], other[0])
    assert len(np.unique(once[3], axis=0)) < 75 and once[3].shape == (75, 4)


def test_committee_that_fails_has_learned_nothing():
    members = [ActiveLearner(GaussianNB(), None, X[::25], Y[::25]) for _ in range(2)]
    committee = Committee(members)
    with pytest.raises(ValueError, match="NaN"):
        committee.teach(np.full((1, 4), np.nan), [0])
    with pytest.raises(ValueError, match="does not fit"):
        committee.teach(X[:1, :2], [0])
    assert [len(m.y_training) for m in members] == [6, 6]


def test_committees_are_estimators():
    members = [ActiveLearner(GaussianNB(), None, X[i::25], Y[i::25]) for i in range(2)]
    for committee in (
        Committee(members, acquisition="bald", random_state=3),
        CommitteeRegressor(members, batch="top_k", acquisition="variance", random_state=3),
    ):
        cloned = clone(committee)
        assert cloned.random_state == 3 and cloned.acquisition == committee.acquisition
        assert cloned.X_training is None and len(cloned.learner_list) == 2
        assert "learner_list" in repr(committee)
        assert set(committee.get_params(deep=False)) == set(cloned.get_params(deep=False))
        indices, _ = committee.query(X, n_instances=4)
        assert len(set(indices.tolist())) == 4
    for wrong in ([], None, tuple(members)):
        with pytest.raises(AssertionError, match="learner_list=.* must be a list of learners"):
            Committee(wrong)


def test_regression_asks_where_the_members_differ():
    rows = np.arange(20.0).reshape(-1, 1)
    members = [
        ActiveLearner(GaussianProcessRegressor(optimizer=None), None, rows[i::7], rows[i::7, 0])
        for i in range(3)
    ]
    for asks in ({}, {"acquisition": "variance"}):
        committee = CommitteeRegressor(members, **asks)
        std = committee.predict(rows, return_std=True)[1]
        assert committee.query(rows, n_instances=1)[0].tolist() == [std.argmax()]
    mean = committee.predict(rows)
    expected = 1 - ((rows[:, 0] - mean) ** 2).sum() / ((rows[:, 0] - 9.5) ** 2).sum()
    assert committee.score(rows, rows[:, 0]) == pytest.approx(expected)
    index, _ = CommitteeRegressor(members, lambda r, X: np.argmax(r.predict(X))).query(rows)
    assert index == mean.argmax()
