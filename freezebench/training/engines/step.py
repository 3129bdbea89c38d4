"""One optimizer step, phase by phase: a batch is loaded, forward pass, backward pass, update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from freezebench.training.batches.batching import to_device
from freezebench.training.device import number_on, total_norm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.training.batches.batching import Batch
    from freezebench.training.engines.job import Job


class Step:
    """Runs the phases as they come.

    Attributes:
        job: What is trained.
        parameters: The parameters that learn.
        optimizer: Moves them.
        logits: Class scores of the last forward pass, shape (batch, classes).
    """

    def __init__(self, job: Job) -> None:
        """Make the optimizer of a job."""
        protocol = job.protocol
        self.job = job
        self.parameters = [parameter for parameter in job.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=number_on(job.device, protocol.learning_rate),
            weight_decay=protocol.weight_decay,
            fused=True,
            capturable=job.device.type == "cuda",
        )
        self._batch: Batch = {}
        self.logits = self._loss = torch.empty(0)

    def load(self, batch: Batch) -> None:
        """Take a batch to the device."""
        self._batch = to_device(batch, self.job.device)

    def forward(self) -> torch.Tensor:
        """Return the mean cross-entropy of the batch, in nats, its graph kept for ``backward``."""
        self._loss, self.logits = self.job.loss(self._batch)
        return self._loss

    def backward(self) -> None:
        """Compute the gradients of the last forward pass."""
        self._loss.backward()  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Clip the gradients, move the parameters, and forget the gradients."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        _clip_within_step(self.optimizer, gradients, self.job.protocol.max_grad_norm)
        self.optimizer.step()
        self.job.clear_gradients(self.parameters)


def _clip_within_step(optimizer: torch.optim.AdamW, gradients: Sequence[torch.Tensor], max_norm: float) -> None:
    """Have the next step clip gradients to a norm, which saves a pass over all of them.

    A fused optimizer divides gradients by its ``grad_scale`` while it reads them; that is how ``torch.amp.GradScaler``
    has them unscaled.
    """
    # As torch.nn.utils.clip_grad_norm_ does: the small number keeps a norm of 0 from dividing, 1 from enlarging.
    scale = torch.clamp((total_norm(gradients) + 1e-6) / max_norm, min=1.0)
    optimizer.grad_scale = scale  # type: ignore[attr-defined]
