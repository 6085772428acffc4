r"""Finding a minimum by requests from a pool: what is found against how many were asked for.

1000 random points, 5 known at first, 40 requests of one; the regret is what is found less the
pool's minimum. Functions: the logarithm of Branin, Hartmann-6, Ackley-5, and a function on a line
with decoys, :math:`0.4 \sin 3x - \sum_k a_k e^{-(x - c_k)^2 / (2 w_k^2)}` on [-3, 3] with depths
a = 1.9, 2.1, 1.0, 3.5, centres c = -2.2, -0.8, 0.6, 1.9 and widths w = .4, .4, .3, .1. Inputs are
standardised on the pool, targets on what is known. All methods share pool and first points of a
seed; ``--few`` is the number of seeds of all but the filter and random search, which are cheap.
``--stored`` runs nothing and shows what ``--results`` has of all seeds::

    python examples/filter/minimum.py --seeds 30 --few 8 --acquisition thompson
"""

import warnings

import numpy as np
from _common import Clock, Results, arguments, new_figure, save, show
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from skbayes import (
    DeepEnsembleFilterRegressor,
    MCDropoutRegressor,
    SGHMCRegressor,
    SGLDRegressor,
)

POOL, FIRST, NOISE = 1000, 5, 0.1


def log_branin(X):
    """Of [0, 1]^2."""
    u, v = 15 * X[:, 0] - 5, 15 * X[:, 1]
    inner = v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6
    return np.log(inner**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(u) + 10)


def hartmann6(X):
    """Of [0, 1]^6."""
    A = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    P = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    inner = (A * (X[:, None] - P) ** 2).sum(-1)
    return -np.exp(-inner) @ np.array([1.0, 1.2, 3.0, 3.2])


def ackley5(X):
    """Of [-5, 10]^5, given in [0, 1]^5."""
    Z = 15 * X - 5
    root = np.sqrt((Z**2).mean(1))
    return 20 + np.e - 20 * np.exp(-0.2 * root) - np.exp(np.cos(2 * np.pi * Z).mean(1))


def decoys(X):
    """Of [0, 1], given for [-3, 3]."""
    x = 6 * X - 3
    depths, centres = [1.9, 2.1, 1.0, 3.5], [-2.2, -0.8, 0.6, 1.9]
    wells = np.exp(-((x - centres) ** 2) / (2 * np.array([0.4, 0.4, 0.3, 0.1]) ** 2))
    return 0.4 * np.sin(3 * x[:, 0]) - wells @ np.array(depths)


FUNCTIONS = {
    "branin": (log_branin, 2),
    "hartmann6": (hartmann6, 6),
    "ackley5": (ackley5, 5),
    "decoys": (decoys, 1),
}


def surrogates(seed):
    """Name -> regressor; those with ``warm_start`` go on from request to request."""
    net = {"hidden_layer_sizes": (50, 50), "noise_scale": NOISE, "random_state": seed}
    chains = {"n_chains": 10, "n_draws": 5, "n_warmup": 150, "thinning": 10, "warm_start": True}
    matern = Matern(np.ones(1), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1e-1))
    return {
        "filter": DeepEnsembleFilterRegressor(
            init_epochs=300, warm_epochs=60, warm_start=True, prior_scale=None, **net
        ),
        "cold ensemble": DeepEnsembleFilterRegressor(init_epochs=300, prior_scale=None, **net),
        "SGLD": SGLDRegressor(**chains, **net),
        "SGHMC": SGHMCRegressor(**chains, **net),
        "MC dropout": MCDropoutRegressor(n_draws=10, max_iter=300, **net),
        "Gaussian process": GaussianProcessRegressor(matern, random_state=seed),
        "random": None,
    }


def draws_of(model, X, rng):
    """Functions of the surrogate at the pool, one a row."""
    if isinstance(model, GaussianProcessRegressor):
        mean, covariance = model.predict(X, return_cov=True)
        # scikit-learn's sample_y takes a singular value decomposition, ten times slower
        root = np.linalg.cholesky(covariance + 1e-8 * np.eye(len(X)))
        return mean + rng.normal(size=(50, len(X))) @ root.T
    return model.sample_mean(X)


def utility(draws, best, acquisition, rng):
    """Larger is better; of a minimum."""
    mean, std = draws.mean(0), draws.std(0)
    if acquisition == "thompson":
        return -draws[rng.randint(len(draws))]
    if acquisition == "variance":
        return std
    if acquisition == "lcb":
        return 2 * std - mean
    improvement = np.maximum(best - draws, 0).mean(0)
    if improvement.max() > 0:
        return improvement
    # no member hopes for any: the logarithm of a Gaussian's still tells points apart
    z = (best - mean) / np.maximum(std, 1e-12)
    return norm.logcdf(z)


