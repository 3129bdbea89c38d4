"""The answer of one experiment in plain words: the first line of the summary and the last of the session.

It says one of four things: which configuration to freeze and what that costs and saves; that nothing is proven safe,
and what would decide it; that the experiment failed, why, and what to try; or that there was nothing to compare.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.records.contention import ALONE, SHARED_PROCESSOR
from freezebench.report.metric_text import digits_of, in_points_of, in_unit, result_metric, unsigned_drop, value_text
from freezebench.report.next_steps import UNFIX, deciding_steps, first_open
from freezebench.report.recommendation import recommended, sequences, shown_safe
from freezebench.report.repairs import repairing_steps
from freezebench.report.rows import has_fixed, share_of, table_metric
from freezebench.report.search_text import search_detail
from freezebench.report.speed_text import contended_share, saving_sentence, speed_text
from freezebench.report.strategy_text import strategies_text
from freezebench.report.subsets import lost_elsewhere
from freezebench.report.verdict_text import loss_text, nothing_of_its_own
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import NOT_MEASURED, listed, share_text, with_and
from freezebench.verdicts.judge import BASELINE_INVALID
from freezebench.verdicts.noninferiority import bound_text
from freezebench.verdicts.speedup import OTHER_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult

_MOST_NAMED = 8
# How a step ends that says how to use a configuration; a session that saves its model leaves this out.
HOW_TO_SAVE = "; --freeze-save=DIR saves the trained model."
# Kinds of strategies, and what of them is no property of a model.
_BEYOND_FREEZING = {"schedule": "the epochs", "rates": "the rates"}

Outcome = Literal["safe", "nothing_safe", "failed", "no_candidate"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer of one experiment.

    Attributes:
        headline: The answer in one sentence.
        outcome: ``safe``: a configuration is recommended; ``nothing_safe``: none is proven to be within the margin and
            its limits; ``failed``: no candidate has valid runs to compare; ``no_candidate``: none was run.
        details: Sentences behind the headline.
        next_steps: What to do now, in sentences.
    """

    headline: str
    outcome: Outcome
    details: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()

    @property
    def short_headline(self) -> str:
        """The headline without the cause of a failure, for where the whole one is above."""
        if self.outcome != "failed":
            return self.headline
        failure, state, *_ = self.headline.split(": ", 2)
        return f"{failure}: {state.rstrip('.')}."


def answer(results: Sequence[ConfigurationResult], rows: Sequence[Row], margin_pp: float) -> Answer:
    """Return the answer of one experiment.

    Args:
        results: The results of all configurations, least frozen first.
        rows: Their figures, in the same order.
        margin_pp: Decision margin in percentage points.
    """
    candidates = [result for result in results if result.was_run and not result.is_baseline]
    baseline = next((result for result in results if result.is_baseline), None)
    if baseline is not None and baseline.broken:
        return _failed(f"{BASELINE_INVALID}: {baseline.broken}", baseline)
    if not candidates:
        return _no_candidate(results, rows)
    if all(result.broken for result in candidates):
        return _failed(f"{candidates[0].freeze} is invalid: {candidates[0].broken}", candidates[0])
    recommendation = recommended(results, rows)
    if recommendation is not None:
        return _safe(recommendation, results, rows, margin_pp)
    return _nothing_safe(results, rows, margin_pp)


def _no_candidate(results: Sequence[ConfigurationResult], rows: Sequence[Row]) -> Answer:
    """Return the answer where only the baseline ran, or not even that, since it had nothing to be compared with."""
    metric, value = table_metric(rows), next((row.metric_value for row in rows if row.freeze == "none"), None)
    figure = "" if value is None else f" ({metric.label} {value_text(value, metric)})"
    ended = next((result.not_reached for result in results if result.not_reached), None)
    if ended is not None:
        return Answer(headline=f"Nothing to compare yet: {ended}.", outcome="no_candidate")
    if any(not result.was_run for result in results):
        return Answer(
            headline=f"Nothing to compare: {nothing_of_its_own(results)}{figure}.",
            outcome="no_candidate",
            next_steps=(UNFIX,),
        )
    return Answer(
        headline=f"Nothing to compare: only the unfrozen baseline ran{figure}.",
        outcome="no_candidate",
        next_steps=("Add configurations that freeze something, such as --freeze-grid=all.",),
    )


def _failed(cause: str, result: ConfigurationResult) -> Answer:
    """Return the answer of an experiment without anything valid to compare."""
    headline = f"The experiment failed: {cause.rstrip('.')}."
    return Answer(headline=headline, outcome="failed", next_steps=repairing_steps(result))


