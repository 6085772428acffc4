"""What the pictures of calibration share."""

from typing import Any


def axes_and_figure(ax: Any) -> tuple[Any, Any]:
    """Axes to draw on, and their figure."""
    if ax is None:
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(
                'a Display draws with matplotlib, which is missing: pip install "skbayes[plot]"'
            ) from error
        _, ax = plt.subplots(layout="constrained")
    return ax, ax.figure


def label_with_error(name: str | None, error: str) -> str:
    """Text of the legend."""
    return error if name is None else f"{name}\n({error})"


def draw_diagonal(ax: Any) -> bool:
    """Draw the line of perfect calibration unless it is there already; whether it was not."""
    label = "Perfectly calibrated"
    if label in ax.get_legend_handles_labels()[1]:
        return False
    ax.plot([0, 1], [0, 1], "k:", label=label)
    return True
