"""The loss landscape: sections through optima and samples of subspaces."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from iris import TARGET, X, y
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import DeepEnsembleFilterClassifier
from skbayes.callbacks import WeightHistory
from skbayes.diagnostics import (
    SectionDisplay,
    jensen_shannon_diversity,
    prediction_disagreement,
    radial_section,
    subspace_sample,
    two_optima_section,
    weight_cosine,
)

plt.switch_backend("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


# -- sections --------------------------------------------------------------------------------------


class Recording:
    """Means that are inner products with the weights; keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def predict_at(self, params, X):
        flat = np.concatenate([v.reshape(len(v), -1) for v in params.values()], axis=1)
        self.asked.append(flat)
        return flat @ X.T


def random_optima(seed=0):
    rng = np.random.RandomState(seed)
    return [{"a": rng.normal(size=(1, 2, 3)), "b": rng.normal(size=(1, 4))} for _ in range(2)]


def flatten(params):
    return np.concatenate([v.ravel() for v in params.values()])


def test_coordinates_of_a_radial_section_are_lengths_along_orthonormal_axes():
    first, second = random_optima()
    w1, w2 = flatten(first), flatten(second)
    model, rows = Recording(), np.random.RandomState(1).normal(size=(7, 10))
    section = radial_section(model, rows, np.arange(7.0), first, second, n_points=5)
    points = np.concatenate(model.asked[1:])
    x1, x2 = (x.ravel() for x in np.meshgrid(*section.axes))
    assert_allclose(np.linalg.norm(points, axis=1), np.hypot(x1, x2))
    assert_allclose(points @ w1 / np.linalg.norm(w1), x1, atol=1e-12)
    assert_allclose(section.optima[0], [np.linalg.norm(w1), 0])
    assert_allclose(np.linalg.norm(section.optima[1]), np.linalg.norm(w2))
    cosine = weight_cosine([first, second])[0, 1]
    assert_allclose(section.optima[1, 0], cosine * np.linalg.norm(w2))
    for axis, places in zip(section.axes, section.optima.T, strict=True):
        assert axis[0] < min(0, *places) and axis[-1] > max(0, *places)


def test_loss_of_a_linear_model_is_a_parabola_along_the_line():
    first, second = random_optima()
    rows, target = np.random.RandomState(1).normal(size=(7, 10)), np.arange(7.0)
    t = np.array([-0.5, 0.0, 0.3, 1.0, 2.0])
    section = two_optima_section(Recording(), rows, target, first, second, positions=t)
    f1, f2 = rows @ flatten(first), rows @ flatten(second)
    for k, mean in enumerate(np.outer(1 - t, f1) + np.outer(t, f2)):
        assert_allclose(section.loss[k], mean_squared_error(target, mean))
        assert_allclose(section.score[k], r2_score(target, mean))
        assert_allclose(section.agreement_1[k], r2_score(f1, mean))
        assert_allclose(section.agreement_2[k], r2_score(f2, mean))
    assert section.agreement_1[1] == section.agreement_2[3] == 1


def test_blocks_change_nothing(iris_ensemble, monkeypatch):
    optima = iris_ensemble.posterior_.arrays(0), iris_ensemble.posterior_.arrays(1)
    whole = two_optima_section(iris_ensemble, X, y, *optima)
    monkeypatch.setattr("skbayes.diagnostics._sections.BLOCK_VALUES", 2000)
    parts = two_optima_section(iris_ensemble, X, y, *optima)
    assert_allclose(parts.loss, whole.loss, rtol=1e-10)
    assert_array_equal(parts.score, whole.score)


@pytest.mark.parametrize("labels", [None, ["x", "y", "z"]])
def test_sections_at_the_optima_are_the_direct_predictions(labels):
    target = y if labels is None else np.array(labels)[y]
    clf = DeepEnsembleFilterClassifier((8,), n_members=2, init_epochs=15, random_state=0)
    clf = make_pipeline(StandardScaler(), clf).fit(X.astype("float32"), target)
    rows = X.astype("float32")
    stack = clf[-1].posterior_
    first, second = stack.arrays(0), stack.arrays(1)
    proba = clf[-1].sample_proba(clf[:-1].transform(rows))
    line = two_optima_section(clf, rows, target, first, second, positions=[0, 1])
    x1, x2 = radial_section(clf, rows, target, first, second, n_points=1).optima.T
    plane = radial_section(clf, rows, target, first, second, axis_1=x1, axis_2=x2)
    for section, places in ((line, [0, 1]), (plane, [(0, 0), (1, 1)])):
        for k, place in enumerate(places):
            winners = clf.classes_[proba[k].argmax(-1)]
            assert section.score[place] == accuracy_score(target, winners)
            assert_allclose(section.loss[place], log_loss(target, proba[k]), rtol=1e-5)
        first_row = prediction_disagreement(proba)[0]
        assert_array_equal([section.agreement_1[p] for p in places], 1 - first_row)
        assert_array_equal([section.agreement_2[p] for p in places], 1 - first_row[::-1])


