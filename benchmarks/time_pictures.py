"""Pictures of times from a report: what a cached prefix saves, and what other work on the machine costs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator
from tabulate import tabulate

from freezebench.records.contention import CONTENTION_LIMIT, is_past_limit
from freezebench.report.plots.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    PAPER,
    SAFE,
    VERMILLION,
    last_frozen,
    picture,
    prefixes,
)
from freezebench.specs.freeze import FreezeSpec
from freezebench.units import percent_text, ratio_text, seconds_text
from freezebench.verdicts.speedup import paired_speedup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freezebench.report.experiment import Experiment
    from freezebench.report.picture import Picture
    from freezebench.verdicts.speedup import Speedup

_SHORTEST_S = 1.0  # shorter epochs vary by themselves


def prefix_cache(experiment: Experiment) -> tuple[Picture, str]:
    """Return which layers of every prefix are computed once, and the time of its training."""
    names = set(prefixes([row.freeze for row in experiment.rows]))
    rows = [row for row in experiment.rows if row.freeze in names and row.train_s]
    num_blocks = max(record.num_layers or 0 for record in experiment.records) + 2  # embeddings, layers, head
    num_frozen = [len(FreezeSpec.parse(row.freeze).layers) + (row.freeze != "none") for row in rows]
    passes = [record.value("prefix_s") for record in experiment.records]
    pass_s = sum(seconds for seconds in passes if seconds is not None)
    positions = range(len(rows))

    def paint(figure: Figure) -> None:
        blocks, times = figure.subplots(2, 1, sharex=True)
        blocks.bar(positions, num_frozen, width=0.8, color=GRID, label="computed once, for all seeds")
        rest = [num_blocks - num for num in num_frozen]
        blocks.bar(
            positions, rest, bottom=num_frozen, width=0.8, color=BLUE, label="computed and trained in every step"
        )
        for edge in range(1, num_blocks):
            blocks.axhline(edge, color=PAPER, lw=1.5)
        layers = [f"L{index}" for index in range(num_blocks - 2)]
        blocks.set_yticks([index + 0.5 for index in range(num_blocks)], ["emb", *layers, "head"])
        blocks.tick_params(axis="y", length=0, labelcolor=INK)
        blocks.grid(visible=False)
        figure.legend(*blocks.get_legend_handles_labels(), loc="outside upper center", ncols=1)
        _times(times, [row.train_s or 0.0 for row in rows])
        times.set_xticks(positions, [last_frozen(row.freeze) for row in rows])
        times.set_xlabel("last frozen layer (–: nothing, e: the embeddings alone)")

    texts = [f"{row.freeze} {seconds_text(row.train_s or 0.0)}" for row in rows]
    drawn = picture(
        "prefix-cache",
        "What is computed once",
        caption="",
        alt=(
            "A column for each prefix. Above: the frozen blocks at its bottom are computed once, those over them in "
            f"every step. Below: the seconds of one training: {', '.join(texts)}."
        ),
        height=3.6,
        paint=paint,
    )
    lines = [
        [row.freeze, seconds_text(row.train_s or 0.0), "" if row.speedup is None else ratio_text(row.speedup)]
        for row in rows
    ]
    table = tabulate(
        lines, ["frozen", "one training", "speed-up"], colalign=("left", "right", "right"), disable_numparse=True
    )
    if pass_s:
        table += f"\n\nPass over the frozen prefix, once for all runs: {seconds_text(pass_s)}"
    return drawn, table


def _times(axes: Axes, seconds: list[float]) -> None:
    """Draw the time of one training of every prefix."""
    axes.bar(range(len(seconds)), seconds, width=0.8, color=BLUE)
    for position, value in enumerate(seconds):
        text = f"{value:.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004 - two digits
        axes.annotate(text, (position, value), (0, 2), textcoords="offset points", ha="center", fontsize=8, color=INK)
    axes.set_ylim(0, 1.15 * max(seconds))
    axes.set_ylabel("seconds of a training")
    axes.grid(visible=False, axis="x")


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch of training.

    Attributes:
        share: Share of its time in which threads waited for a processor, 0 to 1.
        slowdown: Its time, divided by that of the fastest epoch of the same configuration.
    """

    share: float
    slowdown: float

    @property
    def counts(self) -> bool:
        """Whether a run of such epochs would count."""
        return not is_past_limit(self.share)


