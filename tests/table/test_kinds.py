from __future__ import annotations

import polars as pl
import pytest

from heldout.errors import DataError
from heldout.table import table_from_frame
from heldout.table.kinds import MISSING


def typed(values, types=None):
    table = table_from_frame(pl.DataFrame({"x": values}), types=None if types is None else {"x": types})
    return table.schema["x"], table.frame["x"].to_list(), table.notes


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", " 2.5 ", "-3e-2", "+4", ".5", "6."], "number", [1.0, 2.5, -0.03, 4.0, 0.5, 6.0]),
        (["1", "inf", "-Infinity"], "number", [1.0, float("inf"), float("-inf")]),
        (["0", "1", "0"], "number", [0.0, 1.0, 0.0]),
        (["true", "FALSE", "True"], "boolean", [True, False, True]),
        (["yes", "no", ""], "boolean", [True, False, None]),
        (["yes", "no", "maybe"], "category", ["yes", "no", "maybe"]),
        (["yes", "true"], "category", ["yes", "true"]),
        (["007", "012"], "category", ["007", "012"]),
        (["0.5", "-0.25", "0"], "number", [0.5, -0.25, 0.0]),
        (["1,5", "2,25"], "number", [1.5, 2.25]),
        (["1,234", "2,345,678"], "number", [1234.0, 2345678.0]),
        (["1,234.5", "12"], "number", [1234.5, 12.0]),
        (["1,234", "2,345"], "category", ["1,234", "2,345"]),
        (["9007199254740993", "1"], "category", ["9007199254740993", "1"]),
        (["9007199254740992", "1"], "number", [2.0**53, 1.0]),
        (["1" * 400, "2"], "category", ["1" * 400, "2"]),
        (["2024-01-31", "2024-02-01"], "datetime", None),
        (["12:30", "13:45"], "category", ["12:30", "13:45"]),
        (["a", None, "b"], "category", ["a", None, "b"]),
        ([None, "", "NA"], "number", [None, None, None]),
        (["-", "1"], "number", [None, 1.0]),
        (["-", "+", "+"], "category", ["-", "+", "+"]),
        (["none", "one"], "category", ["none", "one"]),
        (["1", "2", "3a"], "category", ["1", "2", "3a"]),
    ],
)
def test_text_is_typed_by_its_values(values, kind, expected):
    column, came, _ = typed(values)
    assert column.kind == kind
    if expected is not None:
        assert came == expected


@pytest.mark.parametrize("word", MISSING)
def test_every_missing_word_is_missing(word):
    column, came, _ = typed(["1", word, "2"])
    assert (column.kind, column.n_missing, came) == ("number", 1, [1.0, None, 2.0])


def test_long_and_mostly_distinct_text_is_text_and_repeated_text_is_category():
    sentences = [f"the {animal} crossed the road at night" for animal in ("dog", "cat", "fox", "hen")]
    assert typed(sentences)[0].kind == "text"
    assert typed(sentences[:2] * 10)[0].kind == "category"
    assert typed([f"short name {number}" for number in range(9)])[0].kind == "category"


def test_thousands_of_levels_stay_a_category_sorted_as_text():
    names = [f"level {number}" for number in range(5_000)]
    column, _, _ = typed(names[::-1] + names)
    assert column.kind == "category"
    assert column.levels == tuple(sorted(names))


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (["Yes", "No"], ("No", "Yes")),
        (["TRUE", "TRUE"], ("FALSE", "TRUE")),
        (["no"], ("no", "yes")),
        (["Yes", "Yes"], ("No", "Yes")),
        (["yes", "YES", "no"], ("no", "yes")),
        ([True, False], ("false", "true")),
    ],
)
def test_boolean_levels_keep_the_spelling_false_first(values, levels):
    assert typed(values)[0].levels == levels


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["007", "012"], r"column 'x' has leading zeros ('007')"),
        (["9007199254740993", "1"], "beyond 2^53 (9007199254740993)"),
        ([2**60 + 1, 1], "beyond 2^53 (1152921504606846977)"),
        (["1,234", "2,345"], "decimals or thousands"),
        (["03/04/2024", "05/06/2024"], "may be day/month or month/day ('03/04/2024')"),
        ([*map(str, range(30)), "abc"], "30 of 31 values are numbers but 'abc' (row 31) is not"),
    ],
)
def test_a_reading_that_may_surprise_is_noted(values, note):
    column, _, notes = typed(values)
    assert column.kind == "category"
    assert note in notes[0]


def test_number_ranges_leave_infinity_out():
    column, _, _ = typed([1.0, float("inf"), None, -4.0, float("nan")])
    assert (column.minimum, column.maximum, column.n_missing) == (-4.0, 1.0, 2)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2], "category", ["1", "2"]),
        ([1.0, 2.5], "category", ["1", "2.5"]),
        ([True, False], "category", ["true", "false"]),
        (["t", "f"], "boolean", [True, False]),
        (["Y", "n"], "boolean", [True, False]),
        ([1, 0], "boolean", [True, False]),
        (["007", "8"], "number", [7.0, 8.0]),
        (["1,234", "2,5"], "number", [1.234, 2.5]),
        (["a b", "c"], "text", ["a b", "c"]),
    ],
)
def test_a_kind_that_is_asked_for_is_given(values, kind, expected):
    column, came, _ = typed(values, kind)
    assert (column.kind, came) == (kind, expected)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (["1", "x"], "number", "cannot be read as number: 'x' in row 2"),
        ([True], "number", "cannot be read as number: 'true' in row 1"),
        (["2024-01-01", "soon"], "datetime", "cannot be read as datetime: 'soon' in row 2"),
        ([True], "datetime", "cannot be read as datetime: 'true' in row 1"),
        (["yes", "2"], "boolean", "cannot be read as boolean: '2' in row 2"),
        ([0.5, 1.0], "boolean", "cannot be read as boolean: '0.5' in row 1"),
    ],
)
def test_an_impossible_kind_is_refused_by_value_and_row(values, kind, message):
    with pytest.raises(DataError, match=message):
        typed(values, kind)
