"""The joint Pareto front: which configurations of all experiments are shown to lose least for their cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from freezebench.report.pareto import pareto
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.report.overview.rows import OverviewRow
    from freezebench.report.rows import Row
    from freezebench.scoring.metric import Metric

CostName = Literal["time", "parameters"]
_MOST_DEVICES = 3
# The bound of one seed holds for new sentences, but for no new training run.
_FEWEST_SEEDS = 2


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """One configuration of one experiment.

    Attributes:
        row: Its experiment.
        configuration: Its figures.
        cost: Its cost as a share of that of the experiment's own baseline.
        upper_pp: Upper bound of its drop in percentage points.
    """

    row: OverviewRow
    configuration: Row
    cost: float
    upper_pp: float

    @property
    def is_contended(self) -> bool:
        """Whether its times are those of contended runs."""
        return self.configuration.is_contended


@dataclass(frozen=True, kw_only=True)
class Front:
    """The configurations of all experiments, and which of them lie on the Pareto front of drop and cost.

    Attributes:
        cost_name: What a configuration costs: training time, or parameters that train.
        points: Every configuration with a bound of its drop and a cost.
        best: Those on the front, cheapest first.
        why_no_times: Why times are left out; ``None`` where they are the cost.
    """

    cost_name: CostName
    points: tuple[FrontPoint, ...]
    best: tuple[FrontPoint, ...]
    why_no_times: str | None

    @property
    def metric(self) -> Metric:
        """The metric of all drops."""
        return self.points[0].row.metric


def front(rows: Sequence[OverviewRow]) -> Front | None:
    """Return the joint Pareto front; ``None`` if no configuration but baselines has two valid seeds.

    Drops of different metrics cannot be ranked, so that there is none for experiments with several metrics either.

    Cost and drop are those against the experiment's own baseline, which makes them comparable between models and data
    sets. Times of different device models are not: on another device, freezing saves another share of the time.

    Drops are ranked by their upper bounds. By their means, the front would be that of the luckiest of many noisy runs.
    """
    if len({row.metric.name for row in rows}) > 1:
        return None
    why_no_times = _why_no_times(rows)
    cost_name: CostName = "time" if why_no_times is None else "parameters"
    points = [point for row in rows for point in _points(row, cost_name)]
    if not points:
        return None
    best = [points[index] for index in pareto([(point.cost, -point.upper_pp) for point in points])]
    return Front(cost_name=cost_name, points=tuple(points), best=tuple(best), why_no_times=why_no_times)


def _points(row: OverviewRow, cost_name: CostName) -> Iterator[FrontPoint]:
    """Yield the configurations of an experiment that have a bound and a cost."""
    for configuration, upper_pp in _bounded(row):
        time = None if configuration.speedup is None else 1 / configuration.speedup
        cost = time if cost_name == "time" else configuration.trainable_fraction
        if cost is not None:
            yield FrontPoint(row=row, configuration=configuration, cost=cost, upper_pp=upper_pp)


def _bounded(row: OverviewRow) -> Iterator[tuple[Row, float]]:
    """Yield the configurations of an experiment that have an upper bound of their drop, with it."""
    for configuration in row.experiment.rows:
        if configuration.upper_pp is not None and configuration.num_seeds >= _FEWEST_SEEDS:
            yield configuration, configuration.upper_pp


def _why_no_times(rows: Sequence[OverviewRow]) -> str | None:
    """Return why the front must not rank times; ``None`` if it may."""
    devices = list(dict.fromkeys(row.device for row in rows if row.device is not None))
    if len(devices) > 1:
        return f"they are those of {len(devices)} device models ({listed(devices, _MOST_DEVICES)})"
    for row in rows:
        for configuration, _ in _bounded(row):
            if configuration.speedup is None:
                reason = configuration.speedup_reason or "its time was not measured"
                return f"experiment {row.number} has none that counts for {configuration.freeze} ({reason.rstrip('.')})"
    return None
