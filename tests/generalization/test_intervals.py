"""Interval formulas against tables worked by hand, published values and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from heldout.errors import InvalidInput
from heldout.generalization.intervals import block_t, corrected_t, unit_t, wald, wilson

LOSSES = st.lists(st.floats(0, 10), min_size=3, max_size=40)


def test_corrected_t_is_nadeau_and_bengios_formula_worked_by_hand():
    # Five folds of ten rows out of fifty: mean 3, s^2 = (4 + 1 + 0 + 1 + 4) / 4 = 2.5, n_test / n_train = 1/4.
    interval = corrected_t([1, 2, 3, 4, 5], [(40, 10)] * 5)
    assert interval.mean == pytest.approx(3)
    assert interval.standard_error == pytest.approx(np.sqrt(2.5 * (1 / 5 + 1 / 4)))
    assert interval.high - interval.mean == pytest.approx(2.776445 * np.sqrt(1.125), rel=1e-6)  # t table, 4 df
    assert interval.mean - interval.low == pytest.approx(interval.high - interval.mean)


def test_corrected_t_over_repeats_counts_every_fold_as_bouckaert_and_frank_do():
    # Two repeats of two folds: s^2 of (1, 3, 2, 2) is 2/3; 1/(kr) + 1/(k-1) = 1/4 + 1; 3 degrees of freedom.
    interval = corrected_t([1, 3, 2, 2], [(10, 10)] * 4)
    assert interval.standard_error == pytest.approx(np.sqrt(2 / 3 * 1.25))
    assert interval.high == pytest.approx(2 + 3.182446 * np.sqrt(2 / 3 * 1.25), rel=1e-6)


def test_folds_count_by_their_rows():
    interval = corrected_t([0.0, 1.0], [(10, 30), (30, 10)])
    assert interval.mean == pytest.approx(0.25)
    # Weighted variance 0.25 * 0.75, times 2/1; ratios 3 and 1/3.
    assert interval.standard_error == pytest.approx(np.sqrt(0.375 * (1 / 2 + (3 + 1 / 3) / 2)))


def test_repeating_leave_one_out_buys_nothing():
    losses = [1.0, 4.0, 2.0, 8.0]
    once = corrected_t(losses, [(3, 1)] * 4)
    thrice = corrected_t(losses * 3, [(3, 1)] * 12, n_counted=4)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))


def test_block_t_is_students_interval_for_equal_blocks():
    losses = np.array([1.0, 2.5, 2.0, 4.0])
    interval = block_t(losses, [7] * 4, 0.9)
    low, high = stats.t.interval(0.9, 3, losses.mean(), stats.sem(losses))
    assert (interval.low, interval.high) == pytest.approx((low, high))


@given(losses=LOSSES, level=st.floats(0.5, 0.99))
def test_unit_t_over_rows_is_students_interval_and_wald_the_normal_one(losses, level):
    mean, error = np.mean(losses), stats.sem(losses)
    student, normal = unit_t(losses, confidence_level=level), wald(losses, confidence_level=level)
    half = stats.t.ppf(0.5 + level / 2, len(losses) - 1) * error
    assert (student.low, student.high) == pytest.approx((mean - half, mean + half), abs=1e-9)
    half = stats.norm.ppf(0.5 + level / 2) * error
    assert (normal.low, normal.high) == pytest.approx((mean - half, mean + half), abs=1e-9)


@given(losses=LOSSES)
def test_doubling_every_row_leaves_the_interval_over_units_as_it_is(losses):
    units = np.arange(len(losses))
    for interval in (wald, unit_t):
        once, twice = interval(losses, units), interval(np.repeat(losses, 2), np.repeat(units, 2))
        assert (once.low, once.high) == pytest.approx((twice.low, twice.high), abs=1e-9)


def test_units_of_equal_size_are_judged_by_their_means():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(12, 5)) + rng.normal(size=(12, 1))
    interval = unit_t(table.ravel(), np.repeat(np.arange(12), 5))
    low, high = stats.t.interval(0.95, 11, table.mean(), stats.sem(table.mean(axis=1)))
    assert (interval.low, interval.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("wrong", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_published_intervals(wrong, n, low, high):
    interval = wilson(wrong, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@given(n=st.integers(1, 500), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilson_equals_scipy_and_holds_the_share_between_0_and_1(n, share, level):
    wrong = round(share * n)
    expected = stats.binomtest(wrong, n).proportion_ci(level, method="wilson")
    interval = wilson(wrong, n, level)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= interval.low <= wrong / n <= interval.high <= 1


@given(losses=LOSSES)
def test_a_higher_level_gives_a_wider_interval(losses):
    sizes = [(2 * len(losses), 1)] * len(losses)
    widths = [(lambda i: i.high - i.low)(corrected_t(losses, sizes, None, level)) for level in (0.5, 0.8, 0.95, 0.99)]
    assert widths == sorted(widths)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: corrected_t([1.0], [(9, 1)]), "needs 2 of them, got 1"),
        (lambda: block_t([1.0], [3]), "needs 2 of them, got 1"),
        (lambda: unit_t([1.0]), "needs 2 independent units, got 1"),
        (lambda: wald([1.0, 2.0], np.zeros(2, int)), "needs 2 independent units, got 1"),
        (lambda: wilson(3, 2), "got 3 of 2"),
        (lambda: wilson(0, 0), "got 0 of 0"),
        (lambda: wilson(1, 2, 1.0), "confidence_level must lie between 0 and 1, got 1.0"),
        (lambda: wald([1.0, 2.0], None, 0.0), "confidence_level must lie between 0 and 1, got 0.0"),
        (lambda: unit_t([1.0, 2.0], None, 95), "confidence_level must lie between 0 and 1, got 95"),
    ],
)
def test_what_has_no_interval_is_refused_by_name(make, said):
    with pytest.raises(InvalidInput, match=said):
        make()
