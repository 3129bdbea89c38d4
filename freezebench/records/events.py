"""What training tells while it runs, as plain data: it travels from the process that trains to the one that shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainingStarted:
    """A stretch of training begins; the device is idle."""

    epoch: int


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One optimizer step.

    Attributes:
        step: Number of the step in the run, from 1.
        epoch: Number of the epoch, from 1.
        num_steps: Number of steps that the run will take.
        loss: Training loss in nats; ``None`` on a GPU, where reading it would make the device wait.
    """

    step: int
    epoch: int
    num_steps: int
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class TrainingPaused:
    """A stretch of training ended; the device is idle again."""

    epoch: int
