"""Events of runs, their training and their plan, as plain data that can be sent from one process to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.run_record import EpochRecord, RunRecord

if TYPE_CHECKING:
    from freezebench.specs.run import RunSpec


@dataclass(frozen=True, kw_only=True)
class TrainingStarted:
    """The training steps of an epoch begin; the device is idle.

    Attributes:
        epoch: Number of the epoch, from 1.
    """

    epoch: int


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One optimizer step.

    Attributes:
        step: Number of the step in the run, from 1.
        epoch: Number of the epoch, from 1.
        num_steps: Number of steps of the whole run.
        loss: Training loss in nats; ``None`` on a GPU, where reading it would stall the device.
    """

    step: int
    epoch: int
    num_steps: int
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class TrainingPaused:
    """The training steps of an epoch have ended; the device is idle again.

    Attributes:
        epoch: Number of the epoch, from 1.
    """

    epoch: int


# The events that a caller of ``run`` receives. An epoch's record is the event of its end.
TrainingEvent = TrainingStarted | StepRecord | TrainingPaused | EpochRecord
# Those that progress shows.
ProgressEvent = TrainingStarted | StepRecord | TrainingPaused


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run starts; the model is loaded first.

    Attributes:
        spec: The run.
        slot: Name of the slot on which it trains; empty if the executor has one.
    """

    spec: RunSpec
    slot: str = ""


@dataclass(frozen=True, kw_only=True)
class RunWaiting:
    """A run waits for another session.

    Attributes:
        spec: The run.
        reason: A clause that says what it waits for.
        slot: Name of the slot on which it will train.
    """

    spec: RunSpec
    reason: str
    slot: str = ""


@dataclass(frozen=True, kw_only=True)
class RunProgressed:
    """Training emitted an event.

    Attributes:
        spec: The run.
        event: What its training emitted.
        slot: Name of the slot on which it trains.
    """

    spec: RunSpec
    event: ProgressEvent
    slot: str = ""


@dataclass(frozen=True, kw_only=True)
class RunReused:
    """The record of an earlier session is reused."""

    record: RunRecord


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run ended; its record may be invalid.

    Attributes:
        record: The record of the run.
        slot: Name of the slot on which it trained.
    """

    record: RunRecord
    slot: str = ""


@dataclass(frozen=True, kw_only=True)
class RunDropped:
    """A run was interrupted, or its slot was lost; there is no record of it.

    Attributes:
        slot: Name of the slot.
    """

    slot: str = ""


@dataclass(frozen=True, kw_only=True)
class RunsPlanned:
    """The plan of the session, made anew.

    Attributes:
        left: All runs that are known to be needed and have not started.
    """

    left: tuple[RunSpec, ...]


@dataclass(frozen=True, kw_only=True)
class SeedsFinished:
    """One more seed has gone through all configurations of a round, and more seeds follow.

    Attributes:
        num_ended: Number of seeds that these configurations have.
        num_seeds: Number of seeds of the look.
        records: The runs of these seeds by configuration, the baseline's first; one that broke is the last of its own.
        metric: Name of the metric that is judged; ``None``: the usual one of the task.
    """

    num_ended: int
    num_seeds: int
    records: dict[str, tuple[RunRecord, ...]]
    metric: str | None = None


@dataclass(frozen=True, kw_only=True)
class ResultAwaited:
    """A test begins to wait for its result, or waits no longer; runs of other tests may go on training then.

    Attributes:
        is_awaited: Whether it waits.
    """

    is_awaited: bool


RunEvent = (
    RunStarted
    | RunWaiting
    | RunProgressed
    | RunReused
    | RunFinished
    | RunDropped
    | RunsPlanned
    | SeedsFinished
    | ResultAwaited
)
