"""The deep ensemble filter as a regressor."""

import numpy as np
import pytest
from filter_toys import assert_same_weights, make_regressor, make_targets, weights
from sklearn.exceptions import ConvergenceWarning


@pytest.mark.parametrize("noise_scale", [0.4, "learned", "heteroscedastic"])
@pytest.mark.parametrize("weighted", [False, True])
def test_warm_fit_on_all_rows_is_partial_fit_with_the_new(noise_scale, weighted):
    X, y = make_targets()
    w = np.random.RandomState(1).uniform(0.5, 2, size=40) if weighted else np.ones(40)
    whole = make_regressor(noise_scale=noise_scale, warm_start=True, normalize_y=True)
    parts = make_regressor(noise_scale=noise_scale, normalize_y=True)
    whole.fit(X[:20], y[:20], sample_weight=w[:20])
    parts.partial_fit(X[:20], y[:20], sample_weight=w[:20])
    for stop in (30, 40):
        whole.fit(X[:stop], y[:stop], sample_weight=w[:stop])
        rows = slice(stop - 10, stop)
        parts.partial_fit(X[rows], y[rows], sample_weight=w[rows])
        assert_same_weights(weights(whole), weights(parts))
    for a, b in zip(*(m.predict(X, return_std=True) for m in (whole, parts)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_linear_members_end_at_the_ridge_solution_of_all_rows():
    X, y = make_targets()
    model = make_regressor(
        (), noise_scale=0.5, prior_scale=2.0, init_epochs=50, warm_epochs=600,
        learning_rate_init=0.1, inflation="shrink",
    ).fit(X[:20], y[:20])  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="collapsed"):  # convex: there is one mode
        model.partial_fit(X[20:], y[20:])
    design = np.column_stack([X, np.ones(40)])
    expected = np.linalg.solve(design.T @ design / 0.25 + np.eye(4) / 4, design.T @ y / 0.25)
    W, b = model.posterior_.params.values()
    found = np.column_stack([W[:, 0].numpy(), b.numpy().reshape(-1)])
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)), atol=1e-4)


def test_units_of_y_are_those_of_the_first_fit():
    X, y = make_targets()
    model = make_regressor(normalize_y=True).fit(X[:20], 100 + 10 * y[:20])
    centre, unit = model._centre, model._unit
    model.partial_fit(X[20:], 100 + 10 * y[20:])
    assert (model._centre, model._unit) == (centre, unit)
    np.testing.assert_allclose(centre, np.mean(100 + 10 * y[:20]))
    # the same fit in other units
    plain = make_regressor(normalize_y=True).fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    np.testing.assert_allclose(model.predict(X), 100 + 10 * plain.predict(X), rtol=1e-6)
    scale = model.diagnosis_["error"] / plain.diagnosis_["error"]
    assert scale == pytest.approx(100.0, rel=1e-5)


def test_a_failed_round_leaves_the_regressor_as_it_was():
    X, y = make_targets()
    model = make_regressor().fit(X, y)
    before = weights(model)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X, np.full(40, np.nan))
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(optimizer="sgd", learning_rate_init=1e6).partial_fit(X, y)
    assert_same_weights(weights(model), before)
    assert (model.n_rounds_, model._replay.n_seen) == (1, 40)


def test_rounds_keep_a_learned_noise_near_the_truth():
    # shrinking its logarithm with the weights made it nine times too large here
    rng = np.random.RandomState(0)
    X = rng.uniform(-2, 2, size=(200, 1))
    truth = np.sin(2 * X[:, 0])
    y = truth + 0.1 * rng.normal(size=200)
    params = {"init_epochs": "auto", "warm_epochs": "auto", "normalize_y": True}
    model = make_regressor((20,), **params).fit(X[:50], y[:50])
    for rows in np.split(np.arange(50, 200), 5):
        model.partial_fit(X[rows], y[rows])
    _, noise, _ = model.predict_uncertainty(X)
    assert 0.07 < np.sqrt(noise.mean()) < 0.2
    assert np.sqrt(np.mean((model.predict(X) - truth) ** 2)) < 0.06
