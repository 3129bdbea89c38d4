"""The message of a test: what its limits are, what was observed, and what to do where it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import terminal_text
from freezebench.report.metric_text import in_points_of, result_metric, signed_drop, unit_word, unsigned_drop
from freezebench.report.more_evidence import ignores_sentences, more_evidence
from freezebench.report.repairs import repairing_steps
from freezebench.units import counted
from freezebench.verdicts.judge import BASELINE_INVALID
from freezebench.verdicts.vocabulary import STANDINGS, standing_term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.judge import ConfigurationResult
    from freezebench.verdicts.noninferiority import Verdict


def gate_sentence(result: ConfigurationResult) -> str:
    """Return the outcome of a configuration's test with its limits and observations.

    The first word of a failure is ``INFERIOR`` if the drop is shown to be past its limit, ``EXCEEDED`` if only time,
    memory or energy is, ``INCONCLUSIVE`` if the evidence shows neither, ``INVALID`` if the runs are invalid or the
    machine is too noisy. Of several limits the worst standing gives the word, and all of them are listed.
    """
    return terminal_text(_gate_sentence(result))


def failed_limits(results: Iterable[ConfigurationResult]) -> list[str]:
    """Return every limit that a configuration is shown to be past, with the observation and its interval."""
    sentences = []
    for result in (result for result in results if result.standing == "worse"):
        gate, metric = result.gate, result_metric(result)
        if gate is not None and gate.outcome == "inferior" and (interval := gate.interval) is not None:
            drop, lower, upper = (
                signed_drop(value, metric) for value in (interval.drop_pp, interval.lower_pp, interval.upper_pp)
            )
            limit, seeds = in_points_of(gate.margin_pp, metric), counted(interval.num_seeds, "seed")
            word = STANDINGS["worse"].word
            sentences.append(f"{result.freeze}: {word}: drop {drop} [{lower}, {upper}], limit {limit}, {seeds}.")
        sentences += [
            f"{result.freeze}: {standing_term(part.standing, is_cost=part.is_cost).word}: {part.sentence}."
            for part in result.parts
            if part.standing == "worse"
        ]
    return sentences


def _gate_sentence(result: ConfigurationResult) -> str:
    if result.broken:
        return f"{STANDINGS['broken'].word}: {result.freeze}: {result.broken}{_advice(result)}"
    if not result.was_run:
        return not_run_reason(result)
    if not result.is_asserted:
        return f"{result.freeze}: no limit is asserted"
    # A passed test has no word in front.
    word = "" if result.standing == "ok" else f"{standing_word(result)}: "
    drop = "" if result.gate is None else f" {_drop(result, result.gate)}"
    parts = "".join(
        f"\n  {standing_term(part.standing, is_cost=part.is_cost).word}: {part.sentence}" for part in result.parts
    )
    return f"{word}{result.freeze}{drop}{'.' if drop else ''}{parts}{_advice(result)}"


def _advice(result: ConfigurationResult) -> str:
    """Return what to do about a failure, as a further line; empty where the message says it, or nothing failed."""
    if result.broken == BASELINE_INVALID:
        return "\n  Repair the baseline first: the session's answer has the cause."
    if not result.broken and result.standing != "worse":
        return ""
    steps = [] if result.exceeds_costs_alone else list(repairing_steps(result))
    if result.is_compared and not result.broken:
        steps.insert(0, "It passed in the saved run: find the change that made it fail, for example with git bisect.")
    if not steps and not result.broken:
        steps = [_without_remedy(result)]
    return "".join(f"\n  {step}" for step in steps)


def _without_remedy(result: ConfigurationResult) -> str:
    """Return what is left to do where nothing is known that would repair a failure."""
    # A wider limit does not let a model pass that ignores the sentences.
    if ignores_sentences(result):
        return "Freeze less: no limit accepts a model that ignores the sentences."
    # A baseline has limits only against a saved run.
    less = result.is_baseline or result.exceeds_costs_alone
    return "Relax the limit." if less else "Freeze less, or relax the limit."


def standing_word(result: ConfigurationResult) -> str:
    """Return the word for the outcome of a configuration's test, which is the first one of a failure."""
    return standing_term(result.standing, is_cost=result.exceeds_costs_alone).word


def not_run_reason(result: ConfigurationResult) -> str:
    """Return why a configuration was not run, which is the reason of its skipped test."""
    if result.same_as is not None:
        return f"same as {result.same_as}: trains the same parameters"
    if result.not_reached is not None:
        return f"{STANDINGS['undecided'].word}: {result.freeze}: not reached, since {result.not_reached}"
    state = "left out" if result.left_out is not None else "not needed"
    return f"{state}: {result.freeze}, since {result.why_not_run}"


def _drop(result: ConfigurationResult, gate: Verdict) -> str:
    """Return the verdict on the drop at its limit, with drop and bound."""
    metric = result_metric(result)
    limit = f"{in_points_of(gate.margin_pp, metric)} of no freezing"
    observation = _observation(gate, metric)
    if gate.outcome == "non_inferior":
        return f"is within {limit}: {observation}"
    if gate.outcome == "inferior":
        return f"is not within {limit}: {observation}"
    if ignores_sentences(result):
        return f"ignores the sentences in some run, and so fails whatever its drop: {observation}"
    # Of what failed by another limit, no number of seeds changes the outcome.
    evidence = "" if result.standing == "worse" else f"; {more_evidence(result, gate)}"
    return f"is not shown to be within {limit}: {observation}{evidence}"


def _observation(verdict: Verdict, metric: Metric) -> str:
    """Return the drop, the bound that decides, and the number of seeds."""
    is_worse = verdict.outcome == "inferior"
    bound = ("lower", verdict.lower_pp) if is_worse else ("upper", verdict.upper_pp)
    seeds = counted(verdict.num_seeds or 0, "seed")
    drop = f"{unsigned_drop(verdict.drop_pp, metric)} {unit_word(metric)}"
    if verdict.too_few is not None:  # its interval does not hold
        return f"drop {drop}, {seeds}"
    return f"drop {drop}, {bound[0]} bound {unsigned_drop(bound[1], metric)}, {seeds}"
