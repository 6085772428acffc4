"""Inflation of an ensemble: pure functions of its tensors, each with a leading axis of members."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

#: Tensors of the ensemble, by name.
Params = Mapping[str, Tensor]


def spread(params: Params) -> dict[str, float]:
    """Standard deviation of the entries of every tensor of a fresh stack.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        Parameters, each with a leading axis of members.

    Returns
    -------
    dict of str to float

    Examples
    --------
    >>> import torch
    >>> from skbayes.supervised._inflation import spread
    >>> spread({"weight": torch.tensor([[-1.0, 1.0], [-1.0, 1.0]])})
    {'weight': 1.0}
    """
    return {name: float(p.detach().std(correction=0)) for name, p in params.items()}


def additive(
    params: Params, scale: float, unit: Mapping[str, float], generator: torch.Generator
) -> dict[str, Tensor]:
    r"""Move every member by noise of its own: :math:`w + q\, s\, e`.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        Parameters, each with a leading axis of members.
    scale : float
        :math:`q`, a standard deviation in units of ``unit``.
    unit : mapping of str to float
        :math:`s` of every tensor: its **initial** spread. Relative to the current spread the noise
        would grow by a factor a round. A tensor that starts the same everywhere (a noise that is
        learned, the gains of a normalisation) is not moved.
    generator : torch.Generator
        Source of :math:`e`, on the device of the parameters.

    Returns
    -------
    dict of str to torch.Tensor

    Examples
    --------
    >>> import torch
    >>> from skbayes.supervised._inflation import additive
    >>> w = torch.zeros(10, 1000)
    >>> moved = additive({"w": w}, 2.0, {"w": 0.5}, torch.Generator().manual_seed(0))
    >>> round(float(moved["w"].std()), 1)
    1.0
    """
    return shrink(params, 1.0, scale, unit, generator)


def shrink(
    params: Params,
    factor: float,
    scale: float,
    unit: Mapping[str, float],
    generator: torch.Generator,
) -> dict[str, Tensor]:
    r"""Shrink every member and move it by noise of its own: :math:`\lambda w + q\, s\, e`.

    With :math:`q = \sqrt{1 - \lambda^2}` (:func:`autoregressive_scale`) weights of mean 0 and
    standard deviation s keep both: a first-order autoregression, as in preconditioned
    Crank-Nicolson. Of a tensor whose s is 0 that says nothing, not even that its place is 0: it is
    neither moved nor shrunk.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        Parameters, each with a leading axis of members.
    factor : float
        :math:`\lambda`, what is kept of the weights.
    scale, unit, generator
        As for :func:`additive`.

    Returns
    -------
    dict of str to torch.Tensor
    """
    moved = {}
    for name, p in params.items():
        noise = torch.empty_like(p).normal_(generator=generator)
        kept = p if factor == 1 or unit[name] == 0 else factor * p
        moved[name] = torch.add(kept, noise, alpha=scale * unit[name])
    return moved


def autoregressive_scale(factor: float) -> float:
    r"""Noise that keeps the variance of shrunken weights: :math:`\sqrt{1 - \lambda^2}`."""
    return float(np.sqrt(1.0 - factor**2))


def langevin_scale(total_rate: float, n_data: float, temperature: float = 1.0) -> float:
    r"""Standard deviation of the noise that is matched to the steps between two inflations.

    A round of K steps of gradient descent on the **mean** loss, of curvature A, multiplies a
    deviation from the mode by :math:`R = (I - \eta A)^K`. Rounds of noise of variance q and such
    steps have the stationary covariance :math:`q R^2 (I - R^2)^{-1}`. With
    :math:`q = 2 T K \eta / N` it tends to the Laplace covariance :math:`T (N A)^{-1}` as
    :math:`K \eta A` becomes small; to first order it is smaller by :math:`K \eta A`.

    Parameters
    ----------
    total_rate : float
        :math:`K \eta`, the sum of the rates of the steps.
    n_data : float
        N.
    temperature : float, default=1
        T.

    Returns
    -------
    float
        :math:`\sqrt q`.
    """
    return float(np.sqrt(2.0 * temperature * total_rate / n_data))


def multiplicative(params: Params, scale: float) -> dict[str, Tensor]:
    r"""Widen the ensemble about its mean: :math:`m + \alpha (w - m)`.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        Parameters, each with a leading axis of members.
    scale : float
        :math:`\alpha`.

    Returns
    -------
    dict of str to torch.Tensor
    """
    return {name: p.mean(0) + scale * (p - p.mean(0)) for name, p in params.items()}


def rtps(params: Params, prior: Params, scale: float) -> dict[str, Tensor]:
    r"""Relax the spread to what it was: :math:`x' \leftarrow x'(\alpha (s^b - s^a) / s^a + 1)`.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        The ensemble after re-convergence (analysis), of spread :math:`s^a`.
    prior : mapping of str to torch.Tensor
        The ensemble before (background), of spread :math:`s^b`.
    scale : float
        :math:`\alpha`; at 1 every weight's spread becomes exactly what it was. Above 1 the spread
        goes on from there, to 0 at least.

    Returns
    -------
    dict of str to torch.Tensor
        Weights on which all members agree stay as they are.

    References
    ----------
    J. S. Whitaker and T. M. Hamill, Evaluating methods to account for system errors in ensemble
    data assimilation, Monthly Weather Review 140, 2012, equation 2.
    """
    relaxed = {}
    for name, p in params.items():
        mean = p.mean(0)
        now, before = p.std(0), prior[name].to(p).std(0)
        # rounding is no spread
        alive = now > 4 * torch.finfo(p.dtype).eps * (mean.abs() + before)
        factor = scale * (before - now) / torch.where(alive, now, torch.ones_like(now)) + 1.0
        factor = factor.clamp(min=0.0)  # a negative spread would turn members over
        relaxed[name] = mean + torch.where(alive, factor, torch.ones_like(now)) * (p - mean)
    return relaxed


def rtpp(params: Params, prior: Params, scale: float) -> dict[str, Tensor]:
    r"""Relax the anomalies to what they were: :math:`x' \leftarrow (1-\alpha) x'^a + \alpha x'^b`.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        The ensemble after re-convergence (analysis).
    prior : mapping of str to torch.Tensor
        The ensemble before (background).
    scale : float
        :math:`\alpha`, from 0 to 1.

    Returns
    -------
    dict of str to torch.Tensor

    References
    ----------
    F. Zhang, C. Snyder and J. Sun, Impacts of initial estimate and observation availability on
    convective-scale data assimilation with an ensemble Kalman filter, Monthly Weather Review 132,
    2004, equation 5.
    """
    relaxed = {}
    for name, p in params.items():
        mean, before = p.mean(0), prior[name].to(p)
        relaxed[name] = mean + (1.0 - scale) * (p - mean) + scale * (before - before.mean(0))
    return relaxed


def gaspari_cohn(distance: Sequence[float] | np.ndarray, support: float) -> np.ndarray:
    """Taper of a covariance with distance: a fifth-order piecewise rational, near a Gaussian.

    Parameters
    ----------
    distance : array-like
        Distances, of either sign.
    support : float
        Distance from which on the taper is 0.

    Returns
    -------
    ndarray
        1 at distance 0, 0 at ``support`` and beyond; a valid correlation function.

    References
    ----------
    G. Gaspari and S. E. Cohn, Construction of correlation functions in two and three dimensions,
    Quarterly Journal of the Royal Meteorological Society 125, 1999, equation 4.10.

    Examples
    --------
    >>> from skbayes.supervised._inflation import gaspari_cohn
    >>> gaspari_cohn([0, 1, 2, 3], support=2).round(4).tolist()
    [1.0, 0.2083, 0.0, 0.0]
    """
    r = 2.0 * np.abs(np.asarray(distance, dtype=np.float64)) / support
    near = np.polyval([-1 / 4, 1 / 2, 5 / 8, -5 / 3, 0, 1], r)
    far = np.polyval([1 / 12, -1 / 2, 5 / 8, 5 / 3, -5, 4], r) - 2 / (3 * np.maximum(r, 1.0))
    return np.where(r <= 1, near, np.where(r < 2, np.maximum(far, 0.0), 0.0))


def layers_of(names: Sequence[str]) -> np.ndarray:
    """Number of the layer of every tensor: those that share all but their last name are one's."""
    owners = [name.rpartition(".")[0] for name in names]
    order = list(dict.fromkeys(owners))
    return np.array([order.index(owner) for owner in owners])


