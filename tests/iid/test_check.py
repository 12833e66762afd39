"""What `check` says, chooses and refuses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression

from heldout.errors import InvalidInput
from heldout.generalization import estimate_error
from heldout.iid import check
from heldout.iid.columns import infer_task, is_counter, ranked_series, read_columns
from heldout.iid.duplicates import copies, equal_row_codes
from heldout.iid.groups import intraclass_correlation, is_contiguous, rows_by_group
from heldout.iid.sorted_files import is_full_enumeration, sortedness
from heldout.iid.verdict import share_of_known_groups


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def walk(rng: np.random.Generator, n: int = 300) -> np.ndarray:
    X = rng.normal(size=(n, 4))
    X[:, 2] = np.cumsum(X[:, 2])
    return X


def test_a_random_walk_is_found_named_and_blocks_by_row_order_with_a_condition(rng: np.random.Generator) -> None:
    report = check(pd.DataFrame(walk(rng), columns=list("abcd")), rng.normal(size=300))
    assert report.rejected
    assert {f.column for f in report.findings} == {"c"}
    assert report.choice.scheme == "blocked_time"
    assert report.choice.conditional == "if future rows continue this file's order"
    assert report.verdict.startswith("Rows are not independent (c: each row correlates 0.9")
    assert report.verdict.endswith("if future rows continue this file's order.")


def test_a_planted_change_is_placed_within_the_rows_around_it(rng: np.random.Generator) -> None:
    X = rng.normal(size=(500, 5))
    X[310:, 1] += 3
    found = next(f for f in check(X).findings if f.statistic == "change point")
    place = int(found.place.split()[1])  # type: ignore[union-attr]
    assert abs(place - 310) <= 10
    assert found.effect == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_results_do_not_depend_on_the_number_of_threads(rng: np.random.Generator, n_jobs: int) -> None:
    X, y = rng.normal(size=(200, 4)), rng.normal(size=200)
    X[:, 0] += np.arange(200) / 150
    groups = np.arange(200) // 8
    for extra in ({}, {"groups": groups}):
        plain = check(X, y, n_jobs=1, n_permutations=199, **extra).to_dict()
        other = check(X, y, n_jobs=n_jobs, n_permutations=199, **extra).to_dict()
        assert {**plain, "seconds": 0} == {**other, "seconds": 0}


def test_units_names_and_frames_of_any_kind_do_not_change_the_p_value(rng: np.random.Generator) -> None:
    X = walk(rng)[:, :3]
    words = np.array(["a", "b", "c"])[rng.integers(0, 3, 300)]
    frame = pd.DataFrame({"x": X[:, 0], "z": X[:, 2], "w": words})
    reference = check(frame).global_p_value
    scaled = frame.assign(x=frame["x"] * 1000).rename(columns={"x": "other"})
    assert check(scaled).global_p_value == reference
    assert check(pl.from_pandas(frame)).global_p_value == reference
    assert check(frame.astype({"w": "category"})).global_p_value == reference


def test_shuffled_rows_lose_their_order_but_keep_groups_and_copies(rng: np.random.Generator) -> None:
    X = walk(rng)
    order = rng.permutation(300)
    assert check(X).choice.scheme == "blocked_time"
    assert check(X, order=order.astype(float), time_named=True).choice.scheme == "blocked_time"
    groups = np.repeat(np.arange(30), 10)
    y = rng.normal(size=30)[groups] * 2 + rng.normal(size=300)
    first, second = check(X, y, groups=groups), check(X[order], y[order], groups=groups[order])
    assert first.choice.scheme == second.choice.scheme == "group"
    assert first.intraclass_correlation == pytest.approx(second.intraclass_correlation)


def test_constant_columns_identifiers_and_counters_are_left_out_without_a_finding() -> None:
    n = 100
    frame = pd.DataFrame(
        {"one": np.ones(n), "id": [f"r{i:03d}" for i in range(n)], "row": np.arange(n), "rare": [1.0] + [0.0] * (n - 1)}
    )
    report = check(frame)
    assert report.global_p_value is None
    assert report.findings == ()
    assert report.verdict.startswith("Nothing could be tested")
    assert is_counter(np.array([3.0, 5.0, 9.0]))
    assert not is_counter(np.array([0.5, 1.5]))


def test_the_choice_of_levels_does_not_depend_on_row_order(rng: np.random.Generator) -> None:
    letters = np.array(list("abcdefgh"))[rng.integers(0, 8, 400)]
    order = rng.permutation(400)
    rows = np.arange(400)
    names = [ranked_series(read_columns(pd.DataFrame({"k": v})), rows)[1] for v in (letters, letters[order])]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("given", "scheme", "deploy"),
    [
        ({}, "random", "same"),
        ({"task": "classification"}, "stratified", "same"),
        ({"groups": True}, "group", "new-groups"),
        ({"order": True}, "blocked_time", "future"),
        ({"time_named": True}, "blocked_time", "future"),
        ({"groups": True, "order": True}, "group_time", "new-groups,future"),
        ({"groups": True, "deploy": "same"}, "random", "same"),
        ({"groups": True, "order": True, "deploy": "future"}, "blocked_time", "future"),
        ({"groups": True, "deploy": "new-groups,future"}, "group_time", "new-groups,future"),
        ({"deploy": "future"}, "blocked_time", "future"),
    ],
)
def test_the_split_follows_what_is_named_and_deploy_wins(
    given: dict[str, Any], scheme: str, deploy: str, rng: np.random.Generator
) -> None:
    y = rng.integers(0, 2, 200).astype(float) if given.get("task") else rng.normal(size=200)
    arguments = dict(given)
    if "groups" in given:
        arguments["groups"] = np.arange(200) // 10
    if "order" in given:
        arguments["order"] = np.arange(200.0)
    report = check(rng.normal(size=(200, 2)), y, n_permutations=99, horizon=3, **arguments)
    assert (report.choice.scheme, report.choice.deploy) == (scheme, deploy)
    assert report.choice.gap == (3 if "time" in scheme else 0)
    assert report.splitter(n_folds=4).scheme == scheme


def test_known_groups_in_the_last_block_mean_future_and_new_ones_mean_both(rng: np.random.Generator) -> None:
    time = np.arange(180.0)
    assert share_of_known_groups(time, np.arange(180) % 9) == 1.0
    assert share_of_known_groups(time, np.arange(180) // 10) == 0.0
    X, y = rng.normal(size=(180, 2)), rng.normal(size=180)
    assert check(X, y, groups=np.arange(180) % 9, order=time).choice.deploy == "future"
    assert check(X, y, groups=np.arange(180) // 10, order=time).choice.deploy == "new-groups,future"


def test_a_file_sorted_by_its_target_is_harmless_and_held_out_at_random(rng: np.random.Generator) -> None:
    X = rng.normal(size=(600, 3))
    y = np.sort(rng.integers(0, 3, 600))
    X[:, 0] += y
    report = check(X, y, target_name="kind", random_state=1)
    assert report.sorted_by == "kind"
    assert report.rejected
    if report.order_harmless:  # by its level the test within errs in 5 % of tables
        assert report.choice.scheme == "stratified"
        assert report.verdict.startswith("The file is sorted by kind, which does not tell of time")
        assert all(f.harmless for f in report.findings if f.family == "order")


def test_a_drifting_series_sorted_into_long_runs_stays_not_harmless(rng: np.random.Generator) -> None:
    X = walk(rng, 600)
    X[:, 1] = np.cumsum(rng.normal(size=600))
    y = (np.arange(600) // 60) % 2
    report = check(X, y)
    assert not report.order_harmless
    assert report.choice.scheme == "blocked_time"


def test_all_combinations_of_the_features_are_a_design_not_a_sample() -> None:
    grid = np.array(np.meshgrid(range(4), range(5), range(6), indexing="ij")).reshape(3, -1).T
    report = check(pd.DataFrame(grid.astype(str), columns=list("abc")), (grid.sum(axis=1) > 7).astype(int))
    assert report.order_harmless
    assert "every combination" in report.verdict
    assert is_full_enumeration(read_columns(grid.astype(float)), 120)
    assert not is_full_enumeration(read_columns(grid[:-1].astype(float)), 119)


def test_sortedness_sees_pieces_and_blocks_but_not_smooth_drift(rng: np.random.Generator) -> None:
    one = np.zeros(1000, dtype=np.intp)
    pieces = np.concatenate([np.sort(rng.normal(size=500)), np.sort(rng.normal(size=500))])
    assert sortedness(pieces, one, "number") is not None
    assert sortedness(np.repeat(rng.permutation(20).astype(float), 50), one, "number") is not None
    assert sortedness(np.cumsum(rng.normal(size=1000)), one, "number") is None
    assert sortedness(rng.integers(0, 2, 1000).astype(float), one, "category") is None


def test_copies_are_counted_and_held_together_above_one_percent(rng: np.random.Generator) -> None:
    X = rng.normal(size=(200, 3))
    X[5, 1] = np.nan
    y = rng.normal(size=200)
    few = check(np.vstack([X, X[:2]]), np.append(y, y[:2]), n_permutations=99)
    assert few.n_duplicates == 2
    assert few.duplicate_units is None
    doubled = check(np.repeat(X, 2, axis=0), np.repeat(y, 2), n_permutations=99, task="regression")
    assert doubled.n_duplicates == 200
    assert doubled.choice.scheme == "random"
    assert "exact copies are kept in one fold" in doubled.verdict
    units = doubled.duplicate_units
    assert units is not None
    for train, test in doubled.splitter(n_folds=5).split(np.repeat(X, 2, axis=0), np.repeat(y, 2)):
        assert not set(units[train]) & set(units[test])


def test_copies_held_together_are_rows_not_groups(rng: np.random.Generator) -> None:
    # New rows are predicted, not new groups: the splitter must not promise another estimand than the verdict.
    X, y = np.repeat(rng.normal(size=(60, 2)), 2, axis=0), np.repeat(rng.normal(size=60), 2)
    report = check(X, y, n_permutations=99, task="regression")
    splitter = report.splitter(n_folds=5)
    assert splitter.scheme == report.choice.scheme == "random"
    estimate = estimate_error(LinearRegression(), X, y, splitter=splitter)
    assert estimate.method == "corrected_repeated_kfold"
    assert estimate.estimand.startswith("expected error on new rows")
    assert estimate.n_units == 60
    four = np.repeat(np.arange(4.0), 10)
    report = check(rng.permutation(four)[:, None], n_permutations=99)
    assert len(list(report.splitter(n_folds=10).split(four))) == 4  # as many folds as different rows


def test_row_codes_join_what_pandas_calls_duplicated(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(
        {
            "a": rng.integers(0, 3, 300).astype(float),
            "b": np.array(list("xyz"))[rng.integers(0, 3, 300)],
            "c": rng.integers(0, 4, 300),
        }
    )
    frame.loc[rng.choice(300, 60, replace=False), "a"] = np.nan
    codes = equal_row_codes(read_columns(frame), 300)
    assert copies(codes).tolist() == frame.duplicated().tolist()
    assert equal_row_codes(read_columns(np.array([[0.0], [-0.0]])), 2).tolist() == [0, 0]


def test_intraclass_correlation_equals_the_anova_of_scipy_and_may_be_negative(rng: np.random.Generator) -> None:
    from scipy import stats

    codes = np.repeat(np.arange(12), 7)
    y = rng.normal(size=12)[codes] + rng.normal(size=84)
    f = stats.f_oneway(*[y[codes == g] for g in range(12)]).statistic
    assert intraclass_correlation(y[None], codes).value == pytest.approx((f - 1) / (f - 1 + 7))
    balanced = np.tile([0.0, 1.0], 20)
    assert intraclass_correlation(balanced[None], np.repeat(np.arange(20), 2)).value == pytest.approx(-1.0)
    few = intraclass_correlation(y[None], np.repeat(np.arange(4), 21))
    assert few.ci_low is None
    assert "4 groups are too few" in str(few.reason)
    alone = intraclass_correlation(y[None], np.arange(84))
    assert np.isnan(alone.value)
    assert np.isnan(intraclass_correlation(np.ones((1, 84)), codes).value)


def test_rows_of_a_group_stand_together_and_long_tables_keep_windows_of_groups() -> None:
    codes = np.array([2, 0, 2, 1, 0])
    rows, starts, _ = rows_by_group(codes, np.arange(5), 100, 20)
    assert rows.tolist() == [0, 2, 1, 4, 3]
    assert starts.tolist() == [0, 2, 4]
    assert not is_contiguous(codes)
    many = np.repeat(np.arange(5000), 10)
    rows, starts, window = rows_by_group(many, np.arange(50_000), 20_000, 20)
    assert 19_000 <= rows.size <= 21_000
    assert np.unique(window).size == 20
    assert starts.size * 10 == rows.size


def test_the_report_is_plain_json_and_names_no_verdict_from_not_rejecting(rng: np.random.Generator) -> None:
    report = check(rng.normal(size=(100, 2)), rng.normal(size=100), n_permutations=99)
    text = json.dumps(report.to_dict())
    assert "IID" not in report.verdict
    assert json.loads(text)["n_rows"] == 100


def test_whole_numbers_with_few_values_are_classes() -> None:
    assert infer_task(np.array(["a", "b"])) == "classification"
    assert infer_task(np.tile(np.arange(11), 90)) == "classification"
    assert infer_task(np.random.default_rng(0).normal(size=50)) == "regression"


def test_long_tables_are_tested_on_evenly_spaced_runs_and_say_so(rng: np.random.Generator) -> None:
    X = rng.normal(size=(30_000, 2))
    X[:, 1] += np.arange(30_000) / 10_000
    report = check(X, n_permutations=99)
    assert "20 evenly spaced runs of 1,000 consecutive rows of 30,000" in report.validity
    assert report.findings[0].column == "column 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, r"alpha must lie between 0 and 1, got 0\.0"),
        ({"n_permutations": 20}, r"n_permutations must be at least 59 at alpha=0\.05, got 20"),
        ({"horizon": -1}, "horizon must be 0 or more rows, got -1"),
        ({"order": "date"}, "order must be 'rows' or an array of times, got 'date'"),
        ({"order": np.arange(3)}, r"order must have shape \(50,\), got \(3,\)"),
        ({"order": np.array(["2020-01-01", "NaT"] * 25, dtype="datetime64[D]")}, "no missing times, got 25"),
        ({"order": np.array(["x"] * 50)}, "order must hold numbers or date-times, got <U1"),
        ({"order": np.full(50, np.nan)}, "order must be finite, got 50"),
        ({"deploy": "tomorrow"}, "deploy must be one of auto, .* got 'tomorrow'"),
        ({"deploy": "new-groups"}, "deploy='new-groups' needs groups"),
        ({"task": "ranking"}, "task must be 'regression' or 'classification', got 'ranking'"),
        ({"y": np.zeros(4)}, r"y must have shape \(50,\), got \(4,\)"),
        ({"X": np.zeros((50, 2, 2))}, r"X must have rows and columns, got shape \(50, 2, 2\)"),
        ({"X": np.zeros((0, 2)), "y": np.zeros(0)}, "X must have rows, got none"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_value(arguments: dict[str, Any], message: str) -> None:
    given = {"X": np.random.default_rng(0).normal(size=(50, 2)), "y": np.arange(50.0), **arguments}
    X, y = given.pop("X"), given.pop("y")
    with pytest.raises(InvalidInput, match=message):
        check(X, y, **given)


def _sorted_by_target_with_alike_neighbours(
    seed: int, n_values: int = 60, copies: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Rows sorted by a coarse target; within equal values neighbours share a hidden level."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_values, dtype=float), copies)
    hidden = np.repeat(rng.normal(size=n_values * copies // 2), 2)
    X = np.column_stack([y + rng.normal(size=y.size), hidden + 0.1 * rng.normal(size=y.size)])
    return X, y


def test_a_file_sorted_by_its_numeric_target_is_never_split_by_its_order(seed: int) -> None:
    X, y = _sorted_by_target_with_alike_neighbours(seed)
    report = check(X, y, target_name="price")
    assert report.rejected
    assert not report.order_harmless  # neighbours of equal price are alike, and the verdict says so
    assert (report.choice.scheme, report.sorted_by) == ("random", "price")
    assert "sorted by price, the target itself" in report.verdict
    assert "resemble their neighbours" in report.verdict


def test_a_file_sorted_by_its_target_is_still_blocked_when_the_future_is_asked_for(seed: int) -> None:
    X, y = _sorted_by_target_with_alike_neighbours(seed)
    report = check(X, y, target_name="price", deploy="future")
    assert report.choice.scheme == "blocked_time"
    assert "later rows are predicted from earlier ones" in report.verdict


def test_the_report_says_how_many_permutations_were_affordable() -> None:
    rng = np.random.default_rng(0)
    report = check(rng.normal(size=(60, 2)), n_permutations=99)
    assert report.n_permutations == 99


def test_a_mass_point_of_discrete_data_is_not_held_out_as_one(seed: int) -> None:
    # A third of the rows have the lowest value everywhere, as a detection limit gives; some rows stand there twice.
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 3))
    X[:100] = -1.0
    X[250:] = X[200:250]
    y = X[:, 0] + rng.normal(size=300)
    y[:100], y[250:] = 0.0, y[200:250]
    order = rng.permutation(300)
    report = check(X[order], y[order])
    assert report.n_duplicates == 99 + 50
    assert report.duplicate_units is not None
    counts = np.bincount(report.duplicate_units)
    assert sorted(np.unique(counts).tolist()) == [1, 2]
    assert (counts == 2).sum() == 50


def test_a_mass_point_alone_joins_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((200, 2)) < 0.5, 0.0, rng.normal(size=(200, 2)))
    report = check(X)
    assert report.n_duplicates > 20
    assert report.duplicate_units is None
    assert "copies" not in report.verdict


@pytest.mark.parametrize(("n_new", "scheme"), [(1, "blocked_time"), (4, "group_time")])
def test_nine_tenths_of_the_last_rows_in_known_groups_make_it_future_alone(n_new: int, scheme: str) -> None:
    time = np.repeat(np.arange(90.0), 2)
    groups = np.arange(180) % 12
    groups[-n_new:] = 50 + np.arange(n_new)  # the last block holds 20 rows: 95 % and 80 % of them are known
    X = np.random.default_rng(0).normal(size=(180, 2))
    assert check(X, order=time, groups=groups).choice.scheme == scheme
