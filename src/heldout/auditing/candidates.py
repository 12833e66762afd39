"""The candidates: what is tried on every table, from the simplest to the most complex.

Each is a scikit-learn estimator whose preprocessing is inside it, so that cloning and fitting it within a
fold refits encoders, imputation and scaling on the training part alone. The list is ordered by simplicity:
of candidates that tie, the first in the list is chosen.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from heldout.auditing.baselines import LastValueClassifier, LastValueRegressor
from heldout.auditing.nearest import NearestClassifier, NearestRegressor
from heldout.boosting import BoostingClassifier, BoostingRegressor
from heldout.errors import HeldoutError, InvalidInput
from heldout.table import OrdinalEncoder, ScaledEncoder

__all__ = ["Candidate", "blamed_on", "default_candidates", "resolve_candidates"]

Task = Literal["regression", "classification"]

_MEMBERS = 10
_TIMES_ROUNDS = 3


@dataclass(frozen=True)
class Candidate:
    """One way to predict the target.

    Parameters
    ----------
    name : str
        As on the command line and in `report.json`.
    label : str
        As printed in sentences.
    estimator : scikit-learn estimator
        Not fitted; every use clones it.
    is_baseline : bool
        Whether it ignores the features. A model that does not beat the best baseline shows no signal.
    is_foreign : bool
        Whether the user brought it. It is then handed row slices of the user's own frame.
    made_of : str
        Name of the candidate that this one repeats, where that makes it costly: an extra, which is the first to be
        left out when time is short. Empty for those that are always scored.
    times : int
        How many times as long as that one it takes at most.
    """

    name: str
    label: str
    estimator: Any
    is_baseline: bool = False
    is_foreign: bool = False
    made_of: str = ""
    times: int = 1

    @property
    def is_extra(self) -> bool:
        """Whether it is scored only where the time allows."""
        return bool(self.made_of)


@dataclass(frozen=True)
class _Encoders:
    """The encoders in front of a model: they know the table's column kinds, so no fold guesses them anew."""

    task: Task
    kinds: Mapping[str, str] | None

    def scaled(self, model: Any) -> Pipeline:
        return Pipeline([("encoder", ScaledEncoder(kinds=self.kinds, task=self.task)), ("model", model)])

    def ordinal(self, model: Any) -> Pipeline:
        return Pipeline([("encoder", OrdinalEncoder(kinds=self.kinds, task=self.task)), ("model", model)])


def _regression(ordered: bool, independent: bool, encode: _Encoders) -> list[Candidate]:
    # Leaf sizes and counts are those of the design; none is tuned on any table.
    penalties = [10.0**power for power in range(-3, 6)]
    last = [Candidate("last-value", "the last value", LastValueRegressor(), is_baseline=True)] if ordered else []
    return [
        Candidate("baseline", "predicting the mean", DummyRegressor(), is_baseline=True),
        *last,
        Candidate("ridge", "ridge regression", encode.scaled(RidgeCV(penalties))),
        Candidate("tree", "a single tree", encode.ordinal(DecisionTreeRegressor(min_samples_leaf=10))),
        Candidate("knn", "nearest neighbours", encode.scaled(NearestRegressor(10))),
        Candidate(
            "forest",
            "a forest",
            encode.ordinal(RandomForestRegressor(50, min_samples_leaf=5, max_features=1 / 3)),
        ),
        Candidate("boosting", "boosting", encode.ordinal(BoostingRegressor())),
        _bagged(encode.ordinal(BoostingRegressor(**_bagging(100, independent)))),
    ]


def _bagging(n_rounds: int, independent: bool) -> dict[str, Any]:
    """Return what makes boosting a bag.

    Each member learns from 80 % of the rows, and each row is left out by two of them; of ten bootstraps, one row in a
    hundred would be left out by none. Only where rows are independent do the rows left out tell the best round: one
    whose group, whose neighbours in time, or whose exact copies were learned from asks for too many.
    """
    drawn: dict[str, Any] = {"replicas": _MEMBERS, "resampling": "subsample"}
    if not independent:
        return {"n_trees": n_rounds, **drawn}
    return {"n_trees": _TIMES_ROUNDS * n_rounds, "early_stopping": "out_of_bag", **drawn}


def _bagged(boosting: Pipeline) -> Candidate:
    # At most so often the time of one: members share bins and calls, and few go through all their rounds.
    times = _MEMBERS * (2 if boosting[-1].early_stopping else 1)
    return Candidate("bagged-boosting", "bagged boosting", boosting, made_of="boosting", times=times)


