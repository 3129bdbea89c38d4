"""Pictures of several experiments: before and after a change, or different models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import visible
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots.style import BLUE, GREEN, MUTED, ORANGE, SAFE, SKY, VERMILLION, picture
from freezebench.report.rows import share_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from freezebench.report.experiment import Experiment

_MARKS = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "D"), (VERMILLION, "^"), (SKY, "v"), (MUTED, "P"))


def drops(experiments: Sequence[Experiment]) -> Picture | Missing:
    """Return the accuracy drop of every experiment against the share of parameters that trains."""
    title = "Accuracy drop, side by side"
    lines = [_intervals(experiment) for experiment in experiments]
    if not any(lines):
        return Missing(name="together_drop", title=title, reason="no configuration but baselines gave an accuracy")
    margins = {experiment.margin_pp for experiment in experiments}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axhline(0, color=MUTED, lw=0.9)
        if len(margins) == 1:
            axes.axhspan(-100, min(margins), color=SAFE, lw=0, zorder=0)
        for index, line in enumerate(lines):
            color, marker = _MARKS[index % len(_MARKS)]
            # Experiments of one model have the same shares; a small shift keeps their intervals apart.
            x = [share + 0.5 * index for share, *_ in line]
            low = [drop - lower for _, drop, lower, _ in line]
            high = [upper - drop for _, drop, _, upper in line]
            axes.errorbar(
                x, [drop for _, drop, _, _ in line], yerr=[low, high], color=color, marker=marker, ms=5.5, lw=1.3,
                elinewidth=1.6, label=label(experiments, index),
            )  # fmt: skip
        bounds = [value for line in lines for _, _, lower, upper in line for value in (lower, upper)]
        padding = 0.06 * (max(bounds) - min(bounds) + 1)
        axes.set_ylim(min([0.0, *bounds]) - padding, max([*bounds, *margins]) + padding)
        axes.invert_xaxis()
        axes.set_xlabel(_share_label(experiments))
        axes.set_ylabel("drop (percentage points)")
        figure.legend(loc="outside lower center", ncols=1)

    return picture(
        "together_drop",
        title,
        caption="Bars: intervals over new seeds and sentences. Further right, more is frozen. The band is the margin.",
        alt=f"Accuracy drop against the share of trainable parameters for {len(experiments)} experiments.",
        height=3.4 + 0.17 * len(experiments),
        paint=paint,
    )


def _share_label(experiments: Sequence[Experiment]) -> str:
    """Return the label of the axis of shares, which count from what each model trains without freezing."""
    return f"share of the {share_of(row for experiment in experiments for row in experiment.rows)} that trains (%)"


def _intervals(experiment: Experiment) -> list[tuple[float, float, float, float]]:
    """Return share, drop, lower and upper bound of every configuration that has them."""
    intervals = []
    for row in experiment.rows:
        share, drop, lower, upper = row.trainable_fraction, row.drop_pp, row.lower_pp, row.upper_pp
        if share is not None and drop is not None and lower is not None and upper is not None:
            intervals.append((100 * share, drop, lower, upper))
    return intervals


def speedups(experiments: Sequence[Experiment]) -> Picture | Missing:
    """Return the speed-up of every experiment against the share of parameters that trains."""
    title = "Speed-up, side by side"
    lines = [
        [
            (100 * row.trainable_fraction, row.speedup)
            for row in experiment.rows
            if row.trainable_fraction is not None and row.speedup is not None
        ]
        for experiment in experiments
    ]
    if not any(lines):
        return Missing(name="together_speedup", title=title, reason="no train time was measured")

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for index, line in enumerate(lines):
            color, marker = _MARKS[index % len(_MARKS)]
            axes.plot(
                [x for x, _ in line], [y for _, y in line], color=color, marker=marker, ms=5.5, lw=1.3,
                label=label(experiments, index),
            )  # fmt: skip
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}×")
        axes.invert_xaxis()
        axes.set_xlabel(_share_label(experiments))
        axes.set_ylabel("speed-up over its own baseline (×)")
        figure.legend(loc="outside lower center", ncols=1)

    return picture(
        "together_speedup",
        title,
        caption="Train time without freezing over train time, each on its own machine. Further right, more is frozen.",
        alt=f"Speed-up against the share of trainable parameters for {len(experiments)} experiments.",
        height=3.4 + 0.17 * len(experiments),
        paint=paint,
    )


def label(experiments: Sequence[Experiment], index: int) -> str:
    """Return the label of an experiment in a legend, short and unique."""
    text = visible(f"{index + 1}: {experiments[index].model} on {experiments[index].data_source}")
    return text if len(text) <= 52 else text[:51] + "…"  # noqa: PLR2004 - the width of the legend
