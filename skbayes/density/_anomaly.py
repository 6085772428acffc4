"""Anomaly detection by a variational autoencoder."""

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from skbayes._engine.mapped import rows_of
from skbayes._sklearn import Interval, StrOptions
from skbayes.density._base import AUTO_STEPS, BaseVAE
from skbayes.density._contributions import ContributionsMixin
from skbayes.density._labels import LabelsMixin
from skbayes.density._objective import LIKELIHOOD_BASED, Settings
from skbayes.density._reference import N_CONTAMINATED
from skbayes.density._robust import TRIM, screen, spread_of_kept
from skbayes.density._stream import StreamMixin

#: Weight of the divergence where ``beta="auto"``: hardly any. What a row costs to encode tells
#: anomalies less well than how it is decoded; the score brings a density of its own.
RANKING_BETA = 0.01
#: Standard deviation of the output, in units of the data's spread, where ``noise="auto"``: a width
#: of the mixture over decoded codes, which a learned one is too narrow for, or reaches too slowly
#: in columns of heavy tails (AUC on two of fourteen sets higher by .05 and .02, else the same).
RANKING_NOISE = 0.4
#: Scores that ask the model's own prior: they are for codes that training has drawn to it.
ASKING_PRIOR = frozenset({"elbo", "iwae", "latent", "jacobian"})


