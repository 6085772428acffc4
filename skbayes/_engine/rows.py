"""Training data on its way to the members: rows, and each member's shuffled minibatches."""

import copy
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from skbayes._engine.mapped import dense, rows_of, stays_on_host

#: Entries of X whose columns are summed at a time
_MEAN_BLOCK = 2**22


class Batch(NamedTuple):
    """What one step sees.

    Attributes
    ----------
    X : torch.Tensor of shape (rows, features) or (members, rows, features)
        Without the member axis all members see the same rows.
    y : torch.Tensor or None
        Targets, with the leading axes of ``X``.
    weight : torch.Tensor or None
        Weights of the rows, likewise.
    """

    X: Tensor
    y: Tensor | None
    weight: Tensor | None


class Rows(torch.utils.data.Dataset):
    """Rows of X with targets and weights, X dense on the device or as it came on the host.

    Parameters
    ----------
    X : ndarray, RowView or scipy.sparse.csr_array of shape (rows, features)
        Dense input is moved to the device once. Sparse input, bytes and what lies in a mapped file
        are turned into dense tensors batch by batch.
    y : ndarray or None
        Targets (moved as they are).
    weight : ndarray of shape (rows,) or None
        Weights.
    device : torch.device
    dtype : torch.dtype
        Type of X and of the weights on the device.
    """

    def __init__(
        self,
        X: Any,
        y: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self._host: Any = None
        self._dense: Tensor | None = None
        if sparse.issparse(X):
            self._host = sparse.csr_array(X)
        elif stays_on_host(X):
            self._host = X
        else:
            self._dense = to_tensor(X, device, dtype)
        self.n_rows, self.n_features = X.shape
        self.y = None if y is None else to_tensor(y, device, _target_dtype(y, dtype))
        self.weight = None if weight is None else to_tensor(weight, device, dtype)
        self.mean_weight = 1.0 if weight is None else float(np.mean(weight))
        self._means: Tensor | None = None
        #: Added to the targets, for every member its own, of shape (members, rows).
        self.offset: Tensor | None = None
        #: Weights of every member's own, of shape (members, rows), in place of the rows' weights.
        self.member_weight: Tensor | None = None

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, index: int) -> Batch:
        return self.take(torch.as_tensor([index]))

    @property
    def n_data(self) -> float:
        """Sum of the weights: the N of the posterior."""
        return self.n_rows * self.mean_weight

    def column_means(self) -> Tensor:
        """Weighted means of the columns.

        Returns
        -------
        torch.Tensor of shape (features,)
        """
        if self._means is None:
            # shares before the sum: that of large values may overflow
            share = torch.full((self.n_rows,), 1.0 / self.n_rows, dtype=self.dtype)
            share = share.to(self.device) if self.weight is None else self.weight / self.n_data
            means = torch.zeros(self.n_features, device=self.device, dtype=self.dtype)
            step = max(_MEAN_BLOCK // max(self.n_features, 1), 1)
            for start in range(0, self.n_rows, step):
                rows = torch.arange(start, min(start + step, self.n_rows))
                means += share[start : start + step] @ self.take(rows).X
            self._means = means
        return self._means

    def split(self, n_held_back: int, generator: torch.Generator) -> tuple["Rows", "Rows"]:
        """Divide the rows at random.

        Parameters
        ----------
        n_held_back : int
            Number of rows in the second part.
        generator : torch.Generator

        Returns
        -------
        tuple of Rows
        """
        order = torch.randperm(len(self), generator=generator)
        return self._subset(order[n_held_back:]), self._subset(order[:n_held_back])

    def _subset(self, index: Tensor) -> "Rows":
        part = copy.copy(self)
        on_device = index.to(self.device)
        part.n_rows, part._means = len(index), None
        if self._dense is not None:
            part._dense = self._dense[on_device]
        else:
            part._host = rows_of(self._host, index.numpy())
        part.y = None if self.y is None else self.y[on_device]
        if self.weight is not None:
            part.weight = self.weight[on_device]
            part.mean_weight = float(part.weight.mean())
        if self.offset is not None:
            part.offset = self.offset[:, on_device]
        if self.member_weight is not None:
            part.member_weight = self.member_weight[:, on_device]
        return part

    def everything(self) -> Batch:
        """All rows, shared by all members.

        Returns
        -------
        Batch
        """
        X = self._dense
        if X is None:
            X = to_tensor(dense(self._host[:]), self.device, self.dtype)
        y = self.y if self.offset is None or self.y is None else self.y + self.offset
        return Batch(X, y, self.weight if self.member_weight is None else self.member_weight)

    def take(self, index: Tensor) -> Batch:
        """Gather rows.

        Parameters
        ----------
        index : torch.Tensor of int, on the CPU, of shape (rows,) or (members, rows)

        Returns
        -------
        Batch
            With the leading axes of ``index``.
        """
        flat = index.reshape(-1)
        on_device = flat.to(self.device)
        if self._dense is not None:
            X = self._dense.index_select(0, on_device)
        else:
            X = to_tensor(dense(self._host[flat.numpy()]), self.device, self.dtype)
        shape = tuple(index.shape)
        y = None if self.y is None else self.y.index_select(0, on_device)
        if y is not None and self.offset is not None and index.ndim == 2:
            y = y + self.offset.gather(1, on_device.view(shape)).reshape(-1)
        weight = None if self.weight is None else self.weight.index_select(0, on_device)
        if self.member_weight is not None and index.ndim == 2:
            weight = self.member_weight.gather(1, on_device.view(shape))
        return Batch(
            X.view(*shape, self.n_features),
            None if y is None else y.view(*shape, *y.shape[1:]),
            None if weight is None else weight.view(shape),
        )


def to_tensor(values: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Copy an array to a tensor; read-only and negatively strided arrays too.

    Parameters
    ----------
    values : ndarray
    device : torch.device
    dtype : torch.dtype

    Returns
    -------
    torch.Tensor
        Shares memory with ``values`` where that is safe.
    """
    values = np.ascontiguousarray(values)
    if not values.flags.writeable:
        values = values.copy()
    return torch.from_numpy(values).to(device=device, dtype=dtype)


def _target_dtype(y: np.ndarray, dtype: torch.dtype) -> torch.dtype:
    return torch.int64 if np.issubdtype(y.dtype, np.integer) else dtype


def count_batches(n_rows: int, batch_size: int) -> int:
    """Number of batches that a pass through the rows is divided into, equally.

    Parameters
    ----------
    n_rows, batch_size : int

    Returns
    -------
    int
    """
    return -(-n_rows // batch_size)


class MemberBatches:
    """Iterator over one epoch: every member walks through its own shuffle of the rows.

    When a batch holds all rows there is nothing to shuffle: the one batch is shared and costs no
    gather, and the step is a deterministic function of the (weighted) data.

    Parameters
    ----------
    rows : Rows
    batch_size : int
    n_members : int
    generator : torch.Generator
        Source of the shuffles (on the CPU, so that they agree across devices).
    steps_per_epoch : int, optional
        Number of batches in an epoch; one pass through the rows by default. The walk goes on
        across epochs.
    n_steps : int, optional
        Number of batches after which the walk ends, whatever the epoch.
    replacement : bool, default=False
        Whether every batch is drawn anew from all rows, in proportion to their weights. In a
        shuffle the noise of the batches adds up to zero in every pass, which is not the noise of
        independent batches.
    """

    def __init__(
        self,
        rows: Rows,
        batch_size: int,
        n_members: int,
        generator: torch.Generator,
        steps_per_epoch: int | None = None,
        n_steps: int | None = None,
        replacement: bool = False,
    ) -> None:
        self.rows = rows
        self.replacement = replacement
        self.batch_size = batch_size
        self.n_members = n_members
        self.generator = generator
        self.steps_per_epoch = steps_per_epoch or count_batches(len(rows), batch_size)
        self._walk = islice(self._passes(), n_steps)

    def __len__(self) -> int:
        return self.steps_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        return islice(self._walk, self.steps_per_epoch)

    def _passes(self) -> Iterator[Batch]:
        n = len(self.rows)
        while self.replacement:
            yield self._independent()
        if self.batch_size >= n:
            everything = self.rows.everything()  # sparse rows are made dense once
            while True:
                yield everything
        # Batches of one size (to a row): a small last one would have a much noisier gradient
        n_batches = count_batches(n, self.batch_size)
        bounds = [n * i // n_batches for i in range(n_batches + 1)]
        while True:
            order = torch.stack(
                [torch.randperm(n, generator=self.generator) for _ in range(self.n_members)]
            )
            for start, stop in pairwise(bounds):
                yield self.rows.take(order[:, start:stop])

    def _independent(self) -> Batch:
        shape = (self.n_members, self.batch_size)
        where = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        weight = self.rows.weight
        if weight is None:
            index = (where * len(self.rows)).long()
        else:
            ladder = weight.double().cumsum(0).cpu()
            index = torch.searchsorted(ladder, where * ladder[-1], right=True)
        # the weights are in the draw
        return self.rows.take(index.clamp_(max=len(self.rows) - 1))._replace(weight=None)
