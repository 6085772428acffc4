"""What the last layer sees: ``embed`` of the neural estimators, and the batches that ask for it."""

import numpy as np
import pytest
from estimators import CLASSIFIERS, REGRESSORS
from scipy import sparse
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skbayes import DeepEnsembleClassifier, DeepEnsembleRegressor
from skbayes.active import ActiveLearner
from skbayes.active.batch import badge, k_center

X, Y = load_iris(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
NEURAL = [m for m in [*CLASSIFIERS, *REGRESSORS] if "hidden_layer_sizes" in m.get_params()]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", NEURAL, ids=lambda m: type(m).__name__)
def test_the_last_layer_takes_the_embedding_to_the_outputs(estimator):
    model = clone(estimator).set_params(random_state=0)
    short = {"n_warmup": 5, "max_iter": 3, "init_epochs": 3, "n_draws": 4, "max_leapfrog": 5}
    model.set_params(**{k: v for k, v in short.items() if k in model.get_params()}).fit(X, Y)
    arrays = model.posterior_.arrays()
    weight, bias = (
        next(v for n, v in arrays.items() if f"layers.1.{k}" in n) for k in ("weight", "bias")
    )
    for rows in (X, sparse.csr_array(X)):
        units = model.embed(rows)
        assert units.shape == (150, 20)
        outputs = units @ weight[0].T + bias[0]
        if hasattr(model, "sample_proba"):
            expected = model.sample_proba(X, n_draws=1)[0]
            np.testing.assert_allclose(softmax(outputs, axis=1), expected, rtol=1e-9)
        else:
            expected = model.sample_mean(X)[0]
            np.testing.assert_allclose(outputs[:, 0], expected, rtol=1e-9, atol=1e-12)
    n_draws = min(3, model.posterior_.n_draws)
    several = model.embed(X, n_draws=n_draws)
    assert several.shape == (150, 20 * n_draws)
    np.testing.assert_allclose(several[:, :20] * n_draws**0.5, units, rtol=1e-12)
    np.testing.assert_array_equal(model.embed(X), units)  # and the weights are where they were


def test_embedding_without_hidden_layers_or_of_a_module():
    linear = DeepEnsembleRegressor((), max_iter=2, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(linear.embed(X), X)
    np.testing.assert_allclose(linear.embed(X, 2), np.hstack([X, X]) / 2**0.5)
    with pytest.raises(ValueError, match="n_draws=6 must be an integer between 1 and 5"):
        linear.embed(X, 6)
    assert not hasattr(DeepEnsembleClassifier(module=nn.Linear), "embed")
    in_32 = DeepEnsembleClassifier((4,), max_iter=2, random_state=0).fit(X.astype(np.float32), Y)
    assert in_32.embed(X.astype(np.float32), 2).dtype == np.float32


@pytest.mark.parametrize("batch", ["badge", "k_center"])
@pytest.mark.parametrize("piped", [False, True])
def test_batches_measure_by_the_embedding(batch, piped):
    model = DeepEnsembleClassifier((10,), max_iter=20, random_state=0)
    if piped:
        model = make_pipeline(StandardScaler(), model)
    learner = ActiveLearner(
        model, X_training=X[::10], y_training=Y[::10], batch=batch, random_state=0
    )
    indices, _ = learner.query(X, n_instances=6)
    inner = learner.estimator[-1] if piped else learner.estimator
    seen = learner.estimator[:-1].transform(X) if piped else X
    units, rng = inner.embed(seen), np.random.RandomState(0)
    if batch == "badge":
        expected = badge(inner.predict_proba(seen), units, 6, random_state=rng)
    else:
        expected = k_center(units, 6, labelled=inner.embed(seen[::10]), random_state=rng)
    np.testing.assert_array_equal(indices, expected)
