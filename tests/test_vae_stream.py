"""Autoencoders on data that stay where they are (files, bytes), and on streams."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skbayes import VAE, VAEAnomalyDetector
from skbayes._engine.mapped import RowView, is_mapped, rows_of
from skbayes.datasets import make_spectrograms
from skbayes.metrics import anomaly_roc_auc_score

SMALL = {"n_components": 3, "hidden_layer_sizes": (16,), "max_iter": 2, "random_state": 0}


@pytest.fixture(scope="module")
def pictures():
    return make_spectrograms(
        300, n_labelled=30, n_shots=3, image_shape=(16, 16), random_state=0
    ).data


@pytest.fixture
def mapped(tmp_path):
    def write(X):
        path = tmp_path / f"{X.dtype}.npy"
        np.save(path, X)
        return np.load(path, mmap_mode="r")

    return write


@pytest.mark.parametrize(
    "estimator",
    [
        VAE(**SMALL),
        VAE(early_stopping=True, prior="vamp", **SMALL),
        VAE(criterion="mmd", n_members=2, **SMALL),
        VAEAnomalyDetector(**SMALL),
        VAEAnomalyDetector(robust=True, **SMALL),
        VAE(**{**SMALL, "batch_size": 1000}),
    ],
    ids=["vae", "early-stopping", "mmd", "detector", "robust", "one-batch"],
)
def test_bytes_files_and_floats_train_the_same_bit_for_bit(estimator, pictures, mapped):
    kinds = [pictures, pictures.astype(np.float32), mapped(pictures)]
    kinds.append(mapped(kinds[1]))
    fitted = [clone(estimator).fit(X) for X in kinds]
    expected = fitted[0].score_samples(kinds[0]), fitted[0].transform(kinds[0])
    assert expected[1].dtype == np.float32
    for model, X in zip(fitted, kinds, strict=True):
        np.testing.assert_array_equal(model.score_samples(X), expected[0])
        np.testing.assert_array_equal(model.transform(X), expected[1])
        assert model.reconstruct(X).dtype == np.float32


def test_the_detectors_other_methods_on_bytes(pictures):
    model = VAEAnomalyDetector(**SMALL).fit(pictures)
    as_float = pictures.astype(np.float32)
    np.testing.assert_array_equal(model.predict(pictures), model.predict(as_float))
    np.testing.assert_array_equal(
        model.feature_contributions(pictures[:3]), model.feature_contributions(as_float[:3])
    )
    y = np.where(np.arange(60) % 3, 1, -1)
    by_bytes = model.fit_labels(pictures[:60], y).score_samples(pictures)
    by_floats = model.fit_labels(as_float[:60], y).score_samples(as_float)
    np.testing.assert_array_equal(by_bytes, by_floats)


def test_chosen_rows_of_a_file_are_not_read(mapped):
    X = mapped(np.arange(12.0).reshape(6, 2))
    assert is_mapped(X) and is_mapped(np.asarray(X)[1:]) and not is_mapped(np.array(X))
    view = rows_of(rows_of(np.asarray(X), np.array([5, 3, 1])), np.array([2, 0]))
    assert isinstance(view, RowView) and view.shape == (2, 2)
    np.testing.assert_array_equal(view[:], [[2.0, 3.0], [10.0, 11.0]])
    assert not isinstance(rows_of(np.ones((3, 2)), np.array([1])), RowView)


def test_no_call_asks_for_all_rows(monkeypatch, pictures, mapped):
    X, most = mapped(np.tile(pictures[:, ::4], (5, 1))), []
    import skbayes._engine.rows
    import skbayes.density._blocks

    monkeypatch.setattr(skbayes.density._blocks, "VARIANCE_BYTES", 2**16)
    monkeypatch.setitem(skbayes.density._blocks.BLOCK_BYTES, "cpu", 2**17)
    for module in (skbayes._engine.rows, skbayes.density._blocks):
        original = module.dense

        def watch(block, original=original):
            most.append(block.shape[0])
            return original(block)

        monkeypatch.setattr(module, "dense", watch)
    model = VAEAnomalyDetector(**{**SMALL, "max_iter": 1}).fit(X)
    model.transform(X), model.predict(X), model.log_density(X)
    assert max(most) < 0.5 * len(X)


# -- streams ---------------------------------------------------------------------------------------


def blocks_of(X, n):
    return [X[i : i + n] for i in range(0, len(X), n)]


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    return X[y == 1], X[y == 0]


def test_a_stream_of_blocks_tells_anomalies_and_keeps_its_share(cancer):
    normal, odd = cancer
    model = VAEAnomalyDetector(
        n_members=2, contamination=0.2, score_method="reconstruction", batch_size=25, random_state=0
    )
    for _ in range(12):
        for block in blocks_of(normal[:300], 100):
            model.partial_fit(block)
    held_back = np.vstack([normal[300:], odd])
    is_odd = np.r_[np.zeros(len(normal) - 300), np.ones(len(odd))]
    assert anomaly_roc_auc_score(is_odd, model.score_samples(held_back)) > 0.9
    # the sample that the threshold comes from is all rows here, twelve times
    assert (model.predict(normal[:300]) == -1).mean() == pytest.approx(0.2, abs=0.02)
    assert model.n_samples_seen_ == 3600 and model.n_iter_ == 36
    np.testing.assert_array_equal(model.history_["epoch"], np.arange(1, 37))
    assert set(model.history_["learning_rate"]) == {0.003}


def test_first_call_is_a_fit_of_one_epoch_but_for_the_rate(cancer):
    """A first step at the same rate leads to the same weights: fit's warm-up is off by one."""
    X = cancer[0][:100]
    stream = VAE(3, (8,), batch_size=100, random_state=0).partial_fit(X)
    fit = VAE(3, (8,), batch_size=100, max_iter=1, random_state=0).fit(X)
    for name, value in fit.posterior_.params.items():
        np.testing.assert_allclose(value, stream.posterior_.params[name], rtol=1e-12)


