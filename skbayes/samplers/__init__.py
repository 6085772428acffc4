"""Samplers of a posterior over network weights: update rules, schedules, torch optimizers."""

from skbayes.samplers._optimizer import SGLD
from skbayes.samplers.schedules import constant, polynomial

__all__ = ["SGLD", "constant", "polynomial"]
