"""Every sampler recovers a known Gaussian: mean, covariance, temperature, minibatch noise."""

import numpy as np
import pytest
import torch

from skbayes.samplers import HMC, SGHMC, SGLD, hmc, rmsprop

PRECISION = torch.tensor([[2.0, 0.7, 0.0], [0.7, 1.0, -0.3], [0.0, -0.3, 0.6]]).double()
MEAN = torch.tensor([0.5, -1.0, 2.0]).double()
N_CHAINS, N_STEPS, BURN_IN = 500, 400, 200
#: Variance of the artificial gradient noise, for every coordinate.
NOISE = 4.0


def run(sampler_of, temperature, noise=0.0, seed=0, every=20):
    """Draws of all chains, thinned, from a start far away; and the sampler."""
    x = torch.full((N_CHAINS, 3), 3.0, dtype=torch.float64, requires_grad=True)
    generator = torch.Generator().manual_seed(seed)
    sampler = sampler_of([x], temperature, torch.Generator().manual_seed(seed + 1))
    draws = []

    def closure():
        x.grad = None
        centred = x - MEAN
        potential = 0.5 * (centred @ PRECISION * centred).sum(1)
        potential.sum().backward()
        if noise:
            x.grad += noise**0.5 * torch.empty_like(x).normal_(generator=generator)
        return potential.detach()

    steps = N_STEPS if not isinstance(sampler, HMC) else 60
    burn_in = BURN_IN if not isinstance(sampler, HMC) else 20
    for t in range(steps):
        sampler.step(closure)
        if t >= burn_in and (t - burn_in) % every == 0:
            draws.append(x.detach().clone())
    return torch.stack(draws, 1).numpy(), sampler  # (chains, draws, 3)


def discrete(drift, noise):
    """Stationary covariance of x <- x - drift x + N(0, noise)."""
    d = len(drift)
    M = np.eye(d) - drift
    return np.linalg.solve(np.eye(d * d) - np.kron(M, M), noise.ravel()).reshape(d, d)


def sgld(params, temperature, generator):
    return SGLD(params, 0.2, temperature=temperature, generator=generator)


def preconditioned(params, temperature, generator):
    sampler = SGLD(params, 0.2, temperature=temperature, generator=generator)
    sampler.root = [torch.tensor([0.7, 1.0, 1.4]).double().expand(N_CHAINS, 3)]
    return sampler


def baoab(params, temperature, generator):
    return SGHMC(params, 0.6, friction=1.0, temperature=temperature, generator=generator)


def scaled_baoab(params, temperature, generator):
    sampler = baoab(params, temperature, generator)
    sampler.scale = [0.8]
    return sampler


def euler(params, temperature, generator):
    return SGHMC(
        params, 0.1, friction=2.0, integrator="euler", temperature=temperature, generator=generator
    )


def hamiltonian(params, temperature, generator):
    return HMC(params, 0.3, n_leapfrog=5, temperature=temperature, generator=generator)


def scaled_hamiltonian(params, temperature, generator):
    sampler = hamiltonian(params, temperature, generator)
    sampler.scale = [torch.tensor([0.7, 1.0, 1.3]).double()]
    return sampler


def law(sampler_of, temperature):
    """Exact stationary covariance of the discrete chain."""
    A = PRECISION.numpy()
    exact = temperature * np.linalg.inv(A)
    if sampler_of is sgld:
        return discrete(0.1 * A, 0.2 * temperature * np.eye(3))
    if sampler_of is preconditioned:
        G = np.diag(np.square([0.7, 1.0, 1.4]))
        return discrete(0.1 * G @ A, 0.2 * temperature * G)
    if sampler_of is euler:  # position and velocity together
        h, friction = 0.1, 2.0
        velocity = np.hstack([h * A, friction * h * np.eye(3)])
        position = np.hstack([h * h * A, -h * (1 - friction * h) * np.eye(3)])
        drift = np.vstack([position, velocity])
        kick = np.vstack([h * np.eye(3), np.eye(3)])
        both = discrete(drift, 2 * friction * h * temperature * kick @ kick.T)
        return both[:3, :3]
    return exact  # BAOAB on a quadratic, HMC on anything


ALL = [sgld, preconditioned, baoab, scaled_baoab, euler, hamiltonian, scaled_hamiltonian]


