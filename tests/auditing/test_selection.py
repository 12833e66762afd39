"""The simplest of those that tie is chosen; its improvement and its correction carry intervals that hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from heldout.auditing import selection
from heldout.auditing.document import differences_section, winner_section
from heldout.auditing.scoring import Setting
from heldout.auditing.selection import choose, improvement_over
from heldout.generalization.paired import inflation

from .small import judged, line_table, setting_of, subjects_table

N = 90


def losses(seed: int, *scales: float) -> list[NDArray[np.float64]]:
    """Skewed losses that rise and fall together, as those of candidates on the same rows do."""
    rng = np.random.default_rng([seed, 5])
    hard = rng.exponential(size=N)
    return [scale * (hard + 0.3 * rng.exponential(size=N)) for scale in scales]


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(line_table())


@pytest.fixture(scope="module")
def subjects() -> Setting:
    return setting_of(subjects_table(0, 15, 6), group=["subject"])


def t_reach(errors: float, n_units: int, n_folds: int, scheme: str, level: float = 0.95) -> float:
    return float(stats.t.ppf(0.5 + level / 2, n_units - 1)) * inflation(scheme, n_folds) * errors


def test_the_improvement_and_its_interval_are_the_linearised_ratio_of_two_rmse(setting: Setting) -> None:
    base, win = losses(0, 4.0, 1.0)
    scored = judged(setting, {"baseline": base, "ridge": win})
    shift = 0.2
    found = improvement_over(scored["baseline"], scored["ridge"], shift, setting)
    # log RMSE = log(mean) / 2, so a row moves it by its loss over twice the mean.
    ratio = 0.5 * np.log((win.mean() + shift) / base.mean())
    moved = win / (2 * win.mean()) - base / (2 * base.mean())
    reach = t_reach(float(stats.sem(moved)), N, 5, "random")
    assert found.share == pytest.approx(1 - np.exp(ratio))
    assert found.ci == pytest.approx((1 - np.exp(ratio + reach), 1 - np.exp(ratio - reach)), rel=1e-5)


def test_the_improvement_over_subjects_sums_their_rows(subjects: Setting) -> None:
    base, win = losses(1, 3.0, 1.0)
    scored = judged(subjects, {"baseline": base, "ridge": win})
    found = improvement_over(scored["baseline"], scored["ridge"], 0.0, subjects)
    moved = win / (2 * win.mean()) - base / (2 * base.mean())
    sums = np.bincount(subjects.dataset.groups, weights=moved)
    error = np.sqrt(15 / 14 * np.square(sums).sum()) / N  # the moved losses have mean 0
    reach = t_reach(float(error), 15, 5, "group")
    ratio = 0.5 * np.log(win.mean() / base.mean())
    assert found.ci == pytest.approx((1 - np.exp(ratio + reach), 1 - np.exp(ratio - reach)), rel=1e-5)


def test_the_improvement_has_the_spread_of_a_bootstrap_of_rows(setting: Setting) -> None:
    base, win = losses(2, 4.0, 1.0)
    scored = judged(setting, {"baseline": base, "ridge": win})
    found = improvement_over(scored["baseline"], scored["ridge"], 0.0, setting)
    rng = np.random.default_rng(0)
    draws = rng.integers(N, size=(4000, N))
    spread = float(np.std(0.5 * np.log(win[draws].mean(axis=1) / base[draws].mean(axis=1))))
    assert found.ci is not None
    reach = (np.log(1 - found.ci[0]) - np.log(1 - found.ci[1])) / 2
    # The bootstrap itself errs by 1 % here, the first order of the logarithm by some more.
    assert reach == pytest.approx(t_reach(spread, N, 5, "random"), rel=0.1)


def test_of_an_accuracy_the_error_rate_is_compared() -> None:
    setting = setting_of(line_table(classes=2), metric="accuracy")
    base, win = np.arange(N) % 2 < 1, np.arange(N) % 5 < 1
    scored = judged(setting, {"baseline": base, "logistic": win})
    found = improvement_over(scored["baseline"], scored["logistic"], 0.0, setting)
    assert found.share == pytest.approx(1 - 0.2 / 0.5)
    assert found.ci is not None
    assert found.ci[0] < 0.6 < found.ci[1]


@pytest.mark.parametrize("metric", ["rmse", "mse"])
def test_a_winner_without_any_error_beats_the_baseline_altogether(metric: str) -> None:
    setting = setting_of(line_table(), metric=metric)
    (base,) = losses(3, 2.0)
    scored = judged(setting, {"baseline": base, "ridge": np.zeros(N)})
    found = improvement_over(scored["baseline"], scored["ridge"], 0.0, setting)
    reach = t_reach(float(stats.sem(base)), N, 5, "random")
    assert found.share == 1.0
    assert found.ci == pytest.approx((1 - reach / base.mean(), 1.0))
    assert found.ci[0] > 0


def test_a_baseline_without_any_error_leaves_nothing_to_improve(setting: Setting) -> None:
    (win,) = losses(3, 2.0)
    scored = judged(setting, {"baseline": np.zeros(N), "ridge": win})
    found = improvement_over(scored["baseline"], scored["ridge"], 0.0, setting)
    assert (found.share, found.ci) == (None, None)


def test_the_baseline_improves_on_itself_by_nothing(setting: Setting) -> None:
    scored = judged(setting, {"baseline": losses(4, 1.0)[0]})
    found = improvement_over(scored["baseline"], scored["baseline"], 0.1, setting)
    assert (found.share, found.ci) == (0.0, None)


@pytest.mark.parametrize("n_subjects", [5, 6])
def test_fewer_than_six_subjects_give_no_interval(n_subjects: int) -> None:
    setting = setting_of(subjects_table(0, n_subjects, N // n_subjects), group=["subject"])
    rows = setting.n_rows
    for win in (losses(5, 1.0)[0][:rows], np.zeros(rows)):
        scored = judged(setting, {"baseline": losses(5, 3.0)[0][:rows], "ridge": win})
        found = improvement_over(scored["baseline"], scored["ridge"], 0.0, setting)
        assert found.share is not None
        assert (found.ci is None) == (n_subjects < 6)


def test_ties_go_to_the_simpler_and_are_named(setting: Setting) -> None:
    base, ridge, tree, knn = losses(6, 5.0, 1.0, 0.99, 3.0)
    chosen = choose(judged(setting, {"baseline": base, "ridge": ridge, "tree": tree, "knn": knn}), setting, 50)
    assert (chosen.winner, set(chosen.tied), chosen.baseline) == ("ridge", {"ridge", "tree"}, "baseline")


def test_a_clear_winner_ties_with_nobody(setting: Setting) -> None:
    chosen = choose(
        judged(setting, dict(zip(("baseline", "ridge", "tree"), losses(7, 5, 3, 1), strict=True))), setting, 50
    )
    assert (chosen.winner, chosen.tied) == ("tree", ("tree",))
    assert chosen.corrected.share_of_resamples_won == (0.0, 0.0, 1.0)
    assert chosen.shift == 0.0


def test_differences_are_the_candidates_losses_minus_the_winners(setting: Setting) -> None:
    base, ridge, tree = losses(8, 5.0, 1.0, 2.0)
    scored = judged(setting, {"baseline": base, "ridge": ridge, "tree": tree})
    chosen = choose(scored, setting, 50)
    section = differences_section(scored, chosen, setting)
    assert [one["name"] for one in section] == ["baseline", "tree"]
    for one, other in zip(section, (base, tree), strict=True):
        reach = t_reach(float(stats.sem(other - ridge)), N, 5, "random")
        assert one["difference"] == pytest.approx((other - ridge).mean())
        assert one["ci_low"] == pytest.approx((other - ridge).mean() - reach)
        assert one["ci_high"] == pytest.approx((other - ridge).mean() + reach)
        assert one["loss"] == "squared_error"


def test_the_better_of_two_baselines_is_the_one_to_beat(setting: Setting) -> None:
    base, last, ridge = losses(9, 5.0, 4.0, 1.0)
    scored = judged(
        setting, {"baseline": base, "last-value": last, "ridge": ridge}, baselines=("baseline", "last-value")
    )
    chosen = choose(scored, setting, 50)
    assert (chosen.winner, chosen.baseline) == ("ridge", "last-value")
    assert chosen.improvement.share == pytest.approx(1 - np.sqrt(ridge.mean() / last.mean()))
    assert winner_section(scored, chosen, setting)["baseline_label"] == "the last-value"


def test_a_baseline_alone_wins(setting: Setting) -> None:
    chosen = choose(judged(setting, {"baseline": losses(10, 1.0)[0]}), setting, 50)
    assert (chosen.winner, chosen.tied, chosen.differences) == ("baseline", ("baseline",), {})
    assert chosen.improvement.share == 0.0


def test_of_many_equal_candidates_the_winner_is_corrected_upwards(setting: Setting) -> None:
    # With a rule that never calls a tie the winner is the luckiest of 20 equals.
    rng = np.random.default_rng(11)
    equals = {f"m{j}": rng.exponential(size=N) for j in range(20)}
    strict = replace(setting, confidence_level=1e-6)
    chosen = choose(judged(strict, equals, baselines=("m0",)), strict, 300)
    assert len(chosen.tied) == 1
    raw = equals[chosen.winner].mean()
    assert raw < 0.9
    assert raw + chosen.shift > raw + 0.05
    assert chosen.shift == chosen.corrected.shift


def shifted(setting: Setting, scored: Any, shift: float) -> tuple[dict[str, Any], dict[str, Any]]:
    chosen = choose(scored, setting, 20)
    sections = [
        winner_section(scored, replace(chosen, corrected=replace(chosen.corrected, shift=by)), setting)
        for by in (0.0, shift)
    ]
    return sections[0], sections[1]


def test_having_won_shifts_the_error_and_both_ends_of_its_interval(setting: Setting) -> None:
    base, ridge = losses(12, 5.0, 1.0)
    before, after = shifted(setting, judged(setting, {"baseline": base, "ridge": ridge}), 0.3)
    for name in ("error", "ci_low", "ci_high"):
        assert after[name] ** 2 == pytest.approx(before[name] ** 2 + 0.3)
    assert after["error_before_correction"] == before["error"] == pytest.approx(np.sqrt(ridge.mean()))
    assert after["correction"] == pytest.approx(after["error"] - before["error"])


def test_having_won_lowers_an_accuracy_and_keeps_its_ends_in_order() -> None:
    setting = setting_of(line_table(classes=2), metric="accuracy")
    wrong = {"baseline": np.arange(N) % 2 < 1, "logistic": np.arange(N) % 5 < 1}
    before, after = shifted(setting, judged(setting, wrong), 0.05)
    assert before["ci_low"] < before["error"] < before["ci_high"]
    for name in ("error", "ci_low", "ci_high"):
        assert after[name] == pytest.approx(before[name] - 0.05)


def test_a_correction_below_zero_is_none(setting: Setting) -> None:
    base, ridge = losses(13, 5.0, 1.0)
    before, after = shifted(setting, judged(setting, {"baseline": base, "ridge": ridge}), -0.3)
    assert after == before


def test_the_correction_reaches_the_improvement_too(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    base, ridge = losses(14, 5.0, 1.0)
    scored = judged(setting, {"baseline": base, "ridge": ridge})
    whole = selection.selected_error
    for shift, added in ((0.4, 0.4), (-0.4, 0.0)):
        monkeypatch.setattr(selection, "selected_error", lambda *a, _by=shift, **k: replace(whole(*a, **k), shift=_by))
        share = choose(scored, setting, 20).improvement.share
        assert share == pytest.approx(1 - np.sqrt((ridge.mean() + added) / base.mean()))


def test_the_choice_is_replayed_over_whole_subjects(subjects: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    whole = selection.selected_error

    def watching(matrix: Any, **options: Any) -> Any:
        seen.update(options)
        return whole(matrix, **options)

    monkeypatch.setattr(selection, "selected_error", watching)
    base, ridge = losses(15, 5.0, 1.0)
    choose(judged(subjects, {"baseline": base, "ridge": ridge}), subjects, 37)
    np.testing.assert_array_equal(seen["units"], subjects.dataset.groups)
    assert seen["n_resamples"] == 37
    rule = seen["choose"]
    assert (rule.n_folds, rule.scheme, rule.confidence_level) == (5, "group", 0.95)
    assert (tuple(rule.order_of_simplicity), list(rule.baselines)) == ((0, 1), [0])


def test_the_same_seed_repeats_the_correction(setting: Setting) -> None:
    scored = judged(setting, dict(zip(("baseline", "ridge", "tree"), losses(16, 1, 0.99, 0.98), strict=True)))
    first, again = choose(scored, setting, 60), choose(scored, setting, 60)
    other = choose(scored, replace(setting, seed=2), 60)
    assert first.corrected == again.corrected
    assert first.corrected.share_of_resamples_won != other.corrected.share_of_resamples_won


def test_with_too_few_groups_the_share_stands_without_an_interval() -> None:
    setting = setting_of(subjects_table(0, 5, 16), group=["subject"])
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.5, 1.5, setting.n_rows)
    scored = judged(setting, {"baseline": 4 * spread, "model": spread})
    found = improvement_over(scored["baseline"], scored["model"], 0.0, setting)
    assert found.share == pytest.approx(0.5)  # half the RMSE
    assert found.ci is None
