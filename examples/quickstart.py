"""skbayes in two minutes: anomalies, uncertainty and active learning on real data.

Run it with::

    python examples/quickstart.py

It needs the ``examples`` extra (matplotlib, rich) and only data that ship with scikit-learn, prints
its figures and draws ``quickstart.png``.
"""

import argparse
import time
import warnings

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from sklearn.callback import ProgressBar
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skbayes import (
    DeepEnsembleFilterClassifier,
    SGHMCClassifier,
    VAEAnomalyDetector,
    predict_uncertainty,
)
from skbayes.active import ActiveLearner
from skbayes.metrics import anomaly_roc_auc
from skbayes.model_selection import NoveltySplit

console = Console()
INK, BLUE, ORANGE, GREY = "#222222", "#2a6fbb", "#d9822b", "#9aa0a6"


def anomalies():
    """Train on normal rows only; how well does a score set the others apart?"""
    console.rule("1. Anomaly scores: AUC, mean of 3 folds")
    X, y = load_breast_cancer(return_X_y=True)
    digits, number = load_digits(return_X_y=True)
    problems = {  # 1 means anomaly
        "breast_cancer: malignant": (StandardScaler(), X, 1 - y),
        "digits: 8 and 9 among 0-7": (StandardScaler(with_std=False), digits / 16, number >= 8),
    }
    detectors = {
        "VAEAnomalyDetector": VAEAnomalyDetector(dtype="float32", random_state=0),
        "IsolationForest": IsolationForest(random_state=0),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
        "OneClassSVM": OneClassSVM(gamma="scale", nu=0.1),
    }
    auc = {}
    for problem, (scaler, X, is_anomaly) in problems.items():
        console.print(f"  {problem}")
        for name, detector in detectors.items():
            auc[problem, name] = cross_val_score(
                make_pipeline(scaler, detector),
                X,
                is_anomaly.astype(int),
                cv=NoveltySplit(3, random_state=0),
                scoring=anomaly_roc_auc,
            ).mean()
            console.print(f"    {name:20s} {auc[problem, name]:.3f}")
    return auc


def uncertainty():
    """Train on the digits 0 to 7; does the model know that it has never seen 8 and 9?"""
    console.rule("2. Uncertainty (digits: 8 and 9 are never shown)")
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=0
    )
    shown = y_train < 8
    model = make_pipeline(StandardScaler(), SGHMCClassifier(dtype="float32", random_state=0))
    model.set_callbacks(ProgressBar()).fit(X_train[shown], y_train[shown])
    known = y_test < 8
    _, _, epistemic = predict_uncertainty(model, X_test)
    accuracy = model.score(X_test[known], y_test[known])
    auc = roc_auc_score(~known, epistemic)
    # 1 where chains agree to the last digit; above 1.05 fit warns and says which steps to add
    console.print(f"  largest R-hat of the predictions          {model[-1].rhat_:.2f}")
    console.print(f"  accuracy on the digits shown              {accuracy:.3f}")
    console.print(f"  epistemic uncertainty, digits shown       {epistemic[known].mean():.3f} nats")
    console.print(
        f"  epistemic uncertainty, digits never shown {epistemic[~known].mean():.3f} nats"
    )
    console.print(f"  AUC of 'never shown' by that uncertainty  {auc:.3f}")
    return epistemic[known], epistemic[~known], auc


def query_loop(acquisition, seed, X, y, on_round, n_labels=200, batch=5):
    """Accuracy on held-out digits after every batch of labels."""
    X_pool, X_test, y_pool, y_test = train_test_split(
        X, y, test_size=540, stratify=y, random_state=seed
    )
    start = np.random.RandomState(seed).permutation(len(X_pool))[:20]
    learner = ActiveLearner(
        # centred, not divided by each pixel's deviation: nearly constant pixels are mere noise
        make_pipeline(
            StandardScaler(with_std=False), DeepEnsembleFilterClassifier(random_state=seed)
        ),
        X_training=X_pool[start],
        y_training=y_pool[start],
        acquisition=acquisition,
        refit="warm",
        random_state=seed,
    )
    X_pool, y_pool = np.delete(X_pool, start, axis=0), np.delete(y_pool, start)
    accuracy = [learner.score(X_test, y_test)]
    while len(learner.y_training) < n_labels:
        indices, rows = learner.query(X_pool, n_instances=batch)
        learner.teach(rows, y_pool[indices])
        X_pool, y_pool = np.delete(X_pool, indices, axis=0), np.delete(y_pool, indices)
        accuracy.append(learner.score(X_test, y_test))
        on_round()
    return accuracy


