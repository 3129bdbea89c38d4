"""Which configuration is recommended: the one decision behind the summary, the page and ``--freeze-save``."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from freezebench.report.verdict_text import judged_ladder
from freezebench.specs.freeze import FreezeSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult


def recommended(results: Sequence[ConfigurationResult], rows: Sequence[Row]) -> Row | None:
    """Return the row of the cheapest configuration that is non-inferior at the margin and passes its limits.

    Prefixes are nested, and judged in order, least frozen first: of those before the first one that is not proven safe
    the deepest is the cheapest, since it has the least to compute. Among it and other configurations the cheapest one
    has the largest speed-up or, where that is not known, the fewest trainable parameters. Whether the speed-up is shown
    to be a gain is for the sentence to say; the accuracy allows this configuration in any case.

    The baseline is never recommended: ``None`` means that nothing but no freezing is shown to be safe, or that the
    baseline, with which all are compared, is invalid.

    Args:
        results: The results of one comparison, the baseline's included.
        rows: Their figures.
    """
    if any(result.is_baseline and result.broken for result in results):
        return None
    # Without an asserted limit the verdict at the margin decides alone.
    safe = [
        result.freeze
        for result in results
        if result.verdict is not None
        and result.verdict.outcome == "non_inferior"
        and result.standing in ("ok", "no_limit")
    ]
    prefixes = [freeze for freeze in safe_prefixes(results) if freeze in safe]
    others = [freeze for freeze in safe if not FreezeSpec.parse(freeze).is_prefix]
    candidates = [row for row in rows if row.freeze in (*prefixes[-1:], *others)]
    if not candidates:
        return None
    if any(row.speedup is None for row in candidates):
        return min(candidates, key=lambda row: row.num_trainable_params or 0)
    return max(candidates, key=lambda row: row.speedup or 0.0)


def safe_prefixes(results: Sequence[ConfigurationResult]) -> list[str]:
    """Return the prefixes before the first one of the ladder that is not non-inferior, least frozen first.

    Judging them in this order keeps the error rate of the whole ladder at that of one verdict (``deepest_safe``).
    """
    ladder = judged_ladder(results).items()
    return [freeze for freeze, _ in itertools.takewhile(lambda item: item[1].outcome == "non_inferior", ladder)]
