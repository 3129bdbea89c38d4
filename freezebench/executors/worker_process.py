"""One worker process: how it is started, answers a request, and is found dead."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench import child_process
from freezebench.errors import last_lines
from freezebench.escaping import visible
from freezebench.executors.requests import Answer, Ready, StartFailed, UnknownLineError, decode_line
from freezebench.import_path import path_of_tests
from freezebench.meters.process import ProcessMemory
from freezebench.output_tail import OutputTail
from freezebench.units import bytes_text, seconds_text

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from freezebench.executors.requests import Event, Message, Start
    from freezebench.records.events import ProgressEvent
    from freezebench.records.run_record import InvalidCause

_MODULE = "freezebench.executors.worker_main"
# Waiting threads that spin take the processor from those that work, above all where several sessions share it.
# oneDNN makes a kernel for every shape, and batches of many lengths have more shapes than it keeps by itself.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "3000", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "4096"}
_POLL_EVERY_S = 1.0
_GRACE_S = 5.0
_START_TIMEOUT_S = 600.0
_LOG_LINES = 60  # the stacks of all threads
_CHUNK_BYTES = 2**16


class WorkerFaultError(Exception):
    """A request has no answer: the worker died, had to be ended, or its code raised an error.

    Attributes:
        cause: Kind of the fault.
        log: The end of the traceback, or of what the process printed.
    """

    def __init__(self, cause: InvalidCause, reason: str, log: str) -> None:
        super().__init__(reason)
        self.cause: InvalidCause = cause
        self.log = log


class WorkerProcess:
    """A process in a session of its own, started anew and not forked: CUDA does not survive a fork."""

    def __init__(self, *, visible_devices: str | None = None) -> None:
        """Start it, from a thread that lives as long as the process is needed.

        Args:
            visible_devices: Value of ``CUDA_VISIBLE_DEVICES``; ``None``: that of this process.

        Raises:
            OSError: If it cannot be started.
        """
        self._num_kills = _out_of_memory_kills()
        self._peak_bytes, self._peak_read_at = 0, 0.0
        self._is_ready = False
        devices = {} if visible_devices is None else {"CUDA_VISIBLE_DEVICES": visible_devices}
        self._channel, other_end = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                child_process.command(_MODULE, str(os.getpid()), str(other_end.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[other_end.fileno()],
                env={**_ENVIRONMENT, **child_process.environment(), **devices},
                start_new_session=True,
            )
        except BaseException:
            self._channel.close()
            raise
        finally:
            other_end.close()
        self._channel.settimeout(_START_TIMEOUT_S)  # a process that hangs in its start receives nothing
        self._memory = ProcessMemory(Path(f"/proc/{self._process.pid}"))
        self._output = OutputTail(self._process)
        self._selector = selectors.PollSelector()  # takes no descriptor of its own
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._selector.register(self._output, selectors.EVENT_READ)
        self._unread = bytearray()
        self._send({"path": path_of_tests()})

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def request(
        self, message: Message, emit: Callable[[ProgressEvent], None], timeout_s: float, cancelled: threading.Event
    ) -> Answer:
        """Send a request, pass events on, and return the answer.

        Raises:
            WorkerFaultError: If there is none.
            CancelledError: If the event was set before there was one.
        """
        self._send(message)
        deadline = time.monotonic() + (timeout_s if self._is_ready else max(timeout_s, _START_TIMEOUT_S))
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise self._timed_out(timeout_s)
            readable = [key.fileobj for key, _ in self._selector.select(min(left_s, _POLL_EVERY_S))]
            if cancelled.is_set():
                raise CancelledError
            self._read_peak()
            if self._output in readable and not self._output.read():
                self._selector.unregister(self._output)
            # A program that the worker started may hold the socket open after the worker's end.
            if not readable and not self.is_alive:
                raise self._ended()
            for event in self._received() if self._channel in readable else ():
                match event:
                    case Answer():
                        return event
                    case Ready():  # the time limit is that of the run alone
                        self._is_ready, deadline = True, time.monotonic() + timeout_s
                    case StartFailed():
                        raise self._died("crash", f"its process could not start: {event.reason}")
                    case _:
                        emit(event)

    def kill(self) -> None:
        """Kill the process and everything that it started; safe from any thread."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill the process, wait for its end, and close its pipes."""
        self.kill()
        self._process.wait()
        self._selector.close()
        self._output.close()
        self._channel.close()

    def _send(self, message: Start | Message) -> None:
        with suppress(OSError):  # ``request`` finds the process dead
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _received(self) -> list[Event]:
        """Return the events that have arrived.

        Raises:
            WorkerFaultError: If the worker closed the socket, or a line is no event.
        """
        received = b""
        with suppress(OSError):  # reset by a process that died with a request unread
            received = self._channel.recv(_CHUNK_BYTES)
        if not received:
            raise self._ended()
        self._unread += received
        # Most of an answer's chunks end no line: only what is new is searched.
        if b"\n" not in received:
            return []
        *lines, self._unread = self._unread.split(b"\n")
        try:
            return [decode_line(bytes(line)) for line in lines]
        except UnknownLineError as error:
            raise self._died("crash", f"its process sent what is no message of freezebench: {error}") from error

    def _read_peak(self) -> None:
        """Note how much memory the process has taken: once it is killed, the kernel no longer reports it."""
        if time.monotonic() - self._peak_read_at < _POLL_EVERY_S:
            return
        self._peak_read_at = time.monotonic()
        with suppress(OSError):
            self._peak_bytes = max(self._peak_bytes, self._memory.high_water_bytes())

    def _timed_out(self, timeout_s: float) -> WorkerFaultError:
        if not self._is_ready:
            return self._died("timeout", "its process did not start: importing torch and transformers did not end")
        return self._died("timeout", f"not done after {seconds_text(timeout_s)}, the limit that --freeze-timeout sets")

    def _ended(self) -> WorkerFaultError:
        """Return the error of a process that closed its socket, named by its exit code or signal."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_S)
        code = self._process.returncode
        when = "" if self._is_ready else " while it started"
        if code is None:
            return self._died("crash", f"its process stopped answering{when}")
        if code >= 0:
            return self._died("crash", f"its process ended by itself with exit code {code}{when}{self._last_printed()}")
        peak = f"; it had taken up to {bytes_text(self._peak_bytes)} before" if self._peak_bytes else ""
        name = _signal_name(-code)
        # SIGKILL comes from the kernel's out-of-memory killer or from a person: only the former is counted.
        if code == -signal.SIGKILL and _out_of_memory_kills() > self._num_kills:
            return self._died("out_of_memory", f"the kernel killed its process for want of memory ({name}){when}{peak}")
        return self._died("killed", f"its process was ended by {name}{when}{peak}")

    def _last_printed(self) -> str:
        """Return the last line that the process printed, as a further clause."""
        self._output.read()
        line = self._output.last_line
        return f"; the last line that it printed: {visible(last_lines(line))}" if line else ""

    def _died(self, cause: InvalidCause, reason: str) -> WorkerFaultError:
        self._output.read()
        return WorkerFaultError(cause, reason, last_lines(self._output.text, most=_LOG_LINES))


def _signal_name(number: int) -> str:
    """Return a signal's name; real-time signals have none but their numbers."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _out_of_memory_kills() -> int:
    """Return how often the kernel killed for want of memory in this control group; 0 where that is not counted."""
    with suppress(OSError, ValueError, IndexError):
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").split("::", 1)[1].splitlines()[0]
        events = Path("/sys/fs/cgroup" + group.rstrip("/"), "memory.events").read_text(encoding="utf-8")
        return int(events.split("oom_kill ")[1].split()[0])
    return 0
