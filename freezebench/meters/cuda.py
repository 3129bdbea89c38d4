"""Peaks of torch's CUDA allocator, which are exact and of this process alone, and their breakdown by purpose."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from freezebench.meters.devices import torch_cuda, torch_indices
from freezebench.meters.peaks import PeakRegister
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    import torch

NO_CUDA = "no CUDA device in use"

_SOURCES = {
    "peak_allocated_bytes": "torch.cuda.max_memory_allocated",
    "peak_reserved_bytes": "torch.cuda.max_memory_reserved",
}


class _AllocatorRegisters:
    """The registers of the two peaks of each device, which torch resets with one call."""

    def __init__(self) -> None:
        self._registers: dict[int, tuple[PeakRegister, PeakRegister]] = {}

    def of(self, index: int) -> tuple[PeakRegister, PeakRegister]:
        """Return the registers of the allocated and of the reserved peak of the device ``index``."""
        if index not in self._registers:
            allocated = PeakRegister(read=_reader("max_memory_allocated", index), reset=_keep)
            reserved = PeakRegister(read=_reader("max_memory_reserved", index), reset=_resetter(index))
            self._registers[index] = (allocated, reserved)
        return self._registers[index]


# torch has one pair of peaks per device and process, so all windows of this process share these registers.
_REGISTERS = _AllocatorRegisters()


class CudaMeter:
    """Peak allocated and reserved bytes of torch's allocator over one window.

    For several devices the figure is the sum of their peaks, which need not have occurred at the same moment; the
    source of the reading is marked so.
    """

    def __init__(self) -> None:
        self._tokens: dict[int, tuple[object, object]] = {}
        self._was_initialised = False

    def start(self) -> None:
        """Reset the allocator's peaks."""
        cuda = torch_cuda()
        self._was_initialised = cuda is not None
        for index in () if cuda is None else range(cuda.device_count()):
            allocated, reserved = _REGISTERS.of(index)
            # Allocated first: opening the register of reserved resets both peaks of torch.
            with suppress(RuntimeError, AssertionError):
                self._tokens[index] = (allocated.open(), reserved.open())

    def stop(self) -> dict[str, Reading]:
        """Return ``peak_allocated_bytes`` and ``peak_reserved_bytes``."""
        cuda = torch_cuda()
        if cuda is None:
            return {name: Reading.not_measured("B", source, NO_CUDA) for name, source in _SOURCES.items()}
        if self._was_initialised:
            peaks = {}
            for index, (allocated, reserved) in self._tokens.items():
                registers = _REGISTERS.of(index)
                peaks[index] = (registers[0].close(allocated), registers[1].close(reserved))
        else:
            # CUDA was initialised within the window, so that its peaks are the window's.
            peaks = {i: (cuda.max_memory_allocated(i), cuda.max_memory_reserved(i)) for i in torch_indices(cuda)}
        if not peaks:
            reason = "torch did not let its allocator's peaks be reset at the window's start"
            return {name: Reading.not_measured("B", source, reason) for name, source in _SOURCES.items()}
        # A device on which torch reserved nothing was not used; it must not be counted in the source's text.
        used = {index: pair for index, pair in peaks.items() if pair[1] > 0} or peaks
        suffix = f", sum over {len(used)} devices of each one's peak" if len(used) > 1 else ""
        return {
            name: Reading(value=sum(pair[position] for pair in used.values()), unit="B", source=source + suffix)
            for position, (name, source) in enumerate(_SOURCES.items())
        }


