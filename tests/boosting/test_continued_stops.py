"""Early stopping and validation losses of fits that go on where another ended."""

from __future__ import annotations

import numpy as np
import pytest

from heldout import BoostingRegressor


@pytest.fixture
def noise(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Targets that no feature tells anything of: nearly every round makes the validation loss worse."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(300, 4)), rng.normal(size=300), rng.normal(size=(200, 4)), rng.normal(size=200)


def test_a_continued_fit_never_keeps_rounds_that_make_the_loss_worse(noise) -> None:
    X, y, X_val, y_val = noise
    model = BoostingRegressor(n_trees=50, early_stopping=2, warm_start=True, min_leaf_weight=2)
    losses = []
    for _ in range(4):
        model.fit(X, y, X_val=X_val, y_val=y_val)
        losses.append(np.mean((model.predict(X_val) - y_val) ** 2))
    assert losses == sorted(losses, reverse=True)


def test_rounds_that_were_not_judged_have_no_loss(noise) -> None:
    X, y, X_val, y_val = noise
    model = BoostingRegressor(n_trees=5, warm_start=True).fit(X, y)
    assert model.validation_losses_.size == 0
    model.set_params(n_trees=8).fit(X, y, X_val=X_val, y_val=y_val)
    assert np.isnan(model.validation_losses_).tolist() == [True] * 5 + [False] * 3
    last = np.mean((model.predict(X_val) - y_val) ** 2) / 2
    np.testing.assert_allclose(model.validation_losses_[-1], last, rtol=1e-12)


def test_validation_losses_do_not_depend_on_the_order_of_rows(noise, seed: int) -> None:
    X, y, X_val, y_val = noise
    order = np.random.default_rng([seed, 1]).permutation(len(y_val))
    one = BoostingRegressor(n_trees=9).fit(X, y, X_val=X_val, y_val=y_val)
    other = BoostingRegressor(n_trees=9).fit(X, y, X_val=X_val[order], y_val=y_val[order])
    assert one.validation_losses_.tobytes() == other.validation_losses_.tobytes()
