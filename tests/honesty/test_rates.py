"""The report is right about itself: rates over many tables whose truth is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

import heldout as ho
from heldout.auditing import default_candidates

from statistical import assert_rate, power
from tables import drifting_table, grouped_table, noise_table, signal_table

pytestmark = pytest.mark.slow

# Cheap candidates keep a hundred audits under two minutes; the rule of choice is the same with all of them.
CANDIDATES = ["ridge", "tree", "knn"]
CHEAP = {"regression": CANDIDATES, "classification": ["logistic", "tree", "knn"]}


def test_pure_noise_is_called_no_signal_and_split_at_random(seed: int) -> None:
    # Power of 100 tables against a claim of 0.95: a true rate of 0.75 fails with this probability.
    print(f"power against a true rate of 0.75: {power(100, 0.95, 0.75):.2f}")
    no_signal = at_random = 0
    for run in range(100):
        task = "regression" if run % 2 else "classification"
        frame = noise_table(np.random.default_rng([seed, run]), 120, task)
        audit = ho.audit(frame, "y", candidates=CHEAP[task], time_budget=0.5, random_state=run, n_jobs=1)
        no_signal += audit.document["advice"][0]["action"] == "no_signal"
        at_random += audit.document["split"]["scheme"] in {"random", "stratified"}
    assert_rate("noise called no signal", no_signal, 100, at_least=0.95)
    assert_rate("IID noise tables split at random", at_random, 100, at_least=0.95)


def test_iid_tables_with_signal_are_split_at_random(seed: int) -> None:
    hits = 0
    for run in range(100):
        frame = signal_table(np.random.default_rng([seed, 1, run]), 150)
        report = ho.iid.check(frame.drop("y"), frame["y"].to_numpy(), random_state=run)
        hits += report.choice.scheme == "random"
    assert_rate("IID signal tables split at random", hits, 100, at_least=0.95)


def deployment_error(audit: ho.Audit, fresh: pl.DataFrame) -> float:
    prediction = audit.best.predict(fresh)["prediction"].to_numpy()
    return float(np.sqrt(np.mean((prediction - fresh["y"].to_numpy()) ** 2)))


def test_the_error_on_new_groups_lies_in_the_interval_and_a_random_split_promises_less(seed: int) -> None:
    runs, inside, promised_less = 60, 0, 0
    for run in range(runs):
        rng = np.random.default_rng([seed, 2, run])
        # Neighbours find a row's own subject by its marks, which is of no use for a new subject.
        audit = ho.audit(
            grouped_table(rng, 24, 8),
            "y",
            group="subject",
            candidates=["knn"],
            time_budget=1,
            random_state=run,
            n_jobs=1,
        )
        winner = audit.document["winner"]
        truth = deployment_error(audit, grouped_table(rng, 400, 4))
        inside += winner["ci_low"] <= truth <= winner["ci_high"]
        promised_less += winner["is_baseline"] or audit.document["optimism"]["error_random"] < truth
    print(f"power against a true rate of 0.65: {power(runs, 0.9, 0.65):.2f}")
    assert_rate("error on new groups inside the interval", inside, runs, at_least=0.9)
    assert_rate("random split promised less than new groups gave", promised_less, runs, at_least=0.95)


def test_the_error_on_later_rows_lies_in_the_interval_and_a_random_split_promises_less(seed: int) -> None:
    runs, promised_less = 60, 0
    intervals, errors = [], []
    tree = next(c.estimator for c in default_candidates("regression") if c.name == "tree")
    for run in range(runs):
        rng = np.random.default_rng([seed, 3, run])
        past = drifting_table(rng, 450)
        document = ho.audit(
            past, "y", time="day", drop=["wave"], candidates=["tree"], time_budget=1, random_state=run, n_jobs=1
        ).document
        judged = next(c for c in document["candidates"] if c["name"] == "tree")
        intervals.append((judged["ci_low"], judged["ci_high"]))
        # The futures that this past could have, one block long as in the folds.
        futures = pl.concat([drifting_table(rng, 50, after=past) for _ in range(20)])
        model = clone(tree).fit(past[["clock", "dose"]], past["y"].to_numpy())
        misses = model.predict(futures[["clock", "dose"]]) - futures["y"].to_numpy()
        errors.append(float(np.sqrt(np.mean(misses**2))))
        promised_less += document["optimism"]["error_random"] < errors[-1]
    # What later rows cost this learner on average, over pasts and futures: an audit sees one past.
    expected = float(np.sqrt(np.mean(np.square(errors))))
    inside = sum(low <= expected <= high for low, high in intervals)
    # Eight blocks of a wave that is forgotten after two: neighbouring blocks are not quite independent.
    print(f"power against a true rate of 0.55: {power(runs, 0.85, 0.55):.2f}")
    assert_rate("error on later rows inside the interval", inside, runs, at_least=0.85)
    assert_rate("random split promised less than later rows gave", promised_less, runs, at_least=0.9)
