"""How a number is written: the same in the page, in the figures, on the terminal and in the verdict.

The digits follow the interval: the last one is worth between a 20th and a 200th of its width, so that no digit is
printed that the data cannot carry. The verdict, written a floor below, follows the same rule, and a test holds the
two equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from heldout.errors import InvalidInput

__all__ = ["NOT_KNOWN", "decimals_for", "shorten", "show"]

NOT_KNOWN = "not known"
MINUS = "\u2212"
ELLIPSIS = "\u2026"
SHORT = 22  # characters of a name that fit beside a figure on a telephone

# Beyond these a row of digits is harder to read than a power of ten.
MOST_DECIMALS = 6
LARGEST_PLAIN = 1e12


def decimals_for(width: float | None, value: float | None = None) -> int:
    """Return the number of decimals: the last digit is worth a 20th to a 200th of the width of the interval.

    Parameters
    ----------
    width : float or None
        Upper end minus lower end. None, 0 or not finite: three significant digits of `value`.
    value : float or None

    Returns
    -------
    int
        Never negative: no digit before the point is rounded away.

    Examples
    --------
    >>> decimals_for(0.26), decimals_for(0.048), decimals_for(812.0), decimals_for(None, 0.0471)
    (2, 3, 0, 4)
    """
    if width is not None and math.isfinite(width) and width > 0:
        return min(max(math.ceil(1.3 - math.log10(width)), 0), MOST_DECIMALS)
    if value is None or value == 0 or not math.isfinite(value):
        return 2
    return max(2 - math.floor(math.log10(abs(value))), 0)


def _grouped(value: float, decimals: int) -> str:
    form = ".3g" if abs(value) >= LARGEST_PLAIN or decimals > MOST_DECIMALS else f",.{decimals}f"
    text = f"{value:{form}}"
    if not any(digit in text for digit in "123456789"):
        text = text.removeprefix("-")  # no minus zero
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def _number(value: Any, decimals: int | None) -> str:
    return _grouped(float(value), decimals_for(None, float(value)) if decimals is None else decimals)


def _count(value: Any, _decimals: int | None) -> str:
    return _grouped(int(value), 0)


def _length(value: Any, _decimals: int | None) -> str:
    return _grouped(len(value), 0)


def _percent(value: Any, decimals: int | None) -> str:
    share = float(value)
    places = decimals or 0
    # "100 %" is only said of everything and "0 %" only of nothing.
    while places < 4 and 0 < share < 1 and float(f"{100 * share:.{places}f}") in (0.0, 100.0):
        places += 1
    return f"{_grouped(100 * share, places)} %"


def _level(value: Any, _decimals: int | None) -> str:
    return f"{100 * float(value):.6g} %"


def _p_value(value: Any, _decimals: int | None) -> str:
    p = float(value)
    if p >= 0.1:
        return _grouped(p, 2)
    # Never "0.000": a permutation p-value is never 0.
    return _grouped(p, 3) if p >= 0.001 else f"{p:.1g}"


def _seconds(value: Any, _decimals: int | None) -> str:
    seconds = float(value)
    return f"{_grouped(seconds, 2 if seconds < 1 else 1 if seconds < 10 else 0)} s"


def _text(value: Any, _decimals: int | None) -> str:
    return "yes" if value is True else "no" if value is False else str(value)


def _short(value: Any, decimals: int | None) -> str:
    return shorten(_text(value, None), decimals or SHORT)


FORMS: dict[str, Callable[[Any, int | None], str]] = {
    "number": _number,
    "count": _count,
    "length": _length,
    "percent": _percent,
    "level": _level,
    "p_value": _p_value,
    "seconds": _seconds,
    "text": _text,
    "short": _short,
}


def show(value: Any, form: str = "number", decimals: int | None = None) -> str:
    """Write one value of report.json.

    Parameters
    ----------
    value : JSON value; None reads "not known"
    form : str
        "number" (`decimals`, or three significant digits), "count", "length" (of a list), "percent" (a share
        times 100), "level" (the same, not rounded), "p_value", "seconds",
        "text", "short" (a name cut in the middle to at most `decimals` characters).
    decimals : int or None

    Raises
    ------
    InvalidInput
        There is no such form.

    Examples
    --------
    >>> show(2.4149, "number", 2), show(68432.1, "number", 0), show(0.5473, "percent"), show(12000, "count")
    ('2.41', '68,432', '55 %', '12,000')
    >>> show(0.9996, "percent"), show(0.00042, "p_value"), show(None)
    ('99.96 %', '0.0004', 'not known')
    """
    if form not in FORMS:
        raise InvalidInput(f"unknown form {form!r} of a number: choose one of {', '.join(FORMS)}")
    if value is None:
        return NOT_KNOWN
    return FORMS[form](value, decimals)


def shorten(name: str, width: int = SHORT) -> str:
    """Cut a long name in the middle; both ends tell names apart.

    Examples
    --------
    >>> shorten("total_sulfur_dioxide_of_the_wine", 20)
    'total_sulf…_the_wine'
    """
    if len(name) <= width:
        return name
    head = width // 2
    return name[:head].rstrip() + ELLIPSIS + name[len(name) - (width - head - 1) :].lstrip()
