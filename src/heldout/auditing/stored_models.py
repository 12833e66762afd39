"""Fitted models as arrays: what can be stored without pickle, and the same model put together again.

`freeze` turns a fitted estimator, ours or scikit-learn's, into one of the frozen classes here (or in `stored_trees`),
which predict the same. `to_parts` and `from_parts` take any of them to JSON and arrays and back. What has no frozen
form goes through skops (`StoredForeign`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if

from heldout.auditing.stored_foreign import StoredForeign
from heldout.auditing.stored_links import LINKS, check_classes, label_array, probabilities
from heldout.auditing.stored_trees import (
    StoredTrees,
    freeze_boosting,
    freeze_forest,
    freeze_histogram_boosting,
    freeze_tree,
)
from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.table import OrdinalEncoder, ScaledEncoder
from heldout.table.packing import pack, unpack

__all__ = [
    "StoredConstant",
    "StoredLinear",
    "StoredNeighbours",
    "StoredSteps",
    "freeze",
    "from_parts",
    "is_foreign",
    "register",
    "to_parts",
]

Parts = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def _classifies(model: Any) -> bool:
    return model.classes is not None


def _numbers(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.shape != shape:
        raise ValueError(f"{name} is no array of numbers of shape {shape}")


@dataclass(frozen=True, eq=False)
class StoredConstant:
    """A model that ignores the features: one value, or one set of class probabilities and one class."""

    kind: ClassVar[str] = "constant"
    values: NDArray[np.float64]  # (1,), or one probability per class
    predicted: int  # position of the class that is predicted; 0 for regression
    classes: tuple[Any, ...] | None

    def check(self) -> None:
        """Raise ValueError if a stored model is not one that `freeze` makes."""
        _numbers("values", self.values, (1 if self.classes is None else len(self.classes),))
        check_classes(self.classes, len(self.values), "identity")
        if not isinstance(self.predicted, int) or not 0 <= self.predicted < len(self.values):
            raise ValueError(f"the predicted class is number {self.predicted!r}")

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the classes."""
        return label_array(self.classes)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the same value for each row."""
        constant = self.values[0] if self.classes is None else self.classes_[self.predicted]
        return np.full(len(X), constant)

    @available_if(_classifies)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the same probabilities for each row."""
        return np.tile(self.values, (len(X), 1))


@dataclass(frozen=True, eq=False)
class StoredLinear:
    """Ridge or logistic regression: X @ coefficients + intercept, through a link."""

    kind: ClassVar[str] = "linear"
    coefficients: NDArray[np.float64]  # (n_outputs, n_features)
    intercept: NDArray[np.float64]  # (n_outputs,)
    link: str
    classes: tuple[Any, ...] | None

    def check(self) -> None:
        """Raise ValueError if a stored model is not one that `freeze` makes."""
        shape = np.shape(self.coefficients)
        if len(shape) != 2 or shape[0] < 1 or self.link not in LINKS:
            raise ValueError(f"coefficients have shape {shape} and the link is {self.link!r}")
        _numbers("coefficients", self.coefficients, shape)
        _numbers("intercept", self.intercept, shape[:1])
        check_classes(self.classes, shape[0], self.link)

    @property
    def n_features(self) -> int:
        """Columns that `predict` expects."""
        return int(self.coefficients.shape[1])

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the classes."""
        return label_array(self.classes)

    def raw(self, X: Any) -> NDArray[np.float64]:
        """Return the linear outputs, shape (n_rows, n_outputs)."""
        X = np.asarray(X, dtype=np.float64)
        if self.classes is None:  # as a vector: a product with a one-row matrix may differ in the last bit
            return np.asarray(X @ self.coefficients[0] + self.intercept[0])[:, None]
        return np.asarray(X @ self.coefficients.T + self.intercept)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the value or the most probable class of each row."""
        raw = self.raw(X)
        if self.classes is None:
            return np.asarray(raw[:, 0])
        best = (raw[:, 0] > 0).astype(int) if self.link == "expit" else np.argmax(raw, axis=1)
        return np.asarray(self.classes_[best])

    @available_if(_classifies)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class."""
        return probabilities(self.raw(X), self.link)


class StoredNeighbours:
    """Nearest neighbours, stored as the training rows; put together by fitting again, which keeps every bit."""

    kind: ClassVar[str] = "neighbours"

    def __init__(self, rows: Any, target: Any, parameters: Mapping[str, Any], classes: tuple[Any, ...] | None) -> None:
        from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

        self.rows, self.target, self.parameters, self.classes = rows, target, dict(parameters), classes
        self.check()
        if classes is None:
            self._model = KNeighborsRegressor(**self.parameters).fit(rows, target)
        else:
            self._model = KNeighborsClassifier(**self.parameters).fit(rows, target)

    def check(self) -> None:
        """Raise ValueError if a stored model is not one that `freeze` makes."""
        shape = np.shape(self.rows)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"the training rows have shape {shape}")
        _numbers("training rows", self.rows, shape)
        if np.shape(self.target) != shape[:1] or not np.isfinite(self.rows).all():
            raise ValueError("the targets do not fit the training rows, or those are not finite")
        if self.classes is None:
            _numbers("targets", self.target, shape[:1])
        else:
            check_classes(self.classes, len(self.classes), "identity")
            if self.target.dtype.kind != "i" or set(np.unique(self.target)) != set(range(len(self.classes))):
                raise ValueError("a training row's class is not among the classes")
        if set(self.parameters) != {"n_neighbors", "weights", "p", "metric", "algorithm", "leaf_size"}:
            raise ValueError(f"the parameters are {sorted(self.parameters)}")

    @property
    def n_features(self) -> int:
        """Columns that `predict` expects."""
        return int(self.rows.shape[1])

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the classes."""
        return label_array(self.classes)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the mean or the most frequent class of the nearest training rows."""
        found = self._model.predict(X)
        return np.asarray(found if self.classes is None else self.classes_[found])

    @available_if(_classifies)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the share of each class among the nearest training rows."""
        return np.asarray(self._model.predict_proba(X))


