"""Deep ensembles: classifier and regressor."""

from numbers import Real
from typing import ClassVar

from skbayes._sklearn import Interval, StrOptions
from skbayes.supervised._classifier import BaseStackClassifier
from skbayes.supervised._ensemble_training import DeepEnsembleMixin
from skbayes.supervised._regressor import BaseStackRegressor


class DeepEnsembleClassifier(DeepEnsembleMixin, BaseStackClassifier):
    r"""Classification by a deep ensemble.

    Members of one architecture, each from its own initial weights and with its own shuffles,
    minimise the cross-entropy, a proper scoring rule; the prediction is the mean of their
    probabilities. All members train at once, as one stacked network.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is logistic regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    n_members : int, default=5
        Number of members. All train together, as one stacked network.
    max_iter : int or "auto", default="auto"
        Number of passes through the data. ``"auto"``: 200, and more where that is less than 2000
        steps.
    learning_rate : {"cosine", "constant"}, default="cosine"
        Whether the rate falls to zero over the run.
    learning_rate_init : float, default=0.01
        Rate of Adam at the start.
    batch_size : int or "auto", default="auto"
        Rows a step; ``"auto"`` is ``min(200, n_samples)``.
    prior_scale : float, "fan_in" or None, default=1.0
        Standard deviation of a Gaussian prior, which makes every member a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is :math:`1/\sqrt{\text{fan
        in}}` for weights and 1 for biases, ``None`` is a flat prior.
    anchored : bool, default=False
        Whether every member has a prior of its own, centred at a draw from the prior, and (in
        regression with a known noise) targets with noise of their own: randomised maximum a
        posteriori, which samples the posterior exactly where the model is linear and Gaussian.
        ``fit`` warns of members that have not converged.
    adversarial_epsilon : float, default=None
        Adversarial training: every step also sees the rows moved by this share of every feature's
        range along the sign of the loss's gradient. Lakshminarayanan et al. take 0.01.
    early_stopping : bool, default=False
        Whether training ends when the loss on held-back rows, the mean over members, stops
        falling.
    validation_fraction : float, default=0.1
        Share of the rows held back, with ``early_stopping``.
    n_iter_no_change : int, default=10
        Number of epochs without improvement that end training, with ``early_stopping``.
    tol : float, default=1e-4
        Least improvement that counts, in nats a row.
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
    posterior_ : Posterior
        The stack of members.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``event_lr``; with ``early_stopping`` ``valid_loss``.
    n_iter_ : int
        Number of epochs.
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
    B. Lakshminarayanan, A. Pritzel and C. Blundell, Simple and scalable predictive uncertainty
    estimation using deep ensembles, NeurIPS 2017.

    T. Pearce, F. Leibfried, A. Brintrup, M. Zaki and A. Neely, Uncertainty in neural networks:
    approximately Bayesian ensembling, AISTATS 2020 (``anchored``).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import DeepEnsembleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DeepEnsembleClassifier((10,), random_state=0).fit(X, y)
    >>> clf.sample_proba(X).shape
    (5, 150, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        **DeepEnsembleMixin._constraints,
    }


class DeepEnsembleRegressor(DeepEnsembleMixin, BaseStackRegressor):
    r"""Regression by a deep ensemble.

    Members of one architecture, each from its own initial weights and with its own shuffles,
    minimise the negative Gaussian log-likelihood, a proper scoring rule; the prediction is the
    mixture of their Gaussians. All members train at once, as one stacked network.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is linear regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    noise_scale : float, "learned" or "heteroscedastic", default="heteroscedastic"
        Standard deviation of the noise in y. A number: it is known. ``"learned"``: one for all
        rows, learned with the weights. ``"heteroscedastic"``: a second output of the network is
        its logarithm (relative to ``std(y)``), so that it varies with x.
    beta_nll : float or "auto", default="auto"
        With a heteroscedastic noise: exponent, between 0 and 1, of the noise variance by which the
        gradients of rows are weighted. 0 is the log-likelihood's own gradient, under which rows
        that are fitted badly are called noisy and then hardly count; 1 moves the mean as a squared
        error would. ``"auto"`` is 0.5 (Seitzer et al. 2022), and 0 with ``anchored``.
    normalize_y : bool, default=False
        Whether to sample for targets of mean 0 and standard deviation 1; what is predicted is in
        units of y all the same. The prior is a statement about the targets' scale: set this where
        they are far from 0, or their spread is far from 1.
    n_members : int, default=5
        Number of members. All train together, as one stacked network.
    max_iter : int or "auto", default="auto"
        Number of passes through the data. ``"auto"``: 200, and more where that is less than 2000
        steps.
    learning_rate : {"cosine", "constant"}, default="cosine"
        Whether the rate falls to zero over the run.
    learning_rate_init : float, default=0.01
        Rate of Adam at the start.
    batch_size : int or "auto", default="auto"
        Rows a step; ``"auto"`` is ``min(200, n_samples)``.
    prior_scale : float, "fan_in" or None, default=1.0
        Standard deviation of a Gaussian prior, which makes every member a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is :math:`1/\sqrt{\text{fan
        in}}` for weights and 1 for biases, ``None`` is a flat prior.
    anchored : bool, default=False
        Whether every member has a prior of its own, centred at a draw from the prior, and (in
        regression with a known noise) targets with noise of their own: randomised maximum a
        posteriori, which samples the posterior exactly where the model is linear and Gaussian.
        ``fit`` warns of members that have not converged.
    adversarial_epsilon : float, default=None
        Adversarial training: every step also sees the rows moved by this share of every feature's
        range along the sign of the loss's gradient. Lakshminarayanan et al. take 0.01.
    early_stopping : bool, default=False
        Whether training ends when the loss on held-back rows, the mean over members, stops
        falling.
    validation_fraction : float, default=0.1
        Share of the rows held back, with ``early_stopping``.
    n_iter_no_change : int, default=10
        Number of epochs without improvement that end training, with ``early_stopping``.
    tol : float, default=1e-4
        Least improvement that counts, in nats a row.
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
    posterior_ : Posterior
        The stack of members.
    history_ : dict of ndarray
        ``epoch``, ``train_loss``, ``dur``, ``event_lr``; with ``early_stopping`` ``valid_loss``.
    n_iter_ : int
        Number of epochs.
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
    B. Lakshminarayanan, A. Pritzel and C. Blundell, Simple and scalable predictive uncertainty
    estimation using deep ensembles, NeurIPS 2017.

    M. Seitzer, A. Tavakoli, D. Antic and G. Martius, On the pitfalls of heteroscedastic uncertainty
    estimation with probabilistic neural networks, ICLR 2022 (``beta_nll``).

    T. Pearce, F. Leibfried, A. Brintrup, M. Zaki and A. Neely, Uncertainty in neural networks:
    approximately Bayesian ensembling, AISTATS 2020 (``anchored``).

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes import DeepEnsembleRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(100, 1))
    >>> y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(100)
    >>> reg = DeepEnsembleRegressor((20,), random_state=0).fit(X, y)
    >>> mean, std = reg.predict(X, return_std=True)
    >>> lower, upper = reg.predict_interval(X, coverage=0.9)
    >>> bool(0.7 < np.mean((lower < y) & (y < upper)))
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackRegressor._parameter_constraints,
        **DeepEnsembleMixin._constraints,
        "beta_nll": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        noise_scale="heteroscedastic",
        beta_nll="auto",
        normalize_y=False,
        n_members=5,
        max_iter="auto",
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size="auto",
        prior_scale=1.0,
        anchored=False,
        adversarial_epsilon=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
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
            n_members=n_members,
            max_iter=max_iter,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            prior_scale=prior_scale,
            anchored=anchored,
            adversarial_epsilon=adversarial_epsilon,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
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
        self.beta_nll = beta_nll
        self.normalize_y = normalize_y

    def _beta(self) -> float:
        if self.beta_nll == "auto":
            # anchored members are modes of a posterior, whose rows all have one vote
            return 0.0 if self.anchored else 0.5
        return float(self.beta_nll)
