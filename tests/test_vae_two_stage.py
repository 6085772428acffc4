"""The two-stage autoencoder: what either stage learns, and the two together."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

from skbayes import VAE, TwoStageVAE
from skbayes._engine.rows import Batch, Rows
from skbayes._engine.seeds import new_random_state
from skbayes.density._objective import Settings
from skbayes.density._second_stage import CodesNet
from skbayes.density._training import make_net
from skbayes.density._two_stage import FLOOR
from skbayes.nn import StackedVAE


def arc(n, seed=0):
    """A curve in the plane without noise, more often at its ends."""
    t = 3 * np.random.RandomState(seed).beta(0.5, 0.5, size=n)
    return np.column_stack([np.cos(t), np.sin(t)])


def two_samples_told_apart(a, b):
    """Accuracy of a classifier that tells held-out draws of one from those of the other."""
    half = len(a) // 2
    X, y = np.vstack([a[:half], b[:half]]), np.repeat([0, 1], half)
    judge = KNeighborsClassifier(15).fit(X, y)
    return judge.score(np.vstack([a[half:], b[half:]]), np.repeat([0, 1], len(a) - half))


def test_output_scale_falls_to_its_floor_on_a_linear_manifold():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6))
    model = TwoStageVAE(4, (), (8,), learning_rate_init=0.02, second_max_iter=1, random_state=0)
    model.set_params(max_iter=1000).fit(X)
    floor = FLOOR * np.sqrt(X.var(axis=0).mean())
    assert floor < np.sqrt(model.noise_variance_[0]) < 5 * floor
    assert len(np.unique(model.noise_variance_)) == 1
    assert len(model.active_components_) == 2  # of four
    np.testing.assert_allclose(model.reconstruct(X), X, atol=0.05)


def test_second_stage_learns_a_distribution_that_is_not_gaussian():
    """Known codes in two clusters, for the second stage alone."""
    rng = np.random.RandomState(0)
    mean = np.where(rng.uniform(size=(2000, 1)) < 0.3, -1.5, 0.8) + 0.4 * rng.normal(size=(2000, 1))
    mean = np.hstack([mean, np.zeros((2000, 1))])
    logvar = np.log([[0.01, 1.0]]).repeat(2000, 0)  # the second is not used: the prior
    rows = Rows(np.hstack([mean, logvar]), device=torch.device("cpu"), dtype=torch.float64)
    model = TwoStageVAE(2, second_layer_sizes=(64, 64), second_max_iter=70, random_state=0)
    model.posterior_, model.n_components_ = VAE(2, (4,), max_iter=1).fit(mean).posterior_, 2
    model._gaussians = lambda X: np.hstack([mean, logvar])
    model._random_state = new_random_state(0)
    model._after_fit(mean)
    generator = torch.Generator().manual_seed(0)
    u = torch.empty(1, 2000, 2, dtype=torch.float64).normal_(generator=generator)
    second = model.second_posterior_.module
    with torch.no_grad():
        decoded = second.distribution(second.decode(u))
        drawn = second.likelihood.draw(decoded, generator)[0].numpy()
    codes = mean + np.exp(0.5 * logvar) * rng.normal(size=mean.shape)
    assert two_samples_told_apart(drawn, codes) < 0.55
    # as many Gaussian draws of the same moments are told apart at once
    gaussian = codes.mean(0) + codes.std(0) * rng.normal(size=codes.shape)
    assert two_samples_told_apart(gaussian, codes) > 0.6
    assert len(rows) == 2000


def test_draws_of_two_stages_look_more_like_the_data_than_those_of_one():
    X, held_out = arc(1500), arc(1500, 1)
    model = TwoStageVAE(2, (32, 32), (64, 64), max_iter=170, second_max_iter=150, random_state=0)
    model.fit(X)
    drawn = model.sample(1500, random_state=0)
    assert np.abs(np.linalg.norm(drawn, axis=1) - 1).mean() < 0.05
    angle = [np.arctan2(*rows.T[::-1]) for rows in (drawn, held_out)]
    # the codes of the first stage, taken as the prior has them
    u = np.random.RandomState(0).normal(size=(1500, 2))
    one = np.arctan2(*model.inverse_transform(u).T[::-1])
    two_stages = two_samples_told_apart(angle[0][:, np.newaxis], angle[1][:, np.newaxis])
    one_stage = two_samples_told_apart(one[:, np.newaxis], angle[1][:, np.newaxis])
    assert two_stages < one_stage - 0.02
    assert two_stages < 0.58


@pytest.mark.parametrize("too_wide", [1.0, 1.3])
def test_density_of_linear_stages_is_a_gaussian(too_wide):
    """Both stages linear, with exact encoders or wider ones: x = W z + e, z = V u + d."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3))
    model = TwoStageVAE(3, (), (), max_iter=1, second_max_iter=1, random_state=0).fit(X)
    first, second = model.posterior_.module, model.second_posterior_.module
    noise = {}
    for vae, deviation, seed in ((first, 0.3, 1), (second, 0.2, 2)):
        q, _ = np.linalg.qr(np.random.RandomState(seed).normal(size=(3, 3)))
        W = q * [1.5, 1.0, 0.5] if vae is second else q
        noise[vae] = (W, deviation**2)
        vae.noise_floor = 0.0
        vae.set_noise(torch.tensor(deviation**2))
    (W, s), (V, t) = noise[first], noise[second]
    # N(0, V V' + t) is the distribution of z; W is orthogonal, and so are the columns of V
    with torch.no_grad():
        for vae, (A, v) in noise.items():
            vae.decoder.layers[0].weight[0] = torch.as_tensor(A)
            vae.decoder.layers[0].bias.zero_()
            M = np.diag(A.T @ A) + v
            vae.encoder.layers[0].weight[0, :3] = torch.as_tensor((A / M).T)
            vae.encoder.layers[0].weight[0, 3:] = 0
            vae.encoder.layers[0].bias[0, :3] = 0
            vae.encoder.layers[0].bias[0, 3:] = torch.as_tensor(np.log(too_wide**2 * v / M))
    covariance = W @ (V @ V.T + t * np.eye(3)) @ W.T + s * np.eye(3)
    inverse = np.linalg.inv(covariance)
    expected = -0.5 * (
        np.einsum("ij,jk,ik->i", X, inverse, X)
        + np.linalg.slogdet(covariance)[1]
        + 3 * np.log(2 * np.pi)
    )
    # the first encoder is that of z ~ N(0, 1): a proposal; the mean weight comes near
    got = model.set_params(n_importance=4000).score_samples(X[:20])
    np.testing.assert_allclose(got, expected[:20], atol=0.2)
    assert abs((got - expected[:20]).mean()) < 0.05
    assert model.score(X[:20]) == got.mean()
    np.testing.assert_array_equal(model.log_density(X[:20]), got)


