"""What every stage 0 promises, whichever it is."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heldout.sequence.baselines import BASELINES, RULES, BoostingOnLags, RidgeOnLags
from heldout.sequence.folds import Folds, fold_windows
from heldout.sequence.windows import Windows, all_origins

from reference.series import make_sequences, with_gaps

EVERY = sorted(BASELINES)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_nothing_after_the_origin_is_read(name, poison, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, 60, 2)).cumsum(axis=1) + 20
    later = np.arange(60)[:, None] > 45
    clean, poisoned = (make_sequences(list(own), 4) for own in (values, np.where(later, poison, values)))
    learn = all_origins(clean, 5, least_context=9)
    fitted = BASELINES[name]().fit(learn, fold_windows(learn))
    origins = (np.arange(12)[:, None] * 60 + [0, 3, 20, 45]).ravel()
    found = [fitted.predict(Windows(sequences, origins, 5)) for sequences in (clean, poisoned)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.5, 0.95, 1.0]), st.sampled_from([1, 5]))
def test_forecasts_are_finite_whatever_is_missing(name, seed, missing, season):
    rng = np.random.default_rng(seed)
    parts = [with_gaps(rng.normal(size=(n, 2)) * 10.0 ** rng.integers(-6, 6), missing, rng) for n in (1, 2, 30, 45)]
    sequences = make_sequences(parts, season)
    windows = Windows(sequences, np.arange(sequences.n_rows), 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = BASELINES[name]().fit(windows, fold_windows(windows))
        for found in (fitted.predict(windows), fitted.out_of_fold()):
            assert found.shape == (len(windows), 6, 2)
            assert np.isfinite(found).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_constant_stays(name):
    sequences = make_sequences([np.full(40, 3.5), np.full(40, -2.0), np.zeros(40)], 4)
    windows = all_origins(sequences, 6)
    fitted = BASELINES[name]().fit(windows, fold_windows(windows))
    expected = np.repeat(windows.context(1), 6, axis=1)
    for found in (fitted.predict(windows), fitted.out_of_fold()):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_a_season_that_repeats_but_for_rounding_breaks_nothing(name, noise, seed):
    """The scale, a season's change, is then a billionth of the lags or less."""
    wave = np.tile([1.0, 5.0, 2.0, 9.0], 20) + noise * np.random.default_rng(seed).normal(size=80)
    windows = all_origins(make_sequences([wave], 4), 6)
    fitted = BASELINES[name]().fit(windows, fold_windows(windows))
    for found in (fitted.predict(windows), fitted.out_of_fold()):
        assert np.isfinite(found).all()
        if name in ("seasonal-naive", "theta"):
            np.testing.assert_allclose(found[40:], windows.future()[40:], atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_parts_through_json_make_the_same_forecasts(name, seed):
    sequences = make_sequences(list(np.random.default_rng(seed).normal(size=(12, 50)).cumsum(axis=1)), 4)
    windows = all_origins(sequences, 5)
    fitted = BASELINES[name]().fit(windows, fold_windows(windows))
    meta, arrays = fitted.to_parts()
    again = type(fitted).from_parts(json.loads(json.dumps(meta)), arrays)
    assert again.name == fitted.name == meta["name"] == name
    np.testing.assert_array_equal(again.predict(windows), fitted.predict(windows))


@pytest.mark.parametrize("name", EVERY)
def test_a_window_is_forecast_alike_in_any_company(name, seed):
    sequences = make_sequences(list(np.random.default_rng(seed).normal(size=(12, 50)).cumsum(axis=1)), 4)
    windows = all_origins(sequences, 5)
    fitted = BASELINES[name]().fit(windows, fold_windows(windows))
    chosen = np.array([300, 7, 150])
    np.testing.assert_allclose(
        fitted.predict(windows.take(chosen)), fitted.predict(windows)[chosen], rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("name", RULES)
def test_rules_say_out_of_fold_what_they_always_say(name, seed):
    windows = all_origins(make_sequences([np.random.default_rng(seed).normal(size=30)], 4), 5)
    fitted = BASELINES[name]().fit(windows, fold_windows(windows))
    assert np.array_equal(fitted.out_of_fold(), fitted.predict(windows))


@pytest.mark.parametrize("baseline", [RidgeOnLags((6,), 0.01), BoostingOnLags(10)], ids=lambda b: b.name)
@pytest.mark.parametrize("poison", [1e9, -3.0])
def test_a_folds_targets_and_those_that_overlap_it_do_not_reach_its_model(baseline, poison, seed):
    """One window a series, so that a future is in no context and can be changed by itself."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(120, 20)).cumsum(axis=1)
    of = np.arange(120) % 3
    learn = np.arange(3)[:, None] != of
    learn[1, :9] = False  # as windows within a horizon of the fold
    folds = Folds(of, learn)
    origins = np.arange(120) * 20 + 15
    values = parts.copy()
    values[~learn[1], 16:] = poison
    clean, dirty = (
        baseline.fit(Windows(make_sequences(list(own), 4), origins, 4), folds).out_of_fold() for own in (parts, values)
    )
    assert np.array_equal(clean[of == 1], dirty[of == 1])
    assert not np.allclose(clean[of == 0], dirty[of == 0])
