"""What goes through the codes of a fitted autoencoder: transform and back, reconstruct, sample."""

from numbers import Integral
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import to_tensor
from skbayes._engine.seeds import make_generator, new_random_state
from skbayes.density._blocks import cells_that_fit, row_blocks
from skbayes.density._checks import float_type, validate_rows
from skbayes.density._objective import check_codes
from skbayes.nn import StackedVAE


# scikit-learn makes set_output work on the class that defines transform, and on no other
class CodesMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Codes of an estimator with a stacked autoencoder in ``posterior_``."""

    posterior_: Posterior
    n_components_: int
    n_features_in_: int
    criterion: str
    prior: Any
    _reference: Any

    def _validate_predict(self, X: Any) -> Any:
        check_is_fitted(self, "posterior_")
        return validate_rows(self, X, reset=False)

    @property
    def _module(self) -> StackedVAE:
        return cast(StackedVAE, self.posterior_.module)

    def _block_cells(self) -> int:
        return self._cells_for(self._module.width)

    def _cells_for(self, width: int) -> int:
        return cells_that_fit(self.posterior_, width)

    def _mean_rows(self, location: torch.Tensor) -> torch.Tensor:
        """Means of rows for what the decoder gives."""
        return self._module.likelihood.mean(self._module.distribution(location))

    def transform(self, X: Any) -> np.ndarray:
        """Encode rows: the means of the codes, by the first member where there are several.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        ndarray of shape (n_samples, n_components_)
            Of X's dtype; float32 for bytes.
        """
        X = self._validate_predict(X)
        return self._encode(X).astype(float_type(X), copy=False)

    def _encode(self, X: Any) -> np.ndarray:
        codes: np.ndarray | None = None
        with torch.no_grad():
            for rows, block in row_blocks(self.posterior_, X, self._block_cells()):
                mean = self._module.encode(block)[0][0].cpu().numpy()
                if codes is None:
                    codes = np.empty((X.shape[0], mean.shape[1]), mean.dtype)
                codes[rows] = mean
        assert codes is not None
        return codes

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decode codes to rows, by the first member where there are several.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)
            Means of the rows given their codes, of X's dtype.

        Raises
        ------
        ValueError
            If the codes have another width, or are not finite numbers.
        """
        check_is_fitted(self, "posterior_")
        codes = check_array(X, dtype=[np.float64, np.float32])
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"X must hold codes of shape (n_samples, {self.n_components_}), got {codes.shape}"
            )
        return self._decode(codes, first_member_only=True).astype(codes.dtype, copy=False)

    def _decode(self, codes: np.ndarray, *, first_member_only: bool) -> np.ndarray:
        """Rows for codes, of shape (rows, features) or (members, rows, features)."""
        n_members = 1 if first_member_only else self.posterior_.n_draws
        out = np.empty((n_members, len(codes), self.n_features_in_))
        with torch.no_grad():
            for rows, block in row_blocks(self.posterior_, codes, self._block_cells()):
                means = self._mean_rows(self._module.decode(block))
                out[:, rows] = means[:n_members].cpu().numpy()
        return out[0] if first_member_only else out

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encode rows and decode their mean codes, averaged over the members.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Of X's dtype; float32 for bytes.
        """
        return self._reconstruct(self._validate_predict(X))

    def _reconstruct(self, X: Any) -> np.ndarray:
        module = self._module
        out = np.empty(X.shape, float_type(X))
        with torch.no_grad():
            for rows, block in row_blocks(self.posterior_, X, self._block_cells()):
                means = self._mean_rows(module.decode(module.encode(block)[0]))
                out[rows] = means.mean(0).cpu().numpy()
        return out

    def interpolate(self, start: Any, stop: Any, n_steps: int = 10) -> np.ndarray:
        """Walk from rows to rows: decode the straight line between their codes (first member).

        Parameters
        ----------
        start, stop : array-like of shape (n_features,) or (n_samples, n_features)
            Rows at both ends, one path a pair.
        n_steps : int, default=10
            Number of points of a path, both ends (which are reconstructions) included.

        Returns
        -------
        ndarray of shape (n_steps, n_features) or (n_samples, n_steps, n_features)

        Raises
        ------
        ValueError
            If there are not as many rows at both ends, or ``n_steps`` is not an integer of at
            least 2.
        """
        check_is_fitted(self, "posterior_")
        if not isinstance(n_steps, Integral) or n_steps < 2:
            raise ValueError(f"n_steps={n_steps!r} must be an integer of at least 2")
        single = np.ndim(start) == 1
        ends = [self._validate_predict(np.atleast_2d(rows)) for rows in (start, stop)]
        if ends[0].shape != ends[1].shape:
            raise ValueError(
                f"start and stop must have the same shape, got {ends[0].shape} and {ends[1].shape}"
            )
        first, last = (self._encode(rows) for rows in ends)
        share = np.linspace(0.0, 1.0, int(n_steps))[:, np.newaxis]
        codes = (1 - share) * first[:, np.newaxis] + share * last[:, np.newaxis]
        path = self._decode(codes.reshape(-1, codes.shape[-1]), first_member_only=True)
        path = path.reshape(len(first), int(n_steps), -1)
        return path[0] if single else path

    def sample(
        self, n_samples: int = 1, random_state: Any = None, *, add_noise: bool = True
    ) -> np.ndarray:
        """Draw rows from the model: a member, a code, noise around the decoded code.

        Codes are draws of the prior; ``criterion="mse"``, which has none, takes codes of training
        rows, of the members whose decoded codes the score compares with.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Determines the draws.
        add_noise : bool, default=True
            Whether rows are draws of the model, or the means of rows given drawn codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)

        Raises
        ------
        ValueError
            If ``n_samples`` is not a positive integer.
        """
        check_is_fitted(self, "posterior_")
        if not isinstance(n_samples, Integral) or n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be an integer of at least 1")
        rng = new_random_state(random_state)
        vae, posterior = self._module, self.posterior_
        generator = make_generator(rng, posterior.device)
        n_members = (
            len(self._reference["centres"]) if self.criterion == "mse" else posterior.n_draws
        )
        member = rng.randint(n_members, size=n_samples)
        rows = np.empty((n_samples, self.n_features_in_))
        step = 2**16 // posterior.n_draws + 1  # every member decodes every row
        with torch.no_grad():
            for start in range(0, n_samples, step):
                chosen = member[start : start + step]
                location = self._drawn_locations(len(chosen), rng, generator)
                decoded = vae.distribution(location)
                if add_noise:
                    drawn = vae.likelihood.draw(decoded, generator)
                else:
                    drawn = vae.likelihood.mean(decoded)
                picked = drawn[torch.as_tensor(chosen), torch.arange(len(chosen))]
                rows[start : start + len(chosen)] = picked.double().cpu().numpy()
        return rows

    def _drawn_locations(
        self, n_rows: int, rng: np.random.RandomState, generator: torch.Generator
    ) -> torch.Tensor:
        """What the decoder makes of codes that are drawn, of shape (members, rows, features)."""
        vae, posterior = self._module, self.posterior_
        if self.criterion == "mse":
            centres = to_tensor(self._reference["centres"], posterior.device, posterior.dtype)
            return centres[:, torch.as_tensor(rng.randint(centres.shape[1], size=n_rows))]
        if callable(self.prior):
            codes = check_codes(
                self.prior(n_rows, self.n_components_, rng), n_rows, self.n_components_
            )
            code = torch.as_tensor(codes).to(posterior.device, posterior.dtype)
            return vae.decode(code.expand(posterior.n_draws, *code.shape))
        shape = (posterior.n_draws, n_rows, self.n_components_)
        noise = torch.empty(shape, dtype=posterior.dtype, device=posterior.device)
        noise.normal_(generator=generator)
        choice = torch.empty(shape[:2], dtype=posterior.dtype, device=posterior.device)
        return vae.decode(vae.draw_codes(noise, choice.uniform_(generator=generator)))
