"""The columns of the overview, which terminal, Markdown and page render."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from freezebench.report.column import Column, percent_number, points_text, time_scale, times_text
from freezebench.report.metric_text import level_percent, signed_drop, unit_word, value_number, value_text
from freezebench.report.overview.rows import FREEZING
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.interim_looks import ALPHA_ONE_LOOK
from freezebench.units import NOT_MEASURED, percent_text, seconds_text, with_unit
from freezebench.verdicts.vocabulary import VERDICTS, Term

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.report.overview.rows import Next, OverviewRow
    from freezebench.report.rows import Row

_NEXT_TERMS: dict[Next, Term] = {
    **{outcome: VERDICTS[outcome] for outcome in ("non_inferior", "inferior", "inconclusive", "invalid")},
    "not_tried": Term(word="not tried", tone="faint"),
    "no_deeper": Term(word=NOT_MEASURED, tone="faint"),
}


def overview_words(rows: Sequence[OverviewRow]) -> dict[str, str]:
    """Return what headings depend on: margin, level of the intervals, number of seeds."""
    margins = {row.experiment.margin_pp for row in rows}
    verdicts = (result.verdict for row in rows for result in row.experiment.results)
    levels = {level_percent(verdict.alpha) for verdict in verdicts if verdict is not None}
    units = {unit_word(row.metric) for row in rows}
    return {
        "margin": with_unit(min(margins), min(units)) if len(margins) == len(units) == 1 else "its margin",
        "points": min(units) if len(units) == 1 else "its unit",
        "level": " or ".join(sorted(levels)) or level_percent(ALPHA_ONE_LOOK),
        "sd": " ± SD" if any(row.num_seeds > 1 for row in rows) else "",
    }


def overview_columns(rows: Sequence[OverviewRow]) -> list[Column[OverviewRow]]:
    """Return the columns, without those that only tell experiments apart where all have the same.

    Values of different metrics are never written below each other without their names.
    """
    same = {column.name for column in COLUMNS if len({column.cell(row) for row in rows}) == 1}
    hidden = _TELLING_APART & same
    hidden |= {"metric", "baseline_metric"} if all(row.metric is ACCURACY for row in rows) else {"baseline_accuracy"}
    # A drop in nats needs more decimals than one in points.
    precise = next((row.metric for row in rows if row.metric.unit != "points"), rows[0].metric)
    drop = partial(signed_drop, metric=precise)
    return [
        replace(column, text=drop, bound_text=drop) if column.name == "drop_pp" else column
        for column in COLUMNS
        if column.name not in hidden
    ]


def _baseline_metric(row: OverviewRow) -> Term:
    """Return the value of the metric without freezing, with its unit."""
    if row.baseline is None or row.baseline.metric_value is None:
        return Term(word=NOT_MEASURED)
    spread = row.baseline.metric_sd
    text = value_text(row.baseline.metric_value, row.metric)
    return Term(word=text if spread is None else f"{text} ± {value_number(spread, row.metric)}")


def _of_deepest(figure: Callable[[Row], float | None]) -> Callable[[OverviewRow], float | None]:
    """Return a function that gives a figure of the deepest safe prefix; ``None`` where no prefix is safe."""
    return lambda row: None if row.deepest is None else figure(row.deepest)


def _of_baseline(figure: Callable[[Row], float | None]) -> Callable[[OverviewRow], float | None]:
    """Return a function that gives a figure of the unfrozen baseline; ``None`` where its runs are invalid."""
    return lambda row: None if row.baseline is None else figure(row.baseline)


def _layers(row: OverviewRow) -> Term:
    known = row.num_frozen_layers is not None and row.num_layers is not None
    return Term(word=f"{row.num_frozen_layers} of {row.num_layers}" if known else NOT_MEASURED)


def _next(row: OverviewRow) -> Term:
    """Return the prefix after the deepest safe one with its verdict."""
    name, state = row.next_deeper
    term = _NEXT_TERMS[state]
    return Term(word=f"{name} {term.word}".lstrip(), tone=term.tone)


# Left out where all experiments have the same: what that is, title and sentences say.
_TELLING_APART = {"family", "margin_pp", "device"}
# In the order of every rendering: the experiment, its answer, then what the deepest safe prefix saves.
COLUMNS: tuple[Column[OverviewRow], ...] = (
    Column(
        name="experiment",
        heading="experiment",
        short_heading=("experiment",),
        source=lambda row: row.number,
        term=lambda row: Term(word=row.label),
    ),
    Column(
        name="family",
        heading="strategies",
        short_heading=("strategies",),
        source=lambda row: float(row.family != FREEZING),
        term=lambda row: Term(word=row.family),
    ),
    Column(
        name="deepest_safe",
        heading="deepest safe prefix at {margin}",
        short_heading=("deepest safe", "at {margin}"),
        source=lambda row: None if row.frozen_share is None else float(row.frozen_share),
        term=lambda row: row.answer,
    ),
    Column(
        name="recommended",
        heading="recommended of all",
        short_heading=("recommended", "of all"),
        source=lambda _: None,
        term=lambda row: Term(word=row.recommended or NOT_MEASURED),
        rank=1,
        hide_empty=True,
    ),
    Column(
        name="metric",
        heading="metric",
        short_heading=("metric",),
        source=lambda _: None,
        term=lambda row: Term(word=row.metric.label),
    ),
    Column(
        name="margin_pp",
        heading="margin, {points}",
        short_heading=("margin", "{points}"),
        source=lambda row: row.experiment.margin_pp,
        text="{:g}".format,
    ),
    Column(
        name="num_frozen_layers",
        heading="layers frozen",
        short_heading=("layers", "frozen"),
        source=lambda row: None if row.frozen_share is None else float(row.frozen_share),
        term=_layers,
        rank=1,
    ),
    Column(
        name="baseline_accuracy",
        heading="accuracy without freezing, %{sd}",
        short_heading=("unfrozen", "acc., %{sd}"),
        source=_of_baseline(lambda row: row.accuracy),
        aggregation="mean",
        better="higher",
        text=percent_number(1),
        spread=_of_baseline(lambda row: row.accuracy_sd),
        spread_text=percent_number(1),
    ),
    Column(
        name="baseline_metric",
        heading="metric without freezing{sd}",
        short_heading=("unfrozen", "metric{sd}"),
        source=_of_baseline(lambda row: row.metric_value),
        term=_baseline_metric,
    ),
    Column(
        name="drop_pp",
        heading="drop, {points} [{level} % interval]",
        short_heading=("drop, {points}", "[{level} % interval]"),
        unit="percentage points",
        source=_of_deepest(lambda row: row.drop_pp),
        aggregation="mean",
        better="lower",
        text=points_text,
        bounds=(_of_deepest(lambda row: row.lower_pp), _of_deepest(lambda row: row.upper_pp)),
        bound_text=points_text,
    ),
    Column(
        name="next_deeper",
        heading="next deeper prefix",
        short_heading=("next deeper", "prefix"),
        source=lambda row: list(_NEXT_TERMS).index(row.next_deeper[1]),
        term=_next,
        rank=5,
    ),
    Column(
        name="baseline_train_s",
        heading="train time without freezing",
        short_heading=("unfrozen", "train", "time {unit}"),
        unit="s",
        source=_of_baseline(lambda row: row.train_s),
        aggregation="median",
        text=seconds_text,
        scale=time_scale,
        is_cost=True,
        needs_quiet=True,
        rank=4,
    ),
    Column(
        name="speedup",
        heading="speed-up [90 % interval]",
        short_heading=("speed-up", "[90 % interval]"),
        source=_of_deepest(lambda row: row.speedup),
        aggregation="geometric mean",
        better="higher",
        text=lambda value: f"{times_text(value)}×",
        bounds=(_of_deepest(lambda row: row.speedup_lower), _of_deepest(lambda row: row.speedup_upper)),
        bound_text=times_text,
        is_cost=True,
    ),
    Column(
        name="memory_saving",
        heading="memory saved",
        short_heading=("memory", "saved"),
        source=_of_deepest(lambda row: row.memory_saving),
        aggregation="largest",
        better="higher",
        text=lambda value: percent_text(value, 0),
        is_cost=True,
    ),
    Column(
        name="energy_saving",
        heading="energy saved",
        short_heading=("energy", "saved"),
        source=_of_deepest(lambda row: row.energy_saving),
        aggregation="median",
        better="higher",
        text=lambda value: percent_text(value, 0),
        spread=_of_deepest(lambda row: row.energy_saving_uncertainty),
        spread_text=percent_number(0),
        is_cost=True,
        hide_empty=True,
    ),
    Column(
        name="trainable_fraction",
        heading="share of parameters that trains",
        short_heading=("trains,", "share"),
        source=_of_deepest(lambda row: row.trainable_fraction),
        text=percent_text,
        is_cost=True,
        rank=2,
    ),
    Column(
        name="num_seeds",
        heading="seeds",
        short_heading=("seeds",),
        source=lambda row: row.num_seeds,
        text="{:.0f}".format,
    ),
    Column(
        name="device",
        heading="device",
        short_heading=("device",),
        source=lambda _: None,
        term=lambda row: Term(word=row.device or NOT_MEASURED),
        is_cost=True,
    ),
)
