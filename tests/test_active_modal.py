"""What modAL's users do and what its own tests ask for, with the package's name changed.

Stand-ins that only quack: no clone, no tags, a fixed answer whatever the rows.
"""

import importlib
from functools import partial
from itertools import product

import numpy as np
import pytest
from scipy import sparse
from scipy.special import ndtr
from scipy.stats import entropy, norm
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from skbayes import active
from skbayes.active import acquisition, batch, density, disagreement, multilabel, uncertainty
from skbayes.active.expected_error import expected_error_reduction
from skbayes.active.models import (
    ActiveLearner,
    BayesianOptimizer,
    Committee,
    CommitteeRegressor,
)
from skbayes.active.utils import (
    check_class_labels,
    check_class_proba,
    data,
    make_linear_combination,
    make_product,
    make_query_strategy,
    selection,
)

X, Y = load_iris(return_X_y=True)
RNG = np.random.RandomState(0)


class Fixed:
    """An estimator of fixed answers; not fitted, it raises."""

    def __init__(self, proba=None, predicted=None, score=None, classes=None, fitted=True):
        self.proba, self.predicted, self.scored, self.fitted = proba, predicted, score, fitted
        if fitted:
            self.classes_ = classes

    def _answer(self, answer):
        if not self.fitted:
            raise NotFittedError
        return answer

    def fit(self, *args, **kwargs):
        pass

    def predict(self, *args, **kwargs):
        return self._answer(self.predicted)

    def predict_proba(self, *args, **kwargs):
        return self._answer(self.proba)

    def score(self, *args, **kwargs):
        return self.scored


class FixedMember(Fixed):
    """A member of a committee of fixed answers."""

    def __init__(self, estimator=None, proba=None, predicted=None):
        super().__init__(proba, predicted)
        self.estimator = estimator


class FixedCommittee:
    """A committee of fixed answers."""

    def __init__(self, n=1, classes=None, votes=None, vote_proba=None, proba=None, fitted=True):
        self.n, self.classes_, self.fitted = n, classes, fitted
        self.answers = {"vote": votes, "vote_proba": vote_proba, "predict_proba": proba}

    def __len__(self):
        return self.n

    def __getattr__(self, name):
        if name not in self.__dict__.get("answers", ()):
            raise AttributeError(name)

        def answer(X, **kwargs):
            if not self.fitted:
                raise NotFittedError
            return self.answers[name]

        return answer


# -- names ----------------------------------------------------------------------------------------

NAMES = {
    "models": "ActiveLearner BayesianOptimizer Committee CommitteeRegressor DeepActiveLearner",
    "models.base": "BaseLearner BaseCommittee",
    "models.learners": "ActiveLearner BayesianOptimizer Committee CommitteeRegressor "
    "DeepActiveLearner",
    "acquisition": "PI EI UCB optimizer_PI optimizer_EI optimizer_UCB max_PI max_EI max_UCB",
    "batch": "select_cold_start_instance select_instance ranked_batch uncertainty_batch_sampling",
    "density": "similarize_distance cosine_similarity euclidean_similarity information_density",
    "disagreement": "vote_entropy consensus_entropy KL_max_disagreement vote_entropy_sampling "
    "consensus_entropy_sampling max_disagreement_sampling max_std_sampling",
    "dropout": "default_logits_adaptor get_predictions set_dropout_mode mc_dropout_multi "
    "mc_dropout_bald mc_dropout_mean_st mc_dropout_max_entropy mc_dropout_max_variationRatios",
    "expected_error": "expected_error_reduction",
    "multilabel": "SVM_binary_minimum max_loss mean_max_loss min_confidence avg_confidence "
    "max_score avg_score",
    "uncertainty": "classifier_uncertainty classifier_margin classifier_entropy "
    "uncertainty_sampling margin_sampling entropy_sampling",
    "utils": "make_linear_combination make_product make_query_strategy data_vstack multi_argmax "
    "weighted_random check_class_labels check_class_proba",
    "utils.combination": "make_linear_combination make_product make_query_strategy",
    "utils.data": "modALinput data_vstack data_hstack add_row retrieve_rows drop_rows "
    "enumerate_data data_shape",
    "utils.selection": "shuffled_argmax shuffled_argmin multi_argmax multi_argmin weighted_random",
    "utils.validation": "check_class_labels check_class_proba",
}


@pytest.mark.parametrize("module", NAMES)
def test_every_name_of_modal_is_there(module):
    ours = importlib.import_module(f"skbayes.active.{module}")
    assert [name for name in NAMES[module].split() if not hasattr(ours, name)] == []
    assert getattr(active.models, "ActiveLearner") is active.ActiveLearner  # noqa: B009


# -- helpers --------------------------------------------------------------------------------------


def test_class_labels():
    same, other = Fixed(classes=np.array([0, 2])), Fixed(classes=np.array([0, 1]))
    assert check_class_labels(same, same, same) and check_class_labels(same)
    assert not check_class_labels(same, other) and not check_class_labels(other, same, same)
    with pytest.raises(NotFittedError, match="not all estimators are fitted"):
        check_class_labels(same, Fixed(fitted=False))


@pytest.mark.parametrize("unknown", range(4))
def test_class_proba_of_an_unknown_class_is_zero(unknown):
    proba = RNG.rand(7, 4)
    known = [label for label in range(4) if label != unknown]
    spread = check_class_proba(proba[:, known], known, range(4))
    np.testing.assert_array_equal(spread, np.where(np.arange(4) == unknown, 0, proba))
    np.testing.assert_array_equal(check_class_proba(proba, range(4), range(4)), proba)


def test_combinations():
    def ones(X):
        return np.ones((len(X), 1))

    np.testing.assert_array_equal(make_linear_combination(*[ones] * 5)(X), np.full((150, 1), 5))
    weighted = make_linear_combination(ones, ones, weights=[0.5, 2])
    np.testing.assert_array_equal(weighted(X), np.full((150, 1), 2.5))
    values = RNG.rand(10, 2, 2)
    np.testing.assert_allclose(make_product(*[lambda x: x] * 3)(values), values**3)
    powers = make_product(lambda x: x, lambda x: x, exponents=[0.3, 1.2])
    np.testing.assert_allclose(powers(values), values**1.5)
    with pytest.raises(AssertionError, match="weights has 1 entries for 2 functions"):
        make_linear_combination(ones, ones, weights=[1])
    with pytest.raises(ValueError, match="exponents has 1 entries for 2"):
        make_product(ones, ones, exponents=[1])


