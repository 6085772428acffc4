"""The whole loop: ask, have labelled, learn, score, until a criterion says stop."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer

from skbayes.active._checks import check_n_instances
from skbayes.active._rows import count_rows, take_rows
from skbayes.active.oracles import SKIP, Quit, Undo
from skbayes.active.stopping import RunState


@dataclass
class LearningCurve:
    """What a run did.

    Parameters
    ----------
    n_labels : list of int
        Number of labels after every round, and before the first.
    scores : list of float
        Test score there; empty without test data.
    indices : list of int
        Positions in the pool of the rows labelled, in order.
    skipped : list of int
        Positions of the rows skipped.
    stopped_by : str
        Why the run stopped.

    Examples
    --------
    >>> from skbayes.active import LearningCurve
    >>> LearningCurve([20, 40, 60], [0.5, 0.7, 0.9]).area()
    0.7
    """

    n_labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    stopped_by: str = ""

    def area(self) -> float:
        """Mean score over the labels, by the trapezoidal rule.

        Returns
        -------
        float
            Over the labels from the first training on: before it there is no score.

        Raises
        ------
        ValueError
            If there are not two scores at different numbers of labels.
        """
        known = ~np.isnan(self.scores)
        n_labels, scores = np.array(self.n_labels)[known], np.array(self.scores)[known]
        if len(scores) < 2 or n_labels[-1] == n_labels[0]:
            raise ValueError(
                f"a curve of {len(scores)} scores at {len(np.unique(n_labels))} numbers of labels "
                "has no area"
            )
        return float(np.trapezoid(scores, n_labels) / (n_labels[-1] - n_labels[0]))

    def labels_to(self, score: float) -> float:
        """Number of labels at which a score is reached first.

        Parameters
        ----------
        score : float
            The score to reach.

        Returns
        -------
        float
            Infinity if it was not reached.
        """
        for n_labels, reached in zip(self.n_labels, self.scores, strict=False):
            if reached >= score:
                return n_labels
        return np.inf


class Running:
    """What runs the loop by itself."""

    X_training: Any
    journal: Any = None
    query: Callable[..., Any]
    teach: Callable[..., Any]

    def run(
        self,
        X_pool: Any,
        oracle: Any,
        n_queries: int | None = None,
        batch_size: int = 1,
        *,
        X_test: Any = None,
        y_test: Any = None,
        scoring: Any = None,
        stopping: Any = (),
        progress: bool = False,
        query_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ) -> LearningCurve:
        """Ask an oracle for labels and learn, round by round.

        Rows labelled in this run are not asked for again, nor those that the journal knows.
        With a journal, a run that was interrupted goes on by :meth:`resume` and ``run`` again.

        Parameters
        ----------
        X_pool : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows without labels.
        oracle : callable or array-like of shape (n_samples,)
            The labels of the pool, for trials; or a function of rows and their positions in the
            pool that returns one label a row, :data:`~skbayes.active.oracles.SKIP` for a row that
            cannot be labelled, and fewer labels than rows to quit. See
            :mod:`skbayes.active.oracles` for those that ask a person.
        n_queries : int, default=None
            Number of rounds; None goes on until a criterion, the oracle or the end of the pool.
        batch_size : int, default=1
            Rows a round.
        X_test : {array-like, sparse matrix, DataFrame}, default=None
            Rows to score on after every round.
        y_test : array-like, default=None
            Their labels.
        scoring : str or callable, default=None
            Scorer, as in scikit-learn; None is the learner's ``score``.
        stopping : callable or sequence of callable, default=()
            Criteria of :mod:`skbayes.active.stopping`, or functions of a ``RunState``.
        progress : bool, default=False
            Whether to show a progress bar.
        query_kwargs : dict, default=None
            Further arguments of ``query``.
        fit_kwargs : dict, default=None
            Further arguments of ``teach``.

        Returns
        -------
        LearningCurve

        Raises
        ------
        ValueError
            If a parameter is not one of those allowed, or the oracle returns too many labels.
        TypeError
            If ``stopping`` holds what cannot be called.
        """
        n_rows = count_rows(X_pool, "X_pool")
        check_n_instances(batch_size, n_rows)
        criteria = _criteria(stopping)
        ask = oracle if callable(oracle) else _Simulated(oracle, n_rows)
        score = _scorer(self, X_test, y_test, scoring)
        curve = LearningCurve()
        before = _seen(self)
        n_start = 0 if self.X_training is None else count_rows(self.X_training, "X_training")
        _note(curve, n_start, _is_trained(self, curve), score)
        with _Bar(progress, n_queries) as bar:
            for n_done in _rounds(n_queries):
                taken = np.unique(np.concatenate([before, curve.indices, curve.skipped])).astype(
                    int
                )
                n_left = n_rows - len(taken)
                if n_left == 0:
                    curve.stopped_by = "the pool is exhausted"
                    break
                if n_done == 0:
                    beforehand = [c for c in criteria if getattr(c, "before_asking", False)]
                    if self._stops(beforehand, curve, 0, None):
                        break
                room = [c.room(curve.n_labels[-1]) for c in criteria if hasattr(c, "room")]
                indices, rows, utilities = self.query(
                    X_pool,
                    n_instances=min(batch_size, n_left, *room),
                    exclude=taken,
                    return_metrics=True,
                    **(query_kwargs or {}),
                )
                finished = self._answer(ask, X_pool, indices, rows, curve, fit_kwargs or {})
                _note(curve, n_start, _is_trained(self, curve), score)
                bar.advance(curve)
                if not finished:
                    curve.stopped_by = "the oracle quit"
                    break
                if self._stops(criteria, curve, n_done + 1, utilities):
                    break
            else:
                curve.stopped_by = f"n_queries={n_queries}"
        return curve

    def _stops(
        self, criteria: list[Any], curve: LearningCurve, n_queries: int, utilities: Any
    ) -> bool:
        """Ask every criterion; the curve notes the first that says stop."""
        score = curve.scores[-1] if curve.scores else None
        state = RunState(self, curve.n_labels[-1], n_queries, utilities, score)
        stopped = [criterion for criterion in criteria if criterion(state)]
        if stopped:
            curve.stopped_by = getattr(stopped[0], "__name__", type(stopped[0]).__name__)
        return bool(stopped)

    def _answer(
        self,
        ask: Callable[[Any, np.ndarray], Any],
        X_pool: Any,
        indices: np.ndarray,
        rows: Any,
        curve: LearningCurve,
        fit_kwargs: dict[str, Any],
    ) -> bool:
        """Have rows labelled and learn them; False if the oracle quit."""
        finished = True
        while True:
            try:
                answers = list(ask(rows, indices))
                break
            except Undo:
                self._undo(ask, X_pool, curve)
            except Quit as quit_:
                answers, finished = list(quit_.answers), False
                break
        if len(answers) > len(indices):
            raise ValueError(f"the oracle returned {len(answers)} labels for {len(indices)} rows")
        finished = finished and len(answers) == len(indices)
        known = np.array([answer is not SKIP for answer in answers], dtype=bool)
        skipped = indices[: len(answers)][~known]
        curve.skipped += skipped.tolist()
        if known.any():
            places = np.flatnonzero(known)
            labels = _as_labels([answers[place] for place in places], ask)
            taught = take_rows(rows, places), labels
            if self.journal is None:
                self.teach(*taught, **fit_kwargs)
            else:
                where = {"skipped": skipped.tolist(), "indices": indices[places]}
                self._teach_and_skip(*taught, **where, **fit_kwargs)  # type: ignore[attr-defined]
            curve.indices += indices[places].tolist()
        elif len(skipped) and self.journal is not None:
            self.skip(skipped)  # type: ignore[attr-defined]
        return finished

    def _undo(
        self, ask: Callable[[Any, np.ndarray], Any], X_pool: Any, curve: LearningCurve
    ) -> None:
        """Ask again for the row that was labelled last."""
        if self.journal is None or not curve.indices:
            return  # nothing that could be taken back
        place = np.array(curve.indices[-1:])
        try:
            answers = list(ask(take_rows(X_pool, place), place))
        except (Undo, Quit):
            return
        if answers and answers[0] is not SKIP:
            self.amend(place, _as_labels(answers, ask))  # type: ignore[attr-defined]


class _Simulated:
    """Labels that are known, for trials."""

    def __init__(self, labels: Any, n_rows: int) -> None:
        if count_rows(labels, "oracle") != n_rows:
            raise ValueError(
                f"oracle has {count_rows(labels, 'oracle')} labels for a pool of {n_rows} rows"
            )
        self.labels = labels

    def __call__(self, rows: Any, indices: np.ndarray) -> Any:
        return take_rows(self.labels, indices)


class _Bar:
    """A progress bar, or none."""

    def __init__(self, shown: bool, total: int | None) -> None:
        self.bar: Any = None
        if shown:
            from tqdm.auto import tqdm

            self.bar = tqdm(total=total, unit="query")

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *args: Any) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, curve: LearningCurve) -> None:
        if self.bar is not None:
            shown = {"labels": curve.n_labels[-1]}
            if curve.scores:
                shown["score"] = f"{curve.scores[-1]:.3f}"  # type: ignore[assignment]
            self.bar.set_postfix(shown)
            self.bar.update()


def _criteria(stopping: Any) -> list[Any]:
    """Criteria of a run that begins, which have seen nothing."""
    criteria = [stopping] if callable(stopping) else stopping
    if not isinstance(criteria, list | tuple) or not all(callable(c) for c in criteria):
        raise TypeError(
            f"stopping={stopping!r} must be a criterion, such as Budget(200), or a list of them"
        )
    for criterion in criteria:
        if hasattr(criterion, "reset"):
            criterion.reset()
    return list(criteria)


def _rounds(n_queries: int | None) -> Iterable[int]:
    if n_queries is None:
        return count()
    number = isinstance(n_queries, int | np.integer) and not isinstance(n_queries, bool)
    if not number or n_queries < 0:
        raise ValueError(f"n_queries={n_queries!r} must be an integer of at least 0 or None")
    return range(n_queries)


def _seen(learner: Any) -> np.ndarray:
    if learner.journal is None:
        return np.empty(0, dtype=int)
    return np.concatenate([learner.labelled_, learner.skipped_])


def _is_trained(learner: Any, curve: LearningCurve) -> bool:
    # a deep learner keeps no labels, and an estimator may have been trained beforehand
    return bool(curve.indices) or learner.X_training is not None or learner.__sklearn_is_fitted__()


def _scorer(learner: Any, X_test: Any, y_test: Any, scoring: Any) -> Callable[[], float] | None:
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test must be given together")
    if X_test is None:
        if scoring is not None:
            raise ValueError(f"scoring={scoring!r} needs X_test and y_test")
        return None
    if scoring is None:
        return lambda: float(learner.score(X_test, y_test))
    scorer = get_scorer(scoring)
    return lambda: float(scorer(learner, X_test, y_test))


def _note(
    curve: LearningCurve, n_start: int, fitted: bool, score: Callable[[], float] | None
) -> None:
    curve.n_labels.append(n_start + len(curve.indices))
    if score is not None:
        curve.scores.append(score() if fitted else np.nan)


def _as_labels(answers: list[Any], ask: Any) -> Any:
    if isinstance(ask, _Simulated) and isinstance(ask.labels, list):
        return answers
    return np.array(answers)
