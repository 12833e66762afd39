"""What others offer for many resampled boosters: scikit-learn's bagging, mlxtend's decomposition, folds in a loop.

Each over LightGBM, with rounds, leaves, bins, rows a leaf and rate as in benchmarks/boosting_peers.py. A setting says
how work is spread: one fit after another, LightGBM with 1 or 2 threads, or two workers with one thread each (processes,
as is joblib's default, or threads: LightGBM lets go of Python's lock). Workers are there before a measurement begins.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from boosting_laws import Drawn
from boosting_peers import BINS, LEAF_ROWS, LEAVES, RATE, ROUNDS, Contender, Fitted, Setting, fit_lightgbm

BAGGED = 10


@dataclass(frozen=True)
class Spread(Setting):
    """How many fits go on at once, and whether in processes or in threads."""

    jobs: int = 1
    workers: str = "processes"

    def __str__(self) -> str:
        return super().__str__() + f", {self.jobs} {self.workers}" * (self.jobs > 1)


ONE_BY_ONE = tuple(Spread(threads, order) for threads in (1, 2) for order in ("row", "col"))
AT_ONCE = tuple(Spread(1, order, 2, workers) for workers in ("processes", "threads") for order in ("row", "col"))


def lightgbm_regressor(setting: Setting) -> Any:
    """Return LightGBM's estimator, not fitted."""
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        n_estimators=ROUNDS,
        num_leaves=LEAVES,
        max_bin=BINS,
        min_child_samples=LEAF_ROWS,
        reg_lambda=0.0,
        learning_rate=RATE,
        n_jobs=setting.threads,
        verbosity=-1,
        **{f"force_{setting.order}_wise": True},
    )


@contextmanager
def without_known_warnings() -> Iterator[None]:
    """Pass over what is expected: one row in a hundred is in all of ten bags.

    And LightGBM names the features of arrays, then misses the names when it predicts.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        warnings.filterwarnings("ignore", message="Some inputs do not have OOB scores")
        warnings.filterwarnings("ignore", message=".* in the bag of all")
        yield


def end_workers() -> None:
    """End joblib's processes: their processor time counts as ours only when they are gone."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def fit_bagged_lightgbm(X: Any, y: Any, loss: str, setting: Setting) -> Fitted:
    """Fit scikit-learn's BaggingRegressor over LightGBM, with the prediction of out-of-bag rows."""
    from joblib import parallel_config
    from sklearn.ensemble import BaggingRegressor

    assert loss == "squared"
    assert isinstance(setting, Spread)
    base = lightgbm_regressor(setting)
    model = BaggingRegressor(base, BAGGED, bootstrap=True, oob_score=True, n_jobs=setting.jobs, random_state=0)
    with without_known_warnings(), parallel_config("threading" if setting.workers == "threads" else "loky"):
        model.fit(X, y)

    def predict(X: Any) -> Any:
        with without_known_warnings():
            return model.predict(X)

    def size() -> tuple[int, int]:
        trees = [tree for one in model.estimators_ for tree in one.booster_.dump_model()["tree_info"]]
        return len(trees), sum(tree["num_leaves"] for tree in trees)

    def more() -> dict[str, float]:
        seen = model.oob_prediction_ != 0  # what scikit-learn says of rows that are in all bags
        return {"out_of_bag_loss": float(np.mean(np.square(y - model.oob_prediction_)[seen]))}

    return Fitted(predict, size, more)


BAGGED_LIGHTGBM = Contender("LightGBM, bagged", "lightgbm", fit_bagged_lightgbm, ONE_BY_ONE + AT_ONCE)


@dataclass(frozen=True)
class Moments:
    """What mlxtend's decomposition returns: mean loss, squared error of the mean prediction, variance (ddof 0)."""

    loss: float
    bias: float
    variance: float


def decompose_by_mlxtend(drawn: Drawn, rounds: int, seed: int, setting: Setting) -> Moments:
    """Call mlxtend's `bias_variance_decomp` on LightGBM: each round draws a bootstrap, fits, predicts the test rows."""
    from mlxtend.evaluate import bias_variance_decomp

    tables = (drawn.X, drawn.y, drawn.X_test, drawn.y_test)
    with without_known_warnings():
        found = bias_variance_decomp(
            lightgbm_regressor(setting), *tables, loss="mse", num_rounds=rounds, random_seed=seed
        )
    return Moments(*(float(value) for value in found))


MLXTEND = Contender("mlxtend", "mlxtend", fit_lightgbm, ONE_BY_ONE)


def predict_folds(drawn: Drawn, held_out: Sequence[Any], setting: Setting) -> Any:
    """Fit LightGBM on all rows but those held out, predict these; shape (n_folds, n_rows), NaN elsewhere."""
    from joblib import Parallel, delayed

    assert isinstance(setting, Spread)
    work: Callable[..., Any] = predict_fold
    if setting.jobs == 1:
        parts = [work(drawn, rows, setting) for rows in held_out]
    else:
        backend = "threading" if setting.workers == "threads" else "loky"
        parallel = Parallel(setting.jobs, backend=backend)
        parts = parallel(delayed(work)(drawn, rows, setting) for rows in held_out)
    predictions = np.full((len(held_out), len(drawn.X)), np.nan)
    for of_fold, rows, part in zip(predictions, held_out, parts, strict=True):
        of_fold[rows] = part
    return predictions


def predict_fold(drawn: Drawn, rows: Any, setting: Setting) -> Any:
    """Return the predictions of the rows held out."""
    rest = np.setdiff1d(np.arange(len(drawn.X)), rows, assume_unique=True)
    return fit_lightgbm(drawn.X[rest], drawn.y[rest], drawn.loss, setting).predict(drawn.X[rows])


FOLDS_OF_LIGHTGBM = Contender("LightGBM", "lightgbm", fit_lightgbm, ONE_BY_ONE + AT_ONCE)
