"""What a search for the deepest safe prefix found, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.metric_text import in_points_of
from freezebench.report.recommendation import safe_prefixes
from freezebench.report.verdict_text import judged_ladder
from freezebench.scoring.metrics import ACCURACY
from freezebench.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.config.settings import Settings
    from freezebench.scoring.metric import Metric
    from freezebench.verdicts.judge import ConfigurationResult

# Simulated, see benchmarks/search_error_rates.py.
SEARCH_ERROR = 0.05


def search_detail(results: Sequence[ConfigurationResult]) -> str | None:
    """Return what a search found, as a sentence; ``None`` if it left nothing out, or there was none."""
    if not any(result.not_needed for result in results):
        return None
    ladder, safe = list(judged_ladder(results)), safe_prefixes(results)
    num_left_out = sum(result.not_needed is not None for result in results)
    trained = f"{len(ladder)} of {len(ladder) + num_left_out} prefixes trained"
    if not safe:
        return f"The search found no non-inferior prefix: {trained}."
    deeper = ladder[len(safe) :]
    next_one = f", and {deeper[0]} is not shown to be non-inferior" if deeper else ""
    return f"Deepest safe prefix {safe[-1]}, found by search: {trained}{next_one}."


def search_sentence(settings: Settings, metric: Metric = ACCURACY) -> str | None:
    """Return the error rate of a search by a metric; ``None`` without one."""
    if not settings.searches:
        return None
    margin = in_points_of(settings.margin_pp, metric)
    return (
        f"Search: a depth that it reports loses more than {margin} with a probability of at "
        f"most {percent_text(SEARCH_ERROR, 0)}, for all its verdicts together; each bound has an error rate of "
        f"{percent_text(settings.looks.alpha)}."
    )
