"""What every engine has in common: the job, the events it emits, and the keeping of clocks, losses and best weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from freezebench.records.events import StepRecord, TrainingPaused, TrainingStarted
from freezebench.records.run_record import EpochRecord, Evaluation
from freezebench.tasks.classification import logits_of
from freezebench.training.batches.batching import Encoded, EpochLoader, ShuffledBatches, to_device
from freezebench.training.device import StepClock, autocast, synchronize

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from freezebench.specs.run import Precision, Protocol
    from freezebench.training.batches.batching import Batch
    from freezebench.training.batches.loader import FeedLoader
    from freezebench.training.prefix.feed import Feed


@dataclass(frozen=True, kw_only=True)
class BackwardDone:
    """The last backward pass of the run is done and its gradients are there: what memory is used for can be told."""

    optimizer: torch.optim.Optimizer


Event = TrainingStarted | StepRecord | BackwardDone | TrainingPaused | EpochRecord
Emit = Callable[[Event], None]


class NonFiniteLossError(ArithmeticError):
    """The training loss became infinite or not a number: the run has nothing to tell."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What an engine trains: a frozen model on its device, tokenized data, and the protocol.

    Attributes:
        model: The model, its parameters' ``requires_grad`` set.
        tokenizer: Pads the batches.
        train: Training sentences.
        protocol: How to train.
        precision: Resolved number format.
        seed: Seeds the order of sentences.
        evaluate: Evaluates the model on the validation split.
        feed: Batches and forward passes of the cached engine; ``None``: padded batches through the whole model.
        resting: Frozen modules whose dropout stays off in training.
    """

    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    train: Encoded
    protocol: Protocol
    precision: Precision
    seed: int
    evaluate: Callable[[], Evaluation]
    feed: Feed | None = None
    resting: tuple[torch.nn.Module, ...] = ()

    @cached_property  # finding a parameter takes a small step a few percent longer
    def device(self) -> torch.device:
        """The device that the model is on."""
        return next(self.model.parameters()).device

    def batches(self) -> EpochLoader | FeedLoader:
        """Return the run's batches: the feed's, or those that the other engines share."""
        if self.feed is not None:
            return self.feed.epochs(self.protocol.batch_size, self.seed)
        order = ShuffledBatches(len(self.train), self.protocol.batch_size, self.seed)
        return EpochLoader(self.train, order, self.tokenizer)

    def logits(self, batch: Batch) -> torch.Tensor:
        """Return the class scores of a batch without its labels, shape (batch, classes)."""
        return logits_of(self.model(**batch)) if self.feed is None else self.feed.logits(batch)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean cross-entropy of a batch on the device, in nats, and its class scores, (batch, classes)."""
        inputs = dict(batch)
        labels = inputs.pop("labels")
        with autocast(self.precision, self.device):
            logits = self.logits(inputs)
        return cross_entropy(logits, labels), logits

    def train_mode(self) -> None:
        """Switch dropout on as the protocol says, but in what rests."""
        self.model.train(self.protocol.dropout)
        for module in self.resting:
            module.eval()

    def clear_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Forget the gradients of a step."""
        if self.feed is not None:
            self.feed.clear_gradients(parameters)
            return
        for parameter in parameters:
            parameter.grad = None


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What an engine measured; the model holds the best epoch's weights.

    Attributes:
        step_losses: Training loss of every step, in nats.
        step_s: Duration of every step, in seconds.
        epochs: The epochs.
        best_epoch: The epoch with the lowest validation loss, from 1.
        train_s: Seconds of training alone, the device synchronized at both ends of every epoch.
        train_and_eval_s: Seconds of training and of the evaluations between the epochs.
        warmup_s: Seconds of the warm-up before, which is in no other figure.
        phase_s: Seconds of all steps by phase: ``data``, ``forward``, ``backward``, ``optimizer``; empty where the
            engine does not tell.
        step_flop: Floating-point operations of the matrix products of one step, counted on a batch of average length.
        warnings: What the person should know of how it was trained.
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
    warnings: tuple[str, ...] = ()


def warm_up(job: Job) -> tuple[float, int]:
    """Run one batch forward and backward, throw the gradients away; return seconds and counted operations.

    The first pass of a process loads kernels and sets up thread pools, which would count against whatever configuration
    happens to run first. Weights and random state stay as they are: dropout is off, no optimizer steps.
    """
    synchronize(job.device)
    began = time.perf_counter()
    was_training = job.model.training
    job.model.eval()
    batch = to_device(job.batches().typical(), job.device)
    with FlopCounterMode(display=False) as counter:
        job.loss(batch)[0].backward()  # type: ignore[no-untyped-call]
    job.clear_gradients([parameter for parameter in job.model.parameters() if parameter.requires_grad])
    job.model.train(was_training)
    synchronize(job.device)
    return time.perf_counter() - began, counter.get_total_flops()


class Progress:
    """Keeps what both engines have to keep: clocks, losses, epochs and the best weights.

    An engine calls ``start`` and ``pause`` around an epoch's steps, ``backward_done`` within and ``step`` after each.

    Attributes:
        step_flop: Floating-point operations of the matrix products of one step.
        num_steps: Optimizer steps of all epochs.
    """

    def __init__(self, job: Job, emit: Emit) -> None:
        self._job, self._emit = job, emit
        self._clock = StepClock(job.device)
        self._losses: list[torch.Tensor] = []
        self._step_losses: list[float] = []
        self._epochs: list[EpochRecord] = []
        self._best: dict[str, torch.Tensor] = {}
        self._epoch_began = 0.0
        self._began: float | None = None
        self._warnings: tuple[str, ...] = ()
        self._warmup_s, self.step_flop = warm_up(job)
        self.num_steps = job.protocol.num_epochs * len(job.batches())

    @property
    def epoch(self) -> int:
        """Number of the epoch that is running, from 1."""
        return len(self._epochs) + 1

    @property
    def at_last_step(self) -> bool:
        """Whether the next optimizer step is the last one of the run."""
        return len(self._step_losses) + len(self._losses) + 1 == self.num_steps

    def warmed_up(self, seconds: float, *warnings: str) -> None:
        """Note a further warm-up before the first epoch, and what the person should know of it."""
        self._warmup_s += seconds
        self._warnings += warnings

    def start(self) -> None:
        """Begin an epoch."""
        synchronize(self._job.device)
        self._emit(TrainingStarted(epoch=self.epoch))
        self._epoch_began = time.perf_counter()
        self._began = self._epoch_began if self._began is None else self._began
        self._clock.start()

    def lap(self, phase: str) -> None:
        """Note the end of one phase of a step: ``data``, ``forward`` or ``backward``; its end ends ``optimizer``."""
        self._clock.lap(phase)

    def backward_done(self, optimizer: torch.optim.Optimizer) -> None:
        """Note that a step's gradients are there; told once, at the last step."""
        if self.at_last_step:
            self._emit(BackwardDone(optimizer=optimizer))

    def step(self, loss: torch.Tensor) -> None:
        """Note one optimizer step and its loss."""
        loss = loss.detach()
        self._losses.append(loss)
        self._clock.step("optimizer")
        num_steps_done = len(self._step_losses) + len(self._losses)
        shown = float(loss) if self._job.device.type == "cpu" else None
        self._emit(StepRecord(step=num_steps_done, epoch=self.epoch, num_steps=self.num_steps, loss=shown))

    def pause(self) -> None:
        """End an epoch: evaluate on the validation split and keep the weights if they are the best so far.

        Raises:
            NonFiniteLossError: If a training or validation loss is infinite or not a number.
        """
        synchronize(self._job.device)
        train_s = time.perf_counter() - self._epoch_began
        self._emit(TrainingPaused(epoch=self.epoch))
        losses = torch.stack(self._losses).float().cpu()
        self._losses.clear()
        first = len(self._step_losses) + 1
        self._step_losses += losses.tolist()
        if not bool(torch.isfinite(losses).all()):
            step = first + int((~torch.isfinite(losses)).nonzero()[0])
            raise NonFiniteLossError(f"the training loss was {self._step_losses[step - 1]} at step {step}")
        validation = self._job.evaluate()
        if not torch.isfinite(torch.tensor(validation.loss)):
            raise NonFiniteLossError(f"the validation loss was {validation.loss} after epoch {self.epoch}")
        if all(validation.loss < earlier.validation.loss for earlier in self._epochs):
            self._best = {name: tensor.detach().clone() for name, tensor in self._changing_tensors()}
        record = EpochRecord(epoch=self.epoch, train_loss=float(losses.mean()), train_s=train_s, validation=validation)
        self._epochs.append(record)
        self._emit(record)

    def finish(self) -> TrainingResult:
        """Put the best epoch's weights back and return what was measured."""
        total_s = time.perf_counter() - (self._began or 0.0)
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
            train_s=sum(epoch.train_s for epoch in self._epochs),
            train_and_eval_s=total_s,
            warmup_s=self._warmup_s,
            phase_s=phase_s,
            step_flop=self.step_flop,
            warnings=self._warnings,
        )

    def _changing_tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield what training may change: trainable parameters, and buffers such as running statistics."""
        yield from ((name, p) for name, p in self._job.model.named_parameters() if p.requires_grad)
        yield from self._job.model.named_buffers()