@pytest.mark.parametrize("kind", [VAE, VAEAnomalyDetector])
def test_a_stream_goes_on_through_a_pickle_bit_for_bit(kind, cancer):
    first, second, third = blocks_of(cancer[0][:300], 100)
    model = kind(3, (8,), random_state=0).partial_fit(first).partial_fit(second)
    other = pickle.loads(pickle.dumps(model)).partial_fit(third)
    model.partial_fit(third)
    np.testing.assert_array_equal(model.score_samples(first), other.score_samples(first))


@pytest.mark.parametrize("kind", [VAE, VAEAnomalyDetector])
def test_what_scores_need_is_computed_when_it_is_asked_for(kind, cancer, monkeypatch):
    import skbayes.density._base as module

    calls, original = [], module.make_reference

    def count(*args):
        calls.append(args[2].shape[0])
        return original(*args)

    monkeypatch.setattr(module, "make_reference", count)
    asked, left = (kind(3, (8,), score_method="mixture", random_state=0) for _ in range(2))
    for block in blocks_of(cancer[0][:300], 50):
        left.partial_fit(block)
        scores = asked.partial_fit(block).score_samples(cancer[1])
    assert calls == [50, 100, 150, 200, 250, 300]
    copied = pickle.loads(pickle.dumps(left))
    for model in (left, copied):
        with ThreadPoolExecutor(2) as pool:
            for got in pool.map(model.score_samples, [cancer[1]] * 4):
                np.testing.assert_array_equal(got, scores)
    assert calls[6:] == [300, 300]
    if kind is VAEAnomalyDetector:
        other = pickle.loads(pickle.dumps(left)).partial_fit(cancer[0][:50])
        asked.partial_fit(cancer[0][:50])
        assert other.offset_ == asked.offset_ != left.offset_
        y = np.repeat([1, -1], 5)
        rows = np.vstack([cancer[0][:5], cancer[1][:5]])
        assert other.partial_fit(cancer[0][:50]).fit_labels(rows, y).offset_ == 0.0
        assert other.partial_fit(cancer[0][:50]).offset_ != 0.0  # labels are forgotten


