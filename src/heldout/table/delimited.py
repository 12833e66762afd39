"""Delimited text (CSV and its kin): bytes in, columns of text and the line of every row out.

The records are counted here, by NumPy over the bytes, because the fast reader would fill short rows up without
a word. What is well formed goes to polars; what only Python's reader understands (quotes inside bare fields) goes
there; what neither can take for sure is an error that names the line.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.errors import DataError

__all__ = ["Delimited", "decode", "read_delimited"]

_SEPARATORS = (",", "\t", ";", "|")
_SNIFFED_LINES = 100
_QUOTE, _NEWLINE, _RETURN = ord('"'), ord("\n"), ord("\r")
_LONGEST_FIELD = 2**31 - 1
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Delimited:
    """Columns of text, in file order, and the line on which each row starts (counted from 1)."""

    columns: list[pl.Series]
    lines: NDArray[np.int64]


@dataclass(frozen=True)
class _Records:
    """Where the records of a file lie: start, end (without its line end), number of separators, starting line."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    n_separators: NDArray[np.int64]
    lines: NDArray[np.int64]
    well_formed: bool


def decode(data: bytes, source: str) -> bytes:
    """Return UTF-8 without a byte order mark, with line ends that hold a line feed.

    Raises
    ------
    DataError
        Not UTF-8; the message names line and byte, and says how to convert.
    """
    remedy = "save it as UTF-8, for instance by: iconv -f {} -t utf-8"
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        raise DataError(f"{source} is UTF-32, expected UTF-8: {remedy.format('utf-32')}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{source} is UTF-16, expected UTF-8: {remedy.format('utf-16')}")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        byte = data[problem.start]
        raise DataError(
            f"{source} is not UTF-8: byte 0x{byte:02x} at offset {problem.start} (line {line}); "
            + remedy.format("latin1")
        ) from None
    if b"\0" in data:
        place = data.index(b"\0")
        raise DataError(f"{source} holds a zero byte at offset {place}, expected text: is it another format?")
    return data if b"\n" in data else data.replace(b"\r", b"\n")


def read_delimited(data: bytes, source: str) -> Delimited:
    """Read delimited text whose first line names the columns.

    Parameters
    ----------
    data : bytes
        As `decode` returns it.
    source : str
        File name, for messages.

    Raises
    ------
    DataError
        Empty, header only, duplicate names, a row with another number of fields, a quote that is never closed.
    """
    if not data.strip():
        raise DataError(f"{source} is empty: expected a line of column names and rows below it")
    separator = _sniff(data)
    records = _find_records(data, separator)
    header = _first_filled(records)
    names = _names(data[records.starts[header] : records.ends[header]], separator, source)
    n_separators = records.n_separators[header]
    filled = records.ends > records.starts
    filled[: header + 1] = False
    if len(names) == 1:  # one column: a blank line between others is a missing value
        filled[header + 1 : int(np.max(np.flatnonzero(filled), initial=header)) + 1] = True
    if not filled.any():
        raise DataError(f"{source} has a header only: expected rows below the column names")
    ragged = filled & (records.n_separators != n_separators) & (records.ends > records.starts)
    if records.well_formed and n_separators == len(names) - 1 and not ragged.any():
        frame = _read_fast(data, records, header, filled, names, separator)
        if frame is not None:
            return Delimited(frame.get_columns(), records.lines[filled])
    return _read_exactly(data, separator, names, source)


def _sniff(data: bytes) -> str:
    """Choose the separator by which most of the first lines have as many fields as the header."""
    head = data[: 1 << 20]
    best, best_share = ",", 0.0
    for separator in _SEPARATORS:
        records = _find_records(head, separator)
        header = _first_filled(records)
        counts = records.n_separators[header:][records.ends[header:] > records.starts[header:]][:_SNIFFED_LINES]
        if counts[0] == 0:
            continue
        share = float((counts == counts[0]).mean())
        if share > best_share:
            best, best_share = separator, share
    return best


def _first_filled(records: _Records) -> int:
    return int((records.ends > records.starts).argmax())


