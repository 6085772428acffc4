"""Log loss of the classifiers by prior, with default parameters, beside scikit-learn's.

Mean of 5 shuffled stratified folds (seed 0) behind a ``StandardScaler``, float32::

    python examples/benchmarks/priors.py
"""

import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import DeepEnsembleFilterClassifier, SGLDClassifier

LOADERS = [load_iris, load_wine, load_breast_cancer, load_digits]


def ours(cls, **params):
    return cls(dtype="float32", random_state=0, **params)


MODELS = {
    "SGLD, prior_scale=1.0": ours(SGLDClassifier),
    "SGLD, prior_scale='fan_in'": ours(SGLDClassifier, prior_scale="fan_in"),
    "ensemble filter, prior_scale=1.0": ours(DeepEnsembleFilterClassifier),
    "ensemble filter, prior_scale=None": ours(DeepEnsembleFilterClassifier, prior_scale=None),
    "LogisticRegression": LogisticRegression(max_iter=1000),
    "MLPClassifier": MLPClassifier(max_iter=1000, random_state=0),
}


def main():
    torch.set_num_threads(1)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    names = [loader.__name__.removeprefix("load_") for loader in LOADERS]
    print(f"{'':36s}" + "".join(f"{name:>15s}" for name in names))
    for name, model in MODELS.items():
        losses = [
            -cross_val_score(
                make_pipeline(StandardScaler(), model),
                *loader(return_X_y=True),
                cv=folds,
                scoring="neg_log_loss",
            ).mean()
            for loader in LOADERS
        ]
        print(f"{name:36s}" + "".join(f"{loss:15.4f}" for loss in losses))


if __name__ == "__main__":
    main()
