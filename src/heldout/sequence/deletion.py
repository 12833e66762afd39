"""Whether attention says what matters: hiding what it looks at should hurt more than hiding as much at random.

::

    most attended tokens   [ ][x][ ][ ][ ][x][ ]  ->  loss a        difference a - r, window by window, paired;
    random tokens          [x][ ][ ][x][ ][ ][ ]  ->  loss r        explanatory only if its interval lies above 0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heldout._random import seed_of, stream
from heldout.errors import InvalidInput
from heldout.sequence.attending import attending_network, backbone_of, evenly_spaced, examples_of, make_request
from heldout.sequence.attention_weights import batch_weights
from heldout.sequence.block_resampling import ResampledSums, interval_ends, resampled_sums
from heldout.sequence.examples import Batch, Examples
from heldout.sequence.fitted import FittedForecast
from heldout.sequence.network import ForecastNetwork, forecast
from heldout.sequence.objective import losses_by_window
from heldout.sequence.torch_state import torch_as_found
from heldout.sequence.windows import Windows

if TYPE_CHECKING:
    from heldout.sequence.forecaster import Forecaster

__all__ = ["DeletionTest", "deletion_test"]

_MOST_WINDOWS = 400
_SERIES_AT_ONCE = 64


@dataclass(frozen=True)
class DeletionTest:
    """What it costs to hide the most attended tokens of the past, and as many random ones.

    Losses are means over windows, in units of the scale of the series.

    Parameters
    ----------
    difference : float
        Loss with the most attended hidden, minus the mean loss with as many random ones hidden.
    ci_low, ci_high : float
        Percentile interval of the difference, of a bootstrap over blocks of time or series. Unbounded for fewer than 5
        of these.
    confidence_level : float
    intact_loss, attended_loss, random_loss : float
        With nothing, the most attended and random tokens hidden.
    loss : str
        Which loss.
    share : float
        Of the tokens of the past that hold something, hidden; at least one.
    n_hidden : float
        Mean number of tokens hidden, of a window and variable.
    n_random, n_windows, n_units : int
    unit : {"block of time", "series"}
    """

    difference: float
    ci_low: float
    ci_high: float
    confidence_level: float
    intact_loss: float
    attended_loss: float
    random_loss: float
    loss: str
    share: float
    n_hidden: float
    n_random: int
    n_windows: int
    n_units: int
    unit: str

    @property
    def explanatory(self) -> bool:
        """Whether hiding what is attended to is shown to hurt more than hiding as much at random."""
        return self.ci_low > 0

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        part = f"hiding the most attended {100 * self.share:.3g} % of the past"
        if not np.isfinite(self.ci_low):
            units = "series" if self.unit == "series" else "blocks of time"
            return f"Not explanatory: {part} was tried on {self.n_units} {units}, too few for an interval."
        interval = f"{100 * self.confidence_level:.4g} % interval {self.ci_low:.3g} to {self.ci_high:.3g}"
        by = f"({self.difference:.3g}; {interval})"
        if self.explanatory:
            return f"Explanatory: {part} raises the loss by more than hiding as much at random {by}."
        return f"Not explanatory: {part} is not shown to hurt more than hiding as much at random {by}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and texts; None in place of an unbounded end."""
        numbers = asdict(self)
        for end in ("ci_low", "ci_high"):
            numbers[end] = numbers[end] if np.isfinite(numbers[end]) else None
        return numbers | {"explanatory": self.explanatory, "sentence": self.sentence}


