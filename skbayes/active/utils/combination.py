"""Combinations of utilities, and strategies made of a utility and a selector."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skbayes.active._checks import ParameterError

__all__ = [
    "make_linear_combination",
    "make_product",
    "make_query_strategy",
]


def make_linear_combination(
    *functions: Callable[..., Any], weights: Sequence[float] | None = None
) -> Callable[..., Any]:
    """Make a function that is the weighted sum of functions.

    Parameters
    ----------
    *functions : callable
        Functions of the same arguments, returning arrays of the same shape.
    weights : sequence of float, default=None
        One a function; None weighs them all 1.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there are not as many weights as functions.

    Examples
    --------
    >>> from skbayes.active.acquisition import bald, entropy
    >>> from skbayes.active.utils import make_linear_combination
    >>> both = make_linear_combination(bald, entropy, weights=[0.5, 0.5])
    >>> both([[[0.5, 0.5]], [[0.5, 0.5]]])
    array([0.34657359])
    """
    weights = _as_many("weights", weights, functions)

    def linear_combination(*args: Any, **kwargs: Any) -> Any:
        terms = zip(weights, functions, strict=True)
        return sum(weight * np.asarray(function(*args, **kwargs)) for weight, function in terms)

    return linear_combination


def make_product(
    *functions: Callable[..., Any], exponents: Sequence[float] | None = None
) -> Callable[..., Any]:
    """Make a function that is the product of powers of functions.

    Parameters
    ----------
    *functions : callable
        Functions of the same arguments, returning arrays of the same shape.
    exponents : sequence of float, default=None
        One a function; None takes them all as they are.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there are not as many exponents as functions.

    Examples
    --------
    >>> from skbayes.active.utils import make_product
    >>> make_product(abs, abs, exponents=[1, 2])(-2)
    8
    """
    exponents = _as_many("exponents", exponents, functions)

    def product_function(*args: Any, **kwargs: Any) -> Any:
        result: Any = 1
        for exponent, function in zip(exponents, functions, strict=True):
            result = result * function(*args, **kwargs) ** exponent
        return result

    return product_function


def make_query_strategy(
    utility_measure: Callable[..., Any], selector: Callable[..., Any]
) -> Callable[..., Any]:
    """Make a query strategy of a utility and a selector.

    Parameters
    ----------
    utility_measure : callable
        Takes a classifier and rows, returns a utility a row.
    selector : callable
        Takes utilities, returns row numbers, or a tuple of them and of metrics.

    Returns
    -------
    callable
        Takes a classifier and rows; what else it is given goes to the selector.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbayes.active import ActiveLearner
    >>> from skbayes.active.uncertainty import classifier_entropy
    >>> from skbayes.active.utils import make_query_strategy, multi_argmax
    >>> X, y = load_iris(return_X_y=True)
    >>> strategy = make_query_strategy(classifier_entropy, multi_argmax)
    >>> learner = ActiveLearner(GaussianNB(), strategy, X[::25], y[::25])
    >>> len(learner.query(X, n_instances=3)[0])
    3
    """

    def query_strategy(classifier: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        return selector(utility_measure(classifier, X), *args, **kwargs)

    return query_strategy


def _as_many(
    name: str, numbers: Sequence[float] | None, functions: Sequence[Any]
) -> Sequence[float]:
    if numbers is None:
        return [1] * len(functions)
    if len(numbers) != len(functions):
        raise ParameterError(
            f"{name} has {len(numbers)} entries for {len(functions)} functions; one each is needed"
        )
    return numbers
