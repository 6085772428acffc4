"""The Langevin kernel, its optimizer face, its schedules and the curvature tools."""

import inspect
import itertools

import numpy as np
import pytest
import torch

from skbayes.samplers import HMC, SGHMC, SGLD, ConstantSGD, constant, polynomial, sgld
from skbayes.samplers.curvature import (
    hessian_product,
    largest_eigenvalue,
    score_covariance_product,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def run(position, gradient, step_size, n_steps, seed=0, **params):
    state, noise = sgld.init(position), generator(seed)
    for _ in range(n_steps):
        sgld.step(state, gradient(), step_size, generator=noise, **params)
    return state


N_CHAINS = 40_000
# relative standard error of a variance of n independent normals is sqrt(2 / n) = .7 %; 4.5 of them
VARIANCE_RTOL = 4.5 * (2 / N_CHAINS) ** 0.5


def quadratic_variance(curvature, step_size, **params):
    """Variance over many independent chains long after the start (at .5 contraction a step)."""
    x = torch.zeros(N_CHAINS, 1, dtype=torch.float64)
    n_steps = int(np.ceil(12 / (step_size * curvature / 2)))  # e^-24 of the start is left
    scale = params.get("gradient_scale", 1.0)
    run([x], lambda: [curvature * x / scale], step_size, n_steps, **params)
    return float(x.var())


@pytest.mark.parametrize(("curvature", "step_size"), [(1.0, 0.5), (4.0, 0.25), (0.25, 2.0)])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_exact_stationary_variance_of_the_discrete_chain(curvature, step_size, temperature):
    # AR(1) with factor 1 - eps lambda / 2 and noise eps T
    exact = temperature / (curvature * (1 - step_size * curvature / 4))
    found = quadratic_variance(curvature, step_size, temperature=temperature)
    assert found == pytest.approx(exact, rel=VARIANCE_RTOL)


def test_gradient_scale_is_the_number_of_data():
    # U = N * mean loss: the gradient of the mean with gradient_scale=N is the gradient of U
    found = quadratic_variance(4.0, 0.25, gradient_scale=50.0)
    assert found == pytest.approx(1 / (4 * (1 - 0.25)), rel=VARIANCE_RTOL)
    a, b = torch.ones(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    run([a], lambda: [a], 0.1, 20, gradient_scale=3.0)
    run([b], lambda: [3.0 * b], 0.1, 20)
    torch.testing.assert_close(a, b, rtol=1e-14, atol=0)


def test_the_lectures_literal_form_is_temperature_one_half():
    """theta - eta grad U + sqrt(eta) e: this kernel with eps = 2 eta and T = 1/2."""
    eta, noise = 0.2, generator(7)
    literal = torch.zeros(1000, dtype=torch.float64)
    ours = literal.clone()
    state, ours_noise = sgld.init([ours]), generator(7)
    for _ in range(30):
        e = torch.empty_like(literal).normal_(generator=noise)
        literal = literal - eta * literal + eta**0.5 * e
        sgld.step(state, [ours.clone()], 2 * eta, temperature=0.5, generator=ours_noise)
    torch.testing.assert_close(ours, literal, rtol=1e-12, atol=1e-14)
    # and hence half the posterior's variance, up to the discretisation
    found = quadratic_variance(1.0, 0.02, temperature=0.5)
    assert found == pytest.approx(0.5 / (1 - 0.005), rel=VARIANCE_RTOL)


def test_temperature_zero_is_gradient_descent():
    x = torch.tensor([4.0, -2.0], dtype=torch.float64)
    noise = generator()
    before = noise.get_state()
    state, info = sgld.step(sgld.init([x]), [x.clone()], 0.5, temperature=0.0, generator=noise)
    assert state.position[0].tolist() == [3.0, -1.5]
    assert (info.step_size, info.noise_scale) == (0.5, 0.0)
    assert torch.equal(noise.get_state(), before)


def test_noise_of_one_step_is_white_across_tensors_and_chains():
    a, b = torch.zeros(200, 30, dtype=torch.float64), torch.zeros(200, 2, 10, dtype=torch.float64)
    _, info = sgld.step(
        sgld.init([a, b]), [torch.zeros_like(a), torch.zeros_like(b)], 0.36, generator=generator()
    )
    assert info.noise_scale == pytest.approx(0.6, rel=1e-15)
    flat = torch.cat([a.flatten(), b.flatten()]).numpy() / 0.6
    # 10 000 draws: mean within 4.5 / sqrt(n), variance within 4.5 sqrt(2 / n)
    assert abs(flat.mean()) < 0.045
    assert flat.var() == pytest.approx(1, abs=0.064)
    assert len(np.unique(flat)) == len(flat)  # no number is used twice
    columns = np.hstack([a.numpy(), b.flatten(1).numpy()])  # (200 chains, 50)
    correlation = np.corrcoef(columns, rowvar=False)[np.triu_indices(50, 1)]
    # 1225 correlations of standard error 1 / sqrt(200); the largest of so many normals is 3.4
    assert np.abs(correlation).max() < 4.5 / 200**0.5


def test_position_moves_in_place_and_global_stream_is_not_touched():
    x = torch.zeros(3)
    before = torch.random.get_rng_state().clone()
    state, _ = sgld.step(sgld.init([x]), [x.clone()], 0.1, generator=generator())
    sampler = SGLD([x.requires_grad_()], lr=0.1)  # without a generator: fresh entropy
    x.grad = torch.zeros(3)
    sampler.step()
    assert state.position[0].data_ptr() == x.data_ptr()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("lr", [0.05, polynomial(0.1, 5, 0.7)])
def test_optimizer_is_the_kernel(lr):
    schedule = lr if callable(lr) else constant(lr)
    scale = torch.tensor([1.0, 3.0], dtype=torch.float64)
    w = [torch.ones(4, 2, dtype=torch.float64), torch.ones(4, dtype=torch.float64)]
    leaves = [p.clone().requires_grad_() for p in w]
    sampler = SGLD(leaves, lr, n_data=7, temperature=0.8, generator=generator(3))

    def closure():
        sampler.zero_grad()
        loss = (scale * leaves[0] ** 2).sum() / 2 + leaves[1].square().sum()
        loss.backward()
        return loss

    state, noise = sgld.init(w), generator(3)
    for t in range(12):
        expected = float((scale * w[0] ** 2).sum() / 2 + w[1].square().sum())
        assert sampler.step(closure).item() == pytest.approx(expected, rel=1e-13)
        sgld.step(
            state,
            [scale * w[0], 2 * w[1]],
            schedule(t),
            gradient_scale=7,
            temperature=0.8,
            generator=noise,
        )
    for leaf, p in zip(leaves, w, strict=True):
        torch.testing.assert_close(leaf.detach(), p, rtol=1e-13, atol=0)
    assert sampler.n_steps == 12


def test_optimizer_moves_a_parameter_without_gradient_by_noise_alone():
    used, unused = (torch.zeros(5000, requires_grad=True) for _ in range(2))
    sampler = SGLD([used, unused], lr=0.25, generator=generator())
    used.sum().backward()
    sampler.step()
    # standard deviation .5 with a relative standard error of 1 / sqrt(2 n) = 1 %; 4.5 of them
    assert float(unused.detach().std()) == pytest.approx(0.5, rel=0.045)


def regression(n=50, d=2):
    rng = np.random.RandomState(0)
    X = torch.from_numpy(rng.normal(size=(n, d)) @ np.array([[1.0, 0.6], [0.0, 0.8]]))
    y = X @ torch.tensor([1.0, -2.0], dtype=torch.float64) + torch.from_numpy(rng.normal(size=n))
    precision = X.T @ X + torch.eye(d)  # unit noise, standard normal prior
    return X, y, precision, torch.linalg.solve(precision, X.T @ y)


@pytest.mark.parametrize("batch_size", [50, 10])
def test_linear_regression_posterior_with_minibatches(batch_size):
    """Mean and covariance in closed form, from many chains with batches of their own."""
    X, y, precision, mean = regression()
    n, n_chains, step_size = len(X), 8000, 4e-4
    w = mean.repeat(n_chains, 1)  # started at the mean: only the spread has to be found
    rows = generator(1)

    def gradient():  # of U / n on a batch drawn for every chain (with replacement)
        if batch_size == n:
            return [(w @ precision - X.T @ y) / n]
        index = torch.randint(n, (n_chains, batch_size), generator=rows)
        Xb, yb = X[index], y[index]  # (chains, batch, 2), (chains, batch)
        residual = torch.einsum("cbd,cd->cb", Xb, w) - yb
        return [torch.einsum("cb,cbd->cd", residual, Xb) / batch_size + w / n]

    # slowest direction: eps lambda_min / 2 a step; after 500 steps e^-2 t of the start's lack is
    # left in the variance
    rate = step_size * float(torch.linalg.eigvalsh(precision)[0]) / 2
    n_steps = int(np.ceil(3.5 / rate))
    run([w], gradient, step_size, n_steps, gradient_scale=n)
    # the stiffest direction's share of minibatch noise, alpha, is known: it widens the posterior
    scores = (X @ mean - y).unsqueeze(1) * X
    covariance = scores.T @ scores / n - torch.outer(scores.mean(0), scores.mean(0))
    extra = 0.0
    if batch_size < n:
        extra = step_size * n**2 * covariance / (4 * batch_size)
    whitener = torch.linalg.cholesky(precision)
    white = (w - mean) @ whitener
    # noise of a step eps (I + extra): the stationary covariance to first order in eps solves
    # (P S + S P) / 2 = I + extra
    eye = torch.eye(2, dtype=torch.float64)
    operator = (torch.kron(precision, eye) + torch.kron(eye, precision)) / 2
    stationary = torch.linalg.solve(operator, (eye + extra).reshape(-1)).reshape(2, 2)
    expected = whitener.T @ stationary @ whitener
    # 8000 chains: mean within 4.5 / sqrt(n) = .05, covariance within 4.5 sqrt(2 / n) = .07, and
    # .02 for the terms of second order in the step
    assert float(white.mean(0).abs().max()) < 0.05 * float(expected.diagonal().max()) ** 0.5
    assert float((torch.cov(white.T) - expected).abs().max()) < 0.09
    # the step is small enough for the posterior itself: no more than a tenth wider
    assert float((expected - eye).abs().max()) < 0.15


def test_schedules():
    assert constant(0.3)(0) == constant(0.3)(10**6) == 0.3
    a, b, gamma = 0.7, 40.0, 0.55
    schedule = polynomial(a * b**-gamma, b, gamma)
    for t in (0, 1, 17, 10_000):
        assert schedule(t) == pytest.approx(a * (b + t) ** -gamma, rel=1e-12)
    steps = [schedule(t) for t in range(100)]
    assert all(later < earlier for earlier, later in itertools.pairwise(steps))


@pytest.mark.parametrize("n_chains", [1, 3])
def test_largest_eigenvalue_of_known_matrices(n_chains):
    rng = np.random.RandomState(1)
    matrices = torch.from_numpy(rng.normal(size=(n_chains, 6, 6)))
    matrices = matrices @ matrices.mT
    shapes = [torch.zeros(n_chains, 2, 2, dtype=torch.float64), torch.zeros(n_chains, 2).double()]

    def product(vector):
        flat = torch.cat([v.flatten(1) for v in vector], 1)
        image = torch.einsum("cij,cj->ci", matrices, flat)
        return [image[:, :4].view(-1, 2, 2), image[:, 4:]]

    found = largest_eigenvalue(product, shapes, n_iter=300, generator=generator())
    torch.testing.assert_close(found, torch.linalg.eigvalsh(matrices)[:, -1], rtol=1e-6, atol=0)
    # a matrix of zeros is no division by zero
    zero = largest_eigenvalue(lambda v: [0 * x for x in v], shapes, generator=generator())
    assert zero.tolist() == [0.0] * n_chains


class Network:
    """A small tanh network a chain with exact derivatives by autograd."""

    def __init__(self, n_chains=2, n=20):
        rng = np.random.RandomState(2)
        self.X = torch.from_numpy(rng.normal(size=(n, 3)))
        self.y = torch.from_numpy(rng.normal(size=n))
        self.W = torch.from_numpy(rng.normal(size=(n_chains, 4, 3))).requires_grad_()
        self.v = torch.from_numpy(rng.normal(size=(n_chains, 4))).requires_grad_()
        self.position = [self.W, self.v]

    def row_losses(self, flat=None):  # (chains, rows)
        W, v = self.position if flat is None else (flat[:, :12].view(-1, 4, 3), flat[:, 12:])
        f = torch.einsum("ch,cnh->cn", v, torch.tanh(torch.einsum("chd,nd->cnh", W, self.X)))
        return (f - self.y) ** 2 / 2

    @torch.enable_grad()
    def gradient(self, weight=None):
        losses = self.row_losses()
        total = losses.sum() if weight is None else (losses * weight).mean(1).sum()
        return list(torch.autograd.grad(total, self.position))

    def flat(self, chain):
        return torch.cat([self.W[chain].flatten(), self.v[chain]]).detach().unsqueeze(0)


def unflatten(flat):
    return [flat[:, :12].view(-1, 4, 3), flat[:, 12:]]


def test_hessian_product_against_the_exact_hessian():
    net = Network()
    before = [p.detach().clone() for p in net.position]
    direction = torch.randn(2, 16, dtype=torch.float64, generator=generator(3))
    direction /= direction.norm(dim=1, keepdim=True)
    product = hessian_product(net.gradient, net.position)
    found = torch.cat([p.flatten(1) for p in product(unflatten(direction))], 1)
    for chain in range(2):
        exact = torch.autograd.functional.hessian(
            lambda flat: net.row_losses(flat).sum(), net.flat(chain)
        ).reshape(16, 16)
        expected = exact @ direction[chain]
        # a central difference errs by delta^2 / 6 times the third derivative
        torch.testing.assert_close(found[chain], expected, rtol=1e-3, atol=1e-3)
        leading = torch.linalg.eigvalsh(exact).abs().max()
        size = largest_eigenvalue(product, net.position, n_iter=200, generator=generator())
        torch.testing.assert_close(size[chain].detach(), leading, rtol=1e-4, atol=0)
    for p, start in zip(net.position, before, strict=True):  # put back to the bit
        assert torch.equal(p.detach(), start)


def test_score_covariance_product_against_explicit_row_gradients():
    net = Network()
    before = [p.detach().clone() for p in net.position]
    product = score_covariance_product(net.row_losses, net.gradient, net.position)
    direction = torch.randn(2, 16, dtype=torch.float64, generator=generator(4))
    direction /= direction.norm(dim=1, keepdim=True)
    found = torch.cat([p.flatten(1) for p in product(unflatten(direction))], 1)
    size = largest_eigenvalue(product, net.position, n_iter=200, generator=generator())
    for chain in range(2):
        rows = torch.autograd.functional.jacobian(
            lambda flat: net.row_losses(flat)[0], net.flat(chain)
        ).reshape(-1, 16)
        covariance = torch.cov(rows.T, correction=0)
        expected = covariance @ direction[chain]
        torch.testing.assert_close(found[chain], expected, rtol=1e-3, atol=1e-3)
        leading = torch.linalg.eigvalsh(covariance)[-1]
        torch.testing.assert_close(size[chain].detach(), leading, rtol=1e-4, atol=0)
    for p, start in zip(net.position, before, strict=True):
        assert torch.equal(p.detach(), start)


def test_a_curvature_that_overflows_is_infinite():
    like = [torch.ones(2, 3, dtype=torch.float64)]
    scale = torch.tensor([[1e200], [2.0]], dtype=torch.float64)
    found = largest_eigenvalue(lambda v: [scale * v[0]], like, generator=generator())
    assert found.tolist() == [np.inf, pytest.approx(2.0)]


OPTIMIZERS = [SGLD, SGHMC, ConstantSGD, HMC]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["lr", "n_data", "temperature", "friction", "n_leapfrog"])
@pytest.mark.parametrize("value", [None, -1.0, np.nan, np.inf, "a", [1]])
def test_bad_numbers(optimizer, name, value):
    if name in inspect.signature(optimizer).parameters:
        with pytest.raises(ValueError, match=f"{name}=.* must be a"):
            optimizer([torch.ones(2, 3, requires_grad=True)], **{name: value})
