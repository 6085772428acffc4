"""SGLDClassifier against the prior, numerical integration, closed forms and NUTS."""

import numpy as np
import pytest
import torch
from chain_toys import make_data
from scipy.special import expit
from torch import nn

from skbayes import SGLDClassifier
from skbayes.samplers import polynomial
from skbayes.supervised._recorder import Recorder

# -- the prior ------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("prior_scale", [1.0, 0.3, "fan_in"])
def test_without_information_the_posterior_is_the_prior(prior_scale, temperature):
    """One class: the likelihood is 1 whatever the weights."""
    X = np.random.RandomState(0).normal(size=(10, 4))
    model = SGLDClassifier(
        (9,),
        n_chains=20,
        n_draws=40,
        n_warmup=200,
        thinning=40,
        step_size=0.2 * (0.09 if prior_scale == 0.3 else 1.0),
        prior_scale=prior_scale,
        temperature=temperature,
        random_state=0,
    ).fit(X, np.zeros(10))
    precisions = {1.0: [1, 1, 1, 1], 0.3: [0.3**-2] * 4, "fan_in": [4, 1, 9, 1]}[prior_scale]
    for draws, precision in zip(model.posterior_.params.values(), precisions, strict=True):
        contraction = 1 - model.step_size_ * precision / 2
        # exact variance of the discrete chain; successive draws are contraction^40 < .015 apart
        variance = temperature / (precision * (1 - model.step_size_ * precision / 4))
        values = draws.numpy().ravel()
        # relative standard error of the standard deviation 1 / sqrt(2 n); 4.5 of them
        assert contraction**40 < 0.016
        assert values.std() == pytest.approx(variance**0.5, rel=4.5 / (2 * values.size) ** 0.5)
        assert abs(values.mean()) < 4.5 * (variance / values.size * 1.04) ** 0.5
    assert (model.predict_proba(X) == 1).all()


def test_automatic_step_of_the_prior_follows_its_variance():
    # curvature of the prior is its precision, in every direction, so that power iteration is exact
    X = np.zeros((10, 4))
    model = SGLDClassifier(
        (9,), n_warmup=640, n_draws=1, thinning=10, prior_scale=0.5, random_state=0
    ).fit(X, np.zeros(10))
    np.testing.assert_allclose(model.history_["curvature"][-1], 4.0, rtol=1e-6)
    assert model.step_size_ == 0.21  # .85 over 4, to two digits
    steps = model.history_["step_size"]  # seven steps a row of history
    # descent for a sixteenth, then cautiously: the share of the step rises in the first half
    shares = np.select(
        [steps < 0.5 * 0.2125, steps < 0.7 * 0.2125, steps < 0.9 * 0.2125], [0.35, 0.6, 0.8], 1
    )
    times = 7.0 * model.history_["epoch"]
    sampling = times > 48
    np.testing.assert_allclose(steps[sampling], 0.2125 * shares[sampling], rtol=0.03)
    assert (np.diff(shares[sampling]) >= 0).all()
    assert (shares[times > 328] == 1).all()
    assert (shares[sampling & (times < 152)] < 1).all()


# -- numerical integration ------------------------------------------------------------------------

LINE = np.random.RandomState(3).uniform(-2, 2, size=(20, 1))
LABELS = (LINE[:, 0] + np.random.RandomState(4).logistic(size=20) > 0.5).astype(int)
GRID = np.linspace(-4, 4, 9)[:, None]


def integrate(X, y, prior_scale, temperature=1.0):
    """Mean and std of p(class 1) by a sum over slope and intercept of the logit difference."""
    a, c = np.meshgrid(np.linspace(-12, 16, 561), np.linspace(-12, 12, 481), indexing="ij")
    # each logit has weights of variance s^2, their difference of 2 s^2
    log = -(a**2 + c**2) / (2 * 2 * prior_scale**2)
    for x, label in zip(X[:, 0], y, strict=True):
        log -= np.logaddexp(0, (a * x + c) * (1 - 2 * label))
    weight = np.exp((log - log.max()) / temperature)
    weight /= weight.sum()
    mean, square = [], []
    for x in GRID[:, 0]:
        p = expit(a * x + c)
        mean.append((weight * p).sum())
        square.append((weight * p**2).sum())
    mean = np.array(mean)
    return mean, np.sqrt(np.array(square) - mean**2)


