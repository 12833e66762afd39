from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.utils.estimator_checks import check_estimator

from heldout._arrays import take_rows
from heldout.errors import InvalidInput
from heldout.table import OrdinalEncoder, ScaledEncoder
from heldout.table.encoded_columns import TargetMeanFit
from heldout.table.text_features import TextColumn, hashed_counts

BOTH = pytest.mark.parametrize("encoder", [ScaledEncoder, OrdinalEncoder])
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath"]


def mixed(n: int, seed: int) -> pl.DataFrame:
    """Every kind of column, with missing values, and a category of too many levels for codes."""
    rng = np.random.default_rng(seed)
    gone = rng.random((6, n)) < 0.1

    def holed(values: list[Any], j: int) -> list[Any]:
        return [None if out else value for value, out in zip(values, gone[j], strict=True)]

    start = datetime.datetime(2020, 1, 1)
    return pl.DataFrame(
        {
            "size": pl.Series(holed(rng.normal(100, 30, n).tolist(), 0), dtype=pl.Float64),
            "count": rng.poisson(3, n).astype(float),
            "colour": pl.Series(holed(rng.choice(["red", "blue", "green"], n).tolist(), 1), dtype=pl.String),
            "town": pl.Series(holed([f"town {k}" for k in rng.integers(0, 60, n)], 2), dtype=pl.String),
            "ripe": pl.Series(holed((rng.random(n) < 0.4).tolist(), 3), dtype=pl.Boolean),
            "when": pl.Series(
                holed([start + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9000, n)], 4),
                dtype=pl.Datetime("us"),
            ),
            "said": pl.Series(holed([" ".join(rng.choice(WORDS, 6)) for _ in range(n)], 5), dtype=pl.String),
        }
    )


@BOTH
def test_what_comes_out_is_one_c_ordered_float64_matrix_with_a_name_for_each_column(encoder: Any) -> None:
    frame, y = mixed(200, 0), np.random.default_rng(1).normal(size=200)
    made = encoder().fit_transform(frame, y)
    assert made.dtype == np.float64
    assert made.flags.c_contiguous
    names = encoder().fit(frame, y).get_feature_names_out()
    assert made.shape == (200, len(names))
    assert len(set(names)) == len(names)


def test_scaled_numbers_equal_median_imputation_and_standard_scaling_of_scikit_learn() -> None:
    X = np.random.default_rng(2).normal(5, 7, (101, 4))
    X[::7, 1] = np.nan
    X[:, 3] = 2.5
    twin = StandardScaler().fit_transform(SimpleImputer(strategy="median").fit_transform(X))
    made = ScaledEncoder().fit_transform(X)
    np.testing.assert_allclose(made[:, :4], twin, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(made[:, 4], np.isnan(X[:, 1]))
    assert made.shape == (101, 5)


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e3, 1e200])
def test_scaled_numbers_do_not_depend_on_the_unit(scale: float) -> None:
    X = np.random.default_rng(3).normal(5, 7, (50, 2))
    np.testing.assert_allclose(ScaledEncoder().fit_transform(X * scale), ScaledEncoder().fit_transform(X), rtol=1e-9)


def test_indicators_equal_one_hot_encoding_of_scikit_learn_with_rare_levels_pooled() -> None:
    rng = np.random.default_rng(4)
    seen = rng.choice(list("abcdef"), 300, p=[0.4, 0.3, 0.2, 0.08, 0.01, 0.01]).tolist()
    new = ["a", "f", "never seen", "c"]
    twin = OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False)
    twin.fit(np.array(seen)[:, None])
    ours = ScaledEncoder(min_level_rows=5).fit(pl.DataFrame({"x": seen}))
    np.testing.assert_array_equal(
        ours.transform(pl.DataFrame({"x": new})), twin.transform(np.array(new, object)[:, None])
    )


def test_target_means_equal_those_of_scikit_learn_once_put_in_standard_units() -> None:
    rng = np.random.default_rng(5)
    levels, y = rng.choice([f"l{k:02d}" for k in range(40)], 400), rng.normal(3, 2, 400)
    twin = TargetEncoder(smooth=10.0, target_type="continuous").fit(levels[:, None], y)
    ours = OrdinalEncoder(smoothing=10.0).fit(pl.DataFrame({"x": levels}), y)
    new = np.array([*levels, "never seen"], dtype=object)
    expected = (twin.transform(new[:, None]) - y.mean()) / y.std()
    made = ours.transform(pl.DataFrame({"x": new.tolist()}))
    np.testing.assert_allclose(made, expected, rtol=1e-10, atol=1e-12)
    assert made[-1, 0] == 0.0


