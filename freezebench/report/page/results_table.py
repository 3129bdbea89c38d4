"""Table: every configuration's figures, sortable by any column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.report.page.answer import VERDICTS
from freezebench.report.page.markup import Html, element, joined, scroller
from freezebench.units import (
    NOT_MEASURED,
    bytes_text,
    count_text,
    energy_text,
    number_text,
    percent_text,
    ratio_text,
    seconds_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row

_MEMORY = {"peak_allocated_bytes": "GPU memory peak", "peak_rss_bytes": "process memory peak"}
_ENERGY = {"energy_j": "GPU energy", "cpu_energy_j": "CPU package energy"}
_RANKS = {"baseline": 0, "non_inferior": 1, "inconclusive": 2, "inferior": 3, "invalid": 4}
_STANDINGS = {"ok": "ok", "worse": "WORSE", "undecided": "UNDECIDED", "broken": "BROKEN"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        header: What it shows, with its unit.
        cell: Its text.
        value: What it is sorted by; ``None`` goes last.
    """

    header: str
    cell: Callable[[Row], str]
    value: Callable[[Row], float | None]


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns that hold for these rows; memory and energy name what they are."""

    def column(header: str, cell: Callable[[Row], str], value: Callable[[Row], float | None]) -> Column:
        return Column(header=header, cell=cell, value=value)

    order = {row.freeze: float(place) for place, row in enumerate(rows)}
    return [
        column("frozen", lambda row: row.freeze, lambda row: order[row.freeze]),
        column("verdict at margin", _verdict, lambda row: _RANKS[row.verdict]),
        column("drop, points [interval]", _drop, lambda row: row.drop_pp),
        column("test accuracy, % ± SD", lambda row: _mean(row.accuracy, row.accuracy_sd), lambda row: row.accuracy),
        column("test F1, % ± SD", lambda row: _mean(row.f1, row.f1_sd), lambda row: row.f1),
        column("train time", lambda row: seconds_text(row.train_s), lambda row: row.train_s),
        column("speed-up", lambda row: ratio_text(row.speedup), lambda row: row.speedup),
        column("samples/s", lambda row: number_text(row.samples_per_s, 0), lambda row: row.samples_per_s),
        column(
            _MEMORY[rows[0].memory_metric],
            lambda row: bytes_text(row.peak_memory_bytes),
            lambda row: row.peak_memory_bytes,
        ),
        column("memory saved", lambda row: percent_text(row.memory_saving, 0), lambda row: row.memory_saving),
        column(_ENERGY[rows[0].energy_metric], lambda row: energy_text(row.energy_j), lambda row: row.energy_j),
        column("energy saved", lambda row: percent_text(row.energy_saving, 0), lambda row: row.energy_saving),
        column(
            "J per 1000 samples",
            lambda row: number_text(row.energy_per_1000_samples_j),
            lambda row: row.energy_per_1000_samples_j,
        ),
        column(
            "trainable params", lambda row: count_text(row.num_trainable_params), lambda row: row.num_trainable_params
        ),
        column("share", lambda row: percent_text(row.trainable_fraction), lambda row: row.trainable_fraction),
        column("learning rate", lambda row: _rate(row.learning_rate), lambda row: row.learning_rate),
        column("seeds", lambda row: str(row.num_seeds), lambda row: row.num_seeds),
        column("limit, points", lambda row: number_text(row.limit_pp), lambda row: row.limit_pp),
        column("test", _test, lambda row: list(_STANDINGS).index(row.standing)),
    ]


def results_table(experiment: Experiment) -> Html:
    """Return the table of one experiment."""
    shown = columns(experiment.rows)
    head = [
        element("th", element("button", column.header, type="button"), scope="col", aria_sort="none")
        for column in shown
    ]
    body = [element("tr", *_cells(row, shown), class_=row.verdict) for row in experiment.rows]
    content = element("table", element("thead", element("tr", *head)), element("tbody", *body), class_="sortable")
    remark = "Press a heading to sort. A dash was not measured; the footnotes say why."
    return joined([scroller(content, "figures of every configuration"), element("p", remark, class_="more")])


def _cells(row: Row, shown: Sequence[Column]) -> list[Html]:
    """Return the cells of a row, each with the figure that it is sorted by."""
    cells = []
    for place, column in enumerate(shown):
        value = column.value(row)
        key = None if value is None else repr(float(value))
        content = column.cell(row)
        if place == 0:
            cells.append(element("th", element("code", content), scope="row", data_value=key))
        else:
            cells.append(element("td", content, data_value=key))
    return cells


def _verdict(row: Row) -> str:
    sign, word = VERDICTS[row.verdict]
    return f"{sign} {word}"


def _drop(row: Row) -> str:
    if row.drop_pp is None or row.lower_pp is None or row.upper_pp is None:
        return NOT_MEASURED
    return f"{row.drop_pp:+.1f} [{row.lower_pp:+.1f}, {row.upper_pp:+.1f}]"


def _mean(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return NOT_MEASURED
    return f"{100 * mean:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


def _rate(rate: float | None) -> str:
    return NOT_MEASURED if rate is None else f"{rate:g}"


def _test(row: Row) -> str:
    asserted = row.gate is not None or row.num_parts or row.broken
    return _STANDINGS[row.standing] if asserted else NOT_MEASURED
