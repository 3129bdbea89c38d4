"""Readings: measured figures with their provenance."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, Self, get_args

from freezebench.errors import RecordError
from freezebench.specs.fields import brief, real
from freezebench.specs.typed import typed_fields

if TYPE_CHECKING:
    from freezebench.specs.json_types import Json

# The words are part of saved files: more may be added, but none renamed.
Status = Literal["measured", "partial", "contended", "not_measured"]
# Of times, rates, energies and powers.
_TIMED_UNITS = ("s", "1/s", "J", "W")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One figure that was measured, or the reason why it was not.

    Attributes:
        value: The figure in ``unit``; ``None`` exactly when ``status`` is ``not_measured``. Never an estimate.
        unit: SI unit or ``"1"`` for a ratio: ``s``, ``J``, ``W``, ``B`` (bytes), ``1/s``, ``degC``.
        source: Where the figure comes from, for example ``nvmlDeviceGetTotalEnergyConsumption``.
        status: ``measured`` (whole window), ``partial`` (part of it, see ``coverage``), ``contended`` (whole, but other
            work on the machine falsifies it) or ``not_measured``.
        reason: Why the figure is not a full measurement, and what to do about it; ``None`` for a full one.
        uncertainty: Half-width of the interval around ``value`` that holds the true figure, in ``unit``.
        num_samples: Number of samples behind a sampled figure.
        max_gap_s: Largest time between two neighbouring samples, in seconds.
        coverage: Share of the window that the samples cover, 0 to 1.
        low_confidence: Whether the window was so short that the source's update period is not negligible.

    Raises:
        RecordError: If status, value and reason contradict each other, or the value is no finite number.
    """

    value: float | None
    unit: str
    source: str
    status: Status = "measured"
    reason: str | None = None
    uncertainty: float | None = None
    num_samples: int | None = None
    max_gap_s: float | None = None
    coverage: float | None = None
    low_confidence: bool = False

    def __post_init__(self) -> None:
        # These rules keep a missing figure from passing for a zero, and a partial one from passing for the whole.
        if self.status not in get_args(Status):
            raise RecordError(f"unknown reading status {self.status!r}: expected one of {get_args(Status)}")
        if (self.value is None) != (self.status == "not_measured"):
            raise RecordError(f"a reading has no value exactly when it is not_measured: {self!r}")
        if self.value is not None and not math.isfinite(real(self.value)):
            raise RecordError(f"a measured value is a finite number, not {brief(self.value)}")
        if self.status != "measured" and not self.reason:
            raise RecordError(f"a reading that is {self.status} has a reason: {self!r}")

    @property
    def depends_on_time(self) -> bool:
        """Whether the figure changes if the same work takes longer: times, rates, energies and powers do."""
        return self.unit in _TIMED_UNITS

    @classmethod
    def not_measured(cls, unit: str, source: str, reason: str) -> Self:
        """Return the reading of a figure that was not measured, with the reason.

        Args:
            unit: Unit that the figure would have.
            source: Where it would come from.
            reason: Why it was not measured, and what to do about it.
        """
        return cls(value=None, unit=unit, source=source, status="not_measured", reason=reason)

    def to_json(self) -> dict[str, Json]:
        """Return this reading in JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the reading from its JSON form.

        Args:
            data: The object of the reading, as ``json.loads`` returns it.

        Raises:
            RecordError: If fields are missing, unknown or contradictory.
        """
        return typed_fields(cls, data)
