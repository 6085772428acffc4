"""Regression by the deep ensemble filter: an ensemble that follows growing data."""

from typing import Any, ClassVar

import numpy as np

from skbayes._sklearn import _fit_context
from skbayes.diagnostics import SpreadSkill, spread_skill
from skbayes.supervised._filter import EnsembleFilterMixin
from skbayes.supervised._regressor import BaseStackRegressor


class DeepEnsembleFilterRegressor(EnsembleFilterMixin, BaseStackRegressor):
    r"""Regression by a deep ensemble treated as a filter over growing data.

    The first ``fit`` trains a deep ensemble: members of one architecture, each from its own initial
    weights and with its own shuffles. Every later round, ``fit`` with ``warm_start=True`` on all
    data so far or ``partial_fit`` on the new rows, assimilates the data: the ensemble is
    **inflated**, every member's weights moved by noise, and then **localised**, every member
    re-converging from there, in its own mode, on the data so far. The noise is what keeps the
    members apart; without it they are hot starts.

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
        its logarithm (relative to ``std(y)``), so that it varies with x, which takes more rows to
        learn.
    normalize_y : bool, default=False
        Whether to train for targets of mean 0 and standard deviation 1, those of the first fit;
        what is predicted is in units of y all the same.
    n_members : int, default=10
        Number of members. All train together, as one stacked network.
    inflation : str or None, default="shrink"
        What a round does to the ensemble beside training it.

        - ``"shrink"``: :math:`w \leftarrow \lambda w + q s e`: what an additive walk needs to stay
          where it can be trained, over many rounds.
        - ``"additive"``: :math:`w \leftarrow w + q s e`, as published.
        - ``"langevin"``: noise that matches the steps of the round, so that few steps of
          full-batch gradient descent (``optimizer="sgd"``) sample the Laplace posterior.
        - ``"multiplicative"``: the members' deviations from their mean are multiplied.
        - ``"rtps"``, ``"rtpp"``: after re-convergence the members' spread, weight by weight, or
          their deviations are relaxed to what they were before.
        - ``"anomalies"``: noise from the ensemble's own covariance, tapered between layers.
        - ``None``: hot start.
    inflation_scale : float or "auto", default="auto"
        How much: of ``"shrink"`` and ``"additive"`` the noise's standard deviation q in units of
        each tensor's spread s when it was initialised (of ``"shrink"``, ``"auto"`` is
        :math:`\sqrt{1 - \lambda^2}`, which keeps that spread; of ``"additive"`` 1); of
        ``"langevin"`` the temperature (1); of ``"multiplicative"`` the factor (1.05); of ``"rtps"``
        and ``"rtpp"`` the degree from none to all (.9 and .5); of ``"anomalies"`` the noise's
        standard deviation in units of the ensemble's (.1). Larger values explore: worse at first,
        better late.
    inflate_when : {"auto", "before", "after"}, default="auto"
        Before or after re-convergence. ``"auto"`` is before, as published, but for ``"rtps"`` and
        ``"rtpp"``, which can only come after.
    shrink_factor : float or "auto", default="auto"
        What ``"shrink"`` keeps of the weights, :math:`\lambda`; ``"auto"`` is .9.
    taper_support : float, default=1.0
        Distance in layers from which on the noise of ``"anomalies"`` is independent
        (Gaspari-Cohn); up to 1 every layer is a block of its own.
    adaptive : bool, default=False
        Whether the scale is multiplied by the root of the ensemble's error over its spread on the
        new rows, of this round and, discounted, of those before, within 1/4 and 4. ``fit`` looks at
        the rows that it has not seen before, as long as all that were seen are kept.
    localization : {"mode"} or None, default="mode"
        ``"mode"``: every member re-converges in the mode that it is in. ``None``: the ensemble's
        mean is trained, and the members keep their places around it; the first ``fit`` puts them a
        tenth of the initial spread around one network.
    init_epochs : int or "auto", default="auto"
        Number of passes through the data in the first fit. ``"auto"``: 100, and more where that is
        less than 1000 steps.
    warm_epochs : int or "auto", default="auto"
        Number of passes in every later round; 0 leaves the members where inflation put them.
        ``"auto"``: 40, and more where that is less than 400 steps (but with ``"langevin"``).
    optimizer : {"adam", "sgd"}, default="adam"
        Adam, or plain gradient descent, whose rates are not the same.
    reset_optimizer : bool, default=True
        Whether a round forgets the optimizer's moments. They belong to where the members were
        before inflation; published code keeps them. They are forgotten when a class is new.
    learning_rate : {"cosine", "constant"}, default="cosine"
        Whether the rate falls to zero over every round.
    learning_rate_init : float, default=0.01
        Rate at the start of a round.
    batch_size : int or "auto", default="auto"
        Rows a step; ``"auto"`` is ``min(200, n_samples)``, of ``"langevin"`` all.
    bootstrap : bool, default=False
        Whether every member trains on a sample of its own of the rows, with replacement, drawn anew
        every round.
    prior_scale : float, "fan_in" or None, default=1.0
        Standard deviation of a Gaussian prior, which makes every member a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is
        :math:`1/\sqrt{\text{fan in}}` for weights and 1 for biases, ``None`` is a flat prior, as
        published.
    anchored : bool, default=False
        Whether every member has a prior of its own, centred at a draw from the prior that it keeps,
        and (in regression with a known noise) targets with noise of their own, drawn every round:
        randomised maximum a posteriori.
    replay_size : int, default=10000
        Number of rows that are kept for ``partial_fit``, a uniform sample of all seen once there
        are more; they are part of a pickle. With 0 ``partial_fit`` sees the new rows only.
    forgetting_factor : float, default=1.0
        What a ``partial_fit`` multiplies the weight of all earlier rows by, for truths that drift:
        rounds of n rows see n / (1 - ``forgetting_factor``) in the long run. Below 1 it is the
        newest ``replay_size`` rows that are kept. ``fit`` weighs rows by ``sample_weight`` alone.
    early_stopping : bool, default=False
        Whether a round ends when the loss on held-back rows, the mean over members, stops falling.
    validation_fraction : float, default=0.1
        Share of the rows held back, with ``early_stopping``; drawn anew every round, so that
        earlier rounds may have trained on them.
    n_iter_no_change : int, default=10
        Number of epochs without improvement that end a round, with ``early_stopping``.
    tol : float, default=1e-4
        Least improvement that counts, in nats a row.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns one output (two if ``noise_scale`` is
        ``"heteroscedastic"``).
    module_params : dict, default=None
        Further arguments of ``module``.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``). ``GradientNormClipping`` would clip the norm
        over all members together.
    warm_start : bool, default=False
        Whether ``fit`` is a later round if there was one before.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    dtype : {"float32", "float64"}, default=None
        Type to compute in; by default that of X.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffles and noise; later rounds go on in its stream.
    verbose : int, default=0
        1 prints a row of the history as it comes.

    Attributes
    ----------
    posterior_ : Posterior
        The members; ``posterior_.params`` maps parameter names to tensors with a leading axis of
        ``n_members``.
    initial_spread_ : dict of str to float
        Standard deviation of every tensor's entries at the start of the first fit: the unit of
        ``inflation_scale``.
    n_rounds_ : int
        Number of rounds so far.
    n_iter_ : int
        Number of epochs of the last round.
    history_ : dict of ndarray
        Of the last round: ``epoch``, ``train_loss`` (mean over members), ``dur``,
        ``event_lr``, ``valid_loss`` with ``early_stopping``.
    cost_ratio_ : float
        Passes of rows through networks in the last round, over those of a cold start on the same
        rows.
    diagnosis_ : dict of str to float
        Of the last round. On its new rows, before they were trained on: their number ``n_new``,
        the ensemble's ``spread`` and ``error`` (variances, see
        :func:`skbayes.diagnostics.spread_skill`; nan where not known), and the ``factor`` that
        ``adaptive`` makes of those of all rounds. On at most 1000 of the round's rows, after
        training: ``resolution``, how far the members' means differ, in units of the noise, and
        ``n_functions``, the effective number of distinct functions among the first 100 members (see
        :func:`skbayes.diagnostics.effective_members`).
        A ``resolution`` below .01 after a later round is a collapse, of which ``fit`` warns.
    net_ : skorch.NeuralNet
        The net that trained the members; not part of a pickle.
    device_ : torch.device
        Where the network lives.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    Notes
    -----
    The original report is not published; additive inflation before re-convergence is what its
    successors describe. "Localization" is used there in the sense given above. Over many rounds
    additive noise is a random walk of the weights and costs accuracy, hence the default.

    References
    ----------
    L. Ulrych and V. Smidl, Deep ensemble filter for active learning, Technical Report 2383,
    UTIA, Czech Academy of Sciences, 2020.

    M. Sahan, V. Smidl and R. Marik, Active learning for text classification and fake news
    detection, ISCSIC 2021, algorithm 1.

    J. Ash and R. P. Adams, On warm-starting neural network training, NeurIPS 2020 (``"shrink"``).

    J. S. Whitaker and T. M. Hamill, Evaluating methods to account for system errors in ensemble
    data assimilation, Monthly Weather Review 140, 2012 (``"rtps"``).

    B. Lakshminarayanan, A. Pritzel and C. Blundell, Simple and scalable predictive uncertainty
    estimation using deep ensembles, NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes import DeepEnsembleFilterRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(100, 1))
    >>> y = X[:, 0] ** 2 + 0.1 * rng.standard_normal(100)
    >>> reg = DeepEnsembleFilterRegressor((20,), n_members=5, random_state=0).fit(X[:60], y[:60])
    >>> reg = reg.partial_fit(X[60:], y[60:])  # the new rows; the old ones are replayed
    >>> mean, std = reg.predict(X, return_std=True)
    >>> bool(np.mean(np.abs(mean - X[:, 0] ** 2)) < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackRegressor._parameter_constraints,
        **EnsembleFilterMixin._filter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        noise_scale="learned",
        normalize_y=False,
        n_members=10,
        inflation="shrink",
        inflation_scale="auto",
        inflate_when="auto",
        shrink_factor="auto",
        taper_support=1.0,
        adaptive=False,
        localization="mode",
        init_epochs="auto",
        warm_epochs="auto",
        optimizer="adam",
        reset_optimizer=True,
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size="auto",
        bootstrap=False,
        prior_scale=1.0,
        anchored=False,
        replay_size=10000,
        forgetting_factor=1.0,
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
            inflation=inflation,
            inflation_scale=inflation_scale,
            inflate_when=inflate_when,
            shrink_factor=shrink_factor,
            taper_support=taper_support,
            adaptive=adaptive,
            localization=localization,
            init_epochs=init_epochs,
            warm_epochs=warm_epochs,
            optimizer=optimizer,
            reset_optimizer=reset_optimizer,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            bootstrap=bootstrap,
            prior_scale=prior_scale,
            anchored=anchored,
            replay_size=replay_size,
            forgetting_factor=forgetting_factor,
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
        self.normalize_y = normalize_y

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> "DeepEnsembleFilterRegressor":
        """Assimilate new rows: one round on them and on what was seen before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The new rows.
        y : array-like of shape (n_samples,)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the new rows.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input is malformed, parameters do not go together, or training diverges.
        """
        with self._kept_on_failure():
            resume = hasattr(self, "posterior_")
            X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=not resume)
            y = np.asarray(y, dtype=np.float64)
            if not resume:
                return self._fit_validated(X, y, sample_weight, resume=False)
            return self._assimilate(X, y, sample_weight)

    def _compare(self, X: Any, y: Any, sample_weight: Any) -> tuple[SpreadSkill, int] | None:
        """Spread and error of the ensemble on rows that it was not trained on."""
        if self.posterior_.n_draws < 2:
            return None
        mean, noise = self._mean_and_noise(X)
        return spread_skill(mean, y, noise=noise, sample_weight=sample_weight), X.shape[0]
