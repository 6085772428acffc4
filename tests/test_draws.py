"""The draws behind an estimator, however it is wrapped."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skbayes._draws import predict_uncertainty, sample_proba, transform_leading
from skbayes.active import ActiveLearner

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


class Bootstraps(ClassifierMixin, BaseEstimator):
    """A few logistic regressions on bootstrap samples."""

    def __init__(self, n_members=4, C=1.0, seed=0):
        self.n_members = n_members
        self.C = C
        self.seed = seed

    def fit(self, X, y):
        rng = np.random.RandomState(self.seed)
        self.classes_ = np.unique(y)
        self.members_ = []
        for _ in range(self.n_members):
            rows = rng.randint(len(y), size=len(y))
            member = LogisticRegression(C=self.C, max_iter=1000)
            self.members_.append(member.fit(X[rows], y[rows]))
        return self

    def sample_proba(self, X):
        return np.stack([member.predict_proba(X) for member in self.members_])

    def predict_proba(self, X):
        return self.sample_proba(X).mean(axis=0)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Lines(RegressorMixin, BaseEstimator):
    """Two straight lines: draws of the mean without a noise."""

    def fit(self, X, y):
        self.slopes_ = np.array([1.0, 3.0])
        return self

    def predict(self, X):
        return self.sample_mean(X).mean(axis=0)

    def sample_mean(self, X):
        return self.slopes_[:, np.newaxis] * X[:, 0]


class LinesWithNoise(Lines):
    def predict_uncertainty(self, X):
        epistemic = self.sample_mean(X).var(axis=0)
        return epistemic + 0.25, np.full(len(X), 0.25), epistemic


def test_a_pipeline_gives_the_draws_on_transformed_rows():
    pipeline = make_pipeline(StandardScaler(), PCA(2), Bootstraps()).fit(X, NAMES)
    draws = sample_proba(pipeline, X)
    transformed = pipeline[:-1].transform(X)
    np.testing.assert_array_equal(draws, pipeline[-1].sample_proba(transformed))
    np.testing.assert_allclose(draws.mean(axis=0), pipeline.predict_proba(X))
    # columns in the order of classes_
    assert pipeline.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert (draws.mean(axis=0).argmax(axis=1) == Y).mean() > 0.85


@pytest.mark.parametrize(
    "wrap",
    [
        lambda clf: clf,
        lambda clf: make_pipeline(clf),
        lambda clf: make_pipeline("passthrough", clf),
        lambda clf: make_pipeline(FrozenEstimator(StandardScaler(with_std=False).fit(X)), clf),
        lambda clf: make_pipeline(StandardScaler(), make_pipeline(PCA(3), clf)),
        lambda clf: GridSearchCV(clf, {"C": [1.0]}, cv=2),
        lambda clf: GridSearchCV(
            make_pipeline(StandardScaler(), clf), {"bootstraps__C": [0.1, 10.0]}, cv=2
        ),
        lambda clf: RandomizedSearchCV(clf, {"C": [1.0]}, cv=2, n_iter=1, random_state=0),
        lambda clf: FrozenEstimator(make_pipeline(StandardScaler(), clf).fit(X, Y)),
        lambda clf: make_pipeline(StandardScaler(), FrozenEstimator(clone(clf).fit(X, Y))),
        lambda clf: ActiveLearner(make_pipeline(StandardScaler(), clf)),
        lambda clf: GridSearchCV(ActiveLearner(clf), {"estimator__C": [1.0]}, cv=2),
    ],
)
def test_every_wrapper_gives_the_draws_behind_its_own_predict_proba(wrap):
    fitted = wrap(Bootstraps()).fit(X, Y)
    draws = sample_proba(fitted, X)
    assert draws.shape == (4, 150, 3)
    np.testing.assert_allclose(draws.mean(axis=0), fitted.predict_proba(X), rtol=1e-12)
    assert draws.std(axis=0).max() > 0.01
    total, aleatoric, epistemic = predict_uncertainty(fitted, X)
    np.testing.assert_allclose(total, aleatoric + epistemic, atol=1e-12)


def test_a_classifier_without_draws_is_one_draw():
    clf = LogisticRegression(max_iter=1000).fit(X, Y)
    draws = sample_proba(make_pipeline(StandardScaler(), clone(clf)).fit(X, Y), X)
    assert draws.shape == (1, 150, 3)
    np.testing.assert_array_equal(sample_proba(clf, X)[0], clf.predict_proba(X))
    total, aleatoric, epistemic = predict_uncertainty(clf, X)
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(total, -(proba * np.log(proba)).sum(axis=1))
    np.testing.assert_array_equal(total, aleatoric)
    np.testing.assert_array_equal(epistemic, 0)


def test_calibration_counts_as_one_draw():
    calibrated = CalibratedClassifierCV(Bootstraps(), cv=2).fit(X, Y)
    draws = sample_proba(calibrated, X)
    np.testing.assert_array_equal(draws, calibrated.predict_proba(X)[np.newaxis])


def test_uncertainty_by_hand():
    class Two:
        def sample_proba(self, X):
            return np.array([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]])

    total, aleatoric, epistemic = predict_uncertainty(Two(), np.zeros((2, 1)))
    np.testing.assert_allclose(total, [np.log(2), np.log(2)])
    np.testing.assert_allclose(aleatoric, [0, np.log(2)])
    np.testing.assert_allclose(epistemic, [np.log(2), 0])


def test_regressors():
    rows = np.array([[1.0], [2.0]])
    fitted = make_pipeline(StandardScaler(with_std=False, with_mean=False), Lines())
    fitted.fit(rows, [0, 1])
    total, aleatoric, epistemic = predict_uncertainty(fitted, rows)
    np.testing.assert_allclose(epistemic, [1, 4])  # slopes 1 and 3: variance x^2
    assert np.isnan(total).all() and np.isnan(aleatoric).all()
    total, aleatoric, epistemic = predict_uncertainty(
        make_pipeline(LinesWithNoise()).fit(rows, [0, 1]), rows
    )
    np.testing.assert_allclose(total, [1.25, 4.25])
    np.testing.assert_allclose(aleatoric, [0.25, 0.25])


def test_own_uncertainty_comes_before_the_draws():
    class Own(Bootstraps):
        def predict_uncertainty(self, X):
            return np.full(len(X), 3.0), np.full(len(X), 2.0), np.full(len(X), 1.0)

    fitted = make_pipeline(StandardScaler(), Own()).fit(X, Y)
    assert [part[0] for part in predict_uncertainty(fitted, X)] == [3, 2, 1]


@pytest.mark.parametrize("estimator", [LinearSVC(), LinearRegression(), object(), None])
@pytest.mark.parametrize("function", [sample_proba, predict_uncertainty])
def test_no_probabilities(estimator, function):
    estimator = estimator.fit(X, Y) if hasattr(estimator, "fit") else estimator
    name = type(estimator).__name__
    with pytest.raises(TypeError, match=f"estimator={name} .*sample_proba or predict_proba"):
        function(estimator, X)


def test_several_outputs_are_refused():
    class Two:
        def predict_proba(self, X):
            return [np.full((len(X), 2), 0.5), np.full((len(X), 2), 0.5)]

    with pytest.raises(ValueError, match=r"predict_proba .* shape \(2, 150, 2\)"):
        sample_proba(Two(), X)


@pytest.mark.parametrize(
    "unfitted",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}),
        make_pipeline(StandardScaler(), Bootstraps()),
    ],
)
def test_unfitted_says_so(unfitted):
    with pytest.raises(NotFittedError):
        sample_proba(unfitted, X)


def test_a_subclass_of_pipeline_transforms_its_own_way():
    class Halving(Pipeline):
        def transform(self, X):
            return super().transform(X) / 2

    scaler = StandardScaler().fit(X)
    clf = Bootstraps().fit(X, Y)
    pipeline = Halving([("scale", scaler), ("clf", clf)])
    expected = clf.sample_proba(scaler.transform(X) / 2)
    np.testing.assert_array_equal(sample_proba(pipeline, X), expected)
    assert pipeline.steps[-1][1] is clf  # not touched


def test_transform_leading():
    pipeline = make_pipeline(StandardScaler(), make_pipeline(PCA(2), LogisticRegression()))
    pipeline.fit(X, Y)
    expected = pipeline[1][0].transform(pipeline[0].transform(X))
    np.testing.assert_array_equal(transform_leading(pipeline, X), expected)
    assert transform_leading(LogisticRegression(), X) is X


def test_data_frames_keep_their_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression())
    pipeline.fit(frame, Y)
    assert transform_leading(pipeline, frame).columns.tolist() == list("abcd")
    np.testing.assert_array_equal(sample_proba(pipeline, frame)[0], pipeline.predict_proba(frame))