class VAEAnomalyDetector(OutlierMixin, LabelsMixin, ContributionsMixin, StreamMixin, BaseVAE):
    r"""Anomaly detector that scores rows by a variational autoencoder.

    The autoencoder models the training rows (:class:`VAE` says how); rows that it gives a low score
    are anomalous. Meant for standardised features. Where some labels are known, ``fit_labels``
    corrects the score by a small head, and leaves the density as it is.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Width of the code; ``"auto"`` is three quarters of the number of features, between 2 and 64.
        It may exceed the number of features.
    hidden_layer_sizes : array-like of int or int, default=(96, 96)
        Hidden layers of the encoder; the decoder has them in reverse. ``()`` makes both linear, a
        probabilistic PCA.
    activation : str, default="silu"
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    image_shape : tuple of int, default=None
        ``(height, width)`` or ``(channels, height, width)`` where rows are flat images: encoder and
        decoder are then convolutional, with ``hidden_layer_sizes`` between convolutions and code,
        and rows are standardised by one mean and scale a channel (but for a Bernoulli).
    channels : "auto" or array-like of int, default="auto"
        With ``image_shape``: channels of the convolutional blocks, each of which halves the image.
        ``"auto"`` is as many of 16, 32, 64 as leave a side of four pixels. Images of more than 400
        pixels are made smaller before, by turning patches into channels.
    kernel_size : int, default=3
        Of the convolutions; odd.
    encoder : callable, default=None
        A class or function that makes a network of your own: ``(n_features, 2 * n_components) ->
        torch.nn.Module``, called once a member. The module maps rows ``(n_rows, n_features)`` to
        means and logarithms of variances of codes, side by side.
    decoder : callable, default=None
        Likewise ``(n_components, n_features) -> torch.nn.Module``: from codes to means of rows.
    n_members : int, default=4
        Number of autoencoders that train together, each from its own initial weights. The
        score is the mean of theirs.
    criterion : str, default="elbo"
        What training minimises: ``"elbo"`` (evidence lower bound), ``"iwae"`` (importance-weighted
        bound), ``"mse"`` (plain autoencoder), ``"mmd"`` (Wasserstein autoencoder: maximum mean
        discrepancy of the codes from the prior), ``"adversarial"`` (a discriminator of codes),
        ``"mmd+adversarial"``, ``"vae-gan"`` (the error is taken in the features of a discriminator
        of rows) or ``"stein"`` (kernel Stein discrepancy of the codes from the prior). All but
        ``"elbo"``, ``"iwae"`` and ``"vae-gan"`` have a deterministic encoder.
    beta : float or "auto", default="auto"
        Weight of the divergence of the codes from the prior. ``"auto"`` is 0.01 for a
        bound (which is then a trade-off, no bound), but 1 where the score asks the prior
        (``"elbo"``, ``"iwae"``, ``"latent"``, ``"jacobian"``); what the papers have for the other
        criteria.
    kernel : {"imq", "rbf", "rq"}, default="imq"
        Kernel of ``criterion="mmd"``: inverse multiquadrics, Gaussians or rational quadratics,
        summed over several scales.
    prior : {"normal", "ard", "mixture", "corners", "vamp"} or callable, default="normal"
        Distribution of the codes: standard normal; normal with a learned variance a component,
        which switches off components that are not needed; a learned mixture of Gaussians; narrow
        Gaussians at random corners of a cube; what the encoder makes of learned pseudo-rows. Those
        that are learned need a criterion with an encoder that draws. A callable ``(n_samples,
        n_components, random_state) -> codes`` is for the criteria that need draws only: ``"mmd"``,
        ``"adversarial"`` and ``"mmd+adversarial"``.
    n_prior_components : int, default=8
        Number of Gaussians of a prior that is a mixture.
    likelihood : {"gaussian", "bernoulli", "student_t"}, default="gaussian"
        Distribution of a row given its code; Bernoulli needs values between 0 and 1.
    noise : {"auto", "per_feature", "shared"} or float, default="auto"
        Whether every feature has its own learned output variance (of a Student-t: squared scale),
        or all share one; a number is a fixed standard deviation (of standardised values with
        ``robust`` or ``image_shape``, which standardise). ``"auto"`` is 0.4 of the data's
        spread, fixed, where ``beta="auto"`` is 0.01 and the likelihood is Gaussian; else, and for
        images, ``"shared"`` for images and ``"per_feature"`` for tables.
    input_noise : float, array-like of float or None, default=(0.05, 0.1, 0.2, 0.4, 0.8)
        Standard deviation of the noise on what the encoder sees in training, in units of the
        data's spread; of several, one is drawn for every row. Three rows in ten stay clean.
    n_train_samples : int, default=5
        Number of codes a row in training, with ``criterion="iwae"``.
    kl_warm_up : float, default=0.0
        Share of the steps over which ``beta`` rises from zero.
    score_method : str, default="auto"
        What ``score_samples`` is made of. ``"auto"`` is
        ``"reconstruction+code_density+mixture"``, of images without the mixture.
        Names may be joined by ``+``. ``"elbo"``, ``"iwae"`` (importance-weighted log-likelihood),
        ``"aggregate"`` (the same, with the training rows' codes as prior), ``"mixture"`` (over
        decoded training codes) and ``"jacobian"`` (change of variables) are log-densities;
        ``"reconstruction"`` (log-likelihood given the mean code), ``"reconstruction_sampled"``
        (given drawn ones), ``"latent"`` (prior of the mean code), ``"code_density"`` (a mixture of
        Gaussians of training codes) and ``"neighbours"`` (minus the distance to the nearest
        training codes) are not. The user guide has the table of which criterion allows which.
    n_importance : int, default=20
        Number of codes drawn for a score, the same noise for every row, so that a row's score does
        not depend on its neighbours.
    robust : bool, default=False
        Whether the training rows hold anomalies, unmarked. A coarse model then screens the rows,
        the fifth that it finds oddest is left out, the rest is standardised anew, and training
        trims a tenth of every batch. On clean rows this costs a little.
    contamination : float or "auto", default="auto"
        Share of the training rows that ``predict`` calls anomalous, in (0, 0.5]. ``"auto"`` is 0.1.
    max_iter : int or "auto", default="auto"
        Number of passes through the data; ``"auto"`` makes about 500 steps of them, whatever the
        number of rows (300 with ``image_shape``; of tables 1000 where the score asks the prior).
    learning_rate_init : float, default=0.003
        Rate of Adam at the start; it falls to zero along a cosine.
    batch_size : int, default=128
        Rows a step.
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
        Whether ``fit`` goes on from the weights of the last ``fit``.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    dtype : {"float32", "float64"}, default=None
        Type to compute in; by default that of X. Scores are float64.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffles and noise.
    verbose : int, default=0
        1 prints a row of the history as it comes.

    Attributes
    ----------
    offset_ : float
        ``decision_function`` is ``score_samples - offset_``; the ``contamination`` quantile of the
        training scores (of those of a sample after ``partial_fit``), 0 after ``fit_labels``.
    posterior_ : Posterior
        The members; ``posterior_.module`` is a :class:`skbayes.nn.StackedVAE`.
    n_components_ : int
        Width of the code.
    active_components_ : ndarray of int
        Components of the first member's code that tell rows apart: the variance of their mean is
        more than a hundredth of the prior's.
    noise_variance_ : ndarray of shape (n_features,)
        Output variance, mean over members.
    history_ : dict of ndarray
        ``epoch``, ``train_loss`` (the criterion a row, mean over members), ``dur``,
        ``learning_rate``, ``valid_loss`` with ``early_stopping``.
    n_iter_ : int
        Number of epochs.
    n_samples_seen_ : int
        Number of rows of ``fit``, and of ``partial_fit`` since.
    net_ : skorch.NeuralNet
        The net that trained the members; not part of a pickle.
    device_ : torch.device
        Where the network lives.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    References
    ----------
    D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014.

    Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skbayes import VAEAnomalyDetector
    >>> from skbayes.metrics import anomaly_roc_auc_score
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X, malignant = scale(X), 1 - y
    >>> detector = VAEAnomalyDetector(max_iter=50, random_state=0).fit(X[y == 1][:200])
    >>> bool(anomaly_roc_auc_score(malignant, detector.score_samples(X)) > 0.9)
    True
    """

    # the noise of images is left to fall slowly, too: codes keep their weight in the score; and
    # more steps than these rank no better
    _noise_rates, _auto_steps = (1.0, 1.0), (500, 300)
    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseVAE._parameter_constraints,
        "robust": ["boolean"],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
    }

    def __init__(
        self,
        n_components="auto",
        hidden_layer_sizes=(96, 96),
        *,
        activation="silu",
        image_shape=None,
        channels="auto",
        kernel_size=3,
        encoder=None,
        decoder=None,
        n_members=4,
        criterion="elbo",
        beta="auto",
        kernel="imq",
        prior="normal",
        n_prior_components=8,
        likelihood="gaussian",
        noise="auto",
        input_noise=(0.05, 0.1, 0.2, 0.4, 0.8),
        n_train_samples=5,
        kl_warm_up=0.0,
        score_method="auto",
        n_importance=20,
        robust=False,
        contamination="auto",
        max_iter="auto",
        learning_rate_init=0.003,
        batch_size=128,
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
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.image_shape = image_shape
        self.channels = channels
        self.kernel_size = kernel_size
        self.encoder = encoder
        self.decoder = decoder
        self.n_members = n_members
        self.criterion = criterion
        self.beta = beta
        self.kernel = kernel
        self.prior = prior
        self.n_prior_components = n_prior_components
        self.likelihood = likelihood
        self.noise = noise
        self.input_noise = input_noise
        self.n_train_samples = n_train_samples
        self.kl_warm_up = kl_warm_up
        self.score_method = score_method
        self.n_importance = n_importance
        self.robust = robust
        self.contamination = contamination
        self.max_iter = max_iter
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
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

    def _after_fit(self, X: Any) -> None:
        scores = self._ranking(X)
        share = 0.1 if self.contamination == "auto" else self.contamination
        self._offset = float(np.percentile(scores, 100 * share))
        self._prepare_head(X, scores)

    @property
    def offset_(self) -> float:
        self._catch_up()
        if "_offset" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no offset_ before it is fitted")
        return self._offset

    def _ranking(self, X: Any) -> np.ndarray:
        """Score of the density alone: mean over members."""
        return self._sum_of(X, self._score_terms())

    def _auto_score(self) -> str:
        # of images, what is decoded hardly tells more than reconstruction does, and it would drown
        # what the codes tell
        mixture = "+mixture" if self.image_shape is None else ""
        return "reconstruction+code_density" + mixture

    def _n_gaussians(self) -> int:
        return N_CONTAMINATED if self.robust else super()._n_gaussians()

    def _asks_prior(self) -> bool:
        """Whether the score asks the model's own prior."""
        return not ASKING_PRIOR.isdisjoint(self._score_terms())

    def _ranks(self) -> bool:
        """Whether training is for a ranking, not for the bound of a density."""
        return self.criterion in LIKELIHOOD_BASED and not self._asks_prior()

    def _n_steps(self, image_shape):
        # codes take longer to be drawn to a prior: AUC of the bound on fourteen sets .903, of half
        # as many steps .884
        if image_shape is None and self._asks_prior():
            return AUTO_STEPS[0]
        return super()._n_steps(image_shape)

    def _noise_kind(self, image_shape, unit):
        table = image_shape is None and self.likelihood == "gaussian"
        if self.noise == "auto" and table and self._ranks():
            return RANKING_NOISE * unit
        return super()._noise_kind(image_shape, unit)

    def _settings(self, unit: float) -> Settings:
        settings = super()._settings(unit)
        if self.beta == "auto" and self._ranks():
            settings = replace(settings, beta=RANKING_BETA)
        return replace(settings, trim=TRIM) if self.robust else settings

    def _screen(self, X, image_shape, rng, device, dtype):
        if not self.robust:
            return super()._screen(X, image_shape, rng, device, dtype)
        kept = screen(X, rng, device, dtype, image_shape)
        moments = None if self.likelihood == "bernoulli" else spread_of_kept(X, kept, image_shape)
        return rows_of(X, kept), moments

    def score_samples(self, X: Any) -> np.ndarray:
        """Anomaly ranking score: higher is more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats: as ``score_method`` says, log-odds after ``fit_labels``.
        """
        return self._score_samples(self._validate_predict(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """Score above the threshold; negative for anomalies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If ``score_method`` has changed since ``fit``, which learned the threshold.
        """
        scores = self.score_samples(X)
        self._check_ranked_by()
        return scores - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Tell anomalies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            +1 for normal rows, -1 for anomalies.
        """
        check_is_fitted(self, "posterior_")
        return np.where(self.decision_function(X) < 0, -1, 1)
