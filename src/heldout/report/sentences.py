"""The findings as sentences: the headings of the page, and the lines of the terminal.

Each function takes the writer (`Words` for plain text, `Marked` for HTML) and reads report.json through it.
"""

from __future__ import annotations

from heldout.losses import METRICS
from heldout.report.displays.confusion import MOST_CLASSES
from heldout.report.reading import baseline_position, winner_position
from heldout.report.words import Words

__all__ = [
    "ACTIONS",
    "action_words",
    "basis_words",
    "candidates_caption",
    "candidates_finding",
    "confusion_caption",
    "differences_finding",
    "iid_finding",
    "interval_words",
    "loss_words",
    "metric_words",
    "next_finding",
    "optimism_caption",
    "parts_caption",
    "parts_finding",
    "predictions_finding",
    "rows_word",
    "scatter_caption",
    "split_words",
    "test_finding",
]

ACTIONS = {
    "bag": "bag it",
    "boost": "boost it",
    "more_rows": "get more rows",
    "no_signal": "look for other features",
    "unresolved": "look for new features",
    "split_first": "trust the safe split",
    "widen_intervals": "trust the intervals less",
    "forecast_often": "forecast again as values come in",
    "known_columns": "name columns known in advance",
    "more_time": "give attention more time",
    "install_torch": "install torch",
}


def interval_words(words: Words) -> str:
    """Return "95 % CI", or that the intervals are indicative only."""
    path = "split.confidence_level"
    if words.at(path) is None:
        path = f"candidates.{winner_position(words.document) or 0}.confidence_level"
    if words.at(path) is None:
        return words.say("interval")
    return words.say("{level} CI", level=words.level(path))


def split_words(words: Words, scheme_path: str = "split.scheme") -> str:
    """Say what a scheme holds out."""
    scheme = words.at(scheme_path)
    groups = words.names("data.groups.columns") if words.at("data.groups.columns") else words.say("groups")
    if scheme == "group":
        return words.say("whole groups ({groups}) held out", groups=groups)
    if scheme == "blocked_time":
        return words.say("later rows held out")
    if scheme == "group_time":
        return words.say("later rows of other groups ({groups}) held out", groups=groups)
    if scheme == "stratified":
        return words.say("rows held out at random, classes in proportion")
    return words.say("rows held out at random")


def rows_word(words: Words) -> str:
    """Say in two or three words whether dependence between rows was found."""
    alpha = words.at("iid.alpha") or 0.05
    findings = words.at("iid.findings") or ()
    p_value = words.at("iid.global_p_value")
    rejected = p_value is not None and p_value <= alpha
    rejected = rejected or any((one.get("adjusted_p_value") or 1.0) <= alpha for one in findings)
    if rejected and any(not one.get("harmless") for one in findings):
        return words.say("dependent")
    if rejected:
        return words.say("ordered, harmlessly")
    return words.say("not tested" if p_value is None else "no dependence found")


def iid_finding(words: Words) -> str:
    """Say what each of the two splits promises."""
    promised, found = words.at("optimism.accuracy_random"), words.at("optimism.accuracy_safe")
    if promised is not None and found is not None:
        decimals = 0 if abs(promised - found) >= 0.01 else 1  # two equal percentages would hide the gap
        return words.say(
            "A random split would have {chosen}promised {x} right; {how}, it is {y}.",
            chosen=_chosen_at_random(words),
            x=words.percent("optimism.accuracy_random", decimals),
            how=split_words(words, "optimism.scheme_safe"),
            y=words.percent("optimism.accuracy_safe", decimals),
        )
    if words.at("optimism.error_random") is not None and words.at("optimism.error_safe") is not None:
        return words.say(
            "A random split would have {chosen}promised {metric} {x}; {how}, it is {y}.",
            chosen=_chosen_at_random(words),
            metric=words.text("optimism.metric_label"),
            x=words.number("optimism.error_random"),
            how=split_words(words, "optimism.scheme_safe"),
            y=words.number("optimism.error_safe"),
        )
    if words.at("iid.verdict") is not None:
        return words.text("iid.verdict")
    return words.say("Whether rows depend on one another is not known.")


def _chosen_at_random(words: Words) -> str:
    """Name the candidate that a random split would have chosen, where it is another than the winner."""
    if words.at("optimism.label") is None or words.at("optimism.name") == words.at("winner.name"):
        return words.say("")
    return words.say("chosen {label} and ", label=words.text("optimism.label"))


