"""Calibration of class probabilities: by hand, against scikit-learn and a loop, by simulation."""

import pickle

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbayes.metrics import (
    ReliabilityDisplay,
    expected_calibration_error,
    expected_calibration_error_scorer,
    make_expected_calibration_error_scorer,
    maximum_calibration_error,
    reliability_curve,
)

matplotlib.use("Agg")
STRATEGIES = ["quantile", "uniform"]


def draw(n_samples, n_classes, seed=0, sharpness=2.0):
    """Random probabilities and labels that follow them: perfectly calibrated."""
    rng = np.random.RandomState(seed)
    logits = sharpness * rng.normal(size=(n_samples, n_classes))
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (proba.cumsum(axis=1) < rng.uniform(size=(n_samples, 1))).sum(axis=1)
    return np.minimum(y, n_classes - 1), proba


def naive_error(y, proba, n_bins, strategy):
    """Rows one by one, without ties."""
    rows = sorted((max(p), float(np.argmax(p) == label)) for p, label in zip(proba, y, strict=True))
    bins = [[] for _ in range(n_bins)]
    for i, (confidence, correct) in enumerate(rows):
        if strategy == "quantile":
            k = n_bins * (2 * i + 1) // (2 * len(rows))
        else:
            k = next(k for k in range(n_bins) if confidence <= (k + 1) / n_bins)
        bins[k].append((confidence, correct))
    error = 0.0
    for members in bins:
        if members:
            confidence, correct = np.mean(members, axis=0)
            error += len(members) / len(rows) * abs(confidence - correct)
    return error


# -- known answers ---------------------------------------------------------------------------------


def test_by_hand():
    y_true = [0, 1, 2, 0]
    y_proba = [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0.9, 0.05, 0.05]]
    # confidence .6 .7 .8 .9, right 1 1 0 1
    for strategy in STRATEGIES:
        one = {"n_bins": 1, "strategy": strategy}
        assert expected_calibration_error(y_true, y_proba, **one) == pytest.approx(0)
    halves = reliability_curve(y_true, y_proba, n_bins=2)
    np.testing.assert_allclose(halves, [[1, 0.5], [0.65, 0.85], [0.5, 0.5]])
    assert expected_calibration_error(y_true, y_proba, n_bins=2) == pytest.approx(0.35)
    # (.5, .75] holds .6 and .7, (.75, 1] the rest; the first two bins are empty
    width = reliability_curve(y_true, y_proba, n_bins=4, strategy="uniform")
    np.testing.assert_allclose(width, halves)
    apart = {"n_bins": 4, "strategy": "quantile"}
    assert expected_calibration_error(y_true, y_proba, **apart) == pytest.approx(1.6 / 4)
    assert maximum_calibration_error(y_true, y_proba, **apart) == pytest.approx(0.8)
    weighted = expected_calibration_error(y_true, y_proba, sample_weight=[0, 0, 1, 3], n_bins=1)
    assert weighted == pytest.approx(0.875 - 0.75)


def test_bins_of_equal_width_hold_their_upper_edge():
    _, confidence, _ = reliability_curve([1, 1, 1], [0.75, 0.76, 1.0], n_bins=4, strategy="uniform")
    np.testing.assert_allclose(confidence, [0.75, 0.88])


def test_sure_and_right_or_wrong():
    for strategy in STRATEGIES:
        assert expected_calibration_error([0, 1], [0.0, 1.0], strategy=strategy) == 0
        assert expected_calibration_error([1, 0], [0.0, 1.0], strategy=strategy) == 1


def test_of_classes_equally_probable_the_first_is_predicted():
    proba = np.full((4, 2), 0.5)
    assert expected_calibration_error([0, 0, 1, 1], proba) == 0
    assert expected_calibration_error([0, 0, 0, 0], proba, labels=[0, 1]) == 0.5
    assert expected_calibration_error([1, 1, 1, 1], proba, labels=[0, 1]) == 0.5


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_bins", [1, 5, 15])
def test_equals_scikit_learns_curve_of_being_right(strategy, n_bins):
    # 1500 rows fill bins of equal mass exactly, so that both rules of cutting agree
    y, proba = draw(1500, 4)
    accuracy, confidence, weight = reliability_curve(y, proba, n_bins=n_bins, strategy=strategy)
    right = proba.argmax(axis=1) == y
    expected = calibration_curve(right, proba.max(axis=1), n_bins=n_bins, strategy=strategy)
    np.testing.assert_allclose(accuracy, expected[0])
    np.testing.assert_allclose(confidence, expected[1])
    assert weight.sum() == pytest.approx(1)
    if strategy == "quantile":
        np.testing.assert_allclose(weight, 1 / n_bins)


