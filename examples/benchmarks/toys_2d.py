"""Densities of four toys in the plane: VAE beside scikit-learn's kernel density and mixture.

Held-out log-likelihood in nats a row, mean over seeds, and a picture::

    python examples/benchmarks/toys_2d.py [picture.png]

The toys are the ring f(z) = z / 10 + z / |z|, two moons, a grid of nine Gaussians and a plain one.
1000 rows to fit, 1000 to score. The bandwidth of the kernel density and the number of Gaussians are
chosen by cross-validation; the autoencoders have one setting for all toys.
"""

import sys
from itertools import product

import numpy as np
from sklearn.datasets import make_moons
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from skbayes import VAE

N, SEEDS = 1000, (0, 1, 2)


def ring(n, rng):
    z = rng.normal(size=(n, 2))
    return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True)


def moons(n, rng):
    return make_moons(n, noise=0.1, random_state=rng)[0]


def grid(n, rng):
    centres = np.array(list(product((-1.0, 0.0, 1.0), repeat=2)))
    return centres[rng.randint(9, size=n)] + 0.1 * rng.normal(size=(n, 2))


def gaussian(n, rng):
    return rng.normal(size=(n, 2)) @ [[1.0, 0.6], [0.0, 0.5]]


TOYS = {"ring": ring, "moons": moons, "grid": grid, "gaussian": gaussian}


def vae(seed, **params):
    params = {"kl_warm_up": 0.5, "learning_rate_init": 0.005, "max_iter": 300, **params}
    return VAE(2, (64, 64), n_importance=200, random_state=seed, **params)


MODELS = {
    "kernel density": lambda seed: GridSearchCV(
        KernelDensity(), {"bandwidth": np.geomspace(0.03, 0.5, 12)}
    ),
    "Gaussian mixture": lambda seed: GridSearchCV(
        GaussianMixture(random_state=seed), {"n_components": [1, 2, 4, 8, 12, 16]}
    ),
    "VAE": lambda seed: vae(seed),
    "VAE, mixture prior": lambda seed: vae(seed, prior="mixture", n_prior_components=16),
    "VAE, VampPrior": lambda seed: vae(seed, prior="vamp", n_prior_components=16),
    "VAE, decoded codes": lambda seed: vae(seed, beta=0.1, score_method="mixture"),
}


def picture(path, fitted):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(TOYS), len(MODELS), figsize=(2 * len(MODELS), 2 * len(TOYS)))
    for row, (toy, make) in zip(axes, TOYS.items(), strict=True):
        X = make(N, np.random.RandomState(0))
        low, high = X.min(0) - 0.3, X.max(0) + 0.3
        x, y = np.meshgrid(*[np.linspace(a, b, 80) for a, b in zip(low, high, strict=True)])
        points = np.c_[x.ravel(), y.ravel()]
        for axis, name in zip(row, MODELS, strict=True):
            density = np.exp(fitted[toy, name].score_samples(points)).reshape(x.shape)
            axis.contourf(x, y, density, levels=15, cmap="Blues")
            axis.plot(*X[:200].T, "k.", markersize=1)
            axis.set(xticks=[], yticks=[])
            if row is axes[0]:
                axis.set_title(name, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main():
    fitted = {}
    print("| toy | " + " | ".join(MODELS) + " |")
    print("| --- " * (len(MODELS) + 1) + "|")
    for toy, make in TOYS.items():
        cells = []
        for name, build in MODELS.items():
            scores = []
            for seed in SEEDS:
                rng = np.random.RandomState(seed)
                train, test = make(N, rng), make(N, rng)
                model = build(seed).fit(train)
                if seed == 0:
                    fitted[toy, name] = getattr(model, "best_estimator_", model)
                scores.append(np.mean(model.score_samples(test)))
            cells.append(f"{np.mean(scores):.3f}")
        print(f"| {toy} | " + " | ".join(cells) + " |", flush=True)
    if len(sys.argv) > 1:
        picture(sys.argv[1], fitted)


if __name__ == "__main__":
    main()
