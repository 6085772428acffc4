"""Other packages on the problems of ``nuts_problems``, and the loops that they are made of."""

import importlib
import os
import sys
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from nuts_problems import HIDDEN, N_CHAINS, NAN, Result, rhat_of
from scipy.stats import norm
from torch.nn import functional as F


def bde(problem, seed, quick):
    """sklearn-contrib-bde with the steps of its own regression example; it knows no tanh."""
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
    import jax
    from bde import BdeClassifier
    from bde.models import Fnn

    Fnn._get_activation = staticmethod(lambda name: jax.numpy.tanh)
    share = 5 if quick else 1
    model = BdeClassifier(
        n_members=N_CHAINS,
        hidden_layers=[HIDDEN],
        seed=seed,
        epochs=1000,
        patience=10,
        warmup_steps=5000 // share,
        n_samples=2000 // share,
        n_thinning=2,
    )
    X = problem.rows("train")
    start = time.process_time()
    model.fit(X, problem.y.astype(np.int32))
    jax.block_until_ready(model.positions_eT_)
    seconds = time.process_time() - start

    def proba(rows):
        return np.asarray(jax.nn.softmax(model.predict(rows, raw=True), axis=-1))

    def sample(rows):
        draws = proba(rows)
        return draws.reshape(-1, *draws.shape[2:])

    return Result(sample, seconds, rhat_of(proba(X)[..., 0]))


def stacked_weights(n_features, n_outputs, n_chains, seed):
    """Weights of all chains, drawn as torch.nn.Linear draws its own."""
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for n_in, n_out in ((n_features, HIDDEN), (HIDDEN, n_outputs)):
        for shape in ((n_chains, n_in, n_out), (n_chains, 1, n_out)):
            values = torch.empty(shape).uniform_(-1.0, 1.0, generator=generator)
            weights.append(values.div_(n_in**0.5).requires_grad_())
    return weights


def forward(weights, X):
    """Outputs of the two layers of all chains; X of shape (chains, rows, features)."""
    w1, b1, w2, b2 = weights
    return torch.baddbmm(b2, torch.tanh(torch.baddbmm(b1, X, w1)), w2)


def summed_loss(problem, output, y):
    """Negative log-likelihood, summed over rows and chains."""
    if problem.regression:
        return (output[..., 0] - y).square().sum() / (2.0 * problem.noise**2)
    return F.cross_entropy(output.reshape(-1, output.shape[-1]), y.reshape(-1), reduction="sum")


def as_tensors(problem, n_chains):
    X = torch.from_numpy(problem.rows("train"))
    y = torch.as_tensor(problem.y, dtype=torch.float32 if problem.regression else torch.int64)
    return X.expand(n_chains, *X.shape), y.expand(n_chains, *y.shape).contiguous()


def torch_uncertainty(problem, seed, quick, **options):
    """torch-uncertainty's SGLD on the right potential: summed loss, weight_decay=1.

    Its update is elementwise, so that the chains can be stacked.
    """
    from torch_uncertainty.optim.sgld import SGLD

    weights = stacked_weights(problem.rows("train").shape[1], problem.n_outputs, N_CHAINS, seed)
    X, y = as_tensors(problem, N_CHAINS)
    torch.manual_seed(seed)  # it draws its noise from the global state
    optimizer = SGLD(weights, weight_decay=1.0, **options)
    kept = []
    share = 5 if quick else 1
    start = time.process_time()
    for step in range(10000 // share):
        optimizer.zero_grad()
        summed_loss(problem, forward(weights, X), y).backward()
        optimizer.step()
        if step >= 2000 // share and step % 20 == 19:
            kept.append([p.detach().clone() for p in weights])
    seconds = time.process_time() - start

    def values(rows):
        rows = torch.from_numpy(rows).expand(N_CHAINS, *rows.shape)
        draws = torch.stack([forward(draw, rows) for draw in kept], dim=1)
        return draws[..., 0] if problem.regression else torch.softmax(draws, -1)

    on_train = values(problem.rows("train"))
    if not bool(on_train.isfinite().all()):
        raise ValueError("diverged")
    largest = rhat_of(on_train if problem.regression else on_train[..., 0])
    return Result(lambda rows: values(rows).flatten(0, 1), seconds, largest)


def laplace(problem, seed, quick, link):
    """laplace-torch at the mode: all weights, full Hessian, linearised network.

    Class probabilities by its default, the probit approximation (mean only), or sampled.
    """
    from laplace import Laplace

    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(problem.rows("train").shape[1], HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Linear(HIDDEN, problem.n_outputs),
    )
    X, y = (values[0] for values in as_tensors(problem, 1))
    start = time.process_time()
    n_steps = 1000 if quick else 5000
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        optimizer.zero_grad()
        prior = sum(p.square().sum() for p in model.parameters()) / 2.0
        (summed_loss(problem, model(X)[None], y[None]) + prior).backward()
        optimizer.step()
        decay.step()
    data = torch.utils.data.TensorDataset(X, y[:, None] if problem.regression else y)
    settings = {"subset_of_weights": "all", "hessian_structure": "full", "prior_precision": 1.0}
    if problem.regression:
        settings["sigma_noise"] = problem.noise
    fitted = Laplace(model, "regression" if problem.regression else "classification", **settings)
    fitted.fit(torch.utils.data.DataLoader(data, batch_size=len(X)))
    seconds = time.process_time() - start

    def sample(rows):
        rows = torch.from_numpy(rows)
        if not problem.regression and link == "probit":
            return fitted(rows).detach()[None]
        if not problem.regression:
            return fitted.predictive_samples(rows, pred_type="glm", n_samples=1000)
        mean, variance = (values.detach().flatten().numpy() for values in fitted(rows))
        # Gaussian at every point: its quantiles stand for draws
        scores = norm.ppf((np.arange(1000) + 0.5) / 1000)
        return mean + np.sqrt(variance) * (scores / scores.std())[:, None]

    return Result(sample, seconds, only_mean=link == "probit")


@dataclass(frozen=True)
class Peer:
    """Another package's method, and what it scored when it was last installed.

    ``recorded`` holds, by problem, the columns of the table up to the NLL, and the seconds.
    ``regression`` tells whether it can be run with a known noise.
    """

    module: str
    fit: object
    recorded: dict
    regression: bool = True

    def installed(self):
        try:
            importlib.import_module(self.module)
        except ImportError:
            return False
        except Exception as error:  # installed, but broken
            print(f"{self.module} cannot be imported: {error}", file=sys.stderr)
            return False
        return True


PEERS = {
    "sklearn-contrib-bde (tanh patched in)": Peer(
        "bde", bde, {"moons_h50": ((0.0062, 0.996, NAN, 0.1437), 23.0)}, regression=False
    ),
    "torch-uncertainty's SGLD, defaults": Peer(
        "torch_uncertainty.optim.sgld",
        torch_uncertainty,
        {"moons_h50": ((0.0203, 0.992, 0.05, 0.158), NAN)},
    ),
    "torch-uncertainty's SGLD, noise_factor=1": Peer(
        "torch_uncertainty.optim.sgld", partial(torch_uncertainty, noise_factor=1.0), {}
    ),
    "laplace-torch, full, probit": Peer(
        "laplace",
        partial(laplace, link="probit"),
        {"moons_h50": ((0.069, 0.994, NAN, 0.208), 0.4)},
        regression=False,
    ),
    "laplace-torch, full, sampled": Peer(
        "laplace",
        partial(laplace, link="sampled"),
        {"gap1d_h50": ((0.305, 0.51, 0.91, 0.77, -0.809), NAN)},
    ),
}
