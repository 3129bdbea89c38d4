"""Pictures of accuracy from a report: single seeds, outcomes by seed and sentence, and three intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from tabulate import tabulate

from freezebench.report.plots.accuracy import draw_margin
from freezebench.report.plots.families import short_name
from freezebench.report.plots.style import BLUE, GREEN, INK, ORANGE, SKY, VERMILLION, picture
from freezebench.scoring.metrics import ACCURACY
from freezebench.verdicts.arms import mean_squares_of_runs
from freezebench.verdicts.crossed import Interval, interval_from_mean_squares
from freezebench.verdicts.mean_squares import mean_squares, outcome_differences
from freezebench.verdicts.metric_values import text_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freezebench.records.run_record import RunRecord
    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Picture
    from freezebench.verdicts.judge import ConfigurationResult

_ALPHA = 0.05  # of each bound
_LEVEL = f"{100 - 200 * _ALPHA:g} %"
_PARTS = (1, 2, 4, 10)  # all test sentences, the first half of them, …
_KINDS = (("seeds alone", SKY), ("sentences alone", ORANGE), ("both", INK))


def compared(experiment: Experiment) -> list[ConfigurationResult]:
    """Return the configurations that have several valid seeds to compare with the unfrozen ones."""
    return [result for result in experiment.results if result.freeze != "none" and len(result.records) > 1]


def interval_of(baseline: Sequence[RunRecord], records: Sequence[RunRecord]) -> Interval:
    """Return the interval of the drop in accuracy."""
    return interval_from_mean_squares(mean_squares_of_runs(baseline, records, ACCURACY), alpha=_ALPHA)


def by_seed(result: ConfigurationResult) -> dict[int, Interval]:
    """Return the interval of every seed by itself, which covers sentences alone."""
    pairs = zip(result.baseline, result.records, strict=True)
    return {record.spec.seed: interval_of([unfrozen], [record]) for unfrozen, record in pairs}


def most_divided(results: Sequence[ConfigurationResult], margin_pp: float) -> ConfigurationResult:
    """Return the configuration whose single seeds disagree most about the margin, of several the first."""

    def num_of_minority(result: ConfigurationResult) -> int:
        below = [interval.drop_pp < margin_pp for interval in by_seed(result).values()]
        return min(sum(below), len(below) - sum(below))

    return max(results, key=num_of_minority)


def _text(interval: Interval) -> str:
    return f"{interval.drop_pp:+5.1f} [{interval.lower_pp:+5.1f}, {interval.upper_pp:+5.1f}]"


def _words(interval: Interval) -> str:
    """Return an interval without the brackets that end an alternative text in Markdown."""
    return f"{interval.drop_pp:+.1f} (from {interval.lower_pp:+.1f} to {interval.upper_pp:+.1f})"


def _margin(axes: Axes, margin_pp: float) -> None:
    """Draw the margin, and label the axis."""
    draw_margin(axes, margin_pp)
    axes.set_xlabel("drop of test accuracy (points, right is worse)")


def _limit(axes: Axes, margin_pp: float, drops: Sequence[float]) -> None:
    """Show zero, the margin and every drop."""
    ends = [0.0, margin_pp * 1.15, *drops]
    padding = 0.05 * (max(ends) - min(ends))
    axes.set_xlim(min(ends) - padding, max(ends) + padding)


def one_seed(result: ConfigurationResult, margin_pp: float) -> tuple[Picture, str]:
    """Return what every seed by itself says about one configuration, and what all say together."""
    single, together = by_seed(result), interval_of(result.baseline, result.records)
    num_below = sum(interval.drop_pp < margin_pp for interval in single.values())

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _margin(axes, margin_pp)
        for position, interval in enumerate(single.values()):
            color, marker = (GREEN, "o") if interval.drop_pp < margin_pp else (VERMILLION, "X")
            axes.plot([interval.drop_pp], [position], marker=marker, ms=7, color=color)
        last = len(single) + 0.3
        axes.plot([together.lower_pp, together.upper_pp], [last, last], color=INK, lw=2.6)
        axes.plot([together.drop_pp], [last], marker="D", ms=6, color=INK)
        axes.set_yticks([*range(len(single)), last], [*(f"seed {seed}" for seed in single), "all seeds"])
        axes.set_ylim(last + 0.6, -0.7)
        _limit(axes, margin_pp, [together.lower_pp, together.upper_pp, *(each.drop_pp for each in single.values())])

    texts = [f"seed {seed} {interval.drop_pp:+.1f}" for seed, interval in single.items()]
    drawn = picture(
        "one-seed",
        "One seed at a time",
        caption="",
        alt=(
            f"Drop of {result.freeze} in points, one mark for each seed: {', '.join(texts)}. {num_below} of "
            f"{len(single)} seeds are below the margin of {margin_pp:g} points. The interval of all seeds reaches from "
            f"{together.lower_pp:+.1f} to {together.upper_pp:+.1f}."
        ),
        height=1.1 + 0.2 * len(single),
        paint=paint,
    )
    rows = []
    for unfrozen, record, interval in zip(result.baseline, result.records, single.values(), strict=True):
        accuracies = (f"{100 * (run.value('accuracy') or 0.0):.1f}" for run in (unfrozen, record))
        below = "yes" if interval.drop_pp < margin_pp else "no"
        rows.append([record.spec.seed, *accuracies, f"{interval.drop_pp:+.1f}", below])
    header = ["seed", "none, %", f"{result.freeze}, %", "drop, points", f"below {margin_pp:g}"]
    table = tabulate(rows, header, colalign=("left", "right", "right", "right", "left"), disable_numparse=True)
    return drawn, f"{table}\n\nAll seeds, with their {_LEVEL} interval: {_text(together)}"


def outcomes(result: ConfigurationResult) -> tuple[Picture, str]:
    """Return seeds x sentences: where only the baseline is right, and where only the candidate is."""
    arms = [[record.test_correct for record in records] for records in (result.baseline, result.records)]
    differences = outcome_differences(arms[0], arms[1])
    shown = differences[:, differences.any(axis=0)]
    # From those that all seeds lose to those that all seeds gain; equal sums in the order of the seeds.
    shown = shown[:, np.lexsort([*shown[::-1], shown.sum(axis=0)])[::-1]]
    seeds = [record.spec.seed for record in result.records]
    words = {1: (VERMILLION, "only no freezing is right"), -1: (BLUE, f"only {short_name(result.freeze)} is right")}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for value, (color, label) in words.items():
            x, y = [], []
            for position, row in enumerate(shown):
                # Where a stretch of this value begins and ends; one line with gaps keeps the file small.
                ends = np.flatnonzero(np.diff(row == value, prepend=False, append=False))
                for start, end in ends.reshape(-1, 2):
                    x += [start, end, np.nan]
                    y += [position, position, np.nan]
            axes.plot(x, y, color=color, lw=9, solid_capstyle="butt", label=label)
        axes.set_yticks(range(len(seeds)), [f"seed {seed}" for seed in seeds])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.set_ylim(len(seeds) - 0.4, -0.6)
        axes.set_xlim(0, shown.shape[1])
        axes.grid(visible=False)
        axes.set_xlabel(f"the {shown.shape[1]} of {differences.shape[1]} test sentences with a difference")
        handles, labels = axes.get_legend_handles_labels()
        legend = figure.legend(handles, labels, loc="outside upper center", ncols=1)
        for handle in legend.get_lines():
            handle.set_linewidth(6)

    lost, gained = ([int((row == value).sum()) for row in differences] for value in (1, -1))
    always = int((np.abs(differences.sum(axis=0)) == len(seeds)).sum())
    once = int((np.count_nonzero(differences, axis=0) == 1).sum())
    drawn = picture(
        "outcomes",
        "Seeds and sentences",
        caption="",
        alt=(
            f"A matrix with a row for each of {len(seeds)} seeds and a column for each of {shown.shape[1]} test "
            f"sentences on which {result.freeze} and no freezing differ in some seed. {always} sentences have the same "
            f"difference in every seed, {once} have one in a single seed."
        ),
        height=1.2 + 0.17 * len(seeds),
        paint=paint,
    )
    rows = [[seed, *counts, counts[0] - counts[1]] for seed, *counts in zip(seeds, lost, gained, strict=True)]
    header = ["seed", "only none is right", f"only {result.freeze} is right", "difference"]
    table = tabulate(rows, header, disable_numparse=True, colalign=("left", "right", "right", "right"))
    return drawn, f"{table}\n\nThe same difference in every seed: {always} sentences; a difference in one seed: {once}"


def intervals(
    results: Sequence[ConfigurationResult], result: ConfigurationResult, margin_pp: float
) -> tuple[Picture, str]:
    """Return the intervals over new seeds alone, new sentences alone, and both.

    Args:
        results: Configurations, judged on all test sentences; inferior ones would stretch the axis and are left out.
        result: One configuration, judged on fewer and fewer test sentences as well.
        margin_pp: Decision margin.
    """
    shown = [each for each in results if interval_of(each.baseline, each.records).lower_pp < margin_pp]
    num = len(result.records[0].test_correct)
    panels = {
        "every configuration, all test sentences": {short_name(each.freeze): _three(each, num) for each in shown},
        f"{short_name(result.freeze)} with {len(result.records)} seeds, fewer sentences": {
            f"on {num // part:,}": _three(result, num // part) for part in _PARTS
        },
    }
    every = [interval for rows in panels.values() for row in rows.values() for interval in row]
    drops = [bound for interval in every for bound in (interval.lower_pp, interval.upper_pp)]

    def paint(figure: Figure) -> None:
        heights = [len(rows) for rows in panels.values()]
        for axes, (title, rows) in zip(
            figure.subplots(2, 1, sharex=True, height_ratios=heights), panels.items(), strict=True
        ):
            _margin(axes, margin_pp)
            for position, row in enumerate(rows.values()):
                for shift, interval, (_, color) in zip((-0.25, 0.0, 0.25), row, _KINDS, strict=True):
                    axes.plot([interval.lower_pp, interval.upper_pp], [position + shift] * 2, color=color, lw=3)
            axes.set_yticks(range(len(rows)), list(rows))
            axes.set_ylim(len(rows) - 0.45, -0.6)
            _limit(axes, margin_pp, drops)
            axes.set_title(title, pad=14)
        figure.axes[0].set_xlabel("")
        handles = [Line2D([], [], color=color, lw=3, label=label) for label, color in _KINDS]
        figure.legend(handles=handles, loc="outside upper center", ncols=3)

    first, second = ([f"{name} {_words(row[-1])}" for name, row in rows.items()] for rows in panels.values())
    drawn = picture(
        "intervals",
        "Three intervals of every drop",
        caption="",
        alt=(
            f"Three {_LEVEL} intervals of the drop: over new seeds alone, over new sentences alone, and over both. "
            f"Above, for every configuration, over both: {'; '.join(first)}. Below, for {result.freeze} on fewer and "
            f"fewer test sentences, over both: {'; '.join(second)}."
        ),
        height=1.5 + 0.31 * len([row for rows in panels.values() for row in rows]),
        paint=paint,
    )
    lines = [[name, *(_text(interval) for interval in row)] for rows in panels.values() for name, row in rows.items()]
    header = ["drop, points", *(f"over {label}" for label, _ in _KINDS)]
    return drawn, tabulate(lines, header, colalign=("left", *["right"] * 3), disable_numparse=True)


def _three(result: ConfigurationResult, num_sentences: int) -> list[Interval]:
    """Return the three intervals of a drop on the first test sentences."""
    arms = [[record.test_correct[:num_sentences] for record in runs] for runs in (result.baseline, result.records)]
    groups = text_groups(result.records)
    squares = mean_squares(outcome_differences(arms[0], arms[1]), None if groups is None else groups[:num_sentences])
    none = np.zeros_like(squares.seeds)
    # The crossed analysis, without the part of the sentences or without that of the seeds.
    parts = (replace(squares, sentences=squares.residual), replace(squares, seeds=none, residual=none), squares)
    return [interval_from_mean_squares(part, alpha=_ALPHA) for part in parts]