def anomalies(
    params: Params, scale: float, support: float, generator: torch.Generator
) -> dict[str, Tensor]:
    r"""Move every member by noise of the ensemble's own covariance, tapered between layers.

    The noise has the covariance :math:`q^2 \rho \circ P`: P is the sample covariance of the
    members, of rank M - 1 at most, and :math:`\rho` the Gaspari-Cohn taper of the distance between
    layers, which takes away what so few members say of layers that are far apart.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        Parameters, each with a leading axis of members, in the order of the layers.
    scale : float
        q.
    support : float
        Distance in layers from which on they are independent; up to 1 the covariance is
        block-diagonal.
    generator : torch.Generator
        On the device of the parameters.

    Returns
    -------
    dict of str to torch.Tensor
    """
    number = layers_of(list(params))
    places = np.arange(number.max() + 1)
    taper = gaspari_cohn(places[:, None] - places, support)
    values, vectors = np.linalg.eigh(taper)
    root = vectors * np.sqrt(np.maximum(values, 0.0))  # root @ root.T is the taper
    n_members = len(next(iter(params.values())))
    moved = {}
    first = next(iter(params.values()))
    # one weight a member that is moved, a root of the taper, and a member whose anomaly is taken
    draws = torch.empty(n_members, len(places), n_members, dtype=first.dtype, device=first.device)
    draws.normal_(generator=generator)
    for (name, p), layer in zip(params.items(), number, strict=True):
        mix = torch.as_tensor(root[layer], dtype=p.dtype, device=p.device)
        weights = torch.einsum("k,mkj->mj", mix, draws.to(p)) * (scale / (n_members - 1) ** 0.5)
        moved[name] = p + torch.tensordot(weights, p - p.mean(0), dims=1)
    return moved
