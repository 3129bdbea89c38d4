"""The training loop of two engines.

``standard`` runs the whole model forward in every step, frozen layers in train mode as in the notebook; ``cached`` has
a feed that leaves a frozen prefix out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.autograd.graph import increment_version

from freezebench.training.capture.steps import captured_if_faster
from freezebench.training.device import limited_threads
from freezebench.training.engines.log import TrainingLog
from freezebench.training.engines.step import Step

if TYPE_CHECKING:
    from freezebench.training.engines.events import Emit
    from freezebench.training.engines.job import Job
    from freezebench.training.engines.log import TrainingResult


def train(job: Job, emit: Emit) -> TrainingResult:
    """Fine-tune the job's model by AdamW with linear decay and gradient clipping; keep the best epoch.

    Raises:
        NonFiniteLossError: If a loss becomes infinite or not a number.
    """
    log = TrainingLog(job, emit)
    eager = Step(job)
    # The scheduler writes the learning rate to the tensor that graphs read.
    decay = torch.optim.lr_scheduler.LambdaLR(eager.optimizer, lambda step: max(0.0, 1 - step / log.num_steps))
    batches = job.batches()
    with (
        limited_threads(log.step_flop, job.device),
        captured_if_faster(eager, batches, job.protocol.num_epochs, on_capture=log.add_warm_up) as fastest,
    ):
        for epoch in range(job.protocol.num_epochs):
            batches.set_epoch(epoch)
            job.set_train_mode()
            log.start_epoch()
            for batch in batches:
                # The last step is eager: memory is attributed to its uses by its gradients, which replays do not show.
                step = eager if log.at_last_step else fastest
                step.load(batch)
                log.lap("data")
                loss = step.forward()
                log.lap("forward")
                step.backward()
                log.lap("backward")
                log.backward_done(eager.optimizer)
                step.update()
                increment_version(eager.parameters)  # a fused step changes parameters without counting it
                decay.step()
                log.step(loss)
            log.end_epoch()
    return log.finish()
