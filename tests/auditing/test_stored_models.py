from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from heldout.auditing.baselines import LastValueClassifier, LastValueRegressor
from heldout.auditing.stored_foreign import StoredForeign
from heldout.auditing.stored_models import (
    StoredConstant,
    StoredLinear,
    StoredNeighbours,
    StoredSteps,
    freeze,
    from_parts,
    is_foreign,
    register,
    to_parts,
)
from heldout.auditing.stored_trees import StoredTrees
from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.errors import ModelFileError
from heldout.table import OrdinalEncoder, ScaledEncoder

NAN_TAKERS = [
    (DecisionTreeRegressor(max_depth=6), StoredTrees),
    (RandomForestRegressor(9, min_samples_leaf=3, max_features=1 / 3), StoredTrees),
    (BoostingRegressor(n_trees=20, min_leaf_weight=1), StoredTrees),
    (BoostingClassifier(n_trees=12, min_leaf_weight=2, max_features=0.5), StoredTrees),
    (BoostingRegressor(n_trees=9, min_leaf_weight=1, replicas=5, resampling="subsample"), StoredTrees),
    (BoostingRegressor(n_trees=9, replicas=5, resampling="subsample", early_stopping="out_of_bag"), StoredTrees),
    (BoostingClassifier(n_trees=6, min_leaf_weight=2, replicas=5, resampling="subsample"), StoredTrees),
    (HistGradientBoostingRegressor(max_iter=20), StoredTrees),
    (HistGradientBoostingRegressor(max_iter=9, loss="absolute_error"), StoredTrees),
    (DecisionTreeClassifier(max_leaf_nodes=12), StoredTrees),
    (RandomForestClassifier(9, min_samples_leaf=3), StoredTrees),
    (HistGradientBoostingClassifier(max_iter=20), StoredTrees),
    (DummyRegressor(), StoredConstant),
    (DummyRegressor(strategy="quantile", quantile=0.3), StoredConstant),
    (DummyClassifier(), StoredConstant),
    (DummyClassifier(strategy="most_frequent"), StoredConstant),
    (LastValueRegressor(), StoredConstant),
    (LastValueClassifier(), StoredConstant),
]
FINITE_TAKERS = [
    (Ridge(), StoredLinear),
    (RidgeCV([0.1, 1.0, 10.0]), StoredLinear),
    (LogisticRegression(), StoredLinear),
    (KNeighborsRegressor(7), StoredNeighbours),
    (KNeighborsClassifier(4, weights="distance"), StoredNeighbours),
]


def table(n: int, seed: int, *, holes: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)) * ([1, 1e-6, 1e6, 1, 1] if holes else 1.0)
    X[:, 3] = rng.integers(0, 4, n)  # ties with thresholds
    if holes:
        X[rng.random(X.shape) < 0.15] = np.nan
    return X


def targets(X: np.ndarray, model: Any, n_classes: int, seed: int) -> np.ndarray:
    signal = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 3]) + np.random.default_rng(seed).normal(size=len(X))
    if not hasattr(model, "predict_proba"):
        return signal
    return np.searchsorted(np.quantile(signal, np.linspace(0, 1, n_classes + 1)[1:-1]), signal)


def through_json(model: Any, trust: tuple[str, ...] = ()) -> Any:
    meta, arrays = to_parts(freeze(model))
    return from_parts(json.loads(json.dumps(meta)), arrays, trust)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("model", "kind"), NAN_TAKERS + FINITE_TAKERS, ids=lambda x: type(x).__name__)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_stored_model_predicts_what_the_estimator_does_bit_for_bit(
    model: Any, kind: Any, n_classes: int, seed: int
) -> None:
    holes = any(model is m for m, _ in NAN_TAKERS)
    X, new = table(120, seed, holes=holes), table(300, seed + 1, holes=holes)
    fitted = clone(model)
    if "random_state" in fitted.get_params():
        fitted.set_params(random_state=seed)
    fitted.fit(X, targets(X, model, n_classes, seed))
    stored = through_json(fitted)
    assert type(stored) is kind
    # The number of rows in a BLAS call can change its last bit, so both get the same rows.
    np.testing.assert_array_equal(stored.predict(new), fitted.predict(new))
    np.testing.assert_array_equal(stored.predict(new[:1]), fitted.predict(new[:1]))
    assert hasattr(stored, "predict_proba") == hasattr(fitted, "predict_proba")
    if hasattr(fitted, "predict_proba"):
        np.testing.assert_array_equal(stored.predict_proba(new), fitted.predict_proba(new))
        np.testing.assert_array_equal(stored.classes_, fitted.classes_)
    again = through_json(stored)
    np.testing.assert_array_equal(again.predict(new), fitted.predict(new))


