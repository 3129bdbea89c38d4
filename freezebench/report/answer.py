"""The answer of one experiment in plain words: the first line of the summary and the last of the session.

It says one of four things: which configuration to freeze and what that costs and saves; that nothing is proven safe,
and what would decide it; that the experiment failed, why, and what to try; or that there was nothing to compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.report.next_steps import deciding_steps, repairing_steps
from freezebench.report.recommendation import recommended
from freezebench.report.speed_text import speed_text
from freezebench.report.verdict_text import judged_ladder
from freezebench.units import NOT_MEASURED, percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult

Outcome = Literal["safe", "nothing_safe", "failed", "no_candidate"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer of one experiment.

    Attributes:
        headline: The answer in one sentence.
        outcome: ``safe``: a configuration is recommended; ``nothing_safe``: none is proven to be within the margin and
            its limits; ``failed``: no candidate has valid runs to compare; ``no_candidate``: only the baseline ran.
        details: Sentences behind the headline.
        next_steps: What to do now, in sentences.
    """

    headline: str
    outcome: Outcome
    details: tuple[str, ...]
    next_steps: tuple[str, ...]


def answer(results: Sequence[ConfigurationResult], rows: Sequence[Row], margin_pp: float) -> Answer:
    """Return the answer of one experiment.

    Args:
        results: The results of all configurations, least frozen first.
        rows: Their figures, in the same order.
        margin_pp: Decision margin in percentage points.
    """
    candidates = [result for result in results if not result.is_baseline]
    baseline = next((result for result in results if result.is_baseline), None)
    if baseline is not None and baseline.broken:
        return _failed(f"the unfrozen baseline is invalid: {baseline.broken}", baseline)
    if not candidates:
        return _no_candidate(rows)
    if all(result.broken for result in candidates):
        return _failed(f"{candidates[0].freeze} is invalid: {candidates[0].broken}", candidates[0])
    recommendation = recommended(results, rows)
    if recommendation is not None:
        return _safe(recommendation.row, results, rows, margin_pp)
    return _nothing_safe(candidates, margin_pp)


def _no_candidate(rows: Sequence[Row]) -> Answer:
    """Return the answer where only the baseline ran."""
    accuracy = rows[0].accuracy if rows else None
    figure = "" if accuracy is None else f" (accuracy {percent_text(accuracy)})"
    return Answer(
        headline=f"Nothing to compare: only the unfrozen baseline ran{figure}.",
        outcome="no_candidate",
        details=(),
        next_steps=("Add configurations that freeze something, such as --freeze-grid=all.",),
    )


def _failed(cause: str, result: ConfigurationResult) -> Answer:
    """Return the answer of an experiment without anything valid to compare."""
    return Answer(
        headline=f"The experiment failed: {cause.rstrip('.')}.",
        outcome="failed",
        details=(),
        next_steps=repairing_steps(result),
    )


def _safe(row: Row, results: Sequence[ConfigurationResult], rows: Sequence[Row], margin_pp: float) -> Answer:
    """Return the answer that recommends a configuration."""
    parts = [f"accuracy within {margin_pp:g} points ({drop_text(row)})", speed_text(row)]
    if row.trainable_fraction is not None:
        parts.append(f"{percent_text(row.trainable_fraction, 0)} of the parameters")
    baseline = next((other for other in rows if other.freeze == "none"), None)
    rate = ""
    if row.learning_rate:
        rate = f", at a learning rate of {row.learning_rate:g}"
        if baseline is not None and baseline.learning_rate and baseline.learning_rate != row.learning_rate:
            rate += f" ({baseline.learning_rate:g} without freezing)"
    return Answer(
        headline=f"Freeze {row.freeze}: {', '.join(parts)}.",
        outcome="safe",
        details=_limiting(row, results, rows),
        next_steps=(f'To use it: freezebench.freeze(model, "{row.freeze}"){rate}.',),
    )


def _limiting(row: Row, results: Sequence[ConfigurationResult], rows: Sequence[Row]) -> tuple[str, ...]:
    """Return why nothing deeper is recommended: the next prefix and its drop."""
    ladder = list(judged_ladder(results))
    if row.freeze not in ladder[:-1]:
        return ()
    deeper = next(other for other in rows if other.freeze == ladder[ladder.index(row.freeze) + 1])
    if deeper.broken:
        return (f"{deeper.freeze} is invalid: {deeper.broken.rstrip('.')}.",)
    if deeper.verdict == "inferior":
        return (f"{deeper.freeze} loses too much ({drop_text(deeper)}).",)
    return (f"{deeper.freeze} is not decided ({drop_text(deeper)}).",) if deeper.verdict == "inconclusive" else ()


def _nothing_safe(candidates: Sequence[ConfigurationResult], margin_pp: float) -> Answer:
    """Return the answer where no configuration is proven safe."""
    within = [result for result in candidates if result.verdict and result.verdict.outcome == "non_inferior"]
    if within:
        freeze, sentence = within[-1].freeze, next((part.sentence for part in within[-1].parts), "its limit")
        headline = f"No configuration passes its limits: {freeze} is within {margin_pp:g} points, but {sentence}."
        return Answer(headline=headline, outcome="nothing_safe", details=(), next_steps=())
    return Answer(
        headline=f"No configuration is proven safe at {margin_pp:g} points.",
        outcome="nothing_safe",
        details=(),
        next_steps=deciding_steps(candidates, margin_pp),
    )


def drop_text(row: Row) -> str:
    """Return a drop with the bound that matters: ``drop 0.6, at most 1.3``; a gain is called one."""
    if row.drop_pp is None or row.lower_pp is None or row.upper_pp is None:
        return f"drop {NOT_MEASURED}"
    drop, lower, upper = (f"{value:.1f}".replace("-0.0", "0.0") for value in (row.drop_pp, row.lower_pp, row.upper_pp))
    if row.verdict == "inferior":
        return f"drop {drop}, at least {lower}"
    if float(drop) < 0:
        return (
            f"gain {drop[1:]}, drop at most {upper}" if float(upper) >= 0 else f"gain {drop[1:]}, at least {upper[1:]}"
        )
    return f"drop {drop}, at most {upper}"
