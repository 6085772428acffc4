"""SGHMC estimators against the prior, exact Hessians, and NUTS."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from chain_toys import make_data
from scipy import sparse
from scipy.stats import norm
from skorch.callbacks import Callback
from torch.nn import functional as F

from skbayes import SGHMCClassifier, SGHMCRegressor

# -- the prior ------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("prior_scale", [1.0, 0.3, "fan_in"])
@pytest.mark.parametrize("integrator", ["baoab", "euler"])
def test_without_information_the_posterior_is_the_prior(integrator, prior_scale, temperature):
    """One class: the likelihood is 1 whatever the weights. Nothing is set by hand."""
    X = np.random.RandomState(0).normal(size=(10, 4))
    model = SGHMCClassifier(
        (9,),
        integrator=integrator,
        n_chains=20,
        n_draws=40,
        n_warmup=200,
        thinning=15 if integrator == "baoab" else 30,
        prior_scale=prior_scale,
        temperature=temperature,
        random_state=0,
    ).fit(X, np.zeros(10))
    # in units of the prior all these are the same: curvature 1 / s^2, friction 1 / s
    unit = 0.3 if prior_scale == 0.3 else 1.0
    share = 1.0 if integrator == "baoab" else 0.5
    assert model.step_size_ == pytest.approx(share * unit, rel=1e-3)
    assert model.friction_ == pytest.approx(1 / unit)
    # BAOAB is exact for every step; Euler's variance at h^2 lambda = 1/4 and gamma h = 1/2 is
    # 1 / (1 - h^2 lambda / (2 (2 - gamma h))) = 12 / 11 of the prior's, from its linear map
    excess = 1.0 if integrator == "baoab" else 12 / 11
    precisions = {1.0: [1, 1, 1, 1], 0.3: [0.3**-2] * 4, "fan_in": [4, 1, 9, 1]}[prior_scale]
    for draws, precision in zip(model.posterior_.params.values(), precisions, strict=True):
        std = (excess * temperature / precision) ** 0.5
        values = draws.numpy().ravel()
        # successive draws are e^(-15 / 2) or less apart: independent. A relative standard error of
        # 1 / sqrt(2 n), 4.5 of them
        assert values.std() == pytest.approx(std, rel=4.5 / (2 * values.size) ** 0.5)
        assert abs(values.mean()) < 4.5 * std / values.size**0.5
    assert (model.predict_proba(X) == 1).all()


# -- step and friction ----------------------------------------------------------------------------


class Start(Callback):
    weights: ClassVar[list] = []

    def on_train_begin(self, net, **kwargs):
        type(self).weights = [p.detach().clone() for p in net.module_.parameters()]


@pytest.mark.parametrize("integrator", ["baoab", "euler"])
@pytest.mark.parametrize("prior_scale", [1.0, 0.5, "fan_in"])
def test_automatic_step_against_the_exact_hessian(prior_scale, integrator):
    X, y = make_data()
    weight = np.random.RandomState(2).uniform(0.5, 2, size=len(X))
    model = SGHMCClassifier(
        (3,),
        "tanh",
        integrator=integrator,
        n_chains=1,
        n_warmup=0,
        n_draws=1,
        thinning=1,
        prior_scale=prior_scale,
        random_state=0,
        skorch_callbacks=[Start()],
    ).fit(X, y, sample_weight=weight)
    start = [p[0] for p in Start.weights]
    precisions = {1.0: [1] * 4, 0.5: [4] * 4, "fan_in": [3, 1, 3, 1]}[prior_scale]

    def potential(flat):
        pieces = zip(flat.split([p.numel() for p in start]), start, strict=True)
        W, b, V, c = (piece.view(p.shape) for piece, p in pieces)
        logits = torch.tanh(torch.from_numpy(X) @ W.T + b) @ V.T + c
        losses = F.cross_entropy(logits, torch.from_numpy(y), reduction="none")
        prior = sum(q * p.square().sum() for q, p in zip(precisions, (W, b, V, c), strict=True))
        return (losses * torch.from_numpy(weight)).sum() + prior / 2

    hessian = torch.autograd.functional.hessian(potential, torch.cat([p.flatten() for p in start]))
    if prior_scale == "fan_in":  # seen from velocities that are scaled as the prior is
        root = torch.cat(
            [p.new_full([p.numel()], q**-0.5) for p, q in zip(start, precisions, strict=True)]
        )
        hessian = root[:, None] * hessian * root
    largest = torch.linalg.eigvalsh(hessian).abs().max().item()
    found = model.history_["curvature"][0]
    # a power iteration of 20 products comes from below; 1e-3 for the differences
    assert 0.9 * largest < found < 1.001 * largest
    # the first step is cautious: that of a curvature 1 / .35 times as large; two digits
    share = 1.0 if integrator == "baoab" else 0.5
    assert model.step_size_ == pytest.approx(share * (0.35 / found) ** 0.5, rel=0.05)
    assert model.history_["step_size"][0] == model.step_size_
    assert model.history_["alpha"][0] == 0  # all rows: no noise
    assert model.friction_ == (2.0 if prior_scale == 0.5 else 1.0)


@pytest.mark.parametrize("integrator", ["baoab", "euler"])
@pytest.mark.parametrize("prior_scale", [1.0, 0.3, "fan_in"])
def test_step_after_warm_up_is_one_over_the_root_of_the_curvature(prior_scale, integrator):
    """A linear model of known noise: its curvature is the same everywhere."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    model = SGHMCRegressor(
        (),
        integrator=integrator,
        noise_scale=0.5,
        prior_scale=prior_scale,
        n_warmup=300,
        n_draws=1,
        random_state=0,
    ).fit(X, y)
    scale = {1.0: np.ones(5), 0.3: np.full(5, 0.3), "fan_in": np.array([0.5] * 4 + [1])}[
        prior_scale
    ]
    design = np.column_stack([X, np.ones(30)])
    hessian = design.T @ design / 0.25 + np.diag(scale**-2)
    if prior_scale == "fan_in":
        hessian = scale[:, None] * hessian * scale
    curvature = np.linalg.eigvalsh(hessian)[-1]
    assert model.history_["curvature"][-1] == pytest.approx(curvature, rel=1e-3)
    share = 1.0 if integrator == "baoab" else 0.5
    # two digits
    assert model.step_size_ == pytest.approx(share * curvature**-0.5, rel=0.05)
    assert model.friction_ == pytest.approx({1.0: 1, 0.3: 1 / 0.3, "fan_in": 1}[prior_scale])


