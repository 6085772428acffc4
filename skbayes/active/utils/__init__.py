"""Helpers under the names that modAL gives them: combination, data, selection, validation."""

from skbayes.active.utils import combination, data, selection, validation
from skbayes.active.utils.combination import (
    make_linear_combination,
    make_product,
    make_query_strategy,
)
from skbayes.active.utils.data import data_vstack
from skbayes.active.utils.selection import multi_argmax, shuffled_argmax, weighted_random
from skbayes.active.utils.validation import check_class_labels, check_class_proba

__all__ = [
    "check_class_labels",
    "check_class_proba",
    "combination",
    "data",
    "data_vstack",
    "make_linear_combination",
    "make_product",
    "make_query_strategy",
    "multi_argmax",
    "selection",
    "shuffled_argmax",
    "validation",
    "weighted_random",
]
