"""What runs that train at the same time change in each other's figures, and what their devices need in common."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from freezebench.errors import SettingsError
from freezebench.meters.metrics import metric_of
from freezebench.records.contention import SHARED_MACHINE, SHARED_PROCESSOR
from freezebench.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freezebench.records.run_record import RunRecord
    from freezebench.runs.environment import Machine

_MOST_NAMED = 4


def trained_beside_others(record: RunRecord, *, shares_processor: bool) -> RunRecord:
    """Return the record of a run without the figures that runs beside it, on the same machine, have changed.

    On one processor they change every time, and every energy with it. On GPUs of their own they change only what is
    counted for the machine as a whole. That they feed their GPUs from the same processors is measured as contention.

    Args:
        record: The run.
        shares_processor: Whether the others trained on the processor that trained this one.
    """
    if shares_processor:
        return record.without_times(SHARED_PROCESSOR)
    return record.without_readings([name for name in record.readings if metric_of(name).of_machine], SHARED_MACHINE)


def check_equal_precision(machines: Mapping[str, Machine]) -> None:
    """Check that the runs of one experiment have one number format, whichever device trains them.

    Rounding differs between number formats, so that a difference between seeds would partly be one between devices.

    Args:
        machines: What the experiment's runs depend on, by name of the slot.

    Raises:
        SettingsError: If the devices resolve ``auto`` to different formats.
    """
    devices: dict[str, list[str]] = defaultdict(list)
    for slot, machine in machines.items():
        devices[machine.precision].append(f"{slot} ({machine.device_name})")
    if len(devices) > 1:
        formats = "; ".join(f"{precision} on {listed(names, _MOST_NAMED)}" for precision, names in devices.items())
        raise SettingsError(
            f"cannot train the runs of one experiment in different number formats: {formats}. Give "
            "--freeze-precision=float32, or choose devices of one kind (--freeze-devices, --freeze-cluster-resource)."
        )
