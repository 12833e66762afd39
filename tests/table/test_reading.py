from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from heldout.errors import DataError, InvalidInput
from heldout.table import read_table


@pytest.fixture
def write(tmp_path: Path):
    def to(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return to


def kinds(table) -> dict[str, str]:
    return {column.name: column.kind for column in table.schema.columns}


SMALL = pl.DataFrame(
    {
        "number": [1.5, None, -2.0],
        "category": ["b", "a", None],
        "flag": [True, None, False],
        "when": pl.Series(["2024-01-31T13:05:09.25", None, "1969-12-31T00:00:00"]).str.to_datetime(time_unit="us"),
        "text": [f"{word} was written by hand on a rainy day" for word in ("this", "that", "it")],
    }
)
WRITERS = {
    "csv": lambda path: SMALL.write_csv(path),
    "tsv": lambda path: SMALL.write_csv(path, separator="\t"),
    "parquet": lambda path: SMALL.write_parquet(path),
    "arrow": lambda path: SMALL.write_ipc(path),
    "feather": lambda path: SMALL.write_ipc(path, compression="zstd"),
    "ipc": lambda path: SMALL.write_ipc(path),
    "jsonl": lambda path: SMALL.write_ndjson(path),
    "ndjson": lambda path: SMALL.write_ndjson(path),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str, packed: bool):
    path = tmp_path / f"small.{suffix}"
    WRITERS[suffix](path)
    if packed:
        content = path.read_bytes()
        path = path.with_name(path.name + ".gz")
        path.write_bytes(gzip.compress(content))
    table = read_table(path)
    assert kinds(table) == {
        "number": "number",
        "category": "category",
        "flag": "boolean",
        "when": "datetime",
        "text": "text",
    }
    assert table.frame.equals(SMALL)
    assert table.source == path.name
    assert table.n_rows == 3


def test_sha256_is_that_of_the_file_as_it_lies_on_disk(tmp_path: Path):
    path = tmp_path / "small.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n", mtime=0))
    assert read_table(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_from_the_header_and_the_rows(write, separator: str):
    lines = [["size", "note, with comma"], ["1", "a"], ["2", "b; c"], ["3", "d"]]
    content = "\n".join(separator.join(f'"{field}"' for field in line) for line in lines)
    table = read_table(write("t.csv", content))
    assert table.schema.names == ("size", "note, with comma")
    assert table.frame["size"].to_list() == [1.0, 2.0, 3.0]


def test_semicolons_with_decimal_commas_are_read_as_numbers(write):
    table = read_table(write("t.csv", "x;y\n1,5;10\n-2,25;20\n"))
    assert table.frame.rows() == [(1.5, 10.0), (-2.25, 20.0)]
    assert table.schema["x"].layout == "decimal comma"


def test_byte_order_mark_carriage_returns_and_blank_lines_do_no_harm(write):
    table = read_table(write("t.csv", b"\xef\xbb\xbfname,x\r\n\r\na,1\r\n\r\nb,2\r\n\r\n"))
    assert table.schema.names == ("name", "x")
    assert table.frame.rows() == [("a", 1.0), ("b", 2.0)]
    assert table.place.of(1) == "line 5"


def test_line_ends_of_old_macs_are_read(write):
    assert read_table(write("t.csv", b"a,b\r1,2\r3,4\r")).frame["b"].to_list() == [2.0, 4.0]


def test_quoted_newlines_separators_and_quotes_belong_to_the_value(write):
    table = read_table(write("t.csv", 'a,b\n"x\ny, ""z""",1\nq,2\n'))
    assert table.frame["a"].to_list() == ['x\ny, "z"', "q"]
    assert [table.place.of(row) for row in (0, 1)] == ["line 2", "line 4"]


def test_quotes_inside_bare_fields_stay_as_they_are(write):
    table = read_table(write("t.csv", 'pipe,x\n5" pipe,1\n6" and 7" pipe,2\nplain "quoted" word,3\n'))
    assert table.frame["pipe"].to_list() == ['5" pipe', '6" and 7" pipe', 'plain "quoted" word']


def test_a_blank_line_in_a_file_of_one_column_is_a_missing_value(write):
    assert read_table(write("t.csv", "x\n1\n\n3\n\n")).frame["x"].to_list() == [1.0, None, 3.0]
    assert read_table(write("u.csv", 'x\n5" a\n\n6" b\n\n\n')).frame["x"].to_list() == ['5" a', None, '6" b']


def test_row_numbers_in_a_nameless_first_column_are_left_out_with_a_note(write):
    table = read_table(write("t.csv", ",x\n0,5\n1,7\n2,5\n"))
    assert table.schema.names == ("x",)
    assert "counts the rows" in table.notes[0]
    assert read_table(write("u.csv", ",x\n4,5\n1,7\n")).schema.names == ("column 1", "x")


def test_a_header_of_numbers_is_doubted(write):
    assert "has it no header line" in read_table(write("t.csv", "5.1,3.5\n4.9,3.0\n")).notes[0]
    assert not read_table(write("u.csv", "0,1\n4.9,3.0\n")).notes


def test_json_lines_with_a_missing_key_and_mixed_types_are_read(write):
    table = read_table(write("t.jsonl", '{"a": 1, "b": "x"}\n\n{"a": "two"}\n{"a": 3.5, "b": null}\n'))
    assert table.frame["a"].to_list() == ["1", "two", "3.5"]
    assert table.frame["b"].to_list() == ["x", None, None]
    assert table.place.of(1) == "line 3"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", "", "empty.csv is empty"),
        ("blank.csv", "\n  \n", "blank.csv is empty"),
        ("head.csv", "a,b\n", "head.csv has a header only"),
        ("head.csv", "a,b", "head.csv has a header only"),
        ("long.csv", "a,b\n1,2\n1,2,3\n", "long.csv, line 3: 3 fields, expected 2"),
        ("short.csv", "a,b\n1,2\n\n7\n", "short.csv, line 4: 1 field, expected 2"),
        ("quoted.csv", 'a,b\n"x\ny",2\n1,2,3\n', "quoted.csv, line 4: 3 fields, expected 2"),
        ("twice.csv", "a,b,a\n1,2,3\n", r"twice.csv names two columns 'a' \(columns 1 and 3\)"),
        ("latin.csv", "a,b\n1,2\nM\xfcller,3\n".encode("latin1"), r"byte 0xfc at offset 9 \(line 3\).*iconv"),
        ("wide.csv", "a,b\n1,2\n".encode("utf-16"), "wide.csv is UTF-16"),
        ("wider.csv", "a,b\n1,2\n".encode("utf-32"), "wider.csv is UTF-32.*iconv -f utf-32"),
        ("zero.csv", b"a,b\n1,\x00\n", "zero byte at offset 6"),
        ("open.csv", 'a,b\n1,2\n3,"4\n5,6\n', "line 3: a quote opens and never closes"),
        ("open.csv", 'a,b\n1,"2\n3,4\n5,6,7\n', "line 2: a quote opens and never closes"),
        ("swallow.csv", 'a,b\n"1,2\n3",4,5\n5,6\n', r"line 2: 3 fields, expected 2 .*runs over several lines"),
        ("t.parquet", b"PAR1 no", "t.parquet is not a whole Parquet file"),
        ("t.arrow", b"ARROW", "t.arrow is not a whole Arrow IPC file"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 50, mtime=0)[:-9], "t.csv.gz is not a whole gzip file"),
        ("t.csv.gz", b"a,b\n1,2\n", "t.csv.gz is not a whole gzip file"),
        ("t.jsonl", '{"a": 1}\n{"a": \n', "t.jsonl, line 2: not JSON"),
        ("t.jsonl", '{"a": 1}\n[2]\n', r"t.jsonl, line 2: expected an object .*\[2\]"),
        ("t.xlsx", b"PK", r"a file ending in .xlsx is not read; give one of \.csv, \.tsv, \.parquet"),
        ("plain", b"a", "a file ending in nothing is not read"),
        (
            "mixed.csv",
            "d,x\n2024-01-31,1\n31.01.2024,2\n",
            r"'2024-01-31' \(line 2\) and '31.01.2024' \(line 3\).*--type d=text",
        ),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_says_what_and_where(write, name, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(name, content))
    assert "\n" not in str(caught.value)


