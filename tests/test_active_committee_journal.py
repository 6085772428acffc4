"""The journal of a committee: what the members are taught together is resumed with all of them."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier

from skbayes.active import ActiveLearner, Committee, CommitteeRegressor, DeepActiveLearner
from skbayes.active.journal import JournalError, read_journal

X, Y = load_iris(return_X_y=True)
START = np.r_[0:150:15]
POOL = np.setdiff1d(np.arange(150), START)
X_POOL, Y_POOL = X[POOL], Y[POOL]


def begin(path, refit="full", bootstrap_init=False, **parameters):
    log_loss = SGDClassifier(loss="log_loss", random_state=0)
    estimators = [log_loss if refit == "warm" else DecisionTreeClassifier(random_state=0)]
    parameters = {"random_state": 0, "journal": path, **parameters}
    return Committee(
        [
            # every member begins with rows of its own
            ActiveLearner(e, None, X[START[i:]], Y[START[i:]], bootstrap_init, refit=refit)
            for i, e in enumerate([GaussianNB(), *estimators])
        ],
        **parameters,
    )


def step(committee, labels=Y_POOL, pool=X_POOL, **kwargs):
    indices, rows = committee.query(pool, n_instances=3, exclude=committee.labelled_)
    committee.teach(rows, labels[indices], **kwargs)
    return indices


def same(a, b):
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one.X_training, other.X_training)
        np.testing.assert_array_equal(one.y_training, other.y_training)
        np.testing.assert_array_equal(one.predict(X), other.predict(X))
    np.testing.assert_array_equal(a.labelled_, b.labelled_)


@pytest.mark.parametrize(
    ("parameters", "teaching", "between"),
    [
        ({}, {}, None),
        ({"acquisition": "bald", "batch": "power"}, {}, None),
        ({}, {"bootstrap": True}, None),
        ({"refit": "warm"}, {}, None),
        ({"refit": "warm"}, {}, lambda c: c.amend(c.labelled_[:2], [0, 0])),
        ({}, {"only_new": True}, lambda c: c.rebag()),
        ({}, {}, lambda c: c.rebag()),
        ({}, {}, lambda c: c.amend(c.labelled_[:1], [2])),
        ({}, {"bootstrap": True}, lambda c: c.fit(X_POOL[::9], Y_POOL[::9], bootstrap=True)),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("late", [False, True])
def test_a_resumed_committee_is_the_undisturbed_one(tmp_path, parameters, teaching, between, late):
    undisturbed, stopped = (begin(tmp_path / name, **parameters) for name in "ab")
    for n in range(3):
        if between is not None and n == (2 if late else 1):
            between(undisturbed), between(stopped)
        np.testing.assert_array_equal(step(undisturbed, **teaching), step(stopped, **teaching))
    if between is not None and late:
        between(undisturbed), between(stopped)
    stopped.query(X_POOL)  # asked, never answered
    stopped.close()
    resumed = Committee.resume(tmp_path / "b", X_POOL)
    same(resumed, undisturbed)
    for _ in range(2):
        np.testing.assert_array_equal(step(undisturbed, **teaching), step(resumed, **teaching))
    same(resumed, undisturbed)


def test_a_run_of_a_committee_goes_on(tmp_path):
    committee = begin(tmp_path / "a")
    committee.run(X_POOL, Y_POOL, 4, 3)
    committee.skip([5])
    committee.close()
    resumed = Committee.resume(tmp_path / "a", X_POOL)
    assert len(resumed.labelled_) == 12
    np.testing.assert_array_equal(resumed.skipped_, [5])
    curve = resumed.run(X_POOL, Y_POOL, 4, 3)
    assert len(np.unique(np.concatenate([resumed.labelled_, curve.indices]))) == 24
    assert 5 not in resumed.labelled_
    resumed.close()
    kinds = [entry["what"] for entry in read_journal(tmp_path / "a")]
    assert (kinds.count("query"), kinds.count("teach"), kinds.count("skip")) == (24, 24, 1)


def test_teaching_a_committee_twice_is_teaching_it_once(tmp_path):
    committee = begin(tmp_path / "a")
    committee.teach(X_POOL[:2], Y_POOL[:2], indices=[0, 1])
    known = [len(member.X_training) for member in committee]
    committee.teach(X_POOL[:3], Y_POOL[:3], indices=[0, 1, 2])
    assert [len(member.X_training) for member in committee] == [n + 1 for n in known]
    with pytest.raises(ValueError, match="correct a label by amend"):
        committee.teach(X_POOL[:1], [Y_POOL[0] + 1], indices=[0])


def test_labels_that_a_committee_cannot_learn_are_taken_back(tmp_path):
    committee = begin(tmp_path / "a")
    step(committee)
    known = [len(member.X_training) for member in committee]
    with pytest.raises(TypeError):
        step(committee, unheard_of=1)
    assert [len(member.X_training) for member in committee] == known
    assert len(committee.labelled_) == 3
    committee.close()
    assert len(Committee.resume(tmp_path / "a", X_POOL).labelled_) == 3


def test_copies_of_a_committee_have_no_journal(tmp_path):
    committee = begin(tmp_path / "a")
    for copied in (clone(committee), pickle.loads(pickle.dumps(committee))):
        assert copied.journal is None
        assert type(copied.learner_list[1]) is ActiveLearner
    with pytest.raises(JournalError, match="holds a run already|in use"):
        begin(tmp_path / "a")
    with pytest.raises(ValueError, match="skip needs a journal"):
        begin(None).skip([0])
    with pytest.raises(ValueError, match="indices are for a learner with a journal"):
        begin(None).teach(X[:1], Y[:1], indices=[0])


def test_a_committee_of_regressors_resumes(tmp_path):
    members = [
        ActiveLearner(e, None, X[START], X[START, 0])
        for e in (LinearRegression(), KNeighborsRegressor(3))
    ]
    committee = CommitteeRegressor(members, journal=tmp_path / "a", random_state=0)
    for _ in range(3):
        step(committee, X_POOL[:, 0], X_POOL)
    predicted = committee.predict(X)
    committee.close()
    resumed = CommitteeRegressor.resume(tmp_path / "a", X_POOL)
    np.testing.assert_array_equal(resumed.predict(X), predicted)


def test_a_deep_learner_says_that_it_keeps_none(tmp_path):
    learner = DeepActiveLearner(SGDClassifier(loss="log_loss"))
    with pytest.raises(TypeError, match=r"keeps no labels.*refit=\"warm\", journal=path"):
        DeepActiveLearner.resume(tmp_path / "a", X_POOL)
    with pytest.raises(ValueError, match=r"skip needs a journal; a DeepActiveLearner keeps no"):
        learner.skip([0])
