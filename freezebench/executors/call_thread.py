"""A thread that runs calls one after another and lives until it is closed."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class CallThread:
    """Runs calls in one thread, like ``ThreadPoolExecutor(1)``, but an interpreter that exits does not wait for it.

    Linux ends a worker process with the *thread* that started it (``PR_SET_PDEATHSIG``), so the thread has to live as
    long as the worker may be used.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="freezebench-worker", daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Return the future result of a call."""
        future: Future[T] = Future()

        def fulfil() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - raised where the result is requested
                future.set_exception(error)
            else:
                future.set_result(result)

        self._calls.put(fulfil)
        return future

    def close(self) -> None:
        """End the thread after the calls that wait."""
        self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
