"""The journal's file: one process at a time, killed runs, copies, files that are none."""

import copy
import multiprocessing
import os
import pickle
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from journal_toys import START, X_POOL, Y_POOL, X, Y, begin, same, step
from scipy import sparse
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB

from skbayes.active import ActiveLearner
from skbayes.active._fingerprint import pool_hash, row_hashes
from skbayes.active._journal import Journal
from skbayes.active.journal import JournalError


def test_one_learner_at_a_time(tmp_path):
    path = tmp_path / "labels.db"
    learner = begin(path)
    step(learner)
    for attempt in (
        lambda: Journal(path, timeout=0.05),
        partial(read_journal_soon, path),
    ):
        with pytest.raises(JournalError, match="in use by another process or learner"):
            attempt()
    step(learner)
    learner.close()
    with pytest.raises(JournalError, match="holds a run already; continue it by resume"):
        begin(path)
    second = ActiveLearner.resume(path, X_POOL)
    same(second, learner)


def read_journal_soon(path):
    Journal(path, timeout=0.01)


def test_another_process_waits_or_is_told(tmp_path):
    path = tmp_path / "labels.db"
    context = multiprocessing.get_context("fork")
    answers, held = context.Queue(), context.Event()
    child = context.Process(target=_try_in_child, args=(path, answers, held))
    child.start()
    learner = begin(path)
    step(learner)
    held.set()
    assert answers.get(timeout=30) == "told"  # waited .2 s
    learner.close()
    assert answers.get(timeout=30) == "resumed with 9 labels"
    child.join(30)
    resumed = ActiveLearner.resume(path, X_POOL)
    assert len(resumed.y_training) == 12
    check = resumed._journal.connection.execute("PRAGMA integrity_check").fetchone()
    assert check == ("ok",)


def _try_in_child(path, answers, held):
    held.wait(30)
    try:
        Journal(path, timeout=0.2)
    except JournalError as error:
        answers.put("told" if "in use" in str(error) else str(error))
    learner = ActiveLearner.resume(path, X_POOL)  # waits until the other lets go
    answers.put(f"resumed with {len(learner.y_training)} labels")
    step(learner)
    os._exit(0)


def test_a_forked_process_does_not_write_into_the_file_of_its_parent(tmp_path):
    learner = begin(tmp_path / "labels.db")
    step(learner)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_step_in_child, args=(learner, answers))
    child.start()
    assert "held by the process that this one was forked from" in answers.get(timeout=30)
    child.join(30)
    step(learner)
    expected = learner.y_training
    learner.close()
    resumed = ActiveLearner.resume(tmp_path / "labels.db", X_POOL)
    np.testing.assert_array_equal(resumed.y_training, expected)


def _step_in_child(learner, answers):
    try:
        step(learner)
    except JournalError as error:
        answers.put(str(error))


def test_threads_do_not_mix_their_transactions(tmp_path):
    journal = Journal(tmp_path / "labels.db", create={"parameters": {}})
    work = [partial(journal.add_skips, [place], None) for place in range(200)]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(each) for each in work]:
            done.result()
    assert sorted(place for _, place in journal.skipped()) == list(range(200))


def test_files_that_are_none(tmp_path):
    with pytest.raises(JournalError, match="cannot be opened"):
        begin(tmp_path)  # a directory
    with pytest.raises(TypeError, match="journal=5 must be the path of a file"):
        begin(5)
    with pytest.raises(JournalError, match="does not exist; there is nothing to resume"):
        ActiveLearner.resume(tmp_path / "none.db", X_POOL)
    (tmp_path / "text.db").write_text("no database, but long enough to look like one" * 100)
    with pytest.raises(JournalError, match="is no journal"):
        ActiveLearner.resume(tmp_path / "text.db", X_POOL)
    (tmp_path / "empty.db").touch()
    with pytest.raises(JournalError, match="holds no run"):
        ActiveLearner.resume(tmp_path / "empty.db", X_POOL)


@pytest.mark.parametrize("what", ["a label", "a class"])
def test_what_cannot_be_read_back_is_named(tmp_path, what):
    path = tmp_path / "labels.db"
    learner = begin(path)
    step(learner)
    learner.close()
    with sqlite3.connect(path) as file:
        if what == "a label":
            file.execute("UPDATE labels SET answer = x'0000' WHERE id = 8")
        else:  # as when the class of the estimator has moved since
            damaged = {"estimator": b"cnowhere\nNothing\n."}
            file.execute(
                "UPDATE meta SET value = ? WHERE key = 'parameters'", (pickle.dumps(damaged),)
            )
    file.close()
    message = "cannot be read back"
    if what == "a class":
        message = r"estimator: .*cannot be read back: ModuleNotFoundError.*give it: resume\("
    with pytest.raises(JournalError, match=message):
        ActiveLearner.resume(path, X_POOL)
    if what == "a class":
        assert len(ActiveLearner.resume(path, X_POOL, estimator=GaussianNB()).y_training) == 9


