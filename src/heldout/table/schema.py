"""What is known of a table's columns: kinds, levels, ranges; and the check of new data against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from heldout.errors import DataError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KINDS", "Column", "ColumnKind", "Schema", "SchemaNote"]

ColumnKind = Literal["number", "category", "boolean", "datetime", "text"]
KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)


@dataclass(frozen=True)
class Column:
    """One column of a schema.

    Parameters
    ----------
    name : str
    kind : "number", "category", "boolean", "datetime" or "text"
    n_missing : int
    levels : tuple of str
        Category: every level, sorted as text (by code point), never by first appearance or frequency, which
        would leak the position of rows. Boolean: how false and true are written, in that order.
    minimum, maximum : float or None
        Number: the finite range. Date-time: seconds since 1970-01-01 UTC. None when no value is known.
    layout : str
        How text was understood where that is not plain from one value alone: "day/month/year",
        "month/day/year", "decimal comma" or "thousands comma"; new data is read the same way. Else "".
    """

    name: str
    kind: ColumnKind
    n_missing: int
    levels: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    layout: str = ""


@dataclass(frozen=True)
class SchemaNote:
    """Something in new data that the schema has not seen, and that is no error.

    Parameters
    ----------
    column : str
    what : "unseen level", "outside range", "missing values not seen before" or "extra column"
    n_rows : int
    example : str
        One offending value, as text.
    """

    column: str
    what: Literal["unseen level", "outside range", "missing values not seen before", "extra column"]
    n_rows: int
    example: str


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order.

    Examples
    --------
    >>> schema = Schema((Column("age", "number", 0, minimum=18.0, maximum=90.0),))
    >>> schema.names, schema["age"].maximum
    (('age',), 90.0)
    >>> Schema.from_dict(schema.to_dict()) == schema
    True
    """

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"no column {name!r}: the schema has {', '.join(self.names)}")

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def select(self, names: Iterable[str]) -> Schema:
        """Return the schema of some columns, in the order given."""
        return Schema(tuple(self[name] for name in names))

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain JSON types."""
        return {"columns": [asdict(column) | {"levels": list(column.levels)} for column in self.columns]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Schema:
        """Build the schema back from `to_dict`.

        Raises
        ------
        DataError
            The document is not one that `to_dict` writes.
        """
        try:
            columns = tuple(_column_from(entry) for entry in document["columns"])
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise DataError(f"the schema is damaged ({problem}): write it anew with Schema.to_dict") from None
        if len({column.name for column in columns}) < len(columns):
            raise DataError("the schema is damaged (a column name stands twice): write it anew with Schema.to_dict")
        return cls(columns)

    def check(self, frame: Any) -> tuple[pl.DataFrame, tuple[SchemaNote, ...]]:
        """Type new data as this schema says.

        Parameters
        ----------
        frame : Table or frame of pandas, polars or Arrow

        Returns
        -------
        frame : polars.DataFrame
            The schema's columns, in its order, in its types; infinite numbers are missing.
        notes : tuple of SchemaNote
            Unseen levels, values outside the seen range, missing values where there were none, extra columns.

        Raises
        ------
        SchemaMismatch
            A column is missing, or holds another type; the message names the column and the first value that
            does not fit.

        Examples
        --------
        >>> import polars as pl
        >>> schema = Schema((Column("age", "number", 0, minimum=18.0, maximum=90.0),))
        >>> frame, notes = schema.check(pl.DataFrame({"age": ["19", "104"]}))
        >>> frame["age"].to_list(), notes[0].what, notes[0].example
        ([19.0, 104.0], 'outside range', '104')
        """
        from heldout.table.checking import check_frame  # imports this module

        return check_frame(self, frame)


def _column_from(entry: Mapping[str, Any]) -> Column:
    kind, levels = entry["kind"], entry["levels"]
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}")
    if not isinstance(levels, list | tuple) or not all(isinstance(level, str) for level in levels):
        raise ValueError(f"levels of {entry['name']!r}")
    if kind == "boolean" and len(levels) != 2:
        raise ValueError(f"{len(levels)} levels of boolean {entry['name']!r}")
    ends = [None if entry[end] is None else float(entry[end]) for end in ("minimum", "maximum")]
    return Column(
        name=str(entry["name"]),
        kind=kind,
        n_missing=int(entry["n_missing"]),
        levels=tuple(levels),
        minimum=ends[0],
        maximum=ends[1],
        layout=str(entry.get("layout", "")),
    )
