"""The detector: thresholds, rankings, labels, contaminated rows."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import scale

from skbayes import VAEAnomalyDetector
from skbayes._engine.rows import Batch
from skbayes.density import _robust
from skbayes.density._objective import Objective, Settings
from skbayes.metrics import anomaly_roc_auc_score
from skbayes.nn import StackedVAE

WINE = scale(load_wine().data)


@pytest.fixture(scope="module")
def tumours():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), np.where(y == 1, 1, -1)  # malignant is the anomaly


def auc(detector, X, y):
    return anomaly_roc_auc_score(y, detector.score_samples(X))


def test_detector_finds_tumours(tumours):
    X, y = tumours
    normal = np.flatnonzero(y == 1)
    detector = VAEAnomalyDetector(max_iter=100, random_state=0).fit(X[normal[:200]])
    rest = np.setdiff1d(np.arange(len(X)), normal[:200])
    assert auc(detector, X[rest], y[rest]) > 0.94


@pytest.mark.parametrize("score_method", ["elbo", "iwae"])
def test_a_bound_ranks_by_a_model_that_the_bound_trained(tumours, score_method):
    """With hardly any divergence in training the codes lie where the prior is not."""
    X, y = tumours
    normal = np.flatnonzero(y == 1)[:200]
    rest = np.setdiff1d(np.arange(len(X)), normal)
    detector = VAEAnomalyDetector(
        n_members=1, score_method=score_method, max_iter=100, dtype="float32", random_state=0
    )
    assert auc(detector.fit(X[normal]), X[rest], y[rest]) > 0.94
    again = clone(detector).set_params(beta=1.0).fit(X[normal])
    np.testing.assert_array_equal(detector.score_samples(X), again.score_samples(X))
    assert auc(detector.set_params(beta=0.01).fit(X[normal]), X[rest], y[rest]) < 0.9


@pytest.mark.parametrize("scale_of_data", [1.0, 50.0])
def test_a_ranking_has_a_fixed_width(scale_of_data):
    """In units of the data's spread; what asks the prior, or has no bound, learns its noise."""
    X = scale_of_data * WINE
    fixed = VAEAnomalyDetector(2, (8,), max_iter=5, random_state=0).fit(X)
    np.testing.assert_allclose(fixed.noise_variance_, (0.4 * scale_of_data) ** 2)
    asking = [{"score_method": name} for name in ("elbo", "iwae", "latent", "jacobian")]
    for params in (*asking, {"criterion": "mse"}, {"noise": "per_feature"}):
        assert np.ptp(clone(fixed).set_params(**params).fit(X).noise_variance_) > 0
    one = clone(fixed).set_params(noise=0.3).fit(X)
    np.testing.assert_allclose(one.noise_variance_, 0.09)


@pytest.mark.parametrize("contamination", [0.05, 0.25, 0.5])
def test_contamination_is_the_share_called_anomalous(contamination):
    detector = VAEAnomalyDetector(2, (8,), max_iter=5, contamination=contamination, random_state=0)
    labels = detector.fit_predict(WINE)
    assert set(labels) == {1, -1}
    assert abs((labels == -1).mean() - contamination) <= 1 / len(WINE)
    np.testing.assert_array_equal(labels, detector.predict(WINE))
    np.testing.assert_allclose(
        detector.decision_function(WINE), detector.score_samples(WINE) - detector.offset_
    )


def test_fit_ignores_y():
    first = VAEAnomalyDetector(2, (8,), max_iter=5, random_state=0).fit(WINE)
    second = clone(first).fit(WINE, np.full(len(WINE), -1))
    np.testing.assert_array_equal(first.score_samples(WINE), second.score_samples(WINE))


