"""Pictures of a noisy plasma: background, speckle, lines, bursts, harmonics, trains of chirps."""

from typing import NamedTuple

import numpy as np

#: What a picture shows: megahertz upwards, milliseconds to the right.
HEIGHT, WIDTH = 0.62, 6.55
#: Milliseconds in which a chirp rises to its loudest, and in which it fades.
RISE, DECAY = 0.1, 0.5
#: Weights of neighbouring columns: windows that overlap by three quarters share their noise.
OVERLAP = np.array([0.35, 0.75, 0.75, 0.35], np.float32)
#: Frequencies of a picture whose noise is that of a single periodogram.
FINEST = 128
#: Most chirps in a train.
MAX_CHIRPS = 8
#: Pixels: width of a steady line (of the window's main lobe, whatever the resolution).
LINE_WIDTH = 0.8
#: Megahertz: width of a mode.
MODE_WIDTH = 0.015


class Shot(NamedTuple):
    """What all pictures of one discharge have in common.

    Attributes
    ----------
    slope : float
        The background falls as frequency to this power.
    bumps : ndarray of shape (n_bumps, 3)
        Frequency, width and height (decibels) of broad humps.
    receiver : float
        Power of the receiver's own noise, relative to the background at one megahertz.
    lines : ndarray of shape (n_lines, 2)
        Frequency and height (decibels) of steady interference.
    carrier : float
        Megahertz around which modes live in this discharge.
    burst_rate : float
        Mean number of broadband bursts in a picture.
    """

    slope: float
    bumps: np.ndarray
    receiver: float
    lines: np.ndarray
    carrier: float
    burst_rate: float


class Modes(NamedTuple):
    """Ridges that move: for every row some tracks, in megahertz above the picture's lower edge.

    Attributes
    ----------
    frequency : ndarray of shape (n_rows, n_tracks, n_columns)
    gain : ndarray of shape (n_rows, n_tracks, n_columns)
        Power relative to the background; 0 where there is nothing.
    """

    frequency: np.ndarray
    gain: np.ndarray


def draw_shot(rng: np.random.Generator) -> Shot:
    """Draw the nuisances of a discharge.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Shot
    """
    n_bumps, n_lines = 3, rng.integers(0, 5)
    return Shot(
        slope=rng.uniform(1.0, 2.0),
        bumps=rng.uniform([0.0, 0.05, 1.0], [2.5, 0.3, 6.0], (n_bumps, 3)),
        receiver=10.0 ** rng.uniform(-1.5, 0.3),
        lines=rng.uniform([0.1, 3.0], [2.5, 10.0], (n_lines, 2)),
        carrier=rng.uniform(0.7, 1.6),
        burst_rate=rng.uniform(0.2, 0.8),
    )


