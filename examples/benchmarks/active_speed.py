"""Speed and quality of queries, side by side with peers that are installed, in one run.

Run on one thread, with modAL, scikit-activeml and BaaL installed as far as they are wanted::

    OMP_NUM_THREADS=1 python examples/benchmarks/active_speed.py

CPU seconds, best of several rounds for what is short. Peers that cannot be imported are left out.
"""

import argparse
import importlib
import resource
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

from skbayes.active import ActiveLearner, Committee, bald, batch_bald
from skbayes.active.batch import uncertainty_batch_sampling
from skbayes.active.disagreement import vote_entropy
from skbayes.active.uncertainty import uncertainty_sampling


class Fixed:
    """A classifier that has predicted already: what is timed is the query."""

    def __init__(self, proba):
        self.proba = proba
        self.classes_ = np.arange(proba.shape[1])
        self.votes = proba.argmax(axis=1)

    def predict_proba(self, X):
        return self.proba[X[0, 0] : X[0, 0] + len(X)]

    def predict(self, X):
        return self.votes[X[0, 0] : X[0, 0] + len(X)]


def cpu(function, rounds=1):
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        result = function()
        best = min(best, time.process_time() - start)
    return best, result


def peer(name):
    try:
        return importlib.import_module(name)
    except Exception as error:  # a peer that is broken is left out like one that is not there
        print(f"  ({name} left out: {error!r})")
        return None


def show(name, seconds, unit, note=""):
    print(f"  {name:44s} {seconds:9.4f} s {seconds / unit:8.2f} x  {note}", flush=True)


def uncertainty_query(n_rows=10**6):
    print(f"uncertainty query, pool {n_rows}, 10 classes; ratio to numpy's floor")
    proba = np.random.RandomState(0).dirichlet(np.ones(10), size=n_rows)
    fixed, pool = Fixed(proba), np.arange(n_rows).reshape(-1, 1)

    def floor():
        uncertainty = 1 - proba.max(axis=1)
        return np.argpartition(-uncertainty, 9)[:10]

    unit, expected = cpu(floor, 7)
    show("numpy: maximum, argpartition", unit, unit)
    learner = ActiveLearner(fixed, acquisition="least_confidence", random_state=0)
    for name, function in [
        ("skbayes uncertainty_sampling", lambda: uncertainty_sampling(fixed, pool, 10)[0]),
        ("skbayes ActiveLearner.query", lambda: learner.query(pool, n_instances=10)[0]),
    ]:
        seconds, found = cpu(function, 7)
        show(name, seconds, unit, "same rows" if set(found) == set(expected) else "OTHER ROWS")
    theirs = peer("modAL.uncertainty")
    if theirs:
        seconds, _ = cpu(lambda: theirs.uncertainty_sampling(fixed, pool, 10), 3)
        show("modAL uncertainty_sampling", seconds, unit)


def committee_query(n_rows=10**6):
    print(f"vote entropy of a committee of 5, pool {n_rows}, 10 classes; ratio to ours")
    rng = np.random.RandomState(0)
    members = [
        ActiveLearner(Fixed(rng.dirichlet(np.ones(10), size=n_rows).astype(np.float32)))
        for _ in range(5)
    ]
    pool = np.arange(n_rows).reshape(-1, 1)
    committee = Committee(members)
    unit, ours = cpu(lambda: vote_entropy(committee, pool), 3)
    show("skbayes vote_entropy", unit, unit)
    disagreement, models = peer("modAL.disagreement"), peer("modAL.models")
    if disagreement:
        theirs = models.Committee([models.ActiveLearner(m.estimator) for m in members])
        seconds, values = cpu(lambda: disagreement.vote_entropy(theirs, pool))
        note = "same values" if np.allclose(values, ours) else "OTHER VALUES"
        show("modAL vote_entropy", seconds, unit, note)


