"""``save`` and ``load``: fitted estimators in a file that runs no code when it is read."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from skbayes._decoding import Decoder, UnknownNameError
from skbayes._encoding import Encoder

#: What the file says of itself, and the version of what this module writes.
MARK, VERSION = "skbayes", 1


def save(estimator: Any, path: str | os.PathLike) -> None:
    """Write an estimator to a file, fitted or not.

    The file holds tensors in the safetensors format and a description in JSON; unlike a pickle it
    can be read without running code that somebody else wrote. It is written at once or not at all.

    Parameters
    ----------
    estimator : object
        An estimator of skbayes; or a scikit-learn one of arrays and numbers (a
        :class:`~sklearn.pipeline.Pipeline` with a scaler, a search) that holds one.
    path : str or path-like
        Name of the file, by custom ending in ``.safetensors``. A file of that name is replaced.

    Raises
    ------
    TypeError
        If the estimator holds what cannot be stored: a lambda, a generator, a compiled object (the
        trees of scikit-learn's forests). pickle and joblib store these.

    See Also
    --------
    load : Reads it.

    Notes
    -----
    ``net_`` is left out, as in a pickle. A module of one's own, or a function, is stored by name:
    its code must be there, and trusted, when the file is loaded.

    References
    ----------
    `safetensors <https://huggingface.co/docs/safetensors>`_, the file format.

    Examples
    --------
    >>> import tempfile, os
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> import skbayes
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = make_pipeline(StandardScaler(), skbayes.DeepEnsembleClassifier((10,), random_state=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.safetensors")
    ...     skbayes.save(clf.fit(X, y), path)
    ...     again = skbayes.load(path)
    >>> bool((again.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"estimator={estimator!r} must be an estimator (it has no get_params)")
    encoder = Encoder()
    said = encoder.encode(estimator, type(estimator).__name__)
    metadata = {"format": "pt", MARK: json.dumps({"version": VERSION, "estimator": said})}
    target = Path(path)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    os.close(descriptor)
    try:
        save_file(encoder.tensors, name, metadata)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike, *, trusted: Iterable[Any] = ()) -> Any:
    """Read an estimator that :func:`save` wrote.

    Parameters
    ----------
    path : str or path-like
        Name of the file.
    trusted : iterable of type or callable, default=()
        Classes and functions outside skbayes, scikit-learn and torch that the file may name: a
        module of one's own, a prior. Objects, not names: what is not imported cannot be trusted.

    Returns
    -------
    object
        The estimator. What was fitted on a GPU comes to the CPU where there is none.

    Raises
    ------
    ValueError
        If the file is not one that :func:`save` wrote, damaged, or of a later version.
    TypeError
        If it names what is neither known nor trusted.

    See Also
    --------
    save : Writes the file.

    Notes
    -----
    A file written with another version of scikit-learn gives its ``InconsistentVersionWarning``,
    as a pickle does.

    Examples
    --------
    >>> import tempfile, os
    >>> import skbayes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "detector.safetensors")
    ...     skbayes.save(skbayes.VAEAnomalyDetector(robust=True), path)
    ...     skbayes.load(path)
    VAEAnomalyDetector(robust=True)
    """
    try:
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {})[MARK])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{os.fspath(path)!r} is not a file that skbayes.save wrote") from error
    version = said.get("version") if isinstance(said, dict) else None
    if not isinstance(version, int):
        raise ValueError(f"{os.fspath(path)!r} is not a file that skbayes.save wrote")
    if version > VERSION:
        raise ValueError(
            f"{os.fspath(path)!r} is of version {version}, this skbayes reads {VERSION}"
        )
    try:
        return Decoder(tensors, trusted).decode(said["estimator"])
    except (UnknownNameError, MemoryError, Warning):
        raise
    except Exception as error:  # whatever a description that is no longer whole leads to
        raise ValueError(
            f"{os.fspath(path)!r} is damaged, or not what skbayes.save wrote: "
            f"{type(error).__name__}: {error}"
        ) from error
