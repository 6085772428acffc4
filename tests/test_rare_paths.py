"""Paths that a first reading forgets: buffers, stopped samplers, tempering, shared seeds."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.preprocessing import scale
from skorch.callbacks import Callback
from torch import nn

from skbayes import (
    DeepEnsembleFilterClassifier,
    SGLDClassifier,
    predict_uncertainty,
)
from skbayes._engine.callbacks import StopTraining
from skbayes._engine.rows import MemberBatches, Rows, count_batches
from skbayes._engine.threads import one_thread_if_small
from skbayes.density import _blocks
from skbayes.samplers import SGLD

X, Y = load_iris(return_X_y=True)
X = scale(X)


class FourierFeatures(nn.Module):
    """A network whose every copy has a buffer of its own, and one that no state_dict holds."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(n_features, 50))
        self.register_buffer("shift", torch.rand(50), persistent=False)
        self.out = nn.Linear(50, n_outputs)

    def forward(self, rows):
        return self.out(torch.cos(rows @ self.frequencies + self.shift))


def test_every_draw_predicts_with_its_own_chains_buffers():
    model = SGLDClassifier(
        module=FourierFeatures, n_chains=3, n_warmup=500, n_draws=4, thinning=5, random_state=0
    ).fit(X, Y)
    hits = (model.sample_proba(X).argmax(-1) == Y).mean(1)
    assert (hits > 0.85).all()  # with another chain's frequencies it is about a half
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(copy.deepcopy(model).predict_proba(X), model.predict_proba(X))


def test_a_later_round_keeps_the_buffers():
    model = DeepEnsembleFilterClassifier(
        module=FourierFeatures,
        n_members=3,
        warm_epochs=0,
        inflation=None,
        warm_start=True,
        random_state=0,
    ).fit(X, Y)
    before = model.predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(X), before)


