"""Device and dtype rules."""

import numpy as np
import torch

#: Bytes (of pictures) are computed in float32, which holds them exactly.
_DTYPES = {"float32": torch.float32, "float64": torch.float64, "uint8": torch.float32}


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn the ``device`` parameter into a device that is there.

    Parameters
    ----------
    device : str or torch.device
        ``"auto"`` takes CUDA where there is one, else the CPU; any other name is torch's.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch does not know the name or the machine lacks the device.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is not a device; use 'auto', 'cpu', 'cuda', 'cuda:0' or 'mps'"
        ) from error
    try:
        torch.zeros(1, device=resolved).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} was asked for, but this machine has none; use 'auto'"
        ) from error
    return resolved


def resolve_dtype(dtype: str | None, X_dtype: np.dtype) -> torch.dtype:
    """Turn the ``dtype`` parameter into the dtype to compute in.

    Parameters
    ----------
    dtype : {"float32", "float64"} or None
        ``None`` follows X, as scikit-learn does.
    X_dtype : numpy.dtype
        Type of the validated X.

    Returns
    -------
    torch.dtype
    """
    return _DTYPES[dtype if dtype is not None else np.dtype(X_dtype).name]
