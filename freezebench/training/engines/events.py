"""The events that an engine emits while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.events import TrainingEvent

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class BackwardDone:
    """The last backward pass of a stage is done and its gradients exist: memory can be attributed to its uses."""

    optimizer: torch.optim.Optimizer


Event = TrainingEvent | BackwardDone
Emit = Callable[[Event], None]
