"""The plan's lines on what judges an experiment: task, metric, margin, limits and slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.data_text import slice_sizes
from freezebench.report.metric_text import in_unit
from freezebench.scoring.metrics import ACCURACY, metric_of
from freezebench.units import listed

if TYPE_CHECKING:
    from freezebench.config.settings import Settings
    from freezebench.records.data_facts import DataFacts

_MOST_NAMED = 8


def judging_lines(settings: Settings, facts: DataFacts, *, with_usual: bool = True) -> list[str]:
    """Return what judges an experiment, before anything is trained.

    Args:
        settings: Settings of the test.
        facts: Its data set.
        with_usual: Whether to say it of classifiers that are judged by their accuracy, too.
    """
    metric = metric_of(settings.metric, facts.task, facts.label_names)
    lines = []
    if with_usual or metric.name != ACCURACY.name or facts.task != "sequence-classification":
        limits = {"--freeze-max-slice-drop": settings.max_slice_drop, "--freeze-max-test-drop": settings.max_test_drop}
        asserted = "".join(f", {name}={limit:g}" for name, limit in limits.items() if limit is not None)
        margin = in_unit(settings.margin_pp, metric)
        lines.append(f"task {facts.task}, judged by {metric.label}, margin {margin}{asserted}")
    if sizes := slice_sizes(facts):
        lines.append(f"slices of {settings.data.slice_column}: {listed(sizes, _MOST_NAMED)}")
    return [f"freezebench: {line}" for line in lines]
