"""The comparison of later experiments with the first one of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.records.saved import SavedRun, from_records
from freezebench.report.comparison import comparison_cells, comparison_headers, remarks
from freezebench.report.metric_text import result_metric
from freezebench.report.page.markup import Html, data_table, element, joined, section
from freezebench.verdicts.compare import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.verdicts.compare import Comparison


def side_by_side(experiments: Sequence[Experiment]) -> Html:
    """Return what changed from the first experiment to each later one, or why these two cannot be compared."""
    refused: dict[str, list[str]] = {}
    tables = []
    for number, experiment in enumerate(experiments[1:], start=2):
        # The margin is that of the later experiment, which is the one that is judged.
        comparison = compare(_saved(experiments[0]), _saved(experiment), margin_pp=experiment.margin_pp)
        if any(not pair.refused for pair in comparison.pairs):
            tables.append(_compared(comparison, number))
        else:
            # The reasons are the same for every configuration, so the first one is enough.
            why = next(
                (pair.refused for pair in comparison.pairs if pair.refused), "they have no configuration in common"
            )
            refused.setdefault(why.rstrip("."), []).append(str(number))
    notes = [f"Not compared line by line: 1 with {', '.join(numbers)}: {why}." for why, numbers in refused.items()]
    return section("What changed", *tables, *(element("p", note, class_="more") for note in notes))


def _compared(comparison: Comparison, number: int) -> Html:
    """Return the comparison of the first experiment with another one."""
    title = element("h3", f"1 → {number}: what changed")
    notes = element("ul", *(element("li", line) for line in remarks(comparison)))
    cells = comparison_cells(comparison)
    return joined([title, data_table("Experiment 1 → the later one.", comparison_headers(comparison), cells), notes])


def _saved(experiment: Experiment) -> SavedRun:
    """Return an experiment as a saved run, which comparisons work on."""
    dates = [record.started_at for record in experiment.records if record.started_at]
    configurations = (
        from_records(result.freeze, result.records, broken=result.broken, metric=result_metric(result))
        for result in experiment.results
        if result.was_run
    )
    return SavedRun(
        source=experiment.source, date=max(dates, default="unknown date"), configurations=tuple(configurations)
    )