def epochs_of(experiment: Experiment) -> list[Epoch]:
    """Return all epochs with a measured share, of configurations that take long enough to compare."""
    found = []
    for result in experiment.results:
        timed = [
            (epoch.contended_share, epoch.train_s)
            for record in result.records
            for epoch in record.epochs
            if epoch.contended_share is not None and epoch.train_s is not None
        ]
        fastest_s = min((seconds for _, seconds in timed), default=0.0)
        if fastest_s >= _SHORTEST_S:
            found += [Epoch(share=share, slowdown=seconds / fastest_s) for share, seconds in timed]
    return found


def busy_machine(epochs: list[Epoch]) -> tuple[Picture, str]:
    """Return how much longer an epoch takes if its threads wait for a processor."""
    quiet, busy = ([epoch for epoch in epochs if epoch.counts is counts] for counts in (True, False))
    largest = max(0.1, *(epoch.share for epoch in epochs))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvspan(0, 100 * CONTENTION_LIMIT, color=SAFE, lw=0, zorder=0)
        shares = np.linspace(0, largest, 50)
        axes.plot(100 * shares, 1 / (1 - shares), color=MUTED, lw=1, label="if all of this time is lost")
        for label, shown, color, marker in (("counts", quiet, GREEN, "o"), ("does not count", busy, VERMILLION, "X")):
            x, y = [100 * epoch.share for epoch in shown], [epoch.slowdown for epoch in shown]
            axes.plot(x, y, ls="", marker=marker, ms=5.5, color=color, mec=PAPER, mew=0.5, label=label)
        axes.set_xlim(0, 104 * largest)
        axes.set_xlabel("time in which a thread waited for a processor (%)")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel("epoch time (1: the fastest)")
        figure.legend(loc="outside upper center", ncols=3)

    drawn = picture(
        "busy-machine", "Waiting for a processor", caption="", alt=_sentence(quiet, busy), height=2.9, paint=paint
    )
    limit = percent_text(CONTENTION_LIMIT, 0)
    rows = []
    for name, shown in ((f"up to {limit}", quiet), (f"past {limit}", busy)):
        shares = [percent_text(share, 0) for share in sorted(epoch.share for epoch in shown)]
        slowdowns = [f"{slowdown:.2f}" for slowdown in sorted(epoch.slowdown for epoch in shown)]
        rows.append([name, len(shown), _range(shares), _range(slowdowns)])
    header = ["waited", "epochs", "share of time", "time, divided by the fastest"]
    return drawn, tabulate(rows, header, colalign=("left", "right", "right", "right"), disable_numparse=True)


def _sentence(quiet: list[Epoch], busy: list[Epoch]) -> str:
    """Return the picture in words."""
    slowest = max((epoch.slowdown for epoch in quiet), default=1.0)
    text = (
        "Each mark is one epoch: to the right the share of its time in which a thread waited for a processor, upwards "
        "its time, divided by that of the fastest epoch of the same configuration. "
        f"{len(busy)} of {len(quiet) + len(busy)} epochs waited for more than {percent_text(CONTENTION_LIMIT, 0)} of "
        f"their time and do not count. The others took at most {slowest:.2f} times as long as the fastest"
    )
    if not busy:
        return f"{text}."
    return f"{text}, these up to {max(epoch.slowdown for epoch in busy):.2f} times."


def _range(texts: list[str]) -> str:
    """Return the first and the last of sorted figures."""
    return f"{texts[0]} to {texts[-1]}" if texts else "–"


def against_trainer(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the wall times of the runs of ``benchmarks/peers.py``, and their ratios with intervals.

    Args:
        runs: The content of the file that ``--output`` wrote.
    """
    sides = list(dict.fromkeys(run["side"] for run in runs))
    others = [side for side in sides if side != "cached"]
    lines = []
    for freeze in dict.fromkeys(run["freeze"] for run in runs):
        seconds = {
            side: {run["seed"]: run["wall_s"] for run in runs if (run["side"], run["freeze"]) == (side, freeze)}
            for side in sides
        }
        times = [seconds_text(statistics.median(seconds[side].values())) for side in ("cached", *others)]
        lines.append([freeze, *times, *(_ratio(paired_speedup(seconds[side], seconds["cached"])) for side in others)])
    header = ["frozen", "cached", *others, *(f"{side} / cached" for side in others)]
    return tabulate(lines, header, colalign=("left", *["right"] * (len(header) - 1)), disable_numparse=True)


def _ratio(speedup: Speedup) -> str:
    """Return a ratio with its interval."""
    if speedup.lower is None or speedup.upper is None:
        return "–" if speedup.ratio is None else f"{speedup.ratio:.1f}"
    return f"{speedup.ratio:.1f} [{speedup.lower:.1f}, {speedup.upper:.1f}]"
