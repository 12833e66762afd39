"""What leaves the command line: text on stdout, and files that are whole or not there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from heldout.errors import DataError

__all__ = ["as_json", "emit", "note", "write_file"]


def emit(text: str) -> None:
    """Print on stdout; a reader that went away (``| head``) is no error."""
    try:
        print(text, flush=True)  # noqa: T201 - this is the CLI's stdout
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Print on stderr what is not the result: where files went, what was left out."""
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the CLI's stderr


def as_json(document: Any) -> str:
    """Return `document` as JSON text; numbers that are not finite have no JSON and are refused."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def write_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step: a failure on the way leaves what was there before.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=".heldout-", dir=path.absolute().parent)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}; name another file with --out"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes private files; give this one the permissions any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise DataError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}; name another file with --out"
        ) from error
