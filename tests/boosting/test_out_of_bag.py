"""What rows out of bag tell: predictions, errors and curves against their definitions, and stops that they decide."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from heldout import BoostingClassifier, BoostingRegressor
from heldout.boosting import OutOfBagCurve
from heldout.boosting.bags import evaluation_replicas
from heldout.errors import InvalidInput
from heldout.resampling import Blocks, Disjoint, Groups, KFold, Subsample, find_resampling

from reference.ensembles import assert_same_bits, same_bits
from reference.out_of_bag import by_definition, codes_of, losses_of, stages

KINDS = ("regression", "two", "five")
N = 300
K = 5

pytestmark = pytest.mark.filterwarnings("ignore:.* in the bag of all:UserWarning")


@pytest.fixture
def small(make_table: Any, seed: int) -> Any:
    return make_table(N, seed)


@pytest.fixture
def bags(seed: int) -> NDArray[np.int64]:
    """Return bags that leave some rows out of none, some of one, some of several replicas."""
    return np.random.default_rng(seed).poisson(1.0, (N, K))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_attributes_are_what_they_are_defined_to_be(
    kind: str, weighted: bool, small: Any, bags: Any, make_model: Any, seed: int
) -> None:
    X, y = small.X, small.target_of(kind)
    weight = np.random.default_rng(seed).gamma(2.0, size=N) if weighted else np.ones(N)
    model = make_model(kind, replicas=K, resampling=bags, n_trees=8, min_leaf_weight=5).fit(X, y, sample_weight=weight)
    raw = model.members_.raw(X).reshape(N, K, -1)
    expected = by_definition(kind, codes_of(kind, y), raw, bags == 0)
    np.testing.assert_allclose(model.oob_prediction_, expected["prediction"], rtol=1e-9)
    np.testing.assert_allclose(model.oob_std_, expected["std"], rtol=1e-6, atol=1e-9)
    assert np.array_equal(model.oob_members_, (bags == 0).sum(axis=1))
    judged = expected["m"] > 0
    paired = expected["m"] > 1
    change = expected["of_single"] - expected["of_pairs"]  # for squared error the variance between replicas
    pooled = np.average(change[paired], weights=(expected["m"] * weight - weight)[paired])
    V = np.where(paired, change, pooled)
    D = np.where(paired, expected["of_pairs"], expected["of_single"] - pooled)
    bagged, single, error = (
        np.average(losses[judged], weights=weight[judged]) for losses in (D, expected["of_single"], D + V / K)
    )
    np.testing.assert_allclose([model.error_if_bagged_, model.bagging_gain_], [bagged, single - bagged], rtol=1e-9)
    assert model.oob_error_.error == pytest.approx(error, rel=1e-9)
    assert model.oob_error_.metric == ("mse" if kind == "regression" else "log_loss")
    assert model.oob_error_.estimand == "error on new rows of the ensemble of 5"
    assert model.oob_error_.method == "out_of_bag"
    assert model.oob_error_.ci_low < model.oob_error_.error < model.oob_error_.ci_high
    assert model.oob_error_.n_rows == judged.sum()


@pytest.mark.parametrize("weighted", ["none", "whole", "fractional"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_is_the_error_after_each_round(
    kind: str, weighted: str, small: Any, bags: Any, make_model: Any, seed: int
) -> None:
    X, y = small.X, small.target_of(kind)
    rng = np.random.default_rng(seed)
    weight = {"none": np.ones(N), "whole": rng.integers(1, 4, N), "fractional": rng.gamma(2.0, size=N)}[weighted]
    m = (bags == 0).sum(axis=1)
    model = make_model(kind, replicas=K, resampling=bags, n_trees=8, min_leaf_weight=5)
    curve = model.fit(X, y, sample_weight=weight).oob_curve_
    judged = m > 0
    assert isinstance(curve, OutOfBagCurve)
    assert curve.members == pytest.approx(m[judged].mean())
    assert curve.best_round == int(np.argmin(curve.loss)) + 1
    assert curve.corrected_to == (K if kind == "regression" else None)
    for raw, loss in zip(stages(model, X, K), curve.loss, strict=True):
        found = by_definition(kind, codes_of(kind, y), raw, bags == 0)
        if kind == "regression":
            paired = m > 1
            pooled = np.average(found["std"][paired] ** 2, weights=(weight * (m - 1))[paired])
            V = np.where(paired, found["std"] ** 2, pooled)[judged]
            rows = (found["of_mean"][judged] + V * (1 / K - 1 / m[judged])) / 2
        else:
            rows = found["of_mean"][judged]
        assert loss == pytest.approx(np.average(rows, weights=weight[judged]), rel=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_last_of_the_curve_is_half_the_error(weighted: bool, small: Any, make_model: Any, seed: int) -> None:
    weight = np.random.default_rng(seed).gamma(2.0, size=N) if weighted else None
    model = make_model("regression", replicas=K, n_trees=8, min_leaf_weight=5, random_state=seed)
    model.fit(small.X, small.target_of("regression"), sample_weight=weight)
    assert 1 in model.oob_members_  # whose variance is pooled
    assert 2 * model.oob_curve_.loss[-1] == pytest.approx(model.oob_error_.error, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_keeps_the_rounds_up_to_the_best(kind: str, small: Any, make_model: Any) -> None:
    X, y = small.X, small.target_of(kind)
    parameters = {"replicas": K, "learning_rate": 0.5, "min_leaf_weight": 3, "random_state": 0}
    model = make_model(kind, n_trees=200, early_stopping="out_of_bag", **parameters).fit(X, y)
    curve = model.oob_curve_
    assert model.n_trees_ == curve.best_round == int(np.argmin(curve.loss)) + 1
    assert len(curve.loss) == curve.best_round + 20 < 200
    short = make_model(kind, n_trees=model.n_trees_, **parameters).fit(X, y)
    assert_same_bits(model.members_, short.members_)
    assert same_bits(model.oob_prediction_, short.oob_prediction_)
    assert model.oob_error_.error == short.oob_error_.error
    assert same_bits(short.oob_curve_.loss, curve.loss[: curve.best_round])
    assert not np.array_equal(model.ensemble_.value, short.ensemble_.value)  # leaves computed anew from all rows
    assert model.oob_error_.estimand.endswith("of the ensemble of 5, before its leaves were filled anew from all rows")
    assert not len(model.validation_losses_)


@pytest.mark.parametrize("resampling", ["bootstrap", "subsample", KFold(5)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_single_model_is_one_fit_of_the_rounds_chosen(
    kind: str, resampling: Any, small: Any, make_model: Any
) -> None:
    X, y = small.X, small.target_of(kind)
    parameters = {"learning_rate": 0.5, "min_leaf_weight": 3, "random_state": 0, "max_features": 0.5}
    model = make_model(kind, n_trees=200, early_stopping="out_of_bag", resampling=resampling, **parameters).fit(X, y)
    assert model.n_trees_ == int(np.argmin(model.oob_curve_.loss)) + 1 < 200
    assert_same_bits(model.ensemble_, make_model(kind, n_trees=model.n_trees_, **parameters).fit(X, y).ensemble_)
    assert model.oob_curve_.corrected_to == 1
    assert not hasattr(model, "members_")


@pytest.mark.parametrize("weighted", ["none", "whole", "fractional"])
@pytest.mark.parametrize("class_weight", ["balanced", {"yes": 5.0}], ids=str)
def test_a_single_model_of_weighted_classes_is_one_fit_too(
    class_weight: Any, weighted: str, small: Any, seed: int
) -> None:
    """Class weights are sample weights, in the cut points as well."""
    X, y = small.X, np.where(small.y > np.quantile(small.y, 0.8), "yes", "no")
    rng = np.random.default_rng(seed)
    weight = {"none": None, "whole": rng.integers(0, 4, N), "fractional": rng.gamma(2.0, size=N)}[weighted]
    parameters = {"class_weight": class_weight, "max_bins": 16, "min_leaf_weight": 3, "random_state": 0}
    model = BoostingClassifier(n_trees=60, early_stopping="out_of_bag", **parameters).fit(X, y, sample_weight=weight)
    plain = BoostingClassifier(n_trees=model.n_trees_, **parameters).fit(X, y, sample_weight=weight)
    # Gains are in units of the weights, which a fit by itself divides by a power of two.
    units = model.ensemble_.gain.sum() / plain.ensemble_.gain.sum()
    assert np.frexp(units)[0] == 0.5
    assert_same_bits(model.ensemble_, replace(plain.ensemble_, gain=plain.ensemble_.gain * units))


@pytest.mark.parametrize("kind", KINDS)
def test_the_rounds_of_a_single_model_are_chosen_by_single_members(kind: str, small: Any, make_model: Any) -> None:
    """Its curve is the mean, over rows and the members that left them out, of the loss of one."""
    X, y = small.X, small.target_of(kind)
    codes = codes_of(kind, y)
    weights = np.array(Subsample(0.6).draw(N, K, random_state=1).weights)
    parameters = {"resampling": weights, "min_leaf_weight": 5, "learning_rate": 0.5}
    single = make_model(kind, n_trees=100, early_stopping="out_of_bag", **parameters).fit(X, y)
    n_grown = len(single.oob_curve_.loss)
    several = make_model(kind, n_trees=n_grown, replicas=K, **parameters).fit(X, y)
    for raw, loss in zip(stages(several, X, K), single.oob_curve_.loss, strict=True):
        found = by_definition(kind, codes, raw, weights == 0)
        expected = np.nanmean(found["of_single"]) / (2 if kind == "regression" else 1)
        assert loss == pytest.approx(expected, rel=1e-6)
    assert single.oob_error_.mean_loss == pytest.approx(
        single.oob_curve_.loss[single.n_trees_ - 1] * (2 if kind == "regression" else 1), rel=1e-6
    )
    assert single.oob_error_.n_fits == K
    assert single.oob_error_.estimand == (
        "error on new rows of a single one of 5 fitted to resampled rows; the model is fitted to all rows"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_poisoned_targets_reach_no_replica_that_left_them_out(
    kind: str, small: Any, make_model: Any, seed: int
) -> None:
    X, y = small.X, small.target_of(kind)
    rng = np.random.default_rng(seed)
    bags = rng.poisson(1.0, (N, 3))
    bags[:40, 0] = 0
    model = make_model(kind, replicas=3, resampling=bags, n_trees=6, min_leaf_weight=5).fit(X, y)
    poisoned = y.copy()
    poisoned[:40] = 1e6 if kind == "regression" else rng.permutation(y[:40])
    other = clone(model).fit(X, poisoned)
    n_outputs = 5 if kind == "five" else 1
    one, two = (each.members_.raw(X).reshape(N, 3, n_outputs) for each in (model, other))
    assert same_bits(np.ascontiguousarray(one[:, 0]), np.ascontiguousarray(two[:, 0]))
    assert not np.array_equal(one[:, 1], two[:, 1])


def test_rows_never_out_of_bag_are_counted_in_one_warning(small: Any) -> None:
    bags = np.ones((N, 2), dtype=int)
    bags[10:, 0] = bags[20:, 1] = 0
    bags[250:] = 1
    model = BoostingRegressor(replicas=2, resampling=bags, n_trees=2, min_leaf_weight=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(small.X, small.y)
    (warning,) = caught
    assert warning.category is UserWarning
    assert "60 of 300 rows are in the bag of all 2 replicas, so NaN is their prediction" in str(warning.message)
    assert warning.filename == __file__
    assert np.flatnonzero(np.isnan(model.oob_prediction_)).tolist() == [*range(10), *range(250, N)]
    assert "60 of 300 rows are in every bag" in str(model.oob_error_.note)
    bags[1:] = 0
    with pytest.warns(UserWarning, match="1 of 300 rows is in the bag of all 2 replicas"):
        model.set_params(resampling=bags).fit(small.X, small.y)


@pytest.mark.parametrize(
    ("resampling", "n_replicas"),
    [
        ("bootstrap", 8),
        (KFold(3), 3),
        (KFold(3, 2), 6),
        (KFold(), 8),
        (KFold(repeats=3), 9),
        (KFold(repeats=20), 40),
        (Disjoint((100, 50, 20)), 3),
        (Disjoint(100), 8),
        (np.eye(N, 3) + 1 - np.eye(N, 3)[::-1], 3),
    ],
    ids=str,
)
def test_as_many_replicas_choose_rounds_as_the_resampling_is_made_for(
    resampling: Any, n_replicas: int, small: Any
) -> None:
    model = BoostingRegressor(n_trees=3, early_stopping="out_of_bag", resampling=resampling, random_state=0)
    model.fit(small.X, small.y)
    if isinstance(resampling, KFold):
        assert model.oob_members_.sum() == N * (resampling.repeats or 1)
    if isinstance(resampling, Disjoint):
        assert model.oob_members_.sum() == {3: 3 * N - 170, 8: 8 * (N - 100)}[n_replicas]
    assert evaluation_replicas(find_resampling(resampling), N) == n_replicas


@pytest.mark.parametrize("n_rows", [2, 3, 5, 8, 11])
@pytest.mark.parametrize("resampling", ["kfold", KFold(repeats=2), KFold(repeats=3)], ids=str)
def test_small_tables_have_at_most_as_many_folds_as_rows(resampling: Any, n_rows: int, small: Any) -> None:
    """Rows of weight 0 are none; whoever names a number of folds is told that the rows do not suffice."""
    model = BoostingRegressor(n_trees=3, early_stopping="out_of_bag", resampling=resampling, min_leaf_weight=1)
    model.fit(small.X[:20], small.y[:20], sample_weight=1.0 * (np.arange(20) < n_rows))
    repeats = getattr(resampling, "repeats", 1)
    assert model.oob_members_.tolist() == [repeats] * n_rows + [0] * (20 - n_rows)
    assert evaluation_replicas(find_resampling(resampling), n_rows) == repeats * min(-(-8 // repeats), n_rows)
    with pytest.raises(InvalidInput, match=r"KFold\(k=12, .* has 12 folds for .* rows: use fewer folds"):
        model.set_params(resampling=KFold(12)).fit(small.X[:n_rows], small.y[:n_rows])


@pytest.mark.filterwarnings("error")
def test_replicas_that_only_choose_rounds_need_not_judge_every_row(small: Any) -> None:
    model = BoostingRegressor(early_stopping="out_of_bag", random_state=0).fit(small.X, small.y)
    missed = np.isnan(model.oob_prediction_)
    assert missed.any()
    assert f"{missed.sum()} of {N} rows" in str(model.oob_error_.note)


def test_where_all_rows_are_in_every_bag_there_is_no_error(small: Any) -> None:
    model = BoostingRegressor(replicas=2, resampling=np.ones((N, 2)), n_trees=2)
    with pytest.warns(UserWarning, match="no row is out of the bag of any of 2 replicas, .*pass resampling=None"):
        model.fit(small.X, small.y)
    assert not [name for name in vars(model) if name.startswith("oob_")]
    assert not hasattr(model, "error_if_bagged_")
    _, std = model.predict(small.X, return_std=True)
    assert not std.any()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_out_of_one_bag_each_are_judged_by_single_members(kind: str, small: Any, make_model: Any) -> None:
    """Nothing then tells how members differ, so nothing is corrected."""
    X, y = small.X, small.target_of(kind)
    model = make_model(kind, replicas=K, resampling="kfold", n_trees=5, random_state=0).fit(X, y)
    expected = losses_of(kind, codes_of(kind, y), model.oob_prediction_).mean()
    assert model.oob_error_.error == pytest.approx(expected)
    assert "of single members, as many as have a row out of bag; the ensemble has" in model.oob_error_.estimand
    assert np.isnan([model.error_if_bagged_, model.bagging_gain_]).all()
    assert model.oob_curve_.corrected_to == 1
    assert model.oob_curve_.members == 1
    assert np.isnan(model.oob_std_).all()


def test_where_the_correction_would_pass_0_the_members_at_hand_are_judged() -> None:
    """A small table on which a few rows lose much, and two members there do far better than one."""
    rng = np.random.default_rng(56)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    model = BoostingClassifier(replicas=K, min_leaf_weight=5, random_state=56).fit(X, y)
    judged = model.oob_members_ > 0
    estimate, members = model.oob_error_, model.oob_members_[judged]
    assert model.error_if_bagged_ + model.bagging_gain_ / K < 0  # what the correction comes to
    assert estimate.error == pytest.approx(losses_of("two", y[judged], model.oob_prediction_[judged]).mean())
    assert 0 <= estimate.ci_low <= estimate.error <= estimate.ci_high
    assert f"of about {members.mean():.3g} members averaged, as many as have a row out of bag" in estimate.estimand


@pytest.mark.parametrize("resampling", ["bootstrap", Blocks(7)])
def test_rows_of_weight_0_are_not_drawn_nor_predicted(resampling: Any, small: Any, seed: int) -> None:
    there = np.random.default_rng(seed).random(N) < 0.7
    parameters = {"replicas": K, "resampling": resampling, "random_state": 0, "n_trees": 5}
    weighted = BoostingRegressor(**parameters).fit(small.X, small.y, sample_weight=there)
    without = BoostingRegressor(**parameters).fit(small.X[there], small.y[there])
    assert_same_bits(weighted.ensemble_, without.ensemble_)
    assert same_bits(weighted.oob_prediction_[there], without.oob_prediction_)
    assert np.isnan(weighted.oob_prediction_[~there]).all()
    assert not weighted.oob_members_[~there].any()
    assert weighted.oob_error_.error == without.oob_error_.error
    assert weighted.oob_error_.standard_error == without.oob_error_.standard_error
    assert weighted.oob_error_.n_units == without.oob_error_.n_units


def test_groups_are_left_out_whole_and_are_the_units(small: Any, seed: int) -> None:
    groups = np.random.default_rng(seed).integers(0, 30, N)
    labels = np.array([f"group {g}" for g in groups], dtype=object)
    model = BoostingRegressor(replicas=K, resampling="groups", n_trees=5, random_state=0)
    model.fit(small.X, small.y, groups=labels)
    out = np.isfinite(model.oob_prediction_)
    for g in np.unique(groups):
        assert len(set(model.oob_members_[groups == g])) == 1
    assert model.oob_error_.n_units == len(set(groups[out]))
    assert model.oob_error_.estimand.startswith("error on rows of new groups")
    same = clone(model).set_params(resampling=Groups()).fit(small.X, small.y, groups=groups)
    assert same.oob_error_.n_units == model.oob_error_.n_units


def test_blocks_of_time_are_the_units_and_gaps_are_not_predicted(small: Any) -> None:
    model = BoostingRegressor(replicas=8, resampling=Blocks(10, gap=3), n_trees=5, random_state=0)
    model.fit(small.X, small.y)
    judged = np.isfinite(model.oob_prediction_)
    assert model.oob_error_.n_units == len(set(np.flatnonzero(judged) // 10))
    assert model.oob_error_.estimand.startswith("error on rows of other blocks of time")
    every = clone(model).set_params(resampling=Blocks(10)).fit(small.X, small.y)
    assert every.oob_members_.sum() > model.oob_members_.sum()


@pytest.mark.parametrize("model", [BoostingRegressor, BoostingClassifier])
def test_a_table_of_two_rows_is_fitted(model: Any) -> None:
    fitted = model(replicas=6, min_leaf_weight=1, resampling="subsample", random_state=0)
    fitted.fit([[0.0], [1.0]], [0, 1])
    assert np.isfinite(fitted.predict([[0.0], [1.0]])).all()


def test_one_class_is_predicted_for_sure(small: Any) -> None:
    model = BoostingClassifier(replicas=3, n_trees=3, random_state=0).fit(small.X, np.full(N, "only"))
    assert set(model.predict(small.X)) == {"only"}
    assert model.oob_error_.error == 0.0
    probability, std = model.predict_proba(small.X, return_std=True)
    assert (probability == 1).all()
    assert not std.any()
