"""Numbers in sentences show what their uncertainty supports and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heldout.auditing.wording import interval, listed, number, percent, share_interval


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (2.41372, 0.26, "2.41"),
        (0.0123456, 0.0004, "0.01235"),
        (1234.56, 310.0, "1,235"),
        (12.0, 0.0, "12.0"),
        (0.0, None, "0"),
        (123456.0, None, "123,456"),
    ],
)
def test_digits_follow_the_spread(value: float, spread: float | None, text: str) -> None:
    assert number(value, spread) == text


@given(st.floats(0.01, 1e6), st.floats(1e-4, 1e3))
def test_what_is_shown_is_within_a_twentieth_of_the_spread(value: float, spread: float) -> None:
    shown = float(number(value, spread).replace(",", ""))
    assert abs(shown - value) <= max(spread / 20, 1e-6) * 1.001


def test_an_interval_is_never_written_with_a_plus_minus() -> None:
    assert interval(2.4137, 2.291, 2.551, 0.9) == "2.41 (90 % CI 2.29 to 2.55)"
    assert interval(2.4137, None, None, 0.95) == "2.41"


def test_shares_and_lists_read_as_in_a_sentence() -> None:
    assert percent(0.555) == "56 %"
    assert share_interval(0.61, None, None) == "61 %"
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
