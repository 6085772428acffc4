"""How far members of an ensemble, draws of one chain and of dropout are apart on digits.

Prints the table of ``docs/landscape.md``, means over seeds 0, 1, 2; with a folder as its argument
it draws the views of the last seed there::

    python examples/benchmarks/landscape.py [FOLDER]
"""

import sys
import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skbayes import (
    DeepEnsembleClassifier,
    MCDropoutClassifier,
    SGHMCClassifier,
    SGLDClassifier,
)
from skbayes.callbacks import WeightHistory
from skbayes.diagnostics import (
    DiversityAccuracyDisplay,
    MatrixDisplay,
    SectionDisplay,
    TrajectoryDisplay,
    prediction_disagreement,
    radial_section,
    subspace_sample,
    two_optima_section,
    weight_cosine,
)

N_DRAWS = 15


def off_diagonal(matrix):
    """Mean over pairs."""
    return matrix[np.triu_indices(len(matrix), 1)].mean()


def measure(classifier, first, last, params, proba, X, y):
    """Numbers of a row: between draws, and on the line between two of them."""
    stack = classifier.posterior_
    line = two_optima_section(classifier, X, y, stack.arrays(first), stack.arrays(last))
    at = {t: line.loss[np.abs(line.axes[0] - t).argmin()] for t in (0.0, 0.5, 1.0)}
    return [
        (proba.argmax(-1) == y).mean(),
        (proba.mean(0).argmax(-1) == y).mean(),
        off_diagonal(weight_cosine(params)),
        off_diagonal(prediction_disagreement(proba)),
        max(at[0.0], at[1.0]),
        at[0.5],
    ]


def draw(folder, ensemble, chains, dropout, X, y):
    """Draw all views: members, two chains, draws of dropout."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["Ensemble", "Chain 0", "Chain 1", "Dropout"]
    ends = [slice(k * N_DRAWS, (k + 1) * N_DRAWS) for k in range(2)]
    stack = chains.posterior_
    params = [ensemble.posterior_.arrays(), *(stack.arrays(end) for end in ends)]
    params.append(dropout.posterior_.arrays())
    sampled = chains.sample_proba(X)
    proba = [ensemble.sample_proba(X), *(sampled[end] for end in ends), dropout.sample_proba(X)]
    three, axes = plt.subplots(1, 3, figsize=(19, 5), layout="constrained")
    MatrixDisplay.from_weights(params, run_names=names, ax=axes[0])
    MatrixDisplay.from_predictions(proba, run_names=names, ax=axes[1])
    run = WeightHistory.of(ensemble).trajectory(0)
    base, *members = proba[0]
    plane = DiversityAccuracyDisplay.from_predictions(
        np.stack(members), base, y, name="Other members"
    )
    scales = {"diagonal": (0.0, 10.0), "random_direction": (0.0, 15.0), "dropout": (0.0, 0.3)}
    for method, scale in scales.items():
        near = ensemble.predict_at(subspace_sample(run, method, scale=scale, random_state=0), X)
        DiversityAccuracyDisplay.from_predictions(near, base, y, name=method, ax=plane.ax_)
    pictures = {"diversity": plane}
    history, chain = WeightHistory.of(ensemble), WeightHistory.of(chains).trajectory(0)
    runs = [ensemble.predict_at(history.trajectory(k), X[:300]) for k in range(3)]
    runs.append(chains.predict_at(chain, X[:300])[::2])
    runs.append(dropout.predict_at(dropout.posterior_.arrays(), X[:300]))
    names = ["Member 0", "Member 1", "Member 2", "Chain 0", "Dropout"]
    TrajectoryDisplay.from_predictions(runs, random_state=0, run_names=names, ax=axes[2])
    three.savefig(folder / "modes.png", dpi=80)
    optima = ensemble.posterior_.arrays(0), ensemble.posterior_.arrays(1)
    pictures["radial"] = SectionDisplay(radial_section(ensemble, X, y, *optima)).plot()
    pictures["line"] = SectionDisplay(two_optima_section(ensemble, X, y, *optima)).plot()
    for name, picture in pictures.items():
        picture.figure_.savefig(folder / f"{name}.png", dpi=100)


def main():
    """Print the table."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        (X / 16).astype("float32"), y, train_size=600, random_state=0
    )
    rows = {name: [] for name in ("members", "SGLD chain", "SGHMC chain", "dropout")}
    run = {"n_chains": 2, "n_draws": N_DRAWS, "n_warmup": 1000, "thinning": 50}
    for seed in range(3):
        shared = {"skorch_callbacks": [WeightHistory()], "random_state": seed}
        ensemble = DeepEnsembleClassifier((30,), n_members=5, **shared)
        fits = {
            "members": (ensemble, 5),
            "SGLD chain": (SGLDClassifier((30,), **run, **shared), N_DRAWS),
            "SGHMC chain": (SGHMCClassifier((30,), **run, **shared), N_DRAWS),
            "dropout": (MCDropoutClassifier((30,), n_draws=N_DRAWS, **shared), N_DRAWS),
        }
        for name, (classifier, n_draws) in fits.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # a short run, to look at
                classifier.fit(X_train, y_train)
            params = classifier.posterior_.arrays(slice(n_draws))  # of the first chain
            proba = classifier.sample_proba(X_test)[:n_draws]
            found = measure(classifier, 0, n_draws - 1, params, proba, X_test, y_test)
            rows[name].append(found)
    print(
        "| | accuracy of one | of the mean | cosine | disagreement | loss at the ends | halfway |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{v:.3f}" for v in np.mean(values, axis=0)) + " |")
    if len(sys.argv) > 1:
        chains, dropout = fits["SGLD chain"][0], fits["dropout"][0]
        draw(Path(sys.argv[1]), ensemble, chains, dropout, X_test, y_test)


if __name__ == "__main__":
    main()
