"""Regression on the UCI sets with their published splits: test log-likelihood and RMSE.

One fixed configuration a method, none tuned per set: 50 ReLU units, features and targets
standardised on the training rows. Peers' figures are those published for the same splits
(Lakshminarayanan et al. 2017; Mukhoti, Stenetorp and Gal 2018).

Needs the environment variable SKBAYES_DATA (a folder with ``uci/*.npz``: X, y, perm, n_train).

    python examples/benchmarks/uci.py [--splits 5] [--sets yacht energy] [--methods SGHMC ...]
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.preprocessing import StandardScaler

from skbayes import (
    ConstantSGDRegressor,
    DeepEnsembleRegressor,
    MCDropoutRegressor,
    SGHMCRegressor,
)

SETS = ["yacht", "energy", "wine", "kin8nm", "naval"]
COMMON = {"hidden_layer_sizes": (50,), "normalize_y": True}
METHODS = {
    "DeepEnsemble": lambda: DeepEnsembleRegressor(**COMMON),
    "DeepEnsemble anchored": lambda: DeepEnsembleRegressor(**COMMON, anchored=True),
    "DeepEnsemble learned": lambda: DeepEnsembleRegressor(**COMMON, noise_scale="learned"),
    "MCDropout": lambda: MCDropoutRegressor(**COMMON),
    "ConstantSGD": lambda: ConstantSGDRegressor(**COMMON),
    "SGHMC": lambda: SGHMCRegressor(**COMMON),
    "SGHMC heteroscedastic": lambda: SGHMCRegressor(**COMMON, noise_scale="heteroscedastic"),
}
PUBLISHED = {  # log-likelihood: deep ensembles of five, MC dropout 2018
    "yacht": (-1.18, -1.25),
    "energy": (-1.38, -1.21),
    "wine": (-0.94, -0.93),
    "kin8nm": (1.20, 1.14),
    "naval": (5.63, 4.45),
}


def log_density(model, X, y):
    """Log density of the mixture of the draws' Gaussians."""
    mean, variance = model._mean_and_noise(X)  # (draws, rows)
    terms = -0.5 * ((y - mean) ** 2 / variance + np.log(2 * np.pi * variance))
    return logsumexp(terms, axis=0) - np.log(len(mean))


def main():
    """Print a table a set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    args = parser.parse_args()
    folder = os.environ.get("SKBAYES_DATA")
    if folder is None:
        print("SKBAYES_DATA is not set: it names the folder with the reference data")
        return
    torch.set_num_threads(1)
    for name in args.sets:
        data = np.load(Path(folder) / "uci" / f"{name}.npz", allow_pickle=True)
        ensembles, dropout = PUBLISHED[name]
        print(
            f"\n{name}: published log-likelihood {ensembles} (deep ensembles), {dropout} (dropout)"
        )
        n_splits = min(args.splits, len(data["perm"]))
        for method in args.methods:
            scores, errors, start = [], [], time.perf_counter()
            for split in range(n_splits):
                order, n = data["perm"][split], int(np.ravel(data["n_train"])[split])
                X, y = data["X"].astype(np.float32), data["y"].ravel()
                scaler = StandardScaler().fit(X[order[:n]])
                model = METHODS[method]().set_params(random_state=split)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(scaler.transform(X[order[:n]]), y[order[:n]])
                test = scaler.transform(X[order[n:]])
                scores.append(log_density(model, test, y[order[n:]]).mean())
                errors.append(np.sqrt(np.mean((model.predict(test) - y[order[n:]]) ** 2)))
            seconds = (time.perf_counter() - start) / n_splits
            deviation = np.std(scores, ddof=1) / n_splits**0.5 if n_splits > 1 else np.nan
            print(
                f"{method:24s} log-likelihood {np.mean(scores):7.3f} +- {deviation:.3f}   "
                f"RMSE {np.mean(errors):.4f}   {seconds:.1f} s a fit",
                flush=True,
            )


if __name__ == "__main__":
    main()
