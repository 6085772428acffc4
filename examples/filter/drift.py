"""A slowly rotating boundary: the filter against cold retraining, a hot start and SGDClassifier.

Every step brings 20 rows of two classes whose boundary turns by a constant angle; the log loss is
that of 500 fresh rows of the same step. The networks see a window of the last 200 rows
(``warm_start=True``); "filter, replay" is ``partial_fit``, whose reservoir keeps rows of all ages::

    python examples/filter/drift.py --seeds 3 --steps 60
"""

import warnings

import numpy as np
from _common import Clock, arguments, new_figure, save, show
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


def rows_of(angle, n, rng):
    """Rows and labels where the boundary has turned by an angle; it is bent, and noisy."""
    X = rng.normal(size=(n, 2))
    u = np.array([np.cos(angle), np.sin(angle)])
    height = X @ u + 0.5 * np.sin(2 * (X @ np.array([-u[1], u[0]])))
    return X.astype(np.float32), (height + 0.2 * rng.normal(size=n) > 0).astype(int)


def run(seed, n_steps, turn):
    """Log losses of every method, of shape (n_steps,), and CPU seconds of training."""
    rng = np.random.RandomState(seed)
    nets = {
        name: DeepEnsembleFilterClassifier((50,), n_members=5, random_state=seed, **params)
        for name, params in NETS.items()
    }
    replay = DeepEnsembleFilterClassifier((50,), n_members=5, replay_size=WINDOW, random_state=seed)
    sgd = SGDClassifier(loss="log_loss", random_state=seed)
    names = [*nets, "filter, replay", "SGDClassifier"]
    losses, clocks = {name: [] for name in names}, {name: Clock() for name in names}
    X, y = np.empty((0, 2), np.float32), np.empty(0, int)
    for step in range(n_steps):
        new_X, new_y = rows_of(turn * step, ROWS, rng)
        X, y = np.concatenate([X, new_X])[-WINDOW:], np.concatenate([y, new_y])[-WINDOW:]
        test_X, test_y = rows_of(turn * step, 500, rng)
        for name, net in nets.items():
            with clocks[name]():
                net.fit(X, y)
        with clocks["filter, replay"]():
            replay.partial_fit(new_X, new_y, classes=[0, 1])
        with clocks["SGDClassifier"]():
            sgd.partial_fit(new_X, new_y, classes=[0, 1])
        for name, model in {**nets, "filter, replay": replay, "SGDClassifier": sgd}.items():
            losses[name].append(log_loss(test_y, model.predict_proba(test_X), labels=[0, 1]))
    return losses, {name: clock.seconds for name, clock in clocks.items()}


def main():
    """Print the figures and draw the losses."""
    args = arguments(__doc__, seeds=3, steps=60, turn=0.05)
    warnings.simplefilter("ignore", ConvergenceWarning)  # a hot start may collapse
    runs = [run(seed, args.steps, args.turn) for seed in range(args.seeds)]
    losses = {name: np.array([r[0][name] for r in runs]) for name in runs[0][0]}
    late = {name: v[:, 10:].mean(1) for name, v in losses.items()}
    for name in losses:
        seconds = np.mean([r[1][name] for r in runs])
        print(f"{name:16} log loss after step 10 {late[name].mean():.3f}, {seconds:.2f} CPU s")
    for name in losses:
        if name != "filter":
            show(f"filter - {name}", late["filter"], late[name])
    figure, axes = new_figure(1, 1, 4.0)
    for name, v in losses.items():
        axes[0, 0].plot(v.mean(0), label=name)
    axes[0, 0].set(xlabel="step", ylabel="log loss", ylim=(0, 1.2), title="a rotating boundary")
    axes[0, 0].legend()
    save(figure, args.out, "filter_drift")


if __name__ == "__main__":
    main()
