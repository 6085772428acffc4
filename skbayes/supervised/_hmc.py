"""Hamiltonian Monte Carlo: classifier and regressor."""

from typing import ClassVar

from skbayes.supervised._classifier import BaseStackClassifier
from skbayes.supervised._hmc_chains import HMCMixin
from skbayes.supervised._regressor import BaseStackRegressor


class HMCClassifier(HMCMixin, BaseStackClassifier):
    r"""Bayesian neural network sampled by Hamiltonian Monte Carlo.

    The gold standard, for data of up to some thousands of rows: every trajectory visits all rows
    many times and is accepted or rejected, which leaves the posterior under a Gaussian prior
    exactly invariant. Several chains run at once, as one stacked network, in float64 whatever the
    input. :class:`SGHMCClassifier` comes close at a fraction of the price.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is Bayesian logistic regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    n_chains : int, default=4
        Number of chains, each from its own initial weights.
    n_draws : int, default=100
        Number of draws kept of every chain.
    n_warmup : int, default=50
        Number of trajectories before the first draw.
    thinning : int, default=1
        Number of trajectories from one draw to the next.
    step_size : float or "auto", default="auto"
        Step of the leapfrog, in units of time. ``"auto"``: underdamped Langevin dynamics bring the
        chains to the posterior (20 steps for every trajectory of warm-up, 2000 at most); then dual
        averaging adapts the step until trajectories are accepted at the rate ``target_accept``.
    target_accept : float, default=0.8
        Rate of acceptance that the step is adapted to, in (0, 1).
    trajectory_length : float or "auto", default="auto"
        Length of a trajectory in units of time; every one is longer or shorter by up to a fifth,
        at random. ``"auto"``: :math:`\pi/2` times ``prior_scale``, a quarter of the prior's
        period, or :math:`\pi/2` in the time of an adapted metric.
    metric : {"unit", "diag"}, default="unit"
        ``"diag"``: velocities are scaled by the standard deviation of every weight over chains and
        warm-up.
    max_leapfrog : int, default=2000
        Largest number of leapfrog steps a trajectory.
    temperature : float, default=1.0
        Temperature of the target, :math:`\exp(-U / T)`, positive. 1 is the posterior; below is
        "cold".
    prior_scale : float or "fan_in", default=1.0
        Standard deviation of the prior: a number is that of every weight and bias, ``"fan_in"`` is
        :math:`1/\sqrt{\text{fan in}}` for weights and 1 for biases, a much stronger prior.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns logits.
    module_params : dict, default=None
        Further arguments of ``module``.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``). An epoch is a trajectory. Learning rate
        schedulers are refused.
    warm_start : bool, default=False
        Whether ``fit`` goes on from where the chains of the last ``fit`` ended.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffles and noise.
    verbose : int, default=0
        1 prints a row of the history as it comes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    posterior_ : Posterior
        The stack of draws, chain by chain.
    step_size_ : float
        The leapfrog's step after warm-up.
    trajectory_length_ : float
        Mean length of the trajectories after warm-up, in units of time.
    n_divergences_ : int
        Number of divergent trajectories after warm-up, over all chains.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    history_ : dict of ndarray
        A row a trajectory: ``epoch``, ``train_loss`` (potential over the number of data), ``dur``,
        ``step_size``, ``n_leapfrog``, and for every chain (columns) ``acceptance_rate``,
        ``energy`` and ``diverging``.
    n_iter_ : int
        Number of trajectories taken.
    net_ : skorch.NeuralNet
        The net that trained the chains; not part of a pickle.
    device_ : torch.device
        Where the network lives.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    See Also
    --------
    skbayes.diagnostics.chain_diagnostics : R-hat and effective number of draws, row by row.

    References
    ----------
    R. M. Neal, MCMC using Hamiltonian dynamics, in: Handbook of Markov chain Monte Carlo, 2011.

    P. Izmailov, S. Vikram, M. D. Hoffman and A. G. Wilson, What are Bayesian neural network
    posteriors really like?, ICML 2021.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import HMCClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = HMCClassifier((10,), n_warmup=20, n_draws=20, random_state=0)
    >>> with warnings.catch_warnings():  # a short run: the chains have not mixed
    ...     warnings.simplefilter("ignore")
    ...     clf = clf.fit(X, y)
    >>> clf.sample_proba(X).shape  # 4 chains of 20 draws
    (80, 150, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        **HMCMixin._chain_constraints,
    }
    for _name in ("batch_size", "dtype"):  # all rows, float64
        del _parameter_constraints[_name]
    del _name


class HMCRegressor(HMCMixin, BaseStackRegressor):
    r"""Bayesian neural regression sampled by Hamiltonian Monte Carlo.

    The gold standard, for data of up to some thousands of rows: every trajectory visits all rows
    many times and is accepted or rejected, which leaves the posterior under a Gaussian prior of the
    weights exactly invariant. Several chains run at once, as one stacked network, in float64
    whatever the input. The likelihood is Gaussian.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is Bayesian linear regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    noise_scale : float, "learned" or "heteroscedastic", default="learned"
        Standard deviation of the noise in y. A number: it is known. ``"learned"``: one for all
        rows, sampled with the weights under a half-normal prior of scale ``std(y)``.
        ``"heteroscedastic"``: a second output of the network is its logarithm (relative to
        ``std(y)``), so that it varies with x.
    normalize_y : bool, default=False
        Whether to sample for targets of mean 0 and standard deviation 1; what is predicted is in
        units of y all the same. The prior is a statement about the targets' scale: set this where
        they are far from 0, or their spread is far from 1.
    n_chains : int, default=4
        Number of chains, each from its own initial weights.
    n_draws : int, default=100
        Number of draws kept of every chain.
    n_warmup : int, default=50
        Number of trajectories before the first draw.
    thinning : int, default=1
        Number of trajectories from one draw to the next.
    step_size : float or "auto", default="auto"
        Step of the leapfrog, in units of time. ``"auto"``: underdamped Langevin dynamics bring the
        chains to the posterior (20 steps for every trajectory of warm-up, 2000 at most); then dual
        averaging adapts the step until trajectories are accepted at the rate ``target_accept``.
    target_accept : float, default=0.8
        Rate of acceptance that the step is adapted to, in (0, 1).
    trajectory_length : float or "auto", default="auto"
        Length of a trajectory in units of time; every one is longer or shorter by up to a fifth,
        at random. ``"auto"``: :math:`\pi/2` times ``prior_scale``, a quarter of the prior's
        period, or :math:`\pi/2` in the time of an adapted metric.
    metric : {"unit", "diag"}, default="unit"
        ``"diag"``: velocities are scaled by the standard deviation of every weight over chains and
        warm-up.
    max_leapfrog : int, default=2000
        Largest number of leapfrog steps a trajectory.
    temperature : float, default=1.0
        Temperature of the target, :math:`\exp(-U / T)`, positive. 1 is the posterior; below is
        "cold".
    prior_scale : float or "fan_in", default=1.0
        Standard deviation of the prior: a number is that of every weight and bias, ``"fan_in"`` is
        :math:`1/\sqrt{\text{fan in}}` for weights and 1 for biases, a much stronger prior.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns one output (two if ``noise_scale`` is
        ``"heteroscedastic"``).
    module_params : dict, default=None
        Further arguments of ``module``.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``). An epoch is a trajectory. Learning rate
        schedulers are refused.
    warm_start : bool, default=False
        Whether ``fit`` goes on from where the chains of the last ``fit`` ended.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffles and noise.
    verbose : int, default=0
        1 prints a row of the history as it comes.

    Attributes
    ----------
    posterior_ : Posterior
        The stack of draws, chain by chain.
    step_size_ : float
        The leapfrog's step after warm-up.
    trajectory_length_ : float
        Mean length of the trajectories after warm-up, in units of time.
    n_divergences_ : int
        Number of divergent trajectories after warm-up, over all chains.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    history_ : dict of ndarray
        A row a trajectory: ``epoch``, ``train_loss`` (potential over the number of data), ``dur``,
        ``step_size``, ``n_leapfrog``, and for every chain (columns) ``acceptance_rate``,
        ``energy`` and ``diverging``.
    n_iter_ : int
        Number of trajectories taken.
    net_ : skorch.NeuralNet
        The net that trained the chains; not part of a pickle.
    device_ : torch.device
        Where the network lives.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    See Also
    --------
    skbayes.diagnostics.chain_diagnostics : R-hat and effective number of draws, row by row.

    References
    ----------
    R. M. Neal, MCMC using Hamiltonian dynamics, in: Handbook of Markov chain Monte Carlo, 2011.

    P. Izmailov, S. Vikram, M. D. Hoffman and A. G. Wilson, What are Bayesian neural network
    posteriors really like?, ICML 2021.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skbayes import HMCRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(50, 1))
    >>> y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(50)
    >>> reg = HMCRegressor((10,), n_warmup=20, n_draws=20, random_state=0)
    >>> with warnings.catch_warnings():  # a short run: the chains have not mixed
    ...     warnings.simplefilter("ignore")
    ...     reg = reg.fit(X, y)
    >>> mean, std = reg.predict(X, return_std=True)
    >>> lower, upper = reg.predict_interval(X, coverage=0.9)
    >>> bool(0.6 < np.mean((lower < y) & (y < upper)))
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackRegressor._parameter_constraints,
        **HMCMixin._chain_constraints,
    }
    for _name in ("batch_size", "dtype"):  # all rows, float64
        del _parameter_constraints[_name]
    del _name

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        noise_scale="learned",
        normalize_y=False,
        n_chains=4,
        n_draws=100,
        n_warmup=50,
        thinning=1,
        step_size="auto",
        target_accept=0.8,
        trajectory_length="auto",
        metric="unit",
        max_leapfrog=2000,
        temperature=1.0,
        prior_scale=1.0,
        module=None,
        module_params=None,
        skorch_callbacks=None,
        warm_start=False,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            hidden_layer_sizes,
            activation,
            n_chains=n_chains,
            n_draws=n_draws,
            n_warmup=n_warmup,
            thinning=thinning,
            step_size=step_size,
            target_accept=target_accept,
            trajectory_length=trajectory_length,
            metric=metric,
            max_leapfrog=max_leapfrog,
            temperature=temperature,
            prior_scale=prior_scale,
            module=module,
            module_params=module_params,
            skorch_callbacks=skorch_callbacks,
            warm_start=warm_start,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.noise_scale = noise_scale
        self.normalize_y = normalize_y
