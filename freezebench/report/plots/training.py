"""Pictures of training: the notebook's metrics against the last frozen layer, and the losses."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import TYPE_CHECKING

from freezebench.report.contention import MARK
from freezebench.report.notebook_metrics import NOTEBOOK_METRICS, metrics_of, values
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots.families import legend_columns, short_name
from freezebench.report.plots.style import BLUE, MUTED, in_lines, last_frozen, picture, prefixes, ramp
from freezebench.report.reasons import busy_note
from freezebench.report.rows import table_metric, table_model, task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freezebench.records.run_record import RunRecord
    from freezebench.report.experiment import Experiment

_NUM_WINDOWS = 10  # a smoothed loss curve averages over a tenth of its steps
_LOG_RATIO = 20.0  # values that differ by more than this factor need a logarithmic axis
_TITLE_WIDTH = 120.0  # in points: what half a picture has room for beside the tick labels


def metrics(experiment: Experiment) -> Picture | Missing:
    """Return small multiples: every metric against the last frozen layer, with every seed."""
    title = "Every metric against the last frozen layer"
    names = prefixes([row.freeze for row in experiment.rows])
    runs = {result.freeze: [record for record in result.records if record.is_valid] for result in experiment.results}
    names = [name for name in names if runs[name]]
    if not names:
        return Missing(name="metrics", title=title, reason="no run was finished")
    model = table_model(experiment.results)
    drawn = metrics_of(table_metric(experiment.rows), task_of(experiment.rows))
    measured = {title: [values(runs[name], metric, model) for name in names] for title, metric in drawn.items()}
    contended = {row.freeze for row in experiment.rows if row.is_contended}
    ticks = [f"{last_frozen(name)}{MARK if name in contended else ''}" for name in names]
    shown = [metric for metric, arms in measured.items() if any(arms)]
    missing = [metric for metric in measured if metric not in shown]
    num_rows = math.ceil(len(shown) / 2)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(num_rows, 2, squeeze=False, sharex=True)
        for axes, metric in itertools.zip_longest(grid.flat, shown):
            if metric is None:
                axes.set_axis_off()
                continue
            axes.set_title(in_lines(metric, _TITLE_WIDTH))
            _metric(axes, measured[metric])
            axes.set_xticks(range(len(names)), ticks)
            axes.set_xlim(-0.4, len(names) - 0.6)
        figure.supxlabel("last frozen layer (–: nothing, e: the embeddings alone)", fontsize=8.5)

    return picture(
        "metrics",
        title,
        caption=(
            f"{'The metrics of the notebook. ' if drawn is NOTEBOOK_METRICS else ''}"
            "Line: mean over the seeds; dots: one seed each. "
            "Validation figures are those of the epoch whose weights were kept."
            + busy_note(experiment.rows)
            + (f" Not measured: {', '.join(missing)}." if missing else "")
        ),
        alt=f"{', '.join(shown)} for {', '.join(names)}; the table holds the main ones.",
        height=0.6 + 1.36 * num_rows,
        paint=paint,
    )


def _metric(axes: Axes, measured: Sequence[Sequence[float]]) -> None:
    """Draw one metric: mean and seeds."""
    positions = [position for position, values in enumerate(measured) if values]
    means = [statistics.fmean(measured[position]) for position in positions]
    axes.plot(positions, means, color=BLUE, lw=1.5, marker="o", ms=3.5)
    dots = [(position, value) for position, values in enumerate(measured) for value in values]
    axes.plot([x for x, _ in dots], [y for _, y in dots], ls="", marker=".", ms=3.5, color=MUTED, alpha=0.8, zorder=3)
    lowest, highest = min(y for _, y in dots), max(y for _, y in dots)
    # Train times of a ladder span two orders of magnitude, accuracies a few per cent.
    if lowest > 0 and highest / lowest > _LOG_RATIO:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")


def losses(experiment: Experiment) -> Picture | Missing:
    """Return training loss by step and validation loss by epoch."""
    title = "Loss curves"
    runs = {result.freeze: [record for record in result.records if record.step_losses] for result in experiment.results}
    shown = {freeze: records for freeze, records in runs.items() if records}
    if not shown:
        return Missing(name="loss", title=title, reason="no run took a step")
    colors = ramp(list(shown))
    unit = "squared error" if task_of(experiment.rows) == "regression" else "nats"

    def paint(figure: Figure) -> None:
        train, validation = figure.subplots(2, 1)
        for freeze, records in shown.items():
            curves = [_smoothed(record.step_losses) for record in records]
            for curve in curves:
                train.plot(*_steps(curve, records[0]), color=colors[freeze], lw=0.5, alpha=0.25)
            train.plot(*_steps(_mean(curves), records[0]), color=colors[freeze], lw=1.5, label=short_name(freeze))
            epochs = _mean([[epoch.validation.loss for epoch in record.epochs] for record in records])
            validation.plot(range(1, len(epochs) + 1), epochs, color=colors[freeze], lw=1.5, marker="o", ms=4)
        train.set_ylabel(f"training loss ({unit})")
        train.set_xlabel("step")
        validation.set_ylabel(f"validation loss ({unit})")
        validation.set_xlabel("epoch")
        for axes in (train, validation):
            axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(
            *train.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=legend_columns(shown),
            handlelength=1.2,
            columnspacing=1.1,
        )

    return picture(
        "loss",
        title,
        caption=(
            "Training loss: moving average over a tenth of the steps; thin lines: one seed each, thick: their mean. "
            "Validation loss: mean over the seeds."
        ),
        alt=f"Training loss by step and validation loss by epoch for {', '.join(shown)}.",
        height=5.2,
        paint=paint,
    )


def _smoothed(losses: Sequence[float]) -> list[float]:
    """Return the moving average of the losses, one value per full window."""
    width = max(1, len(losses) // _NUM_WINDOWS)
    return [statistics.fmean(losses[start : start + width]) for start in range(len(losses) - width + 1)]


def _mean(curves: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean curve, as long as the shortest one."""
    return [statistics.fmean(values) for values in zip(*curves, strict=False)]


def _steps(curve: Sequence[float], record: RunRecord) -> tuple[range, Sequence[float]]:
    """Return the number of the last step behind every value, and the values."""
    # A window's mean is drawn at its last step, so the curve starts after the first whole window.
    first = len(record.step_losses) - len(curve) + 1
    return range(first, first + len(curve)), curve