def check(draws, covariance, bias=0.0):
    n_chains, n_draws, _ = draws.shape
    deviation = np.sqrt(np.diag(covariance))
    # chains are independent: errors are those of means over chains
    error = draws.mean(1).std(0, ddof=1) / n_chains**0.5
    assert (np.abs(draws.mean((0, 1)) - MEAN.numpy()) < 4.5 * error).all()
    centred = draws - MEAN.numpy()
    products = np.einsum("cdi,cdj->cij", centred, centred) / n_draws
    error = products.std(0, ddof=1) / n_chains**0.5
    scale = np.outer(deviation, deviation)
    assert (np.abs(products.mean(0) - covariance) < 4.5 * error + bias * scale).all()


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("sampler_of", ALL, ids=lambda f: f.__name__)
def test_recovers_a_known_gaussian(sampler_of, temperature):
    every = 2 if "hamiltonian" in sampler_of.__name__ else 20
    draws, sampler = run(sampler_of, temperature, every=every)
    covariance = law(sampler_of, temperature)
    check(draws, covariance)
    # the discrete law is near the target: the steps are not hopelessly large
    target = temperature * PRECISION.inverse().numpy()
    np.testing.assert_allclose(covariance, target, rtol=0.2, atol=0.1 * temperature)
    if isinstance(sampler, HMC):
        assert float(sampler.info.acceptance_rate.mean()) > 0.8


@pytest.mark.parametrize("sampler_of", [sgld, preconditioned, baoab, euler])
def test_minibatch_noise_heats_by_a_known_amount(sampler_of):
    draws, _ = run(sampler_of, 1.0, noise=NOISE)
    cold = law(sampler_of, 1.0)
    if sampler_of is sgld:
        expected = discrete(0.1 * PRECISION.numpy(), (0.2 + 0.01 * NOISE) * np.eye(3))
        check(draws, expected)
    elif sampler_of is baoab:
        # noise of the gradients over that injected, in the displacement: h^2 V / (4 tanh(g h / 2))
        alpha = 0.36 * NOISE / 4 / np.tanh(0.3)
        found = np.einsum("cdi,cdj->ij", draws - MEAN.numpy(), draws - MEAN.numpy())
        ratio = np.trace(found / draws.shape[0] / draws.shape[1]) / np.trace(cold)
        assert ratio == pytest.approx(1 + alpha, rel=0.1)
    else:
        variance = (draws - MEAN.numpy()).reshape(-1, 3).var(0)
        assert (variance > np.diag(cold)).all()


def test_euler_subtracts_the_noise_that_it_knows():
    def knowing(params, temperature, generator):
        sampler = euler(params, temperature, generator)
        sampler.gradient_variance = [torch.full((N_CHAINS, 3), NOISE, dtype=torch.float64)]
        return sampler

    draws, _ = run(knowing, 1.0, noise=NOISE)
    check(draws, law(euler, 1.0))


def test_leapfrog_is_reversible_and_of_second_order():
    x = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start = x.clone()

    def quartic():
        return (x**4).sum(1) / 4 + (x**2).sum(1) / 2, [x**3 + x]

    errors = []
    for step, n in ((0.1, 10), (0.05, 20), (0.025, 40)):
        x.copy_(start)
        state = hmc.init([x], quartic)
        before = state.potential.clone()
        generator = torch.Generator().manual_seed(5)
        _, info = hmc.step(state, quartic, step, n, generator=generator)
        velocity = torch.empty_like(x).normal_(generator=torch.Generator().manual_seed(5))
        energy = before + velocity.square().sum(1) / 2
        errors.append(float((info.energy - energy).abs().max()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def test_a_divergent_trajectory_stays_where_it_was():
    x = torch.ones(3, 2, dtype=torch.float64)

    def steep():
        return 1e6 * (x**4).sum(1), [4e6 * x**3]

    state = hmc.init([x], steep)
    state, info = hmc.step(state, steep, 1.0, 50, generator=torch.Generator().manual_seed(0))
    assert info.diverging.all()
    assert not info.accepted.any()
    torch.testing.assert_close(x, torch.ones_like(x))
    assert torch.isfinite(state.potential).all()
    assert (info.acceptance_rate == 0).all()


def test_rmsprop_estimates_a_constant_gradient_exactly():
    state = rmsprop.init([torch.zeros(2, 3)])
    gradient = [torch.tensor([[1.0, 2.0, 4.0], [0.5, 1.0, 0.25]])]
    for _ in range(3):
        state = rmsprop.update(state, gradient)
    torch.testing.assert_close(rmsprop.root(state, 0.0)[0], gradient[0] ** -0.5)
