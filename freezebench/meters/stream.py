"""The parent's end of the sampler process: starts it, sends commands, takes in its messages, and ends it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from freezebench.meters.nvml import Failure

_CALL = "python -m freezebench.meters.sampler"
_READY_DEADLINE_S = 1.5
_KILL_DEADLINE_S = 0.2
_CHUNK = 1 << 16


class Stream(Protocol):
    """What the GPU meter needs of a sampler."""

    @property
    def pid(self) -> int:
        """The sampler's process id."""

    def send(self, command: dict[str, Any]) -> None:
        """Send one command."""

    def await_message(self, wanted: list[Any], deadline_s: float) -> Failure | None:
        """Wait until the sampler has sent ``wanted``; return why it has not, if it has not within the deadline."""

    def messages(self) -> list[list[Any]]:
        """Return every message so far, oldest first."""

    def forget(self) -> None:
        """Drop the messages so far."""

    def close(self) -> None:
        """End the sampler."""


class SampleStream:
    """A running sampler process. Make one with ``open_stream``.

    While a window is open nothing here needs the GIL but a thread that empties the pipe every two seconds, long before
    its 64 KiB are full: the sampler's messages wait there, and survive its death.
    """

    def __init__(self, process: subprocess.Popen[bytes], pump_every_s: float) -> None:
        self._process = process
        self._raw = bytearray()
        self._messages: list[list[Any]] = []
        self._ended = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._pump_every_s = pump_every_s
        self._thread = threading.Thread(target=self._work, name="freezebench-stream", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The sampler's process id."""
        return self._process.pid

    def send(self, command: dict[str, Any]) -> None:
        """Send one command; a sampler that has died is noticed when its messages are awaited."""
        data = (json.dumps(command) + "\n").encode()
        assert self._process.stdin is not None  # noqa: S101  # Popen made it: stdin=PIPE
        with suppress(OSError):
            # Unbuffered and non-blocking: commands are short, and a sampler that hangs must not hang its parent.
            os.write(self._process.stdin.fileno(), data)

    def await_message(self, wanted: list[Any], deadline_s: float) -> Failure | None:
        """Wait until the sampler has sent ``wanted``; return why it has not, if it has not within the deadline."""
        end_s = time.monotonic() + deadline_s
        num_seen = 0
        while True:
            # Looked at first: what came between this look and its end would be missed the other way round.
            has_ended = self._ended
            news = self.messages()[num_seen:]
            num_seen += len(news)
            if wanted in news:
                return None
            if fatal := next((message for message in news if message[0] == "fatal"), None):
                return Failure(call=_CALL, message=str(fatal[1]))
            if has_ended:
                code = self._process.poll()
                return Failure(call=_CALL, message=f"the sampler process ended early (exit status {code})")
            remaining_s = end_s - time.monotonic()
            if remaining_s <= 0:
                return Failure(call=_CALL, message=f"the sampler process did not answer within {deadline_s:.1f} s")
            self._pump(remaining_s)

    def messages(self) -> list[list[Any]]:
        """Return every message so far, oldest first."""
        with self._lock:
            *lines, rest = bytes(self._raw).split(b"\n")
            self._raw = bytearray(rest)
            # A sampler killed within a write may leave half a line: it stays in the rest.
            self._messages += [json.loads(line) for line in lines]
            return list(self._messages)

    def forget(self) -> None:
        """Drop the messages so far: no open window needs them."""
        self.messages()
        with self._lock:
            self._messages.clear()

    def close(self) -> None:
        """Kill the sampler and reap it. One that is stuck in the driver dies when the driver lets go of it."""
        self._closing.set()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_DEADLINE_S)
        self._thread.join(timeout=_KILL_DEADLINE_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _work(self) -> None:
        while not self._closing.wait(self._pump_every_s):
            self._pump(0.0)

    def _pump(self, wait_s: float) -> None:
        """Move what is in the pipe to memory, waiting up to ``wait_s`` seconds for something to come."""
        assert self._process.stdout is not None  # noqa: S101  # Popen made it: stdout=PIPE
        descriptor = self._process.stdout.fileno()
        readable, _, _ = select.select([descriptor], [], [], wait_s)
        if not readable:
            return
        with self._lock:
            while True:
                try:
                    data = os.read(descriptor, _CHUNK)
                except BlockingIOError:
                    return
                if not data:
                    self._ended = True
                    return
                self._raw += data


def open_stream(interval_s: float) -> Stream | Failure:
    """Start the sampler process; return it when it is ready, or why it is not.

    Args:
        interval_s: The polling interval to come, which decides how often the pipe must be emptied.
    """
    if os.name != "posix":
        return Failure(call=_CALL, message="the sampler needs a POSIX system")
    if not sys.executable:
        return Failure(call=_CALL, message="this interpreter does not know its own path")
    # -P keeps the working folder's modules from shadowing the standard library's. A package that is not installed is
    # found by its path; one that is needs none, and site-packages before the standard library could shadow it too.
    home = str(Path(__file__).resolve().parents[2])
    is_installed = home in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), None if is_installed else home)))
    command = [sys.executable, "-P", "-m", "freezebench.meters.sampler", str(os.getpid())]
    try:
        process = subprocess.Popen(  # noqa: S603  # our own module under our own interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={**os.environ, **({"PYTHONPATH": path} if path else {})},
        )
    except OSError as error:
        return Failure(call=_CALL, message=str(error))
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None  # noqa: S101  # Popen made both: PIPE
        os.set_blocking(pipe.fileno(), False)
    stream = SampleStream(process, pump_every_s=min(2.0, 40 * interval_s))
    failure = stream.await_message(["ready"], _READY_DEADLINE_S)
    if failure is not None:
        stream.close()
        return failure
    return stream
