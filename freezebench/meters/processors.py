"""What the kernel counts about processors: waiting threads, time stolen by the host, throttling, pressure.

All figures are totals since some time in the past, read at both edges of a window.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

WAITS_SOURCE = "/proc/self/task/*/schedstat"

_PROBE_S = 0.02
_SMALLEST_PROBED_WAIT_S = 0.001
# The fields of a processor in /proc/stat: its states in ticks, see proc(5).
_USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ, _STEAL = 0, 1, 2, 5, 6, 7
_BUSY = (_USER, _NICE, _SYSTEM, _IRQ, _SOFTIRQ)


class NotCountedError(OSError):
    """The system does not count a figure; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ThreadTimes:
    """One thread since it began.

    Attributes:
        run_s: Seconds on a processor.
        wait_s: Seconds in which it could have run, but no processor was free for it.
    """

    run_s: float
    wait_s: float


@dataclass(frozen=True, kw_only=True)
class ProcessorTicks:
    """The processors on which this process may run, summed, in ticks of the kernel's clock.

    Attributes:
        busy: Ticks in which they worked.
        stolen: Ticks in which a virtual processor had work, and the host ran something else.
        per_s: Ticks per second.
    """

    busy: int
    stolen: int
    per_s: int


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A counter: seconds so far, and the file that has them."""

    seconds: float
    source: str


class Processors:
    """The kernel's counters about this process and its processors.

    Args:
        root: Folder that holds ``proc`` and ``sys``; that of a test has files of its own.
        cpus: Numbers of the processors on which this process may run; ``None``: those that the kernel allows.
    """

    def __init__(self, root: Path = Path("/"), *, cpus: frozenset[int] | None = None) -> None:
        self._root = root
        self._proc = root / "proc"
        self._cpus = cpus

    def threads(self) -> dict[int, ThreadTimes]:
        """Return the times of every thread of this process by its id.

        Raises:
            NotCountedError: If the system does not count them.
        """
        times = {}
        try:
            folders = list((self._proc / "self" / "task").iterdir())
        except OSError as error:
            raise NotCountedError(f"no times of threads: {error}") from error
        for folder in folders:
            try:
                run_ns, wait_ns, _ = map(int, (folder / "schedstat").read_text().split())
            except (FileNotFoundError, ProcessLookupError) as error:
                # A thread may end between listing and reading; a kernel without the file has it for no thread.
                if folder.is_dir():
                    raise NotCountedError(f"the kernel has no schedstat: {error}") from error
                continue
            except (OSError, ValueError) as error:
                raise NotCountedError(f"{folder / 'schedstat'}: {error}") from error
            times[int(folder.name)] = ThreadTimes(run_s=run_ns / 1e9, wait_s=wait_ns / 1e9)
        return times

    def ticks(self) -> ProcessorTicks:
        """Return the ticks of the processors on which this process may run.

        Raises:
            NotCountedError: If the system does not count them.
        """
        allowed = os.sched_getaffinity(0) if self._cpus is None and hasattr(os, "sched_getaffinity") else self._cpus
        busy = stolen = num = 0
        try:
            for number, fields in re.findall(r"^cpu(\d+) (.*)$", (self._proc / "stat").read_text(), re.MULTILINE):
                if allowed is None or int(number) in allowed:
                    values = [int(value) for value in fields.split()]
                    busy += sum(values[state] for state in _BUSY)
                    stolen += values[_STEAL]
                    num += 1
        except (OSError, ValueError, IndexError) as error:
            raise NotCountedError(f"no times of processors: {error}") from error
        if not num:
            raise NotCountedError(f"{self._proc / 'stat'} has none of this process's processors")
        return ProcessorTicks(busy=busy, stolen=stolen, per_s=os.sysconf("SC_CLK_TCK"))

    def pressure(self) -> Counted:
        """Return for how long some task waited for a processor.

        The file is that of this process's control group, or of the whole machine where the group has none.

        Raises:
            NotCountedError: If the kernel does not count it.
        """
        files = [folder / "cpu.pressure" for folder in self._unified_groups()[:1]]
        problem = ""
        for file in (*files, self._proc / "pressure" / "cpu"):
            try:
                match = re.search(r"^some .*total=(\d+)$", file.read_text(), re.MULTILINE)
            except OSError as error:
                problem = f"the kernel does not count pressure: {error}"
                continue
            if match is not None:
                return Counted(seconds=int(match[1]) / 1e6, source=str(file))
            problem = f"{file} has no total"
        raise NotCountedError(problem)

    def throttled(self) -> Counted:
        """Return for how long quotas stopped this process's control groups, summed over processors.

        Groups are nested, and each may have a quota of its own, so that all of them are summed.

        Raises:
            NotCountedError: If no group can be read.
        """
        units = {"throttled_usec": 1e6, "throttled_time": 1e9}
        seconds, sources = 0.0, []
        for folder in (*self._unified_groups(), *self._cpu_groups()):
            try:
                lines = (folder / "cpu.stat").read_text().splitlines()
                counted = dict(line.split() for line in lines)
                seconds += sum(int(counted[name]) / unit for name, unit in units.items() if name in counted)
            except (OSError, ValueError):
                continue
            sources += [str(folder / "cpu.stat")] if units.keys() & counted.keys() else []
        if not sources:
            raise NotCountedError("no control group of this process counts throttling")
        return Counted(seconds=seconds, source=sources[0])

    def _unified_groups(self) -> list[Path]:
        """Return the folders of this process's group of version 2 and of its parents, the innermost first."""
        return self._groups(r"^0::(.*)$", self._root / "sys/fs/cgroup")

    def _cpu_groups(self) -> list[Path]:
        """Return the folders of this process's group of version 1 that limits processors, and of its parents."""
        return self._groups(r"^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$", self._root / "sys/fs/cgroup/cpu")

    def _groups(self, pattern: str, mount: Path) -> list[Path]:
        try:
            match = re.search(pattern, (self._proc / "self" / "cgroup").read_text(), re.MULTILINE)
        except OSError:
            return []
        if match is None:
            return []
        # Some containers name the group as the host does, but mount it as their root.
        folder = mount / match[1].lstrip("/")
        folder = folder if folder.is_dir() else mount
        return [folder, *(parent for parent in folder.parents if parent == mount or mount in parent.parents)]


