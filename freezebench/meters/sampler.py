"""The sampler: a helper process that polls NVML while the measured process computes.

It is a separate process, since a C call that holds the GIL for 400 ms keeps all threads of the measured process from
sampling. ``freezebench.child_process`` calls its ``main``, which reads commands as JSON lines from its standard
input and writes messages as JSON lines to a pipe of its own; standard output belongs to libraries:

=============================================================  =====================================================
command                                                        effect
=============================================================  =====================================================
``{"do": "start", "devices": [address, …], "interval_s": h}``  polls these devices every ``h`` seconds from now on
``{"do": "mark", "number": n, "settle_s": s}``                 polls at once, then waits up to ``s`` seconds for every
                                                               counter's next update, then answers ``["mark", n]``
``{"do": "stop"}``                                             polls no more until the next start
=============================================================  =====================================================

Messages: ``["ready"]``, ``["fatal", reason]``, ``["power", device, source, reason]``, ``["sample", device, time_s, mW,
mJ, bytes]`` with ``null`` for figures that failed, ``["throttle", device, time_s, mask]``, ``["error", device, time_s,
text]`` for an error that differs from the one before, ``["mark", n]``. A device is its number in the start command.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, Required, TypeAlias, TypedDict, TypeVar

from freezebench.meters.nvml import Failure, Nvml, PowerSource, open_nvml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_THROTTLE_EVERY_S = 1.0  # a tick takes as few calls as possible: power, energy and memory
_SETTLE_STEP_S = 0.01
_WATCH_EVERY_S = 0.25

# Messages and commands travel as JSON arrays and objects; the module's docstring lists them.
Message: TypeAlias = list[Any]
T = TypeVar("T")


class Command(TypedDict, total=False):
    """A command to the sampler."""

    do: Required[Literal["start", "mark", "stop"]]
    devices: Sequence[str]
    interval_s: float
    number: int
    settle_s: float


class DevicePoller:
    """Polls one device and turns the results into messages."""

    def __init__(self, nvml: Nvml, number: int, address: str) -> None:
        self._nvml = nvml
        self._number = number
        self._last_error: dict[str, str] = {}
        self._lacking: set[str] = set()
        self._next_throttle_s = 0.0
        self.energy_mj: int | None = None
        handle = nvml.handle(address)
        self.is_lost = isinstance(handle, Failure)
        self._handle = None if isinstance(handle, Failure) else handle
        self._source: PowerSource | Failure = handle if isinstance(handle, Failure) else nvml.choose_power(handle)

    def opening(self, now: float) -> list[Message]:
        """Return the messages before the first sample: the power source, and the error if the device is not found."""
        failure = str(self._source) if isinstance(self._source, Failure) else None
        messages: list[Message] = [["power", self._number, None if failure else self._source, failure]]
        if self.is_lost:
            messages.append(["error", self._number, now, failure])
        return messages

    def poll(self, now: float) -> list[Message]:
        """Return the messages of one tick; none once the device is lost."""
        nvml, handle, source = self._nvml, self._handle, self._source
        if self.is_lost or handle is None:
            return []
        messages: list[Message] = []
        power = None
        if not isinstance(source, Failure):
            power = self._try("power", now, messages, lambda: nvml.power_mw(handle, source))
        energy = self._try("energy", now, messages, lambda: nvml.energy_mj(handle))
        memory = self._try("memory", now, messages, lambda: nvml.memory(handle))
        self.energy_mj = energy
        messages.append(["sample", self._number, now, power, energy, memory.used_bytes if memory else None])
        if now >= self._next_throttle_s:
            self._next_throttle_s = now + _THROTTLE_EVERY_S
            mask = self._try("throttle", now, messages, lambda: nvml.throttle_reasons(handle))
            if mask is not None:
                messages.append(["throttle", self._number, now, mask])
        return messages

    def _try(self, figure: str, now: float, messages: list[Message], call: Callable[[], T | Failure]) -> T | None:
        """Return the result of a call; ``None`` after reporting a failure, or if the call can only fail."""
        if self.is_lost or figure in self._lacking:
            return None
        result = call()
        if not isinstance(result, Failure):
            self._last_error.pop(figure, None)
            return result
        text = str(result)
        if self._last_error.get(figure) != text:
            self._last_error[figure] = text
            messages.append(["error", self._number, now, text])
        if result.is_permanent:
            self._lacking.add(figure)
        # Calls on a lost device fail and may hang, so it is not polled any more.
        self.is_lost = result.is_lost
        return None


class Sampler:
    """Polls devices on a schedule and executes commands.

    Args:
        nvml: The library.
        write: Called with new messages.
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

    def run(self, commands: SimpleQueue[Command]) -> None:
        """Poll and execute commands until the process ends, which it does with its parent."""
        while True:
            if self._pollers and self._clock() >= self._next_s:
                self.tick()
                # Ticks that were missed are not made up for: the schedule continues with the next point of its grid.
                missed = int((self._clock() - self._next_s) / self._interval_s)
                self._next_s += (missed + 1) * self._interval_s
            wait = max(0.0, self._next_s - self._clock()) if self._pollers else None
            try:
                self.execute(commands.get(timeout=wait))
            except Empty:
                continue

    def execute(self, command: Command) -> None:
        """Execute one command."""
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
        """Poll all devices once; their samples have the same time."""
        now = self._clock()
        self._write([message for poller in self._pollers for message in poller.poll(now)])

    def settle(self, limit_s: float) -> None:
        """Poll until every energy counter has been updated, for at most ``limit_s`` seconds.

        The first update after the end of a window bounds the energy that the counter had not counted at the end.
        """
        end_s = self._clock() + limit_s
        waiting = [(p, p.energy_mj) for p in self._pollers if p.energy_mj is not None]
        while waiting and self._clock() < end_s:
            self._sleep(_SETTLE_STEP_S)
            self.tick()
            waiting = [(poller, energy) for poller, energy in waiting if poller.energy_mj == energy]


def _writer(descriptor: int) -> Callable[[list[Message]], None]:
    """Return the function that sends messages."""

    def write(messages: list[Message]) -> None:
        if messages:
            os.write(descriptor, "".join(json.dumps(message) + "\n" for message in messages).encode())

    return write


def _watch(parent: int) -> None:
    """End this process when its parent has ended, even if the main thread hangs in a call."""
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    os._exit(0)


def _listen(commands: SimpleQueue[Command]) -> None:
    for line in sys.stdin:
        commands.put(json.loads(line))
    # The parent closes the pipe when it ends or does not need the sampler any more.
    os._exit(0)


def main(parent: str, descriptor: str) -> None:
    """Run the sampler until its parent closes standard input or ends.

    Args:
        parent: Process id of the parent.
        descriptor: Number of the pipe for messages.
    """
    os.set_inheritable(int(descriptor), False)
    write = _writer(int(descriptor))
    # Ctrl-C is sent to the whole foreground group, but the parent needs the last samples while it shuts down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands: SimpleQueue[Command] = SimpleQueue()
    threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    # Opened after the threads have started, since the call may hang.
    nvml = open_nvml()
    if isinstance(nvml, Failure):
        write([["fatal", str(nvml)]])
        return
    write([["ready"]])
    Sampler(nvml, write).run(commands)
