"""Progress: one line per run while it trains, and one when it is done; told by events, wherever the run trains."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from freezebench.records.events import (
    ProgressEvent,
    RunEvent,
    RunFinished,
    RunProgressed,
    RunReused,
    RunStarted,
    RunWaiting,
    StepRecord,
    TrainingPaused,
    TrainingStarted,
)
from freezebench.report.durations import Durations, kinds, left_text
from freezebench.units import seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec

_REFRESH_S = 0.2


class Progress:
    """Writes what the running configuration does.

    Args:
        write: Receives a line, in full and shorter, and whether the next one may replace it.
        live: Whether lines can be replaced (a terminal); otherwise there is one line per finished run.
        planned: The runs that the session will do at least.
        clock: Seconds from any start.
    """

    def __init__(
        self,
        write: Callable[[Sequence[str], bool], None],
        *,
        live: bool,
        planned: Sequence[RunSpec],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._live, self._clock = write, live, clock
        self._pending, self._num_planned, self._num_begun = kinds(planned), len(planned), 0
        self._durations = Durations()
        self._spec: RunSpec | None = None
        self._began = self._shown = 0.0
        # Seconds of finished stretches of training, and the beginning of the one that runs.
        self._trained_s, self._stretch_began = 0.0, 0.0

    def on_event(self, event: RunEvent) -> None:
        """Show an event of a run."""
        match event:
            case RunStarted():
                self.begin(event.spec)
            case RunWaiting():
                self.waiting(event.reason)
            case RunProgressed():
                self.emit(event.event)
            case RunReused():
                self.reused(event.record)
            case RunFinished():
                self.end(event.record)

    def begin(self, spec: RunSpec) -> None:
        """A run begins: loading comes first."""
        self._num_begun += 1
        self._spec = spec
        # What more looks ask for was not planned.
        self._pending -= kinds([spec])
        self._began, self._trained_s = self._clock(), 0.0
        self._show("preparing")

    def waiting(self, reason: str) -> None:
        """The next run waits for another session."""
        self._write([f"waiting: {reason}"], False)

    def reused(self, record: RunRecord) -> None:
        """A run of an earlier session stands in for one that was planned."""
        self._num_begun += 1
        self._spec = record.spec
        self._pending -= kinds([record.spec])
        accuracy = "" if record.test is None else f", test accuracy {100 * record.test.accuracy:.1f} %"
        self._write([f"{self._label()}: reused from an earlier session{accuracy}"], False)

    def emit(self, event: ProgressEvent) -> None:
        """Something happened in training."""
        now = self._clock()
        if isinstance(event, TrainingStarted):
            self._stretch_began = now
        elif isinstance(event, TrainingPaused):
            self._trained_s += now - self._stretch_began
            self._show(f"epoch {event.epoch}  evaluating")
        elif self._live and now - self._shown >= _REFRESH_S:
            self._show(*self._step(event, now))

    def end(self, record: RunRecord) -> None:
        """A run ended."""
        if record.test is None:
            outcome = f"invalid: {record.reason}"
        else:
            self._durations.learn(record.spec, self._clock() - self._began)
            accuracy = f"test accuracy {100 * record.test.accuracy:.1f} %"
            outcome = f"{accuracy}, trained in {seconds_text(record.value('train_s'))}"
        self._write([f"{self._label()}: {outcome}"], False)

    def _label(self) -> str:
        """Return which run it is, of how many as far as is known."""
        spec = self._spec
        name = f"{spec.freeze} seed {spec.seed}" if spec else ""
        return f"[{self._num_begun}/{max(self._num_planned, self._num_begun)}] {name}"

    def _show(self, *states: str) -> None:
        if self._live:
            self._shown = self._clock()
            self._write([f"{self._label()}  {state}" for state in states], True)

    def _step(self, event: StepRecord, now: float) -> tuple[str, ...]:
        """Return where training stands and how long it will go on, in full and in short."""
        spec = self._spec
        trained_s = self._trained_s + now - self._stretch_began
        if spec is None or trained_s <= 0:
            return ("training",)
        rate = event.step * spec.protocol.batch_size / trained_s
        loss = "" if event.loss is None else f"  loss {event.loss:.3f}"
        run_s = self._run_left(spec, trained_s / event.step * (event.num_steps - event.step), now)
        others_s = self._durations.total(self._pending, fallback=now - self._began + run_s)
        left, grid = left_text(run_s), "" if others_s is None else f", grid {left_text(run_s + others_s)}"
        epoch, step = f"{event.epoch}/{spec.protocol.num_epochs}", f"{event.step}/{event.num_steps}"
        return (
            f"epoch {epoch}  step {step}{loss}  {rate:,.0f} sentences/s  {left} left{grid}",
            f"{epoch}  {step}{loss}  {rate:,.0f}/s  {left}{grid}",
        )

    def _run_left(self, spec: RunSpec, training_s: float, now: float) -> float:
        """Return the seconds until this run ends: its steps, and what earlier seeds took beside them."""
        whole_s = self._durations.of(spec)
        return training_s if whole_s is None else max(training_s, whole_s - (now - self._began))
