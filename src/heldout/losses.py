"""Losses per row, and the metrics that summarise them.

A *loss* gives one number per row, the smaller the better. A *metric* is what the user reads: a monotone
function of the mean loss (RMSE is the root of the mean squared error, accuracy is one minus the mean
zero-one loss), so an interval for the mean loss carries over by its two ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heldout.errors import InvalidInput

__all__ = ["LOSSES", "METRICS", "Loss", "Metric", "default_metric", "find_loss", "find_metric"]

Task = Literal["regression", "classification"]

# A probability of exactly 0 for the class that came would make one row's log loss infinite and with it the mean.
SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Loss:
    """One number per row.

    Parameters
    ----------
    name : str
    task : "regression" or "classification"
    prediction : "value" or "probability"
        What `per_row` takes: values of shape (n_rows,), or probabilities of shape (n_rows, n_classes). For
        classification the values are class codes 0 .. n_classes-1, and so is the target.
    per_row : callable (y, prediction) -> losses, shape (n_rows,)
    """

    name: str
    task: Task
    prediction: Literal["value", "probability"]
    per_row: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True)
class Metric:
    """What the user reads: a monotone function of the mean of a loss.

    Parameters
    ----------
    name : str
        Key in JSON and on the command line.
    label : str
        As printed.
    loss : Loss
    from_mean_loss : callable float -> float
    higher_is_better : bool
    """

    name: str
    label: str
    loss: Loss
    from_mean_loss: Callable[[float], float]
    higher_is_better: bool = False


def _squared_error(y: NDArray[Any], prediction: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.square(np.asarray(y, float) - np.asarray(prediction, float)))


def _absolute_error(y: NDArray[Any], prediction: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.abs(np.asarray(y, float) - np.asarray(prediction, float)))


def _zero_one(y: NDArray[Any], prediction: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.asarray(y) != np.asarray(prediction), np.float64)


def _log_loss(y: NDArray[Any], probability: NDArray[Any]) -> NDArray[np.float64]:
    came = np.asarray(probability, float)[np.arange(len(y)), np.asarray(y, np.intp)]
    return np.asarray(-np.log(np.clip(came, SMALLEST_PROBABILITY, 1.0)))


def _brier(y: NDArray[Any], probability: NDArray[Any]) -> NDArray[np.float64]:
    truth = np.eye(np.asarray(probability).shape[1])[np.asarray(y, np.intp)]
    return np.asarray(np.square(truth - probability).sum(axis=1))


def _same(mean_loss: float) -> float:
    return mean_loss


def _root(mean_loss: float) -> float:
    # The lower end of an interval for a mean of squares can fall below 0; its root is then 0.
    return float(np.sqrt(max(mean_loss, 0.0)))


def _complement(mean_loss: float) -> float:
    return 1.0 - mean_loss


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("squared_error", "regression", "value", _squared_error),
        Loss("absolute_error", "regression", "value", _absolute_error),
        Loss("zero_one", "classification", "value", _zero_one),
        Loss("log_loss", "classification", "probability", _log_loss),
        Loss("brier", "classification", "probability", _brier),
    )
}

METRICS = {
    metric.name: metric
    for metric in (
        Metric("rmse", "RMSE", LOSSES["squared_error"], _root),
        Metric("mse", "MSE", LOSSES["squared_error"], _same),
        Metric("mae", "MAE", LOSSES["absolute_error"], _same),
        Metric("log_loss", "log loss", LOSSES["log_loss"], _same),
        Metric("brier", "Brier score", LOSSES["brier"], _same),
        Metric("error_rate", "error rate", LOSSES["zero_one"], _same),
        Metric("accuracy", "accuracy", LOSSES["zero_one"], _complement, higher_is_better=True),
    )
}


def find_loss(name: str | Loss) -> Loss:
    """Return the loss of that name.

    Raises
    ------
    InvalidInput
        No loss has that name; the message lists those there are.
    """
    if isinstance(name, Loss):
        return name
    if name not in LOSSES:
        raise InvalidInput(f"unknown loss {name!r}: choose one of {', '.join(LOSSES)}")
    return LOSSES[name]


def default_metric(task: Task) -> Metric:
    """Return RMSE for regression and log loss for classification."""
    return METRICS["rmse" if task == "regression" else "log_loss"]


def find_metric(name: str | None, task: Task) -> Metric:
    """Return the metric of that name, or the default of the task.

    Raises
    ------
    InvalidInput
        No metric of this task has that name; the message lists those there are.
    """
    if name is None:
        return default_metric(task)
    fitting = {key: metric for key, metric in METRICS.items() if metric.loss.task == task}
    if name not in fitting:
        raise InvalidInput(f"unknown {task} metric {name!r}: choose one of {', '.join(fitting)}")
    return fitting[name]
