"""A candidate that draws whole groups is told them in every stage of an audit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import make_pipeline

import heldout as ho
from heldout.auditing.candidates import Candidate
from heldout.auditing.run import fit_on_all_rows
from heldout.errors import InvalidInput
from heldout.resampling import Groups
from heldout.table import OrdinalEncoder

from .small import line_table, setting_of, subjects_table

BAGGED = make_pipeline(
    OrdinalEncoder(), ho.BoostingRegressor(n_trees=30, min_leaf_weight=2, replicas=5, resampling=Groups(0.6))
)


def test_a_candidate_that_draws_groups_is_scored_decomposed_and_fitted_on_all_rows() -> None:
    frame = subjects_table()
    audit = ho.audit(frame, target="y", group="subject", candidates=["baseline", ("mine", BAGGED)], random_state=0)
    assert "mine" in audit.decompositions
    assert "mine" in {candidate["name"] for candidate in audit.document["candidates"]}
    assert np.isfinite(audit.best.predict(frame)["prediction"].to_numpy()).all()


def test_the_model_of_an_audit_is_told_the_groups_of_all_rows() -> None:
    class Counting(DummyRegressor):
        needs_groups = True

        def fit(self, X: object, y: object, groups: object = None) -> Counting:
            self.n_groups_ = len(np.unique(np.asarray(groups)))
            super().fit(X, y)
            return self

    mine = Candidate("mine", "mine", Counting(), is_foreign=True)
    model = fit_on_all_rows(mine, setting_of(subjects_table(), group=("subject",)))
    assert model.estimator.n_groups_ == 14


def test_without_groups_the_message_names_the_candidate() -> None:
    with pytest.raises(
        InvalidInput, match=r"^candidate 'mine': Groups\(share=0.6\) draws whole groups, got groups=None"
    ):
        ho.audit(line_table(), target="y", candidates=["baseline", ("mine", BAGGED)], random_state=0)