def test_the_origin_knows_nothing(iris_ensemble):
    optima = iris_ensemble.posterior_.arrays(0), iris_ensemble.posterior_.arrays(1)
    section = radial_section(iris_ensemble, X, y, *optima, axis_1=[0.0], axis_2=[0.0])
    assert_allclose(section.loss, np.log(3))


def test_a_regressors_section(iris_regressor):
    optima = iris_regressor.posterior_.arrays(0), iris_regressor.posterior_.arrays(-1)
    target = 10 + 5 * TARGET
    section = two_optima_section(iris_regressor, X[:, :3], target, *optima, positions=[0.0, 1.0])
    means = iris_regressor.sample_mean(X[:, :3])[[0, -1]]
    assert_allclose(section.loss, [mean_squared_error(target, m) for m in means], rtol=1e-8)
    SectionDisplay(section).plot()


def test_sections_say_what_is_wrong(iris_ensemble):
    stack = iris_ensemble.posterior_
    first, second = stack.arrays(0), stack.arrays(1)
    with pytest.raises(TypeError, match="must have predict_at"):
        two_optima_section(StandardScaler(), X, y, first, second)
    with pytest.raises(ValueError, match="params_2 has 3 draws"):
        two_optima_section(iris_ensemble, X, y, first, stack.arrays())
    with pytest.raises(ValueError, match="one architecture"):
        two_optima_section(iris_ensemble, X, y, first, {"a": np.ones((1, 2))})
    with pytest.raises(ValueError, match="make no plane"):
        radial_section(iris_ensemble, X, y, first, {key: 2 * v for key, v in first.items()})
    with pytest.raises(ValueError, match="not among the classes"):
        radial_section(iris_ensemble, X, y + 7, first, second)
    with pytest.raises(ValueError, match="positions must be finite"):
        two_optima_section(iris_ensemble, X, y, first, second, positions=[np.nan])
    with pytest.raises(ValueError, match="axis_2 must be of shape"):
        radial_section(iris_ensemble, X, y, first, second, axis_2=[])
    for n_points in (0, 2.5):
        with pytest.raises(ValueError, match=f"n_points={n_points} must be an integer"):
            radial_section(iris_ensemble, X, y, first, second, n_points=n_points)
    with pytest.raises(ValueError, match="lacks"):
        two_optima_section(iris_ensemble, X, y, {"a": np.ones((1, 2))}, {"a": np.ones((1, 2))})


# -- subspaces -------------------------------------------------------------------------------------


def wandering(n_checkpoints=30, seed=0):
    rng = np.random.RandomState(seed)
    return {
        "a": rng.normal(size=(n_checkpoints, 4, 3)).cumsum(0),
        "b": rng.normal(size=(n_checkpoints, 5)).cumsum(0),
    }


def flat_rows(params):
    return np.concatenate([v.reshape(len(v), -1) for v in params.values()], axis=1)


def test_diagonal_gaussian_has_the_last_checkpoints_moments():
    run = wandering()
    n = 20_000
    sample = flat_rows(subspace_sample(run, "diagonal", n_samples=n, random_state=0))
    mean, std = flat_rows(run)[-10:].mean(0), flat_rows(run)[-10:].std(0)
    assert_allclose(sample.mean(0), mean, atol=5 * std.max() / np.sqrt(n))
    assert_allclose(sample.std(0), std, rtol=5 / np.sqrt(2 * n))
    # a scale drawn from U(0, 10) for every network: E[s^2] = 100 / 3; its fourth moment is 2000,
    # so that s^2 z^2 has a relative standard deviation of sqrt(3 * 2000 / (100 / 3)^2 - 1) < 2.2
    wide = flat_rows(subspace_sample(run, "diagonal", n_samples=n, scale=(0.0, 10.0)))
    assert_allclose(wide.var(0), std**2 * 100 / 3, rtol=5 * 2.2 / np.sqrt(n))