def test_given_step_and_friction_are_used():
    X, y = make_data()
    model = SGHMCClassifier(
        (4,), step_size=0.03, friction=2.5, n_warmup=20, n_draws=5, thinning=4, batch_size=8
    ).fit(X, y)
    assert (model.step_size_, model.friction_) == (0.03, 2.5)
    np.testing.assert_array_equal(model.history_["step_size"], 0.03)
    assert "curvature" not in model.history_
    assert model.net_.optimizer_.friction == 2.5


def test_minibatches_ask_for_friction():
    X, y = make_data(200)
    params = {"n_warmup": 100, "n_draws": 1, "thinning": 1, "random_state": 0}
    full = SGHMCClassifier((4,), **params).fit(X, y)
    small = SGHMCClassifier((4,), batch_size=5, **params).fit(X, y)
    assert full.friction_ == 1.0
    assert small.friction_ > 3.0
    given = SGHMCClassifier((4,), batch_size=5, friction=1.0, **params).fit(X, y)
    assert given.friction_ == 1.0
    assert given.step_size_ < small.step_size_  # the price of little friction


# -- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("integrator", ["baoab", "euler"])
def test_integer_weights_are_repeated_rows(integrator):
    X, y = make_data()
    weight = np.random.RandomState(1).randint(0, 4, size=len(X))
    model = SGHMCClassifier(
        (6,), integrator=integrator, n_warmup=60, n_draws=5, thinning=8, random_state=0
    )
    weighted = model.fit(X, y, sample_weight=weight).sample_proba(X)
    steps = model.history_["step_size"]
    repeated = model.fit(np.repeat(X, weight, 0), np.repeat(y, weight)).sample_proba(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)
    np.testing.assert_array_equal(model.history_["step_size"], steps)
    plain = model.fit(X, y).sample_proba(X)  # and they do matter
    assert np.abs(plain - weighted).max() > 0.01


@pytest.mark.parametrize("batch_size", ["auto", 8])
def test_sparse_equals_dense(batch_size):
    X, y = make_data()
    X = np.where(np.abs(X) < 0.7, 0.0, X)
    model = SGHMCClassifier(
        (6,), n_warmup=60, n_draws=5, thinning=8, batch_size=batch_size, random_state=0
    )
    dense = model.fit(X, y).sample_proba(X)
    of_sparse = model.fit(sparse.csr_array(X), y).sample_proba(sparse.csr_array(X))
    np.testing.assert_allclose(of_sparse, dense, rtol=1e-6)


# -- continuing -----------------------------------------------------------------------------------


