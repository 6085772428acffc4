"""Inside scikit-learn's meta-estimators, and with its callbacks, routing and pandas output."""

import numpy as np
import pytest
import sklearn
from estimators import CLASSIFIERS, name_of
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import SGLDClassifier, VAEAnomalyDetector, active, predict_uncertainty, sample_proba
from skbayes.active import ActiveLearner, BayesianOptimizer, Committee, bald, margin
from skbayes.active import entropy as active_entropy
from skbayes.active.disagreement import KL_max_disagreement
from skbayes.metrics import anomaly_roc_auc, precision_at_k
from skbayes.model_selection import NoveltySplit

BOTH = pytest.mark.parametrize("classifier", CLASSIFIERS, ids=name_of)


@BOTH
def test_grid_search_of_a_pipeline_in_two_processes(classifier):
    X, y = load_iris(return_X_y=True)
    name = f"{name_of(classifier).lower()}__hidden_layer_sizes"
    pipeline = make_pipeline(StandardScaler(), clone(classifier).set_params(random_state=0))
    grid = {name: [(2,), (20,)]}
    two = GridSearchCV(pipeline, grid, cv=3, scoring="neg_log_loss", n_jobs=2).fit(X, y)
    one = GridSearchCV(pipeline, grid, cv=3, scoring="neg_log_loss", n_jobs=1).fit(X, y)
    # processes agree with the serial run to the last bit
    np.testing.assert_array_equal(
        two.cv_results_["mean_test_score"], one.cv_results_["mean_test_score"]
    )
    assert two.best_params_[name] == (20,)
    assert two.score(X, y) > -0.3  # ln 3 = 1.1 is chance


def test_cross_val_score_on_real_data():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), SGLDClassifier((20,), n_warmup=200, random_state=0))
    assert cross_val_score(model, X, y, cv=3, scoring="roc_auc").mean() > 0.98


@BOTH
def test_calibrated_classifier(classifier):
    X, y = load_iris(return_X_y=True)
    model = CalibratedClassifierCV(
        make_pipeline(StandardScaler(), clone(classifier).set_params(random_state=0)), cv=3
    )
    proba = model.fit(X, y).predict_proba(X)
    assert model.score(X, y) > 0.9
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@BOTH
def test_pandas_in_and_out(classifier):
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), clone(classifier).set_params(random_state=0))
    model.set_output(transform="pandas").fit(X, y)
    assert model[-1].feature_names_in_.tolist() == X.columns.tolist()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[X.columns[::-1]])


@BOTH
def test_sample_weight_by_metadata_routing(classifier):
    X, y = load_iris(return_X_y=True)
    # class 2 weighs nothing: whoever is given the weights never sees it
    weight = (y < 2).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = clone(classifier).set_params(random_state=0)
        weighted.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        model = make_pipeline(scaler, weighted).fit(X, y, sample_weight=weight)
        assert model.classes_.tolist() == [0, 1]
        grid = GridSearchCV(weighted, {"activation": ["tanh"]}, cv=3, error_score="raise")
        assert grid.fit(X, y, sample_weight=weight + 1e-12).classes_.tolist() == [0, 1, 2]