def _safe(row: Row, results: Sequence[ConfigurationResult], rows: Sequence[Row], margin_pp: float) -> Answer:
    """Return the answer that recommends a configuration."""
    result = next(result for result in results if result.freeze == row.freeze)
    metric = table_metric(rows)
    within = f"{metric.label} stays within {in_unit(margin_pp, metric)} of no freezing"
    claims = [f"{within} ({drop_text(row, margin_pp)})", speed_text(row, result)]
    if row.trainable_fraction is not None:
        share = f"{share_text(row.trainable_fraction)} of the {share_of(rows)} train"
        # Only a gain or loss of time that is shown is a claim, and comes first.
        claims.insert(2 if row.speedup_outcome in ("gain", "loss") else 1, share)
    # By itself, freeze makes trainable what it does not freeze.
    call = f'"{row.freeze}", fixed=NAMES' if has_fixed(rows) else f'"{row.freeze}"'
    names = ", with the names of the parameters that the model itself has fixed" if has_fixed(rows) else ""
    use = f"To use it: freezebench.freeze(model, {call}){names}{_rate_text(row, rows)}"
    steps = [f"{use}{HOW_TO_SAVE}", *_beyond_freezing(FreezeSpec.parse(row.freeze))]
    if row.speedup_reason == OTHER_SESSION:
        steps.append("To know its speed-up: train all runs anew with --freeze-resume=no.")
    elif row.speedup_reason == SHARED_PROCESSOR:
        steps.append(f"To know its speed-up: train one run at a time with {ALONE}.")
    elif row.speedup is None and contended_share(result) is not None:
        steps.append("To know its speed-up: run again with --freeze-resume=no while nothing else runs.")
    return Answer(
        headline=f"{_use_text(row.freeze)}: {_joined(claims, row)}.",
        outcome="safe",
        details=(
            *filter(None, [lost_elsewhere(result), saving_sentence(row), search_detail(results)]),
            *_limiting(row, results, rows, margin_pp),
            *_shared_error_rate(results),
        ),
        next_steps=tuple(steps),
    )


def _use_text(freeze: str) -> str:
    """Return what to do, as the begin of a sentence; a strategy's name alone would say little."""
    spec = FreezeSpec.parse(freeze)
    return f"Use {freeze} ({strategies_text(spec)})" if spec.strategies else f"Freeze {freeze}"


def _beyond_freezing(spec: FreezeSpec) -> Iterator[str]:
    """Yield what freezing a model does not do of what its strategies say."""
    named = {strategy.kind: strategy.name for strategy in spec.strategies}
    missing = [text for kind, text in _BEYOND_FREEZING.items() if kind in named]
    if missing:
        yield (
            f"freezebench.freeze only makes parameters trainable: your training has to apply {with_and(missing)} of "
            f"{with_and([named[kind] for kind in _BEYOND_FREEZING if kind in named])}."
        )


def _joined(claims: Sequence[str], row: Row) -> str:
    """Return the claims in one clause, and what is not known apart from them."""
    if row.speedup_outcome == "unknown":
        return f"{with_and(claims[:-1])}; {claims[-1]}"
    return with_and(claims)


def _rate_text(row: Row, rows: Sequence[Row]) -> str:
    """Return the learning rate with which a configuration was proven safe, and that of no freezing if it differs."""
    if not row.learning_rate:
        return ""
    unfrozen = next((other.learning_rate for other in rows if other.freeze == "none"), None)
    other = f" ({unfrozen:g} without freezing)" if unfrozen and unfrozen != row.learning_rate else ""
    return f", at a learning rate of {row.learning_rate:g}{other}"


def _limiting(
    row: Row, results: Sequence[ConfigurationResult], rows: Sequence[Row], margin_pp: float
) -> tuple[str, ...]:
    """Return why nothing deeper is recommended: the next one of its sequence and its drop."""
    pairs = (pair for sequence in sequences(results) for pair in itertools.pairwise(sequence))
    result = next((deeper for shown, deeper in pairs if shown.freeze == row.freeze), None)
    if result is None:
        return ()
    if result.class_loss is not None:
        return (f"The next deeper one, {result.freeze}, {loss_text(result)}: {result.class_loss}.",)
    deeper = next(other for other in rows if other.freeze == result.freeze)
    if deeper.verdict in ("inferior", "inconclusive"):
        return (f"The next deeper one, {deeper.freeze}, is {deeper.verdict} ({drop_text(deeper, margin_pp)}).",)
    return ()


