"""Synthetic spectrograms with chirping modes, many unlabelled and few labelled, by shots."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skbayes._random import new_random_state
from skbayes._sklearn import Interval, StrOptions, validate_params
from skbayes.datasets._plasma import draw_shot, render

#: Pictures that are drawn at once.
BLOCK_ROWS = 128
#: Smallest picture, in pixels, that still shows a chirp.
MIN_SIDE = 16
#: Decibels, as percentiles of a shot, that become black and white.
BLACK, WHITE = 0.1, 99.9
#: Pixels of a shot that tell its percentiles.
MAX_PIXELS = 2**20


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_labelled": [Interval(Integral, 0, None, closed="left")],
        "n_shots": [Interval(Integral, 1, None, closed="left")],
        "image_shape": [tuple, list],
        "prevalence": [Interval(Real, 0, 1, closed="both")],
        "labelled_prevalence": [Interval(Real, 0, 1, closed="both")],
        "snr": [tuple, list],
        "sweep": [Interval(Real, 0, None, closed="left")],
        "hard_negatives": [Interval(Real, 0, 0.5, closed="both")],
        "dtype": [StrOptions({"uint8", "float32"})],
        "out": [np.ndarray, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_spectrograms(
    n_samples: int = 1000,
    *,
    n_labelled: int = 100,
    n_shots: int = 40,
    image_shape: tuple[int, int] = (64, 64),
    prevalence: float = 0.04,
    labelled_prevalence: float = 0.58,
    snr: tuple[float, float] = (8.0, 20.0),
    sweep: float = 0.1,
    hard_negatives: float = 0.2,
    dtype: str = "uint8",
    out: np.ndarray | None = None,
    random_state: Any = None,
) -> Bunch:
    r"""Make spectrograms of plasma discharges, some of which hold chirping modes.

    The problem is that of Alfven eigenmodes in a tokamak [1]_: few labels, chosen by an expert
    (most of them positive), beside many rows without, hardly any of which is positive. A picture
    shows 0.62 MHz upwards and 6.55 ms to the right, in decibels. All have a falling background with
    humps, the noise of a periodogram (exponential in power, correlated over four columns), slow
    swells, steady lines, and broadband bursts. Positives have a train of two to eight chirps
    :math:`f_0 \pm s\,(t / 1\,\text{ms})^p` with :math:`0.5 \le p \le 1`. Among the negatives are
    trains of tones that do not chirp, trains of bursts, and low-frequency harmonics.

    Rows of a shot share the background, the lines, the receiver's noise, the rate of bursts and the
    frequency around which modes live, and are normalised together. Classifiers should be judged on
    shots that they have not seen (``groups`` for ``GroupKFold``).

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_labelled : int, default=100
        How many of them have a label.
    n_shots : int, default=40
        Number of discharges, of equally many rows (to one), in whose order the rows come. A shot
        is held in memory once, as float32.
    image_shape : tuple of int, default=(64, 64)
        Height (frequency, low ones first) and width (time), in pixels, 16 at least.
    prevalence : float, default=0.04
        Share of the rows without a label that are positive.
    labelled_prevalence : float, default=0.58
        Share of the rows with a label that are positive.
    snr : tuple of float, default=(8.0, 20.0)
        Least and largest height of the modes above the background, in decibels.
    sweep : float, default=0.1
        Megahertz that a chirp covers in its first millisecond (:math:`s`). With 0 nothing tells the
        classes apart but the rows of negatives that have no tones.
    hard_negatives : float, default=0.2
        Share of the negatives with tones that do not chirp, at most 0.5; half as many have trains
        of bursts, and again half as many low-frequency harmonics.
    dtype : {"uint8", "float32"}, default="uint8"
        Of the rows: from 0 to 255, or from 0 to 1.
    out : ndarray of shape (n_samples, height * width), default=None
        Where the rows are written, such as a ``numpy.memmap``; of type ``dtype``.
    random_state : int, RandomState instance or None, default=None
        Determines the rows.

    Returns
    -------
    Bunch
        With the attributes

        data : ndarray of shape (n_samples, height * width)
            One picture a row; ``out``, if that was given.
        target : ndarray of int of shape (n_samples,)
            1 with chirps, 0 without, -1 without a label, as in ``sklearn.semi_supervised``.
        groups : ndarray of int of shape (n_samples,)
            The shot.
        truth : ndarray of int of shape (n_samples,)
            1 or 0 for every row, to evaluate with.
        image_shape : tuple of int
            Height and width.

    Raises
    ------
    ValueError
        If there are more labels or shots than rows, or shapes or ranges do not fit.

    References
    ----------
    .. [1] V. Skvara, V. Smidl, T. Pevny, J. Seidl, A. Havranek and D. Tskhakaya, Detection of
       Alfven eigenmodes on COMPASS with generative neural networks, Fusion Science and Technology
       76 (2020).

    Examples
    --------
    >>> from skbayes.datasets import make_spectrograms
    >>> spectra = make_spectrograms(100, n_labelled=20, n_shots=5, random_state=0)
    >>> spectra.data.shape, spectra.data.dtype
    ((100, 4096), dtype('uint8'))
    >>> [int((spectra.target == label).sum()) for label in (-1, 0, 1)]
    [80, 8, 12]
    >>> int(spectra.truth[spectra.target == -1].sum())
    3
    """
    height, width = _check_shape(image_shape)
    least, largest = _check_range(snr)
    for name, value in {"n_labelled": n_labelled, "n_shots": n_shots}.items():
        if value > n_samples:
            raise ValueError(f"{name}={value} must not be larger than n_samples={n_samples}")
    shape = (n_samples, height * width)
    if out is None:
        out = np.empty(shape, dtype)
    elif out.shape != shape or out.dtype != np.dtype(dtype):
        raise ValueError(
            f"out must be an array of shape {shape} and dtype {dtype}, got shape {out.shape} and "
            f"dtype {out.dtype}"
        )
    seed = int(new_random_state(random_state).randint(2**31 - 1))
    target, truth = _draw_labels(
        np.random.default_rng([seed, 0]), n_samples, n_labelled, prevalence, labelled_prevalence
    )
    groups = np.arange(n_samples) * n_shots // n_samples
    bounds = np.searchsorted(groups, np.arange(n_shots + 1))
    for number in range(n_shots):
        rng_shot = np.random.default_rng([seed, 1 + number])
        shot = draw_shot(rng_shot)
        rows = slice(bounds[number], bounds[number + 1])
        positive = truth[rows] == 1
        picture = np.empty((len(positive), height * width), np.float32)
        for start in range(0, len(positive), BLOCK_ROWS):
            some = positive[start : start + BLOCK_ROWS]
            drawn = render(
                rng_shot,
                shot,
                some,
                (height, width),
                snr=(least, largest),
                sweep=sweep,
                hard_negatives=hard_negatives,
            )
            picture[start : start + len(some)] = drawn.reshape(len(some), -1)
        _normalise(picture)
        out[rows] = picture if dtype == "float32" else np.rint(255.0 * picture)
    return Bunch(data=out, target=target, groups=groups, truth=truth, image_shape=(height, width))


def _check_shape(image_shape: Any) -> tuple[int, int]:
    sides = list(image_shape)
    if len(sides) != 2 or any(not isinstance(s, Integral) or s < MIN_SIDE for s in sides):
        raise ValueError(
            f"image_shape={image_shape!r} must be (height, width), two integers of at least "
            f"{MIN_SIDE}"
        )
    return int(sides[0]), int(sides[1])


def _check_range(snr: Any) -> tuple[float, float]:
    ends = list(snr)
    if len(ends) != 2 or not all(isinstance(e, Real) for e in ends) or not ends[0] <= ends[1]:
        raise ValueError(f"snr={snr!r} must be (least, largest), two numbers in that order")
    return float(ends[0]), float(ends[1])


def _draw_labels(
    rng: np.random.Generator,
    n_samples: int,
    n_labelled: int,
    prevalence: float,
    labelled_prevalence: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels with -1 for none, and what they would be: the shares are met exactly (to a row)."""
    order = rng.permutation(n_samples)
    labelled, unlabelled = order[:n_labelled], order[n_labelled:]
    truth = np.zeros(n_samples, np.int64)
    for rows, share in ((labelled, labelled_prevalence), (unlabelled, prevalence)):
        truth[rows[: round(share * len(rows))]] = 1
    target = np.full(n_samples, -1)
    target[labelled] = truth[labelled]
    return target, truth


def _normalise(picture: np.ndarray) -> None:
    """Bring a shot's decibels to between 0 and 1, in place."""
    some = picture.ravel()[:: 1 + picture.size // MAX_PIXELS]
    black, white = np.percentile(some, [BLACK, WHITE])
    picture -= black
    picture *= 1.0 / (white - black)
    np.clip(picture, 0.0, 1.0, out=picture)
