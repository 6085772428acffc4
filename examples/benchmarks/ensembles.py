"""Are ensembles often better? Accuracy, log loss, calibration and shift against cost, on digits.

Every method is trained on half of scikit-learn's digits and tested on the other half, clean and
corrupted (five kinds, three severities; nobody trains on those). Means over splits by seed; cost is
the CPU seconds of ``fit`` on one thread.

    python examples/benchmarks/ensembles.py [--seeds 5] [--out FILE] [--figure FILE]
"""

import argparse
import warnings

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from results import Results
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from skbayes import (
    ConstantSGDClassifier,
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    HMCClassifier,
    MCDropoutClassifier,
    SGHMCClassifier,
    SGLDClassifier,
)
from skbayes.metrics import expected_calibration_error

METHODS = {
    "one network": lambda **p: DeepEnsembleClassifier(n_members=1, **p),
    "ensemble of 5": DeepEnsembleClassifier,
    "ensemble of 20": lambda **p: DeepEnsembleClassifier(n_members=20, **p),
    "anchored, 20": lambda **p: DeepEnsembleClassifier(n_members=20, anchored=True, **p),
    "filter of 10": DeepEnsembleFilterClassifier,
    "dropout": MCDropoutClassifier,
    "constant SGD": ConstantSGDClassifier,
    "SGLD": SGLDClassifier,
    "SGHMC": SGHMCClassifier,
    "SGHMC, 5 x longer": lambda **p: SGHMCClassifier(n_warmup=10000, thinning=100, **p),
    "HMC": lambda **p: HMCClassifier(n_draws=30, n_warmup=30, **p),
}
SCORES = ["accuracy", "log loss", "ECE", "accuracy, shifted", "log loss, shifted", "ECE, shifted"]
COLUMNS = ["method", "seed", *SCORES, "seconds"]


def corruptions(images, severity, rng):
    """Five shifts of images in [0, 1], of shape (rows, 8, 8), by name."""
    share = severity / 3
    turned = ndimage.rotate(images, 45 * share, axes=(1, 2), reshape=False, order=1)
    hidden = images.copy()
    for image in hidden:
        row, column = rng.randint(0, 9 - 1 - severity, size=2)
        image[row : row + 1 + severity, column : column + 1 + severity] = 0
    return {
        "noise": np.clip(images + rng.normal(0, 0.6 * share, images.shape), 0, 1),
        "blur": ndimage.gaussian_filter(images, (0, 1.2 * share, 1.2 * share)),
        "contrast": 0.5 + (images - 0.5) * (1 - 0.85 * share),
        "rotation": turned,
        "hidden square": hidden,
    }


def one_fit(method, seed, results):
    """Scores of a split."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    model = METHODS[method](random_state=seed)
    with warnings.catch_warnings(), results.timed() as timed:
        warnings.simplefilter("ignore")  # what the defaults leave unmixed is part of the picture
        model.fit(X, y)

    def scores(rows):
        proba = model.predict_proba(rows)
        ece = expected_calibration_error(y_test, proba, n_bins=15)
        return accuracy_score(y_test, proba.argmax(1)), log_loss(y_test, proba), ece

    images, rng = X_test.reshape(-1, 8, 8), np.random.RandomState(seed)
    shifted = [
        scores(rows.reshape(len(rows), -1).astype(np.float32))
        for severity in (1, 2, 3)
        for rows in corruptions(images, severity, rng).values()
    ]
    values = [*scores(X_test), *np.mean(shifted, axis=0)]
    return {**dict(zip(SCORES, values, strict=True)), "seconds": timed.seconds}


def draw(table, path):
    """A panel a score, each method a point at its cost."""
    figure, axes = plt.subplots(2, 3, figsize=(15, 8.5), sharex=True, layout="constrained")
    for ax, score in zip(axes.flat, SCORES, strict=True):
        for number, (method, rows) in enumerate(table.items()):
            x = np.mean([row["seconds"] for row in rows])
            values = np.array([row[score] for row in rows])
            error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
            marker = "osD^vP*X<>p"[number % 11]
            ax.errorbar(x, values.mean(), error, fmt=marker, ms=9, capsize=3, label=method)
        ax.set_xscale("log")
        better = "higher" if score.startswith("accuracy") else "lower"
        ax.set_title(f"{score} ({better} is better)")
        ax.grid(alpha=0.3)
    for ax in axes[1]:
        ax.set_xlabel("CPU seconds of fit")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center")
    figure.savefig(path, dpi=90)


def main():
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--out", help="CSV file to which every fit is written")
    parser.add_argument("--figure", default="ensembles.png")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results = Results(args.out, COLUMNS, n_keys=2)
    table = {
        method: [
            results.get((method, seed), one_fit, method, seed, results)
            for seed in range(args.seeds)
        ]
        for method in args.methods
    }
    print("| method | " + " | ".join(SCORES) + " | CPU s |")
    print("| --- " * (len(SCORES) + 2) + "|")
    for method, rows in table.items():
        means = [np.mean([row[c] for row in rows]) for c in SCORES]
        seconds = np.mean([row["seconds"] for row in rows])
        print(f"| {method} | " + " | ".join(f"{v:.4f}" for v in means) + f" | {seconds:.1f} |")
    draw(table, args.figure)


if __name__ == "__main__":
    main()
