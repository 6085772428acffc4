"""Checks of scikit-learn's that ``parametrize_with_checks`` leaves out."""

import numpy as np
import pytest
from estimators import CLASSIFIERS, DENSITIES, ESTIMATORS, REGRESSORS, name_of
from sklearn.base import clone
from sklearn.utils import estimator_checks
from skorch.callbacks import Checkpoint, EarlyStopping

from skbayes import VAEAnomalyDetector
from skbayes.datasets import make_spectrograms
from skbayes.diagnostics import subspace_sample
from skbayes.model_selection import NoveltySplit

ALL = pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
CHECKS_OF_OUTPUT = [
    "check_get_feature_names_out_error",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
]


@ALL
def test_every_parameter_has_constraints_that_hold(estimator):
    estimator_checks.check_param_validation(name_of(estimator), estimator)


@pytest.mark.parametrize("estimator", DENSITIES, ids=name_of)
@pytest.mark.parametrize("check", CHECKS_OF_OUTPUT)
@pytest.mark.filterwarnings("ignore:.*feature names")
def test_names_and_containers_of_codes(estimator, check):
    pytest.importorskip("pandas")
    getattr(estimator_checks, check)(name_of(estimator), estimator)


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *REGRESSORS, *DENSITIES], ids=name_of)
@pytest.mark.parametrize("item", [0, "EpochTimer", 1.5, ("name", "EpochTimer")])
def test_callbacks_that_are_none(estimator, item):
    model = clone(estimator).set_params(skorch_callbacks=[item])
    with pytest.raises(TypeError, match=r"skorch_callbacks=\[.* must hold skorch\.callbacks"):
        model.fit([[0.0], [1.0], [2.0]], [0, 1, 1])


@pytest.mark.parametrize("callback", [EarlyStopping, EarlyStopping(), ("a", Checkpoint())])
def test_callbacks_that_watch_rows_which_are_not_held_back(callback):
    X, y = [[0.0], [1.0], [2.0]], [0, 1, 1]
    for estimator in (CLASSIFIERS[0], CLASSIFIERS[4], DENSITIES[0]):
        model = clone(estimator).set_params(skorch_callbacks=[callback])
        with pytest.raises(ValueError, match="monitor='valid_loss.*'.*use monitor='train_loss'"):
            model.fit(X, y)
    model = clone(CLASSIFIERS[4]).set_params(early_stopping=True, max_iter=2)
    model.set_params(skorch_callbacks=[EarlyStopping()]).fit(X, y)


@pytest.mark.parametrize("estimator", DENSITIES, ids=name_of)
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"channels": []}, r"channels=\[\] must hold integers of at least 1"),
        ({"channels": [-1]}, r"channels=\[-1\] must hold integers"),
        ({"kernel_size": 2}, "kernel_size=2 must be odd"),
    ],
)
def test_parameters_of_images_are_checked_for_tables_too(estimator, params, message):
    with pytest.raises(ValueError, match=message):
        clone(estimator).set_params(**params).fit([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]])


def test_draws_without_a_seed_are_fresh_and_leave_the_global_stream():
    """Those that are no estimator's fit or prediction."""
    X = np.linspace(-1, 1, 20)[:, None]
    regressor = clone(REGRESSORS[4]).set_params(max_iter=2).fit(X, X[:, 0])
    vae = clone(DENSITIES[0]).fit(X)
    run = {"weight": np.random.RandomState(0).normal(size=(4, 3, 2))}
    draws = [
        lambda seed: regressor.sample_y(X, random_state=seed),
        lambda seed: vae.sample(3, random_state=seed),
        lambda seed: subspace_sample(run, "diagonal", n_samples=3, random_state=seed)["weight"],
        lambda seed: (
            make_spectrograms(
                8, n_labelled=2, n_shots=2, image_shape=(16, 16), random_state=seed
            ).data
        ),
        lambda seed: np.concatenate(
            [test for _, test in NoveltySplit(2, random_state=seed).split(X, X[:, 0] > 0)]
        ),
    ]
    before = np.random.get_state()
    for draw in draws:
        assert (draw(None) != draw(None)).any()
        np.testing.assert_array_equal(draw(3), draw(np.random.RandomState(3)))
        for seed in ("a", -1, 0.5, np.random):
            with pytest.raises(ValueError, match="random_state"):
                draw(seed)
    assert (
        np.array_equal(before[1], np.random.get_state()[1])
        and before[2] == (np.random.get_state()[2])
    )


@pytest.mark.parametrize("value", [{}, ("a",), object()])
def test_input_noise_that_is_no_number(value):
    for estimator in DENSITIES:
        if "input_noise" in estimator.get_params():
            with pytest.raises(ValueError, match="'?input_noise'?"):
                clone(estimator).set_params(input_noise=value).fit([[0.0], [1.0], [2.0]])


def test_widths_of_the_second_stage_are_named():
    def encoder(n_in, n_out):
        raise AssertionError("the first stage has begun")

    model = clone(DENSITIES[-1]).set_params(second_layer_sizes=(0,), encoder=encoder)
    with pytest.raises(ValueError, match=r"second_layer_sizes=\(0,\) must hold integers"):
        model.fit([[0.0], [1.0], [2.0]])


def test_the_threshold_of_no_fit_is_missed_by_its_own_name():
    with pytest.raises(AttributeError, match="VAEAnomalyDetector has no offset_ before"):
        VAEAnomalyDetector().offset_  # noqa: B018
