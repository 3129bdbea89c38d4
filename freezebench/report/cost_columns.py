"""The columns on what training takes: time, memory, energy, and how many parameters train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.meters.metrics import COST_METRICS
from freezebench.report.aggregate import aggregate
from freezebench.report.column import Column, Scale, energy_scale, memory_scale, percent_number, time_scale, times_text
from freezebench.report.contention import contended_text
from freezebench.units import NOT_MEASURED, bytes_text, energy_text, number_text, percent_text, seconds_text
from freezebench.verdicts.vocabulary import Term

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.report.rows import Row

_SMALL_SHARE = 0.001


def metric_column(
    name: str,
    *,
    short_heading: tuple[str, ...],
    text: Callable[[float], str],
    scale: Callable[[float], Scale] | None = None,
    rank: int = 0,
) -> Column[Row]:
    """Return the column of a metric that the runs record; the registry of metrics has its other properties."""
    metric = COST_METRICS[name]
    return Column(
        name=name,
        heading=metric.label,
        short_heading=short_heading,
        unit=metric.unit,
        source=lambda row: aggregate(row.cost_records, name),
        aggregation=metric.over_seeds,
        better=metric.better,
        text=text,
        scale=scale,
        is_cost=True,
        rank=rank,
        needs_quiet=metric.needs_quiet,
    )


def _whole_percent(value: float) -> str:
    return percent_text(value, 0)


def _share(value: float) -> str:
    """Return a share with a decimal, or two for one that would be 0.0 %."""
    return percent_text(value, 1 if value >= _SMALL_SHARE else 2)


def _contended(row: Row) -> Term:
    """Return the share of contended runs; a dash without any."""
    text = contended_text(row)
    return Term(word=text, tone="unsure") if text else Term(word=NOT_MEASURED)


COST_COLUMNS: tuple[Column[Row], ...] = (
    metric_column("train_s", short_heading=("train", "time", "{unit}"), text=seconds_text, scale=time_scale),
    Column(
        name="speedup",
        heading="speed-up [90 % interval]",
        short_heading=("speed-up", "[90 % interval]"),
        source=lambda row: row.speedup,
        aggregation="geometric mean",
        better="higher",
        text=lambda value: f"{times_text(value)}×",
        bounds=(lambda row: row.speedup_lower, lambda row: row.speedup_upper),
        bound_text=times_text,
        is_cost=True,
    ),
    Column(
        name="contended_share",
        heading="time waiting for a processor",
        short_heading=("waited", "for CPU"),
        source=lambda row: row.contended_share if row.num_contended else None,
        aggregation="largest",
        better="lower",
        term=_contended,
        is_cost=True,
        hide_empty=True,
    ),
    Column(
        name="peak_memory_bytes",
        heading="{memory}",
        short_heading=("{device}", "peak", "{unit}"),
        unit="B",
        source=lambda row: row.peak_memory_bytes,
        aggregation="largest",
        better="lower",
        text=bytes_text,
        scale=memory_scale,
        is_cost=True,
    ),
    Column(
        name="memory_saving",
        heading="memory saved",
        short_heading=("memory", "saved"),
        source=lambda row: row.memory_saving,
        aggregation="largest",
        better="higher",
        text=_whole_percent,
        is_cost=True,
        rank=2,
    ),
    Column(
        name="energy_j",
        heading="{energy}",
        short_heading=("{meter}", "energy", "{unit}"),
        unit="J",
        source=lambda row: row.energy_j,
        aggregation="median",
        better="lower",
        text=energy_text,
        scale=energy_scale,
        is_cost=True,
        needs_quiet=True,
    ),
    Column(
        name="energy_saving",
        heading="energy saved",
        short_heading=("energy", "saved"),
        source=lambda row: row.energy_saving,
        aggregation="median",
        better="higher",
        text=_whole_percent,
        spread=lambda row: row.energy_saving_uncertainty,
        spread_text=percent_number(0),
        is_cost=True,
        rank=3,
    ),
    Column(
        name="trainable_fraction",
        heading="share",
        short_heading=("trains,", "share"),
        source=lambda row: row.trainable_fraction,
        text=_share,
        is_cost=True,
        rank=1,
    ),
    Column(
        name="num_trainable_params",
        heading="trainable params",
        short_heading=("trainable", "params"),
        source=lambda row: row.num_trainable_params,
        text="{:,.0f}".format,
        is_cost=True,
        rank=4,
    ),
    Column(
        name="samples_per_s",
        heading="samples/s",
        short_heading=("samples", "/s"),
        unit="1/s",
        source=lambda row: row.samples_per_s,
        aggregation="median",
        better="higher",
        text="{:,.0f}".format,
        is_cost=True,
        rank=6,
        needs_quiet=True,
    ),
    Column(
        name="energy_per_1000_samples_j",
        heading="J per 1000 samples",
        short_heading=("J per", "1000", "samples"),
        unit="J",
        source=lambda row: row.energy_per_1000_samples_j,
        aggregation="median",
        better="lower",
        text=number_text,
        is_cost=True,
        rank=8,
        needs_quiet=True,
        hide_empty=True,
    ),
)
