"""One linear map from the last values to all steps of the horizon, shared by all series."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from heldout.sequence.folds import Folds
from heldout.sequence.scaling import scaling_of
from heldout.sequence.windows import Windows

__all__ = ["FittedRidge", "RidgeOnLags"]

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_CHUNK = 4096
# Windows on which lags and penalty are chosen.
_CHOICE = 4000
_MOST_LAGS = 400
# Squared error is at the mercy of the few windows in which a series leaves all it has been before.
_LARGE = 7.0


@dataclass(frozen=True, eq=False)
class FittedRidge:
    """Weights, shape (n_lags + 1, horizon); the last row is the constant."""

    weights: NDArray[np.float64]
    penalty: float
    name: str = "ridge"
    predictions: NDArray[np.float64] | None = field(default=None, repr=False)

    @property
    def n_lags(self) -> int:
        """Values looked back at."""
        return len(self.weights) - 1

    def predict(self, windows: Windows) -> NDArray[np.float64]:
        """Return the forecasts of windows, shape (n_windows, horizon, n_variables)."""
        result = np.empty((len(windows), windows.horizon, windows.sequences.n_variables))
        for start in range(0, len(windows), _CHUNK):
            part = windows.take(np.arange(start, min(start + _CHUNK, len(windows))))
            scaling = scaling_of(part)
            lags = _lags(part, self.n_lags)
            forecast = np.einsum("nlv,lh->nhv", lags, self.weights[:-1], optimize=True) + self.weights[-1][:, None]
            result[start : start + len(part)] = scaling.up(forecast)
        return result

    def out_of_fold(self) -> NDArray[np.float64]:
        """Return what models without a window's fold say of it."""
        assert self.predictions is not None, "weights read from a file have no training windows"  # noqa: S101
        return self.predictions

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the weights."""
        return {"name": self.name, "penalty": self.penalty}, {"weights": self.weights}

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FittedRidge:
        """Return the model with these weights."""
        return cls(arrays["weights"], float(meta["penalty"]))


@dataclass(frozen=True)
class RidgeOnLags:
    """Ridge regression on the values of the context, from its last value and in units of its scale.

    Parameters
    ----------
    n_lags : tuple of int, optional
        Lengths of context to choose from, by the error out of fold. By default two and three seasons, and more where
        series are long.
    penalty : float, optional
        As a share of the mean diagonal of the Gram matrix; chosen by the error out of fold without one.

    Notes
    -----
    Every fold's model costs one solve: Gram matrices are summed apart for windows that the same folds learn from.
    Missing values of the context are filled by the last one known before; windows weigh
    1 / (1 + mean square / 49) of their scaled future, so that a few wild ones do not rule.
    """

    n_lags: tuple[int, ...] | None = None
    penalty: float | None = None
    name: ClassVar[str] = "ridge"

    def fit(self, windows: Windows, folds: Folds) -> FittedRidge:
        """Choose lags and penalty out of fold, then solve on all windows."""
        lengths = self.n_lags or lags_to_try(windows)
        gram = _Gram(windows, folds, max(lengths))
        penalties = _PENALTIES if self.penalty is None else (self.penalty,)
        choices = [(n_lags, penalty) for n_lags in lengths for penalty in penalties]
        sample = np.unique(np.linspace(0, len(windows) - 1, min(len(windows), _CHOICE)).astype(np.intp))
        losses = gram.losses(sample, choices) if len(choices) > 1 else [0.0]
        n_lags, penalty = choices[int(np.argmin(losses))]
        everything = np.arange(len(windows))
        return FittedRidge(
            gram.solve(n_lags, penalty), penalty, predictions=gram.out_of_fold(everything, n_lags, penalty)
        )


def lags_to_try(windows: Windows) -> tuple[int, ...]:
    """Return lengths of context: enough to see the season and few enough for the rows there are."""
    season = windows.sequences.season
    longest = int(np.quantile(windows.sequences.lengths, 0.75))
    room = max(2, longest - windows.horizon - 1)
    wanted = [2 * season + 2, 3 * season] if season > 1 else [4, 8]
    if room > 20 * season:
        wanted += [7 * season, 14 * season] if season > 1 else [24, 96]
    kept = sorted({min(max(4, lags), room, _MOST_LAGS) for lags in wanted})
    return tuple(kept)


def _lags(windows: Windows, n_lags: int) -> NDArray[np.float64]:
    """Return scaled contexts without gaps, shape (n_windows, n_lags, n_variables)."""
    scaled = scaling_of(windows).down(windows.context(n_lags))
    return fill_forward(scaled)


def fill_forward(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill gaps along axis 1 by the last value before, then by the first after; 0 where there is none."""
    known = np.isfinite(values)
    if known.all():
        return values
    place = np.where(known, np.arange(values.shape[1])[None, :, None], -1)
    before = np.maximum.accumulate(place, axis=1)
    after = np.where(known, np.arange(values.shape[1])[None, :, None], values.shape[1])
    after = np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
    chosen = np.where(before >= 0, before, np.where(after < values.shape[1], after, 0))
    filled = np.take_along_axis(values, chosen, axis=1)
    return np.where(np.isfinite(filled), filled, 0.0)


