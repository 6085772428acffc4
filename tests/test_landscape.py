"""The loss landscape: predictions at given weights, checkpoints, and the views of Fort et al."""

import pickle
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from estimators import CLASSIFIERS, REGRESSORS, SHORT, name_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import DeepEnsembleFilterClassifier, SGHMCClassifier, SGHMCRegressor, SGLDRegressor
from skbayes.callbacks import WeightHistory
from skbayes.diagnostics import (
    DiversityAccuracyDisplay,
    MatrixDisplay,
    SectionDisplay,
    TrajectoryDisplay,
    diversity_accuracy,
    diversity_limits,
    jensen_shannon_diversity,
    prediction_disagreement,
    radial_section,
    subspace_sample,
    trajectory_tsne,
    two_optima_section,
    weight_cosine,
)

plt.switch_backend("Agg")
X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
TARGET = X[:, 3] + 0.1 * np.random.RandomState(0).normal(size=len(X))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def ensemble():
    return DeepEnsembleFilterClassifier(
        (10,), n_members=3, init_epochs=40, skorch_callbacks=[WeightHistory()], random_state=0
    ).fit(X, y)


@pytest.fixture(scope="module")
def regressor():
    return SGHMCRegressor(
        (10,), noise_scale="heteroscedastic", normalize_y=True, random_state=0, **SHORT
    ).fit(X[:, :3], 10 + 5 * TARGET)


# -- predict_at ------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=name_of)
def test_own_weights_give_the_own_probabilities(estimator):
    clf = clone(estimator).set_params(random_state=0).fit(X, y)
    expected = clf.sample_proba(X)
    assert_array_equal(clf.predict_at(clf.posterior_.params, X), expected)
    assert_array_equal(clf.predict_at(clf.posterior_.arrays(), X), expected)
    assert_array_equal(clf.predict_at(clf.posterior_.arrays(), sparse.csr_array(X)), expected)
    assert_allclose(clf.predict_at(clf.posterior_.arrays(1), X)[0], expected[1], atol=1e-12)
    assert_array_equal(clf.sample_proba(X), expected)  # it has moved nothing


@pytest.mark.parametrize("estimator", REGRESSORS, ids=name_of)
@pytest.mark.parametrize("noise_scale", [0.1, "learned", "heteroscedastic"])
def test_own_weights_give_the_own_means(estimator, noise_scale):
    reg = clone(estimator).set_params(random_state=0, noise_scale=noise_scale, normalize_y=True)
    reg.fit(X[:, :3], TARGET)
    expected = reg.sample_mean(X[:, :3])
    assert_array_equal(reg.predict_at(reg.posterior_.params, X[:, :3]), expected)
    some = reg.posterior_.arrays([-1, 0])
    assert_allclose(reg.predict_at(some, X[:, :3]), expected[[-1, 0]], rtol=1e-10)


def test_more_draws_than_were_fitted(regressor):
    many = {
        key: np.concatenate([values] * 3) for key, values in regressor.posterior_.arrays().items()
    }
    expected = np.concatenate([regressor.sample_mean(X[:5, :3])] * 3)
    assert_allclose(regressor.predict_at(many, X[:5, :3]), expected, rtol=1e-10)


def test_one_linear_layer_is_softmax_of_a_product():
    clf = DeepEnsembleFilterClassifier((), n_members=2, init_epochs=1, random_state=0).fit(X, y)
    rng = np.random.RandomState(0)
    weight, bias = rng.normal(size=(4, 3, 4)), rng.normal(size=(4, 3))
    logits = X @ weight.transpose(0, 2, 1) + bias[:, None]
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    params = {"layers.0.weight": weight, "layers.0.bias": torch.from_numpy(bias)}
    assert_allclose(clf.predict_at(params, X), expected, rtol=1e-10)


def test_weights_are_cast_to_the_networks_type():
    clf = DeepEnsembleFilterClassifier((5,), n_members=2, init_epochs=3, random_state=0)
    clf.fit(X.astype("float32"), y)
    wide = {key: values.astype("float64") for key, values in clf.posterior_.arrays().items()}
    for values in wide.values():
        values.flags.writeable = False
    proba = clf.predict_at(wide, X.astype("float32"))
    assert proba.dtype == np.float32
    assert_array_equal(proba, clf.sample_proba(X.astype("float32")))


