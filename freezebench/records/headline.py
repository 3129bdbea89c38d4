"""Headline metrics: the figures of memory and energy that summaries show, which depend on the device that trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.records.run_record import RunRecord

# The allocator's peak leaves out the CUDA context and other processes, so that it is comparable between machines. On a
# CPU only the whole process and the whole package can be measured.
GPU_METRICS = ("peak_allocated_bytes", "energy_j")
CPU_METRICS = ("peak_rss_bytes", "cpu_energy_j")


def headline_metrics(records: Sequence[RunRecord]) -> tuple[str, str]:
    """Return the names of the memory and the energy metric for the device of these runs."""
    return GPU_METRICS if any(record.device.startswith("cuda") for record in records) else CPU_METRICS
