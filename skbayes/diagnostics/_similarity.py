"""How alike networks are: in weights, in predictions, and what a set of them disagrees about."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import entr

from skbayes._draws import mean_entropy
from skbayes.diagnostics._distances import _check_numbers, _check_probabilities
from skbayes.diagnostics._plotting import new_axes
from skbayes.diagnostics._weights import check_weights, count_draws, gram


def weight_cosine(params: Any) -> np.ndarray:
    """Cosine of the angle between the weights of every two networks.

    Parameters
    ----------
    params : mapping of str to array-like, or sequence of such mappings
        Names -> values with a leading axis of draws, members or checkpoints, as
        ``posterior_.params`` and ``WeightHistory.trajectory`` give them. Those of several mappings
        are joined. All tensors of a network count as one long vector.

    Returns
    -------
    ndarray of shape (n_draws, n_draws)
        Symmetric, 1 on the diagonal; nan where all weights of a network are 0.

    Raises
    ------
    ValueError
        If ``params`` are not finite numbers of matching shapes.

    See Also
    --------
    prediction_disagreement : What the same networks say.
    MatrixDisplay : Draws it.

    Notes
    -----
    A small cosine alone does not mean another function: hidden units may change places.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> from skbayes.diagnostics import weight_cosine
    >>> weight_cosine({"weight": [[1.0], [0.0], [3.0]], "bias": [[0.0], [2.0], [4.0]]})
    array([[1. , 0. , 0.6],
           [0. , 1. , 0.8],
           [0.6, 0.8, 1. ]])
    """
    weights = check_weights(params)
    products = gram(weights, weights)
    norms = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore"):
        # normalised in two steps: the product of two norms may overflow
        cosine = products / norms[:, None] / norms
    cosine = np.clip(cosine, -1.0, 1.0)
    np.fill_diagonal(cosine, np.where(norms > 0, 1.0, np.nan))
    return cosine


def prediction_disagreement(proba: Any) -> np.ndarray:
    r"""Share of rows on which every two networks predict another class.

    .. math:: d_{ij} = \frac1N \sum_n
        [\operatorname{argmax}_c p_{inc} \ne \operatorname{argmax}_c p_{jnc}]

    Parameters
    ----------
    proba : array-like of shape (n_draws, n_samples, n_classes), or sequence of such arrays
        Class probabilities, as ``sample_proba`` and ``predict_at`` give them. The draws of several
        arrays, for the same rows, are joined.

    Returns
    -------
    ndarray of shape (n_draws, n_draws)
        Symmetric, 0 on the diagonal.

    Raises
    ------
    ValueError
        If ``proba`` are not probabilities of this shape.

    See Also
    --------
    weight_cosine : How far apart the weights are.
    diversity_accuracy : Disagreement with one network, against accuracy.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> from skbayes.diagnostics import prediction_disagreement
    >>> prediction_disagreement([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.7, 0.3]]])
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    winners = join_probabilities(proba)[0].argmax(axis=-1)  # (draws, rows)
    # draw by draw: no array of (draws, draws, rows)
    return np.stack([(winners != winner).mean(axis=1) for winner in winners])


def jensen_shannon_diversity(proba: Any, *, per_row: bool = False) -> Any:
    r"""Jensen-Shannon divergence of the draws' predictions, averaged over rows.

    .. math:: H\Bigl[\frac1S \sum_s p_s\Bigr] - \frac1S \sum_s H[p_s]

    The mutual information of prediction and draw: what BALD scores and ``predict_uncertainty``
    calls epistemic.

    Parameters
    ----------
    proba : array-like of shape (n_draws, n_samples, n_classes), or sequence of such arrays
        Class probabilities; the draws of several arrays, for the same rows, are joined.
    per_row : bool, default=False
        Whether to tell it row by row.

    Returns
    -------
    float or ndarray of shape (n_samples,)
        In nats, between 0 (all draws say the same) and the logarithm of the number of draws.

    Raises
    ------
    ValueError
        If ``proba`` are not probabilities of this shape.

    See Also
    --------
    prediction_disagreement : Sees the winning class alone, pair by pair.

    References
    ----------
    Fort, Hu, Lakshminarayanan (2019), *Deep ensembles: a loss landscape perspective*,
    arXiv:1912.02757.

    Examples
    --------
    >>> from skbayes.diagnostics import jensen_shannon_diversity
    >>> round(jensen_shannon_diversity([[[1.0, 0.0]], [[0.0, 1.0]]]), 4)  # log 2
    0.6931
    """
    draws, _ = join_probabilities(proba)
    draws = np.clip(draws, 0.0, None)
    diversity = entr(draws.mean(axis=0)).sum(axis=-1) - mean_entropy(draws)
    diversity = np.maximum(diversity, 0.0)  # rounding alone can make it negative
    return diversity if per_row else float(diversity.mean())


