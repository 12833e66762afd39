"""Forecasts of time series that say whether attention was worth it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from heldout._random import seed_of
from heldout.errors import InvalidInput
from heldout.sequence.attention_maps import AttentionMaps, attention_maps
from heldout.sequence.backtest import Backtest, run_backtest
from heldout.sequence.fitted import Forecasts
from heldout.sequence.fitted_at import FittedAt
from heldout.sequence.fitting import FitResult, fit_forecast
from heldout.sequence.forecast_frame import forecast_frame, like_given, path_frame
from heldout.sequence.known_future import with_known_future
from heldout.sequence.paths import draw_paths, tail_ranks
from heldout.sequence.plan import FitPlan
from heldout.sequence.quantiles import check_levels
from heldout.sequence.reading import count_of_time, read_sequences, read_sequences_like
from heldout.sequence.sequences import Sequences
from heldout.sequence.torch_state import choose_device, torch_as_found
from heldout.sequence.windows import Windows, last_origins

__all__ = ["Forecaster"]

_LOSSES = ("quantile", "absolute_error", "squared_error")


class Forecaster(BaseEstimator):
    """Forecast the next steps of one or many time series, attention only where it was shown to help.

    A simple forecast (stage 0) comes first. A network of self-attention is trained on what stage 0 gets wrong, from an
    output of zero, and kept only if on the last part of time, which neither learned from, the interval of its
    improvement lies above zero. What is kept is then fitted again on all rows.

    Parameters
    ----------
    horizon : int
        Steps to forecast.
    group : str or sequence of str, optional
        Columns that name the series of a row.
    time : str or sequence of str
        Dates or numbers.
    target : str or sequence of str
        Columns to forecast; several are variables of the same series.
    known : sequence of str
        Columns whose future is known in advance. Numbers or categories.
    static : sequence of str
        Columns that do not change within a series.
    quantiles : sequence of float
        Levels to forecast; they never cross.
    stage0 : str or None, default "auto"
        "last-value", "seasonal-naive", "drift", "theta", "ridge", "theta-and-ridge" (their mean), "boosting"; "auto"
        takes the one with the least loss on the tail; None trains attention alone, from the last value, and keeps it.
    season : int or "auto"
        Steps of a season.
    loss : {"quantile", "absolute_error", "squared_error"}
        What stage 0 is chosen by and attention judged by. The point forecast is the median, and the mean with
        "squared_error".
    time_budget : float, default 60
        Seconds for the whole fit. It is turned into `n_steps_`; stage 0 has a fixed minimum.
    replicas : int, default 1
        Networks trained at once on random weights of series or blocks of time.
    encoder : {"attention", "recurrent"}
        "recurrent" puts gated recurrent units in the place of attention, to compare.
    cross : bool, default False
        Whether every second layer attends across variables.
    context, width, depth, n_steps, batch_size : int, optional
        Sizes; chosen if left out. A fit with the sizes of another one repeats it to the bit.
    checkpoint : path, optional
        File from which a killed fit goes on.
    confidence_level : float, default 0.95
        Of the interval of the improvement.
    device : str, default "auto"
        "cpu", "cuda"; "auto" takes cuda where there is one.
    n_jobs : int, optional
        Threads of torch; all if left out.
    random_state : None, int or numpy generator, default 0

    Attributes
    ----------
    stage0_ : str or None
        Name of the stage 0 taken.
    stage0_losses_ : dict of str to float
        Mean loss on the tail of each that was tried, in units of the scale of the series.
    improvement_ : Improvement or None
        Of attention over stage 0 on the tail, paired, with its interval.
    kept_ : bool
        Whether attention is part of the forecast.
    n_steps_, depth_, width_, context_, batch_size_ : int
        Sizes of the network that was trained. Not there where no series was long enough to train on.
    out_of_bag_ : OutOfBag or None
        Loss and variance of several replicas on windows that they did not count.
    notes_ : tuple of str
        What was mended in the table, and what could not be done.

    Notes
    -----
    Losses are in units of the scale of each series: the mean absolute change over a season, up to the origin. Quantiles
    are calibrated on the tail, step by step: no guarantee; observed on past origins.

    References
    ----------
    Vaswani et al. (2017), Attention is all you need. Nie et al. (2023), A time series is worth 64 words (patches).
    Romano, Patterson, Candes (2019), Conformalized quantile regression.

    Examples
    --------
    >>> import numpy as np, polars as pl
    >>> day = np.arange(140)
    >>> frame = pl.DataFrame({"day": day, "sold": 10 + np.sin(2 * np.pi * day / 7)})
    >>> forecaster = Forecaster(3, time="day", target="sold", stage0="seasonal-naive", n_steps=2).fit(frame)
    >>> forecaster.predict()["prediction"].round(2).to_list()
    [10.0, 10.78, 10.97]
    """

    def __init__(
        self,
        horizon: int,
        group: str | Sequence[str] | None = None,
        time: str | Sequence[str] | None = None,
        target: str | Sequence[str] | None = None,
        *,
        known: Sequence[str] = (),
        static: Sequence[str] = (),
        quantiles: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
        stage0: str | None = "auto",
        season: int | str = "auto",
        loss: str = "quantile",
        time_budget: float = 60.0,
        replicas: int = 1,
        encoder: str = "attention",
        cross: bool = False,
        context: int | None = None,
        width: int | None = None,
        depth: int | None = None,
        n_steps: int | None = None,
        batch_size: int | None = None,
        checkpoint: str | Path | None = None,
        confidence_level: float = 0.95,
        device: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.horizon = horizon
        self.group = group
        self.time = time
        self.target = target
        self.known = known
        self.static = static
        self.quantiles = quantiles
        self.stage0 = stage0
        self.season = season
        self.loss = loss
        self.time_budget = time_budget
        self.replicas = replicas
        self.encoder = encoder
        self.cross = cross
        self.context = context
        self.width = width
        self.depth = depth
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.checkpoint = checkpoint
        self.confidence_level = confidence_level
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Forecaster:  # noqa: ARG002 - the target is a column
        """Fit to a table of series.

        Parameters
        ----------
        X : frame or Table
            One row per series and time, in any order.
        y : ignored

        Returns
        -------
        Forecaster
            Itself.

        Raises
        ------
        InvalidInput
            A parameter is not what it should be.
        DataError
            As `heldout.sequence.reading.read_sequences`.
        """
        plan = self._plan()
        return self._fit_sequences(self._read(X), plan)

    def _fit_sequences(self, sequences: Sequences, plan: FitPlan) -> Forecaster:
        with torch_as_found(self.n_jobs):
            result = fit_forecast(sequences, plan)
            self.ranks_ = tail_ranks(result.before_tail, result.tail)
        self.sequences_ = sequences
        self._remember(result)
        return self

    def _remember(self, result: FitResult) -> None:
        self.result_, self.fitted_ = result, result.fitted
        self.stage0_ = None if self.stage0 is None else result.fitted.baseline.name
        self.stage0_losses_ = dict(result.stage_zero.losses)
        self.improvement_, self.kept_ = result.improvement, result.kept
        self.out_of_bag_, self.notes_ = result.out_of_bag, result.notes
        if result.networks:
            first = result.networks[0]
            design = first.network.design
            self.depth_, self.width_, self.context_ = design.depth, design.width, design.shape.length
            self.n_steps_, self.batch_size_ = first.trained.n_steps, first.batch_size

    def predict(self, X: Any = None, *, future: Any = None) -> Any:
        """Forecast the next `horizon` steps of each series.

        Parameters
        ----------
        X : frame, optional
            What is known of the series up to now, new series too; by default the table fitted on.
        future : frame, optional
            Group, time and known columns of the steps to come; needed where columns are known in advance.

        Returns
        -------
        frame of the kind of `X` (polars by default)
            The group columns, the time, `variable` where there are several targets, `prediction`, and a column
            ``q<level>`` for each quantile.
        """
        check_is_fitted(self, "fitted_")
        sequences = self.sequences_ if X is None else read_sequences_like(X, self.sequences_)
        windows = last_origins(sequences, self.horizon)
        found = self.predict_windows(windows, with_known_future(sequences, future, self.horizon))
        return like_given(forecast_frame(windows, found, self.fitted_.levels, self.quantiles), X)

    def predict_windows(self, windows: Windows, known_future: NDArray[np.float64] | None = None) -> Forecasts:
        """Forecast windows, in the user's units.

        Parameters
        ----------
        windows : Windows
        known_future : array of float64, shape (n_windows, horizon, n_known), optional
        """
        check_is_fitted(self, "fitted_")
        if not windows.sequences.layout.known:
            known_future = None
        with torch_as_found(self.n_jobs):
            return self.fitted_.predict(windows, known_future)

    def sample(self, n_paths: int, X: Any = None, *, future: Any = None, random_state: Any = None) -> Any:
        """Draw futures whose steps depend on each other as the errors of past forecasts did.

        Parameters
        ----------
        n_paths : int
        X, future : as `predict` takes them
        random_state : None, int or numpy generator
            By default the forecaster's own.

        Returns
        -------
        frame
            Group columns, `path` (0 ..), time, `variable` where there are several, `value`.

        Notes
        -----
        A path takes the ranks, step by step, that the values of one past window had in their forecasts, and reads the
        new quantiles at these ranks (the Schaake shuffle: Clark et al. 2004).
        """
        check_is_fitted(self, "fitted_")
        if isinstance(n_paths, bool) or not isinstance(n_paths, int | np.integer) or n_paths < 1:
            raise InvalidInput(f"n_paths must be a whole number from 1 on, got {n_paths!r}")
        sequences = self.sequences_ if X is None else read_sequences_like(X, self.sequences_)
        windows = last_origins(sequences, self.horizon)
        found = self.predict_windows(windows, with_known_future(sequences, future, self.horizon))
        seed = seed_of(self.random_state if random_state is None else random_state)
        drawn = draw_paths(found.quantiles, self.fitted_.levels, self.ranks_, n_paths, np.random.default_rng(seed))
        return like_given(path_frame(windows, drawn), X)

    def attention(
        self,
        X: Any = None,
        *,
        future: Any = None,
        layers: Sequence[int] | None = None,
        heads: Sequence[int] | None = None,
        steps: Sequence[int] | None = None,
    ) -> AttentionMaps:
        """Return where the network looks when it forecasts; see `heldout.sequence.attention_maps.attention_maps`."""
        return attention_maps(self, X, future=future, layers=layers, heads=heads, steps=steps)

    def backtest(self, X: Any, *, start: Any, step: int | None = None, refit: bool = False) -> Backtest:
        """Forecast from rolling origins, and compare with what came.

        Parameters
        ----------
        X : frame
        start : time
            First time to be forecast: a date, a datetime or text such as 2017-10-24 for dates, else a number.
        step : int, optional
            Steps between origins; a horizon if left out, so that every value is forecast once.
        refit : bool, default False
            Fit anew before each origin on all rows before it, with the sizes of the first fit; else once, on the rows
            before `start`.

        Returns
        -------
        Backtest

        Raises
        ------
        InvalidInput
            A start that leaves nothing to learn from or to forecast, or is no time.
        """
        plan = self._plan()
        step = self.horizon if step is None else step
        _whole("step", step, 1)
        sequences = self._read(X)
        first: list[Forecaster] = []

        def fit_at(known: Sequences) -> FittedAt:
            one: Forecaster = clone(self)
            if first:
                sizes = {name: getattr(first[0], f"{name}_", None) for name in ("n_steps", "batch_size", "context")}
                one.set_params(**{name: size for name, size in sizes.items() if size})
            one._fit_sequences(known, one._plan())
            first.append(one)
            return FittedAt(one, plan)

        return run_backtest(
            sequences,
            fit_at,
            horizon=self.horizon,
            start=count_of_time(start, sequences),
            step=step,
            refit=refit,
            levels=plan.levels,
            loss=self.loss,
            seed=plan.seed,
        )

    def _read(self, X: Any) -> Sequences:
        return read_sequences(
            X,
            target=self.target or (),
            time=self.time or (),
            group=self.group,
            known=self.known,
            static=self.static,
            season=self.season,
        )

    def _plan(self) -> FitPlan:
        _whole("horizon", self.horizon, 1)
        _whole("replicas", self.replicas, 1)
        for name in ("context", "width", "depth", "n_steps", "batch_size"):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name), 1)
        if self.loss not in _LOSSES:
            raise InvalidInput(f"loss must be one of {', '.join(_LOSSES)}, got {self.loss!r}")
        if self.encoder not in ("attention", "recurrent"):
            raise InvalidInput(f"encoder must be 'attention' or 'recurrent', got {self.encoder!r}")
        if not self.time_budget > 0:
            raise InvalidInput(f"time_budget must be above 0 seconds, got {self.time_budget!r}: try 60")
        if not 0 < self.confidence_level < 1:
            raise InvalidInput(f"confidence_level must lie between 0 and 1, got {self.confidence_level!r}: try 0.95")
        return FitPlan(
            horizon=int(self.horizon),
            levels=check_levels(tuple(self.quantiles)),
            stage0=self.stage0,
            loss=self.loss,
            time_budget=float(self.time_budget),
            replicas=self.replicas,
            encoder=self.encoder,
            cross=self.cross,
            context=self.context,
            width=self.width,
            depth=self.depth,
            n_steps=self.n_steps,
            batch_size=self.batch_size,
            confidence_level=self.confidence_level,
            seed=seed_of(self.random_state),
            device=choose_device(self.device),
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
        )


def _whole(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInput(f"{name} must be a whole number from {least} on, got {value!r}")