def test_warm_start_goes_on_from_the_chains_ends_with_other_noise():
    X, y = make_data()
    model = SGHMCClassifier((4,), n_chains=3, n_warmup=0, n_draws=2, thinning=1, warm_start=True)
    model.set_params(step_size=1e-6, random_state=0)
    first = torch.cat([p.flatten(1) for p in model.fit(X, y).posterior_.params.values()], 1)
    second = model.set_params(n_draws=4).fit(X, y).posterior_.params
    second = torch.cat([p.flatten(1) for p in second.values()], 1)
    first, second = first.unflatten(0, (3, 2)), second.unflatten(0, (3, 4))
    # a step moves the chain by h v, with v from a standard normal law
    before = ((first[:, 1] - first[:, 0]) / 1e-6).numpy().ravel()
    after = ((second[:, 0] - first[:, -1]) / 1e-6).numpy().ravel()
    n = len(after)
    assert after.std() == pytest.approx(1, abs=4.5 / (2 * n) ** 0.5 + 0.01)
    # velocities are drawn anew
    assert abs(np.corrcoef(before, after)[0, 1]) < 4.5 / n**0.5


def test_warm_start_keeps_the_chains_in_the_posterior():
    """A fit that goes on needs no warm-up: its draws are as good as those of a long one."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(30, 2))
    y = X[:, 0] + rng.normal(size=30)
    model = SGHMCRegressor(
        (), noise_scale=1.0, n_chains=40, n_warmup=200, n_draws=10, warm_start=True, random_state=0
    ).fit(X, y)
    model.set_params(n_warmup=0).fit(X, y)
    design = np.column_stack([X, np.ones(30)])
    covariance = np.linalg.inv(design.T @ design + np.eye(3))
    mean = covariance @ design.T @ y
    grid = np.column_stack([np.eye(3, 2), np.ones(3)])
    draws = model.sample_mean(grid[:, :2])
    std = np.sqrt(np.diag(grid @ covariance @ grid.T))
    # 20 steps of .18 between two draws of the same chain: 400 draws nearly independent; 2 for both
    assert (np.abs(draws.mean(0) - grid @ mean) < 4.5 * std * (2 / 400) ** 0.5).all()
    np.testing.assert_allclose(draws.std(0), std, rtol=4.5 * (2 / 800) ** 0.5)


# -- NUTS -----------------------------------------------------------------------------------------


def load(folder, problem):
    with np.load(folder / "nuts_reference" / f"{problem}.npz", allow_pickle=True) as reference:
        return dict(reference)


@pytest.mark.parametrize(
    ("problem", "n_warmup", "n_draws", "limit"),
    [("moons_h50", 500, 100, 0.003), ("iris4_h50", 2000, 400, 0.005)],
)
def test_classes_against_nuts(skbayes_data, problem, n_warmup, n_draws, limit):
    """The same network and prior, sampled at length by NUTS; moons with 2500 steps a chain."""
    reference = load(skbayes_data, problem)
    std = reference["test_proba_std"][:, 1]
    wide = std > 0.02
    distances, ratios = [], []
    for seed in range(3):
        model = SGHMCClassifier(
            (50,),
            "tanh",
            n_chains=8,
            n_warmup=n_warmup,
            n_draws=n_draws,
            thinning=20,
            dtype="float32",
            random_state=seed,
        ).fit(reference["X_train"], reference["y_train"])
        assert model.n_iter_ == n_warmup + 20 * n_draws
        draws = model.sample_proba(reference["X_test"])
        distances.append(np.abs(draws.mean(0) - reference["test_proba"]).sum(1).mean() / 2)
        ratios.append(np.median(draws[:, wide, 1].std(0) / std[wide]))
    assert np.mean(distances) <= limit, distances
    assert 0.95 <= np.mean(ratios) <= 1.05, ratios


def test_regression_with_a_gap_against_nuts(skbayes_data):
    reference = load(skbayes_data, "gap1d_h50")
    noise = float(reference["sigma"])
    distance = np.abs(reference["X_grid"][:, 0])
    v = np.linspace(-15, 15, 6001)[:, None]
    exact = norm.pdf(v, reference["grid_mean"], np.hypot(reference["grid_std"], noise))
    distances, ratios = [], []
    for seed in range(3):
        model = SGHMCRegressor(
            (50,),
            "tanh",
            noise_scale=noise,
            n_chains=8,
            n_warmup=2000,
            n_draws=400,
            thinning=20,
            random_state=seed,
        ).fit(reference["X_train"], reference["y_train"])
        draws = model.sample_mean(reference["X_grid"])
        mean, std = draws.mean(0), draws.std(0)
        # total variation distance of the predictive from NUTS' (whose halves differ by .016),
        # where both are taken for Gaussian, mean over the grid
        ours = norm.pdf(v, mean, np.hypot(std, noise))
        distances.append(np.abs(ours - exact).sum(0).mean() * (v[1, 0] - v[0, 0]) / 2)
        ratio = np.log(std / reference["grid_std"])
        regions = (distance < 0.65, (distance > 0.75) & (distance < 2), distance > 2.2)
        ratios.append([np.exp(ratio[region].mean()) for region in regions])
    assert np.mean(distances) <= 0.03, distances
    means = np.mean(ratios, axis=0)
    assert (means >= 0.9).all(), ratios
    assert (means <= 1.15).all(), ratios
