"""Images: walks between codes, reconstructions, and which pixels make an image anomalous.

    SKBAYES_DATA=/path/to/data python examples/images.py [--out docs/images]

On Fashion-MNIST where its file is found, else on scikit-learn's digits. Writes ``images_walks.png``
(an autoencoder of all classes: paths between two images each, and images with their
reconstructions) and ``images_anomalies.png`` (a detector that knows one class only: the images that
it finds oddest and least odd, with the contribution of every pixel to the score).
"""

import argparse
import os
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.datasets import load_digits

from skbayes import VAE, VAEAnomalyDetector

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def load():
    """Images, labels, shape, the class that is normal."""
    if "SKBAYES_DATA" not in os.environ:
        X, y = load_digits(return_X_y=True)
        return X.astype(np.float32), y, (8, 8), 0
    data = np.load(Path(os.environ["SKBAYES_DATA"]) / "images" / "fashion_mnist_12k5k.npz")
    X = data["X_train"].reshape(-1, 784).astype(np.float32)
    return X, data["y_train"], (28, 28), 9


def strip(ax, rows, shape, title, **kwargs):
    """Images side by side."""
    ax.imshow(np.hstack(rows.reshape(-1, *shape)), **{"cmap": "gray_r", **kwargs})
    ax.set_title(title, loc="left", fontsize=9)
    ax.axis("off")


def walks(X, y, shape, path, n_steps=12):
    rng = np.random.RandomState(0)
    rows = rng.permutation(len(X))[:3000]
    vae = VAE(32, image_shape=shape, max_iter=20, random_state=0).fit(X[rows])
    ends = [np.flatnonzero(y == label)[-1] for label in (0, 1, 5, 7, 8, 9)]
    shown = np.setdiff1d(np.arange(len(X)), rows)[:n_steps]
    fig, axes = plt.subplots(5, 1, figsize=(8.4, 4.6))
    for ax, (start, stop) in zip(axes[:3], zip(ends[::2], ends[1::2], strict=True), strict=True):
        path_of = vae.interpolate(X[start], X[stop], n_steps)
        strip(ax, path_of, shape, "" if ax is not axes[0] else "walks between two images")
    strip(axes[3], X[shown], shape, "images that were not trained on")
    strip(axes[4], vae.reconstruct(X[shown]), shape, "their reconstructions")
    fig.tight_layout(pad=0.3)
    fig.savefig(path, dpi=110)


def anomalies(X, y, shape, normal, path, n=8):
    own = np.flatnonzero(y == normal)
    detector = VAEAnomalyDetector(image_shape=shape, n_members=1, random_state=0)
    detector.fit(X[own[: len(own) * 3 // 4]])
    # held-out images of the class, and as many of others
    rest = own[len(own) * 3 // 4 :]
    others = np.flatnonzero(y != normal)[: len(rest)]
    candidates = np.concatenate([rest, others])
    scores = detector.score_samples(X[candidates])
    order = np.argsort(scores)
    oddest_own = [k for k in order if y[candidates[k]] == normal][: n // 2]
    typical = list(order[::-1][: n // 4])
    foreign = [k for k in order if y[candidates[k]] != normal][-(n // 4) :]
    shown = candidates[[*typical, *oddest_own, *foreign]]
    parts = detector.feature_contributions(X[shown])
    fig, axes = plt.subplots(3, 1, figsize=(8.4, 3.5))
    title = "most normal (2), oddest of the class (4), least odd of other classes (2)"
    strip(axes[0], X[shown], shape, title)
    strip(axes[1], detector.reconstruct(X[shown]), shape, "reconstructions")
    # against the mean of the most normal one: what is shown is what the others lose
    loss = parts - parts[:1].mean()
    bound = np.percentile(np.abs(loss), 99)
    title = "contributions: red speaks against the image"
    strip(axes[2], loss, shape, title, cmap="RdBu", vmin=-bound, vmax=bound)
    fig.tight_layout(pad=0.3)
    fig.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args()
    X, y, shape, normal = load()
    walks(X, y, shape, args.out / "images_walks.png")
    anomalies(X, y, shape, normal, args.out / "images_anomalies.png")


if __name__ == "__main__":
    main()
