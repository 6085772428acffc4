"""Constant-rate gradient descent as a sampler: the Ornstein-Uhlenbeck law and its best forms."""

import warnings

import numpy as np
import pytest
import torch
from scipy.linalg import solve_continuous_lyapunov
from sklearn.exceptions import ConvergenceWarning

from skbayes import ConstantSGDClassifier, ConstantSGDRegressor
from skbayes.samplers import constant_sgd

HESSIAN = torch.tensor([[2.0, 0.6, 0.0], [0.6, 1.0, 0.2], [0.0, 0.2, 0.5]], dtype=torch.float64)
NOISE = torch.tensor([[1.5, 0.3, -0.2], [0.3, 0.8, 0.1], [-0.2, 0.1, 0.4]], dtype=torch.float64)
N_DATA, BATCH = 500, 5


def simulate(matrix, rate, n_chains=20000, n_steps=400, seed=0):
    """Descent on a quadratic with the noise of minibatches, from its minimum."""
    generator = torch.Generator().manual_seed(seed)
    factor = torch.linalg.cholesky(NOISE / BATCH)
    x = torch.zeros(n_chains, 3, dtype=torch.float64)
    for _ in range(n_steps):
        noise = torch.empty_like(x).normal_(generator=generator) @ factor.T
        constant_sgd.step([x], [x @ HESSIAN + noise], rate, matrix)
    return np.cov(x.numpy().T)


def best(form):
    chains = 20000
    if form is None:
        diagonal = NOISE.diagonal().expand(1, 3)
        return float(constant_sgd.optimal_rate(diagonal, N_DATA, BATCH)), None
    if form == "diagonal":
        diagonal = NOISE.diagonal().expand(chains, 3)
        return 1.0, constant_sgd.optimal_diagonal(diagonal, N_DATA, BATCH, 1e9)
    return 1.0, constant_sgd.optimal_full(NOISE.expand(chains, 3, 3), N_DATA, BATCH, 1e9)


@pytest.mark.parametrize("form", [None, "diagonal", "full"])
def test_stationary_covariance_is_ornstein_uhlenbecks(form):
    rate, matrix = best(form)
    H = np.eye(3) * rate
    if matrix is not None:
        H = (torch.diag(matrix[0]) if matrix.ndim == 2 else matrix[0]).numpy()
    A, C = HESSIAN.numpy(), NOISE.numpy()
    # the discrete recursion: S = (1 - HA) S (1 - HA)' + H C H' / S, exactly
    M = np.eye(3) - H @ A
    exact = np.linalg.solve(np.eye(9) - np.kron(M, M), (H @ C @ H.T / BATCH).ravel()).reshape(3, 3)
    found = simulate(matrix, rate)
    deviation = np.sqrt(np.diag(exact))
    correlation = exact / np.outer(deviation, deviation)
    error = np.sqrt((1 + correlation**2) / 20000) * np.outer(deviation, deviation)
    assert (np.abs(found - exact) < 4.5 * error).all()
    # and it is the continuous law for small steps
    continuous = solve_continuous_lyapunov(H @ A, H @ C @ H.T / BATCH)
    step = np.abs(np.linalg.eigvals(H @ A)).max()
    np.testing.assert_allclose(exact, continuous, atol=step * np.abs(continuous).max())


def divergence(covariance):
    """Kullback-Leibler divergence from the posterior N(0, (N A)^-1)."""
    product = N_DATA * HESSIAN.numpy() @ covariance
    return 0.5 * (np.trace(product) - 3 - np.log(np.linalg.det(product)))


def lyapunov(H):
    A, C = HESSIAN.numpy(), NOISE.numpy()
    return solve_continuous_lyapunov(H @ A, H @ C @ H.T / BATCH)


def test_the_best_rate_is_the_best():
    rate, _ = best(None)
    values = [divergence(lyapunov(np.eye(3) * rate * f)) for f in (0.8, 0.95, 1.0, 1.05, 1.25)]
    assert np.argmin(values) == 2


def test_the_full_preconditioner_is_exact():
    H = best("full")[1][0].numpy()
    np.testing.assert_allclose(lyapunov(H), np.linalg.inv(N_DATA * HESSIAN.numpy()), rtol=1e-10)
    # the lecture's printed form, S / N times C, is far from it, and S / N times its inverse too
    for wrong, expected in [(BATCH / N_DATA * NOISE, 1.0), (BATCH / N_DATA * NOISE.inverse(), 0.1)]:
        assert divergence(lyapunov(wrong.numpy())) > expected


def test_forms_get_better():
    values = []
    for form in (None, "diagonal", "full"):
        rate, matrix = best(form)
        H = np.eye(3) * rate
        if matrix is not None:
            H = (torch.diag(matrix[0]) if matrix.ndim == 2 else matrix[0]).numpy()
        values.append(divergence(lyapunov(H)))
    assert values[0] >= values[1] >= values[2]
    assert values[2] == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("full", [False, True])
