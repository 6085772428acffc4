"""Active classification of texts, by the protocol of Sahan, Smidl and Marik (2021).

Pairs of classes; a pool of 1000 texts (500 a class), 10 labels at first, 200 requests of one; AUC
on what is left of the pool (as published) and on a fixed test set, at 50, 100 and 200 labels.
``--gate`` is the paper's: a request is random with probability 1 - sigmoid(l - 40) after l of them.
``SKBAYES_DATA`` names the folder whose ``text`` holds the sets::

    SKBAYES_DATA=... python examples/filter/text.py --repeats 10 --features minilm tfidf
"""

import os
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from _common import Clock, Results, arguments, new_figure, save, show
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from skbayes import (
    DeepEnsembleFilterClassifier,
    MCDropoutClassifier,
    SGLDClassifier,
    sample_proba,
)
from skbayes.active import get_acquisition

PAIRS = {
    "ag_news": [("Business", "Sci/Tech"), ("Business", "World")],
    "trec6": [("entity", "description"), ("human", "location")],
    "sst2": [("negative", "positive")],
}
#: What rows of length one are multiplied by: the columns of dense ones are then of order one.
UNIT = {"minilm": 16.0, "tfidf": 1.0}
MARKS = (50, 100, 200)
PER_CLASS, FIRST = 500, 10


def load(name, pair, features, seed):
    """Rows and labels of a pool and of a test set."""
    folder = Path(os.environ["SKBAYES_DATA"]) / "text"
    table = pd.read_csv(folder / f"{name}.csv.gz")
    chosen = table["label"].isin(pair).to_numpy()
    y = (table["label"] == pair[1]).to_numpy().astype(int)
    is_test = (table["split"] == "test").to_numpy()
    rng = np.random.RandomState(seed)
    pool = []
    for label in (0, 1):
        rows = np.flatnonzero(chosen & ~is_test & (y == label))
        pool.append(rng.permutation(rows)[:PER_CLASS])
    pool, test = np.concatenate(pool), np.flatnonzero(chosen & is_test)
    if features == "minilm":
        X = np.load(folder / f"{name}_minilm.npz")["X"].astype(np.float32)
        centre = X[pool].mean(0)
        parts = X[pool] - centre, X[test] - centre
        return parts[0] * UNIT[features], y[pool], parts[1] * UNIT[features], y[test]
    texts = table["text"].to_numpy()
    vectors = TfidfVectorizer(dtype=np.float32, min_df=2).fit(texts[pool])
    parts = vectors.transform(texts[pool]), vectors.transform(texts[test])
    return parts[0] * UNIT[features], y[pool], parts[1] * UNIT[features], y[test]


def methods(seed, features="minilm"):
    """Name -> classifier; the filters and the warm net go on."""
    net = {"hidden_layer_sizes": (100,), "random_state": seed}
    # up to 200 labels an epoch is a step
    cold = {"n_members": 10, "init_epochs": 300}
    return {
        "filter": DeepEnsembleFilterClassifier(warm_epochs=100, **cold, **net),
        "filter, wide": DeepEnsembleFilterClassifier(
            warm_epochs=100, inflation_scale=2.0, **cold, **net
        ),
        "cold ensemble": DeepEnsembleFilterClassifier(**cold, **net),
        "SGLD": SGLDClassifier(
            n_chains=2, n_draws=10, n_warmup=100, thinning=10, warm_start=True, **net
        ),
        "dropout, cold": MCDropoutClassifier(n_draws=20, max_iter=300, **net),
        "dropout, warm": MCDropoutClassifier(n_draws=20, max_iter=100, warm_start=True, **net),
        "one network": DeepEnsembleFilterClassifier(n_members=1, init_epochs=300, **net),
        # 10 for rows of length one, which is better than 10 for the networks' rows
        "logistic regression": LogisticRegression(C=10.0 / UNIT[features] ** 2),
    }


