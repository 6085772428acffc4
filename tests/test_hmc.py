"""HMC: the estimators against the prior, integrals and NUTS."""

import numpy as np
import pytest
import torch
from chain_toys import make_data, make_line, weights
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skbayes import HMCClassifier, HMCRegressor
from skbayes._engine import trajectories

# -- the prior ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "prior_scale", "temperature"),
    [
        ("unit", 1.0, 1.0),
        ("unit", 0.3, 1.0),
        ("unit", "fan_in", 1.0),
        ("unit", 0.3, 0.25),
        ("unit", "fan_in", 0.25),
        ("diag", 0.3, 1.0),
        ("diag", "fan_in", 0.25),
    ],
)
def test_without_information_the_posterior_is_the_prior(metric, prior_scale, temperature):
    """One class: the likelihood is 1 whatever the weights."""
    X = np.random.RandomState(0).normal(size=(10, 4))
    model = HMCClassifier(
        (9,),
        n_chains=20,
        n_draws=40,
        n_warmup=40,
        metric=metric,
        prior_scale=prior_scale,
        temperature=temperature,
        random_state=0,
    ).fit(X, np.zeros(10))
    precisions = {1.0: [1, 1, 1, 1], 0.3: [0.3**-2] * 4, "fan_in": [4, 1, 9, 1]}[prior_scale]
    # a fifth of the trajectories is rejected and repeats a draw: the variance of a mean over the
    # draws is (1 + .2) / (1 - .2) = 1.5 times that of independent ones
    inflation = 1.5**0.5
    for draws, precision in zip(model.posterior_.params.values(), precisions, strict=True):
        std = (temperature / precision) ** 0.5
        values = draws.numpy().ravel()
        assert values.std() == pytest.approx(std, rel=4.5 * inflation / (2 * values.size) ** 0.5)
        assert abs(values.mean()) < 4.5 * inflation * std / values.size**0.5
    assert (model.predict_proba(X) == 1).all()


# -- adaptation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [0.6, 0.9])
def test_acceptance_is_near_the_target_after_warm_up(target):
    X, y = make_data()
    model = HMCClassifier(
        (2,), "tanh", n_chains=8, n_warmup=300, n_draws=200, target_accept=target, random_state=0
    ).fit(X, y)
    rate = model.history_["acceptance_rate"][300:].mean()
    # the average of the steps tried is a little cautious: of .6 by .026, of .9 by .005, with
    # standard deviations of .013 and .009 over seeds
    assert target - 0.05 < rate < target + 0.1
    steps = model.history_["step_size"]
    assert (steps[300:] == model.step_size_).all()
    assert len(np.unique(steps[:300])) > 10


def test_history_has_a_row_a_trajectory_and_a_column_a_chain():
    X, y = make_data()
    model = HMCClassifier((4,), n_chains=3, n_warmup=10, n_draws=6, thinning=2, random_state=0)
    history = model.fit(X, y).history_
    assert model.n_iter_ == 22
    for name in ("acceptance_rate", "energy", "diverging"):
        assert history[name].shape == (22, 3)
    assert history["diverging"].dtype == bool
    assert ((history["acceptance_rate"] >= 0) & (history["acceptance_rate"] <= 1)).all()
    for name in ("epoch", "train_loss", "step_size", "n_leapfrog"):
        assert history[name].shape == (22,)
    assert model.n_divergences_ == history["diverging"][10:].sum()
    assert weights(model).shape[:2] == (3, 6)


def test_energy_in_history_is_potential_and_kinetic_energy():
    """Of d coordinates at temperature T, kinetic energy is T / 2 times a chi-squared variable."""
    X, y = make_data()
    model = HMCClassifier(
        (3,), "tanh", n_chains=8, n_warmup=20, n_draws=80, temperature=0.5, random_state=0
    ).fit(X, y)
    history = model.history_
    kinetic = history["energy"][20:].mean(1) - history["train_loss"][20:] * len(X)
    d = weights(model).shape[-1]
    n = 80 * 8
    # That of the end of a trajectory where it is accepted, of its start where not (those have lower
    # energies: a small bias, d / 2 times .5 %)
    expected = 0.5 * d / 2
    assert kinetic.mean() == pytest.approx(
        expected, abs=4.5 * 0.5 * (d / 2 / n) ** 0.5 + 0.02 * expected
    )


@pytest.mark.parametrize(
    ("params", "length"),
    [
        ({}, np.pi / 2),
        ({"prior_scale": 0.5}, np.pi / 4),
        ({"prior_scale": "fan_in"}, np.pi / 2),
        ({"metric": "diag", "prior_scale": 0.5}, np.pi / 2),
        ({"trajectory_length": 0.4}, 0.4),
    ],
)
def test_length_of_trajectories(params, length):
    X, y = make_data()
    model = HMCClassifier((4,), "tanh", n_warmup=20, n_draws=60, random_state=0, **params)
    history = model.fit(X, y).history_
    assert model.trajectory_length_ == pytest.approx(length)
    after = (history["n_leapfrog"] * history["step_size"])[20:]
    # longer or shorter by up to a fifth, and rounded to whole steps
    assert (after >= 0.8 * length - 0.51 * model.step_size_).all()
    assert (after < 1.2 * length + model.step_size_).all()
    assert after.mean() == pytest.approx(
        length, abs=4.5 * 0.4 / 12**0.5 * length / 60**0.5 + model.step_size_
    )
    if length > 8 * model.step_size_:  # else rounding is all that is seen
        assert len(np.unique(after)) > 3


