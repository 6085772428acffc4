"""The bases of learners and committees under modAL's module name."""

from skbayes.active._base import BaseLearner
from skbayes.active._committee_base import BaseCommittee

__all__ = ["BaseCommittee", "BaseLearner"]