def run(name, set_name, pair, features, acquisition, gate, batch, seed):
    """What is written of a run: AUC at the marks, on the test set and the rest of the pool."""
    X, y, X_test, y_test = load(set_name, pair, features, seed)
    rng = np.random.RandomState(seed)
    labelled = list(rng.permutation(len(y))[:FIRST])
    while len(set(y[labelled])) < 2:
        labelled = list(rng.permutation(len(y))[:FIRST])
    rank = get_acquisition(acquisition) if acquisition != "random" else None
    model, clock, found, new = methods(seed, features)[name], Clock(), {}, labelled
    while True:
        with clock():
            if name.startswith("filter"):
                model.partial_fit(X[new], y[new], classes=[0, 1])
            else:
                model.fit(X[labelled], y[labelled])
        rest = np.setdiff1d(np.arange(len(y)), labelled)
        draws = sample_proba(model, X[rest])
        if len(labelled) in MARKS:
            mark = len(labelled)
            found[f"rest_{mark}"] = roc_auc_score(y[rest], draws.mean(0)[:, 1])
            found[f"test_{mark}"] = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
        if len(labelled) >= MARKS[-1]:
            return {"seconds": clock.seconds, **found}
        if rank is None or (gate and rng.uniform() > expit(len(labelled) - FIRST - 40)):
            new = rng.choice(rest, batch, replace=False).tolist()
        else:
            new = rest[np.argsort(-rank(draws), kind="stable")[:batch]].tolist()
        labelled = [*labelled, *new]


def main():
    """Print means and paired intervals, and draw them."""
    args = arguments(
        __doc__,
        repeats=10,
        batch=1,
        sets=list(PAIRS),
        features=["minilm"],
        methods=list(methods(0)),
        acquisitions=["entropy"],
        gate=False,
    )
    if any((mark - FIRST) % args.batch for mark in MARKS):
        raise SystemExit(f"--batch {args.batch} must divide {MARKS[0] - FIRST}")
    warnings.simplefilter("ignore", ConvergenceWarning)
    keys = ["features", "acquisition", "gate", "batch", "method", "set", "pair", "repeat"]
    columns = [f"{kind}_{mark}" for mark in MARKS for kind in ("rest", "test")]
    results = Results(args.results, [*keys, "seconds", *columns], len(keys))
    problems = [(name, pair) for name in args.sets for pair in PAIRS[name]]
    found = {}
    for features, acquisition, name in product(args.features, args.acquisitions, args.methods):
        rows = [
            results.get(
                (features, acquisition, args.gate, args.batch, name, of, "/".join(pair), repeat),
                run, name, of, pair, features, acquisition, args.gate, args.batch, repeat,
            )
            for repeat in range(args.repeats)
            for of, pair in problems
        ]  # fmt: skip
        table = {column: np.array([row[column] for row in rows]) for column in rows[0]}
        found[features, acquisition, name] = table
        test, rest = (
            [round(float(table[f"{k}_{m}"].mean()), 4) for m in MARKS] for k in ("test", "rest")
        )
        print(
            f"{features} {acquisition} {name:20} test AUC at {MARKS}: {test}, rest of the pool "
            f"{rest}, {table['seconds'].mean():.1f} CPU s a run",
            flush=True,
        )
        by_pair = table["test_100"].reshape(args.repeats, -1).mean(0).round(3)
        print("    at 100, by pair:", by_pair.tolist())
    figure, axes = new_figure(1, len(args.features), 4.0)
    for ax, features in zip(axes[0], args.features, strict=True):
        for (kind, acquisition, name), table in found.items():
            if kind == features:
                means = [table[f"test_{mark}"].mean() for mark in MARKS]
                ax.plot(MARKS, means, "o-", label=f"{name}, {acquisition}")
        ax.set(title=features, xlabel="labels", ylabel="AUC on the test set")
        ax.legend(fontsize="x-small")
    for (features, acquisition, name), table in found.items():
        base = found.get((features, acquisition, "filter"))
        if name != "filter" and base is not None:
            for mark in MARKS:
                label = f"{features} {acquisition} filter - {name}, test AUC at {mark}"
                show(label, base[f"test_{mark}"], table[f"test_{mark}"])
    save(figure, args.out, "filter_text")


if __name__ == "__main__":
    main()
