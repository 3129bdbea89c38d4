"""Several experiments side by side, and the comparison of the later ones with the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.records.saved import SavedRun, from_records
from freezebench.report.comparison import HEADERS, comparison_cells, remarks
from freezebench.report.contention import MARK
from freezebench.report.page.markup import Html, data_table, element, joined, section
from freezebench.report.page.sections import pictures
from freezebench.units import percent_text, ratio_text, seconds_text
from freezebench.verdicts.compare import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Missing, Picture


def side_by_side(experiments: Sequence[Experiment], drawn: Sequence[Picture | Missing] | None) -> Html:
    """Return the answers of several experiments, their comparisons, and the pictures that show all of them."""
    headers = ["experiment", "baseline accuracy", "baseline train time", "deepest safe prefix", "speed-up"]
    headers += ["memory saved", "energy saved", "seeds"]
    rows = [_overview(number, experiment) for number, experiment in enumerate(experiments, start=1)]
    return section(
        f"{len(experiments)} experiments side by side",
        data_table("Savings are against the experiment's own baseline without freezing.", headers, rows),
        *(_compared(experiments[0], number, experiment) for number, experiment in enumerate(experiments[1:], start=2)),
        None if drawn is None else pictures(drawn),
    )


def _overview(number: int, experiment: Experiment) -> list[str]:
    """Return one experiment's row."""
    name = element("a", f"{number}: {experiment.model} on {experiment.data_source}", href=f"#experiment-{number}")
    origin = element("small", experiment.source)
    baseline, deepest = experiment.baseline, experiment.deepest
    mark = f" {MARK}" if baseline is not None and baseline.is_contended else ""
    return [
        joined([name, element("br"), origin]),
        percent_text(baseline.accuracy if baseline else None),
        seconds_text(baseline.train_s if baseline else None) + mark,
        deepest.freeze if deepest else "none",
        ratio_text(deepest.speedup if deepest else None),
        percent_text(deepest.memory_saving if deepest else None, 0),
        percent_text(deepest.energy_saving if deepest else None, 0),
        str(max((row.num_seeds for row in experiment.rows), default=0)),
    ]


def _compared(first: Experiment, number: int, other: Experiment) -> Html:
    """Return the comparison of the first experiment with another one, or why they cannot be compared."""
    # The margin is that of the later experiment, which is the one that is judged.
    comparison = compare(_saved(first), _saved(other), margin_pp=other.margin_pp)
    cells = comparison_cells(comparison)
    title = element("h3", f"1 → {number}: what changed")
    notes = element("ul", *(element("li", line) for line in remarks(comparison)))
    if not cells:
        # The reasons are the same for every configuration, so the first one is enough.
        why = next((pair.refused for pair in comparison.pairs if pair.refused), "they have no configuration in common")
        return joined([title, element("p", f"Not compared line by line: {why}.", class_="more")])
    return joined([title, data_table("Experiment 1 → the later one.", HEADERS, cells), notes])


def _saved(experiment: Experiment) -> SavedRun:
    """Return an experiment as a saved run, which comparisons work on."""
    dates = [record.started_at for record in experiment.records if record.started_at]
    configurations = (
        from_records(result.freeze, result.records, broken=result.broken)
        for result in experiment.results
        if result.was_run
    )
    return SavedRun(
        source=experiment.source, date=max(dates, default="unknown date"), configurations=tuple(configurations)
    )
