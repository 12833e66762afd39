"""Rows that all replicas have: the warning names what would leave them out, and tears nothing apart."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heldout import BoostingRegressor
from heldout.resampling import Blocks, Bootstrap, Disjoint, Draw, Given, Groups, Poisson, Subsample

N = 120


class Halves:
    """A scheme of the user's: the second half is never left out."""

    def draw(self, n_rows: int, n_replicas: int, *, groups: Any = None, random_state: Any = 0) -> Draw:  # noqa: ARG002
        weights = np.ones((n_rows, n_replicas), dtype=np.uint8)
        weights[: n_rows // 2, 0] = 0
        return Draw(weights)


def bags(n_replicas: int) -> NDArray[np.int64]:
    weights = np.ones((N, n_replicas), dtype=int)
    weights[:40, 0] = 0
    return weights


ROLES = np.where(np.arange(N)[:, None] < 10, 2, 0) * (bags(2) == 0)

BY_SHARE = "ask for more replicas, or a smaller share"
CASES: list[tuple[Any, int, str]] = [
    (Bootstrap(), 2, "ask for more replicas"),
    (Bootstrap(), 5, 'ask for more replicas, or resampling="subsample", which leaves each row out equally often'),
    (Poisson(), 5, 'ask for more replicas, or resampling="subsample", which leaves each row out equally often'),
    (Subsample(0.8), 3, BY_SHARE),
    (Groups(), 2, "ask for more replicas"),
    (Groups(), 5, "ask for more replicas, or Groups(share=0.8), which leaves each group out equally often"),
    (Groups(0.8), 3, BY_SHARE),
    (Blocks(3), 2, "ask for more replicas"),
    (Blocks(3, gap=1), 2, "ask for more replicas, or a smaller gap"),
    (Disjoint(100), 2, "ask for more replicas, or smaller sizes"),
    (bags(2), 2, "give each row weight 0 in some column of resampling"),
    (Given(bags(2), ROLES), 2, "give each row weight 0, with bit 2 of its role in some column of resampling"),
    (Halves(), 2, "ask for more replicas"),
]


@pytest.mark.parametrize(("resampling", "n_replicas", "remedy"), CASES, ids=lambda value: f"{value!s:.30}")
def test_the_remedy_is_one_of_the_scheme(resampling: Any, n_replicas: int, remedy: str, seed: int) -> None:
    """The remedy ends the message, so that nothing else is advised."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 2))
    groups = np.arange(N) % 40 if isinstance(resampling, Groups) else None
    model = BoostingRegressor(replicas=n_replicas, resampling=resampling, n_trees=1, random_state=0)
    with pytest.warns(UserWarning, match=rf"\d+ of {N} rows are in the bag of all .*: {re.escape(remedy)}$") as caught:
        model.fit(X, X[:, 0], groups=groups)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("resampling", "where"),
    [
        (Blocks(3, gap=1), "2 replicas or within its gap, so NaN"),
        (Given(bags(2), ROLES), "2 replicas or without bit 2 of a role, so NaN"),
        (bags(2), "2 replicas, so NaN"),
    ],
    ids=str,
)
def test_rows_that_are_out_but_not_predicted_are_told_of(resampling: Any, where: str) -> None:
    X = np.arange(N, dtype=float)[:, None]
    with pytest.warns(UserWarning, match=where):
        BoostingRegressor(replicas=2, resampling=resampling, n_trees=1, random_state=0).fit(X, X[:, 0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("resampling", "n_replicas"), [(Subsample(0.8), 5), (Groups(0.8), 5), ("kfold", 2), (Blocks(3), 40)], ids=str
)
def test_what_is_advised_leaves_every_row_out(resampling: Any, n_replicas: int) -> None:
    X = np.arange(N, dtype=float)[:, None]
    groups = np.arange(N) % 40 if isinstance(resampling, Groups) else None
    model = BoostingRegressor(replicas=n_replicas, resampling=resampling, n_trees=1, random_state=0)
    assert np.isfinite(model.fit(X, X[:, 0], groups=groups).oob_prediction_).all()


def test_where_nothing_is_left_out_the_wish_for_none_can_be_said() -> None:
    X = np.arange(2, dtype=float)[:, None]
    given = BoostingRegressor(replicas=2, resampling=np.ones((2, 2)), n_trees=1)
    said = "no row is out .*: give each row weight 0 in some column of resampling, or pass resampling=None"
    with pytest.warns(UserWarning, match=said):
        given.fit(X, X[:, 0])
