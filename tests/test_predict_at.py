"""Predictions at given weights, and checkpoints of a run."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from estimators import CLASSIFIERS, REGRESSORS, SHORT, name_of
from iris import TARGET, X, y
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import DeepEnsembleFilterClassifier, SGHMCClassifier
from skbayes.callbacks import WeightHistory

plt.switch_backend("Agg")


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


def test_more_draws_than_were_fitted(iris_regressor):
    many = {
        key: np.concatenate([values] * 3)
        for key, values in iris_regressor.posterior_.arrays().items()
    }
    expected = np.concatenate([iris_regressor.sample_mean(X[:5, :3])] * 3)
    assert_allclose(iris_regressor.predict_at(many, X[:5, :3]), expected, rtol=1e-10)


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


def test_arrays_keep_the_axis_and_are_copies(iris_ensemble):
    stack = iris_ensemble.posterior_
    assert stack.arrays(0)["layers.0.weight"].shape == (1, 10, 4)
    assert stack.arrays(-1)["layers.0.bias"].shape == (1, 10)
    assert stack.arrays(slice(1, 3))["layers.0.weight"].shape == (2, 10, 4)
    expected = iris_ensemble.sample_proba(X)
    stack.arrays()["layers.0.weight"][:] = 0
    assert_array_equal(iris_ensemble.sample_proba(X), expected)


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
def test_weights_that_do_not_fit_are_refused(iris_ensemble, make, message):
    with pytest.raises(ValueError, match=message):
        iris_ensemble.predict_at(make(iris_ensemble.posterior_.arrays()), X)


def test_an_estimator_must_be_fitted_first():
    with pytest.raises(NotFittedError):
        DeepEnsembleFilterClassifier().predict_at({}, X)


# -- checkpoints -----------------------------------------------------------------------------------


def test_checkpoints_run_from_the_initial_weights_to_the_posterior(iris_ensemble):
    history = WeightHistory.of(iris_ensemble)
    assert_array_equal(history.epochs_, np.arange(41))
    for key, values in iris_ensemble.posterior_.arrays().items():
        assert_array_equal(history.weights_[-1][key], values)
        assert_array_equal(history.trajectory(2)[key][-1], values[2])
        assert not np.array_equal(history.weights_[0][key], history.weights_[1][key])
    proba = iris_ensemble.predict_at(history.trajectory(1), X)
    assert proba.shape == (41, 150, 3)
    assert_allclose(proba[-1], iris_ensemble.sample_proba(X)[1], atol=1e-12)


def test_watching_changes_nothing_and_the_passed_object_stays_empty(iris_ensemble):
    passed = WeightHistory(every=7)
    clf = clone(iris_ensemble).set_params(skorch_callbacks=None).fit(X, y)
    watched = clone(iris_ensemble).set_params(skorch_callbacks=[passed]).fit(X, y)
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


def test_a_record_is_found_behind_a_pipeline_and_missed_with_a_message(iris_ensemble):
    pipeline = make_pipeline(StandardScaler(), clone(iris_ensemble)).fit(X, y)
    assert WeightHistory.of(pipeline) is WeightHistory.of(pipeline[-1])
    for without in (
        clone(iris_ensemble),
        pickle.loads(pickle.dumps(iris_ensemble)),
        StandardScaler(),
    ):
        with pytest.raises(ValueError, match="holds no WeightHistory"):
            WeightHistory.of(without)
    with pytest.raises(ValueError, match="every=0 must be"):
        clone(iris_ensemble).set_params(skorch_callbacks=[WeightHistory(every=0)]).fit(X, y)
