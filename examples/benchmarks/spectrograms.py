"""The source's experiment: codes of autoencoders, few labels, spectrograms with chirping modes.

Stage one is trained on the rows without labels of the training shots, anew for every split; a
classifier learns from the codes of the labelled rows of the same shots, and is tested on the
labelled rows of the other shots. Its number of neighbours or components is chosen inside the
training shots. Of ``patches, ...`` the codes are those of patches of 16 x 16, pooled over a picture
(see patch_codes.py) and projected onto eight principal components.
``esc10`` is the same on the 400 sounds of ESC-10 in their five folds (needs ``SKBAYES_DATA``): all
training rows shape stage one, ten classes, macro averages.

    OMP_NUM_THREADS=1 python examples/benchmarks/spectrograms.py [--data synthetic esc10]
        [--splits 3] [--methods NAME ...] [--out FILE]
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
from patch_codes import SIDE, PatchCodes
from results import Results
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit, LeaveOneGroupOut
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skbayes import VAE, GaussianMixtureClassifier
from skbayes.datasets import make_spectrograms

CRITERIA = ["mse", "elbo", "mmd", "adversarial", "mmd+adversarial"]
IMAGE = {"image_shape": (64, 64), "random_state": 0}
NEIGHBOURS = {"n_neighbors": [1, 3, 5, 7, 11, 15, 21, 31]}
COMPONENTS = {"n_components": [2, 4, 8, 16, 32]}
COLUMNS = ["data", "method", "split", "knn_auc", "knn_p", "gmm_auc", "gmm_p", "seconds"]
N_COMPONENTS = 8


def synthetic(n_splits):
    """Splits of shots in halves: rows (training, test) with labels, and training rows without."""
    spectra = make_spectrograms(4400, n_labelled=400, random_state=0)
    groups, y = spectra.groups, spectra.target
    for train, test in GroupShuffleSplit(n_splits, test_size=0.5, random_state=0).split(
        y, y, groups
    ):
        yield {
            "X": spectra.data,
            "y": y,
            "groups": groups,
            "labelled": train[y[train] >= 0],
            "unlabelled": train[y[train] < 0],
            "test": test[y[test] >= 0],
            "k": 50,
            "epochs": 31,  # 500 steps
        }


def esc10(n_splits):
    data = np.load(Path(os.environ["SKBAYES_DATA"]) / "spectrograms" / "esc10_melspec128.npz")
    X = data["X"].reshape(-1, 64, 2, 64, 2).mean(axis=(2, 4)).reshape(-1, 64 * 64)
    y, fold = data["y"].astype(int), data["fold"].astype(int)
    for train, test in LeaveOneGroupOut().split(X, y, fold):
        yield {
            "X": X.astype(np.float32),
            "y": y,
            "groups": fold,
            "labelled": train,
            "unlabelled": train,
            "test": test,
            "k": 8,  # sounds of a class in a fold
            "epochs": 100,  # 300 steps
        }


def auc(y, proba):
    """Area under the curve; of several classes the mean of one against the rest."""
    columns = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    return float(np.mean([roc_auc_score(y == c, proba[:, c]) for c in columns]))


def precision(y, proba, k):
    columns = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    return float(np.mean([(y[np.argsort(-proba[:, c])[:k]] == c).mean() for c in columns]))


def labelled_auc(estimator, X, y):
    """Scorer that leaves rows without a label out."""
    return auc(y[y >= 0], estimator.predict_proba(X[y >= 0]))


def classify(split, codes, stages=("knn", "gmm")):
    """Classifiers on codes of all rows."""
    y, groups, test, result = split["y"], split["groups"], split["test"], {}
    some = split["labelled"]
    everything = np.union1d(some, split["unlabelled"])
    for name, model, grid, rows in (
        ("knn", KNeighborsClassifier(), NEIGHBOURS, some),
        ("gmm", GaussianMixtureClassifier(reg_covar=1e-4, random_state=0), COMPONENTS, everything),
    ):
        if name not in stages:
            result.update({f"{name}_auc": np.nan, f"{name}_p": np.nan})
            continue
        inner = GroupKFold(min(5, len(np.unique(groups[rows]))))
        search = GridSearchCV(model, grid, scoring=labelled_auc, cv=inner)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(codes[rows], y[rows], groups=groups[rows])
        proba = search.predict_proba(codes[test])
        result[f"{name}_auc"] = auc(y[test], proba)
        result[f"{name}_p"] = precision(y[test], proba, split["k"])
    return result


def ranked(split, score):
    """No classifier: a score of the test rows, higher = more positive."""
    proba = np.column_stack([-score, score])
    y = split["y"][split["test"]]
    return {
        "knn_auc": auc(y, proba),
        "knn_p": precision(y, proba, split["k"]),
        "gmm_auc": np.nan,
        "gmm_p": np.nan,
    }


def patch_codes(name):
    if name == "PCA":
        coder = PCA(16, random_state=0)
    else:
        shape = {**IMAGE, "image_shape": (SIDE, SIDE)}
        coder = VAE(16, (256,), criterion=name, max_iter=3, **shape)
    return make_pipeline(PatchCodes(coder, (64, 64)), PCA(N_COMPONENTS, random_state=0))


def run(method, split):
    X, free = split["X"], split["unlabelled"]
    with Results.timed() as timed:
        if method.startswith("patches, "):
            coder = patch_codes(method.removeprefix("patches, "))
            result = classify(split, coder.fit(X[free]).transform(X))
        elif method in CRITERIA:
            vae = VAE(N_COMPONENTS, (256,), criterion=method, max_iter=split["epochs"], **IMAGE)
            result = classify(split, vae.fit(X[free]).transform(X))
        elif method == "pixels":
            result = classify(split, X.astype(np.float32) / 255, ["knn"])
        elif method.startswith("PCA"):
            pca = PCA(int(method.split()[1]), random_state=0).fit(X[free] / 255)
            result = classify(split, pca.transform(X / 255))
        else:
            forest = IsolationForest(random_state=0).fit(X[free])
            result = ranked(split, -forest.score_samples(X[split["test"]]))
    return {**result, "seconds": timed.seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=["synthetic", "esc10"])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--methods", nargs="*", default=None, help="rows of the table")
    parser.add_argument("--out", default=None)
    arguments = parser.parse_args()
    results = Results(arguments.out, COLUMNS, 3)
    for data in arguments.data:
        methods = ["pixels", f"PCA {N_COMPONENTS}", "PCA 32", *CRITERIA]
        if data == "synthetic":
            methods += [f"patches, {name}" for name in ("PCA", *CRITERIA)]
            methods.append("IsolationForest")
        methods = [m for m in methods if arguments.methods is None or m in arguments.methods]
        rows = {method: [] for method in methods}
        for number, split in enumerate(
            {"synthetic": synthetic, "esc10": esc10}[data](arguments.splits)
        ):
            for method in methods:
                rows[method].append(results.get((data, method, number), run, method, split))
        k = split["k"]
        print(f"\n| {data} | kNN AUC | kNN prec@{k} | GMM AUC | GMM prec@{k} | CPU s |")
        print("|---|---|---|---|---|---|")
        for method, splits in rows.items():
            cells = []
            for column in COLUMNS[3:7]:
                values = [split[column] for split in splits]
                missing = np.isnan(values).any()
                cells.append("" if missing else f"{np.mean(values):.3f} ± {np.std(values):.3f}")
            seconds = np.mean([split["seconds"] for split in splits])
            print(f"| {method} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
