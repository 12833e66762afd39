"""Rounding keeps the value, and the page rounds as the verdict does."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.auditing import wording
from heldout.errors import InvalidInput
from heldout.report.numbers import decimals_for, shorten, show

MODERATE = st.floats(-1e9, 1e9, allow_subnormal=False)


def read_back(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


@given(MODERATE, st.integers(0, 6))
def test_a_number_read_back_is_within_half_a_unit_of_its_last_digit(value: float, decimals: int) -> None:
    assert abs(read_back(show(value, "number", decimals)) - value) <= 0.5 * 10.0**-decimals + 1e-6 * abs(value) * 1e-6


@given(st.floats(1e-9, 1e11) | st.floats(-1e11, -1e-9))
def test_a_number_of_no_known_spread_keeps_three_significant_digits(value: float) -> None:
    assert math.isclose(read_back(show(value)), value, rel_tol=0.0051)


@given(st.floats(1e-4, 1e6), st.floats(1e-4, 1e4))
def test_the_page_and_the_verdict_round_alike(value: float, width: float) -> None:
    assert show(value, "number", decimals_for(width, value)) == wording.number(value, width)


@given(st.floats(0.0, 1.0))
def test_a_hundred_percent_is_said_only_of_everything(share: float) -> None:
    text = show(share, "percent")
    if share < 0.99999:
        assert text != "100 %"
    if share > 0.00001:
        assert text != "0 %"


def test_percentages_keep_their_sign_and_are_not_clipped() -> None:
    assert show(-0.285, "percent") == "−28 %"
    assert show(1.204, "percent") == "120 %"
    assert show(0.995, "level") == "99.5 %"


@given(st.floats(1e-7, 1.0))
def test_a_p_value_is_never_nought(p: float) -> None:
    text = show(p, "p_value")
    assert float(text) > 0
    assert math.isclose(float(text), p, rel_tol=0.51)


def test_nothing_is_written_as_minus_nought() -> None:
    assert show(-0.001, "number", 2) == "0.00"
    assert show(-0.0, "number", 1) == "0.0"


def test_counts_have_commas_and_lists_their_length() -> None:
    assert show(1204, "count") == "1,204"
    assert show(list(range(1500)), "length") == "1,500"


def test_huge_and_tiny_numbers_are_powers_of_ten() -> None:
    assert show(1.5e15) == "1.5e+15"
    assert show(4.2e-9) == "4.2e-09"


def test_seconds_have_digits_by_size() -> None:
    assert [show(s, "seconds") for s in (0.0521, 8.74, 61.4)] == ["0.05 s", "8.7 s", "61 s"]


def test_null_is_not_known_in_every_form() -> None:
    assert {show(None, form) for form in ("number", "count", "percent", "text", "length")} == {"not known"}


@given(st.text(min_size=1, max_size=80), st.integers(5, 40))
def test_a_shortened_name_fits_and_a_short_one_is_left_alone(name: str, width: int) -> None:
    short = shorten(name, width)
    assert len(short) <= max(width, len(short) if len(name) <= width else 0)
    assert len(name) > width or short == name


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'roman'"):
        show(3, "roman")
