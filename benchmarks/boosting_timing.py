"""Fits, predictions and single rows timed in turn: A B A B within one process."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from boosting_laws import Drawn, loss_of, with_missing
from boosting_peers import OURS, Contender, Fitted, Setting

# A team of OpenMP threads goes on spinning for some milliseconds after its work; whoever comes next would pay for it.
PAUSE_SECONDS = 0.05
MISSING_SHARE = 0.3


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long a call takes, and what it returns."""
    gc.collect()
    time.sleep(PAUSE_SECONDS)
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def fit_seconds(contender: Contender, setting: Setting, drawn: Drawn) -> tuple[float, Fitted]:
    with contender.around(setting):
        return seconds_of(lambda: contender.fit(drawn.X, drawn.y, drawn.loss, setting))


def best_setting(contender: Contender, drawn: Drawn, most_rows: int) -> Setting:
    """Return the setting of the fastest of two fits each (one above 200,000 rows), on the first rows at most."""
    if len(contender.settings) == 1:
        return contender.settings[0]
    probe = replace(drawn, X=drawn.X[:most_rows], y=drawn.y[:most_rows])
    tries = 1 if len(probe.X) > 200_000 else 2
    best = {
        setting: min(fit_seconds(contender, setting, probe)[0] for _ in range(tries)) for setting in contender.settings
    }
    return min(best, key=lambda setting: best[setting])


def in_turn(works: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Time each work once per repeat, in turn, after one round that is not counted where there are many."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + (repeats > 3)):
        for name, work in works.items():
            taken = work()
            if repeat or repeats <= 3:
                seconds[name].append(taken)
    return seconds


def timing_row(ours: list[float], theirs: list[float]) -> dict[str, Any]:
    """Return medians, and how many times as long theirs takes: the median ratio and the range within turns."""
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    return {
        "ours_seconds": statistics.median(ours),
        "theirs_seconds": statistics.median(theirs),
        "ratio": statistics.median(theirs) / statistics.median(ours),
        "ratio_range": [ratios[0], ratios[-1]],
        "repeats": len(ours),
    }


def described(model: Fitted, drawn: Drawn) -> dict[str, Any]:
    """Return trees, leaves, training loss and test loss."""
    trees, leaves = model.size()
    return {
        "trees": trees,
        "leaves": leaves,
        "train_loss": loss_of(drawn.loss, drawn.y, model.predict(drawn.X)),
        "test_loss": loss_of(drawn.loss, drawn.y_test, model.predict(drawn.X_test)),
        **model.more(),
    }


def time_fits(
    peer: Contender, drawn: Drawn, repeats: int, probe_rows: int, own: Contender = OURS, judged_by: str = "train_loss"
) -> dict[str, Any]:
    """Time fits of ours and a peer's at its best setting. It counts if our loss is at most 1 % above theirs."""
    setting = best_setting(peer, drawn, probe_rows)
    models: dict[str, Fitted] = {}

    def work(contender: Contender, chosen: Setting) -> Callable[[], float]:
        def once() -> float:
            models.pop(contender.name, None)  # two models of one kind at once would be no fair memory
            seconds, models[contender.name] = fit_seconds(contender, chosen, drawn)
            return seconds

        return once

    works = {"ours": work(own, own.settings[0]), "theirs": work(peer, setting)}
    times = in_turn(works, repeats)
    ours, theirs = described(models[own.name], drawn), described(models[peer.name], drawn)
    counts = ours[judged_by] <= 1.01 * theirs[judged_by]
    return {**timing_row(times["ours"], times["theirs"]), "setting": str(setting), "counts": counts,
            "ours": ours, "theirs": theirs}  # fmt: skip


def time_predictions(peer: Contender, drawn: Drawn, repeats: int) -> dict[str, Any]:
    """Time predictions of many rows; each library predicts by the model that it has trained, at its best threads.

    LightGBM, XGBoost and CatBoost remember the threads of the fit, so there is one model per setting.
    """
    settings = {setting.threads: setting for setting in peer.settings}.values()
    fitted = {setting: fit_seconds(peer, setting, drawn)[1] for setting in settings}
    ours = fit_seconds(OURS, OURS.settings[0], drawn)[1]

    def work(model: Fitted, contender: Contender, setting: Setting) -> Callable[[], float]:
        def once() -> float:
            with contender.around(setting):
                return seconds_of(lambda: model.predict(drawn.X_test))[0]

        return once

    works = {setting: work(model, peer, setting) for setting, model in fitted.items()}
    best = min(works, key=lambda setting: min(works[setting]() for _ in range(2)))
    times = in_turn({"ours": work(ours, OURS, OURS.settings[0]), "theirs": works[best]}, repeats)
    return {**timing_row(times["ours"], times["theirs"]), "setting": str(Setting(best.threads)),
            "ours": described(ours, drawn), "theirs": described(fitted[best], drawn)}  # fmt: skip


def time_single_row(peer: Contender, drawn: Drawn, calls: int) -> dict[str, Any]:
    """Time predictions of one row, from the Python call to its result: the median of many calls, in turn."""
    models = {"ours": fit_seconds(OURS, OURS.settings[0], drawn)[1]}
    models["theirs"] = fit_seconds(peer, peer.settings[0], drawn)[1]
    times: dict[str, list[float]] = {name: [] for name in models}
    rows = [drawn.X_test[i : i + 1] for i in range(min(calls, len(drawn.X_test)))]
    for first in range(0, len(rows), 500):
        for name, model in models.items():
            predict = model.predict
            for row in rows[first : first + 500]:
                start = time.perf_counter()
                predict(row)
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {"ours_seconds": medians["ours"], "theirs_seconds": medians["theirs"], "repeats": len(rows),
            "ratio": medians["theirs"] / medians["ours"], "microseconds": 1e6 * medians["ours"],
            "setting": str(peer.settings[0])}  # fmt: skip


def time_missing(drawn: Drawn, repeats: int, seed: int) -> dict[str, Any]:
    """Time our fit where 30 % of the cells are missing, and where none is; `times` is the first over the second."""
    tables = {"none": drawn, "missing": with_missing(drawn, MISSING_SHARE, seed)}
    works = {
        name: (lambda table=table: fit_seconds(OURS, OURS.settings[0], table)[0]) for name, table in tables.items()
    }
    times = in_turn(works, repeats)
    row = timing_row(times["none"], times["missing"])
    return {"none_seconds": row["ours_seconds"], "missing_seconds": row["theirs_seconds"], "times": row["ratio"],
            "times_range": row["ratio_range"], "repeats": row["repeats"]}  # fmt: skip
