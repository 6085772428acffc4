"""Gradient of the evidence lower bound in closed form: a step of the default without autograd."""

from collections.abc import Callable

import torch
from torch import Tensor

from skbayes._engine.rows import Batch
from skbayes.density._criteria import kept_rows
from skbayes.density._objective import Objective
from skbayes.nn import NormalPrior, StackedVAE
from skbayes.nn._likelihoods import LOG_TWO_PI
from skbayes.nn._pull_back import can_pull_back, perceptron
from skbayes.nn._vae import LOGVAR_BOUNDS


def has_closed_form(vae: StackedVAE, objective: Objective) -> bool:
    """Whether :func:`losses_and_pull_back` knows the model.

    Parameters
    ----------
    vae : StackedVAE
    objective : Objective

    Returns
    -------
    bool
        True for ``criterion="elbo"`` with a Gaussian likelihood and a standard normal prior, on
        perceptrons that :func:`~skbayes.nn._pull_back.can_pull_back` accepts.
    """
    return (
        type(vae) is StackedVAE
        and type(objective) is Objective
        and objective.settings.criterion == "elbo"
        and vae.likelihood_name == "gaussian"
        and type(vae.prior) is NormalPrior
        and can_pull_back(vae.encoder)
        and can_pull_back(vae.decoder)
        and not any(m._forward_hooks or m._forward_pre_hooks for m in (vae, objective))
    )


def losses_and_pull_back(
    objective: Objective, vae: StackedVAE, batch: Batch
) -> tuple[Tensor, Callable[[Tensor], None]]:
    r"""What ``objective(vae, batch)`` gives, and what takes a gradient of it back.

    Both are to be called with autograd switched off. With :math:`z = \mu + \sigma \varepsilon`,
    :math:`r = f(z) - x` and :math:`v` the output's variance, the loss of a row is

    .. math:: \ell = \tfrac12 \sum_d \left( \frac{r_d^2}{v_d} + \log 2 \pi v_d \right)
        + \tfrac \beta 2 \sum_j (\sigma_j^2 + \mu_j^2 - 1 - \log \sigma_j^2)

    and its derivatives are :math:`\partial_f = r / v`, :math:`\partial_v = (1 - r^2 / v) / 2 v`,
    :math:`\partial_\mu = \partial_z + \beta \mu` and :math:`\partial_{\log \sigma^2} =
    (\partial_z \, \sigma \varepsilon + \beta (\sigma^2 - 1)) / 2`.

    Parameters
    ----------
    objective : Objective
        That :func:`has_closed_form` accepts, as the module.
    vae : StackedVAE
    batch : Batch

    Returns
    -------
    losses : torch.Tensor of shape (members, rows)
    pull_back : callable
        Gradient of the losses, of their shape -> None; adds to the ``grad`` of every parameter.
    """
    X, beta = batch.X, objective.beta
    source = objective.corrupted(vae, X)
    if vae.shift is not None and vae.scale is not None:
        source = (source - vae.shift) / vae.scale
    both, of_encoder = perceptron(vae.encoder, source)
    mean, raw = both.chunk(2, -1)
    logvar = raw.clamp(*LOGVAR_BOUNDS)
    deviation = (0.5 * logvar).exp_()
    code = torch.addcmul(mean, deviation, vae.draw_noise(mean))
    output, of_decoder = perceptron(vae.decoder, code)
    location = output
    if vae.shift is not None and vae.scale is not None:
        location = location * vae.scale + vae.shift
    variance = vae.noise_var()  # (members, 1, features)
    residual = location - X
    slope = residual / variance  # (members, rows, features)
    misfit = (residual * slope).sum(-1)
    code_variance = deviation.square()
    divergence = (torch.addcmul(code_variance, mean, mean) - 1.0).sub_(logvar).sum(-1)
    constant = (variance.log() + LOG_TWO_PI).sum(-1)
    losses = 0.5 * (misfit + constant + beta * divergence)
    kept = kept_rows(losses, objective.settings.trim)

    def pull_back(gradient: Tensor) -> None:
        weight = (gradient if kept is None else gradient * kept).unsqueeze(-1)
        at_output = slope * weight
        if vae.log_noise.requires_grad:
            # the sum of the squares over the rows first: what is left is small
            squares = (at_output * slope).sum(1)
            per_variance = weight.sum(1) / variance.squeeze(1) - squares
            inner = (vae.noise_rate * vae.log_noise).exp()
            unit = inner if vae.scale is None else inner * vae.scale.square()
            per_log = 0.5 * vae.noise_rate * per_variance * unit
            if inner.shape[1] == 1:
                per_log = per_log.sum(1, keepdim=True)
            grad = vae.log_noise.grad
            vae.log_noise.grad = per_log if grad is None else grad + per_log
        if vae.scale is not None:
            at_output = at_output * vae.scale
        at_code = of_decoder(at_output, to_input=True)
        pull = beta * weight
        at_logvar = 0.5 * (at_code * (code - mean) + pull * (code_variance - 1.0))
        at_logvar.mul_(raw == logvar)  # where it was held, nothing passes
        of_encoder(torch.cat([at_code.add_(pull * mean), at_logvar], -1))

    return losses if kept is None else losses * kept, pull_back
