"""`model.heldout`: a fitted model, what it was fitted on and how well it did, in one file without pickle."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from heldout.auditing.archive import array_from_npy, npy_from_array, parse_json, read_archive, write_archive
from heldout.auditing.forecast_model import ForecastModel
from heldout.auditing.stored_forecasts import KIND, NETWORK, forecast_from_parts, forecast_to_parts
from heldout.auditing.stored_models import freeze, from_parts, is_foreign, to_parts
from heldout.errors import HeldoutError, ModelFileError
from heldout.table import Schema, SchemaNote

__all__ = ["FittedModel", "load_model", "save_model"]

FrameKind = Literal["polars", "pandas", "arrow"]
_KINDS: tuple[FrameKind, ...] = ("polars", "pandas", "arrow")
_DAMAGED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, HeldoutError)


@dataclass(frozen=True)
class FittedModel:
    """A model that predicts for new frames.

    Parameters
    ----------
    estimator : fitted estimator
        It was fitted on class codes 0 .. k-1, or on the labels themselves.
    schema : Schema
        The feature columns; new data is checked against it.
    task : "regression" or "classification"
    classes : tuple of str
        Labels in the order of the codes; () for regression. Where all of them are the plain writing of a
        number ("0", "2.5"), predictions are numbers.
    metric : str
    positive : str or None
    manifest : dict
        What else the file says: metrics, how it was made. Plain JSON.
    frame_kind : "polars", "pandas" or "arrow"
        What kind of frame a foreign estimator was fitted on. Estimators of heldout take any.

    Examples
    --------
    >>> import polars as pl
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import Pipeline
    >>> from heldout.table import ScaledEncoder, table_from_frame
    >>> table = table_from_frame(pl.DataFrame({"size": [1.0, 2.0, 4.0]}))
    >>> fitted = Pipeline([("encoder", ScaledEncoder()), ("model", Ridge(alpha=1e-9))])
    >>> fitted = fitted.fit(table.frame, [10.0, 20.0, 40.0])
    >>> model = FittedModel(fitted, table.schema, "regression", (), "rmse", None, {})
    >>> model.predict(pl.DataFrame({"size": [3.0]}))["prediction"].round(3).to_list()
    [30.0]
    """

    estimator: Any
    schema: Schema
    task: str
    classes: tuple[str, ...]
    metric: str
    positive: str | None
    manifest: dict[str, Any]
    frame_kind: FrameKind = "polars"

    def predict(self, frame: Any) -> Any:
        """Predict for new rows.

        Parameters
        ----------
        frame : frame of pandas, polars or Arrow
            With the columns of the schema, in any order; others are ignored.

        Returns
        -------
        frame of the same kind
            Column `prediction`; for classification also `probability: <class>` for each class.

        Raises
        ------
        SchemaMismatch
            A column is lacking or holds another type.
        """
        return self.predict_with_notes(frame)[0]

    def predict_with_notes(self, frame: Any) -> tuple[Any, tuple[SchemaNote, ...]]:
        """Predict for new rows, and return what in them the model has not seen before.

        Returns
        -------
        frame of the same kind as `frame`
        notes : tuple of SchemaNote
            Unseen levels, values outside the seen range, columns ignored.
        """
        typed, notes = self.schema.check(frame)
        features = self.features_for(frame, typed)
        columns: dict[str, Any]
        if self.task == "regression":
            columns = {"prediction": np.asarray(self.estimator.predict(features), dtype=np.float64)}
        else:
            columns = self._class_columns(features)
        return _like(frame, columns), notes

    def features_for(self, frame: Any, typed: pl.DataFrame) -> Any:
        """Return what the estimator takes: the typed frame, or for a foreign one the kind it was fitted on.

        Parameters
        ----------
        frame : frame
            As the caller gave it.
        typed : polars.DataFrame
            The same rows, checked against the schema.
        """
        if not is_foreign(self.estimator):
            return typed
        given = nw.from_native(frame, eager_only=True, pass_through=True)
        if isinstance(given, nw.DataFrame) and _kind_of(given) == self.frame_kind:
            return given.select(*self.schema.names).to_native()
        if self.frame_kind == "polars":
            return typed
        data: dict[str, Any] = {s.name: s.to_list() if s.dtype == pl.String else s.to_numpy() for s in typed}
        backend: Literal["pandas", "pyarrow"] = "pandas" if self.frame_kind == "pandas" else "pyarrow"
        return nw.from_dict(data, backend=backend).to_native()

    def _class_columns(self, features: Any) -> dict[str, Any]:
        labels = _label_values(self.classes)
        codes = _codes_of(self.estimator.predict(features), self.classes)
        columns: dict[str, Any] = {"prediction": [labels[code] for code in codes]}
        if hasattr(self.estimator, "predict_proba"):
            table = np.zeros((len(codes), len(labels)))
            table[:, _codes_of(self.estimator.classes_, self.classes)] = self.estimator.predict_proba(features)
            columns |= {f"probability: {name}": table[:, k] for k, name in enumerate(self.classes)}
        return columns


def _kind_of(frame: nw.DataFrame[Any]) -> str:
    implementation = frame.implementation
    return "arrow" if implementation.is_pyarrow() else implementation.name.lower()


def _like(frame: Any, columns: dict[str, Any]) -> Any:
    """Return columns as the same kind of frame as `frame`, with its index if it has one."""
    given = nw.from_native(frame, eager_only=True, pass_through=True)
    if not isinstance(given, nw.DataFrame):  # a Table, which holds a polars frame
        return pl.DataFrame(columns)
    made = nw.from_dict(columns, backend=given.implementation).to_native()
    index = nw.maybe_get_index(given)
    if index is not None:
        made.index = index
    return made


def _label_values(classes: Sequence[str]) -> list[Any]:
    """Return the labels, as numbers if each is the plain writing of one."""
    for number in (int, float):
        try:
            values = [number(label) for label in classes]
        except ValueError:
            continue
        if all(str(value) == label and math.isfinite(value) for value, label in zip(values, classes, strict=True)):
            return values
    return list(classes)


def _codes_of(found: Any, classes: Sequence[str]) -> NDArray[np.intp]:
    """Return class codes from what an estimator calls its classes: codes already, or labels."""
    values = np.asarray(found)
    if values.dtype.kind in "iub" and (not values.size or (values.min() >= 0 and values.max() < len(classes))):
        return values.astype(np.intp)
    position = {label: code for code, label in enumerate(classes)}
    try:
        return np.array([position[str(label)] for label in values.tolist()], dtype=np.intp)
    except KeyError as unknown:
        raise ModelFileError(
            f"the model names a class {unknown}, but the classes are {', '.join(classes)}: fit it anew"
        ) from None


def save_model(path: str | Path, model: FittedModel | ForecastModel, manifest: Mapping[str, Any]) -> None:
    """Write `model.heldout`; the file appears whole or not at all.

    Equal models give equal bytes, except where a foreign estimator goes through skops, which numbers objects by
    their place in memory.

    Parameters
    ----------
    path : str or Path
    model : FittedModel or ForecastModel
    manifest : mapping
        Plain JSON to keep in the file: metrics, when it was made.

    Raises
    ------
    ModelFileError
        The file cannot be written, or a foreign estimator cannot be stored.
    """
    try:
        write_archive(Path(path), {**manifest, "versions": _versions()}, _members(model))
    except (TypeError, ValueError) as problem:
        raise ModelFileError(f"the manifest is no plain JSON ({problem}): use numbers, texts, lists, dicts") from None


def _versions() -> dict[str, str]:
    import sklearn

    from heldout import __version__

    return {
        "heldout": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _members(model: FittedModel | ForecastModel) -> dict[str, bytes]:
    if isinstance(model, ForecastModel):
        return _members_of_forecast(model)
    meta, arrays = to_parts(freeze(model.estimator))
    document = {
        "task": model.task,
        "classes": list(model.classes),
        "metric": model.metric,
        "positive": model.positive,
        "frame_kind": model.frame_kind,
        "estimator": meta,
        "arrays": sorted(arrays),
    }
    members = {f"arrays/{name}.npy": npy_from_array(array) for name, array in arrays.items()}
    members["model.json"] = _document(document)
    members["schema.json"] = _document(model.schema.to_dict())
    return members


def _members_of_forecast(model: ForecastModel) -> dict[str, bytes]:
    meta, arrays, weights = forecast_to_parts(model)
    members = {f"arrays/{name}.npy": npy_from_array(array) for name, array in arrays.items()}
    if weights is not None:
        members[NETWORK] = weights
    members["model.json"] = _document({**meta, "arrays": sorted(arrays)})
    members["schema.json"] = _document(model.schema.to_dict())
    return members


def _document(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()


def load_model(path: str | Path, *, trust: Sequence[str] = ()) -> FittedModel | ForecastModel:
    """Read `model.heldout`. No code in the file is run.

    Parameters
    ----------
    path : str or Path
    trust : sequence of str
        Types, as ``package.module.Type``, that a user's own estimator in the file may hold beside those of
        scikit-learn, NumPy and SciPy.

    Raises
    ------
    ModelFileError
        The file is no model file, truncated, altered, oversized, written by a newer heldout, or holds types that
        are not trusted. One line, with the path and what to do.
    """
    path = Path(path)
    manifest, members = read_archive(path)
    if isinstance(trust, str):
        trust = (trust,)
    try:
        return _assemble(manifest, members, tuple(trust))
    except ModelFileError as problem:
        raise ModelFileError(f"{str(path)!r} {problem}") from None
    except _DAMAGED as problem:
        why = " ".join(str(problem).split())[:200]
        raise ModelFileError(
            f"{str(path)!r} is damaged or altered ({type(problem).__name__}: {why}): fetch or save it again"
        ) from problem


def _assemble(
    manifest: dict[str, Any], members: dict[str, bytes], trust: tuple[str, ...]
) -> FittedModel | ForecastModel:
    for name in ("model.json", "schema.json"):
        if name not in members:
            raise ModelFileError(f"lacks the member {name!r}: fetch or save it again")
    document = parse_json(members["model.json"], "model.json")
    schema = Schema.from_dict(parse_json(members["schema.json"], "schema.json"))
    arrays = {name: array_from_npy(members[f"arrays/{name}.npy"]) for name in document["arrays"]}
    inner = {name: value for name, value in manifest.items() if name not in ("members", "format", "schema")}
    if document.get("kind") == KIND:
        return replace(forecast_from_parts(document, arrays, members.get(NETWORK), schema), manifest=inner)
    estimator = from_parts(document["estimator"], arrays, trust)
    task, classes, kind = document["task"], tuple(document["classes"]), document["frame_kind"]
    if task not in ("regression", "classification") or (task == "classification") != bool(classes):
        raise ValueError(f"the task is {task!r} with {len(classes)} classes")
    if not all(isinstance(label, str) for label in classes) or kind not in _KINDS:
        raise ValueError(f"the classes are {classes!r} and the frames {kind!r}")
    if classes:
        _codes_of(estimator.classes_, classes)
    lacking = set(getattr(getattr(estimator, "encoder", None), "feature_names_in_", ())) - set(schema.names)
    if lacking:
        raise ValueError(f"the encoder takes columns that the schema lacks: {sorted(lacking)}")
    return FittedModel(estimator, schema, task, classes, document["metric"], document["positive"], inner, kind)
