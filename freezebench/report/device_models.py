"""Which runs trained on another model of device than the one that a table's costs are of, as one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.rows import table_metric
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.rows import Row

_MOST_NAMED = 6


def device_models_sentence(rows: Sequence[Row]) -> str | None:
    """Return of which model the costs are, and which seeds count for the metric alone; ``None`` with a single model."""
    counted = next((row.device_name for row in rows if row.cost_records), None)
    others: dict[str, set[int]] = {}
    for row in rows:
        for record in row.records:
            if record.device_name != counted:
                others.setdefault(record.device_name, set()).add(record.spec.seed)
    if not others:
        return None
    left_out = "; ".join(f"{_seeds(seeds)} on {model}" for model, seeds in others.items())
    return (
        f"Devices: time, energy and memory are those of {counted} only, since models of devices are not compared. "
        f"These runs count for {table_metric(rows).label} only: {left_out}."
    )


def _seeds(seeds: set[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {listed(sorted(seeds), _MOST_NAMED)}"
