"""Captured steps: the phases of a step are captured once per shape of batch, then each is launched as a whole.

A GPU runs the kernels of a small encoder faster than a processor can launch them one by one. A captured step is checked
first: it must compute what the model computes. Where a step cannot be captured, steps run eagerly and a warning gives
the reason.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from freezebench.training.batches.loader import FeedLoader
from freezebench.training.capture.cuda_graph import CudaTape, own_stream
from freezebench.training.device import isolated_random_state, number_on, staged, synchronize
from freezebench.training.prefix.splice import in_train_mode
from freezebench.training.prefix.verify import SCORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from freezebench.training.batches.batching import Batch, EpochLoader
    from freezebench.training.capture.cuda_graph import Tape
    from freezebench.training.engines.job import Progress
    from freezebench.training.engines.step import Step

# Recording takes about as long as launching a shape's kernels twice more.
_WORTH_RECORDING = 3
_MOST_SHAPES = 64


class NotRecordableError(Exception):
    """A step that cannot be recorded, or is another one when it is played."""


@contextmanager
def quickest(step: Step, batches: EpochLoader | FeedLoader, progress: Progress) -> Iterator[Step | RecordedStep]:
    """Yield the quickest way to run a step's phases: recorded where launching them takes long, else as they come.

    What recording takes counts as warm-up.
    """
    device = step.job.device
    if not isinstance(batches, FeedLoader) or device.type != "cuda":
        yield step
        return
    with own_stream(device) as stream:
        began = time.perf_counter()
        recorded = RecordedStep(step, CudaTape(stream))
        notes = []
        try:
            recorded.prepare(batches)
        except NotRecordableError as error:
            notes.append(f"steps are not recorded, which would be faster: {error}")
            recorded.forget()
        synchronize(device)
        progress.warmed_up(time.perf_counter() - began, *notes)
        try:
            yield recorded
        finally:
            recorded.forget()


class RecordedStep:
    """Plays the phases of a step for batches of the recorded shapes; others run as they come."""

    def __init__(self, step: Step, tape: Tape) -> None:
        """Record the phases of a step with a tape."""
        self._step, self._tape = step, tape
        self._recordings: dict[_Shape, _Recording] = {}
        self._now: Step | _Recording = step
        self._largest: _Shape | None = None
        self._first: _Recording | None = None  # holds the memory that all recordings share
        self._rooms: dict[str, torch.Tensor] = {}

    def prepare(self, batches: FeedLoader) -> None:
        """Record every shape that comes more than once or twice in the training of a job.

        Raises:
            NotRecordableError: If a step cannot be recorded, or does something else when it is played.
        """
        shapes = batches.shapes(self._step.job.protocol.num_epochs)
        often = [shape for shape in shapes if shape.num_batches >= _WORTH_RECORDING][:_MOST_SHAPES]
        if not often:
            return
        # The largest first: the others fit into its memory.
        often.sort(key=lambda shape: shape.num_positions, reverse=True)
        first = batches.batch(often[0].indices)
        _depends_on_inputs_alone(self._step, first)
        with _as_errors():
            self._check(first)
            self._step.job.train_mode()
            for shape in often:
                batch = batches.batch(shape.indices)
                self._recordings[_shape(batch)] = self._recorded(batch)
        self._largest = _shape(first)  # what is larger still comes too seldom to be recorded

    def forget(self) -> None:
        """Give back what recordings hold; steps run as they come."""
        self._recordings.clear()
        self._rooms.clear()
        self._now, self._first = self._step, None
        self._step.job.clear_gradients(self._step.parameters)

    def load(self, batch: Batch) -> None:
        """Take a batch to the device."""
        shape = _shape(batch)
        self._now = self._recordings.get(shape, self._step)
        if shape == self._largest:
            # A step that is played asks for no memory: the peak of it shows where the largest one runs as it comes.
            self._now, self._largest = self._step, None
        self._now.load(batch)

    def forward(self) -> torch.Tensor:
        """Return the mean cross-entropy of the batch, in nats."""
        return self._now.forward()

    def backward(self) -> None:
        """Compute the gradients of the last forward pass."""
        self._now.backward()

    def update(self) -> None:
        """Clip the gradients, move the parameters, and forget the gradients."""
        self._now.update()

    def _check(self, batch: Batch) -> None:
        """Record a step at rest, play it with other sentences, and compare scores and gradients with the model's."""
        step = self._step
        others = {name: tensor if name == "labels" else tensor.roll(1, 0) for name, tensor in batch.items()}
        step.job.model.eval()
        step.load(others)
        with self._tape.rehearsal():
            step.forward()
            step.backward()
        step.job.clear_gradients(step.parameters)
        step.forward()
        step.backward()
        expected = [step.logits.detach().clone()], [gradient.clone() for gradient in _gradients(step)]
        _prime(step)
        recording = self._first = self._recorded(batch, updates=False)
        recording.load(others)
        recording.forward()
        recording.backward()
        got = [recording.logits], _gradients(step)
        step.job.clear_gradients(step.parameters)
        for those, right in zip(got, expected, strict=True):
            error = _norm(one - other for one, other in zip(those, right, strict=True)) / max(_norm(right), 1e-6)
            if not error <= SCORES[step.job.precision]:
                raise NotRecordableError(f"played for other sentences it differs by {error:.1%} from what runs")

    def _recorded(self, batch: Batch, *, updates: bool = True) -> _Recording:
        """Record a step for batches of one shape; without ``updates`` up to its gradients, which stay."""
        step, losses = self._step, list[torch.Tensor]()
        inputs = {name: self._place(name, tensor) for name, tensor in batch.items()}
        step.load(inputs)
        phases = [lambda: losses.append(step.forward()), step.backward, *([step.update] if updates else [])]
        play = tuple(self._tape.record(phase) for phase in phases)
        return _Recording(inputs=inputs, loss=losses[0].detach(), logits=step.logits.detach(), play=play)

    def _place(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Return a copy of an input in the place on the device that all recordings have for it, one at a time."""
        room = self._rooms.get(name)
        if room is None or len(room) < tensor.numel():
            room = self._rooms[name] = torch.empty(tensor.numel(), dtype=tensor.dtype, device=self._step.job.device)
        return room[: tensor.numel()].view(tensor.shape).copy_(tensor)


@dataclass(frozen=True, kw_only=True)
class _Recording:
    """A recorded step: where its inputs and outputs lie, and how to play its phases."""

    inputs: Batch
    loss: torch.Tensor
    logits: torch.Tensor
    play: tuple[Callable[[], None], ...]

    def load(self, batch: Batch) -> None:
        """Put a batch where the recorded one was."""
        for name, tensor in batch.items():
            place = self.inputs[name]
            place.copy_(staged(tensor, place.device), non_blocking=True)

    def forward(self) -> torch.Tensor:
        """Play the forward pass; return its loss."""
        self.play[0]()
        return self.loss.clone()

    def backward(self) -> None:
        """Play the backward pass."""
        self.play[1]()

    def update(self) -> None:
        """Play the update."""
        self.play[2]()


_Shape = tuple[tuple[str, torch.Size], ...]


def _shape(batch: Batch) -> _Shape:
    return tuple((name, tensor.shape) for name, tensor in batch.items())


@contextmanager
def _as_errors() -> Iterator[None]:
    """Turn what recording raises into one error: what is wrong with the model will be told by steps as they come."""
    try:
        yield
    except NotRecordableError:
        raise
    except Exception as error:
        first = error.__context__ or error  # the model's own error comes before the one of the recording that it broke
        raise NotRecordableError(str(first).partition("\n")[0]) from error


def _depends_on_inputs_alone(step: Step, batch: Batch) -> None:
    """Make sure that a forward pass draws no random numbers on the host and leaves the model as it is.

    Neither would be recorded.

    Raises:
        NotRecordableError: If it does.
    """
    model = step.job.model
    with isolated_random_state(step.job.device), in_train_mode(model), torch.no_grad():
        step.job.train_mode()
        random_before, before = _host_random_state(), _kept(model)
        step.load(batch)
        step.forward()
        if _host_random_state() != random_before:
            raise NotRecordableError("the model draws random numbers on the processor")
        if _kept(model) != before:
            raise NotRecordableError("the model changes its buffers or attributes in training")


def _kept(model: torch.nn.Module) -> tuple[object, ...]:
    """Return what a model may keep from one forward pass to the next: versions of buffers, numbers and the like."""
    versions = [buffer._version for buffer in model.buffers()]  # noqa: SLF001 - has no public name
    plain = (bool, int, float, str)
    return versions, [
        [(name, value) for name, value in vars(module).items() if isinstance(value, plain)]
        for module in model.modules()
    ]


def _host_random_state() -> tuple[bytes, object, bytes]:
    """Return the states of the host's random generators."""
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002 - the one that models may draw from
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr(numpy_state).encode()


def _prime(step: Step) -> None:
    """Have the optimizer make its state, which must not happen in a recording: a step of rate 0, then forgotten."""
    groups = step.optimizer.param_groups
    rates = [group["lr"] for group in groups]
    for group in groups:
        group["lr"] = number_on(step.job.device, 0.0)
    for parameter in step.parameters:
        if parameter.grad is not None:
            parameter.grad.zero_()
    step.optimizer.step()
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
    for state in step.optimizer.state.values():
        state["step"].zero_()
    step.job.clear_gradients(step.parameters)


def _gradients(step: Step) -> list[torch.Tensor]:
    """Return the gradients that are there."""
    return [parameter.grad for parameter in step.parameters if parameter.grad is not None]


def _norm(tensors: Iterable[torch.Tensor]) -> float:
    """Return the norm of tensors as if they were one; each is needed no longer than until the next one is made."""
    return float(torch.stack([tensor.norm() for tensor in tensors]).norm())
