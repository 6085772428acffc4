"""What 50 labels are worth to the anomaly detector: queried by a learner, or drawn at random.

    SKBAYES_DATA=/path/to/data python examples/benchmarks/labels.py --out labels.csv

The data folder holds `adbench/*.npz` (arrays X and y, 1 = anomaly). Per set and seed: rows capped
at 4000, 70 % to train (anomalies stay in, `robust=True`) and to label, 30 % to score; five labels
a query. AUC on the rows that are scored, all fourteen development sets.
"""

import argparse
import copy
import os
from pathlib import Path

import numpy as np
from results import Results
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbayes import VAEAnomalyDetector
from skbayes.active import ActiveLearner

SETS = (
    "2_annthyroid 6_cardio 30_satellite 4_breastw 29_Pima 14_glass 18_Ionosphere 25_musk "
    "26_optdigits 40_vowels 20_letter 32_shuttle 41_Waveform 5_campaign"
).split()
SEEDS, N_LABELS, AT_ONCE, N_RANDOM, CAP = (0, 1, 2), 50, 5, 3, 4000
#: How labels are asked for. One row in five at random guards against a density that is wrong.
QUERIES = {
    "least certain, 1 in 5 at random": {"acquisition": "least_certain", "epsilon": 0.2},
    "most anomalous": {"acquisition": "most_anomalous"},
}


def load(name, seed):
    data = np.load(Path(os.environ["SKBAYES_DATA"]) / "adbench" / f"{name}.npz")
    X, y = data["X"].astype(np.float32), data["y"].ravel().astype(int)
    if len(y) > CAP:
        X, _, y, _ = train_test_split(X, y, train_size=CAP, stratify=y, random_state=seed)
    parts = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    scaler = StandardScaler().fit(parts[0])
    return scaler.transform(parts[0]), scaler.transform(parts[1]), parts[2], parts[3]


def auc(detector, X, y):
    return roc_auc_score(y, -detector.score_samples(X))


def queried(detector, X, labels, seed, params):
    learner = ActiveLearner(copy.deepcopy(detector), random_state=seed, **params)
    pool = np.arange(len(X))
    for _ in range(N_LABELS // AT_ONCE):
        indices, rows = learner.query(X[pool], n_instances=AT_ONCE)
        learner.teach(rows, labels[pool[indices]])
        pool = np.delete(pool, indices)
    return learner.estimator


def areas(name, seed):
    X, test, y, y_test = load(name, seed)
    labels = np.where(y == 1, -1, 1)
    detector = VAEAnomalyDetector(robust=True, random_state=seed).fit(X)
    row = {"no labels": auc(detector, test, y_test)}
    told = []
    for draw in range(N_RANDOM):
        chosen = np.random.RandomState(10 * seed + draw).permutation(len(X))[:N_LABELS]
        some = copy.deepcopy(detector).fit_labels(X[chosen], labels[chosen])
        told.append(auc(some, test, y_test))
    row["random"] = np.mean(told)
    for query, params in QUERIES.items():
        row[query] = auc(queried(detector, X, labels, seed, params), test, y_test)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="CSV file to write to and to resume from")
    columns = ["no labels", "random", *QUERIES]
    results = Results(parser.parse_args().out, ["set", "seed", *columns], 2)
    print("| set |", " | ".join(columns), "|\n| --- |" + " --- |" * len(columns))
    means = {}
    for name in SETS:
        rows = [results.get((name, seed), areas, name, seed) for seed in SEEDS]
        means[name] = [np.mean([row[column] for row in rows]) for column in columns]
        print(f"| {name} |", " | ".join(f"{mean:.3f}" for mean in means[name]), "|", flush=True)
    table = np.array(list(means.values()))
    print("| mean |", " | ".join(f"{mean:.3f}" for mean in table.mean(0)), "|")
    for other in (0, 1):
        ahead = (table > table[:, [other]]).sum(0)
        print(f"| above {columns[other]} |", " | ".join(map(str, ahead)), "|")


if __name__ == "__main__":
    main()