@pytest.mark.parametrize("labels", [("no", "yes"), ("a", "b", "c"), (False, True), (3, 7)])
@pytest.mark.parametrize("model", [m for m, _ in NAN_TAKERS + FINITE_TAKERS if hasattr(m, "predict_proba")])
def test_labels_of_any_plain_type_come_back_as_they_were(model: Any, labels: tuple[Any, ...]) -> None:
    X = table(90, 1, holes=False)
    fitted = clone(model).fit(X, np.array(labels)[np.arange(90) % len(labels)])
    stored = through_json(fitted)
    np.testing.assert_array_equal(stored.predict(X), fitted.predict(X))
    assert stored.classes_.tolist() == fitted.classes_.tolist()


def test_a_pipeline_of_our_encoder_is_stored_with_it_and_takes_frames() -> None:
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"x": rng.normal(size=80), "c": rng.choice(["u", "v"], 80)})
    for encoder in (ScaledEncoder(), OrdinalEncoder()):
        fitted = Pipeline([("encoder", encoder), ("model", Ridge())]).fit(frame, rng.normal(size=80))
        stored = through_json(fitted)
        assert isinstance(stored, StoredSteps)
        assert not is_foreign(stored)
        assert not is_foreign(fitted)
        np.testing.assert_array_equal(stored.predict(frame), fitted.predict(frame))
        assert not hasattr(stored, "predict_proba")


def test_an_encoder_of_ours_before_a_foreign_model_is_stored_apart_from_it() -> None:
    rng = np.random.default_rng(3)
    frame, y = pl.DataFrame({"x": rng.normal(size=60), "c": rng.choice(["u", "v"], 60)}), np.arange(60) % 2
    fitted = Pipeline([("encoder", ScaledEncoder()), ("model", SVC())]).fit(frame, y)
    stored = through_json(fitted)
    assert isinstance(stored.model, StoredForeign)
    assert not is_foreign(stored)
    np.testing.assert_array_equal(stored.predict(frame), fitted.predict(frame))
    assert stored.classes_.tolist() == [0, 1]


def test_probabilities_of_many_classes_do_not_depend_on_the_rows_beside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = table(400, seed, holes=True)
    fitted = BoostingClassifier(n_trees=4, min_leaf_weight=3).fit(X, rng.integers(0, 17, 400))
    stored = through_json(fitted)
    together = fitted.predict_proba(X)
    np.testing.assert_array_equal(stored.predict_proba(X), together)
    for model in (fitted, stored):
        np.testing.assert_array_equal(np.vstack([model.predict_proba(row[None]) for row in X]), together)
        np.testing.assert_array_equal(
            np.vstack([model.predict_proba(X[k : k + 2]) for k in range(0, 400, 2)]), together
        )


# Fitted estimators that our arrays cannot say: they go through skops whole.
UNSAID = [
    HistGradientBoostingRegressor(max_iter=3, categorical_features=[3]),
    HistGradientBoostingClassifier(max_iter=3, categorical_features=[3]),
    KNeighborsRegressor(3, metric_params={}),
    make_pipeline(StandardScaler(), Ridge()),
]


@pytest.mark.parametrize("model", UNSAID, ids=lambda m: type(m).__name__)
def test_what_our_arrays_cannot_say_goes_through_skops(model: Any) -> None:
    X = table(80, 4, holes=False)
    fitted = model.fit(X, targets(X, model, 2, 4))
    stored = freeze(fitted)
    if isinstance(model, HistGradientBoostingRegressor | HistGradientBoostingClassifier):
        assert any(tree.nodes["is_categorical"].any() for step in fitted._predictors for tree in step)
    assert isinstance(stored, StoredForeign)
    assert is_foreign(fitted)


def test_several_targets_and_one_class_and_random_dummies_are_not_stored_as_one_target() -> None:
    X, Y = table(40, 5, holes=False), np.random.default_rng(5).normal(size=(40, 2))
    for model in (Ridge(), DecisionTreeRegressor(), RandomForestRegressor(3), KNeighborsRegressor(3), DummyRegressor()):
        assert isinstance(freeze(model.fit(X, Y)), StoredForeign)
    assert isinstance(freeze(DummyClassifier(strategy="uniform").fit(X, Y[:, 0] > 0)), StoredForeign)
    one = through_json(DecisionTreeClassifier().fit(X, np.full(40, 7)))
    assert one.predict(X).tolist() == [7] * 40
    assert one.predict_proba(X).tolist() == [[1.0]] * 40


