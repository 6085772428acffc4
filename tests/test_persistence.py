"""Saving and loading: files that run no code."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from estimators import ESTIMATORS, name_of
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.torch import save_file
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skbayes
from skbayes import (
    VAE,
    DeepEnsembleClassifier,
    DeepEnsembleFilterClassifier,
    SGLDClassifier,
    VAEAnomalyDetector,
)
from skbayes._decoding import Decoder
from skbayes._encoding import Encoder

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
METHODS = ["predict_proba", "predict", "score_samples", "transform", "decision_function"]


def again(thing, tmp_path, **kwargs):
    skbayes.save(thing, tmp_path / "thing.safetensors")
    return skbayes.load(tmp_path / "thing.safetensors", **kwargs)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_what_is_loaded_is_what_was_saved(estimator, tmp_path):
    model = clone(estimator).set_params(random_state=0).fit(X, y)
    loaded = again(model, tmp_path)
    assert type(loaded) is type(model)
    assert str(loaded.get_params()) == str(model.get_params())
    assert vars(loaded).keys() == vars(model).keys() - {"net_"}
    for method in METHODS:
        if hasattr(model, method):
            assert_array_equal(getattr(loaded, method)(X), getattr(model, method)(X))


def test_a_pipeline_a_search_and_names_of_features(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    names = np.array(["one", "two", "three"])[y]
    pipe = make_pipeline(StandardScaler(), DeepEnsembleClassifier((5,), max_iter=5, random_state=0))
    search = GridSearchCV(
        pipe, {"deepensembleclassifier__n_members": [1, 2]}, cv=2, scoring="neg_log_loss"
    )
    search.fit(frame, names)
    loaded = again(search, tmp_path)
    assert_array_equal(loaded.predict(frame), search.predict(frame))
    assert_array_equal(loaded.classes_, search.classes_)
    assert loaded.best_params_ == search.best_params_
    assert loaded.score(frame, names) == search.score(frame, names)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame.rename(columns={"a": "z"}))


def test_training_goes_on_as_if_nothing_had_been(tmp_path):
    kept = DeepEnsembleFilterClassifier((10,), n_members=3, warm_start=True, random_state=0)
    loaded = again(kept.fit(X[::2], y[::2]), tmp_path)
    assert_array_equal(
        loaded.fit(X, y).predict_proba(X), kept.fit(X, y).predict_proba(X), strict=True
    )


def test_labels_of_a_detector_are_kept(tmp_path):
    detector = VAEAnomalyDetector(max_iter=5, random_state=0).fit(X)
    detector.fit_labels(X[:20], np.where(np.arange(20) < 10, 1, -1))
    assert_array_equal(again(detector, tmp_path).score_samples(X), detector.score_samples(X))


class Net(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, 6), nn.Tanh(), nn.Linear(6, n_outputs))

    def forward(self, rows):
        return self.layers(rows)


def test_a_module_of_ones_own_must_be_trusted(tmp_path):
    model = DeepEnsembleClassifier(module=Net, n_members=2, max_iter=5, random_state=0).fit(X, y)
    with pytest.raises(TypeError, match=r"names .*\.Net, .*trusted"):
        again(model, tmp_path)
    loaded = again(model, tmp_path, trusted=[Net])
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def corner(n_samples, n_components, random_state):
    return random_state.uniform(size=(n_samples, n_components))


def test_a_prior_of_ones_own_must_be_trusted(tmp_path):
    vae = VAE(criterion="mmd", prior=corner, max_iter=2, random_state=0).fit(X)
    with pytest.raises(TypeError, match="corner"):
        again(vae, tmp_path)
    loaded = again(vae, tmp_path, trusted=[corner])
    assert_array_equal(loaded.sample(3, random_state=0), vae.sample(3, random_state=0))


def hooked(n_in, n_out):
    layer = nn.Linear(n_in, n_out)
    layer.register_forward_hook(lambda module, args, output: output)
    return layer


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (VAE(criterion="mmd", prior=lambda n, d, rng: rng.normal(size=(n, d))), "VAE.prior is"),
        (RandomForestClassifier(2).fit(X, y), "cannot be stored"),
        (VAE(encoder=hooked, max_iter=1).fit(X), "has hooks .*, which cannot be stored"),
        (SGLDClassifier(random_state=np.random.default_rng(0)), "random_state is"),
        (SGLDClassifier, "must be an estimator"),
        ({"a": 1}, "must be an estimator"),
    ],
)
def test_what_cannot_be_stored_is_named_and_leaves_no_file(thing, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        skbayes.save(thing, tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []


def hostile(tmp_path, said):
    path = tmp_path / "hostile.safetensors"
    metadata = {"skbayes": json.dumps({"version": 1, "estimator": said})}
    save_file({}, path, metadata)
    return path


@pytest.mark.parametrize(
    "said",
    [
        {"global": "os:system"},
        {"global": "skbayes._persistence:os.system"},
        {"global": "torch.serialization:pickle.loads"},
        {"global": "torch:load"},
        {"global": "skbayes.density._anomaly:BaseVAE"},  # known, but not by this name
        {"class": "subprocess:Popen", "number": 0, "state": []},
        {"class": "sklearn.utils._bunch:Bunch", "number": 0, "state": []},
        {"partial": [{"global": "builtins:eval"}, {"tuple": ["1"]}, {"dict": []}]},
        {"named tuple": "collections:OrderedDict", "items": []},
    ],
)
def test_a_file_can_name_no_code(said, tmp_path):
    with pytest.raises(TypeError, match="is not known here"):
        skbayes.load(hostile(tmp_path, said))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"skbayes\.save wrote"):
        skbayes.load(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"skbayes\.save wrote"):
        skbayes.load(path)
    save_file({}, path, {"skbayes": json.dumps({"version": 99})})
    with pytest.raises(ValueError, match="version 99"):
        skbayes.load(path)
    with pytest.raises(FileNotFoundError):
        skbayes.load(tmp_path / "missing")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"again": 7},
        {"array": "<f8", "number": 3, "shape": [2]},
        {"dict": [[1]]},
        {"no such mark": 1},
        {"class": "skbayes.density._vae:VAE", "number": 0},
        {"class": "skbayes.density._vae:VAE", "number": 0, "state": [[[], 1]]},
        {"torch type": "manual_seeds"},
    ],
)
def test_damaged_files_are_refused(said, tmp_path):
    with pytest.raises(ValueError, match=r"hostile\.safetensors' is damaged"):
        skbayes.load(hostile(tmp_path, said))


def test_a_class_that_is_gone_is_not_known(tmp_path):
    for name in ("skbayes.density._vae:OldVAE", "skbayes.no_such_module:VAE"):
        with pytest.raises(TypeError, match="is not known here"):
            skbayes.load(hostile(tmp_path, {"class": name, "number": 0, "state": []}))


@pytest.mark.parametrize(
    "value",
    [
        None,
        (1, 2.5, "a", True, float("inf")),
        {1: "a", None: [2], "again": {3}},
        frozenset({1}),
        np.arange(6.0).reshape(2, 3).T,
        np.array(3, dtype=">i2"),
        np.array(["a", "bc"]),
        np.array(["a", None, 1.5], dtype=object),
        np.array([1 + 2j]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.arange(3, dtype=np.uint32),
        np.empty((0, 3), dtype=np.float32),
        np.float32(1.5),
        np.str_("x"),
        np.float64,
        torch.float32,
        torch.device("cpu"),
        torch.Size([2, 3]),
        slice(1, None, 2),
        range(3),
    ],
    ids=repr,
)
def test_values_come_back(value):
    encoder = Encoder()
    said = json.loads(json.dumps(encoder.encode(value, "value")))
    decoded = Decoder(encoder.tensors).decode(said)
    assert type(decoded) is type(value)
    if isinstance(value, np.ndarray):
        assert decoded.dtype == value.dtype.newbyteorder("=")
        assert_array_equal(decoded, value)
    else:
        assert decoded == value


def test_arrays_of_other_kinds_come_back():
    masked = np.ma.MaskedArray([1.0, 2.0], mask=[False, True])
    rows = sparse.csc_matrix([[0.0, 1.0], [2.0, 0.0]])
    state = np.random.RandomState(3)
    shared = torch.arange(3.0)
    things = [masked, rows, state, [shared, shared], partial(np.float64, 3)]
    encoder = Encoder()
    said = json.loads(json.dumps(encoder.encode(things, "things")))
    out = Decoder(encoder.tensors).decode(said)
    assert_array_equal(out[0].mask, masked.mask)
    assert out[1].format == "csc" and (out[1] != rows).nnz == 0
    assert out[2].rand() == state.rand()
    assert out[3][0] is out[3][1]
    assert out[4]() == 3.0


def test_a_file_is_tensors_and_json(tmp_path):
    model = DeepEnsembleClassifier((5,), n_members=2, max_iter=2, random_state=0).fit(X, y)
    skbayes.save(model, tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        said = json.loads(file.metadata()["skbayes"])
        shapes = {tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    assert said["estimator"]["class"].endswith(":DeepEnsembleClassifier")
    assert {(2, 4, 5), (2, 5, 3)} <= shapes or {(2, 5, 4), (2, 3, 5)} <= shapes