@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_a_strategy_made_of_parts_is_the_whole(n_classes):
    # of one class all rows tie: the first wins, in both
    proba = RNG.dirichlet(np.ones(n_classes), size=9)
    made = make_query_strategy(uncertainty.classifier_uncertainty, selection.multi_argmax)
    learner = ActiveLearner(Fixed(proba))
    np.testing.assert_equal(made(learner, X[:9]), uncertainty.uncertainty_sampling(learner, X[:9]))
    picked, values = made(learner, X[:9], n_instances=3)
    np.testing.assert_array_equal(values, np.sort(1 - proba.max(axis=1))[::-1][:3])
    assert len(set(picked.tolist())) == 3


@pytest.mark.parametrize("kind", ["lil", "csc", "csr", "coo"])
def test_stacking_sparse(kind):
    a, b = (sparse.random(4, 5, density=0.5, format=kind, random_state=seed) for seed in (0, 1))
    stacked = data.data_vstack((a, b))
    np.testing.assert_array_equal(stacked.toarray(), np.vstack([a.toarray(), b.toarray()]))
    beside = data.data_hstack((a, b))
    np.testing.assert_array_equal(beside.toarray(), np.hstack([a.toarray(), b.toarray()]))
    np.testing.assert_array_equal(data.drop_rows(a, [1, 3]).toarray(), a.toarray()[[0, 2]])
    np.testing.assert_array_equal(data.retrieve_rows(a, 2).toarray(), a.toarray()[[2]])
    mask = np.array([True, False, False, True])
    np.testing.assert_array_equal(data.retrieve_rows(a, mask).toarray(), a.toarray()[[0, 3]])
    added = data.add_row(a, data.retrieve_rows(b, 0))
    np.testing.assert_array_equal(added.toarray()[-1], b.toarray()[0])
    rows = [row.toarray().ravel() for _, row in data.enumerate_data(a)]
    np.testing.assert_array_equal(rows, a.toarray())
    assert data.data_shape(a) == (4, 5)


def test_stacking_of_other_kinds():
    pd = pytest.importorskip("pandas")
    torch = pytest.importorskip("torch")
    a, b = RNG.rand(3, 2), RNG.rand(2, 2)
    kinds = (np.asarray, np.ndarray.tolist, pd.DataFrame, torch.from_numpy)
    for kind in kinds:
        for stacked in (data.data_vstack((kind(a), kind(b))),):
            assert type(stacked) is type(kind(a))
            np.testing.assert_array_equal(np.asarray(stacked), np.concatenate([a, b]))
        np.testing.assert_array_equal(np.asarray(data.drop_rows(kind(a), 1)), a[[0, 2]])
        np.testing.assert_array_equal(np.asarray(data.retrieve_rows(kind(a), 1)), a[1])
        added = data.add_row(kind(a), data.retrieve_rows(kind(b), 0))
        assert type(added) is type(kind(a))
        np.testing.assert_array_equal(np.asarray(added), np.vstack([a, b[:1]]))
        beside = data.data_hstack((kind(a), kind(a)))
        np.testing.assert_array_equal(np.asarray(beside), np.hstack([a, a]))
        assert data.data_shape(kind(a)) == (3, 2)
    for function in (data.data_vstack, data.data_hstack):
        with pytest.raises(TypeError, match="int are not supported"):
            function((1, 1))
    named = {"ids": torch.arange(3), "mask": torch.ones(3, 2)}
    taken = data.retrieve_rows(named, [2, 0])
    assert taken["ids"].tolist() == [2, 0] and taken["mask"].shape == (2, 2)


def test_selectors():
    for n_rows, n_instances in [(1, 1), (2, 2), (7, 3), (50, 49)]:
        values = RNG.permutation(n_rows) + 0.5
        order = np.argsort(values)
        for largest, expected in [
            (selection.multi_argmax(values, n_instances), order[::-1][:n_instances]),
            (selection.shuffled_argmax(values, n_instances), order[n_rows - n_instances :]),
            (selection.multi_argmin(values, n_instances), order[:n_instances]),
            (selection.shuffled_argmin(values, n_instances), order[:n_instances][::-1]),
        ]:
            np.testing.assert_equal(largest, (expected, values[expected]))
        picked = selection.weighted_random(np.ones(n_rows), n_instances)
        assert len(set(picked.tolist())) == n_instances
    assert selection.multi_argmax(np.zeros((3, 1)))[0].tolist() == [0]
    for wrong in (selection.multi_argmax, selection.shuffled_argmax, selection.weighted_random):
        with pytest.raises(AssertionError, match="n_instances=3 rows were asked for"):
            wrong(np.ones(2), 3)


def test_weighted_random_follows_the_weights():
    rng = np.random.RandomState(0)
    weights = np.array([0.0, 1, 2, 7])
    draws = [selection.weighted_random(weights, random_state=rng)[0] for _ in range(4000)]
    share = np.bincount(draws, minlength=4) / 4000
    # standard deviation .007
    np.testing.assert_allclose(share, weights / 10, atol=0.03)
    first = selection.weighted_random(np.ones(9), 4, random_state=3)
    np.testing.assert_array_equal(first, selection.weighted_random(np.ones(9), 4, random_state=3))
    with pytest.raises(AssertionError, match="1 of the weights are larger than zero"):
        selection.weighted_random([0, 1], 2)
    with pytest.raises(ValueError, match="weights must be finite and not negative"):
        selection.weighted_random([-1, 1])


# -- uncertainty ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_rows", "n_classes"), [(1, 1), (1, 4), (30, 2), (30, 70)])
def test_uncertainty_of_equal_probabilities(n_rows, n_classes):
    for p in (0.0, 0.3, 1.0):
        proba = np.full((n_rows, n_classes), p)
        for measure, unfitted, expected in [
            (uncertainty.classifier_uncertainty, 1, 1 - p),
            (uncertainty.classifier_margin, 0, 0),
        ]:
            # what the rows are does not matter
            answer = measure(Fixed(proba), np.zeros(10))
            np.testing.assert_allclose(answer, np.full(n_rows, expected))
            answer = measure(Fixed(fitted=False), proba)
            np.testing.assert_array_equal(answer, np.full(n_rows, unfitted))


