"""The worker process of one slot of a Ray cluster, as the session that sends it requests sees it."""

from __future__ import annotations

import queue
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING

from freezebench.executors.base import SlotLostError
from freezebench.executors.requests import Answer, UnknownLineError, decode_line
from freezebench.executors.worker_process import WorkerFaultError
from freezebench.import_path import project_entries

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from freezebench.executors.ray.cluster import RayCluster
    from freezebench.executors.ray.messages import Reply
    from freezebench.executors.requests import Message
    from freezebench.records.events import ProgressEvent
    from freezebench.specs.slots import Slot

_START_TIMEOUT_S = 600.0  # the time that a worker's imports may take, see ``WorkerProcess``
_GRACE_S = 120.0
_POLL_S = 0.2


class RayWorker:
    """A worker process on a slot of a cluster."""

    def __init__(self, cluster: RayCluster, slot: Slot) -> None:
        """Start the process; the last one of the slot has to have ended.

        Raises:
            SlotLostError: If the slot is gone.
        """
        self._cluster, self._slot = cluster, slot
        self._slot_number, self._number = cluster.start_worker(slot)
        self._is_ended = False

    @property
    def is_alive(self) -> bool:
        """Whether it can still answer."""
        return not self._is_ended and self._slot in self._cluster.slots

    def request(
        self, message: Message, emit: Callable[[ProgressEvent], None], timeout_s: float, cancelled: threading.Event
    ) -> Answer:
        """Send a request, pass events on, and return the answer.

        Raises:
            WorkerFaultError: If there is none.
            SlotLostError: If its actor or node is gone.
            CancelledError: If the event was set before there was one.
        """
        there: Message = {**message, "path": project_entries(message["path"])}
        call, replies = self._cluster.call(self._slot_number, self._number, there, timeout_s)
        # The actor ends a run in time; this is for a node that says nothing at all.
        deadline = time.monotonic() + max(timeout_s, _START_TIMEOUT_S) + _GRACE_S
        try:
            while not cancelled.is_set():
                with suppress(queue.Empty):
                    answer = self._answer(replies.get(timeout=_POLL_S), emit)
                    if answer is not None:
                        return answer
                if time.monotonic() > deadline:
                    self._cluster.lose(self._slot_number, "it does not answer")
            raise CancelledError
        finally:
            self._cluster.forget(call)

    def kill(self) -> None:
        """End the process; safe from any thread."""
        self._is_ended = True
        self._cluster.kill(self._slot_number, self._number)

    def end(self) -> None:
        """End the process; the actor waits for its end before it starts the next one."""
        self.kill()

    def _answer(self, reply: Reply, emit: Callable[[ProgressEvent], None]) -> Answer | None:
        """Return the answer in a reply; ``None`` if it holds an event, which is passed on."""
        match reply["kind"]:
            case "event":
                try:
                    event = decode_line(reply["line"].encode())
                except UnknownLineError as error:
                    raise WorkerFaultError("crash", f"its actor sent what is no message: {error}", "") from error
                if isinstance(event, Answer):
                    return event
                emit(event)  # type: ignore[arg-type]  # the actor passes no other events on
            case "fault":
                raise WorkerFaultError(reply["cause"], reply["reason"], reply["log"])
            case "lost":
                raise SlotLostError(self._cluster.with_place(self._slot_number, reply["reason"]))
        return None
