"""The leapfrog of HMC and its acceptance."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from skbayes.samplers import hmc


class Well:
    """A double well beside a steep valley, not separable: two tensors, of 1 and 2 coordinates."""

    def __init__(self, n_chains):
        noise = torch.Generator().manual_seed(5)
        self.position = [
            torch.empty(n_chains, k, dtype=torch.float64).normal_(generator=noise) for k in (1, 2)
        ]
        self.visited = []

    def value(self, x):
        a, b, c = x.T
        return (a**2 - 1) ** 2 + 3 * (b - a**2) ** 2 + (c - torch.sin(b)) ** 2 / 2

    def gradient(self, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(self.value(x).sum(), x)[0]

    def flat(self):
        return torch.cat(self.position, 1)

    def __call__(self):
        x = self.flat()
        self.visited.append(x)
        gradient = self.gradient(x)
        return self.value(x), [gradient[:, :1], gradient[:, 1:]]


def trajectory(monkeypatch, well, velocity, step_size, n_leapfrog, scale=None):
    """Run one from a velocity of our own; return its points and what it told."""
    state = hmc.init(well.position, well)
    pieces = iter([velocity[:, :1], velocity[:, 1:]])
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "normal_", lambda p, **kwargs: p.copy_(next(pieces)))
        generator = torch.Generator().manual_seed(0)
        _, info = hmc.step(state, well, step_size, n_leapfrog, scale=scale, generator=generator)
    return torch.stack(well.visited), info


R = torch.tensor([0.5, 1.3, 1.3], dtype=torch.float64)
V = torch.empty(200, 3, dtype=torch.float64).normal_(generator=torch.Generator().manual_seed(6))


@pytest.mark.parametrize("scale", [None, [0.5, 1.3]])
def test_points_of_a_trajectory_are_those_of_stoermer_and_verlet(monkeypatch, scale):
    well, h = Well(200), 0.1
    r = torch.ones(3).double() if scale is None else R
    x, _ = trajectory(monkeypatch, well, V, h, 12, scale)
    assert len(x) == 13  # the start and a gradient a step
    force = torch.stack([-well.gradient(point) * r**2 for point in x])
    torch.testing.assert_close(x[1], x[0] + h * r * V + h**2 / 2 * force[0])
    # the rule is its own reverse in time
    torch.testing.assert_close(x[2:] - 2 * x[1:-1] + x[:-2], h**2 * force[1:-1])


@pytest.mark.parametrize("scale", [None, [0.5, 1.3]])
def test_a_trajectory_can_be_taken_back(monkeypatch, scale):
    well, h = Well(200), 0.1
    r = torch.ones(3).double() if scale is None else R
    x, _ = trajectory(monkeypatch, well, V, h, 12, scale)
    # the last velocity, from the last step's points
    end = (x[-1] - x[-2]) / (h * r) - h / 2 * r * well.gradient(x[-1])
    back = Well(200)
    back.position = [x[-1][:, :1].clone(), x[-1][:, 1:].clone()]
    y, _ = trajectory(monkeypatch, back, -end, h, 12, scale)
    torch.testing.assert_close(y, x.flip(0), rtol=0, atol=1e-9)


def test_half_the_step_has_a_quarter_of_the_energy_error(monkeypatch):
    errors = []
    for halvings in range(4):
        well = Well(200)
        start = well.value(well.flat()) + V.square().sum(1) / 2
        # the same length in time; the last point's energy, accepted or not
        n, h = 16 * 2**halvings, 0.04 / 2**halvings
        x, info = trajectory(monkeypatch, well, V, h, n)
        velocity = (x[-1] - x[-2]) / h - h / 2 * well.gradient(x[-1])
        error = well.value(x[-1]) + velocity.square().sum(1) / 2 - start
        expected = torch.where(info.accepted, start + error, start)
        torch.testing.assert_close(info.energy, expected)
        torch.testing.assert_close(info.acceptance_rate, error.clamp_min(0).neg().exp())
        errors.append(float(error.square().mean().sqrt()))
    ratios = np.divide(errors[:-1], errors[1:])
    np.testing.assert_allclose(ratios[1:], 4, rtol=0.1)  # of second order


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_a_density_that_is_not_gaussian_is_left_invariant(temperature):
    """exp(-(x^4 / 4 - x^2 + x / 4) / T), by steps so large that a third is rejected."""

    def log_density(x):
        return -(x**4 / 4 - x**2 + x / 4) / temperature

    n = 40_000
    x = torch.zeros(n, 1, dtype=torch.float64)
    noise = torch.Generator().manual_seed(0)

    def potential():
        return -temperature * log_density(x)[:, 0], [x**3 - 2 * x + 0.25]

    state, rates = hmc.init([x], potential), []
    for _ in range(60):
        state, info = hmc.step(state, potential, 0.72, 3, temperature=temperature, generator=noise)
        rates.append(float(info.acceptance_rate.mean()))
    assert 0.5 < np.mean(rates) < 0.8
    assert float(info.accepted.double().mean()) == pytest.approx(rates[-1], abs=4.5 * 0.5 / n**0.5)
    total = quad(lambda v: np.exp(log_density(v)), -6, 6)[0]
    draws = x[:, 0].numpy()
    for function in (np.sin, np.square, lambda v: v > 0, lambda v: np.abs(v) > 1.5):
        values = function(draws).astype(float)
        expected = quad(
            lambda v: function(v) * np.exp(log_density(v)), -6, 6, points=[-1.5, 0, 1.5]
        )
        assert values.mean() == pytest.approx(expected[0] / total, abs=4.5 * values.std() / n**0.5)


def test_a_divergent_trajectory_is_rejected():
    x = torch.ones(3, 1, dtype=torch.float64)
    x[1:] *= torch.tensor([[1e2], [1e200]])  # a large energy error, and one that is not a number

    def potential():
        return x[:, 0].square().square(), [4 * x**3]

    before = x.clone()
    state, info = hmc.step(hmc.init([x], potential), potential, 0.05, 5)
    assert info.diverging.tolist() == [False, True, True]
    assert info.accepted.tolist() == [True, False, False]
    assert info.acceptance_rate[1:].tolist() == [0, 0]
    assert torch.equal(x[1:], before[1:])
    assert state.potential[1] == 1e8