@functools.cache
def waits_problem() -> str | None:
    """Return why the kernel's waiting times of threads cannot be used; ``None`` if they can.

    A kernel that does not count them may show zeros. So two threads compute on one processor for 20 ms: one of them has
    to wait.
    """
    if not hasattr(os, "sched_setaffinity"):
        return "this system does not count how long threads wait for a processor"
    before = _waits_s()
    if before is None:
        return "the kernel does not count how long threads wait for a processor (no schedstat)"
    cpu = min(os.sched_getaffinity(0))
    waited: list[float] = []
    threads = [threading.Thread(target=_compute, args=(cpu, waited), name="freezebench-probe") for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(waited) < len(threads):
        return "the kernel's waiting times of threads cannot be checked: this process may not choose its processor"
    if sum(waited) < _SMALLEST_PROBED_WAIT_S:
        return "the kernel does not count how long threads wait for a processor: two on one processor did not wait"
    return None


def _compute(cpu: int, waited: list[float]) -> None:
    """Compute on one processor for a moment, and append how long this thread waited for it."""
    try:
        os.sched_setaffinity(threading.get_native_id(), {cpu})
    except OSError:
        return
    block = bytes(1 << 20)
    end_s = time.monotonic() + _PROBE_S
    while time.monotonic() < end_s:
        hashlib.sha256(block)  # releases the interpreter's lock, so that both threads compute at once
    waited.append(_waits_s() or 0.0)


def _waits_s() -> float | None:
    """Return how long the calling thread has waited for a processor, in seconds; ``None`` if that is not counted."""
    try:
        fields = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()
        return int(fields[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