def test_copies_and_clones_have_no_journal(tmp_path):
    learner = begin(tmp_path / "labels.db")
    step(learner)
    for other in (clone(learner), copy.deepcopy(learner), pickle.loads(pickle.dumps(learner))):
        assert other.journal is None
        other.fit(X, Y)
    step(learner)
    assert len(learner.y_training) == 12


def test_a_learner_that_cannot_be_made_lets_go_of_the_file(tmp_path):
    path = tmp_path / "labels.db"
    with pytest.raises(ValueError, match="NaN"):
        ActiveLearner(GaussianNB(), None, np.full((2, 4), np.nan), [0, 1], journal=path)
    resumed = ActiveLearner.resume(path, X_POOL)
    assert resumed.X_training is None
    step(resumed)
    assert len(resumed.y_training) == 3


def test_fingerprints():
    assert row_hashes(X) == row_hashes(np.asfortranarray(X))
    assert len(set(row_hashes(X))) == len(np.unique(X, axis=0))
    assert row_hashes(["a", "b"]) != row_hashes(["b", "a"])
    csr = sparse.csr_matrix(X)
    shuffled = csr.copy()
    shuffled.indices[:2], shuffled.data[:2] = csr.indices[:2][::-1], csr.data[:2][::-1].copy()
    shuffled.has_sorted_indices = False
    assert row_hashes(csr) == row_hashes(shuffled) == row_hashes(csr.tocsc())
    big = np.random.RandomState(0).rand(40_000, 2)
    assert pool_hash(big) == pool_hash(big.copy()) != pool_hash(np.r_[big[1:], big[:1]])
    torch = pytest.importorskip("torch")
    assert row_hashes(torch.from_numpy(X)) == row_hashes(X)
    named = {"a": X[:3], "b": Y[:3]}
    assert len(set(row_hashes(named))) == 3


def label_all(path, log):
    """A labelling run that goes on until 60 labels are there, whatever happened before."""
    try:
        learner = ActiveLearner.resume(path, X_POOL)
    except JournalError:
        learner = ActiveLearner(
            GaussianNB(), acquisition="margin", epsilon=0.3, random_state=0, journal=path
        )
    if learner.X_training is None:
        learner.fit(X[START], Y[START])
    while len(learner.y_training) < 60:
        indices, rows = learner.query(X_POOL, n_instances=3, exclude=learner.labelled_)
        learner.teach(rows, Y_POOL[indices])
        with open(log, "a") as file:  # acknowledged
            file.write(" ".join(map(str, indices)) + "\n")
    return learner


def _label_in_child(path, log):
    label_all(path, log)
    os._exit(0)


def test_killed_at_random_moments_a_run_ends_as_if_nothing_had_been(tmp_path):
    undisturbed = label_all(tmp_path / "undisturbed.db", tmp_path / "undisturbed.log")
    # a tenth of what a run takes here and now, so that it is killed often on any machine; of a
    # second run, since the first one has more to load
    start = time.perf_counter()
    label_all(tmp_path / "timed.db", tmp_path / "timed.log")
    longest = 0.1 * (time.perf_counter() - start)
    rng = np.random.RandomState(0)
    context = multiprocessing.get_context("fork")
    path, log = tmp_path / "killed.db", tmp_path / "killed.log"
    n_killed = 0
    for _ in range(40):
        child = context.Process(target=_label_in_child, args=(path, log))
        child.start()
        time.sleep(rng.uniform(0.1, 1.0) * longest)
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
        child.join()
        n_killed += child.exitcode == -signal.SIGKILL
        if child.exitcode == 0:
            break
        acknowledged = {int(i) for i in log.read_text().split()} if log.exists() else set()
        if path.exists() and acknowledged:
            left = ActiveLearner.resume(path, X_POOL)
            assert acknowledged <= set(left.labelled_.tolist())
            assert len(set(left.labelled_.tolist())) == len(left.y_training) - 6
            left.close()
    assert n_killed >= 5
    same(label_all(path, log), undisturbed)
