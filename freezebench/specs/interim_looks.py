"""Interim looks: after how many seeds a configuration is judged, and with which error rate each time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from freezebench.errors import SettingsError
from freezebench.specs.fields import brief, whole
from freezebench.specs.numbers import whole_number

# A verdict is wrong with at most this one-sided error rate. Several looks give several chances to be wrong, so each of
# them has to be stricter: with 2 % per look, three looks are wrong in about 5 % of cases (simulated, see
# benchmarks/operating_characteristics.py).
ALPHA_ONE_LOOK = 0.05
ALPHA_PER_LOOK = 0.02
_SIMULATED_LOOKS = 3
# Far out, the bounds of three seeds are too narrow: those of 0.67 % miss in 1.6 % of cases. With this part of its
# share of the error rate, a search is wrong as often as stated (simulated, see benchmarks/search_error_rates.py).
_PART_OF_SHARE = 0.4
# In a search, so many depths may fail to pass, and their verdicts share the error rate (see ``planning.search``). With
# fewer, a search over 25 prefixes would take more trials than plain bisection.
MAX_FAILED = 3
# Every seed is a run, and hundreds of seeds resolve any difference that matters. With more looks, their error rates add
# up to more than anyone wants.
MAX_SEEDS = 1000
MAX_LOOKS = 10


@dataclass(frozen=True, kw_only=True)
class InterimLooks:
    """The numbers of seeds after which a configuration is judged.

    Attributes:
        counts: Strictly increasing numbers of seeds (counts, not the seeds themselves).
        num_sharing: How many verdicts share the error rate, as those of a search do.

    Raises:
        SettingsError: If the counts are not whole, positive and increasing, or are too many.
    """

    counts: tuple[int, ...] = (3, 5, 8)
    num_sharing: int = 1

    def __post_init__(self) -> None:
        counts: object = self.counts
        if isinstance(counts, tuple) and len(counts) > MAX_LOOKS:
            raise SettingsError(f"{len(counts)} seed counts are more than {MAX_LOOKS}: give fewer, such as 3,5,8.")
        numbers = tuple(whole(count) for count in counts) if isinstance(counts, tuple) else ()
        found = tuple(number for number in numbers if number is not None and number >= 1)
        if not found or len(found) < len(numbers) or list(found) != sorted(set(found)):
            raise SettingsError(
                f"seed counts {brief(counts)} are not positive and increasing: give counts of seeds such as 3 or 3,5,8."
            )
        if found[-1] > MAX_SEEDS:
            raise SettingsError(
                f"{found[-1]} seeds are more than {MAX_SEEDS}, and each of them is a run per configuration: give "
                "counts of seeds such as 3 or 3,5,8."
            )
        object.__setattr__(self, "counts", found)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the looks of a text such as ``3`` or ``3,5,8``.

        Args:
            text: One number of seeds, or several with commas between.

        Raises:
            SettingsError: If it is not a list of increasing whole numbers from 1 on.
        """
        counts = tuple(count for count in map(whole_number, str(text).split(",")) if count is not None)
        if len(counts) < str(text).count(",") + 1 or counts[0] < 1:
            raise SettingsError(f"give the number of seeds, from 1 to {MAX_SEEDS:,}, or increasing numbers: 3,5,8.")
        return cls(counts=counts)

    def __str__(self) -> str:
        return ",".join(str(count) for count in self.counts)

    @property
    def alpha(self) -> float:
        """One-sided error rate of each look: 0.05 for a single look, 0.02 for several; shared, a part of it."""
        alpha = ALPHA_ONE_LOOK if len(self.counts) == 1 else ALPHA_PER_LOOK
        if self.num_sharing == 1:
            return alpha
        # More looks than those of the simulation must not add to the error that is stated for all verdicts together.
        return _PART_OF_SHARE * alpha / self.num_sharing * min(1.0, _SIMULATED_LOOKS / len(self.counts))

    def shared_by(self, num_verdicts: int) -> Self:
        """Return the same looks at an error rate that so many verdicts share.

        Args:
            num_verdicts: Number of the verdicts.
        """
        return replace(self, num_sharing=num_verdicts)

    @property
    def max_seeds(self) -> int:
        """The number of seeds of the last look."""
        return self.counts[-1]

    def after(self, num_seeds: int) -> int | None:
        """Return the number of seeds of the next look; ``None`` after the last one.

        Args:
            num_seeds: Number of seeds that have been judged.
        """
        return next((count for count in self.counts if count > num_seeds), None)
