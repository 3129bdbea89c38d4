"""The training loop of two engines.

``standard`` runs the whole model forward in every step, frozen layers in train mode as in the notebook; ``cached`` has
a feed that leaves a frozen prefix out. A training consists of stages, in each of which other parameters may train::

    stage      parameters that train   feed                      optimizer and decay
    1          head                    behind all layers         ┐ one of all parameters,
    2          last layer, head        behind the layer before   ┘ over all steps
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from torch.autograd.graph import increment_version

from freezebench.strategies.freeze import set_trainable
from freezebench.training.capture.steps import captured_if_faster
from freezebench.training.device import limited_threads
from freezebench.training.engines.log import TrainingLog
from freezebench.training.engines.optimizer import decaying_rates, make_optimizer
from freezebench.training.engines.step import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from freezebench.training.batches.loader import EpochLoader, FeedLoader
    from freezebench.training.capture.preconditions import TrainingStep
    from freezebench.training.capture.steps import CapturedStep
    from freezebench.training.engines.events import Emit
    from freezebench.training.engines.job import Job
    from freezebench.training.engines.log import TrainingResult


def train(jobs: Sequence[Job], emit: Emit) -> TrainingResult:
    """Fine-tune a model by AdamW with linear decay and gradient clipping, stage by stage; keep the best epoch.

    Args:
        jobs: The stages, in order.
        emit: Receives the events.

    Raises:
        NonFiniteLossError: If a loss becomes infinite or not a number.
    """
    log = TrainingLog(jobs, emit)
    optimizer = make_optimizer(jobs)
    decay = decaying_rates(optimizer, jobs, log.num_steps)
    with ExitStack() as feed:
        for job in jobs:
            feed.close()  # that of the stage before; the last one stays open until the best weights are restored
            set_trainable(job.model, job.names)
            feed.enter_context(job.feed or nullcontext())
            step_flop = log.start_stage(job)
            eager, batches = Step(job, optimizer), job.batches()
            with (
                limited_threads(step_flop, job.device),
                captured_if_faster(eager, batches, job.epochs, on_capture=log.add_warm_up) as fastest,
            ):
                for epoch in job.epochs:
                    batches.set_epoch(epoch)
                    job.set_train_mode()
                    _train_epoch(batches, eager, fastest, decay, log)
        return log.finish()


def _train_epoch(
    batches: EpochLoader | FeedLoader,
    eager: Step,
    fastest: TrainingStep | CapturedStep,
    decay: torch.optim.lr_scheduler.LambdaLR,
    log: TrainingLog,
) -> None:
    """Train and evaluate one epoch."""
    log.start_epoch()
    for batch in batches:
        # A stage's last step is eager: memory is attributed to its uses by its gradients, which replays do not show.
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