def test_max_leapfrog_bounds_trajectories():
    X, y = make_data()
    model = HMCClassifier((4,), max_leapfrog=3, n_warmup=20, n_draws=10, random_state=0).fit(X, y)
    assert model.history_["n_leapfrog"].max() == 3
    assert model.trajectory_length_ == pytest.approx(3 * model.step_size_)


def test_diagonal_metric_learns_the_scales_of_the_posterior():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(50, 3)) * [0.1, 1, 8]
    y = X @ [3, 1, 0.1] + rng.normal(size=50)
    params = {
        "noise_scale": 1.0,
        "n_chains": 20,
        "n_warmup": 80,
        "n_draws": 50,
        "random_state": 0,
    }
    model = HMCRegressor((), metric="diag", **params).fit(X, y)
    design = np.column_stack([X, np.ones(50)])
    covariance = np.linalg.inv(design.T @ design + np.eye(4))
    found = torch.cat([s.flatten() for s in model.net_.optimizer_.scale]).numpy()
    # of 800 draws of twenty chains, not independent: as for a hundred, 4.5 sqrt(1 / 200)
    np.testing.assert_allclose(found, np.sqrt(np.diag(covariance)), rtol=0.3)
    # without it a trajectory takes as many steps as the scales are apart
    unit = HMCRegressor((), **params | {"n_warmup": 10, "n_draws": 2}).fit(X, y)
    assert unit.history_["n_leapfrog"][-1] > 5 * model.history_["n_leapfrog"][-1]
    # and what is sampled is the posterior still
    draws = weights(model).numpy().reshape(-1, 4)
    mean = covariance @ design.T @ y
    std = np.sqrt(np.diag(covariance))
    assert (np.abs(draws.mean(0) - mean) < 4.5 * std * (1.5 / 1000) ** 0.5).all()
    np.testing.assert_allclose(draws.std(0), std, rtol=4.5 * (1.5 / 2000) ** 0.5)


# -- warnings -------------------------------------------------------------------------------------


def test_divergences_are_warned_of():
    X, y = make_data()
    model = HMCClassifier((4,), step_size=30.0, n_warmup=0, n_draws=5, n_chains=2, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"10 of 10 trajectories.*diverged.*target_accept"):
        model.fit(X, y)
    assert model.n_divergences_ == 10
    assert model.history_["diverging"].all()
    # nothing was accepted
    assert torch.equal(weights(model)[:, 0], weights(model)[:, -1])


def test_low_acceptance_is_warned_of():
    X, y = make_line()
    model = HMCRegressor((), noise_scale=1.0, n_warmup=0, n_draws=40, random_state=0)
    # the largest curvature is some 40, the leapfrog is stable below 2 / sqrt(40) = .3
    with pytest.warns(
        ConvergenceWarning, match=r"Only \d+% .* accepted.*smaller step_size \(now 0"
    ):
        model.set_params(step_size=0.45).fit(X, y)
    assert model.history_["acceptance_rate"].mean() < 0.4


@pytest.mark.filterwarnings("error")
def test_a_good_run_does_not_warn():
    X, y = make_line()
    model = HMCRegressor((), noise_scale=1.0, n_draws=150, random_state=0).fit(X, y)
    assert model.n_divergences_ == 0
    assert model.rhat_ < 1.05


# -- data -----------------------------------------------------------------------------------------


def test_float64_whatever_the_input():
    X, y = make_data()
    X = X.astype(np.float32)
    model = HMCClassifier((4,), n_warmup=10, n_draws=3, random_state=0)
    single = model.fit(X, y).sample_proba(X)
    assert model.posterior_.dtype == torch.float64
    assert single.dtype == np.float64
    double = model.fit(X.astype(np.float64), y).sample_proba(X.astype(np.float64))
    np.testing.assert_array_equal(single, double)


