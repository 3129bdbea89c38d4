"""Events of a training run, as plain data that can be sent from the training process to the session."""

from __future__ import annotations

from dataclasses import dataclass

from freezebench.records.run_record import EpochRecord


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


TrainingEvent = TrainingStarted | StepRecord | TrainingPaused | EpochRecord
