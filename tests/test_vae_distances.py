"""Distances of codes from the prior, trimming and the discriminators' losses."""

import itertools

import numpy as np
import pytest
import torch
from vae_toys import DOUBLE, normal

from skbayes.density import _criteria as C


@pytest.mark.parametrize("name", sorted(C.KERNELS))
def test_kernels_are_what_their_names_say(name):
    one = {
        "imq": lambda d2, w, s: s * w / (s * w + d2),
        "rbf": lambda d2, w, s: np.exp(-d2 / (s * w)),
        "rq": lambda d2, w, s: (1 + d2 / (s * w)) ** -s,
    }[name]
    square = torch.tensor([0.0, 0.3, 2.0, 50.0], **DOUBLE)
    expected = sum(one(square.numpy(), 3.0, s) for s in C.SCALES)
    np.testing.assert_allclose(C.KERNELS[name](square, 3.0), expected)


@pytest.mark.parametrize("name", sorted(C.KERNELS))
def test_mmd_is_the_u_statistic(name):
    a, b = normal(2, 5, 3), 0.5 + normal(2, 7, 3, seed=1)
    kernel = C.KERNELS[name]

    def k(x, y):
        return float(kernel((x - y).square().sum(), 2.0))

    for member in range(2):
        x, y = a[member], b[member]
        expected = (
            np.mean([k(x[i], x[j]) for i, j in itertools.permutations(range(5), 2)])
            + np.mean([k(y[i], y[j]) for i, j in itertools.permutations(range(7), 2)])
            - 2 * np.mean([k(u, v) for u in x for v in y])
        )
        np.testing.assert_allclose(C.mmd(a, b, kernel, 2.0)[member], expected, rtol=1e-10)


@pytest.mark.parametrize("name", sorted(C.KERNELS))
def test_mmd_is_zero_in_expectation_under_equality_only(name):
    n = 2000  # repetitions, as members
    kernel, width = C.KERNELS[name], 4.0
    same = C.mmd(normal(n, 20, 2), normal(n, 20, 2, seed=1), kernel, width)
    assert abs(float(same.mean())) < 4 * float(same.std()) / n**0.5
    # the trap: codes that collapse to one point must look worse than draws of the prior
    collapsed = C.mmd(torch.zeros(n, 20, 2, **DOUBLE), normal(n, 20, 2, seed=1), kernel, width)
    assert float(collapsed.mean()) > 5 * float(same.std())


def test_stein_discrepancy_is_the_u_statistic():
    width = 2.0
    code, score = normal(1, 6, 3), normal(1, 6, 3, seed=1)

    def term(i, j):
        x, y = (code[0, i].clone().requires_grad_() for i in (i, j))
        k = (1 + (x - y).square().sum() / width).rsqrt()
        grad_x, grad_y = torch.autograd.grad(k, (x, y), create_graph=True)
        trace = sum(torch.autograd.grad(grad_x[d], y, retain_graph=True)[0][d] for d in range(3))
        s_x, s_y = score[0, i], score[0, j]
        return (s_x @ s_y * k + s_x @ grad_y + s_y @ grad_x + trace).item()

    expected = np.mean([term(i, j) for i, j in itertools.permutations(range(6), 2)])
    np.testing.assert_allclose(C.stein_discrepancy(code, score, width)[0], expected, rtol=1e-10)


def test_stein_discrepancy_is_zero_in_expectation_for_draws_only():
    n = 2000
    draws = normal(n, 20, 2)
    values = C.stein_discrepancy(draws, -draws, 2.0)
    assert abs(float(values.mean())) < 4 * float(values.std()) / n**0.5
    for wrong in (draws + 1.0, 0.3 * draws, 3.0 * draws):
        others = C.stein_discrepancy(wrong, -wrong, 2.0)
        assert float(others.mean()) > 10 * float(others.std()) / n**0.5


@pytest.mark.parametrize("share", [0.0, 0.1, 0.34, 0.9])
def test_trimming_keeps_the_mean_of_the_smallest(share):
    losses = normal(2, 9)
    n_kept = 9 - int(share * 9)
    expected = losses.sort(1).values[:, :n_kept].mean(1)
    torch.testing.assert_close(C.trimmed(losses, share).mean(1), expected)


def test_discriminators_losses_are_cross_entropies():
    real, made = normal(1, 4, 1), normal(1, 4, 1, seed=1)
    p, q = torch.sigmoid(real), torch.sigmoid(made)
    expected = -0.5 * (p.log() + (1 - q).log()).squeeze(-1)
    torch.testing.assert_close(C.discriminator_loss(real, made), expected)
    torch.testing.assert_close(C.generator_loss(made), -q.log().squeeze(-1))