def test_measures_are_those_of_modal():
    theirs = pytest.importorskip("modAL.uncertainty")
    proba = RNG.dirichlet(np.full(5, 0.3), size=200)
    for name in ("classifier_uncertainty", "classifier_margin", "classifier_entropy"):
        expected = getattr(theirs, name)(Fixed(proba), proba)
        np.testing.assert_allclose(getattr(uncertainty, name)(Fixed(proba), proba), expected)
    for name in ("_proba_uncertainty", "_proba_margin", "_proba_entropy"):
        np.testing.assert_allclose(getattr(uncertainty, name)(proba), getattr(theirs, name)(proba))


def test_entropy_of_the_sure_is_exactly_zero():
    proba = np.eye(6)[RNG.randint(6, size=40)]
    np.testing.assert_array_equal(uncertainty.classifier_entropy(Fixed(proba), proba), 0)
    np.testing.assert_array_equal(
        uncertainty.classifier_entropy(Fixed(fitted=False), proba), np.zeros(40)
    )


@pytest.mark.parametrize("random_tie_break", [False, True])
@pytest.mark.parametrize("n_rows", [1, 2, 9])
def test_strategies_find_the_row_that_stands_out(n_rows, random_tie_break):
    for row, n_classes in product(range(n_rows), (2, 5)):
        sure = np.zeros((n_rows, n_classes))
        sure[:, 0] = 1
        for strategy, odd in [
            (uncertainty.uncertainty_sampling, np.zeros(n_classes)),
            (uncertainty.margin_sampling, np.zeros(n_classes)),
            (uncertainty.entropy_sampling, np.full(n_classes, 1 / n_classes)),
        ]:
            proba = sure.copy()
            proba[row] = odd
            indices, metrics = strategy(
                Fixed(proba), np.zeros((n_rows, 3)), random_tie_break=random_tie_break
            )
            assert indices.tolist() == [row] and metrics.shape == (1,)


def test_ties_in_strategies_by_order_or_by_the_learners_seed():
    learner = ActiveLearner(Fixed(np.full((40, 2), 0.5)), random_state=3)
    pool = np.zeros((40, 1))
    for strategy in (uncertainty.uncertainty_sampling, uncertainty.margin_sampling):
        assert strategy(learner, pool, 2)[0].tolist() == [0, 1]
    twice = [
        np.concatenate(
            [
                uncertainty.entropy_sampling(other, pool, 2, random_tie_break=True)[0]
                for _ in range(5)
            ]
        )
        for other in (learner, ActiveLearner(Fixed(np.full((40, 2), 0.5)), random_state=3))
    ]
    np.testing.assert_array_equal(*twice)
    assert len(set(twice[0].tolist())) > 5


def test_a_large_pool_is_predicted_in_blocks():
    sizes = []

    class Counted(GaussianNB):
        def predict_proba(self, X):
            sizes.append(len(X))
            return super().predict_proba(X)

    pool = np.random.RandomState(0).normal(size=(40_000, 4))
    model = Counted().fit(X, Y)
    utilities = uncertainty.classifier_entropy(model, pool)
    assert max(sizes) <= 16384 and sum(sizes) == 40_000
    whole = entropy(GaussianNB().fit(X, Y).predict_proba(pool), axis=1)
    np.testing.assert_allclose(utilities, whole, atol=1e-12)


# -- disagreement ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [1, 2, 6])
def test_vote_entropy(n_classes):
    votes = np.zeros((8, n_classes), dtype=np.int16)
    votes[3] = np.arange(n_classes)
    committee = FixedCommittee(1, np.arange(n_classes), votes)
    expected = np.where(np.arange(8) == 3, np.log(n_classes), 0)
    np.testing.assert_allclose(disagreement.vote_entropy(committee, X[:8]), expected, atol=1e-12)
    unfitted = FixedCommittee(fitted=False)
    np.testing.assert_array_equal(disagreement.vote_entropy(unfitted, X[:8]), np.zeros(8))


def test_disagreement_is_that_of_modal():
    theirs = pytest.importorskip("modAL.disagreement")
    vote_proba = RNG.dirichlet(np.full(4, 0.4), size=(60, 5))
    committee = FixedCommittee(
        5,
        np.array(list("abcd")),
        np.array(list("abcd"))[vote_proba.argmax(axis=2)],
        vote_proba,
        vote_proba.mean(axis=1),
    )
    committee.__class__.__iter__ = lambda self: iter(range(len(self)))
    for name in ("vote_entropy", "consensus_entropy", "KL_max_disagreement"):
        expected = getattr(theirs, name)(committee, X[:60])
        np.testing.assert_allclose(
            getattr(disagreement, name)(committee, X[:60]), expected, atol=1e-12
        )


def test_disagreement_of_nothing():
    nothing = FixedCommittee(3, range(2), vote_proba=np.zeros((7, 3, 2)), proba=np.zeros((7, 2)))
    assert disagreement.KL_max_disagreement(nothing, X[:7]).tolist() == [0] * 7
    assert disagreement.max_disagreement_sampling(nothing, X[:7])[0].tolist() == [0]
    unfitted = FixedCommittee(fitted=False)
    for name in ("consensus_entropy", "KL_max_disagreement"):
        np.testing.assert_array_equal(getattr(disagreement, name)(unfitted, X[:7]), np.zeros(7))
    one = np.zeros((7, 3, 2))
    one[:, :, 0] = 1
    sure = FixedCommittee(3, range(2), vote_proba=one, proba=one[:, 0])
    np.testing.assert_array_equal(disagreement.KL_max_disagreement(sure, X[:7]), np.zeros(7))


