"""Progress from the events of runs: a line while a run trains and when it has ended, and a table after each seed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from freezebench.records.events import (
    ProgressEvent,
    RunEvent,
    RunFinished,
    RunProgressed,
    RunReused,
    RunsPlanned,
    RunStarted,
    RunWaiting,
    SeedsFinished,
    StepRecord,
    TrainingPaused,
    TrainingStarted,
)
from freezebench.report.durations import Durations, count_configurations, duration_text
from freezebench.report.provisional import provisional_lines
from freezebench.units import percent_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freezebench.records.run_record import RunRecord
    from freezebench.specs.run import RunSpec

_REFRESH_S = 0.2
_TABLE_COLUMNS = 68  # 80 without the "freezebench " at the beginning of each line


class Progress:
    """Writes the state of the current run.

    Args:
        write: Receives a line in a long and a short form, and whether the next line may replace it.
        live: Whether lines can be replaced, as on a terminal; otherwise there is one line per finished run.
        planned: The runs that the session needs at least.
        label: What lines begin with; ``None``: the number and the name of each run.
        quiet: Whether nothing is shown but which run goes on; without a terminal that is a line per finished run.
        clock: Returns seconds from an arbitrary start.
    """

    def __init__(
        self,
        write: Callable[[Sequence[str], bool], None],
        *,
        live: bool,
        planned: Sequence[RunSpec],
        label: str | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write, self._live, self._quiet, self._clock = write, live, quiet, clock
        self._own_label, self._num_started = label, 0
        self._plan(planned)
        self._durations = Durations()
        self._spec: RunSpec | None = None
        self._started_at = self._shown = 0.0
        # Training is interrupted by evaluations: its finished seconds, and the start of the current part.
        self._trained_s, self._resumed_at = 0.0, 0.0

    def on_event(self, event: RunEvent) -> None:
        """Show an event of a run."""
        match event:
            case RunStarted():
                self._start(event.spec)
            case RunWaiting():
                self._wait(event.reason)
            case RunProgressed():
                self._train(event.event)
            case RunReused():
                self._reuse(event.record)
            case RunFinished():
                self._finish(event.record)
            case RunsPlanned():
                self._plan(event.left)
            case SeedsFinished():
                self._compare(event)

    def _plan(self, left: Sequence[RunSpec]) -> None:
        """Take the runs that have not started: later looks add some, and what broke needs no more."""
        self._pending, self._num_left = count_configurations(left), len(left)

    def _start(self, spec: RunSpec) -> None:
        """Show the start of a run, which loads the model first."""
        self._count(spec)
        self._started_at, self._trained_s = self._clock(), 0.0
        self._show("preparing")

    def _count(self, spec: RunSpec) -> None:
        """Count a run as started."""
        self._spec = spec
        self._num_started += 1
        self._num_left = max(self._num_left - 1, 0)
        self._pending -= count_configurations([spec])

    def _wait(self, reason: str) -> None:
        """Show why a run waits for another session."""
        self._write([f"waiting: {reason}"], self._quiet and self._live)

    def _reuse(self, record: RunRecord) -> None:
        """Show that a run of an earlier session is reused."""
        self._count(record.spec)
        accuracy = "" if record.test is None else f", test accuracy {100 * record.test.accuracy:.1f} %"
        self._end(f"{self._label(record.spec)}: reused from an earlier session{accuracy}")

    def _train(self, event: ProgressEvent) -> None:
        """Show the state of training."""
        now = self._clock()
        if isinstance(event, TrainingStarted):
            self._resumed_at = now
        elif isinstance(event, TrainingPaused):
            self._trained_s += now - self._resumed_at
            self._show(f"epoch {event.epoch}  evaluating")
        elif self._live and now - self._shown >= _REFRESH_S:
            self._show(*self._step(event, now))

    def _finish(self, record: RunRecord) -> None:
        """Show the outcome of a run, and the time that the others will take."""
        left = ""
        if record.test is None:
            outcome = f"invalid: {record.reason}"
        else:
            self._durations.add(record.spec, self._clock() - self._started_at)
            accuracy = f"test accuracy {100 * record.test.accuracy:.1f} %"
            share = percent_text(record.contended_share, 0)
            contended = f", contended {share}" if record.is_contended else ""
            outcome = f"{accuracy}, trained in {seconds_text(record.value('train_s'))}{contended}"
            seconds = self._durations.total(self._pending, fallback=None)
            left = f"; {duration_text(seconds)} left" if seconds else ""
        self._end(f"{self._label(record.spec)}: {outcome}{left}")

    def _end(self, line: str) -> None:
        """Write a line that stays; where only the run that goes on is shown, clear its line instead."""
        self._write([""] if self._quiet and self._live else [line], self._quiet and self._live)

    def _compare(self, seeds: SeedsFinished) -> None:
        """Show how the configurations compare so far."""
        for line in () if self._quiet else provisional_lines(seeds, _TABLE_COLUMNS):
            self._write([line], False)

    def _label(self, spec: RunSpec | None) -> str:
        """Return what lines begin with: number of the latest run, of all that are known to be needed, a run's name."""
        if self._own_label is not None:
            return self._own_label
        name = f"{spec.freeze} seed {spec.seed}" if spec else ""
        return f"[{self._num_started}/{self._num_started + self._num_left}] {name}"

    def _show(self, *states: str) -> None:
        if self._live:
            self._shown = self._clock()
            self._write([f"{self._label(self._spec)}  {state}" for state in states], True)

    def _step(self, event: StepRecord, now: float) -> tuple[str, ...]:
        """Return step, loss, throughput and remaining time in a long and a short form."""
        spec = self._spec
        trained_s = self._trained_s + now - self._resumed_at
        if spec is None or trained_s <= 0:
            return ("training",)
        rate = event.step * spec.protocol.batch_size / trained_s
        loss = "" if event.loss is None else f"  loss {event.loss:.3f}"
        run_s = self._remaining_s(spec, trained_s / event.step * (event.num_steps - event.step), now)
        others_s = self._durations.total(self._pending, fallback=now - self._started_at + run_s)
        left, grid = duration_text(run_s), "" if others_s is None else f", grid {duration_text(run_s + others_s)}"
        epoch, step = f"{event.epoch}/{spec.protocol.num_epochs}", f"{event.step}/{event.num_steps}"
        return (
            f"epoch {epoch}  step {step}{loss}  {rate:,.0f} sentences/s  {left} left{grid}",
            f"{epoch}  {step}{loss}  {rate:,.0f}/s  {left}{grid}",
        )

    def _remaining_s(self, spec: RunSpec, training_s: float, now: float) -> float:
        """Return the seconds until this run ends: at least its steps, and by the duration of earlier seeds."""
        # Earlier seeds include loading and evaluations, which the steps do not.
        earlier_s = self._durations.of(spec)
        return training_s if earlier_s is None else max(training_s, earlier_s - (now - self._started_at))
