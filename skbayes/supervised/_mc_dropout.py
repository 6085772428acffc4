"""Monte-Carlo dropout: classifier and regressor."""

import copy
import dataclasses
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from torch import nn

from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes._sklearn import Interval, StrOptions
from skbayes.nn import StackedMLP
from skbayes.nn._dropout import DropoutMLP, masked_draws
from skbayes.supervised._classifier import BaseStackClassifier
from skbayes.supervised._epochs import EpochsMixin
from skbayes.supervised._likelihood import Likelihood
from skbayes.supervised._regressor import BaseStackRegressor


class MCDropoutMixin(EpochsMixin):
    """Parameters and training of Monte-Carlo dropout."""

    _constraints: ClassVar[dict[str, list]] = {
        **EpochsMixin._epoch_constraints,
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }
    module = None  # masks are made for the default network
    module_params = None

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        dropout=0.1,
        n_draws=50,
        max_iter="auto",
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size="auto",
        prior_scale=1.0,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        skorch_callbacks=None,
        warm_start=False,
        device="auto",
        dtype=None,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.n_draws = n_draws
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.prior_scale = prior_scale
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.skorch_callbacks = skorch_callbacks
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def _fill(
        self: Any, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        masks = make_generator(rng, rows.device)

        def head(net: nn.Module) -> nn.Module:
            assert isinstance(net, StackedMLP)
            return likelihood.head(DropoutMLP(net, self.dropout, masks))

        noisy = dataclasses.replace(likelihood, head=head)
        stack = self._build_stack(rows, noisy, 1, rng)
        if resume:
            self._continue_from(stack, self._last, likelihood)
        trained = self._train_epochs(stack, rows, likelihood, rng, self.max_iter)
        module = trained["net_"].module_
        dropping = module if isinstance(module, DropoutMLP) else module.net
        bare = plain = dropping.net
        if dropping is not module:
            plain = copy.deepcopy(module)  # the head, on the bare network
            plain.net = copy.deepcopy(bare)
        prefix = "" if plain is bare else "net."
        draws = {
            name: p.detach().expand(self.n_draws, *p.shape[1:]).clone()
            for name, p in plain.named_parameters()
        }
        masked = masked_draws(bare, self.dropout, self.n_draws, make_generator(rng))
        draws.update({prefix + name: values for name, values in masked.items()})
        return {
            **trained,
            "posterior_": Posterior.from_draws(plain, draws),
            "_last": Posterior(module),
        }


class MCDropoutClassifier(MCDropoutMixin, BaseStackClassifier):
    r"""Classification by Monte-Carlo dropout.

    One network is trained with hidden units left out at random, anew at every step; predictions are
    means over networks with units left out at random, which stand for draws from an approximate
    posterior. How far the draws are apart is set by ``dropout``, hardly by the data.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is logistic regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    dropout : float, default=0.1
        Probability with which a hidden unit is left out, in [0, 1).
    n_draws : int, default=50
        Number of draws: networks with units left out at random, the same for all rows.
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
        Standard deviation of a Gaussian prior, which makes every network a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is :math:`1/\sqrt{\text{fan
        in}}` for weights and 1 for biases, ``None`` is a flat prior.
    early_stopping : bool, default=False
        Whether training ends when the loss on held-back rows stops falling.
    validation_fraction : float, default=0.1
        Share of the rows held back, with ``early_stopping``.
    n_iter_no_change : int, default=10
        Number of epochs without improvement that end training, with ``early_stopping``.
    tol : float, default=1e-4
        Least improvement that counts, in nats a row.
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
        The stack of draws.
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
    Y. Gal and Z. Ghahramani, Dropout as a Bayesian approximation: representing model uncertainty in
    deep learning, ICML 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import MCDropoutClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MCDropoutClassifier((10,), random_state=0).fit(X, y)
    >>> clf.sample_proba(X).shape
    (50, 150, 3)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        **MCDropoutMixin._constraints,
    }
    for _name in ("module", "module_params"):
        del _parameter_constraints[_name]
    del _name


class MCDropoutRegressor(MCDropoutMixin, BaseStackRegressor):
    r"""Regression by Monte-Carlo dropout.

    One network is trained with hidden units left out at random, anew at every step; predictions are
    means over networks with units left out at random, which stand for draws from an approximate
    posterior. How far the draws are apart is set by ``dropout``, hardly by the data. The likelihood
    is Gaussian.

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
    dropout : float, default=0.1
        Probability with which a hidden unit is left out, in [0, 1).
    n_draws : int, default=50
        Number of draws: networks with units left out at random, the same for all rows.
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
        Standard deviation of a Gaussian prior, which makes every network a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is :math:`1/\sqrt{\text{fan
        in}}` for weights and 1 for biases, ``None`` is a flat prior.
    early_stopping : bool, default=False
        Whether training ends when the loss on held-back rows stops falling.
    validation_fraction : float, default=0.1
        Share of the rows held back, with ``early_stopping``.
    n_iter_no_change : int, default=10
        Number of epochs without improvement that end training, with ``early_stopping``.
    tol : float, default=1e-4
        Least improvement that counts, in nats a row.
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
        The stack of draws.
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
    Y. Gal and Z. Ghahramani, Dropout as a Bayesian approximation: representing model uncertainty in
    deep learning, ICML 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes import MCDropoutRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(100, 1))
    >>> y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(100)
    >>> reg = MCDropoutRegressor((20,), random_state=0).fit(X, y)
    >>> mean, std = reg.predict(X, return_std=True)
    >>> lower, upper = reg.predict_interval(X, coverage=0.9)
    >>> bool(0.7 < np.mean((lower < y) & (y < upper)))
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackRegressor._parameter_constraints,
        **MCDropoutMixin._constraints,
    }
    for _name in ("module", "module_params"):
        del _parameter_constraints[_name]
    del _name

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        noise_scale="learned",
        normalize_y=False,
        dropout=0.1,
        n_draws=50,
        max_iter="auto",
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size="auto",
        prior_scale=1.0,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
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
            dropout=dropout,
            n_draws=n_draws,
            max_iter=max_iter,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            prior_scale=prior_scale,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            skorch_callbacks=skorch_callbacks,
            warm_start=warm_start,
            device=device,
            dtype=dtype,
            random_state=random_state,
            verbose=verbose,
        )
        self.noise_scale = noise_scale
        self.normalize_y = normalize_y
