"""The files of /proc and /sys that count waiting threads, steal, pressure and throttling, under a folder of a test."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from freezebench.meters.processors import Processors

if TYPE_CHECKING:
    from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class FakeProcessors:
    """A Linux whose counters a test sets; the process may run on processors 0 and 1 of three.

    Attributes:
        root: Folder that holds ``proc`` and ``sys``.
        task: Folder of the process's threads.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.task = root / "proc/self/task"
        self.set_group("/unit")
        self.set_threads({})
        self.set_ticks(busy_s=0.0, stolen_s=0.0)

    @property
    def processors(self) -> Processors:
        """The meter's view of this system."""
        return Processors(self.root, cpus=frozenset({0, 1}))

    def set_threads(self, times: dict[int, tuple[float, float]]) -> None:
        """Set the seconds on a processor and of waiting for one by thread; other threads have ended."""
        shutil.rmtree(self.task, ignore_errors=True)
        self.task.mkdir(parents=True)
        for thread, (run_s, wait_s) in times.items():
            folder = self.task / str(thread)
            folder.mkdir()
            (folder / "schedstat").write_text(f"{round(run_s * 1e9)} {round(wait_s * 1e9)} 7\n")

    def set_ticks(self, *, busy_s: float, stolen_s: float) -> None:
        """Set the seconds of work and of steal of each allowed processor; the third one has a thousand more."""
        lines = ["cpu  9 9 9 9 9 9 9 9 0 0"]
        for number, extra in ((0, 0), (1, 0), (2, 1000)):
            busy, stolen = round((busy_s + extra) * TICKS_PER_S), round((stolen_s + extra) * TICKS_PER_S)
            lines.append(f"cpu{number} {busy} 0 0 12345 678 0 0 {stolen} 0 0")
        (self.root / "proc/stat").write_text("\n".join([*lines, "intr 5", ""]))

    def set_group(self, name: str) -> None:
        """Set the control group of the process."""
        self.task.mkdir(parents=True, exist_ok=True)
        (self.root / "proc/self/cgroup").write_text(f"2:cpu,cpuacct:{name}\n0::{name}\n")

    def write(self, path: str, content: str) -> None:
        """Write a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
