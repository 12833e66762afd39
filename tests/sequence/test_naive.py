"""Last value, seasonal naive and drift: equal to plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.sequence.baselines import Drift, LastValue, SeasonalNaive
from heldout.sequence.folds import fold_windows
from heldout.sequence.windows import Windows, last_origins

from reference import forecasts as twin
from reference.series import make_sequences, with_gaps


@pytest.mark.parametrize("season", [1, 3, 4])
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 9))
def test_every_window_is_forecast_as_by_plain_loops(season, seed, missing, horizon):
    rng = np.random.default_rng(seed)
    sequences = make_sequences([with_gaps(rng.normal(size=(n, 2)), missing, rng) for n in (1, 2, 6, 17)], season)
    windows = Windows(sequences, np.arange(sequences.n_rows), horizon)
    folds = fold_windows(windows)
    found = [baseline.fit(windows, folds).predict(windows) for baseline in (LastValue(), SeasonalNaive(), Drift())]
    for row, series in enumerate(windows.series):
        for variable in range(2):
            past = sequences.target[sequences.offsets[series] : row + 1, variable].tolist()
            expected = (
                twin.last_value(past, horizon),
                twin.seasonal_naive(past, season, horizon),
                twin.drift(past, horizon),
            )
            for forecast, own in zip(found, expected, strict=True):
                np.testing.assert_allclose(forecast[row, :, variable], own, rtol=1e-9, atol=1e-9)


def test_they_are_what_their_names_say():
    windows = last_origins(make_sequences([[1, 2, 3, 4, 5, 6, 8]], 3), 4)
    for baseline, expected in (
        (LastValue(), [8, 8, 8, 8]),
        (SeasonalNaive(), [5, 6, 8, 5]),
        (Drift(), [8 + 7 / 6, 8 + 14 / 6, 8 + 21 / 6, 8 + 28 / 6]),
    ):
        fitted = baseline.fit(windows, fold_windows(windows))
        np.testing.assert_allclose(fitted.predict(windows)[0, :, 0], expected)
        np.testing.assert_allclose(fitted.out_of_fold(), fitted.predict(windows))
