"""When a labelling run stops: labels enough, predictions that no longer change, nothing to ask."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import cohen_kappa_score

__all__ = ["Budget", "LowUtility", "RunState", "StablePredictions", "TargetScore"]


class RunState(NamedTuple):
    """What a stopping criterion sees after every round.

    Parameters
    ----------
    learner : ActiveLearner
        As it is after the round.
    n_labels : int
        Number of labels so far, those of the start included.
    n_queries : int
        Number of rounds.
    utilities : ndarray or None
        Utilities of the rows of this round; None if its strategy gave none.
    score : float or None
        Test score; None without test data.

    Examples
    --------
    >>> from skbayes.active.stopping import RunState
    >>> RunState(None, 20, 2, None, 0.9).n_labels
    20
    """

    learner: Any
    n_labels: int
    n_queries: int
    utilities: Any
    score: float | None


class Budget:
    """Stop at a number of labels: a run asks for no more, be a batch cut short.

    Parameters
    ----------
    n_labels : int
        Those of the start included.

    Raises
    ------
    ValueError
        If it is not a positive integer.

    Examples
    --------
    >>> from skbayes.active.stopping import Budget, RunState
    >>> Budget(20)(RunState(None, 20, 2, None, 0.9))
    True
    """

    #: Whether there is an answer before the first round: a run may be over when it begins
    before_asking = True

    def __init__(self, n_labels: int) -> None:
        self.n_labels = _count(n_labels, "n_labels")

    def room(self, n_labels: int) -> int:
        """Tell how many labels more there may be.

        Parameters
        ----------
        n_labels : int
            Number of labels so far.

        Returns
        -------
        int
        """
        return max(self.n_labels - n_labels, 0)

    def reset(self) -> None:
        """Forget what was seen; a run does so when it begins."""

    def __call__(self, state: RunState) -> bool:
        """Tell whether to stop."""
        return self.room(state.n_labels) == 0


class TargetScore:
    """Stop when the test score is good enough.

    Parameters
    ----------
    score : float
        The score to reach.

    Raises
    ------
    ValueError
        If it is no number.

    Examples
    --------
    >>> from skbayes.active.stopping import RunState, TargetScore
    >>> TargetScore(0.95)(RunState(None, 20, 2, None, 0.9))
    False
    """

    #: Whether there is an answer before the first round: a run may be over when it begins
    before_asking = True

    def __init__(self, score: float) -> None:
        self.score = _number(score, "score")

    def reset(self) -> None:
        """Forget what was seen; a run does so when it begins."""

    def __call__(self, state: RunState) -> bool:
        """Tell whether to stop."""
        if state.score is None:
            raise ValueError(f"TargetScore({self.score}) needs X_test and y_test")
        return state.score >= self.score


class LowUtility:
    """Stop when not even the best row of a round was worth asking for.

    Parameters
    ----------
    threshold : float
        In the unit of the acquisition function.
    patience : int, default=1
        Number of rounds in a row.

    Raises
    ------
    ValueError
        If ``threshold`` is no number or ``patience`` no positive integer.

    Examples
    --------
    >>> from skbayes.active.stopping import LowUtility, RunState
    >>> LowUtility(0.1)(RunState(None, 20, 2, [0.05, 0.01], None))
    True
    """

    def __init__(self, threshold: float, patience: int = 1) -> None:
        self.threshold = _number(threshold, "threshold")
        self.patience = _count(patience)
        self.reset()

    def reset(self) -> None:
        """Forget what was seen; a run does so when it begins."""
        self._rounds = 0

    def __call__(self, state: RunState) -> bool:
        """Tell whether to stop."""
        if state.utilities is None:
            raise ValueError(f"LowUtility({self.threshold}) needs a strategy that gives utilities")
        best = np.nanmax(np.append(np.asarray(state.utilities, dtype=np.float64), -np.inf))
        self._rounds = self._rounds + 1 if best < self.threshold else 0
        return self._rounds >= self.patience


class StablePredictions:
    """Stop when the predictions of rows set aside have stopped changing.

    Agreement of successive models is measured by Cohen's kappa.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows, whose labels need not be known.
    threshold : float, default=0.99
        Least agreement.
    patience : int, default=3
        Number of rounds in a row.

    Raises
    ------
    ValueError
        If ``threshold`` is no number or ``patience`` no positive integer.

    References
    ----------
    Bloodgood, Vijay-Shanker (2009), *A method for stopping active learning based on stabilizing
    predictions and the need for user-adjustable stopping*, CoNLL.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from skbayes.active.stopping import RunState, StablePredictions
    >>> X = np.zeros((4, 1))
    >>> stop = StablePredictions(X, patience=1)
    >>> state = RunState(DummyClassifier().fit(X, [0, 0, 1, 1]), 20, 2, None, None)
    >>> stop(state), stop(state)
    (False, True)
    """

    def __init__(self, X: Any, threshold: float = 0.99, patience: int = 3) -> None:
        self.X = X
        self.threshold = _number(threshold, "threshold")
        self.patience = _count(patience)
        self.reset()

    def reset(self) -> None:
        """Forget what was seen; a run does so when it begins."""
        self._before: Any = None
        self._rounds = 0

    def __call__(self, state: RunState) -> bool:
        """Tell whether to stop."""
        predicted = np.asarray(state.learner.predict(self.X))
        if predicted.dtype.kind == "f" and not np.all(predicted == np.rint(predicted)):
            raise ValueError(
                f"StablePredictions compares class labels; {type(state.learner).__name__} predicts "
                "numbers"
            )
        if self._before is not None:
            if np.array_equal(predicted, self._before):
                agreement = 1.0  # kappa is not defined if all rows are of one class
            else:
                agreement = cohen_kappa_score(predicted, self._before)
            self._rounds = self._rounds + 1 if agreement >= self.threshold else 0
        self._before = predicted
        return self._rounds >= self.patience


def _number(value: Any, name: str) -> float:
    if not isinstance(value, int | float | np.number) or isinstance(value, bool) or value != value:
        raise ValueError(f"{name}={value!r} must be a number")
    return float(value)


def _count(value: Any, name: str = "patience") -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of at least 1")
    return int(value)
