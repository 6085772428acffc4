"""Export of a fitted sampler's function values to ArviZ, which is imported only here."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from skbayes.diagnostics._chains import sample_function

#: Names of ``history_`` that ArviZ's schema of InferenceData knows as statistics of a sampler.
SAMPLE_STATS = (
    "acceptance_rate",
    "diverging",
    "energy",
    "energy_error",
    "lp",
    "n_steps",
    "step_size",
    "tree_depth",
)


def to_arviz(estimator: Any, X: Any) -> Any:
    """Hand a fitted sampler's function values to ArviZ, for its tables and plots.

    Function values and not weights, for the reason that :func:`chain_diagnostics` gives.

    Parameters
    ----------
    estimator : object
        Fitted sampler with ``sample_proba`` (or ``sample_mean``) and ``n_chains_``; or a
        :class:`~sklearn.pipeline.Pipeline`, search, :class:`~sklearn.frozen.FrozenEstimator` or
        learner around one, nested in any order.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        Rows to look at, as ``estimator.predict`` takes them. All draws for all of them are held in
        memory.

    Returns
    -------
    xarray.DataTree or arviz.InferenceData
        The former from ArviZ 1 on. Group ``posterior`` holds ``proba`` of dimensions ``chain``,
        ``draw``, ``row`` and ``class`` (its coordinate the class labels), or ``mean`` without the
        last. Group ``sample_stats``, if there are any, is of dimensions ``chain`` and ``draw``.

    Raises
    ------
    ImportError
        If ArviZ is not installed.
    TypeError
        If the estimator has no draws, or they come of no chains, as with an ensemble.
    ValueError
        If the draws are not as many in every chain.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    chain_diagnostics : R-hat and effective sample sizes without ArviZ.

    Notes
    -----
    The statistics are arrays of ``history_`` of shape (n_iterations, n_chains) named
    ``acceptance_rate``, ``diverging``, ``energy``, ``energy_error``, ``lp``, ``n_steps``,
    ``step_size`` or ``tree_depth``. The draws are the last iterations. An array is left out if it
    has another shape, or if it has more rows than there are draws and not every iteration is one
    (``thinning`` above 1).

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes.diagnostics import to_arviz
    >>> class Lines:
    ...     n_chains_ = 4
    ...     slopes_ = np.random.RandomState(0).normal(size=4 * 100)  # chain after chain
    ...
    ...     def sample_mean(self, X):
    ...         return self.slopes_[:, None] * X[:, 0]
    >>> data = to_arviz(Lines(), np.array([[1.0], [2.0], [3.0]]))
    >>> dict(data.posterior["mean"].sizes)
    {'chain': 4, 'draw': 100, 'row': 3}
    """
    arviz = _import_arviz()
    values, sampler = sample_function(estimator, X)  # (chains, draws, rows[, classes])
    name, dims = "mean", ["row"]
    coords: dict[str, Any] = {"row": np.arange(values.shape[2])}
    if values.ndim == 4:
        name, dims = "proba", ["row", "class"]
        coords["class"] = getattr(sampler, "classes_", np.arange(values.shape[3]))
    groups = {"posterior": {name: values}}
    statistics = _sample_stats(sampler, *values.shape[:2])
    if statistics:
        groups["sample_stats"] = statistics
    with warnings.catch_warnings():
        # with few draws ArviZ suspects that the axes were mixed up
        warnings.filterwarnings("ignore", "More chains", UserWarning)
        if int(arviz.__version__.split(".")[0]) >= 1:
            return arviz.from_dict(groups, coords=coords, dims={name: dims})
        return arviz.from_dict(**groups, coords=coords, dims={name: dims})


def _sample_stats(sampler: Any, n_chains: int, n_draws: int) -> dict[str, np.ndarray]:
    """Statistics of the draws in a sampler's history, as (chains, draws)."""
    history = getattr(sampler, "history_", None)
    if not isinstance(history, Mapping):
        return {}
    thinned = getattr(sampler, "thinning", 1) != 1
    found = {}
    for name in SAMPLE_STATS:
        values = np.asarray(history.get(name))
        if values.ndim != 2 or values.shape[1] != n_chains or len(values) < n_draws:
            continue
        if len(values) == n_draws or not thinned:
            found[name] = values[len(values) - n_draws :].T
    return found


def _import_arviz() -> Any:
    try:
        with warnings.catch_warnings():
            # ArviZ 0.23 announces version 1, once a day
            warnings.filterwarnings("ignore", "\nArviZ is undergoing", FutureWarning)
            import arviz
    except ImportError as error:
        raise ImportError(
            'to_arviz needs ArviZ, which is not installed: pip install "skbayes[arviz]"'
        ) from error
    return arviz
