"""Captured steps: the phases of a training step are captured once per shape of batch, then launched as a whole.

A GPU executes the kernels of a small encoder faster than a processor launches them one by one. A CUDA graph holds the
kernels of one phase, together with the addresses of the tensors that they read and write; a replay launches them all::

    eager      load the batch | forward: launch, launch, … | backward: launch, launch, … | update: launch, …
    captured   copy the batch | replay                     | replay                      | replay
               to the captured inputs

A graph is valid for batches of one shape, and it repeats the captured kernels blindly. Therefore:

1. Shapes that occur at least three times get graphs, the largest shape first: all graphs share one memory pool, and one
   buffer per input, so that captures of smaller shapes need no further memory.
2. Before, a forward pass must show that the step depends on its inputs alone (see ``preconditions``).
3. The first graph is captured with one batch, replayed with another, and compared with the eager step.

Where a step cannot be captured, steps run eagerly and a warning gives the reason. So do batches of rare shapes.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from freezebench.training.batches.loader import FeedLoader
from freezebench.training.capture.cuda_graph import CudaGraphCapture, side_stream
from freezebench.training.capture.preconditions import NotCapturableError, check_depends_on_inputs_alone
from freezebench.training.device import pinned, scalar_on, synchronize
from freezebench.training.prefix.verify import SCORE_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from freezebench.training.batches.encoding import Batch
    from freezebench.training.batches.loader import EpochLoader
    from freezebench.training.capture.cuda_graph import GraphCapture
    from freezebench.training.capture.preconditions import TrainingStep

# A capture takes about as long as two eager steps.
_MIN_BATCHES = 3
_MAX_SHAPES = 64


@contextmanager
def captured_if_faster(
    step: TrainingStep, batches: EpochLoader | FeedLoader, epochs: Iterable[int], *, on_capture: Callable[..., None]
) -> Iterator[TrainingStep | CapturedStep]:
    """Yield the captured step where a GPU trains on the batches of a feed, else the eager step.

    Args:
        step: The eager step.
        batches: The training batches.
        epochs: The epochs that will be trained, counted from 0.
        on_capture: Receives the seconds that captures took, and warnings.
    """
    if not isinstance(batches, FeedLoader) or step.device.type != "cuda":
        yield step
        return
    with side_stream(step.device) as stream:
        began = time.perf_counter()
        captured = CapturedStep(step, CudaGraphCapture(stream))
        warnings = []
        try:
            captured.prepare(batches, epochs)
        except NotCapturableError as error:
            warnings.append(f"steps are not captured as CUDA graphs, which would be faster: {error}")
            captured.release()
        synchronize(step.device)
        on_capture(time.perf_counter() - began, *warnings)
        try:
            yield captured
        finally:
            captured.release()


class CapturedStep:
    """Replays the phases of a step for batches of captured shapes; batches of other shapes run eagerly."""

    def __init__(self, step: TrainingStep, capture: GraphCapture) -> None:
        """Capture the phases of a step with ``capture``."""
        self._step, self._capture = step, capture
        self._graphs: dict[_Shape, _CapturedPhases] = {}
        self._current: TrainingStep | _CapturedPhases = step
        self._largest: _Shape | None = None
        self._checked: _CapturedPhases | None = None  # keeps the memory alive that all graphs share
        self._buffers: dict[str, torch.Tensor] = {}

    def prepare(self, batches: FeedLoader, epochs: Iterable[int]) -> None:
        """Capture every shape that occurs often enough in the training batches of some epochs.

        Raises:
            NotCapturableError: If a step cannot be captured, or computes something else when it is replayed.
        """
        shapes = batches.shapes(epochs)
        frequent = [shape for shape in shapes if shape.num_batches >= _MIN_BATCHES][:_MAX_SHAPES]
        if not frequent:
            return
        frequent.sort(key=lambda shape: shape.num_positions, reverse=True)
        largest = batches.batch(frequent[0].sentences)
        check_depends_on_inputs_alone(self._step, largest)
        with _capture_errors():
            self._check(largest)
            self._step.set_train_mode()
            for shape in frequent:
                batch = batches.batch(shape.sentences)
                self._graphs[_shape(batch)] = self._captured(batch)
        # Shapes that are larger still are too rare to be captured: they run eagerly anyway.
        self._largest = _shape(largest)

    def release(self) -> None:
        """Free what the graphs hold; steps run eagerly."""
        self._graphs.clear()
        self._buffers.clear()
        self._current, self._checked = self._step, None
        self._step.clear_gradients()

    def load(self, batch: Batch) -> None:
        """Copy a batch to the device."""
        shape = _shape(batch)
        self._current = self._graphs.get(shape, self._step)
        if shape == self._largest:
            # A replay allocates no memory. The first batch of the largest shape runs eagerly, so that the allocator's
            # peak is that of a step.
            self._current, self._largest = self._step, None
        self._current.load(batch)

    def forward(self) -> torch.Tensor:
        """Return the mean loss of the batch."""
        return self._current.forward()

    def backward(self) -> None:
        """Compute the gradients of the last forward pass."""
        self._current.backward()

    def update(self) -> None:
        """Clip the gradients, update the parameters, and clear the gradients."""
        self._current.update()

    def _check(self, batch: Batch) -> None:
        """Capture a step in eval mode, replay it with other sentences, and compare scores and gradients."""
        step = self._step
        others = {name: tensor if name == "labels" else tensor.roll(1, 0) for name, tensor in batch.items()}
        # Without dropout, since eager step and replay would draw different masks.
        step.model.eval()
        step.load(others)
        with self._capture.dry_run():
            step.forward()
            step.backward()
        step.clear_gradients()
        step.forward()
        step.backward()
        expected = [step.logits.detach().clone()], [gradient.clone() for gradient in _gradients(step)]
        _initialize_optimizer(step)
        phases = self._checked = self._captured(batch, updates=False)
        phases.load(others)
        phases.forward()
        phases.backward()
        replayed = [phases.logits], _gradients(step)
        step.clear_gradients()
        for actual, right in zip(replayed, expected, strict=True):
            difference = (left - other for left, other in zip(actual, right, strict=True))
            error = _norm(difference) / max(_norm(right), 1e-6)
            if not error <= SCORE_TOLERANCE[step.precision]:
                raise NotCapturableError(f"replayed with other sentences it differs by {error:.1%} from the eager step")

    def _captured(self, batch: Batch, *, updates: bool = True) -> _CapturedPhases:
        """Capture a step for batches of one shape; without ``updates`` up to its gradients, which are kept."""
        step, losses = self._step, list[torch.Tensor]()
        inputs = {name: self._in_shared_buffer(name, tensor) for name, tensor in batch.items()}
        step.load(inputs)
        phases = [lambda: losses.append(step.forward()), step.backward, *([step.update] if updates else [])]
        replays = tuple(self._capture.capture(phase) for phase in phases)
        return _CapturedPhases(inputs=inputs, loss=losses[0].detach(), logits=step.logits.detach(), replays=replays)

    def _in_shared_buffer(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Return a copy of an input in the buffer on the device that the graphs of all shapes share."""
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < tensor.numel():
            buffer = self._buffers[name] = torch.empty(tensor.numel(), dtype=tensor.dtype, device=self._step.device)
        return buffer[: tensor.numel()].view(tensor.shape).copy_(tensor)


