"""One figure for the runs of several seeds, and what a configuration saves of its baseline's."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from freezebench.meters.metrics import COST_METRICS
from freezebench.records.run_record import values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from freezebench.meters.metrics import OverSeeds
    from freezebench.records.run_record import RunRecord

# The registry of metrics has the one that each metric uses, and the reason.
_OVER_SEEDS: dict[OverSeeds, Callable[[Iterable[float]], float]] = {"median": statistics.median, "largest": max}


def aggregate(records: Sequence[RunRecord], metric: str) -> float | None:
    """Return one figure for a metric of several seeds, by the registry's rule; ``None`` unless all runs measured it.

    A metric that other work on the processors falsifies is taken from the undisturbed runs alone, if there are any.
    """
    quiet = [record for record in records if not record.is_contended]
    counted = quiet if quiet and COST_METRICS[metric].needs_quiet else records
    values = values_of(counted, metric)
    return _OVER_SEEDS[COST_METRICS[metric].over_seeds](values) if values and len(values) == len(counted) else None


def saving(value: float | None, baseline: float | None) -> float | None:
    """Return the share of the baseline's figure that is saved, at most 1; ``None`` where one of them is not known."""
    return 1 - value / baseline if value is not None and baseline else None


def saving_uncertainty(records: Sequence[RunRecord], baseline: Sequence[RunRecord], metric: str) -> float | None:
    """Return the half-width of the saving's interval.

    The largest relative uncertainties of both arms are added, since the uncertainties are bounds, not variances.
    """
    value, reference = aggregate(records, metric), aggregate(baseline, metric)
    own, baselines = _relative_uncertainty(records, metric), _relative_uncertainty(baseline, metric)
    if not value or not reference or own is None or baselines is None:
        return None
    return value / reference * (own + baselines)


def _relative_uncertainty(records: Sequence[RunRecord], metric: str) -> float | None:
    """Return the largest uncertainty of a metric over the runs, as a share of its value; ``None`` if a run has none."""
    shares = []
    for record in records:
        reading = record.readings.get(metric)
        if reading is None or not reading.value or reading.uncertainty is None:
            return None
        shares.append(reading.uncertainty / reading.value)
    return max(shares, default=None)
