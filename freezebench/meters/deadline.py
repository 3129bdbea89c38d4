"""Calls with a deadline, for functions of drivers that may hang."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class DeadlineWorker:
    """A daemon thread that makes calls, for each of which the caller waits until its deadline at most.

    A call that hangs in C cannot be interrupted. The caller continues without its result, which is possible because
    ctypes releases the GIL during a call. Until the hanging call returns, every further ``run`` fails at once: a window
    then waits for a hanging driver once, not at every edge.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], None], threading.Event] | None] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        # A daemon thread, since a call that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def is_stuck(self) -> bool:
        """Whether a call that missed its deadline has not returned yet."""
        return not self._idle.is_set()

    def run(self, job: Callable[[], None], deadline_s: float) -> bool:
        """Return whether ``job`` was finished within ``deadline_s`` seconds.

        The job stores each result in an object of the caller as soon as it has it, so that those before the deadline
        can be used.
        """
        if self.is_stuck:
            return False
        self._idle.clear()
        done = threading.Event()
        self._jobs.put((job, done))
        return done.wait(deadline_s)

    def close(self) -> None:
        """Make the thread end after its current call, without waiting for it: that call may hang."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            try:
                job()
            finally:
                # Idle first: a caller that sees `done` may submit the next job at once.
                self._idle.set()
                done.set()
