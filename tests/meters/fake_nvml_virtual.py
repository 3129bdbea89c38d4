"""Runs whole windows on the virtual clock of the test NVML."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fake_nvml_control import FakeNvml, opened

from freezebench.meters.gpu import GpuSession, GpuWindow
from freezebench.meters.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.meters.devices import Gpus
    from freezebench.meters.nvml import Failure
    from freezebench.meters.sampler import Command, Message
    from freezebench.records.reading import Reading


class VirtualSampler:
    """The real sampler's code on the virtual clock, in this process: a ``Stream``."""

    def __init__(self, fake: FakeNvml) -> None:
        self._fake = fake
        self._messages: list[Message] = []
        self.sampler = Sampler(opened(), self._take, clock=lambda: fake.now, sleep=fake.sleep)

    def _take(self, messages: list[Message]) -> None:
        # Through JSON, as between the processes.
        self._messages += json.loads(json.dumps(messages))

    @property
    def pid(self) -> int:
        """Id of this process, in which the sampler runs."""
        return os.getpid()

    def send(self, command: Command) -> None:
        """Execute the command at once."""
        self.sampler.execute(command)

    def await_message(self, expected: Message, _deadline_s: float) -> Failure | None:
        """Make sure that the message has been written already."""
        assert expected in self._messages
        return None

    def messages(self) -> list[Message]:
        """Return every message so far."""
        return list(self._messages)

    def forget(self) -> None:
        """Drop the messages so far."""
        self._messages.clear()

    def close(self) -> None:
        """Do nothing: there is no process to end."""


@dataclass(frozen=True, kw_only=True)
class VirtualWindow:
    """A window that has ended: readings, warnings, start and end."""

    readings: dict[str, Reading]
    warnings: list[str]
    start_s: float
    end_s: float
    window: GpuWindow


def run_virtual(
    fake: FakeNvml,
    duration_s: float,
    *,
    start_s: float = 1000.0,
    interval_s: float = 0.05,
    ticks: Sequence[float] | None = None,
    gpus: Gpus = "all",
) -> VirtualWindow:
    """Measure ``duration_s`` virtual seconds through the whole meter, sampling at ``ticks`` (offsets in seconds).

    Without ``ticks``: at the start and then every ``interval_s``, as the sampler does.
    """
    fake.now = start_s
    stream = VirtualSampler(fake)
    session = GpuSession(gpus, interval_s=interval_s, clock=lambda: fake.now, start_sampler=lambda _: stream)
    window = session.window()
    window.prepare()
    window.start()
    grid = [number * interval_s for number in range(math.floor(duration_s / interval_s + 1e-9) + 1)]
    for tick in grid if ticks is None else ticks:
        fake.now = start_s + tick
        stream.sampler.tick()
    fake.now = start_s + duration_s
    readings = window.stop()
    session.close()
    return VirtualWindow(
        readings=readings, warnings=window.warnings, start_s=start_s, end_s=start_s + duration_s, window=window
    )
