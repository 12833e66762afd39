"""Files: which format, bytes in, a typed table out."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from heldout.errors import DataError
from heldout.table.delimited import decode, read_delimited
from heldout.table.frames import Plain, from_polars, plain
from heldout.table.kinds import Place
from heldout.table.names import nearest
from heldout.table.schema import ColumnKind
from heldout.table.tables import Raw, Table, build

__all__ = ["read_raw", "read_table"]


def read_table(path: str | Path, *, types: Mapping[str, ColumnKind] | None = None) -> Table:
    r"""Read a file and find the kind of every column.

    Parameters
    ----------
    path : str or Path
        ``.csv`` (separated by comma, semicolon, tab or bar, whichever fits the header), ``.tsv``, ``.parquet``,
        ``.arrow``, ``.feather``, ``.ipc``, ``.jsonl`` or ``.ndjson``; each also with ``.gz``. Text is UTF-8; the first
        line of CSV and TSV names the columns; blank lines are skipped.
    types : mapping of column name to kind, optional
        Overrules what would be found: "number", "category", "boolean", "datetime" or "text".

    Returns
    -------
    Table

    Raises
    ------
    DataError
        No such file, a format that is not read, a damaged, empty or ragged file, another encoding than UTF-8,
        duplicate column names, mixed date formats, a value that does not fit the kind asked for.
    InvalidInput
        A kind in `types` that is none.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "walks.csv"
    ...     _ = path.write_text("km;rain;day\n3,5;no;2024-01-31\n4,25;yes;2024-02-01\n")
    ...     table = read_table(path)
    >>> [(column.name, column.kind) for column in table.schema.columns]
    [('km', 'number'), ('rain', 'boolean'), ('day', 'datetime')]
    """
    return build(read_raw(Path(path)), types)


def read_raw(path: Path) -> Raw:
    """Read a file into plain columns, kinds not yet found.

    Raises
    ------
    DataError
        As `read_table`, but for kinds.
    """
    reader = _reader_of(path)
    data = _content(path)
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix.lower() == ".gz":
        data = _unpacked(data, path.name)
    if not data:
        raise DataError(f"{path.name} is empty: expected a table")
    columns, place = reader(data, path.name)
    if not columns or not len(columns[0].values):
        raise DataError(f"{path.name} has no rows: expected a table with rows")
    return Raw(columns, path.name, digest, place, notes=_doubts_about_header(columns, path.name))


def _reader_of(path: Path) -> Callable[[bytes, str], tuple[list[Plain], Place]]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in _READERS:
        if path.is_dir() or not path.exists():
            _content(path)  # says so: the ending is not what is wrong
        raise DataError(
            f"{path.name}: a file ending in {suffix or 'nothing'} is not read; "
            f"give one of {', '.join(_READERS)}, each also with .gz"
        )
    return _READERS[suffix]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        if not folder.is_dir():
            raise DataError(f"no such file {path}: there is no folder {folder}") from None
        near = nearest(path.name, sorted(other.name for other in folder.iterdir()))
        hint = f"did you mean {folder / near}?" if near else "check the path"
        raise DataError(f"no such file {path}: {hint}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, expected a file: name a table in it") from None
    except OSError as problem:
        raise DataError(f"{path} cannot be read ({problem.strerror}): check its permissions") from None


def _unpacked(data: bytes, source: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as problem:
        raise DataError(f"{source} is not a whole gzip file ({problem}): fetch or pack it again") from None


def _read_text(data: bytes, source: str) -> tuple[list[Plain], Place]:
    table = read_delimited(decode(data, source), source)
    return [plain(column) for column in table.columns], Place(table.lines, "line")


def _read_parquet(data: bytes, source: str) -> tuple[list[Plain], Place]:
    return _columns(pl.read_parquet, data, source, "Parquet"), Place()


def _read_ipc(data: bytes, source: str) -> tuple[list[Plain], Place]:
    return _columns(pl.read_ipc, data, source, "Arrow IPC"), Place()


def _columns(read: Callable[[Any], pl.DataFrame], data: bytes, source: str, what: str) -> list[Plain]:
    try:
        frame = read(io.BytesIO(data))
    except (Exception, pl.exceptions.PanicException) as problem:  # damaged pages make Rust panic
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise DataError(f"{source} is not a whole {what} file ({first}): write it again") from None
    return from_polars(frame)


def _read_json_lines(data: bytes, source: str) -> tuple[list[Plain], Place]:
    text = decode(data, source)
    lines = np.array([number for number, line in enumerate(text.split(b"\n"), 1) if line.strip()], dtype=np.int64)
    try:
        frame = pl.read_ndjson(io.BytesIO(text), infer_schema_length=None)
    except Exception:  # polars does not say which line
        frame = _json_line_by_line(text, source)
    if frame.height != len(lines):
        frame = _json_line_by_line(text, source)
    return from_polars(frame), Place(lines, "line")


def _json_line_by_line(text: bytes, source: str) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as problem:
            raise DataError(f"{source}, line {number}: not JSON ({problem}); mend the line") from None
        if not isinstance(row, dict):
            raise DataError(
                f"{source}, line {number}: expected an object with a value per column, got {line[:40].decode()!r}; "
                "write one object per line"
            )
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame([_json_column(name, [row.get(name) for row in rows]) for name in names])


def _json_column(name: str, values: list[Any]) -> pl.Series:
    types = {type(value) for value in values if value is not None}
    if len(types) <= 1 or types == {int, float} or types & {list, dict}:
        return pl.Series(name, values, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _doubts_about_header(columns: list[Plain], source: str) -> tuple[str, ...]:
    names = [column.values.name for column in columns]
    numbers = pl.Series(names).cast(pl.Float64, strict=False)
    counted = [str(place) for place in range(len(names))]
    if len(names) > 1 and not numbers.null_count() and names != counted:
        return (f"the column names of {source} are all numbers ({names[0]}, {names[1]}): has it no header line?",)
    return ()


_READERS: dict[str, Callable[[bytes, str], tuple[list[Plain], Place]]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".parquet": _read_parquet,
    ".arrow": _read_ipc,
    ".feather": _read_ipc,
    ".ipc": _read_ipc,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
