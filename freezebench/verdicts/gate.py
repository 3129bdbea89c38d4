"""The joint gate: a configuration passes if all its limits do, on accuracy, time, memory and energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.verdicts.noninferiority import Verdict
    from freezebench.verdicts.resources import ResourceVerdict

# From harmless to worst: the standing of several parts is that of the worst one.
Standing = Literal["no_limit", "ok", "undecided", "worse", "broken"]

# What is limited besides the metric.
COSTS = ("train time", "peak memory", "energy")

_OF_ACCURACY: dict[str, Standing] = {
    "non_inferior": "ok",
    "inferior": "worse",
    "inconclusive": "undecided",
    "invalid": "broken",
}
_OF_RESOURCES: dict[str, Standing] = {
    "within_limit": "ok",
    "past_limit": "worse",
    "inconclusive": "undecided",
    "invalid": "broken",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One asserted limit and the observation.

    Attributes:
        quantity: What is limited, such as ``accuracy``, ``train time``, ``energy``, ``peak memory`` or ``slices``.
        standing: ``ok``, ``undecided`` (inconclusive), ``worse`` (inferior or exceeded) or ``broken`` (invalid).
        sentence: Limit and observation, without a full stop.
    """

    quantity: str
    standing: Standing
    sentence: str

    @property
    def is_cost(self) -> bool:
        """Whether time, memory or energy is limited."""
        return self.quantity in COSTS


def accuracy_standing(verdict: Verdict) -> Standing:
    """Return the standing of a test whose asserted limit on accuracy has this verdict."""
    return _OF_ACCURACY[verdict.outcome]


def resource_standing(verdict: ResourceVerdict) -> Standing:
    """Return the standing of a test whose limit on time, energy or memory has this verdict."""
    return _OF_RESOURCES[verdict.outcome]


def worst(standings: Iterable[Standing]) -> Standing:
    """Return the worst of several standings; ``no_limit`` if there are none: what asserts nothing has not passed."""
    order = get_args(Standing)
    return max(standings, key=order.index, default="no_limit")
