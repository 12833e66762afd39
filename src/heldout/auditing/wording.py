"""Numbers in sentences: as many digits as the interval supports, percents without false precision."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["interval", "listed", "number", "percent", "share_interval"]


def _decimals(spread: float) -> int:
    # The last digit is worth between a 20th and a 200th of the interval: 0.26 or 1.02 wide, shown to 2 decimals.
    return min(max(math.ceil(1.3 - math.log10(spread)), 0), 6)


def number(value: float, spread: float | None = None) -> str:
    """Write a number with the digits its uncertainty supports.

    Parameters
    ----------
    value : float
    spread : float or None
        Width of its interval; None shows three significant digits.

    Examples
    --------
    >>> number(2.41372, 0.26), number(1234.5, 310.0), number(0.00123456)
    ('2.41', '1,234', '0.00123')
    """
    if spread is not None and spread > 0 and math.isfinite(spread):
        return f"{value:,.{_decimals(spread)}f}"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{min(decimals, 10)}f}"


def interval(value: float, low: float | None, high: float | None, confidence_level: float) -> str:
    """Write ``2.41 (95 % CI 2.29 to 2.55)``, or the number alone where there is no interval.

    Examples
    --------
    >>> interval(2.4137, 2.291, 2.551, 0.95)
    '2.41 (95 % CI 2.29 to 2.55)'
    """
    if low is None or high is None:
        return number(value)
    spread = high - low
    return (
        f"{number(value, spread)} ({confidence_level:.0%} CI {number(low, spread)} to {number(high, spread)})"
    ).replace("%", " %")


def percent(share: float) -> str:
    """Write a share as a whole percent.

    Examples
    --------
    >>> percent(0.6149)
    '61 %'
    """
    return f"{100 * share:.0f} %"


def share_interval(share: float, low: float | None, high: float | None) -> str:
    """Write ``61 %, 52 to 70``.

    Examples
    --------
    >>> share_interval(0.61, 0.52, 0.7)
    '61 %, 52 to 70'
    """
    if low is None or high is None:
        return percent(share)
    return f"{percent(share)}, {100 * low:.0f} to {100 * high:.0f}"


def listed(words: Sequence[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"