class Halves(RegressorMixin, BaseEstimator):
    """A user's own regression: half of the first feature."""

    def fit(self, X: Any, y: Any) -> Halves:  # noqa: ARG002 - scikit-learn's signature
        self.factor_ = 0.5
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.factor_ * np.asarray(X)[:, 0]


class Thirds(Ridge):
    """A user's own subclass of a type we store, which predicts otherwise."""

    def predict(self, X: Any) -> np.ndarray:
        return super().predict(X) / 3


def test_a_subclass_is_foreign_until_registered() -> None:
    X = table(30, 6, holes=False)
    fitted = Thirds().fit(X, X[:, 0])
    assert isinstance(freeze(fitted), StoredForeign)
    assert is_foreign(fitted)
    factor = Halves().fit(X, X[:, 0])
    register(Halves, lambda model: StoredLinear(np.eye(1, 5) * model.factor_, np.zeros(1), "identity", None))
    np.testing.assert_allclose(through_json(factor).predict(X), factor.predict(X))


def test_a_foreign_type_needs_trust_and_the_message_gives_the_flag() -> None:
    X = table(30, 7, holes=False)
    stored = freeze(Thirds().fit(X, X[:, 0]))
    name = f"{Thirds.__module__}.Thirds"
    with pytest.raises(ModelFileError, match=rf"not trusted \({name}\): if you know them, add --trust {name}"):
        through_json(stored)
    np.testing.assert_array_equal(through_json(stored, (name,)).predict(X), stored.predict(X))


def test_a_damaged_dump_and_one_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(ModelFileError, match="its estimator cannot be read"):
        StoredForeign.load(b"no zip", ())
    X = table(30, 8, holes=False)
    broken = Thirds().fit(X, X[:, 0])
    broken.hook = (line for line in "abc")
    with pytest.raises(ModelFileError, match="Thirds cannot be stored by skops"):
        StoredForeign(broken).dump()


def test_a_dump_that_needs_a_package_which_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(**_: Any) -> None:
        raise ImportError("No module named 'lightgbm'")

    X = table(30, 9, holes=False)
    data = StoredForeign(SVC().fit(X, np.arange(30) % 2)).dump()
    monkeypatch.setattr("skops.io.get_untrusted_types", lacking)
    with pytest.raises(ModelFileError, match=r"needs another package .*lightgbm.*: install it"):
        StoredForeign.load(data, ())


def test_an_oversized_dump_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    X = table(30, 9, holes=False)
    data = StoredForeign(SVC().fit(X, np.arange(30) % 2)).dump()
    monkeypatch.setattr("heldout.auditing.stored_foreign.MOST_BYTES", 100)
    with pytest.raises(ModelFileError, match="its estimator unpacks to"):
        StoredForeign.load(data, ())


# -- parts that no model wrote ------------------------------------------------------------------------------


def forest() -> Any:
    X = table(60, 10, holes=True)
    return RandomForestClassifier(3, random_state=0).fit(X, targets(X, RandomForestClassifier(), 3, 10))


