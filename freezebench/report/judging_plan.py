"""The plan's lines on what judges an experiment: task, metric, margin, limits and slices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from freezebench.report.data_text import slice_sizes
from freezebench.report.label_text import balance_sentence, few_of_subsets_sentence, tags_sentence
from freezebench.report.metric_text import in_unit
from freezebench.report.plan import shown_margins
from freezebench.report.repairs import repairing_steps
from freezebench.scoring.metrics import ACCURACY, metric_of
from freezebench.units import listed
from freezebench.verdicts.judge import BASELINE_INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.config.settings import Settings
    from freezebench.records.data_facts import DataFacts
    from freezebench.verdicts.judge import ConfigurationResult

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
    sentences = (tags_sentence, balance_sentence, few_of_subsets_sentence)
    lines += filter(None, (sentence(facts, metric) for sentence in sentences))
    return [f"freezebench: {line}" for line in lines]


def limit_lines(settings: Settings, facts: DataFacts, specs: Iterable[str], *, with_usual: bool = True) -> list[str]:
    """Return the limits that tests assert on the drop, and which of them the design is too small for.

    Args:
        settings: Settings of the tests.
        facts: Their data set.
        specs: Their configurations.
        with_usual: Whether to name limits that the design is large enough for, too.
    """
    limits = {spec: limit for spec in specs if spec != "none" and (limit := settings.max_drop.get(spec)) is not None}
    # One seed shows no margin at all, which the plan says of every test.
    smallest = min(filter(math.isfinite, shown_margins(settings, facts).values()), default=0.0)
    small = [spec for spec, limit in limits.items() if limit < smallest]
    if not limits or not (small or with_usual):
        return []
    by_limit: dict[float, list[str]] = {}
    for spec, limit in limits.items():
        by_limit.setdefault(limit, []).append(spec)
    metric = metric_of(settings.metric, facts.task, facts.label_names)
    texts = [f"{in_unit(limit, metric)} for {listed(names, _MOST_NAMED)}" for limit, names in by_limit.items()]
    line = f"freezebench: limits on the drop: {'; '.join(texts)}"
    if small:
        whose = "its limit is" if len(small) == 1 else "their limits are"
        line += (
            f". Expect inconclusive tests of {listed(small, _MOST_NAMED)}: {whose} smaller than {smallest:.1f} points"
        )
    return [line]


def stored_fault_lines(baseline: ConfigurationResult | None, results: Iterable[ConfigurationResult]) -> list[str]:
    """Return which configurations are invalid by runs of earlier sessions, and what to do; none if none are.

    Args:
        baseline: The result of the unfrozen baseline that follows from those runs; ``None``: it lacks some.
        results: The results of other configurations that follow from them.
    """
    again = "Runs that were finished are not trained again; --freeze-resume=no would do that"
    if baseline is not None and baseline.broken:
        steps = "".join(f" {step}" for step in repairing_steps(baseline))
        cause = baseline.broken.rstrip(".")
        return [f"freezebench: {BASELINE_INVALID}, so that nothing further would train: {cause}.{steps} {again}"]
    broken = {result.freeze: result for result in results if result.broken}
    return [
        f"freezebench: {freeze} is invalid, so that it would not train further: {str(result.broken).rstrip('.')}."
        f"{''.join(f' {step}' for step in repairing_steps(result))} {again}"
        for freeze, result in broken.items()
    ]