@pytest.mark.parametrize("n_classes", [2, 3])
def test_target_means_of_classes_are_shares_one_column_for_two_and_one_each_for_more(n_classes: int) -> None:
    rng = np.random.default_rng(6)
    levels, y = rng.choice([f"l{k:02d}" for k in range(30)], 500), rng.integers(0, n_classes, 500)
    made = OrdinalEncoder(smoothing=0.0).fit(pl.DataFrame({"x": levels}), y)
    out = made.transform(pl.DataFrame({"x": levels}))
    classes = [1] if n_classes == 2 else [0, 1, 2]
    assert out.shape[1] == len(classes)
    for column, k in enumerate(classes):
        came = (y == k).astype(float)
        shares = np.array([came[levels == level].mean() for level in levels])
        np.testing.assert_allclose(out[:, column], (shares - came.mean()) / came.std(), rtol=1e-9, atol=1e-12)


def test_cross_fitted_means_equal_a_naive_loop_over_the_folds() -> None:
    rng = np.random.default_rng(7)
    levels, y, folds = rng.choice(list("abcdefgh"), 60), rng.normal(size=60), rng.integers(0, 5, 60)
    _, crossed = TargetMeanFit(y[:, None], ("target",), folds, 3.0).fit(pl.Series("x", levels))
    for i in range(60):
        others = folds != folds[i]
        same = others & (levels == levels[i])
        mean, spread = y[others].mean(), y[others].std()
        assert crossed[i, 0] == pytest.approx(((y[same] - mean).sum() / (same.sum() + 3.0)) / spread, abs=1e-12)


@BOTH
@pytest.mark.parametrize("classification", [False, True])
def test_a_poisoned_target_never_reaches_the_encoding_of_its_own_row(encoder: Any, classification: bool) -> None:
    frame = mixed(150, 8)
    y = np.random.default_rng(9).integers(0, 3, 150) if classification else np.random.default_rng(9).normal(size=150)
    clean = encoder().fit_transform(frame, y)
    moved = 0
    for row in range(0, 150, 7):
        poisoned = y.copy()
        poisoned[row] = (y[row] + 1) % 3 if classification else 1e9
        dirty = encoder().fit_transform(frame, poisoned)
        np.testing.assert_array_equal(dirty[row], clean[row])
        moved += int(not np.array_equal(dirty, clean, equal_nan=True))
    assert moved > 15  # the poison did reach other rows, so the test can fail


@BOTH
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000))
def test_transform_does_not_depend_on_the_order_of_the_rows_of_fitting(encoder: Any, seed: int) -> None:
    frame, y = mixed(60, seed), np.random.default_rng(seed).normal(size=60)
    order = np.random.default_rng(seed + 1).permutation(60)
    first = encoder().fit(frame, y)
    second = encoder().fit(frame[order], y[order])
    assert first.get_feature_names_out().tolist() == second.get_feature_names_out().tolist()
    np.testing.assert_array_equal(first.transform(frame), second.transform(frame))
    np.testing.assert_array_equal(first.transform(frame)[order], first.transform(frame[order]))


@BOTH
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40))
def test_arrays_and_json_give_the_same_encoder_back_to_the_bit(encoder: Any, seed: int, n: int) -> None:
    frame, y = mixed(n, seed), np.random.default_rng(seed).normal(size=n)
    fitted = encoder(kinds={"said": "text"}).fit(frame, y)
    meta, arrays = fitted.to_arrays()
    again = encoder.from_arrays(json.loads(json.dumps(meta)), arrays)
    new = mixed(25, seed + 1)
    np.testing.assert_array_equal(again.transform(new), fitted.transform(new))
    assert again.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()
    assert again.get_params() == fitted.get_params()
    assert again.feature_names_in_.tolist() == frame.columns


@BOTH
def test_frames_of_pandas_polars_and_arrow_are_encoded_alike(encoder: Any) -> None:
    frame, y = mixed(80, 10), np.random.default_rng(11).normal(size=80)
    plain = pd.DataFrame({s.name: s.to_list() for s in frame})
    expected = encoder().fit_transform(frame, y)
    for other in (frame.to_arrow(), frame.to_pandas(), plain):
        np.testing.assert_array_equal(encoder().fit_transform(other, y), expected)


