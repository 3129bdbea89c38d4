"""Progress: one line per run while it trains, and one when it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from freezebench.training.progress import StepRecord
from freezebench.units import seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec
    from freezebench.training.progress import Event

_REFRESH_S = 0.2
_LOG_EVERY_S = 30.0


class Progress:
    """Writes what the running configuration does.

    Args:
        write: Receives a line and whether the next one may replace it.
        live: Whether lines can be replaced (a terminal); otherwise only a line per run and one every 30 s is written.
        num_runs: Number of runs that the session will do.
        clock: Seconds from any start.
    """

    def __init__(
        self,
        write: Callable[[str, bool], None],
        *,
        live: bool,
        num_runs: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._clock = write, clock
        self._interval_s = _REFRESH_S if live else _LOG_EVERY_S
        self._live = live
        self._num_runs, self._num_begun = num_runs, 0
        self._label = ""
        self._began = self._shown = 0.0

    def begin(self, spec: RunSpec) -> None:
        """A run begins: loading comes first."""
        self._num_begun += 1
        total = max(self._num_runs, self._num_begun)
        self._label = f"[{self._num_begun}/{total}] {spec.freeze} seed {spec.seed}"
        self._began = self._shown = self._clock()
        if self._live:
            self._write(f"{self._label}: loading", True)

    def emit(self, event: Event) -> None:
        """Something happened in training."""
        now = self._clock()
        if not isinstance(event, StepRecord) or now - self._shown < self._interval_s:
            return
        self._shown = now
        left_s = (now - self._began) / event.step * (event.num_steps - event.step)
        loss = "" if event.loss is None else f", loss {event.loss:.3f}"
        step = f"epoch {event.epoch}, step {event.step}/{event.num_steps}"
        self._write(f"{self._label}: {step}{loss}, {seconds_text(left_s)} left", self._live)

    def end(self, record: RunRecord) -> None:
        """A run ended."""
        if record.test is None:
            outcome = f"invalid: {record.reason}"
        else:
            accuracy = f"test accuracy {100 * record.test.accuracy:.1f} %"
            outcome = f"{accuracy}, trained in {seconds_text(record.value('train_s'))}"
        self._write(f"{self._label}: {outcome}", False)
