"""Deep ensembles and Monte-Carlo dropout: exact cases and limits."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from skorch.callbacks import Callback, GradientNormClipping
from torch import nn

from skbayes import (
    DeepEnsembleClassifier,
    DeepEnsembleRegressor,
    MCDropoutClassifier,
    MCDropoutRegressor,
)
from skbayes._engine.rows import Batch
from skbayes.supervised._likelihood import StackGaussian


def line(n=30, noise=0.2, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 2))
    return X, X @ [1.0, -0.5] + 0.3 + noise * rng.normal(size=n)


def gaussian_posterior(X, y, noise, prior, weight=None):
    """Mean and covariance of the weights and bias of a Bayesian linear model."""
    A = np.c_[X, np.ones(len(X))]
    w = np.ones(len(X)) if weight is None else weight
    covariance = np.linalg.inv((A * w[:, None]).T @ A / noise**2 + np.eye(3) / prior**2)
    return covariance @ (A * w[:, None]).T @ y / noise**2, covariance


def weights_of(model):
    params = {name: p.numpy() for name, p in model.posterior_.params.items()}
    return np.c_[params["layers.0.weight"][:, 0], params["layers.0.bias"]]


@pytest.mark.parametrize("batch_size", [200, 10])
@pytest.mark.parametrize("weighted", [False, True])
def test_anchored_ensemble_samples_a_linear_gaussian_posterior(weighted, batch_size):
    X, y = line()
    weight = np.random.RandomState(1).uniform(0.5, 2, len(X)) if weighted else None
    n = 1500
    model = DeepEnsembleRegressor(
        (),
        noise_scale=0.2,
        prior_scale=0.7,
        anchored=True,
        n_members=n,
        max_iter=600 if batch_size == 200 else 200,
        learning_rate_init=0.05,
        batch_size=batch_size,
        random_state=0,
    ).fit(X, y, sample_weight=weight)
    mean, covariance = gaussian_posterior(X, y, 0.2, 0.7, weight)
    found = weights_of(model)
    deviation = np.sqrt(np.diag(covariance))
    # standard errors of a mean and of a covariance of n independent Gaussian vectors
    assert (np.abs(found.mean(0) - mean) < 4.5 * deviation / n**0.5).all()
    scale = np.outer(deviation, deviation)
    correlation = covariance / scale
    error = np.sqrt((1 + correlation**2) / n)
    assert (np.abs(np.cov(found.T) - covariance) < 4.5 * error * scale).all()


def test_without_anchors_all_members_of_a_linear_model_are_its_mode():
    X, y = line()
    model = DeepEnsembleRegressor(
        (), noise_scale=0.2, prior_scale=0.7, max_iter=600, learning_rate_init=0.05, random_state=0
    ).fit(X, y)
    mean, _ = gaussian_posterior(X, y, 0.2, 0.7)
    np.testing.assert_allclose(weights_of(model), np.tile(mean, (5, 1)), atol=1e-4)


def test_mixture_of_members():
    X, y = line()
    model = DeepEnsembleRegressor((8,), "tanh", max_iter=50, random_state=0).fit(X, y)
    params = {name: p.numpy() for name, p in model.posterior_.params.items()}
    hidden = np.tanh(
        np.einsum("nd,mhd->mnh", X, params["net.layers.0.weight"])
        + params["net.layers.0.bias"][:, None]
    )
    output = (
        np.einsum("mnh,mkh->mnk", hidden, params["net.layers.1.weight"])
        + params["net.layers.1.bias"][:, None]
    )
    # the second output is the logarithm of the noise over std(y), divided by sqrt(width + 1); the
    # noise has a floor of a fiftieth of std(y)
    sd = y.std() * (np.exp(output[..., 1] / 3.0) + 0.02)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, output[..., 0].mean(0), rtol=1e-8)
    variance = (sd**2 + output[..., 0] ** 2).mean(0) - mean**2
    np.testing.assert_allclose(std, np.sqrt(variance), rtol=1e-8)


def test_anchors_need_a_prior():
    X, y = line()
    with pytest.raises(ValueError, match="anchored=True needs a prior.*prior_scale=None"):
        DeepEnsembleRegressor(anchored=True, prior_scale=None).fit(X, y)


def test_anchors_stay_in_a_warm_start():
    X, y = line()
    params = {"noise_scale": 0.2, "anchored": True, "random_state": 0, "max_iter": 300}
    model = DeepEnsembleRegressor((), n_members=200, warm_start=True, **params)
    model.set_params(learning_rate_init=0.05).fit(X, y).fit(X, y)
    _, covariance = gaussian_posterior(X, y, 0.2, 1.0)
    error = 4.5 / (2 * 200) ** 0.5
    np.testing.assert_allclose(weights_of(model).std(0), np.sqrt(np.diag(covariance)), rtol=error)


def test_adversarial_loss_is_the_mean_of_two():
    """The loss recorded before the first step, against autograd by hand."""
    X, y = make_blobs(12, centers=3, n_features=2, random_state=0)
    X = (X - X.mean(0)) / X.std(0)
    model = DeepEnsembleClassifier(
        (), n_members=1, max_iter=1, learning_rate_init=1e-12, prior_scale=None, random_state=0
    ).set_params(adversarial_epsilon=0.05)
    model.fit(X, y)  # the step is too small to matter: these are the weights that it started from
    weight, bias = (p[0] for p in model.posterior_.params.values())
    rows = torch.from_numpy(X).requires_grad_(True)
    target = torch.from_numpy(y)
    loss = torch.nn.functional.cross_entropy(rows @ weight.T + bias, target)
    loss.backward()
    shift = torch.from_numpy(0.05 * (X.max(0) - X.min(0)))
    moved = torch.from_numpy(X) + shift * rows.grad.sign()
    against = torch.nn.functional.cross_entropy(moved @ weight.T + bias, target)
    expected = 0.5 * (loss.item() + against.item())
    assert model.history_["train_loss"][0] == pytest.approx(expected, rel=1e-8)


def test_adversarial_training_resists_its_attack():
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=200)
    # one feature that tells the classes well, nine that tell a little each
    X = rng.normal(size=(200, 10)) * 0.5 + np.where(y, 1, -1)[:, None] * np.r_[1.0, [0.15] * 9]
    losses = {}
    for epsilon in (None, 0.1):
        model = DeepEnsembleClassifier(
            (20,), adversarial_epsilon=epsilon, max_iter=60, prior_scale=None, random_state=0
        ).fit(X, y)
        # the attack on a classifier whose every feature has the class's sign
        step = 0.1 * (X.max(0) - X.min(0))
        against = model.predict_proba(X - step * np.where(y, 1, -1)[:, None])
        losses[epsilon] = -np.log(against[np.arange(200), y]).mean()
    assert losses[0.1] < 0.8 * losses[None]


@pytest.mark.parametrize("kind", [MCDropoutClassifier, MCDropoutRegressor])
def test_no_dropout_is_one_network(kind):
    X, y = line()
    model = kind((8,), dropout=0.0, n_draws=3, max_iter=20, random_state=0)
    model.fit(X, y > 0 if kind is MCDropoutClassifier else y)
    for values in model.posterior_.params.values():
        torch.testing.assert_close(values, values[:1].expand_as(values), rtol=0, atol=0)


def test_draws_are_networks_with_units_left_out():
    X, y = line()
    model = MCDropoutRegressor(
        (6, 5), "tanh", dropout=0.4, n_draws=4000, noise_scale=0.2, max_iter=30, random_state=0
    ).fit(X, y)
    params = {name: p.numpy() for name, p in model.posterior_.params.items()}
    first = params["layers.0.weight"]
    np.testing.assert_array_equal(first, np.broadcast_to(first[:1], first.shape))
    full = {}
    for number, width in ((1, 6), (2, 5)):
        weight = params[f"layers.{number}.weight"]
        full[number] = np.abs(weight).max(0, keepdims=True)
        kept = (weight != 0).any(1)  # (draws, width): a column is kept or left out as a whole
        np.testing.assert_array_equal(np.abs(weight), kept[:, None] * full[number])
        share = kept.mean(0)
        assert (np.abs(share - 0.6) < 4.5 * (0.24 / 4000) ** 0.5).all()
        # units are left out independently of one another
        correlation = np.corrcoef(kept.T)[np.triu_indices(width, 1)]
        assert np.abs(correlation).max() < 4.5 / 4000**0.5
    # what is kept is larger by one over its probability: the mean of the weights is the trained one
    mean = params["layers.2.weight"].mean(0)
    trained = params["layers.2.weight"].max(0) + params["layers.2.weight"].min(0)
    np.testing.assert_allclose(mean, 0.6 * trained, rtol=4.5 * (0.4 / 0.6 / 4000) ** 0.5)


def test_training_noise_is_that_of_the_draws():
    """In training mode members see what draws would show: same mean and variance of the output."""
    from skbayes.nn import StackedMLP
    from skbayes.nn._dropout import DropoutMLP, masked_draws

    plain = StackedMLP(3, (7,), 1, 1, activation="tanh", dtype=torch.float64)
    noisy = DropoutMLP(plain, 0.3, torch.Generator().manual_seed(0)).train()
    x = torch.randn(1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    n = 4000
    trained = torch.cat([noisy(x).detach().flatten() for _ in range(n)])
    draws = masked_draws(plain, 0.3, n, torch.Generator().manual_seed(2))
    hidden = torch.tanh(x @ plain.layers[0].weight[0].T + plain.layers[0].bias[0])
    output = (draws["layers.1.weight"][:, 0] * hidden).sum(1) + draws["layers.1.bias"][:, 0]
    output = output.detach()
    error = 4.5 * float((output.var() / n * 2).sqrt())
    assert abs(float(trained.mean() - output.mean())) < error
    assert float(trained.std() / output.std()) == pytest.approx(1, abs=4.5 / n**0.5)
    assert float(trained.mean()) == pytest.approx(float(noisy.eval()(x).detach()), abs=error)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masks_are_fair_coins_a_row_a_unit_and_a_step(dtype):
    from skbayes.nn._dropout import hash_rows, hashed_mask

    # neighbours in every sense: consecutive numbers, one feature that differs
    X = torch.zeros(400, 3, dtype=dtype)
    X[:, 1] = torch.arange(400)
    keys = torch.arange(50)
    kept = torch.stack([hashed_mask(hash_rows(X), 20, key, 0.3) for key in keys]).numpy()
    for axes in ((0, 1), (0, 2), (1, 2)):  # a unit's, a row's, a step's share
        n = np.prod([kept.shape[a] for a in axes])
        assert (np.abs(kept.mean(axes) - 0.7) < 5 * (0.21 / n) ** 0.5).all()
    for axis in range(3):  # and no memory from one step, row or unit to the next
        flat = np.moveaxis(kept, axis, 0).reshape(kept.shape[axis], -1).astype(float)
        pairs = [np.corrcoef(flat[k], flat[k + 1])[0, 1] for k in range(len(flat) - 1)]
        n = flat.shape[1]
        assert np.abs(pairs).max() < 5 / n**0.5
        assert abs(np.mean(pairs)) < 4.5 / (n * len(pairs)) ** 0.5


def test_equal_rows_have_one_mask_wherever_they_stand():
    from skbayes.nn._dropout import hash_rows, hashed_mask

    X = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    key = torch.tensor(7)
    mask = hashed_mask(hash_rows(X), 9, key, 0.5)
    assert torch.equal(hashed_mask(hash_rows(X[order]), 9, key, 0.5), mask[order])
    assert not torch.equal(hashed_mask(hash_rows(X), 9, key + 1, 0.5), mask)
    assert not torch.equal(mask[0], mask[1])


def wide_line():
    X, y = line()
    return np.c_[X, X**2], y


class Freezer(Callback):
    """Freezes the first layer before training."""

    def on_train_begin(self, net, **kwargs):
        next(net.module_.parameters()).requires_grad_(False)


@pytest.mark.parametrize("activation", ["relu", "elu"])
@pytest.mark.parametrize("prior_scale", [1.0, None])
def test_what_a_callback_freezes_stays(activation, prior_scale):
    X, y = wide_line()
    params = {"prior_scale": prior_scale, "random_state": 0, "activation": activation}
    start = DeepEnsembleRegressor(
        (4,), max_iter=1, learning_rate_init=1e-12, skorch_callbacks=[Freezer()], **params
    )
    end = DeepEnsembleRegressor((4,), max_iter=20, skorch_callbacks=[Freezer()], **params)
    first, last = (next(iter(m.fit(X, y).posterior_.params.values())) for m in (start, end))
    torch.testing.assert_close(first, last, rtol=0, atol=1e-9)


class Frozen(nn.Module):
    """A layer of sevens that is not trained, before one that is."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first, self.last = nn.Linear(n_features, 3), nn.Linear(3, n_outputs)
        nn.init.constant_(self.first.weight, 7.0)
        self.first.requires_grad_(False)

    def forward(self, X):
        return self.last(torch.tanh(self.first(X)))


