"""The headline figures of memory and energy: which ones count depends on the device that trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord

# On a GPU its allocator's peak and its energy, on a CPU the process's peak and the packages' energy.
GPU_METRICS = ("peak_allocated_bytes", "energy_j")
CPU_METRICS = ("peak_rss_bytes", "cpu_energy_j")


def headline_metrics(records: Sequence[RunRecord]) -> tuple[str, str]:
    """Return the names of the memory and energy figures that count on the device of these runs."""
    return GPU_METRICS if any(record.device.startswith("cuda") for record in records) else CPU_METRICS
