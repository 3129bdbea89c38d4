"""The protocol of meters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from freezebench.records.reading import Reading


class Meter(Protocol):
    """An instrument that measures one window.

    A meter does not raise if hardware, a driver or a permission is missing: its readings then have the status
    ``not_measured`` and a reason with what to do.
    """

    def start(self) -> None:
        """Open the window. The caller has synchronized the device."""

    def stop(self) -> dict[str, Reading]:
        """Close the window and return its readings by metric name, unit in the name (``energy_j``)."""
