"""Compiles fake_nvml.c and controls it through its control file."""

from __future__ import annotations

import atexit
import ctypes
import functools
import math
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pynvml
import pytest

from freezebench.meters.nvml import Failure, Handle, Nvml, open_nvml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SOURCE = Path(__file__).with_name("fake_nvml.c")
KINDS = {"constant": 0, "step": 1, "sine": 2, "square": 3, "pulse": 4}
ANYONE, OWNER_ONLY, OTHERS_ONLY = 0, 1, 2
NOT_SUPPORTED, LOST, UNKNOWN = 3, 15, 999
GPU_A = "GPU-aaaaaaaa-0000-4000-8000-000000000001"
GPU_B = "GPU-bbbbbbbb-0000-4000-8000-000000000002"
MIG_C = "MIG-cccccccc-0000-4000-8000-000000000003"
_TEXT = 96


class CLoad(ctypes.Structure):
    """``struct load``."""

    _fields_ = (
        *((name, ctypes.c_double) for name in ("base_w", "high_w", "period_s", "phase_s", "duty")),
        ("kind", ctypes.c_int32),
        ("unused", ctypes.c_int32),
    )


class CDevice(ctypes.Structure):
    """``struct device``."""

    _fields_ = (
        ("uuid", ctypes.c_char * _TEXT),
        ("name", ctypes.c_char * _TEXT),
        ("bus_id", ctypes.c_char * 32),
        *(
            (name, ctypes.c_int32)
            for name in ("mig_mode", "mig_parent", "temperature_c", "instant_return", "instant_type", "zero_power")
        ),
        ("limit_mw", ctypes.c_uint32),
        ("num_processes", ctypes.c_uint32),
        ("pids", ctypes.c_uint32 * 8),
        *(
            (name, ctypes.c_uint64)
            for name in (
                "reasons",
                "memory_total",
                "memory_reserved",
                "memory_used",
                "memory_used_later",
                "counter_offset_mj",
            )
        ),
        *(
            (name, ctypes.c_double)
            for name in ("memory_step_s", "counter_period_s", "counter_phase_s", "counter_reset_s")
        ),
        *((name, ctypes.c_double) for name in ("power_period_s", "power_phase_s", "boxcar_s", "average_s")),
        ("load", CLoad),
    )


class CFault(ctypes.Structure):
    """``struct fault``."""

    _fields_ = (
        ("function", ctypes.c_char * _TEXT),
        ("who", ctypes.c_int32),
        ("code", ctypes.c_int32),
        ("after", ctypes.c_int64),
        ("times", ctypes.c_int64),
        ("calls", ctypes.c_int64),
        ("hang_s", ctypes.c_double),
    )


