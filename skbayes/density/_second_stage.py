"""The second of two stages: a net that sees fresh draws of codes, and the density of codes."""

from collections.abc import Callable

from torch import Tensor

from skbayes._engine.rows import Batch
from skbayes.density._criteria import encoder_log_prob
from skbayes.density._net import VAENet
from skbayes.nn import StackedVAE


def density_of_codes(second: StackedVAE, noise: Tensor) -> Callable[[Tensor], Tensor]:
    """Density of codes under a second stage, estimated by one importance weight a code.

    Parameters
    ----------
    second : StackedVAE
    noise : torch.Tensor of shape (1, samples, components)
        Standard normal; the same for every row.

    Returns
    -------
    callable
        Codes of shape (1, samples, rows, components) -> log-weights of shape (1, samples, rows),
        whose exponentials are the densities in expectation.
    """

    def log_weight(code: Tensor) -> Tensor:
        flat = code.flatten(1, 2)
        draws = noise.unsqueeze(2).expand_as(code).flatten(1, 2)
        mean, logvar = second.encode(flat)
        inner = mean + (0.5 * logvar).exp() * draws
        weight = second.log_likelihood(flat, second.decode(inner)) + second.log_prior(inner)
        return (weight - encoder_log_prob(draws, logvar)).view(code.shape[:-1])

    return log_weight


class CodesNet(VAENet):
    """Net of the second stage: every batch of Gaussians becomes a draw of each."""

    def backward(self, batch: Batch, mean_weight: float) -> Tensor:
        """Gradients at fresh codes; as :meth:`VAENet.backward`."""
        return super().backward(self._drawn(batch), mean_weight)

    def member_losses(self, batch: Batch, mean_weight: float) -> Tensor:
        """Losses of codes, or of fresh ones; as :meth:`StackNet.member_losses`."""
        return super().member_losses(self._drawn(batch), mean_weight)

    def _drawn(self, batch: Batch) -> Batch:
        if batch.X.shape[-1] == self.module_.n_features:
            return batch  # they are drawn already
        mean, logvar = batch.X.chunk(2, -1)
        if mean.ndim == 2:
            mean, logvar = mean.unsqueeze(0), logvar.unsqueeze(0)
        code = mean + (0.5 * logvar).exp() * self.module_.draw_noise(mean)
        return batch._replace(X=code)