@pytest.mark.parametrize("random_tie_break", [False, True])
def test_strategies_of_disagreement(random_tie_break):
    votes = np.zeros((9, 3), dtype=int)
    votes[4] = [0, 1, 2]
    proba = np.eye(3)[votes]
    committee = FixedCommittee(3, np.arange(3), votes, proba, proba.mean(axis=1))
    for strategy in (
        disagreement.vote_entropy_sampling,
        disagreement.consensus_entropy_sampling,
        disagreement.max_disagreement_sampling,
    ):
        indices, metrics = strategy(committee, X[:9], random_tie_break=random_tie_break)
        assert indices.tolist() == [4]
        assert metrics[0] == pytest.approx(np.log(3))
    regressor = GaussianProcessRegressor(optimizer=None).fit(X[:5], Y[:5] + 1.0)
    indices, metrics = disagreement.max_std_sampling(
        regressor, X, 2, random_tie_break=random_tie_break
    )
    std = regressor.predict(X, return_std=True)[1]
    np.testing.assert_array_equal(metrics, np.sort(std)[::-1][:2])


# -- Bayesian optimisation ------------------------------------------------------------------------


def test_gaussian_formulas():
    mean, std, best, tradeoff = RNG.rand(50), RNG.rand(50) + 0.1, 0.4, 0.1
    z = (mean - best - tradeoff) / std
    np.testing.assert_allclose(acquisition.PI(mean, std, best, tradeoff), ndtr(z))
    np.testing.assert_allclose(
        acquisition.EI(mean, std, best, tradeoff), std * (z * ndtr(z) + norm.pdf(z))
    )
    np.testing.assert_allclose(acquisition.UCB(mean, std, 3), mean + 3 * std)
    # a minimum of f is a maximum of -f
    for function in (acquisition.PI, acquisition.EI):
        np.testing.assert_allclose(
            function(mean, std, best, tradeoff, maximize=False),
            function(-mean, std, -best, tradeoff),
        )
    np.testing.assert_allclose(
        acquisition.UCB(mean, std, 3, maximize=False), acquisition.UCB(-mean, std, 3)
    )
    # certain values
    assert acquisition.PI([1.0, 2.0], [0.0, 0.0], 1.5, 0).tolist() == [0, 1]
    assert acquisition.EI([1.0, 2.0], [0.0, 0.0], 1.5, 0).tolist() == [0, 0.5]


def optimizer_with(**kwargs):
    optimizer = BayesianOptimizer(Fixed(**kwargs))
    optimizer._set_max([0], [0.7])
    return optimizer


def test_utilities_of_an_optimizer():
    mean, std = RNG.rand(20), RNG.rand(20)
    fitted, unfitted = optimizer_with(predicted=(mean, std)), optimizer_with(fitted=False)
    zeros, ones = np.zeros((20, 1)), np.ones((20, 1))
    for utility, formula, best in [
        (acquisition.optimizer_PI, acquisition.PI, (0.7,)),
        (acquisition.optimizer_EI, acquisition.EI, (0.7,)),
        (acquisition.optimizer_UCB, acquisition.UCB, ()),
    ]:
        np.testing.assert_allclose(utility(fitted, X[:20], 0.2), formula(mean, std, *best, 0.2))
        # before the first fit a column, as in modAL
        np.testing.assert_allclose(utility(unfitted, X[:20], 0.2), formula(zeros, ones, *best, 0.2))
    for strategy in (acquisition.max_PI, acquisition.max_EI, acquisition.max_UCB):
        for optimizer in (fitted, unfitted):
            indices, metrics = strategy(optimizer, X[:20], 0.2, n_instances=4)
            assert len(set(indices.tolist())) == 4 and metrics.shape == (4,)


def test_the_best_so_far():
    optimizer = BayesianOptimizer(Fixed())
    assert optimizer.get_max() == (None, -np.inf) and optimizer.get_min() == (None, np.inf)
    rows, values = RNG.rand(9, 3), RNG.rand(9)
    optimizer = BayesianOptimizer(Fixed(), X_training=rows, y_training=values)
    np.testing.assert_equal(optimizer.get_max(), (rows[values.argmax()], values.max()))
    np.testing.assert_equal(optimizer.get_min(), (rows[values.argmin()], values.min()))
    np.testing.assert_equal(optimizer.get_best(), optimizer.get_max())
    optimizer._set_max(0.5, values - 1)  # no new record: the rows are not looked at
    assert optimizer.y_max == values.max()
    optimizer._set_max(rows + 1, values + 1)
    np.testing.assert_array_equal(optimizer.X_max, rows[values.argmax()] + 1)
    assert optimizer.y_max == values.max() + 1
    # fit forgets, also the record
    optimizer.fit(rows[:2], values[:2])
    assert optimizer.y_max == values[:2].max()
    # one column, and an evaluation that failed
    optimizer.teach(rows[:2], [np.nan, 7.0])
    assert optimizer.y_max == 7
    column = BayesianOptimizer(Fixed(), X_training=rows, y_training=values.reshape(-1, 1))
    assert column.y_max == values.max()


@pytest.mark.parametrize(("bootstrap", "only_new"), list(product([True, False], repeat=2)))
def test_optimizer_is_taught(bootstrap, only_new):
    rows, values = RNG.rand(6, 2), RNG.rand(6)
    optimizer = BayesianOptimizer(Fixed())
    optimizer.teach(rows, values, bootstrap=bootstrap, only_new=only_new)
    optimizer.teach(rows[:1], [3.0], bootstrap=bootstrap, only_new=only_new)
    assert optimizer.y_max == 3 and len(optimizer.y_training) == 7


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize(
    "asks",
    [
        {},
        {"query_strategy": partial(acquisition.max_PI, tradeoff=0.05)},
        {"query_strategy": acquisition.max_UCB},
        {"acquisition": "expected_improvement"},
        {"acquisition": "confidence_bound"},
        {"acquisition": "thompson"},
    ],
)
def test_optimizer_finds_the_extremum(asks, maximize):
    grid = np.linspace(0, 20, 400).reshape(-1, 1)
    values = np.sin(grid[:, 0]) / 2 - (10 - grid[:, 0]) ** 2 / 50 + 2
    values = values if maximize else -values
    start = [20, 150, 380]
    optimizer = BayesianOptimizer(
        GaussianProcessRegressor(alpha=1e-6, normalize_y=True, optimizer=None),
        X_training=grid[start],
        y_training=values[start],
        maximize=maximize,
        random_state=0,
        **asks,
    )
    for _ in range(30):
        indices, rows = optimizer.query(grid, n_instances=1)
        optimizer.teach(rows, values[indices])
    row, value = optimizer.get_best()
    best = values.max() if maximize else values.min()
    assert abs(value - best) < 0.02
    assert optimizer.estimator.predict(row.reshape(1, -1))[0] == pytest.approx(value, abs=0.05)


