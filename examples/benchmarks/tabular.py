"""Ten classification sets, 5 x 2 cross-validation, default parameters: log loss and calibration.

Every estimator stands behind an imputer and a scaler, with its default parameters. The Gaussian
process (an RBF kernel with a length scale a feature) is fitted where there are at most 500 training
rows. Ranks of log loss, mean over the sets; Friedman's test and Nemenyi's critical difference
(Demsar 2006) over the methods that stand on all sets; expected calibration error in 15 bins of
equal mass, the two folds of a repetition pooled.

Needs the environment variable SKBAYES_DATA (a folder with ``tabular/tabular_uci.npz``: X_name,
y_name). Fits that ``--out`` holds already are not done again.

    python examples/benchmarks/tabular.py [--sets glass dna] [--methods SGHMC ...] [--out FILE]
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from results import Results
from scipy.stats import friedmanchisquare, rankdata, studentized_range
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import (
    ConstantSGDClassifier,
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    MCDropoutClassifier,
    SGHMCClassifier,
    SGLDClassifier,
)
from skbayes.metrics import expected_calibration_error

#: From few rows to many.
SETS = [
    "glass",
    "ionosphere",
    "breast_cancer",
    "vehicle",
    "vowel",
    "german_credit",
    "banknote",
    "dna",
    "phoneme",
    "satellite",
]
N_REPEATS = 5
MAX_GP_ROWS = 500
GP = "GaussianProcess"


def gaussian_process(n_features, random_state):
    """A Gaussian process with a length scale a feature."""
    kernel = ConstantKernel(1.0) * RBF(np.ones(n_features))
    return GaussianProcessClassifier(kernel, random_state=random_state)


METHODS = {
    "SGHMC": SGHMCClassifier,
    "SGLD": SGLDClassifier,
    "DeepEnsemble": DeepEnsembleClassifier,
    "DeepEnsemble, anchored": lambda **p: DeepEnsembleClassifier(anchored=True, **p),
    "DeepEnsembleFilter": DeepEnsembleFilterClassifier,
    "MCDropout": MCDropoutClassifier,
    "ConstantSGD": ConstantSGDClassifier,
    "LogisticRegression": LogisticRegression,
    "MLP": MLPClassifier,
    "HistGradientBoosting": HistGradientBoostingClassifier,
    "RandomForest": RandomForestClassifier,
    GP: None,
}
COLUMNS = ["set", "method", "repetition", "log_loss", "accuracy", "ece", "seconds", "warned"]


def one_repetition(X, y, method, repetition, results):
    """Two folds: scores of the pooled predictions."""
    folds = StratifiedKFold(2, shuffle=True, random_state=repetition)
    proba = np.empty((len(y), y.max() + 1))
    n_warned = 0
    with results.timed() as timed:
        for train, test in folds.split(X, y):
            if method == GP:
                model = gaussian_process(X.shape[1], repetition)
            else:
                model = METHODS[method](random_state=repetition)
            model = make_pipeline(SimpleImputer(), StandardScaler(), model)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.fit(X[train], y[train])
            n_warned += len(caught) > 0
            proba[test] = model.predict_proba(X[test])
    return {
        "log_loss": log_loss(y, proba),
        "accuracy": accuracy_score(y, proba.argmax(1)),
        "ece": expected_calibration_error(y, proba, n_bins=15, strategy="quantile"),
        "seconds": timed.seconds / 2,
        "warned": n_warned / 2,
    }


def mean_table(found, column):
    """A row a set: the mean over the repetitions of every method, nan where there is none."""
    return np.array(
        [
            [np.mean([r[column] for r in rows]) if rows else np.nan for rows in by_method.values()]
            for by_method in found.values()
        ]
    )


def print_column(found, methods, column, best):
    """A table of one score, with the best of every set in bold."""
    table = mean_table(found, column)
    print(f"\n| {column} | " + " | ".join(methods) + " |")
    print("| --- " * (len(methods) + 1) + "|")
    for name, values in zip(found, table, strict=True):
        there = values[np.isfinite(values)]
        top = best(there) if len(there) else np.nan
        cells = ["" if np.isnan(v) else f"**{v:.3f}**" if v == top else f"{v:.3f}" for v in values]
        print(f"| {name} | " + " | ".join(cells) + " |")
    return table


def print_summary(found, methods):
    """Ranks, the tests on them, and calibration."""
    loss = print_column(found, methods, "log_loss", np.min)
    print_column(found, methods, "accuracy", np.max)
    error = print_column(found, methods, "ece", np.min)
    seconds, warned = mean_table(found, "seconds"), mean_table(found, "warned")
    everywhere = [k for k, m in enumerate(methods) if np.isfinite(loss[:, k]).all()]
    ranks = rankdata(loss[:, everywhere], axis=1)
    mean_error = error[:, everywhere].mean(0)
    best = mean_error.argmin()
    n_sets, k = ranks.shape
    print("\n| method | mean rank of log loss | mean ECE | minus the best's | s a fit | warned |")
    print("| --- | --- | --- | --- | --- | --- |")
    for j in np.argsort(ranks.mean(0)):
        i = everywhere[j]
        gap = error[:, i] - error[:, everywhere[best]]
        deviation = gap.std(ddof=1) / n_sets**0.5 if n_sets > 1 else np.nan
        print(
            f"| {methods[i]} | {ranks[:, j].mean():.2f} | {mean_error[j]:.4f} "
            f"| {gap.mean():.4f} ± {deviation:.4f} | {seconds[:, i].mean():.1f} "
            f"| {warned[:, i].mean():.2f} |"
        )
    if k > 2 and n_sets > 1:
        statistic, p = friedmanchisquare(*ranks.T)
        critical = studentized_range.ppf(0.95, k, np.inf) / 2**0.5
        critical *= (k * (k + 1) / (6 * n_sets)) ** 0.5
        print(
            f"\nFriedman: chi-squared {statistic:.1f}, p = {p:.2g}; Nemenyi: ranks that differ by "
            f"less than {critical:.2f} do not differ at 5 %."
        )
    if GP in methods:
        column = methods.index(GP)
        there = np.isfinite(loss[:, column])
        if there.any():
            few = rankdata(np.nan_to_num(loss[there], nan=np.inf), axis=1).mean(0)
            print(f"\nMean rank on the {there.sum()} sets where the Gaussian process stands:")
            print(", ".join(f"{methods[i]} {few[i]:.2f}" for i in np.argsort(few)))


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--repeats", type=int, default=N_REPEATS, help="of two folds each")
    parser.add_argument("--out", help="CSV file to which every repetition is written")
    args = parser.parse_args()
    folder = os.environ.get("SKBAYES_DATA")
    if folder is None:
        print("SKBAYES_DATA is not set: it names the folder with the reference data")
        return
    torch.set_num_threads(1)
    data = np.load(Path(folder) / "tabular" / "tabular_uci.npz", allow_pickle=True)
    results = Results(args.out, COLUMNS, n_keys=3)
    found = {name: {method: [] for method in args.methods} for name in args.sets}
    for repetition in range(args.repeats):
        for name in args.sets:
            X, y = data[f"X_{name}"].astype(np.float64), data[f"y_{name}"]
            y = np.unique(y, return_inverse=True)[1]
            for method in args.methods:
                if method == GP and len(y) / 2 > MAX_GP_ROWS:
                    continue
                found[name][method].append(
                    results.get(
                        (name, method, repetition),
                        one_repetition,
                        X,
                        y,
                        method,
                        repetition,
                        results,
                    )
                )
    print_summary(found, args.methods)


if __name__ == "__main__":
    main()
