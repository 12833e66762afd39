"""Out-of-bag losses become an error with an interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from heldout.errors import InvalidInput
from heldout.generalization import corrected_losses, out_of_bag_error
from heldout.losses import METRICS

from statistical import assert_rate, power

RUNS = 400
CLAIMED = 0.92


def of(losses, **options):
    settings = {"metric": "mse", "n_members": np.full(len(losses), 3), "ensemble_size": 8} | options
    return out_of_bag_error(losses, **settings)


def test_rows_get_students_interval_widened():
    losses = np.random.default_rng(0).exponential(size=50)
    estimate = of(losses, confidence_level=0.9)
    error = (4 / 3) ** 0.5 * stats.sem(losses)
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx(stats.t.interval(0.9, 49, losses.mean(), error))
    assert (estimate.error, estimate.standard_error) == pytest.approx((losses.mean(), error))
    assert (estimate.method, estimate.n_fits, estimate.n_rows, estimate.n_units) == ("out_of_bag", 8, 50, 50)
    assert (estimate.note, estimate.indicative, estimate.training_error) == (None, False, None)


def test_ends_go_over_to_the_metric():
    losses = np.random.default_rng(0).exponential(size=50)
    squared, root = of(losses), of(losses, metric="rmse")
    assert (root.ci_low, root.ci_high) == pytest.approx((squared.ci_low**0.5, squared.ci_high**0.5))
    assert (root.error, root.metric) == (pytest.approx(squared.error**0.5), "rmse")
    accuracy = of((losses > 1).astype(float), metric=METRICS["accuracy"])
    assert accuracy.error == pytest.approx(np.mean(losses <= 1))
    assert accuracy.ci_low < accuracy.error < accuracy.ci_high


def test_rows_that_are_all_right_say_no_more_than_so_many_rows_can():
    estimate = of(np.zeros(10), metric="accuracy")
    # Wilson's interval for 0 wrong of 10, as in Newcombe 1998: up to 0.2775.
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((1 - 0.2775, 1.0), abs=5e-5)
    assert estimate.note == "only 10 rows: the interval is indicative; no spread between rows: Wilson's interval"
    assert of(np.ones(10), metric="accuracy").ci_high == pytest.approx(0.2775, abs=5e-5)
    assert of(np.zeros(10), metric="mse").ci_high == 0.0


def test_groups_are_the_units():
    losses, groups = np.random.default_rng(0).exponential(size=120), np.repeat(np.arange(20), 6)
    estimate = of(losses, units=groups)
    means = losses.reshape(20, 6).mean(axis=1)
    interval = stats.t.interval(0.95, 19, means.mean(), 2**0.5 * stats.sem(means))
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx(interval)
    assert (estimate.n_units, estimate.indicative) == (20, False)
    assert "rows of new groups" in estimate.estimand
    few = of(losses, units=groups // 2)
    assert (few.indicative, few.note) == (True, "only 10 groups: the interval is indicative")
    fewer = of(losses, units=groups // 5)
    ends = losses.reshape(4, 30).mean(axis=1)
    assert (fewer.method, fewer.ci_low, fewer.ci_high, fewer.standard_error) == ("range", None, None, None)
    assert fewer.note == f"no interval from 4 groups: the lowest has {ends.min():.4g}, the highest {ends.max():.4g}"
    one = of(losses, units=np.zeros(120))
    assert (
        one.note
        == f"no interval from one of the groups: the lowest has {losses.mean():.4g}, the highest {losses.mean():.4g}"
    )


def test_blocks_are_conditional_on_the_periods_seen():
    losses, blocks = np.random.default_rng(0).exponential(size=40), np.repeat(np.arange(8), 5)
    estimate = of(losses, units=blocks, kind="blocks")
    assert "conditional on the periods seen" in estimate.estimand
    assert "no interval has validated coverage" in estimate.note
    assert (estimate.indicative, of(losses, units=blocks // 2, kind="blocks").indicative) == (False, True)
    assert of(losses, units=blocks // 4, kind="blocks").method == "range"


def test_the_estimand_says_how_many_members():
    losses = np.arange(4.0)
    plain = of(losses, n_members=[2, 3, 4, 5])
    assert plain.estimand == (
        "error on new rows of about 3.5 members averaged, as many as have a row out of bag; the ensemble has 8"
    )
    assert of(losses, corrected=True).estimand == "error on new rows of the ensemble of 8"
    again = of(losses, corrected=True, refitted=True)
    assert again.estimand.endswith("of the ensemble of 8, before its leaves were filled anew from all rows")


def test_the_estimand_of_one_model_names_the_members_that_stood_for_it():
    one = of(np.arange(20.0), n_members=np.ones(20), ensemble_size=1, n_judged=8, refitted=True)
    assert (one.n_fits, one.estimand) == (
        8,
        "error on new rows of a single one of 8 fitted to resampled rows; the model is fitted to all rows",
    )


def test_rows_in_every_bag_are_left_out_and_counted():
    losses = np.array([1.0, np.nan, 3.0, np.nan] * 6)
    estimate = of(losses, n_members=[1, 0, 2, 0] * 6)
    assert (estimate.error, estimate.n_rows) == (2.0, 12)
    assert estimate.note == "12 of 24 rows are in every bag and not judged"
    assert np.isnan(estimate.losses[1])
    alone = of([np.nan, 5.0], n_members=[0, 4])
    assert (alone.method, alone.ci_low) == ("range", None)
    assert alone.note.startswith("no interval from one of the rows: the lowest has 5, the highest 5; 1 of 2 rows is")


def test_few_rows_give_no_interval_or_one_that_is_indicative():
    losses = np.random.default_rng(0).exponential(size=12)
    assert of(losses[:5]).method == "range"
    few = of(losses[:6])
    assert (few.method, few.indicative, few.note) == ("out_of_bag", True, "only 6 rows: the interval is indicative")
    assert not of(losses).indicative


def test_losses_whose_squares_are_too_large_have_an_interval():
    losses = np.random.default_rng(0).exponential(size=50)
    small, huge = of(losses), of(losses * 1e280)
    assert (huge.ci_low, huge.ci_high) == pytest.approx((small.ci_low * 1e280, small.ci_high * 1e280))


def test_weights_count():
    rng = np.random.default_rng(0)
    losses, weight = rng.exponential(size=30), rng.integers(0, 4, 30)
    copied = np.repeat(np.arange(30), weight)
    weighted = of(losses, sample_weight=weight, units=np.arange(30))
    copies = of(losses[copied], units=copied)
    assert (weighted.error, weighted.ci_low, weighted.ci_high) == pytest.approx(
        (copies.error, copies.ci_low, copies.ci_high)
    )
    assert weighted.n_units == copies.n_units == np.count_nonzero(weight)
    rows = [of(losses, sample_weight=w) for w in (weight, weight / 7, np.ones(30))]
    assert rows[1].ci_high == pytest.approx(rows[0].ci_high)
    assert (rows[2].ci_low, rows[2].ci_high) == pytest.approx((of(losses).ci_low, of(losses).ci_high))
    assert of(np.ones(30), sample_weight=weight).standard_error == 0.0


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InvalidInput, match="none of 3 rows is out of any bag"):
        of([np.nan] * 3, n_members=[0, 0, 0])
    with pytest.raises(InvalidInput, match=r"n_members must have shape \(n_rows,\), got \(2,\) and \(3,\)"):
        of([1.0, 2.0], n_members=[1, 2, 3])
    with pytest.raises(InvalidInput, match="got inf in row 1"):
        of([1.0, np.inf])
    with pytest.raises(InvalidInput, match="row 1 has a loss but n_members 0"):
        of([1.0, 2.0], n_members=[1, 0])
    with pytest.raises(InvalidInput, match="ensemble_size must be 1 or more, got 0"):
        of([1.0, 2.0], ensemble_size=0)
    with pytest.raises(InvalidInput, match="unknown metric 'gini'"):
        of([1.0, 2.0], metric="gini")
    with pytest.raises(InvalidInput, match="kind must be 'groups' or 'blocks', got 'weeks'"):
        of([1.0, 2.0], kind="weeks")
    with pytest.raises(InvalidInput, match=r"units must have shape \(2,\), got \(1,\)"):
        of([1.0, 2.0], units=[1])
    with pytest.raises(InvalidInput, match="sample_weight is 0 in all 1 out-of-bag rows"):
        of([1.0, np.nan], n_members=[1, 0], sample_weight=[0, 1])
    with pytest.raises(InvalidInput, match="confidence_level must lie between 0 and 1, got 95"):
        of([1.0, 2.0], confidence_level=95)


def test_the_claim_would_be_refuted_by_a_coverage_of_five_sixths():
    assert power(RUNS, CLAIMED, 0.83) > 0.9


def test_a_planted_error_is_covered(seed):
    # Members err by a normal bias of their own row and a normal spread: D is the bias' variance, V the spread's.
    rng = np.random.default_rng(seed)
    n_rows, size, bias, spread = 150, 10, 1.0, 2.0
    truth, hits, above = bias**2 + spread**2 / size, 0, 0
    for _ in range(RUNS):
        errors = bias * rng.normal(size=n_rows) + spread * rng.normal(size=(size, n_rows))
        out = rng.random((size, n_rows)) < 0.368
        m = out.sum(axis=0)
        with np.errstate(invalid="ignore"):
            mean, square = (np.where(out, each, 0).sum(axis=0) / m for each in (errors, errors**2))
        losses = corrected_losses(mean**2, square, m, size)
        estimate = out_of_bag_error(losses, metric="mse", n_members=m, ensemble_size=size, corrected=True)
        hits += estimate.ci_low <= truth <= estimate.ci_high
        above += estimate.error > truth
    assert_rate("95 % out-of-bag interval, planted error", int(hits), RUNS, at_least=CLAIMED)
    # Means of skewed losses lie a little more often below than above; a correction left out would be far above always.
    assert_rate("out-of-bag error above the planted one", int(above), RUNS, at_least=0.4)
    assert_rate("out-of-bag error above the planted one", int(above), RUNS, at_most=0.6)


@pytest.mark.parametrize(("kind", "fewest"), [("groups", 6), ("blocks", 3)])
def test_an_interval_begins_with_the_fewest_units(kind, fewest):
    losses = np.random.default_rng(0).exponential(size=60)
    methods = [of(losses, units=np.arange(60) % n, kind=kind).method for n in (fewest - 1, fewest)]
    assert methods == ["range", "out_of_bag"]
    assert [of(losses[:n]).method for n in (5, 6)] == ["range", "out_of_bag"]