class StopAt(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise StopTraining


def test_a_stopped_sampler_keeps_the_draws_it_has():
    model = SGLDClassifier(
        (5,), n_chains=2, n_warmup=100, n_draws=20, thinning=5, random_state=0
    ).fit(X, Y)
    # 200 steps in 100 epochs of 2: epoch 75 ends at step 150, after the tenth draw
    stopped = SGLDClassifier(
        (5,),
        n_chains=2,
        n_warmup=100,
        n_draws=20,
        thinning=5,
        random_state=0,
        skorch_callbacks=[StopAt(75)],
    )
    with pytest.warns(ConvergenceWarning, match="10 of n_draws=20"):
        stopped.fit(X, Y)
    whole = model.sample_proba(X).reshape(2, 20, len(X), 3)
    np.testing.assert_array_equal(stopped.sample_proba(X), np.concatenate(whole[:, :10]))
    with pytest.raises(ValueError, match="stopped after 20 steps, before the first draw"):
        stopped.set_params(skorch_callbacks=[StopAt(10)]).fit(X, Y)


@pytest.mark.parametrize("schedule", ["constant", "polynomial"])
def test_chains_go_on_from_their_ends(schedule):
    model = SGLDClassifier(
        (5,), n_chains=2, n_warmup=10, n_draws=20, schedule=schedule, schedule_offset=5.0,
        warm_start=True, random_state=0,
    ).fit(X, Y)  # fmt: skip
    ends = {name: p.data.clone() for name, p in model.net_.module_.named_parameters()}
    kept = model._chain_ends.params
    assert all(torch.equal(kept[name], values) for name, values in ends.items())


def test_cap_of_minibatch_noise_knows_the_temperature_and_the_batches():
    def alpha(batch_size, temperature):
        model = SGLDClassifier(
            (), n_warmup=8, n_draws=1, batch_size=batch_size, temperature=temperature,
            random_state=0,
        ).fit(X, Y)  # fmt: skip
        return model.history_["alpha"][-1], model.history_["step_size"][-1]

    warm, cold = alpha(10, 1.0), alpha(10, 0.01)
    assert warm[0] <= 0.26 and cold[0] <= 0.26  # the cap, to two digits
    # where the cap binds, the step falls with the temperature
    assert cold[1] < 0.1 * warm[1]
    # 149 of 150 rows a batch means two batches of 75
    assert alpha(149, 1.0) == alpha(75, 1.0)
    assert alpha(150, 1.0)[0] == 0 and alpha(10, 0.0)[0] == 0


def test_batches_are_counted_as_they_come():
    rows = Rows(X, device=torch.device("cpu"), dtype=torch.float64)
    for batch_size in (1, 7, 75, 149, 150, 1000):
        batches = MemberBatches(rows, batch_size, 1, torch.Generator())
        assert len(list(batches)) == count_batches(150, batch_size)


def test_estimators_that_share_a_random_state_inflate_by_noise_of_their_own():
    shared = np.random.RandomState(0)
    steps = []
    for _ in range(2):
        model = DeepEnsembleFilterClassifier(
            (50,), n_members=2, init_epochs=1, warm_epochs=0, random_state=shared
        ).fit(X, Y)
        before = model.posterior_.params["layers.0.weight"].clone()
        model.partial_fit(X, Y)
        steps.append((model.posterior_.params["layers.0.weight"] - before).numpy().ravel())
    # 400 entries: a correlation has standard error .05
    assert abs(np.corrcoef(*steps)[0, 1]) < 0.2


def test_a_network_that_lost_layers_is_refused():
    model = DeepEnsembleFilterClassifier((4, 4, 4), n_members=2, init_epochs=2, warm_start=True)
    model.fit(X, Y)
    with pytest.raises(ValueError, match=r"parameters .*layers.3.weight.*not in both"):
        model.set_params(hidden_layer_sizes=(4,)).fit(X, Y)


def test_a_parameter_that_the_loss_does_not_see_has_its_prior():
    class Unused(nn.Module):
        def __init__(self, n_features, n_outputs):
            super().__init__()
            self.used = nn.Linear(n_features, n_outputs)
            self.unused = nn.Linear(20, 20)

        def forward(self, rows):
            return self.used(rows)

    model = SGLDClassifier(
        module=Unused, n_warmup=600, n_draws=50, thinning=20, random_state=0, prior_scale=1.0
    ).fit(X, Y)
    draws = model.posterior_.params["unused.weight"]
    # 400 weights in 4 chains, each nearly one independent value at least: 4.5 / sqrt(2 * 1600)
    assert float(draws.std()) == pytest.approx(1.0, abs=0.08)


def test_nothing_kept_for_replay():
    model = DeepEnsembleFilterClassifier((4,), n_members=2, init_epochs=2, warm_epochs=1)
    model.fit(X, Y).set_params(replay_size=0).partial_fit(X[:10], Y[:10])
    assert len(model._replay) == 0 and model.n_rounds_ == 2


def test_threads_are_put_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with one_thread_if_small(10), one_thread_if_small(10):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with one_thread_if_small(10**9):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_optimizer_follows_parameters_that_were_moved():
    x = torch.ones(3, requires_grad=True)
    sampler = SGLD([x], lr=0.5, temperature=0.0)
    x.data = torch.full((3,), 2.0)
    x.grad = torch.ones(3)
    sampler.step()
    torch.testing.assert_close(x.detach(), torch.full((3,), 1.75))
    with pytest.raises(ValueError, match="lr=-0.1"):
        SGLD([x], lr=-0.1)
    with pytest.raises(ValueError, match="single groups"):
        SGLD([{"params": [x], "lr": 0.1}])


def test_draws_behind_a_threshold():
    binary = Y[:100]
    model = DeepEnsembleFilterClassifier((4,), n_members=3, init_epochs=20, random_state=0)
    wrapped = FixedThresholdClassifier(model, threshold=0.3).fit(X[:100], binary)
    _, _, epistemic = predict_uncertainty(wrapped, X[:100])
    assert (epistemic > 0).any()


def test_moments_of_columns_take_some_rows_at_a_time(monkeypatch):
    rows = sparse.random_array((900, 3), density=0.5, random_state=0, format="csr")
    sizes = []

    def dense(block):
        sizes.append(block.shape[0])
        return block.toarray()

    monkeypatch.setattr(_blocks, "dense", dense)
    monkeypatch.setattr(_blocks, "VARIANCE_BYTES", 8 * 3 * 100)
    mean, variance = _blocks.column_moments(rows)
    assert max(sizes) == 100
    np.testing.assert_allclose(mean, rows.toarray().mean(0), rtol=1e-12)
    np.testing.assert_allclose(variance, rows.toarray().var(0), rtol=1e-12)
