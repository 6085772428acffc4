"""Speed of the convolutional training step, against a raw torch loop of the same network.

    OMP_NUM_THREADS=1 python examples/benchmarks/images_speed.py

One thread, one process, CPU seconds, the best of several rounds in turn. First one member of
``VAE`` beside a loop as one would write it in torch; then, for several members, a grouped
convolution beside a loop over members; then a step at several sizes of the image, with and without
making it smaller first.
"""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skbayes import VAE
from skbayes.density import _networks
from skbayes.nn import StackedConv2d

ROUNDS, EPOCHS, BATCH, N, L, H = 3, 2, 128, 2048, 16, 96


class Block(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv, self.skip = nn.Conv2d(n_in, n_out, 3, padding=1), nn.Conv2d(n_in, n_out, 1)

    def forward(self, x):
        return F.silu(self.conv(x)) + self.skip(x)


def raw_loop(X):
    """The network that VAE makes of 28 x 28 pixels, trained by a plain loop."""
    X = torch.from_numpy(X)
    X = (X - X.mean()) / X.std()

    def perceptron(n_in, n_out):
        layers = (nn.Linear(n_in, H), nn.SiLU(), nn.Linear(H, H), nn.SiLU(), nn.Linear(H, n_out))
        return nn.Sequential(*layers)

    encoder = nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.PixelUnshuffle(2),
        Block(4, 16),
        nn.MaxPool2d(2),
        Block(16, 32),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
        perceptron(512, 2 * L),
    ).to(memory_format=torch.channels_last)
    start = perceptron(L, 512)
    large, small, last = Block(32, 16), Block(16, 16), nn.Conv2d(16, 4, 3, padding=1)
    decoder = nn.ModuleList([start, large, small, last]).to(memory_format=torch.channels_last)

    def decode(code):
        x = F.silu(start(code)).view(-1, 32, 4, 4).contiguous(memory_format=torch.channels_last)
        x = large(F.interpolate(x, scale_factor=2)[..., :7, :7])
        return F.pixel_shuffle(last(small(F.interpolate(x, scale_factor=2))), 2).flatten(1)

    log_noise = nn.Parameter(torch.zeros(1))
    params = [*encoder.parameters(), *decoder.parameters(), log_noise]
    optimizer = torch.optim.Adam(params, lr=3e-3, fused=True)
    for _ in range(EPOCHS):
        order = torch.randperm(N)
        for first in range(0, N, BATCH):
            x = X[order[first : first + BATCH]]
            mean, logvar = encoder(x).chunk(2, -1)
            code = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
            variance = log_noise.exp() + 4e-4
            fit = 0.5 * ((x - decode(code)).square() / variance + variance.log()).sum(-1)
            kl = 0.5 * (logvar.exp() + mean.square() - 1 - logvar).sum(-1)
            optimizer.zero_grad()
            (fit + kl).mean().backward()
            optimizer.step()


def fit_vae(X):
    VAE(L, (H, H), image_shape=(28, 28), max_iter=EPOCHS, random_state=0).fit(X)


def best_of(*runs):
    """Least CPU seconds of every run, the runs in turn."""
    best = [np.inf] * len(runs)
    for _ in range(ROUNDS):
        for k, run in enumerate(runs):
            start = time.process_time()
            run()
            best[k] = min(best[k], time.process_time() - start)
    return best


def compare_loops():
    X = np.random.RandomState(0).uniform(size=(N, 784)).astype(np.float32)
    raw, own = best_of(lambda: raw_loop(X), lambda: fit_vae(X))
    steps = EPOCHS * N // BATCH
    print(
        f"raw loop {1e3 * raw / steps:.1f} ms a step, VAE.fit {1e3 * own / steps:.1f} ms, ", end=""
    )
    print(f"ratio {own / raw:.2f} (everything that fit does after training included)")


def compare_members(n_members=4):
    print("\n| channels, pixels | loop, ms | grouped, ms | ratio |\n| --- | --- | --- | --- |")
    for n_in, n_out, side in [(4, 16, 14), (16, 16, 14), (16, 32, 7)]:
        stack = StackedConv2d(n_in, n_out, n_members)
        X = torch.randn(BATCH, n_members * n_in, side, side)
        X = X.contiguous(memory_format=torch.channels_last).requires_grad_()
        parts = [p.detach().clone() for p in X.split(n_in, 1)]
        parts = [p.contiguous(memory_format=torch.channels_last).requires_grad_() for p in parts]

        def loop(stack=stack, parts=parts):
            for weight, bias, x in zip(stack.weight, stack.bias, parts, strict=True):
                y = F.conv2d(x, weight, bias, padding=1)
                y.backward(torch.ones_like(y))

        def grouped(stack=stack, X=X):
            y = stack(X)
            y.backward(torch.ones_like(y))

        one, other = best_of(
            *[lambda run=run: [run() for _ in range(10)] for run in (loop, grouped)]
        )
        print(f"| {n_in} to {n_out}, {side} x {side} | {1e2 * one:.1f} | ", end="")
        print(f"{1e2 * other:.1f} | {other / one:.2f} |")


def compare_sizes():
    print("\n| image | smaller first | step of 128 rows, CPU ms |\n| --- | --- | --- |")
    for side in (28, 64, 128):
        X = np.random.RandomState(0).uniform(size=(BATCH, side * side)).astype(np.float32)
        for pixels in (_networks.MAX_PIXELS, 10**6)[: 2 if side == 28 else 1]:
            usual, _networks.MAX_PIXELS = _networks.MAX_PIXELS, pixels
            model = VAE(L, (H,), image_shape=(side, side), channels=(16, 32), random_state=0)
            few, many = best_of(
                lambda model=model, X=X: model.set_params(max_iter=1).fit(X),
                lambda model=model, X=X: model.set_params(max_iter=6).fit(X),
            )
            _networks.MAX_PIXELS = usual
            step = 1e3 * (many - few) / 5
            print(f"| {side} x {side} | {'yes' if pixels == usual else 'no'} | {step:.0f} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    compare_loops()
    compare_members()
    compare_sizes()
