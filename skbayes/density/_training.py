"""From rows to a trained stack of autoencoders: build, train, and fill in the noise."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from skbayes._engine.build import build_net
from skbayes._engine.net import StackNet
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import draw_seed, make_generator
from skbayes.density._blocks import row_blocks
from skbayes.density._net import VAENet
from skbayes.density._objective import LIKELIHOOD_BASED, Objective, Settings
from skbayes.density._rate import ConstantRate, CosineRate
from skbayes.nn import (
    CornerPrior,
    MixturePrior,
    RelevancePrior,
    StackedMLP,
    StackedVAE,
    VampPrior,
)

#: Hidden layers of a discriminator.
CRITIC_LAYERS = (64, 64)
#: Criteria with a discriminator, and whether it judges rows (else codes).
CRITICS = {"adversarial": False, "mmd+adversarial": False, "vae-gan": True}


def add_parts(
    vae: StackedVAE,
    prior: Any,
    criterion: str,
    n_centres: int,
    rows: Rows,
    rng: np.random.RandomState,
) -> None:
    """Give an autoencoder its prior and its discriminator.

    Parameters
    ----------
    vae : StackedVAE
    prior : str or callable
    criterion : str
    n_centres : int
        Number of Gaussians of a prior that is a mixture.
    rows : Rows
        Training rows.
    rng : numpy.random.RandomState
    """
    members, width, dtype = vae.n_members, vae.n_components, rows.dtype
    generator = make_generator(rng)
    if prior == "ard":
        first = next(vae.decoder.parameters())
        if first.ndim != 3 or first.shape[2] != width:
            raise ValueError(
                "prior='ard' weighs what a component feeds: the first parameter of decoder must "
                f"be the weight of a torch.nn.Linear({width}, ...), not of shape "
                f"{tuple(first.shape[1:])}"
            )
        vae.prior = RelevancePrior(members, width, first.shape[1], dtype)
    elif prior == "mixture":
        vae.prior = MixturePrior(members, width, n_centres, generator, dtype)
    elif prior == "corners":
        vae.prior = CornerPrior(members, width, n_centres, generator, dtype)
    elif prior == "vamp":
        chosen = torch.randint(len(rows), (members, n_centres), generator=generator)
        vae.prior = VampPrior(rows.take(chosen).X.detach().clone())
    if criterion in CRITICS:
        n_in = vae.n_features if CRITICS[criterion] else width
        vae.critic = StackedMLP(n_in, CRITIC_LAYERS, 1, members, generator=generator, dtype=dtype)


def make_net(
    vae: StackedVAE,
    settings: Settings,
    rows: Rows,
    rng: np.random.RandomState,
    *,
    batch_size: int,
    max_iter: int,
    learning_rate: float,
    kl_warm_up: float = 0.0,
    constant: bool = False,
    prior_sampler: Callable[..., Any] | None = None,
    valid_rows: Rows | None = None,
    verbose: int = 0,
    net_class: type[VAENet] = VAENet,
) -> StackNet:
    """Make the net that trains an autoencoder.

    Parameters
    ----------
    vae : StackedVAE
    settings : Settings
        Of the objective.
    rows : Rows
        Training rows.
    rng : numpy.random.RandomState
        Source of shuffles and noise.
    batch_size, max_iter : int
    learning_rate : float
        The largest.
    kl_warm_up : float, default=0.0
        Share of the steps over which the weight of the divergence rises.
    constant : bool, default=False
        Whether the learning rate stays, and there is no warm-up: the end is not known.
    prior_sampler : callable, optional
        A user's prior.
    valid_rows : Rows, optional
    verbose : int, default=0
    net_class : type, default=VAENet

    Returns
    -------
    StackNet
        Initialised.
    """
    n_steps = max_iter * math.ceil(len(rows) / batch_size)
    rate = ConstantRate(learning_rate) if constant else CosineRate(learning_rate, n_steps)
    sampler_state = np.random.RandomState(draw_seed(rng)) if prior_sampler else None
    objective = Objective(settings, prior_sampler, sampler_state)
    n_warm_up = 0 if constant else math.ceil(kl_warm_up * n_steps)
    objective.heat = 0.0 if n_warm_up else 1.0

    def on_step(net: StackNet) -> None:
        rate(net)
        if objective.heat < 1.0:
            objective.heat = min(1.0, rate.step / n_warm_up)

    # a relevance prior needs one on the weights that it scales: see RelevancePrior
    first = next(vae.decoder.parameters()) if isinstance(vae.prior, RelevancePrior) else None
    net = build_net(
        vae,
        objective,
        partial(torch.optim.Adam, fused=rows.device.type in ("cpu", "cuda")),
        rows,
        batch_size=batch_size,
        max_epochs=max_iter,
        lr=learning_rate,
        shuffle=make_generator(rng),
        precisions=[1.0 if p is first else 0.0 for p in vae.parameters()],
        valid_rows=valid_rows,
        verbose=verbose,
        on_step=on_step,
        net_class=net_class,
    )
    rate.start(net)
    net.module_.noise_generator = make_generator(rng, rows.device)
    return net


def fill_in_noise(vae: StackedVAE, X: Any, n_cells: int) -> None:
    """Set the variance of the output to the mean squared residual, its best value.

    For criteria whose squared error does not learn it.

    Parameters
    ----------
    vae : StackedVAE
        A Gaussian one, trained.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Training rows.
    n_cells : int
        Rows that fit the memory budget.
    """
    unit = vae.scale if vae.scale is not None else 1.0
    total = torch.zeros(())
    with torch.no_grad():
        for _, block in row_blocks(Posterior(vae), X, n_cells):
            residual = (block - vae.decode(vae.encode(block)[0])) / unit
            total = total + residual.square().sum(1)
        variance = total / X.shape[0] - vae.noise_floor**2
        if vae.log_noise.shape[1] == 1:
            variance = variance.mean(1, keepdim=True)
        tiny = torch.finfo(variance.dtype).tiny ** 0.5
        vae.set_noise(variance.clamp_min(max(tiny, 1e-6 * vae.noise_floor**2)))


def learns_noise(criterion: str, likelihood: str) -> bool:
    """Whether the loss itself learns the noise of the data.

    Parameters
    ----------
    criterion, likelihood : str

    Returns
    -------
    bool
    """
    return criterion in LIKELIHOOD_BASED or likelihood == "student_t"
