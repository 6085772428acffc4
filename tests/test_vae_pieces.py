"""Steps whose activations are too large are taken in pieces, and are the same steps."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from skbayes import VAE, TwoStageVAE, VAEAnomalyDetector
from skbayes.density import _net

X = load_digits().data[:300]
IMAGE = {"hidden_layer_sizes": (20,), "image_shape": (8, 8), "channels": (4,), "max_iter": 3}


@pytest.fixture
def small_steps(monkeypatch):
    """Pieces of at most 16 rows, and a list of the sizes that gradients were taken of."""
    sizes = []
    take = _net.VAENet._backward_of

    def record(self, batch, mean_weight, share):
        sizes.append(batch.X.shape[-2])
        return take(self, batch, mean_weight, share)

    monkeypatch.setattr(_net, "STEP_BYTES", {"cpu": 1, "cuda": 1})
    monkeypatch.setattr(_net.VAENet, "_backward_of", record)
    return sizes


def weights(model):
    return {name: p.detach().clone() for name, p in model.posterior_.module.named_parameters()}


def fit(criterion, **params):
    params = {"n_members": 2, "input_noise": None, "random_state": 0, **IMAGE, **params}
    return VAEAnomalyDetector(4, criterion=criterion, **params).fit(X)


def test_without_noise_pieces_lead_to_the_same_weights(small_steps, monkeypatch):
    pieces = fit("mse")
    assert set(small_steps) == {15, 10}  # three batches of 100, each in seven pieces
    with monkeypatch.context() as patch:
        patch.setattr(_net, "STEP_BYTES", {"cpu": 2**40, "cuda": 2**40})
        whole = fit("mse")
    assert small_steps[-1] == 100
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(pieces)[name], value, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(pieces.history_["train_loss"], whole.history_["train_loss"])


@pytest.mark.parametrize("prior", ["normal", "ard", "mixture"])
def test_gradients_add_up(prior, monkeypatch):
    """Of a table of wide rows, codes at their means: the sum over pieces is the whole.

    The relevance prior has a part that is no sum over rows; only the first is in closed form.
    """
    net = VAE(3, (10,), prior=prior, max_iter=1, input_noise=None, random_state=0).fit(X).net_
    assert net._closed_form == (prior == "normal")
    net.module_.requires_grad_()  # what is fitted is frozen
    monkeypatch.setattr(type(net.module_), "draw_noise", lambda vae, like: torch.zeros_like(like))
    batch = _net.Batch(torch.as_tensor(X[:100]), None, None)
    grads = []
    for allowed in (2**40, 1):
        monkeypatch.setattr(_net, "STEP_BYTES", {"cpu": allowed, "cuda": allowed})
        net.forget_gradients()
        losses = net.backward(batch, 1.0)
        grads.append([losses, *(p.grad for p in net.module_.parameters() if p.grad is not None)])
    assert len(grads[0]) > 8  # the losses, and those of two layers and two heads
    for whole, pieces in zip(*grads, strict=True):
        torch.testing.assert_close(pieces, whole)
    with torch.no_grad():
        direct = net.member_losses(batch, 1.0)
    torch.testing.assert_close(grads[1][0], direct)


def test_pieces_are_even(monkeypatch):
    """A tail of four rows would cost nearly as much as a piece."""
    net = VAE(3, (10,), max_iter=1, random_state=0).fit(X).net_
    monkeypatch.setattr(_net, "STEP_BYTES", {"cpu": 95 * 64 * 8, "cuda": 95 * 64 * 8})
    batch = _net.Batch(torch.as_tensor(X[:100]), None, None)
    assert net.module_.width == 64
    assert net._rows_at_once(batch) == 50


def test_the_vamp_priors_centres_are_encoded_once_a_step(small_steps):
    VAE(3, (10,), prior="vamp", max_iter=1, random_state=0).fit(X)
    assert set(small_steps) == {100}


def test_the_second_stage_trains_in_pieces_as_well(small_steps, monkeypatch):
    """Its rows are codes that are drawn anew for every batch."""
    params = {"max_iter": 5, "second_max_iter": 15, "random_state": 0}
    pieces = TwoStageVAE(3, (10,), **params).fit(X).second_history_["train_loss"]
    assert max(small_steps) == 15
    monkeypatch.setattr(_net, "STEP_BYTES", {"cpu": 2**40, "cuda": 2**40})
    whole = TwoStageVAE(3, (10,), **params).fit(X).second_history_["train_loss"]
    assert abs(pieces[-1] - whole[-1]) < 0.1 * (whole[0] - whole[-1])


@pytest.mark.parametrize("criterion", ["elbo", "iwae"])
def test_bounds_train_in_pieces_as_well(criterion, small_steps, monkeypatch):
    """Other noise, the same loss: it falls as far."""
    params = {"max_iter": 15, "n_members": 1}
    pieces = fit(criterion, **params).history_["train_loss"]
    assert max(small_steps) == 15
    monkeypatch.setattr(_net, "STEP_BYTES", {"cpu": 2**40, "cuda": 2**40})
    whole = fit(criterion, **params).history_["train_loss"]
    fall = whole[0] - whole[-1]
    assert abs(pieces[-1] - whole[-1]) < 0.1 * fall


@pytest.mark.parametrize("criterion", ["mmd", "adversarial", "vae-gan", "stein"])
def test_what_couples_the_rows_of_a_batch_stays_whole(criterion, small_steps):
    fit(criterion, max_iter=1)
    assert set(small_steps) == {100}


def test_what_is_trimmed_of_a_batch_is_chosen_in_all_of_it(small_steps):
    fit("mse", max_iter=1, robust=True)
    assert small_steps[-2:] == [120, 120]  # of four fifths of the rows


def test_a_users_network_sees_whole_batches(small_steps):
    """It may normalise by the batch."""

    def encoder(n_in, n_out):
        return nn.Sequential(nn.Linear(n_in, 5), nn.SiLU(), nn.Linear(5, n_out))

    VAE(2, (5,), max_iter=1, encoder=encoder, random_state=0).fit(X)
    assert set(small_steps) == {100}