def test_anchors_leave_what_is_frozen():
    X, y = wide_line()
    model = DeepEnsembleRegressor(
        module=Frozen, anchored=True, noise_scale=0.2, max_iter=3, random_state=0
    ).fit(X, y)
    (weight,) = [p for n, p in model.posterior_.params.items() if n.endswith("first.weight")]
    assert (weight == 7.0).all()


@pytest.mark.parametrize("epsilon", [None, 0.01])
def test_gradients_are_clipped_when_asked_for(epsilon):
    X, y = wide_line()
    moved = {}
    for clipped in (False, True):
        model = DeepEnsembleRegressor(
            (4,),
            adversarial_epsilon=epsilon,
            prior_scale=None,
            max_iter=3,
            skorch_callbacks=[GradientNormClipping(1e-12)] if clipped else None,
            random_state=0,
        )
        ends = [
            next(iter(model.set_params(max_iter=n).fit(X, y).posterior_.params.values()))
            for n in (1, 20)
        ]
        moved[clipped] = float((ends[1] - ends[0]).abs().max())
    assert moved[True] < 1e-2 * moved[False]


def test_a_module_without_a_gradient_for_its_input_cannot_be_adversarial():
    class Rounding(nn.Module):
        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.table = nn.Embedding(10, n_outputs)

        def forward(self, X):
            return self.table(X[..., 0].long().clamp(0, 9))

    X, y = wide_line()
    model = DeepEnsembleRegressor(
        module=Rounding, adversarial_epsilon=0.1, noise_scale=1.0, max_iter=2
    )
    with pytest.raises(ValueError, match="adversarial_epsilon needs the gradient"):
        model.fit(X, y)