@pytest.mark.parametrize(
    ("params", "prior_scale", "temperature"),
    [
        ({}, 1.0, 1.0),
        ({}, 2.0, 1.0),
        ({}, 1.0, 0.5),
        ({"batch_size": 5, "step_size": 0.002, "thinning": 150, "n_chains": 200}, 1.0, 1.0),
        (
            {"schedule": "polynomial", "schedule_offset": 500, "step_size": 0.03, "thinning": 60},
            1.0,
            1.0,
        ),
    ],
    ids=["full", "wide prior", "cold", "minibatches", "polynomial"],
)
def test_logistic_regression_against_integration(params, prior_scale, temperature):
    params = {"n_chains": 150, "step_size": 0.01, "thinning": 60, "n_draws": 30, **params}
    model = SGLDClassifier(
        (), n_warmup=600, prior_scale=prior_scale, temperature=temperature, random_state=0, **params
    ).fit(LINE, LABELS)
    draws = model.sample_proba(GRID)[:, :, 1]
    assert draws.shape == (params["n_chains"] * params["n_draws"], 9)
    mean, std = integrate(LINE, LABELS, prior_scale, temperature)
    # Standard errors: draws of a chain are nearly independent, but not quite; the means of the
    # chains are. 4.5 of them, and 2 % of the std for the finite step (eps lambda / 8 = 1.3 %)
    chains = draws.reshape(params["n_chains"], -1, 9)
    error = chains.mean(1).std(0, ddof=1) / params["n_chains"] ** 0.5
    assert (np.abs(draws.mean(0) - mean) < 4.5 * error + 0.02 * std).all()
    error = (chains - mean).std(1).std(0, ddof=1) / params["n_chains"] ** 0.5
    assert (np.abs(draws.std(0) - std) < 4.5 * error + 0.03 * std).all()
    # the reference knows what it is compared with: half the temperature is another posterior
    assert error.max() < 0.02 * std.max()


def test_integer_weights_are_repeated_rows():
    X, y = make_data()
    weight = np.random.RandomState(1).randint(0, 4, size=len(X))
    model = SGLDClassifier((6,), n_warmup=60, n_draws=5, thinning=8, random_state=0)
    weighted = model.fit(X, y, sample_weight=weight).sample_proba(X)
    steps = model.history_["step_size"]
    repeated = model.fit(np.repeat(X, weight, 0), np.repeat(y, weight)).sample_proba(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-7)
    np.testing.assert_array_equal(model.history_["step_size"], steps)
    plain = model.fit(X, y).sample_proba(X)  # and they do matter
    assert np.abs(plain - weighted).max() > 0.01


# -- schedules ------------------------------------------------------------------------------------


def resample(weights, n_chains, seed=0):
    """Numbers of the draws that `Recorder.stacked` keeps, of shape (chains, draws)."""
    n_draws = len(weights)
    chain = 1000.0 * torch.arange(n_chains, dtype=torch.float64).unsqueeze(1)
    module = torch.nn.Module()
    module.w = torch.nn.Parameter(torch.zeros(n_chains, 1, dtype=torch.float64))
    recorder = Recorder(module, range(n_draws))
    for number, weight in enumerate(weights):
        module.w.data = number + chain
        recorder(number, weight)
    stack = recorder.stacked(torch.Generator().manual_seed(seed), n_draws)["w"]
    kept = stack.view(n_chains, n_draws) - chain  # chain-major
    return kept.numpy().astype(int)


def test_decreasing_steps_are_resampled_to_their_weighting():
    weights = polynomial(1.0, 3, 0.9)(np.arange(12))
    share = weights / weights.sum()
    kept = resample(weights, 4000)
    counts = np.stack([np.bincount(row, minlength=12) for row in kept])
    # systematic: a draw is kept floor or ceil of n * share times, n * share on average
    assert ((counts == np.floor(12 * share)) | (counts == np.ceil(12 * share))).all()
    part = 12 * share % 1
    error = np.sqrt(part * (1 - part) / 4000)  # binomial
    assert (np.abs(counts.mean(0) - 12 * share) <= 4.5 * error + 1e-12).all()
    # a weighted mean of anything is met on average
    values = np.sin(np.arange(12))
    means = values[kept].mean(1)
    assert means.mean() == pytest.approx((share * values).sum(), abs=4.5 * means.std() / 4000**0.5)
    # chains are resampled independently of one another
    assert np.unique(kept, axis=0).shape[0] > 1


def test_equal_steps_keep_every_draw():
    np.testing.assert_array_equal(resample(np.full(7, 0.3), 3), np.tile(np.arange(7), (3, 1)))