def changed(name: str, place: Any, value: Any) -> Any:
    def change(meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays[name][place] = value

    return change


def root_of_second(arrays: dict[str, Any]) -> int:
    return int(arrays["roots"][1])


TREE_DAMAGE: list[tuple[Any, str]] = [
    (changed("feature", 0, 5), "beyond the 5 there are"),
    (changed("feature", 0, -2), "beyond the 5 there are"),
    (changed("left", 0, 0), "child lies before it"),
    (changed("left", 0, -1), "child lies before it"),
    (changed("right", 0, 10_000), "outside its tree"),
    (lambda _, a: a["right"].__setitem__(0, root_of_second(a)), "outside its tree"),
    (changed("roots", 0, 1), "do not follow one another"),
    (changed("roots", 2, 0), "do not follow one another"),
    (changed("roots", 2, 10_000), "do not follow one another"),
    (changed("output", 1, 3), "output that is not there"),
    (changed("output", 1, -1), "output that is not there"),
    (lambda _, a: a.update(value=a["value"][:, :2]), "output that is not there"),
    (lambda _, a: a.update(threshold=a["threshold"][:-1]), "differ in length"),
    (changed("threshold", 0, np.nan), "a threshold is NaN"),
    (lambda _, a: a["left"].__setitem__(a["feature"] < 0, 99_999), "a leaf has children"),
    (changed("value", 0, np.inf), "value or the baseline is not finite"),
    (changed("baseline", 0, np.nan), "value or the baseline is not finite"),
    (lambda _, a: a.update(output=a["output"][:-1]), "no trees, or not one output"),
    (lambda _, a: a.update(left=a["left"].astype(float)), "left has another type"),
    (lambda _, a: a.update(value=a["value"][:, 0]), "value has another type or shape"),
    (lambda m, _: m.update(link="logit"), "link is 'logit'"),
    (lambda m, _: m.update(n_features="5"), "n_features is '5'"),
    (lambda m, _: m.update(classes=[0, 1]), r"3 outputs do not fit the classes \(0, 1\)"),
    (lambda m, _: m.update(classes=[0, 1, 1]), "do not fit the classes"),
    (lambda m, _: m.update(classes=None), "do not fit the classes None"),
]


@pytest.mark.parametrize(("change", "match"), TREE_DAMAGE)
def test_trees_with_an_index_out_of_bounds_are_refused(change: Any, match: str) -> None:
    meta, arrays = to_parts(freeze(forest()))
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(meta, arrays)
    with pytest.raises(ValueError, match=match):
        from_parts(meta, arrays)


def knn() -> Any:
    X = table(30, 11, holes=False)
    return KNeighborsClassifier(3).fit(X, np.arange(30) % 3)


OTHER_DAMAGE: list[tuple[Any, Any, str]] = [
    (knn, changed("target", 0, 3), "class is not among the classes"),
    (knn, changed("target", 0, -1), "class is not among the classes"),
    (knn, changed("rows", (0, 0), np.nan), "not finite"),
    (knn, lambda _, a: a.update(rows=a["rows"][:0]), r"training rows have shape \(0, 5\)"),
    (knn, lambda _, a: a.update(target=a["target"][:-1]), "targets do not fit"),
    (knn, lambda m, _: m["parameters"].update(n_jobs=99), "the parameters are"),
    (knn, lambda m, _: m["parameters"].update(metric="no such"), "metric"),
    (
        lambda: Ridge().fit(np.eye(3), np.arange(3.0)),
        lambda _, a: a.update(intercept=np.zeros(2)),
        r"intercept is no array of numbers of shape \(1,\)",
    ),
    (
        lambda: Ridge().fit(np.eye(3), np.arange(3.0)),
        lambda _, a: a.update(coefficients=np.zeros(3)),
        r"coefficients have shape \(3,\)",
    ),
    (
        lambda: DummyClassifier().fit(np.eye(3), [0, 1, 1]),
        lambda m, _: m.update(predicted=2),
        "the predicted class is number 2",
    ),
    (
        lambda: DummyClassifier().fit(np.eye(3), [0, 1, 1]),
        lambda m, _: m.update(classes=[0, 1, 2]),
        r"values is no array of numbers of shape \(3,\)",
    ),
]


@pytest.mark.parametrize(("make", "change", "match"), OTHER_DAMAGE)
def test_parts_of_a_model_that_do_not_fit_are_refused(make: Any, change: Any, match: str) -> None:
    meta, arrays = to_parts(freeze(make()))
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(meta, arrays)
    with pytest.raises(ValueError, match=match):
        from_parts(meta, arrays)


def test_an_encoder_that_gives_another_number_of_columns_than_the_model_takes_is_refused() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "z": [1.0, 0.0, 3.0]})
    wide = to_parts(freeze(Pipeline([("e", ScaledEncoder()), ("m", Ridge())]).fit(frame, [1.0, 2.0, 3.0])))
    slim = to_parts(freeze(Pipeline([("e", ScaledEncoder()), ("m", Ridge())]).fit(frame[["x"]], [1.0, 2.0, 3.0])))
    meta = {**wide[0], "model": slim[0]["model"]}
    arrays = {**wide[1], **{name: array for name, array in slim[1].items() if name.startswith("model.")}}
    with pytest.raises(ValueError, match="the model takes 1 numbers, the encoder gives 2"):
        from_parts(meta, arrays)


def test_rows_of_another_width_are_refused_by_stored_trees() -> None:
    with pytest.raises(ValueError, match=r"must have 5 columns, got shape \(2, 4\)"):
        freeze(forest()).predict(np.zeros((2, 4)))


def test_a_regression_model_has_no_classes() -> None:
    with pytest.raises(AttributeError, match="no classes_"):
        _ = freeze(Ridge().fit(np.eye(3), np.arange(3.0))).classes_
