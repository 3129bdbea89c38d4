"""The bridge's process: how it is started, joins a cluster, and is found dead."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from freezebench import child_process
from freezebench.errors import FreezebenchError
from freezebench.executors.ray.errors import check_joined
from freezebench.executors.ray.messages import encoded
from freezebench.executors.start_errors import start_errors
from freezebench.output_tail import OutputTail

if TYPE_CHECKING:
    from freezebench.executors.ray.messages import Command, Joined, Reply

_MODULE = "freezebench.executors.ray.bridge"
# Ray waits for a head that is gone for a minute by default.
_ENVIRONMENT = {"RAY_gcs_rpc_server_reconnect_timeout_s": "5", "RAY_USAGE_STATS_ENABLED": "0"}
_JOIN_TIMEOUT_S = 100.0
_CLOSE_TIMEOUT_S = 2.5
_POLL_S = 0.2
_CHUNK_BYTES = 2**16


class BridgeProcess:
    """The process that is part of the cluster, and a socket to it."""

    def __init__(self, address: str, *, with_measures: bool) -> None:
        """Start the process.

        Args:
            address: ``HOST:PORT`` or ``auto``.
            with_measures: Whether nodes report what can be measured there.

        Raises:
            FreezebenchError: If it cannot be started.
        """
        self._address, self._lock = address, threading.Lock()
        with start_errors():
            self._start(with_measures)

    def send(self, command: Command) -> None:
        """Send a message, from any thread."""
        with self._lock, suppress(OSError):  # whoever waits for a reply finds the bridge gone
            self._channel.sendall(encoded(command))

    def end(self) -> None:
        """End the process and the actors; ``replies`` returns ``None`` then."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_CLOSE_TIMEOUT_S)
        self._process.kill()  # the cluster ends the actors of a driver that is dead
        self._process.wait()

    def close(self) -> None:
        """Close the socket and the pipe, once nothing reads them any more."""
        self._selector.close()
        self._output.close()
        self._channel.close()

    def _start(self, with_measures: bool) -> None:
        self._channel, other_end = socket.socketpair()
        measures = "yes" if with_measures else "no"
        environment = {**child_process.environment(), **_ENVIRONMENT}
        if "PYTHONPATH" in environment:
            entries = environment["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries if entry)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                child_process.command(_MODULE, str(os.getpid()), str(other_end.fileno()), self._address, measures),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[other_end.fileno()],
                env=environment,
                cwd="/",  # Ray lets actors import files of the driver's current folder, before installed modules
                start_new_session=True,
            )
        except BaseException:
            self._channel.close()
            raise
        finally:
            other_end.close()
        self._output = OutputTail(self._process)
        self._selector = selectors.PollSelector()
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._selector.register(self._output, selectors.EVENT_READ)
        self._unread = b""

    def join(self) -> Joined:
        """Return the bridge's first message.

        Raises:
            FreezebenchError: If it could not join the cluster.
        """
        deadline = time.monotonic() + _JOIN_TIMEOUT_S
        while time.monotonic() < deadline:
            replies = self.replies(_POLL_S)
            for reply in replies or ():
                if reply["kind"] == "joined":
                    return reply
                if reply["kind"] == "refused":
                    check_joined(self._address, f"{reply['reason']}\n{self._output.text}", is_over=True)
            check_joined(self._address, self._output.text, is_over=replies is None)
        raise FreezebenchError(
            f"the Ray cluster at {self._address} did not answer within {_JOIN_TIMEOUT_S:.0f} s. Read what `ray status "
            f"--address={self._address}` says, and check that this machine is part of the cluster."
        )

    def replies(self, timeout_s: float | None = None) -> list[Reply] | None:
        """Return the messages that have arrived after a while; ``None`` once the bridge has ended."""
        readable = [key.fileobj for key, _ in self._selector.select(timeout_s)]
        if self._output in readable and not self._output.read():
            self._selector.unregister(self._output)
        if self._channel not in readable:
            return []
        received = b""
        with suppress(OSError):
            received = self._channel.recv(_CHUNK_BYTES)
        if not received:
            return None
        *lines, self._unread = (self._unread + received).split(b"\n")
        return [json.loads(line) for line in lines]
