"""The contention of one window."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_processors import FakeProcessors
from hypothesis import given
from hypothesis import strategies as st

from freezebench.meters.contention import METRIC_NAMES, ContentionMeter, contended_share
from freezebench.meters.metrics import COST_METRICS
from freezebench.meters.processors import ThreadTimes, waits_problem
from freezebench.meters.window import measure
from freezebench.records.contention import CONTENTION_LIMIT

_SHARES = st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=64)


class _Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _meter(fake: FakeProcessors, clock: _Clock, problem: str | None = None) -> ContentionMeter:
    return ContentionMeter(fake.processors, problem=lambda: problem, clock=clock)


@pytest.fixture
def fake(tmp_path: Path) -> FakeProcessors:
    """Return a Linux with counters of its own."""
    return FakeProcessors(tmp_path)


def test_a_window_counts_what_happened_within_it(fake: FakeProcessors) -> None:
    """Differences of the counters; a thread that begins counts whole, one that ends is lost."""
    clock = _Clock()
    meter = _meter(fake, clock)
    fake.set_threads({1: (50.0, 5.0), 2: (3.0, 3.0)})
    fake.write("sys/fs/cgroup/unit/cpu.pressure", "some avg10=0 avg60=0 avg300=0 total=1000000\n")
    fake.write("sys/fs/cgroup/unit/cpu.stat", "throttled_usec 700000\n")
    meter.start()
    clock.now_s += 10.0
    fake.set_threads({1: (59.0, 6.0), 3: (8.0, 2.0)})
    fake.write("sys/fs/cgroup/unit/cpu.pressure", "some avg10=0 avg60=0 avg300=0 total=3500000\n")
    readings = meter.stop()
    assert {name: reading.value for name, reading in readings.items() if name != "cpu_s"} == {
        "contended_share": pytest.approx(1 - 0.9 * 0.8),
        "cpu_wait_s": pytest.approx(3.0),
        "steal_s": 0.0,
        "cpu_pressure_s": pytest.approx(2.5),
        "cpu_throttled_s": 0.0,
    }
    assert set(readings) == set(METRIC_NAMES)
    assert all(reading.status == "measured" for reading in readings.values())
    assert all(reading.unit == COST_METRICS[name].unit for name, reading in readings.items())


def test_an_id_that_passed_to_another_thread_is_a_new_thread(fake: FakeProcessors) -> None:
    """Its counters are below those of the thread that had the id before."""
    clock = _Clock()
    meter = _meter(fake, clock)
    fake.set_threads({1: (50.0, 5.0)})
    meter.start()
    clock.now_s += 10.0
    fake.set_threads({1: (4.0, 1.0)})
    assert meter.stop()["contended_share"].value == pytest.approx(0.1)


def test_time_that_the_host_steals_is_lost(fake: FakeProcessors) -> None:
    """A tenth of the time with work was stolen, from one thread that ran nine of ten seconds."""
    clock = _Clock()
    meter = _meter(fake, clock)
    fake.set_threads({1: (0.0, 0.0)})
    meter.start()
    clock.now_s += 10.0
    fake.set_threads({1: (9.0, 0.0)})
    fake.set_ticks(busy_s=9.0, stolen_s=1.0)
    readings = meter.stop()
    assert readings["steal_s"].value == pytest.approx(2.0)
    assert readings["contended_share"].value == pytest.approx(0.09)


def test_a_single_tick_of_steal_is_an_error_of_rounding(fake: FakeProcessors) -> None:
    """In a window of 50 ms one tick of 10 ms would be a fifth."""
    clock = _Clock()
    meter = _meter(fake, clock)
    fake.set_threads({1: (0.0, 0.0)})
    meter.start()
    clock.now_s += 0.05
    fake.set_threads({1: (0.05, 0.0)})
    fake.set_ticks(busy_s=0.04, stolen_s=0.01)
    assert meter.stop()["contended_share"].value == 0.0


def test_a_quota_that_stops_the_process_is_contention(fake: FakeProcessors) -> None:
    """Four seconds over two processors at which two threads computed are two of ten seconds."""
    clock = _Clock()
    meter = _meter(fake, clock)
    fake.set_threads({1: (0.0, 0.0), 2: (0.0, 0.0)})
    fake.write("sys/fs/cgroup/unit/cpu.stat", "throttled_usec 0\n")
    meter.start()
    clock.now_s += 10.0
    fake.set_threads({1: (8.0, 0.0), 2: (8.0, 0.0)})
    fake.write("sys/fs/cgroup/unit/cpu.stat", "throttled_usec 4000000\n")
    readings = meter.stop()
    assert readings["cpu_throttled_s"].value == pytest.approx(4.0)
    assert readings["contended_share"].value == pytest.approx(0.2)


def test_without_waiting_times_the_share_is_that_without_a_processor() -> None:
    """On other systems a thread that sleeps for most of the window seems to wait: an upper bound, marked as partial."""
    meter = ContentionMeter(problem=lambda: "this system does not count it")
    meter.start()
    time.sleep(0.2)
    readings = meter.stop()
    share = readings["contended_share"]
    assert share.value is not None
    assert 0.5 < share.value <= 1
    assert (share.status, readings["cpu_wait_s"].reason) == ("partial", "this system does not count it")
    assert "slept" in str(share.reason)


def test_without_waiting_times_the_thread_has_to_be_the_same() -> None:
    """The processor time of another thread says nothing about the window's."""
    meter = ContentionMeter(problem=lambda: "not counted")
    meter.start()
    readings = []
    thread = threading.Thread(target=lambda: readings.append(meter.stop()))
    thread.start()
    thread.join()
    assert readings[0]["contended_share"].value is None
    assert "another thread" in str(readings[0]["contended_share"].reason)


