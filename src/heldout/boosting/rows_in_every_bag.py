"""Rows that no replica has left out: how many, and what would leave them out, which depends on how rows are drawn."""

from __future__ import annotations

import warnings

from heldout.resampling import Blocks, Bootstrap, Disjoint, Given, Groups, Poisson, Resampling, Subsample

__all__ = ["warn_of_rows_in_every_bag"]

_SETTLED = 5
"""Replicas with which shares of 80 %, drawn in turn, leave out everything."""


def warn_of_rows_in_every_bag(n_missed: int, n_rows: int, n_replicas: int, resampling: Resampling) -> None:
    """Warn once of training rows that have no prediction out of bag."""
    if not n_missed:
        return
    remedy = _remedy(resampling, n_replicas)
    if n_missed == n_rows:
        what = f"no row is out of the bag of any of {n_replicas} replicas, so there is no out-of-bag error"
        remedy = f"{remedy}, or pass resampling=None to say that none is wanted"
    else:
        verb = "is" if n_missed == 1 else "are"
        where = f"in the bag of all {n_replicas} replicas{_or_where_else(resampling)}"
        what = f"{n_missed} of {n_rows} rows {verb} {where}, so NaN is their prediction"
    warnings.warn(f"{what}: {remedy}", UserWarning, stacklevel=5)


def _remedy(resampling: Resampling, n_replicas: int) -> str:
    """Return what leaves more rows out and still keeps together what the resampling draws together."""
    if isinstance(resampling, Given):
        bit = "" if resampling.roles is None else ", with bit 2 of its role"
        return f"give each row weight 0{bit} in some column of resampling"
    others = ""
    if isinstance(resampling, Bootstrap | Poisson) and n_replicas >= _SETTLED:
        others = ', or resampling="subsample", which leaves each row out equally often'
    elif isinstance(resampling, Groups) and resampling.share is None and n_replicas >= _SETTLED:
        others = ", or Groups(share=0.8), which leaves each group out equally often"
    elif isinstance(resampling, Subsample) or (isinstance(resampling, Groups) and resampling.share is not None):
        others = ", or a smaller share"
    elif isinstance(resampling, Disjoint):
        others = ", or smaller sizes"
    elif isinstance(resampling, Blocks) and resampling.gap:
        others = ", or a smaller gap"
    return f"ask for more replicas{others}"


def _or_where_else(resampling: Resampling) -> str:
    """Return where rows without a prediction may be beside the bags."""
    if isinstance(resampling, Blocks) and resampling.gap:
        return " or within its gap"
    if isinstance(resampling, Given) and resampling.roles is not None:
        return " or without bit 2 of a role"
    return ""
