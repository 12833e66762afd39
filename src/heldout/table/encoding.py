"""Frames of mixed columns as matrices of numbers: two scikit-learn transformers, fitted inside the fold.

`ScaledEncoder` serves linear models and nearest neighbours, `OrdinalEncoder` serves trees. Both learn from
the rows of `fit` alone, and what `transform` gives never depends on the order of those rows. `fit_transform`,
which `Pipeline.fit` calls, differs from `fit(...).transform(...)` only in target means, which it cross-fits:
the target of a row never enters the encoding of that row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from heldout._arrays import as_target, is_frame
from heldout._random import stream, stream_seed
from heldout.errors import InvalidInput
from heldout.table.centre_and_spread import centre_and_spread
from heldout.table.encoded_columns import (
    CalendarColumn,
    LevelColumn,
    NumberColumn,
    TargetMeanColumn,
    TargetMeanFit,
)
from heldout.table.encoder_input import column_kind, refuse_lazy, to_polars
from heldout.table.numbers_as_they_are import numbers_as_they_are
from heldout.table.packing import pack, unpack
from heldout.table.text_features import TextColumn

__all__ = ["OrdinalEncoder", "ScaledEncoder"]

Matrix = NDArray[np.float64]

N_FOLDS = 5
_KINDS = {cls.kind: cls for cls in (NumberColumn, CalendarColumn, LevelColumn, TargetMeanColumn, TextColumn)}
_LARGEST = float(np.finfo(np.float32).max)  # scikit-learn's trees read float32 and refuse what overflows it


class _Encoder(TransformerMixin, BaseEstimator):
    """What both encoders share: the gate, the columns, the target means."""

    _indicators = False

    def __init__(
        self,
        max_levels: int = 20,
        min_level_rows: int = 5,
        smoothing: float = 10.0,
        kinds: Mapping[str, str] | None = None,
        task: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.max_levels = max_levels
        self.min_level_rows = min_level_rows
        self.smoothing = smoothing
        self.kinds = kinds
        self.task = task
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    # -- the gate ------------------------------------------------------------------------------------------

    def _frame(self, X: Any, *, fitting: bool) -> pl.DataFrame:
        """Return `X` as a polars frame of the fitted columns, in their order."""
        refuse_lazy(X)
        if not is_frame(X):
            values = validate_data(self, X, reset=fitting, dtype=np.float64, ensure_all_finite=False)
            return pl.DataFrame(values, schema=[f"x{j}" for j in range(values.shape[1])])
        frame = to_polars(X)
        if fitting:
            if frame.width == 0 or frame.height == 0:
                raise InvalidInput(f"X must have rows and columns, got shape {frame.shape}: pass a table to learn from")
            self.feature_names_in_ = np.asarray(frame.columns, dtype=object)
            self.n_features_in_ = frame.width
            return frame
        wanted = [column.name for column in self.columns_]
        lacking = [name for name in wanted if name not in frame.columns]
        if lacking:
            raise InvalidInput(f"X lacks the column {lacking[0]!r}: pass the {len(wanted)} columns seen in fit")
        return frame.select(wanted)

    # -- fitting -------------------------------------------------------------------------------------------

    def _outcomes(self, y: ArrayLike | None, n: int) -> tuple[Matrix, tuple[str, ...]] | None:
        """Return the target as columns of numbers to take means of: itself, or one 0/1 column per class."""
        if y is None:
            return None
        values = as_target(y, n)
        levels = np.unique(values)
        if self.task not in (None, "regression", "classification"):
            raise InvalidInput(f"task must be None, 'regression' or 'classification', got {self.task!r}")
        numbers = values.dtype.kind == "f" or (values.dtype.kind in "iu" and len(levels) > self.max_levels)
        if self.task == "regression" or (self.task is None and numbers):
            return values.astype(np.float64)[:, None], ("target",)
        if len(levels) == 1:
            return None
        if len(levels) == 2:
            levels = levels[1:]
        return (values[:, None] == levels).astype(np.float64), tuple(str(level) for level in levels)

    def _target_means(self, y: ArrayLike | None, n: int) -> TargetMeanFit | None:
        outcomes = self._outcomes(y, n)
        if outcomes is None:
            return None
        shuffled = stream(self.random_state, "folds of target means").permutation(n)
        return TargetMeanFit(*outcomes, folds=shuffled % min(N_FOLDS, n), smoothing=self.smoothing)

    def _fit_column(self, series: pl.Series, means: TargetMeanFit | None) -> tuple[Any, Matrix]:
        """Return the fitted column and its cross-fitted numbers."""
        kind = (self.kinds or {}).get(series.name) or column_kind(series, self.max_levels)
        column: Any
        if kind == "category":
            if means is not None and series.drop_nulls().n_unique() > self.max_levels:
                return means.fit(series)
            column = LevelColumn.fit(
                series,
                max_levels=self.max_levels,
                min_rows=self.min_level_rows,
                indicators=self._indicators,
            )
        elif kind == "datetime":
            column = CalendarColumn.fit(series)
        elif kind == "text":
            column = TextColumn.fit(series, stream_seed(self.random_state, "topics", series.name))
        elif kind in ("number", "boolean"):
            column = NumberColumn.fit(series)
        else:
            known = "number, category, boolean, datetime, text"
            raise InvalidInput(f"column {series.name!r}: unknown kind {kind!r}: choose one of {known}")
        return column, column.transform(series)

    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Learn the encoding from these rows.

        Parameters
        ----------
        X : frame (pandas, polars, Arrow) or array of numbers, shape (n_rows, n_columns)
        y : array, shape (n_rows,), optional
            Used by target means only; without it the most frequent `max_levels` levels are kept.

        Raises
        ------
        InvalidInput
            No rows or no columns, an unknown kind of column, or a target that does not fit the rows.
        """
        self._fit(X, y)
        return self

    def fit_transform(self, X: Any, y: ArrayLike | None = None) -> Matrix:
        """Learn the encoding and return it for the same rows, with target means cross-fitted.

        A row's own target never enters its own numbers.
        """
        return self._finish(self._fit(X, y))

    def _fit(self, X: Any, y: ArrayLike | None) -> list[Matrix]:
        frame = self._frame(X, fitting=True)
        means = self._target_means(y, frame.height)
        fitted = [self._fit_column(series, means) for series in frame]
        self.columns_ = [column for column, _ in fitted]
        blocks = [block for _, block in fitted]
        self._learn_scales(blocks)
        return blocks

    def transform(self, X: Any) -> Matrix:
        """Return the numbers of each row.

        Parameters
        ----------
        X : frame with the columns seen in `fit`, in any order, or array if an array was seen

        Returns
        -------
        array of float64 in C order, shape (n_rows, n_outputs)

        Raises
        ------
        InvalidInput
            A column seen in `fit` is lacking.
        """
        check_is_fitted(self, "columns_")
        frame = self._frame(X, fitting=False)
        return self._finish([column.transform(frame[column.name]) for column in self.columns_])

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:  # noqa: ARG002
        """Return the name of each output column."""
        check_is_fitted(self, "columns_")
        return np.asarray(self._output_names(), dtype=object)

    def _learn_scales(self, blocks: list[Matrix]) -> None:
        raise NotImplementedError

    def _finish(self, blocks: list[Matrix]) -> Matrix:
        raise NotImplementedError

    def _output_names(self) -> list[str]:
        return [name for column in self.columns_ for name in column.outputs]

    # -- model files ---------------------------------------------------------------------------------------

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything fitted as a JSON dictionary and named arrays."""
        check_is_fitted(self, "columns_")
        parameters = self.get_params()
        parameters["kinds"] = None if self.kinds is None else dict(self.kinds)
        metas, arrays = [], dict(self._scale_arrays())
        for i, column in enumerate(self.columns_):
            meta, own = pack(column, f"column{i}.")
            metas.append(meta)
            arrays.update(own)
        names = hasattr(self, "feature_names_in_")
        return {"parameters": parameters, "columns": metas, "names": names}, arrays

    @classmethod
    def from_arrays(cls, meta: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the fitted encoder that `to_arrays` was called on.

        Raises
        ------
        KeyError, TypeError, ValueError
            These are not the parts of an encoder.
        """
        encoder = cls(**meta["parameters"])
        encoder.columns_ = []
        for i, part in enumerate(meta["columns"]):
            column = unpack(_KINDS[part["kind"]], part, arrays, f"column{i}.")
            column.check()
            encoder.columns_.append(column)
        encoder.n_features_in_ = len(encoder.columns_)
        if meta["names"]:
            encoder.feature_names_in_ = np.asarray([column.name for column in encoder.columns_], dtype=object)
        encoder._restore_scales(arrays)
        return encoder

    def _scale_arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def _restore_scales(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        del arrays


class OrdinalEncoder(_Encoder):
    """Numbers for trees: nothing scaled, missing numbers stay NaN.

    - number, boolean: as it is; missing (or infinite) is NaN; a column without any value is all zeros.
    - category of up to `max_levels` levels: 0 .. k-1 in sorted order of the levels kept, k for a level with
      fewer than `min_level_rows` rows and for an unseen one, -1 for missing.
    - category of more levels: the target's mean, see `heldout.table.encoded_columns.TargetMeanColumn`.
    - date-time: days since 1970, hour, day of week, day of month, month, those that vary.
    - text: characters, words, 16 topics.

    Parameters
    ----------
    max_levels : int
        Most levels that get a code each.
    min_level_rows : int
        Fewest rows of a level that gets a code of its own.
    smoothing : float
        Rows' worth of the overall mean mixed in every target mean.
    kinds : mapping of column name to kind, optional
        "number", "category", "boolean", "datetime" or "text", for columns whose type does not tell.
    task : "regression", "classification" or None
        What `y` is. None: floats are numbers, so are integers of more than `max_levels` values; else classes.
    random_state : int
        Seed of the folds of target means and of the topics.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"size": [1.0, None, 3.0], "colour": ["red", "blue", "red"]})
    >>> OrdinalEncoder(min_level_rows=1).fit(frame).transform(frame)
    array([[ 1.,  1.],
           [nan,  0.],
           [ 3.,  1.]])
    """

    def row_by_row(self, X: Any, training_sets: Sequence[NDArray[np.intp]]) -> Matrix | None:
        """Return the numbers of all rows if they are the same whichever training set is fitted on, else None.

        See `heldout.learner.RowwiseTransformer`. Numbers and booleans are taken as they are, unless a training set has
        no value in a column that others know; columns of other kinds depend on the rows fitted on.
        """
        frame = clone(self)._frame(X, fitting=True)
        matrix = numbers_as_they_are(frame, self.kinds or {}, self.max_levels, training_sets)
        return None if matrix is None else self._finish([matrix])

    def _learn_scales(self, blocks: list[Matrix]) -> None:
        pass

    def _finish(self, blocks: list[Matrix]) -> Matrix:
        return np.ascontiguousarray(np.clip(np.column_stack(blocks), -_LARGEST, _LARGEST))


class ScaledEncoder(_Encoder):
    """Numbers for linear models and nearest neighbours: centred, scaled, nothing missing.

    - number, boolean, date-time parts, text lengths and topics: the median in place of what is missing, then
      less the mean and divided by the standard deviation; one 0/1 column "is missing" where fitting saw
      missing values.
    - category of up to `max_levels` levels: one 0/1 column per level kept, rare levels pooled.
    - category of more levels: the target's mean, see `heldout.table.encoded_columns.TargetMeanColumn`.

    Parameters
    ----------
    max_levels, min_level_rows, smoothing, kinds, task, random_state
        As for `OrdinalEncoder`.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"size": [1.0, None, 3.0], "colour": ["red", "blue", "red"]})
    >>> encoder = ScaledEncoder(min_level_rows=1).fit(frame)
    >>> encoder.get_feature_names_out().tolist()
    ['size', 'colour = blue', 'colour = red', 'size is missing']
    >>> encoder.transform(frame)
    array([[-1.22474487,  0.        ,  1.        ,  0.        ],
           [ 0.        ,  1.        ,  0.        ,  1.        ],
           [ 1.22474487,  0.        ,  1.        ,  0.        ]])
    """

    _indicators = True

    def _scaled_outputs(self) -> list[tuple[int, bool]]:
        """Return which outputs are scaled, and whether each may have an indicator of what is missing.

        The parts of a date are missing together: the first one speaks for all.
        """
        found, position = [], 0
        for column in self.columns_:
            width = len(column.outputs)
            if not isinstance(column, LevelColumn | TargetMeanColumn):
                found += [(position + i, i == 0) for i in range(width)]
            position += width
        return found

    def _learn_scales(self, blocks: list[Matrix]) -> None:
        width = sum(len(column.outputs) for column in self.columns_)
        self.median_, self.mean_, self.scale_ = np.zeros(width), np.zeros(width), np.ones(width)
        self.missing_seen_ = np.zeros(width, dtype=bool)
        matrix = np.column_stack(blocks)
        for j, indicated in self._scaled_outputs():
            # Sorted, so that the last bit of a sum never depends on the order of rows; NaN goes last.
            values = np.sort(matrix[:, j])
            n_missing = int(np.isnan(values).sum())
            seen = values[: len(values) - n_missing]
            self.missing_seen_[j] = indicated and n_missing > 0
            if seen.size:
                self.median_[j], self.mean_[j], self.scale_[j] = centre_and_spread(seen, n_missing)

    def _finish(self, blocks: list[Matrix]) -> Matrix:
        matrix = np.column_stack(blocks)
        missing = np.isnan(matrix)
        matrix = np.where(missing, self.median_, matrix)
        matrix = matrix / self.scale_ - self.mean_ / self.scale_
        return np.ascontiguousarray(np.hstack([matrix, missing[:, self.missing_seen_]]))

    def _output_names(self) -> list[str]:
        names = super()._output_names()
        return names + [f"{names[j].removesuffix(': days')} is missing" for j in np.flatnonzero(self.missing_seen_)]

    def _scale_arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "median": self.median_,
            "mean": self.mean_,
            "scale": self.scale_,
            "missing_seen": self.missing_seen_,
        }

    def _restore_scales(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        width = sum(len(column.outputs) for column in self.columns_)
        for name in ("median", "mean", "scale", "missing_seen"):
            if arrays[name].shape != (width,):
                raise ValueError(f"{name} has shape {arrays[name].shape}, not {(width,)}")
            setattr(self, f"{name}_", arrays[name])
        if self.missing_seen_.dtype != np.bool_:
            raise ValueError(f"missing_seen is {self.missing_seen_.dtype}, not bool")