def deletion_test(
    forecaster: Forecaster,
    windows: Windows | None = None,
    *,
    share: float = 0.2,
    n_random: int = 10,
    random_state: Any = 0,
    confidence_level: float = 0.95,
) -> DeletionTest:
    """Hide the tokens of the past that attention looks at most, and compare with hiding as many at random.

    Parameters
    ----------
    forecaster : Forecaster
        That kept its attention.
    windows : Windows, optional
        With known futures, and unknown to the network as it was before its last fit. Left out, at most 400 windows of
        the tail, evenly spaced.
    share : float, default 0.2
        Of the tokens of the past, to hide.
    n_random : int, default 10
        Random choices for each window.
    random_state : None, int or numpy generator, default 0
    confidence_level : float, default 0.95

    Returns
    -------
    DeletionTest

    Raises
    ------
    InvalidInput
        Attention was not kept, the network is recurrent, a parameter is not what it should be, or no window has a known
        future.

    Notes
    -----
    The network tested is the one trained before the tail, which never learned from the windows; the one that forecasts
    was trained again with them, and is not tested itself. Attention is summed over the rows of the future and averaged
    over heads, layers and replicas; equal weights are ranked at random. What is hidden is marked as missing, as a gap
    in the table is: its values are gone, no token sees it, and stage 0's forecast stays as it was. Random choices may
    hit attended tokens too. Units are drawn as `heldout.sequence.block_resampling.resampled_sums` does.

    A network that has seen no gaps in training is hurt by any; that part of the harm is in both losses alike.

    References
    ----------
    Hooker et al. (2019), A benchmark for interpretability methods in deep neural networks, section 3. Serrano and Smith
    (2019), Is attention interpretable?

    Examples
    --------
    >>> import polars as pl
    >>> from heldout.sequence import Forecaster
    >>> sold = np.random.default_rng(0).normal(size=90)
    >>> frame = pl.DataFrame({"day": np.arange(90), "sold": sold})
    >>> forecaster = Forecaster(2, time="day", target="sold", stage0=None, season=1, context=6, n_steps=2).fit(frame)
    >>> test = deletion_test(forecaster, n_random=2)
    >>> test.n_hidden, test.unit
    (1.0, 'block of time')
    """
    _check(share, n_random, confidence_level)
    attending_network(forecaster)
    fitted, seed = forecaster.result_.before_tail, seed_of(random_state)
    network = attending_network(forecaster, fitted)
    windows = _with_future(forecaster, windows)
    with torch_as_found(forecaster.n_jobs):
        trial = _Trial(network, fitted, examples_of(network, fitted, windows), share)
        losses, n_hidden = trial.run(n_random, stream(seed, "deletion"))
    drawn = _resampled(losses, windows, seed)
    low, high = interval_ends(drawn.sums[0] / np.maximum(drawn.sums[1], 1.0), drawn.n_units, confidence_level)
    intact, attended, random = (float(one) for one in losses.mean(axis=1))
    return DeletionTest(
        attended - random,
        low,
        high,
        confidence_level,
        intact,
        attended,
        random,
        fitted.loss,
        share,
        n_hidden,
        n_random,
        len(windows),
        drawn.n_units,
        drawn.unit,
    )


def _check(share: float, n_random: int, confidence_level: float) -> None:
    if not 0 < share < 1:
        raise InvalidInput(f"share must lie between 0 and 1, got {share!r}: 0.2 hides a fifth of the past")
    if isinstance(n_random, bool) or n_random != int(n_random) or n_random < 1:
        raise InvalidInput(f"n_random must be a whole number from 1 on, got {n_random!r}: try 10")
    if not 0 < confidence_level < 1:
        raise InvalidInput(f"confidence_level must lie between 0 and 1, got {confidence_level!r}: try 0.95")


def _with_future(forecaster: Forecaster, windows: Windows | None) -> Windows:
    """Return the windows asked for that know some of their future."""
    given = forecaster.result_.tail if windows is None else windows
    known = np.flatnonzero(np.isfinite(given.future()).any(axis=(1, 2)))
    if not len(known):
        raise InvalidInput(
            f"the deletion test needs windows whose futures are known, got {len(given)} windows and none of them: "
            "pass windows of a longer table"
        )
    return given.take(known[evenly_spaced(len(known), _MOST_WINDOWS)] if windows is None else known)


