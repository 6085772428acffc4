"""How far members of an ensemble, and draws of one chain, are apart on digits.

Prints the table of ``docs/landscape.md``, means over seeds 0, 1, 2; with a folder as its argument
it draws the views of the last seed there::

    python examples/benchmarks/landscape.py [FOLDER]
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skbayes import DeepEnsembleFilterClassifier, SGHMCClassifier
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


def draw(folder, ensemble, chains, X, y):
    """Draw all views."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["Ensemble", *(f"Chain {k}" for k in range(2))]
    ends = [slice(k * N_DRAWS, (k + 1) * N_DRAWS) for k in range(2)]
    params = [ensemble.posterior_.arrays(), *(chains.posterior_.arrays(end) for end in ends)]
    sampled = chains.sample_proba(X)
    proba = [ensemble.sample_proba(X), *(sampled[end] for end in ends)]
    pictures = {
        "cosine": MatrixDisplay.from_weights(params, run_names=names),
        "disagreement": MatrixDisplay.from_predictions(proba, run_names=names),
    }
    run = WeightHistory.of(ensemble).trajectory(0)
    base, *members = proba[0]
    plane = DiversityAccuracyDisplay.from_predictions(
        np.stack(members), base, y, name="Other members"
    )
    scales = {"diagonal": (0.0, 10.0), "random_direction": (0.0, 15.0), "dropout": (0.0, 0.3)}
    for method, scale in scales.items():
        near = ensemble.predict_at(subspace_sample(run, method, scale=scale, random_state=0), X)
        DiversityAccuracyDisplay.from_predictions(near, base, y, name=method, ax=plane.ax_)
    pictures["diversity"] = plane
    history, chain = WeightHistory.of(ensemble), WeightHistory.of(chains).trajectory(0)
    runs = [ensemble.predict_at(history.trajectory(k), X[:300]) for k in range(3)]
    runs.append(chains.predict_at(chain, X[:300])[::2])
    pictures["trajectories"] = TrajectoryDisplay.from_predictions(
        runs, random_state=0, run_names=["Member 0", "Member 1", "Member 2", "Chain 0"]
    )
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
    rows = {"members": [], "draws of a chain": []}
    for seed in range(3):
        shared = {"skorch_callbacks": [WeightHistory()], "random_state": seed}
        ensemble = DeepEnsembleFilterClassifier((30,), n_members=5, init_epochs=40, **shared)
        ensemble.fit(X_train, y_train)
        chains = SGHMCClassifier(
            (30,), n_chains=2, n_draws=N_DRAWS, n_warmup=1000, thinning=50, **shared
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a short run, to look at
            chains.fit(X_train, y_train)
        params, proba = ensemble.posterior_.arrays(), ensemble.sample_proba(X_test)
        rows["members"].append(measure(ensemble, 0, 1, params, proba, X_test, y_test))
        one = chains.posterior_.arrays(slice(N_DRAWS))
        proba = chains.sample_proba(X_test)[:N_DRAWS]
        found = measure(chains, 0, N_DRAWS - 1, one, proba, X_test, y_test)
        rows["draws of a chain"].append(found)
    print(
        "| | accuracy of one | of the mean | cosine | disagreement | loss at the ends | halfway |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{v:.3f}" for v in np.mean(values, axis=0)) + " |")
    if len(sys.argv) > 1:
        draw(Path(sys.argv[1]), ensemble, chains, X_test, y_test)


if __name__ == "__main__":
    main()
