"""The loss landscape: the views of Fort et al. that compare networks."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from estimators import SHORT
from iris import TARGET, X, y
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from skbayes import DeepEnsembleFilterClassifier, SGLDRegressor
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


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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


def test_hidden_units_that_change_places_turn_the_weights_and_not_the_function(iris_ensemble):
    params = iris_ensemble.posterior_.arrays(0)
    order = np.roll(np.arange(10), 1)
    moved = {
        "layers.0.weight": params["layers.0.weight"][:, order],
        "layers.0.bias": params["layers.0.bias"][:, order],
        "layers.1.weight": params["layers.1.weight"][:, :, order],
        "layers.1.bias": params["layers.1.bias"],
    }
    proba = [iris_ensemble.predict_at(p, X) for p in (params, moved)]
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


def test_jensen_shannon_diversity_is_the_epistemic_uncertainty(iris_ensemble):
    proba = iris_ensemble.sample_proba(X)
    epistemic = iris_ensemble.predict_uncertainty(X)[2]
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


def test_diversity_with_labels(iris_ensemble):
    proba = iris_ensemble.sample_proba(X)
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


def test_matrix_display_divides_the_runs(iris_ensemble):
    stack = iris_ensemble.posterior_
    display = MatrixDisplay.from_weights([stack.arrays(0), stack.arrays([1, 2])], run_names="ab")
    assert display.sizes == [1, 2] and len(display.ax_.lines) == 2
    assert_array_equal(display.image_.get_array(), weight_cosine(stack.params))
    assert display.image_.get_clim() == (-1, 1)
    proba = iris_ensemble.sample_proba(X)
    one = MatrixDisplay.from_predictions(proba, ax=display.ax_, cmap="magma")
    assert one.sizes == [3] and one.ax_ is display.ax_
    assert_array_equal(one.matrix, prediction_disagreement(proba))
    with pytest.raises(ValueError, match="sizes"):
        MatrixDisplay(np.eye(3), sizes=[2, 2])
    with pytest.raises(ValueError, match="run_names has 2 names for 1"):
        MatrixDisplay(np.eye(3), run_names=["a", "b"])


def test_the_limits_of_a_plane_are_drawn_once(iris_ensemble):
    proba = iris_ensemble.sample_proba(X)
    first = DiversityAccuracyDisplay.from_predictions(proba[1:2], proba[0], y, name="one")
    second = DiversityAccuracyDisplay.from_predictions(
        proba[2:], proba[0], y, name="two", ax=first.ax_
    )
    assert len(first.limits_) == 2 and second.limits_ == []
    assert [t.get_text() for t in second.ax_.get_legend().get_texts()][2:] == ["one", "two"]
    assert_allclose(first.points_.get_offsets()[0], [first.accuracy[0], first.diversity[0]])


def test_trajectory_display_has_a_star_where_each_run_starts(iris_ensemble):
    history = WeightHistory.of(iris_ensemble)
    runs = [iris_ensemble.predict_at(history.trajectory(k), X[::5])[::8] for k in range(2)]
    display = TrajectoryDisplay.from_predictions(runs, random_state=0, run_names=["a", "b"])
    for points, line, star in zip(display.embeddings, display.lines_, display.stars_, strict=True):
        assert_array_equal(line.get_xydata(), points)
        assert_array_equal(star.get_xydata()[0], points[0])
        assert star.get_color() == line.get_color()
    with pytest.raises(ValueError, match="run_names has 1 names for 2"):
        TrajectoryDisplay(display.embeddings, run_names=["a"])


def test_section_display_draws_lines_and_planes(iris_ensemble):
    optima = iris_ensemble.posterior_.arrays(0), iris_ensemble.posterior_.arrays(1)
    line = two_optima_section(iris_ensemble, X, y, *optima, positions=[0, 0.5, 1])
    display = SectionDisplay(line).plot()
    assert_array_equal(display.axes_[0].lines[0].get_ydata(), line.score)
    assert_array_equal(display.axes_[1].lines[0].get_ydata(), line.loss)
    plane = radial_section(iris_ensemble, X, y, *optima, n_points=4)
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