# -- density, batches, expected error, several labels ---------------------------------------------


def test_density_is_that_of_modal():
    theirs = pytest.importorskip("modAL.density")
    for metric in ("euclidean", "cosine"):
        np.testing.assert_allclose(
            density.information_density(X, metric), theirs.information_density(X, metric)
        )
    assert density.cosine_similarity([1, 0], [0, 1]) == 0.5
    assert density.euclidean_similarity([0, 0], [3, 4]) == pytest.approx(1 / 6)
    np.testing.assert_allclose(
        density.information_density(sparse.csr_matrix(X)), density.information_density(X)
    )


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_ranked_batch_is_that_of_modal(metric, n_jobs):
    theirs = pytest.importorskip("modAL.batch")
    labelled = np.r_[0:150:20]
    pool = np.setdiff1d(np.arange(150), labelled)
    model = LogisticRegression(max_iter=1000)
    learner = ActiveLearner(model, X_training=X[labelled], y_training=Y[labelled])
    kwargs = {"n_instances": 25, "metric": metric, "n_jobs": n_jobs}
    indices, metrics = batch.uncertainty_batch_sampling(learner, X[pool], **kwargs)
    expected = theirs.uncertainty_batch_sampling(learner, X[pool], **kwargs)
    expected = expected[0] if isinstance(expected, tuple) else expected
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(metrics, 1 - model.predict_proba(X[pool]).max(axis=1)[indices])
    # a step alone
    mask, their_mask = np.ones(len(pool), bool), np.ones(len(pool), bool)
    scores = 1 - model.predict_proba(X[pool]).max(axis=1)
    ours = batch.select_instance(X[labelled], X[pool], scores, mask, metric, n_jobs)
    step = theirs.select_instance(X[labelled], X[pool], scores, their_mask, metric, n_jobs)
    assert ours[0] == step[0] == indices[0]
    np.testing.assert_array_equal(ours[1], step[1])
    np.testing.assert_array_equal(mask, their_mask)


def test_ranked_batch_from_nothing():
    theirs = pytest.importorskip("modAL.batch")
    index, row = batch.select_cold_start_instance(X, "euclidean", None)
    expected, expected_row = theirs.select_cold_start_instance(X, "euclidean", None)
    assert index == expected
    np.testing.assert_array_equal(row, expected_row)
    learner = ActiveLearner(Fixed(fitted=False), batch.uncertainty_batch_sampling)
    indices, _ = learner.query(X[:30])
    # twenty by default, and modAL's first row twice is once here
    assert len(set(indices.tolist())) == 20
    assert indices[0] == batch.select_cold_start_instance(X[:30])[0]
    assert len(learner.query(X[:6])[0]) == 6
    with pytest.raises(ValueError, match="n_instances=7 rows were asked for, but the pool has 6"):
        learner.query(X[:6], n_instances=7)


def kinds_of_data():
    pd = pytest.importorskip("pandas")
    return (sparse.csr_matrix, pd.DataFrame, np.array, list)


@pytest.mark.parametrize("loss", ["binary", "log"])
def test_expected_error_of_every_kind_of_data(loss):
    start, pool = np.r_[0:150:15], np.r_[3:150:24]
    found = []
    for kind in kinds_of_data():
        learner = ActiveLearner(
            GaussianNB() if kind is not sparse.csr_matrix else LogisticRegression(max_iter=500),
            X_training=kind(X[start].tolist()),
            y_training=Y[start],
        )
        rows = kind(X[pool].tolist())
        indices, metrics = expected_error_reduction(learner, rows, loss=loss, n_instances=2)
        if kind is not sparse.csr_matrix:
            found.append((indices.tolist(), metrics.tolist()))
        assert expected_error_reduction(learner, rows, loss, 0.1)[0].shape == (1,)
        assert expected_error_reduction(learner, rows, random_tie_break=True)[0].shape == (1,)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "strategy",
    [
        uncertainty.margin_sampling,
        uncertainty.entropy_sampling,
        batch.uncertainty_batch_sampling,
        expected_error_reduction,
    ],
)
def test_images_and_a_classifier_that_does_not_name_its_classes(strategy):
    class Flat:
        def fit(self, X, y):
            pass

        def predict_proba(self, X):
            return np.full((len(X), 2), 0.5)

    images = RNG.rand(10, 5, 5)
    learner = ActiveLearner(Flat(), strategy, images, np.arange(10) % 2)
    indices, rows = learner.query(images)
    assert rows.shape == (len(indices), 5, 5)
    learner.teach(images, np.arange(10) % 2)
    assert learner.X_training.shape == (20, 5, 5)


def test_expected_error_by_brute_force():
    start, pool = np.r_[0:150:15], np.r_[3:150:24]
    learner = ActiveLearner(GaussianNB(), X_training=X[start], y_training=Y[start])
    proba = learner.predict_proba(X[pool])
    errors = np.zeros(len(pool))
    for i, row in enumerate(pool):
        others = np.delete(X[pool], i, axis=0)
        for label in range(3):
            refitted = GaussianNB().fit(np.vstack([X[start], X[row]]), np.r_[Y[start], label])
            errors[i] += proba[i, label] * (1 - refitted.predict_proba(others).max(axis=1)).sum()
    indices, metrics = expected_error_reduction(learner, X[pool], n_instances=len(pool))
    np.testing.assert_allclose(metrics, np.sort(errors), rtol=1e-9)
    np.testing.assert_array_equal(indices, np.argsort(errors))


@pytest.mark.parametrize("wrong", [{"p_subsample": 1.5}, {"loss": 42}, {"loss": "hinge"}])
def test_expected_error_checks(wrong):
    learner = ActiveLearner(GaussianNB(), X_training=X, y_training=Y)
    with pytest.raises(AssertionError, match=next(iter(wrong))):
        expected_error_reduction(learner, X[:5], **wrong)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        expected_error_reduction(learner, X[:5], **wrong)


def several_labels(estimator, n_rows=40, n_labels=4):
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(n_rows, 5))
    labels = (rows @ rng.normal(size=(5, n_labels)) > 0).astype(int)
    return OneVsRestClassifier(estimator).fit(rows, labels), rows


