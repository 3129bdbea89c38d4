"""Device and precision: what a run trains on, in which number format, and what suits each kind of device.

Only this module and ``capture``, which needs a GPU, depend on the kind of device.
"""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezebench.specs.run import Precision

# A tenth of a millisecond of matrix products on one core: about the cost of waking the other threads a few times.
_MIN_FLOP_FOR_THREADS = 10**8
# Linux names the CPU's native bf16 instructions this way (x86: Zen 4, Cooper Lake, Sapphire Rapids; Arm: v8.6).
_BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# The integer type that shows the bits of a number, by the number's size in bytes.
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
        raise SettingsError(
            f"cannot use device {name}: torch {torch.__version__} finds no CUDA device. Use cpu. If this machine has a "
            "GPU, install its driver and torch for CUDA, and check both by python -m freezebench doctor."
        )
    # torch.device("cuda") has no index: it is whichever device is current.
    index = device.index if ":" in name else torch.cuda.current_device()
    if index >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise SettingsError(f"cannot use device {name}: torch finds cuda:0 to cuda:{last}. Choose one of them.")
    return torch.device("cuda", index)


def device_name(device: torch.device) -> str:
    """Return the model name of the GPU or CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _cpuinfo("model name") or f"{platform.machine()} CPU".strip()


def device_id(device: torch.device) -> str:
    """Return what distinguishes a device from all others of this machine: ``cpu``, or the UUID of a GPU.

    Indices do not: each process counts the devices that CUDA_VISIBLE_DEVICES lets it see.
    """
    if device.type != "cuda":
        return device.type
    index = device.index or 0
    visible = [entry.strip() for entry in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    entry = visible[index] if index < len(visible) else ""
    if entry.startswith("MIG-"):
        return entry  # some versions of CUDA report the UUID of the GPU that the instance is a part of
    uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    if uuid is None:
        return f"cuda:{entry or index}"
    return str(uuid) if str(uuid).startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """Return the number format to train in; ``auto`` is bf16 where the hardware has it, else float32.

    Raises:
        SettingsError: If ``precision`` is bf16 and the GPU does not have it.
    """
    if device.type == "cuda":
        # Ampere and later; PyTorch emulates bf16 on older GPUs, slower than float32.
        has_bf16 = torch.cuda.get_device_capability(device) >= (8, 0)
        if precision == "bf16" and not has_bf16:
            raise SettingsError(f"cannot train in bf16: {device_name(device)} has no such instructions. Use float32.")
    else:
        has_bf16 = bool(_BF16_FLAGS & _cpu_flags())
    if precision == "auto":
        return "bf16" if has_bf16 else "float32"
    return precision


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the context in which forward passes run."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def synchronize(device: torch.device) -> None:
    """Wait until all work that was launched on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def scalar_on(device: torch.device, number: float) -> torch.Tensor:
    """Return a tensor on the device for a number that changes from step to step, such as the learning rate.

    A captured step reads the same memory at each replay; a Python number would be captured as a constant.
    """
    # On a CPU float64, so that the optimizer computes with the same learning rate as with a Python number.
    return torch.tensor(number, device=device, dtype=torch.float32 if device.type == "cuda" else torch.float64)


def pinned(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the tensor in page-locked memory if it is to be copied to a GPU: only then is the copy asynchronous."""
    return tensor.pin_memory() if device.type == "cuda" and tensor.device.type == "cpu" else tensor


def inference_batch_tokens(device: torch.device) -> int:
    """Return the number of tokens per batch beyond which a forward pass without gradients becomes no faster."""
    return 2**14 if device.type == "cuda" else 2**11


def length_multiple(device: torch.device) -> int:
    """Return the number of tokens that the length of a training batch is rounded up to a multiple of.

    On a GPU a step is captured once per length, and matrix products are faster with multiples of 8.
    """
    return 8 if device.type == "cuda" else 1


@contextlib.contextmanager
def limited_threads(step_flop: int, device: torch.device) -> Iterator[None]:
    """Train on one thread of the CPU if a step has so little work that waking other threads takes longer.

    Where a GPU trains, one thread of the CPU makes the batches.

    Args:
        step_flop: Floating-point operations of the matrix products of one step.
        device: The device that trains.
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or step_flop < _MIN_FLOP_FOR_THREADS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cpu_flags() -> set[str]:
    """Return the CPU's feature flags; empty where the system does not list them."""
    return set(_cpuinfo("flags", "Features").split())


def _cpuinfo(*fields: str) -> str:
    """Return the value of the first of some fields in Linux's list of processors; empty on other systems."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(fields):
                return line.partition(":")[2].strip()
    return ""