def labels_needed(n_labels, curves, target):
    """Mean over seeds of the labels at which a target is first reached; None if one never does."""
    reached = [n_labels[np.argmax(c >= target)] if (c >= target).any() else None for c in curves]
    return None if None in reached else float(np.mean(reached))


def active_learning(n_seeds):
    """How many labels does it take to read digits?"""
    console.rule(f"3. Labels needed (digits, deep ensemble filter, mean of {n_seeds} seeds)")
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    n_labels = np.arange(20, 201, 5)
    curves = {}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("querying", total=3 * n_seeds * (len(n_labels) - 1))
        for acquisition in ("margin", "bald", "random"):
            curves[acquisition] = np.array(
                [
                    query_loop(acquisition, seed, X, y, lambda: progress.advance(task))
                    for seed in range(n_seeds)
                ]
            )
    for acquisition, accuracy in curves.items():
        needed = [labels_needed(n_labels, accuracy, target) for target in (0.9, 0.95)]
        words = [f"{n:.0f}" if n is not None else "over 200" for n in needed]
        console.print(
            f"  {acquisition:8s} labels to 90 %: {words[0]:>8s}   to 95 %: {words[1]:>8s}   "
            f"accuracy at 200: {accuracy[:, -1].mean():.3f}"
        )
    return n_labels, curves


def draw(auc, epistemic, active, path):
    """One picture of all three."""
    figure = Figure(figsize=(14, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)

    names = list(dict.fromkeys(name for _, name in auc))[::-1]
    for i, problem in enumerate(dict.fromkeys(problem for problem, _ in auc)):
        values = [auc[problem, name] for name in names]
        height = np.arange(len(names)) + 0.2 - 0.4 * i
        bars = left.barh(height, values, 0.38, color=(BLUE, ORANGE)[i], alpha=0.8, label=problem)
        left.bar_label(bars, fmt="%.2f", padding=3, color=INK)
    left.axvline(0.5, color=INK, lw=0.8, ls=":")
    left.set_yticks(range(len(names)), names)
    left.set_xlim(0.4, 1.04)
    left.set_xlabel("area under the ROC curve (0.5 is chance)")
    figure.legend(
        *left.get_legend_handles_labels(), frameon=False, loc="outside lower left", ncols=2
    )
    left.set_title("Finding what is not normal,\ntrained on normal rows only")

    shown, unseen, separation = epistemic
    bins = np.linspace(0, max(shown.max(), unseen.max()), 30)
    for values, colour, label in [
        (shown, BLUE, "digits 0-7, trained on"),
        (unseen, ORANGE, "digits 8 and 9, never shown"),
    ]:
        share = np.full(len(values), 1 / len(values))
        middle.hist(values, bins, weights=share, color=colour, alpha=0.65, label=label)
    middle.set_xlabel("epistemic uncertainty (nats)")
    middle.set_ylabel("share of test images")
    middle.legend(frameon=False)
    middle.set_title(
        f"Knowing what it does not know\n(the two told apart with AUC {separation:.2f})"
    )

    n_labels, curves = active
    for acquisition, colour in [("margin", BLUE), ("bald", ORANGE), ("random", GREY)]:
        mean = curves[acquisition].mean(axis=0)
        right.plot(n_labels, mean, color=colour, lw=2)
        spread = curves[acquisition].std(axis=0)
        right.fill_between(n_labels, mean - spread, mean + spread, color=colour, alpha=0.15, lw=0)
        label = {"margin": "margin", "bald": "BALD", "random": "random choice"}[acquisition]
        right.plot([], [], color=colour, lw=2, label=label)
    right.axhline(0.95, color=INK, lw=0.8, ls=":")
    right.text(n_labels[0], 0.953, "95 %", ha="left", va="bottom", color=INK)
    right.set_ylim(0.6, 1.0)
    right.set_xlabel("labelled digits")
    right.set_ylabel("test accuracy")
    right.legend(frameon=False, loc="lower right", title="asked for by")
    right.set_title("Fewer labels when the model\nchooses what to ask")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="quickstart.png", help="where the picture goes")
    parser.add_argument("--seeds", type=int, default=5, help="repetitions of the query loops")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    start = time.perf_counter()
    auc = anomalies()
    epistemic = uncertainty()
    active = active_learning(arguments.seeds)
    draw(auc, epistemic, active, arguments.output)
    console.rule()
    console.print(f"{time.perf_counter() - start:.0f} seconds; the picture is {arguments.output}")


if __name__ == "__main__":
    main()
