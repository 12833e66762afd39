"""Typed tables: files and frames in, a schema, and a table made ready for a task out.

Every value is typed by one set of rules (`heldout.table.kinds`), whether it comes from a CSV file, Parquet or
a frame, and never by its place in the file: shuffled rows give the same schema, the same levels, the same codes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from heldout.table.checking import read_as
from heldout.table.dataset import Dataset, prepare
from heldout.table.reading import read_table
from heldout.table.schema import Column, ColumnKind, Schema, SchemaNote
from heldout.table.tables import Table, table_from_frame
from heldout.table.target import Target

if TYPE_CHECKING:
    from heldout.table.encoding import OrdinalEncoder, ScaledEncoder

__all__ = [
    "Column",
    "ColumnKind",
    "Dataset",
    "OrdinalEncoder",
    "ScaledEncoder",
    "Schema",
    "SchemaNote",
    "Table",
    "Target",
    "prepare",
    "read_as",
    "read_table",
    "table_from_frame",
]


def __getattr__(name: str) -> Any:
    # The encoders are scikit-learn transformers; reading a table must not import scikit-learn.
    if name not in {"OrdinalEncoder", "ScaledEncoder"}:
        raise AttributeError(f"module 'heldout.table' has no attribute {name!r}: it has {', '.join(__all__)}")
    return getattr(importlib.import_module("heldout.table.encoding"), name)
