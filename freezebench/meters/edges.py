"""Figures at the edges of a window, read in the measured process, and other processes on the device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from freezebench.meters.nvml import Failure, Handle, MemoryUse, Nvml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EDGE_DEADLINE_S = 1.0

# In this order at the start and reversed at the end, so that at both edges the energy counter is read right next to the
# measured code.
_STEPS = ("process_ids", "temperature_c", "reasons", "memory", "energy_mj")


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One device at one edge of a window; each figure is a value or a ``Failure`` with the reason.

    Attributes:
        time_s: Monotonic clock right after the energy counter was read, or the attempt failed.
        energy_mj: Energy counter in millijoules.
        memory: Device-wide memory in use.
        temperature_c: Core temperature in degrees Celsius.
        reasons: Bit mask of the reasons that reduce the clocks.
        process_ids: The processes that compute on the device.
    """

    time_s: float
    energy_mj: int | Failure
    memory: MemoryUse | Failure
    temperature_c: int | Failure
    reasons: int | Failure
    process_ids: tuple[int, ...] | Failure


class EdgeDraft:
    """An edge that is being read, by a thread whose NVML calls may hang."""

    def __init__(self) -> None:
        self._figures: dict[str, Any] = {}
        self._time_s: float | None = None

    def read(self, nvml: Nvml, handle: Handle, clock: Callable[[], float], *, at_end: bool) -> None:
        """Read all figures one after the other; each is stored as soon as it is read."""
        calls = {
            "process_ids": nvml.process_ids,
            "temperature_c": nvml.temperature_c,
            "reasons": nvml.throttle_reasons,
            "memory": nvml.memory,
            "energy_mj": nvml.energy_mj,
        }
        for step in reversed(_STEPS) if at_end else _STEPS:
            self._figures[step] = calls[step](handle)
            if step == "energy_mj":
                self._time_s = clock()

    def finish(self, now: float, problem: str) -> Edge:
        """Return the edge with the figures that were read so far; the others have ``problem`` as their reason."""
        # A copy, because the thread may still add figures if its call returns after the deadline.
        figures = dict(self._figures)
        missing = Failure(call="NVML", message=problem)
        time_s = self._time_s if self._time_s is not None else now
        return Edge(time_s=time_s, **{step: figures.get(step, missing) for step in _STEPS})


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Whether other processes computed on the device: ``alone``, ``shared`` or ``unknown``, with details."""

    status: Literal["alone", "shared", "unknown"]
    detail: str = ""


def judge_sharing(
    devices: Sequence[tuple[Edge, Edge]], *, own_pid: int, uses_cuda: bool, proc: Path = Path("/proc")
) -> list[Sharing]:
    """Return for each device whether other processes computed on it at the window's edges.

    This process, its ancestors and its descendants count as one, since a test session waits for the training process
    that it started. In a container NVML may list processes by the host's ids. This is recognised by a list that has
    other processes, or a process that uses CUDA, but none of this family: sharing is then ``unknown``.

    Args:
        devices: Start and end edge of each device.
        own_pid: Id of this process.
        uses_cuda: Whether this process is known to have a CUDA context.
        proc: Root of the process files.
    """
    ancestors = _ancestors(own_pid, proc)
    listed = set().union(*(_listed(edges) for edges in devices))
    family = {pid for pid in listed if pid == own_pid or pid in ancestors or own_pid in _ancestors(pid, proc)}
    # If one list shows this family under ids of this container, the lists of the other devices do so as well.
    readable = bool(family) or not (listed or uses_cuda)
    return [_judge_device(edges, family, readable=readable) for edges in devices]


def _judge_device(edges: tuple[Edge, Edge], family: set[int], *, readable: bool) -> Sharing:
    for edge in edges:
        if isinstance(edge.process_ids, Failure):
            return Sharing(status="unknown", detail=str(edge.process_ids))
    if not readable:
        detail = "NVML does not list this process on the device (in a container it shows the host's process ids)"
        return Sharing(status="unknown", detail=detail)
    if others := sorted(_listed(edges) - family):
        return Sharing(status="shared", detail=f"process {', '.join(map(str, others))} also computes on it")
    return Sharing(status="alone")


def _listed(edges: tuple[Edge, Edge]) -> set[int]:
    return {pid for edge in edges if not isinstance(edge.process_ids, Failure) for pid in edge.process_ids}


def _ancestors(pid: int, proc: Path) -> set[int]:
    """Return the ids of a process's parent, its parent's parent, and so on."""
    ancestors: set[int] = set()
    while pid > 1:
        try:
            status = (proc / str(pid) / "status").read_text()
        except OSError:
            break
        match = re.search(r"^PPid:\s*(\d+)$", status, re.MULTILINE)
        if match is None or int(match[1]) in ancestors:
            break
        pid = int(match[1])
        ancestors.add(pid)
    return ancestors