def test_pca_gaussian_is_standard_normal_in_the_span_of_the_checkpoints():
    run = wandering()
    n = 20_000
    shift = flat_rows(subspace_sample(run, "pca", n_samples=n, scale=2.0, random_state=0))
    flat = flat_rows(run)[-10:]
    shift = shift - flat.mean(0)
    directions = np.linalg.svd(flat - flat.mean(0))[2][:5]
    coordinates = shift @ directions.T
    assert_allclose(coordinates @ directions, shift, atol=1e-10)
    assert_allclose(np.cov(coordinates.T), 4 * np.eye(5), atol=4 * 5 * np.sqrt(2 / n))
    with pytest.raises(ValueError, match="less than the 4 checkpoints"):
        subspace_sample(wandering(4), "pca")


def test_random_directions_have_the_lengths_asked_for():
    run = wandering()
    last = flat_rows(run)[-1]
    exact = flat_rows(subspace_sample(run, "random_direction", scale=3.0, random_state=0))
    assert_allclose(np.linalg.norm(exact - last, axis=1), 3.0)
    drawn = flat_rows(subspace_sample(run, "random_direction", n_samples=500, random_state=0))
    lengths = np.linalg.norm(drawn - last, axis=1)
    assert lengths.min() > 0 and lengths.max() < 10
    assert abs(lengths.mean() - 5) < 5 * 10 / np.sqrt(12 * 500)


def test_dropout_leaves_weights_out_and_rescales_the_others():
    run = wandering()
    last = flat_rows(run)[-1]
    sample = flat_rows(subspace_sample(run, "dropout", n_samples=2000, scale=0.25, random_state=0))
    left_out = sample == 0
    assert_allclose(sample[~left_out], np.broadcast_to(last / 0.75, sample.shape)[~left_out])
    assert abs(left_out.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / left_out.size)


@pytest.mark.parametrize("method", ["diagonal", "pca", "random_direction", "dropout"])
def test_samples_go_into_predict_at_and_scale_0_stands_still(iris_ensemble, method):
    run = WeightHistory.of(iris_ensemble).trajectory(0)
    run = {key: values.astype("float32") for key, values in run.items()}
    sample = subspace_sample(run, method, n_samples=4, random_state=0)
    assert iris_ensemble.predict_at(sample, X).shape == (4, 150, 3)
    assert {values.dtype for values in sample.values()} == {np.dtype("float32")}
    again = subspace_sample(run, method, n_samples=4, random_state=0)
    still = subspace_sample(run, method, n_samples=2, scale=0, n_last=6)
    gaussian = method in ("diagonal", "pca")
    base = {key: v[-6:].mean(0) if gaussian else v[-1] for key, v in run.items()}
    for key, values in sample.items():
        assert_array_equal(values, again[key])
        assert_allclose(still[key][1], base[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "swag"}, "must be one of"),
        ({"method": ["pca"]}, "must be one of"),
        ({"scale": -1.0}, "must not be negative"),
        ({"scale": (2.0, 1.0)}, "in their order"),
        ({"scale": "auto"}, "a number or a pair"),
        ({"method": "dropout", "scale": 1.0}, "less than 1"),
        ({"n_samples": 0}, "n_samples=0"),
        ({"n_last": 2.5}, "n_last=2.5"),
        ({"method": "pca", "n_components": 0}, "n_components=0"),
    ],
)
def test_subspace_parameters_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        subspace_sample(wandering(), **arguments)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([], "not empty"),
        ({}, "not empty"),
        ({"a": 1.0}, "leading axis"),
        ({"a": [["x"]]}, "must be numbers"),
        ({"a": [[1.0], [np.inf]]}, r"params\['a'\]\[1, 0\] is inf"),
        ({"a": [[1.0]], "b": [[1.0], [2.0]]}, "one number of draws"),
        ([{"a": [[1.0]]}, {"b": [[1.0]]}], "one architecture"),
    ],
)
def test_weights_of_views_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        weight_cosine(params)


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        ([[0.5, 0.5]], r"\(draws, rows, classes\)"),
        (np.ones((2, 3, 4)), "must sum to 1"),
        ([np.full((1, 2, 2), 0.5), np.full((1, 3, 2), 0.5)], "must be the same"),
        ([], r"\(draws, rows, classes\)"),
    ],
)
def test_probabilities_of_views_are_checked(proba, message):
    for view in (prediction_disagreement, jensen_shannon_diversity):
        with pytest.raises(ValueError, match=message):
            view(proba)
