"""Cross-validation of anomaly detectors: train on normal rows, test on the rest."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator

from skbayes._random import new_random_state
from skbayes.metrics import find_anomalies

__all__ = ["NoveltySplit"]


class NoveltySplit(BaseCrossValidator):
    """Folds that train on normal rows only and test on held-back normals and on anomalies.

    Normals and anomalies are each cut into ``n_splits`` parts. A fold tests on one part of both, so
    with the share of anomalies that the data have, and trains on the normals of the other parts;
    anomalies are never trained on. Every row is tested once, so that
    :func:`~sklearn.model_selection.cross_val_predict` works too.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=True
        Whether to draw the parts at random; else they are cut in the order of the rows.
    random_state : int, RandomState instance or None, default=None
        Determines the shuffle. None is different in every call of ``split``; numpy's global state
        is never touched.

    Raises
    ------
    ValueError
        If a parameter is not one of those allowed.

    See Also
    --------
    skbayes.metrics.anomaly_roc_auc : A scorer for these folds.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.model_selection import NoveltySplit
    >>> y = np.array([1, 1, 1, 1, -1, -1])  # 0 normal and 1 anomaly would do as well
    >>> for train, test in NoveltySplit(2, shuffle=False).split(np.zeros((6, 1)), y):
    ...     print(train, test)
    [2 3] [0 1 4]
    [0 1] [2 3 5]
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = True, random_state: Any = None
    ) -> None:
        if not isinstance(n_splits, int | np.integer) or isinstance(n_splits, bool) or n_splits < 2:
            raise ValueError(f"n_splits={n_splits!r} must be an integer of at least 2")
        if not isinstance(shuffle, bool | np.bool_):
            raise ValueError(f"shuffle={shuffle!r} must be True or False")
        if not shuffle and random_state is not None:
            raise ValueError(
                f"random_state={random_state!r} has no effect with shuffle=False; leave it None"
            )
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield row numbers of every fold.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows; only their number matters.
        y : array-like of shape (n_samples,)
            Labels: 0 normal and 1 anomaly, or 1 normal and -1 anomaly.
        groups : object
            Ignored.

        Yields
        ------
        train : ndarray of int
            Normal rows, ascending.
        test : ndarray of int
            The held-back normal rows and anomalies, ascending.

        Raises
        ------
        ValueError
            If there are fewer normals or fewer anomalies than folds, or other labels.
        """
        if y is None:
            raise ValueError("NoveltySplit needs y: it trains on normal rows only")
        anomaly = find_anomalies(y, "y")
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if n_rows != len(anomaly):
            raise ValueError(f"X has {n_rows} rows and y {len(anomaly)}; they must be as many")
        normals, anomalies = np.flatnonzero(~anomaly), np.flatnonzero(anomaly)
        for rows, name in ((normals, "normal"), (anomalies, "anomalous")):
            if len(rows) < self.n_splits:
                raise ValueError(
                    f"y has {len(rows)} {name} rows, which is too few for n_splits="
                    f"{self.n_splits}: every fold tests on at least one"
                )
        if self.shuffle:
            rng = new_random_state(self.random_state)
            normals, anomalies = rng.permutation(normals), rng.permutation(anomalies)
        parts = zip(
            np.array_split(normals, self.n_splits),
            np.array_split(anomalies, self.n_splits),
            strict=True,
        )
        for held_back, tested in parts:
            train = np.setdiff1d(normals, held_back)
            yield train, np.sort(np.concatenate([held_back, tested]))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        int
        """
        return self.n_splits
