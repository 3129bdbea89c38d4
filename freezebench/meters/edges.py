"""What is read at a window's edges in the measured process, and who else is on the device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from freezebench.meters.nvml import Failure, MemoryUse, Nvml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EDGE_DEADLINE_S = 1.0

# In this order at the start, reversed at the end: the energy counter stands next to the measured code at both edges.
_STEPS = ("process_ids", "temperature_c", "reasons", "memory", "energy_mj")


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One device at one edge of a window; each figure is a value or the ``Failure`` that says why there is none.

    Attributes:
        time_s: Monotonic clock right after the energy counter was read, or tried.
        energy_mj: Energy counter in millijoules.
        memory: Device-wide memory in use.
        temperature_c: Core temperature in degrees Celsius.
        reasons: Bit mask of what holds the clocks down.
        process_ids: The processes that compute on the device.
    """

    time_s: float
    energy_mj: int | Failure
    memory: MemoryUse | Failure
    temperature_c: int | Failure
    reasons: int | Failure
    process_ids: tuple[int, ...] | Failure


class EdgeDraft:
    """An edge while it is being read, by a thread that may be left behind in a hanging call."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._time_s: float | None = None

    def read(self, nvml: Nvml, handle: Any, clock: Callable[[], float], *, at_end: bool) -> None:
        """Read every figure in turn, keeping each as soon as it is there."""
        calls = {
            "process_ids": nvml.process_ids,
            "temperature_c": nvml.temperature_c,
            "reasons": nvml.throttle_reasons,
            "memory": nvml.memory,
            "energy_mj": nvml.energy_mj,
        }
        for step in reversed(_STEPS) if at_end else _STEPS:
            self._found[step] = calls[step](handle)
            if step == "energy_mj":
                self._time_s = clock()

    def finish(self, now: float, problem: str) -> Edge:
        """Return the edge as far as it was read; ``problem`` is the reason of what is missing."""
        # A copy: a thread that was left behind may still add to the original.
        found = dict(self._found)
        missing = Failure(call="NVML", message=problem)
        time_s = self._time_s if self._time_s is not None else now
        return Edge(time_s=time_s, **{step: found.get(step, missing) for step in _STEPS})


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Whether others computed on the device: ``alone``, ``shared`` or ``unknown``, with the particulars."""

    status: Literal["alone", "shared", "unknown"]
    detail: str = ""


def judge_sharing(
    devices: Sequence[tuple[Edge, Edge]], *, own_pid: int, uses_cuda: bool, proc: Path = Path("/proc")
) -> list[Sharing]:
    """Return for each device who was on it at the window's edges.

    This process, its ancestors and its descendants count as one: a test session waits for the training process that it
    started. Where NVML lists none of us on any device though others are listed, or though we compute, it shows a
    container's processes by the host's ids, and nothing can be said.

    Args:
        devices: Start and end edge of each device.
        own_pid: This process.
        uses_cuda: Whether this process has a CUDA context, as far as is known.
        proc: Root of the process files.
    """
    ancestors = _ancestors(own_pid, proc)
    everyone = set().union(*(_listed(edges) for edges in devices))
    family = {pid for pid in everyone if pid == own_pid or pid in ancestors or own_pid in _ancestors(pid, proc)}
    # Listed once under an id that we know, we can read the lists of the other devices too.
    readable = bool(family) or not (everyone or uses_cuda)
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
    found: set[int] = set()
    while pid > 1:
        try:
            status = (proc / str(pid) / "status").read_text()
        except OSError:
            break
        match = re.search(r"^PPid:\s*(\d+)$", status, re.MULTILINE)
        if match is None or int(match[1]) in found:
            break
        pid = int(match[1])
        found.add(pid)
    return found