class CControl(ctypes.Structure):
    """``struct control``."""

    _fields_ = (
        ("magic", ctypes.c_uint32),
        ("owner_pid", ctypes.c_uint32),
        *((name, ctypes.c_int32) for name in ("virtual_clock", "init_code", "num_devices", "num_faults")),
        ("now_s", ctypes.c_double),
        ("driver", ctypes.c_char * _TEXT),
        ("devices", CDevice * 10),
        ("faults", CFault * 8),
    )


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load in closed form: power in watts and energy in joules, written independently of the C file."""

    kind: str
    base_w: float
    high_w: float = 0.0
    period_s: float = 1.0
    phase_s: float = 0.0
    duty: float = 0.5

    def energy_j(self, start_s: float, end_s: float) -> float:
        """Return the true energy between two times."""
        constant = self.base_w * (end_s - start_s)
        if self.kind == "constant":
            return constant
        if self.kind == "sine":
            turn = 2 * math.pi / self.period_s
            cosines = math.cos(turn * (start_s - self.phase_s)) - math.cos(turn * (end_s - self.phase_s))
            return constant + self.high_w / turn * cosines
        intervals = (
            [(self.phase_s, math.inf)] if self.kind == "step" else [(self.phase_s, self.phase_s + self.period_s)]
        )
        if self.kind == "square":
            first = math.floor((start_s - self.phase_s) / self.period_s)
            last = math.ceil((end_s - self.phase_s) / self.period_s)
            begins = [self.phase_s + number * self.period_s for number in range(first, last + 1)]
            intervals = [(begin, begin + self.duty * self.period_s) for begin in begins]
        high_s = sum(max(0.0, min(end, end_s) - max(begin, start_s)) for begin, end in intervals)
        return constant + (self.high_w - self.base_w) * high_s

    @property
    def peak_w(self) -> float:
        """The highest power of the load."""
        return self.base_w + self.high_w if self.kind == "sine" else max(self.base_w, self.high_w)


@functools.cache
def build_library(soname: str = "libnvidia-ml.so.1", omit: frozenset[str] = frozenset()) -> Path:
    """Return the folder with the compiled library; compiled once per test session, skipping without a compiler."""
    folder = Path(tempfile.mkdtemp(prefix="freezebench-fake-nvml-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    flags = [f"-DOMIT_{symbol}" for symbol in sorted(omit)]
    output = ["-shared", "-fPIC", "-O2", f"-Wl,-soname,{soname}", "-o", str(folder / soname), str(SOURCE), "-lm"]
    subprocess.run([*_compiler(), *flags, *output], check=True, capture_output=True)
    return folder


def _compiler() -> list[str]:
    if path := shutil.which("cc"):
        return [path]
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    pytest.skip("no C compiler: install cc or the ziglang package to compile the test NVML")


class FakeNvml:
    """The test NVML of one test: its devices, faults and clock."""

    def __init__(self, folder: Path, *, virtual: bool) -> None:
        self.path = folder / "fake-nvml-control"
        self.path.write_bytes(bytes(ctypes.sizeof(CControl)))
        with self.path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self.control = CControl.from_buffer(self._map)
        self.control.magic = ctypes.sizeof(CControl)
        self.control.owner_pid = os.getpid()
        self.control.virtual_clock = virtual
        self.control.now_s = 1000.0
        self.control.driver = b"580.01.fake"

    @property
    def now(self) -> float:
        """The virtual clock, in seconds."""
        return float(self.control.now_s)

    @now.setter
    def now(self, time_s: float) -> None:
        self.control.now_s = time_s

    def sleep(self, duration_s: float) -> None:
        """Advance the virtual clock."""
        self.now += duration_s

    def add_device(self, uuid: str = GPU_A, *, load: Load | None = None, **fields: bytes | float) -> CDevice:
        """Add a device that updates counter and power every 100 ms; ``fields`` as in ``struct device``."""
        number = self.control.num_devices
        device: CDevice = self.control.devices[number]
        defaults = {
            "uuid": uuid.encode(),
            "name": b"Fake GPU",
            "bus_id": f"00000000:{number + 1:02X}:00.0".encode(),
            "mig_parent": -1,
            "temperature_c": 41,
            "instant_type": 1,
            "limit_mw": 700_000,
            "memory_total": 80 << 30,
            "memory_reserved": 512 << 20,
            "memory_used": 3 << 30,
            "counter_offset_mj": 5_000_000,
            "counter_period_s": 0.1,
            "power_period_s": 0.1,
            "boxcar_s": 0.1,
            "average_s": 1.0,
        }
        for name, value in {**defaults, **fields}.items():
            setattr(device, name, value)
        self.set_load(device, load or Load(kind="constant", base_w=300.0))
        self.control.num_devices = number + 1
        return device

    def set_load(self, device: CDevice, load: Load) -> None:
        """Set another load of the device."""
        for name in ("base_w", "high_w", "period_s", "phase_s", "duty"):
            setattr(device.load, name, getattr(load, name))
        device.load.kind = KINDS[load.kind]

    def set_processes(self, device: CDevice, pids: Sequence[int]) -> None:
        """List these processes on the device."""
        device.num_processes = len(pids)
        for position, pid in enumerate(pids):
            device.pids[position] = pid

    def fault(
        self, function: str, code: int = 0, *, after: int = 0, times: int = -1, hang_s: float = 0.0, who: int = ANYONE
    ) -> CFault:
        """Make calls of ``function`` (``*``: any that takes a device) hang and fail after the first ``after`` ones."""
        fault: CFault = self.control.faults[self.control.num_faults]
        fault.function, fault.code, fault.who = function.encode(), code, who
        fault.after, fault.times, fault.hang_s, fault.calls = after, times, hang_s, 0
        self.control.num_faults += 1
        return fault

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.control.num_faults = 0

    def install(self, patch: pytest.MonkeyPatch, *, omit: Iterable[str] = ()) -> None:
        """Make pynvml in this process and in helper processes load this library.

        Here under a soname of its own, so that tests of other modules in this process still find no NVML.
        """
        omitted = frozenset(omit)
        inside = "libfreezebench-fake-nvml.so"
        patch.setenv("FAKE_NVML_CONTROL", str(self.path))
        if not self.control.virtual_clock:
            # Only a helper process finds it this way: it is read when a process starts.
            patch.setenv("LD_LIBRARY_PATH", str(build_library(omit=omitted)))
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        patch.setattr(pynvml, "nvmlLib", ctypes.CDLL(str(build_library(inside, omitted) / inside)))
        patch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})


def handle_of(nvml: Nvml, address: str) -> Handle:
    """Return the handle of a device that exists."""
    handle = nvml.handle(address)
    assert not isinstance(handle, Failure), handle
    return handle


def opened() -> Nvml:
    """Return the installed library, opened."""
    nvml = open_nvml()
    assert isinstance(nvml, Nvml), nvml
    return nvml
