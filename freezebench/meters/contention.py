"""Contention of one window: how long the threads of this process waited for a processor, and why.

The idea of ``contended_share``: training threads run in lockstep, since each step ends when its slowest thread has
done its part. So a moment is lost when any of the threads waits::

    thread 1   ██████████░░░░██████████████      ░ waits for a processor
    thread 2   ██████████████████████░░░░██
    lost                 ^^^^        ^^^^        8 of 30: neither the mean (4) nor, where both wait at once, the sum

The kernel counts how long each thread waited, not when. With ``q_i`` the share of the window in which thread ``i``
waited, and waits that begin independently of each other, some thread waits during ``1 - (1 - q_1)(1 - q_2)…`` of the
window. This lies between the longest wait and the sum of all; for one thread it is that thread's wait.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from freezebench.meters.metrics import COST_METRICS
from freezebench.meters.processors import (
    WAITS_SOURCE,
    Counted,
    NotCountedError,
    Processors,
    ThreadTimes,
    waits_problem,
)
from freezebench.records.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freezebench.meters.processors import ProcessorTicks

_T = TypeVar("_T")

_STEAL_SOURCE = "steal in /proc/stat"
_CPU_SOURCE = "time.process_time"
_THREAD_SOURCE = "time.thread_time against the clock"
_SLEEPS = "this system does not count waiting, so that pauses in which the thread slept are included"
# The kernel counts stolen time in ticks of 10 ms: fewer in a window may be an error of rounding.
_FEWEST_STOLEN_TICKS = 5


@dataclass(frozen=True, kw_only=True)
class _Edge:
    """All counters at one edge of a window; a text is the reason why one cannot be read.

    Attributes:
        time_s: Monotonic clock.
        cpu_s: Processor time of this process, in seconds.
        own_cpu_s: Processor time of the calling thread.
        own_thread: Id of the calling thread.
        threads: Times of every thread.
        ticks: Ticks of the processors.
        pressure: Time in which some task waited for a processor.
        throttled: Time in which quotas stopped this process.
    """

    time_s: float
    cpu_s: float
    own_cpu_s: float
    own_thread: int
    threads: dict[int, ThreadTimes] | str
    ticks: ProcessorTicks | str
    pressure: Counted | str
    throttled: Counted | str


class ContentionMeter:
    """Contention of one window: ``contended_share``, and the times behind it.

    Where the kernel does not count waits, the share is that in which the thread that opened the window did not run.

    Args:
        processors: The kernel's counters.
        problem: Returns why waiting times cannot be used; ``None`` if they can.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        processors: Processors | None = None,
        *,
        problem: Callable[[], str | None] = waits_problem,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processors = processors or Processors()
        self._problem = problem
        self._clock = clock
        self._start: _Edge | None = None

    def start(self) -> None:
        """Open the window."""
        self._start = self._read()

    def stop(self) -> dict[str, Reading]:
        """Close the window and return its readings."""
        if self._start is None:
            return {name: _absent(name, "no window", "the window was not opened") for name in METRIC_NAMES}
        start, end = self._start, self._read()
        throttled = _difference("cpu_throttled_s", start.throttled, end.throttled)
        return {
            **_waits(start, end, throttled_s=throttled.value or 0.0),
            "cpu_s": Reading(value=end.cpu_s - start.cpu_s, unit="s", source=_CPU_SOURCE),
            "steal_s": _difference("steal_s", _stolen(start.ticks), _stolen(end.ticks)),
            "cpu_pressure_s": _difference("cpu_pressure_s", start.pressure, end.pressure),
            "cpu_throttled_s": throttled,
        }

    def _read(self) -> _Edge:
        # The first call computes for a moment, which must not count: it comes before every other figure.
        problem = self._problem()
        return _Edge(
            time_s=self._clock(),
            cpu_s=time.process_time(),
            own_cpu_s=time.thread_time(),
            own_thread=threading.get_ident(),
            threads=_try(self._processors.threads) if problem is None else problem,
            ticks=_try(self._processors.ticks),
            pressure=_try(self._processors.pressure),
            throttled=_try(self._processors.throttled),
        )


METRIC_NAMES = ("contended_share", "cpu_wait_s", "cpu_s", "steal_s", "cpu_pressure_s", "cpu_throttled_s")


