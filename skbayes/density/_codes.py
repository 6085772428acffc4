"""What goes through the codes of a fitted autoencoder: transform and back, reconstruct, sample."""

from numbers import Integral
from typing import Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skbayes._engine.posterior import Posterior
from skbayes._engine.seeds import new_random_state
from skbayes.density._blocks import cells_that_fit, row_blocks
from skbayes.nn import StackedVAE


class CodesMixin:
    """Codes of an estimator with a stacked autoencoder in ``posterior_``."""

    posterior_: Posterior
    n_components_: int
    n_features_in_: int

    def _validate_predict(self, X: Any) -> Any:
        check_is_fitted(self, "posterior_")
        return validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )

    @property
    def _module(self) -> StackedVAE:
        return cast(StackedVAE, self.posterior_.module)

    def _block_cells(self) -> int:
        return cells_that_fit(self.posterior_, self._module.width)

    def transform(self, X: Any) -> np.ndarray:
        """Encode rows: the means of the codes, by the first member where there are several.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        ndarray of shape (n_samples, n_components_)
            Of X's dtype.
        """
        X = self._validate_predict(X)
        return self._encode(X).astype(X.dtype, copy=False)

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
                out[:, rows] = self._module.decode(block)[:n_members].cpu().numpy()
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
            Of X's dtype.
        """
        return self._reconstruct(self._validate_predict(X))

    def _reconstruct(self, X: Any) -> np.ndarray:
        module = self._module
        out = np.empty(X.shape, X.dtype)
        with torch.no_grad():
            for rows, block in row_blocks(self.posterior_, X, self._block_cells()):
                out[rows] = module.decode(module.encode(block)[0]).mean(0).cpu().numpy()
        return out

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw rows from the model: a member, a code from the prior, noise around the decoded code.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Determines the draws.

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
        member = rng.randint(self.posterior_.n_draws, size=n_samples)
        codes = rng.normal(size=(n_samples, self.n_components_))
        noise = rng.normal(size=(n_samples, self.n_features_in_))
        rows = np.empty((n_samples, self.n_features_in_))
        with torch.no_grad():
            scale = self._module.noise_var()[:, 0].double().sqrt().cpu().numpy()
        step = 2**16 // self.posterior_.n_draws + 1  # every member decodes every row
        for start in range(0, n_samples, step):
            block = slice(start, min(start + step, n_samples))
            means = self._decode(codes[block], first_member_only=False)
            rows[block] = means[member[block], np.arange(means.shape[1])]
        return rows + scale[member] * noise
