"""Boosting on lags: what it can learn that a line cannot, and that a fold's model knows nothing of its fold."""

from __future__ import annotations

import json

import numpy as np
import pytest

from heldout.errors import InvalidInput
from heldout.sequence.baselines import boosting as module
from heldout.sequence.baselines.boosting import BoostingOnLags, FittedBoosting
from heldout.sequence.baselines.ridge import RidgeOnLags
from heldout.sequence.folds import Folds, fold_windows
from heldout.sequence.scaling import scaling_of
from heldout.sequence.windows import Windows, all_origins, last_origins

from reference.series import make_sequences, with_gaps


def test_a_rule_that_no_line_tells_is_found(seed):
    """X' = 1 - 2 x^2 has no autocorrelation at any lag: its best linear forecast is its mean."""
    x = np.empty((30, 80))
    x[:, 0] = np.random.default_rng(seed).uniform(-1, 1, 30)
    for t in range(1, 80):
        x[:, t] = 1 - 2 * x[:, t - 1] ** 2
    windows = all_origins(make_sequences(list(x)), 1, least_context=4)
    folds = fold_windows(windows)
    by_boosting, by_ridge = (
        np.abs(baseline.fit(windows, folds).out_of_fold() - windows.future()).mean()
        for baseline in (BoostingOnLags(), RidgeOnLags())
    )
    # The mean absolute value of the law is 2 / pi.
    assert by_ridge > 0.9 * 2 / np.pi
    assert by_boosting < 0.25 * by_ridge


def test_known_columns_and_static_ones_are_used_in_the_future(seed):
    rng = np.random.default_rng(seed)
    holidays = [rng.integers(0, 2, 80).astype(float) for _ in range(12)]
    kinds = np.arange(12) % 2
    values = [10 + 5 * holiday * (1 - 2 * kind) for holiday, kind in zip(holidays, kinds, strict=True)]
    sequences = make_sequences(values, known=holidays, static=kinds)
    windows = all_origins(sequences, 3, least_context=10)
    fitted = BoostingOnLags(n_rounds=60).fit(windows, fold_windows(windows))
    ends = last_origins(sequences, 3)
    future = rng.integers(0, 2, (12, 3, 1)).astype(float)
    told = Windows(sequences, ends.origin, 3, future)
    expected = 10 + 5 * future[:, :, 0] * (1 - 2 * kinds)[:, None]
    # Not knowing the column, the error would be 2.5 at best.
    assert np.abs(fitted.predict(told)[:, :, 0] - expected).mean() < 1.0


@pytest.mark.parametrize("n_rounds", [None, 12])
def test_fitting_twice_gives_the_same_bits(n_rounds, seed):
    sequences = make_sequences(list(np.random.default_rng(seed).normal(size=(12, 50, 2)).cumsum(axis=1)), 4)
    windows = all_origins(sequences, 5)
    folds = fold_windows(windows)
    one, again = (BoostingOnLags(n_rounds, max_rows=3000).fit(windows, folds) for _ in range(2))
    assert one.n_rounds == again.n_rounds
    assert np.array_equal(one.predict(windows), again.predict(windows))
    assert np.array_equal(one.out_of_fold(), again.out_of_fold())
    other = BoostingOnLags(n_rounds, max_rows=3000, random_state=1).fit(windows, folds)
    assert not np.array_equal(one.predict(windows), other.predict(windows))