def test_strategies_for_several_labels_are_those_of_modal():
    theirs = pytest.importorskip("modAL.multilabel")
    classifier, rows = several_labels(LogisticRegression())
    for name in NAMES["multilabel"].split()[1:]:
        order, metrics = getattr(multilabel, name)(classifier, rows, 40)
        value = np.empty(40)
        value[order] = metrics
        expected = getattr(theirs, name)(classifier, rows, 3)
        expected = expected[0] if isinstance(expected, tuple) else expected
        # by value: modAL does not say which of equal rows comes first
        np.testing.assert_allclose(np.sort(value[expected]), np.sort(metrics[:3]), atol=1e-12)
    for likeliest in (None, np.zeros(40, dtype=int)):
        np.testing.assert_allclose(
            multilabel._SVM_loss(classifier, rows, most_certain_classes=likeliest),
            theirs._SVM_loss(classifier, rows, most_certain_classes=likeliest),
        )


@pytest.mark.parametrize("random_tie_break", [False, True])
def test_svm_minimum_takes_the_nearest_row_in_either_way(random_tie_break):
    classifier, rows = several_labels(LinearSVC())
    learner = ActiveLearner(classifier)
    indices, metrics = multilabel.SVM_binary_minimum(
        learner, rows, random_tie_break=random_tie_break
    )
    distances = np.abs(classifier.decision_function(rows)).min(axis=1)
    assert indices.tolist() == [distances.argmin()]
    assert metrics[0] == pytest.approx(distances.min())
    learner = ActiveLearner(classifier, multilabel.SVM_binary_minimum)
    assert set(learner.query(rows, n_instances=3)[0]) == set(np.argsort(distances)[:3])


def test_min_confidence_by_hand():
    proba = np.array([[0.9, 0.8], [0.1, 0.9], [0.6, 0.5]])
    fixed = Fixed(proba, predicted=(proba > 0.5).astype(int))
    assert multilabel.min_confidence(fixed, X[:3])[0].tolist() == [1]
    assert multilabel.avg_confidence(fixed, X[:3])[0].tolist() == [0]
    assert multilabel.max_score(fixed, X[:3])[1].tolist() == [0.45]
    indices, metrics = multilabel.avg_score(fixed, X[:3])
    assert indices.tolist() == [0] and metrics[0] == pytest.approx(0.425)


# -- the learner ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 2)])
@pytest.mark.parametrize("columns", [None, 4])
def test_training_data_of_any_shape(shape, columns):
    rows, new = RNG.rand(*shape), RNG.rand(*shape)
    labels = RNG.randint(2, size=5 if columns is None else (5, columns))
    learner = ActiveLearner(Fixed(), X_training=rows, y_training=labels)
    learner._add_training_data(new, labels)
    np.testing.assert_array_equal(learner.X_training, np.concatenate([rows, new]))
    np.testing.assert_array_equal(learner.y_training, np.concatenate([labels, labels]))
    with pytest.raises(ValueError, match="they must be as many"):
        learner._add_training_data(new, np.zeros(10))
    with pytest.raises(ValueError, match="new X does not fit X_training"):
        learner._add_training_data(RNG.rand(5, 9), labels)


def test_answers_of_the_estimator_are_passed_on():
    predicted, proba = RNG.randint(2, size=7), RNG.rand(7)
    learner = ActiveLearner(Fixed(proba, predicted, score=0.3), lambda *args: None)
    assert learner.predict(X) is predicted and learner.predict_proba(X) is proba
    assert learner.score(X[:5], Y[:5]) == 0.3


def test_what_only_quacks_need_not_give_probabilities():
    proba = RNG.rand(9, 3)  # rows that do not sum to 1
    learner = ActiveLearner(Fixed(proba), random_state=0)
    indices, _, metrics = learner.query(X[:9], n_instances=3, return_metrics=True)
    np.testing.assert_allclose(metrics, np.sort(1 - proba.max(axis=1))[::-1][:3])
    for ones in (np.ones((9, 3)), np.zeros((9, 1))):
        picked, _ = ActiveLearner(Fixed(ones), random_state=0).query(X[:9], n_instances=9)
        assert sorted(picked.tolist()) == list(range(9))
    # asked for by its name, it is checked
    with pytest.raises(ValueError, match="draws must sum to 1"):
        ActiveLearner(Fixed(proba), acquisition="least_confidence").query(X[:9])
    assert len(indices) == 3


def test_one_answer_of_a_strategy():
    learner = ActiveLearner(estimator=None, query_strategy=lambda *args: (3, 0.7))
    np.testing.assert_equal(learner.query(X), (3, X[3]))
    np.testing.assert_equal(learner.query(X, return_metrics=True), (3, X[3], 0.7))


def test_the_old_interface_returned_rows_too():
    chosen = np.array([4, 4])  # even twice the same

    def strategy(classifier, X):
        return chosen, X[chosen]

    learner = ActiveLearner(GaussianNB(), strategy, X[::15], Y[::15])
    indices, rows = learner.query(X)
    np.testing.assert_array_equal(indices, chosen)
    np.testing.assert_array_equal(rows, X[chosen])
    learner.teach(X=X[indices], y=Y[indices])
    assert len(learner.y_training) == 12


@pytest.mark.parametrize(("bootstrap", "only_new"), list(product([True, False], repeat=2)))
def test_teaching_what_only_quacks(bootstrap, only_new):
    learner = ActiveLearner(Fixed(), X_training=X[:10], y_training=Y[:10])
    learner.teach(X[10:14], Y[10:14], bootstrap=bootstrap, only_new=only_new)
    np.testing.assert_array_equal(learner.X_training, X[:14])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity(value):
    rows = np.full((10, 2), value)
    for kwargs in ({}, {"force_all_finite": False}):
        learner = ActiveLearner(Fixed(), X_training=rows, y_training=Y[:10], **kwargs)
        learner.teach(rows, Y[:10])
        assert len(learner.X_training) == 20
    with pytest.raises(ValueError, match="Input X contains"):
        ActiveLearner(Fixed(), X_training=rows, y_training=Y[:10], force_all_finite=True)
    with pytest.raises(ValueError, match="force_all_finite='no' must be True or False"):
        ActiveLearner(Fixed(), force_all_finite="no")


