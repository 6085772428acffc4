"""Active classification of texts, by the protocol of Sahan, Smidl and Marik (2021).

Pairs of classes; a pool of 1000 texts (500 a class), 10 labels at first, 200 requests of one; AUC
on what is left of the pool (as published) and on a fixed test set, at 20 to 200 labels.
``--gate`` is the paper's: a request is random with probability 1 - sigmoid(l - 40) after l of them.
With ``--results`` parts may be run one after another; the report is of all that are in the file.
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
MARKS = (20, 50, 100, 150, 200)
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
    return {
        # 28 epochs a round, shrinking by .7 with noise of 1.5
        "filter": DeepEnsembleFilterClassifier(**net),
        "filter, noise of .75": DeepEnsembleFilterClassifier(inflation_scale=0.75, **net),
        "filter, noise of 3": DeepEnsembleFilterClassifier(inflation_scale=3.0, **net),
        # what narrow networks have
        "filter, 40 epochs": DeepEnsembleFilterClassifier(shrink_factor=0.9, **net),
        "hot start": DeepEnsembleFilterClassifier(inflation=None, **net),
        "cold ensemble": DeepEnsembleFilterClassifier(**net),
        # the prior of variance one a weight, which the filter has, is too wide for so few rows: the
        # samples, other than modes, have its size
        "SGLD": SGLDClassifier(
            n_chains=10,
            n_draws=5,
            n_warmup=100,
            thinning=10,
            prior_scale="fan_in",
            warm_start=True,
            **net,
        ),
        "dropout, cold": MCDropoutClassifier(n_draws=20, max_iter=100, **net),
        "dropout, warm": MCDropoutClassifier(n_draws=20, max_iter=40, warm_start=True, **net),
        "one network": DeepEnsembleFilterClassifier(n_members=1, **net),
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
            if name.startswith(("filter", "hot")):
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


def differences(kinds):
    """Pairs of kinds of runs to compare: with the filter, and of entropy with random requests."""
    for features, acquisition, gate, name in kinds:
        other = features, acquisition, gate, name
        if name != "filter":
            yield (features, acquisition, gate, "filter"), other
        elif acquisition != "random" and (acquisition, gate) != ("entropy", "False"):
            yield (features, "entropy", "False", "filter"), other
        if acquisition == "entropy" and (features, "random", gate, name) in kinds:
            yield other, (features, "random", gate, name)


def report(found):
    """Print means and paired differences of all runs that there are."""
    kinds = sorted(found)
    for kind in kinds:
        print("\n" + ", ".join(kind), f"({len(found[kind])} runs)")
        for part in ("test", "rest"):
            means = [np.mean([r[f"{part}_{m}"] for r in found[kind].values()]) for m in MARKS]
            print(f"  {part} AUC at {MARKS}:", np.round(means, 4).tolist())
        print(f"  {np.mean([r['seconds'] for r in found[kind].values()]):.1f} CPU s a run")
    print()
    for one, other in differences(kinds):
        both = sorted(found.get(one, {}).keys() & found.get(other, {}).keys())
        if not both:
            continue
        print(", ".join(one), "less", ", ".join(other))
        for part, mark in product(("test", "rest"), MARKS):
            values = [[found[kind][k][f"{part}_{mark}"] for k in both] for kind in (one, other)]
            show(f"  {part} AUC at {mark}", *values)
            for pair in sorted({k[:2] for k in both}) if part == "test" else ():
                which = [k[:2] == pair for k in both]
                show("    " + " ".join(pair), *np.array(values)[:, which])
        ratio = np.divide(*(sum(found[kind][k]["seconds"] for k in both) for kind in (one, other)))
        print(f"  training cost {ratio:.2f}")


def draw(found, out):
    """Draw the filter's curves by set, and what others have more, on the runs that both have."""
    figure, axes = new_figure(1, 3, 4.2)
    bases = {k[0]: k for k in found if k[1:] == ("entropy", "False", "filter")}
    for base in sorted(bases.values()):
        for pair in sorted({k[:2] for k in found[base]}):
            runs = [row for k, row in found[base].items() if k[:2] == pair]
            means = [np.mean([r[f"test_{m}"] for r in runs]) for m in MARKS]
            label = f"{base[0]}, {pair[0]}, {pair[1]} ({len(runs)})"
            axes[0, 0].plot(MARKS, means, "o-", ms=3, label=label)
    for kind in sorted(found):
        base = bases.get(kind[0])
        both = sorted(found.get(base, {}).keys() & found[kind].keys())
        if kind == base or len(both) < 3:  # fewer say nothing
            continue
        gains = [
            np.mean([found[kind][k][f"test_{m}"] - found[base][k][f"test_{m}"] for k in both])
            for m in MARKS
        ]
        of_filter = kind[3] == "filter"
        label = kind[1] + ", gate" * (kind[2] == "True") if of_filter else kind[3]
        label += "" if of_filter or kind[1] == "entropy" else f", {kind[1]}"
        label += "" if kind[0] == "minilm" else f", {kind[0]}"
        axes[0, 1 + of_filter].plot(MARKS, gains, "o-", ms=3, label=f"{label} ({len(both)})")
    titles = (
        "test AUC of the filter by entropy",
        "test AUC of others less the filter",
        "its other requests less entropy",
    )
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set(title=title, xlabel="labels")
        if title != titles[0]:
            ax.axhline(0, color="k", lw=0.8)
        if ax.lines[1:]:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize="x-small", ncols=2)
    save(figure, out, "filter_text")


def main():
    """Run what is asked for and not there; report all that is."""
    args = arguments(
        __doc__,
        repeats=10,
        pairs=2,
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
    keys = ["features", "acquisition", "gate", "method", "set", "pair", "repeat", "batch"]
    columns = [f"{kind}_{mark}" for mark in MARKS for kind in ("rest", "test")]
    results = Results(args.results, [*keys, "seconds", *columns], len(keys))
    problems = [(of, pair) for of in args.sets for pair in PAIRS[of][: args.pairs]]
    for repeat, (of, pair) in product(range(args.repeats), problems):
        for features, acquisition, name in product(args.features, args.acquisitions, args.methods):
            what = features, acquisition, args.gate, name, of
            results.get(
                (*what, "/".join(pair), repeat, args.batch),
                run, name, of, pair, features, acquisition, args.gate, args.batch, repeat,
            )  # fmt: skip
    found = {}
    for key, row in results.rows.items():
        if key[-1] == str(args.batch):
            found.setdefault(key[:4], {})[key[4:7]] = row
    report(found)
    draw(found, args.out)


if __name__ == "__main__":
    main()
