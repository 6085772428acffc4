"""Three small posteriors with a long NUTS run each, and what tells how close others come."""

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm

from skbayes.diagnostics import rhat

N_CHAINS, HIDDEN = 8, 50
PROBLEMS = ("moons_h50", "iris4_h50", "gap1d_h50")
NAN = math.nan


@dataclass(frozen=True)
class Problem:
    """A reference and what to fit."""

    name: str
    reference: dict

    @property
    def regression(self):
        return "sigma" in self.reference

    @property
    def noise(self):
        return float(self.reference["sigma"])

    @property
    def n_outputs(self):
        return 1 if self.regression else self.reference["test_proba"].shape[1]

    def rows(self, part):
        return self.reference[f"X_{part}"].astype(np.float32)

    @property
    def y(self):
        return self.reference["y_train"]


def load(name):
    folder = os.environ.get("SKBAYES_DATA")
    if not folder:
        sys.exit(
            "SKBAYES_DATA is not set: it must name the folder whose nuts_reference holds the "
            "reference runs, which are not part of the project."
        )
    with np.load(Path(folder) / "nuts_reference" / f"{name}.npz", allow_pickle=True) as file:
        return Problem(name, {key: file[key] for key in file.files})


def classification_scores(reference, draws):
    """Scores of probabilities of shape (draws, test rows, classes)."""
    p, nuts = draws.mean(0), reference["test_proba"]
    std = reference["test_proba_std"][:, 1]
    wide = std > 0.02
    truth = p[np.arange(len(p)), reference["y_test"].astype(int)]
    return {
        "TV": np.abs(p - nuts).sum(1).mean() / 2,
        "agreement": (p.argmax(1) == nuts.argmax(1)).mean(),
        "std ratio": np.median(draws[:, wide, 1].std(0) / std[wide]),
        "test NLL": -np.log(np.clip(truth, 1e-12, 1.0)).mean(),
    }


def gaussian_distance(mean, std, other_mean, other_std):
    """Total variation distance of pairs of Gaussians, averaged."""
    v = np.linspace(-15, 15, 6001)
    pairs = zip(mean, std, other_mean, other_std, strict=True)
    return np.mean(
        [
            np.abs(norm.pdf(v, a, s) - norm.pdf(v, b, t)).sum() * (v[1] - v[0]) / 2
            for a, s, b, t in pairs
        ]
    )


def regression_scores(reference, on_grid, on_test):
    """Scores of functions without noise, of shape (draws, grid) and (draws, test rows)."""
    noise = float(reference["sigma"])
    mean, std = on_grid.mean(0), on_grid.std(0)
    tv = gaussian_distance(
        mean,
        np.hypot(std, noise),
        reference["grid_mean"],
        np.hypot(reference["grid_std"], noise),
    )
    log_ratio = np.log(np.maximum(std, 1e-9) / reference["grid_std"])
    x = np.abs(reference["X_grid"][:, 0])

    def ratio(where):
        return np.exp(log_ratio[where].mean())

    log_density = norm.logpdf(reference["y_test"], on_test, noise)
    largest = log_density.max(0)
    nll = -(largest + np.log(np.exp(log_density - largest).mean(0))).mean()
    return {
        "grid TV": tv,
        "std gap": ratio(x < 0.65),
        "std data": ratio((x > 0.75) & (x < 2)),
        "std outside": ratio(x > 2.2),
        "test NLL": nll,
    }


def scores_of(problem, sample):
    """Scores of a function that maps rows to draws."""
    test = np.asarray(sample(problem.rows("test")), dtype=np.float64)
    if not problem.regression:
        return classification_scores(problem.reference, test)
    grid = np.asarray(sample(problem.rows("grid")), dtype=np.float64)
    return regression_scores(problem.reference, grid, test)


def reference_row(problem):
    """The reference's own row: the distance is that between the halves of its chains."""
    z = problem.reference
    if not problem.regression:
        tv = {"TV": z["test_tv_split_mean"], "agreement": 1.0, "std ratio": 1.0}
        return {**tv, "test NLL": z["test_nll"]}
    halves = []
    for half in (slice(0, 4), slice(4, 8)):
        means, stds = z["grid_mean_chain"][half], z["grid_std_chain"][half]
        variance = (stds**2).mean(0) + means.var(0) + problem.noise**2
        halves += [means.mean(0), np.sqrt(variance)]
    ratios = {"std gap": 1.0, "std data": 1.0, "std outside": 1.0}
    return {"grid TV": gaussian_distance(*halves), **ratios, "test NLL": z["test_nll"]}


def rhat_of(draws):
    """R-hat that 99 % of functions stay below; draws of shape (chains, draws, rows)."""
    return float(np.quantile(rhat(np.asarray(draws, dtype=np.float64)), 0.99))


@dataclass
class Result:
    """What a fit gave: draws of predictions, seconds, and whether it warned."""

    sample: object
    seconds: float
    rhat: float = math.nan
    warned: bool = False
    only_mean: bool = False
