"""What 50 labels are worth to the anomaly detector: queried by a learner, or drawn at random.

    SKBAYES_DATA=/path/to/data python examples/benchmarks/labels.py

The data folder holds `adbench/*.npz` (arrays X and y, 1 = anomaly). Per set and seed: rows capped
at 4000, 70 % to train (anomalies stay in, `robust=True`) and to label, 30 % to score; five labels
a query. AUC on the rows that are scored.
"""

import copy
import os
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skbayes import VAEAnomalyDetector
from skbayes.active import ActiveLearner

SETS = ("6_cardio", "30_satellite", "2_annthyroid")
SEEDS, N_LABELS, AT_ONCE, CAP = (0, 1, 2), 50, 5, 4000


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


def main():
    print(
        "| set | no labels | 50 random | 50 queried, most anomalous | 50 queried, least certain |"
    )
    print("| --- | --- | --- | --- | --- |")
    for name in SETS:
        rows = []
        for seed in SEEDS:
            X, test, y, y_test = load(name, seed)
            labels = np.where(y == 1, -1, 1)
            detector = VAEAnomalyDetector(robust=True, random_state=seed).fit(X)
            row = [auc(detector, test, y_test)]
            chosen = np.random.RandomState(seed).permutation(len(X))[:N_LABELS]
            told = copy.deepcopy(detector).fit_labels(X[chosen], labels[chosen])
            row.append(auc(told, test, y_test))
            for acquisition in ("most_anomalous", "least_certain"):
                learner = ActiveLearner(
                    copy.deepcopy(detector), acquisition=acquisition, random_state=seed
                )
                pool = np.arange(len(X))
                for _ in range(N_LABELS // AT_ONCE):
                    indices, some = learner.query(X[pool], n_instances=AT_ONCE)
                    learner.teach(some, labels[pool[indices]])
                    pool = np.delete(pool, indices)
                row.append(auc(learner.estimator, test, y_test))
            rows.append(row)
        cells = " | ".join(f"{value:.3f}" for value in np.mean(rows, axis=0))
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
