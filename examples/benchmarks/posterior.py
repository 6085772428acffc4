"""How close samplers, ensembles and the rest come to the posterior.

The references are long NUTS runs (float64, 8 chains, R-hat below 1.006) of three small Bayesian
networks, one hidden layer of 50 tanh units, N(0, 1) prior on every weight and bias, likelihood
summed over the data. They are not part of the project: ``SKBAYES_DATA`` names the folder whose
``nuts_reference`` holds them. Everything runs on one thread::

    SKBAYES_DATA=... python examples/benchmarks/posterior.py

Nothing is tuned: eight chains, float32 input, parameters at their defaults but for the numbers of
steps (2000 epochs for the ensembles, which are then at their modes). Other packages are run where
they can be imported; where not, their rows show what was recorded earlier. ``--quick`` takes one
seed and a fifth of the steps, ``--methods SGLD laplace`` prints the rows whose names contain one of
the words.

Scores: *TV* is the mean over test rows of half the absolute difference of class probabilities;
*agreement* that of the most probable class; *std ratio* the median, over rows where it is above
.02, of the standard deviation of p(class 1) over draws by the reference's; *NLL* minus the mean
log predictive density of the test set, which the posterior itself does not minimise. Regression:
*grid TV* is the mean over a grid of the total variation distance between Gaussians with the
moments of a new observation, and std ratios are geometric means in the gap between the data, on
the data and outside.
"""

import argparse
import math
import sys
import time
import warnings

import numpy as np
import torch
from nuts_peers import PEERS
from nuts_problems import HIDDEN, N_CHAINS, NAN, PROBLEMS, Result, load, reference_row, scores_of
from sklearn.exceptions import ConvergenceWarning

import skbayes

ASKED = {
    "moons_h50": "HMC, SGHMC: TV at most .003 (SGHMC after 2500 steps too); SGLD: TV at most .006, "
    "std ratio .95 to 1.05 (.9 to 1.1 with minibatches of 32)",
    "iris4_h50": "HMC, SGHMC: TV at most .005; SGLD: TV at most .0075 (with minibatches: std ratio "
    ".9 to 1.1)",
    "gap1d_h50": "HMC, SGHMC: grid TV at most .03, std ratios .9 to 1.15",
}


