"""scikit-learn's own checks, none excused; with leaves of one row trees split in its small tables."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from heldout import BoostingClassifier, BoostingRegressor

MODELS = [
    BoostingRegressor(),
    BoostingRegressor(min_leaf_weight=1),
    BoostingRegressor(min_leaf_weight=1, max_features=0.5, random_state=3, n_jobs=2),
    BoostingClassifier(),
    BoostingClassifier(min_leaf_weight=1),
    BoostingClassifier(min_leaf_weight=1, max_features=0.5, random_state=3, n_jobs=2),
]


@parametrize_with_checks(MODELS)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_constructor_takes_at_most_18_parameters(model: Any) -> None:
    assert len(model.get_params()) <= 18
