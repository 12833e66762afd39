"""Many resampled boosters timed in turn: moments over bootstraps, folds, K replicas against K fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from boosting_laws import Drawn
from boosting_peers import Contender, Setting
from boosting_timing import in_turn, seconds_of, timing_row
from machine import usable_processors
from replicas_ours import (
    decompose_by_bootstraps,
    fit_one_by_one,
    grow_one_by_one,
    grow_together,
    predict_folds,
    regressor,
)
from replicas_peers import Moments, decompose_by_mlxtend, without_known_warnings
from replicas_peers import predict_folds as predict_folds_by_lightgbm

# A number that the two sides compute must not differ by more, or they have not done the same work.
AGREEMENT = 0.1

Works = Mapping[str, Callable[[], Any]]


def time_works(works: Works, repeats: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Time works in turn; return the seconds, and what each returned last."""
    results: dict[str, Any] = {}

    def timed(name: str, work: Callable[[], Any]) -> Callable[[], float]:
        def once() -> float:
            results.pop(name, None)
            seconds, results[name] = seconds_of(work)
            return seconds

        return once

    return in_turn({name: timed(name, work) for name, work in works.items()}, repeats), results


def quickest(settings: Sequence[Setting], work: Callable[[Setting], Any], tries: int = 2) -> Setting:
    """Return the setting of the fastest of so many tries each."""
    if len(settings) == 1:
        return settings[0]
    best = {setting: min(seconds_of(lambda s=setting: work(s))[0] for _ in range(tries)) for setting in settings}
    return min(best, key=lambda setting: best[setting])


def ratio_of(ours: float, theirs: float) -> float:
    return ours / max(theirs, 1e-300)


def agree(*pairs: tuple[float, float]) -> bool:
    """Say whether each number of ours is within a tenth of theirs."""
    return all(abs(ratio_of(ours, theirs) - 1) <= AGREEMENT for ours, theirs in pairs)


def best_of_mlxtend(drawn: Drawn, peer: Contender) -> Setting:
    """Return the setting that makes mlxtend fastest, by a few rounds each."""
    return quickest(peer.settings, lambda setting: decompose_by_mlxtend(drawn, 5, 0, setting))


def time_bootstraps(peer: Contender, drawn: Drawn, n_replicas: int, repeats: int, seed: int) -> dict[str, Any]:
    """Time the moments over bootstraps of one table by mlxtend and by one call of ours.

    It counts if mean loss, squared error of the mean and variance agree within a tenth.
    """
    setting = best_of_mlxtend(drawn, peer)
    times, found = time_works(
        {
            "ours": lambda: decompose_by_bootstraps(drawn, n_replicas, seed),
            "theirs": lambda: decompose_by_mlxtend(drawn, n_replicas, seed, setting),
        },
        repeats,
    )
    ours: Moments = found["ours"]
    theirs: Moments = found["theirs"]
    counts = agree((ours.loss, theirs.loss), (ours.bias, theirs.bias), (ours.variance, theirs.variance))
    both = " against ".join(f"loss {m.loss:.4f} bias {m.bias:.4f} variance {m.variance:.4f}" for m in (ours, theirs))
    return {**timing_row(times["ours"], times["theirs"]), "setting": str(setting), "counts": counts, "note": both,
            "our_moments": vars(ours), "their_moments": vars(theirs)}  # fmt: skip


def mean_error(predictions: Any, y: Any) -> float:
    """Return the mean squared error of predictions of shape (n_folds, n_rows), NaN where a row was not held out."""
    return float(np.nanmean(np.square(predictions - y)))


def time_folds(peer: Contender, drawn: Drawn, n_folds: int, n_repeats: int, repeats: int, seed: int) -> dict[str, Any]:
    """Time a repeated cross-validation by one call, and by a LightGBM fit and prediction for each fold.

    Their folds are drawn beforehand, ours within the call. It counts if the errors agree within a tenth.
    """
    order = np.random.default_rng(seed)
    held_out = [
        np.sort(rows) for _ in range(n_repeats) for rows in np.array_split(order.permutation(len(drawn.y)), n_folds)
    ]
    few = held_out[:4]
    setting = quickest(peer.settings, lambda setting: predict_folds_by_lightgbm(drawn, few, setting))
    times, found = time_works(
        {
            "ours": lambda: predict_folds(drawn, n_folds, n_repeats, seed),
            "theirs": lambda: predict_folds_by_lightgbm(drawn, held_out, setting),
        },
        repeats,
    )
    assert all(np.isfinite(one).sum() == n_repeats * len(drawn.y) for one in found.values())
    ours, theirs = (mean_error(found[side], drawn.y) for side in ("ours", "theirs"))
    return {**timing_row(times["ours"], times["theirs"]), "setting": str(setting), "counts": agree((ours, theirs)),
            "note": f"error {ours:.4f} against {theirs:.4f}", "our_error": ours, "their_error": theirs}  # fmt: skip


def time_replicas(drawn: Drawn, n_replicas: int, repeats: int, seed: int) -> dict[str, Any]:
    """Time K replicas in one call against K fits of ours: `ratio` by the estimators, `bins_shared` on the same bins.

    The call predicts the rows out of bag and draws its bags; the fits do neither. `bins_shared` is not the claim: it
    leaves out what the call saves by binning once and by copying no rows.
    """
    from heldout.trees import Binned

    draws = np.random.default_rng(seed)
    bags = [draws.integers(len(drawn.y), size=len(drawn.y)) for _ in range(n_replicas)]
    weights = np.stack([np.bincount(rows, minlength=len(drawn.y)) for rows in bags], axis=1)
    weights = np.asfortranarray(weights.astype(np.uint8))
    binned = Binned.from_array(drawn.X, n_threads=usable_processors())
    together = regressor(replicas=n_replicas, resampling="bootstrap", random_state=seed)
    works = {
        "ours": lambda: together.fit(drawn.X, drawn.y),
        "theirs": lambda: len(fit_one_by_one(drawn, bags)),
        "grown together": lambda: grow_together(binned, drawn.y, weights),
        "grown one by one": lambda: len(grow_one_by_one(binned, drawn.y, weights)),
    }
    with without_known_warnings():
        times, _ = time_works(works, repeats)
    engine = timing_row(times["grown together"], times["grown one by one"])
    note = f"on the same bins {engine['ours_seconds']:.4g} s, {engine['theirs_seconds']:.4g} s, {engine['ratio']:.2f}x"
    return {**timing_row(times["ours"], times["theirs"]), "bins_shared": engine["ratio"], "engine": engine,
            "note": note}  # fmt: skip