@pytest.mark.parametrize("kind", ["lil", "csc", "csr"])
@pytest.mark.parametrize("strategy", ["uncertainty", "entropy", "margin"])
def test_loops_on_sparse_pools(kind, strategy):
    pool = sparse.random(15, 4, density=0.5, format=kind, random_state=0)
    labels = np.arange(15) % 2
    learner = ActiveLearner(
        RandomForestClassifier(n_estimators=5, random_state=0),
        getattr(uncertainty, f"{strategy}_sampling"),
        pool[:5],
        labels[:5],
    )
    indices, rows = learner.query(pool)
    learner.teach(pool[indices], labels[indices])
    assert learner.X_training.shape == (6, 4)
    np.testing.assert_array_equal(learner.X_training.toarray()[-1:], rows.toarray())


def test_on_transformed_frames_and_text():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X)
    for make in (
        lambda model: ActiveLearner(
            model, batch.uncertainty_batch_sampling, frame.iloc[::30], Y[::30], on_transformed=True
        ),
        lambda model: Committee(
            [ActiveLearner(clone(model), None, frame.iloc[i::50], Y[i::50]) for i in range(3)],
            batch.uncertainty_batch_sampling,
            on_transformed=True,
        ),
    ):
        model = make_pipeline(
            FunctionTransformer(pd.DataFrame.to_numpy), RandomForestClassifier(5, random_state=0)
        )
        learner = make(model)
        indices, _ = learner.query(frame)
        assert len(set(indices.tolist())) == 20
        learner.teach(frame.iloc[indices], Y[indices])
    words = ["Airplane", "House"]
    learner = ActiveLearner(
        make_pipeline(CountVectorizer(), RandomForestClassifier(5, random_state=0)),
        batch.uncertainty_batch_sampling,
        ["Dog", "Cat", "Tree"],
        [0, 1, 1],
        on_transformed=True,
    )
    for _ in words:  # what is seen changes with every word taught
        indices, _ = learner.query(words, n_instances=1)
        learner.teach(X=[words[indices[0]]], y=[0])
    assert len(learner.X_training) == 5


def test_transform_of_an_ensemble_of_pipelines():
    pipes = [(c, make_pipeline(StandardScaler(), GaussianNB())) for c in "ab"]
    learner = ActiveLearner(VotingClassifier(pipes), X_training=X, y_training=Y)
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(learner.transform_without_estimating(X), np.hstack([scaled, scaled]))
    plain = ActiveLearner(GaussianNB(), X_training=X, y_training=Y)
    assert plain.transform_without_estimating(X) is X


# -- committees -----------------------------------------------------------------------------------


def test_classes_of_a_committee():
    unfitted = Committee([ActiveLearner(Fixed(fitted=False)) for _ in range(3)])
    assert unfitted.classes_ is None and unfitted.n_classes_ == 0
    np.testing.assert_array_equal(disagreement.vote_entropy(unfitted, X), np.zeros(150))
    members = [ActiveLearner(Fixed(classes=np.array([label]))) for label in (2, 0, 1)]
    assert Committee(members).classes_.tolist() == [0, 1, 2]
    assert Committee(members).n_classes_ == 3


@pytest.mark.parametrize("n_members", [1, 4])
def test_votes_of_a_committee(n_members):
    votes = RNG.randint(10, size=(6, n_members))
    proba = RNG.rand(6, n_members, 3)
    members = [
        FixedMember(Fixed(classes=[0, 1, 2]), proba[:, m], votes[:, m]) for m in range(n_members)
    ]
    committee = Committee(members)
    assert len(committee) == n_members and list(committee) == members
    np.testing.assert_array_equal(committee.vote(X[:6]), votes)
    np.testing.assert_array_equal(committee.vote_proba(X[:6]), proba)
    np.testing.assert_allclose(committee.predict_proba(X[:6]), proba.mean(axis=1))
    np.testing.assert_array_equal(committee.consensus(X[:6]), committee.predict_proba(X[:6]))
    np.testing.assert_array_equal(committee.predict(X[:6]), proba.mean(axis=1).argmax(axis=1))
    values = RNG.rand(6, n_members)
    regressor = CommitteeRegressor([FixedMember(predicted=values[:, m]) for m in range(n_members)])
    np.testing.assert_array_equal(regressor.vote(X[:6]), values)
    mean, std = regressor.predict(X[:6], return_std=True)
    np.testing.assert_allclose(mean, values.mean(axis=1))
    np.testing.assert_allclose(std, values.std(axis=1))
    np.testing.assert_array_equal(regressor.predict(X[:6]), mean)


def test_members_that_know_different_classes():
    names = np.array(["a", "b", "c"])[Y]
    members = [
        ActiveLearner(GaussianNB(), None, X[names != label], names[names != label])
        for label in "abc"
    ]
    committee = Committee(members)
    assert committee.classes_.tolist() == ["a", "b", "c"]
    proba = committee.vote_proba(X)
    for m in range(3):
        np.testing.assert_array_equal(proba[:, m, m], 0)
    np.testing.assert_allclose(proba.sum(axis=2), 1)
    assert committee.vote(X).shape == (150, 3) and committee.vote(X).dtype.kind == "U"
    assert committee.score(X, names) > 0.9
    weights = (names == "a").astype(float)
    expected = (committee.predict(X)[names == "a"] == "a").mean()
    assert committee.score(X, names, sample_weight=weights) == pytest.approx(expected)
    np.testing.assert_allclose(active.bald(committee.sample_proba(X)).shape, 150)
    indices, rows = committee.query(X, n_instances=3)
    expected = disagreement.vote_entropy(committee, X)
    np.testing.assert_allclose(expected[indices], np.sort(expected)[::-1][:3])
    # a class that none of them knows yet
    committee.teach(rows, ["d", "d", "d"])
    assert committee.classes_.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("bootstrap", "only_new"), list(product([True, False], repeat=2)))
def test_committee_is_taught(bootstrap, only_new):
    members = [
        ActiveLearner(Fixed(classes=[0, 1]), X_training=X[:10], y_training=Y[:10]) for _ in range(2)
    ]
    committee = Committee(members)
    committee.teach(X[10:13], Y[10:13], bootstrap=bootstrap, only_new=only_new)
    for member in members:
        np.testing.assert_array_equal(member.X_training, X[:13])
    np.testing.assert_array_equal(committee.X_training, X[:13])  # taught the same, counted once
    np.testing.assert_array_equal(committee.y_training, Y[:13])


