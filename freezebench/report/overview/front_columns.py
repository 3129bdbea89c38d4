"""The columns of the joint Pareto front, which terminal, Markdown and page render."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from freezebench.report.column import Column
from freezebench.report.metric_text import signed_drop, unit_word
from freezebench.report.strategy_text import names_heading
from freezebench.scoring.metrics import ACCURACY
from freezebench.units import percent_text
from freezebench.verdicts.vocabulary import VERDICTS, Term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.report.overview.front import CostName, FrontPoint
    from freezebench.scoring.metric import Metric

_COSTS: dict[CostName, tuple[str, tuple[str, ...]]] = {
    "time": ("train time, share of no freezing", ("train time,", "share")),
    "parameters": ("share of parameters that trains", ("trains,", "share")),
}


def front_words(points: Iterable[FrontPoint]) -> dict[str, str]:
    """Return what headings of the joint Pareto front depend on."""
    points = list(points)
    return {
        "names": names_heading(point.configuration.freeze for point in points),
        "points": unit_word(points[0].row.metric),
    }


def front_columns(cost_name: CostName, metric: Metric = ACCURACY) -> list[Column[FrontPoint]]:
    """Return the columns of the joint Pareto front, drops in the unit of a metric."""
    heading, short_heading = _COSTS[cost_name]
    return [
        Column(
            name="experiment",
            heading="experiment",
            short_heading=("experiment",),
            source=lambda point: point.row.number,
            term=lambda point: Term(word=point.row.label),
        ),
        Column(
            name="freeze",
            heading="{names}",
            short_heading=("{names}",),
            source=lambda _: None,
            term=lambda point: Term(word=point.configuration.freeze),
        ),
        Column(
            name="verdict",
            heading="verdict at margin",
            short_heading=("verdict",),
            source=lambda point: list(VERDICTS).index(point.configuration.verdict),
            term=lambda point: VERDICTS[point.configuration.verdict],
        ),
        Column(
            name="upper_pp",
            heading="drop at most, {points}",
            short_heading=("drop at", "most"),
            source=lambda point: point.upper_pp,
            better="lower",
            text=partial(signed_drop, metric=metric),
        ),
        Column(
            name="cost",
            heading=heading,
            short_heading=short_heading,
            source=lambda point: point.cost,
            better="lower",
            text=percent_text,
        ),
    ]