def _shared_error_rate(results: Sequence[ConfigurationResult], *, named: str = "") -> tuple[str, ...]:
    """Return that several sequences share the error rate, and what would be safe alone; nothing if there is one.

    Args:
        results: The results.
        named: A configuration of which another sentence says it.
    """
    judged, shown = sequences(results), shown_safe(results)
    if len(judged) == 1:
        return ()
    rule = (
        f"{len(judged)} sequences of nested configurations were compared, and they share the error rate of one verdict "
        "(Holm's method)"
    )
    stopped = [sequence[len(safe)] for sequence, safe in zip(judged, shown, strict=True) if len(safe) < len(sequence)]
    alone = [result.freeze for result in stopped if _is_safe_alone(result) and result.freeze != named]
    return (f"{rule}: {listed(alone, _MOST_NAMED)} would be non-inferior only alone." if alone else f"{rule}.",)


def _nothing_safe(results: Sequence[ConfigurationResult], rows: Sequence[Row], margin_pp: float) -> Answer:
    """Return the answer where no configuration is proven safe."""
    candidates = [result for result in results if result.was_run and not result.is_baseline]
    # One that is behind another that is not proven safe does not count: its own verdict is one of several that could
    # err.
    missed = [result for sequence in shown_safe(candidates) for result in sequence]
    margin = in_points_of(margin_pp, table_metric(rows))
    if missed:
        result = missed[-1]
        why = next((part.sentence for part in result.parts if part.standing != "ok"), _missed_limit(result))
        state = f"{result.freeze} is non-inferior at a margin of {margin}"
        headline = f"No configuration passes all its limits: {state}, but {why}."
        return Answer(headline=headline, outcome="nothing_safe")
    return Answer(
        headline=_without_recommendation(candidates, margin),
        outcome="nothing_safe",
        details=tuple(filter(None, [*_why_not_safe(candidates, rows, margin_pp), search_detail(results)])),
        next_steps=deciding_steps(candidates, margin_pp),
    )


def _without_recommendation(candidates: Sequence[ConfigurationResult], margin: str) -> str:
    """Return the headline where nothing is recommended; a configuration may be non-inferior only alone."""
    if any(map(_is_safe_alone, candidates)):
        return f"No configuration can be recommended at a margin of {margin}."
    return f"No configuration is non-inferior at a margin of {margin}."


def _why_not_safe(candidates: Sequence[ConfigurationResult], rows: Sequence[Row], margin_pp: float) -> list[str]:
    """Return what is known about the first configuration to prove safe, and which ones would be safe alone."""
    first = first_open(candidates)
    row = next(row for row in rows if row.freeze == first.freeze)
    state = {"inconclusive": "is inconclusive", "non_inferior": "would be non-inferior alone"}.get(
        row.verdict, "is inferior"
    )
    details = [f"{first.freeze} {state} ({drop_text(row, margin_pp)})."]
    if first.broken:
        details = [f"{first.freeze} is invalid."]
    elif first.class_loss:
        drop = unsigned_drop(row.drop_pp, table_metric(rows))
        details = [f"{first.freeze} {loss_text(first)} (drop {drop}): {first.class_loss}."]
    judged = sequences(candidates)
    behind = [result.freeze for sequence in judged for result in sequence[1:] if _is_safe_alone(result)]
    if behind and not _is_safe_alone(judged[0][0]):
        details.append(
            f"{', '.join(behind)} would be non-inferior alone, but prefixes are judged in order, least frozen first."
        )
    return [
        *details,
        *(_shared_error_rate(candidates, named=first.freeze) if any(map(_is_safe_alone, candidates)) else ()),
    ]


def _is_safe_alone(result: ConfigurationResult) -> bool:
    return result.verdict is not None and result.verdict.outcome == "non_inferior"


def _missed_limit(result: ConfigurationResult) -> str:
    """Return that a configuration does not pass its limit on the drop, as the end of a sentence."""
    if result.gate is None:
        return "it misses its limit"
    state = "is not" if result.gate.outcome == "inferior" else "is not shown to be"
    limit = in_points_of(result.gate.margin_pp, result_metric(result))
    return f"it {state} within its limit of {limit}"


def drop_text(row: Row, margin_pp: float) -> str:
    """Return a drop with the bound that matters: ``drop 0.6, at most 1.3``; a gain is called one."""
    if row.drop_pp is None:
        return f"drop {NOT_MEASURED}"
    metric = table_metric([row])
    drop = unsigned_drop(row.drop_pp, metric)
    if row.lower_pp is None or row.upper_pp is None:
        return f"drop {drop}, without an interval"
    lower, upper = (bound_text(bound, margin_pp, digits_of(metric)) for bound in (row.lower_pp, row.upper_pp))
    if row.verdict == "inferior":
        return f"drop {drop}, at least {lower}"
    if float(drop) >= 0:
        return f"drop {drop}, at most {upper}"
    if float(upper) >= 0:
        return f"gain {drop[1:]}, drop at most {upper}"
    return f"gain {drop[1:]}, at least {upper[1:]}"
