"""How close the samplers come to the posterior, and what their steps cost.

The references are long NUTS runs (float64, 8 chains, R-hat below 1.006) of three small Bayesian
networks, one hidden layer of 50 tanh units, N(0, 1) prior on every weight and bias, likelihood
summed over the data. They are not part of the project: ``SKBAYES_DATA`` names the folder whose
``nuts_reference`` holds them. Everything runs on one thread::

    SKBAYES_DATA=... python examples/benchmarks/posterior.py

Nothing is tuned: eight chains, float32 input, parameters at their defaults but for the numbers of
steps (2000 epochs for the ensembles, which are then at their modes). Other packages are run where
they can be imported; where not, their rows show what was recorded earlier. ``--quick`` takes one
seed and a fifth of the steps, ``--only cost`` prints the cost of a step alone, ``--methods SGLD
laplace`` the rows whose names contain one of the words.

Scores: *TV* is the mean over test rows of half the absolute difference of class probabilities;
*agreement* that of the most probable class; *std ratio* the median, over rows where it is above
.02, of the standard deviation of p(class 1) over draws by the reference's; *NLL* minus the mean
log predictive density of the test set, which the posterior itself does not minimise. Regression:
*grid TV* is the mean over a grid of the total variation distance between Gaussians with the
moments of a new observation, and std ratios are geometric means in the gap between the data, on
the data and outside.
"""

import argparse
import importlib
import math
import os
import sys
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from torch.nn import functional as F

import skbayes
from skbayes.diagnostics import rhat

N_CHAINS, HIDDEN = 8, 50
PROBLEMS = ("moons_h50", "iris4_h50", "gap1d_h50")
ASKED = {
    "moons_h50": "HMC, SGHMC: TV at most .003 (SGHMC after 2500 steps too); SGLD: TV at most .006, "
    "std ratio .95 to 1.05 (.9 to 1.1 with minibatches of 32)",
    "iris4_h50": "HMC, SGHMC: TV at most .005; SGLD: TV at most .0075 (with minibatches: std ratio "
    ".9 to 1.1)",
    "gap1d_h50": "HMC, SGHMC: grid TV at most .03, std ratios .9 to 1.15",
}


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


# -- scores -------------------------------------------------------------------------------------


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


# -- methods ------------------------------------------------------------------------------------


@dataclass
class Result:
    """What a fit gave: draws of predictions, seconds, and whether it warned."""

    sample: object
    seconds: float
    rhat: float = math.nan
    warned: bool = False
    only_mean: bool = False


def ours(prefix, **params):
    """A method of the package: (problem, seed, quick) -> Result."""

    def fit(problem, seed, quick):
        settings = {"n_chains": N_CHAINS, **params}
        if prefix == "DeepEnsembleFilter":
            del settings["n_chains"]
        if quick:
            for key in {"n_warmup", "n_draws", "init_epochs"} & set(settings):
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


# 10 000 steps a chain: warm-up and thinning are the defaults
SGHMC = {"n_warmup": 2000, "n_draws": 400, "thinning": 20}
SGLD = {"n_warmup": 1000, "n_draws": 450, "thinning": 20}
CYCLES = {"n_warmup": 1000, "n_draws": 336, "thinning": 20}  # a quarter of every cycle explores
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
    "deep ensemble of 10": ours("DeepEnsembleFilter", n_members=10, init_epochs=2000),
    "single MAP": ours("DeepEnsembleFilter", n_members=1, init_epochs=2000),
}


# -- other packages -----------------------------------------------------------------------------


