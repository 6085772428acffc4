"""What an optimizer remembers of its steps, taken out and given back."""

from collections.abc import Mapping
from typing import Any

import torch

from skbayes._engine.net import StackNet


def optimizer_state(net: StackNet) -> dict[int, dict[str, Any]]:
    """What an optimizer remembers of its steps, on the host.

    Parameters
    ----------
    net : StackNet

    Returns
    -------
    dict
        Number of the parameter -> its moments.
    """
    state = net.optimizer_.state_dict()["state"]
    return {
        i: {key: torch.as_tensor(value).cpu().clone() for key, value in moments.items()}
        for i, moments in state.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, state: Mapping[int, Mapping[str, Any]]
) -> None:
    """Give an optimizer its memory back, unless the weights have another shape now.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    state : mapping
        From :func:`optimizer_state`.
    """
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    for i, moments in state.items():
        if any(value.ndim and value.shape != weights[i].shape for value in moments.values()):
            return
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
