"""A table made ready for a task: target, features, groups, time, weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.errors import DataError
from heldout.table.checking import label_booleans
from heldout.table.kinds import Place, Typed, as_asked, describe, written
from heldout.table.names import known_name
from heldout.table.schema import ColumnKind, Schema
from heldout.table.tables import Table, table_from_frame
from heldout.table.target import Target, make_target
from heldout.table.timing import make_time

__all__ = ["FEWEST_ROWS", "Dataset", "prepare"]

FEWEST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table made ready for a task; rows with a missing target are left out.

    Parameters
    ----------
    features : polars.DataFrame
        Typed; without target, weight, dropped, group and time columns, and without those that `notes` names.
    schema : Schema
        Of `features`.
    target : Target
    group_columns : tuple of str
    groups : array of int or None, shape (n_rows,)
        Codes that index `group_labels`.
    group_labels : tuple of str
        Sorted; several columns are joined to one unit "a | b"; a missing part reads "missing".
    time_columns : tuple of str
    time : array of float64 or None, shape (n_rows,)
        Seconds since 1970-01-01 UTC for dates, else a number that sorts the rows. Rows are not reordered.
    weight : array of float64 or None, shape (n_rows,)
    notes : tuple of str
        One sentence for each thing done to the table.
    n_rows_read, n_target_missing : int
    source : str
    sha256 : str or None
    row_of : array of int, shape (n_rows,)
        Position in the table of each kept row.
    original : frame
        Kept rows and feature columns in the caller's own kind (polars for a file), values as they came.
    """

    features: pl.DataFrame = field(repr=False)
    schema: Schema = field(repr=False)
    target: Target
    group_columns: tuple[str, ...]
    groups: NDArray[np.intp] | None = field(repr=False)
    group_labels: tuple[str, ...] = field(repr=False)
    time_columns: tuple[str, ...]
    time: NDArray[np.float64] | None = field(repr=False)
    weight: NDArray[np.float64] | None = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    n_rows_read: int
    n_target_missing: int
    source: str
    sha256: str | None = field(repr=False)
    row_of: NDArray[np.intp] = field(repr=False)
    original: Any = field(repr=False)

    @property
    def n_rows(self) -> int:
        """Number of kept rows."""
        return self.features.height


@dataclass(frozen=True)
class _Roles:
    target: str
    group: tuple[str, ...]
    time: tuple[str, ...]
    drop: tuple[str, ...]
    weight: str | None