def test_nullable_and_categorical_columns_of_pandas_are_understood() -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "b": pd.array([True, None, False], dtype="boolean"),
            "c": pd.Categorical(["x", None, "y"]),
            "t": pd.to_datetime(["2020-01-01", None, "2020-01-03"]).tz_localize("Europe/Oslo"),
            "d": pd.to_timedelta([1, None, 2], unit="s"),
            "m": pd.Series([1, 2.5, None], dtype=object),
        }
    )
    made = OrdinalEncoder(min_level_rows=1).fit_transform(frame)
    names = OrdinalEncoder(min_level_rows=1).fit(frame).get_feature_names_out().tolist()
    assert names == ["n", "b", "c", "t: days", "t: day of week", "t: day of month", "t: month", "d", "m"]
    np.testing.assert_array_equal(made[:, :3], [[1, 1, 0], [np.nan, np.nan, -1], [3, 0, 1]])
    assert made[0, 3] == pytest.approx(18262 - 1 / 24)  # midnight in Oslo is 23:00 UTC the day before
    np.testing.assert_array_equal(made[:, 7:], [[1, 1], [np.nan, 2.5], [2, np.nan]])


def test_ordinal_codes_follow_the_sorted_levels_and_unseen_rare_and_missing_have_their_own() -> None:
    seen = pl.DataFrame({"x": ["pear"] * 5 + ["apple"] * 6 + ["fig", None]})
    fitted = OrdinalEncoder(min_level_rows=2).fit(seen)
    new = pl.DataFrame({"x": ["apple", "pear", "fig", "never seen", None]})
    assert fitted.transform(new)[:, 0].tolist() == [0, 1, 2, 2, -1]


