"""The variational autoencoder against closed forms, above all probabilistic PCA."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import scale
from torch.distributions import Normal, kl_divergence

from skbayes import VAE, VAEAnomalyDetector
from skbayes._engine.rows import Batch
from skbayes.density._criteria import gaussian_log_prob, kl_to_standard_normal
from skbayes.density._objective import Objective, Settings
from skbayes.density._scores import importance_weighted, log_weights
from skbayes.nn import StackedVAE

WINE = scale(load_wine().data)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def plug_in_ppca(vae, pca):
    """Give a fitted linear VAE the maximum-likelihood weights and the exact posterior."""
    noise = pca.noise_variance_
    W = pca.components_.T * np.sqrt(pca.explained_variance_ - noise)  # (features, components)
    M = np.diag(W.T @ W) + noise  # the columns of W are orthogonal: M is diagonal
    encoder, decoder = vae.posterior_.module.encoder.layers[0], vae.posterior_.module.decoder
    q = len(M)
    with torch.no_grad():
        to = torch.as_tensor
        encoder.weight[:, :q] = to((W / M).T)
        encoder.weight[:, q:] = 0
        encoder.bias[:, :q] = to(-(W / M).T @ pca.mean_)
        encoder.bias[:, q:] = to(np.log(noise / M))
        decoder.layers[0].weight[:] = to(W)
        decoder.layers[0].bias[:] = to(pca.mean_)
        vae.posterior_.module.log_noise.fill_(np.log(noise))
    vae.posterior_.module.noise_floor = 0.0
    return vae


@pytest.mark.parametrize("score_method", ["elbo", "iwae"])
@pytest.mark.parametrize("q", [1, 3, 8])
def test_plugged_in_ppca_has_the_exact_log_likelihood(score_method, q):
    pca = PCA(q).fit(WINE)
    vae = VAE(q, (), noise="shared", max_iter=1, score_method=score_method, n_members=2)
    vae = plug_in_ppca(vae.fit(WINE), pca)
    np.testing.assert_allclose(vae.score_samples(WINE), pca.score_samples(WINE), rtol=1e-9)
    assert abs(vae.score(WINE) - pca.score(WINE)) < 1e-5
    np.testing.assert_allclose(vae.log_density(WINE), pca.score_samples(WINE), rtol=1e-9)
    # and the model's other faces: PCA's own reconstruction up to the posterior's shrinkage
    M = pca.explained_variance_
    shrunk = (pca.transform(WINE) * (M - pca.noise_variance_) / M) @ pca.components_ + pca.mean_
    np.testing.assert_allclose(vae.reconstruct(WINE), shrunk, atol=1e-10)
    np.testing.assert_allclose(vae.inverse_transform(vae.transform(WINE)), shrunk, atol=1e-10)


def test_samples_of_ppca_have_its_covariance():
    pca = PCA(3).fit(WINE)
    vae = plug_in_ppca(VAE(3, (), noise="shared", max_iter=1).fit(WINE), pca)
    n = 40_000
    X = vae.sample(n, random_state=0)
    # an entry of a sample covariance deviates by at most sqrt(2 / n) of the variances' product
    deviation = np.cov(X.T) - pca.get_covariance()
    bound = np.sqrt(2 / n) * np.sqrt(np.outer(*[np.diag(pca.get_covariance())] * 2))
    assert (np.abs(deviation) < 4.5 * bound).all()
    np.testing.assert_allclose(X.mean(0), pca.mean_, atol=4.5 * WINE.std() * 1.1 / np.sqrt(n))


@pytest.mark.parametrize("q", [2, 5])
def test_trained_linear_vae_reaches_ppca(q):
    vae = VAE(q, (), noise="shared", max_iter=2500, batch_size=178, random_state=0)
    vae.set_params(learning_rate_init=0.02)
    best = PCA(q).fit(WINE).score(WINE)
    reached = vae.fit(WINE).score(WINE)
    # PCA divides by n - 1, hence the model of maximum likelihood may even be a little above it
    assert best - 0.05 < reached < best + 0.05


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_divergence_is_torchs(mean, logvar):
    mean, logvar = (torch.tensor([[v, 0.0]], dtype=torch.float64) for v in (mean, logvar))
    expected = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(kl_to_standard_normal(mean, logvar), expected)


def test_gaussian_log_prob_is_scipys():
    rng = np.random.RandomState(0)
    x, mean, var = rng.normal(size=(3, 4, 5))
    var = np.exp(var)
    expected = stats.norm.logpdf(x, mean, np.sqrt(var)).sum(-1)
    got = gaussian_log_prob(*map(torch.from_numpy, (x, mean, var)))
    np.testing.assert_allclose(got, expected)


def test_loss_is_the_bound_in_expectation_and_beta_weighs_the_divergence():
    net = StackedVAE(4, 2, 1, (8,), generator=generator(), dtype=torch.float64)
    X = torch.randn(1, 4, generator=generator(1), dtype=torch.float64)
    n = 20_000
    batch = Batch(X.expand(n, 4), None, None)
    with torch.no_grad():
        mean, logvar = net.encode(X)
        net.noise_generator = generator(2)
        losses = Objective(Settings())(net, batch)[0]
        net.noise_generator = generator(2)
        half = Objective(Settings(beta=0.5))(net, batch)[0]
        noise = torch.randn(1, n, 2, generator=generator(3), dtype=torch.float64)
        weights = importance_weighted(net, X, noise[:, :1], 1)  # one sample: a draw of log w
        kl = kl_to_standard_normal(mean, logvar)[0, 0]
        bound = log_weights(net, X, noise)[0, :, 0]
    assert weights.shape == (1, 1)
    standard_error = np.hypot(float(losses.std()), float(bound.std())) / n**0.5
    assert abs(float(-losses.mean() - bound.mean())) < 4 * standard_error
    torch.testing.assert_close(losses - half, torch.full((n,), 0.5 * float(kl)).double())


def test_iwae_is_above_the_bound_and_rises_with_the_number_of_samples():
    vae = VAE(2, (16,), max_iter=300, random_state=0).fit(WINE)
    many = {"n_importance": 1000}
    highest = vae.set_params(**many).score(WINE)
    elbo = vae.set_params(score_method="elbo").score(WINE)
    vae.set_params(score_method="iwae", n_importance=10)
    between = []
    for vae._noise_seed in range(100):
        between.append(vae.score(WINE))
    # a thousand codes are a hundred times ten: the same noise's error is about the mean's
    error = np.std(between) / 10
    assert elbo + 3 * error < np.mean(between) < highest - 3 * error


def test_members_density_is_their_mean_density():
    vae = VAE(2, (8,), n_members=3, max_iter=20, n_importance=1, random_state=0).fit(WINE)
    (members,) = vae._member_scores(WINE, "iwae")
    np.testing.assert_allclose(vae.score_samples(WINE), np.log(np.exp(members).mean(0)))


def test_learned_noise_is_per_feature():
    rng = np.random.RandomState(0)
    z = rng.normal(size=(400, 1))
    X = z * [1.0, 1.0, 1.0] + rng.normal(size=(400, 3)) * [0.1, 0.3, 0.8]
    vae = VAE(1, (), max_iter=1500, batch_size=400, learning_rate_init=0.02, random_state=0).fit(X)
    # the standard error of a variance of n rows is sqrt(2 / n) = 7 %; 4 of them
    np.testing.assert_allclose(vae.noise_variance_[1:], [0.09, 0.64], rtol=0.28)
    shared = clone(vae).set_params(noise="shared", max_iter=10).fit(X)
    assert np.ptp(shared.noise_variance_) == 0


@pytest.mark.parametrize("estimator", [VAE(2, (8,)), VAEAnomalyDetector(2, (8,))])
def test_a_rows_score_does_not_depend_on_its_neighbours(estimator):
    model = clone(estimator).set_params(max_iter=10, random_state=0).fit(WINE)
    scores = model.score_samples(WINE)
    order = np.random.RandomState(0).permutation(len(WINE))
    np.testing.assert_allclose(model.score_samples(WINE[order]), scores[order], rtol=1e-10)
    one_by_one = [model.score_samples(WINE[i : i + 1])[0] for i in range(20)]
    np.testing.assert_allclose(one_by_one, scores[:20], rtol=1e-10)
    many = np.tile(WINE, (40, 1))  # several blocks
    np.testing.assert_allclose(model.score_samples(many), np.tile(scores, 40), rtol=1e-10)
    np.testing.assert_allclose(model.score_samples(sparse.csr_array(WINE)), scores, rtol=1e-10)
    assert scores.dtype == np.float64


def test_reconstruction_is_no_density():
    model = VAE(2, (8,), max_iter=2, score_method="reconstruction").fit(WINE)
    with pytest.raises(ValueError, match="score_method='reconstruction' is a score but not"):
        model.score_samples(WINE)


def test_codes_into_a_classifier():
    digits = load_digits()
    X, y = digits.data / 16, digits.target
    model = make_pipeline(VAE(8, (64,), max_iter=150, random_state=0), KNeighborsClassifier())
    # chance is .1
    assert model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.85
    assert model[0].transform(X.astype(np.float32)).dtype == np.float32
    assert model[0].get_feature_names_out()[0] == "vae0"


def test_early_stopping_keeps_the_best_epoch():
    vae = VAE(2, (64, 64), max_iter=400, early_stopping=True, n_iter_no_change=5, random_state=0)
    vae.fit(WINE)
    assert vae.n_iter_ < 400
    losses = vae.history_["valid_loss"]
    assert len(losses) - 1 - losses.argmin() <= 5 + 1


def test_set_output_pandas():
    pd = pytest.importorskip("pandas")
    frame = load_wine(as_frame=True).data
    codes = VAE(2, (8,), max_iter=2).set_output(transform="pandas").fit_transform(frame)
    assert isinstance(codes, pd.DataFrame) and codes.columns.tolist() == ["vae0", "vae1"]


# -- bad input, and what must work ----------------------------------------------------------------

BOTH = pytest.mark.parametrize("cls", [VAE, VAEAnomalyDetector])


@BOTH
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"activation": "rleu"}, "activation.*'relu'"),
        ({"noise": "none"}, "noise.*'shared'"),
        ({"noise": 0.0}, "noise"),
        ({"criterion": "kl"}, "criterion.*'elbo'"),
        ({"prior": "gaussian"}, "prior.*'normal'"),
        ({"likelihood": "poisson"}, "likelihood.*'bernoulli'"),
        ({"kernel": "linear"}, "kernel.*'imq'"),
        ({"input_noise": -0.1}, "input_noise"),
        ({"input_noise": [0.1, -0.1]}, "input_noise"),
        ({"kl_warm_up": 2.0}, "kl_warm_up"),
        ({"n_train_samples": 0}, "n_train_samples"),
        ({"score_method": "likelihood"}, "score_method.*'elbo'"),
        ({"beta": -1.0}, "beta"),
        ({"learning_rate_init": 0.0}, "learning_rate_init"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"max_iter": 0}, "max_iter"),
    ],
)
def test_bad_parameters(cls, params, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        cls(**{"max_iter": 1, **params}).fit(WINE)


@pytest.mark.parametrize("contamination", [0.0, 0.6, "much"])
def test_bad_contamination(contamination):
    with pytest.raises(ValueError, match="contamination"):
        VAEAnomalyDetector(max_iter=1, contamination=contamination).fit(WINE)


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(cls, value):
    X = WINE.copy()
    X[3, 2] = value
    with pytest.raises(ValueError, match="NaN|infinity"):
        cls(max_iter=1).fit(X)
    model = cls(max_iter=1).fit(WINE)
    with pytest.raises(ValueError, match="NaN|infinity"):
        model.score_samples(X)


@BOTH
def test_divergence_is_an_error(cls):
    with pytest.raises(ValueError, match="diverged.*learning_rate_init"):
        cls(max_iter=20, learning_rate_init=1e10).fit(WINE)


@BOTH
def test_wrong_widths(cls):
    model = cls(2, max_iter=1).fit(WINE)
    with pytest.raises(ValueError, match="12 features"):
        model.score_samples(WINE[:, 1:])
    with pytest.raises(ValueError, match=r"\(n_samples, 2\)"):
        model.inverse_transform(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="n_samples=0"):
        model.sample(0)


def test_bad_labels():
    model = VAEAnomalyDetector(max_iter=1).fit(WINE)
    with pytest.raises(ValueError, match=r"\+1 \(normal\) and -1 \(anomaly\) only, got also \[0\]"):
        model.fit_labels(WINE[:3], [1, 0, 1])
    with pytest.raises(ValueError, match="one label a row"):
        model.fit_labels(WINE[:3], [1, -1])
    with pytest.raises(ValueError, match="contains? NaN"):
        model.fit_labels(np.full((1, 13), np.nan), [1])


@BOTH
@pytest.mark.parametrize(
    "X",
    [
        np.c_[WINE, np.ones(len(WINE))],
        np.ones((20, 3)),
        WINE[:, :1],
        WINE[:5],
        WINE[:1],
        np.repeat(WINE[:3], 10, axis=0),
        WINE.astype(np.float32),
        sparse.csr_array(WINE),
        (WINE * 10).astype(int),
        WINE * 1e-6,
        WINE * 1e6,
    ],
    ids=[
        "constant column",
        "all constant",
        "one feature",
        "more features than rows",
        "one row",
        "duplicates",
        "float32",
        "sparse",
        "integers",
        "tiny",
        "huge",
    ],
)
def test_must_work(cls, X):
    model = cls(X.shape[1] + 2, (8,), max_iter=5, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.transform(X).shape == (X.shape[0], X.shape[1] + 2)
    assert np.isfinite(model.sample(3, random_state=0)).all()


@BOTH
def test_a_fit_that_fails_leaves_the_number_of_features(cls):
    model = cls(2, (4,), max_iter=2, random_state=0).fit(WINE)
    before = model.score_samples(WINE)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(learning_rate_init=1e10, max_iter=20).fit(WINE[:, :5])
    np.testing.assert_array_equal(model.score_samples(WINE), before)