def test_a_window_that_was_not_opened_measures_nothing() -> None:
    """Every reading says so."""
    assert {reading.reason for reading in ContentionMeter().stop().values()} == {"the window was not opened"}


@given(_SHARES)
def test_the_share_lies_between_the_longest_wait_and_the_sum(waits: list[float]) -> None:
    """Lockstep loses at least the longest wait of a thread, and at most all of them after each other."""
    share = contended_share([ThreadTimes(run_s=1 - wait, wait_s=wait) for wait in waits], 1.0)
    assert max(waits) - 1e-9 <= share <= min(1.0, math.fsum(waits)) + 1e-9


@given(_SHARES, st.floats(min_value=0, max_value=1))
def test_another_thread_never_lowers_the_share(waits: list[float], wait: float) -> None:
    """Idle helper threads change nothing, waiting ones add to it."""
    threads = [ThreadTimes(run_s=0.5, wait_s=value) for value in waits]
    share = contended_share(threads, 1.0)
    assert contended_share([*threads, ThreadTimes(run_s=0.0, wait_s=0.0)], 1.0) == pytest.approx(share)
    assert contended_share([*threads, ThreadTimes(run_s=0.1, wait_s=wait)], 1.0) >= share - 1e-9


def test_no_time_and_no_threads_share_nothing() -> None:
    """An empty window is no division by zero."""
    assert contended_share([], 1.0) == contended_share([ThreadTimes(run_s=0.0, wait_s=0.0)], 0.0) == 0.0


@pytest.mark.slow
@pytest.mark.skipif(waits_problem() is not None, reason="needs a kernel that counts waiting threads")
def test_busy_loops_beside_the_work_are_found() -> None:
    """Beside three loops for each processor a thread waits for most of the time; the limit is 5 %."""
    # They end by themselves, should this process be killed.
    code = "import time; end = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    loops = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3 * len(os.sched_getaffinity(0)))]
    try:
        time.sleep(0.5)
        with measure([]) as window:
            end_s = time.monotonic() + 2.0
            while time.monotonic() < end_s:
                sum(range(10_000))
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    share = window.readings["contended_share"].value
    assert share is not None
    assert share > CONTENTION_LIMIT