@dataclass(frozen=True, eq=False)
class StoredSteps:
    """An encoder and a model after it."""

    kind: ClassVar[str] = "steps"
    encoder: Any
    model: Any

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the classes."""
        return np.asarray(self.model.classes_)

    def predict(self, X: Any) -> NDArray[Any]:
        """Encode and predict."""
        return np.asarray(self.model.predict(self.encoder.transform(X)))

    @available_if(lambda self: hasattr(self.model, "predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Encode and return the probability of each class."""
        return np.asarray(self.model.predict_proba(self.encoder.transform(X)))


# -- from estimators ----------------------------------------------------------------------------------------


def _labels(model: Any) -> tuple[Any, ...] | None:
    classes = getattr(model, "classes_", None)
    return None if classes is None else tuple(np.asarray(classes).tolist())


def _freeze_dummy(model: Any) -> StoredConstant | None:
    if model.n_outputs_ != 1:
        return None
    if not hasattr(model, "classes_"):
        return StoredConstant(np.ravel(model.constant_).astype(np.float64), 0, None)
    if model.strategy not in ("prior", "most_frequent", "constant"):
        return None
    shares = np.asarray(model.predict_proba(np.zeros((1, 1)))[0], dtype=np.float64)
    said = model.predict(np.zeros((1, 1)))[0]
    return StoredConstant(shares, int(np.flatnonzero(model.classes_ == said)[0]), _labels(model))


def _freeze_last_value(model: Any) -> StoredConstant:
    classes = _labels(model)
    if classes is None:
        return StoredConstant(np.array([model.last_], dtype=np.float64), 0, None)
    said = int(np.flatnonzero(model.classes_ == model.last_)[0])
    return StoredConstant(np.asarray(model.probability_, dtype=np.float64), said, classes)


def _freeze_linear(model: Any) -> StoredLinear | None:
    classes = _labels(model)
    coefficients = np.asarray(model.coef_, dtype=np.float64)
    if coefficients.ndim == 2 and classes is None and len(coefficients) > 1:
        return None
    coefficients = np.atleast_2d(coefficients)
    intercept = np.broadcast_to(np.ravel(model.intercept_), coefficients.shape[:1]).astype(np.float64)
    if classes is None:
        link = "identity"
    elif len(classes) == 2:
        link = "expit"
    elif getattr(model, "solver", "") == "liblinear":
        return None
    else:
        link = "softmax"
    return StoredLinear(coefficients, intercept, link, classes)


def _freeze_neighbours(model: Any) -> StoredNeighbours | None:
    wanted = ("n_neighbors", "weights", "p", "metric", "algorithm", "leaf_size")
    parameters = {name: getattr(model, name) for name in wanted}
    plain = all(isinstance(parameters[name], str) for name in ("weights", "metric", "algorithm"))
    rows, target = model._fit_X, np.asarray(model._y)
    if not plain or model.metric_params is not None or not isinstance(rows, np.ndarray) or target.ndim != 1:
        return None
    if rows.dtype != np.float64:
        return None
    classes = _labels(model)
    target = target.astype(np.float64 if classes is None else np.int64)
    return StoredNeighbours(rows, target, parameters, classes)


_FREEZERS: dict[type, Callable[[Any], Any]] = {}


def register(estimator: type, freezer: Callable[[Any], Any]) -> None:
    """Say how fitted estimators of exactly this type are stored.

    Parameters
    ----------
    estimator : type
        Subclasses do not count: they may predict otherwise.
    freezer : callable
        Takes the fitted estimator, returns one of the stored classes, or None where this one cannot be stored.
    """
    _FREEZERS[estimator] = freezer


