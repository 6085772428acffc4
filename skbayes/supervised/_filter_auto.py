"""What ``"auto"`` stands for in the deep ensemble filters."""

from math import ceil
from typing import Any

from skbayes.supervised._filter_checks import is_after
from skbayes.supervised._inflation import autoregressive_scale

#: Epochs of the first fit and of later ones, but for the least steps.
INIT_EPOCHS, WARM_EPOCHS = 100, 40
#: Least steps of a network with one input, in the first fit and in later ones.
LEAST_STEPS = (1000, 400)
#: Inputs of every layer from which on no more are taken to need fewer steps.
MANY_INPUTS = 10
#: Inputs of every layer from which on a round wins back, in fewer epochs, what more noise takes;
#: the least rate at which so many steps do.
WIDE, LEAST_RATE = 40, 0.01
#: What shrinking keeps of the weights, of narrow networks and of wide ones.
SHRINK_FACTOR, WIDE_SHRINK_FACTOR = 0.9, 0.7
#: The noise and the epochs that go with the factor of wide networks.
WIDE_SCALE, WIDE_EPOCHS = 1.5, 28


def is_wide(model: Any, n_inputs: int) -> bool:
    """Whether rounds are those of wide networks: fewer epochs, and more noise.

    Where anything else that the balance of the two rests on is not the default, they are not.

    Parameters
    ----------
    model : estimator
        With the filter's parameters.
    n_inputs : int
        Least number of inputs of a layer.
    """
    return (
        model.inflation == "shrink"
        and model.shrink_factor == "auto"
        and model.warm_epochs == "auto"
        and model.localization == "mode"
        and not is_after(model)  # nothing would follow the noise
        and model.optimizer == "adam"
        and model.learning_rate_init >= LEAST_RATE
        and model.module is None  # of another network it is not known how wide it is
        and n_inputs >= WIDE
    )


def resolve_shrinking(model: Any, n_inputs: int) -> tuple[float, float]:
    """The factor of ``"shrink"``, and the noise's standard deviation in units of the spread.

    Parameters
    ----------
    model : estimator
        With the filter's parameters.
    n_inputs : int
        Least number of inputs of a layer.
    """
    wide = is_wide(model, n_inputs)
    factor = model.shrink_factor
    if factor == "auto":
        factor = WIDE_SHRINK_FACTOR if wide else SHRINK_FACTOR
    if model.inflation_scale != "auto":
        return factor, float(model.inflation_scale)
    return factor, WIDE_SCALE if wide else autoregressive_scale(factor)


def count_epochs(model: Any, n_inputs: int, n_batches: int, resume: bool) -> int:
    """Epochs of the first fit, or of a later one.

    Parameters
    ----------
    model : estimator
        With the filter's parameters.
    n_inputs : int
        Least number of inputs of a layer.
    n_batches : int
        Steps of an epoch.
    resume : bool
        Whether it is a later one.
    """
    if not resume:
        epochs = INIT_EPOCHS
    elif model.inflation == "langevin":
        return WARM_EPOCHS  # noise and few steps make a sampler, noise and many a descent
    elif is_wide(model, n_inputs):
        return WIDE_EPOCHS
    else:
        epochs = WARM_EPOCHS
    # a step of Adam moves a weight by the rate at most, and so what k inputs of order one add up to
    # by k rates: the fewer inputs, the more steps
    steps = ceil(LEAST_STEPS[resume] / min(n_inputs, MANY_INPUTS))
    return max(epochs, ceil(steps / n_batches))