def candidates_finding(words: Words) -> str:
    """Say which candidate was chosen and how far below the baseline it lies."""
    winner, baseline = winner_position(words.document), baseline_position(words.document)
    if winner is None:
        return words.say("No candidate was finished.")
    name = words.text(f"candidates.{winner}.label")
    if winner == baseline:
        return words.say("No candidate was shown to beat {name}.", name=name)
    parts = {"name": name, "metric": words.text("winner.metric_label"), "error": words.number("winner.error")}
    sentence = "Chosen: {name}, {metric} {error}"
    ends = words.at("winner.improvement_ci")
    if ends is not None and ends[0] <= 0 and baseline is not None:
        sentence += ", not shown to beat {baseline}"
        parts["baseline"] = words.text(f"candidates.{baseline}.label")
    elif (words.at("winner.improvement") or 0) > 0 and baseline is not None:
        sentence += ", {gain} below {baseline}"
        parts |= {
            "gain": words.percent("winner.improvement"),
            "baseline": words.text(f"candidates.{baseline}.label"),
        }
    if words.at("winner.tied_with"):
        sentence += "; it ties with {tied}"
        parts["tied"] = words.names("winner.tied_with")
    return words.say(sentence + ".", **parts)


_PARTS = {
    "variance": "variance",
    "excess_bias": "excess bias",
    "unresolved": "unresolved: noise, or bias that all candidates share",
}
_LOSSES = {
    "squared_error": "squared error",
    "zero_one": "error rate",
    "absolute_error": "absolute error",
    "brier": "Brier score",
    "log_loss": "log loss",
}


def loss_words(words: Words, path: str) -> str:
    """Name a loss in words."""
    name = words.at(path)
    return words.say(_LOSSES.get(name, "mean loss") if isinstance(name, str) else "mean loss")


def parts_finding(words: Words) -> str:
    """Say which part of the winner's error is the largest."""
    winner = winner_position(words.document)
    row = f"candidates.{winner}"
    known = {key: words.at(f"{row}.{key}") for key in _PARTS}
    found = {key: value for key, value in known.items() if value is not None}
    if winner is None or not found or "variance" not in found:
        return words.say("What the error is made of is not known.")
    largest = max(found, key=lambda key: found[key])
    return words.say(
        "The largest part of the {loss} of {name} is {part}.",
        loss=loss_words(words, f"{row}.decomposition.loss"),
        name=words.text(f"{row}.label"),
        part=_PARTS[largest],
    )


def differences_finding(words: Words) -> str:
    """Say how many candidates are told apart from the winner."""
    rows = [row for row in words.at("differences") or () if row.get("name") != words.at("winner.name")]
    known = [row for row in rows if row.get("ci_low") is not None]
    name = words.text("winner.label")
    if not rows or not known:
        return words.say("Which differences between candidates are more than chance is not known.")
    worse = [row for row in known if row["ci_low"] > 0]
    if len(worse) == len(rows):
        return words.say("Every other candidate errs more than {name}, beyond its interval.", name=name)
    if not worse:
        return words.say("No candidate is told apart from {name}.", name=name)
    others = [row for row in rows if row not in worse]
    positions = [k for k, row in enumerate(words.at("differences")) if row in others]
    listed = words.say(
        ", ".join(f"{{n{k}}}" for k in positions), **{f"n{k}": words.text(f"differences.{k}.label") for k in positions}
    )
    return words.say("Not told apart from {name}: {listed}.", name=name, listed=listed)


