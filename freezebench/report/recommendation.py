"""Which configuration is recommended: the one decision behind the summary, the page and ``--freeze-save``."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from freezebench.report.aggregate import aggregate
from freezebench.report.verdict_text import judged_ladder
from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.selection import num_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult


def recommended(results: Sequence[ConfigurationResult], rows: Sequence[Row]) -> Row | None:
    """Return the row of the cheapest configuration that is shown to be safe and passes its limits.

    Of nested configurations that are shown to be safe, the one that freezes most is the cheapest, since it has the
    least to compute. Among those of several sequences (``sequences``) the cheapest one has the largest speed-up or,
    where that is not known, the fewest counted operations or the fewest trainable parameters. Whether the speed-up is
    shown to be a gain is for the sentence to say; the accuracy allows this configuration in any case.

    The baseline is never recommended: ``None`` means that nothing but no freezing is shown to be safe, or that the
    baseline, with which all are compared, is invalid.

    Args:
        results: The results of one comparison, the baseline's included.
        rows: Their figures.
    """
    if any(result.is_baseline and result.broken for result in results):
        return None
    # Without an asserted limit the verdict at the margin decides alone.
    passing = [
        [result.freeze for result in shown if result.standing in ("ok", "no_limit")] for shown in shown_safe(results)
    ]
    deepest = [names[-1] for names in passing if names]
    candidates = [row for row in rows if row.freeze in deepest]
    return min(candidates, key=_cost(candidates)) if candidates else None


def _cost(candidates: Sequence[Row]) -> Callable[[Row], float]:
    """Return the cost that is known of all candidates: time, else operations, else the number of parameters."""
    if all(row.speedup is not None for row in candidates):
        return lambda row: -(row.speedup or 0.0)
    # Few parameters say little about what a strategy costs: biases of all layers need the whole backward pass.
    if all(aggregate(row.cost_records, "step_flop") is not None for row in candidates):
        return lambda row: aggregate(row.cost_records, "step_flop") or 0.0
    return lambda row: row.num_trainable_params or 0


def sequences(results: Sequence[ConfigurationResult]) -> list[list[ConfigurationResult]]:
    """Return the judged candidates as sequences of nested configurations, each one least frozen first.

    The prefixes are one sequence, the first one. Prefixes with the same strategies above them are one each. What is
    nested in nothing, such as ``L3`` alone, is a sequence of its own.
    """
    by_key: dict[str, list[ConfigurationResult]] = {}
    for result in sorted(results, key=lambda result: FreezeSpec.parse(result.freeze).frozen_order):
        spec = FreezeSpec.parse(result.freeze)
        if result.verdict is not None and not spec.is_none:
            above = "+".join(map(str, spec.strategies))
            by_key.setdefault(above if spec.frozen_parts.is_prefix else str(spec), []).append(result)
    return [by_key[key] for key in sorted(by_key, key=bool)]


def shown_safe(results: Sequence[ConfigurationResult]) -> list[list[ConfigurationResult]]:
    """Return those of each sequence that are shown to be safe together, at the error rate of one verdict.

    Judging each sequence in order, and dividing the error rate between several, keeps the probability that any of these
    is not safe at that of one verdict (``verdicts.selection``).
    """
    judged = sequences(results)
    verdicts = [[result.verdict for result in sequence if result.verdict is not None] for sequence in judged]
    return [sequence[:count] for sequence, count in zip(judged, num_shown(verdicts), strict=True)]


def safe_prefixes(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return the prefixes before the first one of the ladder that is not non-inferior, least frozen first.

    Judging them in this order keeps the error rate of the whole ladder at that of one verdict (``deepest_safe``).
    """
    ladder = judged_ladder(results).items()
    return [freeze for freeze, _ in itertools.takewhile(lambda item: item[1].outcome == "non_inferior", ladder)]
