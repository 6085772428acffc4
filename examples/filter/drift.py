"""A slowly rotating boundary: the filter against cold retraining, a hot start and SGDClassifier.

Every step brings 20 rows of two classes whose boundary turns by a constant angle; the log loss is
that of 500 fresh rows of the same step. Most networks see a window of the last 200 rows
(``warm_start=True``). "Replay" and "forgetting" are ``partial_fit``: a reservoir of 200 rows of all
ages, and rows whose weight every step multiplies by .8, 100 rows in the long run::

    python examples/filter/drift.py --seeds 8 --steps 60
"""

import warnings

import numpy as np
from _common import Clock, Results, arguments, new_figure, save, show
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

from skbayes import DeepEnsembleFilterClassifier

ROWS, WINDOW = 20, 200
NETS = {
    "filter": {"warm_start": True},
    "hot start": {"warm_start": True, "inflation": None},
    "cold ensemble": {},
}
FED = {
    "filter, replay": {"replay_size": WINDOW},
    "filter, forgetting": {"forgetting_factor": 0.8},
    "hot start, forgetting": {"forgetting_factor": 0.8, "inflation": None},
}


def rows_of(angle, n, rng):
    """Rows and labels where the boundary has turned by an angle; it is bent, and noisy."""
    X = rng.normal(size=(n, 2))
    u = np.array([np.cos(angle), np.sin(angle)])
    height = X @ u + 0.5 * np.sin(2 * (X @ np.array([-u[1], u[0]])))
    return X.astype(np.float32), (height + 0.2 * rng.normal(size=n) > 0).astype(int)


def run(seed, n_steps, turn):
    """What is written of a run: log losses of every method, and CPU seconds of training."""
    rng = np.random.RandomState(seed)
    nets, fed = (
        {
            name: DeepEnsembleFilterClassifier((50,), n_members=5, random_state=seed, **params)
            for name, params in group.items()
        }
        for group in (NETS, FED)
    )
    fed["SGDClassifier"] = SGDClassifier(loss="log_loss", random_state=seed)
    names = [*nets, *fed]
    losses, clocks = {name: [] for name in names}, {name: Clock() for name in names}
    X, y = np.empty((0, 2), np.float32), np.empty(0, int)
    for step in range(n_steps):
        new_X, new_y = rows_of(turn * step, ROWS, rng)
        X, y = np.concatenate([X, new_X])[-WINDOW:], np.concatenate([y, new_y])[-WINDOW:]
        test_X, test_y = rows_of(turn * step, 500, rng)
        for name, net in nets.items():
            with clocks[name]():
                net.fit(X, y)
        for name, model in fed.items():
            with clocks[name]():
                model.partial_fit(new_X, new_y, classes=[0, 1])
        for name, model in {**nets, **fed}.items():
            losses[name].append(log_loss(test_y, model.predict_proba(test_X), labels=[0, 1]))
    late = {f"late {name}": np.mean(values[10:]) for name, values in losses.items()}
    seconds = {f"seconds {name}": clock.seconds for name, clock in clocks.items()}
    curves = {f"{k} {name}": v for name, values in losses.items() for k, v in enumerate(values)}
    return {**late, **seconds, **curves}


def main():
    """Print the figures and draw the losses."""
    args = arguments(__doc__, seeds=8, steps=60, turn=0.05)
    warnings.simplefilter("ignore", ConvergenceWarning)  # a hot start may collapse
    names = [*NETS, *FED, "SGDClassifier"]
    columns = [f"{kind} {name}" for kind in ("late", "seconds") for name in names]
    columns += [f"{k} {name}" for name in names for k in range(args.steps)]
    results = Results(args.results, ["seed", "turn", *columns], 2)
    runs = [
        results.get((seed, args.turn), run, seed, args.steps, args.turn)
        for seed in range(args.seeds)
    ]
    table = {column: np.array([row[column] for row in runs]) for column in columns}
    for name in names:
        print(
            f"{name:22} log loss after step 10 {table[f'late {name}'].mean():.3f},"
            f" {table[f'seconds {name}'].mean():.2f} CPU s"
        )
    for name in names:
        if name != "filter":
            show(f"filter - {name}", table["late filter"], table[f"late {name}"])
    figure, axes = new_figure(1, 1, 4.0)
    for name in names:
        curve = [table[f"{k} {name}"].mean() for k in range(args.steps)]
        axes[0, 0].plot(curve, label=name)
    axes[0, 0].set(xlabel="step", ylabel="log loss", ylim=(0, 1.2), title="a rotating boundary")
    axes[0, 0].legend(fontsize="small")
    save(figure, args.out, "filter_drift")


if __name__ == "__main__":
    main()