@BOTH
def test_progress_bar(classifier, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    X, y = load_iris(return_X_y=True)
    model = clone(classifier).set_params(random_state=0).set_callbacks(ProgressBar())
    model.fit(X, y)
    assert name_of(classifier) in capsys.readouterr().out
    assert not [name for name in vars(model) if "callback_fit_ctx" in name]


@pytest.mark.parametrize(("anomaly", "normal"), [(1, 0), (-1, 1)])
def test_detector_in_cross_validation(anomaly, normal):
    X, y = load_breast_cancer(return_X_y=True)  # 0 is malignant, the anomaly
    y = np.where(y == 0, anomaly, normal)
    detector = make_pipeline(StandardScaler(), VAEAnomalyDetector(max_iter=40, random_state=0))
    cv = NoveltySplit(5, random_state=0)
    assert cross_val_score(detector, X, y, cv=cv, scoring=anomaly_roc_auc).mean() > 0.93
    # 42 anomalies a fold: among the 50 most anomalous chance would find a third
    assert cross_val_score(detector, X, y, cv=cv, scoring=precision_at_k).mean() > 0.6


def test_grid_search_of_a_detector_in_two_processes():
    X, y = load_breast_cancer(return_X_y=True)
    detector = make_pipeline(StandardScaler(), VAEAnomalyDetector(max_iter=10, random_state=0))
    one, two = (
        GridSearchCV(
            detector,
            {"vaeanomalydetector__n_components": [2, 10]},
            cv=NoveltySplit(3, random_state=0),
            scoring=anomaly_roc_auc,
            n_jobs=n_jobs,
            refit=False,
        )
        .fit(X, 1 - y)
        .cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert one[0] != one[1]


@BOTH
def test_bald_through_a_pipeline_is_bald_on_the_transformed_rows(classifier):
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), clone(classifier).set_params(random_state=0))
    pipeline.fit(X[::3], y[::3])
    draws = pipeline[-1].sample_proba(pipeline[0].transform(X))
    np.testing.assert_array_equal(sample_proba(pipeline, X), draws)
    np.testing.assert_array_equal(bald(sample_proba(pipeline, X)), bald(draws))
    for ours, theirs in zip(
        predict_uncertainty(pipeline, X),
        pipeline[-1].predict_uncertainty(pipeline[0].transform(X)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs)
    learner = ActiveLearner(pipeline, acquisition="bald", random_state=0)
    indices, _ = learner.query(X, n_instances=3)
    assert set(indices) == set(np.argsort(-bald(draws))[:3])


@BOTH
@pytest.mark.parametrize("refit", ["full", "warm"])
@pytest.mark.parametrize("acquisition", ["bald", "margin", "variation_ratio", "mean_std"])
def test_query_loop(classifier, refit, acquisition):
    X, y = load_iris(return_X_y=True)
    order = np.random.RandomState(0).permutation(150)
    X, y = X[order], y[order]
    learner = ActiveLearner(
        make_pipeline(StandardScaler(), clone(classifier).set_params(random_state=0)),
        X_training=X[:10],
        y_training=y[:10],
        acquisition=acquisition,
        refit=refit,
        random_state=0,
    )
    for _ in range(4):
        indices, rows = learner.query(X[10:], n_instances=5)
        learner.teach(rows, y[10:][indices])
    assert len(learner.y_training) == 30
    assert learner.score(X, y) > 0.9


def test_strategy_of_modal():
    uncertainty = pytest.importorskip("modAL.uncertainty")
    X, y = load_iris(return_X_y=True)
    model = SGLDClassifier((10,), n_warmup=200, random_state=0)
    learner = ActiveLearner(model, uncertainty.margin_sampling, X[::10], y[::10])
    indices, rows = learner.query(X, n_instances=4)
    proba = np.sort(model.predict_proba(X), axis=1)
    assert set(indices) == set(np.argsort(proba[:, -1] - proba[:, -2])[:4])
    learner.teach(rows, y[indices])
    assert len(learner.y_training) == 19


def test_our_estimators_in_the_learners_of_modal():
    models = pytest.importorskip("modAL.models")
    uncertainty = pytest.importorskip("modAL.uncertainty")
    disagreement = pytest.importorskip("modAL.disagreement")
    X, y = load_iris(return_X_y=True)
    # its teach cannot run on today's scikit-learn: constructed and queried only
    members = [
        models.ActiveLearner(
            make_pipeline(StandardScaler(), SGLDClassifier((10,), n_warmup=100, random_state=seed)),
            query_strategy=uncertainty.entropy_sampling,
            X_training=X[seed::10],
            y_training=y[seed::10],
        )
        for seed in range(2)
    ]
    indices, rows = members[0].query(X, n_instances=5)
    expected = np.argsort(-active_entropy(members[0].predict_proba(X)[np.newaxis]))[:5]
    assert set(indices) == set(expected) and rows.shape == (5, 4)
    # the draws are found behind its learners too
    assert sample_proba(members[0], X).shape[0] > 1
    committee = models.Committee(members, disagreement.max_disagreement_sampling)
    indices, _ = committee.query(X, n_instances=4)
    ours = KL_max_disagreement(committee, X)
    np.testing.assert_allclose(np.sort(ours)[-4:], np.sort(ours[indices]))


@pytest.mark.parametrize("strategy", ["consensus_entropy", "max_disagreement", "vote_entropy"])
def test_committee_strategies_of_modal_in_our_committee(strategy):
    disagreement = pytest.importorskip("modAL.disagreement")
    X, y = load_iris(return_X_y=True)
    members = [
        ActiveLearner(GaussianNB(var_smoothing=smoothing), None, X[i::10], y[i::10])
        for i, smoothing in enumerate([1e-9, 1e-2])
    ]
    theirs = Committee(members, getattr(disagreement, f"{strategy}_sampling"))
    indices, rows = theirs.query(X, n_instances=5)
    ours = Committee(members, getattr(active.disagreement, f"{strategy}_sampling"))
    *_, metrics = ours.query(X, n_instances=5, return_metrics=True)
    name = "KL_max_disagreement" if strategy == "max_disagreement" else strategy
    values = getattr(active.disagreement, name)(ours, X)
    np.testing.assert_allclose(np.sort(values[indices]), np.sort(metrics), atol=1e-12)
    # what both members were taught counts once
    seen = np.unique(np.vstack([X[::10], X[1::10], rows]), axis=0)
    assert len(theirs.teach(rows, y[indices]).y_training) == len(seen)


@pytest.mark.parametrize("strategy", ["PI", "EI", "UCB"])
def test_optimizer_strategies_of_modal_in_our_optimizer(strategy):
    acquisition = pytest.importorskip("modAL.acquisition")
    X = np.linspace(0, 6, 60).reshape(-1, 1)
    start = X[::20]
    optimizer = BayesianOptimizer(
        GaussianProcessRegressor(optimizer=None),
        getattr(acquisition, f"max_{strategy}"),
        start,
        np.sin(start[:, 0]),
    )
    theirs, _ = optimizer.query(X, n_instances=3)
    ours, values = getattr(active.acquisition, f"max_{strategy}")(optimizer, X, n_instances=3)
    np.testing.assert_array_equal(np.sort(theirs), np.sort(ours))
    expected = getattr(acquisition, f"optimizer_{strategy}")(optimizer, X)
    np.testing.assert_allclose(values, expected[ours])


def test_our_estimators_in_the_wrappers_of_scikit_activeml():
    classifier = pytest.importorskip(
        "skactiveml.classifier", reason="scikit-activeml is not installed"
    )
    pool = pytest.importorskip("skactiveml.pool", reason="scikit-activeml is not installed")
    X, y = load_iris(return_X_y=True)
    known = np.full(150, np.nan)
    known[::15] = y[::15]
    wrapped = classifier.SklearnClassifier(
        SGLDClassifier((10,), n_warmup=100, random_state=0), classes=[0, 1, 2], random_state=0
    ).fit(X, known)
    expected = SGLDClassifier((10,), n_warmup=100, random_state=0).fit(X[::15], y[::15])
    np.testing.assert_allclose(wrapped.predict_proba(X), expected.predict_proba(X))
    strategy = pool.UncertaintySampling(method="margin_sampling", random_state=0)
    indices = strategy.query(X, known, wrapped, batch_size=3)
    asked = margin(expected.predict_proba(X)[np.newaxis])
    asked[::15] = -np.inf
    np.testing.assert_allclose(np.sort(asked[indices]), np.sort(asked)[-3:])
