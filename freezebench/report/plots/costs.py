"""Pictures of costs: the metric against time, memory and energy, trainable parameters, power and memory over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.meters.metrics import COST_METRICS
from freezebench.records.device_models import of_model
from freezebench.records.headline import headline_metrics
from freezebench.report.contention import MARK
from freezebench.report.metric_text import axis_label, title_of, value_of
from freezebench.report.pareto import pareto
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots.families import family_handles, family_of, family_shapes, legend_columns, short_name
from freezebench.report.plots.style import (
    BLUE,
    INK,
    MUTED,
    VERDICT_MARKS,
    between,
    in_lines,
    label_points,
    picture,
    ramp,
    verdict_handles,
)
from freezebench.report.reasons import busy_note, why_missing
from freezebench.report.rows import share_of, table_metric, table_model
from freezebench.scoring.metrics import ACCURACY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freezebench.records.run_record import RunRecord
    from freezebench.records.trace import SeriesJson
    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row
    from freezebench.scoring.metric import Metric

_GIB = 2.0**30
_LEGEND_COLUMNS = 3
_FEWEST_COMPARED = 2
_LABEL_HEIGHT = 150.0  # in points: how long the label of the upright axis may be
_SHAPES_NOTE = "Colours are verdicts, shapes are families of configurations. "


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A cost that the metric is traded for.

    Attributes:
        name: ``time``, ``memory`` or ``energy``.
        figure: Its figure in a row.
        axis: Label of the axis.
        scale: Number of the record's units in one unit of the axis.
    """

    name: str
    figure: Callable[[Row], float | None]
    axis: str
    scale: float = 1.0


