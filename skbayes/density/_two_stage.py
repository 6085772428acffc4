"""Two-stage variational autoencoder: a second one models the codes of the first."""

import copy
import math
from numbers import Integral
from typing import Any, ClassVar, cast

import numpy as np
import torch
from sklearn.base import DensityMixin
from torch import Tensor

from skbayes._engine.build import check_hidden_layer_sizes, history_arrays, run
from skbayes._engine.posterior import Posterior
from skbayes._engine.rows import Rows
from skbayes._engine.seeds import make_generator
from skbayes._sklearn import Interval, StrOptions
from skbayes.density._base import BaseVAE
from skbayes.density._blocks import MIN_ROWS, cells_that_fit, row_blocks
from skbayes.density._objective import Settings
from skbayes.density._scores import log_weights
from skbayes.density._scoring import finite
from skbayes.density._second_stage import CodesNet, density_of_codes
from skbayes.density._training import make_net
from skbayes.nn import StackedVAE

#: Smallest standard deviation of an output, in units of the data's spread.
FLOOR = 1e-3
#: Where the second stage's output scale starts, of codes whose spread is about one. From one, like
#: the first stage's, it hardly falls, and what is drawn is told from the data more easily.
SECOND_START = 0.3
#: Codes a row in the bound of the second stage. With one, the bound asks for Gaussian posteriors of
#: the second code and is paid with a large output scale: edges and clusters of codes blur.
SECOND_SAMPLES = 5
#: Steps of the second stage where ``second_max_iter="auto"``: with 2000 it has hardly begun.
SECOND_STEPS = 6000