def test_an_empty_parquet_file_is_refused(tmp_path: Path):
    SMALL.clear().write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet has no rows"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("name", "message"), [("", "is a folder, expected a file"), ("vowel", r"no such file .*vowel: did you mean")]
)
def test_what_is_no_file_is_named_before_its_ending(write, tmp_path: Path, name: str, message: str):
    write("vowel.csv", "a\n1\n")
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / name)


def test_a_missing_file_suggests_the_nearest_name(write, tmp_path: Path):
    write("vowel.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"no such file .*vowels\.csv: did you mean .*vowel\.csv\?"):
        read_table(tmp_path / "vowels.csv")
    with pytest.raises(DataError, match=r"no such file .*: check the path"):
        read_table(tmp_path / "zzzzzzzzzz.tsv")
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        read_table(tmp_path / "nowhere" / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv is a folder"):
        read_table(tmp_path / "folder.csv")


def test_a_file_that_may_not_be_read_is_refused(write, monkeypatch):
    path = write("t.csv", "a\n1\n")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"t\.csv cannot be read \(Permission denied\)"):
        read_table(path)


def test_types_overrule_what_would_be_found_and_refuse_what_does_not_fit(write):
    path = write("t.csv", "zip,code,x\n1067,007,1\n80331,012,a\n")
    table = read_table(path, types={"zip": "category", "code": "number"})
    assert table.schema["zip"].levels == ("1067", "80331")
    assert table.frame["code"].to_list() == [7.0, 12.0]
    with pytest.raises(DataError, match="column 'x' cannot be read as number: 'a' in line 3"):
        read_table(path, types={"x": "number"})
    with pytest.raises(DataError, match="--type: no column 'zipp': did you mean 'zip'"):
        read_table(path, types={"zipp": "category"})
    with pytest.raises(InvalidInput, match="unknown kind 'float' for column 'x': choose one of number"):
        read_table(path, types={"x": "float"})  # type: ignore[dict-item]


def test_many_rows_with_quotes_on_either_side_of_every_line_are_counted_right(write, seed):
    draw = np.random.default_rng(seed)
    lines, expected = 1, []
    rows = ["a,b"]
    for row in range(2_000):
        breaks = int(draw.integers(3))
        expected.append(lines + 1)
        rows.append(f'"v{row}{chr(10) * breaks}, ""w""",{row}')
        lines += 1 + breaks
    table = read_table(write("t.csv", "\n".join(rows)))
    assert table.n_rows == 2_000
    assert table.place.numbers is not None
    assert table.place.numbers.tolist() == expected


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl", "csv"])
def test_damaged_files_are_read_or_refused_but_never_crash(tmp_path: Path, suffix: str, seed: int):
    frame = pl.DataFrame({"x": np.arange(200) / 7, "c": ["a", "b"] * 100, "d": SMALL["when"].gather([0, 1] * 100)})
    path = tmp_path / f"t.{suffix}"
    {"parquet": frame.write_parquet, "arrow": frame.write_ipc, "jsonl": frame.write_ndjson, "csv": frame.write_csv}[
        suffix
    ](path)
    whole, draw = path.read_bytes(), np.random.default_rng(seed)
    messages: list[str] = []
    for run in range(60):
        damaged = bytearray(whole)
        for place in draw.integers(len(whole), size=2):
            damaged[place] = draw.integers(256)
        path.write_bytes(damaged[: draw.integers(len(whole))] if run % 4 == 0 else damaged)
        try:
            read_table(path)
        except DataError as problem:
            messages.append(str(problem))
    assert messages
    assert not any("\n" in message for message in messages)
