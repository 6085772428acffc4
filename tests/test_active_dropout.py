"""The learner for skorch's networks and the strategies of Monte-Carlo dropout."""

from itertools import product
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from skorch import NeuralNetClassifier
from torch import nn

from skbayes import SGLDClassifier
from skbayes.active import DeepActiveLearner, bald, dropout, mean_std

STRATEGIES = [
    dropout.mc_dropout_bald,
    dropout.mc_dropout_mean_st,
    dropout.mc_dropout_max_entropy,
    dropout.mc_dropout_max_variationRatios,
]


class Noisy(nn.Module):
    """Two classes far apart, and a share of the input dropped."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 16), nn.Linear(16, 4)
        self.inner = nn.Sequential(nn.ReLU(), nn.Dropout(0.5))
        self.outer = nn.Dropout(0.2)

    def forward(self, X):
        return self.second(self.outer(self.inner(self.first(X))))


class Same(nn.Module):
    """Hands its input on; an optimizer wants a parameter."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, X):
        return X


class Sum(Same):
    def forward(self, a, b):
        return a + b


def learner(strategy=None, module=Noisy, **kwargs):
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        module, criterion=nn.CrossEntropyLoss, train_split=None, verbose=0, max_epochs=2
    )
    result = DeepActiveLearner(net, strategy, random_state=0, **kwargs)
    torch.set_rng_state(torch_state)
    return result


def rows(n=20):
    return torch.from_numpy(np.random.RandomState(0).normal(size=(n, 3)).astype(np.float32))


def test_passes_differ_are_reproducible_and_leave_everything_as_it_was():
    net = learner().estimator
    net.module_.eval()
    before = torch.get_rng_state()
    passes = dropout.get_predictions(net, rows(), num_predictions=6, random_state=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in net.module_.modules())
    assert len(passes) == 6 and passes[0].shape == (20, 4)
    np.testing.assert_allclose(np.sum(passes, axis=2), 1, rtol=1e-5)
    assert not np.array_equal(passes[0], passes[1])
    again = dropout.get_predictions(net, rows(), num_predictions=6, random_state=3)
    np.testing.assert_array_equal(passes, again)
    other = dropout.get_predictions(net, rows(), num_predictions=6, random_state=4)
    assert not np.array_equal(passes[0], other[0])
    # an array is rows too
    array = dropout.get_predictions(net, rows().numpy(), num_predictions=6, random_state=3)
    np.testing.assert_array_equal(array, passes)


def test_without_dropout_all_passes_are_the_prediction():
    asked = learner(module=lambda: nn.Linear(3, 4))
    passes = dropout.get_predictions(asked, rows(), num_predictions=3, sample_per_forward_pass=7)
    with torch.no_grad():
        expected = torch.softmax(asked.estimator.module_(rows()), -1).numpy()
    np.testing.assert_allclose(passes, [expected] * 3, rtol=1e-6)


def test_logits_adaptor_padding_and_named_tensors():
    asked = learner(module=Same)
    logits = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
    flat = dropout.get_predictions(
        asked, logits, num_predictions=2, logits_adaptor=lambda out, data: out.flatten(1)
    )
    np.testing.assert_allclose(flat[0], torch.softmax(logits.flatten(1), -1), rtol=1e-6)
    logits[0, 0, 2] = torch.nan  # a padded class
    padded = dropout.get_predictions(asked, logits, num_predictions=2)[0]
    assert np.isnan(padded[0, 0, 2])
    np.testing.assert_allclose(np.nansum(padded, axis=-1), 1, rtol=1e-6)
    for measure in dropout._MEASURES.values():
        assert np.isfinite(measure([padded, padded])).all()

    named = {"a": torch.zeros(5, 2), "b": torch.ones(5, 2)}
    proba = dropout.get_predictions(learner(module=Sum), named, num_predictions=1)[0]
    np.testing.assert_allclose(proba, 0.5)


