"""Networks near one training run: samplers of the subspaces around its last checkpoints."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from skbayes._random import new_random_state
from skbayes.diagnostics._weights import check_weights, count_draws

#: Method -> the scale that is used by default, a number or the ends between which it is drawn.
SCALES: Mapping[str, float | tuple[float, float]] = {
    "diagonal": 1.0,
    "pca": 1.0,
    "random_direction": (0.0, 10.0),
    "dropout": (0.0, 0.1),
}


def subspace_sample(
    trajectory: Any,
    method: str = "diagonal",
    *,
    n_samples: int = 30,
    scale: float | tuple[float, float] | None = None,
    n_last: int = 10,
    n_components: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> dict[str, np.ndarray]:
    r"""Sample networks around one training run.

    Cheap imitations of an ensemble that use one run only. All of them stay in its mode, which is
    what they are for here: to be compared with runs of their own.

    Parameters
    ----------
    trajectory : mapping of str to array-like
        Names -> values with a leading axis of checkpoints, in their order, of one run; as
        ``WeightHistory.trajectory`` gives them.
    method : {"diagonal", "pca", "random_direction", "dropout"}, default="diagonal"
        ``"diagonal"``: :math:`m + s \, \sigma \odot z`, with mean and standard deviation of the
        last checkpoints and standard normal z. ``"pca"``: :math:`m + s \sum_k z_k v_k`, with the
        first principal directions of the last checkpoints, of length 1. ``"random_direction"``:
        :math:`w + s \, z / |z|` from the last checkpoint. ``"dropout"``: every weight of the last
        checkpoint set to 0 with probability s, the others divided by :math:`1 - s`.
    n_samples : int, default=30
        Number of networks.
    scale : float or tuple of float, default=None
        The s above. A pair is the ends between which it is drawn uniformly for every network. By
        default 1 for the Gaussians, (0, 10) for directions and (0, 0.1) for dropout, as published
        for ensembles of subspaces; published for the plane of diversity and accuracy are (0, 10),
        6, (0, 70) and (0, 0.1). Lengths of ``"pca"`` and ``"random_direction"`` are those of the
        space of weights: what is far depends on the network.
    n_last : int, default=10
        Number of last checkpoints that the Gaussians are fitted to; all if there are fewer.
    n_components : int, default=5
        Number of principal directions.
    random_state : int, RandomState instance or None, default=None
        Determines the samples.

    Returns
    -------
    dict of str to ndarray
        Names -> values with a leading axis of ``n_samples``, as ``predict_at`` takes them.

    Raises
    ------
    ValueError
        If a parameter is not in its range, or there are too few checkpoints.

    See Also
    --------
    diversity_accuracy : What the networks add to the one that they come from.
    skbayes.callbacks.WeightHistory : Keeps checkpoints.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import subspace_sample
    >>> run = {"weight": np.ones((4, 3, 2)), "bias": np.zeros((4, 2))}  # it stands still
    >>> sample = subspace_sample(run, "diagonal", n_samples=5, random_state=0)
    >>> sample["weight"].shape, float(sample["weight"].std())
    ((5, 3, 2), 0.0)
    """
    if not isinstance(method, str) or method not in SCALES:
        raise ValueError(f"method={method!r} must be one of {sorted(SCALES)}")
    for name, number in (("n_samples", n_samples), ("n_last", n_last)):
        if not (isinstance(number, Integral) and number >= 1):
            raise ValueError(f"{name}={number!r} must be an integer of at least 1")
    low, high = _check_scale(SCALES[method] if scale is None else scale, method)
    weights = check_weights(trajectory, "trajectory")
    recent = {key: values[-n_last:].astype(np.float64) for key, values in weights.items()}
    rng = new_random_state(random_state)
    s = rng.uniform(low, high, size=n_samples)
    if method == "diagonal":
        sample = {
            key: values.mean(axis=0)
            + _axis(s, values)
            * values.std(axis=0)
            * rng.normal(size=(n_samples, *values.shape[1:]))
            for key, values in recent.items()
        }
    elif method == "pca":
        sample = _principal(recent, s, n_components, rng)
    elif method == "random_direction":
        noise = {key: rng.normal(size=(n_samples, *v.shape[1:])) for key, v in recent.items()}
        squares = sum(np.square(z).reshape(n_samples, -1).sum(axis=1) for z in noise.values())
        steps = s / np.sqrt(squares)
        sample = {key: v[-1] + _axis(steps, v) * noise[key] for key, v in recent.items()}
    else:
        sample = {
            key: v[-1]
            * (rng.uniform(size=(n_samples, *v.shape[1:])) >= _axis(s, v))
            / (1.0 - _axis(s, v))
            for key, v in recent.items()
        }
    kinds = {key: np.result_type(values.dtype, np.float32) for key, values in weights.items()}
    return {key: values.astype(kinds[key]) for key, values in sample.items()}


def _axis(factors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Factors, one a sample, that multiply samples shaped like ``values`` after its first axis."""
    return factors.reshape(-1, *[1] * (values.ndim - 1))


def _principal(
    recent: Mapping[str, np.ndarray], s: np.ndarray, n_components: int, rng: np.random.RandomState
) -> dict[str, np.ndarray]:
    n_checkpoints = count_draws(recent)
    # as many directions as centred checkpoints span
    if not (isinstance(n_components, Integral) and 1 <= n_components < n_checkpoints):
        raise ValueError(
            f"n_components={n_components!r} must be an integer of at least 1 and less than the "
            f"{n_checkpoints} checkpoints that the directions are those of"
        )
    flat = np.concatenate([v.reshape(n_checkpoints, -1) for v in recent.values()], axis=1)
    mean = flat.mean(axis=0)
    directions = np.linalg.svd(flat - mean, full_matrices=False)[2][:n_components]
    # an SVD knows no signs: they are fixed as scikit-learn's PCA does
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(n_components), largest])[:, np.newaxis]
    sample = mean + s[:, np.newaxis] * rng.normal(size=(len(s), n_components)) @ directions
    ends = np.cumsum([v[0].size for v in recent.values()])[:-1]
    parts = np.split(sample, ends, axis=1)
    return {
        key: part.reshape(len(s), *v.shape[1:])
        for (key, v), part in zip(recent.items(), parts, strict=True)
    }


def _check_scale(scale: Any, method: str) -> tuple[float, float]:
    ends = scale if isinstance(scale, tuple) else (scale, scale)
    if len(ends) != 2 or not all(isinstance(end, Real) for end in ends):
        raise ValueError(f"scale={scale!r} must be a number or a pair of numbers")
    low, high = map(float, ends)
    if not 0 <= low <= high < np.inf:
        raise ValueError(f"scale={scale!r} must not be negative, and the ends in their order")
    if method == "dropout" and high >= 1:
        raise ValueError(f"scale={scale!r} is a probability of dropout, it must be less than 1")
    return low, high
