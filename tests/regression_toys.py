"""What the tests of the regressors share: data, small models, a check of moments."""

import numpy as np
import pytest
import torch
from estimators import name_of

from skbayes import HMCRegressor, SGHMCRegressor, SGLDRegressor

LINEAR = {"hidden_layer_sizes": (), "random_state": 0}


#: Small ones, where any posterior will do.
SMALL = [
    SGLDRegressor((5,), n_chains=2, n_warmup=60, n_draws=7, thinning=5, random_state=0),
    SGHMCRegressor((5,), n_chains=2, n_warmup=60, n_draws=7, thinning=5, random_state=0),
    HMCRegressor(
        (5,), n_chains=2, n_warmup=0, n_draws=7, step_size=0.02, max_leapfrog=10, random_state=0
    ),
]


EACH_SMALL = pytest.mark.parametrize("model", SMALL, ids=name_of)


NOISES = pytest.mark.parametrize("noise_scale", [0.7, "learned", "heteroscedastic"])


def make_data(n=40, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 3))
    return X, X @ [1.0, -2.0, 0.0] + 0.7 * rng.normal(size=n) + 1


def weights(model):
    """Draws of the weights, of shape (draws, weights): slopes, then the intercept."""
    params = {k: p.flatten(1) for k, p in model.posterior_.params.items() if "log_scale" not in k}
    return torch.cat(list(params.values()), 1).numpy()


def check_moments(model, draws, mean, std, bias=0.0):
    """Mean and standard deviation within 4.5 standard errors, those of independent chains."""
    chains = draws.reshape(model.n_chains_, -1, draws.shape[-1])
    error = chains.mean(1).std(0, ddof=1) / model.n_chains_**0.5
    assert (np.abs(draws.mean(0) - mean) < 4.5 * error).all()
    # of the squares about the known mean
    squares = ((chains - mean) / std) ** 2
    error = squares.mean(1).std(0, ddof=1) / model.n_chains_**0.5
    assert (squares.mean((0, 1)) > 1 - 4.5 * error).all()
    assert (squares.mean((0, 1)) < 1 + bias + 4.5 * error).all()
    assert error.max() < 0.25  # the run is long enough to tell
