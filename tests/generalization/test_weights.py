"""Row weights count in the fit and in the error."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from heldout.errors import InvalidInput
from heldout.generalization import out_of_fold
from heldout.learner import fit_with_weight, weight_parameter
from heldout.splits import BlockedTime, GroupFolds


class TwoFolds:
    """The first half trains for the second, and the other way round."""

    def __init__(self, half: np.ndarray) -> None:
        self.half = half

    def split(self, X: object, y: object = None, groups: object = None) -> object:  # noqa: ARG002 - scikit-learn's signature
        first, second = np.flatnonzero(self.half == 0), np.flatnonzero(self.half == 1)
        yield first, second
        yield second, first


def test_the_mean_loss_is_the_weighted_mean_of_losses() -> None:
    y, weight = np.array([0.0, 2.0, 1.0, 5.0]), np.array([1.0, 3.0, 2.0, 2.0])
    half = np.array([0, 0, 1, 1])
    result = out_of_fold(
        DummyRegressor(), np.zeros((4, 1)), y, splitter=TwoFolds(half), loss="squared_error", sample_weight=weight
    )
    # The weighted means of the halves are 1.5 and 3; each half is judged by the other's.
    squares = np.array([9.0, 1.0, 0.25, 12.25])
    assert result.mean_loss == pytest.approx(np.average(squares, weights=weight))


def test_whole_weights_equal_copies_held_out_together() -> None:
    rng = np.random.default_rng(5)
    X, y, weight = rng.normal(size=(40, 2)), rng.normal(size=40), rng.integers(1, 4, 40)
    unit = np.arange(40)
    copies = np.repeat(unit, weight)
    half = rng.integers(0, 2, 40)
    weighted = out_of_fold(
        LinearRegression(), X, y, splitter=TwoFolds(half), loss="squared_error", sample_weight=weight
    )
    copied = out_of_fold(
        LinearRegression(), X[copies], y[copies], splitter=TwoFolds(half[copies]), loss="squared_error"
    )
    assert weighted.mean_loss == pytest.approx(copied.mean_loss, rel=1e-9)


def test_equal_weights_change_nothing() -> None:
    rng = np.random.default_rng(6)
    X, y, groups = rng.normal(size=(30, 2)), rng.normal(size=30), np.repeat(np.arange(6), 5)
    plain, weighted = (
        out_of_fold(
            LinearRegression(),
            X,
            y,
            splitter=GroupFolds(3, groups=groups),
            loss="squared_error",
            sample_weight=weight,
        )
        for weight in (None, np.full(30, 7.0))
    )
    np.testing.assert_allclose(plain.losses, weighted.losses, rtol=1e-12)


def test_an_estimator_that_takes_no_weights_is_fitted_without() -> None:
    assert weight_parameter(KNeighborsRegressor()) is None
    assert weight_parameter(make_pipeline(StandardScaler(), LinearRegression())) == "linearregression__sample_weight"
    model = fit_with_weight(KNeighborsRegressor(1), [[0.0], [1.0]], [3.0, 4.0], np.array([1.0, 2.0]))
    assert model.predict([[0.9]])[0] == 4.0


@pytest.mark.parametrize(
    ("weight", "came"),
    [([1.0, 2.0], r"\(2,\)"), ([1.0, -3.0, 1.0, 1.0], "-3.0"), ([1.0, np.nan, 1.0, 1.0], "nan"), ([0.0] * 4, "zeros")],
)
def test_weights_that_are_none_are_refused(weight: list[float], came: str) -> None:
    with pytest.raises(InvalidInput, match=came):
        out_of_fold(
            DummyRegressor(),
            np.zeros((4, 1)),
            [1.0, 2.0, 3.0, 4.0],
            splitter=TwoFolds(np.array([0, 0, 1, 1])),
            loss="squared_error",
            sample_weight=weight,
        )


def test_weights_of_rows_that_are_never_tested_do_not_scale_the_error() -> None:
    # Forward chaining tests all but its first block; every loss is 1, and so is every weighted mean of them.
    y = np.tile([-1.0, 1.0], 50)
    result = out_of_fold(
        DummyRegressor(strategy="constant", constant=0.0),
        np.zeros((100, 1)),
        y,
        splitter=BlockedTime(4),
        loss="squared_error",
        sample_weight=np.linspace(0.1, 2.0, 100),
    )
    assert result.mean_loss == pytest.approx(1.0)
    assert result.training_losses == pytest.approx((1.0,) * 4)


def test_weights_that_are_0_wherever_it_is_tested_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 in every tested row"):
        out_of_fold(
            DummyRegressor(),
            np.zeros((10, 1)),
            np.arange(10.0),
            splitter=BlockedTime(1),
            loss="squared_error",
            sample_weight=np.repeat([1.0, 0.0], 5),
        )