def boosting_rounds(n_classes: int) -> int:
    """Return the rounds of boosting: a tree per class and round makes many classes slow, so they get fewer rounds.

    Examples
    --------
    >>> boosting_rounds(2), boosting_rounds(11), boosting_rounds(100)
    (100, 27, 20)
    """
    return int(min(max(300 // max(n_classes, 1), 20), 100))


def _classification(ordered: bool, independent: bool, n_classes: int, encode: _Encoders) -> list[Candidate]:
    last = [Candidate("last-value", "the last class", LastValueClassifier(), is_baseline=True)] if ordered else []
    return [
        Candidate("baseline", "predicting the class shares", DummyClassifier(), is_baseline=True),
        *last,
        Candidate("logistic", "logistic regression", encode.scaled(LogisticRegression(max_iter=300, tol=1e-3))),
        Candidate("tree", "a single tree", encode.ordinal(DecisionTreeClassifier(min_samples_leaf=10))),
        Candidate("knn", "nearest neighbours", encode.scaled(NearestClassifier(10))),
        Candidate(
            "forest",
            "a forest",
            encode.ordinal(RandomForestClassifier(50, min_samples_leaf=5, max_features=1 / 3)),
        ),
        Candidate(
            "boosting",
            "boosting",
            encode.ordinal(BoostingClassifier(n_trees=boosting_rounds(n_classes))),
        ),
        _bagged(encode.ordinal(BoostingClassifier(**_bagging(boosting_rounds(n_classes), independent)))),
    ]


def default_candidates(
    task: Task,
    *,
    ordered: bool = False,
    independent: bool = True,
    n_classes: int = 2,
    kinds: Mapping[str, str] | None = None,
) -> list[Candidate]:
    """Return the built-in candidates of a task, simplest first.

    Parameters
    ----------
    task : "regression" or "classification"
    ordered : bool, default False
        Whether rows are predicted forward in time: then the last value seen is a baseline too.
    independent : bool, default True
        Whether single rows are held out, without copies to keep together: then bagged boosting stops out of bag.
    n_classes : int, default 2
    kinds : mapping of str to str, optional
        The table's column kinds; without them encoders tell them from the rows they are fitted on.

    Examples
    --------
    >>> [candidate.name for candidate in default_candidates("regression")]
    ['baseline', 'ridge', 'tree', 'knn', 'forest', 'boosting', 'bagged-boosting']
    """
    encode = _Encoders(task, kinds)
    if task == "regression":
        return _regression(ordered, independent, encode)
    return _classification(ordered, independent, n_classes, encode)


def _import_estimator(path: str) -> Any:
    module_name, _, attribute = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        return found() if isinstance(found, type) else found
    except (Exception, SystemExit) as error:  # a user's module may raise anything when it is imported
        raise InvalidInput(f"cannot import candidate {path!r} ({error}): write package.module:estimator") from error


def _one(entry: Any, built_in: dict[str, Candidate]) -> Candidate:
    if isinstance(entry, Candidate):
        return entry
    if isinstance(entry, str):
        if entry in built_in:
            return built_in[entry]
        if ":" in entry:
            estimator = _import_estimator(entry)
            return _checked(Candidate(entry.partition(":")[2], entry, estimator, is_foreign=True))
        raise InvalidInput(
            f"unknown candidate {entry!r}: choose from {', '.join(built_in)}, or write package.module:estimator"
        )
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
        return _checked(Candidate(entry[0], entry[0], entry[1], is_foreign=True))
    raise InvalidInput(f"a candidate is a name or a pair (name, estimator), got {entry!r}")


def _checked(candidate: Candidate) -> Candidate:
    if isinstance(candidate.estimator, type):
        raise InvalidInput(
            f"candidate {candidate.name!r} is a class: pass {candidate.estimator.__name__}(), an estimator"
        )
    for method in ("fit", "predict", "get_params"):
        if not hasattr(candidate.estimator, method):
            raise InvalidInput(f"candidate {candidate.name!r} has no method {method}(): pass a scikit-learn estimator")
    return candidate


@contextmanager
def blamed_on(candidate: Candidate) -> Iterator[None]:
    """Say whose fault it is when fitting or predicting fails: a candidate of the user's is for the user to mend.

    Raises
    ------
    InvalidInput
        Whatever the user's own estimator raised. What heldout had to say about it keeps its words, after the name of
        the candidate.
    """
    try:
        yield
    except InvalidInput as error:
        if not candidate.is_foreign:
            raise
        raise InvalidInput(f"candidate {candidate.name!r}: {error}") from error
    except (HeldoutError, MemoryError):
        raise
    except Exception as error:
        if not candidate.is_foreign:
            raise
        what = f"{type(error).__name__}: {' '.join(str(error).split()[:40])}"
        raise InvalidInput(f"candidate {candidate.name!r} failed ({what}): mend it, or leave it out") from error


def resolve_candidates(
    entries: Sequence[Any] | None,
    task: Task,
    *,
    ordered: bool = False,
    independent: bool = True,
    n_classes: int = 2,
    kinds: Mapping[str, str] | None = None,
) -> list[Candidate]:
    """Turn names and (name, estimator) pairs into candidates; the baselines are always among them.

    Parameters
    ----------
    entries : sequence of str, (str, estimator) or None
        None means all built-in ones. Strings are names of built-in ones or ``package.module:estimator``. What is
        named is no extra.
        The user's own come after the built-in ones in the order of simplicity.

    Raises
    ------
    InvalidInput
        An unknown name, two candidates of one name, or something that is no estimator.
    """
    built_in = {
        candidate.name: candidate
        for candidate in default_candidates(
            task, ordered=ordered, independent=independent, n_classes=n_classes, kinds=kinds
        )
    }
    if entries is None:
        return list(built_in.values())
    if isinstance(entries, str):
        entries = entries.split(",")
    chosen = [_one(entry, built_in) for entry in entries]
    named = {candidate.name for candidate in chosen if not candidate.is_foreign}
    own = [candidate for candidate in chosen if candidate.is_foreign]
    asked_for = set(named)
    if own and not named - {"baseline", "last-value"} and all(not isinstance(e, str) for e in entries):
        # candidates=[("mine", estimator)] adds to the built-in ones; naming any of those chooses among them.
        named = set(built_in)
    ours = [c for c in built_in.values() if c.is_baseline or c.name in named]
    names = [c.name for c in (*ours, *own)]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"two candidates are named {name!r}: give each its own name")
    return [*(replace(c, made_of="") if c.name in asked_for else c for c in ours), *(replace(c) for c in own)]
