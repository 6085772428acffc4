"""Axes for the displays of this package; matplotlib is imported only here."""

from typing import Any


def new_axes(n_axes: int = 1, size: tuple[float, float] | None = None) -> Any:
    """Make a figure with axes side by side.

    Parameters
    ----------
    n_axes : int, default=1
        Number of axes.
    size : tuple of float, default=None
        Width and height in inches.

    Returns
    -------
    ndarray of matplotlib Axes of shape (n_axes,)

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'a Display draws with matplotlib, which is missing: pip install "skbayes[plot]"'
        ) from error
    # "constrained" cuts titles off axes of equal aspect
    _, axes = plt.subplots(1, n_axes, figsize=size, squeeze=False, layout="compressed")
    return axes[0]