def ranked_query(n_rows=10**4, n_labelled=5000, n_instances=100):
    print(f"ranked batch of {n_instances}, pool {n_rows}, {n_labelled} labelled; ratio to ours")
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_rows + n_labelled, 20))
    y = X[:, :3] @ rng.normal(size=(3, 5))
    learner = ActiveLearner(
        LogisticRegression(max_iter=500), X_training=X[n_rows:], y_training=y[n_rows:]
    )
    pool = X[:n_rows]
    unit, ours = cpu(lambda: uncertainty_batch_sampling(learner, pool, n_instances)[0])
    show("skbayes uncertainty_batch_sampling", unit, unit)
    batch = peer("modAL.batch")
    if batch:
        seconds, theirs = cpu(
            lambda: batch.uncertainty_batch_sampling(learner, pool, n_instances=n_instances)
        )
        theirs = theirs[0] if isinstance(theirs, tuple) else theirs
        note = "identical picks" if np.array_equal(theirs, ours) else "OTHER PICKS"
        show("modAL uncertainty_batch_sampling", seconds, unit, note)


def joint_information(draws, n_configurations=200_000):
    """Monte-Carlo estimate, with a stream of its own."""
    rng = np.random.RandomState(12345)
    n_draws, n_rows, n_classes = draws.shape
    members = rng.randint(n_draws, size=n_configurations)
    likelihood = np.ones((n_configurations, n_draws))
    for row in range(n_rows):
        cumulative = draws[:, row].cumsum(axis=1)[members]
        labels = (rng.random_sample((n_configurations, 1)) * cumulative[:, -1:] >= cumulative).sum(
            1
        )
        likelihood *= draws[:, row, np.minimum(labels, n_classes - 1)].T
    weights = likelihood / likelihood.sum(axis=1, keepdims=True)
    left = -(weights * np.log(np.maximum(weights, 1e-300))).sum(axis=1).mean()
    return np.log(n_draws) - left


def batch_bald_query(n_rows=10**4, n_classes=10, n_draws=20, n_instances=10):
    print(f"BatchBALD of {n_instances}: {n_rows} rows x {n_classes} classes x {n_draws} draws")
    rng = np.random.RandomState(0)
    logits = 2 * rng.normal(size=(1, n_rows, n_classes))
    logits = logits + 0.9 * rng.normal(size=(n_draws, n_rows, n_classes))
    draws = np.exp(logits)
    draws /= draws.sum(axis=-1, keepdims=True)
    unit = None

    def line(name, seconds, chosen):
        nonlocal unit
        unit = unit or seconds
        information = joint_information(draws[:, chosen])
        show(name, seconds, unit, f"{information:.3f} nat")

    line("top 10 by BALD", *cpu(lambda: np.argsort(-bald(draws))[:n_instances]))
    unit = None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n_configurations in (200, 500, 2000):
        line(
            f"skbayes batch_bald, {n_configurations} configurations",
            *cpu(
                lambda n=n_configurations: batch_bald(
                    draws, n_instances, n_configurations=n, random_state=0
                )
            ),
        )
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024
    print(f"  (skbayes: {more:.0f} MB more than the process had taken before)")
    theirs = peer("skactiveml.pool._bald")
    if theirs:
        for n_samples in (None, 200):
            line(
                f"scikit-activeml batch_bald, {n_samples or 'default'} draws",
                *cpu(
                    lambda n=n_samples: np.nanargmax(
                        theirs.batch_bald(draws, n_instances, n_MC_samples=n, random_state=0),
                        axis=1,
                    )
                ),
            )
    baal = peer("baal.active.heuristics")
    if baal:
        few = draws[:, :1000].transpose(1, 2, 0)
        seconds, _ = cpu(lambda: baal.BatchBALD(n_instances, num_draw=500)(few))
        show("BaaL BatchBALD, a pool of 1000 only", seconds, unit)


PARTS = {
    "uncertainty": uncertainty_query,
    "committee": committee_query,
    "ranked": ranked_query,
    "batch_bald": batch_bald_query,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    for part in parser.parse_args().parts:
        PARTS[part]()
        print()


if __name__ == "__main__":
    main()
