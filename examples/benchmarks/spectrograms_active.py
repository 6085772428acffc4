"""How many labels an active learner needs for the AUC that 400 random labels give, on spectrograms.

Stage one is an autoencoder trained on rows of the training shots, without labels: of the pictures,
or of their patches, whose codes are pooled. A classifier learns from its codes. Twenty rows that an
expert chose (most of them positive) come with labels; the pool is the rows of those shots without
labels, few of which are positive. The AUC is that on the rows of the other shots.

    OMP_NUM_THREADS=1 python examples/benchmarks/spectrograms_active.py [--splits 6] [--labels 400]
        [--codes patches pictures] [--out CSV]
"""

import argparse
from functools import partial

import numpy as np
from patch_codes import SIDE, PatchCodes
from results import Results
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import VAE
from skbayes.active import ActiveLearner
from skbayes.active.batch import power_batch
from skbayes.datasets import make_spectrograms

N_START, BATCH = 20, 10
CLASSIFIERS = {
    "logistic regression": lambda seed: make_pipeline(
        StandardScaler(), LogisticRegression(C=0.03, max_iter=1000, class_weight="balanced")
    ),
    "random forest": lambda seed: RandomForestClassifier(
        100, min_samples_leaf=2, class_weight="balanced_subsample", random_state=seed
    ),
}


def positives_and_random(estimator, X, n_instances=1):
    """Half of what is asked are the most probable positives, which are rare; the rest any rows."""
    p = estimator.predict_proba(X)[:, 1]
    likely = np.argsort(-p, kind="stable")[: n_instances // 2]
    rest = np.random.RandomState(len(X)).permutation(len(X))
    return np.concatenate([likely, rest[~np.isin(rest, likely)][: n_instances - len(likely)]])


QUERIES = {
    "random": {"acquisition": "random"},
    "margin": {"acquisition": "margin"},
    "positives and random": {"query_strategy": positives_and_random},
    # the batch is drawn in proportion to the square of the uncertainty
    "uncertain, power batch": {
        "acquisition": "least_confidence",
        "batch": partial(power_batch, beta=2.0),
    },
}


class Split:
    """Codes and true labels: the start, the pool, the test rows; made when first asked for."""

    def __init__(self, spectra, kind, seed):
        self.spectra, self.kind, self.seed, self.data = spectra, kind, seed, None

    def get(self):
        if self.data is None:
            spectra, seed = self.spectra, self.seed
            halves = GroupShuffleSplit(1, test_size=0.3, random_state=seed)
            train, test = next(halves.split(spectra.truth, spectra.truth, spectra.groups))
            if self.kind == "pictures":
                shape, epochs = spectra.image_shape, 21
            else:
                shape, epochs = (SIDE, SIDE), 3
            coder = VAE(16, (256,), image_shape=shape, max_iter=epochs, random_state=seed)
            if self.kind == "patches":
                coder = PatchCodes(coder, spectra.image_shape, seed)
            codes = coder.fit(spectra.data[train]).transform(spectra.data)
            rng = np.random.RandomState(seed)
            chosen = rng.permutation(train[spectra.target[train] >= 0])[:N_START]
            # the rest of what the expert saw would spoil the pool's base rate
            pool = train[spectra.target[train] < 0]
            self.data = [(codes[rows], spectra.truth[rows]) for rows in (chosen, pool, test)]
        return self.data


def run(name, query, split, n_labels):
    """AUC after every round, by the number of labels."""
    (X_start, y_start), (pool, labels), (X_test, y_test) = split.get()
    learner = ActiveLearner(
        CLASSIFIERS[name](split.seed),
        X_training=X_start,
        y_training=y_start,
        random_state=split.seed,
        **QUERIES[query],
    )
    with Results.timed() as timed:
        curve = learner.run(
            pool,
            labels,
            (n_labels - N_START) // BATCH,
            BATCH,
            X_test=X_test,
            y_test=y_test,
            scoring=lambda model, X, y: roc_auc_score(y, model.predict_proba(X)[:, 1]),
        )
    scores = dict(zip(map(str, curve.n_labels), curve.scores, strict=True))
    return {**scores, "found": int(labels[curve.indices].sum()), "seconds": timed.seconds}


def interval(values):
    """Mean and half the width of its 95 % interval."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return f"{values.mean():.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{values.mean():.3f} ± {half:.3f}"


def labels_to(curve, target, numbers):
    """Fewest labels from whose AUC on the mean over three rounds reaches a target."""
    smooth = np.convolve(curve, np.ones(3) / 3, "valid")
    reached = np.flatnonzero(smooth >= target)
    return float(numbers[1:-1][reached[0]]) if len(reached) else np.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--labels", type=int, default=400)
    parser.add_argument("--codes", nargs="*", default=["patches"], choices=["patches", "pictures"])
    parser.add_argument("--classifiers", nargs="*", default=list(CLASSIFIERS))
    parser.add_argument("--rows", type=int, default=4400, help="of the data, fewer for a trial")
    parser.add_argument("--out", default=None, help="CSV to take up and to write")
    arguments = parser.parse_args()
    numbers = np.arange(N_START, arguments.labels + 1, BATCH)
    columns = ["codes", "classifier", "query", "split", *map(str, numbers), "found", "seconds"]
    results = Results(arguments.out, columns, 4)
    spectra = make_spectrograms(arguments.rows, n_labelled=400, random_state=0)
    at = sorted({min(n, arguments.labels) for n in (20, 100, 200, 400)})
    head = " | ".join(f"AUC at {n}" for n in at)
    print(f"| codes | classifier, query | {head} | labels to random's last AUC | positives found |")
    print("|---|---|" + "---|" * (len(at) + 2))
    for kind in arguments.codes:
        splits = [Split(spectra, kind, seed) for seed in range(arguments.splits)]
        for name in arguments.classifiers:
            # the last three rounds, so that one round's luck is not the target
            target = None
            for query in QUERIES:
                rows = [
                    results.get((kind, name, query, s.seed), run, name, query, s, arguments.labels)
                    for s in splits
                ]
                curves = np.array([[row[str(n)] for n in numbers] for row in rows])
                if target is None:
                    target = curves[:, -3:].mean(axis=1)
                needed = [labels_to(c, t, numbers) for c, t in zip(curves, target, strict=True)]
                cells = [interval(curves[:, numbers == n].ravel()) for n in at]
                cells.append(", ".join(f"{n:.0f}" for n in needed).replace("nan", "never"))
                cells.append(f"{np.mean([row['found'] for row in rows]):.0f}")
                print(f"| {kind} | {name}, {query} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
