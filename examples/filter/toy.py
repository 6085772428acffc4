"""Two moons and a spiral: where seven methods are uncertain, side by side.

The band of uncertainty should be thin in the data and fan out away from it. The last column is
Hamiltonian Monte Carlo, the reference here: the package has no NUTS, and its HMC is measured
against NUTS runs in ``docs/posterior.md``. The filter starts with a tenth of the rows and gets the
others in four rounds::

    python examples/filter/toy.py
"""

import warnings

import numpy as np
from _common import arguments, new_figure, save
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from skbayes import (
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    HMCClassifier,
    MCDropoutClassifier,
    SGLDClassifier,
)


def spiral(n, seed):
    """Two arms of noisy spirals."""
    rng = np.random.RandomState(seed)
    y = rng.randint(2, size=n)
    t = np.sqrt(rng.uniform(0.05, 1, size=n)) * 1.5 * np.pi
    arm = np.column_stack([np.cos(t + np.pi * y), np.sin(t + np.pi * y)]) * t[:, None]
    return scale(arm + 0.3 * rng.normal(size=(n, 2))), y


class Growing(DeepEnsembleFilterClassifier):
    """The filter, given a tenth of the rows and then the others in four rounds."""

    def fit(self, X, y):
        """Assimilate."""
        ends = np.round(np.array([0.1, 0.325, 0.55, 0.775]) * len(y)).astype(int)
        first, *parts = np.split(np.arange(len(y)), ends)
        super().fit(X[first], y[first])
        for part in parts:
            self.partial_fit(X[part], y[part])
        return self


def methods(seed):
    """Name -> classifier."""
    net = {"hidden_layer_sizes": (50,), "activation": "relu", "random_state": seed}
    flat = {**net, "prior_scale": None}  # as in the lecture: members may leave for other modes
    return {
        "one network": DeepEnsembleClassifier(n_members=1, max_iter=300, **flat),
        "MC dropout": MCDropoutClassifier(max_iter=300, **net),
        "SGLD": SGLDClassifier(n_chains=4, n_draws=25, n_warmup=1500, thinning=60, **net),
        "deep ensemble": DeepEnsembleClassifier(n_members=10, max_iter=300, **flat),
        "ensemble filter": Growing(n_members=10, init_epochs=300, warm_epochs=120, **flat),
        "filter, anchored": Growing(
            n_members=10, init_epochs=300, warm_epochs=120, anchored=True, **net
        ),
        "HMC": HMCClassifier(n_chains=2, n_draws=40, n_warmup=40, **net),
    }


def main():
    """Draw the figure, and print the uncertainty in the data and away from it."""
    args = arguments(__doc__, rows=100, seed=0)
    warnings.simplefilter("ignore", ConvergenceWarning)  # short runs, to look at
    X, y = make_moons(args.rows, noise=0.2, random_state=0)
    problems = {"two moons": (scale(X), y), "spiral": spiral(2 * args.rows, args.seed)}
    axis = np.linspace(-4, 4, 81)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2).astype(np.float32)
    names = list(methods(0))
    figure, axes = new_figure(2, len(names), 2.2)
    for row, (problem, (X, y)) in zip(axes, problems.items(), strict=True):
        X = X.astype(np.float32)
        near = np.sqrt(((grid[:, None] - X) ** 2).sum(-1)).min(1)
        radius = np.sqrt((grid**2).sum(1))
        for ax, (name, model) in zip(row, methods(args.seed).items(), strict=True):
            model.fit(X, y)
            total, _, epistemic = model.predict_uncertainty(grid)
            inside, outside = near < 0.25, (near > 1) & (radius > 3)
            print(
                f"{problem:10} {name:16} total uncertainty in the data {total[inside].mean():.3f},"
                f" away from it {total[outside].mean():.3f};"
                f" of the weights {epistemic[inside].mean():.3f}, {epistemic[outside].mean():.3f}"
            )
            picture = total.reshape(81, 81)
            ax.imshow(picture, origin="lower", extent=(-4, 4, -4, 4), vmin=0, vmax=np.log(2))
            ax.scatter(*X.T, c=np.where(y == 1, "w", "k"), s=3)
            ax.set(xticks=[], yticks=[], title=name)
        row[0].set_ylabel(problem)
    save(figure, args.out, "filter_toy")


if __name__ == "__main__":
    main()
