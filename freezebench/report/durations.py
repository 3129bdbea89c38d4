"""Durations: how long runs take, told from runs that ended; nothing is guessed where there are none."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from freezebench.records.saved import SavedConfiguration, SavedRun
    from freezebench.specs.run import RunSpec

_MINUTE, _HOUR = 60, 3600
# What a saved run says of its length; loading and the evaluation on the test split come on top.
_METRIC = "train_and_eval_s"


def left_text(seconds: float) -> str:
    """Return a duration as roughly as it is known: ``45 s``, ``4 min``, ``1 h 20 min``."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / _MINUTE)
    if seconds < _HOUR and minutes < _MINUTE:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class Durations:
    """How long this session's runs took, seeds apart; the latest counts, since a session's first pays for loading."""

    def __init__(self) -> None:
        self._by_kind: dict[RunSpec, float] = {}
        self._by_experiment: dict[str, float] = {}

    def learn(self, spec: RunSpec, seconds: float) -> None:
        """Note that a run took so long, from loading to the last evaluation."""
        self._by_kind[_kind(spec)] = seconds
        self._by_experiment[spec.experiment_id] = seconds

    def of(self, spec: RunSpec) -> float | None:
        """Return how long runs of this configuration take; ``None`` if none has ended."""
        return self._by_kind.get(_kind(spec))

    def total(self, pending: Counter[RunSpec], fallback: float | None) -> float | None:
        """Return how long pending runs will take together; ``None`` if that cannot be told.

        A configuration that has not run is expected to take as long as the latest run of its experiment: a grid goes
        from little to much that is frozen, so that this is rather too long.

        Args:
            pending: Number of runs of each kind.
            fallback: Seconds of a run of which nothing is known.
        """
        seconds = 0.0
        for kind, number in pending.items():
            each = self._by_kind.get(kind, self._by_experiment.get(kind.experiment_id, fallback))
            if each is None:
                return None
            seconds += number * each
        return seconds


def kinds(runs: Iterable[RunSpec]) -> Counter[RunSpec]:
    """Return how many runs there are of each configuration, whatever the seed."""
    return Counter(map(_kind, runs))


def _kind(spec: RunSpec) -> RunSpec:
    return replace(spec, seed=0)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How long planned runs take, as far as saved runs tell.

    Attributes:
        seconds: Duration of one run by configuration; only those that were saved.
        total_s: Duration of all planned runs whose configuration was saved.
        num_known: Number of those runs.
        source: Where the figures come from.
    """

    seconds: dict[str, float]
    total_s: float
    num_known: int
    source: str


def expected(runs: Sequence[RunSpec], saved: Sequence[SavedRun], device_name: str) -> Expected | None:
    """Return how long runs will take by the first saved run that knows any of them, on the same model of device.

    Args:
        runs: Planned runs.
        saved: Saved runs, the one to trust most first.
        device_name: Model of the GPU or CPU that is going to train.
    """
    for source in saved:
        known: dict[RunSpec, float] = {}
        for run in runs:
            partner = next((one for one in source.configurations if _is_same(one, run, device_name)), None)
            values = partner.values(_METRIC) if partner else []
            if values:
                known[run] = statistics.median(values)
        if known:
            return Expected(
                seconds={run.freeze: seconds for run, seconds in known.items()},
                total_s=sum(known[run] for run in runs if run in known),
                num_known=sum(run in known for run in runs),
                source=f"{source.source} ({source.date[:10]})",
            )
    return None


def _is_same(saved: SavedConfiguration, run: RunSpec, device_name: str) -> bool:
    """Return whether a saved configuration did what is planned, on such a device."""
    return (
        saved.freeze == run.freeze
        and saved.experiment_id == run.experiment_id
        and saved.protocol.get("learning_rate") == run.protocol.learning_rate
        and saved.device_name == device_name
    )
