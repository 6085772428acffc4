"""How a learner asks: by a strategy or an acquisition function, in batches, or at random."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skbayes._draws import find_method, sample_proba, transform_leading, transform_through
from skbayes.active._asking import at_random, check_epsilon, find_open_rows, only_n_instances
from skbayes.active._blocks import map_blocks
from skbayes.active._checks import check_indices, check_n_instances, split_answer
from skbayes.active._rows import count_rows, take_rows
from skbayes.active._selection import highest
from skbayes.active._training import is_detector
from skbayes.active._utilities import largest, mean_draw
from skbayes.active.acquisition import (
    OPTIMIZING,
    SCORE_METHODS,
    TARGETED,
    get_acquisition,
    random,
    variance,
)
from skbayes.active.batch import (
    badge,
    batch_bald,
    cluster_batch,
    get_batch,
    k_center,
    rank_rows,
    top_k,
)
from skbayes.active.utils.data import retrieve_rows

#: Rows of highest BALD among which a BatchBALD batch is looked for
_N_CANDIDATES = 1000
#: Rows of the pool that stand for what will be predicted (EPIG, error reduction)
_N_TARGETS = 200
#: Candidates per row asked for that are clustered
_PER_CLUSTER = 10


class Querying:
    """Base of what asks: the parameters that say how, and ``query``."""

    query_strategy: Callable[..., Any] | None
    acquisition: Any
    batch: Any
    epsilon: Any
    X_training: Any
    y_training: Any
    _default_strategy: Callable[..., Any] | None = None
    _get_random_state: Callable[[], np.random.RandomState]

    def query(
        self,
        X_pool: Any,
        *query_args: Any,
        n_instances: int | None = None,
        return_metrics: bool = False,
        exclude: Any = None,
        **query_kwargs: Any,
    ) -> tuple[Any, ...]:
        """Choose the rows to have labelled.

        By ``acquisition``: of rows with the same utility some are chosen at random; an estimator
        that is not fitted yet finds all rows alike; large pools (memory-mapped arrays, sparse
        matrices, data frames) are gone through in blocks.

        Parameters
        ----------
        X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows without labels.
        *query_args
            Handed to ``query_strategy`` as they are. Without one, the first is ``n_instances``.
        n_instances : int, default=None
            Number of rows to choose. None leaves it to ``query_strategy``, and is 1 without one.
        return_metrics : bool, default=False
            Whether to return as a third the utilities of the rows chosen, or what the strategy
            returned beside the indices (None if nothing).
        exclude : array-like of int, default=None
            Positions in the pool that are not to be chosen, such as those labelled already.
        **query_kwargs
            Further arguments of ``query_strategy``.

        Returns
        -------
        indices : ndarray of int of shape (n_instances,)
            Positions in the pool; with ``acquisition`` the best comes first. A single number if
            that is what a strategy returned.
        rows : {ndarray, sparse matrix, list, DataFrame}
            ``X_pool[indices]``, of the pool's kind.
        metrics : object
            With ``return_metrics`` only.

        Raises
        ------
        ValueError
            If the pool has fewer rows than ``n_instances``, the acquisition function needs several
            draws and there is one, or a strategy returns no valid rows.
        TypeError
            If the estimator has not what the acquisition function needs, or there are arguments
            without a ``query_strategy``.
        """
        self._check_parameters()
        n_rows = count_rows(X_pool, "X_pool")
        strategy = self._strategy()
        if strategy is None:
            n_instances = only_n_instances(n_instances, query_args, query_kwargs)
            check_n_instances(n_instances, n_rows)
        elif n_instances is not None or n_rows == 0:
            check_n_instances(1 if n_instances is None else n_instances, n_rows)
        open_rows = find_open_rows(exclude, n_rows, n_instances)
        n_random = self._n_random(n_instances)
        n_chosen = None if n_instances is None else n_instances - n_random
        indices: Any = np.empty(0, dtype=np.intp)
        metrics: Any = None
        if n_chosen != 0:
            if strategy is None:
                assert n_chosen is not None
                indices, metrics = self._choose(X_pool, n_rows, n_chosen, open_rows)
            else:
                if n_chosen is not None:
                    query_kwargs = {**query_kwargs, "n_instances": n_chosen}
                indices, metrics = self._ask(
                    strategy, X_pool, n_rows, n_chosen, open_rows, query_args, query_kwargs
                )
        if n_random:
            extra = at_random(n_random, indices, n_rows, open_rows, self._get_random_state())
            metrics = None if metrics is None else [*metrics, *[np.nan] * n_random]
            indices = np.concatenate([indices, extra])
        self._note_query(X_pool, n_rows, indices, metrics)
        rows = None if indices is None else retrieve_rows(X_pool, indices)
        return (indices, rows, metrics) if return_metrics else (indices, rows)

    # -- by a strategy ----------------------------------------------------------------------------

    def _strategy(self) -> Callable[..., Any] | None:
        if self.query_strategy is None and self.acquisition is None and self.batch is None:
            return self._default_strategy
        return self.query_strategy

    def _ask(
        self,
        strategy: Callable[..., Any],
        X_pool: Any,
        n_rows: int,
        n_instances: int | None,
        open_rows: np.ndarray | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[Any, Any]:
        pool = X_pool if open_rows is None else take_rows(X_pool, open_rows)
        n_open = n_rows if open_rows is None else len(open_rows)
        chosen, metrics = split_answer(strategy(self, pool, *args, **kwargs))
        if chosen is None and metrics is not None:  # metrics of all rows and no choice
            return None, metrics
        indices = check_indices(chosen, n_instances, n_open)
        return (indices if open_rows is None else open_rows[indices]), metrics

    # -- by an acquisition function ---------------------------------------------------------------

    def _choose(
        self, X_pool: Any, n_rows: int, n_instances: int, open_rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        selector = get_batch(self.batch)
        needs = selector.func if isinstance(selector, partial) else selector
        rng = self._get_random_state()
        utilities = None
        if needs not in (k_center, badge):
            utilities = self._utilities(X_pool, n_rows, needs)
            if open_rows is not None:
                utilities = utilities[open_rows]
        pool = X_pool
        if open_rows is not None and needs in (k_center, badge, rank_rows):
            pool = take_rows(X_pool, open_rows)
        try:
            chosen = self._select(selector, needs, utilities, n_instances, pool, open_rows, rng)
        except NotFittedError:
            n_open = n_rows if open_rows is None else len(open_rows)
            chosen = top_k(np.zeros(n_open), n_instances, random_state=rng)
        metrics = None if utilities is None else utilities[chosen]
        return (chosen if open_rows is None else open_rows[chosen]), metrics

    def _select(
        self,
        selector: Callable[..., Any],
        needs: Any,
        utilities: Any,
        n_instances: int,
        pool: Any,
        open_rows: np.ndarray | None,
        rng: np.random.RandomState,
    ) -> np.ndarray:
        if needs is k_center:
            return selector(
                self._embed(pool), n_instances, labelled=self._labelled(), random_state=rng
            )
        if needs is badge:
            proba = map_blocks(lambda rows: self._draws(rows).mean(axis=0), pool)
            return selector(proba, self._embed(pool), n_instances, random_state=rng)
        if needs is rank_rows:
            return selector(utilities, self._embed(pool), n_instances, labelled=self._labelled())
        if needs in (batch_bald, cluster_batch):
            wanted = _N_CANDIDATES if needs is batch_bald else _PER_CLUSTER * n_instances
            n_candidates = min(len(utilities), max(wanted, n_instances))
            candidates = highest(utilities, n_candidates, rng)
            places = candidates if open_rows is None else open_rows[candidates]
            rows = take_rows(pool, places)
            if needs is batch_bald:
                chosen = selector(self._draws(rows), n_instances, random_state=rng)
            else:
                chosen = selector(
                    utilities[candidates], self._embed(rows), n_instances, random_state=rng
                )
            return candidates[chosen]
        chosen = selector(utilities, n_instances, random_state=rng)
        return check_indices(chosen, n_instances, len(utilities), "batch")

    def _utilities(self, X_pool: Any, n_rows: int, needs: Any = None) -> np.ndarray:
        name = self._acquisition_name(needs)
        acquisition = get_acquisition(name)
        if acquisition is random:  # needs no prediction
            return self._get_random_state().random_sample(n_rows)

        def measured(rows: Any) -> np.ndarray:
            n_here = count_rows(rows, "X_pool")
            utilities = np.asarray(acquisition(self._evidence(acquisition, rows), *targets))
            if utilities.shape != (n_here,):
                raise ValueError(
                    f"acquisition={name!r} returned an array of shape {utilities.shape}; it must "
                    f"be one utility a row, ({n_here},)"
                )
            return utilities

        try:
            targets = self._targets(acquisition, X_pool, n_rows)
            return map_blocks(measured, X_pool)
        except NotFittedError:
            return np.zeros(n_rows)

    def _acquisition_name(self, needs: Any) -> Any:
        if self.acquisition is not None:
            return self.acquisition
        if needs is batch_bald:
            return "bald"
        asked = self._who_predicts()
        if is_detector(asked):
            return "most_anomalous"
        if not hasattr(asked, "__sklearn_tags__") and not hasattr(asked, "sample_proba"):
            return _of_a_stranger
        labels: Any = getattr(self.y_training, "shape", ())
        if len(labels) == 2 and labels[1] > 1:  # several labels a row: no distribution over classes
            return _of_a_stranger
        if find_method(asked, "sample_mean")[0] is not None:
            return "variance"
        return "least_confidence"

    def _evidence(self, acquisition: Callable[..., Any], rows: Any) -> Any:
        """Compute what an acquisition function is a function of."""
        asked = self._who_predicts()
        for function, method in SCORE_METHODS.items():
            if acquisition is function:
                if not hasattr(asked, method):
                    raise TypeError(
                        f"acquisition={function.__name__!r} needs {method}, which "
                        f"estimator={type(asked).__name__} has not"
                    )
                return getattr(asked, method)(rows)
        if acquisition is variance:
            return self._values(rows)
        return self._draws(rows)

    def _draws(self, rows: Any) -> np.ndarray:
        return sample_proba(self._who_predicts(), rows)

    def _values(self, rows: Any) -> np.ndarray:
        holder, pipelines = find_method(self._who_predicts(), "sample_mean")
        if holder is None:
            raise TypeError(
                f"acquisition='variance' needs draws of the regression, sample_mean, which "
                f"estimator={type(self._who_predicts()).__name__} has not; for a regressor with "
                "return_std take query_strategy=max_std_sampling"
            )
        return np.asarray(holder.sample_mean(transform_through(pipelines, rows)))

    def _targets(self, acquisition: Any, X_pool: Any, n_rows: int) -> tuple[np.ndarray, ...]:
        if acquisition not in TARGETED:
            return ()
        chosen = at_random(min(_N_TARGETS, n_rows), (), n_rows, None, self._get_random_state())
        return (self._draws(take_rows(X_pool, np.sort(chosen))),)

    def _embed(self, rows: Any) -> Any:
        """Rows as distances see them: the estimator's embedding, or its leading steps'."""
        asked = self._who_predicts()
        holder, pipelines = find_method(asked, "embed")
        if holder is not None:
            return map_blocks(lambda part: holder.embed(transform_through(pipelines, part)), rows)
        return transform_leading(asked, rows)

    def _labelled(self) -> Any:
        return None if self.X_training is None else self._embed(self.X_training)

    # -- pieces -----------------------------------------------------------------------------------

    @abstractmethod
    def _who_predicts(self) -> Any:
        """Return what gives draws and scores."""

    def _n_labelled(self) -> int:
        return 0 if self.X_training is None else count_rows(self.X_training, "X_training")

    def _note_query(self, X_pool: Any, n_rows: int, indices: Any, metrics: Any) -> None:
        """Hear what was asked; a journal writes it down."""

    def _n_random(self, n_instances: int | None) -> int:
        if not callable(self.epsilon) and self.epsilon == 0:
            return 0
        epsilon = self.epsilon(self._n_labelled()) if callable(self.epsilon) else self.epsilon
        check_epsilon(epsilon)
        if n_instances is None:
            raise ValueError(
                f"epsilon={self.epsilon!r} needs n_instances as a keyword, to know how many rows "
                "are at random"
            )
        return int(self._get_random_state().binomial(n_instances, epsilon))

    def _check_parameters(self) -> None:
        self._check_asking()

    def _check_asking(self) -> None:
        if self.query_strategy is not None and self.acquisition is not None:
            raise ValueError(
                f"query_strategy={self.query_strategy!r} and acquisition={self.acquisition!r} were "
                "both given; give one of them"
            )
        if self.query_strategy is not None and self.batch is not None:
            raise ValueError(
                f"query_strategy={self.query_strategy!r} and batch={self.batch!r} were both given; "
                "a strategy chooses its batch itself"
            )
        if self.query_strategy is not None and not callable(self.query_strategy):
            raise ValueError(
                f"query_strategy={self.query_strategy!r} must be callable; names go to acquisition"
            )
        if self.acquisition is not None:
            acquisition = get_acquisition(self.acquisition)
            if acquisition in OPTIMIZING and not hasattr(self, "y_max"):
                raise ValueError(
                    f"acquisition={self.acquisition!r} seeks a largest or smallest value; it is "
                    "for a BayesianOptimizer"
                )
        get_batch(self.batch)
        if not callable(self.epsilon):
            check_epsilon(self.epsilon)


def _of_a_stranger(draws: np.ndarray) -> np.ndarray:
    """Least confidence of what need be no distribution over classes: as in modAL, unchecked."""
    return 1 - largest(mean_draw(draws))