def test_without_a_target_only_the_most_frequent_levels_are_kept() -> None:
    levels = [f"l{k:02d}" for k in range(30) for _ in range(k + 1)]
    fitted = OrdinalEncoder(max_levels=4, min_level_rows=1).fit(pl.DataFrame({"x": levels}))
    new = pl.DataFrame({"x": ["l26", "l27", "l28", "l29", "l25"]})
    assert fitted.transform(new)[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_missing_and_unseen_values_never_crash_and_an_unseen_level_is_all_zeros() -> None:
    fitted = ScaledEncoder(min_level_rows=1).fit(pl.DataFrame({"n": [1.0, 2.0], "c": ["a", "b"]}))
    made = fitted.transform(pl.DataFrame({"c": ["never seen", None], "n": [None, float("inf")]}))
    assert made.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_a_column_without_any_value_is_zeros_for_trees_and_for_linear_models() -> None:
    frame = pl.DataFrame({"n": pl.Series([None, None], dtype=pl.Float64), "m": [1.0, 2.0]})
    new = pl.DataFrame({"n": [7.0], "m": [1.0]})
    assert OrdinalEncoder().fit(frame).transform(new).tolist() == [[0.0, 1.0]]
    assert ScaledEncoder().fit(frame).transform(new).tolist() == [[0.0, -1.0]]


def test_numbers_that_float32_cannot_hold_are_clipped_for_trees() -> None:
    made = OrdinalEncoder().fit_transform(np.array([[1e300], [-1e300], [1.0]]))
    assert np.isfinite(made.astype(np.float32)).all()
    assert made[2, 0] == 1.0


def test_calendar_parts_come_from_the_standard_library_and_only_those_that_vary() -> None:
    times = [datetime.datetime(2021, 3, 4, 5, 30), datetime.datetime(2021, 3, 9, 5, 30), None]
    fitted = OrdinalEncoder().fit(pl.DataFrame({"t": times}))
    assert fitted.get_feature_names_out().tolist() == ["t: days", "t: day of week", "t: day of month"]
    made = fitted.transform(pl.DataFrame({"t": times}))
    for row, time in zip(made, times[:2], strict=False):
        assert time is not None
        since = (time - datetime.datetime(1970, 1, 1)).total_seconds() / 86400
        np.testing.assert_allclose(row, [since, time.isoweekday(), time.day])
    assert np.isnan(made[2]).all()
    fitted_scaled = ScaledEncoder().fit(pl.DataFrame({"t": times}))
    assert fitted_scaled.get_feature_names_out().tolist()[-1] == "t is missing"


def test_hashed_counts_equal_a_naive_count_of_words_pairs_and_character_runs() -> None:
    texts = ["The cat  sat", "a cat", "", "ñandú 中文字", "cat"]
    counts = hashed_counts(pl.Series(texts))
    for i, text in enumerate(texts):
        words = text.lower().split()
        line = f" {' '.join(words)} "
        runs = sum(max(len(line) - width + 1, 0) for width in (3, 4))
        assert counts[i].sum() == runs + len(words) + max(len(words) - 1, 0)
    # What two texts share lands in the same buckets: the word, and the runs of " cat ".
    assert counts[1].minimum(counts[4]).sum() == 1 + 3 + 2
    alone = hashed_counts(pl.Series(["a cat"]))
    np.testing.assert_array_equal(alone.toarray()[0], counts[1].toarray()[0])


def test_text_counts_characters_and_words_and_tells_two_topics_apart() -> None:
    rng = np.random.default_rng(12)
    sea, field = ["wave", "sail", "anchor", "harbour"], ["plough", "barley", "meadow", "orchard"]
    texts = [" ".join(rng.choice(sea if i % 2 else field, 5)) for i in range(100)]
    column = TextColumn.fit(pl.Series("x", texts), 0)
    made = column.transform(pl.Series("x", [*texts, None, "wave sail anchor"]))
    assert made[:100, 0].tolist() == [len(text) for text in texts]
    assert made[:100, 1].tolist() == [5.0] * 100
    assert made[100].tolist() == [0.0] * made.shape[1]
    topics = made[:, 2:]
    unit = topics[:100] / np.linalg.norm(topics[:100], axis=1, keepdims=True)
    nearest = (unit @ topics[101]).argsort()[-20:]
    assert (nearest % 2 == 1).all()


def test_sentences_are_text_and_short_labels_are_levels_unless_kinds_says_otherwise() -> None:
    n = 60
    rng = np.random.default_rng(13)
    frame = pl.DataFrame(
        {"sentence": [" ".join(rng.choice(WORDS, 7)) for _ in range(n)], "label": [f"label{k}" for k in range(n)]}
    )
    y = rng.normal(size=n)
    names = OrdinalEncoder().fit(frame, y).get_feature_names_out().tolist()
    assert names[:2] == ["sentence: characters", "sentence: words"]
    assert names[-1] == "label: mean of target"
    told = OrdinalEncoder(kinds={"sentence": "category", "label": "text"}).fit(frame, y)
    assert told.get_feature_names_out().tolist()[:2] == ["sentence: mean of target", "label: characters"]


def test_integers_are_read_as_classes_only_while_they_are_few_and_task_overrules_it() -> None:
    frame = pl.DataFrame({"x": [f"l{k % 30}" for k in range(90)]})
    few, many = np.arange(90) % 3, np.arange(90)
    assert OrdinalEncoder().fit_transform(frame, few).shape == (90, 3)
    assert OrdinalEncoder().fit_transform(frame, many).shape == (90, 1)
    assert OrdinalEncoder(task="regression").fit_transform(frame, few).shape == (90, 1)
    assert OrdinalEncoder(task="classification").fit_transform(frame, few.astype(float)).shape == (90, 3)
    assert OrdinalEncoder().fit_transform(frame, np.zeros(90, int)).shape == (90, 1)  # one class: no means


@BOTH
def test_a_pipeline_clones_and_fits_and_predicts_for_columns_in_another_order(encoder: Any) -> None:
    frame = mixed(120, 14).drop_nulls()
    y = frame["size"].to_numpy() * 2
    fitted = clone(Pipeline([("encoder", encoder()), ("model", Ridge())])).fit(frame, y)
    other = frame.select(reversed(frame.columns)).with_columns(extra=pl.lit(1))
    np.testing.assert_array_equal(fitted.predict(other), fitted.predict(frame))
    named = clone(encoder()).set_output(transform="pandas").fit_transform(frame, y)
    assert named.columns.tolist() == fitted[0].get_feature_names_out().tolist()


# Columns of a frame are found by name, so they may come in another order.
EXCUSED = {"check_dataframe_column_names_consistency": "columns are matched by name, in any order"}


@pytest.mark.parametrize("encoder", [ScaledEncoder(), OrdinalEncoder()])
def test_the_checks_of_scikit_learn_pass(encoder: Any) -> None:
    outcome = check_estimator(encoder, expected_failed_checks=EXCUSED, on_skip=None, on_fail=None)
    failed = [f"{o['check_name']}: {o['exception']}" for o in outcome if o["status"] == "failed"]
    assert not failed


@BOTH
def test_refusals_name_what_came(encoder: Any) -> None:
    frame = pl.DataFrame({"a": [1.0, 2.0]})
    with pytest.raises(InvalidInput, match="X lacks the column 'a'"):
        encoder().fit(frame).transform(pl.DataFrame({"b": [1.0]}))
    with pytest.raises(InvalidInput, match=r"rows and columns, got shape \(0, 1\)"):
        encoder().fit(frame.head(0))
    with pytest.raises(InvalidInput, match="column 'a': unknown kind 'colour'"):
        encoder(kinds={"a": "colour"}).fit(frame)
    with pytest.raises(InvalidInput, match="got 'ranking'"):
        encoder(task="ranking").fit(frame, [1.0, 2.0])
    with pytest.raises(InvalidInput, match="lazy LazyFrame"):
        encoder().fit(frame.lazy())


def damaged(encoder: Any, change: Any) -> None:
    fitted = encoder(min_level_rows=1).fit(mixed(60, 15), np.arange(60.0))
    meta, arrays = fitted.to_arrays()
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(meta, arrays)
    encoder.from_arrays(meta, arrays)


def column_of(meta: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(part for part in meta["columns"] if part["kind"] == kind)


def test_parts_that_no_encoder_wrote_are_refused() -> None:
    def set_in(kind: str, field: str, value: Any) -> Any:
        return lambda meta, _: column_of(meta, kind).__setitem__(field, value)

    def set_array(ending: str, value: Any) -> Any:
        return lambda _, arrays: arrays.__setitem__(next(n for n in arrays if n.endswith(ending)), value)

    cases: list[tuple[Any, str]] = [
        (set_in("number", "seen", "yes"), "'size': seen is 'yes'"),
        (set_in("datetime", "parts", ["century"]), "century"),
        (set_in("levels", "levels", ["a", "a"]), "'colour': its levels are not distinct"),
        (set_in("target mean", "levels", ["a"]), "'town': scores have shape"),
        (set_array(".topics", np.zeros((3, 7))), r"'said': its topics have shape \(3, 7\)"),
        (set_array("median", np.zeros(3)), r"median has shape \(3,\)"),
        (lambda _, a: a.__setitem__("missing_seen", a["missing_seen"].astype(float)), "missing_seen is float64"),
    ]
    for change, match in cases:
        with pytest.raises(ValueError, match=match):
            damaged(ScaledEncoder, change)
    with pytest.raises(KeyError, match="scale"):
        damaged(ScaledEncoder, lambda _, arrays: arrays.pop("scale"))


# -- rows one by one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["polars", "pandas", "object", "array"])
def test_rows_encoded_at_once_are_what_each_training_part_would_have_made_of_them(kind, seed):
    rng = np.random.default_rng(seed)
    n = 60
    numbers = np.where(rng.random(n) < 0.4, np.nan, rng.normal(size=n) * 1e30)
    columns = {
        "whole": rng.integers(-5, 5, n),
        "gaps": numbers,
        "huge": np.where(rng.random(n) < 0.2, np.inf, 1e300),
        "flag": rng.random(n) < 0.5,
        "nothing": np.full(n, np.nan),
    }
    if kind == "polars":
        frame = pl.DataFrame(columns | {"null": [None] * n})
    elif kind == "array":
        frame = np.column_stack([values.astype(float) for values in columns.values()])
    else:
        frame = pd.DataFrame(columns)
    if kind == "object":  # of these, a column without values has no type, so it is taken for a category
        frame = frame.drop(columns="nothing")
        frame = frame.astype(object).where(frame.notna(), None)
    parts = [np.sort(rng.permutation(n)[:size]) for size in (50, 30, 20)]
    matrix = OrdinalEncoder().row_by_row(frame, parts)
    assert matrix.flags.c_contiguous
    for train in parts:
        test = np.setdiff1d(np.arange(n), train)
        encoder = OrdinalEncoder()
        np.testing.assert_array_equal(
            encoder.fit_transform(take_rows(frame, train), rng.normal(size=len(train))), matrix[train]
        )
        np.testing.assert_array_equal(encoder.transform(take_rows(frame, test)), matrix[test])


def test_kinds_that_are_learned_are_never_encoded_row_by_row():
    dates = pl.Series([0, 1, 2, 3]).cast(pl.Datetime("us"))
    for column in (["a", "b", "a", "b"], dates):
        frame = pl.DataFrame({"number": [1.0, 2.0, 3.0, 4.0], "other": column})
        assert OrdinalEncoder().row_by_row(frame, [np.arange(3)]) is None
    words = pl.DataFrame({"code": ["1", "2", "x", None]})
    assert OrdinalEncoder(kinds={"code": "number"}).row_by_row(words, [np.arange(3)])[:, 0].tolist()[:2] == [1.0, 2.0]


def test_encoding_rows_at_once_leaves_the_encoder_unfitted():
    encoder = OrdinalEncoder()
    encoder.row_by_row(np.zeros((3, 2)), [np.arange(2)])
    assert not hasattr(encoder, "n_features_in_")
