from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from heldout.auditing.forecast_candidates import learning_part
from heldout.auditing.forecast_origins import hold_out_end
from heldout.errors import DataError
from heldout.sequence.windows import Windows

from .small_series import series_of, shops, wave


def times_of_futures(windows: Windows) -> np.ndarray:
    """The time of every value to be forecast, by a walk over windows."""
    counts = windows.sequences.count
    return np.array([counts[origin] + step for origin in windows.origin for step in range(1, windows.horizon + 1)])


@pytest.mark.parametrize("horizon", [1, 7, 14])
def test_nothing_learned_from_reaches_into_what_is_tested(horizon: int) -> None:
    sequences = series_of(shops(150), group=["shop"], horizon=horizon)
    held = hold_out_end(sequences, horizon)
    part = learning_part(held.learned, horizon)
    border = times_of_futures(held.tested).min()
    assert held.together
    assert held.learned.count.max() < border
    for windows in (part.every, part.inner, part.tail):
        assert times_of_futures(windows).max() < border
    assert times_of_futures(part.inner).max() < times_of_futures(part.tail).min()


def test_a_fifth_is_held_out_and_at_least_six_horizons_where_half_is_left() -> None:
    assert hold_out_end(series_of(wave(300)), 7).n_steps == 60
    assert hold_out_end(series_of(wave(120)), 7).n_steps == 42
    assert hold_out_end(series_of(wave(60)), 7).n_steps == 30
    assert hold_out_end(series_of(wave(10)), 7).n_steps == 7


def test_every_origin_of_the_part_held_out_is_tested() -> None:
    held = hold_out_end(series_of(wave(300)), 7)
    assert held.tested.origin.tolist() == list(range(239, 293))
    assert held.n_origins == 54


def test_series_that_end_here_and_there_are_cut_at_their_own_ends() -> None:
    lengths = (40, 60, 80, 100, 120)
    frame = pl.concat([shops(n, 1).with_columns(shop=pl.lit(f"s{n}")) for n in lengths])
    sequences = series_of(frame, group=["shop"])
    held = hold_out_end(sequences, 7)
    assert not held.together
    assert (held.time == 0).all()
    assert held.learned.lengths.tolist() == [80, 96, 32, 48, 64]  # in order of names: s100, s120, s40, s60, s80
    for series in range(5):
        mine = held.tested.origin[held.tested.series == series]
        border = sequences.offsets[series] + held.learned.lengths[series]
        assert mine.min() == border - 1
        assert mine.max() == sequences.offsets[series + 1] - 8


def test_a_series_that_begins_behind_the_border_is_not_tested() -> None:
    late = shops(200, 1).with_columns(shop=pl.lit("late")).tail(20)
    held = hold_out_end(series_of(pl.concat([shops(200), late]), group=["shop"]), 7)
    assert held.scale_of.tolist() == [-1, 0, 1, 2]
    assert set(held.tested.series.tolist()) == {1, 2, 3}


def test_without_a_horizon_behind_the_border_nothing_can_be_tested() -> None:
    early = shops(200, 1).with_columns(shop=pl.lit("early")).head(30)
    late = shops(200, 1).with_columns(shop=pl.lit("late")).tail(5)
    sequences = series_of(pl.concat([early, late]), group=["shop"], horizon=7)
    with pytest.raises(DataError, match="no series has values before and 7 steps into"):
        hold_out_end(sequences, 7)
