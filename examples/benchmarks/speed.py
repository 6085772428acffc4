"""Speed of training and prediction, as ratios against loops that a user would write instead.

Run on one thread (the script sees to it)::

    python examples/benchmarks/speed.py

Problem: multilayer perceptrons 20-64-64-3, n = 5000, batch 128, Adam, float32. All contenders run
in turn, several rounds in one process; a contender's time is its best round (CPU seconds), so that
other work on the machine does not decide the ratio.
"""

import time
import warnings

import numpy as np
import torch
from skorch import NeuralNetClassifier
from torch import nn

from skbayes import DeepEnsembleFilterClassifier

N_ROWS, N_FEATURES, N_CLASSES, BATCH, N_EPOCHS, N_MEMBERS = 5000, 20, 3, 128, 4, 10
ROUNDS = 5


def make_data():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    y = (X[:, :5] @ rng.normal(size=(5, N_CLASSES))).argmax(axis=1)
    return X, y


def make_mlp(n_features=N_FEATURES, n_outputs=N_CLASSES):
    return nn.Sequential(
        nn.Linear(n_features, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, n_outputs)
    )


def raw_loop(X, y, n_members):
    """One member after the other in plain torch, on shuffled slices."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    loss_function = nn.CrossEntropyLoss()
    for _ in range(n_members):
        net = make_mlp()
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        for _ in range(N_EPOCHS):
            order = torch.randperm(N_ROWS)
            for start in range(0, N_ROWS, BATCH):
                index = order[start : start + BATCH]
                optimizer.zero_grad()
                loss_function(net(X[index]), y[index]).backward()
                optimizer.step()
    return net


def skorch_loop(X, y, n_members):
    """One member after the other by skorch's classifier."""
    for _ in range(n_members):
        NeuralNetClassifier(
            make_mlp,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            batch_size=BATCH,
            max_epochs=N_EPOCHS,
            train_split=None,
            verbose=0,
        ).fit(X, y)


def skbayes_fit(X, y, n_members):
    return DeepEnsembleFilterClassifier(
        (64, 64),
        n_members=n_members,
        batch_size=BATCH,
        init_epochs=N_EPOCHS,
        learning_rate="constant",
        learning_rate_init=1e-3,
        random_state=0,
        device="cpu",
    ).fit(X, y)


def best_of(contenders, rounds):
    """Best CPU seconds of each, measured in turn."""
    best = dict.fromkeys(contenders, np.inf)
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def report(title, seconds, unit_steps, ours, bounds):
    print(f"\n{title}")
    for name, value in seconds.items():
        print(f"  {name:42s} {1e6 * value / unit_steps:9.1f} us   {value / seconds[ours]:6.2f} x")
    for name, text in bounds.items():
        print(f"  asked of {name}: {text}")


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    X, y = make_data()
    n_steps = N_EPOCHS * -(-N_ROWS // BATCH)

    many = best_of(
        {
            "skbayes, one stacked fit": lambda: skbayes_fit(X, y, N_MEMBERS),
            "loop over raw torch members": lambda: raw_loop(X, y, N_MEMBERS),
            "loop over skorch's NeuralNetClassifier": lambda: skorch_loop(X, y, N_MEMBERS),
        },
        ROUNDS,
    )
    report(
        f"Training {N_MEMBERS} members, CPU microseconds a member and step, ratio to skbayes",
        many,
        n_steps * N_MEMBERS,
        "skbayes, one stacked fit",
        {"raw loop": "at least 3.3", "skorch": "at least 8"},
    )

    one = best_of(
        {
            "skbayes, one member": lambda: skbayes_fit(X, y, 1),
            "raw torch loop": lambda: raw_loop(X, y, 1),
        },
        3 * ROUNDS,
    )
    report(
        "Training one member, CPU microseconds a step, ratio to the raw loop",
        one,
        n_steps,
        "raw torch loop",
        {"skbayes": "at most 1.35"},
    )

    rows = np.ascontiguousarray(X[:2000])
    tensor = torch.from_numpy(rows)
    print("\nPredicting 2000 rows, ratio to the bare forward pass with softmax")
    for n_members in (1, N_MEMBERS):
        model = skbayes_fit(X, y, n_members)
        nets = [make_mlp() for _ in range(n_members)]

        def bare(nets=nets):
            with torch.no_grad():
                for net in nets:
                    proba = torch.softmax(net(tensor), -1)
            return proba.numpy()

        def ours(model=model):
            return model.predict_proba(rows)

        repeat = 200
        seconds = best_of(
            {
                "bare": lambda f=bare: [f() for _ in range(repeat)],
                "ours": lambda f=ours: [f() for _ in range(repeat)],
            },
            2 * ROUNDS,
        )
        print(
            f"  {n_members:2d} member(s): bare {1e6 * seconds['bare'] / repeat:7.1f} us, skbayes "
            f"{1e6 * seconds['ours'] / repeat:7.1f} us   {seconds['ours'] / seconds['bare']:5.2f} x"
        )
    print("  asked of skbayes: at most 1.5")


if __name__ == "__main__":
    main()
