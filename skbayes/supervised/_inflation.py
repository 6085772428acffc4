"""Inflation of an ensemble between two rounds of the deep ensemble filter."""

from collections.abc import Mapping

import torch
from torch import Tensor


def spread(params: Mapping[str, Tensor]) -> dict[str, float]:
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


@torch.no_grad()
def additive(
    params: Mapping[str, Tensor],
    scale: float,
    unit: Mapping[str, float],
    generator: torch.Generator,
) -> None:
    r"""Move every member by noise of its own: :math:`w \leftarrow w + q\, s\, e`, in place.

    Parameters
    ----------
    params : mapping of str to torch.Tensor
        Parameters, each with a leading axis of members.
    scale : float
        :math:`q`, a standard deviation in units of ``unit``.
    unit : mapping of str to float
        :math:`s` of every tensor: its **initial** spread. Relative to the current spread the noise
        would grow by a factor a round.
    generator : torch.Generator
        Source of :math:`e`, on the device of the parameters.

    Examples
    --------
    >>> import torch
    >>> from skbayes.supervised._inflation import additive
    >>> w = torch.zeros(10, 1000)
    >>> additive({"w": w}, 2.0, {"w": 0.5}, torch.Generator().manual_seed(0))
    >>> round(float(w.std()), 1)
    1.0
    """
    for name, p in params.items():
        noise = torch.empty_like(p).normal_(generator=generator)
        p.add_(noise, alpha=scale * unit[name])
