"""Parameters of the deep ensemble filter: what is refused, and what "auto" stands for."""

import pytest
from filter_toys import (
    BOTH,
    LANGEVIN,
    assert_same_weights,
    make_classifier,
    make_data,
    make_regressor,
    make_targets,
    weights,
)
from torch import nn

from skbayes.supervised._filter_auto import resolve_shrinking


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"inflation": "rtps", "inflate_when": "before"}, 'inflate_when="before".*"after"'),
        ({"inflation": "rtpp", "inflate_when": "before"}, 'rtpp.*inflate_when="before"'),
        ({"inflation": "rtpp", "inflation_scale": 1.5}, "from 0 to 1, got 1.5"),
        ({"inflation": "multiplicative", "n_members": 1}, "at least 2, got 1"),
        ({"inflation": "rtps", "n_members": 1}, "at least 2, got 1"),
        ({"inflation": "anomalies", "n_members": 1}, "at least 2, got 1"),
        ({"adaptive": True, "n_members": 1}, "adaptive=True needs n_members.*got 1"),
        ({"adaptive": True, "inflation": None}, "adaptive=True.*inflation=None"),
        ({"adaptive": True, **LANGEVIN}, "adaptive=True.*inflation='langevin'"),
        ({"localization": None, "inflation": "rtps"}, "localization=None"),
        ({"localization": None, **LANGEVIN}, "langevin.*localization=None"),
        ({"localization": None, "anchored": True}, "anchored=True.*localization=None"),
        ({"localization": None, "bootstrap": True}, "bootstrap=True.*localization=None"),
        ({"anchored": True, "prior_scale": None}, "prior_scale=None"),
        ({"inflation": "langevin"}, "optimizer='adam'.*\"sgd\""),
        ({**LANGEVIN, "batch_size": 10}, "batch_size=10 is less than the 40 rows"),
        ({**LANGEVIN, "early_stopping": True}, "early_stopping=True"),
        ({**LANGEVIN, "bootstrap": True}, "bootstrap=True"),
        ({**LANGEVIN, "anchored": True}, "anchored=True"),
    ],
)
@BOTH
def test_invalid_pairs(make, data, params, message):
    with pytest.raises(ValueError, match=message):
        make(**params).fit(*data())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("inflation", "additve"),
        ("inflation_scale", -0.1),
        ("inflation_scale", "adaptive"),
        ("inflate_when", "during"),
        ("shrink_factor", 1.1),
        ("shrink_factor", "scale"),
        ("taper_support", 0.0),
        ("adaptive", "yes"),
        ("localization", "none"),
        ("init_epochs", 0),
        ("warm_epochs", -1),
        ("optimizer", "lbfgs"),
        ("reset_optimizer", None),
        ("bootstrap", 0.5),
        ("anchored", "all"),
        ("replay_size", -1),
        ("n_members", 0),
    ],
)
@BOTH
def test_invalid_values(make, data, name, value):
    with pytest.raises(ValueError, match=rf"The '{name}' parameter of DeepEnsembleFilter"):
        make(**{name: value}).fit(*data())


def test_anchors_and_bootstrap_would_count_a_known_noise_twice():
    X, y = make_targets()
    with pytest.raises(ValueError, match="noise would count twice"):
        make_regressor(anchored=True, bootstrap=True, noise_scale=0.3).fit(X, y)
    make_regressor(anchored=True, bootstrap=True).fit(X, y)


#: What "auto" stands for: where every layer has 40 inputs, and elsewhere.
WIDE = {"shrink_factor": 0.7, "inflation_scale": 1.5, "warm_epochs": 28}
NARROW = {"shrink_factor": 0.9, "inflation_scale": (1 - 0.9**2) ** 0.5, "warm_epochs": 40}


@pytest.mark.parametrize(
    ("n_features", "sizes", "params", "expected"),
    [
        (40, (40,), {}, WIDE),
        (40, (), {}, WIDE),
        (41, (50, 40), {"batch_size": 10}, WIDE),
        (39, (100,), {}, NARROW),
        (40, (39,), {}, NARROW),
        (40, (50, 39, 50), {}, NARROW),
        # what is set is what it is, and "auto" beside it what goes with that
        (40, (40,), {"inflation_scale": 0.3}, WIDE | {"inflation_scale": 0.3}),
        (40, (40,), {"warm_epochs": 5}, NARROW | {"warm_epochs": 5}),
        (40, (40,), {"inflate_when": "after"}, NARROW),
        (40, (40,), {"learning_rate_init": 0.009}, NARROW),
        (40, (40,), {"optimizer": "sgd", "learning_rate_init": 0.1}, NARROW),
        (
            40,
            (40,),
            {"shrink_factor": 0.6},
            {"shrink_factor": 0.6, "inflation_scale": 0.8, "warm_epochs": 40},
        ),
        (40, (40,), {"localization": None}, NARROW),
        (40, (40,), {"inflation": "additive"}, {"inflation_scale": 1.0, "warm_epochs": 40}),
        (40, (40,), {"inflation": None}, {"warm_epochs": 40}),
    ],
)
def test_auto_stands_for_more_noise_and_fewer_epochs_where_every_layer_is_wide(
    n_features, sizes, params, expected
):
    X, y = make_data(n_features=n_features)
    auto = {"inflation": "shrink", "warm_epochs": "auto"} | params
    model, same = (
        make_classifier(sizes, **p).fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
        for p in (auto, auto | expected)
    )
    assert model.n_iter_ == expected["warm_epochs"]
    assert_same_weights(weights(model), weights(same))


def test_auto_is_that_of_narrow_networks_where_the_width_is_not_known():
    X, y = make_targets()
    regressor = make_regressor((50,), inflation="shrink").fit(X, y)
    assert resolve_shrinking(regressor, regressor._count_inputs())[0] == 0.9
    X, y = make_data(n_features=50)
    own = make_classifier(inflation="shrink", module=nn.Linear).fit(X, y)
    assert resolve_shrinking(own, own._count_inputs())[0] == 0.9