@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_of_rows_are_one_batch(monkeypatch, weighted):
    X, y = make_data()
    weight = np.random.RandomState(0).uniform(0.5, 2, size=len(X)) if weighted else None
    # steps of which rounding is not amplified
    model = HMCClassifier((6,), n_chains=2, n_warmup=0, n_draws=4, step_size=0.02, random_state=0)
    model.set_params(trajectory_length=0.2)
    whole = model.fit(X, y, weight)
    history, draws = whole.history_, weights(whole)
    sizes = []
    blocks = trajectories.TrajectoryNet._blocks

    def counted(net, rows, n_members):
        parts = list(blocks(net, rows, n_members))
        sizes.append([part.X.shape[-2] for part in parts])
        return iter(parts)

    monkeypatch.setattr(trajectories.TrajectoryNet, "_blocks", counted)
    # two chains of float64; 3 features and axes of 6, 6, 6 and 3 numbers
    monkeypatch.setattr(trajectories, "BLOCK_BYTES", 2 * 8 * (3 + 6 + 6 + 6 + 3) * 7)
    model.fit(X, y, weight)
    assert sizes[0] == [7, 7, 7, 7, 7, 5]
    torch.testing.assert_close(weights(model), draws, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.history_["energy"], history["energy"], rtol=1e-9)
    # a block is one row at least
    monkeypatch.setattr(trajectories, "BLOCK_BYTES", 1)
    model.fit(X, y, weight)
    assert sizes[-1] == [1] * 40
    torch.testing.assert_close(weights(model), draws, rtol=1e-7, atol=1e-9)


def test_integer_weights_are_repeated_rows():
    X, y = make_data()
    weight = np.random.RandomState(1).randint(0, 4, size=len(X))
    model = HMCClassifier((6,), n_warmup=0, n_draws=5, step_size=0.02, random_state=0)
    weighted = model.fit(X, y, sample_weight=weight)
    draws, energy = weights(weighted), weighted.history_["energy"]
    model.fit(np.repeat(X, weight, 0), np.repeat(y, weight))
    torch.testing.assert_close(weights(model), draws, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.history_["energy"], energy, rtol=1e-9)
    model.fit(X, y)  # and they do matter
    assert not torch.allclose(weights(model), draws, rtol=0.01)


def test_sparse_equals_dense():
    X, y = make_data()
    X = np.where(np.abs(X) < 0.7, 0.0, X)
    model = HMCClassifier((6,), n_warmup=0, n_draws=5, step_size=0.02, random_state=0)
    dense = model.fit(X, y).sample_proba(X)
    of_sparse = model.fit(sparse.csr_array(X), y).sample_proba(sparse.csr_array(X))
    np.testing.assert_allclose(of_sparse, dense, rtol=1e-7)


# -- continuing -----------------------------------------------------------------------------------


def test_warm_start_goes_on_from_the_chains_ends():
    X, y = make_data()
    model = HMCClassifier((4,), n_chains=3, n_warmup=0, n_draws=2, warm_start=True, random_state=0)
    model.set_params(step_size=1e-6, trajectory_length=1e-6)
    first = weights(model.fit(X, y))
    second = weights(model.set_params(n_draws=4).fit(X, y))
    before = ((first[:, 1] - first[:, 0]) / 1e-6).numpy().ravel()
    after = ((second[:, 0] - first[:, -1]) / 1e-6).numpy().ravel()
    n = len(after)
    # trajectories of one or two steps, h v or 2 h v long, with v from a standard normal law
    lengths = model.history_["n_leapfrog"]
    assert after.std() == pytest.approx(lengths[0], abs=4.5 * lengths[0] / (2 * n) ** 0.5)
    assert abs(np.corrcoef(before, after)[0, 1]) < 4.5 / n**0.5


def test_warm_start_with_an_automatic_step_stays_in_the_posterior():
    X, y = make_line()
    model = HMCRegressor(
        (), noise_scale=1.0, n_chains=20, n_draws=20, warm_start=True, random_state=0
    ).fit(X, y)
    model.set_params(n_warmup=5).fit(X, y)
    design = np.column_stack([X, np.ones(30)])
    covariance = np.linalg.inv(design.T @ design + np.eye(3))
    draws = weights(model).numpy().reshape(-1, 3)
    std = np.sqrt(np.diag(covariance))
    assert (np.abs(draws.mean(0) - covariance @ design.T @ y) < 4.5 * std * (2 / 400) ** 0.5).all()
    np.testing.assert_allclose(draws.std(0), std, rtol=4.5 * (2 / 800) ** 0.5)


# -- NUTS -----------------------------------------------------------------------------------------


def test_moons_against_nuts(skbayes_data):
    """The same network and prior, sampled at length by NUTS."""
    with np.load(skbayes_data / "nuts_reference" / "moons_h50.npz") as reference:
        reference = dict(reference)
    std = reference["test_proba_std"][:, 1]
    wide = std > 0.02
    distances, ratios = [], []
    for seed in range(3):
        model = HMCClassifier(
            (50,), "tanh", n_chains=8, n_warmup=50, n_draws=100, random_state=seed
        ).fit(reference["X_train"], reference["y_train"])
        assert model.n_divergences_ == 0
        draws = model.sample_proba(reference["X_test"])
        distances.append(np.abs(draws.mean(0) - reference["test_proba"]).sum(1).mean() / 2)
        ratios.append(np.median(draws[:, wide, 1].std(0) / std[wide]))
    assert np.mean(distances) <= 0.003, distances
    assert 0.95 <= np.mean(ratios) <= 1.05, ratios
