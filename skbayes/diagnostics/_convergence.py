"""R-hat, effective sample size and Monte-Carlo error of chains, for many quantities at once.

Draws come as (chains, draws, ...) and every entry of the trailing axes is a quantity of its own.
Inside, a block of quantities lies as (quantities, chains, draws), every quantity contiguous.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.fft import next_fast_len
from scipy.special import ndtri
from scipy.stats import rankdata

#: Fewer draws of a chain than this have no halves to compare.
MIN_DRAWS = 4
#: Numbers of a block, which bounds the memory (a few dozen bytes a number) and fits a cache.
_BLOCK = 2**17
#: Below this range a quantity is constant.
_RESOLUTION = np.finfo(np.float64).resolution


def rhat(x: Any, method: str = "rank") -> np.ndarray:
    r"""Potential scale reduction: whether chains have come to the same law.

    With W the mean variance within the chains, B/n the variance of their means and n draws a chain,

    .. math:: \hat R = \sqrt{\frac{(n - 1) + B / W}{n}}

    which is near 1 where the chains agree. By default it is the rank-normalised split R-hat: chains
    are cut into halves, so that a trend counts as disagreement too, draws are replaced by normal
    scores of their ranks, and it is the larger one of the R-hat of these (location) and of the
    distances from the median (scale). Up to 1.05 or so, for long chains 1.01, counts as converged.

    Parameters
    ----------
    x : array-like of shape (n_chains, n_draws, ...)
        Draws. What is computed from them is in float64.
    method : {"rank", "z_scale", "folded", "split", "identity"}, default="rank"
        ``"z_scale"`` is the location part of ``"rank"`` alone, ``"folded"`` the scale part,
        ``"split"`` neither ranks nor folds, ``"identity"`` does not even split.

    Returns
    -------
    ndarray of shape x.shape[2:]
        One R-hat a quantity; a number where x has two axes.

    Raises
    ------
    ValueError
        If x has fewer than two axes or holds no numbers, or there is no such method.

    See Also
    --------
    ess : How many independent draws the chains are worth.
    chain_diagnostics : Both, for the function values of a fitted estimator.

    Notes
    -----
    Equal to ArviZ's also where there is nothing to compute: nan with fewer than two chains or four
    draws, with any nan among the draws, and for a constant, which says nothing about convergence.
    Infinite draws have ranks as others have. With an odd number of draws the middle one is left
    out of the halves. Chains that stand still in different places give a very large number or inf.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), *Rank-normalization, folding, and
    localization: an improved R-hat for assessing convergence of MCMC*, Bayesian Analysis 16(2).

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import rhat
    >>> x = np.random.RandomState(0).normal(size=(4, 100, 2))
    >>> x[0, :, 1] += 3  # one chain is elsewhere, in the second quantity
    >>> rhat(x).round(2)
    array([1.  , 1.49])
    """
    return _by_block(x, _choose(method, _RHAT), min_chains=2)


def ess(x: Any, method: str = "bulk") -> np.ndarray:
    r"""Effective sample size: how many independent draws would estimate as well.

    For S draws with the autocorrelation :math:`\rho_t`, estimated from all chains together,

    .. math:: \mathrm{ESS} = \frac{S}{1 + 2 \sum_{t \ge 1} \rho_t}

    where the sum ends by Geyer's initial monotone sequence. Chains that disagree count for less. At
    100 a mean is known to a tenth of the standard deviation; quantiles, and R-hat itself, are
    trustworthy from about 100 a chain on.

    Parameters
    ----------
    x : array-like of shape (n_chains, n_draws, ...)
        Draws. What is computed from them is in float64.
    method : {"bulk", "tail", "mean", "sd", "median", "identity"}, default="bulk"
        What is estimated: ``"bulk"`` location, by ranks; ``"tail"`` the worse one of the quantiles
        .05 and .95; the mean; the standard deviation; the median. ``"identity"`` is ``"mean"``
        with chains that are not split.

    Returns
    -------
    ndarray of shape x.shape[2:]
        One number a quantity, at most S log10(S) (anticorrelated draws are worth more than S); a
        number where x has two axes.

    Raises
    ------
    ValueError
        If x has fewer than two axes or holds no numbers, or there is no such method.

    See Also
    --------
    mcse : The standard error that follows.

    Notes
    -----
    Equal to ArviZ's also where there is nothing to compute: nan with fewer than four draws, with
    any nan among them, and where an infinite draw enters a mean; a constant counts as S. Quantiles
    are numpy's, as in ArviZ 1; where draws tie with a quantile, ArviZ 0 may round it to just below
    them and differ. The memory needed does not grow with the number of quantities.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), *Rank-normalization, folding, and
    localization: an improved R-hat for assessing convergence of MCMC*, Bayesian Analysis 16(2).

    Geyer (1992), *Practical Markov chain Monte Carlo*, Statistical Science 7(4).

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import ess
    >>> x = np.random.RandomState(0).normal(size=(4, 1000))
    >>> for t in range(1, 1000):  # autocorrelation .5: a third of 4000
    ...     x[:, t] += x[:, t - 1] / 2
    >>> bool(1200 < ess(x) < 1500)
    True
    """
    return _by_block(x, _choose(method, _ESS), min_chains=1)


def mcse(x: Any) -> np.ndarray:
    """Monte-Carlo standard error of the mean of all draws.

    Parameters
    ----------
    x : array-like of shape (n_chains, n_draws, ...)
        Draws. What is computed from them is in float64.

    Returns
    -------
    ndarray of shape x.shape[2:]
        Standard deviation over the root of ``ess(x, "mean")``; a number where x has two axes, nan
        where :func:`ess` is.

    Raises
    ------
    ValueError
        If x has fewer than two axes or holds no numbers.

    See Also
    --------
    ess : Effective sample size.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), *Rank-normalization, folding, and
    localization: an improved R-hat for assessing convergence of MCMC*, Bayesian Analysis 16(2).

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import mcse
    >>> x = np.random.RandomState(0).normal(size=(4, 2500))
    >>> bool(0.009 < mcse(x) < 0.011)  # 1 / sqrt(10000)
    True
    """

    def error(x: np.ndarray) -> np.ndarray:
        deviation = x.reshape(len(x), -1).std(axis=-1, ddof=1)  # (quantities,)
        return deviation / np.sqrt(_ess(_split(x)))

    return _by_block(x, error, min_chains=1)


def _by_block(
    x: Any, function: Callable[[np.ndarray], np.ndarray], *, min_chains: int
) -> np.ndarray:
    """Apply a function of (quantities, chains, draws), block by block."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise ValueError(f"x must be numbers; got an array of dtype {x.dtype}")
    if x.ndim < 2:
        raise ValueError(
            f"x must be draws of shape (chains, draws, ...); got an array of shape {x.shape}"
        )
    n_chains, n_draws, *trailing = x.shape
    out = np.full(int(np.prod(trailing)), np.nan)
    if n_chains >= min_chains and n_draws >= MIN_DRAWS:
        flat = x.reshape(n_chains, n_draws, len(out))
        step = max(1, _BLOCK // (n_chains * n_draws))
        for start in range(0, len(out), step):
            part = slice(start, start + step)
            block = np.moveaxis(flat[..., part], -1, 0)  # (quantities, chains, draws)
            block = np.ascontiguousarray(block, dtype=np.float64)
            known = ~np.isnan(block).any(axis=(1, 2))  # (quantities,)
            # 0 / 0 of constants and the like are told by nan, not by a warning
            with np.errstate(all="ignore"):
                if known.any():
                    out[part][known] = function(block[known])
    return out.reshape(trailing)[()]


def _choose(method: str, table: Mapping[str, Callable]) -> Callable[[np.ndarray], np.ndarray]:
    if method not in table:
        raise ValueError(f"method={method!r} must be one of {', '.join(map(repr, table))}")
    return table[method]


# -- transformations of (quantities, chains, draws) ------------------------------------------------


def _split(x: np.ndarray) -> np.ndarray:
    """First halves of all chains, then last halves."""
    half = x.shape[-1] // 2
    return np.concatenate([x[..., :half], x[..., -half:]], axis=1)


def _fold(x: np.ndarray) -> np.ndarray:
    """Distance from the median of all chains."""
    return np.abs(x - np.median(x.reshape(len(x), -1), axis=-1)[:, None, None])


def _z_scale(x: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks over all chains, ties sharing the mean rank (Blom's offset)."""
    flat = x.reshape(len(x), -1)  # (quantities, chains * draws)
    scores = ndtri((rankdata(flat, axis=-1) - 3 / 8) / (flat.shape[-1] + 1 / 4))
    return scores.reshape(x.shape)


def _below_quantile(x: np.ndarray, level: float) -> np.ndarray:
    quantile = np.quantile(x.reshape(len(x), -1), level, axis=-1)  # (quantities,)
    return (x <= quantile[:, None, None]).astype(np.float64)


# -- R-hat -----------------------------------------------------------------------------------------


def _rhat(x: np.ndarray) -> np.ndarray:
    n_draws = x.shape[-1]
    between = n_draws * x.mean(axis=-1).var(axis=-1, ddof=1)  # (quantities,)
    within = x.var(axis=-1, ddof=1).mean(axis=-1)  # (quantities,)
    value = np.sqrt((between / within + n_draws - 1) / n_draws)
    # a mean of equal numbers is off by rounding, and that would be compared
    constant = x.max(axis=(1, 2)) == x.min(axis=(1, 2))
    return np.where(constant, np.nan, value)


def _rhat_rank(x: np.ndarray) -> np.ndarray:
    halves = _split(x)
    location, scale = _rhat(_z_scale(halves)), _rhat(_z_scale(_fold(halves)))
    # one that folds to a constant (two values, equally often) has no scale part
    return np.where(scale > location, scale, location)


_RHAT = MappingProxyType(
    {
        "rank": _rhat_rank,
        "z_scale": lambda x: _rhat(_z_scale(_split(x))),
        "folded": lambda x: _rhat(_z_scale(_fold(_split(x)))),
        "split": lambda x: _rhat(_split(x)),
        "identity": _rhat,
    }
)


# -- effective sample size -------------------------------------------------------------------------


def _ess(x: np.ndarray) -> np.ndarray:
    n_chains, n_draws = x.shape[1:]
    size = n_chains * n_draws
    covariance = _autocovariance(x)  # (quantities, lags)
    within = covariance[:, 0] * n_draws / (n_draws - 1.0)
    total = within * (n_draws - 1.0) / n_draws
    if n_chains > 1:
        total = total + x.mean(axis=-1).var(axis=-1, ddof=1)
    rho = 1.0 - (within[:, None] - covariance) / total[:, None]  # (quantities, lags)
    rho[:, 0] = 1.0
    # Geyer: sums of neighbours are positive and decrease; the sum ends before the first that is
    # not positive (or at the last lag), with the even term of that pair if it helps
    pairs = rho[:, 0 : n_draws - 1 : 2] + rho[:, 1:n_draws:2]  # (quantities, pairs)
    n_pairs = max((n_draws - 3) // 2, 0)
    going_on = np.pad(pairs[:, :n_pairs] > 0, ((0, 0), (0, 1)))
    last = going_on.argmin(axis=-1)[:, None]  # (quantities, 1): first pair that is left out
    sums = np.minimum.accumulate(pairs, axis=-1).cumsum(axis=-1)
    before = np.where(last > 0, np.take_along_axis(sums, np.maximum(last - 1, 0), axis=-1), 0.0)
    even = np.take_along_axis(rho, 2 * last, axis=-1)
    even = np.where((even > 0) | (np.take_along_axis(pairs, last, axis=-1) >= 0), even, 0.0)
    tau = (-1.0 + 2.0 * before + even)[:, 0]
    value = size / np.maximum(tau, 1 / np.log10(size))
    value[np.isnan(rho).any(axis=-1)] = np.nan
    value[x.max(axis=(1, 2)) - x.min(axis=(1, 2)) < _RESOLUTION] = size
    return value


def _autocovariance(x: np.ndarray) -> np.ndarray:
    """Mean over chains of the autocovariance at every lag, as (quantities, lags)."""
    n_draws = x.shape[-1]
    length = next_fast_len(2 * n_draws, real=True)
    transform = np.fft.rfft(x - x.mean(axis=-1, keepdims=True), n=length, axis=-1)
    transform *= transform.conj()
    covariance = np.fft.irfft(transform, n=length, axis=-1)[..., :n_draws]
    covariance /= n_draws
    # Chains last: where a sum of neighbours is 0 but for rounding, only the same order of addition
    # ends it where ArviZ does
    return np.ascontiguousarray(covariance.transpose(0, 2, 1)).mean(axis=-1)


def _ess_tail(x: np.ndarray) -> np.ndarray:
    low, high = (_ess(_split(_below_quantile(x, level))) for level in (0.05, 0.95))
    return np.where(high < low, high, low)


def _ess_sd(x: np.ndarray) -> np.ndarray:
    mean = x.reshape(len(x), -1).mean(axis=-1)  # (quantities,)
    return _ess(_split((x - mean[:, None, None]) ** 2))


_ESS = MappingProxyType(
    {
        "bulk": lambda x: _ess(_z_scale(_split(x))),
        "tail": _ess_tail,
        "mean": lambda x: _ess(_split(x)),
        "sd": _ess_sd,
        "median": lambda x: _ess(_split(_below_quantile(x, 0.5))),
        "identity": _ess,
    }
)
