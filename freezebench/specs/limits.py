"""Limits: the margin of accuracy; what a run may cost beside a saved one, and what freezing has to save."""

from __future__ import annotations

from dataclasses import dataclass, fields

from freezebench.specs.grid import PerSpec

DEFAULT_MARGIN_PP = 2.0  # largest acceptable drop of accuracy, in points


@dataclass(frozen=True, kw_only=True)
class CostLimits:
    """What is required of time, energy and memory, per configuration; a configuration without a number is free.

    Attributes:
        max_time: Largest allowed train time as a multiple of the saved run's, such as 1.05.
        max_energy: Likewise for the energy of training.
        max_memory: Likewise for peak memory.
        min_speedup: Smallest allowed train time of no freezing as a multiple of this one's, such as 1.5.
        min_energy_saving: Smallest allowed share of the energy of no freezing that is saved, in per cent.
        min_memory_saving: Likewise for peak memory.
    """

    max_time: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    max_energy: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    max_memory: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    min_speedup: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    min_energy_saving: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    min_memory_saving: PerSpec = PerSpec()  # noqa: RUF009 - frozen

    def named(self, *names: str) -> dict[str, PerSpec]:
        """Return those of the named limits that hold any number."""
        limits = {name: getattr(self, name) for name in names}
        return {name: limit for name, limit in limits.items() if limit.numbers}

    @property
    def need_reference(self) -> bool:
        """Whether some limit compares with a saved run."""
        return bool(self.named("max_time", "max_energy", "max_memory"))

    def times_savings_of(self, freeze: str) -> bool:
        """Return whether a configuration has to save time or energy, which takes runs side by side with no freezing."""
        return any(limit.get(freeze) is not None for limit in (self.min_speedup, self.min_energy_saving))

    @property
    def memory_only(self) -> CostLimits:
        """The limits on memory, which do not depend on how fast the machine is."""
        return CostLimits(max_memory=self.max_memory, min_memory_saving=self.min_memory_saving)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all limits, which are the names of their options."""
        return tuple(field.name for field in fields(cls))
