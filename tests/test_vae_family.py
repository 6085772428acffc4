"""The estimators over criteria, priors and likelihoods; contributions and robustness."""

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.datasets import load_digits, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import scale
from skorch.callbacks import Callback

from skbayes import VAE, VAEAnomalyDetector
from skbayes.density._allowed import allowed_scores
from skbayes.density._objective import AUTO_BETA, SAMPLES_ONLY, STOCHASTIC

WINE = scale(load_wine().data)
LEARNED = ("ard", "mixture", "vamp")


def ring(n, seed=0):
    """Rows on a circle of radius 1.1: f(z) = z / 10 + z / |z|."""
    z = np.random.RandomState(seed).normal(size=(n, 2))
    return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True)


def uniform_prior(n_samples, n_components, random_state):
    return random_state.uniform(-2, 2, size=(n_samples, n_components))


# -- criteria -------------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", AUTO_BETA)
def test_every_criterion_learns_to_reconstruct(criterion):
    X = ring(600)
    model = VAE(2, (32,), criterion=criterion, kl_warm_up=0.5, random_state=0)
    model.set_params(max_iter=120, learning_rate_init=0.01).fit(X[:400])
    error = np.square(model.reconstruct(X[400:]) - X[400:]).mean()
    assert error < 0.25 * X.var(axis=0).mean()
    assert np.isfinite(model.score(X[400:]))
    # the density tells the ring from its outside
    far = model.score_samples([[3.0, 3.0], [-2.0, 2.0]])
    assert (far < model.score_samples(X[400:]).min()).all()


@pytest.mark.parametrize("criterion", sorted(SAMPLES_ONLY | {"stein"}))
def test_codes_are_pulled_to_the_prior(criterion):
    """Without a pull the codes of an autoencoder have any scale; with it that of the prior."""
    X = 5 * ring(600, 1)
    params = {"max_iter": 60, "learning_rate_init": 0.01, "random_state": 0}
    pulled = VAE(2, (32,), criterion=criterion, **params).fit(X).transform(X)
    free = VAE(2, (32,), criterion="mse", **params).fit(X).transform(X)

    def distance(codes):
        return max(stats.kstest(column, "norm").statistic for column in codes.T)

    assert distance(pulled) < min(0.2, 0.6 * distance(free))


def test_a_prior_of_ones_own():
    X = ring(500, 2)
    params = {"criterion": "mmd", "beta": 100.0, "max_iter": 60, "learning_rate_init": 0.01}
    model = VAE(2, (32,), prior=uniform_prior, random_state=0, **params).fit(X)
    codes = model.transform(X)
    assert np.abs(codes).max() < 3.0
    distance = max(stats.kstest(c, stats.uniform(-2, 4).cdf).statistic for c in codes.T)
    usual = VAE(2, (32,), random_state=0, **params).fit(X).transform(X)
    assert distance < max(stats.kstest(c, stats.uniform(-2, 4).cdf).statistic for c in usual.T)
    draws = model.sample(400, random_state=0)
    assert abs(np.linalg.norm(draws, axis=1).mean() - np.linalg.norm(X, axis=1).mean()) < 0.2
    np.testing.assert_array_equal(draws, model.sample(400, random_state=0))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda n, d, rng: np.zeros((n, d + 1)), r"shape \(178, 2\), got \(178, 3\)"),
        (lambda n, d, rng: np.full((n, d), np.nan), "finite"),
    ],
)
def test_a_prior_of_ones_own_that_is_wrong(bad, message):
    with pytest.raises(ValueError, match=f"prior.*{message}"):
        VAE(2, (4,), criterion="mmd", prior=bad, max_iter=1, batch_size=178).fit(WINE)


@pytest.mark.parametrize("criterion", AUTO_BETA)
@pytest.mark.parametrize("prior", ["normal", "corners", *LEARNED, uniform_prior])
def test_table_of_criteria_and_priors(criterion, prior):
    model = VAE(2, (4,), criterion=criterion, prior=prior, n_members=2, max_iter=2, random_state=0)
    goes = (
        prior == "normal"
        or (prior == "corners" and criterion != "mse")
        or (prior in LEARNED and criterion in STOCHASTIC)
        or (callable(prior) and criterion in SAMPLES_ONLY)
    )
    if not goes:
        with pytest.raises(
            ValueError, match=rf"prior=.*criterion='{criterion}'".replace("+", r"\+")
        ):
            model.fit(WINE)
        return
    model.fit(WINE)
    assert np.isfinite(model.score_samples(WINE)).all()
    assert np.isfinite(model.sample(7, random_state=0)).all()
    terms = model._score_terms()
    assert terms == ("iwae",) if "iwae" in allowed_scores(criterion, prior) else ("mixture",)