def test_anchors_that_the_last_fit_had_not_are_drawn():
    X, y = wide_line()
    plain = DeepEnsembleRegressor((3,), warm_start=True, max_iter=2, random_state=0).fit(X, y)
    assert np.isfinite(plain.set_params(anchored=True).fit(X, y).predict(X)).all()
    model = DeepEnsembleClassifier((3,), warm_start=True, anchored=True, max_iter=2, random_state=0)
    model.fit(X, y > y.mean())
    more = np.digitize(y, np.quantile(y, [0.3, 0.6])) * 1.0  # a class more
    assert model.fit(X, more).predict_proba(X).shape[1] == 3


def test_dropout_pickles_and_goes_on():
    X, y = line()
    model = MCDropoutRegressor((8,), max_iter=5, warm_start=True, random_state=0).fit(X, y)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict(X), model.predict(X))
    np.testing.assert_allclose(copied.fit(X, y).predict(X), model.fit(X, y).predict(X), rtol=1e-12)


# -- the pull of the noise -------------------------------------------------------------------------


def outputs_and_rows(weight=None, n=7, seed=0):
    g = torch.Generator().manual_seed(seed)
    output = torch.randn(2, n, 2, generator=g, dtype=torch.float64).requires_grad_()
    return output, Batch(torch.zeros(n, 1), torch.randn(n, generator=g).double(), weight)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_weighted_gradients_are_those_of_autograd_and_losses_are_densities(beta, weighted):
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0, 3.0, 1.0]).double() if weighted else None
    output, batch = outputs_and_rows(weight)
    losses = StackGaussian(beta=beta)(output, batch)
    (expected,) = torch.autograd.grad(losses.sum(), output)
    again, gradient = StackGaussian(beta=beta).with_gradient(output.detach(), batch)
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(again, losses.detach())
    density = torch.distributions.Normal(output[..., 0], output[..., 1].exp()).log_prob(batch.y)
    torch.testing.assert_close(losses, -density)