def test_extreme_weights_stay_in_range():
    for weights in ([1.0, 1e-300, 1e-300], [1e-300, 1e-300, 1.0], [0.1, 0.1, 0.3]):
        kept = resample(weights, 500)
        assert kept.min() >= 0
        assert kept.max() <= 2
        if max(weights) == 1:
            assert (kept == int(np.argmax(weights))).all()


def test_polynomial_steps_are_taken():
    X, y = make_data()
    model = SGLDClassifier(
        (4,),
        schedule="polynomial",
        schedule_offset=7,
        schedule_power=0.8,
        step_size=0.01,
        n_warmup=20,
        n_draws=6,
        thinning=5,
    ).fit(X, y)
    expected = 0.01 * (1 + np.arange(50) / 7) ** -0.8
    np.testing.assert_allclose(model.history_["step_size"], expected, rtol=1e-12)


# -- continuing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_chains", [1, 3])
def test_warm_start_goes_on_from_the_chains_ends(n_chains):
    # without noise a chain is a deterministic descent: two runs of 15 are one of 30
    X, y = make_data()
    params = {"n_chains": n_chains, "n_warmup": 0, "thinning": 3}
    params |= {"step_size": 0.02, "temperature": 0.0}
    model = SGLDClassifier((4,), "tanh", n_draws=5, warm_start=True, random_state=0, **params)
    first = model.fit(X, y).sample_proba(X).reshape(n_chains, 5, -1)
    second = model.fit(X, y).sample_proba(X).reshape(n_chains, 5, -1)
    whole = SGLDClassifier((4,), "tanh", n_draws=10, random_state=0, **params).fit(X, y)
    expected = whole.sample_proba(X).reshape(n_chains, 10, -1)
    np.testing.assert_allclose(np.concatenate([first, second], 1), expected, rtol=1e-10)
    cold = model.set_params(warm_start=False).fit(X, y).sample_proba(X)
    np.testing.assert_array_equal(cold.reshape(n_chains, 5, -1), first)


def test_warm_start_draws_other_noise_and_may_change_the_number_of_draws():
    X, y = make_data()
    model = SGLDClassifier(
        (4,), n_chains=2, n_warmup=0, n_draws=3, thinning=1, step_size=1e-6, warm_start=True
    ).set_params(random_state=0)
    first = {n: p.clone() for n, p in model.fit(X, y).posterior_.params.items()}
    second = model.set_params(n_draws=4).fit(X, y).posterior_.params
    steps = []
    for name, p in first.items():
        p, q = p.unflatten(0, (2, 3)), second[name].unflatten(0, (2, 4))
        steps.append(
            torch.stack([p[:, 1] - p[:, 0], q[:, 0] - p[:, -1], q[:, 1] - q[:, 0]]).flatten(2)
        )
    noise = (torch.cat(steps, 2).flatten(1) / 1e-3).numpy()  # (3 steps, chains * parameters)
    # the drift is 1e-6 times a gradient; what is left is standard normal noise, of n numbers
    n = noise.shape[1]
    assert noise.std() == pytest.approx(1, abs=4.5 / (2 * noise.size) ** 0.5 + 0.05)
    assert np.abs(np.corrcoef(noise)[np.triu_indices(3, 1)]).max() < 4.5 / n**0.5 + 0.1


def test_warm_start_takes_in_a_new_class():
    X, y = make_data()
    few = y != 1
    model = SGLDClassifier((4,), n_chains=2, n_warmup=0, n_draws=1, thinning=1, warm_start=True)
    model.set_params(step_size=1e-12, random_state=0).fit(X[few], y[few])
    before = {name: p.clone() for name, p in model.posterior_.params.items()}
    model.fit(X, y)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    for name, p in model.posterior_.params.items():
        kept = p[:, [0, 2]] if name.startswith("layers.1") else p
        torch.testing.assert_close(kept, before[name], rtol=0, atol=1e-4)  # noise is 1e-6


# -- prediction -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    X, y = make_data()
    model = SGLDClassifier((6,), n_chains=3, n_warmup=100, n_draws=7, thinning=5, random_state=0)
    return model.fit(X, y), X


def test_mean_of_the_draws_is_the_prediction(fitted):
    model, X = fitted
    draws = model.sample_proba(X)
    assert draws.shape == (21, len(X), 3)
    np.testing.assert_allclose(draws.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(draws.mean(0), model.predict_proba(X), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), draws.mean(0).argmax(1))
    # draw by draw, the weights say the same
    weights = [p.numpy() for p in model.posterior_.params.values()]
    hidden = np.maximum(np.einsum("nd,mhd->mnh", X, weights[0]) + weights[1][:, None], 0)
    logits = np.einsum("mnh,mkh->mnk", hidden, weights[2]) + weights[3][:, None]
    proba = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(draws, proba, rtol=1e-10)


