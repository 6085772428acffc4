"""Fashion-MNIST: one class is normal, nine are anomalous.

    SKBAYES_DATA=/path/to/data python examples/benchmarks/images_anomaly.py [--seeds 3] [--out CSV]

For every class and seed 1000 of its training images are drawn; 2000 test images of all classes are
ranked by every detector, with its defaults unless the table says otherwise. Prints the mean AUC
over classes with the standard deviation over seeds of that mean, and CPU seconds of a fit and of a
scoring. PyOD's autoencoder takes part where PyOD is installed. With ``--out`` a run can be taken up
again.
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from results import Results
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import OneClassSVM

from skbayes import VAEAnomalyDetector

N_TRAIN, N_TEST = 1000, 2000
COLUMNS = ["detector", "class", "seed", "auc", "fit", "score"]


class Reconstruction:
    """Minus the squared error of PCA with as many components as explain 95 % of the variance."""

    def fit(self, X):
        self.pca = PCA(0.95).fit(X)
        return self

    def score_samples(self, X):
        return -np.square(X - self.pca.inverse_transform(self.pca.transform(X))).sum(axis=1)


class Neighbours:
    """Minus the mean distance to the five nearest training images."""

    def fit(self, X):
        self.nearest = NearestNeighbors(n_neighbors=5).fit(X)
        return self

    def score_samples(self, X):
        return -self.nearest.kneighbors(X)[0].mean(axis=1)


class PyOD:
    """PyOD's autoencoder, which scores anomaly."""

    def __init__(self, seed):
        from pyod.models.auto_encoder import AutoEncoder

        self.model = AutoEncoder(random_state=seed, verbose=0)

    def fit(self, X):
        self.model.fit(X)
        return self

    def score_samples(self, X):
        return -self.model.decision_function(X)


def contenders(seed):
    one = {"n_members": 1, "random_state": seed}
    yield "skbayes, convolutions, one member", VAEAnomalyDetector(image_shape=(28, 28), **one)
    yield "skbayes, no convolutions, one member", VAEAnomalyDetector(**one)
    yield "PCA reconstruction, 95 %", Reconstruction()
    yield "OneClassSVM", OneClassSVM(gamma="scale")
    yield "IsolationForest", IsolationForest(random_state=seed)
    yield "five nearest neighbours", Neighbours()
    try:
        yield "PyOD AutoEncoder", PyOD(seed)
    except ImportError:
        pass


def measure(model, X, X_test, normal):
    with warnings.catch_warnings(), Results.timed() as fit:
        warnings.simplefilter("ignore")
        model.fit(X)
    with Results.timed() as score:
        values = model.score_samples(X_test)
    return {
        "auc": roc_auc_score(normal, values),
        "fit": fit.seconds,
        "score": score.seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", help="CSV to take up and to write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = np.load(Path(os.environ["SKBAYES_DATA"]) / "images" / "fashion_mnist_12k5k.npz")
    # one scale for all pixels: the methods that are not invariant to it get what is usual
    train, test = (data[name].reshape(-1, 784) / np.float32(255) for name in ("X_train", "X_test"))
    results = Results(args.out, COLUMNS, 3)
    for seed in range(args.seeds):
        rng = np.random.RandomState(seed)
        chosen = rng.permutation(len(test))[:N_TEST]
        for label in range(10):
            own = rng.permutation(np.flatnonzero(data["y_train"] == label))[:N_TRAIN]
            normal = data["y_test"][chosen] == label
            for name, model in contenders(seed):
                results.get((name, label, seed), measure, model, train[own], test[chosen], normal)
    print("| detector | mean AUC | fit, CPU s | score 2000, CPU s |\n| --- | --- | --- | --- |")
    for name in dict.fromkeys(key[0] for key in results.rows):
        rows = {key: row for key, row in results.rows.items() if key[0] == name}
        by_seed = [
            np.mean([row["auc"] for key, row in rows.items() if key[2] == str(seed)])
            for seed in range(args.seeds)
        ]
        fit, score = (np.mean([row[c] for row in rows.values()]) for c in ("fit", "score"))
        area = f"{np.mean(by_seed):.4f} ± {np.std(by_seed):.4f}"
        print(f"| {name} | {area} | {fit:.1f} | {score:.2f} |")


if __name__ == "__main__":
    main()
