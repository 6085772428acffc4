"""Labels that digits need: learning curves of strategies from 20 to 200 labels.

Run on one thread::

    OMP_NUM_THREADS=1 python examples/benchmarks/active_digits.py --splits 16

scikit-learn's digits, pixels divided by 16; split ``s``: a stratified test of 540 rows and two
labels a class to start with are drawn by ``random_state=s``, the rest is the pool; batches of 5 up
to 200 labels. The area is the mean accuracy over 20 to 200 labels by the trapezoidal rule; labels
to 90 and 95 % are medians over the splits, "more" where half of them do not get there.

``--repeated`` is the problem that BatchBALD is for: every row of the pool four times with noise of
standard deviation .02, no copy of a test image among them; batches of 10. Its deep ensemble has two
hidden layers and a flat prior: members must be sure of what they believe, or a second label of the
same image counts as news.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import DeepEnsembleFilterClassifier
from skbayes.active import ActiveLearner
from skbayes.active.batch import uncertainty_batch_sampling


def logistic(seed):
    return LogisticRegression(C=10, max_iter=1000)


def ensemble(seed):
    return DeepEnsembleFilterClassifier(random_state=seed)


def sure(seed):
    # under the default prior, or with one layer, members of a few labels hardly disagree and are
    # unsure each: nine tenths of a nat of noise expected of a label beside two tenths of BALD
    return DeepEnsembleFilterClassifier(
        (100, 100), prior_scale=None, init_epochs=200, random_state=seed
    )


def centred(seed):
    return make_pipeline(StandardScaler(with_std=False), ensemble(seed))


#: name -> estimator, parameters of the learner. A filter that is fitted afresh is a deep ensemble
METHODS = {
    "LogisticRegression, margin": (logistic, {"acquisition": "margin"}),
    "LogisticRegression, ranked batch": (
        logistic,
        {"query_strategy": uncertainty_batch_sampling},
    ),
    "LogisticRegression, uncertainty": (logistic, {"acquisition": "least_confidence"}),
    "LogisticRegression, entropy": (logistic, {"acquisition": "entropy"}),
    "LogisticRegression, random": (logistic, {"acquisition": "random"}),
    "deep ensemble, margin": (ensemble, {"acquisition": "margin"}),
    "deep ensemble after centring, margin": (centred, {"acquisition": "margin"}),
    "deep ensemble, BALD": (ensemble, {"acquisition": "bald"}),
    "deep ensemble, BatchBALD": (ensemble, {"batch": "batch_bald"}),
    "deep ensemble, random": (ensemble, {"acquisition": "random"}),
    "filter, margin": (ensemble, {"acquisition": "margin", "refit": "warm"}),
    "filter, BALD": (ensemble, {"acquisition": "bald", "refit": "warm"}),
}
REPEATED = {
    "BALD": (sure, {"acquisition": "bald"}),
    "BatchBALD": (sure, {"batch": "batch_bald"}),
    "BALD, power": (sure, {"acquisition": "bald", "batch": "power"}),
    "BALD, softrank": (sure, {"acquisition": "bald", "batch": "softrank"}),
    "margin": (sure, {"acquisition": "margin"}),
    "random": (sure, {"acquisition": "random"}),
}


def make_split(seed, repeated):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=540, stratify=y, random_state=seed
    )
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(y_train))
    start = np.concatenate([order[y_train[order] == label][:2] for label in range(10)])
    rest = np.setdiff1d(order, start)
    pool, labels = X_train[rest], y_train[rest]
    if repeated:
        pool, labels = np.repeat(pool, 4, axis=0), np.repeat(labels, 4)
        pool = pool + rng.normal(scale=0.02, size=pool.shape).astype(np.float32)
    return X_train[start], y_train[start], pool, labels, X_test, y_test


def run(method, seed, repeated, n_labels):
    make, parameters = method
    X_start, y_start, pool, labels, X_test, y_test = make_split(seed, repeated)
    learner = ActiveLearner(
        make(seed), X_training=X_start, y_training=y_start, random_state=seed, **parameters
    )
    batch = 10 if repeated else 5
    return learner.run(pool, labels, (n_labels - 20) // batch, batch, X_test=X_test, y_test=y_test)


def summary(name, curves, seconds):
    def at(n_labels):
        return np.mean([np.interp(n_labels, c.n_labels, c.scores) for c in curves])

    def median(score):
        found = np.median([curve.labels_to(score) for curve in curves])
        return "more" if np.isinf(found) else f"{found:g}"

    areas = [curve.area() for curve in curves]
    error = np.std(areas, ddof=1) / np.sqrt(len(areas)) if len(areas) > 1 else np.nan
    print(
        f"| {name} | {at(50):.3f} / {at(100):.3f} / {at(200):.3f} | {median(0.9)} / {median(0.95)} "
        f"| {np.mean(areas):.4f} ({error:.4f}) | {seconds / len(curves):.0f} |",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=16)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--repeated", action="store_true")
    parser.add_argument("--only", nargs="*", default=None, help="names of methods")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    methods = REPEATED if arguments.repeated else METHODS
    print(
        "| method | accuracy at 50 / 100 / 200 | median labels to 90 / 95 % "
        "| area (standard error) | CPU s a run |\n| --- | --- | --- | --- | --- |"
    )
    for name, method in methods.items():
        if arguments.only is None or name in arguments.only:
            start = time.process_time()
            curves = [
                run(method, seed, arguments.repeated, arguments.labels)
                for seed in range(arguments.splits)
            ]
            summary(name, curves, time.process_time() - start)


if __name__ == "__main__":
    main()
