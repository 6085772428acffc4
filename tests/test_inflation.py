"""Inflation of an ensemble: what each kind must give exactly, and in distribution."""

import numpy as np
import pytest
import torch
from scipy.linalg import solve_discrete_lyapunov

from skbayes import DeepEnsembleFilterRegressor
from skbayes.supervised._inflation import (
    additive,
    anomalies,
    autoregressive_scale,
    gaspari_cohn,
    langevin_scale,
    layers_of,
    multiplicative,
    rtpp,
    rtps,
    shrink,
)

#: Standard errors that a seeded test allows: one in 150 000 normals is past it.
ERRORS = 4.5


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def ensemble(n_members=6, seed=0, scale=1.0):
    shapes = {"layers.0.weight": (3, 2), "layers.0.bias": (2,), "layers.1.weight": (2, 1)}
    noise = seeded(seed)
    return {
        name: 0.7 + scale * torch.randn(n_members, *shape, generator=noise, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def flat(params):
    return torch.cat([p.flatten(1) for p in params.values()], 1).numpy()


# -- the ensemble's moments, exactly --------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 1.3, 0.0])
def test_multiplicative_leaves_the_mean_and_scales_the_deviations(scale):
    before = ensemble()
    after = multiplicative(before, scale)
    for name, p in before.items():
        torch.testing.assert_close(after[name].mean(0), p.mean(0), rtol=1e-14, atol=1e-14)
        torch.testing.assert_close(
            after[name] - after[name].mean(0), scale * (p - p.mean(0)), rtol=1e-13, atol=1e-14
        )


def test_rtps_at_one_restores_the_prior_spread():
    prior, analysis = ensemble(seed=0), ensemble(seed=1, scale=0.05)
    relaxed = rtps(analysis, prior, 1.0)
    for name, p in relaxed.items():
        torch.testing.assert_close(p.std(0), prior[name].std(0), rtol=1e-12, atol=0)
        torch.testing.assert_close(p.mean(0), analysis[name].mean(0), rtol=1e-12, atol=0)
        # deviations keep their directions
        ratio = (p - p.mean(0)) / (analysis[name] - analysis[name].mean(0))
        torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio), rtol=1e-9, atol=0)


@pytest.mark.parametrize("scale", [0.0, 0.3, 0.9])
def test_rtps_is_linear_in_the_spread(scale):
    prior, analysis = ensemble(seed=0), ensemble(seed=1, scale=0.05)
    for name, p in rtps(analysis, prior, scale).items():
        expected = scale * prior[name].std(0) + (1 - scale) * analysis[name].std(0)
        torch.testing.assert_close(p.std(0), expected, rtol=1e-12, atol=0)


def test_rtps_leaves_weights_without_spread():
    prior = ensemble(seed=0)
    analysis = {name: p.mean(0, keepdim=True).expand_as(p).clone() for name, p in prior.items()}
    # one weight has a spread that is nothing but rounding
    analysis["layers.0.bias"][0, 0] *= 1 + 1e-16
    relaxed = rtps(analysis, prior, 1.0)
    for name, p in relaxed.items():
        torch.testing.assert_close(p, analysis[name], rtol=1e-15, atol=0)


