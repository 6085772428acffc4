"""Stochastic gradient Langevin dynamics: classifier and regressor."""

from typing import ClassVar

from skbayes.supervised._classifier import BaseStackClassifier
from skbayes.supervised._regressor import BaseStackRegressor
from skbayes.supervised._sgld_chains import SGLDMixin


class SGLDClassifier(SGLDMixin, BaseStackClassifier):
    r"""Bayesian neural network sampled by stochastic gradient Langevin dynamics.

    The target is the posterior of all N data under a Gaussian prior at temperature 1, whatever the
    batch size:

    .. math:: U(\theta) = \sum_{i=1}^N w_i \, \ell(y_i, f_\theta(x_i))
              + \tfrac12 \sum_j \theta_j^2 / s_j^2, \qquad
              \theta \leftarrow \theta - \tfrac\varepsilon2 \nabla \hat U(\theta)
              + \mathcal N(0, \varepsilon T)

    with :math:`\ell` the cross-entropy of a softmax over one logit a class. Several chains run at
    once, as one stacked network. At the same price a step, :class:`SGHMCClassifier` mixes faster.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is Bayesian logistic regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    n_chains : int, default=4
        Number of chains, each from its own initial weights.
    n_draws : int, default=50
        Number of draws kept of every chain.
    n_warmup : int, default=1000
        Number of steps before the first draw.
    thinning : int, default=20
        Number of steps from one draw to the next.
    step_size : float or "auto", default="auto"
        The step :math:`\varepsilon`, in units of the summed potential. ``"auto"`` measures the
        largest curvature at the start and during warm-up, where the chains stand, and takes the
        inverse of what 95 % of them stay below, less where minibatch noise is large; ``history_``
        tells what was found. The chains first descend for a sixteenth of the warm-up.
    schedule : {"constant", "polynomial", "cyclical"}, default="constant"
        ``"polynomial"``: the decreasing step :math:`a (b + t)^{-\gamma}` of Welling and Teh, which
        begins with ``step_size`` (an automatic step begins where it was last chosen).
        ``"cyclical"``: after warm-up, cycles of half a cosine from ``step_size`` to 0 (Zhang et
        al.), the first part of each without noise, to explore, and the draws from the rest. Draws
        of a decreasing step are resampled in proportion to their steps, so that the stack is
        equally weighted.
    schedule_offset : float, default=1000
        :math:`b` of the polynomial schedule, in steps.
    schedule_power : float, default=0.55
        :math:`\gamma` of the polynomial schedule, in (0.5, 1].
    n_cycles : int, default=4
        Number of cycles of the cyclical schedule; the draws are divided among them.
    exploration : float, default=0.25
        Share of every cycle that explores, in [0, 1).
    preconditioner : {"rmsprop"} or None, default=None
        ``"rmsprop"``: a diagonal preconditioner from the gradients of three quarters of warm-up,
        then frozen; it scales gradient and noise (Li et al., without their neglected term, which a
        frozen preconditioner does not have). The step is then in its units.
    batch_size : int or "auto", default="auto"
        Rows a step. ``"auto"``: all of them up to 1000, else 200.
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
        The step last chosen, before ``schedule`` shrinks it.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``step_size``; with ``step_size="auto"`` also
        ``curvature`` (largest eigenvalue of the Hessian of U, as seen through the preconditioner)
        and ``alpha`` (minibatch noise over injected noise), as last measured.
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
    M. Welling and Y. W. Teh, Bayesian learning via stochastic gradient Langevin dynamics, ICML
    2011, equation 4.

    C. Li, C. Chen, D. Carlson and L. Carin, Preconditioned stochastic gradient Langevin dynamics
    for deep neural networks, AAAI 2016.

    R. Zhang, C. Li, J. Zhang, C. Chen and A. G. Wilson, Cyclical stochastic gradient MCMC for
    Bayesian deep learning, ICLR 2020.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import SGLDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SGLDClassifier((10,), n_warmup=200, random_state=0)
    >>> with warnings.catch_warnings():  # a short run: the chains have not mixed
    ...     warnings.simplefilter("ignore")
    ...     clf = clf.fit(X, y)
    >>> clf.sample_proba(X).shape  # 4 chains of 50 draws
    (200, 150, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        **SGLDMixin._chain_constraints,
    }


class SGLDRegressor(SGLDMixin, BaseStackRegressor):
    r"""Bayesian neural regression sampled by stochastic gradient Langevin dynamics.

    The target is the posterior of all N data under a Gaussian prior of the weights at temperature
    1, whatever the batch size; see :class:`SGLDClassifier` for the dynamics. The likelihood is
    Gaussian. Regression with little noise is stiff: :class:`SGHMCRegressor` mixes faster at the
    same price a step.

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
    n_draws : int, default=50
        Number of draws kept of every chain.
    n_warmup : int, default=1000
        Number of steps before the first draw.
    thinning : int, default=20
        Number of steps from one draw to the next.
    step_size : float or "auto", default="auto"
        The step :math:`\varepsilon`, in units of the summed potential. ``"auto"`` measures the
        largest curvature at the start and during warm-up, where the chains stand, and takes the
        inverse of what 95 % of them stay below, less where minibatch noise is large; ``history_``
        tells what was found. The chains first descend for a sixteenth of the warm-up.
    schedule : {"constant", "polynomial", "cyclical"}, default="constant"
        ``"polynomial"``: the decreasing step :math:`a (b + t)^{-\gamma}` of Welling and Teh, which
        begins with ``step_size`` (an automatic step begins where it was last chosen).
        ``"cyclical"``: after warm-up, cycles of half a cosine from ``step_size`` to 0 (Zhang et
        al.), the first part of each without noise, to explore, and the draws from the rest. Draws
        of a decreasing step are resampled in proportion to their steps, so that the stack is
        equally weighted.
    schedule_offset : float, default=1000
        :math:`b` of the polynomial schedule, in steps.
    schedule_power : float, default=0.55
        :math:`\gamma` of the polynomial schedule, in (0.5, 1].
    n_cycles : int, default=4
        Number of cycles of the cyclical schedule; the draws are divided among them.
    exploration : float, default=0.25
        Share of every cycle that explores, in [0, 1).
    preconditioner : {"rmsprop"} or None, default=None
        ``"rmsprop"``: a diagonal preconditioner from the gradients of three quarters of warm-up,
        then frozen; it scales gradient and noise (Li et al., without their neglected term, which a
        frozen preconditioner does not have). The step is then in its units.
    batch_size : int or "auto", default="auto"
        Rows a step. ``"auto"``: all of them up to 1000, else 200.
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
        The step last chosen, before ``schedule`` shrinks it.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``step_size``; with ``step_size="auto"`` also
        ``curvature`` (largest eigenvalue of the Hessian of U, as seen through the preconditioner)
        and ``alpha`` (minibatch noise over injected noise), as last measured.
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
    M. Welling and Y. W. Teh, Bayesian learning via stochastic gradient Langevin dynamics, ICML
    2011, equation 4.

    C. Li, C. Chen, D. Carlson and L. Carin, Preconditioned stochastic gradient Langevin dynamics
    for deep neural networks, AAAI 2016.

    R. Zhang, C. Li, J. Zhang, C. Chen and A. G. Wilson, Cyclical stochastic gradient MCMC for
    Bayesian deep learning, ICLR 2020.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skbayes import SGLDRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(50, 1))
    >>> y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(50)
    >>> reg = SGLDRegressor((10,), n_warmup=200, random_state=0)
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
        **SGLDMixin._chain_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        noise_scale="learned",
        normalize_y=False,
        n_chains=4,
        n_draws=50,
        n_warmup=1000,
        thinning=20,
        step_size="auto",
        schedule="constant",
        schedule_offset=1000.0,
        schedule_power=0.55,
        n_cycles=4,
        exploration=0.25,
        preconditioner=None,
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
            schedule=schedule,
            schedule_offset=schedule_offset,
            schedule_power=schedule_power,
            n_cycles=n_cycles,
            exploration=exploration,
            preconditioner=preconditioner,
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