def predictions_finding(words: Words) -> str:
    """Say what the predictions show: for classes, the most frequent mistake."""
    if words.at("predictions.kind") != "confusion":
        return words.say("Each row as predicted by a model that never saw it.")
    counts = words.at("predictions.counts") or []
    mistakes = [(count, i, j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j and count]
    if not mistakes:
        return words.say("No row was taken for another class.")
    _, i, j = max(mistakes, key=lambda mistake: (mistake[0], -mistake[1], -mistake[2]))
    return words.say(
        "The most frequent mistake: {truth} taken for {taken} ({count} rows).",
        truth=words.text(f"predictions.classes.{i}"),
        taken=words.text(f"predictions.classes.{j}"),
        count=words.count(f"predictions.counts.{i}.{j}"),
    )


def next_finding(words: Words) -> str:
    """Say the first piece of advice in two or three words; its sentence stands below."""
    if words.at("advice.0.action") is None:
        return words.say("No next step is known.")
    return words.say("Next: {action}.", action=action_words(words, "advice.0.action"))


def action_words(words: Words, path: str) -> str:
    """Say an action in words."""
    action = words.at(path)
    return words.say(ACTIONS[action]) if action in ACTIONS else words.text(path)


def metric_words(words: Words, path: str) -> str:
    """Name a metric or loss in words."""
    name = words.at(path)
    if name in METRICS:
        return words.say(METRICS[name].label)
    return words.say(_LOSSES[name]) if name in _LOSSES else words.text(path)


def basis_words(words: Words, advice: str) -> str:
    """Say the number that a piece of advice rests on, and its forecast, each or why there is none."""
    if words.at(f"{advice}.basis") is None:
        return words.say(
            "The number it would rest on is {nothing}.", nothing=words.free(f"{advice}.basis", why=f"{advice}.reason")
        )
    sentence = "Rests on {basis} ({metric})."
    parts = {"basis": words.free(f"{advice}.basis"), "metric": metric_words(words, f"{advice}.metric")}
    if words.at(f"{advice}.forecast") is not None:
        sentence += " Forecast: {forecast}"
        parts["forecast"] = words.number(f"{advice}.forecast")
        if words.at(f"{advice}.ci_low") is not None:
            sentence += " ({interval})"
            parts["interval"] = words.interval(f"{advice}.ci_low", f"{advice}.ci_high")
        sentence += "."
    elif words.at(f"{advice}.reason") is not None:
        sentence += " Forecast: {forecast}."
        parts["forecast"] = words.free(f"{advice}.forecast", why=f"{advice}.reason")
    return words.say(sentence, **parts)


def optimism_caption(words: Words) -> str:
    """Say whose error it is and how far the two splits lie apart."""
    accuracy = words.at("optimism.accuracy_gap") is not None
    kind = "percent" if accuracy else "number"
    gap = "optimism.accuracy_gap" if accuracy else "optimism.gap"
    ends = ("optimism.accuracy_gap_ci.0", "optimism.accuracy_gap_ci.1")
    low, high = ends if accuracy else ("optimism.ci_low", "optimism.ci_high")
    sentence, parts = "The same model", {"gap": getattr(words, kind)(gap)}
    if words.at("optimism.label") is not None:
        sentence += " ({name})"
        parts["name"] = words.text("optimism.label")
    sentence += ", with as many training and test rows in both splits. The gap is {gap}"
    if words.at(low) is not None and words.at(high) is not None:
        sentence += " ({level} {interval})"
        parts |= {"level": interval_words(words), "interval": words.interval(low, high, kind)}
    return words.say(sentence + ".", **parts)


def candidates_caption(words: Words) -> str:
    """Explain the marks of the forest plot, and why a line is missing or dotted."""
    rows = words.at("candidates") or ()
    sentence = "Filled marks: error on held-out rows"
    parts = {}
    if any(row.get("ci_low") is not None for row in rows):
        sentence += "; thin lines: {level}"
        parts["level"] = interval_words(words)
    if any(row.get("training_error") is not None for row in rows):
        sentence += "; hollow marks: error on the training rows"
    if winner_position(words.document) is not None:
        sentence += "; diamond: the chosen candidate, corrected for having been chosen"
    if any(row.get("indicative") and row.get("ci_low") is not None for row in rows):
        sentence += "; dotted lines are indicative only"
    without = [k for k, row in enumerate(rows) if row.get("ci_low") is None]
    if without:
        sentence += ". A row without a line has no interval"
        if words.at(f"candidates.{without[0]}.note") is not None:
            sentence += ": {why}"
            parts["why"] = words.text(f"candidates.{without[0]}.note")
            return words.say(sentence, **parts)
    return words.say(sentence + ".", **parts)


def parts_caption(words: Words) -> str:
    """Explain the three parts."""
    return words.say(
        "Variance: how much the predictions change with the training rows. Excess bias: what the best candidate "
        "does not have. Unresolved: noise, or bias that all candidates share. Thin line: interval of the variance."
    )


def scatter_caption(words: Words) -> str:
    """Say how many rows, or values of the part held out, are drawn."""
    what = "row" if words.at("forecast") is None else "forecast value"
    return words.say(
        "Each dot is a {what} ({drawn} drawn of {all}), predicted by {name}; on the dashed line prediction and "
        "observation agree.",
        what=what,
        drawn=words.length("predictions.x"),
        all=words.count("predictions.n_rows"),
        name=words.text("winner.label"),
    )


def confusion_caption(words: Words) -> str:
    """Say what the grid counts, and what is left out of it."""
    sentence = "Rows by the class that came (side) and the class predicted (top) by {name}; boxed: predicted right."
    if len(words.at("predictions.classes") or ()) > MOST_CLASSES:
        sentence += " Drawn are those with the most mistakes, of {number} classes."
    return words.say(sentence, name=words.text("winner.label"), number=words.length("predictions.classes"))


def test_finding(words: Words) -> str:
    """Say the chosen model's error on the test file."""
    if words.at("test.error") is None:
        return words.say("{name}: the error is not known, the file was only compared.", name=words.text("test.name"))
    sentence = "On {name} ({rows} rows) the chosen model's {metric} is {error}"
    parts = {
        "name": words.text("test.name"),
        "rows": words.count("test.n_rows"),
        "metric": words.text("winner.metric_label"),
        "error": words.number("test.error"),
    }
    if words.at("test.ci_low") is not None:
        sentence += " ({level} {interval})"
        parts |= {"level": interval_words(words), "interval": words.interval("test.ci_low", "test.ci_high")}
    if words.at("test.accuracy") is not None:
        sentence += "; {share} of its rows are predicted right"
        parts["share"] = words.percent("test.accuracy")
    return words.say(sentence + ".", **parts)
