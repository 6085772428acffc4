"""Classification by the deep ensemble filter: an ensemble that follows growing data."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator, new_random_state
from skbayes._sklearn import Interval, StrOptions, _fit_context
from skbayes.supervised._classifier import BaseStackClassifier
from skbayes.supervised._epochs import EpochsMixin
from skbayes.supervised._inflation import additive, spread
from skbayes.supervised._likelihood import Likelihood
from skbayes.supervised._replay import Replay


class DeepEnsembleFilterClassifier(EpochsMixin, BaseStackClassifier):
    r"""Deep ensemble treated as a filter over growing data.

    The first ``fit`` trains a deep ensemble: members of one architecture, each from its own initial
    weights and with its own shuffles. Every later round, ``fit`` with ``warm_start=True`` on all
    data so far or ``partial_fit`` on the new rows, assimilates the data: the ensemble is
    **inflated**, every member's weights moved by noise, and then **localised**, every member
    re-converging from there, in its own mode, on the data so far. The noise is what keeps the
    members apart; without it they are hot starts.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Widths of the hidden layers; ``()`` is logistic regression.
    activation : str, default="relu"
        ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"`` or another key of
        :data:`skbayes.nn.ACTIVATIONS`.
    n_members : int, default=10
        Number of members. All train together, as one stacked network.
    inflation : {"additive"} or None, default="additive"
        ``"additive"``: Gaussian noise on every weight before re-convergence, as published.
        ``None``: none (hot start).
    inflation_scale : float, default=1.0
        Standard deviation of the noise, in units of each tensor's spread when it was initialised.
        Larger values explore: worse at first, better late.
    localization : {"mode"}, default="mode"
        ``"mode"``: every member re-converges in the mode that it is in.
    init_epochs : int, default=100
        Number of passes through the data in the first fit.
    warm_epochs : int, default=40
        Number of passes in every later round; 0 leaves the members where inflation put them.
    learning_rate : {"cosine", "constant"}, default="cosine"
        Whether the rate falls to zero over every round.
    learning_rate_init : float, default=0.01
        Rate of Adam at the start of a round. Its moments are forgotten between rounds.
    batch_size : int or "auto", default="auto"
        Rows a step; ``"auto"`` is ``min(200, n_samples)``.
    prior_scale : float, "fan_in" or None, default=1.0
        Standard deviation of a Gaussian prior, which makes every member a posterior mode of all N
        data: a number is that of every weight and bias, ``"fan_in"`` is
        :math:`1/\sqrt{\text{fan in}}` for weights and 1 for biases, ``None`` is a flat prior, as
        published.
    replay_size : int, default=10000
        Number of rows that are kept for ``partial_fit``, a uniform sample of all seen once there
        are more; they are part of a pickle. With 0 ``partial_fit`` sees the new rows only.
    early_stopping : bool, default=False
        Whether a round ends when the loss on held-back rows, the mean over members, stops falling.
    validation_fraction : float, default=0.1
        Share of the rows held back, with ``early_stopping``.
    n_iter_no_change : int, default=10
        Number of epochs without improvement that end a round, with ``early_stopping``.
    tol : float, default=1e-4
        Least improvement that counts, in nats a row.
    module : callable, default=None
        Class or function ``(n_features, n_outputs, **module_params) -> torch.nn.Module`` for a
        network of your own, which returns logits.
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
    classes_ : ndarray of shape (n_classes,)
        Class labels.
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
    successors describe. "Localization" is used there in the sense given above.

    References
    ----------
    L. Ulrych and V. Smidl, Deep ensemble filter for active learning, Technical Report 2383,
    UTIA, Czech Academy of Sciences, 2020.

    M. Sahan, V. Smidl and R. Marik, Active learning for text classification and fake news
    detection, ISCSIC 2021, algorithm 1.

    B. Lakshminarayanan, A. Pritzel and C. Blundell, Simple and scalable predictive uncertainty
    estimation using deep ensembles, NeurIPS 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbayes import DeepEnsembleFilterClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = DeepEnsembleFilterClassifier((10,), n_members=5, random_state=0).fit(X[::2], y[::2])
    >>> clf = clf.partial_fit(X[1::2], y[1::2])  # the new rows; the old ones are replayed
    >>> clf.n_rounds_
    2
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseStackClassifier._parameter_constraints,
        **EpochsMixin._epoch_constraints,
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "inflation": [StrOptions({"additive"}), None],
        "inflation_scale": [Interval(Real, 0, None, closed="left")],
        "localization": [StrOptions({"mode"})],
        "init_epochs": [Interval(Integral, 1, None, closed="left")],
        "warm_epochs": [Interval(Integral, 0, None, closed="left")],
        "replay_size": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        n_members=10,
        inflation="additive",
        inflation_scale=1.0,
        localization="mode",
        init_epochs=100,
        warm_epochs=40,
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size="auto",
        prior_scale=1.0,
        replay_size=10000,
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_members = n_members
        self.inflation = inflation
        self.inflation_scale = inflation_scale
        self.localization = localization
        self.init_epochs = init_epochs
        self.warm_epochs = warm_epochs
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.prior_scale = prior_scale
        self.replay_size = replay_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.module = module
        self.module_params = module_params
        self.skorch_callbacks = skorch_callbacks
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def _fit_validated(
        self, X: Any, y: Any, sample_weight: Any, classes: np.ndarray, *, resume: bool
    ) -> "DeepEnsembleFilterClassifier":
        super()._fit_validated(X, y, sample_weight, classes, resume=resume)
        # fit is given all data so far: what was kept before is part of it
        self._replay = Replay(new_random_state(self._random_state.randint(2**31 - 1)))
        self._replay.add(X, y, sample_weight, self.replay_size)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "DeepEnsembleFilterClassifier":
        """Assimilate new rows: one round on them and on what was seen before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The new rows.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever be seen; by default those of the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the new rows.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If ``y`` has a class that the first call was not told of.
        """
        with self._kept_on_failure():
            return self._partial_fit(X, y, classes, sample_weight)

    def _partial_fit(
        self, X: Any, y: Any, classes: Any, sample_weight: Any
    ) -> "DeepEnsembleFilterClassifier":
        resume = hasattr(self, "posterior_")
        X, y, sample_weight = self._validate_rows(X, y, sample_weight, reset=not resume)
        known = np.unique(y)
        if resume and not np.isin(known, self.classes_).all():
            raise ValueError(
                f"y has classes {np.setdiff1d(known, self.classes_).tolist()} that the first call "
                f"of partial_fit was not told of; known are {self.classes_.tolist()}"
            )
        if classes is not None:
            classes = np.unique(classes)
            if resume and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes={classes.tolist()} differ from those of the first call, "
                    f"{self.classes_.tolist()}"
                )
            if not np.isin(known, classes).all():
                raise ValueError(
                    f"y has labels {np.setdiff1d(known, classes).tolist()} that are not in "
                    f"classes={classes.tolist()}"
                )
            known = classes
        elif resume:
            known = self.classes_
        if not resume:
            return self._fit_validated(X, y, sample_weight, known, resume=False)
        data = self._replay.with_new(X, y, sample_weight)
        super()._fit_validated(*data, known, resume=True)
        self._replay.add(X, y, sample_weight, self.replay_size)
        return self

    def _fill(
        self, rows: Rows, likelihood: Likelihood, rng: np.random.RandomState, *, resume: bool
    ) -> dict[str, Any]:
        stack = self._build_stack(rows, likelihood, self.n_members, rng)
        if resume:
            unit = self.initial_spread_
            self._continue_from(stack, self.posterior_, likelihood)
            stack.to(rows.device)
            if self.inflation == "additive":
                noise = make_generator(rng, rows.device)
                moved = {name: p for name, p in stack.named_parameters() if p.requires_grad}
                additive(moved, self.inflation_scale, unit, noise)
        else:
            unit = spread(dict(stack.named_parameters()))
        epochs = self.warm_epochs if resume else self.init_epochs
        trained = self._train_epochs(stack, rows, likelihood, rng, epochs)
        net = trained["net_"]
        return {
            **trained,
            "posterior_": Posterior(net.module_),
            "initial_spread_": unit,
            "n_rounds_": self.n_rounds_ + 1 if resume else 1,
        }
