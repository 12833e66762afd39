"""Ridge on lags: out of fold it is what scikit-learn learns from the rows that a fold may see."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from heldout.sequence.baselines.ridge import RidgeOnLags, fill_forward, lags_to_try
from heldout.sequence.folds import Folds, fold_windows
from heldout.sequence.windows import Windows, all_origins, last_origins

from reference import forecasts as twin
from reference.series import make_sequences, with_gaps


def rows_of(windows, n_lags):
    """Return features, target, level and scale of each window of one variable, in plain loops."""
    X, Y, units = [], [], []
    sequences = windows.sequences
    for series, origin in zip(windows.series, windows.origin, strict=True):
        start = sequences.offsets[series]
        past = sequences.target[start : origin + 1, 0].tolist()
        level, scale = twin.scaling(past, sequences.season)
        padded = [past[0]] * max(0, n_lags - len(past)) + past[-n_lags:]
        X.append([(value - level) / scale for value in padded])
        Y.append((sequences.target[origin + 1 : origin + 1 + windows.horizon, 0] - level) / scale)
        units.append((level, scale))
    return np.array(X), np.array(Y), np.array(units)


@pytest.mark.parametrize("n_series", [1, 12])
@pytest.mark.parametrize("n_lags", [3, 9])
def test_out_of_fold_is_a_refit_without_the_fold(n_series, n_lags, seed):
    rng = np.random.default_rng(seed)
    sequences = make_sequences(list(rng.normal(size=(n_series, 60)).cumsum(axis=1)), 4)
    windows = all_origins(sequences, 3, least_context=5)
    folds = fold_windows(windows)
    fitted = RidgeOnLags(n_lags=(n_lags,), penalty=0.01).fit(windows, folds)
    X, Y, units = rows_of(windows, n_lags)
    weight = 1 / (1 + (Y**2).mean(axis=1) / 49)
    for fold in [None, *range(folds.n_folds)]:
        learn = np.ones(len(X), dtype=bool) if fold is None else folds.learn[fold]
        alpha = 0.01 * (X[learn] ** 2 * weight[learn, None]).sum() / n_lags
        model = Ridge(alpha=alpha, solver="cholesky").fit(X[learn], Y[learn], sample_weight=weight[learn])
        expected = model.predict(X) * units[:, 1:] + units[:, :1]
        found = fitted.predict(windows) if fold is None else fitted.out_of_fold()
        own = slice(None) if fold is None else folds.of == fold
        np.testing.assert_allclose(found[own, :, 0], expected[own], rtol=1e-5, atol=1e-5)


def test_lags_and_penalty_of_the_least_error_out_of_fold_are_taken(seed):
    rng = np.random.default_rng(seed)
    values = np.zeros((1, 300))
    for t in range(300):  # what counts lies six steps back
        values[0, t] = (0.9 * values[0, t - 6] if t >= 6 else 0) + rng.normal()
    windows = all_origins(make_sequences(list(values)), 2, least_context=8)
    folds = fold_windows(windows)
    chosen = RidgeOnLags(n_lags=(3, 8)).fit(windows, folds)
    assert chosen.n_lags == 8
    errors = {
        penalty: np.nanmean(np.abs(RidgeOnLags((8,), penalty).fit(windows, folds).out_of_fold() - windows.future()))
        for penalty in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    }
    # Chosen in units of each window's scale, which differ little here.
    assert errors[chosen.penalty] < 1.01 * min(errors.values())


def test_lags_to_try_suit_the_season_and_the_length():
    def tried(length, season, horizon=4):
        return lags_to_try(all_origins(make_sequences([np.zeros(length)], season), horizon))

    assert tried(400, 12) == (26, 36, 84, 168)
    assert tried(40, 12) == (26, 35)
    assert tried(300, 1) == (4, 8, 24, 96)
    assert tried(6, 1) == (2,)


def test_a_fold_that_learns_from_nothing_gets_the_last_value(seed):
    windows = all_origins(make_sequences([np.random.default_rng(seed).normal(size=16)]), 8)
    folds = fold_windows(windows)
    assert folds.n_folds == 1
    found = RidgeOnLags().fit(windows, folds).out_of_fold()
    np.testing.assert_allclose(found[:, :, 0], np.repeat(windows.context(1)[:, :, 0], 8, axis=1))


def test_a_wild_fold_leaves_no_trace_in_the_others(seed):
    """By subtraction from the sum of all windows, the rounding of 1e24 would rule what a small fold learns."""
    rng = np.random.default_rng(seed)
    parts = rng.normal(size=(40, 12)).cumsum(axis=1)
    of = np.arange(40) % 2
    folds = Folds(of, np.arange(2)[:, None] != of)
    made = []
    for wild in (0.0, 1e12):
        values = parts.copy()
        values[of == 0, 8:] += wild
        windows = Windows(make_sequences(list(values)), np.arange(40) * 12 + 7, 4)
        made.append(RidgeOnLags((4,), 0.01).fit(windows, folds).out_of_fold()[of == 0])
    assert np.array_equal(*made)


def test_gaps_are_filled_forward_then_backward_then_by_0():
    nan = np.nan
    values = np.array([[nan, 1, nan, nan, 4, nan], [nan] * 6, [2, nan, nan, nan, nan, nan]])[:, :, None]
    filled = fill_forward(values)[:, :, 0].tolist()
    assert filled == [[1, 1, 1, 1, 4, 4], [0] * 6, [2] * 6]
    whole = np.arange(6.0).reshape(1, 6, 1)
    assert fill_forward(whole) is whole


def test_futures_with_few_gaps_are_learned_from_and_others_are_not(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(30, 40)).cumsum(axis=1)
    gaps = with_gaps(values, 0.2, rng)
    windows = all_origins(make_sequences(list(gaps)), 4, least_context=6)
    fitted = RidgeOnLags((6,), 0.01).fit(windows, fold_windows(windows))
    assert np.isfinite(fitted.predict(last_origins(windows.sequences, 4))).all()
    unknown = np.where(np.arange(40) > 20, np.nan, values)
    windows = Windows(make_sequences(list(unknown)), np.arange(30) * 40 + 20, 4)
    fitted = RidgeOnLags((6,), 0.01).fit(windows, fold_windows(windows))
    assert (fitted.weights == 0).all()
