"""The mean of two forecasts that err in different ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heldout.sequence.baselines.protocol import FittedBaseline
from heldout.sequence.baselines.ridge import FittedRidge, RidgeOnLags
from heldout.sequence.baselines.theta import FittedTheta, Theta
from heldout.sequence.folds import Folds
from heldout.sequence.windows import Windows

__all__ = ["Combination", "FittedCombination"]


@dataclass(frozen=True, eq=False)
class FittedCombination:
    """Fitted parts, averaged with equal weights."""

    parts: Sequence[FittedBaseline]
    name: str = "theta-and-ridge"

    def predict(self, windows: Windows) -> NDArray[np.float64]:
        """Return the mean of the parts' forecasts, shape (n_windows, horizon, n_variables)."""
        return np.asarray(np.mean([part.predict(windows) for part in self.parts], axis=0))

    def out_of_fold(self) -> NDArray[np.float64]:
        """Return the mean of what the parts say out of fold."""
        return np.asarray(np.mean([part.out_of_fold() for part in self.parts], axis=0))

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the parts of the parts."""
        made = [part.to_parts() for part in self.parts]
        arrays = {f"{k}.{name}": array for k, (_, own) in enumerate(made) for name, array in own.items()}
        return {"name": self.name, "parts": [meta for meta, _ in made]}, arrays

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FittedCombination:
        """Return the combination of these parts."""
        theta, ridge = meta["parts"]
        own = [{n.removeprefix(f"{k}."): a for n, a in arrays.items() if n.startswith(f"{k}.")} for k in (0, 1)]
        return cls((FittedTheta.from_parts(theta, own[0]), FittedRidge.from_parts(ridge, own[1])))


@dataclass(frozen=True)
class Combination:
    """The mean of the Theta method and ridge on lags.

    Theta follows each series by itself, ridge learns from all of them; where neither is far better their errors differ,
    and the mean has less variance than both.

    References
    ----------
    Bates and Granger (1969), The combination of forecasts. Equal weights: Timmermann (2006), Forecast combinations,
    section 2.
    """

    name: ClassVar[str] = "theta-and-ridge"
    parts: ClassVar[tuple[str, str]] = ("theta", "ridge")

    def fit(self, windows: Windows, folds: Folds) -> FittedCombination:
        """Fit both parts."""
        return FittedCombination((Theta().fit(windows, folds), RidgeOnLags().fit(windows, folds)))

    def of(self, fitted: Mapping[str, FittedBaseline]) -> FittedCombination:
        """Put together parts that were fitted on the same windows and folds already."""
        return FittedCombination(tuple(fitted[name] for name in self.parts))
