"""What the deep ensemble filter says of itself, and its adaptive scale."""

import warnings

import numpy as np
import pytest
from filter_toys import BOTH, ERRORS, make_classifier, make_data, weights
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skbayes._engine.replay import Replay
from skbayes.diagnostics import SpreadSkill
from skbayes.supervised._innovations import LARGEST_FACTOR, LEAST_FACTOR, Innovations


def test_the_factor_brings_the_spread_to_the_error():
    assert Innovations().factor() == 1.0
    many = 1e9  # rows, so that the prior does not matter
    for spread, error, expected in [(1.0, 4.0, 2.0), (4.0, 1.0, 0.5), (1.0, 1.0, 1.0)]:
        found = Innovations().after((SpreadSkill(spread, error), many))
        assert found.factor() == pytest.approx(expected, rel=1e-6)
    assert Innovations().after((SpreadSkill(1.0, 1e6), many)).factor() == LARGEST_FACTOR
    assert Innovations().after((SpreadSkill(1.0, -3.0), many)).factor() == LEAST_FACTOR
    assert Innovations().after((SpreadSkill(0.0, 1.0), 5)).factor() == LARGEST_FACTOR
    # ten rows of the prior and ten seen: half of the way in the square
    assert Innovations().after((SpreadSkill(1.0, 4.0), 10)).factor() == pytest.approx(2.5**0.5)
    # a noise that a heteroscedastic network makes up far from the data is not remembered for long
    wild = Innovations().after((SpreadSkill(1.0, -1e40), 10))
    for _ in range(60):
        wild = wild.after((SpreadSkill(1.0, 4.0), 10))
    assert wild.factor() > 1.5
    # rounds of which nothing is known change nothing
    found = Innovations().after((SpreadSkill(1.0, 4.0), 10))
    assert found.after(None).factor() == found.factor()
    assert found.after(None).n_last == 0
    # what was long ago is forgotten
    late = found
    for _ in range(100):
        late = late.after((SpreadSkill(1.0, 1.0), 10))
    assert late.factor() == pytest.approx(1.0, abs=1e-3)


@BOTH
@pytest.mark.parametrize("by", ["fit", "partial_fit"])
def test_adaptive_noise_is_larger_by_the_factor(make, data, by):
    X, y = data(60)
    params = {"inflation": "additive", "warm_epochs": 0, "n_members": 10, "init_epochs": 100}
    model = make((40,), adaptive=True, warm_start=True, **params).fit(X[:40], y[:40])
    wrong = (y[40:] + 1) % 3 if make is make_classifier else y[40:] + 3.0
    before = weights(model)
    if by == "fit":
        model.fit(X, np.concatenate([y[:40], wrong]))
    else:
        model.partial_fit(X[40:], wrong)
    found = model.diagnosis_
    assert found["n_new"] == 20
    assert found["error"] > found["spread"] > 0
    expected = (20 * found["error"] + 10 * found["spread"]) / (30 * found["spread"])
    assert found["factor"] == pytest.approx(np.clip(expected**0.5, 0.25, 4.0))
    assert found["factor"] > 1.2
    for name, s in model.initial_spread_.items():
        if s == 0:
            continue
        noise = weights(model)[name] - before[name]
        error = ERRORS / (2 * noise.numel()) ** 0.5
        assert float(noise.std()) == pytest.approx(found["factor"] * s, rel=error), name


def test_new_rows_are_told_from_old_ones():
    X, y = make_data()
    for as_sparse in (False, True):
        rows = sparse.csr_array(X) if as_sparse else X
        replay = Replay(np.random.RandomState(0))
        replay.add(rows[:25], y[:25], None, 100)
        np.testing.assert_array_equal(replay.find_new(rows, y), np.arange(40) >= 25)
        # another label for a row is news
        assert replay.find_new(rows[:25], y[:25] + 1).all()
        # a row of explicit zeros is the same row
        replay.add(rows[25:], y[25:], None, 30)
        assert replay.find_new(rows, y) is None  # some were let go
    model = make_classifier(warm_start=True).fit(X[:30], y[:30]).fit(X, y)
    assert model.diagnosis_["n_new"] == 10
    model.fit(X, y)
    assert model.diagnosis_["n_new"] == 0
    assert np.isnan(model.diagnosis_["error"])


def test_a_label_that_no_member_knew_is_an_error_of_full_size():
    X, y = make_data()
    few = y != 1
    model = make_classifier(warm_start=True, n_members=5).fit(X[few], y[few])
    proba = model.sample_proba(X[~few])
    model.fit(X, y)
    assert model.diagnosis_["n_new"] == (~few).sum()
    mean = proba.mean(0)
    # no probability was on it: (1 - 0)^2 and the others' squares, less their noise
    expected = 1 + (mean**2).sum(1) - (proba * (1 - proba)).mean(0).sum(1)
    assert model.diagnosis_["error"] == pytest.approx(expected.mean())


@BOTH
def test_diagnosis_and_cost(make, data):
    X, y = data()
    model = make(n_members=5).fit(X[:30], y[:30])
    assert model.cost_ratio_ == 1.0
    assert model.diagnosis_["n_new"] == 0
    assert np.isnan(model.diagnosis_["spread"])
    model.partial_fit(X[30:], y[30:])
    assert model.cost_ratio_ == pytest.approx(0.8)
    found = model.diagnosis_
    assert set(found) == {"n_new", "spread", "error", "factor", "resolution", "n_functions"}
    assert found["n_new"] == 10
    assert 0 < found["spread"] < np.inf
    assert found["resolution"] > 0.01
    assert 1 < found["n_functions"] <= 5
    assert make(n_members=1).fit(X, y).diagnosis_["n_functions"] == 1.0


@BOTH
def test_a_collapse_is_warned_of(make, data):
    # a linear model has one mode: members that start nowhere else end there
    X, y = data()
    params = {"init_epochs": 400, "warm_epochs": 400, "learning_rate_init": 0.1}
    model = make((), inflation=None, **params).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="The ensemble has collapsed.*inflation"):
        model.partial_fit(X[:5], y[:5])
    assert model.diagnosis_["resolution"] < 0.01
    assert model.diagnosis_["n_functions"] == pytest.approx(1.0, abs=0.01)
    assert model.n_rounds_ == 2  # it is fitted all the same
    model.set_params(inflation="shrink", inflate_when="after")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_fit(X[5:8], y[5:8])
    assert model.diagnosis_["resolution"] > 0.01


@BOTH
def test_a_collapse_that_is_made_an_error_leaves_the_round_done(make, data):
    X, y = data()
    params = {"init_epochs": 400, "warm_epochs": 400, "learning_rate_init": 0.1}
    model = make((), inflation=None, **params).fit(X[:30], y[:30])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="collapsed"):
            model.partial_fit(X[30:], y[30:])
    assert (model.n_rounds_, len(model._replay)) == (2, 40)
