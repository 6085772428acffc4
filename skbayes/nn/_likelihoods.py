"""Likelihoods of a row given the decoder's output: log-densities by feature, means and draws."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LOG_TWO_PI = math.log(2 * math.pi)
#: Pairs of rows and centres that a member compares at once: what is held stays in the cache.
PAIRS_AT_ONCE = 2**17


class Decoded(NamedTuple):
    """What the decoder says of rows.

    Attributes
    ----------
    location : torch.Tensor of shape (members, rows, features)
        Mean of a Gaussian, centre of a Student-t, log-odds of a Bernoulli.
    variance : torch.Tensor of shape (members, 1, features)
        Square of the scale; not used by the Bernoulli.
    dof : torch.Tensor of shape (members, 1, 1) or None
        Degrees of freedom of the Student-t.
    """

    location: Tensor
    variance: Tensor
    dof: Tensor | None = None


class Gaussian:
    """Independent Gaussians."""

    def log_prob(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-density of every feature.

        Parameters
        ----------
        x : torch.Tensor of shape (rows, features) or (members, rows, features)
        decoded : Decoded
            The shapes broadcast.

        Returns
        -------
        torch.Tensor of shape (members, rows, features)
        """
        location, variance, _ = decoded
        return -0.5 * ((x - location).square() / variance + (variance.log() + LOG_TWO_PI))

    def total(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-density of rows: the sum over the features of :meth:`log_prob`.

        Parameters
        ----------
        x : torch.Tensor of shape (rows, features) or (members, rows, features)
        decoded : Decoded

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        if type(self) is not Gaussian:
            return self.log_prob(x, decoded).sum(-1)
        # what is the same for all rows is summed once: this is in every step of training
        location, variance, _ = decoded
        constant = (variance.log() + LOG_TWO_PI).sum(-1)
        return -0.5 * (((x - location).square() / variance).sum(-1) + constant)

    def pairwise(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-density of every row about every decoded centre, summed over the features.

        Parameters
        ----------
        x : torch.Tensor of shape (rows, features)
        decoded : Decoded
            Of ``centres`` rows.

        Returns
        -------
        torch.Tensor of shape (members, rows, centres)
        """
        location, variance, _ = decoded
        # expanded squares, about the middle of the centres, else they cancel
        middle = location.mean(1, keepdim=True)
        root = variance.sqrt()
        a, b = (x - middle) / root, (location - middle) / root
        constant = (variance.log() + LOG_TWO_PI).sum(-1)  # (members, 1)
        lengths = a.square().sum(-1, keepdim=True) + (b.square().sum(-1) + constant).unsqueeze(1)
        return torch.baddbmm(lengths, a, b.mT, beta=-0.5)

    def mixture(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-density of rows under the equal mixture over decoded centres.

        Parameters
        ----------
        x : torch.Tensor of shape (rows, features)
        decoded : Decoded
            Of ``centres`` rows.

        Returns
        -------
        torch.Tensor of shape (members, rows)
        """
        n_centres = decoded.location.shape[1]
        if type(self) is not Gaussian:
            return torch.logsumexp(self.pairwise(x, decoded), -1) - math.log(n_centres)
        # as pairwise has it; what is the centres' own is computed once, the rest in place
        location, variance, _ = decoded
        middle = location.mean(1, keepdim=True)
        root = variance.sqrt()
        centres = (location - middle) / root
        lengths = centres.square().sum(-1) + (variance.log() + LOG_TWO_PI).sum(-1)
        offset, centres = (-0.5 * lengths).unsqueeze(1), centres.mT.contiguous()
        # below, exp is subnormal: next to nothing, in many times the time
        least = math.log(torch.finfo(location.dtype).tiny) + 1.0
        parts = []
        for rows in x.split(max(1, PAIRS_AT_ONCE // n_centres)):
            own = (rows - middle) / root
            terms = torch.baddbmm(offset, own, centres)  # (members, rows, centres)
            top = terms.amax(-1, keepdim=True)
            total = terms.sub_(top).clamp_min_(least).exp_().sum(-1).log_()
            parts.append(total + top.squeeze(-1) - 0.5 * own.square().sum(-1))
        return torch.cat(parts, 1) - math.log(n_centres)

    def expected(self, x: Tensor, decoded: Decoded, share: Tensor) -> Tensor:
        """Log-density of every feature, averaged over decoded centres.

        Parameters
        ----------
        x : torch.Tensor of shape (rows, features)
        decoded : Decoded
            Of ``centres`` rows.
        share : torch.Tensor of shape (members, rows, centres)
            Weights of the centres, which add up to one.

        Returns
        -------
        torch.Tensor of shape (members, rows, features)
        """
        location, variance, _ = decoded
        middle = location.mean(1, keepdim=True)
        location, x = location - middle, x - middle
        first, second = share @ location, share @ location.square()
        square = (x - first).square() + second - first.square()
        return -0.5 * (square / variance + (variance.log() + LOG_TWO_PI))

    def mean(self, decoded: Decoded) -> Tensor:
        """Mean of the rows.

        Parameters
        ----------
        decoded : Decoded

        Returns
        -------
        torch.Tensor of shape (members, rows, features)
        """
        return decoded.location

    def draw(self, decoded: Decoded, generator: torch.Generator) -> Tensor:
        """Draw rows.

        Parameters
        ----------
        decoded : Decoded
        generator : torch.Generator

        Returns
        -------
        torch.Tensor of shape (members, rows, features)
        """
        noise = torch.empty_like(decoded.location).normal_(generator=generator)
        return decoded.location + decoded.variance.sqrt() * noise


class StudentT(Gaussian):
    """Independent Student-t, with one number of degrees of freedom a member: heavy tails."""

    def log_prob(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-density of every feature; as :meth:`Gaussian.log_prob`."""
        location, variance, dof = decoded
        assert dof is not None
        half = 0.5 * (dof + 1.0)
        constant = torch.lgamma(half) - torch.lgamma(0.5 * dof) - 0.5 * (dof * math.pi).log()
        square = (x - location).square() / (variance * dof)
        return constant - 0.5 * variance.log() - half * torch.log1p(square)

    def pairwise(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-density of every pair; as :meth:`Gaussian.pairwise`."""
        centres = Decoded(
            decoded.location.unsqueeze(1),
            decoded.variance.unsqueeze(1),
            None if decoded.dof is None else decoded.dof.unsqueeze(1),
        )
        return self.log_prob(x.unsqueeze(1), centres).sum(-1)

    def expected(self, x: Tensor, decoded: Decoded, share: Tensor) -> Tensor:
        """Averaged over centres; as :meth:`Gaussian.expected`."""
        columns = []
        for j in range(x.shape[-1]):
            one = slice(j, j + 1)
            centres = decoded._replace(
                location=decoded.location[..., one].mT, variance=decoded.variance[..., one]
            )
            columns.append((share * self.log_prob(x[:, one], centres)).sum(-1))
        return torch.stack(columns, -1)

    def draw(self, decoded: Decoded, generator: torch.Generator) -> Tensor:
        """Draw rows; as :meth:`Gaussian.draw`."""
        noise = torch.empty_like(decoded.location).normal_(generator=generator)
        assert decoded.dof is not None
        # a chi-square is twice a gamma of half its degrees of freedom
        shape = (0.5 * decoded.dof).expand_as(noise).contiguous()
        chi_square = 2.0 * torch._standard_gamma(shape, generator=generator)
        return (
            decoded.location + decoded.variance.sqrt() * noise * (decoded.dof / chi_square).sqrt()
        )


class Bernoulli(Gaussian):
    """Independent Bernoullis; a value between 0 and 1 is a probability of its own."""

    def log_prob(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-probability of every feature; as :meth:`Gaussian.log_prob`."""
        return x * decoded.location - F.softplus(decoded.location)

    def pairwise(self, x: Tensor, decoded: Decoded) -> Tensor:
        """Log-probability of every pair; as :meth:`Gaussian.pairwise`."""
        constant = F.softplus(decoded.location).sum(-1)
        return x @ decoded.location.mT - constant.unsqueeze(1)

    def expected(self, x: Tensor, decoded: Decoded, share: Tensor) -> Tensor:
        """Averaged over centres; as :meth:`Gaussian.expected`."""
        return x * (share @ decoded.location) - share @ F.softplus(decoded.location)

    def mean(self, decoded: Decoded) -> Tensor:
        """Probabilities; as :meth:`Gaussian.mean`."""
        return torch.sigmoid(decoded.location)

    def draw(self, decoded: Decoded, generator: torch.Generator) -> Tensor:
        """Draw rows of zeros and ones; as :meth:`Gaussian.draw`."""
        uniform = torch.empty_like(decoded.location).uniform_(generator=generator)
        return (uniform < self.mean(decoded)).to(decoded.location.dtype)


#: Name -> likelihood.
LIKELIHOODS: dict[str, Gaussian] = {
    "gaussian": Gaussian(),
    "bernoulli": Bernoulli(),
    "student_t": StudentT(),
}
