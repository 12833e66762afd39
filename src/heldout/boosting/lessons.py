"""What a model learns from its targets: numbers, or classes. Each says what trees are fitted to, what scores mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from heldout.boosting.targets import check_squares, class_codes, finite_target, judged_target, target_unguessed
from heldout.boosting.weights import balanced_factors, factors_of_classes, factors_together, is_balanced
from heldout.trees import Objective

__all__ = ["ClassLesson", "Lesson", "NumberLesson", "probabilities"]


class Lesson(Protocol):
    """What a model learns from its targets."""

    @property
    def loss(self) -> str:
        """Name of the loss by which predictions are judged, as `heldout.losses` has it."""
        ...

    @property
    def target(self) -> NDArray[np.float64]:
        """What a prediction is compared with: numbers, or class numbers; shape (n_rows,)."""
        ...

    def objective(self, count: NDArray[np.uint8] | None, factor: NDArray[np.float64] | None) -> Objective:
        """Return what trees are fitted to where rows are there `count` times and weigh `factor`."""
        ...

    def unbalanced(self, factor: NDArray[np.float64] | None) -> Objective:
        """Return the same without what `balance` tells."""
        ...

    def balance(self, times: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Return what multiplies the weights of each class where rows are there so often, if that depends on it.

        Each replica has its own: rows out of its bag must not tell it how large their classes are.
        """
        ...

    def judged(self, y_val: Any) -> NDArray[np.float64]:
        """Return the targets of validation rows."""
        ...

    def check_out_of_bag(self) -> None:
        """Raise InvalidInput for targets by which no prediction out of bag can be judged."""
        ...

    def predictions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scores, shape (n_rows, n_outputs), into values (n_rows,), or probabilities (n_rows, n_classes)."""
        ...


@dataclass(frozen=True)
class NumberLesson:
    """Numbers, by squared error."""

    target: NDArray[np.float64]
    loss: str = "squared_error"

    @classmethod
    def of(cls, y: NDArray[Any]) -> NumberLesson:
        """Make one of finite numbers; raise InvalidInput for others."""
        return cls(finite_target(y, "y"))

    def objective(self, count: NDArray[np.uint8] | None, factor: NDArray[np.float64] | None) -> Objective:
        """Return squared error of one score."""
        return Objective("squared_error", self.target, factor, count)

    def unbalanced(self, factor: NDArray[np.float64] | None) -> Objective:
        """Return squared error of one score."""
        return self.objective(None, factor)

    def balance(self, times: NDArray[np.uint8]) -> None:
        """Numbers have no classes."""

    def judged(self, y_val: Any) -> NDArray[np.float64]:
        """Return the targets of validation rows as float64."""
        return judged_target(target_unguessed(y_val, "y_val"))

    def check_out_of_bag(self) -> None:
        """Raise InvalidInput where float64 cannot hold squared errors."""
        check_squares(self.target, "y")

    def predictions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the one score of each row."""
        return scores[:, 0]


@dataclass(frozen=True)
class ClassLesson:
    """Classes, by log loss; `class_weight` as the classifier takes it."""

    classes: NDArray[Any]
    codes: NDArray[np.intp]
    class_weight: Any = None
    loss: str = "log_loss"

    @classmethod
    def of(cls, y: NDArray[Any], class_weight: Any) -> ClassLesson:
        """Make one of labels."""
        classes, codes = np.unique(y, return_inverse=True)
        return cls(classes, codes, class_weight)

    @property
    def target(self) -> NDArray[np.float64]:
        """Class numbers."""
        return np.ascontiguousarray(self.codes, dtype=np.float64)

    def objective(self, count: NDArray[np.uint8] | None, factor: NDArray[np.float64] | None) -> Objective:
        """Return the logistic loss of one score for two classes, else the softmax of one each."""
        by_class = factors_of_classes(self.class_weight, self.classes, self.codes, count)
        return self._objective(count, factors_together(by_class, factor))

    def unbalanced(self, factor: NDArray[np.float64] | None) -> Objective:
        """Return the loss with the weights of classes unless they are "balanced"."""
        return self._objective(None, factor) if is_balanced(self.class_weight) else self.objective(None, factor)

    def balance(self, times: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Return factors by which all classes weigh the same, or None unless they are "balanced"."""
        if not is_balanced(self.class_weight):
            return None
        factors = balanced_factors(self.codes, len(self.classes), times)
        return np.append(factors, 1.0) if len(factors) == 1 else factors

    def _objective(self, count: NDArray[np.uint8] | None, factor: NDArray[np.float64] | None) -> Objective:
        if len(self.classes) > 2:
            return Objective("softmax", self.target, factor, count, n_outputs=len(self.classes))
        return Objective("logistic", self.target, factor, count)

    def judged(self, y_val: Any) -> NDArray[np.float64]:
        """Return the class numbers of validation rows."""
        return class_codes(np.asarray(y_val), self.classes)

    def check_out_of_bag(self) -> None:
        """Take all: any class can be judged."""

    def predictions(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each class."""
        return probabilities(scores, len(self.classes))


def probabilities(scores: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    """Return the probability of each class, shape (n_rows, n_classes), of scores (n_rows, n_outputs).

    Examples
    --------
    >>> import numpy as np
    >>> probabilities(np.array([[0.0], [100.0]]), 2)
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    from scipy.special import expit
    from sklearn.utils.extmath import softmax

    if n_classes == 1:
        return np.ones((len(scores), 1))
    if n_classes > 2:
        # A row that is alone would lie contiguous, and its classes be added up in another order than beside other rows.
        beside = np.repeat(scores, 2, axis=0) if len(scores) == 1 else scores
        return np.asarray(softmax(np.asfortranarray(beside), copy=True))[: len(scores)]
    second = expit(scores[:, 0])
    return np.column_stack([1.0 - second, second])
