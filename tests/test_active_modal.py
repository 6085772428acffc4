"""What modAL's users do and what its own tests ask for, with the package's name changed."""

import importlib

import numpy as np
import pytest
from active_stand_ins import RNG, Fixed, X, Y
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB

from skbayes import active
from skbayes.active import acquisition, batch, disagreement, multilabel, uncertainty
from skbayes.active.expected_error import expected_error_reduction
from skbayes.active.models import (
    ActiveLearner,
    BayesianOptimizer,
    Committee,
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


@pytest.mark.parametrize("kind", ["lil", "csc", "csr", "coo", "dok"])
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
