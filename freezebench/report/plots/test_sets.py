"""The picture of further test sets: the drop on each of them against that on the data set's own test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.escaping import visible
from freezebench.report.metric_text import axis_label, signed_drop, title_of, unit_word
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots.families import short_name
from freezebench.report.plots.style import INK, MUTED, label_points, mark, picture
from freezebench.report.rows import table_metric
from freezebench.report.terminal_text import cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from freezebench.report.experiment import Experiment
    from freezebench.verdicts.crossed import Interval

_WIDEST_NAME = 40
_NAME, _TITLE = "test_sets", "Drop on further test sets"

# Configuration, interval on the own test set, interval on a further one.
Point = tuple[str, "Interval", "Interval"]


def drops(experiment: Experiment) -> Picture | Missing:
    """Return the drop on every further test set against that on the own one, with intervals and the diagonal."""
    metric = table_metric(experiment.rows)
    points = _points(experiment)
    if not points:
        return Missing(name=_NAME, title=_TITLE, reason="no configuration has drops on several test sets")

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _diagonal(axes, points)
        for index, (name, items) in enumerate(points.items()):
            _test_set(axes, index, name, items)
        axes.set_xlabel(f"drop on the data set's own test set ({unit_word(metric)}, right is worse)")
        axes.set_ylabel(f"drop on the further test set\n({unit_word(metric)}, up is worse)")
        # A configuration has one drop on its own test set: its name is at its highest mark.
        highest: dict[str, tuple[float, float, str]] = {}
        for name, own, other in sorted(_all(points), key=lambda point: point[2].drop_pp):
            highest[name] = (own.drop_pp, other.drop_pp, short_name(name))
        label_points(axes, list(highest.values()), [(own.drop_pp, other.drop_pp) for _, own, other in _all(points)])
        figure.legend(loc="outside lower center", ncols=min(3, len(points)))

    texts = "; ".join(
        f"{name} on {test_set} {signed_drop(other.drop_pp, metric)} (own {signed_drop(own.drop_pp, metric)})"
        for test_set, items in points.items()
        for name, own, other in items
    )
    return picture(
        _NAME,
        _TITLE,
        caption=(
            f"{title_of(metric)}: one mark for every configuration and test set, with its intervals. On the dashed "
            "line both drops are equal; below it, freezing loses less on the further test set than on the data set's "
            "own. Where the bars of a mark cross the line, neither is shown."
        ),
        alt=f"Drops of {axis_label(metric)}: {texts}.",
        height=4.0,
        paint=paint,
    )


def _points(experiment: Experiment) -> dict[str, list[Point]]:
    """Return the intervals of every test set on which a configuration was judged."""
    points: dict[str, list[Point]] = {}
    for result in experiment.results:
        own = None if result.verdict is None else result.verdict.interval
        for subset in result.test_sets:
            other = None if subset.verdict is None else subset.verdict.interval
            if own is not None and other is not None:
                points.setdefault(subset.name, []).append((result.freeze, own, other))
    return points


def _all(points: Mapping[str, Sequence[Point]]) -> list[Point]:
    return [point for items in points.values() for point in items]


def _diagonal(axes: Axes, points: Mapping[str, Sequence[Point]]) -> None:
    """Draw the line on which both drops are equal, over all intervals."""
    intervals = [interval for _, own, other in _all(points) for interval in (own, other)]
    bounds = [bound for interval in intervals for bound in (interval.lower_pp, interval.upper_pp)]
    low, high = min([0.0, *bounds]), max([0.0, *bounds])
    axes.plot([low, high], [low, high], color=MUTED, lw=1.0, ls=(0, (4, 3)))
    axes.axhline(0, color=MUTED, lw=0.7)
    axes.axvline(0, color=MUTED, lw=0.7)


def _test_set(axes: Axes, index: int, name: str, items: Sequence[Point]) -> None:
    """Draw the configurations on one test set."""
    color, marker = mark(index)
    owns, others = [own for _, own, _ in items], [other for _, _, other in items]
    axes.errorbar(
        [own.drop_pp for own in owns],
        [other.drop_pp for other in others],
        xerr=_bars(owns), yerr=_bars(others),
        color=color, ecolor=(color, 0.45), marker=marker, mec=INK, mew=0.5, ms=6, ls="",
        elinewidth=1.4, label=cut(visible(name), _WIDEST_NAME),
    )  # fmt: skip


def _bars(intervals: Sequence[Interval]) -> list[list[float]]:
    """Return the lengths of error bars below and above each drop, which need not be in the middle of its interval."""
    return [
        [max(0.0, interval.drop_pp - interval.lower_pp) for interval in intervals],
        [max(0.0, interval.upper_pp - interval.drop_pp) for interval in intervals],
    ]
