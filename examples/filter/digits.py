"""Active learning on digits: the filter against cold deep ensembles.

20 labels to start, batches of 5 by margin to 200, tested on 540 rows. The area is the mean accuracy
from 20 to 200 labels; bands are standard errors::

    python examples/filter/digits.py --splits 48 --first 200
"""

import numpy as np
from _common import Clock, Results, arguments, new_figure, save, show
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skbayes import DeepEnsembleFilterClassifier

WARM = {"warm_start": True}
# of 64 columns the filter has 28 epochs a round, shrinking by .7 with noise of 1.5; 100 epochs at
# first, and in every round of a cold ensemble, unless they say otherwise
METHODS = {
    "filter": WARM,
    "cold ensemble": {},
    "cold, 28 epochs": {"init_epochs": 28},
    # what narrow networks have: 40 epochs, shrinking by .9
    "filter, 40 epochs": WARM | {"shrink_factor": 0.9},
    "cold, 40 epochs": {"init_epochs": 40},
    # what it was chosen from, on the splits 100 to 115
    "shrink .9": WARM | {"warm_epochs": 28, "shrink_factor": 0.9},
    "shrink .7": WARM | {"warm_epochs": 30, "shrink_factor": 0.7},
    "shrink .5": WARM | {"warm_epochs": 30, "shrink_factor": 0.5},
    "shrink .5, q 2": WARM | {"warm_epochs": 30, "shrink_factor": 0.5, "inflation_scale": 2.0},
    "shrink .7, q 1.5": WARM | {"warm_epochs": 30, "shrink_factor": 0.7, "inflation_scale": 1.5},
    "hot start": WARM | {"warm_epochs": 28, "inflation": None},
    "additive": WARM | {"warm_epochs": 28, "inflation": "additive"},
}
#: Cold ensembles of as many steps as a round of theirs.
EQUAL = {"filter": "cold, 28 epochs", "filter, 40 epochs": "cold, 40 epochs"}
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
    args = arguments(__doc__, splits=16, first=0, methods=list(METHODS)[:5])
    results = Results(args.results, ["method", "split", "seconds", *COLUMNS], 2)
    found = {name: [] for name in args.methods}
    for split in range(args.first, args.first + args.splits):
        for name, rows in found.items():
            rows.append(results.get((name, split), search, split, METHODS[name]))
    accuracy = {n: np.array([[row[c] for c in COLUMNS] for row in found[n]]) for n in found}
    seconds = {name: np.array([row["seconds"] for row in rows]) for name, rows in found.items()}
    area = {name: (a[:, 1:] + a[:, :-1]).mean(1) / 2 for name, a in accuracy.items()}
    for name in found:
        error = area[name].std(ddof=1) / args.splits**0.5
        print(
            f"{name:22} area {area[name].mean():.4f} ({error:.4f}),"
            f" training {seconds[name].mean():.2f} CPU s"
        )
    for name in found:
        for other in ("cold ensemble", EQUAL.get(name)):
            if other in area and not name.startswith("cold"):
                show(f"{name} - {other}, area", area[name], area[other])
                ratio = seconds[name].sum() / seconds[other].sum()
                print(f"cost ratio {ratio:.2f}")
    figure, axes = new_figure(1, 2, 3.6)
    labels = np.arange(FIRST, LAST + 1, BATCH)
    for name, a in accuracy.items():
        axes[0, 0].plot(labels, a.mean(0), label=name)
        gain = 100 * (a - accuracy.get("cold ensemble", a))
        mean, error = gain.mean(0), gain.std(0) / args.splits**0.5
        axes[0, 1].plot(labels, mean)
        axes[0, 1].fill_between(labels, mean - error, mean + error, alpha=0.25)
    axes[0, 0].set(xlabel="labels", ylabel="test accuracy", title="digits", ylim=(0.7, 1.0))
    axes[0, 0].legend()
    title = "less the cold ensemble, in points"
    axes[0, 1].set(xlabel="labels", title=title, xlim=(30, LAST), ylim=(-3, 1))
    save(figure, args.out, "filter_digits")


if __name__ == "__main__":
    main()