def _find_records(data: bytes, separator: str) -> _Records:
    """Find records, taking every double quote as the start or end of a quoted stretch."""
    raw = np.frombuffer(data, dtype=np.uint8)
    line_ends: list[NDArray[np.int64]] = []
    record_ends: list[NDArray[np.int64]] = []
    separators_before: list[NDArray[np.int64]] = []
    quotes: list[NDArray[np.int64]] = []
    n_separators = 0
    inside = np.uint8(0)
    for start in range(0, len(raw), _BLOCK):  # in blocks that stay in the processor's cache
        block = raw[start : start + _BLOCK]
        newlines, is_separator = np.flatnonzero(block == _NEWLINE), block == ord(separator)
        line_ends.append(newlines + start)
        is_quote = block == _QUOTE
        if inside or is_quote.any():
            quotes.append(np.flatnonzero(is_quote) + start)
            quoted = (np.cumsum(is_quote, dtype=np.uint8) + inside) & 1
            inside = quoted[-1]
            is_separator &= quoted == 0
            newlines = newlines[quoted[newlines] == 0]
        separators = np.flatnonzero(is_separator)
        record_ends.append(newlines + start)
        separators_before.append(np.searchsorted(separators, newlines) + n_separators)
        n_separators += len(separators)
    ends = np.concatenate([*record_ends, [len(raw)]])
    counts = np.diff(np.concatenate([[0], *separators_before, [n_separators]]))
    starts = np.concatenate([[0], ends[:-1] + 1])
    if len(starts) > 1 and starts[-1] == len(raw):  # the file ends with a line end
        starts, ends, counts = starts[:-1], ends[:-1], counts[:-1]
    has_return = (ends > starts) & (raw[np.maximum(ends - 1, 0)] == _RETURN)
    lines = np.searchsorted(np.concatenate(line_ends), starts) + 1
    well_formed = not inside and (not quotes or _quotes_are_well_formed(raw, np.concatenate(quotes), separator))
    return _Records(starts, ends - has_return, counts, lines.astype(np.int64), well_formed)


def _quotes_are_well_formed(raw: NDArray[np.uint8], quotes: NDArray[np.int64], separator: str) -> bool:
    """Say whether each quote opens at the start of a field, closes at its end, or is doubled inside it."""
    edge = np.zeros(256, dtype=bool)
    edge[[_QUOTE, _NEWLINE, ord(separator)]] = True
    opening, closing = quotes[::2], quotes[1::2]
    before = edge[raw[opening[opening > 0] - 1]]
    edge[_RETURN] = True
    after = edge[raw[closing[closing < len(raw) - 1] + 1]]
    return bool(before.all() and after.all())


def _names(header: bytes, separator: str, source: str) -> list[str]:
    text = header.decode("utf-8")
    fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [""])
    names = [field.strip() or f"column {place}" for place, field in enumerate(fields, 1)]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(
                f"{source} names two columns {name!r} (columns {names.index(name) + 1} and {place + 1}): rename one"
            )
    return names


def _read_fast(
    data: bytes, records: _Records, header: int, filled: NDArray[np.bool_], names: list[str], separator: str
) -> pl.DataFrame | None:
    body_start = int(records.starts[header + 1])
    body = data[body_start : int(records.ends[np.flatnonzero(filled)[-1]])]
    # A blank first line makes polars guess one column; it stands for no row unless there is one column only.
    try:
        frame = pl.read_csv(
            body,
            has_header=False,
            schema=dict.fromkeys(names, pl.String),
            separator=separator,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError:
        return None
    wanted = filled[header + 1 : int(np.flatnonzero(filled)[-1]) + 1]
    if frame.height != len(wanted):
        return None
    return frame if wanted.all() else frame.filter(pl.Series(wanted))


def _read_exactly(data: bytes, separator: str, names: list[str], source: str) -> Delimited:
    """Read by Python's csv module, which keeps quotes inside bare fields as they are."""
    csv.field_size_limit(_LONGEST_FIELD)
    text = data.decode("utf-8")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[list[str]] = []
    lines: list[int] = []
    line, n_filled, header_seen = 1, 0, False
    for row in reader:
        start, line = line, reader.line_num + 1
        if row and not header_seen:
            header_seen = True
        elif row or (len(names) == 1 and header_seen):
            if row and len(row) != len(names):
                raise DataError(_ragged(source, start, line - start, len(row), len(names)))
            rows.append(row or [""])
            lines.append(start)
            n_filled = len(rows) if row else n_filled
    del rows[n_filled:], lines[n_filled:]  # blank lines at the end are none
    _refuse_open_quote(text, lines[-1] if lines else 1, separator, source)
    columns = [
        pl.Series(name, column, dtype=pl.String) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    ]
    return Delimited(columns, np.array(lines, dtype=np.int64))


def _ragged(source: str, line: int, n_lines: int, came: int, expected: int) -> str:
    fields = "field" if came == 1 else "fields"
    hint = " (a quote opens there and runs over several lines)" if n_lines > 1 else ""
    return (
        f"{source}, line {line}: {came} {fields}, expected {expected} as in the header{hint}; "
        "mend the line, or put quotes round a field that holds the separator"
    )


def _refuse_open_quote(text: str, line: int, separator: str, source: str) -> None:
    last = text.split("\n", line - 1)[-1]
    try:
        for _ in csv.reader(io.StringIO(last, newline=""), delimiter=separator, strict=True):
            pass
    except csv.Error as problem:
        if "unexpected end" in str(problem):
            raise DataError(f"{source}, line {line}: a quote opens and never closes; close or remove it") from None
