"""How many labels an active learner needs for the AUC that 400 random labels give, on spectrograms.

Stage one is an autoencoder trained on all rows of the training shots, without labels; a classifier
learns from its codes. Twenty rows that an expert chose (most of them positive) come with labels;
the pool is the rows of those shots without labels, few of which are positive. The AUC is that on
the rows of the other shots.

    OMP_NUM_THREADS=1 python examples/benchmarks/spectrograms_active.py [--splits 3] [--labels 400]
"""

import argparse
import time

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import VAE
from skbayes.active import ActiveLearner
from skbayes.datasets import make_spectrograms

N_START, BATCH = 20, 10
CLASSIFIERS = {
    "logistic regression": lambda seed: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=1000)
    ),
    "random forest": lambda seed: RandomForestClassifier(200, random_state=seed),
    "15 nearest neighbours": lambda seed: KNeighborsClassifier(15, weights="distance"),
}


def make_split(seed, epochs):
    """Codes and true labels: the start, the pool, the test rows."""
    spectra = make_spectrograms(4400, n_labelled=400, random_state=0)
    halves = GroupShuffleSplit(1, test_size=0.3, random_state=seed)
    train, test = next(halves.split(spectra.truth, spectra.truth, spectra.groups))
    vae = VAE(16, (256,), image_shape=spectra.image_shape, max_iter=epochs, random_state=seed)
    codes = vae.fit(spectra.data[train]).transform(spectra.data)
    rng = np.random.RandomState(seed)
    chosen = rng.permutation(train[spectra.target[train] >= 0])[:N_START]
    # the rest of what the expert saw would spoil the pool's base rate
    pool = train[spectra.target[train] < 0]
    return [(codes[rows], spectra.truth[rows]) for rows in (chosen, pool, test)]


def run(name, acquisition, seed, data, n_labels):
    (X_start, y_start), (pool, labels), (X_test, y_test) = data
    learner = ActiveLearner(
        CLASSIFIERS[name](seed),
        X_training=X_start,
        y_training=y_start,
        acquisition=acquisition,
        random_state=seed,
    )
    return learner.run(
        pool,
        labels,
        (n_labels - N_START) // BATCH,
        BATCH,
        X_test=X_test,
        y_test=y_test,
        scoring=lambda model, X, y: roc_auc_score(y, model.predict_proba(X)[:, 1]),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--labels", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=21)
    arguments = parser.parse_args()
    n = arguments.labels
    splits = [make_split(seed, arguments.epochs) for seed in range(arguments.splits)]
    print(f"| classifier, query | AUC 100 / 200 / {n} | labels to random's at {n} | CPU s |")
    print("|---|---|---|---|")
    for name in CLASSIFIERS:
        curves = {}
        for acquisition in ("random", "margin"):
            start = time.process_time()
            runs = [run(name, acquisition, seed, data, n) for seed, data in enumerate(splits)]
            seconds = (time.process_time() - start) / len(runs)
            curves[acquisition] = runs
            targets = [curve.scores[-1] for curve in curves["random"]]
            needed = [curve.labels_to(t) for curve, t in zip(runs, targets, strict=True)]
            at = [
                np.mean([np.interp(m, c.n_labels, c.scores) for c in runs]) for m in (100, 200, n)
            ]
            print(
                f"| {name}, {acquisition} | {' / '.join(f'{a:.3f}' for a in at)} | "
                f"{', '.join(f'{m:g}' for m in needed)} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