class Bags(GaussianNB):
    """Remembers what it was fitted on."""

    def fit(self, X, y):
        self.rows_ = np.asarray(X)
        return super().fit(X, y)


def test_bagging_draws_another_bag_for_every_member_and_is_reproducible():
    def bags(seed):
        members = [ActiveLearner(Bags(), None, X, Y, random_state=0) for _ in range(3)]
        committee = Committee(members, random_state=seed).rebag()
        first = [m.estimator.rows_ for m in members]
        committee.fit(X[::2], Y[::2], bootstrap=True)
        return first + [m.estimator.rows_ for m in members]

    once, again, other = bags(1), bags(1), bags(2)
    for a, b in zip(once, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(once[0], once[1]) and not np.array_equal(once[0], other[0])
    assert len(np.unique(once[3], axis=0)) < 75 and once[3].shape == (75, 4)


def test_committee_that_fails_has_learned_nothing():
    members = [ActiveLearner(GaussianNB(), None, X[::25], Y[::25]) for _ in range(2)]
    committee = Committee(members)
    with pytest.raises(ValueError, match="NaN"):
        committee.teach(np.full((1, 4), np.nan), [0])
    with pytest.raises(ValueError, match="does not fit"):
        committee.teach(X[:1, :2], [0])
    assert [len(m.y_training) for m in members] == [6, 6]


def test_committees_are_estimators():
    members = [ActiveLearner(GaussianNB(), None, X[i::25], Y[i::25]) for i in range(2)]
    for committee in (
        Committee(members, acquisition="bald", random_state=3),
        CommitteeRegressor(members, batch="top_k", acquisition="variance", random_state=3),
    ):
        cloned = clone(committee)
        assert cloned.random_state == 3 and cloned.acquisition == committee.acquisition
        assert cloned.X_training is None and len(cloned.learner_list) == 2
        assert "learner_list" in repr(committee)
        assert set(committee.get_params(deep=False)) == set(cloned.get_params(deep=False))
        indices, _ = committee.query(X, n_instances=4)
        assert len(set(indices.tolist())) == 4
    for wrong in ([], None, tuple(members)):
        with pytest.raises(AssertionError, match="learner_list=.* must be a list of learners"):
            Committee(wrong)


def test_regression_asks_where_the_members_differ():
    rows = np.arange(20.0).reshape(-1, 1)
    members = [
        ActiveLearner(GaussianProcessRegressor(optimizer=None), None, rows[i::7], rows[i::7, 0])
        for i in range(3)
    ]
    for asks in ({}, {"acquisition": "variance"}):
        committee = CommitteeRegressor(members, **asks)
        std = committee.predict(rows, return_std=True)[1]
        assert committee.query(rows, n_instances=1)[0].tolist() == [std.argmax()]
    mean = committee.predict(rows)
    expected = 1 - ((rows[:, 0] - mean) ** 2).sum() / ((rows[:, 0] - 9.5) ** 2).sum()
    assert committee.score(rows, rows[:, 0]) == pytest.approx(expected)
    index, _ = CommitteeRegressor(members, lambda r, X: np.argmax(r.predict(X))).query(rows)
    assert index == mean.argmax()


# -- a class of support vector machines as in modAL's examples -------------------------------------


def test_stream_based_sampling():
    learner = ActiveLearner(SVC(kernel="linear"), None, X[[0, 60, 120]], Y[[0, 60, 120]])
    learner.estimator = GaussianNB().fit(X[::10], Y[::10])
    asked = 0
    for row, label in zip(X[::7], Y[::7], strict=True):
        if uncertainty.classifier_uncertainty(learner, row.reshape(1, -1))[0] >= 0.1:
            learner.teach(row.reshape(1, -1), label.reshape(-1))
            asked += 1
    assert 0 < asked < 22 and len(learner.y_training) == 3 + asked


# -- every strategy -------------------------------------------------------------------------------

STRATEGIES = {
    **{name: getattr(uncertainty, name) for name in NAMES["uncertainty"].split()[3:]},
    **{name: getattr(disagreement, name) for name in NAMES["disagreement"].split()[3:]},
    **{name: getattr(acquisition, name) for name in NAMES["acquisition"].split()[6:]},
    **{name: getattr(multilabel, name) for name in NAMES["multilabel"].split()},
    "uncertainty_batch_sampling": batch.uncertainty_batch_sampling,
    "expected_error_reduction": expected_error_reduction,
}


def learner_for(name):
    if name in NAMES["acquisition"] or name == "max_std_sampling":
        return BayesianOptimizer(GaussianProcessRegressor(optimizer=None), None, X[::30], Y[::30])
    if name in NAMES["multilabel"].split():
        labels = (X[::10, :3] > X[:, :3].mean(axis=0)).astype(int)
        return ActiveLearner(OneVsRestClassifier(LogisticRegression()), None, X[::10], labels)
    members = [ActiveLearner(GaussianNB(), None, X[i::25], Y[i::25]) for i in range(2)]
    return members[0] if name == "expected_error_reduction" else Committee(members)


@pytest.mark.parametrize("random_tie_break", [False, True])
@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_returns_distinct_rows_for_every_number(name, copies, random_tie_break):
    strategy, learner = STRATEGIES[name], learner_for(name)
    pool = X[[7] * 6] if copies else X[1:150:29]
    seeded = {"random_tie_break": True, "random_state": 0} if random_tie_break else {}
    if name == "uncertainty_batch_sampling":
        seeded = {}
    for n_instances in range(1, 7):
        indices, metrics = strategy(learner, pool, n_instances=n_instances, **seeded)
        assert sorted(set(indices.tolist())) == sorted(indices.tolist())
        assert len(indices) == len(metrics) == n_instances
        assert 0 <= indices.min() and indices.max() < 6
        again, _ = strategy(learner, pool, n_instances=n_instances, **seeded)
        np.testing.assert_array_equal(indices, again)
    with pytest.raises(ValueError, match="n_instances=7 rows were asked for, but the pool has 6"):
        strategy(learner, pool, n_instances=7, **seeded)
