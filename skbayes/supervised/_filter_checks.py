"""Which parameters of the deep ensemble filter go together."""

from typing import Any

from skbayes.supervised._anchors import has_known_noise
from skbayes.supervised._likelihood import Likelihood

#: Inflation -> what ``inflation_scale="auto"`` means; of "shrink" it depends on the factor.
AUTO_SCALE: dict[str, float | None] = {
    "additive": 1.0,
    "multiplicative": 1.05,
    "rtps": 0.9,
    "rtpp": 0.5,
    "langevin": 1.0,
    "shrink": None,
    "anomalies": 0.1,
}
#: These compare the ensemble after re-convergence with what it was before.
RELAXATIONS = {"rtps", "rtpp"}
#: These are about the members' deviations from their mean.
NEED_TWO = {"multiplicative", "rtps", "rtpp", "anomalies"}


def is_after(model: Any) -> bool:
    """Whether inflation follows re-convergence."""
    if model.inflate_when == "auto":
        return model.inflation in RELAXATIONS
    return model.inflate_when == "after"


def check_pairs(model: Any, n_rows: int, likelihood: Likelihood) -> None:
    """Refuse parameters that do not go together.

    Parameters
    ----------
    model : estimator
        With the filter's parameters, each valid alone.
    n_rows : int
        Rows that the round trains on.
    likelihood : Likelihood

    Raises
    ------
    ValueError
        Naming both parameters, their values and what is allowed.
    """
    kind, scale = model.inflation, model.inflation_scale
    name = f"inflation={kind!r}"
    if kind in RELAXATIONS and model.inflate_when == "before":
        raise ValueError(
            f"{name} relaxes to what the ensemble was before re-convergence, but "
            'inflate_when="before"; allowed are "auto" and "after"'
        )
    if kind == "rtpp" and scale != "auto" and scale > 1:
        raise ValueError(f"{name} needs an inflation_scale from 0 to 1, got {scale!r}")
    if model.n_members < 2 and (kind in NEED_TWO or model.adaptive):
        what = name if kind in NEED_TWO else "adaptive=True"
        raise ValueError(f"{what} needs n_members of at least 2, got {model.n_members}")
    if model.adaptive and kind in (None, "langevin"):
        raise ValueError(
            f"adaptive=True needs an inflation with a scale to adapt, but {name}; allowed are "
            f"{sorted(set(AUTO_SCALE) - {'langevin'})}"
        )
    if model.localization is None:
        if kind in RELAXATIONS | {"langevin"}:
            raise ValueError(
                f"{name} needs members that re-converge, but localization=None trains their mean "
                'alone; use localization="mode"'
            )
        for parameter in ("anchored", "bootstrap"):
            if getattr(model, parameter):
                raise ValueError(
                    f"{parameter}=True gives every member an objective of its own, but "
                    'localization=None trains their mean alone; use localization="mode"'
                )
    if model.anchored and model.bootstrap and has_known_noise(likelihood):
        raise ValueError(
            "bootstrap=True and anchored=True with a known noise_scale both draw every member's "
            "data, so that its noise would count twice; set one of them to False"
        )
    if kind == "langevin":
        _check_langevin(model, n_rows)


def _check_langevin(model: Any, n_rows: int) -> None:
    why = 'inflation="langevin" is matched to steps of full-batch gradient descent'
    if model.optimizer != "sgd":
        raise ValueError(f'{why}, but optimizer={model.optimizer!r}; use optimizer="sgd"')
    if model.batch_size != "auto" and model.batch_size < n_rows:
        raise ValueError(
            f"{why}, but batch_size={model.batch_size} is less than the {n_rows} rows; use "
            'batch_size="auto"'
        )
    for parameter in ("early_stopping", "bootstrap", "anchored"):
        if getattr(model, parameter):
            raise ValueError(f"{why} on all data, but {parameter}=True; set it to False")
