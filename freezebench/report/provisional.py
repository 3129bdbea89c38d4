"""The provisional table: how the configurations compare after a seed, while the session still trains."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from freezebench.escaping import terminal_line
from freezebench.records.device_models import main_model, of_model
from freezebench.records.run_record import data_of, values_of
from freezebench.report.metric_text import metric_of_data, seed_drop, unit_word, unsigned_drop, value_of, value_text
from freezebench.report.strategy_text import names_heading
from freezebench.report.terminal_text import columns_of, cut, pad
from freezebench.scoring.metrics import ACCURACY
from freezebench.units import NOT_MEASURED, percent_text, seconds_text
from freezebench.verdicts.classes import class_name, majority_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.events import SeedsFinished
    from freezebench.records.run_record import RunRecord
    from freezebench.scoring.metric import Metric

_LONGEST_NAME = 22


def provisional_lines(seeds: SeedsFinished, width: int, experiment: str = "") -> list[str]:
    """Return the configurations of a round as a table of means over the seeds so far, one line each.

    Args:
        seeds: The seeds that have gone through the round.
        width: The most columns that a line may take.
        experiment: The name of the experiment in a session of several.
    """
    baseline = seeds.records["none"]
    model = main_model(record for records in seeds.records.values() for record in records)
    metric = metric_of_data(next(iter(baseline)).data, seeds.metric)
    cells = {freeze: _cells(freeze, records, baseline, model, metric) for freeze, records in seeds.records.items()}
    headings = (names_heading(seeds.records), terminal_line(metric.label), "drop", "train time")
    rows = [headings, *(row for row in cells.values() if row is not None)]
    names = {freeze: cut(terminal_line(freeze), _LONGEST_NAME) for freeze in cells}
    name_columns = max(map(columns_of, [headings[0], *names.values()]))
    columns = [name_columns, *(max(columns_of(row[column]) for row in rows) for column in range(1, len(headings)))]
    number = f"seed {seeds.num_ended} of {seeds.num_seeds}"
    heading = f"provisional, after {number} (drop in {unit_word(metric)}, no verdicts yet):"
    if experiment:
        heading = f": provisional, after {number} (drop in {unit_word(metric)}):"
        heading = cut(terminal_line(experiment), width - columns_of(heading)) + heading
    lines = [heading, _line(headings, columns)]
    for freeze, row in cells.items():
        if row is None:
            start = f"  {pad(names[freeze], name_columns, left=True)}  invalid: "
            cause = terminal_line(seeds.records[freeze][-1].reason or f"its {metric.label} is not defined")
            lines.append(start + cut(cause, width - columns_of(start)))
        else:
            lines.append(_line((names[freeze], *row[1:]), columns))
    data = data_of(baseline)
    if data is not None and data.task == "sequence-classification" and metric is ACCURACY:
        # An accuracy means little without that of guessing.
        guess = f"  always predicting {class_name(data, majority_class(data))}: {percent_text(data.majority_share)}"
        lines.append(cut(terminal_line(guess), width))
    return lines


def _cells(
    freeze: str, records: Sequence[RunRecord], baseline: Sequence[RunRecord], model: str | None, metric: Metric
) -> tuple[str, ...] | None:
    """Return the cells of a configuration, its time on a model of device; ``None`` if one of its runs is invalid."""
    values = [value for record in records if (value := value_of(record, metric)) is not None]
    if len(values) < len(records):
        return None
    # Both arms have the same seeds: a drop is the mean of differences within a seed.
    seed_drops = (seed_drop(unfrozen, frozen, metric) for unfrozen, frozen in zip(baseline, records, strict=False))
    drops = [drop for drop in seed_drops if drop is not None]
    return (
        freeze,
        value_text(statistics.fmean(values), metric),
        NOT_MEASURED if freeze == "none" or not drops else unsigned_drop(statistics.fmean(drops), metric),
        _train_time(of_model(records, model)),
    )


def _train_time(records: Sequence[RunRecord]) -> str:
    """Return the mean train time, with the largest share of it that a disturbed run waited for a processor."""
    values = values_of(records, "train_s")
    time = seconds_text(statistics.fmean(values)) if values else NOT_MEASURED
    shares = [record.contended_share or 0.0 for record in records if record.is_contended]
    return f"{time}, contended {percent_text(max(shares), 0)}" if shares else time


def _line(cells: Sequence[str], columns: Sequence[int]) -> str:
    padded = [
        pad(cell, width, left=column == 0) for column, (cell, width) in enumerate(zip(cells, columns, strict=True))
    ]
    return ("  " + "  ".join(padded)).rstrip()
