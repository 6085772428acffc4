"""What the tests of the autoencoders' terms share: draws in double precision."""

import torch

DOUBLE = {"dtype": torch.float64}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), **DOUBLE)
