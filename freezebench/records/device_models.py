"""Device models: times, energies and memory of two models of GPU or CPU are never compared, and never averaged.

Seeds of one experiment may train on devices of several models. Accuracy comes from all of them; of the costs only those
on one model count, and a report names the others.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.records.run_record import RunRecord

ONE_MODEL = (
    "choose devices of one model (--freeze-devices, --freeze-cluster-resource), and train anew with --freeze-resume=no"
)
OTHER_MODEL = f"it trained on another model of device than most runs; {ONE_MODEL}"
OTHER_DEVICES = f"the unfrozen runs of the same seeds trained on another model of device; {ONE_MODEL}"


def main_model(records: Iterable[RunRecord]) -> str | None:
    """Return the device model on which most valid runs trained, of several the first; ``None`` without valid runs."""
    return most_common(record.device_name for record in records if record.is_valid)


def common_model(first: Iterable[RunRecord], second: Iterable[RunRecord]) -> str | None:
    """Return the device model on which most seeds trained in both arms, of several the first; ``None`` if none did."""
    trained = {(record.spec.seed, record.device_name) for record in first if record.is_valid}
    return most_common(
        record.device_name for record in second if record.is_valid and (record.spec.seed, record.device_name) in trained
    )


def of_model(records: Iterable[RunRecord], device_name: str | None) -> list[RunRecord]:
    """Return the valid runs that trained on a device model, in their order."""
    return [record for record in records if record.is_valid and record.device_name == device_name]


def most_common(names: Iterable[str]) -> str | None:
    """Return the name that occurs most often, of several the first; ``None`` without names."""
    # A counter keeps the order in which it met the names, and most_common keeps it among equals.
    ranked = Counter(names).most_common(1)
    return ranked[0][0] if ranked else None
