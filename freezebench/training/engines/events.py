"""The events that an engine emits while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.records.run_record import EpochRecord

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class BackwardDone:
    """The last backward pass of the run is done and its gradients exist: memory can be attributed to its uses."""

    optimizer: torch.optim.Optimizer


Event = TrainingStarted | StepRecord | BackwardDone | TrainingPaused | EpochRecord
Emit = Callable[[Event], None]