def test_arrays_keep_the_axis_and_are_copies(ensemble):
    stack = ensemble.posterior_
    assert stack.arrays(0)["layers.0.weight"].shape == (1, 10, 4)
    assert stack.arrays(-1)["layers.0.bias"].shape == (1, 10)
    assert stack.arrays(slice(1, 3))["layers.0.weight"].shape == (2, 10, 4)
    expected = ensemble.sample_proba(X)
    stack.arrays()["layers.0.weight"][:] = 0
    assert_array_equal(ensemble.sample_proba(X), expected)


class Offset(torch.nn.Module):
    """A linear layer behind an offset that is no parameter."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear = torch.nn.Linear(n_features, n_outputs)
        self.register_buffer("offset", torch.randn(n_features))  # of each member its own

    def forward(self, rows):
        return self.linear(rows + self.offset)


def test_buffers_of_their_own_must_be_given_for_other_draws():
    clf = DeepEnsembleFilterClassifier(module=Offset, n_members=3, init_epochs=2, random_state=0)
    clf.fit(X, y)
    expected = clf.sample_proba(X)
    assert_array_equal(clf.predict_at(clf.posterior_.arrays(), X), expected)
    with pytest.raises(ValueError, match="buffer 'offset' of its own"):
        clf.predict_at(clf.posterior_.arrays(1), X)
    offset = dict(clf.posterior_.module.named_buffers())["offset"]
    proba = clf.predict_at({**clf.posterior_.arrays(1), "offset": offset[1:2]}, X)
    assert_allclose(proba[0], expected[1], rtol=1e-10)


def broken(change):
    def make(params):
        change(params)
        return params

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (broken(lambda p: p.pop("layers.0.bias")), r"lacks \['layers.0.bias'\]"),
        (broken(lambda p: p.update(extra=np.ones((3, 2)))), r"has \['extra'\]"),
        (lambda p: {**p, "layers.0.bias": np.ones((3, 9))}, r"\(3, 9\), it must be \(draws, 10\)"),
        (lambda p: {key: v[0] for key, v in p.items()}, r"must be \(draws, 10, 4\)"),
        (lambda p: {key: v[:0] for key, v in p.items()}, "at least one draw"),
        (lambda p: {**p, "layers.1.bias": np.ones((2, 3))}, "has 2 draws and .* has 3"),
        (lambda p: {**p, "layers.1.bias": np.full((3, 3), np.nan)}, "must be finite"),
        (lambda p: {**p, "layers.1.bias": np.full((3, 3), "a")}, "must hold numbers"),
        (lambda p: list(p.values()), "must be a mapping"),
    ],
)
def test_weights_that_do_not_fit_are_refused(ensemble, make, message):
    with pytest.raises(ValueError, match=message):
        ensemble.predict_at(make(ensemble.posterior_.arrays()), X)


def test_an_estimator_must_be_fitted_first():
    with pytest.raises(NotFittedError):
        DeepEnsembleFilterClassifier().predict_at({}, X)


# -- checkpoints -----------------------------------------------------------------------------------


def test_checkpoints_run_from_the_initial_weights_to_the_posterior(ensemble):
    history = WeightHistory.of(ensemble)
    assert_array_equal(history.epochs_, np.arange(41))
    for key, values in ensemble.posterior_.arrays().items():
        assert_array_equal(history.weights_[-1][key], values)
        assert_array_equal(history.trajectory(2)[key][-1], values[2])
        assert not np.array_equal(history.weights_[0][key], history.weights_[1][key])
    proba = ensemble.predict_at(history.trajectory(1), X)
    assert proba.shape == (41, 150, 3)
    assert_allclose(proba[-1], ensemble.sample_proba(X)[1], atol=1e-12)


def test_watching_changes_nothing_and_the_passed_object_stays_empty(ensemble):
    passed = WeightHistory(every=7)
    clf = clone(ensemble).set_params(skorch_callbacks=None).fit(X, y)
    watched = clone(ensemble).set_params(skorch_callbacks=[passed]).fit(X, y)
    assert_array_equal(clf.predict_proba(X), watched.predict_proba(X))
    assert_array_equal(WeightHistory.of(watched).epochs_, [0, 7, 14, 21, 28, 35])
    assert not hasattr(passed, "weights_")


def test_a_later_round_has_a_record_of_its_own():
    clf = DeepEnsembleFilterClassifier(
        (5,), n_members=2, init_epochs=4, warm_epochs=3, skorch_callbacks=[WeightHistory()]
    ).fit(X, y)
    first = WeightHistory.of(clf)
    clf.partial_fit(X[:10], y[:10])
    assert_array_equal(WeightHistory.of(clf).epochs_, range(4))
    assert_array_equal(first.epochs_, range(5))


def test_a_chains_last_checkpoint_is_its_last_draw():
    clf = SGHMCClassifier((5,), skorch_callbacks=[WeightHistory()], random_state=0, **SHORT)
    clf.fit(X, y)
    history = WeightHistory.of(clf)
    for key, values in clf.posterior_.arrays([9, 19]).items():
        assert_array_equal(history.weights_[-1][key], values)


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *REGRESSORS], ids=name_of)
def test_every_method_has_checkpoints(estimator):
    estimator = clone(estimator).set_params(skorch_callbacks=[WeightHistory(every=5)])
    estimator.fit(X, y)
    found = WeightHistory.of(estimator)
    assert len(found.epochs_) > 1
    assert len(estimator.predict_at(found.trajectory(0), X)) == len(found.epochs_)


def test_a_record_is_found_behind_a_pipeline_and_missed_with_a_message(ensemble):
    pipeline = make_pipeline(StandardScaler(), clone(ensemble)).fit(X, y)
    assert WeightHistory.of(pipeline) is WeightHistory.of(pipeline[-1])
    for without in (clone(ensemble), pickle.loads(pickle.dumps(ensemble)), StandardScaler()):
        with pytest.raises(ValueError, match="holds no WeightHistory"):
            WeightHistory.of(without)
    with pytest.raises(ValueError, match="every=0 must be"):
        clone(ensemble).set_params(skorch_callbacks=[WeightHistory(every=0)]).fit(X, y)


# -- matrices --------------------------------------------------------------------------------------


def test_cosine_of_known_vectors():
    params = {"a": [[3.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], "b": [[4.0], [0.0], [0.0]]}
    expected = [[1, 0, -0.6], [0, 1, 0], [-0.6, 0, 1]]
    assert_allclose(weight_cosine(params), expected, atol=1e-15)


def test_cosine_is_of_directions_alone():
    rng = np.random.RandomState(0)
    flat = rng.normal(size=(6, 12))
    norms = np.linalg.norm(flat, axis=1)
    expected = flat @ flat.T / np.outer(norms, norms)
    parts = {"a": flat[:, :8].reshape(6, 2, 4), "b": flat[:, 8:]}
    assert_allclose(weight_cosine(parts), expected, atol=1e-14)
    lengths = 10.0 ** np.arange(-3, 3)
    longer = {"a": parts["a"] * lengths[:, None, None], "b": parts["b"] * lengths[:, None]}
    assert_allclose(weight_cosine(longer), expected, atol=1e-14)
    halves = [{key: v[k : k + 3] for key, v in parts.items()} for k in (0, 3)]
    assert_array_equal(weight_cosine(halves), weight_cosine(parts))
    tensors = {key: torch.from_numpy(values).requires_grad_() for key, values in parts.items()}
    assert_array_equal(weight_cosine(tensors), weight_cosine(parts))
    assert np.isnan(weight_cosine({"a": [[0.0], [1.0]]})[0]).all()


def test_hidden_units_that_change_places_turn_the_weights_and_not_the_function(ensemble):
    params = ensemble.posterior_.arrays(0)
    order = np.roll(np.arange(10), 1)
    moved = {
        "layers.0.weight": params["layers.0.weight"][:, order],
        "layers.0.bias": params["layers.0.bias"][:, order],
        "layers.1.weight": params["layers.1.weight"][:, :, order],
        "layers.1.bias": params["layers.1.bias"],
    }
    proba = [ensemble.predict_at(p, X) for p in (params, moved)]
    assert_array_equal(prediction_disagreement(proba), np.zeros((2, 2)))
    assert weight_cosine([params, moved])[0, 1] < 0.9


def test_disagreement_counts_rows():
    rng = np.random.RandomState(0)
    proba = rng.dirichlet(np.ones(4), size=(5, 50))
    found = prediction_disagreement(proba)
    winners = proba.argmax(-1)
    for i in range(5):
        for j in range(5):
            assert found[i, j] == np.mean(winners[i] != winners[j])
    assert_array_equal(found, found.T)
    order = rng.permutation(50)
    assert_array_equal(prediction_disagreement(proba[:, order]), found)
    assert_array_equal(prediction_disagreement([proba[:2], proba[2:]]), found)


def test_jensen_shannon_diversity_is_the_epistemic_uncertainty(ensemble):
    proba = ensemble.sample_proba(X)
    epistemic = ensemble.predict_uncertainty(X)[2]
    assert_allclose(jensen_shannon_diversity(proba, per_row=True), epistemic, atol=1e-12)
    assert_allclose(jensen_shannon_diversity(proba), epistemic.mean(), atol=1e-12)
    assert jensen_shannon_diversity(proba[[0, 0]]) == 0
    certain = np.eye(3)[:, None]  # three draws sure of three classes
    assert_allclose(jensen_shannon_diversity(certain), np.log(3))


# -- diversity against accuracy --------------------------------------------------------------------


@pytest.mark.parametrize(("accuracy", "lower", "upper"), [(0.71, 0.0, 1.678), (0.1, 1.0, 1.0)])
def test_limits_are_those_published(accuracy, lower, upper):
    found = diversity_limits(accuracy, 0.71, 10)
    assert_allclose(found, [lower, upper], atol=5e-4)


def test_limits_are_those_of_simulated_predictors():
    n, n_classes, base_accuracy = 200_000, 10, 0.71
    rng = np.random.RandomState(0)
    target = rng.randint(n_classes, size=n)

    def other_than(classes):
        return (classes + rng.randint(1, n_classes, size=n)) % n_classes

    def right_with(probability):
        return np.where(rng.uniform(size=n) < probability, target, other_than(target))

    base = right_with(base_accuracy)
    one_hot = np.eye(n_classes, dtype=np.float32)
    for share in (0.2, 0.6):
        perturbed = np.where(rng.uniform(size=n) < share, other_than(base), base)
        accuracy = np.mean(perturbed == target)
        independent = right_with(accuracy)
        between = np.where(rng.uniform(size=n) < 0.5, perturbed, independent)
        found = diversity_accuracy(
            one_hot[[perturbed, between, independent]], one_hot[base], target
        )
        lower, upper = diversity_limits(found.accuracy, found.base_accuracy, n_classes)
        # six standard errors of a share, over what it is divided by
        tolerance = 6 * np.sqrt(0.25 / n) / (1 - found.accuracy.max())
        assert abs(found.diversity[0] - lower[0]) < tolerance
        assert abs(found.diversity[2] - upper[2]) < tolerance
        assert lower[1] + tolerance < found.diversity[1] < upper[1] - tolerance


def test_limits_at_the_ends():
    lower, upper = diversity_limits([0.0, 0.8, 0.9, 1.0], 0.8, 2)
    assert np.isnan(lower[[0, 2, 3]]).all() and lower[1] == 0
    assert_allclose(upper[0], 0.8)
    assert upper[3] == np.inf
    for bad in [(1.1, 0.5, 3), (0.5, -0.1, 3), (0.5, 0.5, 1)]:
        with pytest.raises(ValueError, match="must"):
            diversity_limits(*bad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.5], 0.5, 3), "accuracy must lie"),
        (([0.5], "a", 3), "base_accuracy='a' must be a number"),
        (([0.5], 2.0, 3), "base_accuracy=2.0 must be a number"),
        (([0.5], 0.5, 1), "n_classes=1 must be an integer of at least 2"),
        (([0.5], 0.5, "x"), "n_classes='x' must be an integer"),
    ],
)
def test_arguments_of_the_limits_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        diversity_limits(*arguments)


def test_diversity_with_labels(ensemble):
    proba = ensemble.sample_proba(X)
    names = np.array(["a", "b", "c"])
    found = diversity_accuracy(proba, proba[0], names[y], classes=names)
    numbers = diversity_accuracy(proba, proba[0], y)
    assert_array_equal(found.accuracy, numbers.accuracy)
    assert_array_equal(found.accuracy, (proba.argmax(-1) == y).mean(1))
    assert found.diversity[0] == 0 and found.base_accuracy == found.accuracy[0]
    expected = prediction_disagreement(proba)[0] / (1 - found.accuracy)
    assert_allclose(found.diversity, expected)
    with pytest.raises(ValueError, match="not among the classes"):
        diversity_accuracy(proba, proba[0], y + 1)
    with pytest.raises(ValueError, match="one network's"):
        diversity_accuracy(proba, proba, y)
    with pytest.raises(ValueError, match="y has shape"):
        diversity_accuracy(proba, proba[0], y[:5])
    with pytest.raises(ValueError, match="must be the same"):
        diversity_accuracy(proba, proba[0, :5], y)


# -- trajectories ----------------------------------------------------------------------------------


def test_runs_that_differ_are_apart_and_numbers_of_checkpoints_may():
    rng = np.random.RandomState(0)
    corners = np.eye(3)[[0, 1]]
    runs = [
        0.9 * corner + 0.1 * rng.dirichlet(np.ones(3), size=(n, 15))
        for corner, n in zip(corners, (12, 8), strict=True)
    ]
    embedded = trajectory_tsne(runs, random_state=0)
    assert [e.shape for e in embedded] == [(12, 2), (8, 2)]
    centres = [e.mean(0) for e in embedded]
    radius = max(
        np.linalg.norm(e - c, axis=1).max() for e, c in zip(embedded, centres, strict=True)
    )
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * radius
    again = trajectory_tsne(runs, random_state=0)
    assert_array_equal(np.concatenate(embedded), np.concatenate(again))
    with pytest.raises(ValueError, match="t-SNE needs 4"):
        trajectory_tsne([runs[0][:3]])
    with pytest.raises(ValueError, match="must be the same"):
        trajectory_tsne([runs[0], runs[1][:, :4]])


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


def test_blocks_change_nothing(ensemble, monkeypatch):
    optima = ensemble.posterior_.arrays(0), ensemble.posterior_.arrays(1)
    whole = two_optima_section(ensemble, X, y, *optima)
    monkeypatch.setattr("skbayes.diagnostics._sections.BLOCK_VALUES", 2000)
    parts = two_optima_section(ensemble, X, y, *optima)
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


def test_the_origin_knows_nothing(ensemble):
    optima = ensemble.posterior_.arrays(0), ensemble.posterior_.arrays(1)
    section = radial_section(ensemble, X, y, *optima, axis_1=[0.0], axis_2=[0.0])
    assert_allclose(section.loss, np.log(3))


def test_a_regressors_section(regressor):
    optima = regressor.posterior_.arrays(0), regressor.posterior_.arrays(-1)
    target = 10 + 5 * TARGET
    section = two_optima_section(regressor, X[:, :3], target, *optima, positions=[0.0, 1.0])
    means = regressor.sample_mean(X[:, :3])[[0, -1]]
    assert_allclose(section.loss, [mean_squared_error(target, m) for m in means], rtol=1e-8)
    SectionDisplay(section).plot()


def test_sections_say_what_is_wrong(ensemble):
    stack = ensemble.posterior_
    first, second = stack.arrays(0), stack.arrays(1)
    with pytest.raises(TypeError, match="must have predict_at"):
        two_optima_section(StandardScaler(), X, y, first, second)
    with pytest.raises(ValueError, match="params_2 has 3 draws"):
        two_optima_section(ensemble, X, y, first, stack.arrays())
    with pytest.raises(ValueError, match="one architecture"):
        two_optima_section(ensemble, X, y, first, {"a": np.ones((1, 2))})
    with pytest.raises(ValueError, match="make no plane"):
        radial_section(ensemble, X, y, first, {key: 2 * v for key, v in first.items()})
    with pytest.raises(ValueError, match="not among the classes"):
        radial_section(ensemble, X, y + 7, first, second)
    with pytest.raises(ValueError, match="positions must be finite"):
        two_optima_section(ensemble, X, y, first, second, positions=[np.nan])
    with pytest.raises(ValueError, match="axis_2 must be of shape"):
        radial_section(ensemble, X, y, first, second, axis_2=[])
    for n_points in (0, 2.5):
        with pytest.raises(ValueError, match=f"n_points={n_points} must be an integer"):
            radial_section(ensemble, X, y, first, second, n_points=n_points)
    with pytest.raises(ValueError, match="lacks"):
        two_optima_section(ensemble, X, y, {"a": np.ones((1, 2))}, {"a": np.ones((1, 2))})


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
def test_samples_go_into_predict_at_and_scale_0_stands_still(ensemble, method):
    run = WeightHistory.of(ensemble).trajectory(0)
    run = {key: values.astype("float32") for key, values in run.items()}
    sample = subspace_sample(run, method, n_samples=4, random_state=0)
    assert ensemble.predict_at(sample, X).shape == (4, 150, 3)
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


# -- the claim, small ------------------------------------------------------------------------------


def test_members_are_apart_and_a_runs_subspace_is_not():
    rows, number = load_digits(return_X_y=True)
    rows = (rows / 16).astype("float32")
    clf = DeepEnsembleFilterClassifier(
        (30,), n_members=4, init_epochs=40, skorch_callbacks=[WeightHistory()], random_state=0
    ).fit(rows[:600], number[:600])
    run = WeightHistory.of(clf).trajectory(0)
    members = clf.sample_proba(rows[600:])
    near = clf.predict_at(subspace_sample(run, "diagonal", random_state=0), rows[600:])
    cosine = weight_cosine(clf.posterior_.params)
    assert np.abs(cosine[np.triu_indices(4, 1)]).max() < 0.3
    assert weight_cosine({key: v[-5:] for key, v in run.items()}).min() > 0.95
    others = diversity_accuracy(members[1:], members[0], number[600:])
    own = diversity_accuracy(near, members[0], number[600:])
    assert others.diversity.min() > 2 * own.diversity.max()


# -- displays --------------------------------------------------------------------------------------


def test_matrix_display_divides_the_runs(ensemble):
    stack = ensemble.posterior_
    display = MatrixDisplay.from_weights([stack.arrays(0), stack.arrays([1, 2])], run_names="ab")
    assert display.sizes == [1, 2] and len(display.ax_.lines) == 2
    assert_array_equal(display.image_.get_array(), weight_cosine(stack.params))
    assert display.image_.get_clim() == (-1, 1)
    proba = ensemble.sample_proba(X)
    one = MatrixDisplay.from_predictions(proba, ax=display.ax_, cmap="magma")
    assert one.sizes == [3] and one.ax_ is display.ax_
    assert_array_equal(one.matrix, prediction_disagreement(proba))
    with pytest.raises(ValueError, match="sizes"):
        MatrixDisplay(np.eye(3), sizes=[2, 2])
    with pytest.raises(ValueError, match="run_names has 2 names for 1"):
        MatrixDisplay(np.eye(3), run_names=["a", "b"])


def test_the_limits_of_a_plane_are_drawn_once(ensemble):
    proba = ensemble.sample_proba(X)
    first = DiversityAccuracyDisplay.from_predictions(proba[1:2], proba[0], y, name="one")
    second = DiversityAccuracyDisplay.from_predictions(
        proba[2:], proba[0], y, name="two", ax=first.ax_
    )
    assert len(first.limits_) == 2 and second.limits_ == []
    assert [t.get_text() for t in second.ax_.get_legend().get_texts()][2:] == ["one", "two"]
    assert_allclose(first.points_.get_offsets()[0], [first.accuracy[0], first.diversity[0]])


def test_trajectory_display_has_a_star_where_each_run_starts(ensemble):
    history = WeightHistory.of(ensemble)
    runs = [ensemble.predict_at(history.trajectory(k), X[::5])[::8] for k in range(2)]
    display = TrajectoryDisplay.from_predictions(runs, random_state=0, run_names=["a", "b"])
    for points, line, star in zip(display.embeddings, display.lines_, display.stars_, strict=True):
        assert_array_equal(line.get_xydata(), points)
        assert_array_equal(star.get_xydata()[0], points[0])
        assert star.get_color() == line.get_color()
    with pytest.raises(ValueError, match="run_names has 1 names for 2"):
        TrajectoryDisplay(display.embeddings, run_names=["a"])


def test_section_display_draws_lines_and_planes(ensemble):
    optima = ensemble.posterior_.arrays(0), ensemble.posterior_.arrays(1)
    line = two_optima_section(ensemble, X, y, *optima, positions=[0, 0.5, 1])
    display = SectionDisplay(line).plot()
    assert_array_equal(display.axes_[0].lines[0].get_ydata(), line.score)
    assert_array_equal(display.axes_[1].lines[0].get_ydata(), line.loss)
    plane = radial_section(ensemble, X, y, *optima, n_points=4)
    display = SectionDisplay(plane).plot()
    for ax, values in zip(
        display.axes_, (plane.score, plane.agreement_1, plane.agreement_2), strict=True
    ):
        assert_array_equal(ax.collections[0].get_array(), values)
    with pytest.raises(ValueError, match="needs 2"):
        SectionDisplay(line).plot(axes=display.axes_)


def test_without_matplotlib_a_display_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"skbayes\[plot\]"):
        MatrixDisplay(np.eye(2)).plot()


def test_weights_of_a_learned_noise_are_part_of_the_stack():
    reg = SGLDRegressor((5,), noise_scale="learned", random_state=0, **SHORT)
    reg.fit(X[:, :3], TARGET)
    params = reg.posterior_.arrays()
    assert params["log_scale"].shape == (20, 1)
    params["log_scale"] += 1.0  # a mean does not know its noise
    assert_array_equal(reg.predict_at(params, X[:, :3]), reg.sample_mean(X[:, :3]))
