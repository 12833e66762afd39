"""What is refused, and how: what was expected, what came, what to do."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from heldout import BoostingClassifier, BoostingRegressor
from heldout.boosting.weights import counts_and_factors
from heldout.errors import InvalidInput

N = 60
MODELS = (BoostingRegressor, BoostingClassifier)


@pytest.fixture(name="X")
def small_matrix(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(N, 3))


@pytest.fixture
def y() -> NDArray[np.float64]:
    return np.arange(N) % 2.0


class Text:
    """Stands for an object that is no number."""

    def __repr__(self) -> str:
        return "<text>"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss", "hinge", "loss must be one of .*, got 'hinge'"),
        ("n_trees", 0, "n_trees must be a whole number from 1 to 2147483647, got 0"),
        ("n_trees", 1.5, "got 1.5"),
        ("n_trees", True, "got True"),
        ("n_trees", 2**31, "got 2147483648"),
        ("learning_rate", 0, "learning_rate must be a finite number above 0 and at most 2, got 0"),
        ("learning_rate", np.nan, "got nan"),
        ("learning_rate", 2.1, "got 2.1"),
        ("learning_rate", "fast", "got 'fast'"),
        ("max_leaves", 0, "max_leaves must be a whole number from 1 to 1048576, got 0"),
        ("max_leaves", 2**20 + 1, "got 1048577"),
        ("max_bins", 1, "max_bins must be a whole number from 2 to 255, got 1"),
        ("max_bins", 256, "got 256"),
        ("min_leaf_weight", -1, "min_leaf_weight must be a finite number at least 0 and at most .*, got -1"),
        ("min_leaf_weight", 2**32, "got 4294967296"),
        ("l2", -0.5, "l2 must be a finite number at least 0, got -0.5"),
        ("l2", np.inf, "got inf"),
        ("l2", None, "got None"),
        ("max_features", 0, "max_features must be a finite number above 0 and at most 1, got 0"),
        ("max_features", 1.5, "got 1.5"),
        ("max_features", True, "got True"),
        ("early_stopping", 0, 'early_stopping must be True, False, "out_of_bag" or a number of rounds above 0, got 0'),
        ("early_stopping", "yes", "got 'yes'"),
        ("early_stopping", 3, "early_stopping needs rows to judge the rounds by, got early_stopping=3 and no X_val"),
        ("n_jobs", 0, "n_jobs must be None or a whole number other than 0, got 0"),
        ("random_state", "first", "random_state must be .*, got 'first': pass a whole number"),
        ("random_state", 1.5, "random_state must be .*, got 1.5: pass a whole number"),
        ("l2", 10**400, "l2 must be a finite number at least 0, got 1000"),
        ("min_leaf_weight", 10**400, "min_leaf_weight must be .*, got 1000"),
        ("learning_rate", 10**400, "learning_rate must be .*, got 1000"),
        ("n_trees", 10**400, "n_trees must be .*, got 1000"),
        ("loss", np.array(["squared_error", "log_loss"]), "loss must be one of .*, got array"),
        ("loss", None, "loss must be one of .*, got None"),
        ("warm_start", "no", "warm_start must be True or False, got 'no': choose one"),
        ("warm_start", 1, "warm_start must be True or False, got 1"),
        ("random_state", -1, "random_state must be .*, got -1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(model: Any, name: str, value: Any, message: str, X: Any, y: Any) -> None:
    with pytest.raises(InvalidInput, match=message):
        model(**{name: value}).fit(X, y)


@pytest.mark.parametrize("model", MODELS)
def test_a_callback_that_cannot_be_called_is_refused_before_the_fit(model: Any, X: Any, y: Any) -> None:
    fitted = model(n_trees=2)
    with pytest.raises(InvalidInput, match="callback must be None or callable, got 'stop': pass a function"):
        fitted.fit(X, y, callback="stop")
    assert not hasattr(fitted, "n_features_in_")


@pytest.mark.parametrize("model", MODELS)
def test_a_patience_beyond_all_rounds_is_taken(model: Any, X: Any, y: Any) -> None:
    fitted = model(n_trees=2, early_stopping=10**400).fit(X, y, X_val=X, y_val=y)
    assert len(fitted.validation_losses_) == 2


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(N), "finite and at least 0, got -1.0 in row 0"),
        (np.where(np.arange(N) == 7, np.nan, 1.0), "got nan in row 7"),
        (np.where(np.arange(N) == 9, np.inf, 1.0), "got inf in row 9"),
        (np.zeros(N), "above 0 somewhere, got 60 zeros"),
        (np.ma.masked_array(np.ones(N)), "is a masked array, .*: fill it"),
        (10**400, "must be numbers, got array.*1000"),
        (np.ones(N - 1), r"must have shape \(60,\), got \(59,\)"),
        (np.ones((N, 1)), r"must have shape \(60,\), got \(60, 1\)"),
        ("heavy", "must be numbers, got 'heavy'"),
        (np.full(N, "1"), r"must be numbers, got array\(\['1'"),
        (np.ones(N, dtype=complex), r"must be numbers, got array\(\[1"),
        ([Text()] * N, r"must be numbers, got \[<text>"),
        ([10**400] * N, r"must be numbers, got \[1000"),
        ([[1.0], [1.0, 2.0]], "must be numbers, got"),
    ],
)
def test_bad_weights_are_refused(model: Any, weight: Any, message: str, X: Any, y: Any) -> None:
    with pytest.raises(InvalidInput, match=f"sample_weight .*{message}"):
        model().fit(X, y, sample_weight=weight)


def test_one_weight_for_all_rows_is_taken() -> None:
    count, factor = counts_and_factors(2.0, 3)
    assert count is not None
    assert count.tolist() == [2, 2, 2]
    assert factor is None
    assert counts_and_factors(1.0, 3) == (None, None)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("model", MODELS)
def test_targets_that_are_not_finite_are_refused(model: Any, value: float, X: Any, y: Any) -> None:
    y[7] = value
    with pytest.raises(ValueError, match="Input y contains " + ("NaN" if np.isnan(value) else "infinity")):
        model().fit(X, y)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.full(N, "1.5"), "y must be numbers, got dtype <U3"),
        (np.full(N, "a"), "y must be numbers, got dtype <U1: encode it, or use BoostingClassifier"),
        (np.zeros(N, dtype="M8[s]"), r"y must be numbers, got dtype datetime64\[s\]"),
        (pd.Categorical(["a", "b"] * 30), "y must be numbers, got dtype category: encode it, or use Boosting"),
        (pd.Series([1, 2] * 30, dtype="category"), "y must be numbers, got dtype category: encode it"),
        (pd.Series(["a", "b"] * 30), "y must hold numbers, got 'a' in row 0 .*: encode it, or use BoostingClassifier"),
        (pl.Series(["1", "2"] * 30), "y must be numbers, got dtype <U1: encode it"),
        (np.array(["1", 2.0] * 30, dtype=object), "y must hold numbers, got '1' in row 0"),
        (np.array([1, pd.NA] * 30, dtype=object), "y must hold numbers, got <NA> in row 1 .*: fill it with NaN"),
        (pl.Series([date(2020, 1, 1)] * N), r"y must be numbers, got dtype datetime64\[D\]"),
        ([[1.0], [1.0, 2.0]] * 30, "y must be numbers, got a list of none"),
        (np.ma.masked_array(np.ones(N)), "y is a masked array, .*: leave the masked rows out"),
        (np.arange(N) * 2.0**-1040, r"y must be constant or differ by .*, got at most 5\.\S+e-312: .*multiply all"),
        (np.full(N, 1e308), r"y must be finite and at most 1e\+307 in size, got 1e\+308 in row 0"),
    ],
)
def test_targets_of_another_kind_are_refused(target: Any, message: str, X: Any) -> None:
    with pytest.raises(InvalidInput, match=message):
        BoostingRegressor().fit(X, target)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.ones(N - 1), r"inconsistent numbers of samples: \[60, 59\]"),
        (np.ones((N, 2)), r"y should be a 1d array, got an array of shape \(60, 2\)"),
        (np.ones(N) + 1j, "Complex data not supported"),
        (None, "requires y to be passed, but the target y is None"),
    ],
)
def test_targets_of_another_shape_are_refused(model: Any, target: Any, message: str, X: Any) -> None:
    with pytest.raises(ValueError, match=message):
        model().fit(X, target)


def test_a_measured_target_is_no_class(X: Any) -> None:
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        BoostingClassifier().fit(X, X[:, 0])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((0, 3)), r"Found array with 0 sample\(s\)"),
        (np.zeros((N, 0)), r"Found array with 0 feature\(s\)"),
        (np.zeros(N), "Expected 2D array, got 1D array"),
        (np.zeros((N, 3, 1)), "Found array with dim 3"),
        (3.0, "Expected 2D array, got scalar array"),
        (np.zeros((N, 3), dtype=complex), "Complex data not supported"),
        (np.full((N, 3), "a"), "X must hold numbers, got <U1: encode it"),
        (np.zeros((N, 3), dtype="M8[D]"), r"X must hold numbers, got datetime64\[D\]: encode it"),
        (
            pd.DataFrame({"a": np.zeros(N), "when": pd.Timestamp("2020-01-01")}),
            "column 'when' must hold numbers, got datetime64",
        ),
    ],
    ids=["no rows", "no columns", "1-d", "3-d", "scalar", "complex", "words", "dates", "frame with dates"],
)
def test_matrices_of_another_kind_are_refused_at_fit_and_predict(
    model: Any, bad: Any, message: str, X: Any, y: Any
) -> None:
    with pytest.raises(ValueError, match=message):
        model().fit(bad, y[: len(bad) if hasattr(bad, "shape") and bad.shape[0] == 0 else N])
    fitted = model(n_trees=2).fit(X, y)
    if getattr(bad, "shape", ())[1:] != (0,):
        with pytest.raises(ValueError, match=message):
            fitted.predict(bad)
        with pytest.raises(ValueError, match=message):
            fitted.apply(bad)


@pytest.mark.parametrize("model", MODELS)
def test_cells_that_are_no_numbers_are_refused(model: Any, X: Any, y: Any) -> None:
    with pytest.raises(TypeError, match="argument must be a string or a real number, not 'Text'"):
        model().fit(np.full((N, 2), Text()), y)
    with pytest.raises(InvalidInput, match=r"X must hold numbers, got 1000.* in row 0 .*int too large.*: encode it"):
        model().fit([[10**400]] * N, y)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_matrix", "dok_matrix"])
def test_sparse_matrices_are_refused_with_the_remedy(model: Any, kind: str, X: Any, y: Any) -> None:
    sparse = getattr(scipy.sparse, kind)(X)
    fitted = model(n_trees=2).fit(X, y)
    for use in (lambda: model().fit(sparse, y), lambda: fitted.predict(sparse), lambda: fitted.apply(sparse)):
        with pytest.raises(InvalidInput, match=rf"X is a sparse matrix \({kind}\).*pass X.toarray\(\)"):
            use()
    with pytest.raises(InvalidInput, match=r"X_val is a sparse matrix .*pass X_val.toarray\(\)"):
        model().fit(X, y, X_val=sparse, y_val=y)
    assert np.array_equal(fitted.predict(sparse.toarray()), fitted.predict(X))


@pytest.mark.parametrize("model", MODELS)
def test_other_columns_are_refused_at_prediction(model: Any, X: Any, y: Any) -> None:
    fitted = model(n_trees=2).fit(X, y)
    for wide in (X[:, :2], np.hstack([X, X]), X[:1, :2]):
        with pytest.raises(ValueError, match=f"X has {wide.shape[1]} features, but .* is expecting 3 features"):
            fitted.predict(wide)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    named = model(n_trees=2).fit(frame, y)
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict(frame[["b", "a", "c"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        named.predict(X)
    with pytest.warns(UserWarning, match="X has feature names, but"):
        fitted.predict(frame)
    assert np.array_equal(named.predict(frame), fitted.predict(X))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"X_val": np.zeros((5, 3))}, "belong together, got no y_val: pass both or neither"),
        ({"y_val": np.zeros(5)}, "belong together, got no X_val: pass both or neither"),
        ({"X_val": np.zeros((5, 2)), "y_val": np.zeros(5)}, r"and 3 columns.*got shapes \(5, 2\) and \(5,\)"),
        ({"X_val": np.zeros((5, 3)), "y_val": np.zeros(4)}, r"one value per row, got shapes \(5, 3\) and \(4,\)"),
        ({"X_val": np.zeros((0, 3)), "y_val": np.zeros(0)}, r"must have rows.*got shapes \(0, 3\) and \(0,\)"),
        ({"X_val": np.zeros(3), "y_val": np.zeros(1)}, "Expected 2D array, got 1D array"),
        ({"X_val": np.zeros((5, 3), dtype="M8[D]"), "y_val": np.zeros(5)}, "X_val must hold numbers, got datetime64"),
    ],
)
def test_validation_rows_of_another_shape_are_refused(
    model: Any, held: dict[str, Any], message: str, X: Any, y: Any
) -> None:
    with pytest.raises(ValueError, match=message):
        model().fit(X, y, **held)


def test_validation_rows_with_other_column_names_are_refused(X: Any, y: Any) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    with pytest.raises(ValueError, match="feature names should match"):
        BoostingRegressor().fit(frame, y, X_val=frame[["c", "b", "a"]], y_val=y)
    BoostingRegressor(n_trees=1).fit(frame, y, X_val=frame, y_val=y)


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        (np.full(N, np.nan), "y_val must be finite .* got nan in row 0"),
        (np.full(N, "a"), "y_val must be numbers, got dtype <U1"),
        (np.ones(N) + 1j, "y_val must be numbers, got dtype complex128"),
        (np.ones((N, 1)), r"one value per row, got shapes \(60, 3\) and \(60, 1\)"),
        (1.0, r"one value per row, got shapes \(60, 3\) and \(1,\)"),
        (np.full(N, 1e200), r"y_val must be between 1e-150 and 1e\+150 in size, got 1e\+200"),
        (np.full(N, 1e-200), "y_val must be between 1e-150 and .* got 1e-200"),
    ],
)
def test_validation_targets_of_another_kind_are_refused(y_val: Any, message: str, X: Any, y: Any) -> None:
    with pytest.raises(InvalidInput, match=message):
        BoostingRegressor().fit(X, y, X_val=X, y_val=y_val)


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        (np.full(N, 2), r"y_val holds 2, which is no class of y: the classes are \[0.0, 1.0\], so leave such rows out"),
        (np.full(N, np.nan), "y_val holds nan"),
        (np.full(N, "a"), "y_val holds 'a'"),
        (np.array([[1], *range(N - 1)], dtype=object), "y_val must hold classes of y, got unhashable type: 'list'"),
        (np.zeros((N, 1)), r"y_val must have one dimension, got shape \(60, 1\)"),
        (1, r"y_val must have one dimension, got shape \(\)"),
    ],
)
def test_validation_classes_that_are_unknown_are_refused(y_val: Any, message: str, X: Any, y: Any) -> None:
    with pytest.raises(InvalidInput, match=message):
        BoostingClassifier().fit(X, y, X_val=X, y_val=y_val)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("even", "class_weight must be None, 'balanced' or a dict of weights, got 'even'"),
        ([1, 2], r"got \[1, 2\]"),
        ({2: 1.0}, r"class_weight names 2, which is no class of y: the classes are \[0.0, 1.0\]"),
        ({0: -1}, "the weight of class 0 must be above 0 and finite, got -1"),
        ({0: 0.0}, "got 0.0"),
        ({1: np.inf}, "got inf"),
        ({1: np.nan}, "got nan"),
        ({1: True}, "got True"),
        ({1: "2"}, "got '2'"),
        ({1: 10**400}, "the weight of class 1 must be above 0 and finite, got 1000"),
    ],
)
def test_bad_class_weights_are_refused(class_weight: Any, message: str, X: Any, y: Any) -> None:
    with pytest.raises(InvalidInput, match=message):
        BoostingClassifier(class_weight=class_weight).fit(X, y)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("use", ["predict", "apply", "staged_predict", "predict_proba", "decision_function"])
def test_a_model_that_is_not_fitted_says_so(model: Any, use: str, X: Any) -> None:
    if not hasattr(model, use):
        return
    with pytest.raises(NotFittedError, match="not fitted yet"):
        list(getattr(model(), use)(X))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["n_trees_", "feature_importances_"])
def test_attributes_of_a_model_that_is_not_fitted_say_so(model: Any, name: str) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(model(), name)


@pytest.mark.parametrize("model", MODELS)
def test_more_columns_than_trees_can_number_are_refused(model: Any) -> None:
    with pytest.raises(InvalidInput, match="X must have at most 65535 columns, got 65536: leave out some"):
        model().fit(np.zeros((2, 65536)), [0, 1])
    wide = np.zeros((2, 65535))
    wide[1, -1] = 1.0
    fitted = model(min_leaf_weight=1, n_trees=2).fit(wide, [0, 1])
    assert fitted.ensemble_.feature[0] == 65534
    assert (fitted.predict(wide) > 0.5).tolist() == [False, True] or model is BoostingRegressor


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_weights_whose_product_no_float_holds_are_refused(size: float, X: Any, y: Any) -> None:
    model = BoostingClassifier(class_weight={0: size, 1: size})
    with pytest.raises(
        InvalidInput, match=r"class_weight times sample_weight .* got 1e.200 times 1e.200 in row 0: divide"
    ):
        model.fit(X, y, sample_weight=np.full(N, size) * (1 + y))