def test_labels_raise_the_auc_and_leave_the_density(tumours):
    X, y = tumours
    rng = np.random.RandomState(0)
    train, test = np.split(rng.permutation(len(X)), [300])
    detector = VAEAnomalyDetector(max_iter=60, random_state=0).fit(X[train])  # contaminated
    before, density = auc(detector, X[test], y[test]), detector.log_density(X[test])
    accuracy = (detector.predict(X[test]) == y[test]).mean()
    detector.fit_labels(X[train[:40]], y[train[:40]])
    after = auc(detector, X[test], y[test])
    assert after > before + 0.02
    np.testing.assert_array_equal(detector.log_density(X[test]), density)
    assert detector.offset_ == 0
    assert (detector.predict(X[test]) == y[test]).mean() > accuracy + 0.02
    # all labels so far: to fit twice is to fit once; a new fit forgets them
    again = detector.score_samples(X[test])
    detector.fit_labels(X[train[:40]], y[train[:40]])
    np.testing.assert_array_equal(detector.score_samples(X[test]), again)
    refitted = detector.fit(X[train])
    assert auc(refitted, X[test], y[test]) == before


def test_no_evidence_no_change(tumours):
    """The head's prior is the density's own ranking; a label that it expects moves it little."""
    X, _ = tumours
    detector = VAEAnomalyDetector(max_iter=20, random_state=0).fit(X)
    before = detector.score_samples(X)
    surest = before.argmax()
    detector.fit_labels(X[[surest]], [1])  # one class alone
    assert stats.spearmanr(before, detector.score_samples(X)).statistic > 0.95


def test_what_labels_are_learned_from():
    """Deviations in units of the scores' middle half, and rows, no column of which is loud."""
    X = WINE.copy()
    X[:, -1] *= 1e-6
    detector = VAEAnomalyDetector(2, (8,), max_iter=5, random_state=0).fit(X)
    deviation, rows = detector._features(X)
    assert 0 < rows[:, -1].std() < 1e-4  # what is hardly there is not blown up
    np.testing.assert_allclose(rows[:, :-1].std(0), 1, atol=0.1)  # but for what is clipped
    squares = np.square(rows[:, np.newaxis] - rows).sum(-1)
    median = np.median(squares[np.triu_indices(len(X), 1)])
    assert detector._distance == pytest.approx(median)
    middle = np.subtract(*np.percentile(2 * np.sinh(deviation / 2), [75, 25]))
    assert middle == pytest.approx(1)  # the order is the score's, far ones are compressed
    far, far_decoded = detector._features(1e5 * X[:1])
    assert -60 < far[0] < deviation.min() and np.abs(far_decoded).max() <= 5


def test_learner_teaches_the_detector(tumours):
    from skbayes.active import ActiveLearner

    X, y = tumours
    detector = VAEAnomalyDetector(n_members=2, max_iter=40, random_state=0).fit(X)
    before, density = auc(detector, X, y), detector.log_density(X)
    for acquisition in ("most_anomalous", "least_certain"):
        learner = ActiveLearner(deepcopy(detector), acquisition=acquisition, random_state=0)
        first, _ = learner.query(X, n_instances=5)
        measure = (
            -detector.score_samples(X)
            if acquisition == "most_anomalous"
            else -np.abs(detector.decision_function(X))
        )
        assert set(first) == set(np.argsort(-measure)[:5])
        for _ in range(6):
            indices, rows = learner.query(X, n_instances=5)
            learner.teach(rows, y[indices])
        np.testing.assert_array_equal(learner.estimator.log_density(X), density)
        assert auc(learner.estimator, X, y) > before, acquisition


def test_a_score_that_the_threshold_is_not_of():
    model = VAEAnomalyDetector(2, (8,), max_iter=2, random_state=0).fit(WINE)
    expected = model.predict(WINE)
    model.set_params(score_method="latent")
    for method in (model.predict, model.decision_function):
        with pytest.raises(ValueError, match="score_method='latent' is not what the threshold"):
            method(WINE)
    with pytest.raises(ValueError, match="score_method='latent' is not what the threshold"):
        model.fit_labels(WINE[:1], [1])
    model.set_params(score_method="reconstruction+code_density+mixture")  # "auto", written out
    np.testing.assert_array_equal(model.predict(WINE), expected)


# -- robustness -----------------------------------------------------------------------------------


