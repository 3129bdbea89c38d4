"""The sampler: a helper process that polls NVML while the measured process computes.

A process of its own, because a C call that holds the GIL for 400 ms keeps every thread of the measured process from
sampling. It is started as ``python -m freezebench.meters.sampler PARENT_PID``, reads commands as JSON lines from its
standard input and writes messages as JSON lines to its standard output:

=============================================================  =====================================================
command                                                        what it does
=============================================================  =====================================================
``{"do": "start", "devices": [address, …], "interval_s": h}``  polls these devices every ``h`` seconds from now on
``{"do": "mark", "number": n, "settle_s": s}``                 polls at once, then waits up to ``s`` seconds for every
                                                               counter's next update, then answers ``["mark", n]``
``{"do": "stop"}``                                             polls no more until the next start
=============================================================  =====================================================

Messages: ``["ready"]``, ``["fatal", reason]``, ``["power", device, source, reason]``, ``["sample", device, time_s, mW,
mJ, bytes]`` with ``null`` for what failed, ``["throttle", device, time_s, mask]``, ``["error", device, time_s,
text]`` once per distinct error in a row, ``["mark", n]``. Devices are numbered as in the start command.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from freezebench.meters.nvml import Failure, MemoryUse, Nvml, PowerSource, open_nvml

if TYPE_CHECKING:
    from collections.abc import Callable

_THROTTLE_EVERY_S = 1.0  # per tick there are calls for power, energy and memory only
_SETTLE_STEP_S = 0.01
_WATCH_EVERY_S = 0.25

Message = list[Any]


class DevicePoller:
    """Asks one device at each tick and turns the answers into messages."""

    def __init__(self, nvml: Nvml, number: int, address: str) -> None:
        self._nvml = nvml
        self._number = number
        self._handle = nvml.handle(address)
        self._last_error: dict[str, str] = {}
        self._lacking: set[str] = set()
        self._next_throttle_s = 0.0
        self.energy_mj: int | None = None
        self.is_lost = isinstance(self._handle, Failure)
        self._source: PowerSource | Failure = self._handle if self.is_lost else nvml.choose_power(self._handle)

    def opening(self, now: float) -> list[Message]:
        """Return the messages that come before the first sample: the power source, and what keeps it from sampling."""
        failure = str(self._source) if isinstance(self._source, Failure) else None
        messages: list[Message] = [["power", self._number, None if failure else self._source, failure]]
        if self.is_lost:
            messages.append(["error", self._number, now, failure])
        return messages

    def poll(self, now: float) -> list[Message]:
        """Return the messages of one tick; none once the device is lost."""
        if self.is_lost:
            return []
        messages: list[Message] = []
        power = None
        if not isinstance(self._source, Failure):
            source = self._source
            power = self._ask("power", now, messages, lambda: self._nvml.power_mw(self._handle, source))
        energy = self._ask("energy", now, messages, lambda: self._nvml.energy_mj(self._handle))
        memory = self._ask("memory", now, messages, lambda: self._nvml.memory(self._handle))
        used = memory.used_bytes if isinstance(memory, MemoryUse) else None
        self.energy_mj = energy
        messages.append(["sample", self._number, now, power, energy, used])
        if now >= self._next_throttle_s:
            self._next_throttle_s = now + _THROTTLE_EVERY_S
            mask = self._ask("throttle", now, messages, lambda: self._nvml.throttle_reasons(self._handle))
            if mask is not None:
                messages.append(["throttle", self._number, now, mask])
        return messages

    def _ask(self, what: str, now: float, messages: list[Message], call: Callable[[], Any]) -> Any:
        """Return what the call gives; ``None`` after noting a failure, or where asking is pointless."""
        if self.is_lost or what in self._lacking:
            return None
        answer = call()
        if not isinstance(answer, Failure):
            self._last_error.pop(what, None)
            return answer
        text = str(answer)
        if self._last_error.get(what) != text:
            self._last_error[what] = text
            messages.append(["error", self._number, now, text])
        if answer.is_permanent:
            self._lacking.add(what)
        # A lost device answers nothing any more, and asking can hang: polling ends for good.
        self.is_lost = answer.is_lost
        return None


class Sampler:
    """Polls on schedule and obeys commands.

    Args:
        nvml: The library.
        write: Takes the messages as they come.
        clock: Monotonic clock, in seconds.
        sleep: Waits a number of seconds.
    """

    def __init__(
        self,
        nvml: Nvml,
        write: Callable[[list[Message]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._nvml = nvml
        self._write = write
        self._clock = clock
        self._sleep = sleep
        self._pollers: list[DevicePoller] = []
        self._interval_s = 1.0
        self._next_s = 0.0

    def run(self, commands: SimpleQueue[dict[str, Any]]) -> None:
        """Poll and obey for ever; the process ends when its parent does."""
        while True:
            if self._pollers and self._clock() >= self._next_s:
                self.tick()
                # A tick that came late is not made up for: the schedule goes on from its grid.
                missed = int((self._clock() - self._next_s) / self._interval_s)
                self._next_s += (missed + 1) * self._interval_s
            wait = max(0.0, self._next_s - self._clock()) if self._pollers else None
            try:
                self.obey(commands.get(timeout=wait))
            except Empty:
                continue

    def obey(self, command: dict[str, Any]) -> None:
        """Carry out one command."""
        if command["do"] == "start":
            self._pollers = [DevicePoller(self._nvml, n, address) for n, address in enumerate(command["devices"])]
            self._interval_s = command["interval_s"]
            now = self._next_s = self._clock()
            self._write([message for poller in self._pollers for message in poller.opening(now)])
        elif command["do"] == "mark":
            self.tick()
            self.settle(command["settle_s"])
            self._write([["mark", command["number"]]])
        elif command["do"] == "stop":
            self._pollers = []

    def tick(self) -> None:
        """Poll every device once; their samples share one time."""
        now = self._clock()
        self._write([message for poller in self._pollers for message in poller.poll(now)])

    def settle(self, limit_s: float) -> None:
        """Go on polling until every counter has been updated, for at most ``limit_s`` seconds.

        The first update after a window's end bounds what the counter had not counted yet at the end.
        """
        end_s = self._clock() + limit_s
        waiting = [(p, p.energy_mj) for p in self._pollers if p.energy_mj is not None]
        while waiting and self._clock() < end_s:
            self._sleep(_SETTLE_STEP_S)
            self.tick()
            waiting = [(poller, energy) for poller, energy in waiting if poller.energy_mj == energy]


def _write(messages: list[Message]) -> None:
    if messages:
        os.write(1, "".join(json.dumps(message) + "\n" for message in messages).encode())


def _watch(parent: int) -> None:
    """End this process when its parent is gone, even while the main thread hangs in a call."""
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    os._exit(0)


def _listen(commands: SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        commands.put(json.loads(line))
    # The end of the input means that the parent is gone or has no more use for this process.
    os._exit(0)


def main(parent: int) -> None:
    """Serve the process ``parent`` until it closes the pipe or ends."""
    # Ctrl-C goes to the whole foreground group: the parent still wants the last samples.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    nvml = open_nvml()
    if isinstance(nvml, Failure):
        _write([["fatal", str(nvml)]])
        return
    _write([["ready"]])
    Sampler(nvml, _write).run(commands)


if __name__ == "__main__":
    main(int(sys.argv[1]))
