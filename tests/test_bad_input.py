"""Bad input to the classifiers: clear errors."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from small_classifiers import ALL, ESTIMATORS, make_data, works
from torch import nn

SGLD, FILTER = ESTIMATORS


def replaced(value, row=3, column=1):
    X, _ = make_data()
    X[row, column] = value
    return X


# -- X, y, sample_weight --------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (replaced(np.nan), "Input X contains NaN"),
        (replaced(np.inf), "Input X contains infinity"),
        (replaced(-np.inf), "Input X contains infinity"),
        (np.empty((0, 3)), r"0 sample\(s\)"),
        (np.empty((30, 0)), r"0 feature\(s\)"),
        (np.arange(30.0), "Expected 2D array, got 1D array"),
        (np.zeros((30, 3, 1)), "dim 3"),
        (np.full((30, 3), "a"), "could not convert string to float|numeric"),
        (make_data()[0] * 1j, "Complex data not supported"),
        (sparse.csr_array(replaced(np.nan)), "Input X contains NaN"),
    ],
)
def test_bad_X(estimator, X, message):
    y = make_data()[1][: len(np.empty(X.shape))]
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(X, y)
    model = clone(estimator).fit(*make_data())
    for method in ("predict", "predict_proba", "sample_proba", "predict_uncertainty"):
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(X)


@ALL
def test_none_for_X_or_y(estimator):
    X, _y = make_data()
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        clone(estimator).fit(X, None)
    model = clone(estimator)
    with pytest.raises(Exception, match="not fitted yet"):
        model.predict(X)


@ALL
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.linspace(0, 1, 30), "Unknown label type: continuous"),
        (np.full(30, np.nan), "Input y contains NaN"),
        (np.zeros(29, int), r"inconsistent numbers of samples: \[30, 29\]"),
        (np.zeros((30, 2), int), "y should be a 1d array"),
        (np.array([0, 1, None] * 10, dtype=object), "Unknown label type: unknown"),
    ],
)
def test_bad_y(estimator, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        clone(estimator).fit(make_data()[0], y)


@ALL
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.r_[-1.0, np.ones(29)], "Negative values in data passed to `?sample_weight"),
        (np.ones(29), r"sample_weight.shape == \(29,\), expected \(30,\)"),
        (np.ones((30, 2)), "[Ss]ample.?weights? must be 1D"),
        (np.zeros(30), "[Ss]ample.?weight.*zero"),
        (np.r_[np.nan, np.ones(29)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(29)], "sample_weight contains infinity"),
        (np.nan, "sample_weight=nan must be finite"),
        (np.float32(np.inf), "sample_weight=.*inf.* must be finite"),
    ],
)
def test_bad_sample_weight(estimator, weight, message):
    X, y = make_data()
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(X, y, sample_weight=weight)


@ALL
def test_wrong_number_of_features_at_prediction(estimator):
    X, y = make_data()
    model = clone(estimator).fit(X, y)
    for method in ("predict", "predict_proba", "sample_proba", "predict_uncertainty"):
        with pytest.raises(ValueError, match=r"X has 2 features, but .* is expecting 3 features"):
            getattr(model, method)(X[:, :2])


# -- parameters -----------------------------------------------------------------------------------

# (parameters, what the message must name)
BAD_PARAMETERS = [
    ({"activation": "sigmoid"}, ["'activation'", "'sigmoid'", "logistic", "relu", "tanh"]),
    ({"activation": None}, ["'activation'", "None"]),
    ({"device": "gpu"}, ["device='gpu'", "'auto'", "'cpu'", "'cuda'"]),
    ({"device": 3}, ["'device'", "Got 3"]),
    ({"device": "cuda:77"}, ["device='cuda:77'", "'auto'"]),
    ({"dtype": "float16"}, ["'dtype'", "'float16'", "float32", "float64"]),
    ({"dtype": np.float32}, ["'dtype'", "float32", "float64"]),
    ({"hidden_layer_sizes": 0}, ["'hidden_layer_sizes'", "Got 0", "[1, inf)"]),
    ({"hidden_layer_sizes": -3}, ["'hidden_layer_sizes'", "Got -3", "[1, inf)"]),
    ({"hidden_layer_sizes": 2.5}, ["'hidden_layer_sizes'", "Got 2.5"]),
    ({"hidden_layer_sizes": (5, 0)}, ["hidden_layer_sizes=(5, 0)", "at least 1"]),
    ({"hidden_layer_sizes": (5, -1)}, ["hidden_layer_sizes=(5, -1)", "integers of at least 1"]),
    ({"hidden_layer_sizes": (5.0,)}, ["hidden_layer_sizes=(5.0,)", "integers of at least 1"]),
    ({"hidden_layer_sizes": "5"}, ["'hidden_layer_sizes'", "Got '5'"]),
    ({"batch_size": 0}, ["'batch_size'", "Got 0", "auto"]),
    ({"batch_size": 2.0}, ["'batch_size'", "Got 2.0"]),
    ({"prior_scale": 0.0}, ["'prior_scale'", "Got 0.0", "fan_in"]),
    ({"prior_scale": -1.0}, ["'prior_scale'", "Got -1.0", "fan_in"]),
    ({"prior_scale": "fan_out"}, ["'prior_scale'", "Got 'fan_out'", "fan_in"]),
    ({"module": "mlp"}, ["'module'", "Got 'mlp'", "callable"]),
    ({"module_params": [1]}, ["'module_params'", "Got [1]", "dict"]),
    ({"random_state": -1}, ["'random_state'", "Got -1"]),
    ({"random_state": "0"}, ["'random_state'", "Got '0'"]),
    ({"warm_start": 2}, ["'warm_start'", "Got 2"]),
    ({"verbose": -1}, ["'verbose'", "Got -1"]),
    ({"skorch_callbacks": 1}, ["'skorch_callbacks'", "Got 1"]),
]
BAD_SGLD = [
    ({"step_size": -0.1}, ["'step_size'", "Got -0.1", "auto"]),
    ({"step_size": 0.0}, ["'step_size'", "Got 0.0", "auto"]),
    ({"step_size": np.nan}, ["'step_size'", "Got nan"]),
    ({"step_size": "adaptive"}, ["'step_size'", "Got 'adaptive'", "auto"]),
    ({"schedule": "cosine"}, ["'schedule'", "Got 'cosine'", "constant", "polynomial"]),
    ({"schedule_power": 0.5}, ["'schedule_power'", "Got 0.5", "(0.5, 1"]),
    ({"schedule_power": 1.5}, ["'schedule_power'", "Got 1.5", "(0.5, 1"]),
    ({"schedule_offset": 0}, ["'schedule_offset'", "Got 0"]),
    ({"temperature": -1.0}, ["'temperature'", "Got -1.0"]),
    ({"prior_scale": None}, ["'prior_scale'", "Got None"]),
    ({"n_chains": 0}, ["'n_chains'", "Got 0"]),
    ({"n_draws": 0}, ["'n_draws'", "Got 0"]),
    ({"n_warmup": -1}, ["'n_warmup'", "Got -1"]),
    ({"thinning": 0}, ["'thinning'", "Got 0"]),
]
BAD_FILTER = [
    ({"learning_rate_init": -0.1}, ["'learning_rate_init'", "Got -0.1"]),
    ({"learning_rate_init": 0.0}, ["'learning_rate_init'", "Got 0.0"]),
    ({"learning_rate": "step"}, ["'learning_rate'", "Got 'step'", "cosine", "constant"]),
    ({"inflation": "scaled"}, ["'inflation'", "Got 'scaled'", "additive"]),
    ({"inflation_scale": -1.0}, ["'inflation_scale'", "Got -1.0"]),
    ({"localization": "none"}, ["'localization'", "Got 'none'", "mode"]),
    ({"n_members": 0}, ["'n_members'", "Got 0"]),
    ({"init_epochs": 0}, ["'init_epochs'", "Got 0"]),
    ({"warm_epochs": -1}, ["'warm_epochs'", "Got -1"]),
    ({"replay_size": -1}, ["'replay_size'", "Got -1"]),
    ({"validation_fraction": 1.0}, ["'validation_fraction'", "Got 1.0"]),
    ({"n_iter_no_change": 0}, ["'n_iter_no_change'", "Got 0"]),
    ({"tol": -1e-3}, ["'tol'", "Got -0.001"]),
]
CASES = [
    *[(estimator, *case) for estimator in ESTIMATORS for case in BAD_PARAMETERS],
    *[(SGLD, *case) for case in BAD_SGLD],
    *[(FILTER, *case) for case in BAD_FILTER],
]


@pytest.mark.parametrize(("estimator", "params", "words"), CASES)
def test_bad_parameters(estimator, params, words):
    X, y = make_data()
    with pytest.raises(ValueError) as caught:
        clone(estimator).set_params(**params).fit(X, y)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, str(caught.value)


@ALL
@pytest.mark.parametrize("n_draws", [0, -1, 9, 2.0, "all"])
def test_bad_n_draws_at_prediction(estimator, n_draws):
    X, y = make_data()
    model = clone(estimator).fit(X, y)
    available = model.posterior_.n_draws
    with pytest.raises(ValueError, match=rf"n_draws={n_draws!r} .* between 1 and {available}"):
        model.sample_proba(X, n_draws=n_draws)


def test_rate_that_diverges():
    X, y = make_data()
    for learning_rate in ("cosine", "constant"):
        model = clone(FILTER).set_params(learning_rate_init=1e10, learning_rate=learning_rate)
        with pytest.raises(ValueError, match=r"diverged.*smaller.*learning_rate_init"):
            model.fit(X, y)
    # a round that fails leaves the rounds before
    model = clone(FILTER).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"diverged"):
        model.set_params(learning_rate_init=1e10).partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.n_rounds_ == 1


def test_step_that_diverges():
    X, y = make_data()
    with pytest.raises(ValueError, match=r"diverged.*smaller.*step_size"):
        clone(SGLD).set_params(step_size=1e6).fit(X, y)


# -- modules --------------------------------------------------------------------------------------


SHARED = nn.Linear(3, 2)


@ALL
@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (lambda a, b: nn.Linear(a, b + 1), ValueError, r"module: .* \(2, 2\), got \(2, 3\)"),
        (lambda a, b: nn.Linear(a + 1, b), ValueError, "module: it does not run on 3 features"),
        (nn.Linear(3, 2), TypeError, r"module=Linear\(\.\.\.\) is an instance; give its class"),
        (lambda a, b: "net", TypeError, r"module=.* must return a torch\.nn\.Module, got str"),
        (lambda a, b: None, TypeError, r"must return a torch\.nn\.Module, got NoneType"),
        (lambda a, b: SHARED, TypeError, r"new torch\.nn\.Module at every call.*same one twice"),
        (lambda a, b: nn.Flatten(), ValueError, "module: it has no trainable parameters"),
        (lambda a, b: nn.LazyLinear(b), ValueError, "module: layer '' is a LazyLinear"),
        (
            lambda a, b: nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b)),
            ValueError,
            "module: layer '1' is a BatchNorm1d.*GroupNorm or LayerNorm",
        ),
        (lambda: nn.Linear(3, 2), TypeError, "positional argument"),
    ],
)
def test_bad_module(estimator, module, error, message):
    X, y = make_data()
    with pytest.raises(error, match=message):
        clone(estimator).set_params(module=module).fit(X, y)


@ALL
def test_module_params(estimator):
    X, y = make_data()

    def net(n_features, n_outputs, width=1, layer=nn.Tanh):
        return nn.Sequential(nn.Linear(n_features, width), layer(), nn.Linear(width, n_outputs))

    model = clone(estimator).set_params(module=net, module_params={"width": 7}).fit(X, y)
    assert model.posterior_.params["0.weight"].shape[1:] == (7, 3)
    works(model, X)
    with pytest.raises(TypeError, match="depth"):
        model.set_params(module_params={"depth": 7}).fit(X, y)


# -- later rounds ---------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize(
    ("params", "name"),
    [({"hidden_layer_sizes": (6,)}, "layers.0.weight"), ({"hidden_layer_sizes": (5, 5)}, "layers")],
)
def test_another_network_in_a_warm_start(estimator, params, name):
    X, y = make_data()
    model = clone(estimator).set_params(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"goes on from the last.*stay as they were.*" + name):
        model.set_params(**params).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    ("estimator", "params"), [(SGLD, {"n_chains": 3}), (FILTER, {"n_members": 3})]
)
def test_another_number_of_members_in_a_warm_start(estimator, params):
    X, y = make_data()
    model = clone(estimator).set_params(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="number of members or chains to stay as they were"):
        model.set_params(**params).fit(X, y)


@ALL
def test_other_features_or_kinds_of_labels_in_a_warm_start(estimator):
    X, y = make_data()
    model = clone(estimator).set_params(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="X has 2 features, but .* is expecting 3"):
        model.fit(X[:, :2], y)
    with pytest.raises(ValueError, match=r"y has labels of another type \(<U1\).*\(int64\)"):
        model.fit(X, np.array(["a", "b"])[y])
    model.fit(X, y.astype(np.int8)).fit(X, y.astype(bool))


def test_a_new_class_in_a_warm_round():
    X, y = make_data()
    model = clone(FILTER).fit(X, y)
    y[0] = 7
    with pytest.raises(ValueError, match=r"classes \[7\] .*known are \[0, 1\]"):
        model.partial_fit(X, y)
    for estimator in ESTIMATORS:  # all data so far: the network grows
        warm = clone(estimator).set_params(warm_start=True).fit(*make_data())
        works(warm.fit(X, y), X)
        assert warm.classes_.tolist() == [0, 1, 7]
        works(warm.fit(*make_data()), X)  # and a class is not forgotten
        assert warm.classes_.tolist() == [0, 1, 7]
