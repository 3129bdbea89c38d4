"""Expected durations of runs, from runs that have ended; without such runs they are unknown."""

from __future__ import annotations

import contextlib
import heapq
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from freezebench.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from freezebench.planning.blocks import Block
    from freezebench.records.run_record import RunRecord
    from freezebench.records.saved import SavedConfiguration, SavedRun
    from freezebench.specs.run import RunSpec
    from freezebench.specs.slots import Slot

_MINUTE, _HOUR = 60, 3600
# Saved runs have this duration; loading and the evaluation on the test split are not part of it.
_METRIC = "train_and_eval_s"


def duration_text(seconds: float) -> str:
    """Return an expected duration, rounded: ``45 s``, ``4 min``, ``1 h 20 min``."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / _MINUTE)
    if seconds < _HOUR and minutes < _MINUTE:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


class Durations:
    """The durations of this session's runs, whatever the seed; the latest counts, since the first one loads more."""

    def __init__(self) -> None:
        self._by_configuration: dict[RunSpec, float] = {}
        self._latest: dict[str, float] = {}
        self._longest: dict[str, float] = {}

    def add(self, spec: RunSpec, seconds: float) -> None:
        """Add the duration of a run, from loading to the last evaluation."""
        self._by_configuration[_without_seed(spec)] = seconds
        self._latest[spec.experiment_id] = seconds
        self._longest[spec.experiment_id] = max(seconds, self._longest.get(spec.experiment_id, 0.0))

    def of(self, spec: RunSpec) -> float | None:
        """Return the duration of runs of this configuration; ``None`` if none has ended."""
        return self._by_configuration.get(_without_seed(spec))

    def expected(self, spec: RunSpec, fallback: float | None) -> float | None:
        """Return the expected duration of a run; ``None`` if it is unknown.

        A configuration that has not run is expected to take as long as the latest run of its experiment. A grid goes
        from least to most frozen, so this is an overestimate. Strategies come after the most frozen ones, and may take
        as long as the longest run.

        Args:
            spec: The run.
            fallback: Seconds of a run of an experiment without any finished run.
        """
        of_experiment = self._longest if spec.freeze_spec.strategies else self._latest
        unknown = of_experiment.get(spec.experiment_id, fallback)
        return self._by_configuration.get(_without_seed(spec), unknown)


def seconds_on_slots(runs_s: Iterable[float], num_slots: int, busy_s: Sequence[float] = ()) -> float:
    """Return when the last of several runs ends, in seconds from now, if each trains on the slot that is free first.

    Args:
        runs_s: The durations of runs that wait.
        num_slots: Number of slots.
        busy_s: Seconds until each of the slots is free on which a run trains now.
    """
    free_at = [*busy_s, *[0.0] * (num_slots - len(busy_s))]
    heapq.heapify(free_at)
    for run_s in runs_s:
        heapq.heapreplace(free_at, free_at[0] + run_s)
    return max(free_at)


def _without_seed(spec: RunSpec) -> RunSpec:
    return replace(spec, seed=0)


@dataclass(frozen=True, kw_only=True)
class ExpectedDurations:
    """The durations of planned runs as far as saved runs have them.

    Attributes:
        seconds: Duration of one run by configuration, of those that were saved.
        total_s: Duration of all planned runs whose configuration was saved.
        num_known: Number of those runs.
        source: Where the durations come from.
        num_slots: How many runs train at the same time.
    """

    seconds: dict[str, float]
    total_s: float
    num_known: int
    source: str
    num_slots: int = 1

    def shared_out(self, blocks: Sequence[Block], slots: Sequence[Slot]) -> ExpectedDurations:
        """Return these durations where several slots share the planned runs.

        Args:
            blocks: The runs, as they are placed on slots.
            slots: The slots.
        """
        # Those that are alone on their node wait until it is quiet, and all others of the node wait for them.
        alone_s, others_s = (
            [
                sum(self.seconds.get(run.spec.freeze, 0.0) for run in block.runs)
                for block in blocks
                if block.is_alone is is_alone
            ]
            for is_alone in (True, False)
        )
        num_nodes = len({slot.node for slot in slots})
        total_s = seconds_on_slots(alone_s, num_nodes) + seconds_on_slots(others_s, len(slots))
        return replace(self, total_s=total_s, num_slots=len(slots))


def expected_durations(
    runs: Sequence[RunSpec], saved: Sequence[SavedRun], device_name: str
) -> ExpectedDurations | None:
    """Return the durations of runs by the first saved run that has any of them, on the same model of device.

    Args:
        runs: Planned runs.
        saved: Saved runs, the most trusted first.
        device_name: Model of the GPU or CPU that will train.
    """
    for source in saved:
        known: dict[RunSpec, float] = {}
        for run in runs:
            same = next((item for item in source.configurations if _is_same(item, run)), None)
            # Runs on another model of device say nothing about this one.
            if same is not None and (values := same.on_model(device_name).values(_METRIC)):
                known[run] = statistics.median(values)
        if known:
            return ExpectedDurations(
                seconds={run.freeze: seconds for run, seconds in known.items()},
                total_s=sum(known[run] for run in runs if run in known),
                num_known=sum(run in known for run in runs),
                source=f"{source.source} ({source.date[:10]})",
            )
    return None


def saved_durations(
    reference: SavedRun | None, report: Path | None, finished: Mapping[str, RunRecord]
) -> list[SavedRun]:
    """Return the saved runs that have durations, the most trusted first.

    Args:
        reference: The saved run with which the session compares.
        report: The report's folder, whose old report the session replaces.
        finished: Runs of earlier sessions by run id.
    """
    from freezebench.records.saved_files import read_saved_run

    sources = [] if reference is None else [reference]
    if report is not None:
        # The folder may have no report yet, or a damaged one.
        with contextlib.suppress(RecordError):
            sources.append(read_saved_run(report))
    return [*sources, _as_saved_run(finished)] if finished else sources


def _as_saved_run(finished: Mapping[str, RunRecord]) -> SavedRun:
    """Return the runs of earlier sessions as one saved run."""
    from freezebench.records.saved import SavedRun, from_records

    by_freeze: dict[str, list[RunRecord]] = {}
    for record in finished.values():
        by_freeze.setdefault(record.spec.freeze, []).append(record)
    configurations = tuple(from_records(freeze, records) for freeze, records in by_freeze.items())
    date = max(record.started_at for record in finished.values())
    return SavedRun(source="the finished runs", date=date, configurations=configurations)


def _is_same(saved: SavedConfiguration, run: RunSpec) -> bool:
    """Return whether a saved configuration is that of a planned run."""
    return (
        saved.freeze == run.freeze
        and saved.experiment_id == run.experiment_id
        and saved.protocol.get("learning_rate") == run.protocol.learning_rate
    )
