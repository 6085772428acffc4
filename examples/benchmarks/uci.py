"""Regression on the UCI sets with their published splits: test log-likelihood and RMSE.

One fixed configuration a method, none tuned per set: 50 ReLU units, features and targets
standardised on the training rows, ten times the default warm-up for the samplers (the larger sets
are far from found after the default), 400 epochs of batches of 100 for the others. Differences are
paired by split. Peers' figures are those published for the same splits
(Lakshminarayanan et al. 2017; Mukhoti, Stenetorp and Gal 2018).

Needs the environment variable SKBAYES_DATA (a folder with ``uci/*.npz``: X, y, perm, n_train).
Fits that ``--out`` holds already are not done again.

    python examples/benchmarks/uci.py [--splits 20] [--sets yacht energy] [--methods SGHMC ...]
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from results import Results
from sklearn.preprocessing import StandardScaler

from skbayes import (
    ConstantSGDRegressor,
    DeepEnsembleRegressor,
    MCDropoutRegressor,
    SGHMCRegressor,
    SGLDRegressor,
)

SETS = ["yacht", "energy", "wine", "kin8nm", "naval"]
COMMON = {"hidden_layer_sizes": (50,), "normalize_y": True}
EPOCHS = {**COMMON, "max_iter": 400, "batch_size": 100}
STEPS = {**COMMON, "n_warmup": 20000}
METHODS = {
    "SGHMC": lambda: SGHMCRegressor(**STEPS),
    "SGHMC, default steps": lambda: SGHMCRegressor(**COMMON),
    "DeepEnsemble": lambda: DeepEnsembleRegressor(**EPOCHS),
    "DeepEnsemble, anchored": lambda: DeepEnsembleRegressor(**EPOCHS, anchored=True),
    "DeepEnsemble, adversarial": lambda: DeepEnsembleRegressor(**EPOCHS, adversarial_epsilon=0.01),
    "DeepEnsemble, one noise": lambda: DeepEnsembleRegressor(**EPOCHS, noise_scale="learned"),
    "MCDropout": lambda: MCDropoutRegressor(**EPOCHS),
    "ConstantSGD": lambda: ConstantSGDRegressor(**STEPS),
    "SGLD": lambda: SGLDRegressor(**STEPS),
}
RECOMMENDED = "SGHMC"
#: Log-likelihood of deep ensembles of five and of dropout, RMSE of dropout.
PUBLISHED = {
    "yacht": (-1.18, -1.25, 0.67),
    "energy": (-1.38, -1.21, 0.54),
    "wine": (-0.94, -0.93, 0.62),
    "kin8nm": (1.20, 1.14, 0.079),
    "naval": (5.63, 4.45, 0.001),
}
COLUMNS = ["set", "method", "split", "log_likelihood", "rmse", "coverage", "seconds", "warned"]


def one_fit(data, method, split, results):
    """Fit on a split, and score."""
    order, n = data["perm"][split], int(np.ravel(data["n_train"])[split])
    X, y = data["X"].astype(np.float32), data["y"].ravel()
    scaler = StandardScaler().fit(X[order[:n]])
    X, y = scaler.transform(X[order]), y[order]
    with warnings.catch_warnings(record=True) as caught, results.timed() as timed:
        warnings.simplefilter("always")
        model = METHODS[method]().set_params(random_state=split).fit(X[:n], y[:n])
    lower, upper = model.predict_interval(X[n:], 0.9)
    return {
        "log_likelihood": model.log_predictive_density(X[n:], y[n:]).mean(),
        "rmse": np.sqrt(np.mean((model.predict(X[n:]) - y[n:]) ** 2)),
        "coverage": np.mean((lower <= y[n:]) & (y[n:] <= upper)),
        "seconds": timed.seconds,
        "warned": len(caught),
    }


def print_table(name, rows):
    """Means over the splits of a set, with their standard errors."""
    published = PUBLISHED[name]
    print(f"\n{name}, {max((len(r) for r in rows.values()), default=0)} splits\n")
    print(
        "| method | log-likelihood | recommended minus it | RMSE | inside 90 % | s a fit "
        "| fits that warned |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for method, found in rows.items():
        if not found:
            continue
        cells = {c: np.array([r[c] for r in found]) for c in COLUMNS[3:]}
        error = {
            c: v.std(ddof=1) / len(v) ** 0.5 if len(v) > 1 else np.nan for c, v in cells.items()
        }
        paired = list(zip(rows.get(RECOMMENDED, []), found, strict=False))
        gap = np.array([a["log_likelihood"] - b["log_likelihood"] for a, b in paired])
        versus = ""
        if method != RECOMMENDED and len(gap) > 1:
            versus = f"{gap.mean():.3f} ± {gap.std(ddof=1) / len(gap) ** 0.5:.3f}"
        print(
            f"| {method} | {cells['log_likelihood'].mean():.3f} ± {error['log_likelihood']:.3f} "
            f"| {versus} "
            f"| {cells['rmse'].mean():.4f} ± {error['rmse']:.4f} | {cells['coverage'].mean():.3f} "
            f"| {cells['seconds'].mean():.1f} | {np.mean(cells['warned'] > 0):.2f} |"
        )
    print(f"| published: deep ensembles of 5 | {published[0]} | | | | | |")
    print(f"| published: dropout | {published[1]} | | {published[2]} | | | |", flush=True)


def main():
    """Print a table a set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--out", help="CSV file to which every fit is written")
    args = parser.parse_args()
    folder = os.environ.get("SKBAYES_DATA")
    if folder is None:
        print("SKBAYES_DATA is not set: it names the folder with the reference data")
        return
    torch.set_num_threads(1)
    results = Results(args.out, COLUMNS, n_keys=3)
    for name in args.sets:
        data = np.load(Path(folder) / "uci" / f"{name}.npz", allow_pickle=True)
        rows = {}
        for method in args.methods:
            rows[method] = [
                results.get((name, method, split), one_fit, data, method, split, results)
                for split in range(min(args.splits, len(data["perm"])))
            ]
        print_table(name, rows)


if __name__ == "__main__":
    main()