def test_selection_of_draws(fitted):
    model, X = fitted
    draws = model.sample_proba(X)
    for n_draws, chosen in [(1, [0]), (2, [0, 20]), (3, [0, 10, 20]), (21, range(21))]:
        np.testing.assert_allclose(
            model.sample_proba(X, n_draws=n_draws), draws[list(chosen)], rtol=1e-12
        )
    many = np.unique(
        [np.abs(draws - d).max((1, 2)).argmin() for d in model.sample_proba(X, n_draws=np.int64(9))]
    )
    assert len(many) == 9  # none twice, from all chains
    assert set(many // 7) == {0, 1, 2}


def test_uncertainty_is_split(fitted):
    model, X = fitted
    total, aleatoric, epistemic = model.predict_uncertainty(X)
    draws = model.sample_proba(X)
    mean = draws.mean(0)
    np.testing.assert_allclose(total, -(mean * np.log(mean)).sum(1), rtol=1e-10)
    np.testing.assert_allclose(aleatoric, -(draws * np.log(draws)).sum(2).mean(0), rtol=1e-10)
    # the mutual information, as the mean Kullback-Leibler divergence from the mean
    divergence = (draws * np.log(draws / mean)).sum(2).mean(0)
    np.testing.assert_allclose(epistemic, divergence, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(total, aleatoric + epistemic, rtol=1e-12)
    assert (epistemic > 0).all()
    assert (total <= np.log(3)).all()


def test_one_draw_is_not_uncertain_of_itself():
    X, y = make_data()
    model = SGLDClassifier((4,), n_chains=1, n_warmup=20, n_draws=1, thinning=1).fit(X, y)
    total, aleatoric, epistemic = model.predict_uncertainty(X)
    np.testing.assert_array_equal(epistemic, 0)
    np.testing.assert_allclose(total, aleatoric, rtol=1e-12)


def test_probabilities_of_zero_are_certain():
    # logits of 1e4: softmax underflows to 0, and 0 log 0 = 0
    X, y = make_data()
    model = SGLDClassifier((), n_chains=2, n_warmup=5, n_draws=2, thinning=1).fit(X, y)
    for uncertainty in model.predict_uncertainty(1e6 * X):
        assert np.isfinite(uncertainty).all()
    assert (model.sample_proba(1e6 * X) == 0).any()


def frozen_net(n_features, n_outputs):
    network = nn.Sequential(nn.Linear(n_features, 4), nn.Tanh(), nn.Linear(4, n_outputs))
    network[0].requires_grad_(False)
    return network


def test_frozen_weights_are_not_sampled():
    X, y = make_data()
    model = SGLDClassifier(module=frozen_net, n_chains=2, n_warmup=20, n_draws=4, thinning=1)
    params = model.fit(X, y).posterior_.params
    for name, p in params.items():
        chains = p.unflatten(0, (2, 4))
        assert torch.equal(chains[:, 0], chains[:, -1]) == name.startswith("0."), name


# -- NUTS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", ["auto", 32])
@pytest.mark.parametrize("problem", ["moons_h50", "iris4_h50"])
def test_against_nuts(skbayes_data, problem, batch_size):
    """The same network and prior, sampled at length by NUTS (200 000 gradients and more)."""
    with np.load(skbayes_data / "nuts_reference" / f"{problem}.npz") as reference:
        reference = dict(reference)
    model = SGLDClassifier(
        (50,),
        "tanh",
        n_chains=8,
        n_warmup=1000,
        n_draws=200,
        thinning=45,
        prior_scale=1.0,
        batch_size=batch_size,
        dtype="float32",
        random_state=1,
    ).fit(reference["X_train"], reference["y_train"])
    draws = model.sample_proba(reference["X_test"])
    mean, nuts = draws.mean(0), reference["test_proba"]
    tv = np.abs(mean - nuts).sum(1).mean() / 2
    # NUTS' own chains differ from one another by more than its mean's error, .002
    assert tv <= 0.01, tv
    std = reference["test_proba_std"][:, 1]
    wide = std > 0.02
    ratio = np.median(draws[:, wide, 1].std(0) / std[wide])
    # over ten seeds of the moons 1.04 to 1.09: the automatic step is not small
    assert 0.9 <= ratio <= 1.1, ratio
    # rows where both classes are nearly equal may go either way
    assert (mean.argmax(1) == nuts.argmax(1)).mean() > 0.97
