"""Writes the stored model files of schema 1, once. Never run again for a schema that has been released.

A test loads these files with every later version and compares with the predictions written here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from heldout.auditing.model_file import FittedModel, save_model
from heldout.table import OrdinalEncoder, ScaledEncoder, table_from_frame

HERE = Path(__file__).parent


def rows(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.normal(10, 3, n)
    when = np.datetime64("2024-01-01", "us") + rng.integers(0, 10**13, n).astype("timedelta64[us]")
    return pl.DataFrame(
        {
            "size": pl.Series([None if k % 9 == 0 else float(v) for k, v in enumerate(size)], dtype=pl.Float64),
            "colour": rng.choice(["red", "green", "blue"], n),
            "town": [f"town {k}" for k in rng.integers(0, 40, n)],
            "ripe": rng.random(n) < 0.5,
            "when": when,
        }
    )


def main() -> None:
    table, new = table_from_frame(rows(300, 1)), rows(20, 2)
    rng = np.random.default_rng(3)
    target = table.frame["size"].fill_null(0.0).to_numpy() + 3 * table.frame["ripe"].to_numpy() + rng.normal(size=300)
    boosting = HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=6)
    classes = Pipeline([("encoder", OrdinalEncoder()), ("model", boosting)])
    numbers = Pipeline([("encoder", ScaledEncoder()), ("model", Ridge())])
    codes = np.digitize(target, [8.0, 12.0])
    models: dict[str, Any] = {
        "boosting": FittedModel(
            classes.fit(table.frame, codes),
            table.schema,
            "classification",
            ("high", "low", "mid"),
            "log_loss",
            None,
            {},
        ),
        "ridge": FittedModel(numbers.fit(table.frame, target), table.schema, "regression", (), "rmse", None, {}),
    }
    for name, model in models.items():
        save_model(HERE / f"schema_1_{name}.heldout", model, {"created": "2026-07-01T00:00:00+00:00"})
        said = model.predict(new).to_dict(as_series=False)
        (HERE / f"schema_1_{name}.json").write_text(json.dumps(said, indent=1) + "\n")
    new.write_csv(HERE / "schema_1_rows.csv")


if __name__ == "__main__":
    main()