def bde(problem, seed, quick):
    """sklearn-contrib-bde with the steps of its own regression example; it knows no tanh."""
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
    import jax
    from bde import BdeClassifier
    from bde.models import Fnn

    Fnn._get_activation = staticmethod(lambda name: jax.numpy.tanh)
    share = 5 if quick else 1
    model = BdeClassifier(
        n_members=N_CHAINS,
        hidden_layers=[HIDDEN],
        seed=seed,
        epochs=1000,
        patience=10,
        warmup_steps=5000 // share,
        n_samples=2000 // share,
        n_thinning=2,
    )
    X = problem.rows("train")
    start = time.process_time()
    model.fit(X, problem.y.astype(np.int32))
    jax.block_until_ready(model.positions_eT_)
    seconds = time.process_time() - start

    def proba(rows):
        return np.asarray(jax.nn.softmax(model.predict(rows, raw=True), axis=-1))

    def sample(rows):
        draws = proba(rows)
        return draws.reshape(-1, *draws.shape[2:])

    return Result(sample, seconds, rhat_of(proba(X)[..., 0]))


def stacked_weights(n_features, n_outputs, n_chains, seed):
    """Weights of all chains, drawn as torch.nn.Linear draws its own."""
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for n_in, n_out in ((n_features, HIDDEN), (HIDDEN, n_outputs)):
        for shape in ((n_chains, n_in, n_out), (n_chains, 1, n_out)):
            values = torch.empty(shape).uniform_(-1.0, 1.0, generator=generator)
            weights.append(values.div_(n_in**0.5).requires_grad_())
    return weights


def forward(weights, X):
    """Outputs of the two layers of all chains; X of shape (chains, rows, features)."""
    w1, b1, w2, b2 = weights
    return torch.baddbmm(b2, torch.tanh(torch.baddbmm(b1, X, w1)), w2)


def summed_loss(problem, output, y):
    """Negative log-likelihood, summed over rows and chains."""
    if problem.regression:
        return (output[..., 0] - y).square().sum() / (2.0 * problem.noise**2)
    return F.cross_entropy(output.reshape(-1, output.shape[-1]), y.reshape(-1), reduction="sum")


def as_tensors(problem, n_chains):
    X = torch.from_numpy(problem.rows("train"))
    y = torch.as_tensor(problem.y, dtype=torch.float32 if problem.regression else torch.int64)
    return X.expand(n_chains, *X.shape), y.expand(n_chains, *y.shape).contiguous()


