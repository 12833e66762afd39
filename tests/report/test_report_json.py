"""docs/report_json.md describes report.json: every field that is there, and no other."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from report.documents import SAMPLES

PAGE = Path(__file__).parents[2] / "docs" / "report_json.md"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)
TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "null": (type(None),),
}


def documented() -> dict[str, str]:
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert len(rows) == len(dict(rows)), "a path is described twice"
    return {path: kind.strip() for path, kind in rows}


def fits(value: Any, kind: str) -> bool:
    if kind == "any":
        return True
    if kind.endswith(" or null"):
        return value is None or fits(value, kind.removesuffix(" or null"))
    if kind.startswith("list of "):
        return isinstance(value, list) and all(fits(one, kind.removeprefix("list of ")) for one in value)
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every (path, value), lists as one value and their objects below it."""
    if isinstance(value, dict):
        if path:
            yield path, value
        for key, one in value.items():
            yield from fields(one, f"{path}.{key}" if path else key)
    else:
        yield path, value
        if isinstance(value, list):
            for one in value:
                if isinstance(one, dict):
                    for inner, deeper in fields(one, f"{path}[]"):
                        if inner != f"{path}[]":
                            yield inner, deeper


def describing(path: str, described: dict[str, str]) -> list[str]:
    # `[]` is a position, not a set of characters, to fnmatch.
    plain = path.replace("[]", "@")
    return [one for one in described if fnmatch.fnmatchcase(plain, one.replace("[]", "@"))]


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_field_is_described_with_its_type(sample: str) -> None:
    described = documented()
    for path, value in fields(SAMPLES[sample]()):
        if isinstance(value, dict) and any(one.startswith(f"{path}.") for one in described):
            continue  # its fields are described one by one
        rows = describing(path, described)
        assert len(rows) == 1, f"{path} is described by {rows}"
        assert fits(value, described[rows[0]]), f"{path} = {value!r} is no {described[rows[0]]}"


def test_every_described_field_is_in_a_sample() -> None:
    described = documented()
    seen = {row for make in SAMPLES.values() for path, _ in fields(make()) for row in describing(path, described)}
    assert set(described) - seen == set()


def test_samples_are_plain_json() -> None:
    for make in SAMPLES.values():
        assert json.loads(json.dumps(make(), allow_nan=False)) == make()


def test_the_parts_of_every_sample_sum_to_its_expected_loss() -> None:
    for make in SAMPLES.values():
        for one in make()["candidates"]:
            if one["variance"] is not None:
                total = one["variance"] + (one["excess_bias"] or 0.0) + one["unresolved"]
                assert total == pytest.approx(one["expected_loss"], rel=1e-12)
