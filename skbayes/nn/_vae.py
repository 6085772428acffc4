"""Variational autoencoders on tables, stacked: several members in one module."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from skbayes.nn._mlp import StackedMLP


class VAEOutput(NamedTuple):
    """What one pass gives.

    Attributes
    ----------
    reconstruction : torch.Tensor of shape (members, rows, features)
        Mean of the decoder's Gaussian at the code that was drawn.
    code_mean, code_logvar : torch.Tensor of shape (members, rows, components)
        The encoder's Gaussian.
    noise_var : torch.Tensor of shape (members, 1, features)
        Variance of the decoder's Gaussian.
    """

    reconstruction: Tensor
    code_mean: Tensor
    code_logvar: Tensor
    noise_var: Tensor


class StackedVAE(nn.Module):
    """``n_members`` Gaussian variational autoencoders.

    Parameters
    ----------
    n_features : int
        Width of the data.
    n_components : int
        Width of the code.
    n_members : int
        Number of autoencoders held.
    hidden_layer_sizes : sequence of int
        Hidden layers of the encoder; the decoder has them in reverse. Empty for linear maps.
    activation : str, default="silu"
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    per_feature_noise : bool, default=True
        Whether every feature has its own output variance, or all share one.
    noise_floor : float, default=0.0
        Smallest standard deviation of the output.
    generator : torch.Generator, optional
        Source of the initial weights.
    dtype : torch.dtype, optional
        Type of the weights.

    Attributes
    ----------
    encoder, decoder : StackedMLP
    log_noise : torch.nn.Parameter of shape (n_members, n_features or 1)
        Logarithm of the output variance above the floor.

    References
    ----------
    D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014.

    Examples
    --------
    >>> import torch
    >>> from skbayes.nn import StackedVAE
    >>> g = torch.Generator().manual_seed(0)
    >>> vae = StackedVAE(5, 2, 3, (8,), generator=g)
    >>> vae(torch.zeros(7, 5), torch.zeros(3, 7, 2)).reconstruction.shape
    torch.Size([3, 7, 5])
    """

    def __init__(
        self,
        n_features: int,
        n_components: int,
        n_members: int,
        hidden_layer_sizes: Sequence[int],
        *,
        activation: str = "silu",
        per_feature_noise: bool = True,
        noise_floor: float = 0.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.n_features = n_features
        self.n_components = n_components
        #: Of the widest layer.
        self.width = max(n_features, 2 * n_components, *hidden_layer_sizes)
        self.noise_floor = noise_floor

        def mlp(n_in: int, hidden: Sequence[int], n_out: int) -> StackedMLP:
            return StackedMLP(
                n_in,
                hidden,
                n_out,
                n_members,
                activation=activation,
                generator=generator,
                dtype=dtype,
            )

        self.encoder = mlp(n_features, hidden_layer_sizes, 2 * n_components)
        self.decoder = mlp(n_components, list(hidden_layer_sizes)[::-1], n_features)
        width = n_features if per_feature_noise else 1
        self.log_noise = nn.Parameter(torch.zeros(n_members, width, dtype=dtype))
        #: Source of the reparametrisation noise while training; None draws codes at their mean.
        self.noise_generator: torch.Generator | None = None

    def encode(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the code.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)

        Returns
        -------
        code_mean, code_logvar : torch.Tensor of shape (members, rows, components)
        """
        mean, logvar = self.encoder(X).chunk(2, -1)
        # beyond these bounds exp would overflow long before the loss could tell
        return mean, logvar.clamp(-30.0, 20.0)

    def decode(self, code: Tensor) -> Tensor:
        """Mean of the data given the code.

        Parameters
        ----------
        code : torch.Tensor of shape (members, rows, components)

        Returns
        -------
        torch.Tensor of shape (members, rows, features)
        """
        return self.decoder(code)

    def noise_var(self) -> Tensor:
        """Variance of the data given the code.

        Returns
        -------
        torch.Tensor of shape (members, 1, features)
        """
        variance = self.log_noise.exp() + self.noise_floor**2
        return variance.unsqueeze(1).expand(-1, 1, self.n_features)

    def forward(self, X: Tensor, noise: Tensor | None = None) -> VAEOutput:
        """Encode, draw a code, decode.

        Parameters
        ----------
        X : torch.Tensor of shape (rows, features) or (members, rows, features)
        noise : torch.Tensor of shape (members, rows, components), optional
            Standard normal noise of the code; by default drawn from ``noise_generator``.

        Returns
        -------
        VAEOutput
        """
        mean, logvar = self.encode(X)
        code = mean
        if noise is None and self.noise_generator is not None:
            # float32 whatever the dtype: one seed means the same noise in all of them, at less cost
            noise = torch.empty_like(mean, dtype=torch.float32)
            noise = noise.normal_(generator=self.noise_generator).to(mean.dtype)
        if noise is not None:
            code = mean + (0.5 * logvar).exp() * noise
        return VAEOutput(self.decode(code), mean, logvar, self.noise_var())
