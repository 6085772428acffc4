"""The bound's gradient in closed form is autograd's; what has none is left to autograd."""

import numpy as np
import pytest
import torch

from skbayes import VAE, VAEAnomalyDetector
from skbayes._engine.rows import Rows
from skbayes.density._closed_form import has_closed_form
from skbayes.density._objective import Objective, Settings
from skbayes.density._training import make_net
from skbayes.nn import StackedVAE

N_ROWS, N_FEATURES, N_COMPONENTS = 17, 5, 3
X = np.random.default_rng(0).normal(size=(N_ROWS, N_FEATURES)) * [1, 2, 3, 0.5, 1]
#: What the objective does, and of which module.
CASES = {
    "bound": ({}, {}),
    "one member": ({}, {"n_members": 1}),
    "beta, input noise": ({"beta": 0.3, "input_noise": (0.1, 0.5), "unit": 1.5}, {}),
    "trimmed": ({"trim": 0.3}, {}),
    "standardised": ({"beta": 2.0, "input_noise": (0.2,)}, {"standardised": True}),
    "shared noise": ({}, {"per_feature_noise": False, "standardised": True}),
    "fixed noise": ({}, {"fixed": True}),
    "linear": ({}, {"hidden": ()}),
    "noise that moves faster": ({}, {"noise_rate": 5.0, "per_feature_noise": False}),
    "tanh": ({}, {"activation": "tanh"}),
    "codes at their bounds": ({}, {"far": True}),
}


def net_of(settings, n_members=3, standardised=False, fixed=False, far=False, hidden=(6, 4), **kw):
    generator = torch.Generator().manual_seed(0)
    vae = StackedVAE(
        N_FEATURES,
        N_COMPONENTS,
        n_members,
        hidden,
        noise_floor=0.1,
        generator=generator,
        dtype=torch.float64,
        **kw,
    )
    with torch.no_grad():
        for p in vae.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
        if far:  # half of the logarithms of the variances beyond what they are held by
            vae.encoder.layers[-1].bias[:, N_COMPONENTS:] = -30.0
    if standardised:
        vae.standardise(torch.as_tensor(X.mean(0)), torch.as_tensor(X.std(0)))
    vae.log_noise.requires_grad_(not fixed)
    rows = Rows(X, device=torch.device("cpu"), dtype=torch.float64)
    rng = np.random.RandomState(0)
    net = make_net(
        vae, Settings(**settings), rows, rng, batch_size=8, max_iter=1, learning_rate=0.01
    )
    net.module_.train()
    net._mean_weight = 1.0
    return net, rows


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("members_share", [True, False])
def test_gradient_is_that_of_autograd(case, members_share):
    settings, module = CASES[case]
    net, rows = net_of(settings, **module)
    index = torch.arange(N_ROWS) if members_share else torch.arange(8 * net.module_.n_members) % 7
    if not members_share:
        index = index.view(net.module_.n_members, 8)
    answers = []
    for closed in (True, False):
        assert has_closed_form(net.module_, net.criterion_)
        net._closed_form = closed
        net.forget_gradients()
        net.module_.noise_generator.manual_seed(1)
        losses = net.backward(rows.take(index), 1.0)
        assert not losses.requires_grad
        answers.append([losses, *(p.grad for p in net.module_.parameters())])
    for ours, theirs in zip(*answers, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_whole_robust_fit_is_the_same(monkeypatch):
    params = {"hidden_layer_sizes": (6,), "max_iter": 10, "robust": True, "random_state": 0}
    data = np.random.default_rng(0).normal(size=(150, 4))
    ours = VAEAnomalyDetector(**params).fit(data).score_samples(data)
    monkeypatch.setattr("skbayes.density._net.has_closed_form", lambda *args: False)
    theirs = VAEAnomalyDetector(**params).fit(data).score_samples(data)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {"criterion": "iwae"},
        {"criterion": "mse"},
        {"prior": "ard"},
        {"prior": "vamp"},
        {"likelihood": "student_t"},
        {"activation": "gelu"},
    ],
)
def test_other_models_are_left_to_autograd(params):
    vae = VAE(2, (3,), max_iter=1, random_state=0)
    assert vae.fit(X).net_._closed_form
    assert not vae.set_params(**params).fit(X).net_._closed_form


def test_what_watches_or_changes_the_network_is_heard():
    net, _ = net_of({})
    vae = net.module_
    assert has_closed_form(vae, Objective(Settings()))
    handle = vae.decoder.layers[0].register_forward_hook(lambda module, X, output: 2.0 * output)
    assert not has_closed_form(vae, Objective(Settings()))
    handle.remove()
    vae.encoder.layers[0].weight.requires_grad_(False)
    assert not has_closed_form(vae, Objective(Settings()))
