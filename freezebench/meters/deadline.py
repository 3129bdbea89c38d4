"""Calls that may hang, kept from hanging their caller."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class DeadlineWorker:
    """One daemon thread that makes the calls; the caller waits for each no longer than its deadline.

    A call that hangs in C cannot be interrupted, only left behind: its thread stays stuck with it, and every later
    ``run`` returns at once until it comes back, so that a run waits for a hanging driver once and not at every edge.
    ctypes releases the GIL during a call, so the caller goes on.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], None], threading.Event] | None] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def is_stuck(self) -> bool:
        """Whether a call that missed its deadline has still not come back."""
        return not self._idle.is_set()

    def run(self, job: Callable[[], None], deadline_s: float) -> bool:
        """Return whether ``job`` ran to its end within ``deadline_s`` seconds.

        The job leaves its results in an object of its own as it goes: what it had found by the deadline is usable.
        """
        if self.is_stuck:
            return False
        self._idle.clear()
        done = threading.Event()
        self._jobs.put((job, done))
        return done.wait(deadline_s)

    def close(self) -> None:
        """Let the thread end. Does not wait for it: it may be stuck."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                job()
            finally:
                # Idle first: whoever sees `done` may submit the next job at once.
                self._idle.set()
                done.set()
