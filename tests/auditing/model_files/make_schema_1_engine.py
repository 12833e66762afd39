"""Writes the stored model file of schema 1 that holds boosting by the tree engine, once. See `make_schema_1`.

It lies beside the one that holds scikit-learn's histogram boosting, was fitted on the same table, and predicts the rows
of the same CSV. Missing sizes are a class of their own, so that some threshold is infinite.
"""

from __future__ import annotations

import json

import numpy as np
from make_schema_1 import HERE, rows
from sklearn.pipeline import Pipeline

from heldout.auditing.model_file import FittedModel, save_model
from heldout.boosting import BoostingClassifier
from heldout.table import OrdinalEncoder, read_table, table_from_frame


def main() -> None:
    table, new = table_from_frame(rows(300, 1)), read_table(HERE / "schema_1_rows.csv").frame
    noise = np.random.default_rng(3).normal(size=300)
    size, ripe = table.frame["size"], table.frame["ripe"].to_numpy()
    codes = np.where(size.is_null(), 1, 2 * (size.fill_null(0.0).to_numpy() + 3 * ripe + noise < 11.0))
    boosting = BoostingClassifier(n_trees=8, max_leaves=6)
    fitted = Pipeline([("encoder", OrdinalEncoder()), ("model", boosting)]).fit(table.frame, codes)
    assert np.isposinf(fitted["model"].ensemble_.threshold).any()
    classes = ("large", "lost", "small")
    model = FittedModel(fitted, table.schema, "classification", classes, "log_loss", None, {})
    save_model(HERE / "schema_1_engine.heldout", model, {"created": "2026-11-25T00:00:00+00:00"})
    said = model.predict(new).to_dict(as_series=False)
    (HERE / "schema_1_engine.json").write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
