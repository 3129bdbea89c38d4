"""Device and precision: what a run trains on, in which number format, and how its steps are timed.

This is the one place of the training stage that tells devices apart, beside ``tape``, which records on a GPU.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from freezebench.specs.run import Precision

# A tenth of a millisecond of matrix products on one core, about what waking another one a few times takes.
_FLOP_WORTH_A_THREAD = 10**8
_WORTH_THREADS = 2**18  # numbers to be read once
# Linux spells the CPU's native bf16 instructions this way (x86: Zen 4, Cooper Lake, Sapphire Rapids; Arm: v8.6).
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# What the bits of a number are read as, by its size in bytes.
INTEGERS_BY_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def resolve_device(name: str) -> torch.device:
    """Return the device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` names.

    Raises:
        SettingsError: If the device does not exist here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise SettingsError(f"device {name} was asked for, but torch {torch.__version__} sees no CUDA device. Use cpu.")
    index = device.index if ":" in name else torch.cuda.current_device()
    if index >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise SettingsError(f"device {name} was asked for, but torch sees cuda:0 to cuda:{last}. Choose one of them.")
    return torch.device("cuda", index)


def device_name(device: torch.device) -> str:
    """Return what people call the device: the GPU's model, or the CPU's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "CPU"


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """Return the number format to train in; ``auto`` is bf16 where the hardware has it, else float32.

    Raises:
        SettingsError: If bf16 was asked for on a GPU without it.
    """
    if device.type == "cuda":
        has_bf16 = torch.cuda.get_device_capability(device) >= (8, 0)
        if precision == "bf16" and not has_bf16:
            raise SettingsError(f"precision bf16 was asked for, but {device_name(device)} has none. Use float32.")
    else:
        has_bf16 = bool(_BF16_FLAGS & _cpu_flags())
    if precision == "auto":
        return "bf16" if has_bf16 else "float32"
    return precision


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the context in which forward passes run."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def number_on(device: torch.device, number: float) -> torch.Tensor:
    """Return a number that changes from step to step as a step on the device takes it: it lies there.

    A recorded step reads the same place again each time; a plain number would be recorded with it.
    """
    return torch.tensor(number, device=device, dtype=torch.float32 if device.type == "cuda" else torch.float64)


def staged(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor from where the device takes it while the processor goes on: on a GPU from page-locked memory."""
    return tensor.pin_memory() if device.type == "cuda" and tensor.device.type == "cpu" else tensor


def rows_at_once(device: torch.device) -> int:
    """Return how many tokens a forward pass without gradients takes at once: where more do not make it faster."""
    return 2**14 if device.type == "cuda" else 2**11


def lengths_in(device: torch.device) -> int:
    """Return what number of tokens the length of a training batch is a multiple of.

    On a GPU a step is recorded once per length, and products of matrices like multiples of 8.
    """
    return 8 if device.type == "cuda" else 1


def total_norm(gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the Euclidean norm of all gradients together, a number on their device.

    A CPU takes the norm of a whole tensor on one thread, and rounds it to the tensor's number format: of large matrices
    and of those in bf16 every row's norm comes first.
    """
    norm: torch.Tensor = torch.nn.utils.get_total_norm([_by_rows(one) for one in gradients])
    return norm


def _by_rows(gradient: torch.Tensor) -> torch.Tensor:
    """Return the norms of a matrix's rows where they are quicker or closer to the truth, else the gradient itself."""
    is_wanted = gradient.numel() >= _WORTH_THREADS or gradient.dtype is torch.bfloat16
    if not (is_wanted and gradient.is_cpu and gradient.ndim > 1):
        return gradient
    norms: torch.Tensor = torch.linalg.vector_norm(gradient, dim=-1)
    return norms.float()


@contextlib.contextmanager
def threads_for(step_flop: int, device: torch.device) -> Iterator[None]:
    """Run a block of training on one thread of the CPU if its work there is so little that waking others takes longer.

    Where a GPU trains, a CPU puts batches together.

    Args:
        step_flop: Floating-point operations of the matrix products of one step.
        device: What the block trains on.
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or step_flop < _FLOP_WORTH_A_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def isolated_random_state(device: torch.device) -> Iterator[None]:
    """Leave the caller's random generators (torch, numpy, Python) as they were before the block."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that Trainer reseeds
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


class StepClock:
    """Times the steps of a run without making the device wait: CUDA events there, the host's clock elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._marks: list[tuple[str, torch.cuda.Event | float]] = []
        self._seconds: list[float] = []
        self._phases: dict[str, float] = {}

    def start(self) -> None:
        """Mark the beginning of the first step of a stretch of training."""
        self._marks.append(("", self._mark()))

    def lap(self, phase: str) -> None:
        """Mark the end of one phase of a step."""
        self._marks.append((phase, self._mark()))

    def step(self, phase: str) -> None:
        """Mark the end of a step's last phase, which is the beginning of the next step."""
        self._marks.append((phase, self._mark()))
        if not self._on_gpu:
            self._settle()

    def seconds(self) -> tuple[list[float], dict[str, float]]:
        """Return every step's duration and each phase's total, in seconds; on a GPU after a synchronization.

        Phases are told only where every step marked more than its end.
        """
        self._settle()
        return list(self._seconds), dict(self._phases) if len(self._phases) > 1 else {}

    def _settle(self) -> None:
        """Turn the marks of complete steps into seconds."""
        step = 0.0
        for (_, first), (phase, last) in itertools.pairwise(self._marks):
            if not phase:  # the gap between two stretches of training
                continue
            seconds = _elapsed(first, last)
            step += seconds
            self._phases[phase] = self._phases.get(phase, 0.0) + seconds
            if phase == "optimizer":
                self._seconds.append(step)
                step = 0.0
        del self._marks[:-1]

    def _mark(self) -> torch.cuda.Event | float:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event


def _elapsed(first: torch.cuda.Event | float, last: torch.cuda.Event | float) -> float:
    """Return the seconds between two marks of one device."""
    if isinstance(first, torch.cuda.Event) and isinstance(last, torch.cuda.Event):
        return float(first.elapsed_time(last)) / 1000
    return float(last) - float(first)  # type: ignore[arg-type]


def _cpu_flags() -> set[str]:
    """Return the CPU's feature flags where Linux tells them, else nothing."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("flags", "Features")):
                return set(line.partition(":")[2].split())
    return set()
