"""Simulation-based calibration of the regressors (Talts et al. 2018).

Weights are drawn from the prior and data from the likelihood; the posterior is sampled. Whatever
the posterior looks like, the rank of a true quantity among independent posterior draws is then
uniform. A sampler that is too wide, too narrow or off centre shows in the histogram of the ranks
over many simulations.
"""

import numpy as np
import pytest
from scipy.stats import chisquare
from sklearn.base import clone

from skbayes import HMCRegressor, SGHMCRegressor, SGLDRegressor
from skbayes.diagnostics import ess

N_SIMULATIONS, N_BINS, N_DRAWS = 300, 20, 99
NOISE, WIDTH = 0.3, 3
X = np.linspace(-2, 2, 15)[:, None]
#: Beside the data, among them, and outside: where the truth is ranked.
INPUTS = np.array([[-1.5], [0.5], [3.0]])
QUANTITIES = ("f(-1.5)", "f(0.5)", "f(3)", "log likelihood")

NETWORK = {"hidden_layer_sizes": (WIDTH,), "activation": "tanh", "noise_scale": NOISE}
# a fit takes about a second
SAMPLERS = [
    HMCRegressor(**NETWORK, n_chains=8, n_warmup=30, n_draws=60),
    SGHMCRegressor(**NETWORK, n_chains=20, n_warmup=1000, n_draws=40, thinning=40),
    SGLDRegressor(**NETWORK, n_chains=20, n_warmup=1000, n_draws=40, thinning=60),
]


def simulate(rng):
    """The function drawn from the prior, and data from it."""
    W, b, V = rng.normal(size=(3, WIDTH))
    c = rng.normal()

    def f(x):
        return np.tanh(x * W + b) @ V + c

    return f, f(X) + NOISE * rng.normal(size=len(X))


def log_likelihood(f, y):
    return -0.5 * ((f - y) ** 2).sum(-1) / NOISE**2


def posterior(model, y, random_state):
    """Draws of the quantities, of shape (chains, draws, 4), worth 99 independent ones or more."""
    model = clone(model).set_params(random_state=random_state).fit(X, y)
    parts: list = []
    while True:
        draws = model.sample_mean(np.vstack([INPUTS, X]))
        values = np.column_stack([draws[:, :3], log_likelihood(draws[:, 3:], y)])
        parts.append(values.reshape(model.n_chains_, -1, 4))
        values = np.concatenate(parts, axis=1)
        if ess(values).min() >= N_DRAWS or len(parts) == 10:
            return values
        # too few: go on, with the steps found
        model.set_params(n_warmup=0, step_size=model.step_size_, warm_start=True).fit(X, y)


def ranks(model):
    """Number of the thinned draws below the truth, of shape (simulations, 4)."""
    found = np.empty((N_SIMULATIONS, 4), dtype=int)
    for number in range(N_SIMULATIONS):
        f, y = simulate(np.random.RandomState(1000 + number))
        truth = np.append(f(INPUTS), log_likelihood(f(X), y))
        values = posterior(model, y, number).reshape(-1, 4)
        chosen = np.linspace(0, len(values) - 1, N_DRAWS).round().astype(int)
        found[number] = (values[chosen] < truth).sum(0)
    return found


def p_values(found):
    counts = [np.bincount(column * N_BINS // (N_DRAWS + 1), minlength=N_BINS) for column in found.T]
    return {
        name: float(chisquare(count).pvalue) for name, count in zip(QUANTITIES, counts, strict=True)
    }


@pytest.mark.slow
@pytest.mark.parametrize("model", SAMPLERS, ids=lambda model: type(model).__name__)
def test_ranks_of_the_truth_are_uniform(model):
    found = p_values(ranks(model))
    print(type(model).__name__, found)
    if not isinstance(model, SGLDRegressor):  # its step is finite: reported only
        assert min(found.values()) > 0.001, found


def test_the_check_knows_a_wrong_posterior():
    """Of a Gaussian posterior the ranks are uniform, of wrong ones they are not."""
    rng = np.random.RandomState(0)
    centre = rng.normal(size=(N_SIMULATIONS, 1, 4))
    truth = centre + rng.normal(size=(N_SIMULATIONS, 1, 4))
    # a posterior as it should be, 40 % too wide, 30 % too narrow, half a deviation off
    scale, shift = np.array([1.0, 1.4, 0.7, 1.0]), np.array([0, 0, 0, 0.5])
    draws = centre + shift + scale * rng.normal(size=(N_SIMULATIONS, N_DRAWS, 4))
    p = list(p_values((draws < truth).sum(1)).values())
    assert p[0] > 0.001
    assert max(p[1:]) < 0.001
