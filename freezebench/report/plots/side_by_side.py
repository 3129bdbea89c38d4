"""Pictures of several experiments: before and after a change, or different models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from freezebench.escaping import visible
from freezebench.report.metric_text import title_of, unit_word, with_article
from freezebench.report.overview.overview import overview
from freezebench.report.overview.rows import overview_rows
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots.families import family_handles, family_of, family_shapes, short_name
from freezebench.report.plots.style import FAR, INK, MUTED, NUM_COLORS, SAFE, between, label_points, mark, picture
from freezebench.report.rows import share_of, table_metric
from freezebench.report.terminal_text import cut
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freezebench.report.experiment import Experiment
    from freezebench.report.overview.front import CostName, Front
    from freezebench.report.rows import Row

_SHIFT = 0.5  # per cent of the parameters between the intervals of one share
_WIDEST_LABEL = 52  # the width of the legend


def front(experiments: Sequence[Experiment]) -> Picture | Missing:
    """Return every configuration of all experiments, its proven drop against its cost, with the joint Pareto front."""
    title = "Joint Pareto front"
    shown = overview(experiments)
    if shown is None or shown.front is None:
        reason = _several_metrics(experiments) or "no configuration but baselines has two valid seeds"
        return Missing(name="together_front", title=title, reason=reason)
    joint, margins = shown.front, {experiment.margin_pp for experiment in experiments}
    # More experiments than colours need shapes of their own.
    is_few = len(experiments) <= NUM_COLORS
    shapes = family_shapes(point.configuration.freeze for point in joint.points) if is_few else {}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(0, color=MUTED, lw=0.9)
        if len(margins) == 1:
            axes.axhspan(-FAR, min(margins), color=SAFE, lw=0, zorder=0)
        _limit(axes, [point.upper_pp for point in joint.points], margins)
        # Room for names at the right edge.
        axes.set_xlim(0, 112 * max(point.cost for point in joint.points))
        axes.set_xlabel(f"{_COST_LABELS[joint.cost_name]} (%), left is better")
        axes.set_ylabel(f"upper bound of the drop ({unit_word(table_metric(experiments[0].rows))})")
        _draw_front(axes, joint, shapes)
        if shapes:
            figure.legend(handles=family_handles(shapes), loc="outside upper center", ncols=3)
        handles = [_handle(experiments, index, shape="s" if shapes else None) for index in range(len(experiments))]
        figure.legend(handles=handles, loc="outside lower center")

    best = "; ".join(f"{point.row.label}, {point.configuration.freeze}" for point in joint.best)
    return picture(
        "together_front",
        title,
        caption=(
            "Filled marks lie on the front: no other configuration is both cheaper and shown to lose as little. The "
            "band is the margin."
            + (" Shapes are families of configurations." if shapes else "")
            + (f" Times are not ranked: {joint.why_no_times}." if joint.why_no_times else "")
        ),
        alt=f"On the joint Pareto front: {best}.",
        height=3.4 + 0.17 * (len(experiments) + math.ceil(len(shapes) / 3)),
        paint=paint,
    )


def _draw_front(axes: Axes, joint: Front, shapes: Mapping[str, str]) -> None:
    """Draw the configurations, those on the front filled and with their names, and the line through these."""
    corners = [(100 * point.cost, point.upper_pp) for point in joint.best]
    others = [point for point in joint.points if point not in joint.best]
    axes.plot([x for x, _ in corners], [y for _, y in corners], color=INK, lw=1.2, zorder=1.5)
    for point in (*others, *joint.best):
        color, marker = mark(point.row.number - 1)
        marker = shapes.get(family_of(point.configuration.freeze), marker)
        axes.plot(
            [100 * point.cost], [point.upper_pp], ls="", marker=marker, ms=6.5, mec=color, mew=1.2, zorder=3,
            color=color if point in joint.best else "none",
        )  # fmt: skip
    names = [f"{point.row.number}: {short_name(point.configuration.freeze)}" for point in joint.best]
    label_points(
        axes,
        [(x, y, name) for (x, y), name in zip(corners, names, strict=True)],
        [*between(corners), *((100 * point.cost, point.upper_pp) for point in others)],
    )


_COST_LABELS: dict[CostName, str] = {
    "time": "train time as a share of that without freezing",
    "parameters": "share of the parameters that trains",
}


def _handle(experiments: Sequence[Experiment], index: int, *, shape: str | None) -> Line2D:
    color, marker = mark(index)
    return Line2D([], [], ls="", color=color, marker=shape or marker, ms=6, label=label(experiments, index))


def _limit(axes: Axes, values: Sequence[float], margins: Iterable[float]) -> None:
    """Set the limits of an axis of drops to the values, zero and the margins."""
    padding = 0.06 * (max(values) - min(values) + 1)
    axes.set_ylim(min([0.0, *values]) - padding, max([*values, *margins]) + padding)


def drops(experiments: Sequence[Experiment]) -> Picture | Missing:
    """Return the drop of every experiment against the share of parameters that trains."""
    metric = table_metric(experiments[0].rows)
    title = f"{title_of(metric)} drop, side by side"
    if reason := _several_metrics(experiments):
        return Missing(name="together_drop", title="Drops, side by side", reason=reason)
    lines = [_intervals(experiment) for experiment in experiments]
    if not any(lines):
        return Missing(
            name="together_drop", title=title, reason=f"no configuration but baselines gave {with_article(metric)}"
        )
    margins = {experiment.margin_pp for experiment in experiments}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(0, color=MUTED, lw=0.9)
        if len(margins) == 1:
            axes.axhspan(-FAR, min(margins), color=SAFE, lw=0, zorder=0)
        for index, line in enumerate(lines):
            color, marker = mark(index)
            # Experiments of one model have the same shares; a small shift keeps their intervals apart.
            x = [share + _SHIFT * index for share, *_ in line]
            low = [max(0.0, drop - lower) for _, drop, lower, _ in line]
            high = [max(0.0, upper - drop) for _, drop, _, upper in line]
            axes.errorbar(
                x, [drop for _, drop, _, _ in line], yerr=[low, high], color=color, marker=marker, ms=5.5, lw=1.3,
                elinewidth=1.6, label=label(experiments, index),
            )  # fmt: skip
        _limit(axes, [value for line in lines for _, _, lower, upper in line for value in (lower, upper)], margins)
        axes.invert_xaxis()
        axes.set_xlabel(_share_label(experiments))
        axes.set_ylabel("drop (percentage points)" if metric is ACCURACY else f"drop ({metric.drop_unit})")
        figure.legend(loc="outside lower center", ncols=1)

    return picture(
        "together_drop",
        title,
        caption="Bars: intervals over new seeds and sentences. Further right, more is frozen. The band is the margin. "
        f"So that no bar covers another, every experiment is drawn {_SHIFT:g} % to the left of the one before it."
        + _left_out(experiments),
        alt=f"{title_of(metric)} drop against the share of trainable parameters for {len(experiments)} experiments.",
        height=3.4 + 0.17 * len(experiments),
        paint=paint,
    )


def _several_metrics(experiments: Iterable[Experiment]) -> str | None:
    """Return that drops of several metrics have no axis in common; ``None`` if all experiments have one metric."""
    labels = dict.fromkeys(table_metric(experiment.rows).label for experiment in experiments)
    return f"drops of {listed(list(labels), len(labels))} are not comparable" if len(labels) > 1 else None


def _share_label(experiments: Sequence[Experiment]) -> str:
    """Return the label of the axis of shares, which count from what each model trains without freezing."""
    return f"share of the {share_of(row for experiment in experiments for row in experiment.rows)} that trains (%)"


def _intervals(experiment: Experiment) -> list[tuple[float, float, float, float]]:
    """Return share, drop, lower and upper bound of every configuration that has them."""
    intervals = []
    for row in _without_strategies(experiment):
        share, drop, lower, upper = row.trainable_fraction, row.drop_pp, row.lower_pp, row.upper_pp
        if share is not None and drop is not None and lower is not None and upper is not None:
            intervals.append((100 * share, drop, lower, upper))
    return intervals


def _without_strategies(experiment: Experiment) -> list[Row]:
    """Return the configurations on the way from training all to training little; strategies are on no such way."""
    return [row for row in experiment.rows if not FreezeSpec.parse(row.freeze).strategies]


def _left_out(experiments: Iterable[Experiment]) -> str:
    """Return that strategies are left out, as a further sentence of a caption; empty without any."""
    is_whole = all(len(_without_strategies(experiment)) == len(experiment.rows) for experiment in experiments)
    return "" if is_whole else " Strategies are shown only in the joint Pareto front."


def speedups(experiments: Sequence[Experiment]) -> Picture | Missing:
    """Return the speed-up of every experiment against the share of parameters that trains."""
    title = "Speed-up, side by side"
    lines = [
        [
            (100 * row.trainable_fraction, row.speedup)
            for row in _without_strategies(experiment)
            if row.trainable_fraction is not None and row.speedup is not None
        ]
        for experiment in experiments
    ]
    if not any(lines):
        return Missing(name="together_speedup", title=title, reason="no train time was measured")

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for index, line in enumerate(lines):
            color, marker = mark(index)
            axes.plot(
                [x for x, _ in line], [y for _, y in line], color=color, marker=marker, ms=5.5, lw=1.3,
                label=label(experiments, index),
            )  # fmt: skip
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}×")
        axes.yaxis.set_minor_formatter("{x:g}×")
        axes.invert_xaxis()
        axes.set_xlabel(_share_label(experiments))
        axes.set_ylabel("speed-up over its own baseline (×)")
        figure.legend(loc="outside lower center", ncols=1)

    return picture(
        "together_speedup",
        title,
        caption="Train time without freezing divided by train time, on one machine. Further right, more is frozen."
        + _left_out(experiments),
        alt=f"Speed-up against the share of trainable parameters for {len(experiments)} experiments.",
        height=3.4 + 0.17 * len(experiments),
        paint=paint,
    )


def label(experiments: Sequence[Experiment], index: int) -> str:
    """Return the label of an experiment in a legend, short and unique."""
    return cut(visible(overview_rows(experiments)[index].short_label), _WIDEST_LABEL)
