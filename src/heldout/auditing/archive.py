"""The zip beneath a model file: written in one stroke, read with nothing taken on trust.

Layout: `manifest.json` names the file format, the versions that wrote it, and length and SHA-256 of every other
member; the rest are JSON documents, `.npy` arrays and at most one skops dump. Sizes are checked before
anything is allocated, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heldout.errors import ModelFileError

__all__ = ["FORMAT", "SCHEMA", "array_from_npy", "npy_from_array", "read_archive", "write_archive"]

SCHEMA = 1
FORMAT = "heldout model"
MANIFEST = "manifest.json"
MOST_MEMBERS = 20_000
MOST_BYTES = 2**31  # of all members together, unpacked
MOST_JSON_BYTES = 2**26  # JSON grows about tenfold when it is parsed
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*\Z")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold: equal models give equal bytes
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def npy_from_array(array: NDArray[Any]) -> bytes:
    """Return the bytes of a `.npy` file, little-endian, in C order."""
    buffer = io.BytesIO()
    plain = np.asarray(array, order="C")
    np.lib.format.write_array(buffer, plain.astype(plain.dtype.newbyteorder("<")), (1, 0), allow_pickle=False)
    return buffer.getvalue()


def array_from_npy(data: bytes) -> NDArray[Any]:
    """Return the array in a `.npy` file, having checked its header against the bytes there are.

    Raises
    ------
    ValueError
        Another type than numbers and booleans, or a shape that does not fit the bytes.
    """
    buffer = io.BytesIO(data)
    if np.lib.format.read_magic(buffer) != (1, 0):
        raise ValueError("an array is in another version of the npy format than 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(buffer)
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ValueError(f"an array holds {dtype}, not numbers")
    here, wanted = len(data) - buffer.tell(), math.prod(shape) * dtype.itemsize
    if fortran or min(shape, default=0) < 0 or wanted != here:
        raise ValueError(f"an array of shape {shape} needs {wanted} bytes, got {here}")
    return np.frombuffer(data, dtype, offset=buffer.tell()).reshape(shape)


def _json_bytes(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False).encode()


def write_archive(path: Path, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Write a model file whole or not at all; equal content gives equal bytes.

    Raises
    ------
    ModelFileError
        The file cannot be written.
    """
    sums = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in members.items()}
    first = _json_bytes({**manifest, "format": FORMAT, "schema": SCHEMA, "members": sums})
    # A neighbour of the file itself, so that the last step is a rename within one file system.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, data in [(MANIFEST, first), *sorted(members.items())]:
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
        os.replace(partial, path)
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise ModelFileError(f"cannot write {str(path)!r} ({why}): choose another place") from problem
    finally:
        partial.unlink(missing_ok=True)


def read_archive(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read a model file: the manifest, and the members it names, lengths and sums checked.

    Raises
    ------
    ModelFileError
        Not a model file, truncated, altered, too large, or written by a newer version. One line, with the path.
    """
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            return _read(archive)
    except ModelFileError as problem:
        raise ModelFileError(f"{str(path)!r} {problem}") from None
    except OSError as problem:
        raise ModelFileError(f"cannot read {str(path)!r}: {problem.strerror or problem}") from problem
    except _BROKEN as problem:
        raise ModelFileError(
            f"{str(path)!r} is no model file, or is truncated or damaged ({_one_line(problem)}): fetch or save it again"
        ) from problem


def _one_line(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:200] or type(problem).__name__


def _read(archive: zipfile.ZipFile) -> tuple[dict[str, Any], dict[str, bytes]]:
    entries = _checked_entries(archive)
    if MANIFEST not in entries:
        raise ModelFileError("is a zip but no model file: it has no manifest.json; name the model.heldout of an audit")
    manifest = parse_json(_member(archive, entries.pop(MANIFEST)), MANIFEST)
    _check_version(manifest)
    sums = manifest.get("members")
    if not isinstance(sums, dict) or not all(isinstance(s, dict) for s in sums.values()):
        raise ModelFileError("is damaged: its manifest lists no members; fetch or save it again")
    for name in sorted(set(sums) ^ set(entries)):
        what = "lacks" if name in sums else "has an unlisted"
        raise ModelFileError(f"is damaged or altered: it {what} member {name!r}; fetch or save it again")
    members = {}
    for name, entry in entries.items():
        data = _member(archive, entry)
        if hashlib.sha256(data).hexdigest() != sums[name].get("sha256"):
            raise ModelFileError(f"was altered: member {name!r} does not match its SHA-256; fetch or save it again")
        members[name] = data
    return manifest, members


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Check the directory of the zip alone: names, compression, sizes."""
    entries: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise ModelFileError(f"has {len(infos)} members, more than the {MOST_MEMBERS} a model file may have")
    for info in infos:
        # The name as it stands in the file: zipfile cleans `filename` up, which would hide what was tried.
        if not _NAME.match(info.orig_filename):
            raise ModelFileError(f"has a member of the unsafe name {info.orig_filename!r}: do not use this file")
        if info.filename in entries:
            raise ModelFileError(f"has two members named {info.filename!r}: do not use this file")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 0x1:
            raise ModelFileError(f"has a member {info.filename!r} that is encrypted or packed in an unknown way")
        most = MOST_JSON_BYTES if info.filename.endswith(".json") else MOST_BYTES
        if info.file_size > most:
            raise ModelFileError(
                f"is oversized: {info.filename!r} unpacks to {info.file_size} bytes, at most {most} may"
            )
        entries[info.filename] = info
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise ModelFileError(f"is oversized: it unpacks to {total} bytes, at most {MOST_BYTES} may")
    return entries


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read a member in pieces, never more than the directory said, whatever the packed data hold."""
    pieces, have = [], 0
    with archive.open(entry) as stream:
        while piece := stream.read(min(2**20, entry.file_size + 1 - have)):
            pieces.append(piece)
            have += len(piece)
    if have != entry.file_size:
        raise ModelFileError(f"is damaged: member {entry.filename!r} has {have} bytes, not {entry.file_size}")
    return b"".join(pieces)


def parse_json(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object in a member.

    Raises
    ------
    ModelFileError
        It is no JSON object.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise ModelFileError(f"is damaged: {name} is no JSON ({_one_line(problem)}); fetch or save it again") from None
    if not isinstance(document, dict):
        raise ModelFileError(f"is damaged: {name} holds no JSON object; fetch or save it again")
    return document


def _check_version(manifest: Mapping[str, Any]) -> None:
    from heldout import __version__

    if manifest.get("format") != FORMAT:
        raise ModelFileError("is a zip but no model file: its manifest says so; name the model.heldout of an audit")
    schema = manifest.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ModelFileError(f"is damaged: its format is {schema!r}, not a number; fetch or save it again")
    if schema > SCHEMA:
        versions = manifest.get("versions")
        writer = versions.get("heldout") if isinstance(versions, dict) else None
        wanted = f"heldout {writer} or newer" if isinstance(writer, str) else "a newer heldout"
        raise ModelFileError(
            f"has file format {schema}, but heldout {__version__} reads up to format {SCHEMA}: install {wanted}"
        )
