"""Forecasts of stage 0 for one window of one series, in plain loops from the definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence

Values = Sequence[float]


def last_value(past: Values, horizon: int) -> list[float]:
    known = [value for value in past if not math.isnan(value)]
    return [known[-1] if known else 0.0] * horizon


def seasonal_naive(past: Values, season: int, horizon: int) -> list[float]:
    out = last_value(past, horizon)
    if season == 1:
        return out
    for h in range(horizon):
        for back in (1, 2, 3):
            place = len(past) - back * season + h % season
            if place >= 0 and not math.isnan(past[place]):
                out[h] = past[place]
                break
    return out


def drift(past: Values, horizon: int) -> list[float]:
    known = [(place, value) for place, value in enumerate(past) if not math.isnan(value)]
    if len(known) < 2:
        return last_value(past, horizon)
    (first, low), (last, high) = known[0], known[-1]
    return [high + (high - low) / (last - first) * h for h in range(1, horizon + 1)]


def scaling(past: Values, season: int) -> tuple[float, float]:
    """Return level and scale: the last value, and the mean absolute change over a season, or what stands in for it."""
    known = [value for value in past if not math.isnan(value)]
    noise = 1e-12 * max((abs(value) for value in known), default=0.0)
    for lag in (season, 1):
        pairs = [(past[k], past[k - lag]) for k in range(lag, len(past))]
        changes = [abs(a - b) for a, b in pairs if not math.isnan(a - b)]
        if changes and math.fsum(changes) / len(changes) > noise:
            return known[-1], math.fsum(changes) / len(changes)
    mean = math.fsum(map(abs, known)) / len(known) if known else 0.0
    return (known[-1] if known else 0.0), (mean if mean > noise else 1.0)


def theta(past: Values, season: int, horizon: int, trend_share: float | None) -> list[float]:
    """Return the Theta forecasts of the last eight seasons, 30 values at least."""
    past = list(past[-max(8 * season, 30) :])
    known = [place for place, value in enumerate(past) if not math.isnan(value)]
    if not known:
        return [0.0] * horizon
    behind = len(past) - 1 - known[-1]
    y = [_drawn(past, known, place) for place in range(known[0], known[-1] + 1)]
    added, times = _season(y, season) if season > 1 and len(y) > 2 * season else ([0.0] * season, [1.0] * season)
    z = [value / times[t % season] - added[t % season] for t, value in enumerate(y)]
    level, slope = _smoothed(z, trend_share)
    steps = range(len(y) + behind, len(y) + behind + horizon)
    return [(level + slope * (t - len(y)) + added[t % season]) * times[t % season] for t in steps]


def _drawn(past: Values, known: Sequence[int], place: int) -> float:
    before = max(k for k in known if k <= place)
    after = min(k for k in known if k >= place)
    if before == after:
        return past[place]
    return past[before] + (past[after] - past[before]) * (place - before) / (after - before)


def _season(y: Values, season: int) -> tuple[list[float], list[float]]:
    half = season // 2
    trend = {}
    for t in range(half, len(y) - half):
        window = list(y[t - half : t + half + 1])
        ends = [0.5, *[1.0] * (season - 1), 0.5] if season % 2 == 0 else [1.0] * season
        trend[t] = math.fsum(w * v for w, v in zip(ends, window, strict=True)) / season
    none = [0.0] * season, [1.0] * season
    plain, plain_left = _means(season, {t: y[t] - trend[t] for t in trend}, dict.fromkeys(trend, 1.0))
    if min(y) > 0:
        relative, relative_left = _means(season, {t: y[t] / trend[t] - 1 for t in trend}, trend)
        if relative_left <= plain_left:
            return none[0], [max(1 + share, 1e-6) for share in relative]
    return plain, none[1]


def _means(season: int, deviations: dict[int, float], unit: dict[int, float]) -> tuple[list[float], float]:
    by_place = [[d for t, d in deviations.items() if t % season == place] for place in range(season)]
    raw = [math.fsum(own) / len(own) for own in by_place]
    means = [value - math.fsum(raw) / season for value in raw]
    left = {t: d - means[t % season] for t, d in deviations.items()}
    variance = math.fsum(r * r for r in left.values()) / max(len(left) - season, 1)
    of_a_mean = math.fsum(variance / len(own) for own in by_place) / season
    of_means = math.fsum(m * m for m in means) / (season - 1)
    kept = 0.0 if of_means == 0 else max(0.0, 1 - max(season - 3, 1) / (season - 1) * of_a_mean / of_means)
    return [kept * m for m in means], math.fsum((r * unit[t]) ** 2 for t, r in left.items())


def _smoothed(z: Values, trend_share: float | None) -> tuple[float, float]:
    n = len(z)
    middle = (n - 1) / 2
    spread = math.fsum((t - middle) ** 2 for t in range(n))
    slope = math.fsum((t - middle) * value for t, value in enumerate(z)) / spread if n > 1 else 0.0
    found, without = [], []
    for alpha in (0.95, 0.8, 0.65, 0.5, 0.35, 0.2, 0.1, 0.05):
        level, errors, lags = z[0], [], []
        for t in range(1, n):
            errors.append(z[t] - level)
            lags.append(slope * math.fsum((1 - alpha) ** k for k in range(t)))
            level += alpha * errors[-1]
        squares = math.fsum(lag * lag for lag in lags)
        # As if one more pair were seen: the mean lag, with half of it as error.
        one = squares / max(n - 1, 1)
        top = math.fsum(e * lag for e, lag in zip(errors, lags, strict=True)) + one / 2
        best = top / (squares + one) if squares > 0 else 0.0
        share = min(max(best, 0.0), 1.0) if trend_share is None else trend_share
        loss = math.fsum((e - share * lag) ** 2 for e, lag in zip(errors, lags, strict=True))
        without.append(math.fsum(e * e for e in errors))
        found.append((loss, level + share * slope * math.fsum((1 - alpha) ** k for k in range(n)), share * slope))
    # Equal but for rounding is equal.
    least = min(one[0] for one in found) + 1e-9 * min(without)
    return next(one[1:] for one in found if one[0] <= least)


def lag_features(
    past: Values, season: int, step: int, longest: int, cycles: Sequence[int] = ()
) -> tuple[list[float], float]:
    """Return the features that values give, without those of time and variable, and the anchor, of one step."""
    level, scale = scaling(past, season)
    n = len(past)

    def at(place: int) -> float:
        return past[place] if place >= 0 else math.nan

    def mean(values: Values) -> float:
        known = [value for value in values if not math.isnan(value)]
        return math.fsum(known) / len(known) if known else math.nan

    spans = {2, 4, 8, 16} | ({season, 2 * season, 4 * season, 8 * season} if season > 1 else {32, 64})
    out = [(at(n - 1 - lag) - level) / scale for lag in range(1, 9) if lag < longest]
    out += [(mean(past[-span:]) - level) / scale for span in sorted(spans) if 1 < span <= longest]
    out += [level / scale, n]
    anchor = 0.0
    backs = []  # value and move, so many seasons back
    if season > 1:
        for back in range(1, 9):
            place = n - 1 + step
            seasons = 0
            while place > n - 1 or seasons < back:
                place -= season
                seasons += place <= n - 1
            backs.append(((at(place) - level) / scale, (at(place) - at(place - step)) / scale))
        for kind in (0, 1):
            own = [both[kind] for both in backs]
            out += [own[back - 1] for back in (1, 2, 3, 7)] + [mean(own[:4]), mean(own)]
            anchor += next((value for value in own[:3] if not math.isnan(value)), 0.0) / 2
    for cycle in cycles:
        place = n - 1 + step - cycle * math.ceil(step / cycle)
        out += [(at(place) - level) / scale, (at(place) - at(place - step)) / scale]
    for span in (season, 2 * season, 4 * season) if season > 1 else (2, 4, 8, 16):
        if span < longest:
            out.append((level - at(n - 1 - span)) / scale * step / span)
    return out, anchor