@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_priors_that_learn_fit_clusters_better(prior):
    rng = np.random.RandomState(0)
    X = np.r_[rng.normal(-3, 0.3, size=(300, 2)), rng.normal(3, 0.3, size=(300, 2))]
    params = {"n_components": 2, "hidden_layer_sizes": (16,), "max_iter": 100, "random_state": 0}
    test = np.r_[rng.normal(-3, 0.3, size=(300, 2)), rng.normal(3, 0.3, size=(300, 2))]
    gain = VAE(prior=prior, **params).fit(X).score_samples(test) - VAE(**params).fit(
        X
    ).score_samples(test)
    assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))


@pytest.mark.parametrize("criterion", AUTO_BETA)
def test_early_stopping_of_every_criterion(criterion):
    model = VAE(2, (8,), criterion=criterion, max_iter=40, early_stopping=True, n_iter_no_change=3)
    model.set_params(random_state=0).fit(WINE)
    assert np.isfinite(model.history_["valid_loss"]).all()


class Thermometer(Callback):
    """Writes down how far the divergence has warmed up."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("heat", net.criterion_.heat)


def test_divergence_warms_up():
    params = {"batch_size": 64, "skorch_callbacks": [Thermometer()], "random_state": 0}
    model = VAE(2, (8,), kl_warm_up=0.5, max_iter=10, **params).fit(WINE)  # 30 steps
    heat = [row["heat"] for row in model.net_.history]
    np.testing.assert_allclose(heat, np.minimum(np.arange(3, 31, 3) / 15, 1))
    model.set_params(kl_warm_up=0.0).fit(WINE)
    assert {row["heat"] for row in model.net_.history} == {1.0}


@pytest.mark.parametrize("noise", ["shared", "per_feature", 0.3])
@pytest.mark.parametrize("criterion", ["elbo", "mse"])
def test_noise_is_learned_filled_in_or_fixed(noise, criterion):
    model = VAE(3, (16,), criterion=criterion, noise=noise, max_iter=200, random_state=0).fit(WINE)
    variance = model.noise_variance_
    if noise == 0.3:
        np.testing.assert_allclose(variance, 0.09)
        return
    assert (np.ptp(variance) == 0) == (noise == "shared")
    residual = np.square(model.reconstruct(WINE) - WINE).mean(axis=0)
    if criterion == "mse":  # exactly the mean squared residual
        expected = residual if noise == "per_feature" else np.full(13, residual.mean())
        np.testing.assert_allclose(variance, expected, rtol=1e-6)
    else:  # codes are drawn, so that there is a little more of it
        assert residual.mean() < variance.mean() < 3 * residual.mean()


# -- likelihoods ----------------------------------------------------------------------------------


def test_heavy_tails_are_students():
    rng = np.random.RandomState(0)
    X = rng.standard_t(2.0, size=(1500, 3))
    params = {"max_iter": 80, "learning_rate_init": 0.02, "random_state": 0}
    gaussian = VAE(1, (8,), activation="tanh", **params).fit(X[:1000]).score(X[1000:])
    student = VAE(1, (8,), activation="tanh", likelihood="student_t", **params).fit(X[:1000])
    exact = stats.t(2.0).logpdf(X[1000:]).sum(1).mean()
    assert student.score(X[1000:]) > gaussian + 0.3
    assert student.score(X[1000:]) > exact - 0.15


def test_bits_are_bernoullis():
    X = (load_digits().data > 7).astype(float)
    model = VAE(8, (64,), likelihood="bernoulli", random_state=0).fit(X[:1200])
    p = X[:1200].mean(axis=0).clip(1e-3, 1 - 1e-3)
    independent = (X[1200:] * np.log(p) + (1 - X[1200:]) * np.log1p(-p)).sum(1).mean()
    assert independent + 3 < model.score(X[1200:]) < 0
    assert set(np.unique(model.sample(20, random_state=0))) <= {0.0, 1.0}
    reconstruction = model.reconstruct(X[1200:])
    assert 0 <= reconstruction.min() and reconstruction.max() <= 1
    assert np.square(reconstruction - X[1200:]).mean() < 0.6 * np.square(p - X[1200:]).mean()
    detector = VAEAnomalyDetector(8, (64,), likelihood="bernoulli", robust=True, random_state=0)
    detector.set_params(max_iter=5).fit(X[:300])
    assert np.isfinite(detector.score_samples(X)).all()


@pytest.mark.parametrize("X", [WINE, sparse.csr_array(np.array([[0.0, 2.0], [0.5, 0.0]]))])
def test_bits_must_be_bits(X):
    with pytest.raises(ValueError, match="likelihood='bernoulli' needs values of X between 0"):
        VAE(2, (4,), likelihood="bernoulli", max_iter=1).fit(X)


def test_students_means_are_not_compared():
    with pytest.raises(ValueError, match="likelihood='student_t'.*criterion='vae-gan'"):
        VAE(2, (4,), likelihood="student_t", criterion="vae-gan", max_iter=1).fit(WINE)


# -- scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["nll", "elbo+nll", "", "elbo+"])
def test_unknown_scores(score):
    with pytest.raises(ValueError, match="is not a score.*'reconstruction'"):
        VAEAnomalyDetector(score_method=score, max_iter=1).fit(WINE)


def test_sums_of_scores_are_sums():
    names = ("latent", "mixture", "neighbours")
    # beta="auto" and noise="auto" are others where the score asks the prior
    params = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}
    params.update(beta=0.5, noise="per_feature")
    params["n_members"] = 1  # of more, a sum's mixture takes one only, a density all
    parts = [VAEAnomalyDetector(score_method=name, **params).fit(WINE) for name in names]
    whole = VAEAnomalyDetector(score_method="+".join(names), **params).fit(WINE)
    np.testing.assert_allclose(
        whole.score_samples(WINE), sum(part.score_samples(WINE) for part in parts), rtol=1e-9
    )


def test_a_score_whose_training_rows_were_not_kept():
    model = VAEAnomalyDetector(2, (8,), max_iter=2).fit(WINE)
    model.set_params(score_method="neighbours")
    with pytest.raises(ValueError, match="'codes'.*fit again"):
        model.score_samples(WINE)
    model.set_params(score_method="latent").score_samples(WINE)  # needs none


# -- codes ----------------------------------------------------------------------------------------


def test_interpolation_ends_in_reconstructions_and_walks_straight():
    vae = VAE(2, (16,), max_iter=50, random_state=0).fit(WINE)
    path = vae.interpolate(WINE[0], WINE[1], n_steps=7)
    assert path.shape == (7, 13)
    ends = vae.inverse_transform(vae.transform(WINE[:2]))
    np.testing.assert_allclose(path[[0, -1]], ends, rtol=1e-9)
    middle = vae.inverse_transform(vae.transform(WINE[:2]).mean(axis=0, keepdims=True))
    np.testing.assert_allclose(path[3], middle[0], rtol=1e-9)
    paths = vae.interpolate(WINE[:3], WINE[3:6], n_steps=4)
    np.testing.assert_allclose(paths[1], vae.interpolate(WINE[1], WINE[4], n_steps=4), rtol=1e-9)
    with pytest.raises(ValueError, match="n_steps=1"):
        vae.interpolate(WINE[0], WINE[1], n_steps=1)
    with pytest.raises(ValueError, match="same shape"):
        vae.interpolate(WINE[:2], WINE[:3])


def test_plain_autoencoder_samples_like_its_rows():
    X = ring(800, 3)
    model = VAE(2, (32,), criterion="mse", max_iter=100, random_state=0).fit(X)
    radius = np.linalg.norm(model.sample(2000, random_state=0), axis=1)
    assert abs(radius.mean() - np.linalg.norm(X, axis=1).mean()) < 0.05


def test_frozen_codes_into_a_classifier():
    digits = load_digits()
    X, y = digits.data / 16, digits.target
    vae = VAE(8, (64,), max_iter=60, learning_rate_init=0.01, random_state=0).fit(X)  # no labels
    model = make_pipeline(FrozenEstimator(vae), KNeighborsClassifier()).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) > 0.6  # chance is a tenth