class _Gram:
    """X'X and X'Y of the windows, apart for those that the models of other folds may learn from.

    Each model adds up what it may learn. Taking what it may not from the sum of all would leave the rounding of the
    latter, which is all there is where a fold learns from little beside wild windows.
    """

    def __init__(self, windows: Windows, folds: Folds, n_lags: int) -> None:
        self.windows, self.folds, self.n_lags = windows, folds, n_lags
        #: Which folds learn from a part (n_folds, n_parts), and the part of each window.
        self.learn, part = np.unique(folds.learn, axis=1, return_inverse=True)
        self.part = part.reshape(-1)
        size, n_parts = n_lags + 1, self.learn.shape[1]
        self.left, self.right = np.zeros((n_parts, size, size)), np.zeros((n_parts, size, windows.horizon))
        for start in range(0, len(windows), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(windows)))
            self._add(rows)

    def _add(self, rows: NDArray[np.intp]) -> None:
        X, Y, weight, of_window = self._examples(rows)
        part = self.part[rows[of_window]]
        for own in np.unique(part):
            there = part == own
            weighted = X[there] * weight[there, None]
            self.left[own] += weighted.T @ X[there]
            self.right[own] += weighted.T @ Y[there]

    def _examples(
        self, rows: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
        """Return one example per window and variable whose future is known; gaps in a future are drawn through."""
        part = self.windows.take(rows)
        Y = scaling_of(part).down(part.future())
        known = np.isfinite(Y).mean(axis=1) > 0.5
        Y = fill_forward(Y)
        X = _lags(part, self.n_lags)
        X = np.moveaxis(X, 2, 1)[known]
        Y = np.moveaxis(Y, 2, 1)[known]
        weight = 1 / (1 + np.mean(Y**2, axis=1) / _LARGE**2)
        return np.hstack([X, np.ones((len(X), 1))]), Y, weight, np.nonzero(known)[0]

    def solve(self, n_lags: int, penalty: float, fold: int | None = None) -> NDArray[np.float64]:
        """Return the weights of the last `n_lags` values, from all windows or from those that a fold learns from."""
        learned = slice(None) if fold is None else self.learn[fold]
        left, right = self.left[learned].sum(axis=0), self.right[learned].sum(axis=0)
        # Fewer lags are the last ones, and the constant.
        left, right = left[-n_lags - 1 :, -n_lags - 1 :], right[-n_lags - 1 :]
        # Where nothing varies the lags are 0, and any strength will do that leaves numbers of the constant's size.
        strength = penalty * max(float(np.diag(left)[:-1].mean()), 1e-6 * left[-1, -1], 1e-12)
        shrink = np.diag(np.append(np.full(n_lags, strength), 1e-9 * max(left[-1, -1], 1.0)))
        return np.asarray(scipy.linalg.solve(left + shrink, right, assume_a="pos", check_finite=False))

    def out_of_fold(self, rows: NDArray[np.intp], n_lags: int, penalty: float) -> NDArray[np.float64]:
        """Return the predictions of some windows, each by weights that its fold is hidden from."""
        windows = self.windows.take(rows)
        predictions = np.empty((len(rows), windows.horizon, windows.sequences.n_variables))
        for fold in range(self.folds.n_folds):
            there = np.flatnonzero(self.folds.of[rows] == fold)
            if len(there):
                model = FittedRidge(self.solve(n_lags, penalty, fold), penalty)
                predictions[there] = model.predict(windows.take(there))
        return predictions

    def losses(self, rows: NDArray[np.intp], choices: list[tuple[int, float]]) -> list[float]:
        """Return the mean absolute error out of fold of some windows for each choice, in units of their scale."""
        windows = self.windows.take(rows)
        target = np.moveaxis(scaling_of(windows).down(windows.future()), 2, 1)
        lags = np.moveaxis(_lags(windows, self.n_lags), 2, 1)
        of = self.folds.of[rows]
        total = np.zeros(len(choices))
        for fold in np.unique(of):
            there = of == fold
            X, Y = lags[there].reshape(-1, self.n_lags), target[there].reshape(-1, windows.horizon)
            for k, (n_lags, penalty) in enumerate(choices):
                weights = self.solve(n_lags, penalty, int(fold))
                total[k] += np.nansum(np.abs(X[:, -n_lags:] @ weights[:-1] + weights[-1] - Y))
        return list(total / max(int(np.isfinite(target).sum()), 1))