@pytest.mark.parametrize("scale", [0.0, 0.4, 1.0])
def test_rtpp_mixes_the_deviations(scale):
    prior, analysis = ensemble(seed=0), ensemble(seed=1, scale=0.05)
    for name, p in rtpp(analysis, prior, scale).items():
        now, before = analysis[name] - analysis[name].mean(0), prior[name] - prior[name].mean(0)
        torch.testing.assert_close(p.mean(0), analysis[name].mean(0), rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(
            p - p.mean(0), (1 - scale) * now + scale * before, rtol=1e-11, atol=1e-13
        )


# -- noise ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.5, 0.7, 0.95, 1.0])
def test_autoregression_keeps_the_variance_where_addition_walks_away(factor):
    unit, n = {"w": 0.3}, 40_000
    stays = {"w": 0.3 * torch.randn(n, 1, generator=seeded(), dtype=torch.float64)}
    walks, noise = dict(stays), seeded(1)
    scale = autoregressive_scale(factor)
    for _ in range(30):
        stays = shrink(stays, factor, scale, unit, noise)
        walks = additive(walks, 0.5, unit, noise)
    # relative standard error of a standard deviation: 1 / sqrt(2 n)
    error = ERRORS / (2 * n) ** 0.5
    assert float(stays["w"].std()) == pytest.approx(0.3, rel=error)
    assert float(walks["w"].std()) == pytest.approx(0.3 * (1 + 30 * 0.25) ** 0.5, rel=error)


def test_gaspari_cohn():
    support = 3.0
    assert gaspari_cohn(0.0, support) == 1.0
    assert (gaspari_cohn([3.0, 3.1, -4.0, 100.0], support) == 0).all()
    # half of the support: -1/4 + 1/2 + 5/8 - 5/3 + 1
    assert gaspari_cohn(1.5, support) == pytest.approx(5 / 24, rel=1e-14)
    near, far = gaspari_cohn([1.5 - 1e-9, 1.5 + 1e-9], support)
    assert near == pytest.approx(far, abs=1e-8)
    r = np.linspace(0, 3, 500)
    values = gaspari_cohn(r, support)
    assert (np.diff(values) <= 0).all()
    np.testing.assert_array_equal(gaspari_cohn(-r, support), values)
    # a correlation function: no negative variance, for any support
    places = np.arange(12)
    for s in (0.5, 1.0, 2.5, 7.0, 50.0):
        taper = gaspari_cohn(places[:, None] - places, s)
        assert np.linalg.eigvalsh(taper).min() > -1e-12
        assert np.array_equal(taper, np.eye(12)) == (s <= 1)


def test_weights_and_biases_of_a_layer_belong_together():
    names = ["net.layers.0.weight", "net.layers.0.bias", "net.layers.1.weight", "log_scale"]
    np.testing.assert_array_equal(layers_of(names), [0, 0, 1, 2])


@pytest.mark.parametrize("support", [1.0, 4.0])
def test_anomalies_have_the_tapered_covariance_of_the_ensemble(support):
    before, noise, scale, repeats = ensemble(5), seeded(3), 0.3, 4000
    moves = np.stack(
        [flat(anomalies(before, scale, support, noise)) - flat(before) for _ in range(repeats)]
    )  # (repeats, members, weights)
    layer = np.array([0] * 8 + [1] * 2)
    taper = np.where(layer[:, None] == layer, 1.0, gaspari_cohn(1.0, support))
    expected = scale**2 * taper * np.cov(flat(before).T)
    found = moves.reshape(-1, 10)
    n = len(found)
    variance = np.diag(expected)
    error = np.sqrt((np.outer(variance, variance) + expected**2) / n)
    assert (np.abs(found.T @ found / n - expected) < ERRORS * error).all()
    assert (np.abs(found.mean(0)) < ERRORS * np.sqrt(variance / n)).all()
    # members' moves are independent of each other
    between = np.einsum("ra,rb->ab", moves[:, 0], moves[:, 1]) / repeats
    assert (np.abs(between) < ERRORS * np.sqrt(np.outer(variance, variance) / repeats)).all()


# -- repeated assimilation on a quadratic loss ----------------------------------------------------

N_MEMBERS, N_ROWS = 3000, 20


def linear_problem():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(N_ROWS, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    X -= X.mean(axis=0)  # steps and noise are those of centred columns
    y = X @ [1.0, -0.5] + 0.3 + 0.5 * rng.normal(size=N_ROWS)
    design = np.column_stack([X, np.ones(N_ROWS)])
    curvature = design.T @ design / N_ROWS / 0.25  # of the mean loss, noise known to be .5
    return X, y, design, curvature


def assimilate(n_rounds, **params):
    """Weights of many members after rounds on the same data: as many independent chains."""
    X, y, *_ = linear_problem()
    model = DeepEnsembleFilterRegressor(
        (),
        noise_scale=0.5,
        n_members=N_MEMBERS,
        optimizer="sgd",
        learning_rate="constant",
        prior_scale=None,
        init_epochs=300,
        warm_start=True,
        random_state=0,
        **params,
    ).fit(X, y)
    for _ in range(n_rounds):
        model.fit(X, y)
    weight, bias = model.posterior_.params.values()
    return model, np.column_stack([weight[:, 0].numpy(), bias.numpy().reshape(-1)])


def assert_covariance(draws, expected, slack=0.0):
    n = len(draws)
    variance = np.diag(expected)
    error = ERRORS * np.sqrt((np.outer(variance, variance) + expected**2) / n)
    assert (np.abs(np.cov(draws.T) - expected) < error + slack).all()


@pytest.mark.parametrize("inflate_when", ["before", "after"])
def test_stationary_covariance_of_langevin_noise(inflate_when):
    _, y, design, A = linear_problem()
    eta, K = 0.02, 6
    _, draws = assimilate(
        60,
        inflation="langevin",
        inflate_when=inflate_when,
        learning_rate_init=eta,
        warm_epochs=K,
    )
    q = 2 * K * eta / N_ROWS
    R = np.linalg.matrix_power(np.eye(3) - eta * A, K)
    assert np.linalg.eigvalsh(R).max() ** 120 < 1e-3  # what is left of the start
    expected = q * np.linalg.inv(np.eye(3) - R @ R)
    other = expected @ R @ R
    if inflate_when == "before":
        expected, other = other, expected
    assert_covariance(draws, expected)
    mode = np.linalg.lstsq(design, y, rcond=None)[0]
    error = np.sqrt(np.diag(expected) / N_MEMBERS)
    assert (np.abs(draws.mean(0) - mode) < ERRORS * error + 1e-6).all()
    with pytest.raises(AssertionError):  # the two are far enough apart to be told
        assert_covariance(draws, other)


def test_stationary_covariance_of_additive_noise():
    _, _, _, A = linear_problem()
    eta, K = 0.02, 6
    model, draws = assimilate(
        60, inflation="additive", inflation_scale=0.2, learning_rate_init=eta, warm_epochs=K
    )
    weight, bias = model.initial_spread_.values()
    Q = np.diag([0.2 * weight, 0.2 * weight, 0.2 * bias]) ** 2
    R = np.linalg.matrix_power(np.eye(3) - eta * A, K)
    # P = R (P + Q) R; with a multiple of the identity for Q it is q R^2 (I - R^2)^-1
    assert_covariance(draws, solve_discrete_lyapunov(R, R @ Q @ R))
    q = Q[0, 0]
    np.testing.assert_allclose(
        solve_discrete_lyapunov(R, q * R @ R), q * R @ R @ np.linalg.inv(np.eye(3) - R @ R)
    )


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_langevin_with_few_steps_samples_the_laplace_posterior(temperature):
    _, _, _, A = linear_problem()
    eta, K = 0.004, 2
    _, draws = assimilate(
        180,
        inflation="langevin",
        inflation_scale=temperature,
        learning_rate_init=eta,
        warm_epochs=K,
    )
    laplace = temperature * np.linalg.inv(N_ROWS * A)
    # in the directions of A's eigenvectors the covariance is smaller by K eta lambda, to first
    # order; all of it is K eta T / N times the identity
    assert K * eta * np.linalg.eigvalsh(A).max() < 0.09
    assert_covariance(draws, laplace, slack=1.1 * temperature * K * eta / N_ROWS)


def test_langevin_noise_sums_the_rates_of_a_schedule():
    X, y, *_ = linear_problem()
    model = DeepEnsembleFilterRegressor(
        (),
        noise_scale=0.5,
        n_members=N_MEMBERS,
        inflation="langevin",
        inflate_when="after",
        optimizer="sgd",
        learning_rate_init=0.05,
        warm_epochs=8,
        init_epochs=300,
        prior_scale=None,
        random_state=0,
    ).fit(X, y)
    before = [p.clone() for p in model.posterior_.params.values()]
    assert max(float(p.std(0).max()) for p in before) < 1e-6  # all at the mode
    model.partial_fit(X, y)
    total = sum(0.05 * (1 + np.cos(np.pi * k / 8)) / 2 for k in range(8))
    expected = langevin_scale(total, 2 * N_ROWS)
    assert expected == pytest.approx((2 * total / 40) ** 0.5)
    for p in model.posterior_.params.values():
        np.testing.assert_allclose(p.std(0).numpy(), expected, rtol=ERRORS / (2 * N_MEMBERS) ** 0.5)