def draw_windows(
    rng: np.random.Generator, shot: Shot, is_positive: np.ndarray, n_low: int
) -> np.ndarray:
    """Draw where pictures begin, in megahertz: around the carrier, some negatives at the bottom.

    Parameters
    ----------
    rng : numpy.random.Generator
    shot : Shot
    is_positive : ndarray of bool of shape (n_rows,)
    n_low : int
        The first so many negatives begin at zero.

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    start = shot.carrier - HEIGHT * rng.uniform(0.3, 0.7, len(is_positive))
    start[np.flatnonzero(~is_positive)[:n_low]] = 0.0
    return np.maximum(start, 0.0)


def draw_trains(
    rng: np.random.Generator,
    carrier: np.ndarray,
    n_columns: int,
    snr: tuple[float, float],
    sweep: float,
) -> Modes:
    r"""Draw trains of short modes whose frequency is :math:`f_0 \pm s\, (t / 1\,\text{ms})^p`.

    Parameters
    ----------
    rng : numpy.random.Generator
    carrier : ndarray of shape (n_rows,)
        Mean of :math:`f_0`.
    n_columns : int
    snr : tuple of float
        Between how many decibels the modes stand above the background.
    sweep : float
        :math:`s`; zero for modes that do not chirp.

    Returns
    -------
    Modes
        With two tracks a chirp: a parallel branch is silent in most rows.
    """
    n_rows, shape = len(carrier), (len(carrier), MAX_CHIRPS)
    time = (np.arange(n_columns) + 0.5) * (WIDTH / n_columns)
    # the repetition is the row's, with some jitter
    interval = rng.uniform(0.5, 2.0, (n_rows, 1)) * rng.uniform(0.8, 1.2, shape)
    begin = rng.uniform(0.0, 1.5, (n_rows, 1)) + np.cumsum(interval, axis=1) - interval
    audible = np.arange(MAX_CHIRPS) < rng.integers(2, MAX_CHIRPS + 1, (n_rows, 1))
    duration = rng.uniform(0.3, 1.5, (n_rows, 1)) * rng.uniform(0.8, 1.2, shape)
    power = rng.uniform(0.5, 1.0, (n_rows, 1, 1))
    drift = rng.normal(0.0, 0.004, (n_rows, 1)) * begin
    origin = carrier[:, np.newaxis] + drift + rng.normal(0.0, 0.008, shape)
    direction = rng.choice([-1.0, 1.0], (n_rows, 1, 1))
    decibels = rng.uniform(*snr, (n_rows, 1)) + rng.uniform(-1.5, 1.5, shape)
    age = time - begin[:, :, np.newaxis]  # (rows, chirps, columns)
    alive = (age > 0.0) & (age < duration[:, :, np.newaxis]) & audible[:, :, np.newaxis]
    age = np.where(alive, age, 0.0)
    envelope = alive * (1.0 - np.exp(-age / RISE)) * np.exp(-age / DECAY)
    gain = 10.0 ** (decibels[:, :, np.newaxis] / 10.0) * envelope / 0.535  # its largest value
    frequency = origin[:, :, np.newaxis] + direction * sweep * age**power
    branch = np.where(rng.uniform(size=(n_rows, 1, 1)) < 0.25, 0.3, 0.0)
    apart = rng.choice([-1.0, 1.0], (n_rows, 1, 1)) * rng.uniform(0.04, 0.1, (n_rows, 1, 1))
    return Modes(
        np.concatenate([frequency, frequency + apart], axis=1),
        np.concatenate([gain, branch * gain], axis=1),
    )


def draw_harmonics(rng: np.random.Generator, n_rows: int, n_columns: int) -> Modes:
    """Draw slow magnetohydrodynamic oscillations: a drifting tone and its multiples.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_rows, n_columns : int

    Returns
    -------
    Modes
    """
    time = np.linspace(0.0, 1.0, n_columns)
    tone = rng.uniform(0.03, 0.12, (n_rows, 1)) * (1.0 + rng.uniform(-0.3, 0.3, (n_rows, 1)) * time)
    order = np.arange(1.0, 4.0)[:, np.newaxis]
    frequency = tone[:, np.newaxis] * order  # (rows, multiples, columns)
    decibels = rng.uniform(4.0, 14.0, (n_rows, 1, 1)) - 3.0 * (order - 1.0)
    wobble = 1.0 + 0.5 * np.sin(
        2.0 * np.pi * (rng.uniform(1, 4, (n_rows, 1, 1)) * time + rng.uniform(size=(n_rows, 1, 1)))
    )
    gain = 10.0 ** (decibels / 10.0) * wobble * (frequency < 0.3)
    return Modes(frequency, gain)


def draw_bursts(
    rng: np.random.Generator, rate: float, n_rows: int, n_trains: int, n_columns: int
) -> np.ndarray:
    """Draw vertical broadband bursts: their power by column.

    Parameters
    ----------
    rng : numpy.random.Generator
    rate : float
        Mean number in a picture.
    n_rows : int
    n_trains : int
        The first so many rows have a periodic train of them.
    n_columns : int

    Returns
    -------
    ndarray of shape (n_rows, n_columns)
    """
    most = 6
    when = rng.uniform(0.0, n_columns, (n_rows, most))
    some = np.minimum(rng.poisson(rate, n_rows), most)
    period = rng.uniform(0.08, 0.25, (n_trains, 1)) * n_columns
    when[:n_trains] = period * (np.arange(most) + rng.uniform(size=(n_trains, 1)))
    some[:n_trains] = most
    width = rng.uniform(0.4, 1.3, (n_rows, most))
    decibels = rng.uniform(3.0, 12.0, (n_rows, most))
    height = 10.0 ** (decibels / 10.0) * (np.arange(most) < some[:, np.newaxis])
    away = (np.arange(n_columns) - when[:, :, np.newaxis]) / width[:, :, np.newaxis]
    return (height[:, :, np.newaxis] * np.exp(-0.5 * away**2)).sum(axis=1)


def speckle(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Draw the noise of a periodogram: exponential in power, correlated along a row.

    What is coarser than 128 frequencies is a mean over neighbouring ones, with less noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Pictures, frequencies, columns.

    Returns
    -------
    ndarray of float32
        Of mean one.
    """
    n_rows, height, width = shape
    padded = (n_rows, height, width + len(OVERLAP) - 1)
    looks = max(1, FINEST // height)
    weights = OVERLAP / np.float32(np.sqrt(2.0 * looks * np.square(OVERLAP).sum()))
    total = np.zeros(shape, np.float32)
    for _ in range(2 * looks):  # real and imaginary parts
        white = rng.standard_normal(padded, dtype=np.float32)
        part = sum(w * white[:, :, i : i + width] for i, w in enumerate(weights))
        total += np.square(part)
    return total


def add_modes(power: np.ndarray, rows: np.ndarray, modes: Modes) -> None:
    """Add ridges to pictures.

    Parameters
    ----------
    power : ndarray of shape (n_pictures, height, width)
        Relative to the background; changed.
    rows : ndarray of int
        Pictures to which the modes belong.
    modes : Modes
    """
    height = power.shape[1]
    pixel = np.arange(height, dtype=np.float32)[:, np.newaxis]
    for track in range(modes.gain.shape[1]):
        heard = modes.gain[:, track].any(axis=1)
        if not heard.any():
            continue
        centre = (modes.frequency[heard, track] * (height / HEIGHT) - 0.5).astype(np.float32)
        gain = modes.gain[heard, track].astype(np.float32)
        away = (pixel - centre[:, np.newaxis]) * np.float32(HEIGHT / (height * MODE_WIDTH))
        power[rows[heard]] += gain[:, np.newaxis] * np.exp(-0.5 * np.square(away))


def render(
    rng: np.random.Generator,
    shot: Shot,
    is_positive: np.ndarray,
    image_shape: tuple[int, int],
    *,
    snr: tuple[float, float],
    sweep: float,
    hard_negatives: float,
) -> np.ndarray:
    """Draw pictures of one discharge, in decibels.

    Parameters
    ----------
    rng : numpy.random.Generator
    shot : Shot
    is_positive : ndarray of bool of shape (n_rows,)
        Whether a picture has a train of chirps.
    image_shape : tuple of int
        Height and width.
    snr, sweep
        As for :func:`draw_trains`.
    hard_negatives : float
        Share of the negatives with a train of tones that do not chirp; half as many have a train
        of bursts, and again half as many low-frequency harmonics.

    Returns
    -------
    ndarray of float32 of shape (n_rows, height, width)
        Low frequencies first.
    """
    height, width = image_shape
    n_rows = len(is_positive)
    negatives = np.flatnonzero(~is_positive)
    n_flat, n_trains = (round(s * len(negatives)) for s in (hard_negatives, hard_negatives / 2))
    low, flat = negatives[:n_trains], negatives[n_trains : n_trains + n_flat]
    bursting = negatives[n_trains + n_flat : 2 * n_trains + n_flat]
    start = draw_windows(rng, shot, is_positive, n_trains)

    frequency = start[:, np.newaxis] + (np.arange(height) + 0.5) * (HEIGHT / height)
    time = (np.arange(width) + 0.5) * (WIDTH / width)
    background = ((frequency + 0.1) / 1.1) ** -shot.slope
    for centre, spread, decibels in shot.bumps:
        background *= 10.0 ** (
            decibels / 10.0 * np.exp(-0.5 * ((frequency - centre) / spread) ** 2)
        )
    phase = rng.uniform(size=(n_rows, 1)) + time / rng.uniform(2.0, 10.0, (n_rows, 1))
    swell = 10.0 ** (0.1 * rng.uniform(0.0, 2.0, (n_rows, 1)) * np.cos(2 * np.pi * phase))

    steady = np.zeros((n_rows, height))
    for at, decibels in shot.lines:
        away = (frequency - at) * (height / HEIGHT) / LINE_WIDTH
        steady += 10.0 ** (decibels / 10.0) * np.exp(-0.5 * away**2)
    bursts = np.empty((n_rows, width))
    order = np.concatenate([bursting, np.setdiff1d(np.arange(n_rows), bursting)])
    bursts[order] = draw_bursts(rng, shot.burst_rate, n_rows, len(bursting), width)

    power = np.ones((n_rows, height, width), np.float32)
    power += steady.astype(np.float32)[:, :, np.newaxis]
    power += bursts.astype(np.float32)[:, np.newaxis, :]
    for rows, swept in ((np.flatnonzero(is_positive), sweep), (flat, 0.0)):
        modes = draw_trains(rng, shot.carrier - start[rows], width, snr, swept)
        add_modes(power, rows, modes)
    add_modes(power, low, draw_harmonics(rng, len(low), width))

    plasma = background.astype(np.float32)[:, :, np.newaxis] * swell.astype(np.float32)[:, None, :]
    # the modes are measured above the whole background, the receiver's noise included
    power *= plasma + np.float32(shot.receiver)
    power *= speckle(rng, power.shape)
    # a digitiser has a last bit
    return 10.0 * np.log10(power + np.float32(1e-3 * shot.receiver))
