"""The training loop of two engines.

``standard`` runs the whole model forward in every step, frozen layers in train mode like the notebook's; ``cached`` has
a feed that leaves a frozen prefix out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.autograd.graph import increment_version
from torch.nn.functional import cross_entropy

from freezebench.training.batching import to_device
from freezebench.training.precision import autocast, threads_for
from freezebench.training.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from freezebench.training.progress import Emit, Job, TrainingResult


def train(job: Job, emit: Emit) -> TrainingResult:
    """Fine-tune the job's model by AdamW with linear decay and gradient clipping; keep the best epoch.

    Raises:
        NonFiniteLossError: If a loss becomes infinite or not a number.
    """
    protocol = job.protocol
    parameters = [parameter for parameter in job.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=protocol.learning_rate, weight_decay=protocol.weight_decay, fused=True)
    progress = Progress(job, emit)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / progress.num_steps))
    batches = job.batches()
    with threads_for(progress.step_flop, job.device):
        for epoch in range(protocol.num_epochs):
            batches.set_epoch(epoch)
            job.train_mode()
            progress.start()
            for batch in batches:
                tensors = to_device(batch, job.device)
                labels = tensors.pop("labels")
                progress.lap("data")
                with autocast(job.precision, job.device):
                    logits = job.logits(tensors)
                loss = cross_entropy(logits, labels)
                progress.lap("forward")
                loss.backward()  # type: ignore[no-untyped-call]
                progress.lap("backward")
                _clip_within_step(optimizer, parameters, protocol.max_grad_norm)
                progress.backward_done(optimizer)
                optimizer.step()
                increment_version(parameters)  # a fused step does not say that it changed them
                decay.step()
                job.clear_gradients(parameters)
                progress.step(loss)
            progress.pause()
    return progress.finish()


def _clip_within_step(optimizer: torch.optim.AdamW, parameters: Iterable[torch.nn.Parameter], max_norm: float) -> None:
    """Have the next step clip gradients to a norm, which saves a pass over all of them.

    A fused optimizer divides gradients by its ``grad_scale`` while it reads them; that is how ``torch.amp.GradScaler``
    has them unscaled.
    """
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    # As torch.nn.utils.clip_grad_norm_ does: the small number keeps a norm of 0 from dividing, 1 from enlarging.
    optimizer.grad_scale = torch.clamp((norm + 1e-6) / max_norm, min=1.0)  # type: ignore[attr-defined]
