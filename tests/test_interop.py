"""Inside scikit-learn's meta-estimators, and with its callbacks, routing and pandas output."""

import numpy as np
import pytest
import sklearn
from estimators import CLASSIFIERS, name_of
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes import SGLDClassifier

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
