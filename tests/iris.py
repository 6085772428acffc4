"""Iris, standardised, with a target for regressors: what the landscape's tests run on."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
TARGET = X[:, 3] + 0.1 * np.random.RandomState(0).normal(size=len(X))
