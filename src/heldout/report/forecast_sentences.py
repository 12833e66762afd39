"""The findings of an audit of forecasts as sentences, as `heldout.report.sentences` says those of any audit."""

from __future__ import annotations

from typing import Any

from heldout.report.words import Words

__all__ = [
    "attention_finding",
    "coverage_finding",
    "examples_caption",
    "examples_finding",
    "lags_caption",
    "origins_words",
    "steps_caption",
    "steps_finding",
]


def examples_finding(words: Words) -> str:
    """Say what share of the values the interval held."""
    k = _coverage_position(words)
    if k is None:
        return words.say("Forecasts of {ahead}, and what came.", ahead=words.text("forecast.ahead_words"))
    return words.say(
        "Forecasts of {ahead}: the {level} intervals held {share} of the values that came.",
        ahead=words.text("forecast.ahead_words"),
        level=words.level(f"forecast.coverage.{k}.level"),
        share=words.percent(f"forecast.coverage.{k}.share"),
    )


def coverage_finding(words: Words, k: int) -> str:
    """Say one width of interval and what it held."""
    return words.say(
        "{level} intervals held {share}",
        level=words.level(f"forecast.coverage.{k}.level"),
        share=words.percent(f"forecast.coverage.{k}.share", 1),
    )


def _coverage_position(words: Words) -> int | None:
    wanted = words.at("forecast.interval")
    for k, one in enumerate(words.at("forecast.coverage") or ()):
        if one.get("level") == wanted and one.get("share") is not None:
            return k
    return None


def origins_words(words: Words) -> str:
    """Say from how many origins was forecast, and when."""
    parts: dict[str, Any] = {
        "n": words.count("forecast.origins.n_windows"),
        "first": words.text("forecast.origins.first"),
        "last": words.text("forecast.origins.last"),
    }
    sentence = "Values from {first} to {last} were forecast from {n} origins"
    if (words.at("forecast.n_series") or 1) > 1:
        sentence += " in {series} series"
        parts["series"] = words.count("forecast.origins.n_series")
    sentence += " by models that had learned from {rows} earlier rows. Nothing after an origin was read"
    parts["rows"] = words.count("forecast.origins.n_learned")
    if words.at("forecast.known"):
        sentence += " but the columns known in advance ({known})"
        parts["known"] = words.names("forecast.known")
    return words.say(sentence + ".", **parts)


def examples_caption(words: Words, k: int) -> str:
    """Say which window an example is."""
    path = f"forecast.examples.{k}"
    parts = {"what": words.text(f"{path}.what"), "origin": words.text(f"{path}.origin")}
    sentence = "Forecast from {origin} ({what})"
    if (words.at("forecast.n_series") or 1) > 1:
        sentence = "{series}, forecast from {origin} ({what})"
        parts["series"] = words.text(f"{path}.series")
    sentence += "; band: {level} interval"
    parts["level"] = words.level("forecast.interval")
    return words.say(sentence + ".", **parts)


def steps_finding(words: Words) -> str:
    """Say how the error grows from the first step to the last."""
    path = "forecast.by_step.lines.0"
    error = words.at(f"{path}.error") or []
    if len(error) < 2 or error[0] is None or error[-1] is None:
        return words.say("The error at each step ahead.")
    return words.say(
        "{metric} of {name}: {first} one step ahead, {last} at the end of the horizon.",
        metric=words.text("forecast.by_step.metric_label"),
        name=words.text(f"{path}.label"),
        first=words.free(f"{path}.error.0"),
        last=words.free(f"{path}.error.{len(error) - 1}"),
    )


def steps_caption(words: Words) -> str:
    """Say over what the errors are taken."""
    return words.say(
        "Over {n} origins of the part held out; conditional on the periods seen.",
        n=words.count("forecast.origins.n_windows"),
    )


def attention_finding(words: Words) -> str:
    """Say whether attention was worth it, in the words of the verdict, or why it was not tried."""
    if words.at("verdict_parts.shortfall") is not None:
        return words.text("verdict_parts.shortfall")
    if words.at("forecast.attention.reason") is not None:
        return words.say("Attention was not tried: {reason}.", reason=words.text("forecast.attention.reason"))
    return words.say("Whether attention is worth it is not known.")


def lags_caption(words: Words) -> str:
    """Say what the figure of attention is made of."""
    return words.say(
        "Mean over layers, heads, steps of the horizon and {n} origins of the part held out: it says where the network "
        "looks, and the test above it whether that matters.",
        n=words.count("attention.n_windows"),
    )
