"""scikit-learn's own checks; with leaves of one row trees split in its small tables.

None is excused but one, of models that resample: they draw copies of a row apart, and a row of a whole-number weight as
one. `test_weights_and_draws.py` has what holds instead.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from heldout import BoostingClassifier, BoostingRegressor

MODELS = [
    BoostingRegressor(),
    BoostingRegressor(min_leaf_weight=1),
    BoostingRegressor(min_leaf_weight=1, max_features=0.5, random_state=3, n_jobs=2),
    BoostingRegressor(replicas=3, resampling=None, min_leaf_weight=1),
    BoostingClassifier(),
    BoostingClassifier(min_leaf_weight=1),
    BoostingClassifier(min_leaf_weight=1, max_features=0.5, random_state=3, n_jobs=2),
    BoostingClassifier(replicas=3, resampling=None, min_leaf_weight=1),
]

RESAMPLED = [
    BoostingRegressor(replicas=3, min_leaf_weight=1),
    BoostingRegressor(early_stopping="out_of_bag", min_leaf_weight=1, n_trees=20),
    BoostingRegressor(replicas=3, early_stopping="out_of_bag", resampling="subsample", min_leaf_weight=1, n_trees=20),
    BoostingClassifier(replicas=3, min_leaf_weight=1),
    BoostingClassifier(early_stopping="out_of_bag", min_leaf_weight=1, n_trees=20),
    BoostingClassifier(replicas=3, early_stopping="out_of_bag", resampling="poisson", min_leaf_weight=1, n_trees=20),
]
OF_COPIES = "check_sample_weight_equivalence_on_dense_data"


@parametrize_with_checks(MODELS)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@parametrize_with_checks(RESAMPLED, expected_failed_checks=lambda _: {OF_COPIES: "copies of a row are drawn apart"})
def test_scikit_learn_checks_of_resampled_models(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*of the bag of any of|.* in the bag of all", category=UserWarning)
        check(estimator)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_constructor_takes_at_most_18_parameters(model: Any) -> None:
    assert len(model.get_params()) <= 18