def torch_uncertainty(problem, seed, quick, **options):
    """torch-uncertainty's SGLD on the right potential: summed loss, weight_decay=1.

    Its update is elementwise, so that the chains can be stacked.
    """
    from torch_uncertainty.optim.sgld import SGLD

    weights = stacked_weights(problem.rows("train").shape[1], problem.n_outputs, N_CHAINS, seed)
    X, y = as_tensors(problem, N_CHAINS)
    torch.manual_seed(seed)  # it draws its noise from the global state
    optimizer = SGLD(weights, weight_decay=1.0, **options)
    kept = []
    share = 5 if quick else 1
    start = time.process_time()
    for step in range(10000 // share):
        optimizer.zero_grad()
        summed_loss(problem, forward(weights, X), y).backward()
        optimizer.step()
        if step >= 2000 // share and step % 20 == 19:
            kept.append([p.detach().clone() for p in weights])
    seconds = time.process_time() - start

    def values(rows):
        rows = torch.from_numpy(rows).expand(N_CHAINS, *rows.shape)
        draws = torch.stack([forward(draw, rows) for draw in kept], dim=1)
        return draws[..., 0] if problem.regression else torch.softmax(draws, -1)

    on_train = values(problem.rows("train"))
    if not bool(on_train.isfinite().all()):
        raise ValueError("diverged")
    largest = rhat_of(on_train if problem.regression else on_train[..., 0])
    return Result(lambda rows: values(rows).flatten(0, 1), seconds, largest)


def laplace(problem, seed, quick, link):
    """laplace-torch at the mode: all weights, full Hessian, linearised network.

    Class probabilities by its default, the probit approximation (mean only), or sampled.
    """
    from laplace import Laplace

    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(problem.rows("train").shape[1], HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Linear(HIDDEN, problem.n_outputs),
    )
    X, y = (values[0] for values in as_tensors(problem, 1))
    start = time.process_time()
    n_steps = 1000 if quick else 5000
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        optimizer.zero_grad()
        prior = sum(p.square().sum() for p in model.parameters()) / 2.0
        (summed_loss(problem, model(X)[None], y[None]) + prior).backward()
        optimizer.step()
        decay.step()
    data = torch.utils.data.TensorDataset(X, y[:, None] if problem.regression else y)
    settings = {"subset_of_weights": "all", "hessian_structure": "full", "prior_precision": 1.0}
    if problem.regression:
        settings["sigma_noise"] = problem.noise
    fitted = Laplace(model, "regression" if problem.regression else "classification", **settings)
    fitted.fit(torch.utils.data.DataLoader(data, batch_size=len(X)))
    seconds = time.process_time() - start

    def sample(rows):
        rows = torch.from_numpy(rows)
        if not problem.regression and link == "probit":
            return fitted(rows).detach()[None]
        if not problem.regression:
            return fitted.predictive_samples(rows, pred_type="glm", n_samples=1000)
        mean, variance = (values.detach().flatten().numpy() for values in fitted(rows))
        # Gaussian at every point: its quantiles stand for draws
        scores = norm.ppf((np.arange(1000) + 0.5) / 1000)
        return mean + np.sqrt(variance) * (scores / scores.std())[:, None]

    return Result(sample, seconds, only_mean=link == "probit")


@dataclass(frozen=True)
class Peer:
    """Another package's method, and what it scored when it was last installed.

    ``recorded`` holds, by problem, the columns of the table up to the NLL, and the seconds.
    ``regression`` tells whether it can be run with a known noise.
    """

    module: str
    fit: object
    recorded: dict
    regression: bool = True

    def installed(self):
        try:
            importlib.import_module(self.module)
        except ImportError:
            return False
        except Exception as error:  # installed, but broken
            print(f"{self.module} cannot be imported: {error}", file=sys.stderr)
            return False
        return True


NAN = math.nan
PEERS = {
    "sklearn-contrib-bde (tanh patched in)": Peer(
        "bde", bde, {"moons_h50": ((0.0062, 0.996, NAN, 0.1437), 23.0)}, regression=False
    ),
    "torch-uncertainty's SGLD, defaults": Peer(
        "torch_uncertainty.optim.sgld",
        torch_uncertainty,
        {"moons_h50": ((0.0203, 0.992, 0.05, 0.158), NAN)},
    ),
    "torch-uncertainty's SGLD, noise_factor=1": Peer(
        "torch_uncertainty.optim.sgld", partial(torch_uncertainty, noise_factor=1.0), {}
    ),
    "laplace-torch, full, probit": Peer(
        "laplace",
        partial(laplace, link="probit"),
        {"moons_h50": ((0.069, 0.994, NAN, 0.208), 0.4)},
        regression=False,
    ),
    "laplace-torch, full, sampled": Peer(
        "laplace",
        partial(laplace, link="sampled"),
        {"gap1d_h50": ((0.305, 0.51, 0.91, 0.77, -0.809), NAN)},
    ),
}


# -- tables -------------------------------------------------------------------------------------


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
        ensemble = name in ("deep ensemble of 10", "single MAP")
        if wanted(name) and not (ensemble and problem.regression):
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


# -- cost ---------------------------------------------------------------------------------------


def hand_written(problem, n_steps, step, *, underdamped):
    """The loop that a user would write: chains stacked, autograd, Langevin or BAOAB steps."""
    generator = torch.Generator().manual_seed(0)
    n_features = problem.rows("train").shape[1]
    weights = stacked_weights(n_features, problem.n_outputs, N_CHAINS, 0)
    X, y = as_tensors(problem, N_CHAINS)
    noise = torch.empty(sum(p.numel() for p in weights))
    sizes, shapes = [p.numel() for p in weights], [p.shape for p in weights]

    def shaped(flat):
        return [piece.view(s) for piece, s in zip(flat.split(sizes), shapes, strict=True)]

    velocity = torch.empty_like(noise).normal_(generator=generator)
    friction = 1.0
    decay, spread = math.exp(-friction * step), math.sqrt(-math.expm1(-2.0 * friction * step))
    noise_pieces, velocity_pieces = shaped(noise), shaped(velocity)
    positions = [p.detach() for p in weights]
    draws = []
    for t in range(n_steps):
        for p in weights:
            p.grad = None
        summed_loss(problem, forward(weights, X), y).backward()
        with torch.no_grad():
            gradient = [p.grad for p in weights]
            torch._foreach_add_(gradient, positions)  # the N(0, 1) prior's part
            noise.normal_(generator=generator)
            if underdamped:  # kick, drift, noise, drift
                torch._foreach_add_(velocity_pieces, gradient, alpha=-step)
                torch._foreach_add_(positions, velocity_pieces, alpha=0.5 * step)
                velocity.mul_(decay).add_(noise, alpha=spread)
                torch._foreach_add_(positions, velocity_pieces, alpha=0.5 * step)
            else:
                torch._foreach_add_(positions, gradient, alpha=-0.5 * step)
                torch._foreach_add_(positions, noise_pieces, alpha=step**0.5)
            if t % 20 == 19:
                draws.append([p.clone() for p in positions])
    return draws


def best_of(contenders, rounds):
    """Best CPU seconds of each, measured in turn."""
    best = dict.fromkeys(contenders, math.inf)
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def print_cost(problem, quick):
    share = 5 if quick else 1
    n_steps = 10000 // share
    contenders, ratios = {}, []
    for prefix, params, step in (("SGLD", SGLD, 3e-3), ("SGHMC", SGHMC, 0.045)):
        for n_chains in (N_CHAINS, 1):
            fit = ours(prefix, **{**params, "n_chains": n_chains})
            contenders[f"{prefix}, fit, chains: {n_chains}"] = partial(fit, problem, 0, quick)
        loop = f"{prefix}, hand-written loop, chains: {N_CHAINS}"
        contenders[loop] = partial(
            hand_written, problem, n_steps, step, underdamped=prefix == "SGHMC"
        )
        eight = f"{prefix}, fit, chains: {N_CHAINS}"
        ratios.append((eight, loop, "at most 1.2"))
        ratios.append((eight, f"{prefix}, fit, chains: 1", "at most 2.5"))
    seconds = best_of(contenders, 3)
    peer = PEERS["sklearn-contrib-bde (tanh patched in)"]
    if peer.installed():
        name = "sklearn-contrib-bde, fit, chains: 8"
        seconds[name] = peer.fit(problem, 0, quick).seconds
        ratios += [(f"{p}, fit, chains: {N_CHAINS}", name, "below 1") for p in ("SGLD", "SGHMC")]
    print(f"\nCost on {problem.name}, {n_steps} steps of all rows, best of three in turn\n")
    print(f"| {'run':44s} |  CPU s |")
    print("| --- | --- |")
    for name, value in seconds.items():
        print(f"| {name:44s} | {value:6.2f} |")
    print(f"\n| {'ratio':74s} | measured | asked |")
    print("| --- | --- | --- |")
    for name, other, asked in ratios:
        print(f"| {name + ' / ' + other:74s} | {seconds[name] / seconds[other]:8.2f} | {asked} |")


def main():
    parser = argparse.ArgumentParser(description="Samplers against NUTS, and their cost.")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--quick", action="store_true", help="one seed, a fifth of the steps")
    parser.add_argument("--only", choices=["tables", "cost"], help="one part of the output")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--methods", nargs="+", help="rows whose names contain one of the words")
    args = parser.parse_args()
    torch.set_num_threads(1)
    problems = [load(name) for name in args.problems]
    if args.only != "cost":
        print("warned: a '!' for every seed whose fit warned, 'failed' where one raised an error")
        if args.quick:
            print("quick: a fifth of the steps that the names say")
        for problem in problems:
            seeds = range(1 if args.quick else args.seeds)
            print_table(problem, seeds, args.quick, args.methods)
    if args.only != "tables":
        print_cost(load("moons_h50"), args.quick)


if __name__ == "__main__":
    main()
