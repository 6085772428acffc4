"""Odd input that must work."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from skorch.callbacks import LRScheduler
from small_classifiers import ALL, linear, make_data, works
from torch import nn

from skbayes import SGLDClassifier


def read_only(values):
    values = values.copy()
    values.flags.writeable = False
    return values


X30, Y30 = make_data()
ODD_X = {
    "one feature": X30[:, :1],
    "a constant column": np.c_[X30, np.ones(30)],
    "only constant columns": np.ones((30, 2)),
    "zeros": np.zeros((30, 2)),
    "more features than rows": np.random.RandomState(0).normal(size=(30, 100)),
    "float32": X30.astype(np.float32),
    "float16": X30.astype(np.float16),
    "int": (10 * X30).astype(int),
    "bool": X30 > 0,
    "object": X30.astype(object),
    "list of lists": X30.tolist(),
    "not contiguous": np.asfortranarray(X30)[:, ::-1],
    "strided": np.repeat(np.repeat(X30, 2, 0), 3, 1)[::2, ::3],
    "read-only": read_only(X30),
    "read-only float32": read_only(X30.astype(np.float32)),
    "csr": sparse.csr_array(X30 * (X30 > 0)),
    "csc": sparse.csc_array(X30 * (X30 > 0)),
    "coo matrix": sparse.coo_matrix(X30 * (X30 > 0)),
    "csr float32": sparse.csr_matrix((X30 * (X30 > 0)).astype(np.float32)),
    "big numbers": 1e6 * X30,
    "small numbers": 1e-30 * X30,
}


@ALL
@pytest.mark.parametrize("batch_size", ["auto", 7, 1000])
@pytest.mark.parametrize("kind", ODD_X)
def test_odd_X(estimator, kind, batch_size):
    X = ODD_X[kind]
    model = clone(estimator).set_params(batch_size=batch_size)
    works(model.fit(X, Y30), X, 30)
    single = "float32" in kind
    assert model.predict_proba(X).dtype == (np.float32 if single else np.float64)
    if sparse.issparse(X):
        dense = clone(model).fit(X.toarray(), Y30).predict_proba(X.toarray())
        np.testing.assert_allclose(model.predict_proba(X), dense, rtol=1e-5)
    elif isinstance(X, list) or "contiguous" in kind or "read" in kind or kind == "strided":
        plain = np.array(X, dtype=np.float32 if single else np.float64)
        np.testing.assert_array_equal(
            model.predict_proba(X), clone(model).fit(plain, Y30).predict_proba(plain)
        )


ODD_Y = {
    "one class": np.zeros(30, int),
    "one text class": np.full(30, "only"),
    "text": np.array(["no", "yes"])[Y30],
    "object text": np.array(["no", "yes"], dtype=object)[Y30],
    "bool": Y30.astype(bool),
    "negative": np.array([-7, -1])[Y30],
    "whole floats": Y30.astype(float),
    "float32": Y30.astype(np.float32),
    "uint8": np.array([3, 250], np.uint8)[Y30],
    "list": Y30.tolist(),
    "list of text": np.array(["no", "yes"])[Y30].tolist(),
    "two rows a class": np.arange(30) // 2,
    "read-only": read_only(Y30),
}


@ALL
@pytest.mark.parametrize("kind", ODD_Y)
def test_odd_y(estimator, kind):
    y = ODD_Y[kind]
    model = works(clone(estimator).fit(X30, y), X30)
    np.testing.assert_array_equal(model.classes_, np.unique(np.asarray(y)))
    assert model.predict(X30).dtype == np.asarray(y).dtype
    works(model.set_params(warm_start=True).fit(X30, y), X30)
    if not kind.startswith("one") and kind != "two rows a class":
        # the same network whatever the labels are called
        plain = clone(model).set_params(warm_start=False).fit(X30, Y30)
        again = clone(model).set_params(warm_start=False).fit(X30, y)
        np.testing.assert_array_equal(again.predict_proba(X30), plain.predict_proba(X30))


@ALL
def test_column_of_labels_is_taken_with_scikit_learns_warning(estimator):
    with pytest.warns(Warning, match="column-vector y was passed"):
        model = clone(estimator).fit(X30, Y30[:, None])
    works(model, X30)


@ALL
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("batch_size", ["auto", 1, 50])
def test_few_rows(estimator, n, batch_size):
    model = clone(estimator).set_params(batch_size=batch_size).fit(X30[:n], Y30[:n])
    works(model, X30)
    works(model, X30[:1])


@ALL
def test_rows_without_weight_are_no_data(estimator):
    weight = (Y30 == 1).astype(float)
    model = works(clone(estimator).fit(X30, Y30, sample_weight=weight), X30)
    assert model.classes_.tolist() == [1]
    single = np.zeros(30)
    single[4] = 0.5
    works(clone(estimator).fit(X30, Y30, sample_weight=single), X30)
    works(clone(estimator).fit(X30, Y30, sample_weight=2), X30)


@ALL
def test_data_frames(estimator):
    frame = pd.DataFrame(X30, columns=["a", "b", "c"])
    model = works(clone(estimator).fit(frame, pd.Series(Y30)), frame)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(
        model.predict_proba(frame), clone(estimator).fit(X30, Y30).predict_proba(X30)
    )
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a", "c"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X30)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[30, 5\]"):
        model.fit(frame[["a"]], Y30[:5])
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]  # a fit that fails changes nothing


@ALL
@pytest.mark.parametrize("hidden", [(), 4, [4], np.array([4, 3]), (np.int64(4),)])
def test_ways_to_say_the_hidden_layers(estimator, hidden):
    works(clone(estimator).set_params(hidden_layer_sizes=hidden).fit(X30, Y30), X30)


@ALL
def test_given_devices(estimator):
    expected = clone(estimator).set_params(device="cpu").fit(X30, Y30)
    same = clone(estimator).set_params(device=torch.device("cpu")).fit(X30, Y30)
    np.testing.assert_array_equal(expected.predict_proba(X30), same.predict_proba(X30))
    assert expected.device_ == torch.device("cpu")


@ALL
def test_module_may_be_any_callable(estimator):
    class Factory:
        def __call__(self, n_features, n_outputs):
            return linear(n_features, n_outputs)

    for module in (linear, nn.Linear, Factory(), lambda a, b: nn.Sequential(linear(a, b))):
        works(clone(estimator).set_params(module=module).fit(X30, Y30), X30)


def test_a_sampler_refuses_a_learning_rate_scheduler():
    scheduler = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1)
    with pytest.raises(
        ValueError, match="skorch_callbacks holds an LRScheduler.*step_size, and schedule"
    ):
        SGLDClassifier(n_warmup=1, n_draws=1, skorch_callbacks=[scheduler]).fit(
            [[0.0], [1.0]], [0, 1]
        )
