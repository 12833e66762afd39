"""Out-of-fold predictions: closed forms, naive twins, nothing of a held-out row's target ever seen."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import BaggingRegressor, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from heldout.errors import InvalidInput
from heldout.generalization import out_of_fold
from heldout.generalization.fold_fit import seeded_clone
from heldout.losses import LOSSES
from heldout.splits import BlockedTime, GroupFolds, RandomFolds, StratifiedFolds


def regression_table(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X @ [1.0, -2.0, 0.5] + rng.normal(size=n)


def test_the_mean_is_judged_by_the_mean_of_the_other_folds():
    y = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    result = out_of_fold(DummyRegressor(), np.zeros((6, 1)), y, splitter=KFold(3), loss="squared_error")
    assert result.predictions == pytest.approx([15, 15, 12.75, 12.75, 3.75, 3.75])
    assert result.losses == pytest.approx((y - result.predictions) ** 2)
    assert result.fold_losses == pytest.approx(
        [(14**2 + 13**2) / 2, (8.75**2 + 4.75**2) / 2, (12.25**2 + 28.25**2) / 2]
    )
    # The training error of a mean is the variance of its training part, by n.
    assert result.training_losses == pytest.approx([y[2:].var(), y[[0, 1, 4, 5]].var(), y[:4].var()])
    assert (result.n_fits, result.fold_sizes, result.n_repeats) == (3, ((4, 2),) * 3, 1)
    assert result.mean_loss == pytest.approx(np.mean(result.fold_losses))
    assert result.mean_training_loss == pytest.approx(np.mean(result.training_losses))


def test_the_nearest_neighbour_makes_no_error_on_training_rows_and_many_on_held_out_noise():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 2)), rng.integers(2, size=200)
    result = out_of_fold(KNeighborsClassifier(1), X, y, splitter=StratifiedFolds(10), loss="zero_one")
    assert result.training_losses == (0.0,) * 10
    assert 0.3 < result.mean_loss < 0.7


def test_it_equals_scikit_learn_on_the_same_folds():
    from sklearn.model_selection import cross_val_predict, cross_val_score

    X, y = regression_table()
    result = out_of_fold(Ridge(), X, y, splitter=KFold(5), loss="squared_error")
    assert result.predictions == pytest.approx(cross_val_predict(Ridge(), X, y, cv=KFold(5)))
    scores = cross_val_score(Ridge(), X, y, cv=KFold(5), scoring="neg_mean_squared_error")
    assert result.fold_losses == pytest.approx(-scores)
    classes = (y > 0).astype(int)
    by_probability = out_of_fold(LogisticRegression(), X, classes, splitter=KFold(5), loss="log_loss")
    expected = cross_val_predict(LogisticRegression(), X, classes, cv=KFold(5), method="predict_proba")
    assert by_probability.predictions == pytest.approx(expected)
    assert by_probability.losses == pytest.approx(-np.log(expected[np.arange(60), classes]))


def test_repeats_are_averaged_row_by_row():
    X, y = regression_table()
    both = out_of_fold(Ridge(), X, y, splitter=RandomFolds(5, 2), loss="squared_error")
    first = out_of_fold(Ridge(), X, y, splitter=RandomFolds(5, 1), loss="squared_error")
    assert both.fold_losses[:5] == pytest.approx(first.fold_losses)
    assert (both.n_repeats, both.n_fits) == (2, 10)
    assert both.repeat_of == (0,) * 5 + (1,) * 5
    by_hand = np.zeros(60)
    for train, test in RandomFolds(5, 2).split(X):
        by_hand[test] += (y[test] - Ridge().fit(X[train], y[train]).predict(X[test])) ** 2 / 2
    assert both.losses == pytest.approx(by_hand)
    assert not np.allclose(both.losses, first.losses)


def test_codes_are_voted_over_repeats_and_probabilities_averaged():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 1)), rng.integers(3, size=40)
    tree = DecisionTreeClassifier(random_state=0)
    voted = out_of_fold(tree, X, y, splitter=StratifiedFolds(4, 5), loss="zero_one")
    shares = np.zeros((40, 3))
    for train, test in StratifiedFolds(4, 5).split(X, y):
        shares[test, tree.fit(X[train], y[train]).predict(X[test])] += 1 / 5
    assert np.array_equal(voted.predictions, shares.argmax(axis=1))
    assert voted.losses == pytest.approx(1 - shares[np.arange(40), y])
    averaged = out_of_fold(tree, X, y, splitter=StratifiedFolds(4, 5), loss="brier", other_losses=["zero_one"])
    assert averaged.predictions == pytest.approx(shares)
    assert averaged.by_loss["zero_one"].losses == pytest.approx(voted.losses)
    assert np.array_equal(averaged.by_loss["zero_one"].predictions, shares.argmax(axis=1))
    assert averaged.by_loss["zero_one"].training_losses == pytest.approx(voted.training_losses)


def test_rows_never_tested_have_neither_prediction_nor_loss():
    X, y = regression_table(50)
    result = out_of_fold(Ridge(), X, y, splitter=BlockedTime(4, gap=2), loss="absolute_error")
    assert np.isnan(result.predictions[:10]).all()
    assert np.array_equal(result.tested, np.arange(50) >= 10)
    assert result.mean_loss == pytest.approx(result.losses[10:].mean())
    codes = out_of_fold(KNeighborsClassifier(1), X, (y > 0).astype(int), splitter=TimeSeriesSplit(4), loss="zero_one")
    assert (codes.predictions[:10] == -1).all()
    assert set(codes.predictions[10:]) <= {0, 1}


@pytest.mark.parametrize("estimator", [LogisticRegression(), DecisionTreeClassifier(random_state=0), SVC()])
def test_a_class_missing_from_a_training_part_is_an_error_but_no_crash(estimator):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = np.array(["a", "b"])[(X[:, 0] > 0).astype(int)].astype(object)
    y[7] = "once"
    loss = "zero_one" if isinstance(estimator, SVC) else "log_loss"
    result = out_of_fold(estimator, X, y, splitter=RandomFolds(5), loss=loss)
    assert np.isfinite(result.losses).all()
    if loss == "log_loss":
        assert result.predictions[7, 2] == 0.0
        assert result.losses[7] == pytest.approx(-np.log(1e-7))
        assert result.predictions.sum(axis=1) == pytest.approx(np.ones(40))
    else:
        assert result.losses[7] == 1.0


class NeedsCodesWithoutHoles(ClassifierMixin, BaseEstimator):
    """Like some boosting libraries: refuses labels other than 0 .. k-1."""

    def fit(self, X, y):  # noqa: ARG002 - it learns no more than the classes
        self.classes_ = np.unique(y)
        assert np.array_equal(self.classes_, np.arange(len(self.classes_)))
        return self

    def predict_proba(self, X):
        return np.tile(np.arange(1, len(self.classes_) + 1) / sum(range(len(self.classes_) + 1)), (len(X), 1))

    def predict(self, X):
        return np.full(len(X), self.classes_[-1])


def test_a_missing_class_leaves_no_hole_in_the_codes_an_estimator_is_told():
    X, y = np.zeros((9, 1)), np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    folds = KFold(3)
    by_probability = out_of_fold(
        NeedsCodesWithoutHoles(), X, y, splitter=folds, loss="brier", classes=["x", "y", "z", "never"]
    )
    # Tested class by class: the class tested is missing, the other two have 1/3 and 2/3.
    assert by_probability.predictions[[0, 3, 6]] == pytest.approx(
        np.array([[0, 1 / 3, 2 / 3, 0], [1 / 3, 0, 2 / 3, 0], [1 / 3, 2 / 3, 0, 0]])
    )
    by_code = out_of_fold(NeedsCodesWithoutHoles(), X, y, splitter=folds, loss="zero_one", classes=range(3))
    assert by_code.predictions[[0, 3, 6]].tolist() == [2, 2, 1]


@pytest.mark.parametrize("loss", ["zero_one", "log_loss"])
def test_a_training_part_of_one_class_predicts_it_without_a_fit(loss):
    y = np.array([0, 0, 0, 0, 1, 1])
    splitter = GroupFolds(2, groups=[0, 0, 0, 0, 1, 1])
    result = out_of_fold(LogisticRegression(), np.zeros((6, 1)), y, splitter=splitter, loss=loss)
    assert result.n_fits == 0
    wrong = 1.0 if loss == "zero_one" else -np.log(1e-7)
    assert result.losses == pytest.approx([wrong] * 6)
    assert result.training_losses == pytest.approx([0.0, 0.0])


def test_string_labels_reach_the_estimator_as_they_are():
    y = np.array(["no", "yes"] * 20)
    weighted = LogisticRegression(class_weight={"yes": 9.0, "no": 1.0})
    result = out_of_fold(weighted, np.zeros((40, 1)), y, splitter=StratifiedFolds(4), loss="brier")
    assert result.predictions[:, 1] == pytest.approx(np.full(40, 0.9), abs=1e-3)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "list", "sparse", "float32"])
def test_frames_and_other_arrays_give_what_an_array_gives(kind):
    X, y = regression_table()
    columns = {name: X[:, j] for j, name in enumerate("abc")}
    given = {
        "pandas": lambda: pd.DataFrame(columns, index=np.arange(60)[::-1]),
        "polars": lambda: pl.DataFrame(columns),
        "arrow": lambda: pa.table(columns),
        "list": lambda: X.tolist(),
        "sparse": lambda: sparse.csr_matrix(X),
        "float32": lambda: X.astype(np.float32),
    }[kind]()
    estimator = Ridge(solver="lsqr", tol=1e-12) if kind == "sparse" else Ridge()
    if kind == "arrow":
        from sklearn.preprocessing import FunctionTransformer

        estimator = make_pipeline(FunctionTransformer(lambda table: table.to_pandas()), Ridge())
    plain = out_of_fold(Ridge(), X, y, splitter=RandomFolds(5), loss="squared_error")
    other = out_of_fold(estimator, given, y, splitter=RandomFolds(5), loss="squared_error")
    assert other.predictions == pytest.approx(plain.predictions, abs=1e-4 if kind in {"float32", "sparse"} else 1e-12)


def test_the_number_of_jobs_changes_nothing():
    X, y = regression_table()
    forest = RandomForestRegressor(5)
    one, two, again = (
        out_of_fold(forest, X, y, splitter=RandomFolds(3, 2), loss="squared_error", n_jobs=n_jobs)
        for n_jobs in (None, 2, 1)
    )
    assert np.array_equal(one.predictions, two.predictions)
    assert np.array_equal(one.predictions, again.predictions)
    other = out_of_fold(forest, X, y, splitter=RandomFolds(3, 2), loss="squared_error", random_state=1)
    assert not np.array_equal(one.predictions, other.predictions)


def test_unset_seeds_are_set_nested_ones_too_and_set_ones_are_kept():
    nested = BaggingRegressor(DecisionTreeRegressor())
    copies = [seeded_clone(nested, 0, fold) for fold in (0, 0, 1)]
    seeds = [(copy.random_state, copy.estimator.random_state) for copy in copies]
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 4
    assert nested.random_state is None
    kept = seeded_clone(BaggingRegressor(DecisionTreeRegressor(random_state=7), random_state=5), 0, 0)
    assert (kept.random_state, kept.estimator.random_state) == (5, 7)


def target_encoder():
    # From 1.9 on scikit-learn seeds the encoder's own folds by a splitter instead of random_state.
    modern = tuple(int(part) for part in sklearn.__version__.split(".")[:2]) >= (1, 9)
    return TargetEncoder(cv=KFold(3)) if modern else TargetEncoder(cv=3, random_state=0)


def test_poisoned_targets_of_held_out_rows_change_no_prediction_for_them():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(8, size=120), rng.integers(5, size=120)]).astype(object)
    y = rng.normal(size=120)
    model = make_pipeline(target_encoder(), KNeighborsRegressor(3))
    splitter = RandomFolds(4)
    clean = out_of_fold(model, X, y, splitter=splitter, loss="squared_error")
    for test in clean.test_rows:
        poisoned = y.copy()
        poisoned[test] = 1e6 * rng.normal(size=len(test))
        after = out_of_fold(model, X, poisoned, splitter=splitter, loss="squared_error")
        assert np.array_equal(after.predictions[test], clean.predictions[test])
        others = np.setdiff1d(np.arange(120), test)
        assert not np.array_equal(after.predictions[others], clean.predictions[others])


def test_each_row_may_be_a_fold_of_its_own():
    X, y = regression_table(12)
    result = out_of_fold(Ridge(), X, y, splitter=RandomFolds(12), loss="squared_error")
    assert set(result.fold_sizes) == {(11, 1)}
    order = np.concatenate(result.test_rows)
    assert result.losses[order] == pytest.approx(result.fold_losses)


def test_a_deadline_in_the_past_finishes_the_first_repeat_only():
    X, y = regression_table()
    result = out_of_fold(Ridge(), X, y, splitter=RandomFolds(4, 3), loss="squared_error", deadline=time.monotonic() - 1)
    assert (result.n_repeats, result.n_fits, result.n_folds_left_out) == (1, 4, 8)
    assert result.tested.all()


def test_losses_of_ones_own_are_taken():
    cubed = replace(LOSSES["absolute_error"], name="cubed", per_row=lambda y, p: np.abs(y - p) ** 3)
    X, y = regression_table()
    result = out_of_fold(Ridge(), X, y, splitter=KFold(3), loss=cubed)
    assert result.losses == pytest.approx(np.abs(y - result.predictions) ** 3)


class Predicts(RegressorMixin, BaseEstimator):
    def __init__(self, what=0.0, columns=None):
        self.what = what
        self.columns = columns

    def fit(self, X, y):  # noqa: ARG002 - it learns nothing
        return self

    def predict(self, X):
        return np.full(len(X) if self.columns is None else (len(X), self.columns), self.what)


def test_a_single_column_of_predictions_is_one_prediction_per_row():
    X, y = regression_table()
    flat, column = (
        out_of_fold(model, X, y, splitter=KFold(3), loss="squared_error")
        for model in (Predicts(1.0), Predicts(1.0, columns=1))
    )
    assert np.array_equal(flat.losses, column.losses)


class Odds(ClassifierMixin, BaseEstimator):
    def __init__(self, shares=(0.5, 0.5)):
        self.shares = shares

    def fit(self, X, y):  # noqa: ARG002 - predicts the same for all
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile(self.shares, (len(X), 1))


def test_probabilities_rounded_to_three_decimals_are_taken():
    X, _ = regression_table()
    came = out_of_fold(Odds((0.334, 0.6665)), X, np.arange(60) % 2, splitter=KFold(3), loss="log_loss")
    assert came.predictions[0].tolist() == [0.334, 0.6665]


class Folds:
    def __init__(self, *folds):
        self.folds = folds

    def split(self, X, y=None, groups=None):  # noqa: ARG002 - the folds are fixed
        yield from self.folds


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"y": np.zeros(59)}, "X has 60 rows but y has 59"),
        ({"estimator": Predicts(np.nan)}, "Predicts must predict finite numbers, got nan"),
        ({"estimator": Predicts(1.0, columns=2)}, r"Predicts must predict shape \(20,\), got \(20, 2\)"),
        (
            {"estimator": Predicts(0.5), "loss": "zero_one", "y": np.arange(60) % 2},
            "Predicts predicted 0.5, expected one",
        ),
        (
            {"estimator": Odds((1.5, -0.5)), "loss": "log_loss", "y": np.arange(60) % 2},
            "Odds must predict probabilities of 0 or more that sum to 1 in each row, got 1.5, -0.5",
        ),
        (
            {"estimator": Odds((2.0, 2.0)), "loss": "brier", "y": np.arange(60) % 2},
            "Odds must predict probabilities of 0 or more that sum to 1 in each row, got 2, 2",
        ),
        ({"loss": "log_loss", "y": np.arange(60) % 2}, "log_loss needs predict_proba, which Ridge does not have"),
        ({"y": np.array(["a", "b"] * 30)}, "squared_error needs numbers, got y of <U1"),
        ({"loss": "nothing"}, "unknown loss 'nothing'"),
        ({"other_losses": ["zero_one"]}, "zero_one cannot judge what squared_error is asked of"),
        ({"loss": "zero_one", "other_losses": ["brier"], "y": np.arange(60) % 2}, "brier cannot judge what zero_one"),
        ({"loss": "zero_one", "y": np.arange(60) % 3, "classes": "ab"}, r"codes 0 \.\. 1 of the classes, got 2"),
        ({"loss": "zero_one", "y": np.arange(60) / 3, "classes": "ab"}, r"codes 0 \.\. 1 of the classes, got float64"),
        ({"splitter": Folds()}, "the splitter makes no folds"),
        ({"splitter": Folds(([0, 1], []))}, "fold 0 has 2 training and 0 test rows"),
        ({"splitter": Folds(([0, 1], [2]), ([3, 4], [5, 4]))}, "fold 1 tests row 4, which it is trained on"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(change, said):
    X, y = regression_table()
    arguments = {"estimator": Ridge(), "y": y, "splitter": KFold(3), "loss": "squared_error"} | change
    with pytest.raises(InvalidInput, match=said):
        out_of_fold(arguments.pop("estimator"), X, arguments.pop("y"), **arguments)