def contaminated(n=500, share=0.1, seed=0):
    rng = np.random.RandomState(seed)
    W = rng.normal(size=(2, 8))
    X = rng.normal(size=(n, 2)) @ W + 0.2 * rng.normal(size=(n, 8))
    y = np.where(rng.uniform(size=n) < share, -1, 1)
    # a cluster of its own, which a model of all rows would learn as well
    X[y == -1] = 4 * rng.normal(size=8) + 0.3 * rng.normal(size=(int((y == -1).sum()), 8))
    return scale(X), y


def test_screening_drops_a_fifth_and_the_anomalies():
    X, y = contaminated()
    for dtype in (torch.float32, torch.float64):
        rng = np.random.RandomState(0)
        kept = _robust.screen(X, rng, torch.device("cpu"), dtype)
        assert len(kept) == 400 and (np.diff(kept) > 0).all()
        assert (y[kept] == -1).mean() < 0.1 * (y == -1).mean()
    mean, spread = _robust.spread_of_kept(X, kept)
    np.testing.assert_allclose(mean, X[kept].mean(axis=0))
    np.testing.assert_allclose(spread, X[kept].std(axis=0))


def test_robust_training_on_contaminated_rows():
    X, y = contaminated()
    params = {"max_iter": 60, "n_members": 2, "random_state": 0}
    plain = VAEAnomalyDetector(**params).fit(X).score_samples(X)
    robust = VAEAnomalyDetector(robust=True, **params).fit(X).score_samples(X)
    assert anomaly_roc_auc_score(y, robust) > max(0.97, anomaly_roc_auc_score(y, plain))


def test_robust_scores_do_not_depend_on_the_units():
    """Standardised inside: other units of a feature change the density by the volume only."""
    X, _ = contaminated(200)
    units = np.array([1.0, 1e3, 1e-3, 1.0, 7.0, 0.1, 1.0, 50.0])
    params = {"robust": True, "max_iter": 30, "random_state": 0}
    first = VAEAnomalyDetector(**params).fit(X)
    second = VAEAnomalyDetector(**params).fit(X * units - 5)
    shift = np.log(units).sum()
    np.testing.assert_allclose(
        second.log_density(X * units - 5), first.log_density(X) - shift, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(
        second.reconstruct(X * units - 5), first.reconstruct(X) * units - 5, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(second.noise_variance_, first.noise_variance_ * units**2, rtol=1e-4)


def test_a_column_that_only_what_is_left_out_moves_keeps_a_spread():
    X = np.random.RandomState(0).normal(size=(100, 2))
    X[:80, 1] = 0.0
    mean, spread = _robust.spread_of_kept(X, np.arange(80))
    np.testing.assert_allclose(mean, [X[:80, 0].mean(), 0])
    np.testing.assert_allclose(spread, [X[:80, 0].std(), 0.01 * X[:, 1].std()])


@pytest.mark.parametrize(
    "X",
    [
        np.c_[WINE, np.ones(len(WINE))],
        np.ones((20, 3)),
        WINE[:1],
        WINE[:4],
        np.repeat(WINE[:2], 10, axis=0),
        sparse.csr_array(WINE),
        WINE.astype(np.float32),
    ],
    ids=["constant column", "all constant", "one row", "four rows", "twins", "sparse", "float32"],
)
def test_robust_must_work(X):
    model = VAEAnomalyDetector(2, (8,), robust=True, max_iter=3, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    model.set_params(warm_start=True).fit(X)
    assert np.isfinite(model.score_samples(X)).all()


def test_rows_that_are_trimmed_may_cost_anything():
    """Also where training looks back at its last batch, or at held-back rows."""
    g = torch.Generator().manual_seed(0)
    vae = StackedVAE(3, 2, 2, (8,), generator=g, dtype=torch.float64)
    rows = torch.randn(10, 3, generator=g, dtype=torch.float64)
    rows[4] *= 1e8
    batch = Batch(rows, None, None)
    losses = []
    for settings in (Settings(), Settings(trim=0.1)):
        vae.noise_generator = torch.Generator().manual_seed(1)
        losses.append(Objective(settings)(vae.eval(), batch))
    whole, kept = losses
    others = np.delete(np.arange(10), 4)
    torch.testing.assert_close(kept.mean(1), whole[:, others].mean(1))
    assert (whole[:, 4] > 1e10).all()
