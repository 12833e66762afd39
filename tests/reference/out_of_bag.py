"""What rows out of bag tell, row by row from the definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special


def codes_of(kind: str, y: NDArray[Any]) -> NDArray[Any]:
    return y if kind == "regression" else np.unique(y, return_inverse=True)[1]


def values_of(kind: str, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    if kind == "regression":
        return raw[..., 0]
    if kind == "two":
        return np.stack([special.expit(-raw[..., 0]), special.expit(raw[..., 0])], axis=-1)
    return special.softmax(raw, axis=-1)


def losses_of(kind: str, codes: NDArray[Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    if kind == "regression":
        return (values - codes) ** 2
    return -np.log(values[np.arange(len(codes)), codes])


def stages(model: Any, X: Any, n_replicas: int) -> NDArray[np.float64]:
    """Return the members' scores after each round, shape (n_rounds, n_rows, n_replicas, n_outputs)."""
    trees = model.members_
    return np.stack(
        [trees.head((r + 1) * trees.n_outputs).raw(X).reshape(len(X), n_replicas, -1) for r in range(model.n_trees_)]
    )


def by_definition(kind: str, codes: Any, raw: Any, out: Any) -> dict[str, Any]:
    """Row by row, from the members that left the row out. "of_pairs": the loss of endlessly many, from pairs of two."""
    prediction = np.full(values_of(kind, raw[:, 0]).shape, np.nan)
    std = prediction.copy()
    of_mean, of_single, of_pairs, m = (np.full(len(raw), np.nan) for _ in range(4))
    for i in range(len(raw)):
        own = raw[i, out[i]]
        m[i] = len(own)
        if not len(own):
            continue
        prediction[i] = values_of(kind, own.mean(axis=0))
        each = values_of(kind, own)
        if len(own) > 1:
            std[i] = each.std(axis=0, ddof=1)
        of_mean[i] = losses_of(kind, codes[[i]], prediction[[i]])[0]
        of_single[i] = np.mean([losses_of(kind, codes[[i]], value[None])[0] for value in each])
        if len(own) > 1:
            of_pairs[i] = of_mean[i] - (of_single[i] - of_mean[i]) / (len(own) - 1)
            if kind == "regression":
                errors = each - codes[i]
                of_pairs[i] = (errors.sum() ** 2 - (errors**2).sum()) / (len(own) * (len(own) - 1))
    return {
        "prediction": prediction,
        "std": std,
        "of_mean": of_mean,
        "of_single": of_single,
        "of_pairs": of_pairs,
        "m": m,
    }
