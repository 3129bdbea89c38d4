"""Together: several experiments side by side, and the later ones against the first where they compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.records.saved import SavedRun, from_records
from freezebench.report.comparison import HEADERS, comparison_cells, remarks
from freezebench.report.page.markup import Html, data_table, element, joined, section
from freezebench.report.page.sections import pictures
from freezebench.units import percent_text, ratio_text, seconds_text
from freezebench.verdicts.compare import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Missing, Picture


def side_by_side(experiments: Sequence[Experiment], drawn: Sequence[Picture | Missing] | None) -> Html:
    """Return the answers of several experiments, their comparison and their common pictures."""
    headers = ["experiment", "baseline accuracy", "baseline train time", "deepest safe prefix", "speed-up"]
    headers += ["memory saved", "energy saved", "seeds"]
    rows = [_overview(place, experiment) for place, experiment in enumerate(experiments, start=1)]
    return section(
        f"{len(experiments)} experiments side by side",
        data_table("Savings are against the experiment's own baseline without freezing.", headers, rows),
        *(_compared(experiments[0], place, experiment) for place, experiment in enumerate(experiments[1:], start=2)),
        None if drawn is None else pictures(drawn),
    )


def _overview(place: int, experiment: Experiment) -> list[str]:
    """Return one experiment's row."""
    name = element("a", f"{place}: {experiment.model} on {experiment.data_source}", href=f"#experiment-{place}")
    origin = element("small", experiment.source)
    baseline = next((row for row in experiment.rows if row.freeze == "none"), None)
    deepest = experiment.deepest
    return [
        joined([name, element("br"), origin]),
        percent_text(baseline.accuracy if baseline else None),
        seconds_text(baseline.train_s if baseline else None),
        deepest.freeze if deepest else "none is shown to be safe",
        ratio_text(deepest.speedup if deepest else None),
        percent_text(deepest.memory_saving if deepest else None, 0),
        percent_text(deepest.energy_saving if deepest else None, 0),
        str(max((row.num_seeds for row in experiment.rows), default=0)),
    ]


def _compared(first: Experiment, place: int, other: Experiment) -> Html:
    """Return the first experiment against another one, or why they cannot be compared."""
    comparison = compare(_saved(first), _saved(other), margin_pp=other.margin_pp)
    cells = [comparison_cells(pair) for pair in comparison.pairs if not pair.refused]
    title = element("h3", f"1 → {place}: what changed")
    notes = element("ul", *(element("li", line) for line in remarks(comparison)))
    if not cells:
        # The same reasons hold for every configuration; one is enough.
        why = next((pair.refused for pair in comparison.pairs if pair.refused), "they have no configuration in common")
        return joined([title, element("p", f"Not compared line by line: {why}.", class_="more")])
    return joined([title, data_table("Experiment 1 → the later one.", HEADERS, cells), notes])


def _saved(experiment: Experiment) -> SavedRun:
    """Return an experiment as comparisons take it."""
    dates = [record.started_at for record in experiment.records if record.started_at]
    configurations = (from_records(one.freeze, one.records, broken=one.broken) for one in experiment.results)
    return SavedRun(
        source=experiment.source, date=max(dates, default="unknown date"), configurations=tuple(configurations)
    )
