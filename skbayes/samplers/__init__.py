"""Samplers of a posterior over network weights: update rules, schedules, torch optimizers."""

from skbayes.samplers._optimizer import SGHMC, SGLD, ConstantSGD
from skbayes.samplers._trajectory import HMC
from skbayes.samplers.schedules import constant, cyclical, polynomial

__all__ = ["HMC", "SGHMC", "SGLD", "ConstantSGD", "constant", "cyclical", "polynomial"]
