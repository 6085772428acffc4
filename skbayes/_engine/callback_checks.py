"""Checks of a user's ``skorch_callbacks``."""

from typing import Any

from skbayes._engine.net import StackNet


def check_callbacks(skorch_callbacks: Any) -> list[Any]:
    """Check the parameter of that name.

    Parameters
    ----------
    skorch_callbacks : sequence or None
        Callbacks, classes of them, or pairs of a name and one, as skorch takes them.

    Returns
    -------
    list

    Raises
    ------
    TypeError
        If an item is none of these.
    """
    items = [] if skorch_callbacks is None else list(skorch_callbacks)
    for item in items:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        if not hasattr(callback, "on_train_begin"):
            raise TypeError(
                f"skorch_callbacks={skorch_callbacks!r} must hold skorch.callbacks.Callback "
                f"(or pairs of a name and one), got {item!r}"
            )
    return items


def check_monitors(net: StackNet) -> None:
    """Check that callbacks watch what there is: skorch's own defaults ask for held-back rows.

    Parameters
    ----------
    net : StackNet
        With its callbacks.

    Raises
    ------
    ValueError
        If one monitors ``valid_loss``, and no rows are held back.
    """
    if net.train_split is not None:
        return
    for _, callback in net.callbacks_:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor in ("valid_loss", "valid_loss_best"):
            raise ValueError(
                f"skorch_callbacks holds {type(callback).__name__}(monitor={monitor!r}), but no "
                "rows are held back: use monitor='train_loss', or early_stopping=True where there "
                "is it"
            )
