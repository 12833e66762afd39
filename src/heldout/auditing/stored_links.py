"""From a model's raw outputs to probabilities, and class labels as a file can hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = ["LINKS", "check_classes", "label_array", "probabilities"]


def _softmax(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    from sklearn.utils.extmath import softmax

    return np.asarray(softmax(raw, copy=True))


def _same(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    return raw


LINKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "identity": _same,
    "exp": np.exp,
    "expit": expit,
    "softmax": _softmax,
}


def probabilities(raw: NDArray[np.float64], link: str) -> NDArray[np.float64]:
    """Return one probability per class; a single output is that of the second of two classes."""
    if raw.shape[1] > 1 or link != "expit":
        return LINKS[link](raw)
    second = expit(raw[:, 0])
    return np.column_stack([1.0 - second, second])


def label_array(classes: tuple[Any, ...] | None) -> NDArray[Any]:
    """Return class labels as an array, as scikit-learn's `classes_`."""
    if classes is None:
        raise AttributeError("a regression model has no classes_")
    return np.asarray(classes)


def check_classes(classes: tuple[Any, ...] | None, n_outputs: int, link: str) -> None:
    """Raise ValueError unless the labels fit the outputs: one each, or two for one output through `expit`."""
    if classes is None:
        fits = n_outputs == 1
    else:
        labels = {type(label) for label in classes}
        plain = len(labels) == 1 and labels <= {str, int, float, bool} and len(set(classes)) == len(classes)
        wanted = 2 if n_outputs == 1 and link == "expit" else n_outputs
        fits = plain and len(classes) == wanted
    if not fits:
        raise ValueError(f"{n_outputs} outputs do not fit the classes {classes!r}")
