"""Pictures of the metric: the drop of every configuration, and the comparison with the published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import visible
from freezebench.report.metric_text import (
    level_percent,
    result_metric,
    seed_drop,
    signed_drop,
    title_of,
    unit_word,
    with_article,
)
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots.families import short_name
from freezebench.report.plots.style import (
    BLUE,
    FAR,
    GREEN,
    GREEN_TEXT,
    INK,
    MUTED,
    ORANGE,
    SAFE,
    VERDICT_MARKS,
    VERMILLION,
    last_frozen,
    picture,
    verdict_handles,
)
from freezebench.report.reasons import why_missing
from freezebench.report.reproduce import preset_differences
from freezebench.report.rows import table_metric
from freezebench.scoring.metrics import ACCURACY
from freezebench.specs.notebook_figures import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freezebench.report.experiment import Experiment
    from freezebench.report.rows import Row
    from freezebench.verdicts.judge import ConfigurationResult


def drops(experiment: Experiment) -> Picture | Missing:
    """Return the drop of every configuration with its interval, its seeds and the margin."""
    metric = table_metric(experiment.rows)
    title = f"{title_of(metric)} drop against no freezing"
    pairs = zip(experiment.results, experiment.rows, strict=True)
    shown = [(result, row) for result, row in pairs if row.drop_pp is not None and row.lower_pp is not None]
    if not shown:
        only = f"no configuration but the baseline gave {with_article(metric)}"
        is_compared = any(not row.broken for row in experiment.rows)
        return Missing(name="drop", title=title, reason=only if is_compared else why_missing(experiment, "train_s"))
    alpha = next(result.verdict.alpha for result, _ in shown if result.verdict)
    level = f"{level_percent(alpha)} %"
    has_seeds = all(row.num_seeds > 1 for _, row in shown)
    covers = "seeds and sentences" if has_seeds else "sentences alone, since one seed gives no spread between seeds"

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        draw_margin(axes, experiment.margin_pp)
        for position, (result, row) in enumerate(shown):
            _drop(axes, position, result, row)
        axes.set_yticks(range(len(shown)), [short_name(row.freeze) for _, row in shown])
        axes.set_ylim(len(shown) - 0.5, -0.6)
        axes.set_xlim(_limits(experiment.margin_pp, shown))
        axes.set_xlabel(f"drop of test {visible(metric.label)} ({unit_word(metric)}, right is worse)")
        has_limits = any(row.limit_pp is not None for _, row in shown)
        _verdict_legend(figure, [row.verdict for _, row in shown], has_limits=has_limits)

    return picture(
        "drop",
        title,
        caption=(
            f"Mark: mean over the seeds; bar: {level} interval over new {covers}; dots: one seed each. "
            "A configuration is non-inferior when its whole bar lies in the green band, below the margin."
        ),
        alt=f"{_drops_text([row for _, row in shown], level)}. Margin {experiment.margin_pp:g}.",
        height=1.45 + 0.33 * len(shown),
        paint=paint,
    )


def draw_margin(axes: Axes, margin_pp: float) -> None:
    """Draw the range of drops below the margin, zero and the margin; the other axis has names and no grid."""
    axes.axvspan(-FAR, margin_pp, color=SAFE, lw=0, zorder=0)
    axes.axvline(0, color=MUTED, lw=0.9)
    axes.axvline(margin_pp, color=GREEN, lw=1.2, ls=(0, (4, 2)))
    axes.text(
        margin_pp, 1.01, f"margin {margin_pp:g}", transform=axes.get_xaxis_transform(),
        color=GREEN_TEXT, ha="center", va="bottom", fontsize=8,
    )  # fmt: skip
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _drops_text(rows: Sequence[Row], level: str) -> str:
    """Return the drops in words, for people who cannot see the picture."""
    metric = table_metric(rows)
    units = "percentage points" if metric is ACCURACY else metric.drop_unit
    texts = []
    for row in rows:
        drop, lower, upper = (signed_drop(value or 0.0, metric) for value in (row.drop_pp, row.lower_pp, row.upper_pp))
        texts.append(f"{row.freeze} {drop} [{lower}, {upper}]")
    return f"Drop in {units} with its {level} interval: {'; '.join(texts)}"


def _limits(margin_pp: float, shown: Sequence[tuple[ConfigurationResult, Row]]) -> tuple[float, float]:
    """Return the range of the axis: every interval, every seed, zero and the margin."""
    # A little more than the margin, so that its label fits.
    values = [0.0, margin_pp * 1.15]
    values += [bound for _, row in shown for bound in (row.lower_pp, row.upper_pp) if bound is not None]
    values += [drop for result, _ in shown for drop in seed_drops(result)]
    padding = 0.04 * (max(values) - min(values))
    return min(values) - padding, max(values) + padding


def seed_drops(result: ConfigurationResult) -> list[float]:
    """Return the drop of every seed against the same seed without freezing, in the unit of drops."""
    metric = result_metric(result)
    pairs = zip(result.baseline, result.records, strict=False)
    drops = [seed_drop(base, own, metric) for base, own in pairs]
    return [drop for drop in drops if drop is not None]


def _drop(axes: Axes, position: int, result: ConfigurationResult, row: Row) -> None:
    """Draw interval, seeds, mean and limit of one configuration."""
    color, marker = VERDICT_MARKS[row.verdict]
    axes.plot([row.lower_pp or 0.0, row.upper_pp or 0.0], [position, position], color=color, lw=2.6, alpha=0.85)
    seeds = seed_drops(result)
    axes.plot(seeds, [position + 0.27] * len(seeds), ls="", marker=".", ms=4.5, color=MUTED, alpha=0.9)
    axes.plot([row.drop_pp or 0.0], [position], marker=marker, ms=7, color=color, mec="white", mew=0.8)
    if row.limit_pp is not None:
        axes.plot([row.limit_pp], [position], marker="|", ms=11, mew=1.4, color=INK)


def _verdict_legend(figure: Figure, verdicts: list[str], *, has_limits: bool) -> None:
    """Draw the legend: the marks of the verdicts, of single seeds and of asserted limits."""
    from matplotlib.lines import Line2D

    handles = verdict_handles(verdicts, line_width=2.2)
    handles.append(Line2D([], [], color=MUTED, marker=".", ls="", label="one seed"))
    if has_limits:
        handles.append(Line2D([], [], color=INK, marker="|", ms=9, mew=1.4, ls="", label="asserted limit"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handletextpad=0.5, columnspacing=1.1)


def published_figures(experiment: Experiment) -> Picture | Missing:
    """Return test accuracy and speed-up of every prefix next to the notebook's published figures."""
    title = "Comparison with the notebook's published figures"
    rows = [row for row in experiment.rows if row.freeze in PUBLISHED and row.accuracy is not None]
    if not rows:
        return Missing(name="published", title=title, reason="none of the notebook's configurations was run")
    baseline = PUBLISHED["none"].train_s
    published = [PUBLISHED[row.freeze] for row in rows]

    def paint(figure: Figure) -> None:
        accuracy, difference, speed = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.6, 2))
        positions = list(range(len(rows)))
        ours = [100 * (row.accuracy or 0.0) for row in rows]
        notebooks = [100 * run.test_accuracy for run in published]
        accuracy.plot(positions, notebooks, marker="s", color=ORANGE, label="notebook (2023, 1 seed)")
        accuracy.plot(positions, ours, marker="o", color=BLUE, label="this run")
        accuracy.set_ylabel("test accuracy (%)")
        gaps = [own - other for own, other in zip(ours, notebooks, strict=True)]
        difference.bar(positions, gaps, width=0.55, color=[BLUE if gap >= 0 else VERMILLION for gap in gaps])
        difference.axhline(0, color=MUTED, lw=0.9)
        difference.set_ylabel("difference\n(points)")
        speed.plot(positions, [baseline / run.train_s for run in published], marker="s", color=ORANGE)
        timed = [(x, row.speedup) for x, row in zip(positions, rows, strict=True) if row.speedup is not None]
        speed.plot([x for x, _ in timed], [y for _, y in timed], marker="o", color=BLUE)
        speed.set_ylabel("speed-up (×)")
        speed.set_yscale("log")
        speed.yaxis.set_major_formatter("{x:g}")
        speed.yaxis.set_minor_formatter("{x:g}")
        speed.set_xticks(positions, [last_frozen(row.freeze) for row in rows])
        speed.set_xlabel("last frozen layer (–: nothing, e: the embeddings alone)")
        figure.legend(*accuracy.get_legend_handles_labels(), loc="outside upper center", ncols=2)

    gaps = "; ".join(
        f"{row.freeze} {100 * ((row.accuracy or 0.0) - run.test_accuracy):+.1f}"
        for row, run in zip(rows, published, strict=True)
    )
    return picture(
        "published",
        title,
        caption=(
            "Test accuracy and its difference, and the speed-up over no freezing, each on its own hardware. "
            f"{preset_differences(experiment.settings)}"
        ),
        alt=f"Test accuracy minus the notebook's, in percentage points: {gaps}.",
        height=5.2,
        paint=paint,
    )
