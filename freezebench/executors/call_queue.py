"""Calls that other threads leave to the thread of the tests, so that it alone changes plans and shows events."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


class CallQueue:
    """Calls that wait for the thread which made the queue."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._owner = threading.get_ident()

    def put(self, call: Callable[[], None]) -> None:
        """Carry out a call at once if this is the thread that made the queue; otherwise let it wait there."""
        if threading.get_ident() == self._owner:
            call()
        else:
            self._calls.put(call)

    def wait(self, timeout_s: float | None = None) -> None:
        """Carry out the calls that wait; if there is none, the next one.

        Args:
            timeout_s: How long to wait for it, in seconds; ``None``: as long as it takes.
        """
        try:
            self._calls.get(timeout=timeout_s)()
        except queue.Empty:
            return
        self.drain()

    def drain(self) -> None:
        """Carry out the calls that wait."""
        while not self._calls.empty():
            self._calls.get()()

    def result(self, future: Future[T]) -> T:
        """Return a future's result, carrying out calls until it has one.

        Raises:
            BaseException: What the future raises.
        """
        future.add_done_callback(lambda _: self._calls.put(lambda: None))
        while not future.done():
            self.wait()
        self.drain()
        return future.result()