@given(
    st.integers(1, 60), st.integers(2, 5), st.integers(1, 20), st.sampled_from(STRATEGIES),
    st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=60)
def test_equals_a_loop(n_samples, n_classes, n_bins, strategy, seed):
    y, proba = draw(n_samples, n_classes, seed)
    how = {"n_bins": n_bins, "strategy": strategy, "labels": range(n_classes)}
    error = expected_calibration_error(y, proba, **how)
    assert error == pytest.approx(naive_error(y, proba, n_bins, strategy), abs=1e-12)
    accuracy, confidence, weight = reliability_curve(y, proba, **how)
    assert error == pytest.approx(weight @ np.abs(accuracy - confidence))
    assert 0 <= error <= maximum_calibration_error(y, proba, **how) + 1e-12 <= 1 + 1e-12
    assert (np.diff(confidence) > 0).all()
    # more bins by cutting bins in two: the triangle inequality
    if strategy == "uniform":
        finer = expected_calibration_error(y, proba, **{**how, "n_bins": 2 * n_bins})
        assert finer >= error - 1e-12


# -- statistics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_of_calibrated_probabilities_is_the_known_bias(strategy):
    n_runs, n_bins = 40, 15
    error, mean, variance = np.empty((3, n_runs))
    for run in range(n_runs):
        y, proba = draw(3000, 3, seed=run)
        error[run] = expected_calibration_error(y, proba, strategy=strategy)
        # a bin's gap is a sum of independent Bernoullis, normal in the limit, which folds over
        place = np.arange(3000) // 200
        if strategy == "uniform":
            place = np.ceil(proba.max(axis=1) * n_bins).astype(int)
        else:
            place = place[proba.max(axis=1).argsort().argsort()]
        p = proba.max(axis=1)
        scale = np.sqrt(np.bincount(place, p * (1 - p))) / len(p)  # weight times standard error
        mean[run] = np.sqrt(2 / np.pi) * scale.sum()
        variance[run] = (1 - 2 / np.pi) * (scale**2).sum()
    standard_error = np.sqrt(variance.mean() / n_runs)
    # the normal limit itself is off by less than one of them, where bins hold few rows
    assert abs(error.mean() - mean.mean()) < 3 * standard_error
    assert error.std() == pytest.approx(np.sqrt(variance.mean()), rel=3 / np.sqrt(2 * n_runs))


def test_the_rule_of_thumb_of_the_notes():
    rng = np.random.RandomState(0)
    errors = [
        # confidence near .9, not tied
        expected_calibration_error(
            rng.uniform(size=1000) < 0.9, rng.uniform(0.899, 0.901, 1000), labels=[False, True]
        )
        for _ in range(200)
    ]
    assert np.mean(errors) == pytest.approx(np.sqrt(2 * 15 * 0.09 / (np.pi * 1000)), rel=0.05)
    assert round(np.sqrt(2 * 15 * 0.09 / (np.pi * 1000)), 2) == 0.03


def test_overconfidence_is_measured():
    # claims .9 and is right in .6
    rng = np.random.RandomState(0)
    y = rng.uniform(size=20000) < 0.6
    error = expected_calibration_error(y, np.full(20000, 0.9))
    assert error == pytest.approx(0.3, abs=3 * np.sqrt(0.24 / 20000))


# -- invariances -----------------------------------------------------------------------------------

weighted_rows = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2, 3, 4]), st.integers(0, 3)),
    min_size=1,
    max_size=15,
).filter(lambda rows: any(weight for _, _, weight in rows))
TABLE = np.array(
    [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5], [0.125, 0.25, 0.625], [1.0, 0.0, 0.0]]
)


@given(weighted_rows, st.integers(1, 6), st.sampled_from(STRATEGIES), st.randoms())
@settings(max_examples=80)
def test_order_names_and_repetition_do_not_matter(rows, n_bins, strategy, random):
    y, which, weight = map(np.array, zip(*rows, strict=True))
    proba = TABLE[which]  # with ties between rows
    how = {"n_bins": n_bins, "strategy": strategy}
    error = expected_calibration_error(y, proba, labels=[0, 1, 2], sample_weight=weight, **how)
    repeated = expected_calibration_error(
        np.repeat(y, weight), np.repeat(proba, weight, axis=0), labels=[0, 1, 2], **how
    )
    assert repeated == pytest.approx(error, abs=1e-12)
    order = random.sample(range(len(y)), len(y))
    permuted = expected_calibration_error(
        y[order], proba[order], labels=[0, 1, 2], sample_weight=7 * weight[order], **how
    )
    assert permuted == pytest.approx(error, abs=1e-12)
    columns = random.sample(range(3), 3)
    names = np.array(["a", "b", "c"])
    renamed = expected_calibration_error(
        names[y], proba[:, columns], labels=names[columns], sample_weight=weight, **how
    )
    assert renamed == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_classes_by_one_column_or_two(strategy):
    y, proba = draw(200, 2)
    both = expected_calibration_error(y, proba, strategy=strategy)
    assert expected_calibration_error(y, proba[:, 1], strategy=strategy) == pytest.approx(both)
    for names in (np.array([-1, 1]), np.array([False, True]), np.array(["ham", "spam"])):
        error = expected_calibration_error(names[y], proba[:, 1], strategy=strategy)
        assert error == pytest.approx(both)
    # the other class as the second label
    swapped = expected_calibration_error(y, proba[:, 0], labels=[1, 0], strategy=strategy)
    assert swapped == pytest.approx(both)


