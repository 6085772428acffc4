"""What the tests of the engine share: rows, and a net that does not learn."""

import numpy as np
import torch
from scipy import sparse

from skbayes._engine.build import build_net
from skbayes._engine.rows import Rows
from skbayes.nn import StackedMLP
from skbayes.supervised._likelihood import StackCrossEntropy

CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_rows(n=13, weight=None, sparse_X=False, dtype=torch.float64, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 4)) * (rng.uniform(size=(n, 4)) < 0.7)
    y = rng.randint(3, size=n)
    return Rows(sparse.csr_array(X) if sparse_X else X, y, weight, device=CPU, dtype=dtype)


def make_data(n=60, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 4))
    return X, (X[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int)


def quiet_net(rows, stack=None, **params):
    stack = stack or StackedMLP(4, (6,), 3, 2, generator=generator(), dtype=rows.dtype)
    net = build_net(
        stack,
        StackCrossEntropy(),
        torch.optim.SGD,
        rows,
        **{
            "batch_size": 5,
            "max_epochs": 3,
            "lr": 0.0,
            "shuffle": generator(1),
            "precisions": [0.0] * len(list(stack.parameters())),
            **params,
        },
    )
    net.initialize_callbacks()
    return net