def _register_own() -> None:
    from sklearn import dummy, ensemble, linear_model, neighbors, tree

    from heldout.auditing.baselines import LastValueClassifier, LastValueRegressor
    from heldout.auditing.nearest import NearestClassifier, NearestRegressor

    kinds: list[tuple[Callable[[Any], Any], tuple[type, ...]]] = [
        (_freeze_dummy, (dummy.DummyClassifier, dummy.DummyRegressor)),
        (_freeze_last_value, (LastValueClassifier, LastValueRegressor)),
        (_freeze_linear, (linear_model.Ridge, linear_model.RidgeCV, linear_model.LogisticRegression)),
        (
            _freeze_neighbours,
            (neighbors.KNeighborsClassifier, neighbors.KNeighborsRegressor, NearestClassifier, NearestRegressor),
        ),
        (freeze_tree, (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor)),
        (freeze_forest, (ensemble.RandomForestClassifier, ensemble.RandomForestRegressor)),
        (freeze_boosting, (BoostingClassifier, BoostingRegressor)),
        (
            freeze_histogram_boosting,
            (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor),
        ),
    ]
    for freezer, types in kinds:
        for one in types:
            register(one, freezer)


_register_own()
_IGNORANT = tuple(cls for cls, freezer in _FREEZERS.items() if freezer in (_freeze_dummy, _freeze_last_value))


def freeze(estimator: Any) -> Any:
    """Return the stored form of a fitted estimator; one that has none is wrapped in `StoredForeign`.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> stored = freeze(Ridge(alpha=1.0).fit([[0.0], [2.0]], [0.0, 2.0]))
    >>> type(stored).__name__, stored.predict([[3.0]]).round(4)
    ('StoredLinear', array([2.3333]))
    """
    if isinstance(estimator, (*_STORED.values(), StoredSteps, StoredForeign)):
        return estimator
    if type(estimator) is Pipeline and len(estimator.steps) == 2 and type(estimator[0]) in _ENCODERS.values():
        return StoredSteps(estimator[0], freeze(estimator[-1]))
    freezer = _FREEZERS.get(type(estimator))
    frozen = freezer(estimator) if freezer else None
    return StoredForeign(estimator) if frozen is None else frozen


def is_foreign(estimator: Any) -> bool:
    """Say whether an estimator takes the user's own frame: it is neither stored by us nor behind our encoder."""
    if isinstance(estimator, Pipeline):
        return type(estimator[0]) not in _ENCODERS.values()
    return not isinstance(estimator, (*_STORED.values(), StoredSteps, *_IGNORANT))


# -- parts --------------------------------------------------------------------------------------------------

_STORED: dict[str, Any] = {c.kind: c for c in (StoredConstant, StoredLinear, StoredNeighbours, StoredTrees)}
_ENCODERS: dict[str, Any] = {"scaled": ScaledEncoder, "ordinal": OrdinalEncoder}


def to_parts(model: Any, prefix: str = "") -> Parts:
    """Return a stored model as JSON and arrays; the dump of a foreign one is an array of bytes."""
    if isinstance(model, StoredSteps):
        name = next(name for name, cls in _ENCODERS.items() if type(model.encoder) is cls)
        encoder, arrays = model.encoder.to_arrays()
        meta, more = to_parts(model.model, f"{prefix}model.")
        arrays = {f"{prefix}encoder.{key}": value for key, value in arrays.items()}
        return {"kind": model.kind, "encoder": {"type": name, **encoder}, "model": meta}, arrays | more
    if isinstance(model, StoredNeighbours):
        meta = {"kind": model.kind, "parameters": model.parameters}
        meta["classes"] = None if model.classes is None else list(model.classes)
        return meta, {f"{prefix}rows": model.rows, f"{prefix}target": model.target}
    if isinstance(model, StoredForeign):
        return {"kind": model.kind}, {f"{prefix}dump": np.frombuffer(model.dump(), np.uint8)}
    return pack(model, prefix)


def from_parts(
    meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], trust: tuple[str, ...] = (), prefix: str = ""
) -> Any:
    """Return the stored model that `to_parts` was called on, every size and index checked.

    Raises
    ------
    KeyError, TypeError, ValueError
        These are not the parts of a model.
    ModelFileError
        A foreign estimator holds types that are not trusted.
    """
    kind = meta["kind"]
    if kind == StoredSteps.kind:
        start = f"{prefix}encoder."
        own = {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}
        encoder = _ENCODERS[meta["encoder"]["type"]].from_arrays(meta["encoder"], own)
        model = from_parts(meta["model"], arrays, trust, f"{prefix}model.")
        wanted, have = getattr(model, "n_features", None), len(encoder.get_feature_names_out())
        if isinstance(model, StoredSteps) or wanted not in (None, have):
            raise ValueError(f"the model takes {wanted} numbers, the encoder gives {have}")
        return StoredSteps(encoder, model)
    if kind == StoredForeign.kind:
        return StoredForeign.load(arrays[f"{prefix}dump"].tobytes(), trust)
    classes = meta["classes"]
    classes = None if classes is None else tuple(classes)
    if kind == StoredNeighbours.kind:
        return StoredNeighbours(arrays[f"{prefix}rows"], arrays[f"{prefix}target"], meta["parameters"], classes)
    stored = unpack(_STORED[kind], meta, arrays, prefix)
    stored.check()
    return stored
