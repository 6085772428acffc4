"""Stand-ins that only quack: no clone, no tags, a fixed answer whatever the rows."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

X, Y = load_iris(return_X_y=True)
RNG = np.random.RandomState(0)


class Fixed:
    """An estimator of fixed answers; not fitted, it raises."""

    def __init__(self, proba=None, predicted=None, score=None, classes=None, fitted=True):
        self.proba, self.predicted, self.scored, self.fitted = proba, predicted, score, fitted
        if fitted:
            self.classes_ = classes

    def _answer(self, answer):
        if not self.fitted:
            raise NotFittedError
        return answer

    def fit(self, *args, **kwargs):
        pass

    def predict(self, *args, **kwargs):
        return self._answer(self.predicted)

    def predict_proba(self, *args, **kwargs):
        return self._answer(self.proba)

    def score(self, *args, **kwargs):
        return self.scored


class FixedMember(Fixed):
    """A member of a committee of fixed answers."""

    def __init__(self, estimator=None, proba=None, predicted=None):
        super().__init__(proba, predicted)
        self.estimator = estimator


class FixedCommittee:
    """A committee of fixed answers."""

    def __init__(self, n=1, classes=None, votes=None, vote_proba=None, proba=None, fitted=True):
        self.n, self.classes_, self.fitted = n, classes, fitted
        self.answers = {"vote": votes, "vote_proba": vote_proba, "predict_proba": proba}

    def __len__(self):
        return self.n

    def __getattr__(self, name):
        if name not in self.__dict__.get("answers", ()):
            raise AttributeError(name)

        def answer(X, **kwargs):
            if not self.fitted:
                raise NotFittedError
            return self.answers[name]

        return answer