def contended_share(
    threads: list[ThreadTimes], duration_s: float, *, steal: float = 0.0, throttled_s: float = 0.0
) -> float:
    """Return the share of a window in which some thread waited for a processor, 0 to 1; see the module's docstring.

    Time that the host steals is lost to the threads that ran then: each thread loses the same share of its running
    time. A quota that throttles the process stops all its threads; some kernels do not count this as waiting, so that
    the larger of the two figures is taken.

    Args:
        threads: Times of each thread within the window.
        duration_s: Length of the window in seconds.
        steal: Stolen share of the time that processors had work, 0 to 1.
        throttled_s: Seconds of throttling, summed over processors.
    """
    if duration_s <= 0 or not threads:
        return 0.0
    lost = [min(1.0, (thread.wait_s + steal * thread.run_s) / duration_s) for thread in threads]
    waiting = 1 - math.prod(1 - share for share in lost)
    # How many threads compute at once: all of equal work count as one each, idle ones not at all.
    busiest_s = max(thread.run_s for thread in threads)
    num_busy = math.fsum(thread.run_s for thread in threads) / busiest_s if busiest_s > 0 else 1.0
    return max(waiting, min(1.0, throttled_s / num_busy / duration_s))


def _waits(start: _Edge, end: _Edge, *, throttled_s: float) -> dict[str, Reading]:
    """Return the share in which some thread waited, and the seconds of all threads together."""
    duration_s = end.time_s - start.time_s
    if isinstance(start.threads, str) or isinstance(end.threads, str):
        problem = next(threads for threads in (start.threads, end.threads) if isinstance(threads, str))
        absent = _absent("cpu_wait_s", WAITS_SOURCE, problem)
        return {"contended_share": _off_processor(start, end, duration_s), "cpu_wait_s": absent}
    threads = _between(start.threads, end.threads)
    steal = _steal_ratio(start.ticks, end.ticks)
    share = contended_share(threads, duration_s, steal=steal, throttled_s=throttled_s)
    waited_s = math.fsum(thread.wait_s for thread in threads)
    return {
        "contended_share": Reading(value=share, unit="1", source=f"{WAITS_SOURCE}, {_STEAL_SOURCE}"),
        "cpu_wait_s": Reading(value=waited_s, unit="s", source=WAITS_SOURCE),
    }


def _between(start: Mapping[int, ThreadTimes], end: Mapping[int, ThreadTimes]) -> list[ThreadTimes]:
    """Return the times of each thread between two edges.

    Threads that began within the window count whole. Those that ended in it are lost, since the kernel drops them.
    """
    none = ThreadTimes(run_s=0.0, wait_s=0.0)
    pairs = ((start.get(thread, none), times) for thread, times in end.items())
    # An id may have passed from a thread that ended to one that began, whose times are smaller.
    return [
        ThreadTimes(run_s=now.run_s - before.run_s, wait_s=now.wait_s - before.wait_s)
        if now.run_s >= before.run_s and now.wait_s >= before.wait_s
        else now
        for before, now in pairs
    ]


def _steal_ratio(start: ProcessorTicks | str, end: ProcessorTicks | str) -> float:
    """Return the share of the time that processors had work, and the host ran something else; 0 if not counted."""
    if isinstance(start, str) or isinstance(end, str):
        return 0.0
    stolen, busy = end.stolen - start.stolen, end.busy - start.busy
    return stolen / (stolen + busy) if stolen >= _FEWEST_STOLEN_TICKS and busy >= 0 else 0.0


def _stolen(ticks: ProcessorTicks | str) -> Counted | str:
    return ticks if isinstance(ticks, str) else Counted(seconds=ticks.stolen / ticks.per_s, source=_STEAL_SOURCE)


def _difference(name: str, start: Counted | str, end: Counted | str) -> Reading:
    """Return the reading of a counter."""
    if isinstance(start, str):
        return _absent(name, "the kernel", start)
    if isinstance(end, str):
        return _absent(name, "the kernel", end)
    return Reading(value=max(0.0, end.seconds - start.seconds), unit="s", source=end.source)


def _off_processor(start: _Edge, end: _Edge, duration_s: float) -> Reading:
    """Return the share of the window in which the thread that opened it did not run: an upper bound of its waits."""
    if start.own_thread != end.own_thread or duration_s <= 0:
        return _absent("contended_share", _THREAD_SOURCE, "the window was closed by another thread")
    share = 1 - (end.own_cpu_s - start.own_cpu_s) / duration_s
    value = min(1.0, max(0.0, share))
    return Reading(value=value, unit="1", source=_THREAD_SOURCE, status="partial", reason=_SLEEPS)


def _try(read: Callable[[], _T]) -> _T | str:
    try:
        return read()
    except NotCountedError as error:
        return str(error)


def _absent(name: str, source: str, reason: str) -> Reading:
    return Reading.not_measured(COST_METRICS[name].unit, source, reason)