def test_measures_are_the_acquisition_functions():
    draws = np.random.RandomState(0).dirichlet(np.ones(4), size=(6, 30))
    passes = list(draws)
    np.testing.assert_allclose(dropout._bald_divergence(passes), bald(draws), atol=1e-12)
    np.testing.assert_allclose(dropout._mean_standard_deviation(passes), mean_std(draws))
    mean = draws.mean(axis=0)
    np.testing.assert_allclose(dropout._entropy(passes), -(mean * np.log(mean)).sum(axis=1))
    np.testing.assert_allclose(dropout._variation_ratios(passes), 1 - mean.max(axis=1))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies(strategy):
    asked = learner(strategy)
    for random_tie_break, cycles, at_a_time in product([True, False], [1, 3], [1, 7]):
        indices, metrics = strategy(
            asked, rows(), 4, random_tie_break, [], cycles, at_a_time, random_state=0
        )
        assert len(set(indices.tolist())) == 4
        assert (np.diff(metrics) <= 0).all()
    passes = dropout.get_predictions(asked, rows(), num_predictions=5, random_state=1)
    name = {0: "bald", 1: "mean_st", 2: "max_entropy", 3: "max_var"}[STRATEGIES.index(strategy)]
    utilities = dropout._MEASURES[name](passes)
    indices, _ = strategy(asked, rows(), 3, num_cycles=5, random_state=1)
    np.testing.assert_array_equal(indices, np.argsort(-utilities, kind="stable")[:3])
    chosen, taken, _ = asked.query(rows(), n_instances=2, num_cycles=3, return_metrics=True)
    assert torch.equal(taken, rows()[chosen])


def test_several_measures_at_once():
    asked = learner(dropout.mc_dropout_multi)
    indices, taken, metrics = asked.query(rows(), num_cycles=3, return_metrics=True)
    assert indices is None and taken is None
    assert sorted(metrics) == ["bald", "max_entropy", "max_var", "mean_st"]
    with pytest.raises(ValueError, match=r"query_strategies holds \['bold'\]"):
        dropout.mc_dropout_multi(asked, rows(), ["bold"])


@pytest.mark.parametrize("wrong", [{"num_predictions": -1}, {"sample_per_forward_pass": -5}])
def test_numbers_of_passes(wrong):
    with pytest.raises(AssertionError, match=f"{next(iter(wrong))}=-. must be larger than zero"):
        dropout.get_predictions(learner(), rows(), **wrong)


def test_dropout_mode():
    model = Noisy()
    modules = list(model.modules())
    dropouts = [i for i, module in enumerate(modules) if isinstance(module, nn.Dropout)]
    dropout.set_dropout_mode(model, [], False)
    assert [m.training for m in modules] == [i not in dropouts for i in range(len(modules))]
    dropout.set_dropout_mode(model, dropouts[:1], True)
    assert [modules[i].training for i in dropouts] == [True, False]
    with pytest.raises(KeyError, match="no dropout layer at 1: Linear"):
        dropout.set_dropout_mode(model, [1], True)


def test_the_learner_goes_on_and_keeps_no_data():
    asked = learner()
    X, y = rows(), torch.arange(20) % 4
    assert asked.teach(X, y) is asked and asked.teach(X, y) is asked
    assert len(asked.estimator.history) == 4  # twice two epochs
    asked.teach(X, y, warm_start=False, bootstrap=True)
    assert len(asked.estimator.history) == 2
    assert asked.X_training is None and asked.y_training is None
    assert asked.query(X, n_instances=2)[0].shape == (2,)  # by predict_proba
    assert asked.fit(X, y).predict(X).shape == (20,)
    cloned = clone(asked)
    assert isinstance(cloned, DeepActiveLearner) and cloned.random_state == 0


@pytest.mark.parametrize(("bootstrap", "warm_start"), list(product([True, False], repeat=2)))
def test_teaching_a_stand_in(bootstrap, warm_start):
    net = MagicMock(spec=["fit", "partial_fit", "initialize"])
    asked = DeepActiveLearner(net, random_state=0)
    net.initialize.assert_called_once_with()
    asked.teach(rows(5), torch.arange(5), bootstrap=bootstrap, warm_start=warm_start)
    called, other = (net.partial_fit, net.fit) if warm_start else (net.fit, net.partial_fit)
    called.assert_called_once()
    other.assert_not_called()
    X, y = called.call_args.args
    assert torch.equal(X, rows(5)[y.numpy()]) and (len(set(y.tolist())) == 5) != bootstrap


def test_epochs_and_batch_size():
    asked = learner()
    asked.num_epochs, asked.batch_size = 7, 9
    assert (asked.num_epochs, asked.batch_size) == (7, 9)
    assert (asked.estimator.max_epochs, asked.estimator.batch_size) == (7, 9)
    ours = DeepActiveLearner(SGDClassifier())
    ours.num_epochs = 3
    assert ours.estimator.max_iter == 3 == ours.num_epochs
    for name, value in product(["num_epochs", "batch_size"], [0, -1]):
        with pytest.raises(ValueError, match=f"{name}={value} must be at least 1"):
            setattr(asked, name, value)
    with pytest.raises(TypeError, match=r"num_epochs=1\.5 must be an integer"):
        asked.num_epochs = 1.5
    assert isinstance(DeepActiveLearner(SGLDClassifier()).estimator, SGLDClassifier)