def test_units_come_from_the_first_block(cancer):
    X = cancer[0]
    model = VAE(3, (8,), random_state=0).partial_fit(X[:100])
    unit, floor = model._unit, model.posterior_.module.noise_floor
    model.partial_fit(100.0 * X[100:120])
    assert (model._unit, model.posterior_.module.noise_floor) == (unit, floor)
    model.fit(100.0 * X)
    assert model._unit > 50.0 * unit and model.n_samples_seen_ == len(X)
    assert model._stream is None


def test_kept_rows_are_a_uniform_sample_of_bounded_size(monkeypatch):
    import skbayes.density._stream as module

    monkeypatch.setattr(module, "MAX_CODES", 60)
    rows = np.repeat(np.arange(600.0), 2).reshape(600, 2) / 600.0
    ages = []
    for seed in range(12):
        model = VAE(1, (), random_state=seed)
        for block in blocks_of(rows, 100):
            model.partial_fit(block)
        kept = np.rint(model._stream.X[:, 0] * 600).astype(int)
        assert len(set(kept)) == 60
        ages.append(np.bincount(kept // 100, minlength=6))
    share = np.sum(ages, axis=0)  # 120 expected each, of deviation 10
    assert share.min() > 80 and share.max() < 160


def test_blocks_of_a_stream_may_differ_in_type(monkeypatch):
    import skbayes.density._stream as module

    monkeypatch.setattr(module, "MAX_CODES", 30)
    rows = np.random.RandomState(0).randint(0, 200, size=(60, 4))
    model = VAE(1, (), random_state=0)
    for dtype in (np.uint8, np.float64, np.float32):
        model.partial_fit(rows.astype(dtype))
    assert model._stream.X.dtype == np.float64 and len(model._stream.X) == 30
    assert {tuple(row) for row in model._stream.X} <= {tuple(row) for row in rows.tolist()}
    assert np.isfinite(model.score(rows))


def test_a_failed_call_leaves_the_model_as_it_was(cancer):
    model = VAE(3, (8,), random_state=0).partial_fit(cancer[0][:100])
    before = model.score_samples(cancer[0])
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((4, 30), np.nan))
    with pytest.raises(ValueError, match="30 features"):
        model.partial_fit(np.ones((4, 7)))
    np.testing.assert_array_equal(model.score_samples(cancer[0]), before)
    assert model.n_samples_seen_ == model._stream.n_seen == 100


def test_a_stream_of_sparse_rows_and_one_after_fit(cancer):
    X = np.where(np.abs(cancer[0]) > 1.0, cancer[0], 0.0)
    sparse_rows = [sparse.csr_array(block) for block in blocks_of(X[:300], 100)]
    a, b = (VAE(3, (8,), random_state=0) for _ in range(2))
    for block, rows in zip(sparse_rows, blocks_of(X[:300], 100), strict=True):
        a.partial_fit(block), b.partial_fit(rows)
    np.testing.assert_allclose(a.score_samples(X), b.score_samples(X), rtol=1e-7)
    model = VAE(3, (8,), max_iter=20, random_state=0).fit(X)
    before = model.score(X)
    model.partial_fit(X)
    assert model.n_samples_seen_ == 2 * len(X) and model.n_iter_ == 21
    assert abs(model.score(X) - before) < 0.1 * abs(before)  # it went on, it did not start anew


def test_what_needs_all_rows_is_refused():
    for parameters in ({"early_stopping": True}, {"robust": True}):
        with pytest.raises(ValueError, match=f"{next(iter(parameters))}=True needs all rows"):
            VAEAnomalyDetector(**parameters).partial_fit(np.eye(4))
