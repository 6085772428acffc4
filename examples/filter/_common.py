"""What the experiments with the filter share: arguments, paired intervals, figures."""

import argparse
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from results import Results  # noqa: F401


def arguments(doc, **defaults):
    """Parse ``--name value`` for every default; lists take several values."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("."), help="folder of the figure")
    parser.add_argument("--results", default="", help="CSV file by which a run can be taken up")
    for name, default in defaults.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true")
        elif isinstance(default, list):
            parser.add_argument(flag, nargs="+", default=default, type=type(default[0]))
        else:
            parser.add_argument(flag, default=default, type=type(default))
    return parser.parse_args()


class Clock:
    """CPU seconds spent inside ``with clock():``."""

    seconds = 0.0

    @contextmanager
    def __call__(self):
        start = time.process_time()
        yield
        self.seconds += time.process_time() - start


def paired(a, b):
    """Mean of paired differences, and half of the width of its 95 % interval."""
    difference = np.asarray(a) - np.asarray(b)
    n = len(difference)
    if n < 2:
        return float(difference.mean()), float("nan")
    half = stats.t.ppf(0.975, n - 1) * difference.std(ddof=1) / n**0.5
    return float(difference.mean()), float(half)


def show(name, a, b):
    """Print a paired difference."""
    mean, half = paired(a, b)
    print(f"{name}: {mean:+.4f} +- {half:.4f} (95 %, n = {len(a)})")


def new_figure(rows, columns, size=3.0):
    """A figure without a window, and its axes."""
    figure = Figure(figsize=(size * columns * 1.15, size * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def save(figure, out, name):
    """Write a figure."""
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / f"{name}.png", dpi=80, bbox_inches="tight")
    print("drawn:", out / f"{name}.png")