def test_moving_covariance(full):
    generator = torch.Generator().manual_seed(0)
    factor = torch.linalg.cholesky(NOISE / BATCH)
    state = constant_sgd.init_noise([torch.zeros(2, 3, dtype=torch.float64)], full=full)
    n = 4000
    for count in range(n):  # decay k / (k + 1): the plain mean of all so far
        noise = torch.empty(2, 3, dtype=torch.float64).normal_(generator=generator) @ factor.T
        drift = 7.0 - 0.01 * count  # it travels by 100 deviations of the noise
        state = constant_sgd.update_noise(state, [noise + drift], count / (count + 1.0))
    found = constant_sgd.covariance(state, BATCH)
    expected = NOISE if full else NOISE.diagonal()
    spread = torch.outer(NOISE.diagonal(), NOISE.diagonal()).sqrt()
    # successive differences share a gradient: their squares have a correlation of 1/4, which makes
    # the variance of the mean 3 / n; half the square of the drift in a step is what is left of it
    error = 4.5 * (3 / n) ** 0.5 * (spread if full else NOISE.diagonal()) + BATCH * 0.01**2 / 2
    assert ((found - expected).abs() < error).all()


def regression(n=400, noise=0.5):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n, 2)) * [1.0, 0.5]
    y = X @ [1.0, -0.5] + 0.3 + noise * rng.normal(size=n)
    A = np.c_[X, np.ones(n)]
    covariance = np.linalg.inv(A.T @ A / noise**2 + np.eye(3))
    return X, y, covariance @ A.T @ y / noise**2, covariance


@pytest.mark.parametrize("preconditioner", ["diagonal", "full"])
def test_linear_regression_with_known_noise(preconditioner):
    X, y, mean, covariance = regression()
    model = ConstantSGDRegressor(
        (),
        noise_scale=0.5,
        preconditioner=preconditioner,
        n_chains=8,
        n_draws=400,
        n_warmup=4000,
        batch_size=10,
        random_state=0,
    ).fit(X, y)
    params = {name: p.numpy() for name, p in model.posterior_.params.items()}
    found = np.c_[params["layers.0.weight"][:, 0], params["layers.0.bias"]]
    deviation = np.sqrt(np.diag(covariance))
    # features are nearly uncorrelated here, so that the diagonal form does as well. What is left:
    # the covariance of the gradients is not quite the Hessian (it is the same for the true noise,
    # and varies by the residuals' fourth moment), and draws 20 steps apart are correlated
    assert (np.abs(found.mean(0) - mean) < 0.1 * deviation).all()
    np.testing.assert_allclose(found.std(0), deviation, rtol=0.06)
    assert model.rhat_ < 1.05


def test_one_rate_cannot_fit_two_scales():
    """The error of the constant rate, stated: every direction gets the same spread."""
    X, y, _, covariance = regression()
    model = ConstantSGDRegressor(
        (),
        noise_scale=0.5,
        preconditioner=None,
        n_chains=8,
        n_draws=400,
        n_warmup=4000,
        batch_size=10,
        random_state=0,
    ).fit(X, y)
    params = {name: p.numpy() for name, p in model.posterior_.params.items()}
    found = np.c_[params["layers.0.weight"][:, 0], params["layers.0.bias"]].std(0)
    assert found.max() / found.min() < 1.1
    deviation = np.sqrt(np.diag(covariance))
    assert deviation.max() / deviation.min() > 1.9


def test_averaged_iterates_depend_little_on_the_rate():
    X, y, _, covariance = regression()
    deviation = np.sqrt(np.diag(covariance))
    ratios = []
    for rate in (0.02, 0.06):
        model = ConstantSGDRegressor(
            (),
            noise_scale=0.5,
            preconditioner=None,
            step_size=rate,
            averaging=True,
            thinning=40,
            n_chains=8,
            n_draws=300,
            batch_size=10,
            random_state=0,
        ).fit(X, y)
        params = {name: p.numpy() for name, p in model.posterior_.params.items()}
        found = np.c_[params["layers.0.weight"][:, 0], params["layers.0.bias"]].std(0)
        # the mean of T steps of an autoregression with coefficient 1 - rate * curvature (of the
        # mean loss); the law is off as the covariance of the gradients is from the Hessian
        curvature = 1 / (400 * deviation**2)
        c = 1 - rate * curvature
        T = 40
        law = rate**2 * curvature / 10 / (1 - c**2)
        mean_variance = law / T * (1 + 2 * sum((1 - k / T) * c**k for k in range(1, T)))
        np.testing.assert_allclose(found, np.sqrt(mean_variance), rtol=0.12)
        ratios.append(found / deviation)
    # thrice the rate: the iterates themselves would spread by the square root of it more
    assert (ratios[1] / ratios[0])[[0, 2]].max() < 1.25


