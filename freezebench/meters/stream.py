"""The parent's side of the sampler process: starts and ends it, sends commands and receives messages."""

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
from typing import TYPE_CHECKING, Protocol

from freezebench.meters.nvml import Failure

if TYPE_CHECKING:
    from freezebench.meters.sampler import Command, Message

_CALL = "python -m freezebench.meters.sampler"
_READY_DEADLINE_S = 1.5  # a new interpreter starts, and the driver may initialise the GPU
_KILL_DEADLINE_S = 0.2
_CHUNK = 1 << 16  # the capacity of a pipe on Linux


class Stream(Protocol):
    """A sampler as the GPU meter uses it."""

    @property
    def pid(self) -> int:
        """The sampler's process id."""

    def send(self, command: Command) -> None:
        """Send one command."""

    def await_message(self, expected: Message, deadline_s: float) -> Failure | None:
        """Wait until the sampler has sent ``expected``; return the reason if it does not within the deadline."""

    def messages(self) -> list[Message]:
        """Return every message so far, oldest first."""

    def forget(self) -> None:
        """Drop the messages so far."""

    def close(self) -> None:
        """End the sampler."""


class SampleStream:
    """A running sampler process; ``open_stream`` starts it.

    While a window is open, the measured code must not be disturbed. So messages stay in the pipe, where they are kept
    even if the sampler dies, and a thread empties it every two seconds, long before its 64 KiB are full.
    """

    def __init__(self, process: subprocess.Popen[bytes], pump_every_s: float) -> None:
        self._process = process
        self._raw = bytearray()
        self._messages: list[Message] = []
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

    def send(self, command: Command) -> None:
        """Send one command; that a sampler has died is only noticed by ``await_message``."""
        data = (json.dumps(command) + "\n").encode()
        assert self._process.stdin is not None  # noqa: S101  # Popen created it: stdin=PIPE
        with suppress(OSError):
            # Unbuffered and non-blocking: commands are short, and a sampler that hangs must not block its parent.
            os.write(self._process.stdin.fileno(), data)

    def await_message(self, expected: Message, deadline_s: float) -> Failure | None:
        """Wait until the sampler has sent ``expected``; return the reason if it does not within the deadline."""
        end_s = time.monotonic() + deadline_s
        num_seen = 0
        while True:
            # Read before the messages: the other way round, messages that arrive in between would be missed.
            has_ended = self._ended
            news = self.messages()[num_seen:]
            num_seen += len(news)
            if expected in news:
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

    def messages(self) -> list[Message]:
        """Return every message so far, oldest first."""
        with self._lock:
            *lines, rest = bytes(self._raw).split(b"\n")
            self._raw = bytearray(rest)
            # A sampler that is killed while it writes may leave an incomplete line, which is never decoded.
            self._messages += [json.loads(line) for line in lines]
            return list(self._messages)

    def forget(self) -> None:
        """Drop the messages so far, which no open window needs."""
        self.messages()
        with self._lock:
            self._messages.clear()

    def close(self) -> None:
        """Kill the sampler and wait for it briefly; one that hangs in the driver ends when the driver returns."""
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
        """Move the content of the pipe to memory, waiting up to ``wait_s`` seconds if it is empty."""
        assert self._process.stdout is not None  # noqa: S101  # Popen created it: stdout=PIPE
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
    """Start the sampler process; return it when it is ready, or a ``Failure``.

    Args:
        interval_s: The polling interval in seconds, which determines how often the pipe has to be emptied.
    """
    if os.name != "posix":
        return Failure(call=_CALL, message="the sampler needs a POSIX system")
    if not sys.executable:
        return Failure(call=_CALL, message="the path of this Python interpreter is unknown (sys.executable is empty)")
    # With -P no module of the working folder can shadow one of the standard library. A package that is not installed
    # needs its folder in the path. An installed one does not: site-packages ahead of the standard library could shadow
    # it, too.
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
        assert pipe is not None  # noqa: S101  # Popen created both: PIPE
        os.set_blocking(pipe.fileno(), False)
    stream = SampleStream(process, pump_every_s=min(2.0, 40 * interval_s))
    failure = stream.await_message(["ready"], _READY_DEADLINE_S)
    if failure is not None:
        stream.close()
        return failure
    return stream
