"""Images: convolutional networks, a user's own modules, and the estimators on flat images."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import nn

import skbayes
from skbayes import VAE, VAEAnomalyDetector
from skbayes.density._contributions import exchanged
from skbayes.density._networks import check_channels, halvings, patches, spread_of
from skbayes.density._objective import AUTO_BETA
from skbayes.density._scores import SCORES, decoder_jacobian
from skbayes.metrics import anomaly_roc_auc_score
from skbayes.nn import ConvDecoder, ConvEncoder, StackedConv2d, StackedVAE

DIGITS, LABELS = load_digits(return_X_y=True)
SHAPES = [(1, 8, 8), (3, 9, 12), (1, 5, 7), (2, 1, 1), (1, 2, 30), (1, 28, 28), (1, 33, 64)]
QUICK = {"channels": (4, 6), "hidden_layer_sizes": (8,), "n_components": 2, "max_iter": 2}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(kind, shape, width=4, n_members=3, **kwargs):
    params = {"generator": generator(), "dtype": torch.float64, "n_stem": 1, **kwargs}
    return kind(shape, (4, 6), (5,), width, n_members, **params)


def one_member(kind, shape, of, index, **kwargs):
    """The member of a stack by itself."""
    single = network(kind, shape, n_members=1, **kwargs)
    with torch.no_grad():
        for p, stacked in zip(single.parameters(), of.parameters(), strict=True):
            p.copy_(stacked[index : index + 1])
    return single


# -- networks -------------------------------------------------------------------------------------


def test_stacked_convolution_is_torchs_for_every_member():
    stack = StackedConv2d(2, 5, 3, generator=generator(), dtype=torch.float64)
    own = torch.randn(4, 3 * 2, 6, 7, generator=generator(1), dtype=torch.float64)
    shared = own[:, :2]
    got, got_shared = stack(own), stack(shared)
    for m in range(3):
        conv = nn.Conv2d(2, 5, 3, padding=1, dtype=torch.float64)
        conv.load_state_dict({"weight": stack.weight[m], "bias": stack.bias[m]})
        torch.testing.assert_close(got[:, 5 * m : 5 * m + 5], conv(own[:, 2 * m : 2 * m + 2]))
        torch.testing.assert_close(got_shared[:, 5 * m : 5 * m + 5], conv(shared))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("n_stem", [0, 1, 2])
def test_a_member_in_a_stack_is_the_same_as_alone(shape, n_stem):
    n_pixels = int(np.prod(shape))
    encoder = network(ConvEncoder, shape, n_stem=n_stem)
    decoder = network(ConvDecoder, shape, n_stem=n_stem)
    X = torch.randn(3, 7, n_pixels, generator=generator(1), dtype=torch.float64)
    codes, shared = encoder(X), encoder(X[0])
    images = decoder(codes)
    assert codes.shape == (3, 7, 4) and images.shape == (3, 7, n_pixels)
    for m in range(3):
        alone = one_member(ConvEncoder, shape, encoder, m, n_stem=n_stem)
        torch.testing.assert_close(codes[m], alone(X[m])[0])
        torch.testing.assert_close(shared[m], alone(X[0])[0])
        alone = one_member(ConvDecoder, shape, decoder, m, n_stem=n_stem)
        torch.testing.assert_close(images[m], alone(codes[m : m + 1])[0])


@pytest.mark.parametrize("n_stem", [0, 1])
def test_convolutions_move_with_the_image(n_stem):
    encoder = network(ConvEncoder, (1, 64, 64), n_stem=n_stem)
    step = 2 ** (n_stem + 2)  # one pixel of what is left
    image = torch.zeros(64, 64, dtype=torch.float64)
    image[24:40, 20:44] = torch.randn(16, 24, generator=generator(1), dtype=torch.float64)
    moved = torch.roll(image, (step, -2 * step), (0, 1))
    with torch.no_grad():
        before, after = encoder.convolve(torch.stack([image, moved]).view(2, -1))
    inside = slice(3, 64 // step - 3)  # biases are zero, but for the borders' own paddings
    expected = torch.roll(before, (1, -2), (1, 2))
    torch.testing.assert_close(after[:, inside, inside], expected[:, inside, inside])
    assert float(before.abs().max()) > 0.1


@pytest.mark.parametrize("shape", [(1, 9, 12), (2, 5, 7)], ids=str)
def test_decoder_without_activation_is_affine_and_its_jacobian_the_matrix(shape):
    decoder = network(ConvDecoder, shape, n_members=2, activation="identity")
    codes = torch.randn(2, 6, 4, generator=generator(1), dtype=torch.float64)
    with torch.no_grad():
        start = decoder(torch.zeros(2, 1, 4, dtype=torch.float64))
        columns = decoder(torch.eye(4, dtype=torch.float64).expand(2, 4, 4)) - start
        torch.testing.assert_close(decoder(codes), codes @ columns + start)
        vae = StackedVAE(int(np.prod(shape)), 4, 2, (), decoder=decoder, dtype=torch.float64)
        jacobian = decoder_jacobian(vae, codes)
    torch.testing.assert_close(jacobian, columns.mT.unsqueeze(1).expand_as(jacobian))


def test_networks_say_how_large_they_are():
    encoder = network(ConvEncoder, (1, 16, 16), n_stem=0, n_members=3)
    # 16 x 16 pixels of 4 channels; 8 x 8 pixels, 6 channels of 4 by 3 x 3, three members
    assert encoder.width == 4 * 16 * 16
    assert encoder.work == 3 * 8 * 8 * 6 * 4 * 9
    vae = StackedVAE(256, 2, 3, (), encoder=encoder)
    assert vae.width == encoder.width and vae.work == encoder.work


@pytest.mark.parametrize(
    ("size", "times", "blocks"),
    [
        ((8, 8), 0, [16]),
        ((5, 7), 0, [16]),
        ((28, 28), 1, [16, 32]),
        ((64, 64), 2, [16, 32]),
        ((128, 128), 3, [16, 32]),
        ((20, 20), 0, [16, 32, 64]),
        ((2, 5000), 0, [16]),
    ],
)
def test_networks_are_sized_from_the_image(size, times, blocks):
    assert halvings(*size) == times
    assert check_channels("auto", [-(-side // 2**times) for side in size]) == blocks


def test_noise_that_moves_faster_is_the_same_noise():
    for rate in (1.0, 5.0):
        vae = StackedVAE(3, 1, 2, (), noise_rate=rate, dtype=torch.float64)
        vae.set_noise(torch.tensor(0.3, dtype=torch.float64))
        torch.testing.assert_close(vae.noise_var(), torch.full((2, 1, 3), 0.3).double())


# -- standardisation ------------------------------------------------------------------------------


def test_channels_are_standardised_as_a_whole():
    rng = np.random.RandomState(0)
    X = rng.normal([[2.0]] * 50, 3.0, size=(50, 2 * 12))
    X[:, 12:] = 100 + 10 * X[:, 12:]
    X[:, 3] = 7.0  # a pixel that is constant
    mean, spread = spread_of(X, (2, 3, 4))
    np.testing.assert_allclose(mean, np.repeat([X[:, :12].mean(), X[:, 12:].mean()], 12))
    np.testing.assert_allclose(spread, np.repeat([X[:, :12].std(), X[:, 12:].std()], 12))


@pytest.mark.parametrize("likelihood", ["gaussian", "student_t"])
def test_brightness_and_contrast_do_not_matter(likelihood):
    X = DIGITS[:100]
    model = VAEAnomalyDetector(image_shape=(8, 8), likelihood=likelihood, random_state=0, **QUICK)
    here, there = clone(model).fit(X), model.fit(3.0 * X - 7.0)
    np.testing.assert_allclose(there.transform(3.0 * X - 7.0), here.transform(X), atol=1e-8)
    np.testing.assert_allclose(there.reconstruct(3.0 * X - 7.0), 3.0 * here.reconstruct(X) - 7.0)
    density = there.log_density(3.0 * X - 7.0)
    np.testing.assert_allclose(density, here.log_density(X) - 64 * np.log(3.0), rtol=1e-7)
    assert len(np.unique(here.noise_variance_)) == 1  # one noise for all pixels


def test_constant_images_have_a_density():
    model = VAE(image_shape=(4, 4), random_state=0, **QUICK).fit(np.full((20, 16), 3.0))
    assert np.isfinite(model.score_samples(np.full((2, 16), 3.0))).all()


# -- estimators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_members", [1, 3])
def test_a_row_scores_the_same_alone_and_after_a_journey(dtype, n_members, tmp_path):
    X = DIGITS[:60].astype(dtype)
    model = VAEAnomalyDetector(image_shape=(8, 8), n_members=n_members, random_state=0, **QUICK)
    model.fit(X)
    scores = model.score_samples(X)
    alone = np.concatenate([model.score_samples(row[np.newaxis]) for row in X[:10]])
    np.testing.assert_allclose(alone, scores[:10], rtol=1e-9 if dtype is np.float64 else 1e-5)
    order = np.random.RandomState(0).permutation(60)
    np.testing.assert_allclose(model.score_samples(X[order]), scores[order], rtol=1e-5)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).score_samples(X), scores)
    skbayes.save(model, tmp_path / "model.safetensors")
    loaded = skbayes.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.score_samples(X), scores)
    np.testing.assert_array_equal(clone(model).fit(X).score_samples(X), scores)


@pytest.mark.parametrize("criterion", AUTO_BETA)
def test_every_criterion_trains_on_images(criterion):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(64, 2)) @ rng.normal(size=(2, 30)) + 0.1 * rng.normal(size=(64, 30))
    params = {"image_shape": (5, 6), "channels": (8,), "hidden_layer_sizes": (16,)}
    model = VAE(2, criterion=criterion, max_iter=120, random_state=0, learning_rate_init=0.01)
    model.set_params(n_train_samples=2, **params).fit(X)
    error = np.square(model.reconstruct(X) - X).mean()
    # that of "vae-gan" is taken in the features of a discriminator
    assert error < (0.6 if criterion == "vae-gan" else 0.3) * X.var(axis=0).mean()
    assert np.isfinite(model.score_samples(X)).all()
    assert model.sample(3, random_state=0).shape == (3, 30)


@pytest.mark.parametrize("prior", ["ard", "mixture", "corners", "vamp"])
@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "student_t"])
def test_priors_and_likelihoods_on_images(prior, likelihood):
    X = DIGITS[:50] / 16
    model = VAE(image_shape=(8, 8), prior=prior, likelihood=likelihood, **QUICK).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.sample(4).shape == (4, 64)
    assert model.interpolate(X[0], X[1], 5).shape == (5, 64)


@pytest.mark.parametrize("score", [*sorted(SCORES), "auto"])
def test_shares_of_pixels_add_up_to_every_score(score):
    X = DIGITS[:40]
    model = VAEAnomalyDetector(image_shape=(8, 8), score_method=score, random_state=0, **QUICK)
    model.set_params(n_importance=3).fit(X)
    parts = model.feature_contributions(X[:1])
    np.testing.assert_allclose(parts.sum(axis=1), model.score_samples(X[:1]), rtol=1e-8)


def test_patches_divide_the_image_and_share_by_distance():
    for shape in [(1, 8, 8), (2, 5, 30), (1, 1, 3)]:
        every = np.concatenate(patches(shape))
        np.testing.assert_array_equal(np.sort(every), np.arange(np.prod(shape)))
    X, normal = np.array([[3.0, 4.0, 0.0, 0.0]]), np.zeros((1, 4))
    groups = [np.array([0, 1]), np.array([2, 3])]
    parts = exchanged(lambda rows: rows.sum(1) + 4.0, X, normal, 0, groups)
    np.testing.assert_allclose(parts, [[1 + 7 * 9 / 25, 1 + 7 * 16 / 25, 1, 1]])


def test_the_detector_finds_other_digits_and_where_they_are_spoiled():
    zeros, others = DIGITS[LABELS == 0], DIGITS[LABELS != 0][:300]
    model = VAEAnomalyDetector(image_shape=(8, 8), n_members=2, max_iter=40, random_state=0)
    model.fit(zeros[:120])
    rest = np.vstack([zeros[120:], others])
    truth = np.r_[np.zeros(len(zeros) - 120), np.ones(300)]
    assert anomaly_roc_auc_score(truth, model.score_samples(rest)) > 0.95
    spoiled = zeros[120:].copy()
    spoiled.reshape(-1, 8, 8)[:, 3:5, 3:5] = 16.0  # ink in the hole
    worst = model.feature_contributions(spoiled).argmin(axis=1)
    assert np.isin(worst, [27, 28, 35, 36]).mean() > 0.9


def test_labels_and_robustness_work_on_images():
    ones = DIGITS[LABELS == 1]
    X = np.vstack([ones[:150], DIGITS[LABELS == 0][:15]])
    model = VAEAnomalyDetector(image_shape=(8, 8), robust=True, max_iter=30, random_state=0)
    truth = np.r_[np.zeros(150), np.ones(15)]
    scores = model.fit(X).score_samples(X)
    assert anomaly_roc_auc_score(truth, scores) > 0.9
    labels = np.where(LABELS[:100] == 1, 1, -1)
    model.fit_labels(DIGITS[:100], labels)
    test = LABELS[100:400] != 1
    assert anomaly_roc_auc_score(test, model.score_samples(DIGITS[100:400])) > 0.9


def test_training_goes_on():
    X = DIGITS[:60]
    model = VAE(image_shape=(8, 8), warm_start=True, random_state=0, **QUICK).fit(X)
    before = model.posterior_.params["encoder.blocks.0.conv.weight"].clone()
    model.fit(X)
    after = model.posterior_.params["encoder.blocks.0.conv.weight"]
    assert 0 < float((after - before).abs().max()) < 0.1
    with pytest.raises(ValueError, match="goes on from the last fit"):
        model.set_params(channels=(4, 7)).fit(X)


def test_images_come_as_bytes_and_in_streams():
    X = DIGITS[:120].astype(np.uint8)
    model = VAE(image_shape=(8, 8), random_state=0, **QUICK)
    scores = clone(model).fit(X).score_samples(X)
    np.testing.assert_array_equal(clone(model).fit(X.astype(np.float32)).score_samples(X), scores)
    model.partial_fit(X[:60])
    scale = model.posterior_.module.scale.clone()
    model.partial_fit(X[60:] // 2)  # what rows are standardised by is learned once
    assert torch.equal(model.posterior_.module.scale, scale)
    assert model.n_samples_seen_ == 120 and np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"image_shape": (8, 9)}, r"image_shape=\(8, 9\) makes 72 pixels .* 64 features"),
        ({"image_shape": (64,)}, r"image_shape=\(64,\) must be \(height, width\)"),
        ({"image_shape": (8, 8.0)}, "integers of at least 1"),
        ({"image_shape": (-8, -8)}, "integers of at least 1"),
        ({"image_shape": "ab"}, "image_shape"),
        ({"image_shape": (8, 8), "channels": (4, 0)}, r"channels=\(4, 0\) must hold integers"),
        ({"image_shape": (8, 8), "channels": ()}, r"channels=\(\) must hold integers"),
        ({"image_shape": (8, 8), "channels": "many"}, "channels"),
        ({"image_shape": (8, 8), "kernel_size": 2}, "kernel_size=2 must be odd"),
    ],
)
def test_bad_images(params, message):
    with pytest.raises(ValueError, match=message):
        VAE(max_iter=1).set_params(**params).fit(DIGITS[:10])


# -- a user's own modules -------------------------------------------------------------------------


def test_modules_of_a_user_can_be_probabilistic_pca():
    X = DIGITS[:, 10:30]
    pca = PCA(3).fit(X)
    vae = VAE(3, encoder=nn.Linear, decoder=nn.Linear, noise="shared", max_iter=1, n_members=2)
    vae.fit(X)
    noise = pca.noise_variance_
    W = pca.components_.T * np.sqrt(pca.explained_variance_ - noise)
    M = np.diag(W.T @ W) + noise
    module = vae.posterior_.module
    with torch.no_grad():
        module.encoder.weight[:, :3] = torch.as_tensor((W / M).T)
        module.encoder.weight[:, 3:] = 0
        module.encoder.bias[:, :3] = torch.as_tensor(-(W / M).T @ pca.mean_)
        module.encoder.bias[:, 3:] = torch.as_tensor(np.log(noise / M))
        module.decoder.weight[:] = torch.as_tensor(W)
        module.decoder.bias[:] = torch.as_tensor(pca.mean_)
    module.set_noise(torch.as_tensor(noise))
    module.noise_floor = 0.0
    np.testing.assert_allclose(vae.score_samples(X), pca.score_samples(X), rtol=1e-9)


def pooled(n_features, n_outputs, p=0.0):
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 4, 3),
        nn.GroupNorm(2, 4),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(p),
        nn.Linear(36, n_outputs),
    )


@pytest.mark.parametrize("image_shape", [None, (8, 8)])
def test_a_users_convolutions(image_shape):
    X = DIGITS[:100]
    model = VAEAnomalyDetector(
        3, encoder=partial(pooled, p=0.2), image_shape=image_shape, n_members=2, max_iter=5
    )
    model.set_params(random_state=0)
    state = torch.get_rng_state()
    scores = model.fit(X).score_samples(X)
    assert model.posterior_.params["encoder.1.weight"].shape == (2, 4, 1, 3, 3)
    # dropout is drawn from random_state, and is off when it scores
    np.testing.assert_array_equal(clone(model).fit(X).score_samples(X), scores)
    np.testing.assert_allclose(model.score_samples(X[:1]), scores[:1], rtol=1e-9)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).score_samples(X), scores)
    parts = model.feature_contributions(X[:2])
    np.testing.assert_allclose(parts.sum(axis=1), scores[:2], rtol=1e-8)


@pytest.mark.parametrize("name", ["encoder", "decoder"])
@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (lambda a, b: nn.Linear(a, b + 1), ValueError, "must return a tensor of shape"),
        (nn.Linear(64, 4), TypeError, r"=Linear\(\.\.\.\) is an instance"),
        (lambda a, b: "net", TypeError, r"must return a torch\.nn\.Module"),
        (
            lambda a, b: nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b)),
            ValueError,
            ": layer '1' is a BatchNorm1d",
        ),
    ],
)
def test_bad_modules(name, module, error, message):
    with pytest.raises(error, match=name + ".*" + message):
        VAE(2, max_iter=1).set_params(**{name: module}).fit(DIGITS[:10])


def test_relevance_needs_a_linear_layer_first():
    def decoder(n_in, n_out):
        return nn.Sequential(nn.LayerNorm(n_in), nn.Linear(n_in, n_out))

    with pytest.raises(ValueError, match="prior='ard'.*first parameter of decoder"):
        VAE(2, prior="ard", decoder=decoder).fit(DIGITS[:20])
