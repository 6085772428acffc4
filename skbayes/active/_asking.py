"""What a query asks for: how many rows, which are open, and which are at random."""

from typing import Any

import numpy as np

from skbayes.active._checks import check_n_instances, check_places


def check_epsilon(epsilon: Any) -> None:
    """Check that it is a probability."""
    number = isinstance(epsilon, int | float | np.number) and not isinstance(epsilon, bool)
    if not number or not 0 <= epsilon <= 1:
        raise ValueError(
            f"epsilon={epsilon!r} must be a probability, from 0 to 1, or a function of the number "
            "of labels that returns one"
        )


def only_n_instances(n_instances: int | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Number of rows asked for, where there is no strategy that other arguments are for."""
    if kwargs or len(args) > 1:
        given = sorted(kwargs) or list(args)
        raise TypeError(f"query got {given}, which are for a query_strategy; there is none")
    if args and n_instances is not None:
        raise TypeError(f"query got n_instances twice, {args[0]!r} and {n_instances!r}")
    if args:
        return args[0]
    return 1 if n_instances is None else n_instances


def find_open_rows(exclude: Any, n_rows: int, n_instances: int | None) -> np.ndarray | None:
    """Positions that are not excluded; None for all."""
    if exclude is None or np.size(exclude) == 0:
        return None
    is_open = np.ones(n_rows, dtype=bool)
    is_open[check_places(exclude, n_rows, "exclude")] = False
    open_rows = np.flatnonzero(is_open)
    check_n_instances(1 if n_instances is None else n_instances, len(open_rows))
    return open_rows


def at_random(
    n: int, taken: Any, n_rows: int, open_rows: np.ndarray | None, rng: np.random.RandomState
) -> np.ndarray:
    """Distinct rows at random that are not taken; no permutation of a large pool is made."""
    n_open = n_rows if open_rows is None else len(open_rows)
    seen = {int(index) for index in taken}
    if n_open < 4 * (n + len(seen)):
        order = rng.permutation(n_open) if open_rows is None else rng.permutation(open_rows)
        return np.array([index for index in order if int(index) not in seen][:n], dtype=np.intp)
    found: list[int] = []
    while len(found) < n:
        index = int(rng.randint(n_open))
        index = index if open_rows is None else int(open_rows[index])
        if index not in seen:
            seen.add(index)
            found.append(index)
    return np.array(found, dtype=np.intp)
