"""The log of a training run: clocks, losses, epochs and the weights of the best epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.records.run_record import EpochRecord
from freezebench.training.batches.encoding import to_device
from freezebench.training.device import synchronize
from freezebench.training.engines.clock import StepClock
from freezebench.training.engines.events import BackwardDone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.training.engines.events import Emit
    from freezebench.training.engines.job import Job


class NonFiniteLossError(ArithmeticError):
    """The training loss became infinite or not a number: the run has no result."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What an engine measured; the model holds the best epoch's weights.

    Attributes:
        step_losses: Training loss of every step.
        step_s: Duration of every step, in seconds.
        epochs: The epochs.
        best_epoch: The epoch with the lowest validation loss, from 1.
        train_s: Seconds of training alone, the device synchronized at both ends of every epoch.
        train_and_eval_s: Seconds of training and of the evaluations between the epochs.
        warmup_s: Seconds of the warm-ups before the stages, which are in no other figure.
        phase_s: Seconds of all steps by phase: ``data``, ``forward``, ``backward``, ``optimizer``; empty for an engine
            that does not report phases.
        step_flop: Floating-point operations of the matrix products of one step, counted on a batch of average length
            in each stage; the mean over the steps of all stages, so that it predicts the time of the whole training.
        num_stages: Number of stages.
        warnings: Warnings about how the model was trained.
    """

    step_losses: tuple[float, ...]
    step_s: tuple[float, ...]
    epochs: tuple[EpochRecord, ...]
    best_epoch: int
    train_s: float
    train_and_eval_s: float
    warmup_s: float
    phase_s: dict[str, float]
    step_flop: int
    num_stages: int = 1
    warnings: tuple[str, ...] = ()


def warm_up(job: Job) -> tuple[float, int]:
    """Run one batch forward and backward and discard the gradients; return seconds and counted operations.

    The first pass of a process loads kernels and sets up thread pools, which would be charged to the configuration that
    happens to run first. Weights and random state stay as they are: dropout is off, no optimizer steps.
    """
    synchronize(job.device)
    began = time.perf_counter()
    was_training = job.model.training
    job.model.eval()
    # Operations are counted on a batch of average length: the first one may be far from it.
    batch = to_device(job.batches().average_batch(), job.device)
    with FlopCounterMode(display=False) as counter:
        job.loss(batch)[0].backward()  # type: ignore[no-untyped-call]
    job.clear_gradients([parameter for name, parameter in job.model.named_parameters() if name in job.names])
    job.model.train(was_training)
    synchronize(job.device)
    return time.perf_counter() - began, counter.get_total_flops()


class TrainingLog:
    """Records what every engine has to record, and emits the events of training.

    An engine calls ``start_stage`` before the first epoch of each stage, ``start_epoch`` and ``end_epoch`` around an
    epoch's steps, and within each step ``backward_done`` and, last, ``step``.

    Attributes:
        num_steps: Optimizer steps of all epochs.
    """

    def __init__(self, jobs: Sequence[Job], emit: Emit) -> None:
        """Prepare the log of a training.

        Args:
            jobs: Its stages.
            emit: Receives the events.
        """
        self._jobs, self._job, self._emit = jobs, jobs[0], emit
        job = jobs[0]
        self._clock = StepClock(job.device)
        # The losses of the current epoch stay on the device: reading one would make the processor wait for it.
        self._epoch_losses: list[torch.Tensor] = []
        self._step_losses: list[float] = []
        self._epochs: list[EpochRecord] = []
        self._train_s = self._train_and_eval_s = self._warmup_s = 0.0
        self._best: dict[str, torch.Tensor] = {}
        self._epoch_began = 0.0
        self._warnings: tuple[str, ...] = ()
        self._total_flop = 0  # of one step of every epoch
        self._steps_per_epoch = len(job.batches())
        self.num_steps = job.protocol.num_epochs * self._steps_per_epoch

    @property
    def epoch(self) -> int:
        """Number of the current epoch, from 1."""
        return len(self._epochs) + 1

    @property
    def at_last_step(self) -> bool:
        """Whether the next optimizer step is the last one of the stage."""
        return self._num_steps_done + 1 == self._job.epochs.stop * self._steps_per_epoch

    @property
    def _num_steps_done(self) -> int:
        return len(self._step_losses) + len(self._epoch_losses)

    def start_stage(self, job: Job) -> int:
        """Warm the model up as it trains in a stage; return the operations of the matrix products of one step."""
        self._job = job
        seconds, step_flop = warm_up(job)
        self._warmup_s += seconds
        self._total_flop += step_flop * len(job.epochs)
        return step_flop

    def add_warm_up(self, seconds: float, *warnings: str) -> None:
        """Add a further warm-up of the stage, and its warnings."""
        self._warmup_s += seconds
        self._warnings += warnings

    def start_epoch(self) -> None:
        """Start the clocks of an epoch."""
        synchronize(self._job.device)
        self._emit(TrainingStarted(epoch=self.epoch))
        self._epoch_began = time.perf_counter()
        self._clock.start()

    def lap(self, phase: str) -> None:
        """Record the end of a phase, ``data``, ``forward`` or ``backward``; ``step`` ends the phase ``optimizer``."""
        self._clock.lap(phase)

    def backward_done(self, optimizer: torch.optim.Optimizer) -> None:
        """Emit ``BackwardDone`` if this step is the last one of the stage."""
        if self.at_last_step:
            self._emit(BackwardDone(optimizer=optimizer))

    def step(self, loss: torch.Tensor) -> None:
        """Record one optimizer step and its loss."""
        loss = loss.detach()
        self._epoch_losses.append(loss)
        # The end of the step is marked before the event is emitted: a slow display does not count.
        self._clock.step("optimizer")
        # On a GPU, reading the loss would make the processor wait for the device in every step.
        shown = float(loss) if self._job.device.type == "cpu" else None
        self._emit(StepRecord(step=self._num_steps_done, epoch=self.epoch, num_steps=self.num_steps, loss=shown))

    def end_epoch(self) -> None:
        """Stop the clocks, evaluate on the validation split, and copy the weights if they are the best so far.

        Raises:
            NonFiniteLossError: If a training or validation loss is infinite or not a number.
        """
        synchronize(self._job.device)
        train_s = time.perf_counter() - self._epoch_began
        self._emit(TrainingPaused(epoch=self.epoch))
        # One transfer per epoch.
        losses = torch.stack(self._epoch_losses).float().cpu()
        self._epoch_losses.clear()
        first_step = len(self._step_losses) + 1
        self._step_losses += losses.tolist()
        if not bool(torch.isfinite(losses).all()):
            step = first_step + int((~torch.isfinite(losses)).nonzero()[0])
            raise NonFiniteLossError(f"the training loss was {self._step_losses[step - 1]} at step {step}")
        validation = self._job.evaluate()
        if not torch.isfinite(torch.tensor(validation.loss)):
            raise NonFiniteLossError(f"the validation loss was {validation.loss} after epoch {self.epoch}")
        # The first of equal losses is kept, as by the minimum in finish().
        if all(validation.loss < earlier.validation.loss for earlier in self._epochs):
            self._best = {name: tensor.detach().clone() for name, tensor in self._changing_tensors()}
        record = EpochRecord(epoch=self.epoch, train_loss=float(losses.mean()), train_s=train_s, validation=validation)
        self._epochs.append(record)
        self._train_s += train_s
        self._emit(record)
        self._train_and_eval_s += time.perf_counter() - self._epoch_began

    def finish(self) -> TrainingResult:
        """Restore the best epoch's weights and return what was measured."""
        with torch.no_grad():
            for name, tensor in self._changing_tensors():
                tensor.copy_(self._best[name])
        step_s, phase_s = self._clock.seconds()
        best = min(self._epochs, key=lambda epoch: epoch.validation.loss)
        return TrainingResult(
            step_losses=tuple(self._step_losses),
            step_s=tuple(step_s),
            epochs=tuple(self._epochs),
            best_epoch=best.epoch,
            train_s=self._train_s,
            train_and_eval_s=self._train_and_eval_s,
            warmup_s=self._warmup_s,
            phase_s=phase_s,
            step_flop=self._total_flop // self._job.protocol.num_epochs,
            num_stages=len(self._jobs),
            warnings=self._warnings,
        )

    def _changing_tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield what training may change: parameters that train at any time, buffers such as running statistics."""
        names = frozenset().union(*(job.names for job in self._jobs))
        yield from ((name, parameter) for name, parameter in self._job.model.named_parameters() if name in names)
        yield from self._job.model.named_buffers()
