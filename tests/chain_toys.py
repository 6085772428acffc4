"""What the tests of the samplers' chains share: data, weights, a linear model's curvature."""

import numpy as np
import torch


def make_data(n=40, n_features=3, n_classes=3, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, n_features))
    logits = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, logits.argmax(1)


def make_line(n=30, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 2))
    return X, X[:, 0] + rng.normal(size=n)


def weights(model):
    """Draws of all weights, of shape (chains, draws, weights)."""
    flat = torch.cat([p.flatten(1) for p in model.posterior_.params.values()], 1)
    return flat.unflatten(0, (model.n_chains_, -1))


LINEAR = {"hidden_layer_sizes": (), "noise_scale": 1.0, "n_chains": 4, "random_state": 0}


def largest_curvature(X, noise_scale):
    design = np.column_stack([X, np.ones(len(X))])
    hessian = design.T @ design / noise_scale**2 + np.eye(design.shape[1])
    return np.linalg.eigvalsh(hessian)[-1]