COSTS = (
    Cost(name="time", figure=lambda row: row.train_s, axis="train time (s)"),
    Cost(name="memory", figure=lambda row: row.peak_memory_bytes, axis="peak memory (GiB)", scale=_GIB),
    Cost(name="energy", figure=lambda row: row.energy_j, axis="energy of training (J)"),
)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A quantity that was sampled over time.

    Attributes:
        name: ``power`` or ``memory``.
        metrics: Names of its series, the preferred one first.
        axis: Label of the axis.
        scale: Number of the series' units in one unit of the axis.
    """

    name: str
    metrics: tuple[str, ...]
    axis: str
    scale: float = 1.0


QUANTITIES = (
    Quantity(name="power", metrics=("power_w", "cpu_power_w"), axis="power (W)"),
    Quantity(name="memory", metrics=("device_used_bytes", "rss_bytes"), axis="memory in use (GiB)", scale=_GIB),
)


def trade_off(experiment: Experiment, cost: Cost) -> Picture | Missing:
    """Return the metric against one cost, with the Pareto front."""
    judged = table_metric(experiment.rows)
    name, title = f"tradeoff_{cost.name}", f"{title_of(judged)} against {cost.name}"
    memory, energy = headline_metrics(experiment.cost_records)
    metric = {"time": "train_s", "memory": memory, "energy": energy}[cost.name]
    shown = [
        (row, value / cost.scale, judged.scale * row.metric_value)
        for row in experiment.rows
        if (value := cost.figure(row)) is not None and row.metric_value is not None
    ]
    if not shown:
        return Missing(name=name, title=title, reason=why_missing(experiment, metric))
    seeds = [
        (value / cost.scale, judged.scale * result)
        for record in experiment.cost_records
        if (result := value_of(record, judged)) is not None and (value := record.value(metric)) is not None
    ]
    needs_quiet = COST_METRICS[metric].needs_quiet
    names = [short_name(row.freeze) + (f" {MARK}" if needs_quiet and row.is_contended else "") for row, _, _ in shown]
    shapes = family_shapes(row.freeze for row, _, _ in shown)
    counting = [position for position, (row, _, _) in enumerate(shown) if not (needs_quiet and row.is_contended)]
    front = _front(shown, counting, judged)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([x for x, _ in seeds], [y for _, y in seeds], ls="", marker=".", ms=4, color=MUTED, alpha=0.7)
        corners = [shown[position][1:] for position in front]
        axes.plot([x for x, _ in corners], [y for _, y in corners], color=BLUE, lw=1.4, zorder=1.5)
        for position, (row, x, y) in enumerate(shown):
            _mark(axes, row, (x, y), shapes, is_best=position in front)
        axes.margins(0.12, 0.14)
        axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))
        axes.set_xlabel(f"{cost.axis}, left is better")
        axes.set_ylabel(in_lines(axis_label(judged), _LABEL_HEIGHT))
        _trade_off_legend(figure, [row.verdict for row, _, _ in shown], shapes, has_front=bool(front))
        labels = [(x, y, label) for (_, x, y), label in zip(shown, names, strict=True)]
        label_points(axes, labels, [*between(corners), *seeds])

    return picture(
        name,
        title,
        caption=(
            f"{_front_note(judged, has_front=bool(front), is_whole=len(counting) == len(shown))} "
            f"{_SHAPES_NOTE if shapes else ''}Small dots: one seed each."
            f"{busy_note(experiment.rows) if needs_quiet else ''}"
        ),
        alt=_in_words(shown, front, judged, cost),
        height=3.5 + 0.17 * math.ceil(len(shapes) / _LEGEND_COLUMNS),
        paint=paint,
    )


def _front(shown: Sequence[tuple[Row, float, float]], counting: Sequence[int], metric: Metric) -> list[int]:
    """Return the positions of the configurations on the Pareto front; none where too few have a cost that counts.

    It is the front of the means: single seeds would reward a lucky run.

    Args:
        shown: The configurations with cost and value.
        counting: Positions of those whose costs count; others are no evidence.
        metric: What the values are of.
    """
    if len(counting) < min(len(shown), _FEWEST_COMPARED):
        return []
    costs = [(shown[position][1], shown[position][2]) for position in counting]
    return [counting[index] for index in pareto([(x, y if metric.higher_is_better else -y) for x, y in costs])]


def _in_words(shown: Sequence[tuple[Row, float, float]], front: Sequence[int], metric: Metric, cost: Cost) -> str:
    """Return the front, or without one the figures, for people who cannot see the picture."""
    if front:
        best = ", ".join(shown[position][0].freeze for position in front)
        return f"On the Pareto front of {metric.label} and {cost.name}: {best}."
    figures = "; ".join(f"{row.freeze} {x:.3g}, {y:.3g}" for row, x, y in shown)
    return f"{cost.axis} and {axis_label(metric)}: {figures}."


def _front_note(metric: Metric, *, has_front: bool, is_whole: bool) -> str:
    """Return what the Pareto front is, and which configurations cannot be on it."""
    if not has_front:
        return f"No Pareto front is drawn, since figures with {MARK} do not count."
    left_out = "" if is_whole else f" Those with {MARK} are left out of it."
    return (
        f"Filled marks lie on the Pareto front: no other configuration is both cheaper and {_better(metric)}.{left_out}"
    )


def _better(metric: Metric) -> str:
    return "more accurate" if metric is ACCURACY else f"better by its {metric.label}"


def _mark(axes: Axes, row: Row, point: tuple[float, float], shapes: Mapping[str, str], *, is_best: bool) -> None:
    """Draw one configuration, filled if it is on the front."""
    color, marker = VERDICT_MARKS[row.verdict]
    marker = marker if row.freeze == "none" else shapes.get(family_of(row.freeze), marker)
    fill = color if is_best else "none"
    axes.plot(*point, marker=marker, ms=7.5, color=fill, mec=color, mew=1.3, zorder=3)


def _trade_off_legend(figure: Figure, verdicts: list[str], shapes: Mapping[str, str], *, has_front: bool) -> None:
    from matplotlib.lines import Line2D

    # Where shapes are families, verdicts are colours alone.
    handles = verdict_handles(verdicts, marker="s" if shapes else None) + family_handles(shapes)
    if has_front:
        handles.append(Line2D([], [], color=BLUE, lw=1.4, label="Pareto front"))
    handles.append(Line2D([], [], color=MUTED, marker=".", ls="", label="one seed"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=_LEGEND_COLUMNS, handletextpad=0.4, columnspacing=1.2
    )


def parameters(experiment: Experiment) -> Picture | Missing:
    """Return the number of trainable parameters of every configuration."""
    rows = [row for row in experiment.rows if row.num_trainable_params is not None]
    if not rows:
        return Missing(name="parameters", title="Trainable parameters", reason=why_missing(experiment, "train_s"))
    counts = [(row.num_trainable_params or 0) / 1e6 for row in rows]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        positions = range(len(rows))
        axes.barh(positions, counts, height=0.62, color=BLUE)
        for y, row, count in zip(positions, rows, counts, strict=True):
            share = f"{100 * (row.trainable_fraction or 0.0):.1f} %"
            axes.annotate(share, (count, y), (4, 0), textcoords="offset points", va="center", fontsize=8, color=INK)
        axes.set_yticks(positions, [short_name(row.freeze) for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, max(counts) * 1.16)
        axes.set_xlabel("trainable parameters (millions)")

    figures = "; ".join(f"{row.freeze} {row.num_trainable_params:,}" for row in rows)
    return picture(
        "parameters",
        "Trainable parameters",
        caption=f"Next to each bar: the share of the {share_of(rows)} that still trains.",
        alt=f"Trainable parameters: {figures}.",
        height=0.85 + 0.3 * len(rows),
        paint=paint,
    )


def over_time(experiment: Experiment, quantity: Quantity) -> Picture | Missing:
    """Return power or memory over the time of training, one run per configuration."""
    name, title = f"{quantity.name}_over_time", f"{quantity.name.capitalize()} over time"
    model = table_model(experiment.results)
    lines = {result.freeze: _line(of_model(result.records, model), quantity) for result in experiment.results}
    shown = {freeze: line for freeze, line in lines.items() if line is not None}
    if not shown:
        reason = why_missing(experiment, headline_metrics(experiment.cost_records)[quantity.name == "power"])
        return Missing(name=name, title=title, reason=reason)
    colors = ramp(list(shown))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for freeze, line in shown.items():
            axes.plot(
                line.times_s, line.values, color=colors[freeze], lw=1.3, marker=".", ms=2.5, label=short_name(freeze)
            )
        axes.set_xlabel("time of training, evaluations left out (s)")
        axes.set_ylabel(quantity.axis)
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside lower center", ncols=legend_columns(shown), handlelength=1.2, columnspacing=1.1)

    metric = next(iter(shown.values())).metric
    return picture(
        name,
        title,
        caption=f"One seed of every configuration, {_SERIES.get(metric, metric)}; lines end where training ends.",
        alt=f"{title} for {', '.join(shown)}.",
        height=3.2,
        paint=paint,
    )


_SERIES = {
    "power_w": "the GPU's power",
    "cpu_power_w": "the power of the CPU packages",
    "device_used_bytes": "memory in use on the GPU, by all processes",
    "rss_bytes": "the process's resident memory",
}


@dataclass(frozen=True, kw_only=True)
class _Line:
    """One run's samples of a quantity, its measurement windows one after the other."""

    metric: str
    times_s: list[float]
    values: list[float]


def _line(records: Sequence[RunRecord], quantity: Quantity) -> _Line | None:
    """Return the samples of the first run that has any; evaluations between the windows are left out."""
    for record in records:
        windows = record.trace.get("stretches", [])
        for metric in quantity.metrics:
            series = [item for window in windows for item in window["series"] if item["metric"] == metric]
            if sum(len(item["times_s"]) for item in series) > 1:
                return _joined(metric, series, quantity.scale)
    return None


def _joined(metric: str, series: Sequence[SeriesJson], scale: float) -> _Line:
    """Return the series of several windows as one line with a gap between them."""
    times: list[float] = []
    values: list[float] = []
    for window in series:
        start = times[-1] if times else 0.0
        times += [start, *(start + time for time in window["times_s"])]
        # Matplotlib interrupts a line at NaN.
        values += [math.nan, *(math.nan if value is None else value / scale for value in window["values"])]
    return _Line(metric=metric, times_s=times, values=values)