def search(function, name, seed, requests, acquisition):
    """What is written of a run: regret after every request, CPU seconds of training."""
    evaluate, dimension = FUNCTIONS[function]
    rng = np.random.RandomState(seed)
    pool = rng.uniform(size=(POOL, dimension))
    y = evaluate(pool)
    known = list(rng.permutation(POOL)[:FIRST])
    X = ((pool - pool.mean(0)) / pool.std(0)).astype(np.float64 if "Gauss" in name else np.float32)
    model, clock, regret = surrogates(seed)[name], Clock(), []
    if isinstance(model, GaussianProcessRegressor):
        model.kernel.set_params(
            k1__length_scale=np.ones(dimension), k1__length_scale_bounds=(0.05, 20.0)
        )
    for request in range(requests):
        rest = np.setdiff1d(np.arange(POOL), known)
        if model is None:
            pick = rng.choice(rest)
        else:
            centre, unit = y[known].mean(), y[known].std()
            target = (y[known] - centre) / unit
            if isinstance(model, GaussianProcessRegressor) and request % 4:
                fitted = model.kernel_
                model = GaussianProcessRegressor(fitted, optimizer=None)
            elif isinstance(model, GaussianProcessRegressor):
                model = GaussianProcessRegressor(model.kernel, random_state=seed)
            with clock():
                model.fit(X[known], target)
            draws = draws_of(model, X[rest], rng)
            pick = rest[np.argmax(utility(draws, target.min(), acquisition, rng))]
        known.append(pick)
        regret.append(y[known].min() - y.min())
    return {"seconds": clock.seconds, **{f"at_{k}": r for k, r in enumerate(regret, 1)}}


def main():
    """Print medians and quartiles, and draw them."""
    args = arguments(
        __doc__,
        seeds=30,
        few=0,
        requests=40,
        acquisition="thompson",
        functions=list(FUNCTIONS),
        methods=list(surrogates(0)),
        stored=False,
    )
    if args.requests < 15:
        raise SystemExit(f"--requests {args.requests} must be at least 15")
    warnings.simplefilter("ignore", ConvergenceWarning)

    def seeds_of(name):
        return args.seeds if name in ("filter", "random") or not args.few else args.few

    columns = [f"at_{k}" for k in range(1, args.requests + 1)]
    keys = ["function", "method", "acquisition", "seed"]
    results = Results(args.results, [*keys, "seconds", *columns], len(keys))
    figure, axes = new_figure(1, len(args.functions), 3.4)
    marks = [k for k in (15, 20, 30, 40) if k <= args.requests]
    for ax, function in zip(axes[0], args.functions, strict=True):
        regrets, seconds = {}, {}
        for name in args.methods:
            wanted = [(function, name, args.acquisition, seed) for seed in range(seeds_of(name))]
            if args.stored and any(tuple(map(str, key)) not in results.rows for key in wanted):
                continue
            runs = [
                results.get(key, search, function, name, key[-1], args.requests, args.acquisition)
                for key in wanted
            ]
            regrets[name] = np.array([[run[c] for c in columns] for run in runs])
            seconds[name] = np.mean([run["seconds"] for run in runs])
            low, middle, high = np.quantile(regrets[name], [0.25, 0.5, 0.75], axis=0)
            figures = ", ".join(
                f"{middle[k - 1]:.3f} [{low[k - 1]:.3f}, {high[k - 1]:.3f}]" for k in marks
            )
            print(
                f"{function:10} {name:17} {figures}; {seconds[name]:.2f} CPU s, n = {len(runs)}",
                flush=True,
            )
            number, color = np.arange(1, args.requests + 1), f"C{args.methods.index(name)}"
            ax.plot(number, middle, label=name, color=color)
            ax.fill_between(number, low, high, alpha=0.1, color=color)
        for other in ("SGLD", "cold ensemble", "random"):
            if other in regrets and "filter" in regrets:
                late = regrets["filter"][: len(regrets[other]), 14:], regrets[other][:, 14:]
                show(
                    f"{function}: filter - {other}, mean regret from 15 on",
                    *(values.mean(1) for values in late),
                )
        ax.set(title=function, xlabel="requests", ylabel="regret" if ax is axes[0, 0] else "")
    axes[0, 0].legend(fontsize="small")
    save(figure, args.out, "filter_minimum")


if __name__ == "__main__":
    main()
