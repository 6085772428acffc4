"""Every sampler recovers a known Gaussian: mean, covariance, temperature, minibatch noise.

On a Gaussian target a step of a Langevin sampler is a linear map plus Gaussian noise, so that the
law which its chain is in is known exactly, step size and gradient noise included: its covariance
solves C = M C M' + Q. What is left is the sampling error of many independent chains.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.linalg import block_diag, solve_discrete_lyapunov

from skbayes.samplers import HMC, SGHMC, SGLD, rmsprop

#: Chains times steps, and the most chains.
WORK, MOST = 4_000_000, 60_000
N_DATA = 10.0  # gradients and losses are those of U / 10
MEAN = np.array([1.0, -2.0, 0.5])
#: Curvatures 1, 4 and 16 in rotated directions: all three coordinates are correlated.
TURN = np.linalg.qr(np.random.RandomState(3).normal(size=(3, 3)))[0]
PRECISION = TURN @ np.diag([1.0, 4.0, 16.0]) @ TURN.T
TARGET = np.linalg.inv(PRECISION)
#: Covariance of the noise of the gradient of U: not white either.
GRADIENT_NOISE = np.diag([30.0, 10.0, 20.0])
START = 3.0
#: 1 / (lambda + root mean square of the gradient of U / N where all chains start), as pSGLD has it.
PRECONDITIONER = 1.0 / (1e-5 + np.abs(PRECISION @ (START - MEAN)) / N_DATA)
SCALE = [0.5, 1.5]  # of the first tensor, which holds two coordinates, and of the second
R = np.diag([0.5, 0.5, 1.5])
EYE, ZERO = np.eye(3), np.zeros((3, 3))


class Case(NamedTuple):
    """A sampler, and what is known of the law that its chains come to."""

    make: Callable  # (parameters, n_data, temperature, generator) -> optimizer
    step: Callable  # (temperature, covariance of the gradient noise) -> M, Q of a step
    bias: float | None  # largest relative error of a variance without gradient noise
    noisy_bias: float | None = None  # and with it; None where it is not what the sampler is for


def sgld_step(step_size, G):
    def step(temperature, noise):
        M = EYE - step_size / 2 * G @ PRECISION
        return M, step_size * temperature * G + step_size**2 / 4 * G @ noise @ G

    return step


def baoab_step(h, friction, R):
    decay = np.exp(-friction * h)
    drift = np.block([[EYE, h / 2 * R], [ZERO, EYE]])
    kick = np.block([[EYE, ZERO], [-h * R @ PRECISION, EYE]])
    after_kick = drift @ block_diag(EYE, decay * EYE) @ drift

    def step(temperature, noise):
        injected = drift @ block_diag(ZERO, (1 - decay**2) * temperature * EYE) @ drift.T
        kicked = after_kick @ block_diag(ZERO, h**2 * R @ noise @ R) @ after_kick.T
        return after_kick @ kick, injected + kicked

    return step


def euler_step(h, friction, R, known=ZERO):
    drift = np.block([[EYE, h * R], [ZERO, EYE]])
    kick = np.block([[EYE, ZERO], [-h * R @ PRECISION, (1 - friction * h) * EYE]])

    def step(temperature, noise):
        velocity = 2 * friction * h * temperature * EYE + h**2 * R @ (noise - known) @ R
        return drift @ kick, drift @ block_diag(ZERO, velocity) @ drift.T

    return step


def hmc_step(h, n_leapfrog, R):
    """All trajectories accepted: close enough to tell how long to run, and exact in its law."""
    half = np.block([[EYE, ZERO], [-h / 2 * R @ PRECISION, EYE]])
    drift = np.block([[EYE, h * R], [ZERO, EYE]])
    M = np.linalg.matrix_power(half @ drift @ half, n_leapfrog)[:3, :3]

    def step(temperature, noise):
        return M, temperature * (TARGET - M @ TARGET @ M.T)

    return step


def preconditioned(parameters, lr, **options):
    sampler = SGLD(parameters, lr, **options)
    gradient = potential(parameters)[1]
    sampler.root = rmsprop.root(rmsprop.update(rmsprop.init(parameters), gradient))
    return sampler


def knowing(parameters, lr, **options):
    sampler = SGHMC(parameters, lr, **options)
    variance = torch.tensor(np.diag(GRADIENT_NOISE)).expand(len(parameters[0]), 3)
    sampler.gradient_variance = [variance[:, :2], variance[:, 2:]]
    return sampler


G = np.diag(PRECONDITIONER)
#: Largest curvature as the preconditioner sees it.
STIFFEST = np.linalg.eigvals(G @ PRECISION).real.max()
EULER = {"friction": 2.0, "integrator": "euler"}

# SGLD: the variance is 1 / (1 - eps l / 4) times the posterior's, with eps l = .2 in the stiffest
# direction; BAOAB's and HMC's are the posterior's.
SAMPLERS = {
    "sgld": Case(partial(SGLD, lr=0.2 / 16), sgld_step(0.2 / 16, EYE), 1 / 0.95 - 1, 0.13),
    "sgld, rmsprop": Case(
        partial(preconditioned, lr=0.2 / STIFFEST),
        sgld_step(0.2 / STIFFEST, G),
        1 / 0.95 - 1,
        0.19,
    ),
    "baoab": Case(partial(SGHMC, lr=0.25), baoab_step(0.25, 1.0, EYE), 0),
    "baoab, small step": Case(
        partial(SGHMC, lr=0.02, friction=2.0), baoab_step(0.02, 2.0, EYE), 0, 0.12
    ),
    "baoab, scales": Case(partial(SGHMC, lr=0.2, scale=SCALE), baoab_step(0.2, 1.0, R), 0),
    "euler": Case(partial(SGHMC, lr=0.02, **EULER), euler_step(0.02, 2.0, EYE), 0.002, 0.12),
    "euler, scales": Case(
        partial(SGHMC, lr=0.05, scale=SCALE, **EULER), euler_step(0.05, 2.0, R), 0.01
    ),
    "euler, noise known": Case(
        partial(knowing, lr=0.02, **EULER),
        euler_step(0.02, 2.0, EYE, GRADIENT_NOISE),
        None,
        0.002,
    ),
    "euler, scales, noise known": Case(
        partial(knowing, lr=0.03, scale=SCALE, **EULER),
        euler_step(0.03, 2.0, R, GRADIENT_NOISE),
        None,
        0.005,
    ),
    "hmc": Case(partial(HMC, lr=0.2, n_leapfrog=5), hmc_step(0.2, 5, EYE), 0),
    "hmc, scales": Case(partial(HMC, lr=0.2, n_leapfrog=11, scale=SCALE), hmc_step(0.2, 11, R), 0),
}


def potential(position):
    """U / N of every chain, and its gradient, in two tensors."""
    x = torch.cat([p.detach() for p in position], 1) - torch.from_numpy(MEAN)
    slope = x @ torch.from_numpy(PRECISION) / N_DATA
    return (x * slope).sum(1) / 2, [slope[:, :2], slope[:, 2:]]


def sample(case, temperature, noisy, n_steps, n_chains):
    """Where the chains stand in the end, of shape (chains, 3)."""
    parameters = [
        torch.full((n_chains, k), START, dtype=torch.float64, requires_grad=True) for k in (2, 1)
    ]
    sampler = case.make(
        parameters,
        n_data=N_DATA,
        temperature=temperature,
        generator=torch.Generator().manual_seed(0),
    )
    noise = torch.Generator().manual_seed(1)
    scale = torch.from_numpy(np.sqrt(np.diag(GRADIENT_NOISE)) / N_DATA)

    def closure():
        losses, gradient = potential(parameters)
        if noisy:
            e = torch.empty(n_chains, 3, dtype=torch.float64).normal_(generator=noise) * scale
            gradient = [gradient[0] + e[:, :2], gradient[1] + e[:, 2:]]
        for p, g in zip(parameters, gradient, strict=True):
            p.grad = g
        return losses

    for _ in range(n_steps):
        sampler.step(closure)
    return torch.cat([p.detach() for p in parameters], 1).numpy()


def excess(covariance, temperature):
    """Largest relative error of the variance of a linear function under the target."""
    ratios = np.linalg.eigvals(covariance @ PRECISION).real / temperature
    return np.abs(ratios - 1).max()


ROWS = [
    (name, noisy)
    for name, case in SAMPLERS.items()
    for noisy in (False, True)
    if (case.noisy_bias if noisy else case.bias) is not None
]


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize(
    ("name", "noisy"), ROWS, ids=[name + ", minibatches" * noisy for name, noisy in ROWS]
)
def test_recovers_a_known_gaussian(name, noisy, temperature):
    case = SAMPLERS[name]
    noise = GRADIENT_NOISE if noisy else ZERO
    M, Q = case.step(temperature, noise)
    expected = solve_discrete_lyapunov(M, Q)[:3, :3]
    # e^-10 of the start's distance is left in the slowest direction
    n_steps = int(np.ceil(10 / -np.log(np.abs(np.linalg.eigvals(M)).max())))
    n_chains = min(WORK // n_steps, MOST)
    draws = sample(case, temperature, noisy, n_steps, n_chains)
    # white under the law expected: mean 0 and covariance I, with standard errors 1 / sqrt(n), of a
    # variance sqrt(2 / n); 4.5 of them
    white = np.linalg.solve(np.linalg.cholesky(expected), (draws - MEAN).T)
    tolerance = 4.5 / n_chains**0.5
    np.testing.assert_allclose(white.mean(1), 0, atol=tolerance)
    np.testing.assert_allclose(np.diag(np.cov(white)), 1, atol=tolerance * 2**0.5)
    np.testing.assert_allclose(np.cov(white)[np.triu_indices(3, 1)], 0, atol=tolerance)
    # and this law is the target, up to what is known of the step and the noise of the gradient
    bias = case.noisy_bias if noisy else case.bias
    at_half = 2.0 if noisy and temperature == 0.5 and "known" not in name else 1.0
    assert excess(expected, temperature) <= at_half * bias + 1e-9
    # so that each direction's variance is the target's within both
    ratios = np.linalg.eigvals(np.cov(draws.T) @ PRECISION).real / temperature
    # the extreme of three eigenvalues of a sample covariance leaves a little more room
    assert np.abs(ratios - 1).max() <= at_half * bias + 1.5 * tolerance * 2**0.5


@pytest.mark.parametrize("curvature", [1.0, 4.0, 16.0])
def test_the_stated_bias_of_sgld(curvature):
    """The law that the test above compares with, against the closed form."""
    axis = TURN[:, int(np.log2(curvature)) // 2]
    found = axis @ solve_discrete_lyapunov(*SAMPLERS["sgld"].step(1.0, ZERO)) @ axis
    assert found == pytest.approx(1 / (curvature * (1 - 0.2 / 16 * curvature / 4)), rel=1e-12)
