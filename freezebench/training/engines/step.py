"""One optimizer step, phase by phase: load a batch, forward pass, backward pass, update."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from freezebench.training.batches.encoding import to_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.specs.run import Precision
    from freezebench.training.batches.encoding import Batch
    from freezebench.training.engines.job import Job

_MIN_NUMBERS_FOR_THREADS = 2**18  # a tensor of fewer numbers is read faster by one thread
_NORM_EPSILON = 1e-6  # of torch.nn.utils.clip_grad_norm_: a norm of 0 divides nothing


class Step:
    """Runs the phases of a step eagerly.

    Attributes:
        job: The job that is trained.
        parameters: The parameters that train in this stage.
        optimizer: Updates them; it holds the parameters of all stages.
        logits: Scores of the last forward pass.
    """

    def __init__(self, job: Job, optimizer: torch.optim.AdamW) -> None:
        """Prepare the steps of a job by the optimizer of all stages."""
        self.job, self.optimizer = job, optimizer
        self.parameters = [parameter for name, parameter in job.model.named_parameters() if name in job.names]
        self._scales_gradients = scales_gradients(job.device)
        self._batch: Batch = {}
        self.logits = self._loss = torch.empty(0)

    @property
    def device(self) -> torch.device:
        """The device that trains."""
        return self.job.device

    @property
    def model(self) -> torch.nn.Module:
        """The model that is trained."""
        return self.job.model

    @property
    def precision(self) -> Precision:
        """Number format of the forward pass."""
        return self.job.precision

    def set_train_mode(self) -> None:
        """Switch the model to the mode that it trains in."""
        self.job.set_train_mode()

    def load(self, batch: Batch) -> None:
        """Copy a batch to the device."""
        self._batch = to_device(batch, self.job.device)

    def forward(self) -> torch.Tensor:
        """Return the mean loss of the batch, with its graph for ``backward``."""
        self._loss, self.logits = self.job.loss(self._batch)
        return self._loss

    def backward(self) -> None:
        """Compute the gradients of the last forward pass."""
        self._loss.backward()  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Clip the gradients, update the parameters, and clear the gradients."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm, max_norm = total_norm(gradients), self.job.protocol.max_grad_norm
        if self._scales_gradients:
            # A fused optimizer divides gradients by this scale as it reads them, which saves a pass over all of them.
            # At least 1: clipping makes gradients smaller only.
            scale = torch.clamp((norm + _NORM_EPSILON) / max_norm, min=1.0)
            self.optimizer.grad_scale = scale  # type: ignore[attr-defined]
        else:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, max_norm, norm)
        self.optimizer.step()
        self.clear_gradients()

    def clear_gradients(self) -> None:
        """Clear the gradients of a step."""
        self.job.clear_gradients(self.parameters)


@cache
def scales_gradients(device: torch.device) -> bool:
    """Return whether fused AdamW divides gradients by its attribute ``grad_scale``, found out by one tiny step.

    That attribute is how ``torch.amp.GradScaler`` unscales gradients within the step; it is not documented. After one
    step AdamW's first moment is (1 - beta1) times the gradient.
    """
    parameter = torch.nn.Parameter(torch.zeros(1, device=device))
    parameter.grad = torch.ones_like(parameter)
    optimizer = torch.optim.AdamW([parameter], lr=0.0, betas=(0.5, 0.5), fused=True)
    optimizer.grad_scale = torch.full((), 4.0, device=device)  # type: ignore[attr-defined]
    optimizer.step()
    return bool(optimizer.state[parameter]["exp_avg"] == 0.5 / 4)


def total_norm(gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the Euclidean norm of all gradients together, a number on their device.

    A CPU takes the norm of a tensor on one thread and rounds it to the tensor's number format. For large matrices and
    for bf16, the norms of all rows are taken first: on all threads, and summed in float32.
    """
    norm: torch.Tensor = torch.nn.utils.get_total_norm([_row_norms(gradient) for gradient in gradients])
    return norm


def _row_norms(gradient: torch.Tensor) -> torch.Tensor:
    """Return the norms of a matrix's rows where they are faster or more exact, else the gradient itself."""
    is_better = gradient.numel() >= _MIN_NUMBERS_FOR_THREADS or gradient.dtype is torch.bfloat16
    if not (is_better and gradient.is_cpu and gradient.ndim > 1):
        return gradient
    norms: torch.Tensor = torch.linalg.vector_norm(gradient, dim=-1)
    return norms.float()