@pytest.mark.parametrize("preconditioner", ["diagonal", "full"])
def test_a_long_way_to_the_mode_is_not_taken_for_noise(preconditioner):
    """Small noise, a mode that the descent alone does not reach, default steps."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 3))
    y = X @ [1.0, 3.6, 0.5] + 0.1 * rng.normal(size=200)
    model = ConstantSGDRegressor(
        (), noise_scale=0.1, preconditioner=preconditioner, prior_scale=10.0, random_state=0
    ).fit(X, y)
    A = np.c_[X, np.ones(200)]
    covariance = np.linalg.inv(A.T @ A / 0.1**2 + np.eye(4) / 100)
    params = {name: p.numpy() for name, p in model.posterior_.params.items()}
    found = np.c_[params["layers.0.weight"][:, 0], params["layers.0.bias"]]
    deviation = np.sqrt(np.diag(covariance))
    mean = covariance @ A.T @ y / 0.1**2
    assert (np.abs(found.mean(0) - mean) < 0.4 * deviation).all()
    np.testing.assert_allclose(found.std(0), deviation, rtol=0.2)


def test_a_rate_multiplies_the_preconditioner():
    X, y, *_ = regression()
    params = {"noise_scale": 0.5, "batch_size": 10, "random_state": 0, "dtype": "float64"}
    auto = ConstantSGDRegressor((), **params).fit(X, y)
    half = ConstantSGDRegressor((), step_size=0.5, **params).fit(X, y)
    plain = ConstantSGDRegressor((), step_size=0.02, preconditioner=None, **params).fit(X, y)
    assert auto.step_size_ == 1.0
    assert plain.net_.optimizer_.matrix is None
    # the preconditioner is that of the noise, whatever the rate
    ratio = half.net_.optimizer_.matrix / auto.net_.optimizer_.matrix
    np.testing.assert_allclose(ratio.numpy(), 1.0, rtol=0.25)
    spread = [m.sample_mean(X).std(0).mean() for m in (half, auto)]
    assert spread[0] / spread[1] == pytest.approx(0.5**0.5, rel=0.15)  # of the law's variance


def test_a_large_batch_is_warned_of_and_a_larger_one_than_there_are_rows_is_all():
    X, y, *_ = regression(40)
    model = ConstantSGDRegressor((), n_warmup=100, n_draws=2, batch_size=4000, random_state=0)
    with pytest.warns(ConvergenceWarning, match="batch_size=4000 is more than a quarter of the 40"):
        model.fit(X, y)
    assert model.batch_size_ == 40


def test_no_step_is_called_too_large_that_is_right():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 2))
    y = X @ [1.0, -0.5] + 0.1 * rng.normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        ConstantSGDRegressor((), noise_scale=0.1, random_state=0).fit(X, y)


def test_a_mean_is_that_of_one_pass():
    X, y, *_ = regression()
    model = ConstantSGDRegressor(
        (), averaging=True, thinning=3, n_draws=5, n_warmup=200, batch_size=10, random_state=0
    ).fit(X, y)
    assert model.n_iter_ == 200 + 5 * 40


def test_a_full_matrix_of_a_large_network_is_refused():
    X, y, *_ = regression()
    with pytest.raises(ValueError, match=r"preconditioner='full'.*2000 weights.*'diagonal'"):
        ConstantSGDClassifier((1000,), preconditioner="full").fit(X, y > 0)


def test_minibatches_are_drawn_with_replacement():
    """In a shuffle their noise would add up to zero in every pass."""
    from skbayes._engine.rows import MemberBatches, Rows

    y = np.arange(12.0)
    weight = np.r_[np.zeros(6), np.ones(5), 3.0]
    rows = Rows(y[:, None], y, weight, device=torch.device("cpu"), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    walk = MemberBatches(rows, 4, 50, generator, steps_per_epoch=100, replacement=True)
    batches = list(walk)
    assert all(batch.weight is None for batch in batches)
    seen = torch.cat([batch.y for batch in batches], 1)  # (members, draws)
    counts = np.array([(seen == value).sum() for value in y])
    share = weight / weight.sum()
    # in proportion to the weights, and independent: a member's counts are binomial
    n = seen.numel()
    assert (np.abs(counts / n - share) <= 4.5 * np.sqrt(share * (1 - share) / n)).all()
    last = (seen == 11.0).sum(1).double()
    variance = 400 * share[-1] * (1 - share[-1])
    assert float(last.var()) == pytest.approx(variance, rel=4.5 * (2 / 49) ** 0.5)