def allocation_breakdown(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, peak_allocated: Reading, *, device_type: str = "cuda"
) -> dict[str, Reading]:
    """Return the allocated peak by purpose: parameters, gradients, optimizer state, and the rest (activations).

    Call it after the last backward pass and before the gradients are freed. Buffers are included in the parameters.

    Args:
        model: The model.
        optimizer: Its optimizer.
        peak_allocated: The window's ``peak_allocated_bytes``; without a value, the rest is not measured.
        device_type: Tensors on other types of devices are not counted.

    Returns:
        ``allocated_parameters_bytes``, ``allocated_gradients_bytes``, ``allocated_optimizer_bytes`` and
        ``allocated_rest_bytes``. If the gradients were freed, gradients and rest are not measured.
    """
    names = [f"allocated_{part}_bytes" for part in ("parameters", "gradients", "optimizer", "rest")]
    parameters = list(model.parameters())
    weights = _num_bytes([*parameters, *model.buffers()], device_type)
    states = _num_bytes((value for state in optimizer.state.values() for value in state.values()), device_type)
    readings = {
        names[0]: Reading(value=weights, unit="B", source="storage of the model's parameters and buffers"),
        names[2]: Reading(value=states, unit="B", source="storage of the optimizer's state"),
    }
    source = "storage of the parameters' gradients"
    # zero_grad() frees gradients by default, so that a later call could not tell how large they were.
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    if trainable and all(parameter.grad is None for parameter in trainable):
        reason = "the gradients were freed before the breakdown was taken"
        readings[names[1]] = Reading.not_measured("B", source, reason)
        readings[names[3]] = Reading.not_measured("B", peak_allocated.source, reason)
        return readings
    gradients = _num_bytes((parameter.grad for parameter in parameters), device_type)
    readings[names[1]] = Reading(value=gradients, unit="B", source=source)
    if peak_allocated.value is None:
        reason = peak_allocated.reason or NO_CUDA
        readings[names[3]] = Reading.not_measured("B", peak_allocated.source, reason)
        return readings
    # Activations, temporary buffers and the allocator's rounding cannot be separated.
    rest = peak_allocated.value - weights - gradients - states
    if rest < 0:
        reason = "the parts exceed the window's peak: they were allocated outside the window"
        readings[names[3]] = Reading.not_measured("B", peak_allocated.source, reason)
    else:
        readings[names[3]] = Reading(value=rest, unit="B", source=f"{peak_allocated.source} less the three parts")
    return readings


def weights_breakdown(
    model: torch.nn.Module, added: Collection[str], *, merges: bool, device_type: str = "cuda"
) -> dict[str, Reading]:
    """Return the memory of the weights that a strategy has added, and of all weights once these are merged.

    Args:
        model: The model.
        added: Names of the parameters that were added; without any, there is nothing to tell apart.
        merges: Whether they can be merged into the other weights.
        device_type: Tensors on other types of devices are not counted.
    """
    if not added:
        return {}
    source = "storage of the added parameters"
    parameters = dict(model.named_parameters())
    num_added = _num_bytes((parameters[name] for name in added), device_type)
    others = [parameter for name, parameter in parameters.items() if name not in added]
    merged = Reading.not_measured("B", source, "what the strategy adds cannot be merged into other weights")
    if merges:
        rest = _num_bytes([*others, *model.buffers()], device_type)
        merged = Reading(value=rest, unit="B", source="storage of the parameters and buffers that were not added")
    return {
        "weights_added_bytes": Reading(value=num_added, unit="B", source=source),
        "weights_merged_bytes": merged,
    }


def synchronize() -> str | None:
    """Wait until torch's CUDA devices have finished the queued work; return an error message if that failed.

    A device that has failed raises the error of an earlier CUDA call here. It is not raised by the window, because the
    caller's next CUDA call raises it again.
    """
    cuda = torch_cuda()
    if cuda is None:
        return None
    try:
        for index in torch_indices(cuda):
            cuda.synchronize(index)
    except (RuntimeError, AssertionError) as error:
        return f"torch.cuda.synchronize failed: {error}"
    return None


def _num_bytes(values: Iterable[object], device_type: str) -> int:
    """Return the bytes of the storages of all tensors among ``values``; shared storages count once."""
    import torch

    sizes: dict[tuple[str, int], int] = {}
    for value in values:
        if isinstance(value, torch.Tensor) and value.device.type == device_type:
            storage = value.untyped_storage()
            sizes[str(value.device), storage.data_ptr()] = storage.nbytes()
    return sum(sizes.values())


def _reader(name: str, index: int) -> Callable[[], int]:
    def read() -> int:
        cuda = torch_cuda()
        return 0 if cuda is None else int(getattr(cuda, name)(index))

    return read


def _resetter(index: int) -> Callable[[], None]:
    def reset() -> None:
        if (cuda := torch_cuda()) is not None:
            cuda.reset_peak_memory_stats(index)

    return reset


def _keep() -> None:
    """Do nothing: the register of the reserved peak resets both peaks."""
