"""One worker process: how it is started, answers a request, and is found dead."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from freezebench.executors.requests import decode_line
from freezebench.meters.process import ProcessMemory
from freezebench.units import bytes_text, seconds_text

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from freezebench.executors.requests import Message
    from freezebench.records.events import ProgressEvent
    from freezebench.records.run_record import InvalidCause
    from freezebench.specs.json_types import Json

_BOOT = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from freezebench.executors.worker_main import serve; "
_BOOT += "serve(int(sys.argv[2]))"
# Waiting threads that spin take the processor from those that work, above all where several sessions share it.
# oneDNN makes a kernel for every shape, and batches of many lengths have more shapes than it keeps by itself.
_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "3000", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "4096"}
_POLL_EVERY_S = 1.0
_GRACE_S = 5.0
_START_TIMEOUT_S = 600.0
_LOG_LINES = 60  # the stacks of all threads
_LOG_TAIL_BYTES = 2**16


class WorkerDiedError(Exception):
    """The worker ended without an answer, or had to be ended."""

    def __init__(self, cause: InvalidCause, reason: str, log: str) -> None:
        super().__init__(reason)
        self.cause: InvalidCause = cause
        self.log = log


class WorkerProcess:
    """A process in a session of its own, started anew and not forked: CUDA does not survive a fork."""

    def __init__(self, folder: Path, number: int) -> None:
        """Start it, from a thread that lives as long as the process is needed.

        Args:
            folder: Where its log and its answers are written.
            number: Makes their names different from those of other workers.

        Raises:
            OSError: If it cannot be started.
        """
        self._result = folder / f"result-{number}.json"
        self._log = folder / f"worker-{number}.log"
        self._num_kills = _out_of_memory_kills()
        self._peak_bytes, self._peak_read_at = 0, 0.0
        self._is_ready = False
        command = [sys.executable, "-c", _BOOT, json.dumps(sys.path), str(os.getpid())]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**_ENVIRONMENT, **os.environ},
                start_new_session=True,
            )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._memory = ProcessMemory(Path(f"/proc/{self._process.pid}"))
        self._stdin, self._events = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._events, selectors.EVENT_READ)
        self._unread = b""

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def result(self) -> Path:
        """The file that answers are written to."""
        return self._result

    def request(
        self, message: Message, emit: Callable[[ProgressEvent], None], timeout_s: float, cancelled: threading.Event
    ) -> dict[str, Json]:
        """Send a request, pass events on, and return the answer.

        Raises:
            WorkerDiedError: If there is none.
            CancelledError: If the event was set before there was one.
        """
        self._result.unlink(missing_ok=True)
        with suppress(BrokenPipeError):  # the loop below finds the process dead
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()
        deadline = time.monotonic() + (timeout_s if self._is_ready else max(timeout_s, _START_TIMEOUT_S))
        while True:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise self._timed_out(timeout_s)
            is_readable = self._selector.select(min(left_s, _POLL_EVERY_S))
            if cancelled.is_set():
                raise CancelledError
            self._read_peak()
            if not is_readable:
                continue
            received = os.read(self._events.fileno(), 2**16)
            if not received:
                raise self._ended()
            *lines, self._unread = (self._unread + received).split(b"\n")
            for event in map(decode_line, lines):
                if event == "done":
                    return cast("dict[str, Json]", json.loads(self._result.read_bytes()))
                if event == "ready":  # its imports are done; the time limit is that of the run alone
                    self._is_ready, deadline = True, time.monotonic() + timeout_s
                elif not isinstance(event, str):
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
        for pipe in (self._stdin, self._events):
            with suppress(OSError):
                pipe.close()

    def _read_peak(self) -> None:
        """Note how much memory the process has taken: once it is killed, the kernel no longer reports it."""
        if time.monotonic() - self._peak_read_at < _POLL_EVERY_S:
            return
        self._peak_read_at = time.monotonic()
        with suppress(OSError):
            self._peak_bytes = max(self._peak_bytes, self._memory.high_water_bytes())

    def _timed_out(self, timeout_s: float) -> WorkerDiedError:
        if not self._is_ready:
            return self._died("timeout", "its process did not start: importing torch and transformers did not end")
        return self._died("timeout", f"not done after {seconds_text(timeout_s)}, the limit that --freeze-timeout sets")

    def _ended(self) -> WorkerDiedError:
        """Return the error of a process that closed its pipe, named by its exit code or signal."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_S)
        code = self._process.returncode
        if code is None:
            return self._died("crash", "its process stopped answering")
        if code >= 0:
            return self._died("crash", f"its process ended by itself with exit code {code}")
        peak = f"; it had taken up to {bytes_text(self._peak_bytes)} before" if self._peak_bytes else ""
        name = signal.Signals(-code).name
        # SIGKILL comes from the kernel's out-of-memory killer or from a person: only the former is counted.
        if code == -signal.SIGKILL and _out_of_memory_kills() > self._num_kills:
            return self._died("out_of_memory", f"the kernel killed its process for want of memory ({name}){peak}")
        return self._died("killed", f"its process was ended by {name}{peak}")

    def _died(self, cause: InvalidCause, reason: str) -> WorkerDiedError:
        tail: list[str] = []
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - _LOG_TAIL_BYTES))
            tail = file.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
        return WorkerDiedError(cause, reason, "\n".join(tail))


def _out_of_memory_kills() -> int:
    """Return how often the kernel killed for want of memory in this control group; 0 where that is not counted."""
    with suppress(OSError, ValueError, IndexError):
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").split("::", 1)[1].splitlines()[0]
        events = Path("/sys/fs/cgroup" + group.rstrip("/"), "memory.events").read_text(encoding="utf-8")
        return int(events.split("oom_kill ")[1].split()[0])
    return 0