def _resampled(losses: NDArray[np.float64], windows: Windows, seed: int) -> ResampledSums:
    """Return resampled sums of the difference of losses (intact, attended, random), and of windows."""
    _, attended, random = losses
    return resampled_sums(
        np.stack([attended - random, np.ones(len(windows))]),
        windows.sequences.count[windows.origin],
        windows.series,
        block=float(windows.horizon),
        rng=stream(seed, "deletion interval"),
    )


class _Trial:
    """Losses of windows with nothing, the most attended and random tokens hidden."""

    def __init__(self, network: ForecastNetwork, fitted: FittedForecast, examples: Examples, share: float) -> None:
        self.network, self.fitted, self.examples, self.share = network, fitted, examples, share
        self.request = make_request(network.design, None, None, None)
        self.gaps, self.shifts, self.levels = (
            torch.from_numpy(one).to(torch.float32).to(examples.device)
            for one in (fitted.spread, fitted.shifts, fitted.levels)
        )

    def run(self, n_random: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
        """Return losses, shape (3, n_windows), and the mean number of tokens hidden."""
        losses, numbers = [], []
        for batch in self._batches():
            attention, present = self._attention(batch)
            n = np.where(present.any(axis=-1), np.maximum(1, np.round(self.share * present.sum(axis=-1))), 0)
            chosen = _highest(attention, present, n, rng)
            equal = np.zeros_like(attention)
            random = [self._losses(self._hide(batch, _highest(equal, present, n, rng))) for _ in range(n_random)]
            losses.append([self._losses(batch), self._losses(self._hide(batch, chosen)), np.mean(random, axis=0)])
            numbers.append(n.ravel())
        return np.concatenate(losses, axis=1), float(np.concatenate(numbers).mean())

    def _batches(self) -> Iterator[Batch]:
        size = max(1, _SERIES_AT_ONCE // self.network.design.shape.n_variables)
        for start in range(0, len(self.examples), size):
            chosen = torch.arange(start, min(start + size, len(self.examples)), device=self.examples.device)
            yield self.examples.gather(chosen)

    def _attention(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return what each past token gets from all rows together, shape (n_windows, n_variables, n_past)."""
        found = batch_weights(self.network, batch, self.request)
        first = backbone_of(self.network).n_registers
        n_past = self.network.design.n_past
        past = found.along[..., first : first + n_past].double()
        present = found.present[..., :n_past].cpu().numpy()
        return past.sum(dim=-2).mean(dim=(0, 1, 4)).cpu().numpy(), present

    def _hide(self, batch: Batch, hidden: NDArray[np.bool_]) -> Batch:
        """Return a batch whose steps in tokens (n_windows, n_variables, n_past) are unknown, so that none sees them."""
        design = self.network.design
        tokens = torch.from_numpy(hidden).to(batch.context.device)
        steps = tokens.repeat_interleave(design.patch, dim=-1)[..., -design.shape.length :]
        return replace(
            batch,
            context=batch.context.masked_fill(steps, 0.0),
            context_known=batch.context_known.masked_fill(steps, 0.0),
        )

    def _losses(self, batch: Batch) -> NDArray[np.float64]:
        """Return the loss of the calibrated forecast of each window."""
        with torch.no_grad():
            point, quantiles = forecast(self.network, batch, self.gaps)
            point, quantiles = point.mean(dim=0, keepdim=True), quantiles.mean(dim=0, keepdim=True)
            quantiles = (quantiles + self.shifts).cummax(dim=-1).values
            lost: Tensor = losses_by_window(point, quantiles, batch, self.levels, self.fitted.loss)[0]
        return lost.cpu().double().numpy()


def _highest(
    score: NDArray[np.float64], present: NDArray[np.bool_], n: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which are the n present tokens with the highest scores; equal ones in random order."""
    order = np.lexsort((rng.random(score.shape), np.where(present, score, -np.inf)), axis=-1)
    place = np.argsort(order[..., ::-1], axis=-1)
    return np.asarray(place < n[..., None])
