"""The thread that runs calls one after another."""

from __future__ import annotations

import threading

import pytest

from freezebench.executors.call_thread import CallThread


def test_calls_run_in_one_thread_in_their_order() -> None:
    """Results and errors come back as futures."""
    thread = CallThread()
    order: list[int] = []
    futures = [thread.submit(lambda number=number: order.append(number)) for number in range(3)]  # type: ignore[misc]
    names = {thread.submit(lambda: threading.current_thread().name).result() for _ in range(3)}
    failing = thread.submit(lambda: 1 / 0)
    thread.close()
    assert [future.result() for future in futures] == [None] * 3
    assert order == [0, 1, 2]
    assert names == {"freezebench-worker"}
    with pytest.raises(ZeroDivisionError):
        failing.result()


def test_a_call_that_was_cancelled_does_not_run() -> None:
    """As with any executor of concurrent.futures."""
    thread = CallThread()
    begin = threading.Event()
    thread.submit(begin.wait)
    waiting = thread.submit(lambda: pytest.fail("it ran"))
    assert waiting.cancel()
    begin.set()
    thread.close()