def test_a_fold_is_predicted_by_a_model_of_the_other_windows(seed):
    """One window a series: its future is in no context, so it can be changed by itself."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(200, 14)).cumsum(axis=1)
    folds = Folds(np.arange(200) % 4, np.arange(4)[:, None] != np.arange(200) % 4)
    # Beside the fold a few windows that are in no fold's training set with it, as those within a horizon are.
    folds.learn[2, :10] = False
    made = []
    for wild in (0.0, 1e9):
        values = parts.copy()
        values[~folds.learn[2], 10:] += wild
        windows = Windows(make_sequences(list(values)), np.arange(200) * 14 + 9, 4)
        made.append(BoostingOnLags(n_rounds=15).fit(windows, folds).out_of_fold())
    fold = folds.of == 2
    assert np.array_equal(made[0][fold], made[1][fold])
    assert not np.array_equal(made[0][~fold], made[1][~fold])


def test_rows_that_are_drawn_stand_for_all(monkeypatch, seed):
    seen = []
    draw = module._draw_lesson
    monkeypatch.setattr(module, "_draw_lesson", lambda *args: seen.append(draw(*args)) or seen[-1])
    values = with_gaps(np.random.default_rng(seed).normal(size=(4, 40, 2)), 0.2, np.random.default_rng(seed))
    windows = all_origins(make_sequences(list(values)), 3)
    fit = BoostingOnLags(n_rounds=1).fit(windows, fold_windows(windows))
    everything = seen[0]
    known = np.isfinite(windows.future())
    assert len(everything.target) == known.sum()
    assert np.bincount(everything.window, minlength=len(windows)).tolist() == known.sum(axis=(1, 2)).tolist()
    scaled = scaling_of(windows).down(windows.future()).transpose(0, 2, 1)
    np.testing.assert_allclose(everything.target, scaled[np.isfinite(scaled)])  # no season: the anchor is 0
    np.testing.assert_allclose(everything.weight, 1 / (1 + everything.target**2 / 49))
    BoostingOnLags(n_rounds=1, max_rows=100).fit(windows, fold_windows(windows))
    assert 50 < len(seen[1].target) <= 100
    assert fit.n_rounds == 1


def test_parts_make_the_same_model(seed):
    sequences = make_sequences(list(np.random.default_rng(seed).normal(size=(10, 40)).cumsum(axis=1)), 4)
    windows = all_origins(sequences, 5)
    fitted = BoostingOnLags(n_rounds=7).fit(windows, fold_windows(windows))
    meta, arrays = fitted.to_parts()
    again = FittedBoosting.from_parts(json.loads(json.dumps(meta)), arrays)
    assert np.array_equal(again.predict(windows), fitted.predict(windows))
    assert again.n_rounds == fitted.n_rounds == 7


@pytest.mark.parametrize("season", [1, 4])
def test_with_nothing_to_learn_from_the_anchor_is_forecast(season):
    values = np.where(np.arange(12) < 8, np.arange(12.0), np.nan)
    windows = Windows(make_sequences([values], season), np.array([7, 7]), 4)
    fitted = BoostingOnLags().fit(windows, Folds(np.zeros(2, np.int64), np.zeros((1, 2), dtype=bool)))
    # Half way between the season before, 4 .. 7, and the last value moved as then, 8 .. 11.
    expected = [7.0] * 4 if season == 1 else [6.0, 7.0, 8.0, 9.0]
    for found in (fitted.predict(windows), fitted.out_of_fold()):
        np.testing.assert_allclose(found[:, :, 0], [expected] * 2)
    meta, arrays = fitted.to_parts()
    np.testing.assert_allclose(FittedBoosting.from_parts(meta, arrays).predict(windows)[0, :, 0], expected)


def test_a_single_fold_still_gets_a_model():
    windows = all_origins(make_sequences([np.arange(60.0) % 7]), 3)
    fitted = BoostingOnLags(n_rounds=20).fit(
        windows, Folds(np.zeros(len(windows), np.int64), np.zeros((1, len(windows)), bool))
    )
    assert fitted.n_rounds == 20
    assert np.isfinite(fitted.predict(windows)).all()
    last = np.repeat(scaling_of(windows).level, 3, axis=1)
    assert np.array_equal(fitted.out_of_fold(), last)


@pytest.mark.parametrize(("parameter", "value"), [("n_rounds", 0), ("n_rounds", -3), ("max_rows", 0)])
def test_numbers_below_1_are_refused(parameter, value):
    with pytest.raises(InvalidInput, match=f"{parameter} must be 1 or more.*got {value}"):
        BoostingOnLags(**{parameter: value})