def prepare(
    table_or_frame: Any,
    target: str,
    *,
    group: str | Sequence[str] | None = None,
    time: str | Sequence[str] | None = None,
    drop: str | Sequence[str] = (),
    types: Mapping[str, ColumnKind] | None = None,
    weight: str | None = None,
    positive: str | None = None,
    task: str | None = None,
) -> Dataset:
    """Make a table ready for a task.

    Rows whose target is missing, or whose weight is 0, are left out and counted. Left out of the features, each with a
    note: group and time columns, columns without any value, constant columns, and columns of text or categories in
    which no value comes twice (names, identifiers) unless `types` asks for their kind. Infinite values of features
    become missing.

    Parameters
    ----------
    table_or_frame : Table or frame
    target : str
        Column to predict.
    group : str or sequence of str, optional
        Columns that together name the unit a row belongs to. Rows without a value form the unit "missing":
        kept together, they cannot leak into each other's test part.
    time : str or sequence of str, optional
        When a row was seen; several columns from the coarsest to the finest.
    drop : str or sequence of str
        Columns to leave out.
    types : mapping of column name to kind, optional
        Overrules the kinds found.
    weight : str, optional
        Column of row weights, 0 or more.
    positive : str, optional
        The class whose probability AUC speaks of, of two.
    task : "regression" or "classification", optional
        None infers it (see `heldout.table.target.make_target`).

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        Unknown columns; a nested column that is not dropped; a target that is constant, missing, infinite or does not
        fit the task; fewer than 20 rows; one group only; times that are missing or cannot be read; weights that are
        missing, negative or infinite; no feature left.
    InvalidInput
        A task or kind that is none.

    Examples
    --------
    >>> import polars as pl
    >>> frame = pl.DataFrame({"x": range(40), "who": ["ann", "bob"] * 20, "y": [0.5 * i for i in range(40)]})
    >>> data = prepare(frame, "y", group="who")
    >>> data.target.task, data.schema.names, data.group_labels
    ('regression', ('x',), ('ann', 'bob'))
    """
    table = _table(table_or_frame, types)
    roles = _roles(table, target, _names(group), _names(time), _names(drop), weight)
    known = table.frame[target].is_not_null()
    n_missing = table.n_rows - int(known.sum())
    if n_missing == table.n_rows and table.n_rows:
        raise DataError(f"target {target!r} is missing in all {table.n_rows} rows: choose another target")
    row_of = np.flatnonzero(known.to_numpy()).astype(np.intp)
    kept = table.frame if not n_missing else table.frame.filter(known)
    place = table.place.take(row_of)
    weights = _weights(kept[weight], table, place) if weight is not None else None
    n_weightless = 0 if weights is None else int((weights == 0).sum())
    if weights is not None and n_weightless:
        counted = weights > 0
        row_of, weights, kept = row_of[counted], weights[counted], kept.filter(pl.Series(counted))
        place = table.place.take(row_of)
    if len(row_of) < FEWEST_ROWS:
        rows = f"{len(row_of)} row{'s' if len(row_of) != 1 else ''} with a known {target!r}"
        rows += f" and a {weight!r} above 0" if n_weightless else ""
        raise DataError(f"{rows}, expected at least {FEWEST_ROWS}: collect more")
    made, task_note = make_target(kept[target], table.schema[target], place, task=task, positive=positive)
    groups, labels = _groups(kept, table.schema, roles.group) if roles.group else (None, ())
    moment = make_time(kept, [table.schema[name] for name in roles.time], place) if roles.time else None
    features, notes = _features(kept, table, roles)
    return Dataset(
        features=pl.DataFrame([each.values for each in features]),
        schema=Schema(tuple(each.column for each in features)),
        target=made,
        group_columns=roles.group,
        groups=groups,
        group_labels=labels,
        time_columns=roles.time,
        time=moment,
        weight=weights,
        notes=(*_notes_of_rows(table, roles, n_missing, n_weightless, task_note, kept), *notes),
        n_rows_read=table.n_rows,
        n_target_missing=n_missing,
        source=table.source,
        sha256=table.sha256,
        row_of=row_of,
        original=_original(table, row_of, [each.column.name for each in features]),
    )


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    # What is no name is refused with the names of the columns, later.
    return (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(dict.fromkeys(given))


def _table(given: Any, types: Mapping[str, ColumnKind] | None) -> Table:
    if not isinstance(given, Table):
        return table_from_frame(given, types=types)
    if not types:
        return given
    frame, columns = given.frame, {column.name: column for column in given.schema.columns}
    for name, kind in types.items():
        known_name(name, given.schema.names, "--type")
        if columns[name].kind != kind:
            values = frame[name]
            if columns[name].kind == "boolean":
                values = label_booleans(values, columns[name].levels)
            typed = as_asked(values, kind, given.place, columns[name].layout)
            frame, columns[name] = frame.with_columns(typed.values), typed.column
    return replace(given, frame=frame, schema=Schema(tuple(columns.values())), asked={**given.asked, **types})


def _roles(
    table: Table, target: str, group: tuple[str, ...], time: tuple[str, ...], drop: tuple[str, ...], weight: str | None
) -> _Roles:
    for name, problem in table.unread.items():
        if name not in drop:
            raise DataError(problem)
    names = (*table.schema.names, *table.unread)
    known_name(target, names, "target")
    if target in table.unread:
        raise DataError(table.unread[target])
    given = {"group": group, "time": time, "drop": drop, "weight": () if weight is None else (weight,)}
    for role, columns in given.items():
        for name in columns:
            known_name(name, names, role)
            if name in table.unread and role != "drop":
                raise DataError(table.unread[name])
            if name == target:
                what = "dropped" if role == "drop" else f"the {role}"
                raise DataError(f"column {name!r} is the target and cannot be {what} as well: name another")
    return _Roles(target, group, time, drop, weight)


def _groups(frame: pl.DataFrame, schema: Schema, names: tuple[str, ...]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Join group columns to one unit; codes follow the sorted units, numbers sorted as numbers."""
    keys = frame.select(names)
    units = keys.unique().sort(names, nulls_last=True)
    if units.height == 1:
        shown = " | ".join("missing" if value is None else str(value) for value in units.row(0))
        raise DataError(
            f"group {' + '.join(names)!r} has one group only ({shown!r}): whole groups cannot be held out; "
            "name another column, or leave --group out"
        )
    code = " ".join((*names, "code"))  # longer than any of the names, so none of them
    codes = keys.join(units.with_row_index(code), on=list(names), how="left", nulls_equal=True, maintain_order="left")
    texts = [
        (label_booleans(units[name], schema[name].levels) if schema[name].kind == "boolean" else written(units[name]))
        .fill_null("missing")
        .alias(str(place))
        for place, name in enumerate(names)
    ]
    labels = pl.DataFrame(texts).select(pl.concat_str(pl.all(), separator=" | ")).to_series().to_list()
    return codes[code].to_numpy().astype(np.intp), tuple(labels)


def _weights(values: pl.Series, table: Table, place: Place) -> NDArray[np.float64]:
    name = values.name
    if table.schema[name].kind != "number":
        raise DataError(f"weight {name!r} holds {written(values.drop_nulls())[0]!r}, expected numbers of 0 or more")
    number = values.fill_null(float("nan")).to_numpy().astype(np.float64)
    wrong = ~(np.isfinite(number) & (number >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        came = "missing" if np.isnan(number[row]) else f"{number[row]:g}"
        raise DataError(f"weight {name!r} is {came} in {place.of(row)}, expected 0 or more: mend or remove that row")
    if not number.any():
        raise DataError(f"weight {name!r} is 0 in all {len(number)} rows: leave --weight out, or name another column")
    return number


def _features(frame: pl.DataFrame, table: Table, roles: _Roles) -> tuple[list[Typed], list[str]]:
    out = {roles.target, roles.weight, *roles.drop, *roles.group, *roles.time}
    features: list[Typed] = []
    notes: list[str] = []
    for column in table.schema.columns:
        if column.name in out:
            continue
        values = frame[column.name]
        reason = _useless(values, column.kind, asked=column.name in table.asked)
        if reason:
            notes.append(f"column {column.name!r} {reason}: left out of the features")
            continue
        if column.kind == "number":
            values, note = _without_infinite(values)
            notes += note + _doubts_about_counter(values)
        features.append(describe(values, column.kind, levels=column.levels, layout=column.layout))
    if not features:
        why = f" ({'; '.join(notes[:3])})" if notes else ""
        raise DataError(f"no feature is left beside target {roles.target!r}{why}: drop fewer columns, or add some")
    return features, notes


def _useless(values: pl.Series, kind: ColumnKind, *, asked: bool) -> str | None:
    n_known = len(values) - values.null_count()
    if n_known == 0:
        return "has no values"
    distinct = values.n_unique()  # missing counts as one
    if distinct == 1:
        return f"is constant ({written(values)[0]!r})"
    if kind in ("category", "text") and not asked and distinct - (n_known < len(values)) == n_known > 1:
        return f"names each row differently (--type {values.name}={kind} keeps it)"
    return None


def _doubts_about_counter(values: pl.Series) -> list[str]:
    """Warn of a column that counts the rows: it tells a model the position, which future rows may not have."""
    steps = np.diff(values.to_numpy())
    if len(steps) and (steps == 1).all():
        name = values.name
        return [f"column {name!r} counts the rows; --drop {name} unless future rows go on counting"]
    return []


def _without_infinite(values: pl.Series) -> tuple[pl.Series, list[str]]:
    infinite = values.is_infinite().fill_null(False)
    if not infinite.any():
        return values, []
    return values.set(infinite, None), [
        f"column {values.name!r} is infinite in {int(infinite.sum())} rows: read as missing there"
    ]


def _notes_of_rows(
    table: Table,
    roles: _Roles,
    n_missing: int,
    n_weightless: int,
    task_note: str | None,
    kept: pl.DataFrame,
) -> list[str]:
    notes = [] if task_note is None else [task_note]
    if n_missing:
        rows = "row" if n_missing == 1 else "rows"
        notes.append(f"{n_missing} {rows} with a missing {roles.target!r} left out of {table.n_rows}")
    if n_weightless:
        rows = "row" if n_weightless == 1 else "rows"
        notes.append(f"{n_weightless} {rows} with a weight {roles.weight!r} of 0 left out of {table.n_rows}")
    unknown = kept.select(pl.any_horizontal(pl.col(roles.group).is_null()).sum()).item() if roles.group else 0
    if unknown:
        notes.append(
            f"{unknown} rows have no {' + '.join(roles.group)!r}: taken as one unit, so they are held out together"
        )
    for role, names in (("group", roles.group), ("time", roles.time)):
        if names:
            columns = ", ".join(repr(name) for name in names)
            notes.append(f"{role} {'column' if len(names) == 1 else 'columns'} {columns}: left out of the features")
    used = {*roles.drop}
    return notes + [note for note in table.notes if not any(note.startswith(f"column {name!r}") for name in used)]


def _original(table: Table, rows: NDArray[np.intp], names: list[str]) -> Any:
    if table.native is None:
        return table.frame[rows].select(names)
    if nw.dependencies.is_pandas_dataframe(table.native):
        place_of = {str(name): place for place, name in enumerate(table.native.columns)}
        return table.native.iloc[rows, [place_of[name] for name in names]]
    return nw.from_native(table.native, eager_only=True)[rows].select(names).to_native()