def test_every_step_of_the_second_stage_sees_other_codes():
    rows = np.hstack([np.zeros((64, 2)), np.zeros((64, 2))])
    rows = Rows(rows, device=torch.device("cpu"), dtype=torch.float64)
    vae = StackedVAE(2, 2, 1, (4,), dtype=torch.float64)
    settings = {"batch_size": 64, "max_iter": 1, "learning_rate": 0.01, "net_class": CodesNet}
    net = make_net(vae, Settings(), rows, new_random_state(0), **settings)
    seen = [net._drawn(rows.everything()).X for _ in range(2)]
    assert seen[0].shape == (1, 64, 2) and not torch.equal(*seen)
    assert abs(float(torch.stack(seen).std()) - 1) < 0.2
    assert net._drawn(Batch(seen[0], None, None)).X is seen[0]


@pytest.mark.parametrize("image_shape", [None, (3, 4)])
def test_scores_and_draws_repeat(image_shape):
    X = np.random.RandomState(0).normal(size=(40, 12))
    model = TwoStageVAE(3, (8,), (8,), image_shape=image_shape, random_state=0)
    model.set_params(max_iter=3, second_max_iter=3, n_importance=7).fit(X)
    scores = model.score_samples(X)
    np.testing.assert_allclose(model.score_samples(X[3:4]), scores[3:4], rtol=1e-9)
    again = clone(model).fit(X)
    np.testing.assert_array_equal(again.score_samples(X), scores)
    draws = model.sample(5, random_state=1)
    np.testing.assert_array_equal(again.sample(5, random_state=1), draws)
    noisy = model.sample(4000, random_state=1, add_noise=True) - model.sample(4000, random_state=1)
    np.testing.assert_allclose(noisy.var(axis=0), model.noise_variance_, rtol=0.15)
    assert model.transform(X).shape == (40, 3)
    np.testing.assert_array_equal(model.reconstruct(X), model.inverse_transform(model.transform(X)))
    assert not hasattr(model, "partial_fit")


def test_draws_of_one_stage_can_be_means():
    X = PCA(2).fit_transform(np.random.RandomState(0).normal(size=(50, 4)))
    model = VAE(1, (4,), max_iter=2, random_state=0).fit(X)
    noisy, means = (model.sample(3000, 0, add_noise=add) for add in (True, False))
    np.testing.assert_allclose((noisy - means).var(axis=0), model.noise_variance_, rtol=0.15)


def test_a_second_stage_that_diverges_says_so():
    X = np.random.RandomState(0).normal(size=(40, 3))
    model = TwoStageVAE(2, (4,), (4,), max_iter=1, second_max_iter=30, random_state=0)
    model._auto_steps = (1, 1)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(learning_rate_init=1e30).fit(X)
    assert not hasattr(model, "posterior_")
