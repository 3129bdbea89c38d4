"""Verdicts as sentences, for the summary and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.records.data_facts import task_of_data
from freezebench.records.run_record import data_of
from freezebench.report.metric_text import in_points_of, judged_metric
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import bytes_text, listed, percent_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.config.settings import Settings
    from freezebench.specs.names import TaskName
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.noninferiority import Verdict

_DECIDED = {"non_inferior", "inferior"}
_MOST_NAMED = 8
# How a line on lost classes begins, and what the configuration does.
_LOST: dict[TaskName, tuple[str, str]] = {
    "sequence-classification": ("Class lost", "loses a class"),
    "token-classification": ("Class lost", "loses a class"),
    "multi-label": ("Label lost", "loses a label"),
    "regression": ("Sentences ignored", "ignores the sentences"),
}


def not_run_sentences(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return which configurations were not run, one sentence for each reason."""
    same: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for result in results:
        if result.same_as is not None:
            same.setdefault(result.same_as, []).append(result.freeze)
        elif result.why_not_run is not None:
            state = "Left out" if result.left_out else "Not needed" if result.not_needed else "Not reached"
            others.setdefault(f"{state}: {{}}, since {result.why_not_run}.", []).append(result.freeze)
    return [
        *(f"Not run: {', '.join(names)}, since {_same_parameters(names, first)}." for first, names in same.items()),
        *(sentence.replace("{}", listed(names, _MOST_NAMED), 1) for sentence, names in others.items()),
    ]


def _same_parameters(names: Sequence[str], first: str) -> str:
    return f"{'it trains' if len(names) == 1 else 'they train'} the same parameters as {first}"


def nothing_of_its_own(results: Sequence[ConfigurationResult]) -> str:
    """Return why no candidate could be run, as a clause."""
    # Where no candidate was run, the baseline is all that others can be the same as.
    same = [result.freeze for result in results if result.same_as is not None]
    left_out = [f"{result.freeze} is left out, since {result.left_out}" for result in results if result.left_out]
    clauses = (
        [f"{', '.join(same)} {'trains' if len(same) == 1 else 'train'} the same parameters as none"] if same else []
    )
    return ", and ".join(clauses + left_out)


def decided_sentence(results: Sequence[ConfigurationResult], settings: Settings) -> str | None:
    """Return how many candidates the evidence decides, at their limits and at the margin; ``None`` without valid ones.

    The two are counted apart, since a limit may be far from the margin. Limits come first: they are what tests assert.
    """
    candidates = [result for result in results if (result.was_run or result.not_reached) and not result.is_baseline]
    if all(result.broken for result in candidates):
        return None
    num_at_margin = sum(result.verdict is not None and result.verdict.outcome in _DECIDED for result in candidates)
    margin = in_points_of(settings.margin_pp, judged_metric(candidates))
    at_margin = f"{num_at_margin} of {len(candidates)} at the margin of {margin}"
    limited = [result for result in candidates if result.is_asserted or _has_unreached_limit(result, settings)]
    if not limited:
        return f"Conclusive verdicts: {at_margin}; no limit is asserted."
    source = f" ({settings.limits_from})" if settings.limits_from else ""
    at_limits = f"{sum(map(is_decided, limited))} of {len(limited)} at their limits{source}"
    num_without = len(candidates) - len(limited)
    without = f", {num_without} without a limit" if num_without else ""
    return f"Conclusive verdicts: {at_limits}{without}; {at_margin}."


def unasserted_sentence(results: Sequence[ConfigurationResult]) -> str | None:
    """Return which configurations are inferior where no test has a limit; ``None`` if there is no such one."""
    names = [result.freeze for result in results if result.verdict and result.verdict.outcome == "inferior"]
    if not names or any(result.is_asserted for result in results):
        return None
    be = "is" if len(names) == 1 else "are"
    return (
        f"Warning: {listed(names, _MOST_NAMED)} {be} inferior, and no test fails for that, since none has a limit: set "
        "--freeze-max-drop."
    )


def _has_unreached_limit(result: ConfigurationResult, settings: Settings) -> bool:
    """Return whether a configuration has a limit on its drop, and the session ended before it had a result."""
    return result.not_reached is not None and settings.max_drop.get(result.freeze) is not None


def invalid_sentences(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return one sentence per distinct cause of invalid runs, but for the cause of a failed experiment.

    The headline of the answer names that cause, and an invalid baseline makes every other configuration invalid.
    """
    if all(result.broken for result in results if result.was_run and not result.is_baseline):
        return []
    names: dict[str, list[str]] = {}
    for result in results:
        if result.broken:
            names.setdefault(result.broken.rstrip("."), []).append(result.freeze)
    return [f"Invalid: {', '.join(freezes)}: {cause}." for cause, freezes in names.items()]


def class_loss_sentences(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return one sentence per distinct loss of classes, with the configurations that have it."""
    names: dict[str, list[str]] = {}
    for result in results:
        if result.class_loss:
            names.setdefault(result.class_loss, []).append(result.freeze)
    data = data_of(record for result in results for record in result.records)
    metric, begin = judged_metric(results).label, _LOST[task_of_data(data)][0]
    return [
        f"{begin}: {', '.join(freezes)}: {loss}; inferior, whatever the {metric}." for loss, freezes in names.items()
    ]


def loss_text(result: ConfigurationResult) -> str:
    """Return what a configuration does whose runs hardly recognise a class, or predict the same throughout."""
    return _LOST[task_of_data(data_of(result.records))][1]


def is_decided(result: ConfigurationResult) -> bool:
    """Return whether the evidence decides what was asked: all limits of a test, or without limits the margin."""
    if result.is_asserted:
        return result.standing in ("ok", "worse")
    return not result.broken and result.verdict is not None and result.verdict.outcome in _DECIDED


def judged_ladder(results: Sequence[ConfigurationResult]) -> dict[str, Verdict]:
    """Return the verdicts of the prefixes without the baseline, least frozen first."""
    return {
        result.freeze: result.verdict
        for result in sorted(results, key=lambda result: FreezeSpec.parse(result.freeze).frozen_order)
        if result.verdict is not None and not result.is_baseline and FreezeSpec.parse(result.freeze).is_prefix
    }


def prefix_sentence(results: Sequence[ConfigurationResult]) -> str | None:
    """Return the time and size of the cached prefixes; ``None`` if nothing was cached."""
    records = [record for result in results for record in result.records if "prefix_bytes" in record.readings]
    if not records:
        return None
    largest = max(record.value("prefix_bytes") or 0.0 for record in records)
    if all(record.value("train_s") is None for record in records):
        return (
            f"Frozen prefixes: shared by {len(records)} runs ({bytes_text(largest)} per depth); the time of computing "
            "them was not measured. The peak memory of a process includes its cache."
        )
    seconds = sum(record.value("prefix_s") or 0.0 for record in records)
    # Only the run that computed a prefix has its time; the others reused it.
    passes = sum(record.value("prefix_s") is not None for record in records)
    runs = f"{passes} pass{'' if passes == 1 else 'es'} for {len(records)} runs, "
    runs += f"{percent_text(1 - passes / len(records), 0)} cache hits"
    return (
        f"Frozen prefixes: computed in {seconds_text(seconds)} ({runs}; {bytes_text(largest)} per depth). Train times "
        "and warm speed-ups do not include this time; cold speed-ups charge all of it to one run. The peak memory of a "
        "process includes its cache."
    )
