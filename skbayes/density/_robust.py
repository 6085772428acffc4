"""Screening of contaminated training rows: which of them a coarse, early model finds odd."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from skbayes._engine.build import run
from skbayes._engine.mapped import rows_of
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes.density._blocks import cells_that_fit, row_blocks
from skbayes.density._networks import Shape, spread_of
from skbayes.density._objective import Settings
from skbayes.density._scores import importance_weighted
from skbayes.density._training import make_net
from skbayes.nn import StackedVAE

#: Share of the rows that screening leaves out, and that it trims of its own batches.
DROPPED = 0.2
#: Share of the rows of a batch that training leaves out after that.
TRIM = 0.1
#: The screening model: small and trained briefly, so that it learns what most rows have in common.
N_MEMBERS, HIDDEN, N_COMPONENTS, N_STEPS, N_IMPORTANCE = 5, 32, 2, 150, 8
BATCH_SIZE, LEARNING_RATE = 128, 0.003
#: A column's spread among the rows that are kept counts as this share of its whole at least.
LEAST_SPREAD = 0.01

Scorer = Callable[[Any], np.ndarray]


def screen(
    X: Any,
    rng: np.random.RandomState,
    device: torch.device,
    dtype: torch.dtype,
    image_shape: Shape | None = None,
) -> np.ndarray:
    """Tell which rows to keep.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    rng : numpy.random.RandomState
    device : torch.device
    dtype : torch.dtype
    image_shape : tuple of int, optional

    Returns
    -------
    ndarray of int
        Indices of the rows that are kept, in order; all but a fifth.

    References
    ----------
    D. Kim, J. Hwang, J. Lee, K. Kim and Y. Kim, ODIM: outlier detection via likelihood of
    under-fitted generative models, ICML 2024: that a model tells inliers best early in training.
    """
    vae = StackedVAE(
        X.shape[1],
        N_COMPONENTS,
        N_MEMBERS,
        (HIDDEN,),
        noise_floor=0.02,
        generator=make_generator(rng),
        dtype=dtype,
    )
    mean, spread = spread_of(X, image_shape)
    spread = np.where(spread > 0, spread, 1.0)
    vae.standardise(*(torch.as_tensor(v, dtype=dtype) for v in (mean, spread)))
    rows = Rows(X, device=device, dtype=dtype)
    batch_size = min(BATCH_SIZE, len(rows))
    max_iter = math.ceil(N_STEPS / math.ceil(len(rows) / batch_size))
    net = make_net(
        vae,
        Settings(trim=DROPPED),
        rows,
        rng,
        batch_size=batch_size,
        max_iter=max_iter,
        learning_rate=LEARNING_RATE,
    )
    run(net, rows)
    posterior = Posterior(net.module_)
    shape = (N_MEMBERS, N_IMPORTANCE, N_COMPONENTS)
    noise = torch.empty(shape, dtype=torch.float64).normal_(generator=make_generator(rng))
    noise = noise.to(device, dtype)
    scores = np.empty(X.shape[0])
    cells = cells_that_fit(posterior, vae.width)
    with torch.no_grad():
        for part, block in row_blocks(posterior, X, cells // N_IMPORTANCE):
            value = importance_weighted(net.module_, block, noise, N_IMPORTANCE)
            scores[part] = np.nan_to_num(value.mean(0).double().cpu().numpy(), nan=-np.inf)
    n_kept = max(1, X.shape[0] - int(DROPPED * X.shape[0]))
    return np.sort(np.argsort(-scores, kind="stable")[:n_kept])


def spread_of_kept(
    X: Any, kept: np.ndarray, image_shape: Shape | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations to standardise by.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
    kept : ndarray of int
    image_shape : tuple of int, optional

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
    """
    before = spread_of(X, image_shape)[1]
    mean, spread = spread_of(rows_of(X, kept), image_shape)
    return mean, np.maximum(spread, LEAST_SPREAD * before)
