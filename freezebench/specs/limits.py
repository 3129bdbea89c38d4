"""Limits: the non-inferiority margin, the costs compared with a saved run, and the savings of freezing."""

from __future__ import annotations

from dataclasses import dataclass, fields

from freezebench.errors import SettingsError
from freezebench.specs.fields import brief
from freezebench.specs.grid import PerSpec

DEFAULT_MARGIN_PP = 2.0  # largest acceptable drop of accuracy, in percentage points
# No experiment can resolve a limit of 0.02 points: it is meant as a share, which is 2 points.
SMALLEST_POINTS = 0.1


@dataclass(frozen=True, kw_only=True)
class CostLimits:
    """Limits on time, energy and memory per configuration; without a number there is no limit.

    Attributes:
        max_time: Largest allowed train time as a multiple of the saved run's, such as 1.05.
        max_energy: The same for the energy of training.
        max_memory: The same for peak memory.
        min_speedup: Smallest allowed train time of the baseline as a multiple of the configuration's, such as
            1.5.
        min_energy_saving: Smallest allowed saving of energy, in per cent of the baseline's.
        min_memory_saving: The same for peak memory.

    Raises:
        SettingsError: If a limit is no ``PerSpec``.
    """

    max_time: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    max_energy: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    max_memory: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    min_speedup: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    min_energy_saving: PerSpec = PerSpec()  # noqa: RUF009 - frozen
    min_memory_saving: PerSpec = PerSpec()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        for name in self.names():
            value: object = getattr(self, name)
            if not isinstance(value, PerSpec):
                raise SettingsError(
                    f"CostLimits({name}={brief(value)}): give {name}=PerSpec(default=1.05), for example."
                )

    def named(self, *names: str) -> dict[str, PerSpec]:
        """Return those of the named limits that are set.

        Args:
            names: Names of limits.
        """
        limits = {name: getattr(self, name) for name in names}
        return {name: limit for name, limit in limits.items() if limit.numbers}

    @property
    def need_reference(self) -> bool:
        """Whether some limit compares with a saved run."""
        return bool(self.named("max_time", "max_energy", "max_memory"))

    def needs_paired_runs(self, freeze: str) -> bool:
        """Return whether a configuration's savings of time or energy are asserted.

        Args:
            freeze: Canonical id of the configuration.
        """
        # Time and energy vary between runs, so that they are compared in pairs with the baseline's. Memory hardly
        # varies.
        return any(limit.get(freeze) is not None for limit in (self.min_speedup, self.min_energy_saving))

    @property
    def memory_only(self) -> CostLimits:
        """The limits on memory, which do not depend on the speed of the machine."""
        return CostLimits(max_memory=self.max_memory, min_memory_saving=self.min_memory_saving)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all limits, which are also those of their options."""
        return tuple(field.name for field in fields(cls))
