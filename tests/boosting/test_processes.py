"""Processes and threads around a fit: forks, workers, shared memory, and the key that interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray

from heldout import BoostingClassifier, BoostingRegressor

from reference.ensembles import assert_same_bits

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")

TABLE = """
import os, sys, threading, time
import numpy as np
from heldout import BoostingRegressor
rng = np.random.default_rng(0)
X = rng.normal(size=(20000, 8))
y = X[:, 0] + rng.normal(size=20000)
def fit(n_trees=10):
    return BoostingRegressor(n_trees=n_trees, n_jobs=2).fit(X, y)
def child_has_the_same(model):
    child = os.fork()
    if child == 0:
        again = fit()
        same = again.ensemble_.value.tobytes() == model.ensemble_.value.tobytes()
        same = same and np.array_equal(again.predict(X), model.predict(X))
        os._exit(0 if same else 7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(script: str, timeout: float = 120) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TABLE + script], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@posix_only
def test_a_process_forks_after_a_fit() -> None:
    assert run("model = fit(); print(child_has_the_same(model))") == "0"


@posix_only
def test_a_process_forks_during_a_fit() -> None:
    """The child of a fork has the forking thread alone; the fit that went on beside it is the parent's."""
    script = """
model = fit()
long = []
beside = threading.Thread(target=lambda: long.append(fit(2000)))
beside.start()
time.sleep(0.05)
codes = [child_has_the_same(model) for _ in range(3)]
print(codes, beside.is_alive())
beside.join()
print(long[0].ensemble_.head(10).value.tobytes() == model.ensemble_.value.tobytes())
"""
    assert run(script).splitlines() == ["[0, 0, 0] True", "True"]


@posix_only
def test_a_callback_may_fork() -> None:
    script = """
model = fit()
codes = []
BoostingRegressor(n_trees=3, n_jobs=2).fit(X, y, callback=lambda each: codes.append(child_has_the_same(model)))
print(codes)
"""
    assert run(script) == "[0, 0, 0]"


def fitted(X: Any, y: Any, n_jobs: int | None = None) -> BoostingRegressor:
    return BoostingRegressor(n_trees=10, n_jobs=n_jobs).fit(X, y)


@pytest.fixture
def large(seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20000, 15)).astype(np.float32)  # above 1 MB: joblib hands it to workers as a memory map
    return X, X[:, 0] + rng.normal(size=20000)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_workers_of_joblib_fit_the_same_model(n_jobs: int | None, large: Any) -> None:
    X, y = large
    here = fitted(X, y)
    there = joblib.Parallel(n_jobs=2, max_nbytes=1000)(joblib.delayed(fitted)(X, y, n_jobs) for _ in range(3))
    for model in there:
        assert_same_bits(here.ensemble_, model.ensemble_)


def test_a_read_only_memory_map_is_fitted_and_predicted_in_place(large: Any, tmp_path: Path) -> None:
    X, y = large
    X.tofile(tmp_path / "X")
    y.tofile(tmp_path / "y")
    mapped = np.memmap(tmp_path / "X", dtype=np.float32, mode="r", shape=X.shape)
    target = np.memmap(tmp_path / "y", dtype=np.float64, mode="r", shape=y.shape)
    here, there = fitted(X, y), fitted(mapped, target)
    assert_same_bits(here.ensemble_, there.ensemble_)
    assert np.array_equal(here.predict(X), there.predict(mapped))
    weight = np.memmap(tmp_path / "y", dtype=np.float64, mode="r", shape=y.shape) ** 2
    weight.flags.writeable = False
    BoostingRegressor(n_trees=2).fit(mapped, target, sample_weight=weight, X_val=mapped, y_val=target)


def test_arrays_that_are_passed_in_stay_as_they_were(table: Any) -> None:
    X, y = table.X.copy(), table.y.copy()
    weight = np.linspace(0, 2, len(y))
    BoostingRegressor(n_trees=3).fit(X, y, sample_weight=weight, X_val=X, y_val=y).predict(X)
    np.testing.assert_array_equal(X, table.X)
    np.testing.assert_array_equal(y, table.y)
    np.testing.assert_array_equal(weight, np.linspace(0, 2, len(y)))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_threads_that_fit_at_once_give_the_models_of_one_after_the_other(n_jobs: int, table: Any) -> None:
    def regress() -> Any:
        return BoostingRegressor(n_trees=20, n_jobs=n_jobs).fit(table.X, table.y)

    def classify() -> Any:
        return BoostingClassifier(n_trees=10, n_jobs=n_jobs).fit(table.X, table.five)

    alone = [regress(), classify()]
    found: dict[int, Any] = {}
    jobs = [regress, classify, regress, classify]
    threads = [threading.Thread(target=lambda i=i, job=job: found.update({i: job()})) for i, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert_same_bits(alone[i % 2].ensemble_, found[i].ensemble_)


def test_threads_may_predict_with_one_model_at_once(table: Any) -> None:
    model = BoostingClassifier(n_trees=10, n_jobs=2).fit(table.X, table.five)
    X = np.tile(table.X, (3, 1))
    expected = model.predict_proba(X)
    with joblib.parallel_config(backend="threading", n_jobs=4):
        for probability in joblib.Parallel()(joblib.delayed(model.predict_proba)(X) for _ in range(8)):
            assert np.array_equal(probability, expected)


@posix_only
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_ends_a_fit_within_a_second(n_jobs: int) -> None:
    script = f"""
try:
    print("begun", flush=True)
    BoostingRegressor(n_trees=10**6, n_jobs={n_jobs}).fit(X, y)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    command = [sys.executable, "-c", TABLE + script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "begun"
        time.sleep(0.5)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline().strip() == "interrupted"
        assert time.monotonic() - sent < 1.0
        assert process.wait(timeout=30) == 0
