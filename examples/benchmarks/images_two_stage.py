"""Two stages against one: can a classifier tell draws from held-out rows?

    SKBAYES_DATA=/path/to/data python examples/benchmarks/images_two_stage.py [--only toy digits]
        [--out CSV] [--page PNG]

A random forest is trained on half of the draws and of as many held-out rows, and tested on the
other halves: accuracy .5 means that it cannot tell them apart. It sees the features, and (of
images) the first 30 principal components of training rows, where blur does not betray a draw at
once. The first line, training rows against held-out rows, is the best that there is. Fashion-MNIST
takes part where its file is found. ``--page`` draws a page of samples.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from results import Results
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier

from skbayes import VAE, TwoStageVAE

COLUMNS = ["data", "draws", "features", "components", "gamma", "fit"]
MAX_TEST = 1000


def toy():
    """A curved sheet in ten dimensions, on which rows are more frequent at the edges."""
    rng = np.random.RandomState(0)
    t = 3 * rng.beta(0.5, 0.5, size=(4000, 2))
    curve = np.column_stack([np.cos(t[:, 0]), np.sin(t[:, 0]), np.cos(2 * t[:, 1]), t[:, 1]])
    X = (curve @ rng.normal(size=(4, 10))).astype(np.float32)
    return X[:2000], X[2000:], {"n_components": 4}


def digits():
    X = np.random.RandomState(0).permutation(load_digits().data).astype(np.float32)
    return X[:1000], X[1000:], {"image_shape": (8, 8), "n_components": 16}


def fashion():
    data = np.load(Path(os.environ["SKBAYES_DATA"]) / "images" / "fashion_mnist_12k5k.npz")
    X, held_out = (data[name].reshape(-1, 784).astype(np.float32) for name in ("X_train", "X_test"))
    return X, held_out, {"image_shape": (28, 28), "n_components": 32}


SETS = {"toy": toy, "digits": digits, "fashion": fashion}


def accuracy(drawn, held_out):
    """Of a forest on halves that it has not seen."""
    half = len(drawn) // 2
    y = np.repeat([0, 1], half)
    forest = RandomForestClassifier(random_state=0)
    forest.fit(np.vstack([drawn[:half], held_out[:half]]), y)
    return forest.score(np.vstack([drawn[half : 2 * half], held_out[half : 2 * half]]), y)


class Models:
    """The fitted models of a set, each when it is first asked for."""

    def __init__(self, X, params):
        self.X, self.params, self.fitted = X, params, {}

    def get(self, kind):
        if kind not in self.fitted:
            model = kind(random_state=0, **self.params)
            if kind is VAE:
                model.set_params(noise="shared")
            with Results.timed() as fit:
                model.fit(self.X)
            self.fitted[kind] = model, fit.seconds
        return self.fitted[kind]

    def draws(self, n):
        """Name -> what makes (rows, output scale, CPU seconds of the fit)."""

        def sampled(kind, add_noise):
            model, seconds = self.get(kind)
            rows = model.sample(n, random_state=0, add_noise=add_noise)
            return rows, np.sqrt(model.noise_variance_.mean()), seconds

        def first_stage():
            model, seconds = self.get(TwoStageVAE)
            codes = np.random.RandomState(0).normal(size=(n, model.n_components_))
            return model.inverse_transform(codes), np.sqrt(model.noise_variance_.mean()), seconds

        def training_rows():
            return np.random.RandomState(0).permutation(self.X)[:n], np.nan, 0.0

        return {
            "training rows": training_rows,
            "VAE, means": lambda: sampled(VAE, False),
            "VAE, with noise": lambda: sampled(VAE, True),
            "first stage alone": first_stage,
            "two stages": lambda: sampled(TwoStageVAE, False),
            "two stages, with noise": lambda: sampled(TwoStageVAE, True),
        }


def measure(make, X, held_out, is_image):
    rows, gamma, seconds = make()
    held_out = held_out[: len(rows)]
    result = {"features": accuracy(rows, held_out), "gamma": gamma / X.std(), "fit": seconds}
    result["components"] = np.nan
    if is_image:
        pca = PCA(30, random_state=0).fit(X)
        result["components"] = accuracy(pca.transform(rows), pca.transform(held_out))
    return result


def page(models, shape, path, n=14):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    draws = models.draws(n)
    kinds = ["training rows", "VAE, means", "first stage alone", "two stages"]
    fig, axes = plt.subplots(len(kinds), 1, figsize=(n * 0.7, len(kinds) * 0.85))
    for ax, kind in zip(axes, kinds, strict=True):
        images = draws[kind]()[0].reshape(n, *shape)
        ax.imshow(np.hstack(images), cmap="gray_r", vmin=0, vmax=models.X.max())
        ax.set_title(kind, loc="left", fontsize=9)
        ax.axis("off")
    fig.tight_layout(pad=0.3)
    fig.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--out", help="CSV to take up and to write")
    parser.add_argument("--page", help="file of a page of samples, of the last set of images")
    args = parser.parse_args()
    torch.set_num_threads(1)
    results = Results(args.out, COLUMNS, 2)
    for name in args.only:
        if name == "fashion" and "SKBAYES_DATA" not in os.environ:
            continue
        X, held_out, params = SETS[name]()
        n = min(MAX_TEST, len(X), len(held_out)) // 2 * 2
        models, shape = Models(X, params), params.get("image_shape")
        for kind, make in models.draws(n).items():
            results.get((name, kind), measure, make, X, held_out, shape is not None)
        if args.page and shape is not None:
            page(models, shape, args.page)
    print("| data | draws | accuracy, features | components | scale of noise | fit, CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for (name, kind), row in results.rows.items():
        cells = [f"{row[c]:.3f}".replace("nan", "") for c in COLUMNS[2:5]]
        print(f"| {name} | {kind} | {' | '.join(cells)} | {row['fit']:.0f} |")


if __name__ == "__main__":
    main()
