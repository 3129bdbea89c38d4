"""The training loop of two engines.

``standard`` runs the whole model forward in every step, frozen layers in train mode like the notebook's; ``cached`` has
a feed that leaves a frozen prefix out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.autograd.graph import increment_version

from freezebench.training.capture.steps import quickest
from freezebench.training.device import threads_for
from freezebench.training.engines.job import Progress
from freezebench.training.engines.step import Step

if TYPE_CHECKING:
    from freezebench.training.engines.job import Emit, Job, TrainingResult


def train(job: Job, emit: Emit) -> TrainingResult:
    """Fine-tune the job's model by AdamW with linear decay and gradient clipping; keep the best epoch.

    Raises:
        NonFiniteLossError: If a loss becomes infinite or not a number.
    """
    progress = Progress(job, emit)
    plain = Step(job)
    decay = torch.optim.lr_scheduler.LambdaLR(plain.optimizer, lambda step: max(0.0, 1 - step / progress.num_steps))
    batches = job.batches()
    with threads_for(progress.step_flop, job.device), quickest(plain, batches, progress) as quick:
        for epoch in range(job.protocol.num_epochs):
            batches.set_epoch(epoch)
            job.train_mode()
            progress.start()
            for batch in batches:
                # What memory was used for is read off the gradients of the last step, which a recorded one hides.
                step = plain if progress.at_last_step else quick
                step.load(batch)
                progress.lap("data")
                loss = step.forward()
                progress.lap("forward")
                step.backward()
                progress.lap("backward")
                progress.backward_done(plain.optimizer)
                step.update()
                increment_version(plain.parameters)  # a fused step does not say that it changed them
                decay.step()
                progress.step(loss)
            progress.pause()
    return progress.finish()
