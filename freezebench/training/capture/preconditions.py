"""What a training step must fulfil to be captured: it depends on its inputs alone.

A graph repeats the work on the device and nothing else. A random number that the processor drew would be the same at
every replay, and a counter that Python code increments would stay as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from freezebench.training.prefix.hooks import hooked_gradient, hooked_module
from freezebench.training.prefix.modes import train_mode
from freezebench.training.random_state import host_random_state, isolated_random_state
from freezebench.training.tensor_changes import change_count

if TYPE_CHECKING:
    from freezebench.specs.run import Precision
    from freezebench.training.batches.encoding import Batch


class NotCapturableError(Exception):
    """A step that cannot be captured, or computes something else when it is replayed."""


class TrainingStep(Protocol):
    """An eager training step.

    Attributes:
        parameters: The trainable parameters.
        optimizer: Updates them.
        logits: Scores of the last forward pass.
    """

    parameters: list[torch.nn.Parameter]
    optimizer: torch.optim.AdamW
    logits: torch.Tensor

    @property
    def device(self) -> torch.device:
        """Return the device that trains."""
        ...

    @property
    def model(self) -> torch.nn.Module:
        """Return the model that is trained."""
        ...

    @property
    def precision(self) -> Precision:
        """Return the number format of the forward pass."""
        ...

    def set_train_mode(self) -> None:
        """Switch the model to the mode that it trains in."""
        ...

    def load(self, batch: Batch) -> None:
        """Copy a batch to the device."""
        ...

    def forward(self) -> torch.Tensor:
        """Return the mean loss of the batch."""
        ...

    def backward(self) -> None:
        """Compute the gradients of the last forward pass."""
        ...

    def update(self) -> None:
        """Clip the gradients, update the parameters, and clear the gradients."""
        ...

    def clear_gradients(self) -> None:
        """Clear the gradients of a step."""
        ...


def check_depends_on_inputs_alone(step: TrainingStep, batch: Batch) -> None:
    """Run a forward pass in train mode that must not draw random numbers on the processor or change the model.

    Raises:
        NotCapturableError: If it does.
    """
    model = step.model
    if hooked := hooked_module(model) or hooked_gradient(model):
        raise NotCapturableError(f"hooks are registered on {hooked}, which a replay would not call")
    with isolated_random_state(step.device), train_mode(model), torch.no_grad():
        step.set_train_mode()
        random_before, state_before = host_random_state(), _state(model)
        step.load(batch)
        step.forward()
        if host_random_state() != random_before:
            raise NotCapturableError("the model draws random numbers on the processor")
        if _state(model) != state_before:
            raise NotCapturableError("the model changes its buffers or attributes in training")


def _state(model: torch.nn.Module) -> tuple[list[object], list[list[tuple[str, object]]]]:
    """Return what a model may carry from one forward pass to the next: buffers and plain attributes of its modules."""
    buffers: list[object] = []
    for buffer in model.buffers():
        count = change_count(buffer)
        # Counting is cheaper than comparing, and a buffer may be changed to the same value.
        buffers.append(buffer.tolist() if count is None else count)
    plain = (bool, int, float, str)
    return buffers, [
        [(name, value) for name, value in vars(module).items() if isinstance(value, plain)]
        for module in model.modules()
    ]
