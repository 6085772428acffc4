"""Autoencoders that go on from their last fit."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale

from skbayes import VAE
from skbayes.density._objective import STOCHASTIC

WINE = scale(load_wine().data)


def test_warm_start_goes_on():
    vae = VAE(2, (16,), max_iter=20, warm_start=True, random_state=0).fit(WINE)
    first = vae.history_["train_loss"]
    again = vae.fit(WINE).history_["train_loss"]
    assert again[0] < first[5]
    with pytest.raises(ValueError, match="the network must stay as it was"):
        vae.set_params(hidden_layer_sizes=(17,)).fit(WINE)


@pytest.mark.parametrize("criterion", ["elbo", "iwae", "vae-gan", "adversarial"])
def test_warm_start_takes_every_part_along(criterion):
    prior = "vamp" if criterion in STOCHASTIC else "corners"
    model = VAE(
        2, (8,), criterion=criterion, prior=prior, max_iter=3, warm_start=True, random_state=0
    ).fit(WINE)
    before = {name: p.clone() for name, p in model.posterior_.params.items()}
    corners = getattr(model._module.prior, "mean", None)
    model.set_params(learning_rate_init=1e-12).fit(WINE)
    for name, p in model.posterior_.params.items():
        torch.testing.assert_close(p, before[name], rtol=1e-6, atol=1e-8)
    if corners is not None:
        torch.testing.assert_close(model._module.prior.mean, corners)


@pytest.mark.parametrize("goes_on", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"prior": "corners"}),
        ({"prior": "corners"}, {"prior": "normal"}),
        ({"prior": "corners"}, {"n_prior_components": 3}),
        ({}, {"encoder": torch.nn.Linear}),
        ({"noise": "shared"}, {"noise": "per_feature"}),
    ],
)
def test_another_network_is_refused(before, after, goes_on):
    model = VAE(2, (8,), max_iter=2, warm_start=True, random_state=0).set_params(**before).fit(WINE)
    expected = model.score_samples(WINE)
    model.set_params(**after)
    with pytest.raises(ValueError, match=r"the shape of [a-z_.0-9]+ was .*, and is now"):
        getattr(model, goes_on)(WINE)
    np.testing.assert_array_equal(model.set_params(**before).score_samples(WINE), expected)


class Shifted(torch.nn.Linear):
    """A layer with a state that is no weight."""

    def __init__(self, n_in, n_out):
        super().__init__(n_in, n_out)
        self.register_buffer("origin", torch.rand(n_in))

    def forward(self, X):
        return super().forward(X - self.origin)


def test_state_that_is_no_weight_goes_along():
    model = VAE(2, encoder=Shifted, max_iter=1, warm_start=True, random_state=0).fit(WINE)
    before = dict(model.posterior_.module.named_buffers())
    after = dict(model.fit(WINE).posterior_.module.named_buffers())
    assert before and before.keys() == after.keys()
    for name in before:
        torch.testing.assert_close(after[name], before[name])


def test_images_go_on_in_another_precision():
    X = np.random.RandomState(0).normal(3, 2, size=(20, 16))
    model = VAE(2, (8,), image_shape=(4, 4), max_iter=2, warm_start=True, random_state=0).fit(X)
    scale_before = model.posterior_.module.scale
    model.set_params(dtype="float32").fit(X)
    assert model.posterior_.module.scale.dtype == torch.float32
    torch.testing.assert_close(model.posterior_.module.scale.double(), scale_before)
    assert np.isfinite(model.score_samples(X)).all()