def test_float32_and_lists():
    y, proba = draw(300, 5)
    expected = expected_calibration_error(y, proba)
    found = expected_calibration_error(y.tolist(), proba.astype(np.float32).tolist())
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_label_that_is_missing():
    assert expected_calibration_error([1, 1], [1.0, 1.0]) == 0
    assert expected_calibration_error([-1.0, -1.0], [1.0, 1.0]) == 1
    assert expected_calibration_error([1, 1], [[0.1, 0.8, 0.1]] * 2, labels=[0, 1, 2]) == (
        pytest.approx(0.2)
    )


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metric", [expected_calibration_error, maximum_calibration_error, reliability_curve]
)
@pytest.mark.parametrize(
    ("y_true", "y_proba", "options", "message"),
    [
        ([0, 1], [0.1, 0.9], {"n_bins": 0}, "n_bins=0 must be an integer of at least 1"),
        ([0, 1], [0.1, 0.9], {"n_bins": 2.0}, "n_bins=2.0 must be"),
        ([0, 1], [0.1, 0.9], {"n_bins": True}, "n_bins=True must be"),
        ([0, 1], [0.1, 0.9], {"strategy": "mass"}, "strategy='mass' must be 'quantile' or 'unif"),
        ([0, 1], [0.1, 1.9], {}, "y_proba lies between 0.1 and 1.9.*softmax"),
        ([0, 1], [[0.1, 0.2], [0.5, 0.5]], {}, "sum to 1 over the classes; a row sums to 0.3"),
        ([0, 1], [[0.1, np.nan], [0.5, 0.5]], {}, "y_proba contains NaN"),
        ([0, 1], [0.1], {}, "y_true has 2 rows and y_proba 1"),
        ([0, 2], [[0.2, 0.3, 0.5]] * 2, {}, "y_proba has 3 columns, and y_true holds 2 labels"),
        ([0, 1, 2], [0.1, 0.2, 0.3], {}, "one column, of the second of two labels, and y_true h"),
        (["a", "a"], [0.1, 0.9], {}, "y_true holds 1 labels: .'a'.; pass the label of every"),
        ([0, 1], [0.1, 0.9], {"labels": [0, 1, 2]}, "labels holds 3 labels"),
        ([0, 7], [0.1, 0.9], {"labels": [0, 1]}, r"y_true holds \[7\], which are not among label"),
        ([0, 1], [0.1, 0.9], {"labels": [1, 1]}, r"labels=\[1, 1\] must not repeat"),
        ([0, np.nan], [0.1, 0.9], {}, "y_true contains NaN"),
        ([0, 1], [0.1, 0.9], {"sample_weight": [1, -1]}, "[Nn]egative"),
        ([0, 1], [0.1, 0.9], {"sample_weight": [1]}, "sample_weight.shape"),
        ([0, 1], [0.1, 0.9], {"sample_weight": np.nan}, "sample_weight=nan must be finite"),
        ([[0, 1], [1, 0]], [0.1, 0.9], {}, "1d array"),
    ],
)
def test_bad_input(metric, y_true, y_proba, options, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, y_proba, **options)


# -- scorers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_scorer_through_pipelines_and_searches(load):
    X, y = load(return_X_y=True)
    names = np.array(["a", "b", "c"])[y]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, names)
    expected = -expected_calibration_error(names, pipeline.predict_proba(X))
    search = GridSearchCV(
        pipeline,
        {"logisticregression__C": [1e-4, 1.0]},
        scoring=expected_calibration_error_scorer,
        cv=3,
    ).fit(X, names)
    assert search.best_params_ == {"logisticregression__C": 1.0}
    assert search.score(X, names) == pytest.approx(expected)
    for fitted in (pipeline, search, FrozenEstimator(pipeline)):
        assert expected_calibration_error_scorer(fitted, X, names) == pytest.approx(expected)
    # as far as every fold has every class, scikit-learn's way of making scorers does as well
    theirs = make_scorer(
        expected_calibration_error, greater_is_better=False, response_method="predict_proba"
    )
    np.testing.assert_allclose(
        cross_val_score(pipeline, X, names, scoring=theirs),
        cross_val_score(pipeline, X, names, scoring=expected_calibration_error_scorer),
    )


