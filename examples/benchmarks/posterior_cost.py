"""What ``fit`` costs beside the loop that a user would write instead, in CPU seconds.

Chains stacked by hand, autograd, the same update, the same number of steps of all rows, in one
process and on one thread, the best of three runs in turn; sklearn-contrib-bde where installed.

    SKBAYES_DATA=... python examples/benchmarks/posterior_cost.py [--quick]
"""

import argparse
import math
import time
from functools import partial

import torch
from nuts_peers import PEERS, as_tensors, forward, stacked_weights, summed_loss
from nuts_problems import N_CHAINS, load
from posterior import SGHMC, SGLD, ours


def hand_written(problem, n_steps, step, *, underdamped):
    """The loop that a user would write: chains stacked, autograd, Langevin or BAOAB steps."""
    generator = torch.Generator().manual_seed(0)
    n_features = problem.rows("train").shape[1]
    weights = stacked_weights(n_features, problem.n_outputs, N_CHAINS, 0)
    X, y = as_tensors(problem, N_CHAINS)
    noise = torch.empty(sum(p.numel() for p in weights))
    sizes, shapes = [p.numel() for p in weights], [p.shape for p in weights]

    def shaped(flat):
        return [piece.view(s) for piece, s in zip(flat.split(sizes), shapes, strict=True)]

    velocity = torch.empty_like(noise).normal_(generator=generator)
    friction = 1.0
    decay, spread = math.exp(-friction * step), math.sqrt(-math.expm1(-2.0 * friction * step))
    noise_pieces, velocity_pieces = shaped(noise), shaped(velocity)
    positions = [p.detach() for p in weights]
    draws = []
    for t in range(n_steps):
        for p in weights:
            p.grad = None
        summed_loss(problem, forward(weights, X), y).backward()
        with torch.no_grad():
            gradient = [p.grad for p in weights]
            torch._foreach_add_(gradient, positions)  # the N(0, 1) prior's part
            noise.normal_(generator=generator)
            if underdamped:  # kick, drift, noise, drift
                torch._foreach_add_(velocity_pieces, gradient, alpha=-step)
                torch._foreach_add_(positions, velocity_pieces, alpha=0.5 * step)
                velocity.mul_(decay).add_(noise, alpha=spread)
                torch._foreach_add_(positions, velocity_pieces, alpha=0.5 * step)
            else:
                torch._foreach_add_(positions, gradient, alpha=-0.5 * step)
                torch._foreach_add_(positions, noise_pieces, alpha=step**0.5)
            if t % 20 == 19:
                draws.append([p.clone() for p in positions])
    return draws


def best_of(contenders, rounds):
    """Best CPU seconds of each, measured in turn."""
    best = dict.fromkeys(contenders, math.inf)
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def print_cost(problem, quick):
    share = 5 if quick else 1
    n_steps = 10000 // share
    contenders, ratios = {}, []
    for prefix, params, step in (("SGLD", SGLD, 3e-3), ("SGHMC", SGHMC, 0.045)):
        for n_chains in (N_CHAINS, 1):
            fit = ours(prefix, **{**params, "n_chains": n_chains})
            contenders[f"{prefix}, fit, chains: {n_chains}"] = partial(fit, problem, 0, quick)
        loop = f"{prefix}, hand-written loop, chains: {N_CHAINS}"
        contenders[loop] = partial(
            hand_written, problem, n_steps, step, underdamped=prefix == "SGHMC"
        )
        eight = f"{prefix}, fit, chains: {N_CHAINS}"
        ratios.append((eight, loop, "at most 1.2"))
        ratios.append((eight, f"{prefix}, fit, chains: 1", "at most 2.5"))
    seconds = best_of(contenders, 3)
    peer = PEERS["sklearn-contrib-bde (tanh patched in)"]
    if peer.installed():
        name = "sklearn-contrib-bde, fit, chains: 8"
        seconds[name] = peer.fit(problem, 0, quick).seconds
        ratios += [(f"{p}, fit, chains: {N_CHAINS}", name, "below 1") for p in ("SGLD", "SGHMC")]
    print(f"\nCost on {problem.name}, {n_steps} steps of all rows, best of three in turn\n")
    print(f"| {'run':44s} |  CPU s |")
    print("| --- | --- |")
    for name, value in seconds.items():
        print(f"| {name:44s} | {value:6.2f} |")
    print(f"\n| {'ratio':74s} | measured | asked |")
    print("| --- | --- | --- |")
    for name, other, asked in ratios:
        print(f"| {name + ' / ' + other:74s} | {seconds[name] / seconds[other]:8.2f} | {asked} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a fifth of the steps")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print_cost(load("moons_h50"), args.quick)


if __name__ == "__main__":
    main()
