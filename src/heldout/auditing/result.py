"""The result of an audit, and how it is written to a folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from heldout.auditing.candidates import Candidate
from heldout.auditing.forecast_model import ForecastModel
from heldout.auditing.model_file import FittedModel, save_model
from heldout.errors import DataError
from heldout.iid import IIDReport
from heldout.tradeoff import Decomposition

__all__ = ["Audit", "check_folder"]


def check_folder(folder: str | Path) -> Path:
    """Make sure that a folder can be written before any work begins.

    Raises
    ------
    DataError
        It cannot be made or written.
    """
    path = Path(folder)
    try:
        existing = _nearest_existing(path)
        if not existing.is_dir():
            raise DataError(
                f"cannot write into {str(path)!r}: {str(existing)!r} is a file; choose another --out folder"
            )
        # Permission bits do not tell the whole truth (read-only mounts, root): only writing does.
        with tempfile.NamedTemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise DataError(
            f"cannot write into {str(path)!r} ({error.strerror or error}): choose another --out folder"
        ) from error
    return path


def _nearest_existing(path: Path) -> Path:
    return next(p for p in (path, *path.absolute().parents) if p.exists())


def _move(finished: Path, target: Path) -> None:
    """Move finished files into the folder: a new folder in one step, into an old one file by file.

    What could stand in a file's way is looked for before the first move.
    """
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        finished.rename(target)
        return
    files = sorted(finished.iterdir())
    for path in files:
        if (target / path.name).is_dir():
            raise DataError(
                f"cannot write {str(target / path.name)!r}: a folder of that name is in the way; "
                "remove it or choose another --out folder"
            )
    for path in files:
        os.replace(path, target / path.name)


@dataclass(frozen=True)
class Audit:
    """Everything an audit found.

    Parameters
    ----------
    document : dict
        The content of `report.json`: plain numbers, strings, lists and dicts.
    iid : IIDReport
    splitter : scikit-learn splitter or None
        The folds that the verdict rests on; None where series are forecast.
    candidates : tuple of Candidate
        Those that were scored, simplest first; `best` is fitted on all rows, these are not fitted. Empty where series
        are forecast.
    decompositions : dict of str to Decomposition
        By candidate name; empty when there was no time.
    best : FittedModel, ForecastModel or None
        The chosen model, fitted on all rows; None when the audit was interrupted before it was fitted.
    interrupted : bool
        Whether the user stopped it; what is finished is here.
    """

    document: dict[str, Any]
    iid: IIDReport
    splitter: Any
    candidates: tuple[Candidate, ...]
    decompositions: Mapping[str, Decomposition]
    best: FittedModel | ForecastModel | None
    interrupted: bool = False

    @property
    def verdict(self) -> str:
        """Return the first line of the report."""
        return str(self.document["verdict"])

    @property
    def advice(self) -> list[dict[str, Any]]:
        """Return what to do next, most pressing first."""
        return list(self.document["advice"])

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `report.json`."""
        return self.document

    def __str__(self) -> str:
        return self.verdict

    def save(self, folder: str | Path) -> Path:
        """Write `report.json`, `model.heldout` and `report.html`; all of them or none.

        Everything is written into a temporary folder beside the target first and moved at the end.

        Raises
        ------
        DataError
            The folder cannot be written.
        """
        target = check_folder(folder)
        try:
            # On the file system of the target, so that a move is a rename.
            staging = Path(tempfile.mkdtemp(prefix=".heldout-", dir=_nearest_existing(target)))
            try:
                finished = staging / "finished"
                finished.mkdir()
                self._write_all(finished)
                _move(finished, target)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        except OSError as error:
            raise DataError(f"cannot write into {str(target)!r} ({error.strerror or error}): mend that") from error
        return target

    def _write_all(self, folder: Path) -> None:
        text = json.dumps(self.document, indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        if self.best is not None:
            save_model(folder / "model.heldout", self.best, self.best.manifest)
        for writer in entry_points(group="heldout.audit_writers"):
            writer.load()(self.document, folder)
