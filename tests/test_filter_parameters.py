"""Parameters of the deep ensemble filter that are refused."""

import pytest
from filter_toys import BOTH, LANGEVIN, make_regressor, make_targets


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
