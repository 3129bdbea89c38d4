"""Calls that wait for the thread which made the queue."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from freezebench.executors.call_queue import CallQueue


def test_calls_of_the_own_thread_happen_at_once() -> None:
    """An executor in this process shows its events while it trains."""
    calls, order = CallQueue(), list[int]()
    calls.put(lambda: order.append(1))
    assert order == [1]


def test_calls_of_other_threads_wait() -> None:
    """They happen in their order, in this thread."""
    calls, threads = CallQueue(), list[int]()
    with ThreadPoolExecutor() as pool:
        for _ in range(3):
            pool.submit(calls.put, lambda: threads.append(threading.get_ident())).result()
    assert threads == []
    calls.wait()
    assert threads == [threading.get_ident()] * 3
    calls.wait(0.01)
    calls.drain()
    assert len(threads) == 3


def test_a_result_is_waited_for_while_calls_happen() -> None:
    """Progress goes on while a run trains; what the future raises is raised here."""
    calls, order = CallQueue(), list[int]()
    with ThreadPoolExecutor() as pool:

        def train() -> str:
            for number in range(3):
                calls.put(partial(order.append, number))
            return "done"

        assert calls.result(pool.submit(train)) == "done"
    assert order == [0, 1, 2]
    failed: Future[None] = Future()
    failed.set_exception(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        calls.result(failed)
