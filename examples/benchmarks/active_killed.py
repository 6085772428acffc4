"""A labelling run killed at random moments: what was acknowledged is there, and the end the same.

Unix only::

    OMP_NUM_THREADS=1 python examples/benchmarks/active_killed.py --kills 200

A run labels rows of digits with a journal until ``--labels`` are there. A child process goes on
with it, is killed by SIGKILL after a random time, and so on; when a run is finished the next one
begins. After every kill: all labels acknowledged are in the journal, none is there twice. Every
finished run must have the training set, in order, of the run that nothing disturbed.
"""

import argparse
import multiprocessing
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from skbayes.active import ActiveLearner
from skbayes.active.journal import JournalError

X, Y = load_digits(return_X_y=True)
START, POOL = np.arange(20), np.arange(20, 1797)


def go_on(folder, seed, n_labels):
    """Label until it is enough, whatever happened before."""
    path = folder / f"{seed}.db"
    try:
        learner = ActiveLearner.resume(path, X[POOL])
    except JournalError:  # killed before the journal was there
        learner = ActiveLearner(
            GaussianNB(var_smoothing=0.01),
            acquisition="margin",
            epsilon=0.2,
            random_state=seed,
            journal=path,
        )
    if learner.X_training is None:
        learner.fit(X[START], Y[START])
    while len(learner.y_training) < n_labels:
        indices, rows = learner.query(X[POOL], n_instances=5, exclude=learner.labelled_)
        learner.teach(rows, Y[POOL][indices])
        with open(folder / f"{seed}.log", "a") as log:
            log.write(" ".join(map(str, indices)) + "\n")
    return learner


def child(folder, seed, n_labels):
    go_on(folder, seed, n_labels)
    os._exit(0)


def check(folder, seed):
    """Labels acknowledged are in the journal, none of them twice."""
    path, log = folder / f"{seed}.db", folder / f"{seed}.log"
    try:
        learner = ActiveLearner.resume(path, X[POOL])
    except JournalError:
        assert not log.exists()
        return
    places = learner.labelled_.tolist()
    n_training = 0 if learner.X_training is None else len(learner.y_training) - 20
    assert len(set(places)) == len(places) == max(n_training, 0), "a label is doubled"
    acknowledged = {int(i) for i in log.read_text().split()} if log.exists() else set()
    assert acknowledged <= set(places), "an acknowledged label is lost"
    learner.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--labels", type=int, default=120)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("fork")
    rng = np.random.RandomState(0)
    n_killed = n_finished = seed = 0
    with tempfile.TemporaryDirectory() as name:
        folder, undisturbed = Path(name), Path(name) / "undisturbed"
        undisturbed.mkdir()
        start = time.perf_counter()
        expected = go_on(undisturbed, seed, arguments.labels)
        duration = time.perf_counter() - start
        while n_killed < arguments.kills:
            process = context.Process(target=child, args=(folder, seed, arguments.labels))
            process.start()
            time.sleep(rng.uniform(0, 0.5 * duration))
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
            process.join()
            n_killed += process.exitcode == -signal.SIGKILL
            check(folder, seed)
            if n_killed % 20 == 0:
                print(f"{n_killed} kills", flush=True)
            if process.exitcode == 0:
                finished = go_on(folder, seed, arguments.labels)
                np.testing.assert_array_equal(finished.X_training, expected.X_training)
                np.testing.assert_array_equal(finished.y_training, expected.y_training)
                n_finished, seed = n_finished + 1, seed + 1
                expected = go_on(undisturbed, seed, arguments.labels)
        finished = go_on(folder, seed, arguments.labels)
        np.testing.assert_array_equal(finished.X_training, expected.X_training)
    print(
        f"{n_killed} kills in {n_finished + 1} runs: no acknowledged label lost, none doubled, "
        "every run ended with the training set of the undisturbed one"
    )


if __name__ == "__main__":
    main()
