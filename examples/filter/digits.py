"""Active learning on digits: the filter against cold deep ensembles.

20 labels to start, batches of 5 by margin to 200, tested on 540 rows; the pixels' means over the
pool are taken off. The area is the mean accuracy from 20 to 200 labels::

    python examples/filter/digits.py --splits 8
"""

import numpy as np
from _common import Clock, arguments, new_figure, save, show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skbayes import DeepEnsembleFilterClassifier

ARMS = {
    "filter": {"warm_start": True},
    "cold ensemble": {},
    "cold, equal steps": {"init_epochs": 40},
}
FIRST, LAST, BATCH = 20, 200, 5


def curve(split, params):
    """Accuracy after every batch, and CPU seconds of training."""
    X, y = load_digits(return_X_y=True)
    X_pool, X_test, y_pool, y_test = train_test_split(
        X / 16, y, test_size=540, stratify=y, random_state=split
    )
    centre = X_pool.mean(0)
    X_pool, X_test = ((Z - centre).astype(np.float32) for Z in (X_pool, X_test))
    labelled = list(np.random.RandomState(split).permutation(len(y_pool))[:FIRST])
    model = DeepEnsembleFilterClassifier(random_state=split, **params)
    accuracy, clock = [], Clock()
    while True:
        with clock():
            model.fit(X_pool[labelled], y_pool[labelled])
        accuracy.append(model.score(X_test, y_test))
        if len(labelled) >= LAST:
            return np.array(accuracy), clock.seconds
        rest = np.setdiff1d(np.arange(len(y_pool)), labelled)
        proba = np.sort(model.predict_proba(X_pool[rest]), axis=1)
        labelled += list(rest[np.argsort(proba[:, -1] - proba[:, -2])[:BATCH]])


def main():
    """Print the figures and draw the curves."""
    args = arguments(__doc__, splits=8)
    runs = {name: [curve(s, p) for s in range(args.splits)] for name, p in ARMS.items()}
    accuracy = {name: np.stack([a for a, _ in rows]) for name, rows in runs.items()}
    seconds = {name: np.array([t for _, t in rows]) for name, rows in runs.items()}
    area = {name: (a[:, 1:] + a[:, :-1]).mean(1) / 2 for name, a in accuracy.items()}
    for name in ARMS:
        print(f"{name:18} area {area[name].mean():.4f}, training {seconds[name].mean():.2f} CPU s")
    show("filter - cold, area", area["filter"], area["cold ensemble"])
    show("filter - equal steps, area", area["filter"], area["cold, equal steps"])
    print(f"cost ratio {seconds['filter'].sum() / seconds['cold ensemble'].sum():.2f}")
    figure, axes = new_figure(1, 1, 4.0)
    for name, a in accuracy.items():
        axes[0, 0].plot(np.arange(FIRST, LAST + 1, BATCH), a.mean(0), label=name)
    axes[0, 0].set(xlabel="labels", ylabel="test accuracy", title="digits", ylim=(0.7, 1.0))
    axes[0, 0].legend()
    save(figure, args.out, "filter_digits")


if __name__ == "__main__":
    main()