def test_with_beta_1_the_mean_is_moved_as_by_a_squared_error():
    output, batch = outputs_and_rows()
    _, gradient = StackGaussian(beta=1.0).with_gradient(output.detach(), batch)
    mean, variance = output.detach()[..., 0], (2 * output.detach()[..., 1]).exp()
    torch.testing.assert_close(gradient[..., 0], (mean - batch.y) / variance.mean(1, keepdim=True))


def test_weights_are_repeated_rows_for_the_pull_of_the_noise():
    times = torch.tensor([1, 2, 1, 3, 1, 1, 1])
    output, batch = outputs_and_rows(times.double())
    many = torch.repeat_interleave(output.detach(), times, 1)
    repeated = Batch(batch.X, torch.repeat_interleave(batch.y, times), None)
    once = StackGaussian(beta=0.5).with_gradient(output.detach(), batch)[1]
    each = StackGaussian(beta=0.5).with_gradient(many, repeated)[1]
    torch.testing.assert_close(torch.repeat_interleave(once, times, 1), each)


def test_a_wave_is_fitted_and_not_called_noise():
    errors = {0.0: 0.0, "auto": 0.0}
    for seed in range(2):
        rng = np.random.RandomState(seed)
        x = rng.uniform(-2, 2, size=(300, 1))
        y = np.sin(3 * x[:, 0]) + 0.01 * rng.normal(size=300)
        for beta in errors:
            reg = DeepEnsembleRegressor(
                (50,), beta_nll=beta, n_members=3, max_iter=200, batch_size=50, random_state=seed
            )
            errors[beta] += np.sqrt(np.mean((reg.fit(x, y).predict(x) - y) ** 2))
    assert errors["auto"] < 0.6 * errors[0.0]


def test_of_anchored_members_every_row_has_one_vote():
    kwargs = {"n_members": 2, "max_iter": 5, "random_state": 0}
    X, y = np.random.RandomState(0).normal(size=(2, 30, 1))
    own = DeepEnsembleRegressor((5,), anchored=True, **kwargs).fit(X, y[:, 0])
    none = DeepEnsembleRegressor((5,), anchored=True, beta_nll=0, **kwargs).fit(X, y[:, 0])
    np.testing.assert_array_equal(own.predict(X), none.predict(X))
    with pytest.raises(ValueError, match="beta_nll"):
        DeepEnsembleRegressor(beta_nll=2.0).fit(X, y[:, 0])