class TwoStageVAE(DensityMixin, BaseVAE):
    r"""Variational autoencoder whose codes are modelled by a second one.

    The first has one output scale :math:`\gamma` for all features, learned and free to fall to
    zero: then it reconstructs data on a manifold exactly, but its codes are not distributed as the
    prior, and what it draws does not look like the data. The second one, of the same width, is
    trained on draws of the first one's codes, which fill the space that they are in: nothing keeps
    it from learning their distribution. (Its bound has five importance samples; that of the paper
    has one, and blurs the distribution more.) Rows are drawn as
    :math:`u \sim \mathcal N(0, I)`, :math:`z = f_2(u) + \gamma_z \varepsilon`, :math:`x = f_1(z)`.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Width of the code, at least the dimension of the manifold; ``"auto"`` is three quarters of
        the number of features, between 2 and 64.
    hidden_layer_sizes : array-like of int or int, default=(96, 96)
        Hidden layers of the first encoder; the decoder has them in reverse.
    second_layer_sizes : array-like of int or int, default=(128, 128, 128)
        Hidden layers of the second encoder; the decoder has them in reverse.
    activation : str, default="silu"
        A key of :data:`skbayes.nn.ACTIVATIONS`.
    image_shape : tuple of int, default=None
        ``(height, width)`` or ``(channels, height, width)`` where rows are flat images, for which
        the first encoder and decoder are convolutional: as for :class:`VAE`.
    channels : "auto" or array-like of int, default="auto"
        With ``image_shape``: channels of the convolutional blocks, as for :class:`VAE`.
    kernel_size : int, default=3
        Of the convolutions; odd.
    encoder : callable, default=None
        A class or function that makes a network of your own for the first encoder, as for
        :class:`VAE`.
    decoder : callable, default=None
        Likewise for the first decoder.
    n_importance : int, default=50
        Number of codes drawn for a score, the same noise for every row, so that a row's score does
        not depend on its neighbours.
    max_iter : int or "auto", default="auto"
        Number of passes through the data in the first stage; ``"auto"`` makes about 6000 steps of
        them, with ``image_shape`` 2000, whatever the number of rows.
    second_max_iter : int or "auto", default="auto"
        Likewise in the second stage: about 6000 steps.
    learning_rate_init : float, default=0.003
        Rate of Adam at the start of either stage; it falls to zero along a cosine.
    batch_size : int, default=128
        Rows a step.
    skorch_callbacks : list of skorch.callbacks.Callback, default=None
        Passed through to skorch (copied in ``fit``), in the first stage.
    device : str or torch.device, default="auto"
        ``"auto"`` is CUDA where there is one, else the CPU.
    dtype : {"float32", "float64"}, default=None
        Type to compute in; by default that of X. Scores are float64.
    random_state : int, RandomState instance or None, default=None
        Determines initial weights, shuffles and noise.
    verbose : int, default=0
        1 prints a row of the first stage's history as it comes.

    Attributes
    ----------
    posterior_ : Posterior
        The first stage; ``posterior_.module`` is a :class:`skbayes.nn.StackedVAE`.
    second_posterior_ : Posterior
        The second stage, likewise.
    n_components_ : int
        Width of the code.
    active_components_ : ndarray of int
        Components of the first code that tell rows apart: the variance of their mean is more than a
        hundredth of the prior's.
    noise_variance_ : ndarray of shape (n_features,)
        Square of the first output scale; of images in units of the rows, hence one a channel.
    history_ : dict of ndarray
        ``epoch``, ``train_loss`` (minus the bound, a row), ``dur`` and ``learning_rate`` of the
        first stage.
    second_history_ : dict of ndarray
        ``epoch``, ``train_loss`` (minus the importance-weighted bound, a row) and
        ``learning_rate`` of the second.
    n_iter_ : int
        Number of epochs of the first stage.
    net_ : skorch.NeuralNet
        The net that trained the first stage; not part of a pickle.
    device_ : torch.device
        Where the networks live.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X had them.

    References
    ----------
    B. Dai and D. Wipf, Diagnosing and enhancing VAE models, ICLR 2019.

    Y. Burda, R. Grosse and R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skbayes import TwoStageVAE
    >>> angle = np.random.RandomState(0).uniform(0, 3, size=500)
    >>> X = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> model = TwoStageVAE(2, (32,), (32,), max_iter=200, second_max_iter=100, random_state=0)
    >>> radius = np.linalg.norm(model.fit(X).sample(100, random_state=0), axis=1)
    >>> bool(np.abs(radius - 1).mean() < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BaseVAE._parameter_constraints,
        "second_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "second_max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }
    for _name in ("validation_fraction", "n_iter_no_change", "tol"):
        del _parameter_constraints[_name]  # of early stopping, which there is none of

    # the choices of a VAE that the method makes itself
    n_members, early_stopping, warm_start = 1, False, False
    criterion, beta, kl_warm_up, input_noise = "elbo", 1.0, 0.0, None
    prior, likelihood, noise, score_method = "normal", "gaussian", "shared", "iwae"
    kernel, n_train_samples, n_prior_components = "imq", 1, 1
    for _name in set(_parameter_constraints) & set(vars()):
        del _parameter_constraints[_name]
    del _name
    _noise_floor, _auto_steps = FLOOR, (6000, 2000)
    _noise_rates = (5.0, 5.0)
    _random_state: np.random.RandomState

    def __init__(
        self,
        n_components="auto",
        hidden_layer_sizes=(96, 96),
        second_layer_sizes=(128, 128, 128),
        *,
        activation="silu",
        image_shape=None,
        channels="auto",
        kernel_size=3,
        encoder=None,
        decoder=None,
        n_importance=50,
        max_iter="auto",
        second_max_iter="auto",
        learning_rate_init=0.003,
        batch_size=128,
        skorch_callbacks=None,
        device="auto",
        dtype=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.second_layer_sizes = second_layer_sizes
        self.activation = activation
        self.image_shape = image_shape
        self.channels = channels
        self.kernel_size = kernel_size
        self.encoder = encoder
        self.decoder = decoder
        self.n_importance = n_importance
        self.max_iter = max_iter
        self.second_max_iter = second_max_iter
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.skorch_callbacks = skorch_callbacks
        self.device = device
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def _auto_score(self) -> str:
        return "iwae"

    def _fit_vae(self, X: Any, resume: bool, stream: Any = None) -> dict[str, Any]:
        self._check_second_layers()  # before the first stage, which takes long
        return super()._fit_vae(X, resume, stream)

    def _check_second_layers(self) -> list[int]:
        return check_hidden_layer_sizes(self.second_layer_sizes, "second_layer_sizes")

    @property
    def _second(self) -> StackedVAE:
        return cast(StackedVAE, self.second_posterior_.module)

    # -- the second stage -------------------------------------------------------------------------

    def _after_fit(self, X: Any) -> None:
        rng = copy.deepcopy(self._random_state)
        posterior, width = self.posterior_, self.n_components_
        rows = Rows(self._gaussians(X), device=posterior.device, dtype=posterior.dtype)
        second = StackedVAE(
            width,
            width,
            1,
            self._check_second_layers(),
            activation=self.activation,
            per_feature_noise=False,
            noise_floor=FLOOR,
            noise_rate=self._noise_rates[0],
            generator=make_generator(rng),
            dtype=posterior.dtype,
        )
        second.set_noise(torch.tensor(SECOND_START**2))
        batch_size = min(self.batch_size, len(rows))
        max_iter = self.second_max_iter
        if max_iter == "auto":
            max_iter = max(1, round(SECOND_STEPS / math.ceil(len(rows) / batch_size)))
        net = make_net(
            second,
            Settings(criterion="iwae", n_samples=SECOND_SAMPLES),
            rows,
            rng,
            batch_size=batch_size,
            max_iter=max_iter,
            learning_rate=self.learning_rate_init,
            net_class=CodesNet,
        )
        run(net, rows)
        net.module_.noise_generator = None
        self.second_posterior_ = Posterior(net.module_)
        if not self.second_posterior_.is_finite():
            raise ValueError(
                "Training of the second stage diverged: some weights are not finite. Use a smaller "
                "learning_rate_init."
            )
        self.second_history_ = history_arrays(net)

    def _gaussians(self, X: Any) -> np.ndarray:
        """Mean and log-variance of the first codes, side by side."""
        parts = []
        with torch.no_grad():
            for _, block in row_blocks(self.posterior_, X, self._block_cells()):
                parts.append(torch.cat(self._module.encode(block), -1)[0].cpu().numpy())
        return np.concatenate(parts)

    # -- what the two make together ---------------------------------------------------------------

    def sample(
        self, n_samples: int = 1, random_state: Any = None, *, add_noise: bool = False
    ) -> np.ndarray:
        """Draw rows: a code of the second stage, from it one of the first, and decode that.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Determines the draws.
        add_noise : bool, default=False
            Whether the first stage's noise is added to what it decodes. Where the data are on a
            manifold it is an error of reconstruction, no part of them.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)

        Raises
        ------
        ValueError
            If ``n_samples`` is not a positive integer.
        """
        return super().sample(n_samples, random_state, add_noise=add_noise)

    def _drawn_locations(
        self, n_rows: int, rng: np.random.RandomState, generator: torch.Generator
    ) -> Tensor:
        second, posterior = self._second, self.posterior_
        shape = (1, n_rows, self.n_components_)
        draw = torch.empty(shape, dtype=posterior.dtype, device=posterior.device)
        location = second.decode(draw.normal_(generator=generator))
        return self._module.decode(second.likelihood.draw(second.distribution(location), generator))

    def score_samples(self, X: Any) -> np.ndarray:
        r"""Log-density of rows under both stages together, estimated by importance weights.

        A pair of codes is drawn from the two encoders, :math:`z \sim q_1(z \mid x)` and
        :math:`u \sim q_2(u \mid z)`; the mean of

        .. math:: \frac{p_1(x \mid z) \, p_2(z \mid u) \, p(u)}{q_1(z \mid x) \, q_2(u \mid z)}

        estimates the density of rows with the first stage's noise (``add_noise=True`` in
        ``sample``). On a manifold it has no bound: it grows as :math:`\gamma` falls, for rows on
        the manifold, and says of others how far they are from it in units of :math:`\gamma`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats.
        """
        X = self._validate_predict(X)
        first, second, posterior = self._module, self._second, self.posterior_
        noise = self._code_noise(2 * self.n_importance)
        pairs = noise.chunk(2, dim=1)
        widest = max(first.width, second.width)
        cells = cells_that_fit(posterior, widest)
        step = min(self.n_importance, max(1, cells // MIN_ROWS))
        scores = []
        with torch.no_grad():
            for _, block in row_blocks(posterior, X, cells // step):
                parts = [
                    torch.logsumexp(
                        log_weights(first, block, own, density_of_codes(second, other)), 1
                    )
                    for own, other in zip(*(n.split(step, dim=1) for n in pairs), strict=True)
                ]
                scores.append(torch.logsumexp(torch.stack(parts), 0).double().cpu().numpy())
        return finite(np.concatenate(scores, axis=1)[0]) - math.log(self.n_importance)

    def log_density(self, X: Any) -> np.ndarray:
        """The same as ``score_samples``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats.
        """
        return self.score_samples(X)

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
