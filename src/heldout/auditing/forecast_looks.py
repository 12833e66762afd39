"""Where the attention of an audit looks in the part held out, and whether hiding that hurts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from heldout.auditing.forecast_candidates import ForecastScored
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.windows import Windows

__all__ = ["attention_section"]

_MOST_MAPPED, _MOST_DELETED = 100, 200
_RANDOM = 5


@dataclass(frozen=True, eq=False)
class _Before:
    """What a forecast was before its last fit: here the one that was evaluated."""

    before_tail: FittedForecast
    tail: Windows


def attention_section(scored: ForecastScored, tested: Windows, n_threads: int, seed: int) -> dict[str, Any]:
    """Return the lag profile of attention, and the deletion test, on windows that it never learned from.

    Parameters
    ----------
    scored : ForecastScored
        Attention as it was evaluated.
    tested : Windows
        The part held out.
    n_threads : int
    seed : int
    """
    from heldout.sequence.attending import evenly_spaced
    from heldout.sequence.attention_maps import attention_maps
    from heldout.sequence.deletion import deletion_test
    from heldout.sequence.forecaster import Forecaster

    forecaster: Any = Forecaster(tested.horizon, n_jobs=n_threads)
    forecaster.fitted_, forecaster.result_ = scored.forecast, _Before(scored.forecast, tested)
    known = tested.take(np.flatnonzero(np.isfinite(tested.future()).any(axis=(1, 2))))
    maps = attention_maps(forecaster, known, n_windows=_MOST_MAPPED)
    deletion = deletion_test(
        forecaster, known.take(evenly_spaced(len(known), _MOST_DELETED)), n_random=_RANDOM, random_state=seed
    )
    return {
        "n_windows": len(maps.windows),
        "n_windows_all": maps.n_windows_all,
        "lags": maps.lags().to_dict(),
        "deletion": deletion.to_dict(),
    }
