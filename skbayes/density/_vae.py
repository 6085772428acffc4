"""Density estimation and codes by a variational autoencoder."""

from typing import Any

import numpy as np
from sklearn.base import DensityMixin

from skbayes.density._allowed import is_density, why_not
from skbayes.density._base import BaseVAE
from skbayes.density._contributions import ContributionsMixin
from skbayes.density._scores import DENSITIES
from skbayes.density._stream import StreamMixin


class VAE(DensityMixin, ContributionsMixin, StreamMixin, BaseVAE):
    r"""Variational autoencoder: a density estimator, and a transformer to codes.

    The model is :math:`z \sim \mathcal N(0, I)`, :math:`x \mid z \sim \mathcal N(f(z),
    \operatorname{diag} \sigma^2)` with a learned :math:`\sigma^2`; it is fitted by the
    reparametrised evidence lower bound with the analytic divergence. Meant for standardised
    features.

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
    n_members : int, default=1
        Number of autoencoders that train together, each from its own initial weights. The
        density is their mean.
    criterion : str, default="elbo"
        What training minimises: ``"elbo"`` (evidence lower bound), ``"iwae"`` (importance-weighted
        bound), ``"mse"`` (plain autoencoder), ``"mmd"`` (Wasserstein autoencoder: maximum mean
        discrepancy of the codes from the prior), ``"adversarial"`` (a discriminator of codes),
        ``"mmd+adversarial"``, ``"vae-gan"`` (the error is taken in the features of a discriminator
        of rows) or ``"stein"`` (kernel Stein discrepancy of the codes from the prior). All but
        ``"elbo"``, ``"iwae"`` and ``"vae-gan"`` have a deterministic encoder.
    beta : float or "auto", default="auto"
        Weight of the divergence of the codes from the prior. ``"auto"`` is 1 for a
        bound, and what the papers have for the others.
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
        or all share one; ``"auto"`` is ``"shared"`` for images, else ``"per_feature"``. A number is
        a fixed standard deviation (with ``image_shape``, which standardises, of the standardised
        values).
    input_noise : float, array-like of float or None, default=None
        Standard deviation of the noise on what the encoder sees in training, in units of the
        data's spread; of several, one is drawn for every row. Three rows in ten stay clean.
    n_train_samples : int, default=5
        Number of codes a row in training, with ``criterion="iwae"``.
    kl_warm_up : float, default=0.0
        Share of the steps over which ``beta`` rises from zero.
    score_method : str, default="auto"
        What ``score_samples`` is made of. ``"auto"`` is ``"iwae"`` where there is one, else
        ``"mixture"``.
        Names may be joined by ``+``. ``"elbo"``, ``"iwae"`` (importance-weighted log-likelihood),
        ``"aggregate"`` (the same, with the training rows' codes as prior), ``"mixture"`` (over
        decoded training codes) and ``"jacobian"`` (change of variables) are log-densities;
        ``"reconstruction"`` (log-likelihood given the mean code), ``"reconstruction_sampled"``
        (given drawn ones), ``"latent"`` (prior of the mean code), ``"code_density"`` (a mixture of
        Gaussians of training codes) and ``"neighbours"`` (minus the distance to the nearest
        training codes) are not. The user guide has the table of which criterion allows which.
    n_importance : int, default=50
        Number of codes drawn for a score, the same noise for every row, so that a row's score does
        not depend on its neighbours.
    max_iter : int or "auto", default="auto"
        Number of passes through the data; ``"auto"`` makes about 1000 steps of them, whatever the
        number of rows.
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

    M. E. Tipping and C. M. Bishop, Probabilistic principal component analysis, JRSS B 61 (1999):
    the linear case.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skbayes import VAE
    >>> X = scale(load_iris().data)
    >>> vae = VAE(2, (16,), max_iter=200, random_state=0).fit(X)
    >>> vae.transform(X).shape, vae.sample(5, random_state=0).shape
    ((150, 2), (5, 4))
    >>> bool(vae.score(X) > vae.score(X + 5))
    True
    """

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
        n_members=1,
        criterion="elbo",
        beta="auto",
        kernel="imq",
        prior="normal",
        n_prior_components=8,
        likelihood="gaussian",
        noise="auto",
        input_noise=None,
        n_train_samples=5,
        kl_warm_up=0.0,
        score_method="auto",
        n_importance=50,
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

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-density of rows, as ``score_method`` estimates it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats.

        Raises
        ------
        ValueError
            If ``score_method="reconstruction"``, which has no density.
        """
        X = self._validate_predict(X)
        return self._score_of(X, self._density_terms())

    def _density_terms(self) -> tuple[str, ...]:
        terms = self._score_terms()
        if not is_density(terms):
            raise ValueError(
                f"score_method={self.score_method!r} is a score but not a log-density; "
                f"VAE.score_samples needs one of {sorted(DENSITIES)} (VAEAnomalyDetector takes "
                "every score)"
            )
        return terms

    def _score_of(self, X: np.ndarray, terms: tuple[str, ...]) -> np.ndarray:
        return self._log_density(X, terms[0])

    def _split_terms(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        terms = self._density_terms()
        # the logarithm of several members' mean is no sum over features
        return ((), terms) if self.posterior_.n_draws > 1 else super()._split_terms()

    def _auto_score(self) -> str:
        # the bound is a density of the model as it was trained; where there is none (no prior, or
        # no encoder that draws), the training rows' codes are the prior
        return (
            "iwae"
            if why_not("iwae", self.criterion, self.prior, self.likelihood) is None
            else "mixture"
        )

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-density of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : None
            Not used.

        Returns
        -------
        float
            In nats a row.
        """
        return float(self.score_samples(X).mean())