@dataclass(frozen=True, kw_only=True)
class _CapturedPhases:
    """The captured phases of a step for one shape, and the tensors that they read and write."""

    inputs: Batch
    loss: torch.Tensor
    logits: torch.Tensor
    replays: tuple[Callable[[], None], ...]

    def load(self, batch: Batch) -> None:
        """Copy a batch to the captured inputs."""
        for name, tensor in batch.items():
            target = self.inputs[name]
            target.copy_(pinned(tensor, target.device), non_blocking=True)

    def forward(self) -> torch.Tensor:
        """Replay the forward pass; return its loss."""
        self.replays[0]()
        # The next replay overwrites it.
        return self.loss.clone()

    def backward(self) -> None:
        """Replay the backward pass."""
        self.replays[1]()

    def update(self) -> None:
        """Replay the update."""
        self.replays[2]()


_Shape = tuple[tuple[str, torch.Size], ...]


def _shape(batch: Batch) -> _Shape:
    return tuple((name, tensor.shape) for name, tensor in batch.items())


@contextmanager
def _capture_errors() -> Iterator[None]:
    """Turn every error of a capture into ``NotCapturableError``; an eager step shows what is wrong with a model."""
    try:
        yield
    except NotCapturableError:
        raise
    except Exception as error:
        cause = error.__context__ or error  # the model's own error precedes that of the capture which it broke
        raise NotCapturableError(str(cause).partition("\n")[0]) from error


def _initialize_optimizer(step: TrainingStep) -> None:
    """Make the optimizer allocate its state, which must not happen in a capture: one step of rate 0, then undone.

    Parameters that have trained in an earlier stage have their state, which stays as it is.
    """
    state = step.optimizer.state
    new = [parameter for parameter in step.parameters if parameter.grad is not None and parameter not in state]
    for parameter in step.parameters:
        if parameter in state:
            parameter.grad = None  # so that the step leaves it out
    groups = step.optimizer.param_groups
    rates = [group["lr"] for group in groups]
    for group in groups:
        group["lr"] = scalar_on(step.device, 0.0)
    for gradient in _gradients(step):
        gradient.zero_()
    step.optimizer.step()
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
    for parameter in new:
        state[parameter]["step"].zero_()
    step.clear_gradients()


def _gradients(step: TrainingStep) -> list[torch.Tensor]:
    """Return the gradients that exist."""
    return [parameter.grad for parameter in step.parameters if parameter.grad is not None]


def _norm(tensors: Iterable[torch.Tensor]) -> float:
    """Return the norm of all tensors together; none is kept after its own norm is known."""
    return float(torch.stack([tensor.norm() for tensor in tensors]).norm())
