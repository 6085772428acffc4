"""Classifier and regressor by gradient descent at a constant rate."""

from typing import ClassVar

from skbayes.supervised._classifier import BaseStackClassifier
from skbayes.supervised._constant_sgd_chains import ConstantSGDMixin
from skbayes.supervised._regressor import BaseStackRegressor


class ConstantSGDClassifier(ConstantSGDMixin, BaseStackClassifier):
    r"""Classification by stochastic gradient descent at a constant rate.

    Near a minimum, stochastic gradient descent at a constant rate wanders about as a sampler does.
    Its rate or preconditioner is chosen so that it wanders over the posterior of all N data under a
    Gaussian prior, as far as a Gaussian around one mode can tell; no noise is added. Where a
    network fits its data so well that the gradients of single rows vanish there is no noise to
    wander by, and the method has no meaning: prefer :class:`SGHMCClassifier`.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is logistic regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    n_chains : int, default=4
        Number of chains, each from its own initial weights.
    n_draws : int, default=50
        Number of draws kept of every chain.
    n_warmup : int, default=2000
        Number of steps before the first draw.
    thinning : int, default=20
        Number of steps from one draw to the next.
    step_size : float or "auto", default="auto"
        The rate, for the mean loss; it multiplies the preconditioner. ``"auto"``: the best constant
        rate :math:`2 D S / (N \operatorname{tr} C)`, or 1 with a preconditioner, bounded by the
        curvature.
    preconditioner : {"diagonal", "full"} or None, default="diagonal"
        The best preconditioner of that form, from the covariance C of the gradients of single rows
        as estimated in the second half of warm-up: :math:`2 S / (N C_{kk})` or :math:`(2 S / N)
        C^{-1}`. ``"full"`` keeps a matrix for every chain, up to 2000 weights.
    averaging : bool, default=False
        Whether a draw is the mean over the steps of one pass through the rows, N / ``batch_size``
        of them (draws are then at least so far apart). Where C equals the Hessian such means are
        about draws from the posterior too, and depend little on the rate; means over more than a
        pass spread less than it.
    batch_size : int or "auto", default="auto"
        Rows a step, S, drawn with replacement. ``"auto"``: 32, at most a quarter of the rows, as
        the theory asks for; ``fit`` warns of more.
    prior_scale : float or "fan_in", default=1.0
        Standard deviation of a Gaussian prior, which makes every chain a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is :math:`1/\sqrt{\text{fan
        in}}` for weights and 1 for biases.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns logits.
    module_params : dict, default=None
        Further arguments of ``module``.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``).
    warm_start : bool, default=False
        Whether ``fit`` goes on from where the last ``fit`` ended.
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
    step_size_ : float
        The rate last chosen.
    batch_size_ : int
        Rows a step.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    posterior_ : Posterior
        The stack of draws.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``step_size``, ``curvature`` (the largest, of the sum
        over all rows). An epoch is a hundredth of the steps.
    n_iter_ : int
        Number of steps taken.
    net_ : skorch.NeuralNet
        The net that was trained; not part of a pickle.
    device_ : torch.device
        Where the network lives.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    References
    ----------
    S. Mandt, M. D. Hoffman and D. M. Blei, Stochastic gradient descent as approximate Bayesian
    inference, Journal of Machine Learning Research 18, 2017, equations 17 to 20.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import ConstantSGDClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = ConstantSGDClassifier((10,), random_state=0).fit(X, y)
    >>> clf.sample_proba(X).shape
    (200, 150, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        **ConstantSGDMixin._chain_constraints,
    }


class ConstantSGDRegressor(ConstantSGDMixin, BaseStackRegressor):
    r"""Regression by stochastic gradient descent at a constant rate.

    Near a minimum, stochastic gradient descent at a constant rate wanders about as a sampler does.
    Its rate or preconditioner is chosen so that it wanders over the posterior of all N data under a
    Gaussian prior, as far as a Gaussian around one mode can tell; no noise is added. The likelihood
    is Gaussian. The covariance of the gradients is taken to be constant, which it is not for large
    residuals: prefer :class:`SGHMCRegressor`.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is linear regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    noise_scale : float, "learned" or "heteroscedastic", default="learned"
        Standard deviation of the noise in y. A number: it is known. ``"learned"``: one for all
        rows, learned with the weights. ``"heteroscedastic"``: a second output of the network is
        its logarithm (relative to ``std(y)``), so that it varies with x.
    normalize_y : bool, default=False
        Whether to sample for targets of mean 0 and standard deviation 1; what is predicted is in
        units of y all the same. The prior is a statement about the targets' scale: set this where
        they are far from 0, or their spread is far from 1.
    n_chains : int, default=4
        Number of chains, each from its own initial weights.
    n_draws : int, default=50
        Number of draws kept of every chain.
    n_warmup : int, default=2000
        Number of steps before the first draw.
    thinning : int, default=20
        Number of steps from one draw to the next.
    step_size : float or "auto", default="auto"
        The rate, for the mean loss; it multiplies the preconditioner. ``"auto"``: the best constant
        rate :math:`2 D S / (N \operatorname{tr} C)`, or 1 with a preconditioner, bounded by the
        curvature.
    preconditioner : {"diagonal", "full"} or None, default="diagonal"
        The best preconditioner of that form, from the covariance C of the gradients of single rows
        as estimated in the second half of warm-up: :math:`2 S / (N C_{kk})` or :math:`(2 S / N)
        C^{-1}`. ``"full"`` keeps a matrix for every chain, up to 2000 weights.
    averaging : bool, default=False
        Whether a draw is the mean over the steps of one pass through the rows, N / ``batch_size``
        of them (draws are then at least so far apart). Where C equals the Hessian such means are
        about draws from the posterior too, and depend little on the rate; means over more than a
        pass spread less than it.
    batch_size : int or "auto", default="auto"
        Rows a step, S, drawn with replacement. ``"auto"``: 32, at most a quarter of the rows, as
        the theory asks for; ``fit`` warns of more.
    prior_scale : float or "fan_in", default=1.0
        Standard deviation of a Gaussian prior, which makes every chain a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is :math:`1/\sqrt{\text{fan
        in}}` for weights and 1 for biases.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns one output (two if ``noise_scale`` is
        ``"heteroscedastic"``).
    module_params : dict, default=None
        Further arguments of ``module``.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``).
    warm_start : bool, default=False
        Whether ``fit`` goes on from where the last ``fit`` ended.
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
    step_size_ : float
        The rate last chosen.
    batch_size_ : int
        Rows a step.
    n_chains_ : int
        Number of chains in the stack.
    rhat_ : float
        R-hat that 99 % of the predictions on up to 256 training rows stay below (nan for fewer
        than 8 draws a chain); ``fit`` warns above 1.05.
    posterior_ : Posterior
        The stack of draws.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``step_size``, ``curvature`` (the largest, of the sum
        over all rows). An epoch is a hundredth of the steps.
    n_iter_ : int
        Number of steps taken.
    net_ : skorch.NeuralNet
        The net that was trained; not part of a pickle.
    device_ : torch.device
        Where the network lives.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    References
    ----------
    S. Mandt, M. D. Hoffman and D. M. Blei, Stochastic gradient descent as approximate Bayesian
    inference, Journal of Machine Learning Research 18, 2017, equations 17 to 20.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes import ConstantSGDRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(100, 1))
    >>> y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(100)
    >>> reg = ConstantSGDRegressor((20,), random_state=0).fit(X, y)
    >>> mean, std = reg.predict(X, return_std=True)
    >>> lower, upper = reg.predict_interval(X, coverage=0.9)
    >>> bool(0.7 < np.mean((lower < y) & (y < upper)))
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackRegressor._parameter_constraints,
        **ConstantSGDMixin._chain_constraints,
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
        n_warmup=2000,
        thinning=20,
        step_size="auto",
        preconditioner="diagonal",
        averaging=False,
        batch_size="auto",
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
            preconditioner=preconditioner,
            averaging=averaging,
            batch_size=batch_size,
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
