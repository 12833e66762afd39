"""What every splitter offers, and the checks they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heldout._arrays import as_codes
from heldout.errors import InvalidInput

__all__ = ["Fold", "Frozen", "Scheme", "Splitter", "own_groups", "predicts_forward"]

Scheme = Literal["random", "stratified", "group", "blocked_time", "group_time"]
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@runtime_checkable
class Splitter(Protocol):
    """A scikit-learn splitter that also says what is exchangeable under it."""

    @property
    def scheme(self) -> Scheme:
        """Name of the scheme, as in the report."""
        ...

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds over all repeats."""
        ...

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Yield (training rows, test rows) per fold."""
        ...

    def units(self, n_rows: int, groups: Any = None) -> NDArray[np.intp] | None:
        """Return the code of each row's exchangeable unit; None when every row is its own."""
        ...


class Frozen:
    """Parameters set once by ``__init__``, shown by ``repr`` as the call that makes the splitter."""

    _parameters: tuple[str, ...]

    def _set(self, **parameters: Any) -> None:
        vars(self)["_parameters"] = tuple(parameters)
        for name, value in parameters.items():
            # The rows that belong together are asked for by a method of the parameter's own name.
            vars(self)["_units" if name == "units" else name] = value

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed: make a new one with {name}={value!r}")

    def __repr__(self) -> str:
        shown = []
        for name in self._parameters:
            value = vars(self)["_units" if name == "units" else name]
            if value is not None:
                text = repr(value) if np.ndim(value) == 0 else f"<{len(value)} values>"
                shown.append(f"{name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"


def predicts_forward(splitter: Any, folds: Sequence[Fold]) -> bool:
    """Say whether later rows are predicted from earlier ones: by the scheme, or by folds that all do so.

    Parameters
    ----------
    splitter : Splitter or scikit-learn splitter
        The latter has no scheme.
    folds : sequence of (training rows, test rows)
        What it made.

    Examples
    --------
    >>> from sklearn.model_selection import KFold, TimeSeriesSplit
    >>> [predicts_forward(splitter, list(splitter.split(range(9)))) for splitter in (KFold(3), TimeSeriesSplit(3))]
    [False, True]
    """
    if getattr(splitter, "scheme", None) in {"blocked_time", "group_time"}:
        return True
    return all(np.max(train) < np.min(test) for train, test in folds)


def own_groups(mine: ArrayLike | None, passed: ArrayLike | None, n: int) -> NDArray[np.intp]:
    """Return group codes 0 .. k-1, from the splitter itself or else from the call.

    Raises
    ------
    InvalidInput
        No groups at all, another length than the rows, or fewer than two groups.
    """
    groups = mine if mine is not None else passed
    if groups is None:
        raise InvalidInput("this splitter holds whole groups out, got no groups: pass groups= with one label per row")
    codes, levels = as_codes(groups, n)
    if len(levels) < 2:
        raise InvalidInput(f"groups must name at least 2 groups, got {len(levels)}: split by rows instead")
    return codes