def test_scorer_where_a_class_is_missing():
    X, y = load_iris(return_X_y=True)
    clf = LogisticRegression(max_iter=1000).fit(X, y)
    expected = -expected_calibration_error(y[:90], clf.predict_proba(X[:90]), labels=[0, 1, 2])
    assert expected_calibration_error_scorer(clf, X[:90], y[:90]) == expected
    with pytest.raises(ValueError, match=r"y_true holds \[2\], which are not among labels=\[0, 1"):
        expected_calibration_error_scorer(LogisticRegression().fit(X[:99], y[:99]), X, y)


def test_made_scorers():
    X, y = make_classification(300, random_state=0)
    clf = LogisticRegression().fit(X, y)
    scorer = make_expected_calibration_error_scorer(10, strategy="uniform")
    expected = -expected_calibration_error(y, clf.predict_proba(X), n_bins=10, strategy="uniform")
    assert scorer(clf, X, y) == expected
    assert pickle.loads(pickle.dumps(scorer))(clf, X, y) == expected
    scoring = {"default": expected_calibration_error_scorer, "made": scorer, "log": "neg_log_loss"}
    cv = KFold(3)
    one, two = (
        cross_validate(clf, X, y, cv=cv, scoring=scoring, n_jobs=n_jobs) for n_jobs in (1, 2)
    )
    for name in scoring:
        np.testing.assert_array_equal(one[f"test_{name}"], two[f"test_{name}"])
    with pytest.raises(ValueError, match="n_bins=0 must"):
        make_expected_calibration_error_scorer(0)
    with pytest.raises(ValueError, match="strategy='no' must"):
        make_expected_calibration_error_scorer(strategy="no")
    for ask in (expected_calibration_error_scorer, ReliabilityDisplay.from_estimator):
        with pytest.raises(TypeError, match="estimator=LinearRegression must be a classifier"):
            ask(LinearRegression().fit(X, y), X, y)


# -- picture ---------------------------------------------------------------------------------------


@pytest.fixture
def axes():
    import matplotlib.pyplot as plt

    yield plt.subplots()[1]
    plt.close("all")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_display_draws_the_curve(axes, strategy):
    y, proba = draw(400, 3)
    weight = np.random.RandomState(0).uniform(size=400)
    how = {"n_bins": 8, "strategy": strategy, "sample_weight": weight}
    display = ReliabilityDisplay.from_predictions(
        y, proba, name="A", ax=axes, histogram=True, color="green", **how
    )
    accuracy, confidence, share = reliability_curve(y, proba, **how)
    error = expected_calibration_error(y, proba, **how)
    assert display.expected_calibration_error == pytest.approx(error)
    np.testing.assert_allclose(display.weight, share)
    np.testing.assert_allclose(display.line_.get_xydata(), np.stack([confidence, accuracy], axis=1))
    np.testing.assert_allclose([bar.get_height() for bar in display.bars_], accuracy)
    for bar, gap, middle in zip(display.bars_, display.gaps_, confidence, strict=True):
        # the gap leads from the bar's top to the confidence, which lies above the bar's base
        assert gap.get_y() == pytest.approx(bar.get_height())
        assert gap.get_y() + gap.get_height() == pytest.approx(middle)
        assert bar.get_x() <= middle <= bar.get_x() + bar.get_width()
        assert bar.get_facecolor()[:3] == matplotlib.colors.to_rgb("green")
    assert (display.edges[1:, 0] >= display.edges[:-1, 1] - 1e-12).all()
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert f"A\n(ECE = {error:.3f})" in texts
    heights = [bar.get_height() for bar in display.ax_histogram_.patches]
    assert sum(heights) == pytest.approx(1)
    assert display.ax_ is axes and display.figure_ is axes.figure
    axes.figure.canvas.draw()


def test_display_of_an_estimator_and_of_arrays(axes):
    X, y = load_iris(return_X_y=True)
    clf = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    display = ReliabilityDisplay.from_estimator(clf, X[:90], y[:90])
    assert display.estimator_name == "Pipeline"
    assert display.expected_calibration_error == pytest.approx(
        -expected_calibration_error_scorer(clf, X[:90], y[:90])
    )
    assert display.ax_histogram_ is None
    arrays = [display.accuracy, display.confidence, display.weight, display.edges]
    again = ReliabilityDisplay(*arrays).plot(ax=axes, name="B")
    assert again.bars_.get_label().startswith("B\n")
    with pytest.raises(ValueError, match="histogram=True needs row_confidence"):
        again.plot(histogram=True)
