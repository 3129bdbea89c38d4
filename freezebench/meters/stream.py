"""The parent's side of the sampler process: starts and ends it, sends commands and receives messages."""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from freezebench import child_process
from freezebench.escaping import visible
from freezebench.meters.nvml import Failure
from freezebench.output_tail import OutputTail

if TYPE_CHECKING:
    from freezebench.meters.sampler import Command, Message

_MODULE = "freezebench.meters.sampler"
_CALL = f"python -m {_MODULE}"
_READY_DEADLINE_S = 1.5  # a new interpreter starts, and the driver may initialise the GPU
_KILL_DEADLINE_S = 0.2
_CHUNK = 1 << 16  # the capacity of a pipe on Linux
_MOST_CHARS = 200


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

    def __init__(self, process: subprocess.Popen[bytes], pipe: int, pump_every_s: float) -> None:
        """Take a process, and the pipe for its messages, which is closed with the stream."""
        self._process, self._pipe = process, pipe
        os.set_blocking(pipe, False)
        self._output = OutputTail(process)
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
                return self._ended_early()
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
            self._messages += map(_decoded, lines)
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
        os.close(self._pipe)
        self._output.close()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _ended_early(self) -> Failure:
        """Return the failure of a sampler that closed its pipe, with the last line that it printed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_DEADLINE_S)
        self._output.read()
        printed = f": {visible(self._output.last_line)[:_MOST_CHARS]}" if self._output.last_line else ""
        code = self._process.poll()
        return Failure(call=_CALL, message=f"the sampler process ended early (exit status {code}){printed}")

    def _work(self) -> None:
        while not self._closing.wait(self._pump_every_s):
            self._pump(0.0)

    def _pump(self, wait_s: float) -> None:
        """Move the content of the pipe to memory, waiting up to ``wait_s`` seconds if it is empty."""
        poll = select.poll()  # takes descriptors of any number
        poll.register(self._pipe, select.POLLIN)
        if not poll.poll(1000 * wait_s):
            return
        with self._lock:
            self._output.read()
            while True:
                try:
                    data = os.read(self._pipe, _CHUNK)
                except BlockingIOError:
                    return
                if not data:
                    self._ended = True
                    return
                self._raw += data


def _decoded(line: bytes) -> Message:
    """Return the message of a line; one that is none ends the sampler's use."""
    with suppress(ValueError, RecursionError):
        message = json.loads(line)
        if isinstance(message, list) and message and isinstance(message[0], str):
            return message
    return ["fatal", f"the sampler process sent what is no message: {line[:_MOST_CHARS]!r}"]


def open_stream(interval_s: float) -> Stream | Failure:
    """Start the sampler process; return it when it is ready, or a ``Failure``.

    Args:
        interval_s: The polling interval in seconds, which determines how often the pipe has to be emptied.
    """
    if os.name != "posix":
        return Failure(call=_CALL, message="the sampler needs a POSIX system")
    pipe, other_end = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603  # our own module under our own interpreter
            child_process.command(_MODULE, str(os.getpid()), str(other_end)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[other_end],
            bufsize=0,
            env=child_process.environment(),
        )
    except OSError as error:
        os.close(pipe)
        return Failure(call=_CALL, message=str(error))
    finally:
        os.close(other_end)
    assert process.stdin is not None  # noqa: S101  # Popen created it: stdin=PIPE
    os.set_blocking(process.stdin.fileno(), False)
    stream = SampleStream(process, pipe, pump_every_s=min(2.0, 40 * interval_s))
    failure = stream.await_message(["ready"], _READY_DEADLINE_S)
    if failure is not None:
        stream.close()
        return failure
    return stream
