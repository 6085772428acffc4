"""Active learning on digits: the filter against cold deep ensembles.

20 labels to start, batches of 5 by margin to 200, tested on 540 rows. The area is the mean accuracy
from 20 to 200 labels::

    python examples/filter/digits.py --splits 16
"""

import numpy as np
from _common import Clock, Results, arguments, new_figure, save, show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skbayes import DeepEnsembleFilterClassifier

# all with the classifier's own 100 epochs at first and 40 in a round, unless they say otherwise
METHODS = {
    "filter": {"warm_start": True},  # shrinks by .9
    "cold ensemble": {},
    "cold, equal steps": {"init_epochs": 40},
    # what the defaults were chosen from
    "filter, 33 epochs": {"warm_start": True, "warm_epochs": 33},
    "filter, 60 epochs": {"warm_start": True, "warm_epochs": 60},
    "cold, 33 epochs": {"init_epochs": 33},
    "cold, 60 epochs": {"init_epochs": 60},
    "shrink .7": {"warm_start": True, "shrink_factor": 0.7},
    "shrink .5": {"warm_start": True, "shrink_factor": 0.5},
    "shrink .5, 60 epochs": {"warm_start": True, "shrink_factor": 0.5, "warm_epochs": 60},
    "shrink .7, 60 epochs": {"warm_start": True, "shrink_factor": 0.7, "warm_epochs": 60},
    "shrink .7, q 1": {"warm_start": True, "shrink_factor": 0.7, "inflation_scale": 1.0},
    "additive": {"warm_start": True, "inflation": "additive"},
    "shrink .9, q 1": {"warm_start": True, "shrink_factor": 0.9, "inflation_scale": 1.0},
    "hot start": {"warm_start": True, "inflation": None},
    "cold, 300 epochs": {"init_epochs": 300},
    "300, 120 epochs": {"warm_start": True, "init_epochs": 300, "warm_epochs": 120},
    "additive, 300, 120 epochs": {
        "warm_start": True,
        "inflation": "additive",
        "init_epochs": 300,
        "warm_epochs": 120,
    },
}
FIRST, LAST, BATCH = 20, 200, 5
COLUMNS = [f"at_{n}" for n in range(FIRST, LAST + 1, BATCH)]


def curve(split, params):
    """Accuracy after every batch, and CPU seconds of training."""
    X, y = load_digits(return_X_y=True)
    X_pool, X_test, y_pool, y_test = train_test_split(
        (X / 16).astype(np.float32), y, test_size=540, stratify=y, random_state=split
    )
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


def search(split, params):
    """What is written of a run."""
    accuracy, seconds = curve(split, params)
    return {"seconds": seconds, **dict(zip(COLUMNS, accuracy, strict=True))}


def main():
    """Print the figures and draw the curves."""
    args = arguments(__doc__, splits=16, methods=list(METHODS)[:3])
    results = Results(args.results, ["method", "split", "seconds", *COLUMNS], 2)
    accuracy, seconds = {}, {}
    for name in args.methods:
        rows = [
            results.get((name, split), search, split, METHODS[name]) for split in range(args.splits)
        ]
        accuracy[name] = np.array([[row[c] for c in COLUMNS] for row in rows])
        seconds[name] = np.array([row["seconds"] for row in rows])
    area = {name: (a[:, 1:] + a[:, :-1]).mean(1) / 2 for name, a in accuracy.items()}
    for name in args.methods:
        error = area[name].std(ddof=1) / args.splits**0.5
        print(
            f"{name:22} area {area[name].mean():.4f} ({error:.4f}),"
            f" training {seconds[name].mean():.2f} CPU s"
        )
    for name in args.methods:
        for other in ("cold ensemble", "cold, equal steps"):
            if other in area and name not in ("cold ensemble", "cold, equal steps"):
                show(f"{name} - {other}, area", area[name], area[other])
                ratio = seconds[name].sum() / seconds[other].sum()
                print(f"cost ratio {ratio:.2f}")
    figure, axes = new_figure(1, 1, 4.0)
    for name, a in accuracy.items():
        axes[0, 0].plot(np.arange(FIRST, LAST + 1, BATCH), a.mean(0), label=name)
    axes[0, 0].set(xlabel="labels", ylabel="test accuracy", title="digits", ylim=(0.7, 1.0))
    axes[0, 0].legend()
    save(figure, args.out, "filter_digits")


if __name__ == "__main__":
    main()