def ours(prefix, **params):
    """A method of the package: (problem, seed, quick) -> Result."""

    def fit(problem, seed, quick):
        settings = dict(params)
        if prefix in SAMPLERS:
            settings["n_chains"] = N_CHAINS
        if quick:
            for key in {"n_warmup", "n_draws", "max_iter"} & set(settings):
                settings[key] //= 5
        if problem.regression:
            settings["noise_scale"] = problem.noise
        kind = "Regressor" if problem.regression else "Classifier"
        model = getattr(skbayes, prefix + kind)(
            (HIDDEN,), "tanh", random_state=seed, device="cpu", **settings
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            start = time.process_time()
            model.fit(problem.rows("train"), problem.y)
            seconds = time.process_time() - start
        return Result(
            model.sample_mean if problem.regression else model.sample_proba,
            seconds,
            getattr(model, "rhat_", math.nan),
            any(issubclass(w.category, ConvergenceWarning) for w in caught),
        )

    return fit


SAMPLERS = ("HMC", "SGHMC", "SGLD", "ConstantSGD")
# 10 000 steps a chain: warm-up and thinning are the defaults
SGHMC = {"n_warmup": 2000, "n_draws": 400, "thinning": 20}
SGLD = {"n_warmup": 1000, "n_draws": 450, "thinning": 20}
CYCLES = {"n_warmup": 1000, "n_draws": 336, "thinning": 20}  # a quarter of every cycle explores
EPOCHS = {"max_iter": 2000}
OURS = {
    "HMC, 50 + 100 trajectories": ours("HMC", n_warmup=50, n_draws=100),
    "SGHMC, 10 000 steps": ours("SGHMC", **SGHMC),
    "SGHMC, 2500 steps": ours("SGHMC", n_warmup=500, n_draws=200, thinning=10),
    "SGHMC, euler": ours("SGHMC", integrator="euler", **SGHMC),
    "SGHMC, minibatches of 32": ours("SGHMC", batch_size=32, **SGHMC),
    "SGLD, 10 000 steps": ours("SGLD", **SGLD),
    "SGLD, minibatches of 32": ours("SGLD", batch_size=32, **SGLD),
    "SGLD, rmsprop": ours("SGLD", preconditioner="rmsprop", **SGLD),
    "SGLD, polynomial": ours("SGLD", schedule="polynomial", **SGLD),
    "SGLD, cyclical": ours("SGLD", schedule="cyclical", **CYCLES),
    "constant SGD, diagonal": ours("ConstantSGD", **SGLD),
    "constant SGD, full": ours("ConstantSGD", preconditioner="full", **SGLD),
    "deep ensemble of 10": ours("DeepEnsemble", n_members=10, **EPOCHS),
    "deep ensemble of 10, anchored": ours("DeepEnsemble", n_members=10, anchored=True, **EPOCHS),
    "deep ensemble of 100, anchored": ours("DeepEnsemble", n_members=100, anchored=True, **EPOCHS),
    "dropout": ours("MCDropout", **EPOCHS),
    "single MAP": ours("DeepEnsemble", n_members=1, **EPOCHS),
}


def text_of(column, value):
    if math.isnan(value):
        return ""
    if column in ("TV", "grid TV", "test NLL"):
        return f"{value:.4f}"
    if column == "CPU s":
        return f"{value:.1f}"
    return f"{value:.3f}" if column in ("agreement", "R-hat") else f"{value:.2f}"


def print_row(name, columns, row):
    cells = [text_of(column, float(row.get(column, NAN))) for column in columns]
    cells.append(row.get("mark", ""))
    widths = [max(len(column), 6) for column in [*columns, "warned"]]
    padded = [f"{cell:>{width}s}" for cell, width in zip(cells, widths, strict=True)]
    print(f"| {name:56s} | {' | '.join(padded)} |", flush=True)


def measured_row(problem, fit, seeds, quick):
    rows, mark = [], ""
    for seed in seeds:
        try:
            result = fit(problem, seed, quick)
        except ValueError as error:  # diverged; it says so
            print(f"{problem.name}, seed {seed}: {error}", file=sys.stderr)
            return {"mark": "failed"}
        scores = scores_of(problem, result.sample)
        if result.only_mean:
            scores["std ratio"] = NAN
        rows.append({**scores, "R-hat": result.rhat, "CPU s": result.seconds})
        mark += "!" * result.warned
    return {**{key: np.mean([row[key] for row in rows]) for key in rows[0]}, "mark": mark}


def print_table(problem, seeds, quick, words):
    first = reference_row(problem)
    columns = [*first, "R-hat", "CPU s"]
    print(f"\n{problem.name}: {len(problem.y)} rows, mean of {len(seeds)} seed(s)\n")
    print(f"| {'method':56s} | {' | '.join(f'{c:>6s}' for c in [*columns, 'warned'])} |")
    print(f"| --- |{' --- |' * (len(columns) + 1)}")
    print_row("NUTS, the reference", columns, first)

    def wanted(name):
        return not words or any(word.lower() in name.lower() for word in words)

    for name, fit in OURS.items():
        if wanted(name):
            print_row(name, columns, measured_row(problem, fit, seeds, quick))
    for name, peer in PEERS.items():
        if not wanted(name) or (problem.regression and not peer.regression):
            continue
        if peer.installed():
            print_row(name, columns, measured_row(problem, peer.fit, seeds, quick))
        elif problem.name in peer.recorded:
            scores, seconds = peer.recorded[problem.name]
            row = {**dict(zip(first, scores, strict=True)), "CPU s": seconds}
            print_row(f"{name} (recorded)", columns, row)
        else:
            print_row(f"{name} (not available)", columns, {})
    print(f"Asked: {ASKED[problem.name]}.")


def main():
    parser = argparse.ArgumentParser(description="Our methods and others against NUTS.")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--quick", action="store_true", help="one seed, a fifth of the steps")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--methods", nargs="+", help="rows whose names contain one of the words")
    args = parser.parse_args()
    torch.set_num_threads(1)
    problems = [load(name) for name in args.problems]
    print("warned: a '!' for every seed whose fit warned, 'failed' where one raised an error")
    if args.quick:
        print("quick: a fifth of the steps that the names say")
    for problem in problems:
        seeds = range(1 if args.quick else args.seeds)
        print_table(problem, seeds, args.quick, args.methods)


if __name__ == "__main__":
    main()
