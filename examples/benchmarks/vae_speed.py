"""Speed of the anomaly detector: against a raw torch loop, and against PyOD's VAE if it is there.

    OMP_NUM_THREADS=1 SKBAYES_DATA=/path/to/data python examples/benchmarks/vae_speed.py

One thread, one process, CPU seconds. First one member against a plain loop at equal
architecture, epochs and batch (best of several rounds). Then fits and scores on the 14 development
sets of ADBench (rows capped at 10 000, half of the normal rows to train), with the defaults and
with the fast setting, beside PyOD's VAE with its own.
"""

import os
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

from skbayes import VAEAnomalyDetector

SETS = (
    "2_annthyroid 6_cardio 30_satellite 4_breastw 29_Pima 14_glass 18_Ionosphere 25_musk "
    "26_optdigits 40_vowels 20_letter 32_shuttle 41_Waveform 5_campaign"
).split()
#: The documented fast setting.
FAST = {"n_members": 1, "hidden_layer_sizes": (64, 64), "dtype": "float32"}
ROUNDS, EPOCHS, BATCH, N, D, L, H = 5, 10, 128, 4000, 20, 15, 96


def raw_loop(X):
    """A VAE as one would write it in torch, with the detector's input noise and variance."""
    X = torch.from_numpy(X)
    encoder = nn.Sequential(
        nn.Linear(D, H), nn.SiLU(), nn.Linear(H, H), nn.SiLU(), nn.Linear(H, 2 * L)
    )
    decoder = nn.Sequential(nn.Linear(L, H), nn.SiLU(), nn.Linear(H, H), nn.SiLU(), nn.Linear(H, D))
    log_noise = nn.Parameter(torch.zeros(D))
    params = [*encoder.parameters(), *decoder.parameters(), log_noise]
    optimizer = torch.optim.Adam(params, lr=3e-3, fused=True)
    levels = torch.tensor([0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
    for _ in range(EPOCHS):
        order = torch.randperm(N)
        for start in range(0, N, BATCH):
            x = X[order[start : start + BATCH]]
            strength = levels[torch.randint(6, (len(x), 1))]
            mean, logvar = encoder(x + strength * torch.randn_like(x)).chunk(2, -1)
            code = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
            variance = (2 * log_noise).exp() + 4e-4
            fit = 0.5 * ((x - decoder(code)).square() / variance + variance.log()).sum(-1)
            kl = 0.5 * (logvar.exp() + mean.square() - 1 - logvar).sum(-1)
            optimizer.zero_grad()
            (fit + 0.01 * kl).mean().backward()
            optimizer.step()


def fit_detector(X):
    VAEAnomalyDetector(
        n_members=1, max_iter=EPOCHS, score_method="reconstruction", n_components=L, random_state=0
    ).fit(X)


def cpu(function, *args):
    start = time.process_time()
    result = function(*args)
    return time.process_time() - start, result


def compare_loops():
    torch.set_num_threads(1)
    X = np.random.RandomState(0).normal(size=(N, D)).astype(np.float32)
    best = {"raw torch loop": np.inf, "VAEAnomalyDetector, one member": np.inf}
    for _ in range(ROUNDS):
        for name, run in zip(best, (raw_loop, fit_detector), strict=True):
            best[name] = min(best[name], cpu(run, X)[0])
    print("| training, 10 epochs of 4000 rows | CPU s | ratio |\n| --- | --- | --- |")
    for name, seconds in best.items():
        print(f"| {name} | {seconds:.3f} | {seconds / best['raw torch loop']:.2f} |")


def contenders():
    yield "VAEAnomalyDetector", lambda: VAEAnomalyDetector(random_state=0), -1
    yield "VAEAnomalyDetector, fast", lambda: VAEAnomalyDetector(random_state=0, **FAST), -1
    try:
        from pyod.models.vae import VAE
    except ImportError:
        return
    yield "PyOD VAE", lambda: VAE(verbose=0, random_state=0), 1


def compare_detectors():
    folder = Path(os.environ["SKBAYES_DATA"]) / "adbench"
    rows = []
    for name in SETS:
        data = np.load(folder / f"{name}.npz")
        X, y = data["X"].astype(float), data["y"].ravel().astype(int)
        if len(y) > 10_000:
            X, _, y, _ = train_test_split(X, y, train_size=10_000, stratify=y, random_state=0)
        normal = np.random.RandomState(0).permutation(np.flatnonzero(y == 0))
        train = normal[: round(0.5 * len(normal))]
        test = np.setdiff1d(np.arange(len(y)), train)
        scaler = StandardScaler().fit(X[train])
        train, X_test, y_test = scaler.transform(X[train]), scaler.transform(X[test]), y[test]
        for contender, make, sign in contenders():
            model = make()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit, _ = cpu(model.fit, train)
                score = model.score_samples if sign < 0 else model.decision_function
                scoring, values = cpu(score, X_test)
            area = roc_auc_score(y_test, sign * values)
            rows.append((contender, len(train), fit, 1e3 * scoring / len(X_test), area))
    print("\n| detector | fit CPU s | PyOD's over it, 2000 rows and more | score, ms a row | AUC |")
    print("| --- | --- | --- | --- | --- |")
    table = {
        contender: np.array([row[1:] for row in rows if row[0] == contender])
        for contender in dict.fromkeys(row[0] for row in rows)
    }
    for contender, own in table.items():
        ratio = table.get("PyOD VAE", np.full_like(own, np.nan))[:, 1] / own[:, 1]
        large = ratio[own[:, 0] >= 2000]
        print(
            f"| {contender} | {own[:, 1].mean():.2f} | {large.min():.1f} to {large.max():.1f} | "
            f"{own[:, 2].mean():.4f} | {own[:, 3].mean():.4f} |"
        )


if __name__ == "__main__":
    VAEAnomalyDetector(n_members=1, max_iter=1).fit(np.zeros((10, 2)))  # imports
    compare_loops()
    if os.environ.get("SKBAYES_DATA"):
        compare_detectors()
