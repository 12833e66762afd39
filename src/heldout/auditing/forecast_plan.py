"""The plan of an audit of forecasts: what was carried out, so that it can be carried out again to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from heldout.errors import DataError

__all__ = ["ForecastPlan", "NetworkSizes"]


@dataclass(frozen=True)
class NetworkSizes:
    """Of the attention network.

    Parameters
    ----------
    stands_on : str
        The baseline that it stands on.
    context, width, depth, batch_size, n_steps, n_threads : int
    enough : bool
        Whether training had steps enough to be judged by.
    """

    stands_on: str
    context: int
    width: int
    depth: int
    batch_size: int
    n_steps: int
    n_threads: int
    enough: bool


@dataclass
class ForecastPlan:
    """What is carried out, filled in as the audit goes along.

    Parameters
    ----------
    time_budget : float
    horizon : int
    candidates : list of str
        That were scored.
    network : NetworkSizes or None
    n_resamples : int
    fits, rows : int
    left_out : list of str
    given : bool
        Whether it was read from an earlier report: then the clock decides nothing.
    interrupted : bool
    """

    time_budget: float
    horizon: int
    candidates: list[str] = field(default_factory=list)
    network: NetworkSizes | None = None
    n_resamples: int = 1000
    fits: int = 0
    rows: int = 0
    left_out: list[str] = field(default_factory=list)
    given: bool = False
    interrupted: bool = False

    @classmethod
    def from_document(cls, document: Mapping[str, Any], horizon: int) -> ForecastPlan:
        """Read the plan out of a report.

        Raises
        ------
        DataError
            The document is no report of an audit of forecasts of that horizon.
        """
        plan = document.get("plan")
        if not isinstance(plan, Mapping) or "forecasters" not in plan:
            raise DataError(
                "the file given as plan has no plan of forecasts in it: pass a report.json of such an audit"
            )
        if plan.get("horizon") != horizon:
            raise DataError(f"the plan given is for a horizon of {plan.get('horizon')}, this audit has {horizon}")
        try:
            sizes = plan["network"]
            return cls(
                time_budget=float(plan["time_budget"]),
                horizon=horizon,
                candidates=[str(name) for name in plan["forecasters"]],
                network=None if sizes is None else _sizes(sizes),
                n_resamples=int(plan["n_resamples"]),
                left_out=[str(sentence) for sentence in plan["left_out"]],
                given=True,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the plan in that report is damaged ({type(error).__name__}: {error}): "
                "pass a report.json as heldout audit wrote it"
            ) from error

    def note(self, sentence: str) -> None:
        """Note what was left out, or that a plan fits badly."""
        if sentence not in self.left_out:
            self.left_out.append(sentence)

    def note_other(self, document: Mapping[str, Any] | None, seed: int, sha256: str | None) -> None:
        """Note that a given plan was carried out with another seed, or on another file."""
        if document is None:
            return
        if document.get("seed") not in (None, seed):
            self.note(f"the plan given was carried out with seed {document['seed']}, this audit has seed {seed}")
        made_for = (document.get("data") or {}).get("sha256")
        if made_for is not None and sha256 is not None and made_for != sha256:
            self.note("the plan given was made for another table")

    def interrupt(self, sentence: str) -> None:
        """Note that the user stopped the audit: what is finished is kept, and no further stage begins."""
        self.interrupted = True
        self.note(sentence)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as it stands in `report.json`."""
        return {
            "time_budget": self.time_budget,
            "horizon": self.horizon,
            "forecasters": list(self.candidates),
            "network": None if self.network is None else asdict(self.network),
            "n_resamples": self.n_resamples,
            "fits": self.fits,
            "rows": self.rows,
            "left_out": list(self.left_out),
        }


def _sizes(sizes: Mapping[str, Any]) -> NetworkSizes:
    whole = {name: int(sizes[name]) for name in ("context", "width", "depth", "batch_size", "n_steps", "n_threads")}
    if min(whole.values()) < 1:
        raise ValueError(f"a size of the network is {min(whole.values())}")
    return NetworkSizes(stands_on=str(sizes["stands_on"]), enough=bool(sizes["enough"]), **whole)
