"""Stochastic gradient Hamiltonian Monte Carlo: classifier and regressor."""

from typing import ClassVar

from skbayes.supervised._classifier import BaseStackClassifier
from skbayes.supervised._regressor import BaseStackRegressor
from skbayes.supervised._sghmc_chains import SGHMCMixin


class SGHMCClassifier(SGHMCMixin, BaseStackClassifier):
    r"""Bayesian neural network sampled by underdamped Langevin dynamics (SGHMC).

    The target is the posterior of all N data under a Gaussian prior at temperature 1, whatever the
    batch size. Weights move with velocities, friction and noise,

    .. math:: d\theta = v\, dt, \qquad
              dv = -\nabla U(\theta)\, dt - \gamma v\, dt + \sqrt{2 \gamma T}\, dW,

    which costs one gradient a step as :class:`SGLDClassifier` does and crosses the posterior in far
    fewer steps. Several chains run at once, as one stacked network.

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
    n_warmup : int, default=2000
        Number of steps before the first draw.
    thinning : int, default=20
        Number of steps from one draw to the next.
    step_size : float or "auto", default="auto"
        The step :math:`h`, in units of time. ``"auto"`` measures the largest curvature
        :math:`\lambda` at the start and during warm-up, where the chains stand, and takes
        :math:`1/\sqrt\lambda` (half of it for ``"euler"``) of what 95 % of them stay below, less
        where minibatch noise is large; ``history_`` tells what was found. The chains first descend
        for a sixteenth of the warm-up.
    friction : float or "auto", default="auto"
        :math:`\gamma`, an inverse time. ``"auto"`` is one over ``prior_scale``, and with
        minibatches as much more as their noise asks for.
    integrator : {"baoab", "euler"}, default="baoab"
        ``"baoab"``: the splitting of Leimkuhler and Matthews, exact on a quadratic for every
        stable step. ``"euler"``: the discretisation of Chen, Fox and Guestrin, which subtracts the
        estimated noise of the minibatch gradients from the noise that it injects.
    batch_size : int or "auto", default="auto"
        Rows a step. ``"auto"``: all of them up to 5000, else 1000.
    temperature : float, default=1.0
        Temperature of the target, :math:`\exp(-U / T)`. 1 is the posterior; below is "cold".
    prior_scale : float or "fan_in", default=1.0
        Standard deviation of the prior: a number is that of every weight and bias, ``"fan_in"`` is
        :math:`1/\sqrt{\text{fan in}}` for weights and 1 for biases, a much stronger prior.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns logits.
    module_params : dict, default=None
        Further arguments of ``module``.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``). An epoch is a hundredth of the run. Learning
        rate schedulers are refused.
    warm_start : bool, default=False
        Whether ``fit`` goes on from where the chains of the last ``fit`` ended.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    dtype : {"float32", "float64"}, default=None
        Type to compute in; by default that of X.
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
        The step last chosen.
    friction_ : float
        The friction used.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``step_size``; with ``step_size="auto"`` also
        ``curvature`` (largest eigenvalue of the Hessian of U) and ``alpha`` (minibatch noise over
        injected noise), as last measured.
    n_iter_ : int
        Number of steps taken.
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
    T. Chen, E. B. Fox and C. Guestrin, Stochastic gradient Hamiltonian Monte Carlo, ICML 2014.

    B. Leimkuhler and C. Matthews, Rational construction of stochastic numerical methods for
    molecular sampling, Applied Mathematics Research eXpress, 2013.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import SGHMCClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SGHMCClassifier((10,), n_warmup=200, random_state=0)
    >>> with warnings.catch_warnings():  # a short run: the chains have not mixed
    ...     warnings.simplefilter("ignore")
    ...     clf = clf.fit(X, y)
    >>> clf.sample_proba(X).shape  # 4 chains of 100 draws
    (400, 150, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        **SGHMCMixin._chain_constraints,
    }


class SGHMCRegressor(SGHMCMixin, BaseStackRegressor):
    r"""Bayesian neural regression sampled by underdamped Langevin dynamics (SGHMC).

    The target is the posterior of all N data under a Gaussian prior of the weights at temperature
    1, whatever the batch size; see :class:`SGHMCClassifier` for the dynamics. The likelihood is
    Gaussian.

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
    n_warmup : int, default=2000
        Number of steps before the first draw.
    thinning : int, default=20
        Number of steps from one draw to the next.
    step_size : float or "auto", default="auto"
        The step :math:`h`, in units of time. ``"auto"`` measures the largest curvature
        :math:`\lambda` at the start and during warm-up, where the chains stand, and takes
        :math:`1/\sqrt\lambda` (half of it for ``"euler"``) of what 95 % of them stay below, less
        where minibatch noise is large; ``history_`` tells what was found. The chains first descend
        for a sixteenth of the warm-up.
    friction : float or "auto", default="auto"
        :math:`\gamma`, an inverse time. ``"auto"`` is one over ``prior_scale``, and with
        minibatches as much more as their noise asks for.
    integrator : {"baoab", "euler"}, default="baoab"
        ``"baoab"``: the splitting of Leimkuhler and Matthews, exact on a quadratic for every
        stable step. ``"euler"``: the discretisation of Chen, Fox and Guestrin, which subtracts the
        estimated noise of the minibatch gradients from the noise that it injects.
    batch_size : int or "auto", default="auto"
        Rows a step. ``"auto"``: all of them up to 5000, else 1000.
    temperature : float, default=1.0
        Temperature of the target, :math:`\exp(-U / T)`. 1 is the posterior; below is "cold".
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
        Passed through to skorch (copied in ``fit``). An epoch is a hundredth of the run. Learning
        rate schedulers are refused.
    warm_start : bool, default=False
        Whether ``fit`` goes on from where the chains of the last ``fit`` ended.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    dtype : {"float32", "float64"}, default=None
        Type to compute in; by default that of X.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffles and noise.
    verbose : int, default=0
        1 prints a row of the history as it comes.

    Attributes
    ----------
    posterior_ : Posterior
        The stack of draws, chain by chain.
    step_size_ : float
        The step last chosen.
    friction_ : float
        The friction used.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``step_size``; with ``step_size="auto"`` also
        ``curvature`` (largest eigenvalue of the Hessian of U) and ``alpha`` (minibatch noise over
        injected noise), as last measured.
    n_iter_ : int
        Number of steps taken.
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
    T. Chen, E. B. Fox and C. Guestrin, Stochastic gradient Hamiltonian Monte Carlo, ICML 2014.

    B. Leimkuhler and C. Matthews, Rational construction of stochastic numerical methods for
    molecular sampling, Applied Mathematics Research eXpress, 2013.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skbayes import SGHMCRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(50, 1))
    >>> y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(50)
    >>> reg = SGHMCRegressor((10,), n_warmup=200, random_state=0)
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
        **SGHMCMixin._chain_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        noise_scale="learned",
        normalize_y=False,
        n_chains=4,
        n_draws=100,
        n_warmup=2000,
        thinning=20,
        step_size="auto",
        friction="auto",
        integrator="baoab",
        batch_size="auto",
        temperature=1.0,
        prior_scale=1.0,
        module=None,
        module_params=None,
        skorch_callbacks=None,
        warm_start=False,
        device="auto",
        dtype=None,
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
            friction=friction,
            integrator=integrator,
            batch_size=batch_size,
            temperature=temperature,
            prior_scale=prior_scale,
            module=module,
            module_params=module_params,
            skorch_callbacks=skorch_callbacks,
            warm_start=warm_start,
            device=device,
            dtype=dtype,
            random_state=random_state,
            verbose=verbose,
        )
        self.noise_scale = noise_scale
        self.normalize_y = normalize_y