def join_probabilities(proba: Any, name: str = "proba") -> tuple[np.ndarray, list[int]]:
    """Check class probabilities and join the draws of several arrays.

    Parameters
    ----------
    proba : array-like of shape (n_draws, n_samples, n_classes), or sequence of such arrays
    name : str, default="proba"
        For messages.

    Returns
    -------
    draws : ndarray of shape (n_draws, n_samples, n_classes)
        In float64.
    sizes : list of int
        Number of draws of every array.

    Raises
    ------
    ValueError
        If they are not probabilities of this shape, or not for the same rows and classes.
    """
    several = isinstance(proba, Sequence) and {np.ndim(part) for part in proba} == {3}
    parts = list(proba) if several else [proba]
    arrays: list[np.ndarray] = []
    for k, part in enumerate(parts):
        label = f"{name}[{k}]" if several else name
        array = np.asarray(part)
        if array.ndim != 3:
            raise ValueError(
                f"{label} must be of shape (draws, rows, classes); got an array of shape "
                f"{array.shape}"
            )
        _check_probabilities(array, label)
        if arrays and array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"{label} is of {array.shape[1]} rows and {array.shape[2]} classes, those before "
                f"of {arrays[0].shape[1]} and {arrays[0].shape[2]}; they must be the same"
            )
        arrays.append(array.astype(np.float64))
    return np.concatenate(arrays), [len(array) for array in arrays]


class MatrixDisplay:
    """A matrix over draws, members or checkpoints as an image.

    Made by :meth:`from_weights` or :meth:`from_predictions`. With several runs lines divide them.

    Parameters
    ----------
    matrix : array-like of shape (n_draws, n_draws)
        For example from :func:`weight_cosine` or :func:`prediction_disagreement`.
    sizes : sequence of int, default=None
        Number of draws of every run; one run by default.
    run_names : sequence of str, default=None
        Names of the runs.
    label : str, default=None
        What the numbers are, for the colour bar.

    Attributes
    ----------
    image_ : matplotlib AxesImage
        The matrix.
    ax_ : matplotlib Axes
        Axes with the image.
    figure_ : matplotlib Figure
        Figure with the axes.

    See Also
    --------
    weight_cosine, prediction_disagreement : The matrices.

    Examples
    --------
    >>> from skbayes.diagnostics import MatrixDisplay
    >>> run_1 = {"weight": [[1.0, 0.0], [1.0, 0.5]]}  # two checkpoints
    >>> run_2 = {"weight": [[0.0, 1.0], [-0.5, 1.0]]}
    >>> display = MatrixDisplay.from_weights([run_1, run_2], run_names=["first", "second"])
    >>> display.matrix.shape
    (4, 4)
    """

    def __init__(
        self,
        matrix: Any,
        *,
        sizes: Sequence[int] | None = None,
        run_names: Sequence[str] | None = None,
        label: str | None = None,
    ) -> None:
        self.matrix = _check_numbers(matrix, "matrix")
        self.sizes = [len(self.matrix)] if sizes is None else list(sizes)
        self.run_names = run_names
        self.label = label
        if self.matrix.shape != (sum(self.sizes),) * 2:
            raise ValueError(
                f"matrix has shape {self.matrix.shape}, and sizes={self.sizes} make "
                f"{sum(self.sizes)} draws"
            )
        if run_names is not None and len(run_names) != len(self.sizes):
            raise ValueError(f"run_names has {len(run_names)} names for {len(self.sizes)} runs")

    @classmethod
    def from_weights(
        cls,
        params: Any,
        *,
        run_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "MatrixDisplay":
        """Draw the cosines of weights.

        Parameters
        ----------
        params : mapping of str to array-like, or sequence of such mappings
            As for :func:`weight_cosine`; a mapping is a run.
        run_names : sequence of str, default=None
            Names of the runs.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        MatrixDisplay
            What was drawn.
        """
        matrix = weight_cosine(params)
        runs = params if isinstance(params, Sequence) else [params]
        sizes = [count_draws(run) for run in runs]
        made = cls(matrix, sizes=sizes, run_names=run_names, label="Cosine of weights")
        # colours meet at 0, orthogonal
        return made.plot(ax=ax, **{"vmin": -1, "vmax": 1, "cmap": "RdBu_r", **kwargs})

    @classmethod
    def from_predictions(
        cls,
        proba: Any,
        *,
        run_names: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "MatrixDisplay":
        """Draw the disagreement of predictions.

        Parameters
        ----------
        proba : array-like of shape (n_draws, n_samples, n_classes), or sequence of such arrays
            As for :func:`prediction_disagreement`; an array is a run.
        run_names : sequence of str, default=None
            Names of the runs.
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`plot`.

        Returns
        -------
        MatrixDisplay
            What was drawn.
        """
        draws, sizes = join_probabilities(proba)
        matrix = prediction_disagreement(draws)
        made = cls(matrix, sizes=sizes, run_names=run_names, label="Share of rows disagreed on")
        return made.plot(ax=ax, **{"vmin": 0, **kwargs})

    def plot(self, *, ax: Any = None, **kwargs: Any) -> "MatrixDisplay":
        """Draw the matrix, the first draw at the bottom left.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; new ones by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        MatrixDisplay
            This object, with what was drawn.
        """
        self.ax_ = new_axes()[0] if ax is None else ax
        self.figure_ = self.ax_.figure
        style = {"origin": "lower", "interpolation": "nearest", **kwargs}
        self.image_ = self.ax_.imshow(self.matrix, **style)
        self.figure_.colorbar(self.image_, ax=self.ax_, label=self.label)
        ends = np.cumsum(self.sizes) - 0.5
        for end in ends[:-1]:
            self.ax_.axhline(end, color="black", linewidth=0.8)
            self.ax_.axvline(end, color="black", linewidth=0.8)
        if self.run_names is not None:
            middles = ends - np.array(self.sizes) / 2
            self.ax_.set_xticks(middles, self.run_names)
            self.ax_.set_yticks(middles, self.run_names, rotation=90, va="center")
        else:
            self.ax_.set(xlabel="Number", ylabel="Number")
        return self
